"""What `explain` warns about: entries of a config that this host, or this caller, cannot carry out. Pure.

The facts were gathered before; `create` does not look for any of this, it fails where the kernel does.
"""

from __future__ import annotations

from runtime.linux.capabilities import CAPABILITIES
from runtime.plan.host_advice import (
    cgroup_advice,
    controller_problem,
    in_initial_user_namespace,
    namespace_problem,
    proc_problem,
    writing_problem,
)
from runtime.plan.idmap import IdMap
from runtime.plan.namespaces import Namespaces
from runtime.plan.refuse import dotted
from runtime.plan.seccomp import needs_filter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from runtime.linux.facts import HostFacts
    from runtime.plan.idmap import Range
    from runtime.plan.ops import Op, Plan
    from runtime.spec.model import LinuxResources, LinuxSeccomp, Process, Spec

RESOURCES = "/linux/resources"
_SYS_ADMIN = CAPABILITIES["CAP_SYS_ADMIN"]
_SYS_RESOURCE = CAPABILITIES["CAP_SYS_RESOURCE"]
_SYS_NICE = CAPABILITIES["CAP_SYS_NICE"]

# action of config.json → word of /proc/sys/kernel/seccomp/actions_avail
ACTIONS = {
    "SCMP_ACT_ALLOW": "allow",
    "SCMP_ACT_ERRNO": "errno",
    "SCMP_ACT_KILL": "kill_thread",
    "SCMP_ACT_KILL_PROCESS": "kill_process",
    "SCMP_ACT_KILL_THREAD": "kill_thread",
    "SCMP_ACT_LOG": "log",
    "SCMP_ACT_NOTIFY": "user_notif",
    "SCMP_ACT_TRACE": "trace",
    "SCMP_ACT_TRAP": "trap",
}


class HostWarning:
    """One entry: JSON pointer ("" for none), what is wrong, what to do about it ("" for nothing)."""

    __slots__ = ("advice", "message", "pointer")

    def __init__(self, pointer: str, message: str, advice: str = "") -> None:
        self.pointer = pointer
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        where = f"{dotted(self.pointer)}: " if self.pointer else ""
        return f"{where}{self.message}" + (f"; {self.advice}" if self.advice else "")

    def as_json(self) -> dict[str, Any]:
        """The warning as an object."""
        return {"pointer": self.pointer, "message": self.message, "advice": self.advice}


def host_warnings(
    spec: Spec, plan: Plan | None, facts: HostFacts, rootless: bool, no_pivot: bool = False
) -> list[HostWarning]:
    """All warnings, in the order of config.json.

    `plan`: where limits and idmapped mounts are read from; without one they are not looked at.
    `rootless`, `no_pivot`: as in CreateOptions.
    """
    ops = plan.ops if plan is not None else []
    return [
        *_kernel(facts),
        *_root(facts, no_pivot),
        *_process(spec.process, facts),
        *_idmapped_mounts(ops, facts),
        *_namespaces(spec, facts),
        *_id_maps(spec, facts),
        *_place(facts, rootless),
        *_limits(ops, facts, rootless),
        *_without_effect(spec, facts),
        *_seccomp(spec, facts),
    ]


def _kernel(facts: HostFacts) -> Iterator[HostWarning]:
    missing = [name for name, number in facts.kernel.calls.items() if number]
    if missing:
        yield HostWarning(
            "", f"this kernel has no {', '.join(missing)}: no container can run", "see planc doctor"
        )
    if facts.kernel.executable_memfd:
        message = "vm.memfd_noexec forbids the sealed memfd that init is started from: no container can run"
        yield HostWarning("", message, "as root: sysctl -w vm.memfd_noexec=1")


def _root(facts: HostFacts, no_pivot: bool) -> Iterator[HostWarning]:
    if facts.kernel.root_file_system in ("rootfs", "ramfs") and not no_pivot:
        message = "this host runs from its initial ramdisk, where pivot_root(2) fails"
        yield HostWarning("/root/path", message, "give --no-pivot")


# process


def _process(process: Process, facts: HostFacts) -> Iterator[HostWarning]:
    first = in_initial_user_namespace(facts)
    may_raise = facts.host.capable(_SYS_RESOURCE) and first
    for index, limit in enumerate(process.rlimits or ()):
        own = facts.limits.rlimits.get(limit.type)
        if own and limit.hard > own[1] and not may_raise:
            message = f"{limit.type} {limit.hard} is above planc's own hard limit {own[1]}"
            advice = f"needs CAP_SYS_RESOURCE, or {own[1]} at most"
            yield HostWarning(f"/process/rlimits/{index}/hard", message, advice)
    score = process.oom_score_adj
    if score is not None and score < facts.limits.oom_score_adj and not may_raise:
        message = f"{score} is below planc's own oom_score_adj {facts.limits.oom_score_adj}"
        yield HostWarning("/process/oomScoreAdj", message, "needs CAP_SYS_RESOURCE, or a higher value")
    if not (facts.host.capable(_SYS_NICE) and first):
        yield from _priorities(process, facts)


def _priorities(process: Process, facts: HostFacts) -> Iterator[HostWarning]:
    scheduler, io_priority = process.scheduler, process.io_priority
    if scheduler:
        real_time = scheduler.policy in ("SCHED_FIFO", "SCHED_RR") and not _soft(facts, "RLIMIT_RTPRIO")
        if real_time or scheduler.policy == "SCHED_DEADLINE":
            yield HostWarning("/process/scheduler/policy", f"{scheduler.policy} needs CAP_SYS_NICE")
        if (scheduler.nice or 0) < 0 and 20 - (scheduler.nice or 0) > _soft(facts, "RLIMIT_NICE"):
            yield HostWarning("/process/scheduler/nice", f"{scheduler.nice} needs CAP_SYS_NICE")
    if io_priority and io_priority.class_ == "IOPRIO_CLASS_RT":
        yield HostWarning("/process/ioPriority/class", "IOPRIO_CLASS_RT needs CAP_SYS_NICE")


def _soft(facts: HostFacts, name: str) -> int:
    return facts.limits.rlimits.get(name, (0, 0))[0]


# mounts, namespaces, ids


def _idmapped_mounts(ops: Sequence[Op], facts: HostFacts) -> Iterator[HostWarning]:
    sources = {op.args["source"]: op.cause for op in ops if op.code == "open_tree" and op.args.get("userns")}
    if sources and facts.idmap.reason:
        for cause in sources.values():
            yield HostWarning(
                cause, f"idmapped mounts: {facts.idmap.reason}", "run as root, or chown the files"
            )
        return
    for path, kind, number in facts.idmap.tried:
        if path in sources and number and number != 2:
            message = f"{kind} on {path} takes no idmapped mounts on this kernel"
            yield HostWarning(sources[path], message, "chown the files, or keep them on ext4, xfs or btrfs")


def _namespaces(spec: Spec, facts: HostFacts) -> Iterator[HostWarning]:
    new = Namespaces(spec.linux).new
    for kind, index in new.items():
        problem = namespace_problem(kind, facts.namespaces)
        if problem:
            message = f"no new {kind} namespace: {problem[0]}"
            yield HostWarning(f"/linux/namespaces/{index}", message, problem[1])
    problem = proc_problem(facts.namespaces) if "user" in new else None
    if problem:
        for index, mount in enumerate(spec.mounts or ()):
            if mount.type == "proc":
                yield HostWarning(f"/mounts/{index}", problem[0], problem[1])


def _id_maps(spec: Spec, facts: HostFacts) -> Iterator[HostWarning]:
    """Whoever may not write the maps needs newuidmap, and subordinate ids for it."""
    idmap = IdMap(spec.linux, Namespaces(spec.linux), facts.host)
    if not idmap.helpers:
        return
    for kind, own, mapping, subordinate, program, file in (
        ("uidMappings", facts.host.euid, idmap.uids, facts.ids.subuids, "newuidmap", "/etc/subuid"),
        ("gidMappings", facts.host.egid, idmap.gids, facts.ids.subgids, "newgidmap", "/etc/subgid"),
    ):
        path, privilege = facts.ids.helpers.get(program, ("", ""))
        if not path or not privilege:
            what = f"{path} has no privilege" if path else f"{program} is not installed"
            advice = (
                "as root: install it setuid (Debian: uidmap, Fedora: shadow-utils), or map your own id only"
            )
            yield HostWarning(f"/linux/{kind}", what, advice)
        elif not facts.ids.nsswitch:
            yield from _not_subordinate(kind, own, mapping, subordinate, file)


def _not_subordinate(
    kind: str, own: int, mapping: Sequence[Range], subordinate: Sequence[tuple[int, int]], file: str
) -> Iterator[HostWarning]:
    for index, (_, outside, size) in enumerate(mapping):
        mine = outside == own and size == 1
        if not mine and not any(
            first <= outside and outside + size <= first + count for first, count in subordinate
        ):
            have = ", ".join([f"{first}:{count}" for first, count in subordinate]) or "no range"
            message = f"{outside}:{size} is not yours to map: {file} gives you {have}"
            yield HostWarning(f"/linux/{kind}/{index}", message, f"as root: add the range to {file}")


# cgroups


def _place(facts: HostFacts, rootless: bool) -> Iterator[HostWarning]:
    failed = [(path, number) for _, path, number in facts.cgroup.parents if number]
    if failed and not rootless and facts.host.systemd is None:
        path, number = failed[0]
        message = f"no cgroup can be made in {path}: {writing_problem(number)}"
        yield HostWarning("/linux/cgroupsPath", message, cgroup_advice(facts))


def _limits(ops: Sequence[Op], facts: HostFacts, rootless: bool) -> Iterator[HostWarning]:
    """One per controller, at the first limit that needs it."""
    warned = set()
    for op in ops:
        if op.code not in ("cgroup_set", "cgroup_check"):
            continue
        controller = op.args["controller"] or op.args["file"].partition(".")[0]
        problem = None if controller in warned else _write_problem(op, controller, facts, rootless)
        if problem:
            warned.add(controller)
            yield HostWarning(op.cause, *problem)
        elif (
            op.args["file"] in ("memory.swap.max", "memory.memsw.limit_in_bytes")
            and facts.cgroup.swap is False
        ):
            yield HostWarning(op.cause, "this host does not account for swap", "boot with swapaccount=1")
        elif (
            op.args["file"] == "io.bfq.weight"
            and not facts.cgroup.io_weight
            and "io" in facts.cgroup.available
        ):
            message = "this kernel has no weights of block IO"
            yield HostWarning(op.cause, message, "as root: modprobe bfq, and make it the disk's scheduler")


def _write_problem(op: Op, controller: str, facts: HostFacts, rootless: bool) -> tuple[str, str] | None:
    """What is missing for one write, as message and advice."""
    unified = not op.args["controller"]
    places = {name: number for names, _, number in facts.cgroup.parents for name in (names or ("",))}
    if ("" if unified else controller) not in places:
        return controller_problem(controller, facts)
    number = places["" if unified else controller] or (facts.cgroup.join if unified else 0)
    if number and rootless and facts.host.systemd is None:
        why = writing_problem(number)
        return f"the {controller} controller is not delegated to this caller ({why})", cgroup_advice(facts)
    if not unified or number or controller in ("cgroup", *facts.cgroup.available):
        return None
    return controller_problem(controller, facts)


def _without_effect(spec: Spec, facts: HostFacts) -> Iterator[HostWarning]:
    resources = spec.linux.resources if spec.linux else None
    if resources is None or facts.host.cgroup.mode != "v2":
        return
    for pointer in _only_v1(resources):
        yield HostWarning(RESOURCES + pointer, "has no effect on cgroup v2")


def _only_v1(resources: LinuxResources) -> Iterator[str]:
    memory, cpu, block_io, network = resources.memory, resources.cpu, resources.block_io, resources.network
    given = {
        "/memory/kernel": memory and memory.kernel,
        "/memory/kernelTCP": memory and memory.kernel_tcp,
        "/memory/swappiness": memory and memory.swappiness is not None,
        "/memory/disableOOMKiller": memory and memory.disable_oom_killer,
        "/cpu/realtimeRuntime": cpu and cpu.realtime_runtime,
        "/cpu/realtimePeriod": cpu and cpu.realtime_period,
        "/blockIO/leafWeight": block_io and block_io.leaf_weight,
        "/network/classID": network and network.class_id,
        "/network/priorities": network and network.priorities,
    }
    yield from [pointer for pointer, value in given.items() if value]


# seccomp


def _seccomp(spec: Spec, facts: HostFacts) -> Iterator[HostWarning]:
    profile = spec.linux.seccomp if spec.linux else None
    if profile is None or not needs_filter(profile):
        return
    pointer = "/linux/seccomp"
    if facts.seccomp.mode is None:
        yield HostWarning(pointer, "this kernel has no seccomp filters", "use one with CONFIG_SECCOMP_FILTER")
        return
    if not facts.seccomp.bindings:
        advice = "install them (Debian: python3-seccomp, Fedora: python3-libseccomp)"
        yield HostWarning(pointer, "the Python bindings of libseccomp are not installed", advice)
    for index, flag in enumerate(profile.flags or ()):
        if flag not in facts.seccomp.flags and flag != "SECCOMP_FILTER_FLAG_TSYNC":
            yield HostWarning(f"{pointer}/flags/{index}", f"this kernel does not take {flag}", "remove it")
    yield from _actions(profile, pointer, facts)


def _actions(profile: LinuxSeccomp, pointer: str, facts: HostFacts) -> Iterator[HostWarning]:
    used = [(f"{pointer}/defaultAction", profile.default_action)]
    used += [
        (f"{pointer}/syscalls/{index}/action", rule.action)
        for index, rule in enumerate(profile.syscalls or ())
    ]
    for where, action in used:
        if facts.seccomp.actions and ACTIONS[action] not in facts.seccomp.actions:
            yield HostWarning(
                where, f"this kernel does not have {action}", "use a newer kernel, or another action"
            )
