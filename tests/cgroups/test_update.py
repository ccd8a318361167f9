"""Limits of a container that exists: what is there now, and putting it back."""

from __future__ import annotations

import os

import pytest

from runtime.errors import KernelError
from runtime.execute import cgroupfs
from runtime.execute.cgroup_update import old_value
from runtime.plan.cgroup import plan_update
from runtime.plan.ops import Op
from runtime.spec.model import LinuxCPU, LinuxMemory, LinuxPids, LinuxResources

from . import box as boxes
from .box import Box

MIB = 1 << 20
CPU = LinuxCPU(quota=40000, period=80000, shares=512)


def test_current_limits(box: Box) -> None:
    box.create(memory=LinuxMemory(limit=64 * MIB, swap=96 * MIB), cpu=CPU)
    expected = {"limit": 64 * MIB, "swap": 96 * MIB, "quota": 40000, "period": 80000}
    assert cgroupfs.current_limits(box.cgroups) == expected


def test_current_limits_where_there_are_none(box: Box) -> None:
    box.create()
    expected = {"limit": -1, "swap": -1, "quota": -1, "period": 100000}
    assert cgroupfs.current_limits(box.cgroups) == expected


def updated(box: Box, **resources: object) -> None:
    current = cgroupfs.current_limits(box.cgroups)
    ops = plan_update(LinuxResources(**resources), box.host, current)
    cgroupfs.update(box.cgroups, ops)


def test_update_of_one_of_two(box: Box) -> None:
    box.create(memory=LinuxMemory(limit=64 * MIB, swap=96 * MIB), cpu=CPU)
    updated(box, cpu=LinuxCPU(period=50000), memory=LinuxMemory(limit=32 * MIB))
    expected = {"limit": 32 * MIB, "swap": 96 * MIB, "quota": 40000, "period": 50000}
    assert cgroupfs.current_limits(box.cgroups) == expected


def test_no_limit_again(box: Box) -> None:
    box.create(memory=LinuxMemory(limit=64 * MIB, swap=96 * MIB), cpu=CPU)
    updated(box, memory=LinuxMemory(limit=-1), cpu=LinuxCPU(quota=-1))
    expected = {"limit": -1, "swap": -1, "quota": -1, "period": 80000}
    assert cgroupfs.current_limits(box.cgroups) == expected


@pytest.mark.controller("memory", "cpu", "pids")
def test_on_failure_everything_is_as_before(box: Box) -> None:
    box.create(memory=LinuxMemory(limit=64 * MIB, swap=96 * MIB), cpu=CPU, pids=LinuxPids(limit=50))
    before = {path: _files(path) for _, path in box.cgroups}
    current = cgroupfs.current_limits(box.cgroups)
    wanted = LinuxResources(
        memory=LinuxMemory(limit=128 * MIB, swap=256 * MIB),
        cpu=LinuxCPU(quota=20000, shares=1024),
        pids=LinuxPids(limit=7),
    )
    ops = plan_update(wanted, box.host, current)
    pids = "pids" if "pids" in boxes.V1_NAMES else ""
    ops.append(Op("cgroup_set", "/pids/limit", controller=pids, file="pids.max", value="nonsense"))
    with pytest.raises(KernelError, match="pids.limit: write nonsense to pids.max: EINVAL"):
        cgroupfs.update(box.cgroups, ops)
    assert {path: _files(path) for _, path in box.cgroups} == before
    with pytest.raises(KernelError):
        cgroupfs.apply(box.cgroups, ops)
    assert box.read("pids", "pids.max") == "7"


@pytest.mark.v2
def test_unified(box: Box) -> None:
    """It wins over what is converted, and what it does not name stays."""
    box.create(
        memory=LinuxMemory(limit=64 * MIB), pids=LinuxPids(limit=50), unified={"memory.high": str(MIB)}
    )
    updated(box, memory=LinuxMemory(limit=32 * MIB), unified={"memory.max": "max", "memory.oom.group": "1"})
    assert box.read("", "memory.max") == "max"
    assert box.read("", "memory.oom.group") == "1"
    assert box.read("", "memory.high") == str(MIB)
    assert box.read("", "pids.max") == "50"


@pytest.mark.v2
@pytest.mark.parametrize(
    ("file", "value", "error"),
    [("memory.high", "nonsense", "EINVAL"), ("memory.nonsense", "1", "ENOENT"), ("pids.max", "-7", "EINVAL")],
)
def test_unified_that_fails_changes_nothing(box: Box, file: str, value: str, error: str) -> None:
    box.create(unified={"memory.high": str(32 * MIB), "memory.low": str(MIB), "pids.max": "77"})
    before = _files(box.directory(""))
    unified = {"memory.low": "0", "memory.oom.group": "1", "cpu.weight": "7", file: value}
    with pytest.raises(KernelError, match=rf'unified\["{file}"\]: write {value} to {file}: {error}'):
        updated(box, unified=unified)
    assert _files(box.directory("")) == before


@pytest.mark.v2
def test_check_before_update(box: Box) -> None:
    """The kernel would make room by killing."""
    box.create(memory=LinuxMemory(limit=64 * MIB, swap=128 * MIB), pids=LinuxPids(limit=50))
    child = box.python("x = bytearray(32 << 20); print(1, flush=True); import time; time.sleep(99)")
    assert child.stdout is not None
    child.stdout.readline()
    memory = LinuxMemory(limit=MIB, swap=MIB, check_before_update=True)
    with pytest.raises(KernelError, match=r"memory\.limit: limit memory to 1048576: the container already"):
        updated(box, memory=memory, pids=LinuxPids(limit=60))
    assert boxes.alive(child.pid)
    assert cgroupfs.current_limits(box.cgroups)["limit"] == 64 * MIB
    assert box.read("", "pids.max") == "50"
    updated(box, memory=LinuxMemory(limit=48 * MIB, swap=64 * MIB, check_before_update=True))
    assert cgroupfs.current_limits(box.cgroups)["swap"] == 64 * MIB


@pytest.mark.v2
@pytest.mark.controller("cpu")
def test_idle_there_and_back(box: Box) -> None:
    box.create(cpu=LinuxCPU(shares=512))
    updated(box, cpu=LinuxCPU(idle=1))
    assert box.read("", "cpu.idle") == "1"
    with pytest.raises(KernelError, match=r"an idle cgroup \(cpu.idle 1\) has no shares"):
        updated(box, cpu=LinuxCPU(shares=1024))
    updated(box, cpu=LinuxCPU(idle=0, shares=1024))
    assert (box.read("", "cpu.idle"), box.read("", "cpu.weight")) == ("0", "100")


@pytest.mark.v2
@pytest.mark.controller("cpuset")
def test_cpus_are_put_back_when_the_rest_fails(box: Box) -> None:
    """An empty file is a value too: those of the parent."""
    box.create()
    with pytest.raises(KernelError, match="pids.limit|pids.max"):
        updated(box, cpu=LinuxCPU(cpus="0"), unified={"pids.max": "nonsense"})
    assert box.read("", "cpuset.cpus") == ""
    updated(box, cpu=LinuxCPU(cpus="0"))
    assert box.read("", "cpuset.cpus") == "0"


def _files(path: str) -> dict[str, str]:
    """Every limit of the directory: the files that may be written and do not count."""
    found = {}
    for name in os.listdir(path):
        if name.startswith(("memory.", "cpu.", "pids.")) and os.stat(f"{path}/{name}").st_mode & 0o200:
            try:
                with open(f"{path}/{name}") as file:
                    found[name] = file.read()
            except OSError:
                continue
    for name in ("memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.peak", "cpu.pressure"):
        found.pop(name, None)
    return found


@pytest.mark.parametrize(
    ("file", "new", "text", "old"),
    [
        ("memory.max", "5", "max\n", "max"),
        ("cpu.max", "max 100000", "5000 100000\n", "5000 100000"),
        ("memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", "0"),
        ("blkio.throttle.read_bps_device", "8:0 5", "8:0 7\n8:16 9\n", "8:0 7"),
        ("blkio.throttle.read_bps_device", "8:0 5", "8:16 9\n", "8:0 0"),
        (
            "io.max",
            "8:0 rbps=5",
            "8:0 rbps=7 wbps=max riops=max wiops=max\n",
            "8:0 rbps=7 wbps=max riops=max wiops=max",
        ),
        ("io.max", "8:0 rbps=5", "", "8:0 rbps=max wbps=max riops=max wiops=max"),
        ("io.weight", "default 50", "default 100\n8:0 5\n", "default 100"),
        ("io.weight", "8:0 50", "default 100\n", "8:0 default"),
        ("io.bfq.weight", "50", "default 100\n", "100"),
        ("rdma.max", "mlx hca_handle=1", "", "mlx hca_handle=max hca_object=max"),
    ],
)
def test_what_undoes_a_write(file: str, new: str, text: str, old: str) -> None:
    assert old_value(file, new, text) == old
