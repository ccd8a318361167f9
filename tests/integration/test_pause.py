"""pause and resume."""

from __future__ import annotations

import time

import pytest

from . import cgroup, proc
from .harness import Container

pytestmark = pytest.mark.needs_controller("freezer")


def _is_frozen(container: Container) -> bool:
    if "freezer" in cgroup.v1_controllers():
        return cgroup.read(container.pid, "freezer", "freezer.state") == "FROZEN"
    return cgroup.keyed(container.pid, "freezer", "cgroup.events")["frozen"] == "1"


def test_pause_and_resume(container: Container) -> None:
    container.sleeping()
    container.runtime.call("pause", container.id).ok()
    assert container.status == "paused" and _is_frozen(container)
    container.runtime.call("resume", container.id).ok()
    assert container.status == "running" and not _is_frozen(container)


def test_pause_prints_nothing(container: Container) -> None:
    container.sleeping()
    for command in ("pause", "resume"):
        result = container.runtime.call(command, container.id).ok()
        assert (result.stdout, result.stderr) == ("", "")


COUNTS = "while :; do echo x; usleep 5000; done"


@pytest.mark.parametrize("script", [COUNTS, f"({COUNTS}) & wait"], ids=["init", "child"])
def test_the_payload_stands_still(container: Container, script: str) -> None:
    container.shell(script).up()
    proc.wait_until(lambda: container.output(), "it counts")
    container.runtime.call("pause", container.id).ok()
    before = len(container.output())
    time.sleep(0.1)
    assert len(container.output()) == before
    container.runtime.call("resume", container.id).ok()
    proc.wait_until(lambda: len(container.output()) > before, "it goes on")


def test_pid_of_a_paused_container(container: Container) -> None:
    container.sleeping()
    container.runtime.call("pause", container.id).ok()
    assert container.runtime.state(container.id)["pid"] == container.pid


def test_exec_in_a_paused_container_is_refused(container: Container) -> None:
    container.sleeping()
    container.runtime.call("pause", container.id).ok()
    container.exec("true").failed("paused")


def test_exec_with_ignore_paused_waits_for_resume(container: Container) -> None:
    container.sleeping()
    container.runtime.call("pause", container.id).ok()
    process = container.runtime.spawn("exec", "--ignore-paused", container.id, "echo", "thawed")
    time.sleep(0.2)
    assert process.popen.poll() is None
    container.runtime.call("resume", container.id).ok()
    assert process.wait().ok().stdout == "thawed\n"


def test_pause_of_a_created_container(container: Container) -> None:
    """runc allows it; whichever way, resume must give it back."""
    container.create()
    if container.runtime.call("pause", container.id).returncode == 0:
        container.runtime.call("resume", container.id).ok()
    assert container.status == "created"


def test_pause_of_a_stopped_container_is_refused(container: Container) -> None:
    container.args("true").up().wait()
    container.runtime.call("pause", container.id).failed("not running")


def test_pause_twice_is_refused(container: Container) -> None:
    container.sleeping()
    container.runtime.call("pause", container.id).ok()
    container.runtime.call("pause", container.id).failed("not running")


def test_resume_of_a_running_container_is_refused(container: Container) -> None:
    container.sleeping()
    container.runtime.call("resume", container.id).failed("container not paused")


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_unknown_container(container: Container, command: str) -> None:
    container.runtime.call(command, container.id).failed("does not exist")


def test_start_of_a_paused_container_is_refused(container: Container) -> None:
    container.sleeping()
    container.runtime.call("pause", container.id).ok()
    container.runtime.call("start", container.id).failed("cannot start")
    assert container.status == "paused"


def test_signals_wait_for_resume(container: Container) -> None:
    container.shell("trap 'exit 42' TERM; echo ready; while :; do sleep 0.01; done").up()
    proc.wait_until(lambda: "ready" in container.output(), "trap is set")
    container.runtime.call("pause", container.id).ok()
    container.kill("TERM")
    assert container.status == "paused"
    container.runtime.call("resume", container.id).ok()
    assert container.wait() == 42
