"""process.terminal: in the foreground on the caller's terminal, detached through --console-socket; exec --tty."""

from __future__ import annotations

import os
import signal
import stat
import termios
from collections.abc import Iterator

import pytest

from . import ptys
from .descriptor_socket import DescriptorSocket
from .harness import Container, Process


@pytest.fixture
def tty() -> Iterator[tuple[int, int]]:
    """Master and slave of the caller's terminal, 24 by 80."""
    with ptys.terminal() as pair:
        yield pair


def _foreground(container: Container, slave: int, *words: str, flags: tuple[str, ...] = ()) -> Process:
    """`run` (or another command) with the slave as stdin, stdout, stderr and controlling terminal."""
    container.process["terminal"] = True
    container.bundle.write()
    argv = words or ("run", "--bundle", container.bundle.path, *flags, container.id)

    def take_terminal() -> None:
        os.setsid()
        import fcntl

        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    return container.runtime.spawn(*argv, stdin=slave, stdout=slave, stderr=slave, preexec_fn=take_terminal)


def _detached(container: Container, console: DescriptorSocket) -> Container:
    container.process["terminal"] = True
    return container.create("--console-socket", console.path).start()


# ---- foreground ------------------------------------------------------------------------------------------------------


def test_all_three_descriptors_are_the_terminal(container: Container, tty: tuple[int, int]) -> None:
    master, slave = tty
    container.shell("test -t 0 && test -t 1 && test -t 2 && tty; stat -c %t:%T /dev/console; echo done")
    process = _foreground(container, slave)
    shown = ptys.read_until(master, "done")
    assert process.wait().returncode == 0
    assert "/dev/pts/0" in shown
    assert "88:0" in shown


def test_input_reaches_the_payload(container: Container, tty: tuple[int, int]) -> None:
    master, slave = tty
    process = _foreground(container.shell("echo ready; read line; echo got-$line"), slave)
    ptys.read_until(master, "ready")
    ptys.write(master, "hello\n")
    ptys.read_until(master, "got-hello")
    assert process.wait().returncode == 0


def test_exit_code(container: Container, tty: tuple[int, int]) -> None:
    assert _foreground(container.shell("exit 17"), tty[1]).wait().returncode == 17


def test_control_c_reaches_the_payload_only(container: Container, tty: tuple[int, int]) -> None:
    master, slave = tty
    container.shell("trap 'echo interrupted; exit 42' INT; echo ready; while :; do sleep 0.05; done")
    process = _foreground(container, slave)
    ptys.read_until(master, "ready")
    ptys.write(master, "\x03")
    ptys.read_until(master, "interrupted")
    assert process.wait().returncode == 42


def test_end_of_file_ends_a_shell(container: Container, tty: tuple[int, int]) -> None:
    master, slave = tty
    process = _foreground(container.args("cat"), slave)
    ptys.write(master, "line\n")
    ptys.read_until(master, "line\r\nline")
    ptys.write(master, "\x04")
    assert process.wait().returncode == 0


def test_the_callers_terminal_is_raw_meanwhile_and_restored_after(
    container: Container, tty: tuple[int, int]
) -> None:
    master, slave = tty
    before = termios.tcgetattr(slave)
    process = _foreground(container.shell("echo ready; read line"), slave)
    ptys.read_until(master, "ready")
    assert not termios.tcgetattr(slave)[3] & termios.ICANON
    ptys.write(master, "x\n")
    process.wait()
    assert termios.tcgetattr(slave) == before


def test_terminal_is_restored_after_a_failure(container: Container, tty: tuple[int, int]) -> None:
    slave = tty[1]
    before = termios.tcgetattr(slave)
    assert _foreground(container.args("/nowhere"), slave).wait().returncode == 1
    assert termios.tcgetattr(slave) == before


def test_initial_size_is_the_callers(container: Container) -> None:
    with ptys.terminal(41, 123) as (master, slave):
        process = _foreground(container.shell("stty size; echo done"), slave)
        assert "41 123" in ptys.read_until(master, "done")
        process.wait()


def test_console_size_of_the_config(container: Container, tty: tuple[int, int], directory: str) -> None:
    container.process["consoleSize"] = {"height": 33, "width": 111}
    with ptys.console_socket(directory) as console:
        _detached(container.shell("stty size; sleep 1000"), console)
        assert "33 111" in ptys.read_until(console.receive(), "\n")
        assert ptys.size(console.receive()) == (33, 111)
        container.delete("--force")


def test_console_size_without_terminal_is_ignored(container: Container) -> None:
    container.process["consoleSize"] = {"height": 33, "width": 111}
    assert container.sh("echo fine") == "fine"


def test_resize(container: Container, tty: tuple[int, int]) -> None:
    master, slave = tty
    container.shell("trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done")
    process = _foreground(container, slave)
    ptys.read_until(master, "ready")
    ptys.set_size(master, 50, 150)
    process.signal(signal.SIGWINCH)
    ptys.read_until(master, "50 150")
    assert process.wait().returncode == 0


def test_terminal_belongs_to_the_user(container: Container, tty: tuple[int, int]) -> None:
    master, slave = tty
    container.process["user"] = {"uid": 1000, "gid": 1000}
    process = _foreground(
        container.shell("stat -L -c owner-%u /dev/pts/0; echo again > /dev/console; echo done"), slave
    )
    shown = ptys.read_until(master, "done")
    process.wait()
    assert "owner-1000" in shown and "again" in shown


def test_payload_has_a_controlling_terminal(container: Container, tty: tuple[int, int]) -> None:
    master, slave = tty
    process = _foreground(container.shell("echo through > /dev/tty; echo done"), slave)
    assert "through" in ptys.read_until(master, "done")
    process.wait()


def test_much_output(container: Container, tty: tuple[int, int]) -> None:
    master, slave = tty
    process = _foreground(container.shell("seq 1 20000; echo done"), slave)
    shown = ptys.read_until(master, "done")
    assert "\r\n19999\r\n20000\r\n" in shown
    assert process.wait().returncode == 0


def test_output_just_before_the_end_is_not_lost(container: Container, tty: tuple[int, int]) -> None:
    master, slave = tty
    for _ in range(5):
        process = _foreground(container.args("echo", "last-words"), slave)
        ptys.read_until(master, "last-words")
        process.wait()


def test_payload_may_kill_its_terminal(container: Container, tty: tuple[int, int]) -> None:
    assert _foreground(container.shell("exec <&- >&- 2>&-; exit 4"), tty[1]).wait().returncode == 4


# ---- detached --------------------------------------------------------------------------------------------------------


def test_console_socket_gets_the_master(container: Container, directory: str) -> None:
    with ptys.console_socket(directory) as console:
        _detached(container.shell("tty; read line; echo got-$line"), console)
        master = console.receive()
        assert stat.S_ISCHR(os.fstat(master).st_mode)
        ptys.read_until(master, "/dev/pts/0")
        ptys.write(master, "hello\n")
        ptys.read_until(master, "got-hello")
        assert container.wait() == 0


def test_console_socket_message_names_the_terminal(container: Container, directory: str) -> None:
    with ptys.console_socket(directory) as console:
        _detached(container.args("sleep", "1000"), console)
        console.receive()
        assert console.message.rstrip(b"\0")
        container.delete("--force")


def test_console_socket_with_run_detach(container: Container, directory: str) -> None:
    container.process["terminal"] = True
    with ptys.console_socket(directory) as console:
        container.shell("echo from-inside").run("--detach", "--console-socket", console.path).ok()
        assert "from-inside" in ptys.read_all(console.receive())


def test_console_socket_relative_path(container: Container) -> None:
    container.process["terminal"] = True
    with ptys.console_socket(container.bundle.path):
        container.create("--console-socket", "console.sock", cwd=container.bundle.path)


def test_nobody_keeps_the_terminal_open(container: Container, directory: str) -> None:
    """conmon and the shim see the end of the container as the end of its terminal."""
    with ptys.console_socket(directory) as console:
        _detached(container.shell("echo last"), console)
        assert "last" in ptys.read_all(console.receive())


def test_create_with_terminal_needs_a_socket(container: Container) -> None:
    container.process["terminal"] = True
    container.try_create().failed("console")
    assert container.runtime.leftovers() == []


def test_run_detached_with_terminal_needs_a_socket(container: Container) -> None:
    container.process["terminal"] = True
    container.args("true").run("--detach").failed("console")
    assert container.runtime.leftovers() == []


def test_socket_without_terminal_is_refused(container: Container, directory: str) -> None:
    with ptys.console_socket(directory) as console:
        container.try_create("--console-socket", console.path).failed("console")


def test_socket_in_the_foreground_is_refused(container: Container, directory: str) -> None:
    container.process["terminal"] = True
    with ptys.console_socket(directory) as console:
        container.run("--console-socket", console.path).failed("console")


def test_missing_socket_is_an_error(container: Container, directory: str) -> None:
    container.process["terminal"] = True
    container.try_create("--console-socket", f"{directory}/nowhere").failed("no such file or directory")
    assert container.runtime.leftovers() == []


# ---- exec ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["--tty", "-t"])
def test_exec_tty(container: Container, tty: tuple[int, int], flag: str) -> None:
    master, slave = tty
    container.sleeping()
    process = _foreground(
        container, slave, "exec", flag, container.id, "sh", "-c", "test -t 0 && test -t 1 && tty; echo done"
    )
    assert "/dev/pts/0" in ptys.read_until(master, "done")
    assert process.wait().returncode == 0


def test_exec_tty_exit_code_and_input(container: Container, tty: tuple[int, int]) -> None:
    master, slave = tty
    container.sleeping()
    process = _foreground(
        container, slave, "exec", "-t", container.id, "sh", "-c", "echo ready; read n; exit $n"
    )
    ptys.read_until(master, "ready")
    ptys.write(master, "23\n")
    assert process.wait().returncode == 23


def test_exec_without_tty_flag_has_none(container: Container, directory: str) -> None:
    with ptys.console_socket(directory) as console:
        _detached(container.args("sleep", "1000"), console)
        assert container.exec("sh", "-c", "test -t 0 || echo no-terminal").ok().stdout == "no-terminal\n"
        container.delete("--force")


def test_exec_detached_with_console_socket(container: Container, directory: str) -> None:
    container.sleeping()
    with ptys.console_socket(directory) as console:
        flags = ["--tty", "--detach", "--console-socket", console.path]
        container.exec("sh", "-c", "echo from-$(tty)", flags=flags).ok()
        assert "from-/dev/pts/0" in ptys.read_all(console.receive())


def test_exec_process_file_with_terminal_and_size(container: Container, directory: str) -> None:
    import json

    container.sleeping()
    path = f"{directory}/process.json"
    with open(path, "w") as file:
        json.dump(
            {
                "terminal": True,
                "consoleSize": {"height": 12, "width": 34},
                "args": ["stty", "size"],
                "env": ["PATH=/bin"],
                "cwd": "/",
                "user": {"uid": 0, "gid": 0},
            },
            file,
        )
    with ptys.console_socket(directory) as console:
        container.runtime.call(
            "exec", "--process", path, "--detach", "--console-socket", console.path, container.id
        ).ok()
        assert "12 34" in ptys.read_all(console.receive())


def test_exec_tty_detached_needs_a_socket(container: Container) -> None:
    container.sleeping()
    container.exec("true", flags=["--tty", "--detach"]).failed("console")
