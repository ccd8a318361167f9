"""Namespaces: which are new, which are joined, and in which order (namespaces(7), setns(2))."""

from __future__ import annotations

from runtime.linux.constants import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
)
from runtime.plan.ops import Op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.container import Container
    from runtime.spec.model import Linux

FLAGS = {
    "cgroup": CLONE_NEWCGROUP,
    "ipc": CLONE_NEWIPC,
    "mount": CLONE_NEWNS,
    "network": CLONE_NEWNET,
    "pid": CLONE_NEWPID,
    "time": CLONE_NEWTIME,
    "user": CLONE_NEWUSER,
    "uts": CLONE_NEWUTS,
}
"""Type as in config.json to CLONE_NEW*."""


class Namespaces:
    """linux.namespaces by type.

    new: type to its index in the list; joined: type to (index, path). A type in neither is shared
    with the runtime.
    """

    __slots__ = ("joined", "new")

    def __init__(self, linux: Linux | None) -> None:
        self.new: dict[str, int] = {}
        self.joined: dict[str, tuple[int, str]] = {}
        for index, namespace in enumerate((linux and linux.namespaces) or ()):
            if namespace.path:
                self.joined[namespace.type] = (index, namespace.path)
            else:
                self.new[namespace.type] = index

    def own(self, kind: str) -> bool:
        """Whether the container has such a namespace of its own, new or joined."""
        return kind in self.new or kind in self.joined

    def cause(self, kind: str) -> str:
        """The JSON pointer of the entry."""
        index = self.new[kind] if kind in self.new else self.joined[kind][0]
        return f"/linux/namespaces/{index}"

    def slot(self, kind: str) -> str:
        """The slot of a joined namespace's descriptor."""
        return f"namespaces[{self.joined[kind][0]}]"


def open_paths(c: Container) -> list[Op]:
    """Every namespace file, before anything is joined that could change what the paths mean."""
    names = c.namespaces
    return [
        Op("open_namespace", names.cause(kind), ns=names.slot(kind), path=path, type=FLAGS[kind])
        for kind, (_, path) in names.joined.items()
    ]


def join(c: Container) -> list[Op]:
    """setns(2) of each.

    A privileged caller joins the user namespace last, as what it may do outside of it ends there;
    for anyone else that is where the right to join the others begins.
    """
    kinds = [kind for kind in c.namespaces.joined if kind != "user"]
    if "user" in c.namespaces.joined:
        kinds.insert(len(kinds) if c.privileged else 0, "user")
    ops = []
    for kind in kinds:
        cause = c.namespaces.cause(kind)
        ops.append(Op("setns", cause, ns=c.namespaces.slot(kind), type=FLAGS[kind]))
        if kind == "user":
            ops += c.idmap.after_join(cause)
    return ops


def unshare_user(c: Container) -> list[Op]:
    """A new user namespace comes before the others, which then belong to it."""
    if "user" not in c.namespaces.new:
        return []
    cause = c.namespaces.cause("user")
    return [Op("unshare", cause, flags=CLONE_NEWUSER), *c.idmap.after_unshare(cause)]


def unshare_rest(c: Container) -> list[Op]:
    """All other new ones in one call; but the cgroup namespace, whose root is where the process is."""
    flags = 0
    first = None
    for kind, index in c.namespaces.new.items():
        if kind not in ("user", "cgroup"):
            flags |= FLAGS[kind]
            first = index if first is None else first
    cause = "/linux/namespaces"
    return [Op("unshare", cause, flags=flags)] if flags else []


def unshare_cgroup(c: Container) -> list[Op]:
    if "cgroup" not in c.namespaces.new:
        return []
    return [Op("unshare", c.namespaces.cause("cgroup"), flags=CLONE_NEWCGROUP)]


def time_offsets(c: Container) -> list[Op]:
    """One write of both clocks, before the first process enters the namespace.

    A process that is not dumpable cannot open its own file from inside a user namespace.
    """
    offsets = (c.linux and c.linux.time_offsets) or {}
    if not offsets or "time" not in c.namespaces.new:
        return []
    text = ""
    for clock in ("monotonic", "boottime"):
        offset = offsets.get(clock)
        seconds = (offset and offset.secs) or 0
        nanoseconds = (offset and offset.nanosecs) or 0
        text += f"{clock} {seconds} {nanoseconds}\n"
    cause = "/linux/timeOffsets"
    write = Op("time_offsets", cause, text=text)
    if not c.namespaces.own("user") or (not c.privileged and "user" in c.namespaces.new):
        return [write]
    return [Op("dumpable", cause, value=1), write, Op("dumpable", cause, value=0)]


def loopback_up(c: Container) -> list[Op]:
    if "network" not in c.namespaces.new:
        return []
    return [Op("loopback_up", c.namespaces.cause("network"))]


def enter_running(names: Namespaces) -> list[Op]:
    """setns(2) into all namespaces of a running container at once, by the pidfd of its init."""
    flags = 0
    for kind in (*names.new, *names.joined):
        flags |= FLAGS[kind]
    if not flags:
        return []
    ops = [Op("setns", "(exec)", ns="pidfd", type=flags)]
    if names.own("user"):
        ops.append(Op("become_root", "(exec)"))
    return ops
