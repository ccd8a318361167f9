"""Usage against the kernel's files and against what a process did."""

from __future__ import annotations

import os
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


PRESSURE_FILES = {"cpu": "cpu.pressure", "memory": "memory.pressure", "blkio": "io.pressure"}


@pytest.mark.v2
@pytest.mark.parametrize("member", PRESSURE_FILES)
def test_pressure(box: Box, member: str) -> None:
    """As the kernel's file has it; where the kernel has none there is no member."""
    box.create()
    busy(box)
    psi = cgroupfs.stats(box.cgroups)[member].get("psi")
    try:
        text = boxes.open_text(f"{box.directory('')}/{PRESSURE_FILES[member]}")
    except OSError:
        assert psi is None
        return
    kinds = [line.split()[0] for line in text.splitlines()]
    assert list(psi) == ["some", "full"]
    for kind, values in psi.items():
        assert list(values) == ["avg10", "avg60", "avg300", "total"]
        assert all(0 <= values[name] <= 100 for name in ("avg10", "avg60", "avg300"))
        assert isinstance(values["total"], int) and (kind in kinds or values["total"] == 0)


@pytest.mark.v2
@pytest.mark.controller("cpu")
def test_pressure_is_felt(box: Box) -> None:
    """A throttled process waits for the CPU."""
    box.create(cpu=LinuxCPU(quota=5000, period=100000))
    if not os.path.exists(f"{box.directory('')}/cpu.pressure"):
        pytest.skip("this kernel has no pressure stall information (CONFIG_PSI)")
    box.start("sh", "-c", "while :; do :; done")
    box.start("sh", "-c", "while :; do :; done")
    boxes.until(lambda: cgroupfs.stats(box.cgroups)["cpu"]["psi"]["some"]["total"] > 100_000, 60)


def test_pressure_of_other_kernels(tmp_path: Any) -> None:
    """Linux 5.12 has only "some" for the CPU; one that has it switched off has files that say nothing."""
    text = "some avg10=1.50 avg60=0.25 avg300=0.00 total=42\n"
    (tmp_path / "cpu.pressure").write_text(text)
    (tmp_path / "io.pressure").write_text("")
    stats = cgroupfs.stats([((), str(tmp_path))])
    nothing = {"avg10": 0.0, "avg60": 0.0, "avg300": 0.0, "total": 0}
    assert stats["cpu"]["psi"] == {
        "some": {"avg10": 1.5, "avg60": 0.25, "avg300": 0.0, "total": 42},
        "full": nothing,
    }
    assert "psi" not in stats["blkio"] and "psi" not in stats["memory"]


@pytest.mark.v2
@pytest.mark.controller("hugetlb")
def test_huge_pages_count_when_they_are_reserved(box: Box) -> None:
    size = "2MB"
    box.create()
    if not os.path.exists(f"{box.directory('')}/hugetlb.{size}.rsvd.current"):
        pytest.skip(f"this kernel does not count reservations of {size} pages")
    pool = "/proc/sys/vm/nr_hugepages"
    before = boxes.open_text(pool)
    with open(pool, "w") as file:
        file.write(str(int(before) + 4))
    try:
        # MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, never touched
        code = "import mmap, time; m = mmap.mmap(-1, 4 << 20, 0x40022); print(1, flush=True); time.sleep(99)"
        child = box.python(code)
        assert child.stdout is not None and child.stdout.readline() == "1\n"
        assert box.read("", f"hugetlb.{size}.current") == "0"
        assert cgroupfs.stats(box.cgroups)["hugetlb"][size] == {"usage": 4 * MIB, "failcnt": 0}
    finally:
        with open(pool, "w") as file:
            file.write(before)


def test_names_of_v1_members_are_runcs(tmp_path: Any) -> None:
    """Each from its file; "queue" is the odd one."""
    for name in ("io_service_bytes", "io_queued", "sectors"):
        (tmp_path / f"blkio.{name}_recursive").write_text("8:0 Read 5\n8:0 Total 5\nTotal 5\n")
    blkio = cgroupfs.stats([(("blkio",), str(tmp_path))])["blkio"]
    assert set(blkio) == {"ioServiceBytesRecursive", "ioQueueRecursive", "sectorsRecursive"}
