"""--pidfd-socket"""

from __future__ import annotations

from runtime.errors import KernelError
from runtime.execute.unix_socket import connect, send_descriptor
from runtime.linux import posix as os

TYPE_CHECKING = False


def send_pidfd(path: str, pid: int) -> None:
    """init's pidfd to the --pidfd-socket. Raises KernelError."""
    sock = connect(path, "the pidfd socket")
    pidfd = os.pidfd_open(pid)
    try:
        send_descriptor(sock, b"pidfd", pidfd)
    except OSError as err:
        raise KernelError(f"send the pidfd to {path}", err.errno or 0) from None
    finally:
        os.close(pidfd)
        os.close(sock)
