"""--pidfd-socket: the container's pidfd by SCM_RIGHTS."""

from __future__ import annotations

import re
import select
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from .descriptor_socket import DescriptorSocket, descriptor_socket
from .harness import Container

pytestmark = pytest.mark.old_runc_lacks("--pidfd-socket")


@pytest.fixture
def receiver(directory: str) -> Iterator[DescriptorSocket]:
    with descriptor_socket(f"{directory}/pidfd.sock") as found:
        yield found


def _pid_of(pidfd: int) -> int:
    text = Path(f"/proc/self/fdinfo/{pidfd}").read_text()
    match = re.search(r"^Pid:\s*(-?\d+)$", text, re.MULTILINE)
    assert match, f"not a pidfd: {text}"
    return int(match.group(1))


def test_create(container: Container, receiver: DescriptorSocket) -> None:
    container.create("--pidfd-socket", receiver.path)
    assert _pid_of(receiver.receive()) == container.pid


def test_it_works_as_a_pidfd(container: Container, receiver: DescriptorSocket) -> None:
    container.sleeping("--pidfd-socket", receiver.path)
    pidfd = receiver.receive()
    assert not select.select([pidfd], [], [], 0)[0]
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert select.select([pidfd], [], [], 60)[0]
    assert container.wait() == 137


def test_run_detached(container: Container, receiver: DescriptorSocket) -> None:
    container.args("sleep", "1000").run(
        "--detach", "--pid-file", container.pid_file, "--pidfd-socket", receiver.path
    ).ok()
    assert _pid_of(receiver.receive()) == container.pid


def test_exec(container: Container, receiver: DescriptorSocket) -> None:
    container.sleeping()
    path = container.pid_file + ".exec"
    flags = ["--detach", "--pid-file", path, "--pidfd-socket", receiver.path]
    container.exec("sleep", "1000", flags=flags).ok()
    assert _pid_of(receiver.receive()) == int(Path(path).read_text())


def test_missing_socket_is_an_error(container: Container, directory: str) -> None:
    container.try_create("--pidfd-socket", f"{directory}/nowhere").failed("no such file or directory")
    assert container.runtime.leftovers() == []
