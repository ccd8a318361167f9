"""What only a pure cgroup v2 host has: memory.oom.group, delegation, containers with cgroups of their own, PSI."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import cgroup, proc, unprivileged
from .harness import Container

pytestmark = pytest.mark.needs_cgroup_v2

MIB = 1 << 20
FIRST = 100000


def _directory(container: Container) -> str:
    """The container's top cgroup, wherever its processes are."""
    path = container.linux["cgroupsPath"]
    if path.startswith("/"):
        return f"{cgroup.mounts()['']}{path}"
    return min(cgroup.find_named(cgroup.name_for(container.id)), key=len)


def _read(container: Container, name: str) -> str:
    return Path(_directory(container), name).read_text().rstrip("\n")


# ---- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.needs_controller("memory")
@pytest.mark.parametrize("group", ["0", "1"])
def test_oom_kills_one_or_all(container: Container, group: str) -> None:
    container.resources(memory={"limit": 16 * MIB, "swap": 16 * MIB}, unified={"memory.oom.group": group})
    container.shell("tail -c 100000000 /dev/zero; echo survived > /tmp/survived; sleep 1000").up()
    if group == "1":
        assert container.wait() == 137
    else:
        file = Path(f"/proc/{container.pid}/root/tmp/survived")
        proc.wait_until(lambda: file.exists() and file.read_text() == "survived\n", "init has survived")
    assert not Path(container.root, "tmp/survived").exists() or group == "0"


@pytest.mark.planc_only("refusing what would hang")
@pytest.mark.parametrize("file", ["cgroup.freeze", "cgroup.kill", "cgroup.procs", "cgroup.subtree_control"])
def test_unified_is_for_limits(container: Container, file: str) -> None:
    container.resources(unified={file: "1"}).try_create().failed(
        f'linux.resources.unified["{file}"]', "limit"
    )
    assert container.runtime.leftovers() == []


@pytest.mark.needs_controller("memory", "pids")
def test_update_of_unified(container: Container) -> None:
    container.resources(pids={"limit": 50}, unified={"memory.high": str(32 * MIB)}).sleeping()
    wanted = {"unified": {"memory.low": str(MIB), "memory.oom.group": "1"}}
    text = json.dumps(wanted).encode()
    container.runtime.call("update", "--resources", "-", container.id, stdin=text).ok()
    assert (_read(container, "memory.low"), _read(container, "memory.oom.group")) == (str(MIB), "1")
    assert (_read(container, "memory.high"), _read(container, "pids.max")) == (str(32 * MIB), "50")


@pytest.mark.old_runc_lacks("putting old values back")
@pytest.mark.needs_controller("memory", "pids")
def test_failed_update_of_unified_changes_nothing(container: Container) -> None:
    container.resources(pids={"limit": 50}, unified={"memory.high": str(32 * MIB)}).sleeping()
    wanted = {"pids": {"limit": 60}, "unified": {"memory.high": "max", "memory.low": "nonsense"}}
    text = json.dumps(wanted).encode()
    result = container.runtime.call("update", "--resources", "-", container.id, stdin=text)
    result.failed("memory.low")
    assert (_read(container, "memory.high"), _read(container, "pids.max")) == (str(32 * MIB), "50")


# ---- controllers that do not come down --------------------------------------------------------------------------------


@pytest.fixture
def pod(container: Container) -> Iterator[str]:
    """A cgroup of somebody else's, in which the container's is to be."""
    container.linux["cgroupsPath"] = f"{cgroup.top()}/{container.id}-pod/c"
    path = os.path.dirname(_directory(container))
    os.mkdir(path)
    yield path
    container.delete("--force")
    cgroup.remove_tree(f"{container.id}-pod")


@pytest.mark.needs_cgroupfs_driver
@pytest.mark.planc_only("saying which cgroup keeps a controller back")
@pytest.mark.needs_controller("memory")
def test_a_parent_with_processes_is_named(container: Container, pod: str) -> None:
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        try:
            Path(pod, "cgroup.procs").write_text(str(stranger.pid))
            container.resources(memory={"limit": 64 * MIB}).try_create().failed(
                "linux.resources.memory.limit", pod, "memory controller", "processes of its own"
            )
            assert container.runtime.leftovers() == []
            assert not os.path.exists(f"{pod}/c")
            # without limits there is nothing that it lacks
            del container.linux["resources"]["memory"]
            container.args("true")
            container.run().ok()
        finally:
            stranger.kill()
            stranger.wait()


@pytest.mark.needs_cgroupfs_driver
@pytest.mark.needs_controller("pids", "memory")
def test_below_a_threaded_cgroup(container: Container, pod: str) -> None:
    """Only what threads can have, too, can be limited there."""
    with subprocess.Popen(["sleep", "1000"]) as stranger:
        try:
            Path(pod, "cgroup.procs").write_text(str(stranger.pid))
            Path(pod, "cgroup.subtree_control").write_text("+pids")
            container.resources(memory={"limit": 64 * MIB}).try_create().failed("threaded")
            del container.linux["resources"]["memory"]
            container.resources(pids={"limit": 20}).sleeping()
            assert (_read(container, "cgroup.type"), _read(container, "pids.max")) == ("threaded", "20")
            assert container.exec_sh("echo in") == "in"
            container.runtime.call("pause", container.id).ok()
            assert container.status == "paused"
            container.runtime.call("resume", container.id).ok()
            container.kill_and_wait().delete()
            assert not os.path.exists(f"{pod}/c")
            assert proc.is_alive(stranger.pid)
        finally:
            stranger.kill()
            stranger.wait()


@pytest.fixture
def delegated(container: Container, directory: str) -> Iterator[Container]:
    """Rootless, called from a cgroup of the user's own to which only memory and pids come down."""
    top = cgroup.mounts()[""]
    outer, own = f"{top}/{container.id}-outer", cgroup.membership("self")[""]
    unprivileged.prepare(container, directory)
    container.linux["cgroupsPath"] = f"/{container.id}-outer/user/c"
    os.makedirs(f"{outer}/user/init")
    Path(outer, "cgroup.subtree_control").write_text("+memory +pids")
    Path(outer, "user/init/cgroup.procs").write_text(str(os.getpid()))
    for name in (
        "",
        "init/",
        "init/cgroup.procs",
        "cgroup.procs",
        "cgroup.subtree_control",
        "cgroup.threads",
    ):
        os.chown(f"{outer}/user/{name}", unprivileged.UID, unprivileged.UID)
    yield container
    container.delete("--force")
    Path(top + own, "cgroup.procs").write_text(str(os.getpid()))
    cgroup.remove_tree(f"{container.id}-outer")


@pytest.mark.needs_root("a cgroup for another user")
@pytest.mark.needs_cgroupfs_driver
@pytest.mark.needs_controller("memory", "pids")
def test_limits_of_what_is_delegated_to_a_user(delegated: Container) -> None:
    delegated.resources(memory={"limit": 64 * MIB}, pids={"limit": 50}).sleeping()
    assert (_read(delegated, "memory.max"), _read(delegated, "pids.max")) == (str(64 * MIB), "50")
    delegated.runtime.call("update", "--pids-limit", "60", delegated.id).ok()
    assert _read(delegated, "pids.max") == "60"
    assert delegated.exec_sh("cat /proc/self/cgroup").endswith("/user/c")
    assert _stats(delegated)["pids"]["limit"] == 60
    delegated.runtime.call("pause", delegated.id).ok()
    delegated.runtime.call("resume", delegated.id).ok()
    delegated.kill_and_wait().delete()
    assert not os.path.exists(_directory(delegated))


@pytest.mark.needs_root("a cgroup for another user")
@pytest.mark.needs_cgroupfs_driver
@pytest.mark.planc_only("saying which cgroup keeps a controller back")
@pytest.mark.needs_controller("memory", "pids", "cpu")
@pytest.mark.parametrize("resources", [{"cpu": {"shares": 512}}, {"unified": {"cpu.weight": "50"}}])
def test_what_is_not_delegated_to_a_user_is_named(delegated: Container, resources: dict[str, Any]) -> None:
    outer = os.path.dirname(os.path.dirname(_directory(delegated)))
    result = delegated.resources(**resources).try_create()
    result.failed("linux.resources.", f"{outer} does not hand on the cpu controller", "Delegate=cpu")
    assert delegated.runtime.leftovers() == []
    assert not os.path.exists(_directory(delegated))


# ---- containers with cgroups of their own -----------------------------------------------------------------------------

MANAGER = """
set -e
cd /sys/fs/cgroup
mkdir init.scope payload
echo 0 > init.scope/cgroup.procs
echo +pids > cgroup.subtree_control
echo 5 > payload/pids.max
touch /tmp/managed
exec sleep 1000
"""


def _manager(container: Container) -> Container:
    """A container that does with its cgroup what systemd does with it."""
    container.namespace("cgroup")
    container.without_mount("/sys/fs/cgroup").mount("/sys/fs/cgroup", "cgroup", "cgroup", "rw", "nosuid")
    container.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    container.shell(MANAGER)
    return container


def _await_managed(container: Container) -> None:
    path = Path(f"/proc/{container.pid}/root/tmp/managed")
    proc.wait_until(path.exists, "the container has made its cgroups")


@pytest.mark.needs_controller("pids")
def test_exec_and_update_where_init_manages_cgroups(container: Container) -> None:
    """Its top cgroup takes no processes any more; the limits are still those of the top."""
    _manager(container).resources(pids={"limit": 50}).up()
    _await_managed(container)
    assert container.exec_sh("cat /proc/self/cgroup") == "0::/init.scope"
    container.runtime.call("update", "--pids-limit", "60", container.id).ok()
    assert _read(container, "pids.max") == "60"
    assert _read(container, "init.scope/pids.max") == "max"
    container.runtime.call("pause", container.id).ok()
    assert "frozen 1" in _read(container, "init.scope/cgroup.events")
    container.kill_and_wait().delete()
    assert cgroup.find_named(container.id) == []


@pytest.mark.needs_root("ids of other users")
@pytest.mark.planc_only("giving the cgroup away without systemd")
@pytest.mark.needs_controller("pids")
def test_root_of_a_user_namespace_owns_its_cgroup(container: Container) -> None:
    """Where the mount is writable; the limits stay the host's."""
    mappings = [{"containerID": 0, "hostID": FIRST, "size": 65536}]
    _manager(container).namespace("user").resources(pids={"limit": 50})
    container.linux["uidMappings"] = container.linux["gidMappings"] = mappings
    container.up()
    _await_managed(container)
    top = _directory(container)
    for name, uid in (
        ("", FIRST),
        ("cgroup.procs", FIRST),
        ("cgroup.subtree_control", FIRST),
        ("pids.max", 0),
    ):
        assert os.stat(f"{top}/{name}").st_uid == uid, name
    assert _read(container, "payload/pids.max") == "5"
    assert container.exec_sh("cat /proc/self/cgroup") == "0::/init.scope"


@pytest.mark.needs_root("ids of other users")
@pytest.mark.needs_controller("pids")
def test_a_read_only_mount_gives_nothing_away(container: Container) -> None:
    mappings = [{"containerID": 0, "hostID": FIRST, "size": 65536}]
    container.namespace("cgroup").namespace("user")
    container.without_mount("/sys/fs/cgroup").mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid")
    container.linux["uidMappings"] = container.linux["gidMappings"] = mappings
    container.sleeping()
    assert os.stat(_directory(container)).st_uid == 0


# ---- pressure ---------------------------------------------------------------------------------------------------------


def _stats(container: Container) -> dict[str, Any]:
    line = container.runtime.call("events", "--stats", container.id).ok().stdout
    data = json.loads(line)["data"]
    assert isinstance(data, dict)
    return data


@pytest.mark.old_runc_lacks("PSI", strict=False)
@pytest.mark.parametrize(
    ("member", "file"), [("cpu", "cpu.pressure"), ("memory", "memory.pressure"), ("blkio", "io.pressure")]
)
def test_pressure(container: Container, member: str, file: str) -> None:
    """Where the kernel has it; else the member is not there."""
    container.sleeping()
    found = _stats(container)[member].get("psi")
    if not os.path.exists(f"{_directory(container)}/{file}"):
        assert found is None
        return
    assert set(found) == {"some", "full"}
    assert set(found["some"]) == {"avg10", "avg60", "avg300", "total"}
