"""The other side of --console-socket and --pidfd-socket: a unix socket at which one descriptor arrives."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator

SECONDS = 60
"""For what is on its way to arrive, on a busy machine."""


class DescriptorSocket:
    """Listens at `path`, and keeps the first message and its descriptor (-1 while there is none)."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = -1
        self.message = b""
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        self._server.listen(1)
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._server.accept()
            with connection:
                connection.settimeout(SECONDS)
                self.message, fds, _, _ = socket.recv_fds(connection, 4096, 2)
                if fds:
                    self.fd = fds[0]
                for extra in fds[1:]:
                    os.close(extra)

    def receive(self) -> int:
        """The descriptor, once the runtime has sent it; it stays this object's."""
        self._thread.join(SECONDS)
        assert self.fd >= 0, "no descriptor has been received"
        return self.fd

    def close(self) -> None:
        """Stop listening and close the descriptor."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@contextlib.contextmanager
def descriptor_socket(path: str) -> Iterator[DescriptorSocket]:
    """A DescriptorSocket for the time of a with block."""
    found = DescriptorSocket(path)
    try:
        yield found
    finally:
        found.close()
