"""The seccomp profile as numbers: flags, actions, rules (runtime-spec, "Seccomp"). Pure.

libseccomp turns what is decided here into BPF: runtime/execute/seccomp_cache.py.
"""

from __future__ import annotations

from runtime.errors import PlanError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.model import LinuxSeccomp, LinuxSeccompArg

# SECCOMP_FILTER_FLAG_*, seccomp(2)
FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 1,
    "SECCOMP_FILTER_FLAG_LOG": 2,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": 32,
}
NEW_LISTENER = 8
SPEC_ALLOW = 4
TSYNC = 1

NOTIFY = "SCMP_ACT_NOTIFY"
ACTIONS_WITH_ERRNO = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
EPERM = 1
ENOSYS = 38


def needs_filter(profile: LinuxSeccomp | None) -> bool:
    """Whether there is anything to load: no profile, or one that only allows, needs no filter."""
    if profile is None:
        return False
    return not (profile.default_action == "SCMP_ACT_ALLOW" and not profile.syscalls)


def has_notify(profile: LinuxSeccomp) -> bool:
    """Whether a rule hands system calls to a listening agent."""
    return any(rule.action == NOTIFY for rule in profile.syscalls or ())


def filter_flags(profile: LinuxSeccomp) -> int:
    """SECCOMP_FILTER_FLAG_* of seccomp(2).

    Absent flags mean SPEC_ALLOW (as runc and crun have it), an empty list means none. TSYNC says
    nothing in a process of one thread and excludes a listener, so it is left out.
    """
    if profile.flags is None:
        flags = SPEC_ALLOW
    else:
        flags = 0
        for name in profile.flags:
            flags |= FLAGS[name]
    flags &= ~TSYNC
    if has_notify(profile):
        flags |= NEW_LISTENER
    elif flags & FLAGS["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]:
        raise PlanError(
            "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs a rule with SCMP_ACT_NOTIFY", "linux.seccomp.flags"
        )
    return flags


def default_action(profile: LinuxSeccomp) -> tuple[str, int]:
    """Action and its errno (EPERM unless given; 0 where the action has none)."""
    return _with_errno(profile.default_action, profile.default_errno_ret)


def _with_errno(action: str, errno_ret: int | None) -> tuple[str, int]:
    if action not in ACTIONS_WITH_ERRNO:
        return action, 0
    return action, EPERM if errno_ret is None else errno_ret


def rules(profile: LinuxSeccomp) -> list[tuple[str, tuple[str, int], tuple[tuple[int, str, int, int], ...]]]:
    """(system call, action, comparisons), one per rule of the filter, in order.

    A rule equal to the default action is left out. Two comparisons of one argument in one entry are
    two rules, either of which matches, since a filter rule compares each argument once.
    """
    found = []
    default = default_action(profile)
    for entry in profile.syscalls or ():
        action = _with_errno(entry.action, entry.errno_ret)
        if action == default:
            continue
        for comparisons in _alternatives(entry.args or ()):
            found.extend([(name, action, comparisons) for name in entry.names])
    return found


def _alternatives(args: list[LinuxSeccompArg] | tuple[()]) -> list[tuple[tuple[int, str, int, int], ...]]:
    comparisons = [(arg.index, arg.op, arg.value, arg.value_two or 0) for arg in args]
    indexes = [comparison[0] for comparison in comparisons]
    if len(set(indexes)) == len(indexes):
        return [tuple(comparisons)]
    return [(comparison,) for comparison in comparisons]


def answers_enosys(profile: LinuxSeccomp) -> bool:
    """Whether calls newer than the profile get ENOSYS, so that programs fall back to older ones.

    True for a profile whose default refuses, other than by ENOSYS already.
    """
    action, number = default_action(profile)
    if action in ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE", NOTIFY):
        return False
    return not (action == "SCMP_ACT_ERRNO" and number == ENOSYS) and bool(profile.syscalls)
