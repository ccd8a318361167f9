"""What the checks of a config have in common."""

from __future__ import annotations

from runtime.errors import Problem
from runtime.spec.decode import show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from runtime.spec.model import LinuxNamespace, Record, Spec

    Item = TypeVar("Item", bound=Record | str | int)

__all__ = ["NO_ID", "check_absolute", "check_unsupported", "items", "Namespaces"]

#: (uid_t) -1 and (gid_t) -1
NO_ID = 0xFFFFFFFF


def items(path: str, values: list[Item] | None) -> list[tuple[str, Item]]:
    """Each item with its path, without those that could not be read."""
    if not values:
        return []
    return [(f"{path}[{index}]", item) for index, item in enumerate(values) if item is not None]


class Namespaces:
    """The namespaces that the config lists, the first of each type."""

    __slots__ = ("_by_type", "_complete")

    def __init__(self, spec: Spec) -> None:
        linux = spec.linux
        listed = linux.namespaces if linux else None
        self._by_type: dict[str, LinuxNamespace] = {}
        for _, namespace in items("", listed):
            self._by_type.setdefault(namespace.type, namespace)
        # what could not be read is reported already, and may be just the one that is looked for
        raw = (spec.raw or {}).get("linux")
        self._complete = None not in self._by_type and None not in (listed or [])
        if listed is None and raw is not None:
            self._complete = isinstance(raw, dict) and raw.get("namespaces") is None

    def get(self, kind: str) -> LinuxNamespace | None:
        return self._by_type.get(kind)

    def lack(self, kind: str) -> bool:
        """Whether the container certainly has no such namespace of its own."""
        return self._complete and kind not in self._by_type


def check_absolute(value: str | None, path: str, problems: list[Problem]) -> None:
    if value is not None and not value.startswith("/"):
        message = f"{show(value)} is not an absolute path; write it from /"
        problems.append(Problem(path, value, message))


def check_unsupported(value: object, path: str, what: str, problems: list[Problem]) -> None:
    """Refuse a feature that is asked for; an empty string, list or object asks for nothing."""
    if hasattr(value, "__slots__"):
        asked = any(getattr(value, name) is not None for name in type(value).__slots__)
    else:
        asked = bool(value)
    if asked:
        shown = f"{show(value)}: " if isinstance(value, str) else ""
        problems.append(Problem(path, value, f"{shown}planc 0.1 does not support {what}; remove it"))
