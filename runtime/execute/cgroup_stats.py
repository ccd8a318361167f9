"""What a container uses, read from its cgroups, in the form of `runc events --stats`.

Times are nanoseconds, sizes bytes; members that runc omits when they are zero are omitted here.
"""

from __future__ import annotations

from runtime.linux import posix as os
from runtime.linux.files import read_file as read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from runtime.execute.cgroupfs import Cgroup

UNLIMITED = (1 << 64) - 1
PSI_AVERAGES = ("avg10", "avg60", "avg300")
NO_PRESSURE = {"avg10": 0.0, "avg60": 0.0, "avg300": 0.0, "total": 0}
CPUSET_FLAGS = (
    "cpu_exclusive",
    "mem_hardwall",
    "mem_exclusive",
    "memory_migrate",
    "memory_spread_page",
    "memory_spread_slab",
    "memory_pressure",
    "sched_load_balance",
    "sched_relax_domain_level",
)
BLKIO_V1 = (
    ("ioServiceBytesRecursive", "io_service_bytes"),
    ("ioServicedRecursive", "io_serviced"),
    ("ioQueueRecursive", "io_queued"),
    ("ioServiceTimeRecursive", "io_service_time"),
    ("ioWaitTimeRecursive", "io_wait_time"),
    ("ioMergedRecursive", "io_merged"),
    ("ioTimeRecursive", "time"),
    ("sectorsRecursive", "sectors"),
)
IO_STAT = {
    "rbytes": ("ioServiceBytesRecursive", "Read"),
    "wbytes": ("ioServiceBytesRecursive", "Write"),
    "dbytes": ("ioServiceBytesRecursive", "Discard"),
    "rios": ("ioServicedRecursive", "Read"),
    "wios": ("ioServicedRecursive", "Write"),
    "dios": ("ioServicedRecursive", "Discard"),
}


def stats(cgroups: Sequence[Cgroup]) -> dict[str, Any]:
    """See cgroupfs.stats. What cannot be read is 0, or absent."""
    where = {name: path for controllers, path in cgroups for name in controllers or ("",)}
    unified = where.get("", "")
    return {
        "cpu": _cpu_v1(where) if "cpuacct" in where else _cpu_v2(unified),
        "cpuset": _cpuset(where.get("cpuset", unified)),
        "memory": _memory_v1(where["memory"]) if "memory" in where else _memory_v2(unified),
        "pids": _pids(where.get("pids", unified)),
        "blkio": _blkio_v1(where["blkio"]) if "blkio" in where else _blkio_v2(unified),
        "hugetlb": _hugetlb(where["hugetlb"], True) if "hugetlb" in where else _hugetlb(unified, False),
        "intel_rdt": {},
        "network_interfaces": None,
    }


def oom_count(cgroups: Sequence[Cgroup]) -> int:
    """How many processes the OOM killer has killed in the container so far; 0 when it cannot be told."""
    for controllers, path in cgroups:
        if "memory" in controllers:
            return _table(f"{path}/memory.oom_control").get("oom_kill", 0)
    for controllers, path in cgroups:
        if not controllers:
            return _table(f"{path}/memory.events").get("oom_kill", 0)
    return 0


# files


def _text(path: str) -> str:
    try:
        return read(path).decode().strip()
    except OSError:
        return ""


def _number(path: str) -> int:
    """0 for what is no number; "max" is UNLIMITED."""
    text = _text(path)
    return UNLIMITED if text == "max" else int(text) if text.lstrip("-").isdigit() else 0


def _table(path: str) -> dict[str, int]:
    """A file of "name number" lines."""
    table = {}
    for line in _text(path).splitlines():
        name, _, number = line.partition(" ")
        if number.isdigit():
            table[name] = int(number)
    return table


def _some(values: dict[str, Any], *always: str) -> dict[str, Any]:
    """Without members that are zero or empty, but for those `always` there."""
    return {name: value for name, value in values.items() if value or name in always}


def _list(text: str) -> list[int]:
    """ "0-3,7" as numbers."""
    numbers: list[int] = []
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


def _pressure(path: str) -> dict[str, Any]:
    """Pressure stall information as member `psi`: for what share of the last 10, 60 and 300 s, in
    percent, and how long in all, in microseconds, some or all processes waited. Without it (a kernel
    that has none, or has it switched off) no member."""
    psi: dict[str, Any] = {}
    for line in _text(path).splitlines():
        kind, *fields = line.split()
        values = dict([field.split("=", 1) for field in fields])
        psi[kind] = {name: float(values[name]) for name in PSI_AVERAGES}
        psi[kind]["total"] = int(values["total"])
    if not psi:
        return {}
    # the CPU has had no "full" before Linux 5.13
    return {"psi": {kind: psi.get(kind, NO_PRESSURE) for kind in ("some", "full")}}


# cpu


def _cpu_v1(where: dict[str, str]) -> dict[str, Any]:
    path = where["cpuacct"]
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    ticks = _table(f"{path}/cpuacct.stat")
    columns = [line.split() for line in _text(f"{path}/cpuacct.usage_all").splitlines()[1:]]
    usage = {
        "total": _number(f"{path}/cpuacct.usage"),
        "percpu": [int(number) for number in _text(f"{path}/cpuacct.usage_percpu").split()],
        "percpu_kernel": [int(column[2]) for column in columns],
        "percpu_user": [int(column[1]) for column in columns],
    }
    times = {"kernel": ticks.get("system", 0) * tick, "user": ticks.get("user", 0) * tick}
    table = _table(f"{where['cpu']}/cpu.stat") if "cpu" in where else {}
    throttling = _throttling(table, table.get("throttled_time", 0))
    return {"usage": {**_some(usage), **times}, "throttling": throttling}


def _cpu_v2(path: str) -> dict[str, Any]:
    table = _table(f"{path}/cpu.stat")
    usage = _some({"total": table.get("usage_usec", 0) * 1000})
    usage["kernel"] = table.get("system_usec", 0) * 1000
    usage["user"] = table.get("user_usec", 0) * 1000
    throttling = _throttling(table, table.get("throttled_usec", 0) * 1000)
    return {"usage": usage, "throttling": throttling, **_pressure(f"{path}/cpu.pressure")}


def _throttling(table: dict[str, int], time: int) -> dict[str, Any]:
    periods, throttled = table.get("nr_periods", 0), table.get("nr_throttled", 0)
    return _some({"periods": periods, "throttledPeriods": throttled, "throttledTime": time})


def _cpuset(path: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in ("cpus", "mems"):
        if numbers := _list(_text(f"{path}/cpuset.{name}")):
            values[name] = numbers
    for flag in CPUSET_FLAGS:
        values[flag] = _number(f"{path}/cpuset.{flag}")
    return values


# memory


def _memory_v1(path: str) -> dict[str, Any]:
    raw = _table(f"{path}/memory.stat")
    return _some(
        {
            "cache": raw.get("cache", 0),
            "usage": _counter_v1(f"{path}/memory."),
            "swap": _counter_v1(f"{path}/memory.memsw."),
            "kernel": _counter_v1(f"{path}/memory.kmem."),
            "kernelTCP": _counter_v1(f"{path}/memory.kmem.tcp."),
            "raw": raw,
        }
    )


def _counter_v1(prefix: str) -> dict[str, int]:
    values = {
        "limit": _number(prefix + "limit_in_bytes"),
        "usage": _number(prefix + "usage_in_bytes"),
        "max": _number(prefix + "max_usage_in_bytes"),
        "failcnt": _number(prefix + "failcnt"),
    }
    return _some(values, "limit", "failcnt")


def _memory_v2(path: str) -> dict[str, Any]:
    """`swap` is memory and swap together, as in v1."""
    raw = _table(f"{path}/memory.stat")
    usage, limit = _number(f"{path}/memory.current"), _number(f"{path}/memory.max")
    failures = _table(f"{path}/memory.events").get("max", 0)
    swap_usage, swap_limit = _number(f"{path}/memory.swap.current"), _number(f"{path}/memory.swap.max")
    both = UNLIMITED if UNLIMITED in (limit, swap_limit) else limit + swap_limit
    entry = {"limit": limit, "usage": usage, "max": _number(f"{path}/memory.peak"), "failcnt": failures}
    swap = {"limit": both, "usage": usage + swap_usage, "failcnt": 0}
    return _some(
        {
            "cache": raw.get("file", 0),
            "usage": _some(entry, "limit", "failcnt"),
            "swap": _some(swap, "limit", "failcnt"),
            "kernel": _some({"limit": 0, "usage": raw.get("kernel", 0), "failcnt": 0}, "limit", "failcnt"),
            "kernelTCP": _some({"limit": 0, "usage": raw.get("sock", 0), "failcnt": 0}, "limit", "failcnt"),
            "raw": raw,
            **_pressure(f"{path}/memory.pressure"),
        }
    )


def _pids(path: str) -> dict[str, int]:
    limit = _number(f"{path}/pids.max")
    return _some({"current": _number(f"{path}/pids.current"), "limit": 0 if limit == UNLIMITED else limit})


# devices


def _blkio_v1(path: str) -> dict[str, Any]:
    """BFQ counts when a device uses it, else the throttling layer does."""
    values: dict[str, Any] = {}
    for member, file in BLKIO_V1:
        for prefix in ("blkio.bfq.", "blkio.", "blkio.throttle."):
            lines = _text(f"{path}/{prefix}{file}_recursive").splitlines()
            if entries := [_blkio_entry(line) for line in lines if ":" in line]:
                values[member] = entries
                break
    return values


def _blkio_entry(line: str) -> dict[str, Any]:
    """ "254:0 Read 1916928", or without the word."""
    device, *rest = line.split()
    return _entry(device, rest[0] if len(rest) > 1 else "", int(rest[-1]))


def _entry(device: str, op: str, value: int) -> dict[str, Any]:
    major, _, minor = device.partition(":")
    return _some({"major": int(major), "minor": int(minor), "op": op, "value": value})


def _blkio_v2(path: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for line in _text(f"{path}/io.stat").splitlines():
        device, *counters = line.split()
        for counter in counters:
            name, _, number = counter.partition("=")
            if name in IO_STAT:
                member, op = IO_STAT[name]
                values.setdefault(member, []).append(_entry(device, op, int(number)))
    values.update(_pressure(f"{path}/io.pressure"))
    return values


def _hugetlb(path: str, v1: bool) -> dict[str, Any]:
    """By page size ("2MB"): what is reserved, where the kernel counts that, else what is used."""
    try:
        names = os.listdir(path)
    except OSError:
        return {}
    end = ".usage_in_bytes" if v1 else ".current"
    sizes = [name.split(".")[1] for name in names if name.startswith("hugetlb.") and name.endswith(end)]
    values = {}
    for size in sorted(set(sizes)):
        plain = f"{path}/hugetlb.{size}."
        prefix = f"{plain}rsvd." if f"hugetlb.{size}.rsvd{end}" in names else plain
        counter = {"usage": _number(prefix + end[1:])}
        if v1:
            counter["max"] = _number(prefix + "max_usage_in_bytes")
            counter["failcnt"] = _number(prefix + "failcnt")
        else:
            counter["failcnt"] = _table(plain + "events").get("max", 0)
        values[size] = _some(counter, "failcnt")
    return values
