"""Device nodes and the symlinks of /dev (runtime-spec "Devices", "Default Devices")."""

from __future__ import annotations

from runtime.linux.capabilities import CAPABILITIES
from runtime.linux.constants import DEVICE_TYPES, S_IFIFO
from runtime.plan.ops import Op
from runtime.plan.paths import inside
from runtime.plan.rootfs import tree_propagation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.container import Container
    from runtime.spec.model import LinuxDevice

_CAP_MKNOD = CAPABILITIES["CAP_MKNOD"]
DEFAULTS_CAUSE = "(default devices)"

# Documentation/admin-guide/devices.txt: major and minor of the character devices
DEFAULT_DEVICES = (
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
)
SYMLINKS = (
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
)


class Node:
    """A device to be made: `mode` with the type bits of inode(7)."""

    __slots__ = ("cause", "gid", "major", "minor", "mode", "path", "uid")

    def __init__(self, path: str, mode: int, major: int, minor: int, cause: str) -> None:
        self.path = path
        self.mode = mode
        self.major = major
        self.minor = minor
        self.uid = self.gid = 0
        self.cause = cause


def nodes(c: Container) -> list[Node]:
    """The defaults, then config.json's; the latter replace a default of the same path."""
    by_path: dict[str, Node] = {}
    for path, major, minor in DEFAULT_DEVICES:
        by_path[path] = Node(path, DEVICE_TYPES["c"] | 0o666, major, minor, DEFAULTS_CAUSE)
    for index, device in enumerate((c.linux and c.linux.devices) or ()):
        node = _node(device, f"/linux/devices/{index}")
        by_path[node.path] = node
    # always the devpts' own, see symlinks()
    by_path.pop("/dev/ptmx", None)
    return list(by_path.values())


def _node(device: LinuxDevice, cause: str) -> Node:
    mode = 0o666 if device.file_mode is None else device.file_mode & 0o7777
    node = Node(
        inside(device.path), DEVICE_TYPES[device.type] | mode, device.major or 0, device.minor or 0, cause
    )
    node.uid = device.uid or 0
    node.gid = device.gid or 0
    return node


def _is_bound(c: Container, node: Node) -> bool:
    """Without the right to mknod(2) the caller's node of the same path serves; a FIFO needs no right."""
    return (c.in_userns or not c.host.capable(_CAP_MKNOD)) and node.mode & 0o170000 != S_IFIFO


def open_trees(c: Container) -> list[Op]:
    """The caller's nodes, where those are bound."""
    if c.dev_is_bind:
        return []
    return [
        Op(
            "open_tree",
            node.cause,
            tree=f"devices[{node.path}]",
            source=node.path,
            propagation=tree_propagation(c),
        )
        for node in nodes(c)
        if _is_bound(c, node)
    ]


def make(c: Container) -> list[Op]:
    """The nodes; nothing when config.json binds its own /dev."""
    if c.dev_is_bind:
        return []
    return [_make(c, node) for node in nodes(c)]


def _make(c: Container, node: Node) -> Op:
    if _is_bound(c, node):
        return Op("bind", node.cause, tree=f"devices[{node.path}]", target=node.path)
    return Op(
        "mknod",
        node.cause,
        path=node.path,
        mode=node.mode,
        major=node.major,
        minor=node.minor,
        uid=node.uid,
        gid=node.gid,
    )


def symlinks(c: Container) -> list[Op]:
    """/dev/ptmx of the container's own devpts, and the customary links into /proc."""
    if c.dev_is_bind:
        return []
    ops = [Op("symlink", DEFAULTS_CAUSE, target="pts/ptmx", path="/dev/ptmx", replace=1)]
    links = list(SYMLINKS)
    if c.host.kcore:
        links.append(("/proc/kcore", "/dev/core"))
    return ops + [Op("symlink", DEFAULTS_CAUSE, target=target, path=path) for target, path in links]


def reopen_dev_null(c: Container) -> list[Op]:
    """Standard descriptors that are the host's /dev/null would stay the host's."""
    return [] if c.dev_is_bind else [Op("reopen_dev_null", DEFAULTS_CAUSE)]
