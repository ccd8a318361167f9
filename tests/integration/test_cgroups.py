"""linux.cgroupsPath and linux.resources on cgroup v1, hybrid and v2: where the files are, what they say, what they do."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from . import caller, cgroup, proc
from .harness import Container

pytestmark = pytest.mark.skipif(cgroup.mode() == "none", reason="no cgroup file system is mounted")

MIB = 1 << 20


# ---- where ------------------------------------------------------------------------------------------------------------


@pytest.mark.needs_cgroupfs_driver
def test_absolute_path_counts_from_the_mount(container: Container) -> None:
    container.linux["cgroupsPath"] = f"{cgroup.top()}/{container.id}/below"
    container.sleeping()
    for name, path in cgroup.membership(container.pid).items():
        if name in cgroup.mounts():
            assert path == f"{cgroup.top()}/{container.id}/below"
    container.delete("--force")
    cgroup.remove_tree(container.id)


def test_init_is_in_every_hierarchy_before_it_runs(container: Container) -> None:
    container.create()
    for path in cgroup.directories(container.pid):
        assert os.path.basename(path) == cgroup.name_for(container.id)
        with open(f"{path}/cgroup.procs") as file:
            assert str(container.pid) in file.read().split()


@pytest.mark.needs_cgroupfs_driver
def test_relative_path_counts_from_the_callers_cgroup(container: Container) -> None:
    container.linux["cgroupsPath"] = f"{container.id}-relative"
    container.sleeping()
    own = cgroup.membership("self")
    for name, path in cgroup.membership(container.pid).items():
        if name in cgroup.mounts():
            # a v2 cgroup with processes cannot have children with controllers
            place = os.path.dirname(own[name]) if cgroup.is_v2() else own[name]
            assert path == os.path.join(place, f"{container.id}-relative")


def test_absent_path_holds_the_id(container: Container) -> None:
    del container.linux["cgroupsPath"]
    container.sleeping()
    for path in cgroup.directories(container.pid):
        assert container.id in os.path.basename(path)
    container.delete("--force")
    assert cgroup.find_named(container.id) == []


@pytest.mark.needs_cgroupfs_driver
@pytest.mark.parametrize("path", ["{top}/{}/../{}", "{top}/./{}", "/{top}//{}/", "/../..{top}/{}"])
def test_path_is_cleaned_and_stays_below_the_mount(container: Container, path: str) -> None:
    container.linux["cgroupsPath"] = path.replace("{}", container.id).replace("{top}", cgroup.top())
    container.sleeping()
    for name, found in cgroup.membership(container.pid).items():
        if name in cgroup.mounts():
            assert found == f"{cgroup.top()}/{container.id}"


def test_delete_removes_the_cgroups(container: Container) -> None:
    container.args("true").up().wait()
    # systemd ends a scope with its last process
    assert cgroup.find_named(container.id) or cgroup.DRIVER == "systemd"
    container.delete()
    assert cgroup.find_named(container.id) == []


def test_delete_removes_cgroups_that_the_payload_made(container: Container) -> None:
    # of its own view of them: without it v2 shows those of the whole host
    container.namespace("cgroup").mount("/sys/fs/cgroup", "cgroup", "cgroup", "rw")
    top = "/sys/fs/cgroup" if cgroup.is_v2() else f"/sys/fs/cgroup/{sorted(cgroup.v1_controllers())[0]}"
    container.shell(f"mkdir -p {top}/inner/deeper").up().wait()
    container.delete()
    assert cgroup.find_named(container.id) == []


def test_delete_after_init_and_runtime_are_gone(container: Container) -> None:
    container.sleeping()
    os.kill(container.pid, 9)
    container.wait()
    container.delete()
    assert cgroup.find_named(container.id) == []


@pytest.mark.needs_cgroupfs_driver
@pytest.mark.old_runc_lacks("a refusal of a cgroup that has processes", strict=False)
def test_cgroup_with_other_processes_is_refused(container: Container) -> None:
    path = f"{next(iter(cgroup.mounts().values()))}{cgroup.top()}/{container.id}"
    os.mkdir(path)
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        try:
            Path(path, "cgroup.procs").write_text(str(stranger.pid))
            result = container.try_create()
            if result.returncode == 0:  # then it must at least not hurt the stranger
                container.delete("--force")
            assert proc.is_alive(stranger.pid)
            result.failed("cgroup")
        finally:
            stranger.kill()
            stranger.wait()
    cgroup.remove_tree(container.id)


@pytest.mark.needs_cgroupfs_driver
def test_two_containers_below_one_parent(make_container: Any) -> None:
    """A pod: the parent stays when one of them goes."""
    first, second = make_container(), make_container()
    first.linux["cgroupsPath"] = f"{cgroup.top()}/{first.id}-pod/one"
    second.linux["cgroupsPath"] = f"{cgroup.top()}/{first.id}-pod/two"
    first.sleeping()
    second.sleeping()
    first.delete("--force")
    for path in cgroup.directories(second.pid):
        assert os.path.isdir(path)
    second.delete("--force")
    cgroup.remove_tree(f"{first.id}-pod")


@pytest.mark.needs_cgroupfs_driver
@pytest.mark.planc_only("refusing at once what could only wait")
@pytest.mark.skipif("" not in cgroup.mounts(), reason="no cgroup2 file system is mounted")
def test_create_below_a_frozen_cgroup_is_refused(container: Container) -> None:
    parent = f"{cgroup.mounts()['']}{cgroup.top()}/{container.id}-pod"
    container.linux["cgroupsPath"] = f"{cgroup.top()}/{container.id}-pod/one"
    os.mkdir(parent)
    try:
        with open(f"{parent}/cgroup.freeze", "w") as file:
            file.write("1")
        container.args("true")
        result = container.run()
        result.failed(f"{container.id}-pod/one", "frozen")
        assert not os.path.exists(f"{parent}/one")
    finally:
        with open(f"{parent}/cgroup.freeze", "w") as file:
            file.write("0")
        cgroup.remove_tree(f"{container.id}-pod")
    assert container.runtime.leftovers() == []


def test_exec_joins_the_cgroup(container: Container) -> None:
    container.sleeping()
    container.exec("sleep", "1000", flags=["--detach", "--pid-file", container.pid_file + ".exec"]).ok()
    with open(container.pid_file + ".exec") as file:
        assert cgroup.membership(int(file.read())) == cgroup.membership(container.pid)


# ---- what the files say --------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """Resources, and what each flavour's files must hold afterwards."""

    name: str
    resources: dict[str, Any]
    controller: str
    v1: dict[str, str]
    v2: dict[str, str]


CASES = [
    Case(
        "memory.limit", {"memory": {"limit": 64 * MIB}}, "memory",
        {"memory.limit_in_bytes": str(64 * MIB)}, {"memory.max": str(64 * MIB)},
    ),
    Case(
        "memory.limit -1", {"memory": {"limit": -1}}, "memory",
        {"memory.limit_in_bytes": "9223372036854771712"}, {"memory.max": "max"},
    ),
    Case(
        "memory.reservation", {"memory": {"reservation": 32 * MIB}}, "memory",
        {"memory.soft_limit_in_bytes": str(32 * MIB)}, {"memory.low": str(32 * MIB)},
    ),
    Case(
        "memory.swap", {"memory": {"limit": 64 * MIB, "swap": 96 * MIB}}, "memory",
        {"memory.memsw.limit_in_bytes": str(96 * MIB)}, {"memory.swap.max": str(32 * MIB)},
    ),
    Case(
        "memory.swap equal to limit", {"memory": {"limit": 64 * MIB, "swap": 64 * MIB}}, "memory",
        {"memory.memsw.limit_in_bytes": str(64 * MIB)}, {"memory.swap.max": "0"},
    ),
    Case(
        "memory.swap -1", {"memory": {"limit": 64 * MIB, "swap": -1}}, "memory",
        {"memory.memsw.limit_in_bytes": "9223372036854771712"}, {"memory.swap.max": "max"},
    ),
    Case(
        "memory.swappiness", {"memory": {"swappiness": 17}}, "memory",
        {"memory.swappiness": "17"}, {},
    ),
    Case(
        "memory.swappiness 0", {"memory": {"swappiness": 0}}, "memory",
        {"memory.swappiness": "0"}, {},
    ),
    Case(
        "cpu.shares", {"cpu": {"shares": 512}}, "cpu",
        {"cpu.shares": "512"}, {"cpu.weight": "59"},
    ),
    Case(
        "cpu.shares default", {"cpu": {"shares": 1024}}, "cpu",
        {"cpu.shares": "1024"}, {"cpu.weight": "100"},
    ),
    Case(
        "cpu.shares smallest", {"cpu": {"shares": 2}}, "cpu",
        {"cpu.shares": "2"}, {"cpu.weight": "1"},
    ),
    Case(
        "cpu.shares largest", {"cpu": {"shares": 262144}}, "cpu",
        {"cpu.shares": "262144"}, {"cpu.weight": "10000"},
    ),
    Case(
        "cpu.quota and period", {"cpu": {"quota": 25000, "period": 50000}}, "cpu",
        {"cpu.cfs_quota_us": "25000", "cpu.cfs_period_us": "50000"}, {"cpu.max": "25000 50000"},
    ),
    Case(
        "cpu.quota alone", {"cpu": {"quota": 20000}}, "cpu",
        {"cpu.cfs_quota_us": "20000", "cpu.cfs_period_us": "100000"}, {"cpu.max": "20000 100000"},
    ),
    Case(
        "cpu.quota -1", {"cpu": {"quota": -1, "period": 40000}}, "cpu",
        {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "40000"}, {"cpu.max": "max 40000"},
    ),
    Case(
        "cpu.burst", {"cpu": {"quota": 50000, "period": 100000, "burst": 25000}}, "cpu",
        {"cpu.cfs_burst_us": "25000"}, {"cpu.max.burst": "25000"},
    ),
    Case(
        "cpu.idle", {"cpu": {"idle": 1}}, "cpu",
        {"cpu.idle": "1"}, {"cpu.idle": "1"},
    ),
    Case(
        "cpu.cpus", {"cpu": {"cpus": "0"}}, "cpuset",
        {"cpuset.cpus": "0"}, {"cpuset.cpus": "0"},
    ),
    Case(
        "cpu.mems", {"cpu": {"mems": "0"}}, "cpuset",
        {"cpuset.mems": "0"}, {"cpuset.mems": "0"},
    ),
    Case(
        "pids.limit", {"pids": {"limit": 123}}, "pids",
        {"pids.max": "123"}, {"pids.max": "123"},
    ),
    Case(
        "pids.limit -1", {"pids": {"limit": -1}}, "pids",
        {"pids.max": "max"}, {"pids.max": "max"},
    ),
]  # fmt: skip
OLD_RUNC_GAPS = {
    "cpu.burst": "cpu.burst",
    "cpu.idle": "cpu.idle",
    "cpu.shares": "the newer conversion of shares",
}


def _marks(case: Case) -> list[Any]:
    marks: list[Any] = [pytest.mark.needs_controller(case.controller)]
    if case.name in OLD_RUNC_GAPS:
        marks.append(pytest.mark.old_runc_lacks(OLD_RUNC_GAPS[case.name], strict=False))
    return marks


def _check_files(pid: int, controller: str, v1: dict[str, str], v2: dict[str, str]) -> None:
    expected = v1 if controller in cgroup.v1_controllers() else v2
    for name, value in expected.items():
        path = f"{cgroup.directory(pid, controller)}/{name}"
        if not os.path.exists(path):
            pytest.skip(f"the kernel has no {name}")
        assert Path(path).read_text().strip() == value, name


@pytest.mark.parametrize("case", [pytest.param(case, marks=_marks(case), id=case.name) for case in CASES])
def test_value(container: Container, case: Case) -> None:
    container.resources(**case.resources).create()
    _check_files(container.pid, case.controller, case.v1, case.v2)


@pytest.mark.needs_controller("cpu", "memory", "pids")
def test_several_at_once(container: Container) -> None:
    container.resources(
        memory={"limit": 128 * MIB, "reservation": 64 * MIB},
        cpu={"shares": 1024, "quota": 90000},
        pids={"limit": 55},
    ).create()
    for wanted in ("memory.reservation", "cpu.shares default"):
        case = next(case for case in CASES if case.name == wanted)
        if wanted == "memory.reservation":
            v1, v2 = {"memory.limit_in_bytes": str(128 * MIB)}, {"memory.max": str(128 * MIB)}
            _check_files(container.pid, "memory", v1, v2)
        else:
            _check_files(container.pid, "cpu", case.v1, case.v2)
    assert cgroup.read(container.pid, "pids", "pids.max") == "55"


@pytest.mark.needs_controller("memory")
def test_disable_oom_killer(container: Container) -> None:
    if "memory" not in cgroup.v1_controllers():
        pytest.skip("memory.oom_control exists only on cgroup v1")
    container.resources(memory={"limit": 64 * MIB, "disableOOMKiller": True}).create()
    assert cgroup.keyed(container.pid, "memory", "memory.oom_control")["oom_kill_disable"] == "1"


@pytest.mark.needs_controller("memory")
def test_kernel_memory_is_ignored(container: Container) -> None:
    """docker sends "kernel": 0, and older managers more; the kernel has dropped it."""
    container.resources(memory={"limit": 64 * MIB, "kernel": 32 * MIB, "kernelTCP": 32 * MIB}).sleeping()
    assert container.status == "running"


@pytest.mark.needs_controller("pids")
@pytest.mark.planc_only("no limit where Podman's API says 0; new runc sets 1")
def test_pids_limit_0_is_no_limit(container: Container) -> None:
    container.resources(pids={"limit": 0}).create()
    expected = "max"
    if cgroup.DRIVER == "systemd":  # gives every unit without one its own
        manager = "--user" if caller.ROOTLESS else "--system"
        words = ["systemctl", manager, "show", "--property=DefaultTasksMax", "--value"]
        expected = subprocess.check_output(words, text=True).strip().replace("infinity", "max")
    assert cgroup.read(container.pid, "pids", "pids.max") == expected


@pytest.mark.needs_controller("memory", "cpu")
def test_zeros_mean_unset(container: Container) -> None:
    """docker sends them for everything that the user has not given."""
    container.resources(
        memory={"limit": 0, "reservation": 0, "swap": 0},
        cpu={"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""},
        blockIO={"weight": 0},
    ).sleeping()
    _check_files(
        container.pid,
        "cpu",
        {"cpu.shares": "1024", "cpu.cfs_quota_us": "-1"},
        {"cpu.weight": "100", "cpu.max": "max 100000"},
    )


# ---- block I/O ---------------------------------------------------------------------------------------------------------


def _block_device() -> tuple[int, int] | None:
    """A whole disk of some size."""
    for name in sorted(os.listdir("/sys/block")) if os.path.isdir("/sys/block") else []:
        if int(Path(f"/sys/block/{name}/size").read_text()) > 0:
            major, minor = Path(f"/sys/block/{name}/dev").read_text().split(":")
            return int(major), int(minor)
    return None


THROTTLES = {
    "throttleReadBpsDevice": ("blkio.throttle.read_bps_device", "rbps"),
    "throttleWriteBpsDevice": ("blkio.throttle.write_bps_device", "wbps"),
    "throttleReadIOPSDevice": ("blkio.throttle.read_iops_device", "riops"),
    "throttleWriteIOPSDevice": ("blkio.throttle.write_iops_device", "wiops"),
}


@pytest.mark.parametrize("name", THROTTLES)
def test_throttle(container: Container, name: str) -> None:
    device = _block_device()
    if device is None:
        pytest.skip("no block device of any size")
    if not {"blkio", "io"} & cgroup.controllers():
        pytest.skip("no cgroup controller blkio or io")
    container.resources(blockIO={name: [{"major": device[0], "minor": device[1], "rate": 1000000}]}).create()
    v1_file, v2_key = THROTTLES[name]
    if "blkio" in cgroup.v1_controllers():
        assert cgroup.read(container.pid, "blkio", v1_file) == f"{device[0]}:{device[1]} 1000000"
    else:
        assert f"{v2_key}=1000000" in cgroup.read(container.pid, "io", "io.max")


def test_block_weight(container: Container) -> None:
    if not {"blkio", "io"} & cgroup.controllers():
        pytest.skip("no cgroup controller blkio or io")
    container.resources(blockIO={"weight": 500})
    result = container.try_create()
    if result.returncode != 0:
        result.failed("weight")  # a kernel without BFQ and without blkio.weight: then the error must say so
        return
    if "blkio" in cgroup.v1_controllers():
        found = [
            cgroup.read(container.pid, "blkio", name)
            for name in ("blkio.bfq.weight",)
            if _has(container, "blkio", name)
        ]
        assert found in (["500"], [])
    elif _has(container, "io", "io.bfq.weight"):
        assert cgroup.read(container.pid, "io", "io.bfq.weight").split()[-1] == "500"
    else:
        assert cgroup.read(container.pid, "io", "io.weight") == "default 4950"


def _has(container: Container, controller: str, name: str) -> bool:
    return os.path.exists(f"{cgroup.directory(container.pid, controller)}/{name}")


# ---- the rest --------------------------------------------------------------------------------------------------------


@pytest.mark.needs_controller("hugetlb")
def test_hugepage_limit(container: Container) -> None:
    if cgroup.mode() == "hybrid" and "hugetlb" not in cgroup.v1_controllers():
        pytest.skip("hugetlb is on the cgroup2 side of a hybrid host, where nobody enables it")
    container.resources(hugepageLimits=[{"pageSize": "2MB", "limit": 4 * MIB}]).create()
    v1, v2 = {"hugetlb.2MB.limit_in_bytes": str(4 * MIB)}, {"hugetlb.2MB.max": str(4 * MIB)}
    _check_files(container.pid, "hugetlb", v1, v2)


@pytest.mark.needs_controller("hugetlb")
@pytest.mark.old_runc_lacks("a refusal of unknown huge page sizes", strict=False)
def test_unknown_page_size_is_refused(container: Container) -> None:
    container.resources(hugepageLimits=[{"pageSize": "3MB", "limit": 4 * MIB}])
    container.try_create().failed("3MB" if "hugetlb" in cgroup.controllers() else "hugetlb")


@pytest.mark.needs_controller("net_cls")
def test_network_class(container: Container) -> None:
    container.resources(network={"classID": 0x100001}).create()
    assert cgroup.read(container.pid, "net_cls", "net_cls.classid") == str(0x100001)


@pytest.mark.needs_controller("net_prio")
def test_network_priorities(container: Container) -> None:
    container.without_namespace("network").resources(
        network={"priorities": [{"name": "lo", "priority": 7}]}
    ).create()
    assert cgroup.keyed(container.pid, "net_prio", "net_prio.ifpriomap")["lo"] == "7"


@pytest.mark.needs_cgroup_v2
def test_unified(container: Container) -> None:
    container.resources(unified={"memory.high": str(48 * MIB), "pids.max": "77", "cpu.weight": "33"}).create()
    assert cgroup.read(container.pid, "memory", "memory.high") == str(48 * MIB)
    assert cgroup.read(container.pid, "pids", "pids.max") == "77"
    assert cgroup.read(container.pid, "cpu", "cpu.weight") == "33"


@pytest.mark.needs_cgroup_v2
def test_unified_wins_over_converted_values(container: Container) -> None:
    container.resources(cpu={"shares": 1024}, unified={"cpu.weight": "33"}).create()
    assert cgroup.read(container.pid, "cpu", "cpu.weight") == "33"


@pytest.mark.needs_cgroup_v2
@pytest.mark.parametrize("unified", [{"nonsense.max": "1"}, {"memory.nonsense": "1"}, {"../memory.max": "1"}])
def test_bad_unified_key_is_refused(container: Container, unified: dict[str, str]) -> None:
    container.resources(unified=unified).try_create().failed(next(iter(unified)))
    assert container.runtime.leftovers() == []


@pytest.mark.needs_cgroup_v1
def test_unified_on_v1_is_refused(container: Container) -> None:
    container.resources(unified={"memory.high": "1000000"}).try_create().failed("unified")
    assert container.runtime.leftovers() == []


# ---- in force ----------------------------------------------------------------------------------------------------------


@pytest.mark.needs_controller("memory")
def test_memory_limit_kills(container: Container) -> None:
    container.resources(memory={"limit": 16 * MIB, "swap": 16 * MIB})
    container.shell("exec tail -c 100000000 /dev/zero")
    assert container.run().returncode == 137


@pytest.mark.needs_controller("pids")
def test_pids_limit_stops_forks(container: Container) -> None:
    container.resources(pids={"limit": 4})
    result = container.shell("for i in 1 2 3 4 5 6; do sleep 1000 & done; wait").run()
    assert "can't fork" in result.stderr or "Resource temporarily unavailable" in result.stderr


@pytest.mark.needs_controller("cpuset")
def test_cpuset_is_in_force(container: Container) -> None:
    container.resources(cpu={"cpus": "0"}).sleeping()
    assert os.sched_getaffinity(container.pid) == {0}


@pytest.mark.needs_controller("cpu")
def test_cpu_quota_throttles(container: Container) -> None:
    container.resources(cpu={"quota": 10000, "period": 100000})
    container.shell("while :; do :; done").up()
    proc.wait_until(
        lambda: int(cgroup.keyed(container.pid, "cpu", "cpu.stat")["nr_throttled"]) > 0, "it is throttled"
    )


@pytest.mark.needs_controller("memory")
def test_limits_are_in_force_before_the_process_is_in(container: Container) -> None:
    container.resources(memory={"limit": 64 * MIB})
    seen = f"{os.path.dirname(container.bundle.path)}/seen"
    name = "memory.limit_in_bytes" if "memory" in cgroup.v1_controllers() else "memory.max"
    top = cgroup.mounts().get("memory") or cgroup.mounts()[""]
    hook = f"cat {top}{cgroup.place_for(container.id)}/{name} > {seen}"
    container.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", hook]}]}
    container.create()
    assert Path(seen).read_text().strip() == str(64 * MIB)


# ---- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("controller", "resources", "words"),
    [
        ("cpu", {"cpu": {"quota": 5}}, ["quota"]),
        ("cpuset", {"cpu": {"cpus": "4096"}}, ["cpu"]),
        ("cpuset", {"cpu": {"cpus": "nonsense"}}, ["cpu"]),
        ("memory", {"memory": {"limit": 64 * MIB, "swap": 32 * MIB}}, ["mem"]),
    ],
)
def test_value_that_the_kernel_refuses(
    container: Container, controller: str, resources: dict[str, Any], words: list[str]
) -> None:
    if controller not in cgroup.controllers():
        pytest.skip(f"no cgroup controller {controller}")
    container.resources(**resources).try_create().failed(*words)
    assert container.runtime.leftovers() == []
    assert cgroup.find_named(container.id) == []


@pytest.mark.planc_only("JSON pointers in its errors")
@pytest.mark.parametrize(
    ("resources", "word"),
    [
        ({"memory": {"limit": "64m"}}, "linux.resources.memory.limit"),
        ({"cpu": {"shares": -1}}, "linux.resources.cpu.shares"),
        ({"cpu": {"cpus": 0}}, "linux.resources.cpu.cpus"),
        ({"pids": {}}, "linux.resources.pids.limit"),
        ({"blockIO": {"weight": 5}}, "linux.resources.blockIO.weight"),
        ({"devices": [{"access": "rwm"}]}, "linux.resources.devices[0].allow"),
        ({"devices": [{"allow": True, "type": "z", "access": "rwm"}]}, "linux.resources.devices[0].type"),
        ({"devices": [{"allow": True, "type": "c", "access": "xyz"}]}, "linux.resources.devices[0].access"),
        ({"hugepageLimits": [{"limit": 1}]}, "linux.resources.hugepageLimits[0].pageSize"),
        ({"memory": {"limit": 1000, "swap": 500}}, "linux.resources.memory.swap"),
    ],
)
def test_bad_values_are_named(container: Container, resources: dict[str, Any], word: str) -> None:
    container.resources(**resources).try_create().failed(word)


def test_resources_survive_in_the_record(container: Container) -> None:
    """`state` does not tell them, but `update` starts from them; the record must be JSON that loads."""
    container.resources(pids={"limit": 50}).sleeping()
    for parent, _, names in os.walk(container.runtime.root):
        for name in names:
            if name.endswith(".json"):
                json.loads(Path(parent, name).read_text())
