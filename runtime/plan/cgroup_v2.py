"""linux.resources as files of the unified hierarchy (Documentation/admin-guide/cgroup-v2.rst).

The resources are written in terms of v1; here is each conversion.  What v2 has no counterpart for
(kernel memory, swappiness, the OOM killer's switch, real-time time, leaf weights, net_cls, net_prio)
is ignored, as managers send it to every host.
Each function gives (file, value, JSON pointer below the resources) for one controller.
"""

from __future__ import annotations

from runtime.plan import cgroup_v1
from runtime.plan.refuse import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.cgroup import LimitRequest
    from runtime.plan.cgroup_v1 import Writes

DEFAULT_PERIOD = 100000


def memory(request: LimitRequest) -> Writes:
    wanted = request.resources.memory
    if wanted is None:
        return []
    writes: Writes = []
    if request.update and wanted.check_before_update:
        for value, where in ((wanted.limit, "/memory/limit"), (wanted.swap, "/memory/swap")):
            if value and value > 0:
                writes.append(("memory.current", str(value), where))
    swap = swap_max(request)
    if swap is not None:
        where = "/memory/swap" if wanted.swap else "/memory/limit"
        writes.append(("memory.swap.max", _or_max(swap), where))
    if wanted.limit:
        writes.append(("memory.max", _or_max(wanted.limit), "/memory/limit"))
    if wanted.reservation:
        writes.append(("memory.low", _or_max(wanted.reservation), "/memory/reservation"))
    return writes


def swap_max(request: LimitRequest) -> int | None:
    """Swap alone, from memory and swap together: -1 is no limit, None leaves it as it is."""
    wanted = request.resources.memory
    if wanted is None:
        return None
    swap = wanted.swap
    limit = wanted.limit or request.current.get("limit", 0)
    if not swap and wanted.limit:
        # what was said of both together still holds when the one changes
        swap = -1 if limit < 0 else max(request.current.get("swap", 0), 0)
    if not swap:
        return None
    if swap < 0:
        return -1
    if limit <= 0:
        raise refuse(request.pointer + "/memory/swap", f"{swap} needs a memory limit", "set memory.limit too")
    if swap < limit:
        where = request.pointer + ("/memory/swap" if wanted.swap else "/memory/limit")
        message = f"the limit of memory and swap together ({swap}) is below the memory limit ({limit})"
        raise refuse(where, message, "set both")
    return swap - limit


def _or_max(value: int) -> str:
    return "max" if value < 0 else str(value)


def cpu(request: LimitRequest) -> Writes:
    """An idle cgroup has no weight: it is left out with idle 1."""
    wanted = request.resources.cpu
    if wanted is None:
        return []
    writes: Writes = []
    if wanted.idle is not None:
        writes.append(("cpu.idle", str(wanted.idle), "/cpu/idle"))
    if wanted.shares and wanted.idle != 1:
        writes.append(("cpu.weight", str(cpu_weight(wanted.shares)), "/cpu/shares"))
    if wanted.quota or wanted.period:
        quota = wanted.quota or request.current.get("quota", -1)
        period = wanted.period or request.current.get("period", DEFAULT_PERIOD)
        where = "/cpu/quota" if wanted.quota else "/cpu/period"
        writes.append(("cpu.max", f"{_or_max(quota)} {period}", where))
    if wanted.burst is not None:
        writes.append(("cpu.max.burst", str(wanted.burst), "/cpu/burst"))
    return writes


def cpu_weight(shares: int) -> int:
    """v1 shares (2 to 262144, default 1024) as a v2 weight (1 to 10000, default 100).

    The curve runs through the three pairs (2, 1), (1024, 100), (262144, 10000); it is the one that
    runc and crun use since 2025.
    """
    if shares <= cgroup_v1.MIN_SHARES:
        return 1
    if shares >= cgroup_v1.MAX_SHARES:
        return 10000
    import math

    log = math.log2(shares)
    return math.ceil(math.pow(10, (log * log + 125 * log) / 612 - 7 / 34))


def cpuset(request: LimitRequest) -> Writes:
    return cgroup_v1.cpuset(request)


def pids(request: LimitRequest) -> Writes:
    return cgroup_v1.pids(request)


def block_io(request: LimitRequest) -> Writes:
    """A weight is planned for BFQ and for iocost; the executor writes the first that the kernel has."""
    wanted = request.resources.block_io
    if wanted is None:
        return []
    writes: Writes = []
    if wanted.weight:
        writes.append(("io.bfq.weight", str(wanted.weight), "/blockIO/weight"))
        writes.append(("io.weight", f"default {io_weight(wanted.weight)}", "/blockIO/weight"))
    for index, device in enumerate(wanted.weight_device or ()):
        if device.weight:
            number, where = f"{device.major}:{device.minor}", f"/blockIO/weightDevice/{index}/weight"
            writes.append(("io.bfq.weight", f"{number} {device.weight}", where))
            writes.append(("io.weight", f"{number} {io_weight(device.weight)}", where))
    # one key per write: the kernel keeps what it has of the others
    for _, key, number, rate, where in cgroup_v1.throttles(wanted):
        writes.append(("io.max", f"{number} {key}={rate or 'max'}", where))
    return writes


def io_weight(weight: int) -> int:
    """blkio weight (10 to 1000) as a v2 io.weight (1 to 10000)."""
    return 1 + (max(weight, 10) - 10) * 9999 // 990


def hugepages(request: LimitRequest) -> Writes:
    return cgroup_v1.hugepages(request, "max")


def rdma(request: LimitRequest) -> Writes:
    return cgroup_v1.rdma(request)


def network_class(request: LimitRequest) -> Writes:
    """Only v1 has the controller."""
    return []


def network_priorities(request: LimitRequest) -> Writes:
    """Only v1 has the controller."""
    return []
