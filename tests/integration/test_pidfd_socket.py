"""--pidfd-socket: the container's pidfd by SCM_RIGHTS."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import Container

pytestmark = pytest.mark.old_runc_lacks("--pidfd-socket")


class Receiver:
    """Listens at `path`, and keeps the first descriptor that comes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.fd = -1
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        self._server.listen(1)
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._server.accept()
            with connection:
                connection.settimeout(10)
                _, fds, _, _ = socket.recv_fds(connection, 4096, 1)
                self.fd = fds[0] if fds else -1

    def receive(self) -> int:
        self._thread.join(10)
        assert self.fd >= 0, "no descriptor has been received"
        return self.fd

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(10)
        if self.fd >= 0:
            os.close(self.fd)


@pytest.fixture
def receiver(directory: str) -> Iterator[Receiver]:
    found = Receiver(f"{directory}/pidfd.sock")
    yield found
    found.close()


def _pid_of(pidfd: int) -> int:
    text = Path(f"/proc/self/fdinfo/{pidfd}").read_text()
    match = re.search(r"^Pid:\s*(-?\d+)$", text, re.MULTILINE)
    assert match, f"not a pidfd: {text}"
    return int(match.group(1))


def test_create(container: Container, receiver: Receiver) -> None:
    container.create("--pidfd-socket", receiver.path)
    assert _pid_of(receiver.receive()) == container.pid


def test_it_works_as_a_pidfd(container: Container, receiver: Receiver) -> None:
    container.sleeping("--pidfd-socket", receiver.path)
    pidfd = receiver.receive()
    assert not select.select([pidfd], [], [], 0)[0]
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert select.select([pidfd], [], [], 5)[0]
    assert container.wait() == 137


def test_run_detached(container: Container, receiver: Receiver) -> None:
    container.args("sleep", "1000").run(
        "--detach", "--pid-file", container.pid_file, "--pidfd-socket", receiver.path
    ).ok()
    assert _pid_of(receiver.receive()) == container.pid


def test_exec(container: Container, receiver: Receiver) -> None:
    container.sleeping()
    path = container.pid_file + ".exec"
    flags = ["--detach", "--pid-file", path, "--pidfd-socket", receiver.path]
    container.exec("sleep", "1000", flags=flags).ok()
    assert _pid_of(receiver.receive()) == int(Path(path).read_text())


def test_missing_socket_is_an_error(container: Container, directory: str) -> None:
    container.try_create("--pidfd-socket", f"{directory}/nowhere").failed("no such file or directory")
    assert container.runtime.leftovers() == []
