"""Both ends of a terminal: one that a foreground command runs in, and the receiver of a --console-socket."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import struct
import termios
import threading
import time
from collections.abc import Iterator


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


def read_until(fd: int, word: str, timeout: float = 5.0) -> str:
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


def read_all(fd: int, timeout: float = 5.0) -> str:
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


class ConsoleSocket:
    """Listens where --console-socket points, and keeps the master that arrives."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.master = -1
        self.message = b""
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        self._server.listen(1)
        self._server.settimeout(20)
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._server.accept()
            with connection:
                connection.settimeout(20)
                self.message, fds, _, _ = socket.recv_fds(connection, 4096, 2)
                if fds:
                    self.master = fds[0]
                for extra in fds[1:]:
                    os.close(extra)

    def receive(self) -> int:
        """The master, once the runtime has sent it."""
        self._thread.join(20)
        assert self.master >= 0, "no terminal has been received"
        return self.master

    def close(self) -> None:
        """Stop listening and close the master."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(20)
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


@contextlib.contextmanager
def console_socket(directory: str, name: str = "console.sock") -> Iterator[ConsoleSocket]:
    """A ConsoleSocket for the time of a with block."""
    found = ConsoleSocket(os.path.join(directory, name))
    try:
        yield found
    finally:
        found.close()
