"""docker exec: terminal, streams, identity, exit codes, errors, what it joins, when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import need_all_capabilities
from .image import SHORT as IMAGE
from .machine import poll
from .terminal import AWAIT_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .daemons import Docker


@pytest.fixture
def box(docker: Docker) -> Iterator[Docker]:
    """Docker with a container `box` that sleeps, without network, with two groups and a variable."""
    docker(
        "run",
        "-d",
        "--name",
        "box",
        "--network",
        "none",
        "-e",
        "GIVEN=1",
        "--memory",
        "64m",
        IMAGE,
        "sleep",
        "1000",
    )
    yield docker


def test_streams_and_stdin(box: Docker) -> None:
    result = box("exec", "-i", "box", "sh", "-c", "wc -c; echo err >&2", stdin="x" * 300_000)
    assert (result.out, result.err) == ("300000", "err")
    assert box("exec", "box", "cat").out == ""


@pytest.mark.parametrize("code", [0, 1, 42, 125, 126, 127, 137, 255])
def test_exit_code(box: Docker, code: int) -> None:
    box("exec", "box", "sh", "-c", f"exit {code}", code=code)


def test_death_by_signal(box: Docker) -> None:
    box("exec", "box", "sh", "-c", "kill -9 $$", code=137)


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("/no/such", "no such file or directory"),
        ("nosuchcommand", "executable file not found"),
        ("/etc/plain", "permission denied"),
    ],
)
def test_command_that_cannot_run(box: Docker, command: str, text: str) -> None:
    result = box("exec", "box", command, code=126)
    shown = (result.err + result.out).lower()
    assert text in shown
    assert command in shown


def test_terminal(box: Docker) -> None:
    with box.terminal("exec", "-it", "box", "sh") as terminal:
        terminal.wait_for("# ")
        terminal.send(f"tty; {AWAIT_SIZE}")
        terminal.wait_for("/dev/pts/0\r")
        terminal.wait_for("the size is right")
        terminal.send("exit 8")
        assert terminal.wait() == 8


def test_two_terminals_at_once(box: Docker) -> None:
    with box.terminal("exec", "-it", "box", "sh") as one, box.terminal("exec", "-it", "box", "sh") as two:
        names = []
        for terminal in (one, two):
            terminal.wait_for("# ")
            terminal.send("tty")
            names.append(terminal.wait_for(r"(/dev/pts/\d)\r").group(1))
            terminal.send("exit")
        assert set(names) == {"/dev/pts/0", "/dev/pts/1"}
        assert (one.wait(), two.wait()) == (0, 0)


def test_user_environment_and_directory(box: Docker) -> None:
    words = ("--user", "app", "--env", "A=b c", "--workdir", "/tmp")
    lines = box("exec", *words, "box", "sh", "-c", "id; pwd; env").out.splitlines()
    assert lines[:2] == ["uid=1000(app) gid=1000(app) groups=10(wheel),1000(app)", "/tmp"]
    assert {"A=b c", "GIVEN=1", "HOME=/home/app"} <= set(lines)


def test_missing_directory(box: Docker) -> None:
    result = box("exec", "-w", "/not/there", "box", "pwd", code=126)
    assert "/not/there" in result.err + result.out
    assert "no such file or directory" in (result.err + result.out).lower()


def test_directory_that_is_a_file(box: Docker) -> None:
    result = box("exec", "-w", "/etc/passwd", "box", "pwd", code=126)
    assert "not a directory" in (result.err + result.out).lower()


def test_it_joins_every_namespace_and_cgroup(box: Docker) -> None:
    box("exec", "-d", "box", "sleep", "4716")
    machine = box.machine
    first = box.pid("box")
    [second] = poll(lambda: [pid for pid, command in machine.processes().items() if command == "sleep 4716"])
    for kind in ("mnt", "net", "uts", "pid", "ipc", "user", "cgroup"):
        assert machine.namespace(first, kind) == machine.namespace(second, kind)
    assert machine.proc(first, "cgroup").read_text() == machine.proc(second, "cgroup").read_text()
    for field in ("CapEff", "CapBnd", "CapPrm", "CapInh", "Seccomp", "NoNewPrivs", "Groups", "Uid"):
        assert machine.status(first, field) == machine.status(second, field), field
    assert machine.environ(second) == [*machine.environ(first)]


def test_detached_ends_with_the_container(box: Docker) -> None:
    box("exec", "-d", "box", "sleep", "4717")
    commands = box.machine.processes
    poll(lambda: "sleep 4717" in commands().values())
    box("kill", "box")
    poll(lambda: "sleep 4717" not in commands().values())


def test_privileged_adds_capabilities(box: Docker) -> None:
    need_all_capabilities(box.machine)
    result = box("exec", "--privileged", "box", "grep", "CapBnd", "/proc/self/status")
    assert int(result.out.split()[1], 16) == int(box.machine.status(1, "CapBnd"), 16)


def test_exec_in_a_stopped_container(box: Docker) -> None:
    box("kill", "box")
    assert "is not running" in box("exec", "box", "true", code=1).err


def test_many_at_once(box: Docker) -> None:
    started = [box.popen("exec", "box", "sh", "-c", f"exit {30 + n}") for n in range(8)]
    for number, process in enumerate(started):
        process.communicate(timeout=120)
        assert process.returncode == 30 + number


def test_the_terminal_of_an_exec_can_be_interrupted(box: Docker) -> None:
    with box.terminal(
        "exec", "-it", "box", "sh", "-c", "trap 'exit 9' INT; echo ready; while :; do sleep 0.1; done"
    ) as t:
        t.wait_for("ready")
        t.send("\x03")
        assert t.wait() == 9
