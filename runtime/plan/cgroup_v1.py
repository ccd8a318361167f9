"""linux.resources as files of the v1 controllers (Documentation/admin-guide/cgroup-v1).

Each function gives (file, value, JSON pointer below the resources) for one controller, in an order
that suits a new cgroup.  Values that constrain each other may be refused in that order by a cgroup
that already has limits; the executor tries those again at the end.
"""

from __future__ import annotations

from runtime.plan.refuse import pointer_token, refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.cgroup import LimitRequest
    from runtime.spec.model import LinuxBlockIO

    Writes = list[tuple[str, str, str]]

MIN_SHARES = 2
MAX_SHARES = 262144


def memory(request: LimitRequest) -> Writes:
    """The limit of all kernel memory is ignored: kernels of this age have none."""
    wanted = request.resources.memory
    if wanted is None:
        return []
    writes: Writes = []
    limit, swap = wanted.limit, wanted.swap
    if limit:
        writes.append(("memory.limit_in_bytes", str(limit), "/memory/limit"))
    if not swap and limit == -1:
        # a limit above memory and swap together is refused, so the one takes the other along
        writes.append(("memory.memsw.limit_in_bytes", "-1", "/memory/limit"))
    if swap:
        writes.append(("memory.memsw.limit_in_bytes", str(swap), "/memory/swap"))
    if wanted.reservation:
        writes.append(("memory.soft_limit_in_bytes", str(wanted.reservation), "/memory/reservation"))
    if wanted.kernel_tcp:
        writes.append(("memory.kmem.tcp.limit_in_bytes", str(wanted.kernel_tcp), "/memory/kernelTCP"))
    if wanted.swappiness is not None:
        writes.append(("memory.swappiness", str(wanted.swappiness), "/memory/swappiness"))
    if wanted.disable_oom_killer or (request.update and wanted.disable_oom_killer is False):
        value = "1" if wanted.disable_oom_killer else "0"
        writes.append(("memory.oom_control", value, "/memory/disableOOMKiller"))
    return writes


def cpu(request: LimitRequest) -> Writes:
    """An idle cgroup has no shares: they are left out with idle 1."""
    wanted = request.resources.cpu
    if wanted is None:
        return []
    writes: Writes = []
    if wanted.realtime_period:
        writes.append(("cpu.rt_period_us", str(wanted.realtime_period), "/cpu/realtimePeriod"))
    if wanted.realtime_runtime:
        writes.append(("cpu.rt_runtime_us", str(wanted.realtime_runtime), "/cpu/realtimeRuntime"))
    if wanted.idle is not None:
        writes.append(("cpu.idle", str(wanted.idle), "/cpu/idle"))
    if wanted.shares and wanted.idle != 1:
        _check_shares(wanted.shares, request)
        writes.append(("cpu.shares", str(wanted.shares), "/cpu/shares"))
    if wanted.period:
        writes.append(("cpu.cfs_period_us", str(wanted.period), "/cpu/period"))
    if wanted.quota:
        writes.append(("cpu.cfs_quota_us", str(max(wanted.quota, -1)), "/cpu/quota"))
    if wanted.burst is not None:
        writes.append(("cpu.cfs_burst_us", str(wanted.burst), "/cpu/burst"))
    return writes


def _check_shares(shares: int, request: LimitRequest) -> None:
    """The kernel would take the nearest possible value without a word."""
    where = request.pointer + "/cpu/shares"
    if shares < MIN_SHARES:
        raise refuse(where, f"the minimum allowed cpu-shares is {MIN_SHARES}")
    if shares > MAX_SHARES:
        raise refuse(where, f"the maximum allowed cpu-shares is {MAX_SHARES}")


def cpuset(request: LimitRequest) -> Writes:
    wanted = request.resources.cpu
    if wanted is None:
        return []
    writes: Writes = []
    if wanted.cpus:
        writes.append(("cpuset.cpus", wanted.cpus, "/cpu/cpus"))
    if wanted.mems:
        writes.append(("cpuset.mems", wanted.mems, "/cpu/mems"))
    return writes


def pids(request: LimitRequest) -> Writes:
    """0 is no limit: Podman's API sends it for that."""
    wanted = request.resources.pids
    if wanted is None or not wanted.limit:
        return []
    return [("pids.max", "max" if wanted.limit < 0 else str(wanted.limit), "/pids/limit")]


def block_io(request: LimitRequest) -> Writes:
    """Weights are those of the BFQ scheduler, the only one that kernels of this age have for v1."""
    wanted = request.resources.block_io
    if wanted is None:
        return []
    writes: Writes = []
    if wanted.weight:
        writes.append(("blkio.bfq.weight", str(wanted.weight), "/blockIO/weight"))
    if wanted.leaf_weight:
        writes.append(("blkio.leaf_weight", str(wanted.leaf_weight), "/blockIO/leafWeight"))
    for index, device in enumerate(wanted.weight_device or ()):
        where = f"/blockIO/weightDevice/{index}"
        number = f"{device.major}:{device.minor}"
        if device.weight:
            writes.append(("blkio.bfq.weight_device", f"{number} {device.weight}", where + "/weight"))
        if device.leaf_weight:
            value = f"{number} {device.leaf_weight}"
            writes.append(("blkio.leaf_weight_device", value, where + "/leafWeight"))
    return writes + _throttle(wanted)


def _throttle(wanted: LinuxBlockIO) -> Writes:
    return [
        (f"blkio.throttle.{file}_device", f"{device} {rate}", where)
        for file, _, device, rate, where in throttles(wanted)
    ]


def throttles(wanted: LinuxBlockIO) -> list[tuple[str, str, str, int, str]]:
    """What is said of each device: (part of v1's file name, v2's key, "major:minor", rate, pointer)."""
    said = []
    for name, file, key, devices in (
        ("throttleReadBpsDevice", "read_bps", "rbps", wanted.throttle_read_bps_device),
        ("throttleWriteBpsDevice", "write_bps", "wbps", wanted.throttle_write_bps_device),
        ("throttleReadIOPSDevice", "read_iops", "riops", wanted.throttle_read_iops_device),
        ("throttleWriteIOPSDevice", "write_iops", "wiops", wanted.throttle_write_iops_device),
    ):
        for index, device in enumerate(devices or ()):
            where = f"/blockIO/{name}/{index}/rate"
            said.append((file, key, f"{device.major}:{device.minor}", device.rate, where))
    return said


def hugepages(request: LimitRequest, file: str = "limit_in_bytes") -> Writes:
    """Usage and, where the kernel has it, reservation; `file`: what v2 calls "max"."""
    writes: Writes = []
    for index, wanted in enumerate(request.resources.hugepage_limits or ()):
        where = f"/hugepageLimits/{index}/limit"
        for kind in ("", "rsvd."):
            writes.append((f"hugetlb.{wanted.page_size}.{kind}{file}", str(wanted.limit), where))
    return writes


def rdma(request: LimitRequest) -> Writes:
    """rdma.max, the same file in v1 and v2."""
    writes: Writes = []
    for name, wanted in (request.resources.rdma or {}).items():
        value = name
        if wanted.hca_handles is not None:
            value += f" hca_handle={wanted.hca_handles}"
        if wanted.hca_objects is not None:
            value += f" hca_object={wanted.hca_objects}"
        writes.append(("rdma.max", value, f"/rdma/{pointer_token(name)}"))
    return writes


def network_class(request: LimitRequest) -> Writes:
    wanted = request.resources.network
    if wanted is None or not wanted.class_id:
        return []
    return [("net_cls.classid", str(wanted.class_id), "/network/classID")]


def network_priorities(request: LimitRequest) -> Writes:
    wanted = request.resources.network
    if wanted is None:
        return []
    return [
        ("net_prio.ifpriomap", f"{entry.name} {entry.priority}", f"/network/priorities/{index}")
        for index, entry in enumerate(wanted.priorities or ())
    ]
