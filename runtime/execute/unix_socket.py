"""Unix sockets that managers name on the command line: console, pidfd and seccomp agents."""

from __future__ import annotations

import _socket
from _struct import pack, unpack

from runtime.errors import KernelError
from runtime.linux import posix as os

TYPE_CHECKING = False

SOCK_CLOEXEC = 0o2000000
SUN_PATH = 107


def connect(path: str, what: str, pointer: str = "") -> int:
    """A connected stream socket's descriptor. `what` names it in errors. Raises KernelError."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | SOCK_CLOEXEC)
    directory = -1
    try:
        address = path
        if len(os.fsencode(path)) > SUN_PATH:
            # sun_path is short: the same file by way of its directory's descriptor
            directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            address = f"/proc/self/fd/{directory}/{os.path.basename(path)}"
        sock.connect(address)
        return sock.detach()
    except OSError as err:
        raise KernelError(f"connect to {what} {path}", err.errno or 0, pointer) from None
    finally:
        sock.close()
        if directory >= 0:
            os.close(directory)


def send_descriptor(socket_fd: int, data: bytes, descriptor: int) -> None:
    """`data` with one descriptor by SCM_RIGHTS, unix(7). Raises OSError."""
    sock = _socket.socket(fileno=os.dup(socket_fd))
    try:
        rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, pack("i", descriptor))
        sent = sock.sendmsg([data], [rights])
        if sent < len(data):
            _send_rest(sock, data[sent:])
    finally:
        sock.close()


def _send_rest(sock: _socket.socket, data: bytes) -> None:
    while data:
        data = data[sock.send(data) :]


def receive_descriptor(socket_fd: int) -> int:
    """The first descriptor of the next message; -1 when there is none. Raises OSError."""
    sock = _socket.socket(fileno=os.dup(socket_fd))
    try:
        flags = _socket.MSG_CMSG_CLOEXEC
        _, ancillary, _, _ = sock.recvmsg(4096, _socket.CMSG_SPACE(4), flags)
    finally:
        sock.close()
    for level, kind, rights in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            descriptor: int = unpack("i", rights[:4])[0]
            return descriptor
    return -1


def pair(kind: int) -> tuple[int, int]:
    """Descriptors of a connected pair of `kind` (SOCK_STREAM, SOCK_SEQPACKET), close-on-exec."""
    left, right = _socket.socketpair(_socket.AF_UNIX, kind | SOCK_CLOEXEC)
    return left.detach(), right.detach()
