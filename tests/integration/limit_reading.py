"""Every limit of a container as the kernel and systemd tell it: one dictionary, without what only counts use."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator

from . import caller, cgroup

Limits = dict[str, str]
"""File or property name → content. Files that every hierarchy has are told apart: `memory/tasks`."""

_USAGE = re.compile(
    r"cgroup\.(procs|threads|events|stat|stat\.local|event_control|kill|pressure|controllers)|tasks"
    r"|.*\.(pressure|current|peak|stat|stat\.local|events|events\.local|swap\.events|numa_stat|failcnt|usage_in_bytes)"
    r"|memory\.(pressure_level|force_empty|reclaim|kmem\.slabinfo|.*max_usage_in_bytes)|cpuacct\..*"
    r"|blkio\.(reset_stats|.*\.io_service.*|.*recursive|.*(time|wait|merged|queued|sectors).*)"
    r"|cpuset\.(memory_pressure|effective_.*|.*\.effective)|devices\..*|misc\..*|rdma\.current"
    r"|perf_event\..*|irq\..*|cpu\.weight\.nice"  # the last is cpu.weight in other words
)

_VOLATILE = re.compile(
    r"Id|Names|Description|InvocationID|ControlGroup(Id)?|Transient|FragmentPath|DropInPaths|Job"
    r"|.*Timestamp(Monotonic)?|.*USecNSec|.*(Current|Peak|Available|Bytes|Operations|Packets)|CPUUsageNSec"
    r"|ConditionTimestamp.*|AssertTimestamp.*|RequiresMountsFor|NeedDaemonReload|Effective(CPUs|MemoryNodes)"
    r"|ActiveState|SubState|StateChange.*|OOMScoreAdjust|MemorySwapCurrent|Controller"
)


def read_limits(pid: int) -> Limits:
    """All files of the process's cgroups that hold settings; one that cannot be read has its errno.

    Without v1's misc hierarchy: linux.resources has no word for it, and old runc makes no cgroup there.
    """
    found: Limits = {}
    where, belongs = cgroup.mounts(), cgroup.membership(pid)
    directories = {
        where[name] + path: name for name, path in belongs.items() if name in where and name != "misc"
    }
    for directory, controller in directories.items():
        for name in os.listdir(directory):
            path = f"{directory}/{name}"
            if os.path.isfile(path) and not _USAGE.fullmatch(name):
                common = name.startswith("cgroup.") or "." not in name or name == "release_agent"
                found[f"{controller}/{name}" if common else name] = _settings(path, name)
    return found


def _settings(path: str, name: str) -> str:
    try:
        with open(path) as file:
            lines = file.read().splitlines()
    except OSError as error:
        return f"errno {error.errno}"
    if name == "memory.oom_control":  # the rest of it tells what happened
        return lines[0]
    if name == "net_prio.ifpriomap":  # interfaces of the host come and go
        lines = [line for line in lines if line.startswith("lo ")]
    return "\n".join(sorted(lines) if name == "devices.list" else lines)


def read_unit(pid: int) -> Limits:
    """All properties of the systemd unit whose cgroup the process is in, but for what changes by itself and names;
    nothing without one."""
    belongs = cgroup.membership(pid)
    unit = os.path.basename(belongs.get("name=systemd", belongs.get("", "")))
    if not unit.endswith((".scope", ".service")):
        return {}
    manager = ["--user"] if caller.ROOTLESS else []
    words = ["systemctl", *manager, "show", "--all", unit]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    found: Limits = {}
    for line in done.stdout.splitlines():
        name, equals, value = line.partition("=")
        if caller.ROOTLESS and name in ("DevicePolicy", "DeviceAllow"):
            continue  # runc tells them a user's systemd, too, which cannot enforce them
        if equals and not _VOLATILE.fullmatch(name):
            found[name] = (
                f"{found[name]}\n{value}" if name in found else value
            )  # DeviceAllow comes line by line
    return {name: value.replace(unit, "UNIT") for name, value in found.items()}


def files_of_a_new_cgroup(name: str) -> set[str]:
    """Names of all files that a cgroup beside the containers' has, with every controller that can be switched on."""
    found: set[str] = set()
    with _all_controllers():
        for mount in set(cgroup.mounts().values()):
            path = f"{mount}{cgroup.top()}/{name}"
            os.mkdir(path)
            found |= set(os.listdir(path))
            os.rmdir(path)
    return found


@contextlib.contextmanager
def _all_controllers() -> Iterator[None]:
    """Switch on, for a moment, what cgroups of the unified hierarchy do not have where the containers' are."""
    mount = cgroup.mounts().get("")
    if mount is None:
        yield
        return
    path = f"{mount}{cgroup.top()}/cgroup.subtree_control"
    with open(path) as file:
        missing = sorted(cgroup.v2_controllers() - set(file.read().split()))
    _write_each(path, [f"+{controller}" for controller in missing])
    yield
    _write_each(path, [f"-{controller}" for controller in missing])


def _write_each(path: str, words: list[str]) -> None:
    """What is refused stays: a controller that is not ours to give, or that a container needs by now."""
    for word in words:
        with contextlib.suppress(OSError), open(path, "w") as file:
            file.write(word)
