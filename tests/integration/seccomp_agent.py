"""An agent for seccomp user notification: receives the listener at a unix socket and answers its requests."""

from __future__ import annotations

import array
import contextlib
import fcntl
import json
import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

# linux/seccomp.h, the same on all architectures
SECCOMP_IOCTL_NOTIF_RECV = 0xC0502100
SECCOMP_IOCTL_NOTIF_SEND = 0xC0182101
SECCOMP_USER_NOTIF_FLAG_CONTINUE = 1


class Request(NamedTuple):
    """struct seccomp_notif, flattened."""

    id: int
    pid: int
    syscall: int
    args: tuple[int, ...]


Answer = Callable[[Request], "int | None"]
"""Returns an errno to fail with, or None to let the system call go on."""


class Agent:
    """Listens at `path` in a thread; `states` are the ContainerProcessStates that came, one per container or exec."""

    def __init__(self, path: str, answer: Answer) -> None:
        self.path = path
        self.states: list[dict[str, Any]] = []
        self.requests: list[Request] = []
        self.errors: list[str] = []
        self._answer = answer
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        self._server.listen(8)
        self._wake_read, self._wake_write = os.pipe()
        self._listeners: list[int] = []
        self._thread = threading.Thread(target=self._loop)
        self._thread.start()

    def _loop(self) -> None:
        while True:
            ready, _, _ = select.select([self._server, self._wake_read, *self._listeners], [], [])
            if self._wake_read in ready:
                return
            for source in ready:
                if source is self._server:
                    self._accept()
                else:
                    self._serve(source)

    def _accept(self) -> None:
        connection, _ = self._server.accept()
        with connection:
            connection.settimeout(60)
            data, fds = b"", []
            while True:
                message, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(16 * 4))
                for level, kind, content in ancillary:
                    if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                        numbers = array.array("i")
                        numbers.frombytes(content[: len(content) - len(content) % 4])
                        fds += numbers
                data += message
                with contextlib.suppress(ValueError):
                    self.states.append(json.loads(data))
                    break
                if not message:
                    self.errors.append(f"no JSON: {data!r}")
                    break
        self._listeners += fds

    def _serve(self, listener: int) -> None:
        buffer = bytearray(80)
        try:
            fcntl.ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, buffer)
        except OSError:  # the last process of the filter is gone
            self._listeners.remove(listener)
            os.close(listener)
            return
        number, pid, _, syscall, _, _ = struct.unpack_from("=QIIiIQ", buffer)
        request = Request(number, pid, syscall, struct.unpack_from("=6Q", buffer, 32))
        self.requests.append(request)
        error = self._answer(request)
        flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE if error is None else 0
        with contextlib.suppress(OSError):
            fcntl.ioctl(
                listener,
                SECCOMP_IOCTL_NOTIF_SEND,
                bytearray(struct.pack("=QqiI", number, 0, -(error or 0), flags)),
            )

    def close(self) -> None:
        """Stop; processes that still wait for an answer get ENOSYS from the kernel."""
        os.write(self._wake_write, b"x")
        self._thread.join(60)
        for fd in (*self._listeners, self._wake_read, self._wake_write):
            os.close(fd)
        self._server.close()


@contextlib.contextmanager
def agent(directory: str, answer: Answer, name: str = "agent.sock") -> Iterator[Agent]:
    """An Agent for the time of a with block."""
    found = Agent(os.path.join(directory, name), answer)
    try:
        yield found
    finally:
        found.close()
    assert not found.errors, found.errors
