"""A container's limits, read back from the files of cgroup v1 or v2."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from . import machine_init

MEMORY_LIMIT = "/sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null"
"""For cat(1) in a container: the one of these files that there is."""
ENDLESS = 2**60
"""v1 says "no limit" with the largest multiple of a page."""


def has_controller(name: str) -> bool:
    """Whether this host has the controller, by its v1 name."""
    mounts = machine_init.cgroup_mounts()
    if machine_init.unified_only(mounts):
        found = Path(mounts[0][0], "cgroup.controllers").read_text().split()
        return {"blkio": "io"}.get(name, name) in found
    return any(name in options.split(",") for _, kind, options in mounts if kind == "cgroup")


class CgroupFiles:
    """The cgroup of one process, or its cgroups, one for each controller of v1; from its /proc/PID/cgroup.

    A test that asks for what this host has no controller or no file for is skipped.
    """

    def __init__(self, proc_cgroup: str) -> None:
        mounts = machine_init.cgroup_mounts()
        self.v2 = machine_init.unified_only(mounts)
        paths = {}
        for line in proc_cgroup.splitlines():
            _, controllers, path = line.split(":", 2)
            paths |= dict.fromkeys(controllers.split(","), path)
        self._v1 = {
            name: Path(target + paths[name])
            for target, kind, options in mounts
            for name in options.split(",")
            if kind == "cgroup" and name in paths
        }
        self._v2 = Path(mounts[0][0] + paths[""]) if self.v2 else None

    def directory(self, v1_controller: str) -> Path:
        """The cgroup, on v1 in the hierarchy of a controller."""
        if self._v2:
            return self._v2
        if v1_controller not in self._v1:
            pytest.skip(f"this machine lacks the cgroup v1 controller {v1_controller}")
        return self._v1[v1_controller]

    def read(self, v1: str, v2: str = "") -> str:
        """A file by its names in v1 and in v2, which may have none."""
        file = v2 if self.v2 else v1
        if not file:
            pytest.skip(f"this machine lacks cgroup v{1 if self.v2 else 2}, which alone has {v1 or v2}")
        path = self.directory(v1.split(".")[0]) / file
        if not path.exists():
            pytest.skip(f"this machine lacks the cgroup file {file}")
        return path.read_text().strip()

    def _limit(self, v1: str, v2: str) -> int | None:
        text = self.read(v1, v2)
        return None if text == "max" or int(text) > ENDLESS else int(text)

    @property
    def memory(self) -> int | None:
        return self._limit("memory.limit_in_bytes", "memory.max")

    @property
    def memory_reservation(self) -> int | None:
        return self._limit("memory.soft_limit_in_bytes", "memory.low")

    @property
    def pids(self) -> int | None:
        return self._limit("pids.max", "pids.max")

    @property
    def cpu(self) -> tuple[int | None, int]:
        """Quota and period in µs."""
        if self.v2:
            quota, period = self.read("", "cpu.max").split()
        else:
            quota, period = self.read("cpu.cfs_quota_us"), self.read("cpu.cfs_period_us")
        return None if quota in ("max", "-1") else int(quota), int(period)

    def has_shares(self, shares: int) -> bool:
        """Whether cpu.shares is that, or cpu.weight is what runc makes of it, before or since its 1.3."""
        value = int(self.read("cpu.shares", "cpu.weight"))
        log = math.log2(shares)
        curve = math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34))
        line = 1 + (shares - 2) * 9999 // 262142
        return value in (curve, line) if self.v2 else value == shares

    @property
    def cpus(self) -> str:
        return self.read("cpuset.cpus", "cpuset.cpus")

    @property
    def frozen(self) -> bool:
        """Whether the freezer has stopped everything; false also on the way there."""
        if self.v2:
            return "frozen 1" in self.read("", "cgroup.events").splitlines()
        return self.read("freezer.state") == "FROZEN"
