"""process.scheduler, checked with sched_getattr(2) from outside."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from . import cgroup
from .harness import Container

pytestmark = pytest.mark.old_runc_lacks("process.scheduler", strict=False)

POLICIES = {
    "SCHED_OTHER": 0,
    "SCHED_FIFO": 1,
    "SCHED_RR": 2,
    "SCHED_BATCH": 3,
    "SCHED_IDLE": 5,
    "SCHED_DEADLINE": 6,
}
SYS_SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}[os.uname().machine]
RESET_ON_FORK = 1


class _Attributes(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    ]


class Scheduler(NamedTuple):
    policy: int
    flags: int
    nice: int
    priority: int
    runtime: int
    deadline: int
    period: int


def _scheduler(pid: int) -> Scheduler:
    libc = ctypes.CDLL(None, use_errno=True)
    found = _Attributes(size=ctypes.sizeof(_Attributes))
    if libc.syscall(SYS_SCHED_GETATTR, pid, ctypes.byref(found), ctypes.sizeof(found), 0) != 0:
        raise OSError(ctypes.get_errno(), "sched_getattr")
    values: Iterator[int] = (getattr(found, name) for name, *_ in _Attributes._fields_[1:])
    return Scheduler(*values)


def _has_realtime_in_cgroups(name: str) -> bool:
    """Whether a process in a new cgroup of the cpu controller may have a realtime policy."""
    mounts = cgroup.mounts()
    path = f"{mounts['cpu'] if 'cpu' in mounts else mounts['']}/{name}-realtime"
    os.mkdir(path)
    script = f"echo $$ >{path}/cgroup.procs && exec chrt --fifo 1 true"
    try:
        return subprocess.run(["sh", "-c", script], stderr=subprocess.DEVNULL, check=False).returncode == 0
    finally:
        os.rmdir(path)


def _with(container: Container, **values: object) -> Container:
    container.process["scheduler"] = values
    return container


@pytest.mark.parametrize("policy", ["SCHED_OTHER", "SCHED_BATCH"])
@pytest.mark.parametrize("nice", [0, 7, 19])
def test_nice(container: Container, policy: str, nice: int) -> None:
    _with(container, policy=policy, nice=nice).sleeping()
    found = _scheduler(container.pid)
    assert (found.policy, found.nice) == (POLICIES[policy], nice)


@pytest.mark.needs_capability("CAP_SYS_NICE")
def test_negative_nice(container: Container) -> None:
    _with(container, policy="SCHED_OTHER", nice=-5).sleeping()
    assert _scheduler(container.pid).nice == -5


def test_idle(container: Container) -> None:
    _with(container, policy="SCHED_IDLE").sleeping()
    assert _scheduler(container.pid).policy == POLICIES["SCHED_IDLE"]


@pytest.mark.needs_capability("CAP_SYS_NICE")
@pytest.mark.parametrize("policy", ["SCHED_FIFO", "SCHED_RR"])
def test_realtime(container: Container, policy: str) -> None:
    if not _has_realtime_in_cgroups(container.id):
        pytest.skip("a new cgroup has no realtime budget (CONFIG_RT_GROUP_SCHED)")
    _with(container, policy=policy, priority=7).sleeping()
    found = _scheduler(container.pid)
    assert (found.policy, found.priority) == (POLICIES[policy], 7)


def test_flags(container: Container) -> None:
    _with(container, policy="SCHED_BATCH", flags=["SCHED_FLAG_RESET_ON_FORK"]).sleeping()
    assert _scheduler(container.pid).flags & RESET_ON_FORK


def test_exec_has_the_containers_scheduler(container: Container) -> None:
    _with(container, policy="SCHED_BATCH", nice=5).sleeping()
    result = container.exec(
        "sleep", "1000", flags=["--detach", "--pid-file", container.pid_file + ".exec"]
    ).ok()
    assert result.returncode == 0
    with open(container.pid_file + ".exec") as file:
        found = _scheduler(int(file.read()))
    assert (found.policy, found.nice) == (POLICIES["SCHED_BATCH"], 5)


@pytest.mark.parametrize(
    "values",
    [
        {"policy": "SCHED_NONSENSE"},
        {"nice": 5},
        {"policy": "SCHED_OTHER", "nice": 20},
        {"policy": "SCHED_OTHER", "nice": -21},
        {"policy": "SCHED_OTHER", "priority": 5},
        {"policy": "SCHED_FIFO", "priority": 100},
        {"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_NONSENSE"]},
        {"policy": "SCHED_OTHER", "runtime": 1000},
    ],
)
def test_bad_values_are_refused(container: Container, values: dict[str, object]) -> None:
    _with(container, **values).try_create().failed("scheduler")
    assert container.runtime.leftovers() == []
