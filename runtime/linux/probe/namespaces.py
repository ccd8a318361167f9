"""Namespaces: what the kernel has, what forbids them, and what a child of this caller really gets."""

from __future__ import annotations

from runtime.linux import posix as os
from runtime.linux.constants import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUTS,
)
from runtime.linux.facts import NamespaceFacts
from runtime.linux.probe import syscall as call
from runtime.linux.probe.child import CLONE_NEWUSER, in_child, own_user_namespace
from runtime.linux.probe.syscall import syscall, unshare
from runtime.linux.probe.text import number_of, text_of

TYPE_CHECKING = False

# type of config.json → (file in /proc/PID/ns, word in user.max_*_namespaces, flag)
KINDS = {
    "cgroup": ("cgroup", "cgroup", CLONE_NEWCGROUP),
    "ipc": ("ipc", "ipc", CLONE_NEWIPC),
    "mount": ("mnt", "mnt", CLONE_NEWNS),
    "network": ("net", "net", CLONE_NEWNET),
    "pid": ("pid", "pid", CLONE_NEWPID),
    "time": ("time", "time", CLONE_NEWTIME),
    "user": ("user", "user", CLONE_NEWUSER),
    "uts": ("uts", "uts", CLONE_NEWUTS),
}
SYSCTLS = {
    "kernel.unprivileged_userns_clone": "/proc/sys/kernel/unprivileged_userns_clone",
    "kernel.apparmor_restrict_unprivileged_userns": "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
}
_FSCONFIG_CMD_CREATE = 6


def read_namespaces(privileged: bool) -> NamespaceFacts:
    """The facts. `privileged`: the caller has CAP_SYS_ADMIN; others begin with a user namespace."""
    kernel = tuple([kind for kind, (file, _, _) in KINDS.items() if os.path.exists(f"/proc/self/ns/{file}")])
    limits = {
        kind: number_of(f"/proc/sys/user/max_{word}_namespaces") for kind, (_, word, _) in KINDS.items()
    }
    sysctls = {name: text_of(path) for name, path in SYSCTLS.items()}
    return NamespaceFacts(
        kernel=kernel,
        limits={kind: limit for kind, limit in limits.items() if limit is not None},
        sysctls={name: value for name, value in sysctls.items() if value is not None},
        tried={kind: _try(kind, privileged) for kind in kernel if kind != "user"},
        inside=not privileged,
        user=in_child(own_user_namespace) if "user" in kernel else 0,
        proc=in_child(_mount_proc) if "user" in kernel else 0,
    )


def _try(kind: str, privileged: bool) -> int:
    def work() -> None:
        if not privileged:
            own_user_namespace()
        unshare(KINDS[kind][2])

    return in_child(work)


def _mount_proc() -> None:
    """A detached one: where parts of the caller's /proc are mounted over, the kernel gives no new one."""
    own_user_namespace()
    unshare(CLONE_NEWNS | CLONE_NEWPID)
    number = in_child(_proc_of_this_pid_namespace)
    if number:
        raise OSError(number, os.strerror(number))


def _proc_of_this_pid_namespace() -> None:
    fs = syscall(call.FSOPEN, b"proc", 0)
    syscall(call.FSCONFIG, fs, _FSCONFIG_CMD_CREATE, None, None, 0)
    syscall(call.FSMOUNT, fs, 0, 0)
