"""The checks of `linux.seccomp`."""

from __future__ import annotations

from runtime.errors import Problem
from runtime.spec.finding import items

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.model import LinuxSeccomp

__all__ = ["check_seccomp"]

# seccomp(2): MAX_ERRNO, and the 16 bits of SECCOMP_RET_DATA
_LAST_ERRNO = {"SCMP_ACT_ERRNO": 4095, "SCMP_ACT_TRACE": 65535}


def check_seccomp(seccomp: LinuxSeccomp, problems: list[Problem]) -> None:
    path = "linux.seccomp"
    if seccomp.default_action == "SCMP_ACT_NOTIFY":
        message = '"SCMP_ACT_NOTIFY" cannot be the default; give it to single system calls'
        problems.append(Problem(f"{path}.defaultAction", seccomp.default_action, message))
    _check_errno(seccomp.default_errno_ret, seccomp.default_action, f"{path}.defaultErrnoRet", problems)
    notifies = False
    for where, syscall in items(f"{path}.syscalls", seccomp.syscalls):
        if syscall.names is not None and not syscall.names:
            problems.append(Problem(f"{where}.names", [], "[] is empty; name at least one system call"))
        _check_errno(syscall.errno_ret, syscall.action, f"{where}.errnoRet", problems)
        notifies = notifies or syscall.action == "SCMP_ACT_NOTIFY"
    if not seccomp.listener_path and (notifies or seccomp.listener_metadata):
        user = "SCMP_ACT_NOTIFY" if notifies else "listenerMetadata"
        message = f"missing; {user} needs the path of the agent's socket"
        problems.append(Problem(f"{path}.listenerPath", seccomp.listener_path, message))


def _check_errno(number: int | None, action: str | None, path: str, problems: list[Problem]) -> None:
    """The spec wants an error where the action has no errno to return."""
    if number is None or action is None:
        return
    last = _LAST_ERRNO.get(action)
    if last is None:
        message = f"{number} does not go with {action}; only SCMP_ACT_ERRNO and SCMP_ACT_TRACE have one"
        problems.append(Problem(path, number, message))
    elif number > last:
        message = f"{number} is out of range; write a number from 0 to {last}"
        problems.append(Problem(path, number, message))
