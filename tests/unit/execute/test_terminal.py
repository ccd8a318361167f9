"""The caller's terminal in front of a container's, with two pseudo-terminals of the test's own."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
from collections.abc import Iterator

import pytest

from runtime.errors import KernelError
from runtime.execute import terminal as subject
from runtime.execute.terminal import Terminal, host_terminal, raw_mode
from runtime.execute.unix_socket import send_descriptor


def resize(fd: int, rows: int, columns: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def size(fd: int) -> tuple[int, int]:
    rows, columns, _, _ = struct.unpack("4H", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
    return rows, columns


class Pair:
    """A terminal for the caller and one for the container."""

    def __init__(self) -> None:
        self.outer, self.host = pty.openpty()
        self.master, self.inner = pty.openpty()

    def close(self) -> None:
        for fd in (self.outer, self.host, self.master, self.inner):
            try:
                os.close(fd)
            except OSError:
                pass


@pytest.fixture
def ptys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    pair = Pair()
    monkeypatch.setattr(subject, "host_terminal", lambda: pair.host)
    yield pair
    pair.close()


def taken(ptys: Pair) -> Terminal:
    """A Terminal that has got the container's master, as init sends it."""
    terminal = Terminal()
    send_descriptor(terminal.socket, b"/dev/pts/0", ptys.master)
    terminal.take_master()
    return terminal


def test_raw_mode_is_that_of_cfmakeraw(ptys: Pair) -> None:
    before = termios.tcgetattr(ptys.host)
    made = raw_mode(before)
    assert made[0] & (termios.ICRNL | termios.IXON | termios.BRKINT | termios.ISTRIP) == 0
    assert made[1] & termios.OPOST == 0
    assert made[2] & termios.CSIZE == termios.CS8 and made[2] & termios.PARENB == 0
    assert made[3] & (termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN) == 0
    assert (made[6][termios.VMIN], made[6][termios.VTIME]) == (1, 0)
    assert before == termios.tcgetattr(ptys.host), "the argument is left alone"


def test_callers_terminal_is_raw_until_it_is_restored(ptys: Pair) -> None:
    before = termios.tcgetattr(ptys.host)
    terminal = taken(ptys)
    during = termios.tcgetattr(ptys.host)
    assert during[3] & (termios.ECHO | termios.ICANON | termios.ISIG) == 0
    terminal.restore()
    assert termios.tcgetattr(ptys.host) == before
    terminal.restore()
    os.close(terminal.master)


def test_size_is_the_callers_then_and_later(ptys: Pair) -> None:
    resize(ptys.host, 33, 101)
    terminal = taken(ptys)
    assert size(ptys.inner) == (33, 101)
    resize(ptys.host, 50, 200)
    terminal.resize()
    assert size(ptys.inner) == (50, 200)
    terminal.restore()
    os.close(terminal.master)


def test_a_caller_without_a_size_leaves_the_containers(ptys: Pair) -> None:
    resize(ptys.inner, 7, 9)
    resize(ptys.host, 0, 0)
    terminal = taken(ptys)
    assert size(ptys.inner) == (7, 9)
    terminal.restore()
    os.close(terminal.master)


def test_init_that_sends_nothing() -> None:
    terminal = Terminal()
    os.close(terminal.socket)
    with pytest.raises(KernelError, match="^receive the terminal: init sent no descriptor$"):
        terminal.take_master()
    os.close(terminal.ours)


def test_bytes_go_both_ways(ptys: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    out_reader, out_writer = os.pipe()
    saved = os.dup(0), os.dup(1)
    os.dup2(reader, 0)
    os.dup2(out_writer, 1)
    try:
        terminal = taken(ptys)
        poll = select.poll()
        terminal.register(poll)
        os.write(writer, b"typed\n")
        terminal.relay(0, poll)
        assert os.read(ptys.inner, 100) == b"typed\n"
        os.write(ptys.inner, b"shown\n")
        shown = b""
        while b"shown" not in shown:
            terminal.relay(terminal.master, poll)
            shown += os.read(out_reader, 100)
        # the end of standard input is a ^D for a program that reads lines
        os.close(writer)
        terminal.relay(0, poll)
        assert os.read(ptys.inner, 100) == b""
        os.write(ptys.inner, b"last words")
        terminal.drain()
        assert os.read(out_reader, 100) == b"last words"
        os.close(ptys.inner)
        terminal.drain()
        terminal.restore()
        os.close(terminal.master)
    finally:
        for number, fd in enumerate(saved):
            os.dup2(fd, number)
            os.close(fd)
        for fd in (reader, out_reader, out_writer):
            os.close(fd)


def test_first_terminal_of_the_three(ptys: Pair) -> None:
    saved = [os.dup(fd) for fd in range(3)]
    null = os.open("/dev/null", os.O_RDWR)
    try:
        found = []
        for terminals in ((), (0,), (0, 1), (0, 1, 2)):
            for fd in range(3):
                os.dup2(ptys.host if fd in terminals else null, fd)
            found.append(host_terminal())
    finally:
        for number, fd in enumerate(saved):
            os.dup2(fd, number)
            os.close(fd)
        os.close(null)
    assert found == [-1, 0, 1, 2]
