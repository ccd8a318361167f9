"""Containers over time: create, start, stop, kill, pause, restart, remove, logs, sudden deaths."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from .image import SHORT as IMAGE
from .machine import poll

if TYPE_CHECKING:
    from .daemons import Docker

START = ("run", "-d", "--network", "none", "--name")
OBEDIENT = (
    IMAGE,
    "sh",
    "-c",
    "trap 'echo asked; exit 5' TERM; trap 'echo usr' USR1; echo up; while :; do sleep 0.1; done",
)
STUBBORN = (IMAGE, "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")


def state(docker: Docker, name: str) -> str:
    return docker.inspect(name, "{{.State.Status}}")


def started(docker: Docker, name: str, *words: str) -> str:
    """Start a container, wait until it says `up`; its pid."""
    docker(*START, name, *words)
    poll(lambda: "up" in docker("logs", name).out, what="the container says it is up")
    return docker.pid(name)


def test_create_start_wait_remove(docker: Docker) -> None:
    docker("create", "--name", "c1", "--network", "none", IMAGE, "sh", "-c", "echo once; exit 3")
    assert state(docker, "c1") == "created"
    docker("start", "c1")
    assert docker("wait", "c1").out == "3"
    assert state(docker, "c1") == "exited"
    assert docker("start", "-a", "c1", code=3).out == "once"
    assert docker("logs", "c1").out == "once\nonce"
    docker("rm", "c1")


def test_created_container_is_removed_without_having_run(docker: Docker) -> None:
    docker("create", "--name", "c1", IMAGE, "true")
    docker("rm", "c1")


def test_failed_start_leaves_nothing(docker: Docker) -> None:
    docker("run", "--name", "c1", "--network", "none", IMAGE, "/no/such", code=127)
    assert state(docker, "c1") == "created"
    docker("rm", "c1")


def test_stop_asks_first(docker: Docker) -> None:
    started(docker, "c1", *OBEDIENT)
    docker("stop", "-t", "20", "c1")
    assert docker.inspect("c1", "{{.State.ExitCode}}") == "5"
    assert docker("logs", "c1").out == "up\nasked"


def test_stop_kills_the_stubborn(docker: Docker) -> None:
    started(docker, "c1", *STUBBORN)
    docker("stop", "-t", "1", "c1")
    assert docker.inspect("c1", "{{.State.ExitCode}}") == "137"


def test_stop_signal(docker: Docker) -> None:
    script = "trap 'exit 6' QUIT; echo up; while :; do sleep 0.1; done"
    started(docker, "c1", "--stop-signal", "QUIT", IMAGE, "sh", "-c", script)
    docker("stop", "-t", "20", "c1")
    assert docker.inspect("c1", "{{.State.ExitCode}}") == "6"


def test_kill_sends_the_signal_asked_for(docker: Docker) -> None:
    started(docker, "c1", *OBEDIENT)
    docker("kill", "-s", "USR1", "c1")
    poll(lambda: docker("logs", "c1").out == "up\nusr")
    assert state(docker, "c1") == "running"
    docker("kill", "c1")
    assert docker("wait", "c1").out == "137"
    assert "is not running" in docker("kill", "c1", code=1).err


def test_kill_takes_children_along(docker: Docker) -> None:
    started(docker, "c1", IMAGE, "sh", "-c", "sleep 4713 & echo up; wait")
    poll(lambda: "sleep 4713" in docker.machine.processes().values())
    docker("kill", "c1")
    poll(lambda: "sleep 4713" not in docker.machine.processes().values())


def test_signals_to_the_client_are_proxied(docker: Docker) -> None:
    client = docker.popen("run", "--rm", "--network", "none", "--name", "c1", *OBEDIENT)
    assert client.stdout is not None
    assert client.stdout.readline() == b"up\n"
    pids = [
        pid for pid, command in docker.machine.processes().items() if command.startswith("/usr/bin/docker ")
    ]
    docker.machine.run("kill", *map(str, pids))
    out, _ = client.communicate(timeout=120)
    assert (client.returncode, out) == (5, b"asked\n")


def test_pause_freezes_and_unpause_thaws(docker: Docker) -> None:
    pid = started(docker, "c1", IMAGE, "sh", "-c", "echo up; while :; do :; done")

    def cpu_time() -> int:
        return int(docker.machine.proc(pid, "stat").read_text().rpartition(")")[2].split()[11])

    docker("pause", "c1")
    assert state(docker, "c1") == "paused"
    assert docker.machine.cgroup(pid).frozen
    spent = cpu_time()
    assert "paused" in docker("exec", "c1", "true", code=1).err
    assert "already paused" in docker("pause", "c1", code=1).err
    assert cpu_time() == spent
    docker("unpause", "c1")
    assert state(docker, "c1") == "running"
    assert not docker.machine.cgroup(pid).frozen
    poll(lambda: cpu_time() > spent)
    assert "not paused" in docker("unpause", "c1", code=1).err


@pytest.mark.parametrize(
    "command",
    [("kill",), ("stop", "-t", "1"), ("rm", "-f"), ("restart", "-t", "1")],
    ids=lambda words: words[0],
)
def test_paused_container_can_be_ended(docker: Docker, command: tuple[str, ...]) -> None:
    pid = started(docker, "c1", *STUBBORN)
    docker("pause", "c1")
    docker(*command, "c1")
    poll(lambda: not docker.machine.proc(pid, "stat").exists())


def test_restart_makes_a_new_process_with_the_same_id(docker: Docker) -> None:
    pid = started(docker, "c1", *OBEDIENT)
    docker("restart", "-t", "20", "c1")
    assert docker.pid("c1") not in ("0", pid)
    assert docker("logs", "c1").out.startswith("up\nasked")


def test_removal_of_a_running_container(docker: Docker) -> None:
    pid = started(docker, "c1", *STUBBORN)
    assert "stop the container" in docker("rm", "c1", code=1).err.lower()
    docker("rm", "-f", "c1")
    assert not docker.machine.proc(pid, "stat").exists()


def test_attach(docker: Docker) -> None:
    script = "read x; echo got $x; read x; exit 4"
    docker("run", "-di", "--name", "c1", "--network", "none", IMAGE, "sh", "-c", script)
    client = docker.popen("attach", "c1", stdin=subprocess.PIPE)
    assert client.stdin is not None and client.stdout is not None
    client.stdin.write(b"word\n")
    client.stdin.flush()
    assert client.stdout.readline() == b"got word\n"
    client.communicate(b"\n", timeout=120)
    assert client.returncode == 4


def test_logs_of_both_streams(docker: Docker) -> None:
    docker(
        "run",
        "--name",
        "c1",
        "--network",
        "none",
        IMAGE,
        "sh",
        "-c",
        "echo a; echo b >&2; yes | head -c 100000",
    )
    logs = docker("logs", "c1")
    assert logs.out.startswith("a\ny\n") and len(logs.out) == 100_001
    assert logs.err == "b"


def test_restart_policy_on_failure_counts(docker: Docker) -> None:
    docker(*START, "c1", "--restart", "on-failure:2", IMAGE, "sh", "-c", "exit 9")
    poll(
        lambda: (
            docker.inspect("c1", "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}") == "2 exited 9"
        )
    )


def test_restart_policy_always_until_stopped(docker: Docker) -> None:
    pid = started(docker, "c1", "--restart", "always", *STUBBORN)
    docker.machine.run("kill", "-9", pid)
    poll(lambda: docker.inspect("c1", "{{.State.Status}} {{.RestartCount}}") == "running 1")
    docker("stop", "-t", "0", "c1")
    assert state(docker, "c1") == "exited"


def test_death_from_outside_is_noticed(docker: Docker) -> None:
    pid = started(docker, "c1", *STUBBORN)
    docker.machine.run("kill", "-9", pid)
    assert docker("wait", "c1").out == "137"


def test_death_of_the_shim_takes_the_container_along(docker: Docker) -> None:
    pid = started(docker, "c1", *STUBBORN)
    docker.machine.run("kill", "-9", docker.machine.status(pid, "PPid"))
    poll(lambda: state(docker, "c1") == "exited")
    poll(lambda: not docker.machine.proc(pid, "stat").exists())


def test_health_check(docker: Docker) -> None:
    words = ("--health-cmd", "test -e /tmp/well", "--health-interval", "200ms", "--health-retries", "1")
    docker(*START, "c1", *words, IMAGE, "sleep", "1000")
    poll(lambda: docker.inspect("c1", "{{.State.Health.Status}}") == "unhealthy")
    docker("exec", "c1", "touch", "/tmp/well")
    poll(lambda: docker.inspect("c1", "{{.State.Health.Status}}") == "healthy")


def test_health_check_that_hangs_is_killed(docker: Docker) -> None:
    """Docker 20.10 itself hangs when the timeout is over before the exec has started, as on a slow machine."""
    words = ("--health-cmd", "sleep 4714", "--health-interval", "100ms", "--health-timeout", "5s")
    docker(*START, "c1", *words, "--health-retries", "1", IMAGE, "sleep", "1000")
    poll(lambda: docker.inspect("c1", "{{.State.Health.Status}}") == "unhealthy")


def test_stats(docker: Docker) -> None:
    started(docker, "c1", "--memory", "64m", IMAGE, "sh", "-c", "echo up; while :; do :; done")
    usage, limit, pids = docker(
        "stats", "--no-stream", "--format", "{{.MemUsage}} / {{.PIDs}}", "c1"
    ).out.split(" / ")
    assert usage not in ("0B", "--")
    assert limit == "64MiB"
    assert pids == "1"


def test_top(docker: Docker) -> None:
    started(docker, "c1", IMAGE, "sh", "-c", "sleep 4715 & echo up; wait")
    poll(lambda: "sleep 4715" in docker.machine.processes().values())
    lines = docker("top", "c1", "-o", "pid,args").out.splitlines()
    assert lines[0].split() == ["PID", "COMMAND"]
    assert [line.split(None, 1)[1] for line in lines[1:]] == [
        "sh -c sleep 4715 & echo up; wait",
        "sleep 4715",
    ]
    assert lines[1].split()[0] == docker.pid("c1")


def test_copy_commit_diff_export(docker: Docker) -> None:
    started(docker, "c1", IMAGE, "sh", "-c", "echo changed > /new; echo up; sleep 1000")
    assert "A /new" in docker("diff", "c1").out
    assert docker("exec", "c1", "cat", "/new").out == "changed"
    docker("commit", "-t", "0", "c1", "copied", code=None)
    docker("commit", "c1", "copied")
    assert docker("run", "--rm", "--network", "none", "copied", "cat", "/new").out == "changed"
    docker("rmi", "copied")


def test_many_at_once_live_and_die(docker: Docker) -> None:
    names = [f"many{number}" for number in range(5)]
    starts = [docker.popen(*START, name, IMAGE, "sleep", "1000") for name in names]
    for process in starts:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, (out, err)
    assert len({docker.pid(name) for name in names} - {"0"}) == 5
    docker("kill", *names)
    docker("rm", *names)
