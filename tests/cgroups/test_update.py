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
