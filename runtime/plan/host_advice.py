"""Why a host cannot give something, and what to do about it: said alike by `doctor` and by `explain`."""

from __future__ import annotations

from runtime.linux.host import WHOLE_MAP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.linux.facts import HostFacts, NamespaceFacts

ENOENT, EPERM, EACCES, EINVAL, ENOSPC, EROFS, ENOSYS = 2, 1, 13, 22, 28, 30, 38

#: type → the kernel's option and the word of user.max_*_namespaces
NAMESPACES = {
    "cgroup": ("CONFIG_CGROUPS", "cgroup"),
    "ipc": ("CONFIG_IPC_NS", "ipc"),
    "mount": ("CONFIG_NAMESPACES", "mnt"),
    "network": ("CONFIG_NET_NS", "net"),
    "pid": ("CONFIG_PID_NS", "pid"),
    "time": ("CONFIG_TIME_NS", "time"),
    "user": ("CONFIG_USER_NS", "user"),
    "uts": ("CONFIG_UTS_NS", "uts"),
}

#: capability → what fails without it, of what a container's creation asks for
CAPABILITIES = {
    "CAP_CHOWN": "files and terminals of containers cannot be given to their users",
    "CAP_DAC_OVERRIDE": "files of other users are not readable or writable",
    "CAP_MKNOD": "linux.devices are bind mounts of the host's",
    "CAP_NET_ADMIN": "lo stays down in new network namespaces, net.* sysctls fail",
    "CAP_SETFCAP": "user namespaces cannot map id 0 of the host",
    "CAP_SETGID": "process.user.gid, and gidMappings of more than one id, fail",
    "CAP_SETPCAP": "process.capabilities cannot be dropped from the bounding set",
    "CAP_SETUID": "process.user.uid, and uidMappings of more than one id, fail",
    "CAP_SYS_ADMIN": "a container needs a user namespace",
    "CAP_SYS_CHROOT": "mount namespaces cannot be joined",
    "CAP_SYS_NICE": "real-time scheduling and I/O priorities fail",
    "CAP_SYS_PTRACE": "files of a container's processes in /proc are out of reach",
    "CAP_SYS_RESOURCE": "rlimits above planc's own, and an oom_score_adj below its own, fail",
    "CAP_SYS_TIME": "",
}


def namespace_problem(kind: str, facts: NamespaceFacts) -> tuple[str, str] | None:
    """(why, what to do) when a container of this caller cannot have a new namespace; None when it can."""
    option, word = NAMESPACES[kind]
    if kind not in facts.kernel:
        if kind == "time":
            return "the kernel has none", f"use a kernel with {option} (Linux 5.6 or newer)"
        return "the kernel has none", f"use a kernel with {option}"
    number = facts.user if kind == "user" else facts.tried.get(kind, 0)
    if not number:
        return None
    if kind != "user" and facts.inside and facts.user:
        return "without CAP_SYS_ADMIN it needs a user namespace, which fails", "see the user namespace"
    if number == ENOSPC:
        limit = facts.limits.get(kind)
        name = f"user.max_{word}_namespaces"
        if limit == 0:
            return f"forbidden by {name}=0", f"as root: sysctl -w {name}=15000"
        return (
            f"as many as {name} allows are in use ({limit})",
            f"as root: raise it with sysctl -w {name}=...",
        )
    return _forbidden(kind, number, facts)


def _forbidden(kind: str, number: int, facts: NamespaceFacts) -> tuple[str, str]:
    if facts.sysctls.get("kernel.unprivileged_userns_clone") == "0":
        name = "kernel.unprivileged_userns_clone"
        return f"user namespaces are root's: {name}=0", f"as root: sysctl -w {name}=1"
    if facts.sysctls.get("kernel.apparmor_restrict_unprivileged_userns", "0") != "0":
        name = "kernel.apparmor_restrict_unprivileged_userns"
        advice = f"as root: an AppArmor profile with `userns,` for planc, or sysctl -w {name}=0"
        return f"AppArmor forbids it: {name}=1", advice
    if number == EINVAL:
        return "the kernel has none", f"use a kernel with {NAMESPACES[kind][0]}"
    advice = "look for a seccomp filter, a security module or a chroot(2) around planc"
    return f"unshare(2) is refused (errno {number})", advice


def proc_problem(facts: NamespaceFacts) -> tuple[str, str] | None:
    """The same for a new /proc in a new user namespace; None also where that namespace is the problem."""
    if not facts.proc or facts.user:
        return None
    if facts.proc == EPERM:
        return (
            "the kernel gives no new /proc: parts of the caller's own are mounted over",
            "unmask it (planc in a container: --security-opt unmask=ALL), or bind-mount /proc",
        )
    return f"mounting one fails (errno {facts.proc})", "bind-mount /proc"


def writing_problem(number: int) -> str:
    """The errno of a cgroup directory, as words."""
    return {
        EROFS: "read-only",
        EACCES: "no permission",
        ENOENT: "not there",
    }.get(number, f"errno {number}")


def cgroup_advice(facts: HostFacts) -> str:
    """What to do about cgroups that the caller may not write."""
    host = facts.host
    if any(number == EROFS for _, _, number in facts.cgroup.parents):
        return "mount the cgroup file system read-write (planc in a container: --privileged)"
    if host.cgroup.mode == "v2":
        if facts.systemd.running:
            return "run inside a delegated cgroup: systemd-run --user --scope -p Delegate=yes"
        return (
            "as root, make a cgroup, chown it and its cgroup.procs and cgroup.subtree_control, and run in it"
        )
    return "as root, make a directory per hierarchy and chown it, and give it as an absolute cgroupsPath"


def controller_problem(name: str, facts: HostFacts) -> tuple[str, str]:
    """(why, what to do) about a controller that containers of this caller cannot have."""
    layout = facts.host.cgroup
    if name in facts.cgroup.stopped:
        path, reason, remedy = facts.cgroup.stopped[name]
        return f"the {name} controller ends at {path}: {reason}", remedy
    why = f"this host has no {name} controller"
    if layout.v1:
        boot = f", or boot with cgroup_enable={name}" if name in ("memory", "cpuset") else ""
        return why, f"mount it: mount -t cgroup -o {name} {name} /sys/fs/cgroup/{name}{boot}"
    if name in ("net_cls", "net_prio"):
        return why, "cgroup v2 has none: match cgroups by path in nftables instead"
    return why, f"use a kernel that has it (or one not booted with cgroup_disable={name})"


def in_initial_user_namespace(facts: HostFacts) -> bool:
    """Whether the caller's capabilities are the machine's, not only those over a user namespace."""
    return facts.host.uid_map == WHOLE_MAP and not facts.host.user_namespace
