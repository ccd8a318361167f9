"""containerd's own client: run, tasks, errors."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from .image import NAME as IMAGE
from .machine import poll

if TYPE_CHECKING:
    from pathlib import Path

    from .daemons import Containerd


def started(ctr: Containerd, name: str, *words: str, command: tuple[str, ...] = ("sleep", "1000")) -> str:
    """Start a detached task; its pid."""
    ctr(*ctr.run_words("-d", *words), IMAGE, name, *command)
    return pid_of(ctr, name)


def listed(ctr: Containerd, name: str) -> list[str]:
    """The row [name, pid, status] of a task."""
    return next(line.split() for line in ctr("tasks", "list").out.splitlines() if line.startswith(f"{name} "))


def pid_of(ctr: Containerd, name: str) -> str:
    return listed(ctr, name)[1]


def test_run(ctr: Containerd) -> None:
    result = ctr(*ctr.run_words("--rm"), IMAGE, "t1", "sh", "-c", "echo out; echo err >&2; exit 9", code=9)
    assert (result.out, result.err) == ("out", "err")


def test_stdin(ctr: Containerd) -> None:
    """ctr 1.6 loses the end of a stdin that ends before the task exists; so ours stays open until then."""
    client = ctr.popen(*ctr.run_words("--rm"), IMAGE, "t1", "wc", "-c", stdin=subprocess.PIPE)
    poll(lambda: "RUNNING" in ctr("tasks", "list").out)
    out, _ = client.communicate(b"x" * 100_000, timeout=120)
    assert (out, client.returncode) == (b"100000\n", 0)


def test_terminal(ctr: Containerd) -> None:
    with ctr.terminal(*ctr.run_words("--rm", "-t"), IMAGE, "t1", "sh") as terminal:
        terminal.wait_for("# ")
        terminal.send("tty")
        terminal.wait_for("/dev/pts/0\r")
        terminal.send("exit 3")
        assert terminal.wait() == 3


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("/no/such", "no such file"),
        ("nosuch", "executable file not found"),
        ("/etc/plain", "permission denied"),
    ],
)
def test_command_that_cannot_run(ctr: Containerd, command: str, text: str) -> None:
    error = ctr(*ctr.run_words("--rm"), IMAGE, "t1", command, code=1).err
    assert command in error
    assert text in error


def test_options(ctr: Containerd, workdir: Path) -> None:
    words: tuple[str, ...] = (
        "--read-only",
        "--net-host",
        "--memory-limit",
        "67108864",
        "--cpus",
        "0.5",
        "--cwd",
        "/tmp",
    )
    words += ("--env", "A=b", "--seccomp", "--device", "/dev/zero", "--cap-add", "CAP_NET_ADMIN")
    words += (
        "--mount",
        f"type=bind,src={workdir},dst=/mnt,options=rbind:ro",
        "--rootfs-propagation",
        "rslave",
    )
    pid = started(ctr, "t1", *words, "--pid-file", str(workdir / "pid"))
    assert (workdir / "pid").read_text() == pid
    files = ctr.machine.cgroup(pid)
    assert (files.memory, files.cpu) == (64 << 20, (50000, 100000))
    assert ctr.machine.namespace(pid, "net") == ctr.machine.namespace(1, "net")
    assert int(ctr.machine.status(pid, "CapEff"), 16) & 1 << 12
    assert (ctr.machine.status(pid, "Seccomp"), ctr.machine.status(pid, "NoNewPrivs")) == ("2", "1")


def test_mounts_and_environment(ctr: Containerd, workdir: Path) -> None:
    (workdir / "f").write_text("mounted\n")
    words = ("--mount", f"type=bind,src={workdir},dst=/mnt,options=rbind:ro", "--env", "A=b", "--cwd", "/tmp")
    script = "pwd; echo $A; cat /mnt/f; touch /mnt/x 2>/dev/null || echo ro"
    out = ctr(*ctr.run_words("--rm", *words), IMAGE, "t1", "sh", "-c", script).out
    assert out.split() == ["/tmp", "b", "mounted", "ro"]


def test_exec(ctr: Containerd) -> None:
    started(ctr, "t1")
    result = ctr("tasks", "exec", "--exec-id", "e1", "t1", "sh", "-c", "id -u; exit 4", code=4)
    assert result.out == "0"
    words = ("--exec-id", "e2", "--user", "1000:10", "--cwd", "/tmp")
    assert ctr("tasks", "exec", *words, "t1", "sh", "-c", "id -u; pwd").out.split() == ["1000", "/tmp"]
    assert "no such file" in ctr("tasks", "exec", "--exec-id", "e3", "t1", "/no/such", code=1).err
    with ctr.terminal("tasks", "exec", "-t", "--exec-id", "e4", "t1", "sh") as terminal:
        terminal.wait_for("# ")
        terminal.send("tty")
        terminal.wait_for("/dev/pts/0\r")
        terminal.send("exit 2")
        assert terminal.wait() == 2


def test_detached_exec(ctr: Containerd) -> None:
    started(ctr, "t1")
    ctr("tasks", "exec", "-d", "--exec-id", "e1", "t1", "sleep", "4730")
    poll(lambda: "sleep 4730" in ctr.machine.processes().values())
    ctr("tasks", "kill", "--exec-id", "e1", "-s", "KILL", "t1")
    poll(lambda: "sleep 4730" not in ctr.machine.processes().values())
    ctr("tasks", "delete", "--exec-id", "e1", "t1", code=137)


def test_ps_and_metrics(ctr: Containerd) -> None:
    pid = started(ctr, "t1")
    assert ctr("tasks", "ps", "t1").out.splitlines()[1].split()[0] == pid
    metrics = ctr("tasks", "metrics", "t1").out
    assert "memory.usage" in metrics
    assert next(line.split()[1] for line in metrics.splitlines() if line.startswith("pids.current")) == "1"


def test_pause_and_resume(ctr: Containerd) -> None:
    pid = started(ctr, "t1")
    ctr("tasks", "pause", "t1")
    assert ctr.machine.cgroup(pid).frozen
    assert listed(ctr, "t1")[2] == "PAUSED"
    assert "paused" in ctr("tasks", "exec", "--exec-id", "e1", "t1", "true", code=1).err
    ctr("tasks", "resume", "t1")
    assert not ctr.machine.cgroup(pid).frozen
    assert listed(ctr, "t1")[2] == "RUNNING"


def test_kill_and_delete(ctr: Containerd) -> None:
    started(ctr, "t1")
    assert "must be stopped" in ctr("tasks", "delete", "t1", code=1).err
    ctr("tasks", "kill", "-s", "TERM", "t1")
    ctr("tasks", "kill", "-a", "-s", "KILL", "t1")
    poll(lambda: listed(ctr, "t1")[2] == "STOPPED")
    assert "not found" in ctr("tasks", "kill", "t1", code=1).err
    ctr("tasks", "delete", "t1")
    ctr("containers", "delete", "t1")


def test_forced_delete(ctr: Containerd) -> None:
    pid = started(ctr, "t1")
    ctr("tasks", "delete", "--force", "t1")
    assert not ctr.machine.proc(pid, "stat").exists()


def test_null_io(ctr: Containerd) -> None:
    """stdout and stderr of `create` are /dev/null, opened for reading only."""
    pid = started(ctr, "t1", "--null-io", command=("sh", "-c", "echo lost; exec sleep 1000"))
    assert ctr.machine.proc(pid, "stat").exists()


def test_log_uri(ctr: Containerd, workdir: Path) -> None:
    started(
        ctr, "t1", "--log-uri", f"file://{workdir}/log", command=("sh", "-c", "echo logged; exec sleep 1000")
    )
    poll(lambda: "logged" in (workdir / "log").read_text())


def test_user_namespace(ctr: Containerd) -> None:
    words = ("--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536", "--remap-labels")
    out = ctr(*ctr.run_words("--rm", *words), IMAGE, "t1", "cat", "/proc/self/uid_map").out
    assert out.split() == ["0", "100000", "65536"]


def test_joined_namespaces(ctr: Containerd) -> None:
    pid = started(ctr, "t1")
    words = ("--with-ns", f"pid:/proc/{pid}/ns/pid", "--with-ns", f"network:/proc/{pid}/ns/net")
    out = ctr(*ctr.run_words("--rm", *words), IMAGE, "t2", "ps", "-o", "args").out
    assert out.splitlines()[1:] == ["sleep 1000", "ps -o args"]


def test_privileged_without_what_root_lacks(ctr: Containerd) -> None:
    words = ("--privileged", "--cap-drop", "CAP_SYS_RESOURCE")
    script = "test -c /dev/kmsg && mount -t tmpfs x /tmp && echo mounted"
    assert ctr(*ctr.run_words("--rm", *words), IMAGE, "t1", "sh", "-c", script).out == "mounted"


def test_shim_killed(ctr: Containerd) -> None:
    pid = started(ctr, "t1")
    ctr.machine.run("kill", "-9", ctr.machine.status(pid, "PPid"))
    poll(lambda: not ctr.machine.proc(pid, "stat").exists())
    poll(lambda: not ctr("tasks", "list", "-q").out)


def test_exec_outlives_the_first_process(ctr: Containerd, workdir: Path) -> None:
    """Impossible with a pid namespace of its own: the kernel ends the exec, and the shim still can delete."""
    os_pipe = workdir / "go"
    ctr.machine.run("mkfifo", os_pipe)
    mount = ("--mount", f"type=bind,src={workdir},dst=/mnt,options=rbind:rw")
    started(ctr, "t1", *mount, "--null-io", command=("sh", "-c", "read x < /mnt/go"))
    ctr("tasks", "exec", "-d", "--exec-id", "e1", "t1", "sleep", "4731")
    ctr.machine.run("sh", "-c", f"echo > {os_pipe}")
    poll(lambda: listed(ctr, "t1")[2] == "STOPPED")
    assert "sleep 4731" not in ctr.machine.processes().values()
    ctr("tasks", "delete", "t1")


def test_no_pivot_uses_runc_from_the_path(ctr: Containerd) -> None:
    """`--no-pivot` makes ctr forget --runc-binary; PATH leads to the runtime under test all the same."""
    assert ctr(*ctr.run_words("--rm", "--no-pivot"), IMAGE, "t1", "echo", "hi").out == "hi"


def test_many_at_once(ctr: Containerd) -> None:
    jobs = [ctr.popen(*ctr.run_words("--rm"), IMAGE, f"m{n}", "sh", "-c", f"exit {50 + n}") for n in range(6)]
    for number, job in enumerate(jobs):
        out, err = job.communicate(timeout=120)
        assert job.returncode == 50 + number, (out, err)
