"""hostname and domainname."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .harness import Container


def test_hostname_is_set(container: Container) -> None:
    container.config["hostname"] = "my-host.example"
    assert container.sh("hostname; cat /proc/sys/kernel/hostname") == "my-host.example\nmy-host.example"


def test_the_hosts_name_stays(container: Container) -> None:
    before = os.uname().nodename
    container.sleeping()
    assert os.uname().nodename == before


def test_without_hostname_the_hosts_name_is_copied(container: Container) -> None:
    del container.config["hostname"]
    assert container.sh("hostname") == os.uname().nodename


def test_empty_hostname_changes_nothing(container: Container) -> None:
    container.config["hostname"] = ""
    assert container.sh("hostname") == os.uname().nodename


def test_longest_hostname(container: Container) -> None:
    container.config["hostname"] = "h" * 64
    assert container.sh("cat /proc/sys/kernel/hostname") == "h" * 64


def test_too_long_hostname_is_refused(container: Container) -> None:
    container.config["hostname"] = "h" * 65
    container.try_create().failed("hostname")


def test_hostname_needs_the_namespace(container: Container) -> None:
    container.without_namespace("uts")
    container.config["hostname"] = "mine"
    container.try_create().failed("hostname", "uts")


def test_exec_sees_the_hostname(container: Container) -> None:
    container.sleeping()
    assert container.exec_sh("hostname") == "container"


@pytest.mark.old_runc_lacks("domainname")
def test_domainname_is_set(container: Container) -> None:
    container.config["domainname"] = "example.org"
    before = Path("/proc/sys/kernel/domainname").read_text()
    assert container.sh("cat /proc/sys/kernel/domainname") == "example.org"
    assert Path("/proc/sys/kernel/domainname").read_text() == before


@pytest.mark.old_runc_lacks("domainname")
def test_domainname_needs_the_namespace(container: Container) -> None:
    container.without_namespace("uts")
    container.config["domainname"] = "example.org"
    container.try_create().failed("domainname", "uts")


@pytest.mark.old_runc_lacks("domainname", strict=False)
def test_domainname_conflicts_with_the_sysctl(container: Container) -> None:
    container.config["domainname"] = "example.org"
    container.linux["sysctl"] = {"kernel.domainname": "other.example"}
    container.try_create().failed("domainname")
