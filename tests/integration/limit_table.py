"""linux.resources value by value: what cgroup files and systemd units must say, and where old runc says otherwise.

Expected values follow the kernel's documents (Documentation/admin-guide/cgroup-v1, cgroup-v2.rst), runtime-spec's
config-linux.md and systemd.resource-control(5). Names with a dot are cgroup files, others properties of the unit, which
only a runtime with the systemd driver makes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from . import cgroup
from .base_config import Config

MIB = 1 << 20
UNLIMITED = "9223372036854771712"
"""A v1 memory limit that is not set: the largest number of whole pages, in bytes."""


def _a_disk() -> tuple[int, int]:
    """The first disk of the host, or the first loop device, which may come later (`modprobe loop`)."""
    names = sorted(os.listdir("/sys/block")) if os.path.isdir("/sys/block") else []
    loops = [name for name in names if name.startswith("loop")]
    for name in (loops or names)[:1]:
        with open(f"/sys/block/{name}/dev") as file:
            major, minor = file.read().split(":")
        return int(major), int(minor)
    return 7, 0


DISK = _a_disk()


class Differs(NamedTuple):
    """runc 1.1.5 ends with other values, `seen` (None: it has no such property); newer runc may agree with planc.

    `on`: the flavours of which that is true, as words of `v1`, `v2`, `hybrid` (a v2 controller beside v1 ones).
    """

    on: str
    seen: Mapping[str, str | None]
    why: str


class Refused(NamedTuple):
    """`by` (`both`, `runc`: the old one, or `planc`) fails instead; `on` as in Differs."""

    on: str
    by: str
    why: str


class Row(NamedTuple):
    """Values of one part of linux.resources that are converted together.

    `v1`, `v2`: what must be read afterwards; every other file must only be as runc has it. `change`, for `update`:
    a resources object, or flags; `resources` is then what the container was created with.
    """

    part: str
    name: str
    resources: Config
    v1: dict[str, str] = {}
    v2: dict[str, str] = {}
    differs: tuple[Differs, ...] = ()
    refused: tuple[Refused, ...] = ()
    change: Config | list[str] | None = None


class Part(NamedTuple):
    """A controller by its v1 and v2 names (``: there is none) and how its files and properties begin."""

    v1: str
    v2: str
    prefixes: tuple[str, ...]


PARTS = {
    "memory": Part("memory", "memory", ("memory.", "Memory", "StartupMemory", "EffectiveMemory")),
    "cpu": Part("cpu", "cpu", ("cpu.", "CPU", "StartupCPU")),
    "cpuset": Part("cpuset", "cpuset", ("cpuset.", "Allowed", "Startup")),
    "pids": Part("pids", "pids", ("pids.", "Tasks", "EffectiveTasks")),
    "blockIO": Part("blkio", "io", ("blkio.", "io.", "BlockIO", "IO")),
    "hugepageLimits": Part("hugetlb", "hugetlb", ("hugetlb.",)),
    "network.classID": Part("net_cls", "", ("net_cls.",)),
    "network.priorities": Part("net_prio", "", ("net_prio.",)),
    "rdma": Part("rdma", "rdma", ("rdma.",)),
}


# ---- memory --------------------------------------------------------------------------------------------------------------


def _memory(
    name: str, memory: Config, v1: dict[str, str], v2: dict[str, str], *remarks: Differs | Refused
) -> Row:
    return _row("memory", name, {"memory": memory}, v1, v2, *remarks)


def _row(
    part: str,
    name: str,
    resources: Config,
    v1: dict[str, str],
    v2: dict[str, str],
    *remarks: Differs | Refused,
) -> Row:
    differs = tuple(remark for remark in remarks if isinstance(remark, Differs))
    refused = tuple(remark for remark in remarks if isinstance(remark, Refused))
    return Row(part, name, resources, v1, v2, differs, refused)


def _limit(v1: int | str, v2: int | str, **more: str) -> tuple[dict[str, str], dict[str, str]]:
    unit = "infinity" if v2 == "max" else str(v2)
    return (
        {"memory.limit_in_bytes": str(v1), "MemoryLimit": "infinity" if v1 == UNLIMITED else str(v1)},
        {"memory.max": str(v2), "MemoryMax": unit} | more,
    )


def _with_swap(limit: int | str, both: int | str, alone: int | str) -> tuple[dict[str, str], dict[str, str]]:
    v1, v2 = _limit(UNLIMITED if limit == "max" else limit, limit)
    unit = "infinity" if alone == "max" else str(alone)
    return (
        v1 | {"memory.memsw.limit_in_bytes": str(both)},
        v2 | {"memory.swap.max": str(alone), "MemorySwapMax": unit},
    )


NO_ZERO = Differs("v2", {"MemorySwapMax": "infinity"}, "runc 1.1 tells systemd nothing where the result is 0")

MEMORY = [
    _memory("limit", {"limit": 64 * MIB}, *_limit(64 * MIB, 64 * MIB)),
    _memory("limit -1", {"limit": -1}, *_with_swap("max", UNLIMITED, "max")),
    _memory("limit 0: not set", {"limit": 0}, *_limit(UNLIMITED, "max")),
    _memory("limit tiny", {"limit": 12 * MIB}, *_limit(12 * MIB, 12 * MIB)),
    _memory("limit largest", {"limit": 2**63 - 1}, {"memory.limit_in_bytes": UNLIMITED}, {"memory.max": "max"}),
    _memory(
        "limit is cut to whole pages", {"limit": 100_000_001},
        {"memory.limit_in_bytes": "99999744"}, {"memory.max": "99999744", "MemoryMax": "100000001"},
    ),
    _memory("limit and swap", {"limit": 64 * MIB, "swap": 96 * MIB}, *_with_swap(64 * MIB, 96 * MIB, 32 * MIB)),
    _memory("swap equal to limit", {"limit": 64 * MIB, "swap": 64 * MIB}, *_with_swap(64 * MIB, 64 * MIB, 0), NO_ZERO),
    _memory("limit and swap -1", {"limit": 64 * MIB, "swap": -1}, *_with_swap(64 * MIB, UNLIMITED, "max")),
    _memory("limit -1 and swap -1", {"limit": -1, "swap": -1}, *_with_swap("max", UNLIMITED, "max")),
    _memory("limit and swap 0: not set", {"limit": 64 * MIB, "swap": 0}, *_with_swap(64 * MIB, UNLIMITED, "max")),
    _memory("swap -1 alone", {"swap": -1}, *_with_swap("max", UNLIMITED, "max")),
    _memory(
        "reservation", {"reservation": 32 * MIB},
        {"memory.soft_limit_in_bytes": str(32 * MIB)}, {"memory.low": str(32 * MIB), "MemoryLow": str(32 * MIB)},
    ),
    _memory(
        "reservation -1", {"reservation": -1},
        {"memory.soft_limit_in_bytes": UNLIMITED}, {"memory.low": "max", "MemoryLow": "infinity"},
    ),
    _memory(
        "reservation of one byte", {"reservation": 1},
        {"memory.soft_limit_in_bytes": "0"}, {"memory.low": "0"},
    ),
    _memory(
        "reservation above limit", {"limit": 64 * MIB, "reservation": 128 * MIB},
        {"memory.limit_in_bytes": str(64 * MIB), "memory.soft_limit_in_bytes": str(128 * MIB)},
        {"memory.max": str(64 * MIB), "memory.low": str(128 * MIB)},
    ),
    _memory(
        "all three", {"limit": 80 * MIB, "reservation": 40 * MIB, "swap": 100 * MIB},
        {"memory.limit_in_bytes": str(80 * MIB), "memory.memsw.limit_in_bytes": str(100 * MIB),
         "memory.soft_limit_in_bytes": str(40 * MIB)},
        {"memory.max": str(80 * MIB), "memory.swap.max": str(20 * MIB), "memory.low": str(40 * MIB)},
    ),
    _memory(
        "kernel and kernelTCP", {"limit": 64 * MIB, "kernel": 32 * MIB, "kernelTCP": 16 * MIB},
        {"memory.limit_in_bytes": str(64 * MIB), "memory.kmem.tcp.limit_in_bytes": str(16 * MIB)},
        {"memory.max": str(64 * MIB)},
        Differs("v1", {"memory.kmem.tcp.limit_in_bytes": UNLIMITED}, "runc >= 1.0.0-rc93 ignores all of kernel memory"),
    ),
    _memory("swappiness", {"swappiness": 17}, {"memory.swappiness": "17"}, {"memory.max": "max"}),
    _memory("swappiness 0", {"swappiness": 0}, {"memory.swappiness": "0"}, {}),
    _memory("swappiness 100", {"swappiness": 100}, {"memory.swappiness": "100"}, {}),
    _memory("disableOOMKiller", {"disableOOMKiller": True}, {"memory.oom_control": "oom_kill_disable 1"}, {}),
    _memory("disableOOMKiller false", {"disableOOMKiller": False}, {"memory.oom_control": "oom_kill_disable 0"}, {}),
    _memory(
        "useHierarchy and checkBeforeUpdate", {"limit": 64 * MIB, "useHierarchy": True, "checkBeforeUpdate": True},
        *_limit(64 * MIB, 64 * MIB),
    ),
    _memory(
        "zeros of Docker", {"limit": 0, "reservation": 0, "swap": 0, "kernel": 0, "kernelTCP": 0},
        {"memory.limit_in_bytes": UNLIMITED, "memory.memsw.limit_in_bytes": UNLIMITED,
         "memory.soft_limit_in_bytes": UNLIMITED},
        {"memory.max": "max", "memory.swap.max": "max", "memory.low": "0"},
    ),
    _memory(
        "swap below limit", {"limit": 64 * MIB, "swap": 32 * MIB}, {}, {},
        Refused("v1 v2", "both", "memory and swap together cannot be less than memory"),
    ),
    _memory(
        "swap without limit", {"swap": 64 * MIB}, {}, {},
        Refused("v1 v2", "both", "v1's kernel wants limit <= swap, and v2's difference needs a limit"),
    ),
    _memory(
        "swappiness 201", {"swappiness": 201}, {}, {},
        Refused("v1", "both", "the kernel takes up to 200 at most"),
        Refused("v2", "planc", "v2 has no swappiness, but the value is outside of the spec's range everywhere"),
    ),
]  # fmt: skip


# ---- cpu -----------------------------------------------------------------------------------------------------------------


def _linear_weight(shares: int) -> str:
    """The older conversion, a straight line from (2, 1) to (262144, 10000)."""
    return str(1 + (shares - 2) * 9999 // 262142)


def _shares(shares: int, weight: int) -> Row:
    old = _linear_weight(shares)
    remarks = []
    if old != str(weight):
        seen = {"cpu.weight": old, "CPUWeight": old}
        remarks = [
            Differs("v2", seen, "planc has the newer curve through (1024, 100), as runc and crun since 2025")
        ]
    return _row(
        "cpu", f"shares {shares}", {"cpu": {"shares": shares}},
        {"cpu.shares": str(shares), "CPUShares": str(shares)}, {"cpu.weight": str(weight), "CPUWeight": str(weight)},
        *remarks,
    )  # fmt: skip


def _quota(name: str, cpu: Config, quota: int, period: int, *remarks: Differs | Refused) -> Row:
    files = {"cpu.cfs_quota_us": str(quota), "cpu.cfs_period_us": str(period)}
    maximum = {"cpu.max": f"{'max' if quota < 0 else quota} {period}"}
    return _row("cpu", name, {"cpu": cpu}, files, maximum, *remarks)


NO_BURST = "runc 1.1 does not know cpu.burst"
NO_IDLE = "runc 1.1 does not know cpu.idle"

CPU = [
    _shares(2, 1),
    _shares(3, 2),
    _shares(512, 59),
    _shares(1024, 100),
    _shares(1025, 101),
    _shares(10000, 627),
    _shares(262144, 10000),
    _row("cpu", "shares 0: not set", {"cpu": {"shares": 0}}, {"cpu.shares": "1024"}, {"cpu.weight": "100"}),
    _quota("quota and period", {"quota": 25000, "period": 50000}, 25000, 50000),
    _quota("quota alone", {"quota": 20000}, 20000, 100000),
    _quota("period alone", {"period": 50000}, -1, 50000),
    _quota("quota -1 and period", {"quota": -1, "period": 40000}, -1, 40000),
    _quota("quota -1", {"quota": -1}, -1, 100000),
    _quota("quota and period 0: not set", {"quota": 0, "period": 0}, -1, 100000),
    _quota("quota smallest", {"quota": 1000, "period": 1000}, 1000, 1000),
    _quota("quota above period", {"quota": 250000, "period": 100000}, 250000, 100000),
    _quota("period largest", {"quota": 500000, "period": 1000000}, 500000, 1000000),
    _row(
        "cpu", "shares, quota and period", {"cpu": {"shares": 2048, "quota": 150000, "period": 200000}},
        {"cpu.shares": "2048", "cpu.cfs_quota_us": "150000", "cpu.cfs_period_us": "200000"},
        {"cpu.weight": "174", "cpu.max": "150000 200000"},
        Differs("v2", {"cpu.weight": "79", "CPUWeight": "79"}, "the newer curve"),
    ),
    _row(
        "cpu", "burst", {"cpu": {"quota": 50000, "period": 100000, "burst": 25000}},
        {"cpu.cfs_burst_us": "25000", "cpu.cfs_quota_us": "50000"},
        {"cpu.max.burst": "25000", "cpu.max": "50000 100000"},
        Differs("v1", {"cpu.cfs_burst_us": "0"}, NO_BURST),
        Differs("v2", {"cpu.max.burst": "0"}, NO_BURST),
    ),
    _row(
        "cpu", "burst 0", {"cpu": {"quota": 50000, "burst": 0}}, {"cpu.cfs_burst_us": "0"}, {"cpu.max.burst": "0"},
    ),
    _row(
        "cpu", "idle", {"cpu": {"idle": 1}}, {"cpu.idle": "1"}, {"cpu.idle": "1"},
        Differs("v1", {"cpu.idle": "0", "cpu.shares": "1024"}, NO_IDLE),
        Differs("v2", {"cpu.idle": "0", "cpu.weight": "100", "CPUWeight": "[not set]"}, NO_IDLE),
    ),
    _row("cpu", "idle 0", {"cpu": {"idle": 0, "shares": 1024}}, {"cpu.idle": "0"}, {"cpu.idle": "0", "cpu.weight": "100"},
         Differs("v2", {"cpu.weight": "39", "CPUWeight": "39"}, "the newer curve")),
    _row(
        "cpu", "idle with shares", {"cpu": {"idle": 1, "shares": 1024}}, {"cpu.idle": "1"}, {"cpu.idle": "1"},
        Differs("v1", {"cpu.idle": "0", "cpu.shares": "1024"}, NO_IDLE),
        Differs("v2", {"cpu.idle": "0", "cpu.weight": "39", "CPUWeight": "39"}, NO_IDLE),
    ),
    _row(
        "cpu", "realtime", {"cpu": {"realtimeRuntime": 40000, "realtimePeriod": 500000}},
        {"cpu.rt_runtime_us": "40000", "cpu.rt_period_us": "500000"}, {},
    ),
    _row(
        "cpu", "realtimePeriod", {"cpu": {"realtimePeriod": 500000}},
        {"cpu.rt_runtime_us": "0", "cpu.rt_period_us": "500000"}, {},
    ),
    _row(
        "cpu", "shares 1", {"cpu": {"shares": 1}}, {}, {"cpu.weight": "1"},
        Refused("v1", "both", "the kernel would silently take 2"),
        Refused("v2", "runc", "its conversion underflows"),
    ),
    _row(
        "cpu", "shares 262145", {"cpu": {"shares": 262145}}, {}, {"cpu.weight": "10000"},
        Refused("v1", "both", "the kernel would silently take 262144"),
    ),
    _quota("quota 999", {"quota": 999}, -1, 100000, Refused("v1 v2", "both", "the kernel wants 1 ms")),
    _quota("period 999", {"period": 999}, -1, 100000, Refused("v1 v2", "both", "the kernel wants 1 ms")),
    _quota("period 1000001", {"period": 1000001}, -1, 1, Refused("v1 v2", "both", "the kernel wants 1 s at most")),
]  # fmt: skip


# ---- cpuset, pids ----------------------------------------------------------------------------------------------------------


def _cpuset(name: str, cpu: Config, files: dict[str, str], *remarks: Differs | Refused) -> Row:
    return _row("cpuset", name, {"cpu": cpu}, files, files, *remarks)


CPUSET = [
    _cpuset("cpus", {"cpus": "0"}, {"cpuset.cpus": "0", "AllowedCPUs": "0"}),
    _cpuset("mems", {"mems": "0"}, {"cpuset.mems": "0", "AllowedMemoryNodes": "0"}),
    _cpuset("cpus and mems", {"cpus": "0", "mems": "0"}, {"cpuset.cpus": "0", "cpuset.mems": "0"}),
    _cpuset("last cpu", {"cpus": "1"}, {"cpuset.cpus": "1", "AllowedCPUs": "1"}),
    _cpuset("range", {"cpus": "0-1"}, {"cpuset.cpus": "0-1"}),
    _cpuset("list", {"cpus": "0,1"}, {"cpuset.cpus": "0-1"}),
    _cpuset("empty: not set", {"cpus": "", "mems": ""}, {}),
    _cpuset(
        "cpu that is not there", {"cpus": "4096"}, {}, Refused("v1 v2", "both", "the kernel has no such CPU")
    ),
]


def _pids(limit: int, expected: str, name: str = "") -> Row:
    files = {"pids.max": expected, "TasksMax": "infinity" if expected == "max" else expected}
    return _row("pids", name or f"limit {limit}", {"pids": {"limit": limit}}, files, files)


# a manager has a default of its own, which is to stay
NO_TASKS = {} if cgroup.DRIVER == "systemd" else {"pids.max": "max"}

PIDS = [
    _pids(123, "123"),
    _pids(-1, "max"),
    _row("pids", "limit 0: not set", {"pids": {"limit": 0}}, NO_TASKS, NO_TASKS),
    _pids(64, "64"),
    _pids(4194304, "4194304", "limit largest"),
    _row(
        "pids", "limit above the largest pid", {"pids": {"limit": 4194306}}, {}, {},
        Refused("v1 v2", "both", "the kernel has no such pid"),
    ),
]  # fmt: skip


# ---- block I/O -------------------------------------------------------------------------------------------------------------

_DISK = {"major": DISK[0], "minor": DISK[1]}
_NAME = f"{DISK[0]}:{DISK[1]}"


def _throttle(name: str, rates: dict[str, int], v2: str, *remarks: Differs | Refused) -> Row:
    """`rates`: by the kind in the property's name, such as `ReadBps`."""
    block_io = {f"throttle{kind}Device": [_DISK | {"rate": rate}] for kind, rate in rates.items()}
    v1 = {_V1_THROTTLE[kind]: f"{_NAME} {rate}" if rate else "" for kind, rate in rates.items()}
    unit = {_PROPERTY[kind]: f"/dev/block/{_NAME} {rate}" for kind, rate in rates.items() if rate}
    untold = Differs("v2", dict.fromkeys(unit), "runc 1.1 tells systemd nothing of block I/O")
    return _row("blockIO", name, {"blockIO": block_io}, v1, {"io.max": v2} | unit, untold, *remarks)


_V1_THROTTLE = {
    "ReadBps": "blkio.throttle.read_bps_device",
    "WriteBps": "blkio.throttle.write_bps_device",
    "ReadIOPS": "blkio.throttle.read_iops_device",
    "WriteIOPS": "blkio.throttle.write_iops_device",
}
_PROPERTY = {
    "ReadBps": "IOReadBandwidthMax",
    "WriteBps": "IOWriteBandwidthMax",
    "ReadIOPS": "IOReadIOPSMax",
    "WriteIOPS": "IOWriteIOPSMax",
}


def _weight(weight: int) -> Row:
    return _row(
        "blockIO", f"weight {weight}", {"blockIO": {"weight": weight}},
        {"blkio.bfq.weight": str(weight)}, {"io.bfq.weight": f"default {weight}"},
    )  # fmt: skip


BLOCK_IO = [
    _weight(10),
    _weight(500),
    _weight(1000),
    _row(
        "blockIO", "weight 0: not set", {"blockIO": {"weight": 0}},
        {"blkio.bfq.weight": "100"}, {"io.bfq.weight": "default 100"},
    ),
    _row(
        "blockIO", "weightDevice", {"blockIO": {"weight": 200, "weightDevice": [_DISK | {"weight": 300}]}},
        {"blkio.bfq.weight": "200", "blkio.bfq.weight_device": f"default 200\n{_NAME} 300"},
        {"io.bfq.weight": f"default 200\n{_NAME} 300"},
    ),
    _throttle("throttleReadBpsDevice", {"ReadBps": 1 << 20}, f"{_NAME} rbps=1048576 wbps=max riops=max wiops=max"),
    _throttle("throttleWriteBpsDevice", {"WriteBps": 1 << 21}, f"{_NAME} rbps=max wbps=2097152 riops=max wiops=max"),
    _throttle("throttleReadIOPSDevice", {"ReadIOPS": 111}, f"{_NAME} rbps=max wbps=max riops=111 wiops=max"),
    _throttle("throttleWriteIOPSDevice", {"WriteIOPS": 222}, f"{_NAME} rbps=max wbps=max riops=max wiops=222"),
    _throttle(
        "all four throttles", {"ReadBps": 1 << 30, "WriteBps": 1 << 31, "ReadIOPS": 2, "WriteIOPS": 3},
        f"{_NAME} rbps=1073741824 wbps=2147483648 riops=2 wiops=3",
    ),
    _throttle("throttle of two bytes", {"ReadBps": 2}, f"{_NAME} rbps=2 wbps=max riops=max wiops=max"),
    _throttle("throttle beyond 32 bits", {"WriteBps": 2**40}, f"{_NAME} rbps=max wbps={2**40} riops=max wiops=max"),
    _throttle("throttle 0: no limit", {"ReadBps": 0}, "", Refused("v2", "runc", "it writes 0, which v2 has not")),
    _row(
        "blockIO", "throttle of a disk that is not there",
        {"blockIO": {"throttleReadBpsDevice": [{"major": 240, "minor": 77, "rate": 1}]}}, {}, {},
        Refused("v1 v2", "both", "the kernel has no such disk"),
    ),
]  # fmt: skip


# ---- huge pages, network, RDMA ---------------------------------------------------------------------------------------------


NO_HYBRID = Refused("hybrid", "runc", "on a hybrid host it looks at v1's controllers only")


def _huge(name: str, limits: dict[str, tuple[int, str]]) -> Row:
    """`limits`: by page size, the limit and what is to be read."""
    v1: dict[str, str] = {}
    v2: dict[str, str] = {}
    old_v1, old_v2 = {}, {}
    for size, (_, value) in limits.items():
        for files, unlimited, file in ((v1, NO_HUGE_LIMIT[size], "limit_in_bytes"), (v2, "max", "max")):
            for kind in ("", "rsvd."):
                files[f"hugetlb.{size}.{kind}{file}"] = unlimited if value == "max" else value
        old_v1[f"hugetlb.{size}.rsvd.limit_in_bytes"] = NO_HUGE_LIMIT[size]
        old_v2[f"hugetlb.{size}.rsvd.max"] = "max"
    resources = {
        "hugepageLimits": [{"pageSize": size, "limit": limit} for size, (limit, _) in limits.items()]
    }
    why = "runc 1.1 does not limit reservations"
    remarks = (NO_HYBRID, Differs("v1", old_v1, why), Differs("v2", old_v2, why))
    return _row("hugepageLimits", name, resources, v1, v2, *remarks)


NO_HUGE_LIMIT = {size: str(2**63 - bytes_) for size, bytes_ in (("2MB", 2 * MIB), ("1GB", 1 << 30))}
"""A v1 limit that is not set: the largest number of whole huge pages, in bytes."""

HUGE_PAGES = [
    _huge("limit", {"2MB": (4 * MIB, str(4 * MIB))}),
    _huge("limit 0", {"2MB": (0, "0")}),
    _huge("limit is cut to whole pages", {"2MB": (5 * MIB, str(4 * MIB))}),
    _huge("limit largest", {"2MB": (2**64 - 1, "max")}),
    _huge("two sizes", {"2MB": (2 * MIB, str(2 * MIB)), "1GB": (1 << 30, str(1 << 30))}),
]


def _class_id(class_id: int) -> Row:
    resources = {"network": {"classID": class_id}}
    return _row("network.classID", f"{class_id:#x}", resources, {"net_cls.classid": str(class_id)}, {})


NETWORK = [
    _class_id(0x100001),
    _class_id(0),
    _class_id(2**32 - 1),
    _row(
        "network.priorities", "lo", {"network": {"priorities": [{"name": "lo", "priority": 5}]}},
        {"net_prio.ifpriomap": "lo 5"}, {},
    ),
]  # fmt: skip

RDMA = [
    _row(
        "rdma", "a device that is not there", {"rdma": {"mlx5_77": {"hcaHandles": 3, "hcaObjects": 10000}}}, {}, {},
        Refused("v1 v2", "both", "the kernel has no such device"),
    ),
]  # fmt: skip


# ---- unified -----------------------------------------------------------------------------------------------------------------


def _unified(
    part: str,
    name: str,
    resources: Config,
    files: dict[str, str],
    expected: dict[str, str],
    *remarks: Differs | Refused,
) -> Row:
    return _row(part, name, resources | {"unified": files}, {}, expected, *remarks)


UNIFIED = [
    _unified(
        "memory", "unified", {}, {"memory.high": str(48 * MIB), "memory.min": "1048576", "memory.oom.group": "1"},
        {"memory.high": str(48 * MIB), "memory.min": "1048576", "memory.oom.group": "1", "MemoryHigh": str(48 * MIB)},
    ),
    _unified(
        "memory", "unified over limit", {"memory": {"limit": 64 * MIB}}, {"memory.max": str(96 * MIB)},
        {"memory.max": str(96 * MIB), "MemoryMax": str(96 * MIB)},
    ),
    _unified(
        "memory", "unified max over limit and swap", {"memory": {"limit": 64 * MIB, "swap": 96 * MIB}},
        {"memory.max": "max", "memory.swap.max": "max", "memory.low": "4096"},
        {"memory.max": "max", "memory.swap.max": "max", "memory.low": "4096"},
    ),
    _unified("cpu", "unified over shares", {"cpu": {"shares": 1024}}, {"cpu.weight": "42"}, {"cpu.weight": "42"}),
    _unified(
        "cpu", "unified over quota", {"cpu": {"quota": 20000}}, {"cpu.max": "max 30000"}, {"cpu.max": "max 30000"},
    ),
    _unified("cpu", "unified cpu.idle", {}, {"cpu.idle": "1"}, {"cpu.idle": "1", "CPUWeight": "idle"},
             Differs("v2", {"CPUWeight": "[not set]"}, "runc 1.1 tells systemd nothing of it")),
    _unified("cpu", "unified burst", {"cpu": {"quota": 50000}}, {"cpu.max.burst": "9000"}, {"cpu.max.burst": "9000"}),
    _unified("pids", "unified over limit", {"pids": {"limit": 100}}, {"pids.max": "70"}, {"pids.max": "70"}),
    _unified("pids", "unified max", {"pids": {"limit": 100}}, {"pids.max": "max"}, {"pids.max": "max"}),
    _unified(
        "blockIO", "unified", {}, {"io.max": f"{_NAME} wbps=5000000"},
        {"io.max": f"{_NAME} rbps=max wbps=5000000 riops=max wiops=max"},
    ),
    _unified("cpuset", "unified", {}, {"cpuset.cpus": "0", "cpuset.mems": "0"}, {"cpuset.cpus": "0", "cpuset.mems": "0"}),
    _unified(
        "cpu", "unified with a value that is none", {}, {"cpu.weight": "ten"}, {},
        Refused("v2", "both", "the kernel takes numbers"),
    ),
    _unified("memory", "unified with a file that is none", {}, {"memory.nonsense": "1"}, {}, Refused("v2", "both", "no file")),
    _unified("pids", "unified with a controller that is none", {}, {"nonsense.max": "1"}, {}, Refused("v2", "both", "no file")),
]  # fmt: skip

ROWS = MEMORY + CPU + CPUSET + PIDS + BLOCK_IO + HUGE_PAGES + NETWORK + RDMA + UNIFIED
