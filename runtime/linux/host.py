"""Facts of the host that planning needs, gathered once into one value.

Planning makes no system call: it is given a :class:`Host`, and a test can plan
for any host.
"""

from __future__ import annotations

from runtime.linux import posix as os
from runtime.linux.files import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


#: uid_map of the initial user namespace
WHOLE_MAP = ((0, 0, 4294967295),)


class CgroupLayout:
    """Where the cgroup hierarchies are mounted and where this process sits in them.

    ``mode``: ``v1``, ``hybrid`` (v1 controllers and a cgroup2 mount) or ``v2``.
    ``v1``: per mounted v1 hierarchy, in mountinfo order: (names, mountpoint, own path) with
    names as the kernel lists them (``("cpu", "cpuacct")``, ``("name=systemd",)``).
    ``unified``: mountpoint of cgroup2 or "". ``own``: own path in the unified hierarchy.
    ``controllers``: the ``cgroup.controllers`` of what is mounted there. ``part``: that is not the
    root of the hierarchy but a cgroup (a container, a cgroup namespace).
    """

    __slots__ = ("mode", "v1", "unified", "own", "controllers", "part")

    def __init__(
        self,
        mode: str = "v2",
        v1: tuple[tuple[tuple[str, ...], str, str], ...] = (),
        unified: str = "/sys/fs/cgroup",
        own: str = "/",
        controllers: tuple[str, ...] = (),
        part: bool = False,
    ) -> None:
        self.mode = mode
        self.v1 = v1
        self.unified = unified
        self.own = own
        self.controllers = controllers
        self.part = part


class Systemd:
    """The systemd manager that makes the container's cgroups: ``version``; ``user``: it is the caller's own
    and not the system's; ``control_group``: of which its slices are children ("" for the root)."""

    __slots__ = ("version", "user", "control_group")

    def __init__(self, version: int = 252, user: bool = False, control_group: str = "") -> None:
        self.version = version
        self.user = user
        self.control_group = control_group


class Host:
    """What planning may know of the machine and of the caller.

    ``capabilities``: effective set as a bit mask. ``user_namespace``: the caller is not in the
    initial user namespace. ``uid_map``, ``gid_map``: of the caller, (inside, outside, size).
    ``page_sizes``: of huge pages, as config.json names them, where they were asked about.
    ``last_capability``: /proc/sys/kernel/cap_last_cap. ``kcore``: there is a /proc/kcore.
    ``setgroups``: setgroups(2) is not denied in the caller's user namespace.
    ``selinux``: the kernel has SELinux switched on.
    ``own_namespaces``: of the namespace files asked about, those that are the caller's own.
    ``systemd``: with the systemd cgroup driver, who reads the host sets it.
    """

    __slots__ = (
        "euid", "egid", "capabilities", "user_namespace", "uid_map", "gid_map",
        "cgroup", "last_capability", "kcore", "page_sizes", "setgroups", "selinux", "own_namespaces",
        "systemd",
    )  # fmt: skip

    def __init__(
        self,
        euid: int = 0,
        egid: int = 0,
        capabilities: int = (1 << 41) - 1,
        user_namespace: bool = False,
        uid_map: tuple[tuple[int, int, int], ...] = WHOLE_MAP,
        gid_map: tuple[tuple[int, int, int], ...] = WHOLE_MAP,
        cgroup: CgroupLayout | None = None,
        last_capability: int = 40,
        kcore: bool = True,
        page_sizes: tuple[str, ...] = ("2MB",),
        setgroups: bool = True,
        selinux: bool = False,
        own_namespaces: frozenset[str] = frozenset(),
        systemd: Systemd | None = None,
    ) -> None:
        self.euid = euid
        self.egid = egid
        self.capabilities = capabilities
        self.user_namespace = user_namespace
        self.uid_map = uid_map
        self.gid_map = gid_map
        self.cgroup = cgroup or CgroupLayout()
        self.last_capability = last_capability
        self.kcore = kcore
        self.page_sizes = page_sizes
        self.setgroups = setgroups
        self.selinux = selinux
        self.own_namespaces = own_namespaces
        self.systemd = systemd

    def capable(self, number: int) -> bool:
        """Whether the caller has capability `number` in its effective set."""
        return bool(self.capabilities >> number & 1)


def read_host(namespace_paths: Iterable[str] = (), huge_pages: bool = True, cgroups: bool = True) -> Host:
    """The host as this process sees it; nothing is changed, nothing but /proc and /sys is read.

    `namespace_paths`: the namespace files that a config names, for ``own_namespaces``. Whoever does not
    need ``page_sizes`` or ``cgroup`` says so, and gets none: reading takes time. Raises OSError when
    /proc is not there.
    """
    layout = None
    if cgroups:
        from runtime.linux.cgroup import read_layout

        layout = read_layout()
    uid_map, gid_map = _read_map("/proc/self/uid_map"), _read_map("/proc/self/gid_map")
    in_user_namespace = uid_map != WHOLE_MAP
    return Host(
        euid=os.geteuid(),
        egid=os.getegid(),
        capabilities=_effective_capabilities(),
        user_namespace=in_user_namespace,
        uid_map=uid_map,
        gid_map=gid_map,
        cgroup=layout,
        last_capability=int(read_text("/proc/sys/kernel/cap_last_cap")),
        kcore=os.path.exists("/proc/kcore"),
        page_sizes=_huge_page_sizes() if huge_pages else (),
        setgroups=not in_user_namespace or read_text("/proc/self/setgroups").strip() != "deny",
        selinux=os.path.exists("/sys/fs/selinux/enforce"),
        own_namespaces=own_namespaces(namespace_paths),
    )


def huge_page_size(directory: str) -> str:
    """ "hugepages-2048kB" is "2MB", as cgroup files and config.json name it."""
    size, unit = int(directory.removeprefix("hugepages-").removesuffix("kB")), 0
    while size >= 1024 and size % 1024 == 0 and unit < 3:
        size //= 1024
        unit += 1
    return f"{size}{('KB', 'MB', 'GB', 'TB')[unit]}"


def _huge_page_sizes() -> tuple[str, ...]:
    try:
        names = os.listdir("/sys/kernel/mm/hugepages")
    except OSError:
        return ()
    return tuple([huge_page_size(name) for name in sorted(names)])


def _effective_capabilities() -> int:
    # 16 hexadecimal digits, proc(5); the list of groups comes first and may be long
    return int(read_text("/proc/self/status").partition("\nCapEff:\t")[2][:16] or "0", 16)


def own_namespaces(paths: Iterable[str]) -> frozenset[str]:
    """Those of the namespace files that are of one of this process's namespaces."""
    wanted = list(paths)
    if not wanted:
        return frozenset()
    own = set()
    for name in os.listdir("/proc/self/ns"):
        status = os.stat(f"/proc/self/ns/{name}")
        own.add((status.st_dev, status.st_ino))
    found = []
    for path in wanted:
        try:
            status = os.stat(path)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in own:
            found.append(path)
    return frozenset(found)


def _read_map(path: str) -> tuple[tuple[int, int, int], ...]:
    ranges = []
    for line in read_text(path).splitlines():
        inside, outside, size = line.split()
        ranges.append((int(inside), int(outside), int(size)))
    return tuple(ranges)
