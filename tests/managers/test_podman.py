"""Podman as root: run, errors, exec, life, resources, namespaces, files, health checks."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from .cgroup_files import has_controller
from .conftest import need, need_bridges
from .daemons import find_program
from .image import SHORT as IMAGE
from .machine import poll
from .terminal import AWAIT_SIZE

if TYPE_CHECKING:
    from pathlib import Path

    from .daemons import Podman

RUN = ("run", "--rm", "--network", "none")
BOTH_NAMES = pytest.mark.parametrize("podman", ["planc", "runc"], indirect=True)
MIB = 1024 * 1024


def started(podman: Podman, name: str, *words: str, command: tuple[str, ...] = ("sleep", "1000")) -> str:
    """Start a container without network; its pid."""
    podman("run", "-d", "--name", name, "--network", "none", *words, IMAGE, *command)
    return podman.pid(name)


@BOTH_NAMES
def test_run(podman: Podman) -> None:
    result = podman(*RUN, IMAGE, "sh", "-c", "echo out; echo err >&2; exit 3", code=3)
    assert (result.out, result.err) == ("out", "err")


@BOTH_NAMES
@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        ("/no/such", 127, "no such file or directory"),
        ("nosuch", 127, "executable file not found in"),
        ("/etc/plain", 126, "permission denied"),
    ],
)
def test_command_that_cannot_run(podman: Podman, command: str, code: int, text: str) -> None:
    error = podman(*RUN, IMAGE, command, code=code).err
    assert command in error
    assert text in error.lower()


def test_error_with_a_terminal(podman: Podman) -> None:
    with podman.terminal(*RUN, "-it", IMAGE, "nosuch") as terminal:
        terminal.wait_for("executable file not found")
        assert terminal.wait() == 127


def test_stdin(podman: Podman) -> None:
    assert podman(*RUN, "-i", IMAGE, "wc", "-c", stdin="x" * 200_000).out == "200000"


@BOTH_NAMES
def test_terminal(podman: Podman) -> None:
    with podman.terminal(*RUN, "-it", IMAGE, "sh") as terminal:
        terminal.wait_for("# ")
        terminal.send(f"tty; {AWAIT_SIZE}")
        terminal.wait_for("/dev/pts/0\r")
        terminal.wait_for("the size is right")
        terminal.send("exit 7")
        assert terminal.wait() == 7


def test_bridge_network(podman: Podman) -> None:
    need(
        "netavark",
        os.path.exists("/usr/lib/podman/netavark") or os.path.exists("/usr/libexec/podman/netavark"),
    )
    need_bridges(podman.machine)
    script = "echo hello > /tmp/index.html; exec httpd -f -h /tmp"
    podman("run", "-d", "--name", "web", "-p", "127.0.0.1:8098:80", IMAGE, "sh", "-c", script)
    assert podman("exec", "web", "ls", "/sys/class/net").out.split() == ["eth0", "lo"]
    fetch = ("busybox", "wget", "-qO-", "http://127.0.0.1:8098/")
    poll(lambda: podman.machine.run(*fetch, code=None).out == "hello")


@BOTH_NAMES
def test_exec(podman: Podman) -> None:
    started(podman, "c1")
    result = podman("exec", "-i", "c1", "sh", "-c", "wc -c; echo err >&2; exit 5", stdin="x" * 1000, code=5)
    assert (result.out, result.err) == ("1000", "err")
    lines = podman(
        "exec", "-u", "app", "-e", "A=b", "-w", "/tmp", "c1", "sh", "-c", "id -un; pwd; echo $A"
    ).out
    assert lines.split() == ["app", "/tmp", "b"]
    with podman.terminal("exec", "-it", "c1", "sh") as terminal:
        terminal.wait_for("# ")
        terminal.send("tty")
        terminal.wait_for("/dev/pts/0\r")
        terminal.send("exit 6")
        assert terminal.wait() == 6


@BOTH_NAMES
def test_exec_errors(podman: Podman) -> None:
    started(podman, "c1")
    assert "no such file" in podman("exec", "c1", "/no/such", code=127).err
    assert "permission denied" in podman("exec", "c1", "/etc/plain", code=126).err.lower()
    assert "no such file" in podman("exec", "-w", "/not/there", "c1", "pwd", code=127).err


def test_exec_detached(podman: Podman) -> None:
    started(podman, "c1")
    podman("exec", "-d", "c1", "sleep", "4720")
    poll(lambda: "sleep 4720" in podman.machine.processes().values())
    podman("kill", "c1")
    poll(lambda: "sleep 4720" not in podman.machine.processes().values())


def test_exec_with_preserved_descriptors(podman: Podman, workdir: Path) -> None:
    (workdir / "given").write_text("through fd 3\n")
    started(podman, "c1")
    script = f'exec 3< {workdir}/given; exec "$@" exec --preserve-fds 1 c1 sh -c "cat <&3; ls /proc/self/fd"'
    out = podman.machine.run("sh", "-c", script, "sh", *podman.argv, env=podman.env).out
    content, *descriptors = out.splitlines()
    assert content == "through fd 3"
    assert descriptors == ["0", "1", "2", "3", "4"], "4 is the directory that ls reads"


def test_life(podman: Podman) -> None:
    podman("create", "--name", "c1", "--network", "none", IMAGE, "sh", "-c", "echo hi; exit 3")
    assert podman("start", "-a", "c1", code=3).out == "hi"
    podman("init", "c1")
    assert podman.inspect("c1", "{{.State.Status}}") == "initialized"
    podman("start", "c1")
    assert podman("wait", "c1").out == "3"
    podman("init", "c1")
    podman("rm", "-f", "c1")


def test_stop_asks_then_kills(podman: Podman) -> None:
    script = "trap 'exit 5' TERM; echo up; while :; do sleep 0.1; done"
    started(podman, "c1", command=("sh", "-c", script))
    poll(lambda: podman("logs", "c1").out == "up")
    podman("stop", "-t", "20", "c1")
    assert podman("wait", "c1").out == "5"
    started(podman, "c2")
    podman("stop", "-t", "1", "c2")
    assert podman("wait", "c2").out == "137"


def test_kill_restart_remove(podman: Podman) -> None:
    script = "trap 'echo usr' USR1; echo up; while :; do sleep 0.1; done"
    pid = started(podman, "c1", command=("sh", "-c", script))
    poll(lambda: podman("logs", "c1").out == "up")
    podman("kill", "-s", "USR1", "c1")
    poll(lambda: podman("logs", "c1").out == "up\nusr")
    podman("restart", "-t", "0", "c1")
    assert podman.pid("c1") not in ("0", pid)
    podman("kill", "c1")
    assert podman("wait", "c1").out == "137"
    podman("start", "c1")
    podman("rm", "-f", "-t", "0", "c1")


def test_signals_to_the_client_are_proxied(podman: Podman) -> None:
    script = "trap 'exit 5' TERM; echo up; while :; do sleep 0.1; done"
    client = podman.popen(*RUN, IMAGE, "sh", "-c", script)
    assert client.stdout is not None
    assert client.stdout.readline() == b"up\n"
    os.killpg(client.pid, signal.SIGTERM)
    client.communicate(timeout=120)
    assert client.returncode in (5, -signal.SIGTERM)


def test_pause(podman: Podman) -> None:
    pid = started(podman, "c1")
    podman("pause", "c1")
    assert podman.machine.cgroup(pid).frozen
    assert podman.inspect("c1", "{{.State.Status}}") == "paused"
    podman("unpause", "c1")
    assert not podman.machine.cgroup(pid).frozen
    podman("pause", "c1")
    podman("rm", "-f", "-t", "0", "c1")
    started(podman, "c2")
    podman("pause", "c2")
    podman("kill", "c2")
    poll(lambda: podman.inspect("c2", "{{.State.Status}}") == "exited")


def test_top_and_stats(podman: Podman) -> None:
    pid = started(podman, "c1", "--memory", "64m")
    assert podman("top", "c1", "pid", "hpid", "args").out.splitlines()[1].split() == [
        "1",
        pid,
        "sleep",
        "1000",
    ]
    usage = podman("stats", "--no-stream", "--format", "{{.MemUsage}} / {{.PIDs}}", "c1").out.split(" / ")
    assert usage[1:] == ["67.11MB", "1"]


def test_death_from_outside(podman: Podman) -> None:
    pid = started(podman, "c1")
    podman.machine.run("kill", "-9", pid)
    assert podman("wait", "c1").out == "137"


def test_restart_policy(podman: Podman) -> None:
    started(podman, "c1", "--restart", "on-failure:2", command=("sh", "-c", "echo ran; exit 7"))
    poll(lambda: podman("logs", "c1").out == "ran\nran\nran")
    poll(lambda: podman.inspect("c1", "{{.State.Status}} {{.State.ExitCode}}") == "exited 7")


def test_health_check(podman: Podman) -> None:
    started(podman, "c1", "--health-cmd", "test -e /tmp/ok", "--health-interval", "disable")
    podman("healthcheck", "run", "c1", code=1)
    podman("exec", "c1", "touch", "/tmp/ok")
    podman("healthcheck", "run", "c1")


def test_resources(podman: Podman) -> None:
    words = ("--memory", "64m", "--memory-reservation", "32m", "--cpus", "0.5", "--cpu-shares", "256")
    pid = started(podman, "c1", *words, "--pids-limit", "100")
    files = podman.machine.cgroup(pid)
    assert (files.memory, files.memory_reservation) == (64 * MIB, 32 * MIB)
    assert (files.cpu, files.pids) == ((50000, 100000), 100)
    assert files.has_shares(256)
    podman("update", "--memory", "128m", "--cpus", "0.25", "c1")
    assert (files.memory, files.cpu) == (128 * MIB, (25000, 100000))
    assert files.pids == 100 and files.has_shares(256)


def test_cpuset(podman: Podman) -> None:
    need("the cgroup controller cpuset", has_controller("cpuset"))
    pid = started(podman, "c1", "--cpuset-cpus", "0")
    assert podman.machine.cgroup(pid).cpus == "0"


def test_out_of_memory(podman: Podman) -> None:
    words = ("--memory", "8m", "--memory-swap", "8m")
    podman(*RUN, *words, IMAGE, "sh", "-c", "exec tail /dev/zero", code=137)


def test_read_only(podman: Podman) -> None:
    result = podman(*RUN, "--read-only", IMAGE, "sh", "-c", "touch /x; touch /tmp/x && echo tmp")
    assert "Read-only file system" in result.err
    assert result.out == "tmp"


def test_volumes(podman: Podman, workdir: Path) -> None:
    (workdir / "in").write_text("given")
    words = ("-v", f"{workdir}:/rw", "-v", f"{workdir}:/ro:ro", "-v", "named:/named")
    script = "cat /ro/in; touch /ro/no; echo back > /rw/out; echo kept > /named/f"
    result = podman(
        *RUN, *words, "--tmpfs", "/t:size=1m,noexec", IMAGE, "sh", "-c", f"{script}; grep ' /t ' /proc/mounts"
    )
    assert result.out.startswith("given")
    assert "noexec" in result.out and "size=1024k" in result.out
    assert "Read-only file system" in result.err
    assert (workdir / "out").read_text() == "back\n"
    assert podman(*RUN, "-v", "named:/named:ro", IMAGE, "cat", "/named/f").out == "kept"


def test_mount_propagation(podman: Podman, workdir: Path) -> None:
    (workdir / "sub").mkdir()
    started(podman, "c1", "-v", f"{workdir}:/slave:rslave", "-v", f"{workdir}:/private:rprivate")
    podman.machine.run("mount", "-t", "tmpfs", "fromhost", workdir / "sub")
    seen = podman("exec", "c1", "grep", "fromhost", "/proc/mounts").out
    assert "/slave/sub" in seen and "/private/sub" not in seen
    podman.machine.run("umount", workdir / "sub")


@pytest.mark.parametrize("kind", ["net", "pid", "ipc", "uts"])
def test_host_namespace(podman: Podman, kind: str) -> None:
    option = "--network" if kind == "net" else f"--{kind}"
    words = (option, "host") if kind == "net" else (option, "host", "--network", "none")
    podman("run", "-d", "--name", "c1", *words, IMAGE, "sleep", "1000")
    pid = podman.pid("c1")
    assert podman.machine.namespace(pid, kind) == podman.machine.namespace(1, kind)


def test_shared_namespaces(podman: Podman) -> None:
    first = started(podman, "c1", "--ipc", "shareable")
    joined = ("--network", "container:c1", "--ipc", "container:c1", "--pid", "container:c1")
    podman("run", "-d", "--name", "c2", *joined, IMAGE, "sleep", "1000")
    for kind in ("net", "ipc", "pid"):
        assert podman.machine.namespace(podman.pid("c2"), kind) == podman.machine.namespace(first, kind)
    podman("rm", "-f", "-t", "0", "c2")


def test_children_end_with_a_container_in_the_hosts_pid_namespace(podman: Podman) -> None:
    script = "sleep 4721 & exec sleep 4722"
    started(podman, "c1", "--pid", "host", command=("sh", "-c", script))
    poll(lambda: "sleep 4721" in podman.machine.processes().values())
    podman("stop", "-t", "1", "c1")
    poll(lambda: not {"sleep 4721", "sleep 4722"} & set(podman.machine.processes().values()))


def test_private_cgroup_namespace(podman: Podman) -> None:
    pid = started(podman, "c1", "--cgroupns", "private")
    assert podman.machine.namespace(pid, "cgroup") != podman.machine.namespace(1, "cgroup")
    lines = podman("exec", "c1", "cat", "/proc/1/cgroup").out.splitlines()
    assert lines and all(line.endswith(":/") for line in lines if not line.startswith("0:"))


def test_user_namespace(podman: Podman) -> None:
    words = ("--uidmap", "0:100000:5000", "--gidmap", "0:200000:5000")
    pid = started(podman, "c1", *words)
    assert podman.machine.proc(pid, "uid_map").read_text().split() == ["0", "100000", "5000"]
    assert podman.machine.proc(pid, "gid_map").read_text().split() == ["0", "200000", "5000"]
    assert podman.machine.status(pid, "Uid").split()[0] == "100000"
    assert podman("exec", "c1", "id", "-u").out == "0"
    podman("rm", "-f", "-t", "0", "c1")
    out = podman(*RUN, "--userns", "auto", IMAGE, "cat", "/proc/self/uid_map").out
    assert out.split()[1].startswith("3000")


def test_capabilities(podman: Podman) -> None:
    script = "grep Cap /proc/self/status"
    out = podman(*RUN, "--cap-drop", "ALL", "--cap-add", "NET_ADMIN,CHOWN", IMAGE, "sh", "-c", script).out
    masks = [int(line.split()[1], 16) for line in out.splitlines()]
    assert masks == [0, 0x1001, 0x1001, 0x1001, 0]
    out = podman(*RUN, "--user", "1000", "--cap-add", "NET_RAW", IMAGE, "sh", "-c", script).out
    inherited, permitted, effective, _, ambient = (int(line.split()[1], 16) for line in out.splitlines())
    assert inherited == permitted == effective == ambient == 0x2000


def test_identity_and_settings(podman: Podman, runtime_name: str) -> None:
    words = (
        "-u",
        "1000:1000",
        "--group-add",
        "20",
        "-w",
        "/tmp",
        "-e",
        "A=b",
        "--hostname",
        "h1",
        "--umask",
        "0077",
    )
    script = "id -u; id -G; pwd; echo $A; hostname; umask; uname -m"
    *lines, architecture = podman(
        *RUN, *words, "--personality", "LINUX32", IMAGE, "sh", "-c", script
    ).out.splitlines()
    assert lines == ["1000", "1000 20", "/tmp", "b", "h1", "0077"]
    wanted = podman.machine.run("setarch", "linux32", "uname", "-m").out
    assert architecture == wanted or runtime_name == "runc", "runc before 1.2 ignores linux.personality"


def test_limits_of_processes(podman: Podman) -> None:
    words = (
        "--ulimit",
        "nofile=100:200",
        "--ulimit",
        "nproc=300:400",
        "--oom-score-adj",
        "500",
        "--shm-size",
        "3m",
        "--sysctl",
        "kernel.msgmax=777",
    )
    script = "ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj /proc/sys/kernel/msgmax"
    script += "; grep -c size=3072k /proc/mounts"
    assert podman(*RUN, *words, IMAGE, "sh", "-c", script).out.split() == ["100", "200", "500", "777", "1"]


def test_seccomp_and_privileges(podman: Podman) -> None:
    grep = ("grep", "-E", "Seccomp:|NoNewPrivs", "/proc/self/status")
    assert podman(*RUN, IMAGE, *grep).out.split() == ["NoNewPrivs:", "0", "Seccomp:", "2"]
    options = ("--security-opt", "seccomp=unconfined", "--security-opt", "no-new-privileges")
    assert podman(*RUN, *options, IMAGE, *grep).out.split() == ["NoNewPrivs:", "1", "Seccomp:", "0"]


def test_device(podman: Podman) -> None:
    need("/dev/fuse", os.path.exists("/dev/fuse"))
    script = ": < /dev/t && echo readable; (: > /dev/t) 2>/dev/null || echo no; exec 9<> /dev/t || echo no"
    shown = podman(*RUN, "--device", "/dev/fuse:/dev/t:r", IMAGE, "sh", "-c", script, code=None).out
    assert shown.split()[:2] == ["readable", "no"]


def test_init(podman: Podman) -> None:
    tini = os.path.realpath(find_program("docker-init", "tini-static", "catatonit") or "/nonexistent")
    need("a static tini or catatonit", os.path.exists(tini))
    out = podman(*RUN, "--init", "--init-path", tini, IMAGE, "sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline").out
    assert "init" in out.split()[0]


def test_privileged(podman: Podman) -> None:
    out = podman(
        *RUN, "--privileged", IMAGE, "grep", "-E", "CapEff|Seccomp:", "/proc/self/status"
    ).out.split()
    assert int(out[1], 16) == int(podman.machine.status(1, "CapBnd"), 16)
    assert out[3] == "0"


@BOTH_NAMES
def test_runtime_flags(podman: Podman) -> None:
    argv = [*podman.argv, "--runtime-flag", "debug"]
    result = podman.machine.run(*argv, *RUN, IMAGE, "echo", "hi", env=podman.env)
    assert result.out == "hi"


def test_build(podman: Podman, workdir: Path) -> None:
    (workdir / "Containerfile").write_text(
        f"FROM {IMAGE}\nRUN echo 1 > /one\nUSER app\nRUN test $(id -u) = 1000\n"
    )
    podman("build", "--isolation", "oci", "--network", "none", "--pull-never", "-t", "built", workdir)
    assert podman(*RUN, "built", "cat", "/one").out == "1"
    podman("rmi", "built")


def test_many_at_once(podman: Podman) -> None:
    jobs = [podman.popen(*RUN, IMAGE, "sh", "-c", f"exit {40 + n}") for n in range(4)]
    for number, job in enumerate(jobs):
        out, err = job.communicate(timeout=120)
        assert job.returncode == 40 + number, (out, err)
