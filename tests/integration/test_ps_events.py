"""ps and events."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import pytest

from . import cgroup, proc
from .harness import Container, Process, Result

pytestmark = pytest.mark.skipif(cgroup.mode() == "none", reason="no cgroup file system is mounted")


# ---- ps ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flag", ["--format", "-f"])
def test_ps_json_is_an_array_of_host_pids(container: Container, flag: str) -> None:
    container.shell("sleep 1000 & sleep 1000; true").up()
    proc.wait_until(lambda: len(proc.children(container.pid)) == 2, "three processes run")
    found = container.runtime.call("ps", flag, "json", container.id).json()
    assert set(found) == {container.pid, *proc.children(container.pid)}


def test_ps_table(container: Container) -> None:
    if subprocess.run(["ps", "-ef"], capture_output=True, check=False).returncode != 0:
        pytest.skip("ps -ef itself fails on this machine")
    container.sleeping()
    lines = container.runtime.call("ps", container.id).ok().stdout.splitlines()
    assert "PID" in lines[0].split() and len(lines) == 2
    assert lines[1].split()[lines[0].split().index("PID")] == str(container.pid)
    assert lines[1].endswith("sleep 1000")


def test_ps_options(container: Container) -> None:
    container.sleeping()
    lines = container.runtime.call("ps", container.id, "-e", "-o", "pid,comm").ok().stdout.splitlines()
    assert lines[0].split() == ["PID", "COMMAND"]
    assert lines[1].split() == [str(container.pid), "sleep"]


def test_ps_includes_exec(container: Container) -> None:
    container.sleeping()
    path = container.pid_file + ".exec"
    container.exec("sleep", "999", flags=["--detach", "--pid-file", path]).ok()
    with open(path) as file:
        pid = int(file.read())
    assert set(container.runtime.call("ps", "-f", "json", container.id).json()) == {container.pid, pid}


def test_ps_of_a_created_container(container: Container) -> None:
    container.create()
    assert container.runtime.call("ps", "-f", "json", container.id).json() == [container.pid]


@pytest.mark.needs_controller("freezer")
def test_ps_of_a_paused_container(container: Container) -> None:
    container.sleeping()
    container.runtime.call("pause", container.id).ok()
    assert container.runtime.call("ps", "-f", "json", container.id).json() == [container.pid]


def test_ps_of_an_unknown_container(container: Container) -> None:
    container.runtime.call("ps", container.id).failed("does not exist")


def test_ps_refuses_an_unknown_format(container: Container) -> None:
    container.sleeping()
    container.runtime.call("ps", "--format", "yaml", container.id).failed("format")


# ---- events --stats ----------------------------------------------------------------------------------------------------


def _stats(container: Container) -> dict[str, Any]:
    event = json.loads(container.runtime.call("events", "--stats", container.id).ok().stdout)
    assert event["type"] == "stats"
    assert event["id"] == container.id
    data = event["data"]
    assert isinstance(data, dict)
    return data


def test_stats_has_the_groups(container: Container) -> None:
    container.sleeping()
    assert {"cpu", "memory", "pids", "blkio"} <= set(_stats(container))


@pytest.mark.needs_controller("pids")
def test_stats_pids(container: Container) -> None:
    container.resources(pids={"limit": 50}).sleeping()
    assert _stats(container)["pids"] == {"current": 1, "limit": 50}


@pytest.mark.needs_controller("memory")
def test_stats_memory(container: Container) -> None:
    container.resources(memory={"limit": 64 << 20}).sleeping()
    usage = _stats(container)["memory"]["usage"]
    assert usage["limit"] == 64 << 20
    assert 0 < usage["usage"] < 64 << 20


@pytest.mark.needs_controller("memory")
def test_stats_memory_raw(container: Container) -> None:
    container.sleeping()
    raw = _stats(container)["memory"]["raw"]
    assert {"pgfault"} <= set(raw)
    assert all(isinstance(value, int) for value in raw.values())


def test_stats_cpu(container: Container) -> None:
    container.shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 1000").up()
    proc.wait_until(lambda: _stats(container)["cpu"]["usage"]["total"] > 1000000, "some CPU time is counted")


def test_stats_of_an_unknown_container(container: Container) -> None:
    container.runtime.call("events", "--stats", container.id).failed("does not exist")


def test_stats_of_a_stopped_container_is_refused(container: Container) -> None:
    container.args("true").up().wait()
    container.runtime.call("events", "--stats", container.id).failed("not running")


# ---- events ------------------------------------------------------------------------------------------------------------


def _finish(container: Container, process: Process) -> Result:
    container.kill_and_wait().delete()
    return process.wait()


@pytest.mark.old_runc_lacks("an end of events before delete")
def test_events_end_when_the_container_stops(container: Container) -> None:
    container.sleeping()
    process = container.runtime.spawn("events", "--interval", "100ms", container.id)
    proc.wait_until(lambda: process.peek().stdout, "a line has come")
    container.kill_and_wait()
    process.wait().ok()


def test_events_come_at_the_interval(container: Container) -> None:
    container.sleeping()
    process = container.runtime.spawn("events", "--interval", "100ms", container.id)
    proc.wait_until(lambda: process.peek().stdout.count("\n") >= 3, "three lines have come")
    result = _finish(container, process).ok()
    for line in result.stdout.splitlines():
        assert json.loads(line)["type"] == "stats"


def test_events_interval_default_is_5_seconds(container: Container) -> None:
    container.sleeping()
    process = container.runtime.spawn("events", container.id)
    time.sleep(0.5)
    assert process.popen.poll() is None
    assert process.peek().stdout.count("\n") <= 1
    _finish(container, process)


@pytest.mark.needs_controller("memory")
def test_events_report_oom(container: Container) -> None:
    container.resources(memory={"limit": 16 << 20, "swap": 16 << 20})
    container.shell(
        "while ! test -e /go; do usleep 10000; done; tail -c 100000000 /dev/zero; sleep 1000"
    ).up()
    process = container.runtime.spawn("events", "--interval", "200ms", container.id)
    proc.wait_until(lambda: process.peek().stdout, "events watches")
    container.bundle.file("go")
    proc.wait_until(lambda: '"type":"oom"' in process.peek().stdout.replace(" ", ""), "an oom event has come")
    _finish(container, process)


@pytest.mark.parametrize("interval", ["0s", "-1s", "soon"])
def test_events_refuse_bad_intervals(container: Container, interval: str) -> None:
    container.sleeping()
    container.runtime.call("events", "--interval", interval, container.id).failed()
