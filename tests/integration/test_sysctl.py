"""linux.sysctl: set in the container's namespaces, refused where the kernel has one value for all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from . import caller, holders
from .harness import Container

GOOD = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.ip_local_port_range": "20000 30000",
    "net.core.somaxconn": "321",
    "net.ipv4.ping_group_range": "0 1000",
    "kernel.shmmax": "1234567",
    "kernel.msgmax": "4321",
    "kernel.sem": "100 32000 100 128",
    "kernel.shm_rmid_forced": "1",
    "fs.mqueue.msg_max": "99",
    "kernel.domainname": "example.net",
    "net.ipv4.conf.lo.forwarding": "1",
}
REFUSED = [
    "vm.swappiness", "kernel.pid_max", "kernel.panic", "fs.file-max", "kernel.hostname", "kernel.core_pattern",
    "kernel.randomize_va_space", "nonsense.key", "net", "kernel", "",
]  # fmt: skip


def _path(key: str) -> str:
    return "/proc/sys/" + key.replace(".", "/")


DOMAINNAME = pytest.mark.needs_root("a write to a file of the initial user namespace's root")


@pytest.mark.parametrize(
    "key", [pytest.param(key, marks=DOMAINNAME if key == "kernel.domainname" else ()) for key in GOOD]
)
def test_namespaced_value_is_set(container: Container, key: str) -> None:
    before = Path(_path(key)).read_text()
    container.linux["sysctl"] = {key: GOOD[key]}
    assert container.sh(f"cat {_path(key)}").split() == GOOD[key].split()
    assert Path(_path(key)).read_text() == before


def test_several_at_once(container: Container) -> None:
    values = {key: GOOD[key] for key in GOOD if not (caller.ROOTLESS and key == "kernel.domainname")}
    container.linux["sysctl"] = values
    output = container.sh("cat " + " ".join(_path(key) for key in values))
    assert [line.split() for line in output.splitlines()] == [value.split() for value in values.values()]


def test_slash_as_separator(container: Container) -> None:
    container.linux["sysctl"] = {"net/ipv4/ip_forward": "1"}
    assert container.sh("cat /proc/sys/net/ipv4/ip_forward") == "1"


def test_set_although_proc_sys_becomes_read_only(container: Container) -> None:
    container.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    container.linux["readonlyPaths"] = ["/proc/sys"]
    assert container.sh("cat /proc/sys/net/ipv4/ip_forward") == "1"


def test_in_a_joined_network_namespace(container: Container) -> None:
    with holders.holder("net") as pid:
        container.namespace("network", holders.path(pid, "net"))
        container.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
        assert container.sh("cat /proc/sys/net/ipv4/ip_forward") == "1"


@pytest.mark.parametrize("key", REFUSED)
def test_not_namespaced_is_refused(container: Container, key: str) -> None:
    container.linux["sysctl"] = {key: "1"}
    container.try_create().failed("sysctl", key)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("network", "net.ipv4.ip_forward"),
        ("ipc", "kernel.shmmax"),
        ("ipc", "fs.mqueue.msg_max"),
        ("uts", "kernel.domainname"),
    ],
)
def test_needs_the_namespace(container: Container, kind: str, key: str) -> None:
    container.without_namespace(kind).without_mount("/dev/mqueue")
    before = Path(_path(key)).read_text()
    container.linux["sysctl"] = {key: "1"}
    container.try_create().failed("sysctl", key)
    assert Path(_path(key)).read_text() == before


def test_path_of_the_hosts_network_namespace_is_refused(container: Container) -> None:
    container.namespace("network", f"/proc/{os.getpid()}/ns/net")
    container.linux["sysctl"] = {"net.ipv4.ip_forward": "0"}
    container.try_create().failed("sysctl")


def test_unknown_key_of_an_allowed_prefix_is_an_error(container: Container) -> None:
    container.linux["sysctl"] = {"net.nonsense.key": "1"}
    container.try_create().failed("nonsense", "no such file or directory")


def test_value_that_the_kernel_refuses_is_an_error(container: Container) -> None:
    container.linux["sysctl"] = {"net.ipv4.ip_local_port_range": "nonsense"}
    container.try_create().failed("ip_local_port_range", "invalid argument")


def test_climbing_key_is_refused(container: Container) -> None:
    container.linux["sysctl"] = {"net/../kernel/domainname": "x"}
    container.try_create().failed()


@pytest.mark.planc_only("JSON pointers in its errors")
def test_value_of_another_type_is_named(container: Container) -> None:
    container.linux["sysctl"] = {"net.ipv4.ip_forward": 1}
    container.try_create().failed("linux.sysctl", "net.ipv4.ip_forward")
