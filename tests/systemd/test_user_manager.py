"""Rootless: the scope is one of the user's own manager (systemd --user)."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from typing import Any

import pytest
from integration import cgroup, proc, unprivileged
from integration.harness import Container

from .units import Unit, systemctl

USER = "nobody"
"""A user that every machine has; its manager is started for the tests."""
MIB = 1 << 20


@pytest.fixture(scope="module")
def manager() -> Iterator[int]:
    """The user's manager runs; the uid."""
    uid = pwd.getpwnam(USER).pw_uid
    service = f"user@{uid}.service"
    running = os.path.exists(f"/run/user/{uid}/systemd/private")
    if not running:
        systemctl("start", service)
    yield uid
    if not running:
        systemctl("stop", service)


@pytest.fixture
def rootless(container: Container, manager: int, directory: str, monkeypatch: Any) -> Container:
    """A container that the user runs, with no cgroupsPath."""
    monkeypatch.setattr(unprivileged, "UID", manager)
    made = unprivileged.prepare(container, directory)
    made.runtime.driver_flags = ["--systemd-cgroup"]
    made.runtime.defaults["env"] = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": f"/run/user/{manager}"}
    return made


def user_scope(container: Container, uid: int, name: str = "") -> Unit:
    prefix = ["setpriv", f"--reuid={uid}", "--clear-groups", "env", f"XDG_RUNTIME_DIR=/run/user/{uid}"]
    return Unit(name or f"runc-{container.id}.scope", prefix, ["--user"])


@pytest.mark.needs_cgroup_v2
def test_the_scope_is_in_user_slice_of_the_manager(rootless: Container, manager: int) -> None:
    rootless.sleeping()
    unit = user_scope(rootless, manager)
    base = f"/user.slice/user-{manager}.slice/user@{manager}.service"
    assert cgroup.membership(rootless.pid)[""] == f"{base}/user.slice/{unit.name}"
    assert unit.show()["Slice"] == "user.slice"
    rootless.delete("--force")
    assert not unit.loaded()


@pytest.mark.needs_cgroup_v2
def test_cgroups_path(rootless: Container, manager: int) -> None:
    rootless.linux["cgroupsPath"] = f"a-b.slice:planc:{rootless.id}"
    rootless.sleeping()
    assert cgroup.membership(rootless.pid)[""].endswith(f"/a.slice/a-b.slice/planc-{rootless.id}.scope")


def delegated(container: Container, controller: str) -> None:
    """Skip unless the user's manager has the controller."""
    path = f"{cgroup.mounts()['']}/user.slice/user-{container.runtime.defaults['user']}.slice"
    with open(f"{path}/user@{container.runtime.defaults['user']}.service/cgroup.controllers") as file:
        if controller not in file.read().split():
            pytest.skip(f"the user's manager does not have the cgroup controller {controller}")


@pytest.mark.needs_cgroup_v2
def test_limits_and_update(rootless: Container, manager: int) -> None:
    delegated(rootless, "memory")
    rootless.resources(memory={"limit": 64 * MIB}).sleeping()
    unit = user_scope(rootless, manager)
    assert unit.show()["MemoryMax"] == str(64 * MIB)
    assert cgroup.read(rootless.pid, "memory", "memory.max") == str(64 * MIB)
    rootless.runtime.call("update", "--memory", str(80 * MIB), rootless.id).ok()
    assert unit.show()["MemoryMax"] == str(80 * MIB)
    assert cgroup.read(rootless.pid, "memory", "memory.max") == str(80 * MIB)


@pytest.mark.needs_cgroup_v2
def test_exec_is_moved_in_by_the_manager(rootless: Container) -> None:
    """The user may write to cgroup.procs of neither the scope's nor the caller's common ancestor."""
    rootless.sleeping()
    rootless.exec("sleep", "999", flags=["--detach"]).ok()
    with open(f"/sys/fs/cgroup{cgroup.membership(rootless.pid)['']}/cgroup.procs") as file:
        inside = [int(line) for line in file]
    assert sorted(proc.cmdline(pid)[1] for pid in inside) == ["1000", "999"]


@pytest.mark.needs_cgroup_v2
def test_exec_into_a_cgroup_below(rootless: Container) -> None:
    rootless.sleeping()
    path = f"/sys/fs/cgroup{cgroup.membership(rootless.pid)['']}/below"
    os.mkdir(path)
    try:
        os.chown(path, rootless.runtime.defaults["user"], -1)
        os.chown(f"{path}/cgroup.procs", rootless.runtime.defaults["user"], -1)
        result = rootless.exec("cat", "/proc/self/cgroup", flags=["--cgroup", "below"])
        assert result.ok().stdout.strip().endswith("/below")
    finally:
        os.rmdir(path)


@pytest.mark.needs_cgroup_v2
def test_pause_and_resume(rootless: Container) -> None:
    rootless.sleeping()
    rootless.runtime.call("pause", rootless.id).ok()
    assert rootless.status == "paused"
    rootless.runtime.call("resume", rootless.id).ok()
    assert rootless.status == "running"


@pytest.mark.needs_cgroup_v2
def test_run_in_the_foreground(rootless: Container, manager: int) -> None:
    assert rootless.sh("echo hello") == "hello"
    assert not user_scope(rootless, manager).loaded()


@pytest.mark.needs_cgroup_v2
def test_root_of_a_user_namespace(rootless: Container, manager: int) -> None:
    """As rootless Podman calls: uid 0 in a namespace, which the bus knows as the user."""
    for kind in ("uidMappings", "gidMappings"):
        rootless.linux[kind] = [{"containerID": 0, "hostID": 0, "size": 1}]
    rootless.runtime.defaults["prefix"] = ["unshare", "--user", "--map-root-user", "--mount"]
    rootless.sleeping()
    unit = user_scope(rootless, manager)
    assert cgroup.membership(rootless.pid)[""].endswith(f"user@{manager}.service/user.slice/{unit.name}")
    rootless.delete("--force")
    assert not unit.loaded()


@pytest.mark.needs_cgroup_v2
@pytest.mark.parametrize("variable", ["bus", "private", "none"])
def test_ways_to_the_manager(rootless: Container, manager: int, variable: str) -> None:
    """The address of a session bus; the manager's own socket; the usual place."""
    env = {"PATH": os.environ["PATH"]}
    if variable == "bus":
        env |= {
            "DBUS_SESSION_BUS_ADDRESS": f"unix:path=/run/user/{manager}/bus",
            "XDG_RUNTIME_DIR": "/nowhere",
        }
    if variable == "private":
        env |= {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere", "XDG_RUNTIME_DIR": f"/run/user/{manager}"}
    rootless.runtime.defaults["env"] = env
    rootless.sleeping()
    assert f"user@{manager}.service" in cgroup.membership(rootless.pid)[""]


@pytest.mark.needs_cgroup_v2
def test_no_manager(rootless: Container) -> None:
    rootless.runtime.defaults["env"] = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": "/nowhere"}
    result = rootless.try_create().failed("systemd --user", "/nowhere/bus", "XDG_RUNTIME_DIR")
    assert result.stderr.count("\n") == 1
    assert rootless.runtime.leftovers() == []


@pytest.mark.needs_cgroup_v2
def test_a_bus_without_systemd(rootless: Container) -> None:
    """The system's bus has a systemd on it that a user may not use."""
    rootless.runtime.defaults["env"] = {
        "PATH": os.environ["PATH"],
        "XDG_RUNTIME_DIR": "/nowhere",
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/dbus/system_bus_socket",
    }
    rootless.try_create().failed(f"runc-{rootless.id}.scope")
    assert rootless.runtime.leftovers() == []


@pytest.mark.needs_cgroup_v1
def test_cgroup_v1_has_nothing_for_users(rootless: Container) -> None:
    rootless.try_create().failed("no cgroups to give on cgroup v1")
    assert rootless.runtime.leftovers() == []
