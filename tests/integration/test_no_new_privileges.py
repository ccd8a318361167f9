"""process.noNewPrivileges."""

from __future__ import annotations

import os
import shutil

import pytest

from . import proc
from .harness import Container


@pytest.mark.parametrize(("value", "expected"), [(True, "1"), (False, "0")])
def test_flag(container: Container, value: bool, expected: str) -> None:
    container.process["noNewPrivileges"] = value
    container.sleeping()
    assert proc.status(container.pid)["NoNewPrivs"] == expected


def test_absent_means_false(container: Container) -> None:
    del container.process["noNewPrivileges"]
    container.sleeping()
    assert proc.status(container.pid)["NoNewPrivs"] == "0"


@pytest.mark.parametrize(("value", "code"), [(True, 1), (False, 0)])
def test_setuid_programs(container: Container, value: bool, code: int) -> None:
    """ping is an applet for which busybox keeps the right that the setuid bit gives."""
    path = f"{container.bundle.rootfs}/bin/busybox-setuid"
    shutil.copy(f"{container.bundle.rootfs}/bin/busybox", path)
    os.chmod(path, 0o4755)
    container.process["noNewPrivileges"] = value
    container.process["user"] = {"uid": 1000, "gid": 1000}
    container.linux["sysctl"] = {"net.ipv4.ping_group_range": "1 0"}
    container.args("/bin/busybox-setuid", "ping", "-c1", "-W1", "127.0.0.1")
    assert container.run().returncode == code


def test_exec_inherits_it(container: Container) -> None:
    container.process["noNewPrivileges"] = True
    container.sleeping()
    assert container.exec_sh("grep NoNewPrivs /proc/self/status").split()[1] == "1"


def test_exec_flag_adds_it(container: Container) -> None:
    container.sleeping()
    output = container.exec_sh("grep NoNewPrivs /proc/self/status", flags=["--no-new-privs"])
    assert output.split()[1] == "1"
