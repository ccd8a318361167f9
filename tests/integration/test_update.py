"""update: flags, a resources file, stdin; what is not named stays; zeros and device rules of managers."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from . import cgroup
from .harness import Container, Result

pytestmark = pytest.mark.skipif(cgroup.mode() == "none", reason="no cgroup file system is mounted")

MIB = 1 << 20


def _update(container: Container, *flags: str, resources: dict[str, Any] | None = None) -> Result:
    if resources is not None:
        return container.runtime.call(
            "update", *flags, "--resources", "-", container.id, stdin=json.dumps(resources).encode()
        )
    return container.runtime.call("update", *flags, container.id)


def _value(container: Container, controller: str, v1: str, v2: str) -> str:
    name = v1 if controller in cgroup.v1_controllers() else v2
    if not os.path.exists(f"{cgroup.directory(container.pid, controller)}/{name}"):
        pytest.skip(f"the kernel has no {name}")
    return cgroup.read(container.pid, controller, name)


@pytest.fixture
def running(container: Container) -> Container:
    """A container with a memory, cpu and pids limit, as far as the machine has the controllers."""
    have = cgroup.controllers()
    if "memory" in have:
        container.resources(memory={"limit": 64 * MIB, "swap": 128 * MIB, "reservation": 32 * MIB})
    if "cpu" in have:
        container.resources(cpu={"shares": 512, "quota": 50000, "period": 100000})
    if "pids" in have:
        container.resources(pids={"limit": 100})
    return container.sleeping()


def _memory(container: Container) -> str:
    return _value(container, "memory", "memory.limit_in_bytes", "memory.max")


# ---- flags -------------------------------------------------------------------------------------------------------------


@pytest.mark.needs_controller("memory")
@pytest.mark.parametrize(
    ("text", "expected"),
    [("100000000", 99999744), ("96m", 96 * MIB), ("96M", 96 * MIB), ("1g", 1 << 30), ("98304k", 96 * MIB)],
)
def test_memory_takes_sizes(running: Container, text: str, expected: int) -> None:
    _update(running, "--memory", text, "--memory-swap", "-1").ok()
    assert _memory(running) == str(expected)


@pytest.mark.needs_controller("memory")
def test_memory_shrinks_and_grows(running: Container) -> None:
    """On v1 the order of the two writes depends on the direction."""
    for limit, swap in ((32, 48), (200, 400), (16, 16), (300, 600)):
        _update(running, "--memory", f"{limit}m", "--memory-swap", f"{swap}m").ok()
        assert _memory(running) == str(limit * MIB)
        assert _value(running, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max") == str(
            (swap if "memory" in cgroup.v1_controllers() else swap - limit) * MIB
        )


@pytest.mark.needs_controller("memory")
def test_memory_unlimited_makes_swap_unlimited(running: Container) -> None:
    _update(running, "--memory", "-1").ok()
    assert _memory(running) in ("max", "9223372036854771712")
    assert _value(running, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max") in (
        "max",
        "9223372036854771712",
    )


@pytest.mark.needs_controller("memory")
def test_memory_reservation(running: Container) -> None:
    _update(running, "--memory-reservation", "24m").ok()
    assert _value(running, "memory", "memory.soft_limit_in_bytes", "memory.low") == str(24 * MIB)
    assert _memory(running) == str(64 * MIB)


@pytest.mark.needs_controller("cpu")
def test_cpu_shares(running: Container) -> None:
    _update(running, "--cpu-share", "1024").ok()
    assert _value(running, "cpu", "cpu.shares", "cpu.weight") == (
        "1024" if "cpu" in cgroup.v1_controllers() else "100"
    )


@pytest.mark.needs_controller("cpu")
def test_quota_alone_keeps_the_period_and_back(running: Container) -> None:
    _update(running, "--cpu-quota", "20000").ok()
    assert _quota(running) == ("20000", "100000")
    _update(running, "--cpu-period", "200000").ok()
    assert _quota(running) == ("20000", "200000")
    _update(running, "--cpu-quota", "-1").ok()
    assert _quota(running)[0] in ("-1", "max")


def _quota(container: Container) -> tuple[str, str]:
    if "cpu" in cgroup.v1_controllers():
        pid = container.pid
        return cgroup.read(pid, "cpu", "cpu.cfs_quota_us"), cgroup.read(pid, "cpu", "cpu.cfs_period_us")
    quota, period = cgroup.read(container.pid, "cpu", "cpu.max").split()
    return quota, period


@pytest.mark.needs_controller("cpu")
@pytest.mark.old_runc_lacks("update --cpu-burst")
def test_burst(running: Container) -> None:
    _update(running, "--cpu-burst", "10000").ok()
    assert _value(running, "cpu", "cpu.cfs_burst_us", "cpu.max.burst") == "10000"


@pytest.mark.needs_controller("cpu")
@pytest.mark.old_runc_lacks("update --cpu-idle")
def test_idle(running: Container) -> None:
    _update(running, "--cpu-idle", "1").ok()
    assert _value(running, "cpu", "cpu.idle", "cpu.idle") == "1"


@pytest.mark.needs_controller("cpuset")
def test_cpuset(running: Container) -> None:
    _update(running, "--cpuset-cpus", "0", "--cpuset-mems", "0").ok()
    assert cgroup.read(running.pid, "cpuset", "cpuset.cpus") == "0"
    assert os.sched_getaffinity(running.pid) == {0}


@pytest.mark.needs_controller("pids")
def test_pids(running: Container) -> None:
    _update(running, "--pids-limit", "33").ok()
    assert cgroup.read(running.pid, "pids", "pids.max") == "33"
    _update(running, "--pids-limit", "-1").ok()
    assert cgroup.read(running.pid, "pids", "pids.max") == "max"


def test_kernel_memory_flags_are_accepted(running: Container) -> None:
    _update(running, "--kernel-memory", "10m", "--kernel-memory-tcp", "10m").ok()


# ---- resources -----------------------------------------------------------------------------------------------------------


@pytest.mark.needs_controller("memory", "cpu", "pids")
def test_stdin(running: Container) -> None:
    _update(
        running,
        resources={
            "memory": {"limit": 80 * MIB, "swap": 160 * MIB},
            "cpu": {"shares": 1024, "quota": 30000, "period": 60000},
            "pids": {"limit": 44},
        },
    ).ok()
    assert _memory(running) == str(80 * MIB)
    assert _quota(running) == ("30000", "60000")
    assert cgroup.read(running.pid, "pids", "pids.max") == "44"


@pytest.mark.needs_controller("pids")
@pytest.mark.parametrize("flag", ["--resources", "-r"])
def test_file(running: Container, directory: str, flag: str) -> None:
    path = Path(directory, "resources.json")
    path.write_text(json.dumps({"pids": {"limit": 45}}))
    _update(running, flag, str(path)).ok()
    assert cgroup.read(running.pid, "pids", "pids.max") == "45"


@pytest.mark.needs_controller("pids")
def test_file_makes_other_flags_moot(running: Container) -> None:
    _update(running, "--pids-limit", "10", resources={"pids": {"limit": 46}}).ok()
    assert cgroup.read(running.pid, "pids", "pids.max") == "46"


@pytest.mark.needs_controller("memory", "cpu", "pids")
def test_what_is_not_named_stays(running: Container) -> None:
    _update(running, resources={"pids": {"limit": 47}}).ok()
    assert _memory(running) == str(64 * MIB)
    assert _quota(running) == ("50000", "100000")


@pytest.mark.needs_controller("memory", "cpu")
def test_zeros_of_docker_mean_unchanged(running: Container) -> None:
    _update(
        running,
        resources={
            "devices": None,
            "memory": {"limit": 70 * MIB, "reservation": 0, "swap": 140 * MIB, "kernel": 0},
            "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""},
            "blockIO": {"weight": 0},
        },
    ).ok()
    assert _memory(running) == str(70 * MIB)
    assert _quota(running) == ("50000", "100000")
    assert _value(running, "memory", "memory.soft_limit_in_bytes", "memory.low") == str(32 * MIB)


@pytest.mark.needs_controller("devices")
def test_device_rules_are_ignored(running: Container) -> None:
    _update(running, resources={"devices": [{"allow": False, "access": "rwm"}]}).ok()
    assert running.exec_sh("echo x > /dev/null; head -c1 /dev/zero | wc -c") == "1"


@pytest.mark.needs_cgroup_v2
def test_unified(running: Container) -> None:
    _update(running, resources={"unified": {"memory.high": str(60 * MIB)}}).ok()
    assert cgroup.read(running.pid, "memory", "memory.high") == str(60 * MIB)


@pytest.mark.needs_controller("pids")
def test_update_of_a_created_container(container: Container) -> None:
    container.create()
    _update(container, "--pids-limit", "48").ok()
    assert cgroup.read(container.pid, "pids", "pids.max") == "48"


@pytest.mark.needs_controller("pids", "freezer")
def test_update_of_a_paused_container_leaves_it_paused(running: Container) -> None:
    running.runtime.call("pause", running.id).ok()
    _update(running, "--pids-limit", "49").ok()
    assert cgroup.read(running.pid, "pids", "pids.max") == "49"
    assert running.status == "paused"


def test_update_prints_nothing(running: Container) -> None:
    result = _update(running, resources={})
    assert (result.returncode, result.stdout) == (0, "")


# ---- errors ------------------------------------------------------------------------------------------------------------


def test_unknown_container(container: Container) -> None:
    _update(container, "--pids-limit", "1").failed("does not exist")


def test_stopped_container(container: Container) -> None:
    container.args("true").up().wait()
    _update(container, "--pids-limit", "10").failed()


@pytest.mark.parametrize("text", ["not json", "[1]", '{"memory": {"limit": "many"}}', ""])
def test_broken_resources(running: Container, text: str) -> None:
    running.runtime.call("update", "--resources", "-", running.id, stdin=text.encode()).failed()
    assert running.status == "running"


def test_missing_file(running: Container) -> None:
    _update(running, "--resources", "/no/such/file").failed("/no/such/file")


@pytest.mark.parametrize(
    "flags", [["--memory", "lots"], ["--cpu-quota", "x"], ["--pids-limit", "1.5"], ["--cpu-period", "-5"]]
)
def test_broken_flags(running: Container, flags: list[str]) -> None:
    _update(running, *flags).failed()


@pytest.mark.needs_controller("cpu", "pids")
def test_failed_update_changes_nothing(running: Container) -> None:
    _update(running, resources={"pids": {"limit": 51}, "cpu": {"quota": 5}}).failed()
    assert cgroup.read(running.pid, "pids", "pids.max") == "100"
    assert _quota(running) == ("50000", "100000")
