"""docker run with shared, joined and own namespaces, and with networks; seen from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .conftest import need_bridges
from .image import SHORT as IMAGE
from .machine import poll

if TYPE_CHECKING:
    from .daemons import Docker

SLEEP = (IMAGE, "sleep", "1000")


def start(docker: Docker, name: str, *words: str) -> str:
    """Start a sleeping container; its pid."""
    docker("run", "-d", "--name", name, *words, *SLEEP)
    return docker.pid(name)


def test_own_namespaces_by_default(docker: Docker) -> None:
    pid = start(docker, "own")
    for kind in ("mnt", "net", "uts", "pid", "ipc"):
        assert docker.machine.namespace(pid, kind) != docker.machine.namespace(1, kind)
    assert docker.machine.namespace(pid, "user") == docker.machine.namespace(1, "user")


@pytest.mark.parametrize(
    ("option", "kind"), [("--net", "net"), ("--pid", "pid"), ("--ipc", "ipc"), ("--uts", "uts")]
)
def test_host_namespace(docker: Docker, option: str, kind: str) -> None:
    pid = start(docker, "shares", option, "host")
    assert docker.machine.namespace(pid, kind) == docker.machine.namespace(1, kind)
    assert docker.machine.namespace(pid, "mnt") != docker.machine.namespace(1, "mnt")


@pytest.mark.parametrize(("option", "kind"), [("--net", "net"), ("--pid", "pid"), ("--ipc", "ipc")])
def test_namespace_of_another_container(docker: Docker, option: str, kind: str) -> None:
    first = start(docker, "first", "--ipc", "shareable", "--net", "none")
    second = start(docker, "second", option, "container:first")
    assert docker.machine.namespace(second, kind) == docker.machine.namespace(first, kind)
    assert docker.machine.namespace(second, "uts" if kind != "net" else "ipc") != docker.machine.namespace(
        first, "uts" if kind != "net" else "ipc"
    )


def test_children_end_with_a_container_in_the_hosts_pid_namespace(docker: Docker) -> None:
    script = "sleep 4711 & exec sleep 4712"
    docker("run", "-d", "--name", "hostpid", "--pid", "host", "--net", "none", IMAGE, "sh", "-c", script)
    marks = ("sleep 4711", "sleep 4712")
    poll(lambda: set(marks) <= set(docker.machine.processes().values()))
    docker("kill", "hostpid")
    poll(lambda: not set(marks) & set(docker.machine.processes().values()))


def test_no_network_is_only_a_loopback(docker: Docker) -> None:
    out = docker("run", "--rm", "--net", "none", IMAGE, "ls", "/sys/class/net").out
    assert out.split() == ["lo"]


def test_bridge_network_connects_containers(docker: Docker) -> None:
    need_bridges(docker.machine)
    script = "echo hello > /tmp/index.html; exec httpd -f -h /tmp"
    docker("run", "-d", "--name", "web", IMAGE, "sh", "-c", script)
    address = docker.inspect("web", "{{.NetworkSettings.IPAddress}}")
    assert docker("exec", "web", "ls", "/sys/class/net").out.split() == ["eth0", "lo"]
    get = (
        "run",
        "--rm",
        IMAGE,
        "sh",
        "-c",
        f"for i in 1 2 3 4 5 6; do wget -qO- http://{address}/ && break; sleep 1; done",
    )
    assert docker(*get).out == "hello"


def test_published_port(docker: Docker) -> None:
    need_bridges(docker.machine)
    script = "echo published > /tmp/index.html; exec httpd -f -h /tmp"
    docker("run", "-d", "-p", "127.0.0.1:8099:80", "--name", "web", IMAGE, "sh", "-c", script)
    fetch = ("busybox", "wget", "-qO-", "http://127.0.0.1:8099/")
    poll(lambda: docker.machine.run(*fetch, code=None).out == "published")


def test_user_defined_network_resolves_names(docker: Docker) -> None:
    need_bridges(docker.machine)
    docker("network", "create", "net1")
    docker("run", "-d", "--name", "named", "--network", "net1", *SLEEP)
    out = docker("run", "--rm", "--network", "net1", IMAGE, "ping", "-c1", "-W20", "named").out
    assert "1 packets received" in out
    docker("rm", "-f", "named")
    docker("network", "rm", "net1")


def test_several_containers_at_once(docker: Docker) -> None:
    started = [docker.popen("run", "--rm", IMAGE, "sh", "-c", f"exit {20 + n}") for n in range(6)]
    for number, process in enumerate(started):
        process.communicate(timeout=120)
        assert process.returncode == 20 + number
