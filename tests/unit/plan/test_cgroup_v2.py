"""linux.resources as files of the unified hierarchy: the conversions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import PlanError
from runtime.linux.host import CgroupLayout, Host
from runtime.plan.cgroup import plan_cgroup, plan_update
from runtime.plan.cgroup_v2 import cpu_weight, io_weight
from runtime.spec.model import (
    LinuxBlockIO,
    LinuxCPU,
    LinuxHugepageLimit,
    LinuxInterfacePriority,
    LinuxMemory,
    LinuxNetwork,
    LinuxPids,
    LinuxRdma,
    LinuxResources,
    LinuxThrottleDevice,
    LinuxWeightDevice,
)

CONTROLLERS = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma")
HOST = Host(cgroup=CgroupLayout(controllers=CONTROLLERS))


def sets(**parts: Any) -> list[tuple[str, str]]:
    ops = plan_cgroup(LinuxResources(**parts), None, "demo", HOST, False)
    assert {op.args["controller"] for op in ops if op.code == "cgroup_set"} <= {""}
    return [(op.args["file"], op.args["value"]) for op in ops if op.code == "cgroup_set"]


def updates(current: dict[str, int], **parts: Any) -> list[tuple[str, str]]:
    ops = plan_update(LinuxResources(**parts), HOST, current)
    return [(op.args["file"], op.args["value"]) for op in ops]


# memory


@pytest.mark.parametrize(
    ("limit", "swap", "files"),
    [
        (1000, None, {"memory.max": "1000"}),
        (1000, 0, {"memory.max": "1000"}),
        (1000, 3000, {"memory.max": "1000", "memory.swap.max": "2000"}),
        (1000, 1000, {"memory.max": "1000", "memory.swap.max": "0"}),
        (1000, -1, {"memory.max": "1000", "memory.swap.max": "max"}),
        (-1, None, {"memory.max": "max", "memory.swap.max": "max"}),
        (None, -1, {"memory.swap.max": "max"}),
        (0, 0, {}),
    ],
)
def test_memory_and_swap(limit: int | None, swap: int | None, files: dict[str, str]) -> None:
    assert dict(sets(memory=LinuxMemory(limit=limit, swap=swap))) == files


@pytest.mark.parametrize(
    ("memory", "message"),
    [
        (LinuxMemory(swap=5), "linux.resources.memory.swap: 5 needs a memory limit; set memory.limit too"),
        (
            LinuxMemory(limit=-1, swap=5),
            "linux.resources.memory.swap: 5 needs a memory limit; set memory.limit too",
        ),
        (
            LinuxMemory(limit=10, swap=5),
            "linux.resources.memory.swap: the limit of memory and swap together (5) is below the memory limit"
            " (10); set both",
        ),
    ],
)
def test_swap_that_makes_no_sense(memory: LinuxMemory, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        sets(memory=memory)
    assert str(caught.value) == message


def test_reservation_and_what_v2_does_not_have() -> None:
    memory = LinuxMemory(
        reservation=500, kernel=1, kernel_tcp=2, swappiness=10, disable_oom_killer=True, use_hierarchy=True
    )
    assert sets(memory=memory) == [("memory.low", "500")]
    assert sets(memory=LinuxMemory(reservation=-1)) == [("memory.low", "max")]


# cpu


@pytest.mark.parametrize(
    ("shares", "weight"),
    [(1, 1), (2, 1), (102, 17), (512, 59), (1024, 100), (2048, 174), (262144, 10000), (1 << 40, 10000)],
)
def test_shares_as_weight(shares: int, weight: int) -> None:
    assert cpu_weight(shares) == weight
    assert sets(cpu=LinuxCPU(shares=shares)) == [("cpu.weight", str(weight))]


@given(st.integers(2, 262143))
def test_more_shares_are_never_less_weight(shares: int) -> None:
    assert 1 <= cpu_weight(shares) <= cpu_weight(shares + 1) <= 10000


@pytest.mark.parametrize(
    ("quota", "period", "value"),
    [
        (50000, 200000, "50000 200000"),
        (50000, None, "50000 100000"),
        (50000, 0, "50000 100000"),
        (None, 200000, "max 200000"),
        (-1, 200000, "max 200000"),
        (-1, None, "max 100000"),
    ],
)
def test_quota_and_period(quota: int | None, period: int | None, value: str) -> None:
    assert sets(cpu=LinuxCPU(quota=quota, period=period)) == [("cpu.max", value)]


def test_cpu_order() -> None:
    cpu = LinuxCPU(
        quota=50000,
        burst=100,
        idle=0,
        shares=1024,
        cpus="0-1",
        mems="0",
        realtime_period=1,
        realtime_runtime=1,
    )
    assert [file for file, _ in sets(cpu=cpu)] == [
        "cpu.idle",
        "cpu.weight",
        "cpu.max",
        "cpu.max.burst",
        "cpuset.cpus",
        "cpuset.mems",
    ]
    assert sets(cpu=LinuxCPU(shares=1024, idle=1)) == [("cpu.idle", "1")]


# the others


@pytest.mark.parametrize(("limit", "files"), [(100, ["100"]), (-1, ["max"]), (0, [])])
def test_pids(limit: int, files: list[str]) -> None:
    assert [value for _, value in sets(pids=LinuxPids(limit=limit))] == files


@pytest.mark.parametrize(("weight", "value"), [(10, 1), (100, 910), (500, 4950), (1000, 10000)])
def test_io_weight(weight: int, value: int) -> None:
    """For BFQ as it is, for iocost converted; the executor writes the first that the kernel has."""
    assert io_weight(weight) == value
    assert sets(block_io=LinuxBlockIO(weight=weight, leaf_weight=20)) == [
        ("io.bfq.weight", str(weight)),
        ("io.weight", f"default {value}"),
    ]


def test_block_io_devices() -> None:
    def rate(number: int) -> list[LinuxThrottleDevice]:
        return [LinuxThrottleDevice(major=8, minor=0, rate=number)]

    block_io = LinuxBlockIO(
        weight_device=[LinuxWeightDevice(major=8, minor=0, weight=10, leaf_weight=5)],
        throttle_read_bps_device=rate(1),
        throttle_write_bps_device=rate(2),
        throttle_read_iops_device=rate(3),
        throttle_write_iops_device=rate(0),
    )
    assert sets(block_io=block_io) == [
        ("io.bfq.weight", "8:0 10"),
        ("io.weight", "8:0 1"),
        ("io.max", "8:0 rbps=1"),
        ("io.max", "8:0 wbps=2"),
        ("io.max", "8:0 riops=3"),
        ("io.max", "8:0 wiops=max"),
    ]


def test_hugepages_and_rdma() -> None:
    parts = {
        "hugepage_limits": [LinuxHugepageLimit(page_size="2MB", limit=4194304)],
        "rdma": {"mlx5_1": LinuxRdma(hca_handles=3, hca_objects=10000)},
    }
    assert sets(**parts) == [
        ("hugetlb.2MB.max", "4194304"),
        ("hugetlb.2MB.rsvd.max", "4194304"),
        ("rdma.max", "mlx5_1 hca_handle=3 hca_object=10000"),
    ]


def test_network_has_no_counterpart() -> None:
    network = LinuxNetwork(class_id=1, priorities=[LinuxInterfacePriority(name="eth0", priority=5)])
    assert sets(network=network) == []


# unified


def test_unified_comes_last_and_line_by_line() -> None:
    unified = {"io.max": "259:0 rbps=1\n253:0 rbps=2\n", "memory.max": "7", "cgroup.max.depth": "3"}
    assert sets(memory=LinuxMemory(limit=5), unified=unified) == [
        ("memory.max", "5"),
        ("io.max", "259:0 rbps=1"),
        ("io.max", "253:0 rbps=2"),
        ("memory.max", "7"),
        ("cgroup.max.depth", "3"),
    ]


def test_unified_without_a_value_is_written_too() -> None:
    assert sets(unified={"cpuset.cpus": ""}) == [("cpuset.cpus", "")]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (
            "misc.max",
            'linux.resources.unified["misc.max"]: the misc controller is not available on this host;'
            " it has cpuset, cpu, io, memory, hugetlb, pids, rdma",
        ),
        (
            "../x/memory.max",
            'linux.resources.unified["../x/memory.max"]: "../x/memory.max" is not the name of a cgroup file',
        ),
    ],
)
def test_unified_that_cannot_be(file: str, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        sets(unified={file: "1"})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("cgroup.procs", "planc puts the container's processes there"),
        ("cgroup.threads", "planc puts the container's processes there"),
        ("cgroup.subtree_control", "a cgroup whose children have controllers can have no processes"),
        ("cgroup.type", "planc sets it"),
        ("cgroup.freeze", "use pause"),
        ("cgroup.kill", "use kill"),
    ],
)
def test_unified_is_for_limits(file: str, why: str) -> None:
    """A frozen cgroup, say, would keep `create` waiting for ever."""
    message = f'linux.resources.unified["{file}"]: {file} is not a limit; remove it: {why}'
    with pytest.raises(PlanError) as caught:
        sets(unified={file: "1"})
    assert str(caught.value) == message
    with pytest.raises(PlanError):
        updates({}, unified={file: "1"})


def test_a_caller_who_sees_only_a_part_of_the_cgroups() -> None:
    """In a container: what it lacks the host may have."""
    host = Host(cgroup=CgroupLayout(controllers=("memory", "pids"), part=True))
    with pytest.raises(PlanError) as caught:
        plan_cgroup(LinuxResources(cpu=LinuxCPU(shares=5)), None, "demo", host, False)
    assert str(caught.value) == (
        "linux.resources.cpu.shares: the cpu controller is not available in the part of the cgroups"
        " that the caller sees; it has memory, pids"
    )


def test_a_controller_the_host_has_not() -> None:
    host = Host(cgroup=CgroupLayout(controllers=("cpu", "memory")))
    with pytest.raises(PlanError) as caught:
        plan_cgroup(LinuxResources(pids=LinuxPids(limit=5)), None, "demo", host, False)
    assert str(caught.value) == (
        "linux.resources.pids.limit: the pids controller is not available on this host; it has cpu, memory"
    )


# update

CURRENT = {"limit": 1000, "swap": 3000, "quota": 40000, "period": 80000}


@pytest.mark.parametrize(
    ("memory", "files"),
    [
        # what was said of memory and swap together still holds
        (LinuxMemory(limit=2000), [("memory.swap.max", "1000"), ("memory.max", "2000")]),
        (LinuxMemory(swap=5000), [("memory.swap.max", "4000")]),
        (LinuxMemory(limit=2000, swap=2500), [("memory.swap.max", "500"), ("memory.max", "2000")]),
        (LinuxMemory(limit=-1), [("memory.swap.max", "max"), ("memory.max", "max")]),
        (LinuxMemory(limit=0, swap=0, reservation=0), []),
    ],
)
def test_update_of_memory_and_swap(memory: LinuxMemory, files: list[tuple[str, str]]) -> None:
    assert updates(CURRENT, memory=memory) == files


def test_update_leaves_unlimited_swap_as_it_is() -> None:
    assert updates({"limit": 1000, "swap": -1}, memory=LinuxMemory(limit=500)) == [("memory.max", "500")]


def test_update_of_a_limit_beyond_swap() -> None:
    with pytest.raises(PlanError) as caught:
        updates(CURRENT, memory=LinuxMemory(limit=4000))
    assert str(caught.value) == (
        "memory.limit: the limit of memory and swap together (3000) is below the memory limit (4000);"
        " set both"
    )


@pytest.mark.parametrize(
    ("cpu", "value"),
    [
        (LinuxCPU(quota=20000), "20000 80000"),
        (LinuxCPU(period=50000), "40000 50000"),
        (LinuxCPU(quota=-1), "max 80000"),
        (LinuxCPU(quota=0, period=0), None),
    ],
)
def test_update_of_quota_keeps_period(cpu: LinuxCPU, value: str | None) -> None:
    assert updates(CURRENT, cpu=cpu) == ([("cpu.max", value)] if value else [])


def test_check_before_update() -> None:
    memory = LinuxMemory(limit=500, check_before_update=True)
    (check, *_) = plan_update(LinuxResources(memory=memory), HOST, {})
    assert (check.code, check.args["file"], check.args["value"]) == ("cgroup_check", "memory.current", "500")
    both = LinuxMemory(limit=500, swap=700, check_before_update=True)
    checks = plan_update(LinuxResources(memory=both), HOST, {})[:2]
    assert [(op.code, op.cause, op.args["value"]) for op in checks] == [
        ("cgroup_check", "/memory/limit", "500"),
        ("cgroup_check", "/memory/swap", "700"),
    ]
    created = plan_cgroup(LinuxResources(memory=memory), None, "demo", HOST, False)
    assert "cgroup_check" not in [op.code for op in created]
