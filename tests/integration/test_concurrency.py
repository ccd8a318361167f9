"""Many containers at once, one id wanted twice, and creates that are killed at random moments."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from . import cgroup
from .harness import Bundle, Container, Runtime, Tracker, live_children, reap

MakeContainer = Callable[..., Container]


def _one_life(runtime: Runtime, bundle: Bundle, container_id: str) -> None:
    """create, start, wait, delete, by hand: the bundle is shared, and written only once."""
    pid_file = f"{os.path.dirname(bundle.path)}/{container_id}.pid"
    runtime.call("create", "--bundle", bundle.path, "--pid-file", pid_file, container_id, timeout=90).ok()
    runtime.call("start", container_id, timeout=90).ok()
    with open(pid_file) as file:
        assert reap(int(file.read()), 90) == 0
    runtime.call("delete", container_id, timeout=90).ok()
    os.unlink(pid_file)


@pytest.mark.timeout(900)
def test_200_containers_20_at_a_time(runtime: Runtime, bundle: Bundle, tracker: Tracker) -> None:
    bundle.config["linux"].pop("cgroupsPath", None)
    bundle.write()
    before = tracker.mount_points()
    ids = [tracker.new_id() for _ in range(200)]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda name: _one_life(runtime, bundle, name), ids))
    assert runtime.leftovers() == []
    assert cgroup.find_named(tracker.id_prefix + "-") == []
    assert tracker.mount_points() == before
    assert live_children() == []


def test_list_and_state_while_others_come_and_go(runtime: Runtime, bundle: Bundle, tracker: Tracker) -> None:
    bundle.config["linux"].pop("cgroupsPath", None)
    bundle.write()
    os.mkdir(runtime.root)
    ids = [tracker.new_id() for _ in range(12)]
    with ThreadPoolExecutor(4) as pool:
        lives = [pool.submit(_one_life, runtime, bundle, name) for name in ids]
        while not all(life.done() for life in lives):
            runtime.call("list", "--format", "json").ok()
        for life in lives:
            life.result()


@pytest.mark.planc_only("a reservation of ids")
def test_two_creates_of_one_id(container: Container) -> None:
    """Exactly one wins; the other says why, and harms nothing."""
    for _ in range(8):
        container.args("sleep", "1000").bundle.write()
        words = ("create", "--bundle", container.bundle.path, container.id)
        calls = [container.runtime.spawn(*words) for _ in range(2)]
        results = sorted((call.wait() for call in calls), key=lambda result: result.returncode)
        results[0].ok()
        results[1].failed("exist")
        assert container.status == "created"
        container.runtime.call("start", container.id).ok()
        assert container.status == "running"
        container.delete("--force")


def test_two_starts_of_one_container(container: Container) -> None:
    container.args("sleep", "1000").create()
    calls = [container.runtime.spawn("start", container.id) for _ in range(2)]
    codes = sorted(call.wait().returncode for call in calls)
    assert codes[0] == 0 and codes[1] != 0
    assert container.status == "running"


def test_two_deletes_of_one_container(container: Container) -> None:
    """docker-compose and podman do this; --force of one that is gone succeeds."""
    container.args("true").up().wait()
    calls = [container.runtime.spawn("delete", "--force", container.id) for _ in range(2)]
    assert [call.wait().returncode for call in calls] == [0, 0]


def test_delete_and_kill_at_once(container: Container) -> None:
    container.sleeping()
    kill = container.runtime.spawn("kill", container.id, "KILL")
    delete = container.runtime.spawn("delete", "--force", container.id)
    delete.wait().ok()
    result = kill.wait()
    if result.returncode != 0:
        assert "not running" in result.stderr or "does not exist" in result.stderr


KILLED = 60


@pytest.mark.timeout(900)
@pytest.mark.old_runc_lacks("a delete --force that cleans up after every killed create", strict=False)
def test_create_killed_at_60_random_moments(make_container: MakeContainer, tracker: Tracker) -> None:
    container = make_container()
    container.args("sleep", "1000").bundle.write()
    usual = _usual_seconds(container)
    chance = random.Random(tracker.id_prefix)
    for number in range(KILLED):
        moment = usual * 1.1 * (number + chance.random()) / KILLED
        _kill_create_after(container, moment)
        container.delete("--force")
        _expect_nothing(container, tracker, f"killed after {moment * 1000:.1f} ms")


def _usual_seconds(container: Container) -> float:
    began = time.monotonic()
    container.create()
    found = time.monotonic() - began
    container.delete("--force")
    return found


def _kill_create_after(container: Container, moment: float) -> None:
    call = container.runtime.spawn("create", "--bundle", container.bundle.path, container.id)
    time.sleep(moment)
    call.signal(signal.SIGKILL)
    call.wait()


def _expect_nothing(container: Container, tracker: Tracker, when: str) -> None:
    leaks = tracker.settle()
    assert not leaks, f"{when}: {leaks}"


@pytest.mark.planc_only("a delete that cleans up after a killed delete")
def test_delete_killed_at_random_moments(container: Container, tracker: Tracker) -> None:
    chance = random.Random(tracker.id_prefix)
    for _ in range(15):
        container.args("sleep", "1000").create()
        call = container.runtime.spawn("delete", "--force", container.id)
        time.sleep(chance.random() * 0.08)
        call.signal(signal.SIGKILL)
        call.wait()
        container.delete("--force")
        _expect_nothing(container, tracker, "killed delete")


@pytest.mark.planc_only("a run that cleans up after SIGKILL of everything")
def test_run_killed_with_its_container(container: Container, tracker: Tracker) -> None:
    process = container.args("sleep", "1000").run_in_background()
    pid = container.pid
    process.signal(signal.SIGKILL)
    process.popen.wait()
    os.kill(pid, signal.SIGKILL)
    reap(pid)
    container.delete("--force")
    _expect_nothing(container, tracker, "killed run")
