"""Where the cgroup hierarchies are mounted and where this process sits in them.

Sources: /proc/self/mountinfo (proc(5)) and /proc/self/cgroup (cgroups(7)).
"""

from __future__ import annotations

from runtime.linux import posix as os
from runtime.linux.files import read_file, read_text
from runtime.linux.host import CgroupLayout

TYPE_CHECKING = False
if TYPE_CHECKING:
    #: mountpoint as a path of this process, root of the mount inside its hierarchy, file system type,
    #: super options
    CgroupMount = tuple[str, str, str, str]

USUAL = "/sys/fs/cgroup"


def read_layout() -> CgroupLayout:
    """The layout as this process sees it. Raises OSError when /proc is not there.

    Own paths are relative to the mountpoints: mountpoint + own path is a directory, also where a
    mount shows only a part of its hierarchy.  With nothing mounted ``v1`` is () and ``unified`` "".
    """
    membership = read_text("/proc/self/cgroup")
    layout = usual_v2(membership) or parse_layout(read_text("/proc/self/mountinfo"), membership)
    if layout.unified:
        layout.part = os.path.exists(f"{layout.unified}/cgroup.type")
        try:
            layout.controllers = tuple(read_text(f"{layout.unified}/cgroup.controllers").split())
        except OSError:
            pass
    return layout


def cgroup_type(path: str) -> str:
    """v2: cgroup.type; "domain" for the root of all, which has no such file. Raises OSError."""
    try:
        return read_file(f"{path}/cgroup.type").decode().strip()
    except FileNotFoundError:
        return "domain"


def has_own_processes(path: str) -> bool:
    """v2: whether the cgroup, other than the root, has processes, so that its children can have no
    controllers. (Those that the kernel would still enable, such as pids, would make it threaded, and
    its children unfit for processes.)"""
    try:
        return os.path.exists(f"{path}/cgroup.type") and bool(read_file(f"{path}/cgroup.procs", 16))
    except OSError:
        return True


def usual_v2(membership: str, mountpoint: str = USUAL) -> CgroupLayout | None:
    """The layout of most hosts, cgroup2 in its usual place and no v1, without the list of all mounts.

    That list may be long: a host of many containers has hundreds. None for any other layout, also
    where the mount shows only a part of the hierarchy; ``controllers`` stays empty.
    """
    paths = parse_membership(membership)
    own = paths.get((), "")
    if len(paths) != 1 or not os.path.exists(f"{mountpoint}/cgroup.controllers"):
        return None
    if not own or not os.path.exists(f"{mountpoint}{own.rstrip('/')}/cgroup.procs"):
        return None
    return CgroupLayout("v2", (), mountpoint, own)


def parse_layout(mountinfo: str, membership: str) -> CgroupLayout:
    """The layout that the two files tell; ``controllers`` stays empty."""
    paths = parse_membership(membership)
    v1: list[tuple[tuple[str, ...], str, str]] = []
    unified = own = ""
    taken: set[tuple[str, ...]] = set()
    for mountpoint, root, fstype, options in _visible_mounts(mountinfo):
        names = () if fstype == "cgroup2" else _hierarchy(options, paths)
        if names is None or names in taken:
            continue
        taken.add(names)
        path = _below(root, paths.get(names, "/"))
        if names:
            v1.append((names, mountpoint, path))
        else:
            unified, own = mountpoint, path
    mode = "v2" if not v1 else "hybrid" if unified else "v1"
    return CgroupLayout(mode, tuple(v1), unified, own or "/")


def parse_membership(text: str) -> dict[tuple[str, ...], str]:
    """/proc/PID/cgroup: the path per hierarchy; () is the unified one."""
    paths = {}
    for line in text.splitlines():
        _, names, path = line.split(":", 2)
        paths[tuple(names.split(",")) if names else ()] = path.removesuffix(" (deleted)")
    return paths


def _hierarchy(options: str, paths: dict[tuple[str, ...], str]) -> tuple[str, ...] | None:
    """The names, as /proc/self/cgroup has them, of the v1 hierarchy with these super options."""
    words = set(options.split(","))
    for names in paths:
        if names and words.issuperset(names):
            return names
    return None


def _below(root: str, path: str) -> str:
    """`path` in the hierarchy as a path below a mount of `root`.

    A root that is no ancestor (the mount is from outside of our cgroup namespace) says nothing of
    where we are: the mount's own top is the best guess.
    """
    if root == "/" or root.startswith("/.."):
        return path
    if path == root:
        return "/"
    return path[len(root) :] if path.startswith(root + "/") else "/"


def _visible_mounts(mountinfo: str) -> list[CgroupMount]:
    """The mounts of cgroup file systems that a path can reach, those below /sys/fs/cgroup first."""
    found: list[tuple[str, CgroupMount]] = []
    children: dict[tuple[str, str], str] = {}
    parents: dict[str, tuple[str, str]] = {}
    for line in mountinfo.splitlines():
        ident, parent, _, root, mountpoint, rest = line.split(" ", 5)
        children[parent, mountpoint] = ident
        parents[ident] = (parent, mountpoint)
        if " - cgroup" in rest:
            fstype, _, options = rest.partition(" - ")[2].split(" ", 2)
            if fstype in ("cgroup", "cgroup2"):
                found.append((ident, (mountpoint, root, fstype, options)))
    top = _top_mount(parents)
    seen = [mount for ident, mount in found if _walk(mount[0], top, children) == ident]
    seen = [(_unescape(mount[0]), _unescape(mount[1]), mount[2], mount[3]) for mount in seen]
    seen.sort(key=lambda mount: not mount[0].startswith(USUAL))
    return seen


def _top_mount(parents: dict[str, tuple[str, str]]) -> str:
    """The mount that "/" means: the lowest one that is mounted there (those above are walked)."""
    for ident, (parent, mountpoint) in parents.items():
        if mountpoint == "/" and (parent not in parents or parent == ident):
            return ident
    return ""


def _walk(path: str, mount: str, children: dict[tuple[str, str], str]) -> str:
    """The mount on which `path` ends, walking from the mount of "/"; mounts may hide mounts."""
    here = ""
    for name in ["/", *path.split("/")]:
        if not name:
            continue
        here = "/" if name == "/" else f"{here.rstrip('/')}/{name}"
        while True:
            above = children.get((mount, here), mount)
            if above == mount:
                break
            mount = above
    return mount


def _unescape(path: str) -> str:
    """mountinfo writes space, tab, newline and backslash in octal."""
    if "\\" not in path:
        return path
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, char)
    return path
