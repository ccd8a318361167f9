"""Podman as an ordinary user: the runtime is already uid 0 of a user namespace, without usable cgroups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .image import SHORT as IMAGE
from .machine import poll
from .machine_init import SUBIDS, USER, USER_ID

if TYPE_CHECKING:
    from pathlib import Path

    from .daemons import Podman

RUN = ("run", "--rm", "--network", "none")


def test_run(rootless: Podman) -> None:
    result = rootless(*RUN, IMAGE, "sh", "-c", "id -u; cat /proc/self/uid_map; exit 3", code=3)
    words = result.out.split()
    assert words == ["0", "0", str(USER_ID), "1", "1", str(SUBIDS[USER]), "65536"]


def test_slirp_network(rootless: Podman) -> None:
    assert rootless("run", "--rm", IMAGE, "ls", "/sys/class/net").out.split() == ["lo", "tap0"]


def test_host_network(rootless: Podman) -> None:
    assert "tap0" not in rootless("run", "--rm", "--network", "host", IMAGE, "ls", "/sys/class/net").out


def test_keep_id(rootless: Podman) -> None:
    assert rootless(*RUN, "--userns", "keep-id", IMAGE, "id", "-u").out == str(USER_ID)
    assert rootless(*RUN, "--uidmap", "0:1:1000", IMAGE, "cat", "/proc/self/uid_map").out.split() == [
        "0",
        "1",
        "1000",
    ]


def test_terminal(rootless: Podman) -> None:
    with rootless.terminal(*RUN, "-it", IMAGE, "sh") as terminal:
        terminal.wait_for("# ")
        terminal.send("tty")
        terminal.wait_for("/dev/pts/0\r")
        terminal.send("exit 3")
        assert terminal.wait() == 3


@pytest.mark.parametrize(("command", "code"), [("/no/such", 127), ("/etc/plain", 126)])
def test_command_that_cannot_run(rootless: Podman, command: str, code: int) -> None:
    assert command in rootless(*RUN, IMAGE, command, code=code).err


def test_exec_and_life(rootless: Podman) -> None:
    rootless("run", "-d", "--name", "c1", "--network", "none", IMAGE, "sh", "-c", "echo up; exec sleep 1000")
    pid = rootless.pid("c1")
    assert rootless.machine.status(pid, "Uid").split()[0] == str(USER_ID)
    assert rootless("exec", "c1", "sh", "-c", "id -u; exit 5", code=5).out == "0"
    out = rootless(
        "exec", "-u", "1000:10", "-e", "A=b", "-w", "/tmp", "c1", "sh", "-c", "id -u; pwd; echo $A"
    ).out
    assert out.split() == ["1000", "/tmp", "b"]
    assert "no such file" in rootless("exec", "c1", "/no/such", code=127).err
    poll(lambda: rootless("logs", "c1").out == "up")
    rootless("top", "c1")
    rootless("kill", "-s", "USR1", "c1")
    rootless("stop", "-t", "1", "c1")
    rootless("start", "c1")
    rootless("restart", "-t", "0", "c1")
    rootless("kill", "c1")
    assert rootless("wait", "c1").out == "137"


def test_files(rootless: Podman) -> None:
    home = rootless.env["HOME"]
    rootless.machine.run("mkdir", "-p", f"{home}/w", user=USER)
    words = (
        "--read-only",
        "--tmpfs",
        "/x",
        "-v",
        f"{home}/w:/w",
        "-v",
        "vol1:/v",
        "--ulimit",
        "nofile=512:512",
    )
    rootless(
        *RUN,
        *words,
        "--cap-drop",
        "ALL",
        IMAGE,
        "sh",
        "-c",
        "touch /w/made /x/y /v/z; ! touch /no 2>/dev/null",
    )
    assert rootless.machine.run("stat", "-c", "%u", f"{home}/w/made").out == str(USER_ID)


def test_privileged(rootless: Podman) -> None:
    out = rootless(*RUN, "--privileged", IMAGE, "grep", "CapEff", "/proc/self/status").out
    assert int(out.split()[1], 16) & 1 << 21, "CAP_SYS_ADMIN of the user namespace"


def test_sysctl_device_and_hostname(rootless: Podman) -> None:
    words = ("--sysctl", "net.ipv4.ip_forward=1", "--device", "/dev/zero", "--hostname", "h1")
    script = "cat /proc/sys/net/ipv4/ip_forward; hostname; head -c 3 /dev/zero | wc -c"
    assert rootless(*RUN, *words, IMAGE, "sh", "-c", script).out.split() == ["1", "h1", "3"]


def test_limits_are_ignored_without_cgroups(rootless: Podman) -> None:
    rootless(*RUN, "--memory", "64m", "--pids-limit", "50", IMAGE, "true")


def test_update_fails_cleanly(rootless: Podman) -> None:
    rootless("run", "-d", "--name", "c1", "--network", "none", IMAGE, "sleep", "1000")
    error = rootless("update", "--memory", "64m", "c1", code=125).err
    assert "cgroup" in error
    assert rootless.inspect("c1", "{{.State.Status}}") == "running"


def test_pod(rootless: Podman) -> None:
    rootless("pod", "create", "--name", "pod1", "--network", "none")
    rootless("run", "-d", "--pod", "pod1", "--name", "one", IMAGE, "sleep", "1000")
    rootless("run", "-d", "--pod", "pod1", "--name", "two", IMAGE, "sleep", "1000")
    one, two = rootless.pid("one"), rootless.pid("two")
    assert rootless.machine.namespace(one, "net") == rootless.machine.namespace(two, "net")


def test_build(rootless: Podman, workdir: Path) -> None:
    (workdir / "Containerfile").write_text(f"FROM {IMAGE}\nRUN echo 1 > /one\nRUN test $(id -u) = 0\n")
    rootless("build", "--isolation", "oci", "--network", "none", "--pull-never", "-t", "built", workdir)
    assert rootless(*RUN, "built", "cat", "/one").out == "1"
    rootless("rmi", "built")


def test_restart_policy_and_health(rootless: Podman) -> None:
    words = ("--health-cmd", "true", "--health-interval", "disable")
    rootless("run", "-d", "--name", "c1", "--network", "none", *words, IMAGE, "sleep", "1000")
    rootless("healthcheck", "run", "c1")
    rootless(
        "run",
        "-d",
        "--name",
        "c2",
        "--network",
        "none",
        "--restart",
        "on-failure:1",
        IMAGE,
        "sh",
        "-c",
        "echo x; exit 7",
    )
    poll(lambda: rootless("logs", "c2").out == "x\nx")
