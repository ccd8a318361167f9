"""What a host can give a container, as values: what `doctor` judges and `explain` warns from.

Nothing here reads anything; the readers are in runtime/linux/probe/, one per value.  An errno of 0
stands for "works", and None for "not tried".
"""

from __future__ import annotations

from runtime.linux.host import Host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Facts:
    """A value made of keyword arguments; the attributes of the class are the names and the defaults."""

    def __init__(self, **values: Any) -> None:
        known = self.names()
        for name, value in values.items():
            if name not in known:
                raise TypeError(f"{type(self).__name__} has no {name}")
            setattr(self, name, value)

    @classmethod
    def names(cls) -> list[str]:
        """The attributes, in order."""
        return [name for name in vars(cls) if not name.startswith("_")]

    def as_json(self) -> dict[str, Any]:
        """The value as a JSON object, its own names written as JSON's are ("memfdNoexec")."""
        return {_camel(name): _plain(getattr(self, name)) for name in self.names()}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join([word.capitalize() for word in rest])


def _plain(value: Any) -> Any:
    if isinstance(value, Facts):
        return value.as_json()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


class KernelFacts(Facts):
    """The kernel and the system calls that planc is made of.

    release           uname(2)
    architecture      uname(2)
    calls             system call → errno; ENOSYS where the kernel, or a seccomp filter around planc, has none
    clone_into_cgroup errno of clone3(2) with CLONE_INTO_CGROUP
    executable_memfd  errno of memfd_create(2) for a program
    memfd_noexec      vm.memfd_noexec; None before Linux 6.3
    root_file_system  type of the file system on /
    psi               /proc/pressure can be read
    """

    release: str = ""
    architecture: str = ""
    calls: dict[str, int] = {}
    clone_into_cgroup: int = 0
    executable_memfd: int = 0
    memfd_noexec: int | None = None
    root_file_system: str = ""
    psi: bool = True


class NamespaceFacts(Facts):
    """Which namespaces a container of this caller can have; each was tried by a child that is gone.

    kernel   types, as in config.json, that the kernel has
    limits   type → user.max_*_namespaces of the caller's user namespace (namespaces(7))
    sysctls  those that can forbid user namespaces and exist here, with their values
    tried    type → errno of unshare(2)
    inside   it was tried in a new user namespace: the caller has no CAP_SYS_ADMIN
    user     errno of unshare(CLONE_NEWUSER) by this caller
    proc     errno of a new /proc in a new user, mount and pid namespace
    """

    kernel: tuple[str, ...] = ()
    limits: dict[str, int] = {}
    sysctls: dict[str, str] = {}
    tried: dict[str, int] = {}
    inside: bool = False
    user: int = 0
    proc: int = 0


class SeccompFacts(Facts):
    """seccomp(2) and libseccomp.

    mode        /proc/self/status: 0 when no filter is around planc itself, 2 when there is; None: no seccomp
    actions     /proc/sys/kernel/seccomp/actions_avail
    flags       SECCOMP_FILTER_FLAG_* of config.json that the kernel takes
    bindings    libseccomp's Python bindings can be imported
    library     version of libseccomp, "" when it is not there
    """

    mode: int | None = 0
    actions: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    bindings: bool = True
    library: str = ""


class SecurityModuleFacts(Facts):
    """Linux security modules. active: /sys/kernel/security/lsm, None when it cannot be read.

    selinux: "enforcing", "permissive" or "" for off.
    """

    active: tuple[str, ...] | None = ()
    apparmor: bool = False
    selinux: str = ""


class IdmapFacts(Facts):
    """Idmapped mounts, really tried on a detached mount that is gone.

    reason  why nothing was tried, "" when it was
    tried   (path, file system type, errno); path "" is a new tmpfs
    """

    reason: str = ""
    tried: tuple[tuple[str, str, int], ...] = ()


class IdFacts(Facts):
    """Subordinate ids, and the programs that map them.

    user      the caller's name, "" when it has none
    subuids   (first, count) of the caller in /etc/subuid; subgids: in /etc/subgid
    helpers   newuidmap, newgidmap → (path, "setuid", "file capabilities" or "" for no privilege); path ""
              when it is not on PATH
    nsswitch  subordinate ids come from somewhere else (subid: in nsswitch.conf): what, else ""
    """

    user: str = ""
    subuids: tuple[tuple[int, int], ...] = ()
    subgids: tuple[tuple[int, int], ...] = ()
    helpers: dict[str, tuple[str, str]] = {}
    nsswitch: str = ""


class CgroupFacts(Facts):
    """The directories in which a container's cgroups would be made, and what the hierarchies have.

    parents      (controllers, none for the unified hierarchy; directory; errno of writing there)
    join         errno of moving a process there: writing the parent's cgroup.procs
    available    controllers a container of this caller can have in the unified hierarchy
    stopped      controllers that are there and do not come down to it → (cgroup, reason, what to do)
    kill         cgroup.kill is there (v2); None where there is no cgroup to look at
    freezer      processes can be suspended
    swap         memory and swap together can be limited; None: no cgroup to look at, or no memory controller
    io_weight    files for weights of block IO
    page_sizes   of huge pages
    """

    parents: tuple[tuple[tuple[str, ...], str, int], ...] = ()
    join: int = 0
    available: tuple[str, ...] = ()
    stopped: dict[str, tuple[str, str, str]] = {}
    kill: bool | None = None
    freezer: bool | None = None
    swap: bool | None = None
    io_weight: tuple[str, ...] = ()
    page_sizes: tuple[str, ...] = ()


class SystemdFacts(Facts):
    """systemd, for cgroups by --systemd-cgroup.

    running       it is the system's manager, sd_booted(3)
    version       of the manager that answers, 0 when none does
    system_error  why the system's manager cannot be asked, "" when it can
    user_error    why the calling user's manager cannot be asked, "" when it can
    """

    running: bool = False
    version: int = 0
    system_error: str = ""
    user_error: str = ""


class CriuFacts(Facts):
    """CRIU: its path and version, "" when it is not there."""

    path: str = ""
    version: str = ""


class LimitFacts(Facts):
    """What the caller is limited to, and a container with it.

    bounding       the capability bounding set as a bit mask
    rlimits        RLIMIT_* → (soft, hard)
    oom_score_adj  of planc itself
    keys           (used, limit) of the caller's kernel keys; None when they cannot be read
    """

    bounding: int = 0
    rlimits: dict[str, tuple[int, int]] = {}
    oom_score_adj: int = 0
    keys: tuple[int, int] | None = None


class HostFacts(Facts):
    """All of it. `host` is what planning is given."""

    host: Host = Host()
    kernel: KernelFacts = KernelFacts()
    namespaces: NamespaceFacts = NamespaceFacts()
    cgroup: CgroupFacts = CgroupFacts()
    seccomp: SeccompFacts = SeccompFacts()
    security: SecurityModuleFacts = SecurityModuleFacts()
    idmap: IdmapFacts = IdmapFacts()
    ids: IdFacts = IdFacts()
    systemd: SystemdFacts = SystemdFacts()
    criu: CriuFacts = CriuFacts()
    limits: LimitFacts = LimitFacts()


def kernel_version(release: str) -> tuple[int, int]:
    """ "6.1.0-18-amd64" is (6, 1)."""
    parts = release.partition("-")[0].split(".")
    numbers = [int(part) for part in parts[:2] if part.isdigit()]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (0, 0)
