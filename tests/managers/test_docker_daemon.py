"""Docker Engines of other settings: user namespaces, live restore, runtime arguments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import need
from .daemons import DOCKER, DOCKERD, Docker, find_program
from .image import SHORT as IMAGE
from .machine import Machine, poll

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def engine(spare_machine: Machine) -> Iterator[Callable[..., Docker]]:
    """Start another engine, without network, with these settings."""
    need("docker.io", find_program(DOCKER) and find_program(*DOCKERD))
    started: list[Docker] = []

    def start(name: str, **settings: Any) -> Docker:
        fixed = {"bridge": "none", "iptables": False, "cgroup-parent": f"/{name}"}
        named = {key.replace("_", "-"): value for key, value in settings.items()}
        one = Docker(spare_machine, name, fixed | named)
        one.start()
        started.append(one)
        return one

    yield start
    for one in started:
        one.clean()
        one.stop()


def test_user_namespace_remapping(engine: Callable[..., Docker]) -> None:
    docker = engine("remap", userns_remap="dockremap")
    docker("run", "-d", "--name", "u1", IMAGE, "sleep", "1000")
    pid = docker.pid("u1")
    assert docker.machine.proc(pid, "uid_map").read_text().split() == ["0", "2000000", "65536"]
    assert docker.machine.proc(pid, "gid_map").read_text().split() == ["0", "2000000", "65536"]
    assert docker.machine.status(pid, "Uid").split()[0] == "2000000"
    assert docker("exec", "u1", "id").out.startswith("uid=0(root) gid=0(root)")
    assert (
        docker("exec", "-u", "app", "u1", "sh", "-c", "id -u; touch /home/app/x && echo wrote").out
        == "1000\nwrote"
    )
    script = "mount -t tmpfs x /tmp 2>&1; ls -ld /root | cut -d' ' -f5; mknod /tmp/n c 1 3 2>&1; true"
    assert "denied" in docker("exec", "u1", "sh", "-c", script).out
    host = docker("run", "--rm", "--userns", "host", IMAGE, "cat", "/proc/self/uid_map").out
    assert host.split() == ["0", "0", "4294967295"]
    assert (
        docker(
            "run", "--rm", "--read-only", "--tmpfs", "/tmp", IMAGE, "sh", "-c", "echo x > /tmp/x && id -u"
        ).out
        == "0"
    )


def test_live_restore(engine: Callable[..., Docker]) -> None:
    docker = engine("live", live_restore=True)
    docker("run", "-d", "--name", "c1", IMAGE, "sleep", "1000")
    pid = docker.pid("c1")
    docker.stop()
    assert docker.machine.proc(pid, "stat").exists()
    docker.start(load=False)
    assert docker.pid("c1") == pid
    assert docker("exec", "c1", "echo", "still here").out == "still here"
    docker("stop", "-t", "0", "c1")


def test_containers_end_with_the_daemon_and_restart_with_it(engine: Callable[..., Docker]) -> None:
    docker = engine("ends")
    docker("run", "-d", "--name", "c1", "--restart", "always", "--init", IMAGE, "sleep", "1000")
    docker("run", "-d", "--name", "d1", "--init", IMAGE, "sleep", "1000")
    pid = docker.pid("c1")
    docker.stop()
    assert not docker.machine.proc(pid, "stat").exists()
    docker.start(load=False)
    poll(lambda: docker.inspect("c1", "{{.State.Status}}") == "running")
    assert docker.inspect("d1", "{{.State.Status}}") == "exited"


def test_runtime_arguments(engine: Callable[..., Docker], runtime: str) -> None:
    """dockerd hands them over through a shell script of its own, before the shim's own flags."""
    docker = engine("args", runtimes={"planc": {"path": runtime, "runtimeArgs": ["--debug"]}})
    assert docker("run", "--rm", IMAGE, "echo", "hi").out == "hi"
    assert json.loads(docker("info", "-f", "{{json .Runtimes}}").out)["planc"]["runtimeArgs"] == ["--debug"]
    assert "/no/such" in docker("run", "--rm", IMAGE, "/no/such", code=127).err
