"""The checks of `process`."""

from __future__ import annotations

from runtime.errors import Problem
from runtime.linux.capabilities import CAPABILITIES
from runtime.spec.decode import show
from runtime.spec.finding import NO_ID, check_absolute, check_unsupported, items

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.spec.model import Process, Scheduler

__all__ = ["RLIMIT_TYPES", "check_env", "check_process"]

RLIMIT_TYPES = (
    "RLIMIT_AS",
    "RLIMIT_CORE",
    "RLIMIT_CPU",
    "RLIMIT_DATA",
    "RLIMIT_FSIZE",
    "RLIMIT_LOCKS",
    "RLIMIT_MEMLOCK",
    "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE",
    "RLIMIT_NOFILE",
    "RLIMIT_NPROC",
    "RLIMIT_RSS",
    "RLIMIT_RTPRIO",
    "RLIMIT_RTTIME",
    "RLIMIT_SIGPENDING",
    "RLIMIT_STACK",
)
"""getrlimit(2)"""


def check_process(process: Process, path: str, problems: list[Problem], warnings: list[str]) -> None:
    """path: where the object is, "" when it is the document itself."""
    prefix = f"{path}." if path else ""
    if process.args is not None and not process.args:
        problems.append(Problem(f"{prefix}args", [], "[] is empty; write the program and its arguments"))
    check_absolute(process.cwd, f"{prefix}cwd", problems)
    check_env(process.env, f"{prefix}env", problems)
    _check_user(process, f"{prefix}user", problems)
    _check_console_size(process, prefix, problems)
    _check_capabilities(process, prefix, warnings)
    _check_rlimits(process, prefix, problems)
    if process.scheduler is not None:
        _check_scheduler(process.scheduler, f"{prefix}scheduler", problems)
    check_unsupported(process.apparmor_profile, f"{prefix}apparmorProfile", "AppArmor", problems)
    check_unsupported(process.selinux_label, f"{prefix}selinuxLabel", "SELinux", problems)
    check_unsupported(process.exec_cpu_affinity, f"{prefix}execCPUAffinity", "execCPUAffinity", problems)


def check_env(env: list[str] | None, where: str, problems: list[Problem]) -> None:
    """environ(7): NAME=value; where: the path of the list."""
    for path, variable in items(where, env):
        equals = variable.find("=")
        if equals < 0:
            problems.append(Problem(path, variable, f"{show(variable)} has no =; write NAME=value"))
        elif equals == 0:
            problems.append(Problem(path, variable, f"{show(variable)} has no name; write NAME=value"))


def _check_user(process: Process, path: str, problems: list[Problem]) -> None:
    """4294967295 is (uid_t) -1, which setresuid(2) and setresgid(2) take for "leave it as it is": root."""
    user = process.user
    if user is None:
        return
    ids = [(f"{path}.uid", user.uid), (f"{path}.gid", user.gid)]
    for where, number in [*ids, *items(f"{path}.additionalGids", user.additional_gids)]:
        if number == NO_ID:
            message = f"{number} is no id: it means unchanged; write a number from 0 to {NO_ID - 1}"
            problems.append(Problem(where, number, message))


def _check_console_size(process: Process, prefix: str, problems: list[Problem]) -> None:
    """struct winsize has 16 bits; without a terminal the size is ignored, as the spec demands."""
    size = process.console_size
    if size is None or not process.terminal:
        return
    for name, value in (("height", size.height), ("width", size.width)):
        if value is not None and value > 0xFFFF:
            message = f"{value} is out of range; write a number from 0 to 65535"
            problems.append(Problem(f"{prefix}consoleSize.{name}", value, message))


def _check_capabilities(process: Process, prefix: str, warnings: list[str]) -> None:
    """Unknown names are warnings: a config may name what only newer kernels have."""
    sets = process.capabilities
    if sets is None:
        return
    for kind, names in (
        ("bounding", sets.bounding),
        ("effective", sets.effective),
        ("inheritable", sets.inheritable),
        ("permitted", sets.permitted),
        ("ambient", sets.ambient),
    ):
        for path, name in items(f"{prefix}capabilities.{kind}", names):
            if name not in CAPABILITIES:
                warnings.append(f"{path}: {show(name)} is not a known capability and is ignored")


def _check_rlimits(process: Process, prefix: str, problems: list[Problem]) -> None:
    seen: dict[str, str] = {}
    for path, rlimit in items(f"{prefix}rlimits", process.rlimits):
        kind = rlimit.type
        if kind is not None:
            message = ""
            if kind not in RLIMIT_TYPES:
                message = f"{show(kind)} is not known; use one of {', '.join(RLIMIT_TYPES)}"
            elif kind in seen:
                message = f"{show(kind)} is already set by {seen[kind]}; keep one of them"
            if message:
                problems.append(Problem(f"{path}.type", kind, message))
            seen.setdefault(kind, path)
        if rlimit.soft is not None and rlimit.hard is not None and rlimit.soft > rlimit.hard:
            message = f"{rlimit.soft} is above the hard limit {rlimit.hard}; lower it, or raise hard"
            problems.append(Problem(f"{path}.soft", rlimit.soft, message))


def _check_scheduler(scheduler: Scheduler, path: str, problems: list[Problem]) -> None:
    """sched_setattr(2): which of the numbers belong to which policy."""
    policy = scheduler.policy
    if policy is None:
        return
    real_time = policy in ("SCHED_FIFO", "SCHED_RR")
    for name, value, fits, policies in (
        ("nice", scheduler.nice, policy in ("SCHED_OTHER", "SCHED_BATCH"), "SCHED_OTHER and SCHED_BATCH"),
        ("priority", scheduler.priority, real_time, "SCHED_FIFO and SCHED_RR"),
        ("runtime", scheduler.runtime, policy == "SCHED_DEADLINE", "SCHED_DEADLINE"),
        ("deadline", scheduler.deadline, policy == "SCHED_DEADLINE", "SCHED_DEADLINE"),
        ("period", scheduler.period, policy == "SCHED_DEADLINE", "SCHED_DEADLINE"),
    ):
        if value and not fits:
            message = f"{value} does not go with {policy}; only {policies} can have it"
            problems.append(Problem(f"{path}.{name}", value, message))
    if real_time and not 1 <= (scheduler.priority or 0) <= 99:
        shown = "missing" if scheduler.priority is None else f"{scheduler.priority} is out of range"
        message = f"{shown}; {policy} needs a priority from 1 to 99"
        problems.append(Problem(f"{path}.priority", scheduler.priority, message))
    if policy == "SCHED_DEADLINE":
        _check_deadline(scheduler, path, problems)


def _check_deadline(scheduler: Scheduler, path: str, problems: list[Problem]) -> None:
    """sched(7): runtime <= deadline <= period; a period of 0 is the deadline."""
    for name, value in (("runtime", scheduler.runtime), ("deadline", scheduler.deadline)):
        if not value:
            shown = "missing" if value is None else "0 is too small"
            message = f"{shown}; SCHED_DEADLINE needs a number of nanoseconds"
            problems.append(Problem(f"{path}.{name}", value, message))
    if scheduler.runtime and scheduler.deadline and scheduler.runtime > scheduler.deadline:
        message = f"{scheduler.runtime} is above deadline {scheduler.deadline}; lower it, or raise deadline"
        problems.append(Problem(f"{path}.runtime", scheduler.runtime, message))
    if scheduler.deadline and scheduler.period and scheduler.deadline > scheduler.period:
        message = f"{scheduler.deadline} is above period {scheduler.period}; lower it, or raise period"
        problems.append(Problem(f"{path}.deadline", scheduler.deadline, message))
