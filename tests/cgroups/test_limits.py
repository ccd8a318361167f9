"""Limits, read back from the kernel's files."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

import pytest

from runtime.errors import KernelError
from runtime.execute import cgroupfs
from runtime.plan.ops import Op
from runtime.spec.model import (
    LinuxBlockIO,
    LinuxCPU,
    LinuxHugepageLimit,
    LinuxMemory,
    LinuxPids,
    LinuxThrottleDevice,
    LinuxWeightDevice,
)

from . import box as boxes
from .box import Box

MIB = 1 << 20


@pytest.mark.controller("memory")
def test_memory(box: Box) -> None:
    box.create(memory=LinuxMemory(limit=64 * MIB, swap=96 * MIB, reservation=32 * MIB))
    assert box.read("memory", "memory.limit_in_bytes", "memory.max") == str(64 * MIB)
    assert box.read("memory", "memory.soft_limit_in_bytes", "memory.low") == str(32 * MIB)
    swap = 32 if boxes.V2 else 96
    assert box.read("memory", "memory.memsw.limit_in_bytes", "memory.swap.max") == str(swap * MIB)


@pytest.mark.controller("cpu")
def test_cpu(box: Box) -> None:
    box.create(cpu=LinuxCPU(shares=512, quota=50000, period=200000, burst=20000))
    if boxes.V2:
        assert box.read("cpu", "cpu.weight") == "59"
        assert box.read("cpu", "cpu.max") == "50000 200000"
        assert box.read("cpu", "cpu.max.burst") == "20000"
    else:
        assert box.read("cpu", "cpu.shares") == "512"
        assert box.read("cpu", "cpu.cfs_quota_us") == "50000"
        assert box.read("cpu", "cpu.cfs_period_us") == "200000"
        assert box.read("cpu", "cpu.cfs_burst_us") == "20000"


@pytest.mark.controller("cpu")
def test_idle(box: Box) -> None:
    box.create(cpu=LinuxCPU(idle=1, shares=512))
    assert box.read("cpu", "cpu.idle") == "1"


@pytest.mark.controller("cpuset")
def test_cpuset(box: Box) -> None:
    box.create(cpu=LinuxCPU(cpus="0", mems="0"))
    child = box.start()
    assert os.sched_getaffinity(child.pid) == {0}
    assert box.read("cpuset", "cpuset.mems") == "0"


@pytest.mark.controller("pids")
def test_pids(box: Box) -> None:
    box.create(pids=LinuxPids(limit=7))
    assert box.read("pids", "pids.max") == "7"
    box.apply(pids=LinuxPids(limit=-1))
    assert box.read("pids", "pids.max") == "max"


@pytest.mark.controller("pids")
def test_the_limit_holds(box: Box) -> None:
    box.create(pids=LinuxPids(limit=3))
    code = (
        "import os,time\n"
        "for n in range(9):\n"
        " try: pid = os.fork()\n"
        " except BlockingIOError: print(n, flush=True); break\n"
        " if not pid: time.sleep(99)\n"
        "time.sleep(99)"
    )
    child = box.python(code)
    assert child.stdout is not None
    assert child.stdout.readline() == "2\n"


def block_device() -> tuple[int, int]:
    """A whole disk of this machine, or a loop device that is in use."""
    for name in sorted(os.listdir("/sys/block"), key=lambda name: (name.startswith("loop"), name)):
        if not name.startswith(("ram", "zram")) and int(boxes.open_text(f"/sys/block/{name}/size")) > 0:
            major, minor = boxes.open_text(f"/sys/block/{name}/dev").split(":")
            return int(major), int(minor)
    pytest.skip("this machine has no block device of any size")


@pytest.mark.controller("blkio")
def test_throttling(box: Box) -> None:
    major, minor = block_device()
    rate = [LinuxThrottleDevice(major=major, minor=minor, rate=MIB)]
    box.create(block_io=LinuxBlockIO(throttle_read_bps_device=rate, throttle_write_iops_device=rate))
    if boxes.V2:
        assert box.read("blkio", "io.max") == f"{major}:{minor} rbps={MIB} wbps=max riops=max wiops={MIB}"
    else:
        assert box.read("blkio", "blkio.throttle.read_bps_device") == f"{major}:{minor} {MIB}"
        assert box.read("blkio", "blkio.throttle.write_iops_device") == f"{major}:{minor} {MIB}"


def test_a_device_that_is_not_there(box: Box) -> None:
    if not boxes.has("blkio"):
        pytest.skip("this machine has no blkio controller")
    rate = [LinuxThrottleDevice(major=4000, minor=77, rate=MIB)]
    box.create()
    with pytest.raises(KernelError) as caught:
        box.apply(block_io=LinuxBlockIO(throttle_read_bps_device=rate))
    file, value = ("io.max", "rbps=1048576") if boxes.V2 else ("blkio.throttle.read_bps_device", "1048576")
    assert str(caught.value).startswith(
        "linux.resources.blockIO.throttleReadBpsDevice[0].rate:"
        f" write 4000:77 {value} to {file}: ENODEV: no such device"
    )


@pytest.mark.controller("blkio")
def test_weight(box: Box) -> None:
    """Of BFQ where the kernel has it; v2 has iocost's otherwise; with neither it is an error."""
    box.create()
    bfq = "io.bfq.weight" if boxes.V2 else "blkio.bfq.weight"
    path = box.directory("blkio")
    if os.path.exists(f"{path}/{bfq}"):
        box.apply(block_io=LinuxBlockIO(weight=500))
        assert box.read("blkio", bfq).removeprefix("default ") == "500"
    elif os.path.exists(f"{path}/io.weight"):
        box.apply(block_io=LinuxBlockIO(weight=500))
        assert box.read("blkio", "io.weight").splitlines()[0] == "default 4950"
    else:
        with pytest.raises(KernelError) as caught:
            box.apply(block_io=LinuxBlockIO(weight=500))
        assert "linux.resources.blockIO.weight: write " in str(caught.value)
        assert str(caught.value).endswith(("BFQ I/O scheduler", "(BFQ or iocost)"))


@pytest.mark.v2
@pytest.mark.controller("blkio")
def test_weight_of_a_device(box: Box) -> None:
    """With BFQ if that is the device's scheduler, else with iocost if it is switched on for it."""
    major, minor = block_device()
    box.create()
    if not (set(os.listdir(box.directory(""))) & {"io.bfq.weight", "io.weight"}):
        pytest.skip("this kernel has no weights for I/O (BFQ or iocost)")
    wanted = LinuxBlockIO(weight_device=[LinuxWeightDevice(major=major, minor=minor, weight=300)])
    try:
        box.apply(block_io=wanted)
    except KernelError as err:
        assert "linux.resources.blockIO.weightDevice[0].weight: write " in str(err)
        assert "ENOTSUP: operation not supported; " in str(err) and "scheduler" in str(err)
        return
    for name, value in (("io.bfq.weight", 300), ("io.weight", 2930)):
        if os.path.exists(f"{box.directory('')}/{name}"):
            assert f"{major}:{minor} {value}" in box.read("", name).splitlines()
            return


@pytest.mark.v2
@pytest.mark.controller("blkio")
def test_what_is_said_of_one_device_is_one_line(box: Box) -> None:
    """Each write has one key, and the kernel keeps the others."""
    major, minor = block_device()

    def rate(number: int) -> list[LinuxThrottleDevice]:
        return [LinuxThrottleDevice(major=major, minor=minor, rate=number)]

    box.create(
        block_io=LinuxBlockIO(
            throttle_read_bps_device=rate(MIB),
            throttle_write_bps_device=rate(2 * MIB),
            throttle_read_iops_device=rate(100),
            throttle_write_iops_device=rate(200),
        )
    )
    assert box.read("", "io.max") == f"{major}:{minor} rbps={MIB} wbps={2 * MIB} riops=100 wiops=200"
    box.apply(block_io=LinuxBlockIO(throttle_read_bps_device=rate(0)))
    assert box.read("", "io.max") == f"{major}:{minor} rbps=max wbps={2 * MIB} riops=100 wiops=200"


@contextlib.contextmanager
def hybrid_left_as_it_was() -> Iterator[None]:
    """A controller that a limit needs is enabled for all of a hybrid host's unified hierarchy."""
    file = f"{boxes.LAYOUT.unified}/cgroup.subtree_control"
    before = set(boxes.open_text(file).split()) if boxes.HYBRID else set()
    yield
    for name in set(boxes.open_text(file).split()) - before if boxes.HYBRID else ():
        with open(file, "w") as control:
            control.write(f"-{name}")


@pytest.mark.controller("hugetlb")
def test_hugepages(box: Box) -> None:
    if not box.host.page_sizes:
        pytest.skip("this machine has no huge pages")
    size = box.host.page_sizes[0]
    box.create()
    names = os.listdir(box.directory("hugetlb"))
    if not any(name.startswith(f"hugetlb.{size}.") for name in names) and boxes.V2:
        pytest.skip("the hugetlb controller has no files")
    with hybrid_left_as_it_was():
        hugepages(box, size)


def hugepages(box: Box, size: str) -> None:
    box.apply(hugepage_limits=[LinuxHugepageLimit(page_size=size, limit=0)])
    for kind in ("", "rsvd."):
        v1, v2 = f"hugetlb.{size}.{kind}limit_in_bytes", f"hugetlb.{size}.{kind}max"
        assert box.read("hugetlb", v1, v2) == "0"


@pytest.mark.v2
def test_unified(box: Box) -> None:
    box.create(memory=LinuxMemory(limit=64 * MIB))
    box.apply(unified={"memory.high": str(32 * MIB), "memory.max": str(48 * MIB), "cgroup.max.depth": "3"})
    assert box.read("", "memory.high") == str(32 * MIB)
    assert box.read("", "memory.max") == str(48 * MIB)
    assert box.read("", "cgroup.max.depth") == "3"


@pytest.mark.v2
def test_unified_line_by_line(box: Box) -> None:
    """The kernel takes one setting per write."""
    major, minor = block_device()
    box.create(unified={"io.max": f"{major}:{minor} rbps=5000\n{major}:{minor} wbps=6000\n"})
    assert box.read("", "io.max") == f"{major}:{minor} rbps=5000 wbps=6000 riops=max wiops=max"


@pytest.mark.v2
@pytest.mark.controller("cpuset")
def test_unified_without_a_value_takes_it_back(box: Box) -> None:
    box.create(cpu=LinuxCPU(cpus="0"))
    assert box.read("", "cpuset.cpus") == "0"
    box.apply(unified={"cpuset.cpus": ""})
    assert box.read("", "cpuset.cpus") == ""


@pytest.mark.v2
@pytest.mark.controller("memory")
def test_the_oom_killer_takes_all_or_one(new_box: Callable[[str], Box]) -> None:
    """memory.oom.group, which v1 has no word for."""
    for name, group, survives in (("/one", "0", True), ("/all", "1", False)):
        box = new_box(name)
        box.create(memory=LinuxMemory(limit=16 * MIB, swap=16 * MIB), unified={"memory.oom.group": group})
        assert box.read("", "memory.oom.group") == group
        bystander = box.start()
        assert box.python("x = bytearray(64 << 20)").wait(timeout=60) == -signal.SIGKILL
        if survives:
            assert bystander.poll() is None
        else:
            assert bystander.wait(timeout=20) == -signal.SIGKILL


@pytest.mark.v2
def test_unified_file_that_can_only_be_read(box: Box) -> None:
    box.create()
    with pytest.raises(KernelError) as caught:
        box.apply(unified={"memory.current": "1"})
    assert str(caught.value).startswith(
        'linux.resources.unified["memory.current"]: write 1 to memory.current'
    )
    assert str(caught.value).endswith("; the kernel only lets it be read")


@pytest.mark.v2
def test_unified_file_that_the_kernel_has_not(box: Box) -> None:
    box.create()
    with pytest.raises(KernelError) as caught:
        box.apply(unified={"memory.nonsense": "1"})
    assert str(caught.value) == (
        'linux.resources.unified["memory.nonsense"]: write 1 to memory.nonsense: ENOENT: no such file or'
        " directory; this kernel has no such file"
    )


# values that constrain each other, in a cgroup that has some already


@pytest.mark.controller("memory")
def test_growing_and_shrinking(box: Box) -> None:
    box.create()
    for mebibytes in (64, 256, 32, 128):
        box.apply(memory=LinuxMemory(limit=mebibytes * MIB, swap=mebibytes * MIB))
        assert box.read("memory", "memory.limit_in_bytes", "memory.max") == str(mebibytes * MIB)
        both = 0 if boxes.V2 else mebibytes * MIB
        assert box.read("memory", "memory.memsw.limit_in_bytes", "memory.swap.max") == str(both)
    box.apply(memory=LinuxMemory(limit=-1))
    assert cgroupfs.current_limits(box.cgroups)["limit"] == -1
    assert cgroupfs.current_limits(box.cgroups)["swap"] == -1


@pytest.mark.controller("cpu")
def test_a_quota_below_the_old_burst(box: Box) -> None:
    box.create(cpu=LinuxCPU(quota=90000, period=100000, burst=80000))
    box.apply(cpu=LinuxCPU(quota=20000, period=100000, burst=10000))
    assert cgroupfs.current_limits(box.cgroups)["quota"] == 20000
    assert box.read("cpu", "cpu.cfs_burst_us", "cpu.max.burst") == "10000"


@pytest.mark.controller("cpu")
def test_a_burst_above_the_quota(box: Box) -> None:
    box.create()
    with pytest.raises(KernelError) as caught:
        box.apply(cpu=LinuxCPU(quota=20000, period=100000, burst=30000))
    file = "cpu.max.burst" if boxes.V2 else "cpu.cfs_burst_us"
    assert str(caught.value) == (
        f"linux.resources.cpu.burst: write 30000 to {file}: EINVAL: invalid argument;"
        " burst cannot be above quota"
    )


@pytest.mark.v1
def test_real_time_time_is_given_to_the_ancestors_first(new_box: Callable[[str], Box]) -> None:
    box = new_box("/a/b")
    box.create()
    path = box.directory("cpu")
    if not os.path.exists(f"{path}/cpu.rt_runtime_us"):
        pytest.skip("this kernel has no RT group scheduling")
    box.apply(cpu=LinuxCPU(realtime_runtime=1000, realtime_period=1000000))
    assert box.read("cpu", "cpu.rt_runtime_us") == "1000"
    with open(f"{os.path.dirname(path)}/cpu.rt_runtime_us") as file:
        assert file.read() == "1000\n"


# refusals


@pytest.mark.v1
@pytest.mark.controller("memory")
def test_a_memory_limit_below_what_is_used(box: Box) -> None:
    box.create()
    child = box.python("x = bytearray(32 << 20); print(1, flush=True); import time; time.sleep(99)")
    assert child.stdout is not None
    child.stdout.readline()
    # nothing can be swapped out, so that the kernel cannot make room
    box.apply(memory=LinuxMemory(swappiness=0))
    with pytest.raises(KernelError) as caught:
        box.apply(memory=LinuxMemory(limit=4096))
    assert str(caught.value).startswith(
        "linux.resources.memory.limit: write 4096 to memory.limit_in_bytes: EBUSY: device or resource busy;"
        " the container already uses more ("
    )


@pytest.mark.v2
@pytest.mark.parametrize("member", ["limit", "swap"])
def test_check_before_update(box: Box, member: str) -> None:
    box.create()
    child = box.python("x = bytearray(32 << 20); print(1, flush=True); import time; time.sleep(99)")
    assert child.stdout is not None
    child.stdout.readline()
    op = Op("cgroup_check", f"/memory/{member}", controller="", file="memory.current", value=str(MIB))
    with pytest.raises(KernelError) as caught:
        cgroupfs.apply(box.cgroups, [op])
    what = "memory" if member == "limit" else "memory and swap"
    assert str(caught.value).startswith(
        f"memory.{member}: limit {what} to 1048576: the container already uses more ("
    )
    assert str(caught.value).endswith("; memory.checkBeforeUpdate is set")
    assert boxes.alive(child.pid)


@pytest.mark.controller("cpuset")
def test_cpus_the_host_has_not(box: Box) -> None:
    box.create()
    with pytest.raises(KernelError) as caught:
        box.apply(cpu=LinuxCPU(cpus="4000"))
    assert str(caught.value).startswith("linux.resources.cpu.cpus: write 4000 to cpuset.cpus: E")
    assert str(caught.value).endswith("; the host has not all of these CPUs")


def test_a_limit_without_its_cgroup(box: Box) -> None:
    """Rootless: the caller could not make it."""
    ops = box.ops(pids=LinuxPids(limit=5)) if boxes.has("pids") else []
    if not ops:
        pytest.skip("this machine has no pids controller")
    with pytest.raises(KernelError) as caught:
        cgroupfs.apply([], ops)
    assert str(caught.value) == (
        "linux.resources.pids.limit: write 5 to pids.max: the container has no pids cgroup;"
        " the caller has no permission to make it"
    )


@pytest.mark.v2
def test_a_parent_with_processes_hands_no_controllers_on(new_box: Callable[[str], Box]) -> None:
    outer, inner = new_box(""), new_box("/inner")
    outer.create()
    outer.start()
    cgroupfs.create(inner.cgroups)
    with pytest.raises(KernelError) as caught:
        inner.apply(memory=LinuxMemory(limit=MIB))
    assert outer.read("", "cgroup.subtree_control") == ""
    assert inner.read("", "cgroup.type") == "domain"
    assert str(caught.value) == (
        f"linux.resources.memory.limit: write {MIB} to memory.max: {outer.cgroups[0][1]} does not hand on"
        " the memory controller: a cgroup with processes of its own cannot have children with controllers;"
        " move them to a cgroup below it, or choose another cgroupsPath"
    )


@pytest.mark.v2
def test_no_parent_becomes_threaded(new_box: Callable[[str], Box]) -> None:
    """The kernel would enable pids for a cgroup with processes, and its child could have none."""
    outer, inner = new_box(""), new_box("/inner")
    outer.create()
    outer.start()
    cgroupfs.create(inner.cgroups)
    with pytest.raises(KernelError, match="does not hand on the pids controller: a cgroup with processes"):
        inner.apply(pids=LinuxPids(limit=5))
    assert inner.read("", "cgroup.type") == "domain"
    child = inner.start()
    assert inner.listed() == {child.pid}


def test_a_kernel_without_reservations_of_huge_pages(box: Box) -> None:
    """hugetlb.<size>.rsvd.* came later than the controller; any directory is without them."""
    box.create()
    controller = next(iter(box.cgroups[0][0]), "")
    names = ("hugetlb.3MB.rsvd.max", "hugetlb.3MB.max")
    optional, needed = (
        Op("cgroup_set", "/hugepageLimits/0/limit", controller=controller, file=name, value="0")
        for name in names
    )
    cgroupfs.apply(box.cgroups, [optional])
    with pytest.raises(KernelError, match=r"^hugepageLimits\[0\]\.limit: write 0 to hugetlb\.3MB\.max: "):
        cgroupfs.apply(box.cgroups, [needed])
