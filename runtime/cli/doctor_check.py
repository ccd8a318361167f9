"""One line of `planc doctor`'s report."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OK = "ok"
LIMITED = "limited"
MISSING = "missing"


class Check:
    """One line of the report.

    status    "ok", "limited" (works in part) or "missing"
    found     what there is
    means     what that means for containers; "" when all is well
    advice    what to do about it; "" when there is nothing to be done
    required  a container of `planc spec` (by users: `planc spec --rootless`) needs it
    """

    __slots__ = ("advice", "found", "group", "means", "name", "required", "status")

    def __init__(
        self,
        name: str,
        status: str,
        found: str,
        means: str = "",
        advice: str = "",
        required: bool = False,
    ) -> None:
        self.group = ""
        self.name = name
        self.status = status
        self.found = found
        self.means = means
        self.advice = advice
        self.required = required

    def as_json(self) -> dict[str, Any]:
        """The check as an object with all members."""
        names = ("group", "name", "status", "required", "found", "means", "advice")
        return {name: getattr(self, name) for name in names}
