"""NOTIFY_SOCKET: a service under systemd whose payload reports that it is ready (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import stat
import threading
import time
from collections.abc import Iterator

import pytest

from . import proc
from .harness import RUNTIME_PATH, Container, Process


class Supervisor:
    """The socket that systemd would listen on; closes what comes with BARRIER=1, which is how systemd answers it."""

    def __init__(self, path: str) -> None:
        self.lines: list[str] = []
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._server.bind(path)
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()
        self._path = path

    def _receive(self) -> None:
        while True:
            data, fds, _, _ = socket.recv_fds(self._server, 4096, 4)
            for fd in fds:
                os.close(fd)
            if data == b"stop":
                return
            self.lines += data.decode().split()

    def await_line(self, line: str) -> None:
        proc.wait_until(lambda: line in self.lines, f"{line} arrives, not only {self.lines}")

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(b"stop", self._path)
        self._thread.join()
        self._server.close()


@pytest.fixture
def supervisor(directory: str) -> Iterator[Supervisor]:
    found = Supervisor(f"{directory}/notify.sock")
    yield found
    found.close()


def _env(directory: str) -> dict[str, str]:
    return {"PATH": RUNTIME_PATH, "NOTIFY_SOCKET": f"{directory}/notify.sock"}


def _send(container: Container, message: bytes) -> None:
    """Send as the payload would, through the container's own root."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        fd = os.open(f"{container.root}/run/notify", os.O_PATH)
        try:
            client.connect(f"/proc/self/fd/{fd}/notify.sock")
            client.send(message)
        finally:
            os.close(fd)


def _running(container: Container) -> None:
    proc.wait_until(
        lambda: container.runtime.call("state", container.id).json()["status"] == "running", "it runs"
    )


def _starting(container: Container, directory: str) -> Process:
    """`start` of a container whose payload runs, and has not said yet that it is ready."""
    container.args("sleep", "1000").create(env=_env(directory))
    process = container.runtime.spawn("start", container.id, env=_env(directory))
    _running(container)
    container.await_exec()
    return process


def test_payload_gets_a_socket_of_its_own(
    container: Container, directory: str, supervisor: Supervisor
) -> None:
    process = _starting(container, directory)
    assert proc.environ(container.pid)["NOTIFY_SOCKET"] == "/run/notify/notify.sock"
    assert stat.S_ISSOCK(os.stat(f"{container.root}/run/notify/notify.sock").st_mode)
    mount = proc.mount_at(proc.mountinfo(container.pid), "/run/notify")
    assert {"ro", "nosuid", "noexec", "nodev"} <= mount.options
    _send(container, b"READY=1")
    process.wait()


def test_ready_is_forwarded_with_the_main_pid(
    container: Container, directory: str, supervisor: Supervisor
) -> None:
    process = _starting(container, directory)
    assert process.popen.poll() is None, "start waits until the payload is ready"
    _send(container, b"READY=1\nSTATUS=loading\n")
    supervisor.await_line("READY=1")
    supervisor.await_line(f"MAINPID={container.pid}")
    process.wait().ok()


def test_messages_before_ready_do_not_end_the_wait(
    container: Container, directory: str, supervisor: Supervisor
) -> None:
    process = _starting(container, directory)
    _send(container, b"STATUS=still loading")
    time.sleep(0.2)
    assert process.popen.poll() is None
    _send(container, b"READY=1")
    process.wait().ok()


@pytest.mark.old_runc_lacks("finding READY=1 behind other lines")
def test_ready_behind_other_lines(container: Container, directory: str, supervisor: Supervisor) -> None:
    process = _starting(container, directory)
    _send(container, b"STATUS=loading\nREADY=1\n")
    process.wait().ok()
    supervisor.await_line("READY=1")


def test_run_forwards_too(container: Container, directory: str, supervisor: Supervisor) -> None:
    process = container.args("sleep", "1000").run_in_background(env=_env(directory))
    _running(container)
    container.await_exec()
    _send(container, b"READY=1")
    supervisor.await_line("READY=1")
    container.kill()
    assert process.wait().returncode == 137


def test_payload_that_ends_before_it_is_ready(
    container: Container, directory: str, supervisor: Supervisor
) -> None:
    container.shell("sleep 0.3").create(env=_env(directory))
    process = container.runtime.spawn("start", container.id, env=_env(directory))
    container.wait()
    process.wait()


def test_without_the_variable_there_is_no_socket(container: Container) -> None:
    assert container.sh("echo [$NOTIFY_SOCKET]; ls /run") == "[]"


def test_exec_does_not_get_it(container: Container, directory: str, supervisor: Supervisor) -> None:
    container.sleeping()
    output = container.exec("env", env=_env(directory)).ok().stdout
    assert "NOTIFY_SOCKET" not in output
