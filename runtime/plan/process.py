"""The process: environment, limits, identity, and the order in which privileges are given up.

One list of steps serves the container's first process and `exec`.
"""

from __future__ import annotations

from runtime.linux.capabilities import capability_mask, capability_names
from runtime.linux.constants import (
    IOPRIO_CLASS_SHIFT,
    IOPRIO_CLASSES,
    PERSONALITIES,
    SCHED_FLAGS,
    SCHED_POLICIES,
)
from runtime.plan.idmap import is_mapped
from runtime.plan.ops import Op
from runtime.plan.refuse import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.plan.idmap import Range
    from runtime.spec.model import Process

DEFAULT_UMASK = 0o022


class Payload:
    """The process that is to be, and what bounds it.

    capabilities     mask of what its user namespace lets it have
    setgroups_denied setgroups(2) is forbidden there
    uids, gids       ids that are mapped there; None: not known
    personality      linux.personality.domain, "" for none
    seccomp_flags    SECCOMP_FILTER_FLAG_*; None: no filter
    listener         (path, metadata) of the agent for SCMP_ACT_NOTIFY; path "" for none
    environment      variables that planc adds
    is_init          the container's first process: it gets /dev/console and a default umask
    hidden           until it executes, its caller may not look at it in /proc unless it is made dumpable
    warnings         collects lines for a person
    """

    __slots__ = (
        "capabilities", "environment", "gids", "hidden", "is_init", "listener", "personality", "process",
        "seccomp_flags", "setgroups_denied", "uids", "warnings",
    )  # fmt: skip

    def __init__(self, process: Process, capabilities: int) -> None:
        self.process = process
        self.capabilities = capabilities
        self.setgroups_denied = False
        self.uids: Sequence[Range] | None = None
        self.gids: Sequence[Range] | None = None
        self.personality = ""
        self.seccomp_flags: int | None = None
        self.listener = ("", "")
        self.environment: list[str] = []
        self.is_init = True
        self.hidden = False
        self.warnings: list[str] = []

    @property
    def uid(self) -> int:
        return (self.process.user and self.process.user.uid) or 0

    @property
    def gid(self) -> int:
        return (self.process.user and self.process.user.gid) or 0

    @property
    def additional_gids(self) -> list[int]:
        return (self.process.user and self.process.user.additional_gids) or []


def oom_score_adj(p: Payload) -> list[Op]:
    value = p.process.oom_score_adj
    return [] if value is None else [Op("oom_score_adj", "/process/oomScoreAdj", value=value)]


def console(p: Payload) -> list[Op]:
    """A terminal of the container's own devpts; the size counts only when both numbers are given."""
    if not p.process.terminal:
        return []
    size = p.process.console_size
    width, height = (size.width, size.height) if size else (0, 0)
    if not width or not height:
        width = height = 0
    return [
        Op(
            "console",
            "/process/terminal",
            socket="console",
            width=width,
            height=height,
            uid=p.uid,
            bind_console=int(p.is_init),
        )
    ]


def umask(p: Payload) -> list[Op]:
    """Engines rely on 0022 for the first process; exec keeps the caller's."""
    mask = p.process.user.umask if p.process.user else None
    if mask is not None:
        return [Op("umask", "/process/user/umask", mask=mask)]
    return [Op("umask", "(default umask)", mask=DEFAULT_UMASK)] if p.is_init else []


def no_new_privileges(p: Payload) -> list[Op]:
    return [Op("no_new_privileges", "/process/noNewPrivileges")] if p.process.no_new_privileges else []


def scheduler(p: Payload) -> list[Op]:
    wanted = p.process.scheduler
    if wanted is None:
        return []
    flags = 0
    for name in wanted.flags or ():
        flags |= SCHED_FLAGS[name]
    return [
        Op(
            "scheduler",
            "/process/scheduler",
            policy=SCHED_POLICIES[wanted.policy],
            flags=flags,
            nice=wanted.nice or 0,
            priority=wanted.priority or 0,
            runtime=wanted.runtime or 0,
            deadline=wanted.deadline or 0,
            period=wanted.period or 0,
        )
    ]


def io_priority(p: Payload) -> list[Op]:
    wanted = p.process.io_priority
    if wanted is None:
        return []
    value = IOPRIO_CLASSES[wanted.class_] << IOPRIO_CLASS_SHIFT | (wanted.priority or 0)
    return [Op("io_priority", "/process/ioPriority", value=value)]


def personality(p: Payload) -> list[Op]:
    if not p.personality:
        return []
    return [Op("personality", "/linux/personality", persona=PERSONALITIES[p.personality])]


def rlimits(p: Payload) -> list[Op]:
    """Set from outside, by the one who may raise a hard limit."""
    return [
        Op("rlimit", f"/process/rlimits/{index}", resource=limit.type, soft=limit.soft, hard=limit.hard)
        for index, limit in enumerate(p.process.rlimits or ())
    ]


def environment(p: Payload) -> list[Op]:
    """The config's variables and planc's; of two with one name the last counts, in its place."""
    last: dict[str, str] = {}
    for entry in (*(p.process.env or ()), *p.environment):
        name = entry.partition("=")[0]
        last.pop(name, None)
        last[name] = entry
    cause = "/process/env" if p.process.env else "(environment)"
    return [Op("environment", cause, env=list(last.values()), uid=p.uid, home=1)]


def become_payload(p: Payload) -> list[Op]:
    """From root of the container to the process that was asked for.

    The filter needs CAP_SYS_ADMIN to be loaded, unless no_new_privs is set: without it, it is loaded
    while setuid has kept the capabilities; with it, when nothing is left that it could forbid.
    """
    _check_ids(p)
    early, late = ([], _seccomp(p)) if p.process.no_new_privileges else (_seccomp(p), [])
    cwd = p.process.cwd
    return [
        Op("chdir", "/process/cwd", path=cwd, may_fail=1),
        *_bounding(p),
        Op("stdio_owner", "/process/user/uid", uid=p.uid),
        Op("setgroups", _groups_cause(p), gids=p.additional_gids, skip=int(p.setgroups_denied)),
        Op("setuid", "/process/user", uid=p.uid, gid=p.gid),
        Op("chdir", "/process/cwd", path=cwd, may_fail=0),
        *_visible(p),
        *early,
        *_capset(p),
        Op("find_executable", "/process/args/0", name=p.process.args[0]),
        *late,
        Op("done", "(ready)"),
    ]


def _visible(p: Payload) -> list[Op]:
    """A user's tools enter the namespaces of a created container (slirp4netns) and `exec` does. The last
    change of ids has hidden the process; it holds nothing of the host any more, and a filter may forbid
    prctl(2) from here on."""
    return [Op("dumpable", "(rootless)", value=1)] if p.hidden else []


def _groups_cause(p: Payload) -> str:
    """Without additional groups, those of the caller are given up for the user's sake."""
    return "/process/user/additionalGids" if p.additional_gids else "/process/user"


def execute(p: Payload) -> list[Op]:
    return [Op("exec", "/process/args", argv=p.process.args)]


def _bounding(p: Payload) -> list[Op]:
    sets = p.process.capabilities
    if sets is None:
        return []
    cause = "/process/capabilities" if sets.bounding is None else "/process/capabilities/bounding"
    return [Op("bounding", cause, keep=capability_mask(sets.bounding or []))]


def _capset(p: Payload) -> list[Op]:
    """What the config names and the caller can give; the rest is a warning, as the spec demands."""
    sets = p.process.capabilities
    if sets is None:
        return []
    effective = capability_mask(sets.effective or [])
    permitted = capability_mask(sets.permitted or [])
    inheritable = capability_mask(sets.inheritable or [])
    ambient = capability_mask(sets.ambient or [])
    missing = (effective | permitted | inheritable) & ~p.capabilities
    if missing:
        names = ", ".join(capability_names(missing))
        p.warnings.append(f"process.capabilities: {names} cannot be granted: the caller does not have it")
    ops = [
        Op(
            "capset",
            "/process/capabilities",
            effective=effective & p.capabilities,
            permitted=permitted & p.capabilities,
            inheritable=inheritable & p.capabilities,
        )
    ]
    if ambient & p.capabilities:
        ops.append(Op("ambient", "/process/capabilities/ambient", mask=ambient & p.capabilities))
    return ops


def _seccomp(p: Payload) -> list[Op]:
    if p.seccomp_flags is None:
        return []
    ops = []
    path, metadata = p.listener
    if path:
        ops.append(Op("seccomp_listener", "/linux/seccomp/listenerPath", path=path, metadata=metadata))
    return [*ops, Op("seccomp", "/linux/seccomp", filter="seccomp", flags=p.seccomp_flags)]


def _check_ids(p: Payload) -> None:
    """Ids that the user namespace does not know; and groups where they may not be set."""
    user = "/process/user"
    if p.uids is not None and not is_mapped(p.uid, p.uids):
        raise refuse(f"{user}/uid", f"{p.uid} is not mapped in the user namespace")
    if p.gids is not None and not is_mapped(p.gid, p.gids):
        raise refuse(f"{user}/gid", f"{p.gid} is not mapped in the user namespace")
    for index, gid in enumerate(p.additional_gids):
        where = f"{user}/additionalGids/{index}"
        if p.gids is not None and not is_mapped(gid, p.gids):
            raise refuse(where, f"{gid} is not mapped in the user namespace")
        if p.setgroups_denied:
            message = "additional groups cannot be set: setgroups(2) is denied in the user namespace"
            raise refuse(where, message, "map ranges of ids with newgidmap, or remove them")
