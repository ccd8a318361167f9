"""Facts of the host that planning needs, gathered once into one value.

Planning makes no system call: it is given a :class:`Host`, and a test can plan
for any host.
"""

from __future__ import annotations


class CgroupLayout:
    """Where the cgroup hierarchies are mounted and where this process sits in them.

    ``mode``: ``v1``, ``hybrid`` (v1 controllers and a cgroup2 mount) or ``v2``.
    ``v1``: per mounted v1 hierarchy, in mountinfo order: (names, mountpoint, own path) with
    names as the kernel lists them (``("cpu", "cpuacct")``, ``("name=systemd",)``).
    ``unified``: mountpoint of cgroup2 or "". ``own``: own path in the unified hierarchy.
    ``controllers``: the unified root's ``cgroup.controllers``.
    """

    __slots__ = ("mode", "v1", "unified", "own", "controllers")

    def __init__(
        self,
        mode: str = "v2",
        v1: tuple[tuple[tuple[str, ...], str, str], ...] = (),
        unified: str = "/sys/fs/cgroup",
        own: str = "/",
        controllers: tuple[str, ...] = (),
    ) -> None:
        self.mode = mode
        self.v1 = v1
        self.unified = unified
        self.own = own
        self.controllers = controllers


class Host:
    """What planning may know of the machine and of the caller.

    ``capabilities``: effective set as a bit mask. ``user_namespace``: the caller is not in the
    initial user namespace. ``uid_map``, ``gid_map``: of the caller, (inside, outside, size).
    ``last_capability``: /proc/sys/kernel/cap_last_cap.
    """

    __slots__ = (
        "euid", "egid", "capabilities", "user_namespace", "uid_map", "gid_map",
        "cgroup", "kernel", "last_capability", "kcore", "page_sizes",
    )  # fmt: skip

    def __init__(
        self,
        euid: int = 0,
        egid: int = 0,
        capabilities: int = (1 << 41) - 1,
        user_namespace: bool = False,
        uid_map: tuple[tuple[int, int, int], ...] = ((0, 0, 4294967295),),
        gid_map: tuple[tuple[int, int, int], ...] = ((0, 0, 4294967295),),
        cgroup: CgroupLayout | None = None,
        kernel: tuple[int, int] = (5, 14),
        last_capability: int = 40,
        kcore: bool = True,
        page_sizes: tuple[str, ...] = ("2MB",),
    ) -> None:
        self.euid = euid
        self.egid = egid
        self.capabilities = capabilities
        self.user_namespace = user_namespace
        self.uid_map = uid_map
        self.gid_map = gid_map
        self.cgroup = cgroup or CgroupLayout()
        self.kernel = kernel
        self.last_capability = last_capability
        self.kcore = kcore
        self.page_sizes = page_sizes

    def capable(self, number: int) -> bool:
        """Whether the caller has capability `number` in its effective set."""
        return bool(self.capabilities >> number & 1)
