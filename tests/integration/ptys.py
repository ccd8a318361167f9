"""Both ends of a terminal: one that a foreground command runs in, and the receiver of a --console-socket."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import struct
import termios
import time
from collections.abc import Iterator

from .descriptor_socket import DescriptorSocket, descriptor_socket


def set_size(fd: int, rows: int, columns: int) -> None:
    """TIOCSWINSZ."""
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def size(fd: int) -> tuple[int, int]:
    """TIOCGWINSZ: rows and columns."""
    rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
    return rows, columns


def write(fd: int, text: str) -> None:
    """Type something."""
    os.write(fd, text.encode())


def read_until(fd: int, word: str, timeout: float = 60.0) -> str:
    """What the terminal shows until `word` has come; fails the test after `timeout` seconds."""
    shown, deadline = "", time.monotonic() + timeout
    while word not in shown:
        left = deadline - time.monotonic()
        assert left > 0, f"{word!r} has not come, only {shown!r}"
        if select.select([fd], [], [], left)[0]:
            try:
                data = os.read(fd, 4096)
            except OSError:  # EIO: the other side is closed
                data = b""
            assert data, f"{word!r} has not come before the end, only {shown!r}"
            shown += data.decode(errors="replace")
    return shown


def read_all(fd: int, timeout: float = 60.0) -> str:
    """Everything until the other side is closed."""
    shown, deadline = "", time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        assert left > 0, f"terminal is still open: {shown!r}"
        if select.select([fd], [], [], left)[0]:
            try:
                data = os.read(fd, 4096)
            except OSError:
                return shown
            if not data:
                return shown
            shown += data.decode(errors="replace")


@contextlib.contextmanager
def terminal(rows: int = 24, columns: int = 80) -> Iterator[tuple[int, int]]:
    """A new pty: (master, slave)."""
    master, slave = os.openpty()
    set_size(master, rows, columns)
    try:
        yield master, slave
    finally:
        os.close(slave)
        os.close(master)


@contextlib.contextmanager
def console_socket(directory: str, name: str = "console.sock") -> Iterator[DescriptorSocket]:
    """What --console-socket names, for the time of a with block; it receives the terminal's master."""
    with descriptor_socket(os.path.join(directory, name)) as found:
        yield found
