"""SIGTERM, SIGINT and SIGHUP to the runtime while something is half made, and commands that hang."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from . import cgroup, proc
from .harness import Container, Process, Result

pytestmark = pytest.mark.planc_only("taking back what was half made when it is interrupted")

SIGNALS = ["SIGTERM", "SIGINT", "SIGHUP"]


def _until(directory: str, name: str) -> str:
    """Shell commands that wait for a file."""
    return f"while [ ! -e {directory}/{name} ]; do sleep 0.02; done"


def _hanging_hook(container: Container, directory: str, kind: str) -> Path:
    """A hook that says that it is there and then sleeps; returns the file with its pid."""
    mark = Path(directory, "hook.pid")
    script = f"echo $$ > {mark}.new; mv {mark}.new {mark}; exec sleep 1000"
    container.config["hooks"] = {
        kind: [{"path": "/bin/sh", "args": ["sh", "-c", script]}],
        "poststop": [{"path": "/bin/touch", "args": ["touch", f"{directory}/poststop"]}],
    }
    return mark


def _in_hook(container: Container, mark: Path, command: str, *flags: str) -> Process:
    """A call that is now in the hook."""
    container.args("sleep", "1000").bundle.write()
    words = (command, "--bundle", container.bundle.path, "--pid-file", container.pid_file, *flags)
    process = container.runtime.spawn(*words, container.id)
    proc.wait_until(mark.exists, "the hook runs")
    return process


def _is_gone(pid: int) -> bool:
    return not proc.is_alive(pid)


def _check_nothing_left(container: Container, mark: Path) -> None:
    assert container.runtime.leftovers() == []
    assert cgroup.find_named(container.id) == []
    proc.wait_until(lambda: _is_gone(int(mark.read_text())), "the hook ends")


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("command", [("create",), ("run",), ("run", "--detach")], ids=" ".join)
def test_interrupted_creation_is_taken_back(
    container: Container, directory: str, name: str, command: tuple[str, ...]
) -> None:
    mark = _hanging_hook(container, directory, "createRuntime")
    process = _in_hook(container, mark, *command)
    process.signal(getattr(signal, name))
    result = process.wait()
    assert result.returncode == 128 + getattr(signal, name)
    assert "interrupted" in result.stderr and len(result.stderr.splitlines()) == 1
    _check_nothing_left(container, mark)
    assert Path(directory, "poststop").exists()


@pytest.mark.parametrize("kind", ["createContainer", "startContainer"])
def test_interrupted_run_is_taken_back_in_every_hook(container: Container, directory: str, kind: str) -> None:
    container.bundle.directory("out")
    container.mount(directory, directory)
    os.makedirs(f"{container.bundle.rootfs}{directory}", exist_ok=True)
    mark = _hanging_hook(container, directory, kind)
    process = _in_hook(container, mark, "run")
    process.signal(signal.SIGTERM)
    assert process.wait().returncode == 128 + signal.SIGTERM
    assert container.runtime.leftovers() == []
    assert cgroup.find_named(container.id) == []


def test_second_signal_does_not_interrupt_the_taking_back(container: Container, directory: str) -> None:
    mark = _hanging_hook(container, directory, "prestart")
    slow = f"touch {directory}/began; {_until(directory, 'go')}; touch {directory}/ended"
    container.config["hooks"]["poststop"] = [{"path": "/bin/sh", "args": ["sh", "-c", slow]}]
    process = _in_hook(container, mark, "create")
    process.signal(signal.SIGTERM)
    proc.wait_until(Path(directory, "began").exists, "the poststop hook runs")
    process.signal(signal.SIGTERM)
    process.signal(signal.SIGINT)
    Path(directory, "go").touch()
    assert process.wait().returncode == 128 + signal.SIGTERM
    assert Path(directory, "ended").exists()
    _check_nothing_left(container, mark)


def test_ignored_signals_stay_ignored(container: Container, directory: str) -> None:
    """As nohup(1) wants it."""
    mark = Path(directory, "mark")
    script = f"touch {mark}; {_until(directory, 'go')}"
    container.config["hooks"] = {"prestart": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}
    container.args("sleep", "1000").bundle.write()
    words = ("create", "--bundle", container.bundle.path, "--pid-file", container.pid_file, container.id)
    process = container.runtime.spawn(*words, prefix=["nohup"])
    proc.wait_until(mark.exists, "the hook runs")
    process.signal(signal.SIGHUP)
    Path(directory, "go").touch()
    process.wait().ok()
    assert container.status == "created"


def test_signal_after_the_creation_goes_to_the_container(container: Container) -> None:
    container.shell("trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done")
    process = container.run_in_background()
    proc.wait_until(lambda: "ready" in process.peek().stdout, "the trap is set")
    process.signal(signal.SIGTERM)
    assert process.wait().returncode == 7


ANSWERS = "trap 'trap : TERM; echo trapped; exit 7' TERM; echo ready; while :; do sleep 0.02; done"


def test_signal_in_a_poststart_hook_goes_to_the_container(container: Container, directory: str) -> None:
    """Its program runs by then. When it has ended, nobody is left but the hook."""
    mark = _hanging_hook(container, directory, "poststart")
    container.shell(ANSWERS).bundle.write()
    process = container.runtime.spawn("run", "--bundle", container.bundle.path, container.id)
    proc.wait_until(mark.exists, "the hook runs")
    proc.wait_until(lambda: "ready" in process.peek().stdout, "the trap is set")
    process.signal(signal.SIGTERM)
    proc.wait_until(lambda: "trapped" in process.peek().stdout, "the signal has arrived")
    proc.wait_until(lambda: container.status == "stopped", "the program ends")
    assert process.popen.poll() is None
    process.signal(signal.SIGTERM)
    assert process.wait().returncode == 128 + signal.SIGTERM
    _check_nothing_left(container, mark)
    assert Path(directory, "poststop").exists()


def test_signal_in_a_poststart_hook_arrives_once(container: Container, directory: str) -> None:
    counts = "n=0; trap 'n=$((n+1)); echo counted' TERM; trap 'exit $((40+n))' CONT"
    mark = Path(directory, "mark")
    wait = f"echo $$ > {mark}.new; mv {mark}.new {mark}; {_until(directory, 'go')}"
    container.config["hooks"] = {"poststart": [{"path": "/bin/sh", "args": ["sh", "-c", wait]}]}
    script = f"{counts}; echo ready; while :; do sleep 0.02; done"
    process = container.shell(script).run_in_background()
    proc.wait_until(lambda: mark.exists() and "ready" in process.peek().stdout, "the trap is set")
    process.signal(signal.SIGTERM)
    proc.wait_until(lambda: "counted" in process.peek().stdout, "the signal has arrived")
    Path(directory, "go").touch()
    proc.wait_until(lambda: _is_gone(int(mark.read_text())), "the hook ends")
    # passed on behind whatever is still to come; and of two that wait, a shell takes the lower number first
    process.signal(signal.SIGCONT)
    assert process.wait().returncode == 41


def _time_until_ready(process: Process) -> float:
    """Seconds; the process is ended."""
    began = time.monotonic()
    proc.wait_until(lambda: "ready" in process.peek().stdout, "the trap is set")
    taken = time.monotonic() - began
    process.signal(signal.SIGTERM)
    assert process.wait().returncode == 7
    return taken


def _terminated_at_any_moment(spawn: Callable[[], Process]) -> Iterator[Result]:
    """Calls of a program that answers, around the moment in which it is ready, whatever the load makes of that."""
    window = 1.5 * _time_until_ready(spawn())
    seen = set()
    for _ in range(40):
        process = spawn()
        time.sleep(random.uniform(0, window))
        # again and again: init of a pid namespace misses one before its trap
        while process.popen.poll() is None:
            process.signal(signal.SIGTERM)
            time.sleep(0.003)
        result = process.wait()
        window *= 0.95 if result.returncode == 7 else 1.1
        assert result.stdout in ("", "ready\ntrapped\n", "trapped\n"), str(result)
        assert (result.returncode == 7) == ("trapped" in result.stdout), str(result)
        seen.add(result.returncode)
        yield result
    assert 7 in seen


@pytest.mark.parametrize("own_pids", [True, False], ids=["init", "not init"])
def test_signal_at_any_moment_of_run(container: Container, own_pids: bool) -> None:
    """Either there has been no program, or it has its say; a program that was ready is never just killed."""
    if not own_pids:
        container.without_namespace("pid")
    container.shell(ANSWERS).bundle.write()
    words = ("run", "--bundle", container.bundle.path, container.id)
    for result in _terminated_at_any_moment(lambda: container.runtime.spawn(*words)):
        assert result.returncode in (7, 128 + signal.SIGTERM, -signal.SIGTERM), str(result)
        assert container.runtime.leftovers() == []
        assert cgroup.find_named(container.id) == []


def test_signal_at_any_moment_of_exec(container: Container) -> None:
    container.sleeping()
    inside = cgroup.process_ids(container.pid, "freezer")
    words = ("exec", container.id, "sh", "-c", ANSWERS)
    for _ in _terminated_at_any_moment(lambda: container.runtime.spawn(*words)):
        proc.wait_until(lambda: cgroup.process_ids(container.pid, "freezer") == inside, "its process ends")


@pytest.mark.parametrize("force", [True, False])
def test_delete_of_a_container_whose_creation_hangs(
    container: Container, directory: str, force: bool
) -> None:
    """With --force it does not wait for the command that hangs."""
    mark = _hanging_hook(container, directory, "createRuntime")
    process = _in_hook(container, mark, "create")
    if force:
        container.delete("--force")
        assert not container.exists()
        assert cgroup.find_named(container.id) == []
    else:
        waiting = container.runtime.spawn("delete", container.id)
        time.sleep(0.5)
        assert waiting.popen.poll() is None
    os.kill(int(mark.read_text()), signal.SIGKILL)
    process.wait().failed("hook")
    if not force:
        waiting.wait().failed("does not exist")
    assert container.runtime.leftovers() == []


def test_forced_delete_while_start_hangs(container: Container, directory: str) -> None:
    mark = _hanging_hook(container, directory, "poststart")
    container.args("sleep", "1000").create()
    process = container.runtime.spawn("start", container.id)
    proc.wait_until(mark.exists, "the hook runs")
    container.delete("--force")
    assert not container.exists()
    os.kill(int(mark.read_text()), signal.SIGKILL)
    process.wait().failed("hook")
    assert container.runtime.leftovers() == []


@pytest.mark.parametrize("detach", [True, False])
def test_interrupted_exec_leaves_no_process(container: Container, detach: bool) -> None:
    """In a paused container its process cannot go on, nor end before the container is resumed."""
    container.sleeping()
    container.runtime.call("pause", container.id).ok()
    inside = cgroup.process_ids(container.pid, "freezer")
    flags = ["--detach"] if detach else []
    process = container.runtime.spawn("exec", "--ignore-paused", *flags, container.id, "sleep", "1001")
    proc.wait_until(lambda: cgroup.process_ids(container.pid, "freezer") > inside, "its process is inside")
    process.signal(signal.SIGTERM)
    result = process.wait()
    if cgroup.is_v2():
        assert cgroup.process_ids(container.pid, "freezer") == inside
    assert result.returncode == 128 + signal.SIGTERM
    assert "interrupted" in result.stderr
    container.runtime.call("resume", container.id).ok()
    proc.wait_until(lambda: cgroup.process_ids(container.pid, "freezer") == inside, "its process ends")
    assert container.status == "running"


def test_exec_into_a_paused_container_goes_on_when_it_is_resumed(container: Container) -> None:
    container.sleeping()
    container.runtime.call("pause", container.id).ok()
    inside = cgroup.process_ids(container.pid, "freezer")
    process = container.runtime.spawn("exec", "--ignore-paused", container.id, "cat", "/proc/self/cgroup")
    proc.wait_until(lambda: cgroup.process_ids(container.pid, "freezer") > inside, "its process is inside")
    container.runtime.call("resume", container.id).ok()
    with open(f"/proc/{container.pid}/cgroup") as file:
        here = file.read()
    assert process.wait().ok().stdout.count("\n") == here.count("\n")
    assert proc.is_alive(container.pid)
