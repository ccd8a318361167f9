"""Usage against the kernel's files and against what a process did."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from runtime.execute import cgroupfs
from runtime.execute.cgroup_stats import UNLIMITED, oom_count
from runtime.spec.model import LinuxCPU, LinuxMemory, LinuxPids

from . import box as boxes
from .box import Box

MIB = 1 << 20
BUSY = """
import os, sys, time
memory = bytearray(20 << 20)
end = time.process_time() + 0.3
while time.process_time() < end: pass
print("done", flush=True)
time.sleep(99)
"""


def busy(box: Box) -> None:
    child = box.python(BUSY)
    assert child.stdout is not None
    assert child.stdout.readline() == "done\n"


def test_members(box: Box) -> None:
    """Those of `runc events --stats`, which readers of that output expect."""
    box.create()
    stats = cgroupfs.stats(box.cgroups)
    assert list(stats) == [
        "cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"
    ]  # fmt: skip
    assert stats["intel_rdt"] == {}
    assert stats["network_interfaces"] is None
    assert {"usage", "throttling"} == set(stats["cpu"])
    assert {"kernel", "user"} <= set(stats["cpu"]["usage"])
    assert "sched_load_balance" in stats["cpuset"]
    for counter in ("usage", "swap", "kernel", "kernelTCP"):
        assert {"limit", "failcnt"} <= set(stats["memory"][counter])


def test_cpu_time(box: Box) -> None:
    box.create()
    before = cgroupfs.stats(box.cgroups)["cpu"]["usage"].get("total", 0)
    busy(box)
    usage = cgroupfs.stats(box.cgroups)["cpu"]["usage"]
    assert 250_000_000 < usage["total"] - before < 20_000_000_000
    if boxes.V2:
        assert usage["user"] + usage["kernel"] == pytest.approx(usage["total"], rel=0.2)
    else:
        assert sum(usage["percpu"]) == pytest.approx(usage["total"], rel=0.2)


@pytest.mark.controller("memory")
def test_memory(box: Box) -> None:
    box.create(memory=LinuxMemory(limit=256 * MIB, swap=300 * MIB))
    busy(box)
    memory: dict[str, Any] = cgroupfs.stats(box.cgroups)["memory"]
    assert memory["usage"]["limit"] == 256 * MIB
    assert memory["swap"]["limit"] == 300 * MIB
    now = int(box.read("memory", "memory.usage_in_bytes", "memory.current"))
    assert memory["usage"]["usage"] == pytest.approx(now, abs=2 * MIB)
    assert memory["usage"]["usage"] > 20 * MIB
    anonymous = "anon" if boxes.V2 else "rss"
    assert memory["raw"][anonymous] > 20 * MIB


def test_without_limits(box: Box) -> None:
    box.create()
    stats = cgroupfs.stats(box.cgroups)
    if boxes.V2:
        assert stats["memory"]["usage"]["limit"] == UNLIMITED
    elif boxes.has("memory"):
        assert stats["memory"]["usage"]["limit"] == int(box.read("memory", "memory.limit_in_bytes"))
    assert stats["pids"] == {}


@pytest.mark.controller("pids")
def test_pids(box: Box) -> None:
    box.create(pids=LinuxPids(limit=9))
    box.start()
    box.start()
    assert cgroupfs.stats(box.cgroups)["pids"] == {"current": 2, "limit": 9}


@pytest.mark.controller("cpu")
def test_throttling(box: Box) -> None:
    box.create(cpu=LinuxCPU(quota=10000, period=100000))
    busy(box)
    throttling = cgroupfs.stats(box.cgroups)["cpu"]["throttling"]
    assert throttling["throttledPeriods"] >= 2
    assert throttling["periods"] >= throttling["throttledPeriods"]
    assert throttling["throttledTime"] > 100_000_000


@pytest.mark.controller("cpuset")
def test_cpuset(box: Box) -> None:
    box.create(cpu=LinuxCPU(cpus="0", mems="0"))
    cpuset = cgroupfs.stats(box.cgroups)["cpuset"]
    assert (cpuset["cpus"], cpuset["mems"]) == ([0], [0])


@pytest.mark.controller("blkio")
def test_input_and_output(box: Box, tmp_path: Any) -> None:
    """Counted per device, from the lines of the kernel's file."""
    box.create()
    writer = box.python(
        f"import os; fd = os.open({str(tmp_path / 'x')!r}, os.O_CREAT | os.O_WRONLY);"
        " os.write(fd, bytes(1 << 20)); os.fsync(fd)"
    )
    writer.communicate(timeout=30)
    entries = cgroupfs.stats(box.cgroups)["blkio"].get("ioServiceBytesRecursive", [])
    listed = box.read("blkio", "blkio.throttle.io_service_bytes_recursive", "io.stat")
    devices = {
        line.split()[0] for line in listed.splitlines() if ":" in line and "=" in line or "Read" in line
    }
    assert {f"{entry.get('major', 0)}:{entry.get('minor', 0)}" for entry in entries} == devices
    for entry in entries:
        assert set(entry) <= {"major", "minor", "op", "value"}


def test_of_cgroups_that_are_gone(box: Box) -> None:
    stats = cgroupfs.stats(box.cgroups)
    assert (stats["pids"], stats["blkio"], stats["hugetlb"]) == ({}, {}, {})
    assert cgroupfs.stats([])["cpu"]["throttling"] == {}


@pytest.mark.controller("memory")
def test_ooms_are_counted(box: Box) -> None:
    box.create(memory=LinuxMemory(limit=16 * MIB, swap=16 * MIB))
    assert oom_count(box.cgroups) == 0
    eater = box.python("x = bytearray(64 << 20)")
    assert eater.wait(timeout=60) == -signal.SIGKILL
    assert oom_count(box.cgroups) == 1
