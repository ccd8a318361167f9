"""linux.resources as files of the v1 controllers."""

from typing import Any

import pytest

from runtime.errors import PlanError
from runtime.linux.host import CgroupLayout, Host
from runtime.plan.cgroup import plan_cgroup, plan_update
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

NAMES = (
    "cpu,cpuacct", "cpuset", "memory", "pids", "blkio", "hugetlb", "net_cls,net_prio", "rdma", "devices",
)  # fmt: skip
HOST = Host(
    cgroup=CgroupLayout(
        "v1", tuple((tuple(name.split(",")), f"/sys/fs/cgroup/{name}", "/") for name in NAMES), ""
    ),
    page_sizes=("2MB", "1GB"),
)
Set = tuple[str, str, str]


def sets(host: Host = HOST, **parts: Any) -> list[Set]:
    """(controller, file, value) of a create plan."""
    ops = plan_cgroup(LinuxResources(**parts), None, "demo", host, False)
    return [
        (op.args["controller"], op.args["file"], op.args["value"]) for op in ops if op.code == "cgroup_set"
    ]


def updates(current: dict[str, int] | None = None, **parts: Any) -> list[tuple[str, str]]:
    ops = plan_update(LinuxResources(**parts), HOST, current or {})
    return [(op.args["file"], op.args["value"]) for op in ops]


def test_memory() -> None:
    memory = LinuxMemory(
        limit=1000, swap=3000, reservation=500, swappiness=0, disable_oom_killer=True, kernel=1, kernel_tcp=2
    )
    assert sets(memory=memory) == [
        ("memory", "memory.limit_in_bytes", "1000"),
        ("memory", "memory.memsw.limit_in_bytes", "3000"),
        ("memory", "memory.soft_limit_in_bytes", "500"),
        ("memory", "memory.kmem.tcp.limit_in_bytes", "2"),
        ("memory", "memory.swappiness", "0"),
        ("memory", "memory.oom_control", "1"),
    ]


def test_memory_without_limit_makes_swap_unlimited_too() -> None:
    assert sets(memory=LinuxMemory(limit=-1)) == [
        ("memory", "memory.limit_in_bytes", "-1"),
        ("memory", "memory.memsw.limit_in_bytes", "-1"),
    ]
    assert sets(memory=LinuxMemory(limit=-1, swap=-1))[1:] == [
        ("memory", "memory.memsw.limit_in_bytes", "-1")
    ]


def test_zeros_are_not_set() -> None:
    """What Docker sends for a container without limits."""
    parts = {
        "memory": LinuxMemory(limit=0, swap=0, reservation=0, kernel=0, disable_oom_killer=False),
        "cpu": LinuxCPU(shares=0, quota=0, period=0, realtime_period=0, realtime_runtime=0, cpus="", mems=""),
        "pids": LinuxPids(limit=0),
        "block_io": LinuxBlockIO(weight=0, leaf_weight=0),
        "network": LinuxNetwork(class_id=0),
    }
    assert sets(**parts) == []
    assert updates(**{**parts, "memory": LinuxMemory(limit=0, swap=0, reservation=0)}) == []


def test_cpu() -> None:
    cpu = LinuxCPU(
        shares=512, quota=50000, period=100000, burst=1000, realtime_runtime=1, realtime_period=2, idle=0,
        cpus="0-1", mems="0",
    )  # fmt: skip
    assert sets(cpu=cpu) == [
        ("cpu", "cpu.rt_period_us", "2"),
        ("cpu", "cpu.rt_runtime_us", "1"),
        ("cpu", "cpu.idle", "0"),
        ("cpu", "cpu.shares", "512"),
        ("cpu", "cpu.cfs_period_us", "100000"),
        ("cpu", "cpu.cfs_quota_us", "50000"),
        ("cpu", "cpu.cfs_burst_us", "1000"),
        ("cpuset", "cpuset.cpus", "0-1"),
        ("cpuset", "cpuset.mems", "0"),
    ]


def test_an_idle_cgroup_has_no_shares() -> None:
    assert sets(cpu=LinuxCPU(shares=512, idle=1)) == [("cpu", "cpu.idle", "1")]


@pytest.mark.parametrize("quota", [-1, -100])
def test_no_quota(quota: int) -> None:
    assert sets(cpu=LinuxCPU(quota=quota)) == [("cpu", "cpu.cfs_quota_us", "-1")]


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        (1, "the minimum allowed cpu-shares is 2"),
        (262145, "the maximum allowed cpu-shares is 262144"),
    ],
)
def test_shares_the_kernel_would_change(shares: int, words: str) -> None:
    with pytest.raises(PlanError) as caught:
        sets(cpu=LinuxCPU(shares=shares))
    assert str(caught.value) == f"linux.resources.cpu.shares: {words}"


@pytest.mark.parametrize(("limit", "value"), [(100, "100"), (-1, "max"), (-5, "max")])
def test_pids(limit: int, value: str) -> None:
    assert sets(pids=LinuxPids(limit=limit)) == [("pids", "pids.max", value)]


def test_block_io() -> None:
    rate = LinuxThrottleDevice(major=8, minor=0, rate=1048576)
    block_io = LinuxBlockIO(
        weight=500,
        leaf_weight=300,
        weight_device=[LinuxWeightDevice(major=8, minor=16, weight=100, leaf_weight=200)],
        throttle_read_bps_device=[rate],
        throttle_write_bps_device=[rate],
        throttle_read_iops_device=[rate],
        throttle_write_iops_device=[rate, LinuxThrottleDevice(major=8, minor=16, rate=0)],
    )
    assert sets(block_io=block_io) == [
        ("blkio", "blkio.bfq.weight", "500"),
        ("blkio", "blkio.leaf_weight", "300"),
        ("blkio", "blkio.bfq.weight_device", "8:16 100"),
        ("blkio", "blkio.leaf_weight_device", "8:16 200"),
        ("blkio", "blkio.throttle.read_bps_device", "8:0 1048576"),
        ("blkio", "blkio.throttle.write_bps_device", "8:0 1048576"),
        ("blkio", "blkio.throttle.read_iops_device", "8:0 1048576"),
        ("blkio", "blkio.throttle.write_iops_device", "8:0 1048576"),
        ("blkio", "blkio.throttle.write_iops_device", "8:16 0"),
    ]


def test_hugepages() -> None:
    assert sets(hugepage_limits=[LinuxHugepageLimit(page_size="2MB", limit=0)]) == [
        ("hugetlb", "hugetlb.2MB.limit_in_bytes", "0"),
        ("hugetlb", "hugetlb.2MB.rsvd.limit_in_bytes", "0"),
    ]


def test_a_page_size_the_host_has_not() -> None:
    with pytest.raises(PlanError) as caught:
        sets(hugepage_limits=[LinuxHugepageLimit(page_size="64KB", limit=1)])
    assert str(caught.value) == (
        'linux.resources.hugepageLimits[0].pageSize: "64KB" is not a huge page size of this host; '
        "it has 2MB, 1GB"
    )


def test_a_missing_controller_comes_before_a_page_size() -> None:
    host = Host(cgroup=CgroupLayout("v2", controllers=("memory",)), page_sizes=())
    with pytest.raises(PlanError) as caught:
        sets(host, hugepage_limits=[LinuxHugepageLimit(page_size="2MB", limit=1)])
    assert str(caught.value) == (
        "linux.resources.hugepageLimits[0].limit: the hugetlb controller is not available on this host;"
        " it has memory"
    )


def test_network_and_rdma() -> None:
    network = LinuxNetwork(class_id=0x100001, priorities=[LinuxInterfacePriority(name="eth0", priority=5)])
    rdma = {"mlx5_1": LinuxRdma(hca_handles=3, hca_objects=0), "rxe3": LinuxRdma(hca_objects=10)}
    assert sets(network=network, rdma=rdma) == [
        ("rdma", "rdma.max", "mlx5_1 hca_handle=3 hca_object=0"),
        ("rdma", "rdma.max", "rxe3 hca_object=10"),
        ("net_cls", "net_cls.classid", "1048577"),
        ("net_prio", "net_prio.ifpriomap", "eth0 5"),
    ]


def test_causes_are_json_pointers() -> None:
    block_io = LinuxBlockIO(throttle_read_bps_device=[LinuxThrottleDevice(major=8, minor=0, rate=1)])
    resources = LinuxResources(memory=LinuxMemory(limit=1), block_io=block_io)
    causes = [op.cause for op in plan_cgroup(resources, None, "demo", HOST, True) if op.code == "cgroup_set"]
    assert causes == [
        "/linux/resources/memory/limit",
        "/linux/resources/blockIO/throttleReadBpsDevice/0/rate",
    ]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"pids": LinuxPids(limit=1)},
            "linux.resources.pids.limit: the pids controller is not available on this host; it has memory",
        ),
        (
            {"network": LinuxNetwork(class_id=1)},
            "linux.resources.network.classID: the net_cls controller is not available on this host;"
            " it has memory",
        ),
        (
            {"cpu": LinuxCPU(cpus="0")},
            "linux.resources.cpu.cpus: the cpuset controller is not available on this host; it has memory",
        ),
        (
            {"unified": {"memory.high": "1"}},
            'linux.resources.unified["memory.high"]: this host has no unified hierarchy (cgroup v2)',
        ),
    ],
)
def test_a_limit_without_its_controller(parts: Any, message: str) -> None:
    layout = CgroupLayout("v1", ((("memory",), "/sys/fs/cgroup/memory", "/"),), "")
    with pytest.raises(PlanError) as caught:
        sets(Host(cgroup=layout), **parts)
    assert str(caught.value) == message


def test_nothing_mounted() -> None:
    with pytest.raises(PlanError) as caught:
        sets(Host(cgroup=CgroupLayout("v2", (), "")), memory=LinuxMemory(limit=1))
    assert str(caught.value) == (
        "linux.resources.memory.limit: the memory controller is not available on this host;"
        " no cgroup file system is mounted"
    )


def test_hybrid_takes_each_controller_where_it_is() -> None:
    layout = CgroupLayout(
        "hybrid", ((("cpu",), "/sys/fs/cgroup/cpu", "/"),), "/sys/fs/cgroup/unified", "/", ("memory", "io")
    )
    parts = {
        "memory": LinuxMemory(limit=1000),
        "cpu": LinuxCPU(shares=512),
        "unified": {"memory.high": "500"},
    }
    assert sets(Host(cgroup=layout), **parts) == [
        ("", "memory.max", "1000"),
        ("cpu", "cpu.shares", "512"),
        ("", "memory.high", "500"),
    ]


def test_unified_does_not_reach_the_v1_controllers_of_a_hybrid_host() -> None:
    layout = CgroupLayout("hybrid", ((("memory",), "/sys/fs/cgroup/memory", "/"),), "/sys/fs/cgroup/unified")
    with pytest.raises(PlanError) as caught:
        sets(Host(cgroup=layout), unified={"memory.high": "500"})
    assert str(caught.value) == (
        'linux.resources.unified["memory.high"]: this host has the memory controller in cgroup v1, which'
        " unified does not reach; write the limit by its name in linux.resources"
    )


# update


def test_update_writes_what_is_given() -> None:
    assert updates(memory=LinuxMemory(limit=1000, swap=2000), cpu=LinuxCPU(quota=-1)) == [
        ("memory.limit_in_bytes", "1000"),
        ("memory.memsw.limit_in_bytes", "2000"),
        ("cpu.cfs_quota_us", "-1"),
    ]


def test_update_can_turn_the_oom_killer_on_again() -> None:
    assert updates(memory=LinuxMemory(disable_oom_killer=False)) == [("memory.oom_control", "0")]


def test_update_ignores_device_rules() -> None:
    from runtime.spec.model import LinuxDeviceCgroup

    assert updates(devices=[LinuxDeviceCgroup(allow=False, access="rwm")]) == []


def test_update_points_into_its_own_document() -> None:
    (op,) = plan_update(LinuxResources(pids=LinuxPids(limit=5)), HOST, {})
    assert op.cause == "/pids/limit"
    with pytest.raises(PlanError, match=r"^cpu\.shares: the minimum"):
        plan_update(LinuxResources(cpu=LinuxCPU(shares=1)), HOST, {})
