"""`update`, value by value: what the container had, what is changed, and what must be read afterwards."""

from __future__ import annotations

from .base_config import Config
from .limit_table import MIB, UNLIMITED, Differs, Refused, Row

FIRST: dict[str, Config] = {
    "memory": {"memory": {"limit": 64 * MIB, "swap": 128 * MIB, "reservation": 32 * MIB}},
    "cpu": {"cpu": {"shares": 512, "quota": 50000, "period": 100000}},
    "cpuset": {"cpu": {"cpus": "0-1"}},
    "pids": {"pids": {"limit": 100}},
    "blockIO": {"blockIO": {"weight": 200}},
}
"""What the container of a row was created with."""


def _update(
    part: str,
    name: str,
    change: Config | list[str],
    v1: dict[str, str],
    v2: dict[str, str],
    *remarks: Differs | Refused,
) -> Row:
    differs = tuple(remark for remark in remarks if isinstance(remark, Differs))
    refused = tuple(remark for remark in remarks if isinstance(remark, Refused))
    return Row(part, name, FIRST[part], v1, v2, differs, refused, change)


def _memory(
    limit: int | str, both: int | str, swap: int | str, low: int = 32 * MIB
) -> tuple[dict[str, str], dict[str, str]]:
    v1 = {
        "memory.limit_in_bytes": UNLIMITED if limit == "max" else str(limit),
        "memory.memsw.limit_in_bytes": UNLIMITED if both == "max" else str(both),
        "memory.soft_limit_in_bytes": str(low),
    }
    v2 = {
        "memory.max": str(limit), "memory.swap.max": str(swap), "memory.low": str(low),
        "MemoryMax": "infinity" if limit == "max" else str(limit),
        "MemorySwapMax": "infinity" if swap == "max" else str(swap),
    }  # fmt: skip
    return v1, v2


def _cpu(weight: tuple[int, int], quota: int, period: int) -> tuple[dict[str, str], dict[str, str]]:
    """weight: v1's shares and what v2 has for them."""
    v1 = {"cpu.shares": str(weight[0]), "cpu.cfs_quota_us": str(quota), "cpu.cfs_period_us": str(period)}
    return v1, {"cpu.weight": str(weight[1]), "cpu.max": f"{'max' if quota < 0 else quota} {period}"}


HALF = (512, 59)
"""Shares of FIRST."""
OLD_WEIGHT = {"cpu.weight": "20", "CPUWeight": "20"}
OLD_CURVE = Differs("v2", OLD_WEIGHT, "planc has the newer curve, as runc and crun since 2025")
KEEPS_BOTH = (
    "what was said of memory and swap together still holds when memory changes; runc leaves swap alone"
)

RESOURCES = [
    _update("memory", "limit, swap and reservation",
            {"memory": {"limit": 80 * MIB, "swap": 160 * MIB, "reservation": 40 * MIB}},
            *_memory(80 * MIB, 160 * MIB, 80 * MIB, 40 * MIB)),
    _update("memory", "reservation only", {"memory": {"reservation": 16 * MIB}},
            *_memory(64 * MIB, 128 * MIB, 64 * MIB, 16 * MIB)),
    _update("memory", "limit below the old one", {"memory": {"limit": 48 * MIB, "swap": 48 * MIB}},
            *_memory(48 * MIB, 48 * MIB, 0),
            Differs("v2", {"MemorySwapMax": str(64 * MIB)}, "runc 1.1 tells systemd nothing where the result is 0")),
    _update("memory", "limit above the old swap", {"memory": {"limit": 256 * MIB, "swap": 512 * MIB}},
            *_memory(256 * MIB, 512 * MIB, 256 * MIB)),
    _update("memory", "limit only", {"memory": {"limit": 96 * MIB}}, *_memory(96 * MIB, 128 * MIB, 32 * MIB),
            Differs("v2", {"memory.swap.max": str(64 * MIB), "MemorySwapMax": str(64 * MIB)}, KEEPS_BOTH)),
    _update("memory", "swap only", {"memory": {"swap": 96 * MIB}}, *_memory(64 * MIB, 96 * MIB, 32 * MIB),
            Refused("v2", "runc", "it wants limit beside swap")),
    _update("memory", "swap -1 only", {"memory": {"swap": -1}}, *_memory(64 * MIB, "max", "max")),
    _update("memory", "limit -1", {"memory": {"limit": -1}}, *_memory("max", "max", "max")),
    _update("memory", "zeros of Docker", {"memory": {"limit": 70 * MIB, "swap": 140 * MIB, "reservation": 0, "kernel": 0}},
            *_memory(70 * MIB, 140 * MIB, 70 * MIB)),
    _update("memory", "nothing", {"memory": {}}, *_memory(64 * MIB, 128 * MIB, 64 * MIB)),
    _update("cpu", "shares, quota and period", {"cpu": {"shares": 1024, "quota": 30000, "period": 60000}},
            *_cpu((1024, 100), 30000, 60000), Differs("v2", {"cpu.weight": "39", "CPUWeight": "39"}, OLD_CURVE.why)),
    _update("cpu", "quota only", {"cpu": {"quota": 20000}}, *_cpu(HALF, 20000, 100000), OLD_CURVE),
    _update("cpu", "quota -1", {"cpu": {"quota": -1}}, *_cpu(HALF, -1, 100000), OLD_CURVE),
    _update("cpu", "period only", {"cpu": {"period": 200000}}, *_cpu(HALF, 50000, 200000), OLD_CURVE),
    _update("cpu", "zeros of Docker", {"cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""}},
            *_cpu(HALF, 50000, 100000), OLD_CURVE),
    _update("cpu", "shares only", {"cpu": {"shares": 2}}, *_cpu((2, 1), 50000, 100000)),
    _update("cpu", "burst", {"cpu": {"burst": 10000}}, {"cpu.cfs_burst_us": "10000"}, {"cpu.max.burst": "10000"},
            Differs("v1", {"cpu.cfs_burst_us": "0"}, "runc 1.1 does not know it"),
            Differs("v2", {"cpu.max.burst": "0"} | OLD_WEIGHT, "runc 1.1 does not know it")),
    _update("cpu", "idle", {"cpu": {"idle": 1}}, {"cpu.idle": "1"}, {"cpu.idle": "1"},
            Differs("v1", {"cpu.idle": "0", "cpu.shares": "512"}, "runc 1.1 does not know it"),
            Differs("v2", {"cpu.idle": "0"} | OLD_WEIGHT, "runc 1.1 does not know it")),
    _update("cpu", "quota below 1 ms", {"cpu": {"quota": 500}}, {}, {},
            Refused("v1 v2", "both", "the kernel wants 1 ms")),
    _update("cpuset", "cpus", {"cpu": {"cpus": "1"}}, {"cpuset.cpus": "1"}, {"cpuset.cpus": "1", "AllowedCPUs": "1"}),
    _update("cpuset", "mems", {"cpu": {"mems": "0"}}, {"cpuset.cpus": "0-1", "cpuset.mems": "0"},
            {"cpuset.cpus": "0-1", "cpuset.mems": "0"}),
    _update("pids", "limit", {"pids": {"limit": 33}}, {"pids.max": "33"}, {"pids.max": "33", "TasksMax": "33"}),
    _update("pids", "limit -1", {"pids": {"limit": -1}}, {"pids.max": "max"}, {"pids.max": "max", "TasksMax": "infinity"}),
    _update("pids", "limit 0: unchanged", {"pids": {"limit": 0}}, {"pids.max": "100"}, {"pids.max": "100"}),
    _update("blockIO", "weight", {"blockIO": {"weight": 700}},
            {"blkio.bfq.weight": "700"}, {"io.bfq.weight": "default 700"}),
    _update("blockIO", "weight 0: unchanged", {"blockIO": {"weight": 0}},
            {"blkio.bfq.weight": "200"}, {"io.bfq.weight": "default 200"}),
]  # fmt: skip

UNIFIED = [
    _update("memory", "unified", {"unified": {"memory.high": str(60 * MIB)}}, {},
            {"memory.high": str(60 * MIB), "memory.max": str(64 * MIB)}),
    _update("pids", "unified over limit", {"pids": {"limit": 40}, "unified": {"pids.max": "41"}}, {}, {"pids.max": "41"}),
]  # fmt: skip

FLAGS = [
    _update("memory", "--memory --memory-swap", ["--memory", "96m", "--memory-swap", "200m"],
            *_memory(96 * MIB, 200 * MIB, 104 * MIB)),
    _update("memory", "--memory -1", ["--memory", "-1"], *_memory("max", "max", "max")),
    _update("memory", "--memory-reservation", ["--memory-reservation", "24m"],
            *_memory(64 * MIB, 128 * MIB, 64 * MIB, 24 * MIB)),
    _update("memory", "--memory-swap -1", ["--memory-swap", "-1"], *_memory(64 * MIB, "max", "max")),
    _update("cpu", "--cpu-share", ["--cpu-share", "1024"], *_cpu((1024, 100), 50000, 100000),
            Differs("v2", {"cpu.weight": "39", "CPUWeight": "39"}, OLD_CURVE.why)),
    _update("cpu", "--cpu-quota", ["--cpu-quota", "70000"], *_cpu(HALF, 70000, 100000), OLD_CURVE),
    _update("cpu", "--cpu-period", ["--cpu-period", "200000"], *_cpu(HALF, 50000, 200000), OLD_CURVE),
    _update("cpu", "--cpu-quota --cpu-period", ["--cpu-quota", "5000", "--cpu-period", "10000"],
            *_cpu(HALF, 5000, 10000), OLD_CURVE),
    _update("cpu", "--cpu-rt-period --cpu-rt-runtime", ["--cpu-rt-period", "500000", "--cpu-rt-runtime", "10000"],
            {"cpu.rt_period_us": "500000", "cpu.rt_runtime_us": "10000"}, {}, OLD_CURVE),
    _update("cpuset", "--cpuset-cpus --cpuset-mems", ["--cpuset-cpus", "0", "--cpuset-mems", "0"],
            {"cpuset.cpus": "0", "cpuset.mems": "0"}, {"cpuset.cpus": "0", "cpuset.mems": "0"}),
    _update("pids", "--pids-limit", ["--pids-limit", "34"], {"pids.max": "34"}, {"pids.max": "34", "TasksMax": "34"}),
    _update("pids", "--pids-limit -1", ["--pids-limit", "-1"], {"pids.max": "max"}, {"pids.max": "max"}),
    _update("blockIO", "--blkio-weight", ["--blkio-weight", "900"],
            {"blkio.bfq.weight": "900"}, {"io.bfq.weight": "default 900"}),
]  # fmt: skip

UPDATES = RESOURCES + UNIFIED + FLAGS
