"""Limits, device rules and annotations: what systemd knows of them, and what the cgroup files say."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest
from integration import cgroup
from integration.harness import Container, Result, Runtime

from .conftest import SLICE
from .units import Unit, left, scope, systemctl, value

MIB = 1 << 20

# resources → property, its value on v2 and on v1 ("" : not there); controller, file of v1 and v2, its value there
Case = tuple[dict[str, Any], str, tuple[str, str], tuple[str, str, str, str]]
CASES: dict[str, Case] = {
    "memory": (
        {"memory": {"limit": 64 * MIB}},
        "MemoryMax",
        (str(64 * MIB), ""),
        ("memory", "memory.limit_in_bytes", "memory.max", str(64 * MIB)),
    ),
    "memory v1": (
        {"memory": {"limit": 64 * MIB}},
        "MemoryLimit",
        ("", str(64 * MIB)),
        ("memory", "memory.limit_in_bytes", "memory.max", str(64 * MIB)),
    ),
    "reservation": (
        {"memory": {"reservation": 32 * MIB}},
        "MemoryLow",
        (str(32 * MIB), ""),
        ("memory", "memory.soft_limit_in_bytes", "memory.low", str(32 * MIB)),
    ),
    "shares": (
        {"cpu": {"shares": 1024}},
        "CPUWeight",
        ("100", ""),
        ("cpu", "cpu.shares", "cpu.weight", ""),
    ),
    "shares v1": (
        {"cpu": {"shares": 512}},
        "CPUShares",
        ("", "512"),
        ("cpu", "cpu.shares", "cpu.weight", ""),
    ),
    "quota": (
        {"cpu": {"quota": 50000, "period": 200000}},
        "CPUQuotaPerSecUSec",
        ("250ms", "250ms"),
        ("cpu", "cpu.cfs_quota_us", "cpu.max", ""),
    ),
    "period": (
        {"cpu": {"quota": 50000, "period": 200000}},
        "CPUQuotaPeriodUSec",
        ("200ms", "200ms"),
        ("cpu", "cpu.cfs_period_us", "cpu.max", ""),
    ),
    "pids": (
        {"pids": {"limit": 42}},
        "TasksMax",
        ("42", "42"),
        ("pids", "pids.max", "pids.max", "42"),
    ),
    "no limit of pids": (
        {"pids": {"limit": -1}},
        "TasksMax",
        ("infinity", "infinity"),
        ("pids", "pids.max", "pids.max", "max"),
    ),
    "one process": (
        {"pids": {"limit": 1}},
        "TasksMax",
        ("1", "1"),
        ("pids", "pids.max", "pids.max", "1"),
    ),
    "cpus": (
        {"cpu": {"cpus": "0"}},
        "AllowedCPUs",
        ("0", "0"),
        ("cpuset", "cpuset.cpus", "cpuset.cpus", "0"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_limit_is_in_both_places(container: Container, name: str) -> None:
    resources, property_name, shown, (controller, v1, v2, text) = CASES[name]
    if controller not in cgroup.controllers():
        pytest.skip(f"no cgroup controller {controller}")
    wanted = shown[0] if cgroup.is_v2() else shown[1]
    container.resources(**resources).sleeping()
    if wanted:
        assert scope(container).show()[property_name] == wanted
    if text:
        assert value(container, controller, v1, v2) == text


@pytest.mark.needs_cgroup_v2
@pytest.mark.needs_controller("memory")
def test_swap_is_what_is_above_the_memory_limit(container: Container) -> None:
    container.resources(memory={"limit": 64 * MIB, "swap": 96 * MIB}).sleeping()
    assert scope(container).show()["MemorySwapMax"] == str(32 * MIB)


@pytest.mark.needs_cgroup_v2
@pytest.mark.needs_controller("memory", "cpu", "pids")
def test_unified(container: Container) -> None:
    container.resources(
        unified={
            "memory.high": str(40 * MIB),
            "memory.max": str(48 * MIB),
            "memory.min": str(4 * MIB),
            "cpu.max": "20000 50000",
            "cpu.weight": "77",
            "pids.max": "33",
        }
    ).sleeping()
    shown = scope(container).show()
    assert (shown["MemoryHigh"], shown["MemoryMax"], shown["MemoryMin"]) == (
        str(40 * MIB),
        str(48 * MIB),
        str(4 * MIB),
    )
    assert (shown["CPUQuotaPerSecUSec"], shown["CPUQuotaPeriodUSec"]) == ("400ms", "50ms")
    assert (shown["CPUWeight"], shown["TasksMax"]) == ("77", "33")
    assert cgroup.read(container.pid, "cpu", "cpu.max") == "20000 50000"


@pytest.mark.needs_cgroup_v2
@pytest.mark.needs_controller("cpu")
def test_idle(container: Container) -> None:
    container.resources(cpu={"idle": 1, "shares": 500}).sleeping()
    assert scope(container).show()["CPUWeight"] in ("idle", "0")
    assert cgroup.read(container.pid, "cpu", "cpu.idle") == "1"


@pytest.mark.needs_controller("memory", "pids")
def test_limits_hold_before_anything_of_the_containers_runs(container: Container, directory: str) -> None:
    """The first hook, in which there is no root file system yet, sees them."""
    seen = f"{directory}/seen"
    files = ("memory", "memory.limit_in_bytes", "memory.max"), ("pids", "pids.max", "pids.max")
    tops = {controller: cgroup.mounts().get(controller) or cgroup.mounts()[""] for controller, _, _ in files}
    unit = f"/plancit.slice/plancit-tests.slice/{scope(container).name}"
    paths = [
        tops[name] + unit + "/" + (v1 if name in cgroup.v1_controllers() else v2) for name, v1, v2 in files
    ]
    container.config["hooks"] = {
        "prestart": [{"path": "/bin/sh", "args": ["sh", "-c", f"cat {' '.join(paths)} > {seen}"]}]
    }
    container.resources(memory={"limit": 64 * MIB}, pids={"limit": 42}).create()
    with open(seen) as file:
        assert file.read().split() == [str(64 * MIB), "42"]


# ---- update --------------------------------------------------------------------------------------------------------


def update(container: Container, *flags: str, resources: dict[str, Any] | None = None) -> Result:
    if resources is None:
        return container.runtime.call("update", *flags, container.id)
    document = json.dumps(resources).encode()
    return container.runtime.call("update", "--resources", "-", container.id, stdin=document)


def memory(container: Container) -> tuple[str, str]:
    """The limit as systemd has it, and as the kernel does."""
    name = "MemoryMax" if cgroup.is_v2() else "MemoryLimit"
    return scope(container).show()[name], value(container, "memory", "memory.limit_in_bytes", "memory.max")


@pytest.mark.needs_controller("memory")
def test_update_of_memory(container: Container) -> None:
    container.resources(memory={"limit": 64 * MIB}).sleeping()
    update(container, "--memory", str(80 * MIB)).ok()
    assert memory(container) == (str(80 * MIB), str(80 * MIB))
    systemctl("daemon-reload")
    assert memory(container) == (str(80 * MIB), str(80 * MIB))


@pytest.mark.needs_controller("pids")
def test_update_of_pids(container: Container) -> None:
    container.sleeping()
    update(container, "--pids-limit", "77").ok()
    assert scope(container).show()["TasksMax"] == "77"
    assert cgroup.read(container.pid, "pids", "pids.max") == "77"


@pytest.mark.needs_controller("memory")
def test_update_of_a_paused_container(container: Container, runtime: Runtime) -> None:
    container.resources(memory={"limit": 64 * MIB}).sleeping()
    runtime.call("pause", container.id).ok()
    update(container, "--memory", str(80 * MIB)).ok()
    assert container.status == "paused"
    assert memory(container) == (str(80 * MIB), str(80 * MIB))
    runtime.call("resume", container.id).ok()


@pytest.mark.needs_controller("cpu")
def test_a_quota_that_systemd_rounds_stays_exact(container: Container) -> None:
    """Also when another property of the controller changes, for which systemd writes them all."""
    container.resources(cpu={"quota": 12345, "period": 100000}).sleeping()
    assert scope(container).show()["CPUQuotaPerSecUSec"] == "130ms"
    for flags in ((), ("--cpu-share", "2048"), ("--cpu-share", "512")):
        if flags:
            update(container, *flags).ok()
        assert value(container, "cpu", "cpu.cfs_quota_us", "cpu.max").split()[0] == "12345"
    if cgroup.is_v2():
        assert scope(container).show()["CPUWeight"] == cgroup.read(container.pid, "cpu", "cpu.weight")


@pytest.mark.needs_cgroup_v2
@pytest.mark.needs_controller("memory")
def test_what_systemd_was_not_told_survives_an_update(container: Container) -> None:
    container.resources(memory={"limit": 64 * MIB}).sleeping()
    path = cgroup.directory(container.pid, "memory")
    with open(f"{path}/memory.high", "w") as file:
        file.write(str(60 * MIB))
    update(container, "--memory", str(80 * MIB)).ok()
    assert cgroup.read(container.pid, "memory", "memory.high") == str(60 * MIB)


@pytest.mark.needs_controller("memory")
def test_a_failed_update_changes_nothing(container: Container) -> None:
    """The second value is none that the kernel takes: systemd has the first one's old value again."""
    container.resources(memory={"limit": 64 * MIB}).sleeping()
    resources: dict[str, Any] = {"memory": {"limit": 80 * MIB}}
    if cgroup.is_v2():
        resources["unified"] = {"memory.oom.group": "nonsense"}
    else:
        resources["cpu"] = {"period": 17}
    update(container, resources=resources).failed()
    assert memory(container) == (str(64 * MIB), str(64 * MIB))


# ---- device rules ----------------------------------------------------------------------------------------------------

ONLY_FUSE = [
    {"allow": False, "access": "rwm"},
    {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"},
]
OPEN = "mknod /dev/{name} c {major} {minor} 2> /dev/null; true < /dev/{name}"


def may_open(container: Container, major: int, minor: int) -> bool:
    """Whether the container may open a device; that there is none behind the number is no refusal."""
    script = OPEN.format(name=f"d{major}-{minor}", major=major, minor=minor)
    result = container.exec("sh", "-c", script)
    return "Operation not permitted" not in result.stderr


def test_device_rules(container: Container) -> None:
    container.resources(devices=ONLY_FUSE).sleeping()
    shown = scope(container).show()
    assert shown["DevicePolicy"] == "strict"
    allowed = shown["DeviceAllow"].splitlines()
    assert {"char-* m", "block-* m", "/dev/char/10:229 rw", "/dev/char/1:3 rwm", "char-136 rwm"} <= set(
        allowed
    )
    for _ in range(2):
        assert may_open(container, 1, 3)
        assert may_open(container, 10, 229)
        assert not may_open(container, 1, 11)
        # systemd loads its own program anew
        systemctl("daemon-reload")


def test_all_but_one_device(container: Container) -> None:
    """systemd has no words for that: it keeps out."""
    container.resources(
        devices=[
            {"allow": True, "access": "rwm"},
            {"allow": False, "type": "c", "major": 1, "minor": 11, "access": "rw"},
        ]
    ).sleeping()
    shown = scope(container).show()
    assert (shown["DevicePolicy"], shown.get("DeviceAllow", "")) == ("auto", "")
    for _ in range(2):
        assert may_open(container, 1, 8)
        assert not may_open(container, 1, 11)
        systemctl("daemon-reload")


# ---- annotations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "property_name", "shown"),
    [
        ("TimeoutStopUSec", "uint64 7000000", "TimeoutStopUSec", "7s"),
        ("TimeoutStopSec", "7", "TimeoutStopUSec", "7s"),
        ("TimeoutStopSec", "0.5", "TimeoutStopUSec", "500ms"),
        ("TimeoutStopSec", "uint64 90", "TimeoutStopUSec", "1min 30s"),
        ("CollectMode", "'inactive-or-failed'", "CollectMode", "inactive-or-failed"),
        ("CollectMode", '"inactive-or-failed"', "CollectMode", "inactive-or-failed"),
        ("SendSIGHUP", "true", "SendSIGHUP", "yes"),
        ("KillSignal", "2", "KillSignal", "2"),
        ("Documentation", "['https://a.example', 'https://b.example']", "Documentation", "https://a.example https://b.example"),
        ("Documentation", "@as []", "Documentation", ""),
        ("Description", "'a \"b\" c'", "Description", 'a "b" c'),
    ],
)  # fmt: skip
def test_annotation(container: Container, name: str, text: str, property_name: str, shown: str) -> None:
    container.config["annotations"] = {f"org.systemd.property.{name}": text}
    container.sleeping()
    assert scope(container).show()[property_name] == shown


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("Description", "no quotes", "a string needs quotes"),
        ("TimeoutStopSec", "'x'", "a time in seconds is a number"),
        ("TimeoutStopSec", "-1", "out of range"),
        ("X", "1", "is not the name of a property"),
        ("Timeout.Stop", "1", "is not the name of a property"),
        ("Nonsense", "true", "unknown property"),
        ("TimeoutStopUSec", "5", "wrong type"),
        ("Documentation", "[]", "not known"),
        ("Documentation", "['a', 5]", "where type s is wanted"),
        ("Slice", "'elsewhere.slice'", "elsewhere"),
    ],
)
def test_bad_annotation(container: Container, name: str, text: str, words: str) -> None:
    container.config["annotations"] = {f"org.systemd.property.{name}": text}
    container.try_create().failed(words, "org.systemd.property")
    assert container.runtime.leftovers() == []
    assert left(container.id) == []


def test_annotations_are_nothing_to_the_other_driver(container: Container, runtime: Runtime) -> None:
    runtime.driver_flags = []
    container.linux["cgroupsPath"] = "/" + container.id
    container.config["annotations"] = {"org.systemd.property.Description": "no quotes"}
    container.sleeping()


# ---- beside runc -----------------------------------------------------------------------------------------------------

SAME = (
    "Slice", "Delegate", "DefaultDependencies", "MemoryAccounting", "CPUAccounting", "IOAccounting",
    "BlockIOAccounting", "TasksAccounting", "MemoryMax", "MemoryLimit", "MemoryLow", "MemoryHigh", "MemorySwapMax",
    "CPUShares", "CPUQuotaPerSecUSec", "CPUQuotaPeriodUSec", "TasksMax", "DevicePolicy", "TimeoutStopUSec",
    "CollectMode", "KillMode", "AllowedCPUs", "ActiveState", "SubState", "Transient",
)  # fmt: skip


def test_the_same_properties_as_runc(container: Container, make_runtime: Any, directory: str) -> None:
    """CPUWeight is not compared: runc 1.1 converts shares as it was done until 2025."""
    runc = shutil.which("runc")
    if runc is None:
        pytest.skip("this machine lacks runc")
    have = cgroup.controllers()
    resources: dict[str, Any] = {"devices": ONLY_FUSE}
    if "memory" in have:
        resources["memory"] = {"limit": 64 * MIB, "swap": 96 * MIB, "reservation": 32 * MIB}
    if "cpu" in have:
        resources["cpu"] = {"shares": 512, "quota": 12345, "period": 50000}
    if "cpuset" in have:
        resources.setdefault("cpu", {})["cpus"] = "0"
    if "pids" in have:
        resources["pids"] = {"limit": 50}
    if cgroup.is_v2() and "memory" in have:
        resources["unified"] = {"memory.high": str(60 * MIB)}
    container.resources(**resources)
    container.config["annotations"] = {"org.systemd.property.TimeoutStopSec": "7"}
    container.sleeping()
    ours = scope(container).show()
    container.delete("--force")

    container.linux["cgroupsPath"] = f"{SLICE}:runc:{container.id}"
    container.bundle.write()
    words = [runc, "--root", f"{directory}/runc", "--systemd-cgroup"]
    command = [*words, "run", "--detach", "--bundle", container.bundle.path, container.id]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "check": True, "timeout": 60}
    subprocess.run(command, **quiet)
    try:
        theirs = Unit(f"runc-{container.id}.scope").show()
    finally:
        subprocess.run([*words, "delete", "--force", container.id], **quiet)
    assert {name: ours.get(name) for name in SAME} == {name: theirs.get(name) for name in SAME}
