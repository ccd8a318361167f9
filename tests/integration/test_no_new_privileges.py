"""process.noNewPrivileges."""

from __future__ import annotations

import os

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


@pytest.mark.parametrize(("value", "expected"), [(True, "1000"), (False, "0")])
def test_setuid_programs(container: Container, value: bool, expected: str) -> None:
    path = f"{container.bundle.rootfs}/bin/suid"
    os.link(f"{container.bundle.rootfs}/bin/busybox", path)
    # busybox gives up the setuid right for applets that do not need it, hence the kernel's own view
    os.chmod(path, 0o4755)
    container.process["noNewPrivileges"] = value
    container.process["user"] = {"uid": 1000, "gid": 1000}
    container.args("/bin/suid", "su", "-c", "id -u", "root")
    container.bundle.file("etc/passwd", "root::0:0:root:/root:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n")
    result = container.run()
    assert (result.stdout == "0\n") == (expected == "0"), result


def test_exec_inherits_it(container: Container) -> None:
    container.process["noNewPrivileges"] = True
    container.sleeping()
    assert container.exec_sh("grep NoNewPrivs /proc/self/status").split()[1] == "1"


def test_exec_flag_adds_it(container: Container) -> None:
    container.sleeping()
    output = container.exec_sh("grep NoNewPrivs /proc/self/status", flags=["--no-new-privs"])
    assert output.split()[1] == "1"
