"""NOTIFY_SOCKET for a container, sd_notify(3): a socket in <id>/notify/ whose messages are passed on.

The directory is bind-mounted at /run/notify when the container is created; the socket appears in it
when the container is started.
"""

from __future__ import annotations

import _socket
import select
from _struct import pack

from runtime.errors import KernelError
from runtime.execute.interrupt import readable
from runtime.linux import posix as os
from runtime.linux.process import is_running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.state.record import Record
    from runtime.state.store import ContainerDirectory

DIRECTORY = "notify"
SOCKET = "notify.sock"
BARRIER_TIMEOUT = 30.0
POLL = 0.1


class NotifySocket:
    """The container's socket and the address of the caller's."""

    def __init__(self, directory: ContainerDirectory, host: str) -> None:
        """Raises KernelError when the socket cannot be made."""
        self.host = "\0" + host[1:] if host.startswith("@") else host
        self.socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | 0o2000000)
        name = f"{DIRECTORY}/{SOCKET}"
        directory.unlink(name)
        path = f"/proc/self/fd/{directory.fd}/{name}"
        try:
            self.socket.bind(path)
            # whoever the container's process is may send to it
            os.chmod(path, 0o777)
        except OSError as err:
            raise KernelError(f"make {directory.path}/{name}", err.errno or 0) from None

    def fileno(self) -> int:
        return self.socket.fileno()

    def close(self) -> None:
        self.socket.close()

    def forward(self, pid: int) -> bool:
        """Read one message; True when it was READY=1, which the caller is then told with `pid` as MAINPID."""
        lines = self.socket.recv(4096).split(b"\n")
        ready = [line for line in lines if line.startswith(b"READY=")]
        if not ready:
            return False
        self._send(b"MAINPID=%d\n%s" % (pid, ready[0]))
        self._barrier()
        return True

    def wait(self, record: Record) -> None:
        """Forward until the container is ready or gone."""
        while is_running(record.pid, record.start_time):
            if readable(self.fileno(), POLL) and self.forward(record.pid):
                return

    def _send(self, data: bytes, descriptor: int = -1) -> None:
        rights = []
        if descriptor >= 0:
            rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, pack("i", descriptor))]
        sender = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | 0o2000000)
        try:
            sender.sendmsg([data], rights, 0, self.host)
        except OSError as err:
            raise KernelError("notify NOTIFY_SOCKET", err.errno or 0) from None
        finally:
            sender.close()

    def _barrier(self) -> None:
        """Wait until the manager has dealt with what was sent, sd_notify_barrier(3)."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        try:
            self._send(b"BARRIER=1", writer)
            os.close(writer)
            writer = -1
            poll = select.poll()
            poll.register(reader, select.POLLHUP)
            poll.poll(BARRIER_TIMEOUT * 1000)
        except KernelError:
            # a manager that knows no barrier
            return
        finally:
            os.close(reader)
            if writer >= 0:
                os.close(writer)


def notify_socket(directory: ContainerDirectory) -> NotifySocket | None:
    """The socket for a container that was created with one, when the caller has a NOTIFY_SOCKET."""
    host = os.environ.get("NOTIFY_SOCKET")
    if not host or not directory.has(DIRECTORY):
        return None
    return NotifySocket(directory, host)
