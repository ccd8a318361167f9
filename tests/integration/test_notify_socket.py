"""NOTIFY_SOCKET: a service under systemd whose payload reports that it is ready (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator

import pytest

from . import proc
from .harness import RUNTIME_PATH, Container


@pytest.fixture
def supervisor(directory: str) -> Iterator[socket.socket]:
    """The socket that systemd would listen on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(f"{directory}/notify.sock")
        server.settimeout(5)
        yield server


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


def _messages(server: socket.socket, count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        found += server.recv(4096).decode().split()
    return found


def _running(container: Container) -> None:
    proc.wait_until(lambda: container.runtime.call("state", container.id).json()["status"] == "running", "it runs")


def test_payload_gets_a_socket_of_its_own(container: Container, directory: str, supervisor: socket.socket) -> None:
    container.args("sleep", "1000").create(env=_env(directory))
    process = container.runtime.spawn("start", container.id, env=_env(directory))
    _running(container)
    container.await_exec()
    assert proc.environ(container.pid)["NOTIFY_SOCKET"] == "/run/notify/notify.sock"
    assert stat.S_ISSOCK(os.stat(f"{container.root}/run/notify/notify.sock").st_mode)
    mount = proc.mount_at(proc.mountinfo(container.pid), "/run/notify")
    assert {"ro", "nosuid", "noexec", "nodev"} <= mount.options
    _send(container, b"READY=1")
    process.wait()


def test_ready_is_forwarded_with_the_main_pid(container: Container, directory: str, supervisor: socket.socket) -> None:
    container.args("sleep", "1000").create(env=_env(directory))
    process = container.runtime.spawn("start", container.id, env=_env(directory))
    _running(container)
    container.await_exec()
    assert process.popen.poll() is None, "start waits until the payload is ready"
    _send(container, b"STATUS=loading\nREADY=1\n")
    found = _messages(supervisor, 2)
    assert "READY=1" in found
    assert f"MAINPID={container.pid}" in found
    process.wait().ok()


def test_messages_before_ready_do_not_end_the_wait(
    container: Container, directory: str, supervisor: socket.socket
) -> None:
    container.args("sleep", "1000").create(env=_env(directory))
    process = container.runtime.spawn("start", container.id, env=_env(directory))
    _running(container)
    container.await_exec()
    _send(container, b"STATUS=still loading")
    with pytest.raises(AssertionError):
        process_ended = process.popen.poll() is not None
        proc.wait_until(lambda: process_ended or process.popen.poll() is not None, "start ends", 0.3)
    _send(container, b"READY=1")
    process.wait().ok()


def test_run_forwards_too(container: Container, directory: str, supervisor: socket.socket) -> None:
    process = container.args("sleep", "1000").run_in_background(env=_env(directory))
    _running(container)
    container.await_exec()
    _send(container, b"READY=1")
    found = _messages(supervisor, 2)
    assert "READY=1" in found and f"MAINPID={container.pid}" in found
    container.kill()
    assert process.wait().returncode == 137


def test_payload_that_ends_before_it_is_ready(container: Container, directory: str, supervisor: socket.socket) -> None:
    container.shell("sleep 0.3").create(env=_env(directory))
    process = container.runtime.spawn("start", container.id, env=_env(directory))
    container.wait()
    process.wait(10)


def test_without_the_variable_there_is_no_socket(container: Container) -> None:
    assert container.sh("echo [$NOTIFY_SOCKET]; ls /run") == "[]"


def test_exec_does_not_get_it(container: Container, directory: str, supervisor: socket.socket) -> None:
    container.sleeping()
    output = container.exec("env", env=_env(directory)).ok().stdout
    assert "NOTIFY_SOCKET" not in output
