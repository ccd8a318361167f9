"""The container's scope: its name and slice, its life and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest
from integration import cgroup, proc
from integration.harness import Container, Runtime

from .conftest import SLICE
from .units import Unit, hidden, left, scope, systemctl


def unit_of(pid: int) -> str:
    """The unit that a process is in, as systemd finds it."""
    path = cgroup.membership(pid)["" if cgroup.is_v2() else "name=systemd"]
    return path.rpartition("/")[2]


# ---- names ---------------------------------------------------------------------------------------------------------


def test_without_cgroups_path_it_is_in_system_slice(container: Container) -> None:
    del container.linux["cgroupsPath"]
    container.sleeping()
    unit = Unit(f"runc-{container.id}.scope")
    shown = unit.show()
    assert shown["ControlGroup"] == f"/system.slice/{unit.name}"
    assert shown["Slice"] == "system.slice"
    assert unit_of(container.pid) == unit.name
    container.delete("--force")
    assert not unit.loaded()


@pytest.mark.parametrize(
    ("form", "unit", "path"),
    [
        ("{slice}:planc:{id}", "planc-{id}.scope", "/plancit.slice/plancit-tests.slice/planc-{id}.scope"),
        (":planc:{id}", "planc-{id}.scope", "/system.slice/planc-{id}.scope"),
        ("-.slice:planc:{id}", "planc-{id}.scope", "/planc-{id}.scope"),
        ("system.slice::{id}", "-{id}.scope", "/system.slice/-{id}.scope"),
    ],
)
def test_cgroups_path(container: Container, form: str, unit: str, path: str) -> None:
    names = {"slice": SLICE, "id": container.id}
    container.linux["cgroupsPath"] = form.format(**names)
    container.sleeping()
    shown = Unit(unit.format(**names)).show()
    assert shown["ControlGroup"] == path.format(**names)
    for name, where in cgroup.membership(container.pid).items():
        if name in cgroup.mounts():
            assert where == path.format(**names), name


def test_what_every_scope_is_given(container: Container) -> None:
    container.sleeping()
    shown = scope(container).show()
    assert shown["ActiveState"] == "active"
    assert shown["Description"] == f"planc container {container.id}"
    assert shown["Delegate"] == "yes"
    assert shown["DefaultDependencies"] == "no"
    assert shown["Transient"] == "yes"
    io = "IOAccounting" if cgroup.is_v2() else "BlockIOAccounting"
    assert [shown[name] for name in ("MemoryAccounting", "CPUAccounting", "TasksAccounting", io)] == [
        "yes"
    ] * 4


# ---- life ----------------------------------------------------------------------------------------------------------


def test_run_leaves_nothing(container: Container) -> None:
    assert container.sh("cat /proc/self/cgroup; echo hello").endswith("hello")
    assert left(container.id) == []


def test_later_commands_need_no_flag(container: Container, runtime: Runtime) -> None:
    container.sleeping()
    unit = scope(container)
    runtime.driver_flags = []
    assert container.exec_sh("echo inside") == "inside"
    runtime.call("pause", container.id).ok()
    assert container.status == "paused"
    runtime.call("resume", container.id).ok()
    container.delete("--force")
    assert not unit.loaded()
    assert left(container.id) == []


def test_exec_is_in_the_scope(container: Container) -> None:
    container.sleeping()
    container.exec("sleep", "999", flags=["--detach"]).ok()
    for controller in ("memory", "pids", "cpu"):
        if controller in cgroup.controllers():
            inside = cgroup.process_ids(container.pid, controller)
            assert sorted(proc.cmdline(pid)[1] for pid in inside) == ["1000", "999"]


def test_exec_while_paused(container: Container, runtime: Runtime) -> None:
    container.sleeping()
    runtime.call("pause", container.id).ok()
    process = runtime.spawn("exec", "--ignore-paused", container.id, "echo", "late")
    proc.wait_until(
        lambda: len(cgroup.process_ids(container.pid, "freezer")) == 2, "the second process is inside", 30
    )
    runtime.call("resume", container.id).ok()
    assert process.wait().ok().stdout == "late\n"


def test_kill_all(container: Container, runtime: Runtime) -> None:
    container.sleeping()
    runtime.call("kill", "--all", container.id, "KILL").ok()
    container.wait()
    container.delete()
    assert left(container.id) == []


def test_ps_and_events(container: Container, runtime: Runtime) -> None:
    container.sleeping()
    assert runtime.call("ps", "--format", "json", container.id).json() == [container.pid]
    assert runtime.call("events", "--stats", container.id).json()["id"] == container.id


# ---- the end -------------------------------------------------------------------------------------------------------


def test_delete_of_what_was_created_only(container: Container) -> None:
    container.create()
    assert scope(container).loaded()
    container.delete()
    assert left(container.id) == []


def test_delete_when_systemd_has_removed_the_scope(container: Container) -> None:
    container.sleeping()
    unit = scope(container)
    os.kill(container.pid, signal.SIGKILL)
    container.wait()
    unit.await_gone()
    assert container.status == "stopped"
    container.delete()
    assert left(container.id) == []


def test_delete_when_systemctl_has_stopped_it(container: Container) -> None:
    # init of a pid namespace does not hear SIGTERM
    container.config["annotations"] = {"org.systemd.property.TimeoutStopSec": "1"}
    container.sleeping()
    stop = subprocess.Popen(["systemctl", "stop", scope(container).name])
    container.wait()
    assert stop.wait(60) == 0
    assert container.status == "stopped"
    container.delete()
    assert left(container.id) == []


@pytest.mark.needs_cgroup_v2
@pytest.mark.needs_controller("memory")
def test_delete_has_systemd_forget_a_failure(container: Container) -> None:
    """A scope in which the kernel has killed for want of memory stays loaded, as failed."""
    container.resources(memory={"limit": 8 << 20, "swap": 8 << 20})
    container.shell("sleep 0.2; tail -c 30000000 /dev/zero").up()
    container.wait()
    container.delete()
    scope(container).await_gone()
    assert left(container.id) == []


# ---- failures --------------------------------------------------------------------------------------------------------


def assert_nothing(container: Container) -> None:
    assert container.runtime.leftovers() == []
    assert left(container.id) == []


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("/{id}", "SLICE:PREFIX:NAME"),
        ("a:{id}", "has not three parts"),
        ("a:b:c:{id}", "has not three parts"),
        ("a--b.slice:x:{id}", "has an empty part"),
        ("a/b.slice:x:{id}", "is not the name of a slice"),
        ("system:x:{id}", "is not the name of a slice"),
        ("system.slice:x:", "has no name"),
        ("system.slice:x:{id}.slice", "processes into scopes only"),
        ("system.slice:x:{id} y", "a unit's name cannot have"),
    ],
)
def test_bad_cgroups_path(container: Container, form: str, words: str) -> None:
    container.linux["cgroupsPath"] = form.format(id=container.id)
    container.try_create().failed("linux.cgroupsPath", words)
    assert_nothing(container)


def test_unit_name_in_use(container: Container) -> None:
    unit = scope(container)
    other = subprocess.Popen(["systemd-run", "--quiet", "--scope", "--unit", unit.name, "sleep", "99"])
    try:
        proc.wait_until(lambda: unit.show()["ActiveState"] == "active", "the other scope is there", 30)
        container.try_create().failed("already has a unit of this name", unit.name)
        assert container.runtime.leftovers() == []
        assert unit.show()["ActiveState"] == "active"
    finally:
        unit.stop()
        other.wait(60)


def test_a_failed_unit_of_that_name_is_no_hindrance(container: Container) -> None:
    unit = scope(container)
    command = [
        "systemd-run",
        "--quiet",
        "--scope",
        "-p",
        "RuntimeMaxSec=1",
        "--unit",
        unit.name,
        "sleep",
        "99",
    ]
    subprocess.run(command, check=False, timeout=60)
    proc.wait_until(lambda: unit.show()["ActiveState"] == "failed", "the scope has failed", 30)
    container.sleeping()
    assert unit.show()["ActiveState"] == "active"


def test_a_job_that_does_not_succeed(container: Container) -> None:
    """A unit that the scope requires, and that fails."""
    needed = f"{container.id}-needed.service"
    path = f"/run/systemd/system/{needed}"
    with open(path, "w") as file:
        file.write("[Service]\nType=oneshot\nExecStart=/bin/false\n")
    try:
        systemctl("daemon-reload")
        container.config["annotations"] = {
            "org.systemd.property.Requires": f"['{needed}']",
            "org.systemd.property.After": f"['{needed}']",
        }
        container.try_create().failed(scope(container).name, "did not succeed", "depends on failed")
    finally:
        systemctl("reset-failed", needed)
        os.unlink(path)
        systemctl("daemon-reload")
    assert_nothing(container)


def test_a_unit_that_is_not_there(container: Container) -> None:
    container.config["annotations"] = {"org.systemd.property.Requires": f"['{container.id}-none.service']"}
    container.try_create().failed(scope(container).name, "not found")
    assert_nothing(container)


def test_without_a_message_bus_systemds_own_socket_does(container: Container) -> None:
    container.sleeping(prefix=hidden("/run/dbus"))
    assert unit_of(container.pid) == scope(container).name
    container.runtime.call("delete", "--force", container.id, prefix=hidden("/run/dbus")).ok()
    assert_nothing(container)


def test_no_way_to_systemd(container: Container) -> None:
    prefix = hidden("/run/dbus", "/run/systemd/private")
    result = container.try_create(prefix=prefix).failed("cannot reach systemd", "leave the option out")
    assert "/run/dbus/system_bus_socket" in result.stderr and "/run/systemd/private" in result.stderr
    assert_nothing(container)


def test_no_systemd(container: Container) -> None:
    container.try_create(prefix=hidden("/run/systemd")).failed("not been booted with systemd")
    assert_nothing(container)


def test_a_bus_that_says_nothing(container: Container, directory: str) -> None:
    """A socket on which nobody answers: an end after seconds, with the reason."""
    import socket

    path = os.path.join(directory, "silent")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(path)
        silent.listen(5)
        env = {"PATH": os.environ["PATH"], "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={path}"}
        container.try_create(env=env, prefix=hidden("/run/systemd/private")).failed(path, "timed out")
    assert_nothing(container)


def test_create_is_undone_when_something_later_fails(container: Container) -> None:
    container.config["hooks"] = {"createRuntime": [{"path": "/bin/false"}]}
    container.try_create().failed("hook")
    assert_nothing(container)


def test_a_program_that_is_not_there(container: Container) -> None:
    container.args("/no/such/program").run().failed("/no/such/program")
    assert_nothing(container)


def test_planc_killed_at_any_moment(container: Container, runtime: Runtime) -> None:
    """After SIGKILL there is nothing that `delete --force` does not remove; it does not matter when."""
    container.bundle.write()
    container.args("sleep", "1000")
    started = time.monotonic()
    container.create().delete("--force")
    whole = time.monotonic() - started
    for part in range(12):
        process = runtime.spawn("create", "--bundle", container.bundle.path, container.id)
        time.sleep(whole * part / 12)
        process.signal(signal.SIGKILL)
        process.popen.wait()
        runtime.processes.remove(process)
        runtime.call("delete", "--force", container.id).ok()
        deadline = time.monotonic() + 30
        while (found := left(container.id)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert (found, runtime.leftovers()) == ([], [])


def test_interrupted_create(container: Container, runtime: Runtime, directory: str) -> None:
    """SIGTERM while a hook runs, with the scope there: it is taken back."""
    flag = os.path.join(directory, "flag")
    hook = {"path": "/bin/sh", "args": ["sh", "-c", f"touch {flag}; sleep 100"]}
    container.config["hooks"] = {"createRuntime": [hook]}
    container.bundle.write()
    process = runtime.spawn("create", "--bundle", container.bundle.path, container.id)
    proc.wait_until(lambda: os.path.exists(flag), "the hook runs", 30)
    assert scope(container).loaded()
    process.signal(signal.SIGTERM)
    assert process.wait().returncode == 128 + signal.SIGTERM
    scope(container).await_gone()
    assert_nothing(container)
