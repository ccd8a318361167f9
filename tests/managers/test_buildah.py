"""Buildah: run and bud with isolation oci, which calls the runtime itself and polls its `state`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from .cgroup_files import MEMORY_LIMIT
from .conftest import need
from .image import SHORT as IMAGE
from .machine import poll

if TYPE_CHECKING:
    from pathlib import Path

    from .daemons import Buildah


def test_run(buildah: Buildah) -> None:
    result = buildah.run(buildah.container(), "sh", "-c", "echo out; echo err >&2")
    assert (result.out, result.err) == ("out", "err")


def test_stdin(buildah: Buildah) -> None:
    assert buildah.run(buildah.container(), "wc", "-c", stdin="x" * 100_000).out == "100000"


def test_exit_code(buildah: Buildah) -> None:
    assert "exit status 7" in buildah.run(buildah.container(), "sh", "-c", "exit 7", code=7).err


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("/no/such", "no such file"),
        ("nosuch", "executable file not found"),
        ("/etc/plain", "permission denied"),
    ],
)
def test_command_that_cannot_run(buildah: Buildah, command: str, text: str) -> None:
    error = buildah.run(buildah.container(), command, code=1).err
    assert command in error
    assert text in error.lower()


def test_terminal(buildah: Buildah) -> None:
    container = buildah.container()
    with buildah.terminal(*buildah.run_words("-t"), container, "--", "sh") as terminal:
        terminal.wait_for("# ")
        terminal.send("tty")
        terminal.wait_for("/dev/pts/0\r")
        terminal.send("exit 3")
        assert terminal.wait() == 3


def test_options(buildah: Buildah, workdir: Path) -> None:
    (workdir / "f").write_text("mounted\n")
    words = (
        "--user",
        "1000:1000",
        "--workingdir",
        "/tmp",
        "--env",
        "A=b",
        "--hostname",
        "h1",
        "--network",
        "none",
    )
    mounts = ("-v", f"{workdir}:/mnt:ro", "--mount", "type=tmpfs,dst=/t,tmpfs-size=65536")
    caps = ("--cap-add", "CAP_NET_ADMIN", "--cap-drop", "CAP_KILL")
    script = "id -u; pwd; echo $A; hostname; cat /mnt/f"
    script += "; grep -c ' /t tmpfs.*size=64k' /proc/mounts; ls /sys/class/net"
    out = buildah.run(buildah.container(), "sh", "-c", script, options=words + mounts + caps).out
    assert out.split() == ["1000", "/tmp", "b", "h1", "mounted", "1", "lo"]


def test_host_namespaces(buildah: Buildah) -> None:
    words = ("--network", "host", "--ipc", "host", "--pid", "host", "--uts", "host", "--cgroupns", "host")
    script = "for n in net ipc pid uts cgroup; do readlink /proc/self/ns/$n; done"
    out = buildah.run(buildah.container(), "sh", "-c", script, options=words).out
    assert out.split() == [
        buildah.machine.namespace(1, kind) for kind in ("net", "ipc", "pid", "uts", "cgroup")
    ]


def test_a_command_of_more_than_a_second(buildah: Buildah) -> None:
    """Buildah asks for the state every 100 ms meanwhile."""
    assert buildah.run(buildah.container(), "sh", "-c", "sleep 1.2; echo done").out == "done"


def test_a_command_that_is_over_at_once(buildah: Buildah) -> None:
    container = buildah.container()
    for _ in range(3):
        buildah.run(container, "true")


def test_runtime_flags(buildah: Buildah, workdir: Path) -> None:
    flags = (
        "--runtime-flag",
        "debug",
        "--runtime-flag",
        f"log={workdir}/log",
        "--runtime-flag",
        "log-format=json",
    )
    buildah.run(buildah.container(), "true", options=flags)
    assert (workdir / "log").exists()


def test_isolation_rootless(buildah: Buildah) -> None:
    need("/dev/net/tun, for slirp4netns", os.path.exists("/dev/net/tun"))
    container = buildah.container()
    words = [
        "run",
        "--runtime",
        buildah.machine.runtime,
        "--isolation",
        "rootless",
        container,
        "--",
        "echo",
        "hi",
    ]
    assert buildah(*words).out == "hi"


def test_interrupted(buildah: Buildah) -> None:
    """Buildah then calls `kill ID SIGKILL`, with a name instead of a number, and `delete`."""
    container = buildah.container()
    client = buildah.popen(*buildah.run_words(), container, "--", "sleep", "4740")
    poll(lambda: any("/sleep 4740" in command for command in buildah.machine.processes().values()))
    runner = [pid for pid, command in buildah.machine.processes().items() if command == "buildah-oci-runtime"]
    buildah.machine.run("kill", "-INT", *map(str, runner))
    client.communicate(timeout=120)
    assert client.returncode != 0
    poll(lambda: not any("sleep 4740" in command for command in buildah.machine.processes().values()))


def test_bud(buildah: Buildah, workdir: Path) -> None:
    (workdir / "Dockerfile").write_text(
        f"FROM {IMAGE}\nRUN echo one > /one\nWORKDIR /w\nUSER app\nENV A=1\n"
        'RUN test "$(id -u) $(pwd) $A" = "1000 /w 1"\nUSER root\n'
        'RUN cat /one && echo two > /two\nCMD ["cat", "/two"]\n'
    )
    result = buildah.bud(workdir, "-t", "built")
    assert "COMMIT built" in result.out + result.err
    container = buildah("from", "--pull-never", "built").out
    assert buildah.run(container, "cat", "/one", "/two", options=("--network", "none")).out == "one\ntwo"
    buildah("rm", container)
    buildah("rmi", "built")


def test_bud_with_a_failing_step(buildah: Buildah, workdir: Path) -> None:
    (workdir / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN echo seen; exit 3\n")
    result = buildah.bud(workdir, code=3)
    assert "seen" in result.out + result.err
    assert "exit status 3" in result.err


def test_bud_with_limits(buildah: Buildah, workdir: Path) -> None:
    (workdir / "Dockerfile").write_text(
        f"FROM {IMAGE}\nRUN test $(cat {MEMORY_LIMIT}) = 268435456\nRUN test $(ulimit -c) = 5\n"
    )
    words = (
        "--memory",
        "256m",
        "--cpu-shares",
        "100",
        "--shm-size",
        "8m",
        "--network",
        "host",
        "--ulimit",
        "core=2560",
    )
    buildah.bud(workdir, *words, "-t", "limited")
    buildah("rmi", "limited")


def test_bud_in_parallel(buildah: Buildah, workdir: Path) -> None:
    (workdir / "Dockerfile").write_text(
        f"FROM {IMAGE} AS a\nRUN sleep 0.3; echo a > /a\nFROM {IMAGE} AS b\nRUN sleep 0.3; echo b > /b\n"
        f"FROM {IMAGE}\nCOPY --from=a /a /a\nCOPY --from=b /b /b\nRUN cat /a /b\n"
    )
    result = buildah.bud(workdir, "--jobs", "2", "-t", "multi")
    assert "a\nb" in result.out
    buildah("rmi", "multi")
