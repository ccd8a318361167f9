"""linux.resources.devices, and which devices the container may then open."""

from __future__ import annotations

from typing import NamedTuple

from .base_config import Config

DEVICES = ("c 1:3", "c 1:7", "c 240:7", "c 240:8", "c 241:7", "b 240:7", "b 241:8")
"""null and full, and devices that no driver has: the rules are asked first."""
NO_NODE = "-"
"""Not even a node can be made."""
DEFAULT = {"c 1:3": "rw", "c 1:7": "rw"}
"""What every container may open."""
DEFAULT_LINES = (
    "b *:* m", "c *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm",
    "c 5:0 rwm", "c 5:2 rwm", "c 10:200 rwm", "c 136:* rwm",
)  # fmt: skip
"""The same as v1's devices.list."""


class Rules(NamedTuple):
    """`opens`: device → `r`, `w`, both or NO_NODE, beside DEFAULT; `lines`: devices.list, beside DEFAULT_LINES.

    `lines` None: the list says `a *:* rwm`, as it does with and without exceptions.
    """

    name: str
    rules: list[Config] | None
    opens: dict[str, str]
    lines: tuple[str, ...] | None = ()

    @property
    def has_exceptions(self) -> bool:
        """Whether all but some is allowed."""
        return self.lines is None and self.opens != ALL_OPEN


def _allow(kind: str, major: int | None, minor: int | None, access: str) -> Config:
    return _rule(True, kind, major, minor, access)


def _deny(kind: str, major: int | None, minor: int | None, access: str) -> Config:
    return _rule(False, kind, major, minor, access)


def _rule(allow: bool, kind: str, major: int | None, minor: int | None, access: str) -> Config:
    numbers = {name: value for name, value in (("major", major), ("minor", minor)) if value is not None}
    return {"allow": allow, "type": kind, "access": access} | numbers


NOTHING: Config = {"allow": False, "access": "rwm"}
"""The first rule of Docker, Podman and containerd."""
EVERYTHING: Config = {"allow": True, "access": "rwm"}
ALL_OPEN = dict.fromkeys(DEVICES, "rw")

TABLE = [
    Rules("no resources", None, {}),
    Rules("no rules", [], {}),
    Rules("nothing", [NOTHING], {}),
    Rules("allow alone", [_allow("c", 240, 7, "r")], {"c 240:7": "r"}, ("c 240:7 r",)),
    Rules("deny alone", [_deny("c", 240, 7, "rw")], {}),
    Rules("everything", [EVERYTHING], ALL_OPEN, None),
    Rules("everything by type a", [NOTHING, _allow("a", -1, -1, "rwm")], ALL_OPEN, None),
    Rules("read", [NOTHING, _allow("c", 240, 7, "r")], {"c 240:7": "r"}, ("c 240:7 r",)),
    Rules("write", [NOTHING, _allow("c", 240, 7, "w")], {"c 240:7": "w"}, ("c 240:7 w",)),
    Rules("mknod only", [NOTHING, _allow("b", 240, 7, "m")], {}, ("b 240:7 m",)),
    Rules(
        "read, then write", [NOTHING, _allow("c", 240, 7, "r"), _allow("c", 240, 7, "w")],
        {"c 240:7": "rw"}, ("c 240:7 rw",),
    ),
    Rules(
        "two devices", [NOTHING, _allow("c", 241, 7, "rwm"), _allow("b", 240, 7, "rwm")],
        {"c 241:7": "rw", "b 240:7": "rw"}, ("c 241:7 rwm", "b 240:7 rwm"),
    ),
    Rules(
        "all minors", [NOTHING, _allow("c", 240, -1, "rw")], {"c 240:7": "rw", "c 240:8": "rw"}, ("c 240:* rw",),
    ),
    Rules("all minors by absence", [NOTHING, _allow("b", 241, None, "r")], {"b 241:8": "r"}, ("b 241:* r",)),
    Rules("all majors", [NOTHING, _allow("c", -1, 7, "r")], {"c 240:7": "r", "c 241:7": "r"}, ("c *:7 r",)),
    Rules(
        "all block devices", [NOTHING, _allow("b", None, None, "rwm")],
        {"b 240:7": "rw", "b 241:8": "rw"}, ("b *:* rwm",),
    ),
    Rules(
        "part taken back", [NOTHING, _allow("c", 240, 7, "rw"), _deny("c", 240, 7, "w")],
        {"c 240:7": "r"}, ("c 240:7 r",),
    ),
    Rules("all taken back", [NOTHING, _allow("c", 240, 7, "rwm"), NOTHING], {}),
    Rules(
        "everything but one", [EVERYTHING, _deny("c", 240, 7, "rwm")],
        {name: NO_NODE if name == "c 240:7" else "rw" for name in DEVICES}, None,
    ),
    Rules(
        "everything but writing to one", [EVERYTHING, _deny("b", 240, 7, "w")],
        {name: "r" if name == "b 240:7" else "rw" for name in DEVICES}, None,
    ),
    Rules("null is not taken away", [NOTHING, _deny("c", 1, 3, "rwm")], {}),
]  # fmt: skip
