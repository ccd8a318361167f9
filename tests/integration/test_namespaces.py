"""linux.namespaces: new, shared with the runtime, or joined by path; linux.timeOffsets."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable

import pytest

from . import caller, cgroup, holders, proc
from .harness import Container, reap
from .proc import NAMESPACE_FILE

MakeContainer = Callable[..., Container]

BASE = ("pid", "network", "ipc", "uts", "mount")
OLD_RUNC_LACKS_TIME = pytest.mark.old_runc_lacks("time namespaces")


# ---- new and shared ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*BASE, "cgroup", pytest.param("time", marks=OLD_RUNC_LACKS_TIME)])
def test_new_namespace_differs_from_the_hosts(container: Container, kind: str) -> None:
    container.namespace(kind).sleeping()
    assert proc.ns(container.pid, NAMESPACE_FILE[kind]) != proc.ns("self", NAMESPACE_FILE[kind])


@pytest.mark.parametrize(
    "kind",
    [
        "pid",
        "network",
        "ipc",
        "uts",
        "cgroup",
        "time",
        pytest.param("user", marks=pytest.mark.needs_root("a container without a user namespace")),
    ],
)
def test_absent_namespace_is_the_hosts(container: Container, kind: str) -> None:
    container.without_namespace(kind)
    if kind == "ipc":
        container.without_mount("/dev/mqueue")
    container.sleeping()
    assert proc.ns(container.pid, NAMESPACE_FILE[kind]) == proc.ns("self", NAMESPACE_FILE[kind])


def test_absent_namespaces_list_entry_leaves_the_others_new(container: Container) -> None:
    container.without_namespace("network", "uts").sleeping()
    for kind in ("pid", "ipc", "mount"):
        assert proc.ns(container.pid, NAMESPACE_FILE[kind]) != proc.ns("self", NAMESPACE_FILE[kind])


def test_two_containers_have_distinct_namespaces(make_container: MakeContainer) -> None:
    first, second = make_container().sleeping(), make_container().sleeping()
    for kind in BASE:
        file = NAMESPACE_FILE[kind]
        assert proc.ns(first.pid, file) != proc.ns(second.pid, file)


def test_init_is_pid_1_of_a_new_pid_namespace(container: Container) -> None:
    assert container.sh("echo $$; ps -o pid >/tmp/ps; wc -l </tmp/ps") == "1\n3"


def test_host_pid_namespace_shows_host_processes(container: Container) -> None:
    container.without_namespace("pid")
    assert f"[{os.getpid()}]" in container.sh(f"echo [$(ls -d /proc/{os.getpid()} | cut -d/ -f3)]")


def test_new_network_namespace_has_only_loopback_and_it_is_up(container: Container) -> None:
    output = container.sh("ls /sys/class/net; ip addr show lo")
    assert output.splitlines()[0] == "lo"
    assert "LOOPBACK,UP" in output and "127.0.0.1/8" in output


def test_host_network_namespace_has_the_hosts_interfaces(container: Container) -> None:
    container.without_namespace("network")
    assert container.sh("ls /sys/class/net").split() == sorted(os.listdir("/sys/class/net"))


def test_new_uts_namespace_leaves_the_hosts_name(container: Container) -> None:
    before = os.uname().nodename
    assert container.sh("hostname; hostname changed 2>/dev/null; true") == "container"
    assert os.uname().nodename == before


def test_cgroup_namespace_shows_its_own_root(container: Container) -> None:
    container.namespace("cgroup")
    paths = {line.split(":")[2] for line in container.sh("cat /proc/self/cgroup").splitlines()}
    if len(paths) > 1:  # hierarchies without the container keep the path of the runtime
        assert not any(container.id in path for path in paths)
    assert "/" in paths


def test_host_cgroup_namespace_shows_the_hosts_path(container: Container) -> None:
    assert f"/{cgroup.name_for(container.id)}" in container.sh("cat /proc/self/cgroup")


@pytest.mark.needs_root("a container in the caller's mount namespace")
def test_no_mount_namespace_runs_in_the_callers(container: Container) -> None:
    """The caller itself is put into a private mount namespace first, for the sake of this machine."""
    container.without_namespace("mount")
    container.config["mounts"] = [
        item for item in container.config["mounts"] if item["destination"] == "/proc"
    ]
    container.shell("readlink /proc/self/ns/mnt; ls -d /bin/busybox").bundle.write()
    script = 'readlink /proc/self/ns/mnt; "$@"'
    prefix = ["unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh"]
    result = container.run(prefix=prefix).ok()
    callers, contained, busybox = result.stdout.split()
    assert callers == contained != proc.ns("self", "mnt")
    assert busybox == "/bin/busybox"


def test_empty_namespace_list_is_allowed(container: Container) -> None:
    container.without_namespace("pid", "network", "ipc", "uts").without_mount("/dev/mqueue").sleeping()
    for kind in ("pid", "net", "ipc", "uts"):
        assert proc.ns(container.pid, kind) == proc.ns("self", kind)


# ---- by path -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["network", "ipc", "uts", "cgroup", "pid", pytest.param("time", marks=OLD_RUNC_LACKS_TIME)]
)
def test_join_by_path(container: Container, kind: str) -> None:
    file = NAMESPACE_FILE[kind]
    if kind == "uts":
        del container.config["hostname"]
    with holders.holder(file) as pid:
        container.namespace(kind, holders.path(pid, file)).sleeping()
        assert proc.ns(container.pid, file) == proc.ns(pid, file)
        container.delete("--force")


def test_join_mount_namespace_by_path(container: Container) -> None:
    with holders.holder("mnt", extra=("--propagation", "private")) as pid:
        container.namespace("mount", holders.path(pid, "mnt")).sleeping()
        assert proc.ns(container.pid, "mnt") == proc.ns(pid, "mnt")
        container.delete("--force")


def test_joined_pid_namespace_has_another_init(container: Container) -> None:
    with holders.holder("pid") as pid:
        container.namespace("pid", holders.path(pid, "pid"))
        assert int(container.sh("echo $$")) > 1


@pytest.mark.needs_root("mount")
def test_join_through_a_bind_mounted_file(container: Container, directory: str) -> None:
    """As `ip netns` keeps its namespaces."""
    path = f"{directory}/netns"
    open(path, "w").close()
    with holders.holder("net") as pid:
        identity = proc.ns(pid, "net")
        subprocess.run(["mount", "--bind", holders.path(pid, "net"), path], check=True)
    try:
        container.namespace("network", path).sleeping()
        assert proc.ns(container.pid, "net") == identity
        container.delete("--force")
    finally:
        subprocess.run(["umount", path], check=True)


def test_pod_shares_namespaces_of_its_first_container(make_container: MakeContainer) -> None:
    sandbox, member = make_container().sleeping(), make_container()
    for kind in ("network", "ipc", "uts", "pid", *(["user"] if caller.ROOTLESS else [])):
        member.namespace(kind, holders.path(sandbox.pid, NAMESPACE_FILE[kind]))
    del member.config["hostname"]
    member.sleeping()
    for kind in ("net", "ipc", "uts", "pid"):
        assert proc.ns(member.pid, kind) == proc.ns(sandbox.pid, kind)
    assert proc.ns(member.pid, "mnt") != proc.ns(sandbox.pid, "mnt")
    assert member.exec_sh("hostname") == "container"
    pid = member.pid
    member.delete("--force")
    reap(pid)  # an unreaped process would keep the shared pid namespace
    assert sandbox.status == "running"


def test_joined_network_namespace_is_not_reconfigured(container: Container) -> None:
    """Only a new network namespace gets its loopback brought up by the runtime."""
    with holders.holder("net") as pid:
        container.namespace("network", holders.path(pid, "net"))
        assert "UP" not in container.sh("ip addr show lo").splitlines()[0]


def test_all_namespaces_by_path(container: Container) -> None:
    with holders.holder("net", "ipc", "uts", "pid", "cgroup") as pid:
        for kind in ("network", "ipc", "uts", "pid", "cgroup"):
            container.namespace(kind, holders.path(pid, NAMESPACE_FILE[kind]))
        del container.config["hostname"]
        container.sleeping()
        for kind in ("net", "ipc", "uts", "pid", "cgroup"):
            assert proc.ns(container.pid, kind) == proc.ns(pid, kind)
        container.delete("--force")


def test_joined_namespace_survives_the_container(container: Container) -> None:
    with holders.holder("net") as pid:
        container.namespace("network", holders.path(pid, "net"))
        container.sh("true")
        assert proc.is_alive(pid)


# ---- refusals ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "other"), [("network", "uts"), ("ipc", "net"), ("uts", "ipc"), ("pid", "net"), ("cgroup", "net")]
)
def test_path_of_another_type_is_refused(container: Container, kind: str, other: str) -> None:
    if kind == "uts":
        del container.config["hostname"]
    with holders.holder(other) as pid:
        container.namespace(kind, holders.path(pid, other)).try_create().failed("invalid argument")
    assert container.runtime.leftovers() == []


@pytest.mark.parametrize("kind", ["network", "ipc", "pid", "cgroup"])
def test_missing_path_is_refused(container: Container, kind: str) -> None:
    result = container.namespace(kind, "/nowhere/ns").try_create()
    result.failed("/nowhere/ns", "no such file or directory")


def test_path_of_an_ordinary_file_is_refused(container: Container, directory: str) -> None:
    path = f"{directory}/file"
    open(path, "w").close()
    container.namespace("network", path).try_create().failed()
    assert container.runtime.leftovers() == []


@pytest.mark.planc_only("JSON pointers in its errors")
@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"type": "nonsense"}, ["linux.namespaces[{}].type", "nonsense"]),
        ({"type": "ipc"}, ["linux.namespaces[{}]", "ipc"]),
        ({"type": "cgroup", "path": "relative"}, ["linux.namespaces[{}].path", "relative"]),
        ({"path": "/proc/self/ns/net"}, ["linux.namespaces[{}].type"]),
        ({"type": "cgroup", "path": 7}, ["linux.namespaces[{}].path"]),
    ],
)
def test_bad_entries_are_named(container: Container, entry: dict[str, object], words: list[str]) -> None:
    container.linux["namespaces"].append(entry)
    index = len(container.linux["namespaces"]) - 1
    container.try_create().failed(*(word.format(index) for word in words))


@pytest.mark.parametrize("kind", BASE)
def test_duplicate_namespace_is_refused(container: Container, kind: str) -> None:
    container.linux["namespaces"].append({"type": kind})
    container.try_create().failed("duplicate", kind)


# ---- time ----------------------------------------------------------------------------------------------------------


def _offsets(pid: int) -> dict[str, tuple[int, int]]:
    with open(f"/proc/{pid}/timens_offsets") as file:
        rows = [line.split() for line in file]
    return {row[0]: (int(row[1]), int(row[2])) for row in rows}


@OLD_RUNC_LACKS_TIME
def test_time_offsets(container: Container) -> None:
    container.namespace("time")
    container.linux["timeOffsets"] = {
        "monotonic": {"secs": 7881, "nanosecs": 2718281},
        "boottime": {"secs": 1337, "nanosecs": 3141519},
    }
    container.sleeping()
    assert _offsets(container.pid) == {"monotonic": (7881, 2718281), "boottime": (1337, 3141519)}


@OLD_RUNC_LACKS_TIME
def test_boottime_offset_moves_the_uptime(container: Container) -> None:
    container.namespace("time")
    container.linux["timeOffsets"] = {"boottime": {"secs": 1000000}}
    with open("/proc/uptime") as file:
        host = float(file.read().split()[0])
    assert float(container.sh("cut -d' ' -f1 /proc/uptime")) == pytest.approx(host + 1000000, abs=30)


@OLD_RUNC_LACKS_TIME
def test_negative_offset(container: Container) -> None:
    container.namespace("time")
    container.linux["timeOffsets"] = {"boottime": {"secs": -5, "nanosecs": 500000000}}
    container.sleeping()
    assert _offsets(container.pid)["boottime"] == (-5, 500000000)


@OLD_RUNC_LACKS_TIME
def test_time_namespace_without_offsets(container: Container) -> None:
    container.namespace("time").sleeping()
    assert _offsets(container.pid) == {"monotonic": (0, 0), "boottime": (0, 0)}


@OLD_RUNC_LACKS_TIME
def test_exec_enters_the_time_namespace(container: Container) -> None:
    container.namespace("time")
    container.linux["timeOffsets"] = {"boottime": {"secs": 1000000}}
    container.sleeping()
    assert float(container.exec_sh("cut -d' ' -f1 /proc/uptime")) > 1000000


@pytest.mark.old_runc_lacks("timeOffsets")
def test_time_offsets_need_the_namespace(container: Container) -> None:
    container.linux["timeOffsets"] = {"boottime": {"secs": 1}}
    container.try_create().failed("time")
    assert container.runtime.leftovers() == []


@pytest.mark.old_runc_lacks("timeOffsets", strict=False)
def test_time_offsets_need_a_new_namespace(container: Container) -> None:
    with holders.holder("time") as pid:
        container.namespace("time", holders.path(pid, "time"))
        container.linux["timeOffsets"] = {"boottime": {"secs": 1}}
        container.try_create().failed("time")


@pytest.mark.planc_only("timeOffsets")
def test_unknown_clock_is_refused(container: Container) -> None:
    container.namespace("time")
    container.linux["timeOffsets"] = {"realtime": {"secs": 1}}
    container.try_create().failed("linux.timeOffsets", "realtime")


# ---- exec ----------------------------------------------------------------------------------------------------------


def test_exec_enters_every_namespace_of_init(container: Container) -> None:
    container.namespace("cgroup").sleeping()
    script = "for n in mnt pid net ipc uts cgroup user; do readlink /proc/self/ns/$n; done"
    expected = [proc.ns(container.pid, n) for n in ("mnt", "pid", "net", "ipc", "uts", "cgroup", "user")]
    assert container.exec_sh(script).split() == expected


def test_exec_enters_joined_namespaces(container: Container) -> None:
    with holders.holder("net") as pid:
        container.namespace("network", holders.path(pid, "net")).sleeping()
        assert container.exec_sh("readlink /proc/self/ns/net") == proc.ns(pid, "net")
        container.delete("--force")


def test_namespace_paths_reach_the_record_of_hooks(container: Container) -> None:
    """A hook gets the pid through which a network can be set up before start."""
    out = f"{os.path.dirname(container.bundle.path)}/state"
    container.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", f"cat > {out}"]}]}
    container.create()
    with open(out) as file:
        state = json.load(file)
    assert proc.ns(state["pid"], "net") == proc.ns(container.pid, "net")
