"""The caller's terminal in front of a container's: raw mode, copying both ways, window size."""

from __future__ import annotations

import _socket
import fcntl
import select
import termios

from runtime.errors import KernelError
from runtime.execute.unix_socket import pair, receive_descriptor
from runtime.linux import posix as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BUFFER = 65536
TIOCGWINSZ = 0x5413
TIOCSWINSZ = 0x5414


class Terminal:
    """A socket pair for the pseudo-terminal's master; `socket` is the end that init gets."""

    def __init__(self) -> None:
        self.ours, self.socket = pair(_socket.SOCK_STREAM)
        self.host = host_terminal()
        self.master = -1
        self.saved: list[Any] | None = None

    def take_master(self) -> None:
        """Receive the master that init sent, and put the caller's terminal into raw mode."""
        self.master = receive_descriptor(self.ours)
        if self.master < 0:
            raise KernelError("receive the terminal", 0, detail="init sent no descriptor")
        os.close(self.ours)
        os.close(self.socket)
        if self.host >= 0:
            self.resize()
            self.saved = termios.tcgetattr(self.host)
            termios.tcsetattr(self.host, termios.TCSADRAIN, raw_mode(self.saved))

    def restore(self) -> None:
        """The caller's terminal as it was."""
        if self.saved is not None:
            termios.tcsetattr(self.host, termios.TCSADRAIN, self.saved)
            self.saved = None

    def resize(self) -> None:
        """Give the container's terminal the size of the caller's."""
        try:
            size = fcntl.ioctl(self.host, TIOCGWINSZ, bytes(8))
            if size[:4] != bytes(4):
                fcntl.ioctl(self.master, TIOCSWINSZ, size)
        except OSError:
            pass

    def register(self, poll: select.poll) -> None:
        poll.register(self.master, select.POLLIN)
        poll.register(0, select.POLLIN)

    def relay(self, fd: int, poll: select.poll) -> None:
        """Copy what there is on `fd` to the other side; stop listening at its end."""
        try:
            data = os.read(fd, BUFFER)
        except OSError:
            data = b""
        if not data:
            poll.unregister(fd)
            if fd == 0 and self.master >= 0:
                # the end of a pipe on standard input is a ^D typed
                _write(self.master, b"\x04")
            return
        _write(1 if fd == self.master else self.master, data)

    def drain(self) -> None:
        """What the container wrote last."""
        poll = select.poll()
        poll.register(self.master, select.POLLIN)
        while any(events & select.POLLIN for _, events in poll.poll(0)):
            try:
                data = os.read(self.master, BUFFER)
            except OSError:
                return
            if not data:
                return
            _write(1, data)


def host_terminal() -> int:
    """The first terminal among standard error, output and input; -1 for none."""
    for fd in (2, 1, 0):
        if os.isatty(fd):
            return fd
    return -1


def raw_mode(attributes: list[Any]) -> list[Any]:
    """cfmakeraw(3) of tcgetattr's answer."""
    iflag, oflag, cflag, lflag, ispeed, ospeed, characters = attributes
    iflag &= ~(
        termios.IGNBRK
        | termios.BRKINT
        | termios.PARMRK
        | termios.ISTRIP
        | termios.INLCR
        | termios.IGNCR
        | termios.ICRNL
        | termios.IXON
    )
    oflag &= ~termios.OPOST
    lflag &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
    cflag = (cflag & ~(termios.CSIZE | termios.PARENB)) | termios.CS8
    characters = list(characters)
    characters[termios.VMIN] = 1
    characters[termios.VTIME] = 0
    return [iflag, oflag, cflag, lflag, ispeed, ospeed, characters]


def _write(fd: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        pass
