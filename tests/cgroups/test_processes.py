"""Listing, signalling and the end."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from runtime.errors import KernelError
from runtime.execute import cgroup_processes, cgroupfs
from runtime.plan.cgroup import join_files
from runtime.spec.model import LinuxPids

from . import box as boxes
from .box import Box

FORK_BOMB = """
import os, time
while True:
    try: os.fork()
    except BlockingIOError: time.sleep(0.001)
"""


def test_pids_here_and_below(new_box: Callable[[str], Box]) -> None:
    outer, inner = new_box(""), new_box("/a/b")
    inner.create()
    children = [inner.start()]
    if not boxes.V2:
        children.append(outer.start())
    assert cgroupfs.pids(outer.cgroups) == sorted(child.pid for child in children)
    assert cgroupfs.pids(inner.cgroups) == [children[0].pid]


def test_pids_of_nothing(box: Box) -> None:
    assert cgroupfs.pids(box.cgroups) == []
    assert cgroupfs.pids([]) == []
    box.create()
    assert cgroupfs.pids(box.cgroups) == []


@pytest.mark.controller("pids")
def test_no_fork_bomb_escapes_sigkill(box: Box) -> None:
    box.create(pids=LinuxPids(limit=60))
    box.python(FORK_BOMB)
    boxes.until(lambda: len(box.listed()) >= 50)
    cgroupfs.kill(box.cgroups, signal.SIGKILL)
    boxes.until(lambda: not any(boxes.alive(pid) for pid in box.listed()))


def test_sigkill_reaches_the_frozen(box: Box) -> None:
    box.create()
    child = box.start()
    cgroupfs.freeze(box.cgroups)
    cgroupfs.kill(box.cgroups, signal.SIGKILL)
    assert child.wait(timeout=60) == -signal.SIGKILL
    assert not cgroupfs.frozen(box.cgroups)


def test_sigkill_without_cgroup_kill(box: Box) -> None:
    """v1 alone: freeze, signal, thaw."""
    if boxes.V2:
        pytest.skip("v2 has cgroup.kill")
    box.create(pids=LinuxPids(limit=60))
    box.python(FORK_BOMB)
    boxes.until(lambda: len(box.listed()) >= 50)
    v1 = [cgroup for cgroup in box.cgroups if cgroup[0]]
    cgroupfs.kill(v1, signal.SIGKILL)
    boxes.until(lambda: not any(boxes.alive(pid) for pid in box.listed()))
    assert not cgroupfs.frozen(box.cgroups)


def test_other_signals_reach_all(box: Box) -> None:
    box.create()
    code = (
        "import os, signal, sys, time\n"
        "def got(*_): os.write(1, b'got\\n'); os._exit(0)\n"
        "signal.signal(signal.SIGUSR1, got)\n"
        "os.fork(); os.fork()\n"
        "os.write(1, b'ready\\n')\n"
        "while True: time.sleep(9)"
    )
    child = box.python(code)
    assert child.stdout is not None
    for _ in range(4):
        assert child.stdout.readline() == "ready\n"
    cgroupfs.kill(box.cgroups, signal.SIGUSR1)
    assert [child.stdout.readline() for _ in range(4)] == ["got\n"] * 4


def test_a_paused_container_stays_so_when_signalled(box: Box) -> None:
    box.create()
    child = box.start()
    cgroupfs.freeze(box.cgroups)
    cgroupfs.kill(box.cgroups, signal.SIGTERM)
    assert cgroupfs.frozen(box.cgroups)
    cgroupfs.thaw(box.cgroups)
    assert child.wait(timeout=60) == -signal.SIGTERM


def test_others_are_left_alone(box: Box) -> None:
    box.create()
    box.start()
    outsider = box.outsider()
    cgroupfs.kill(box.cgroups, signal.SIGKILL)
    assert boxes.alive(outsider.pid)


def test_a_process_that_was_still_entering(box: Box) -> None:
    """Only in some of the hierarchies."""
    if len(box.cgroups) < 2:
        pytest.skip("this machine has one hierarchy")
    box.create()
    outsider = box.outsider()
    cgroupfs.join(box.cgroups[:1], outsider.pid)
    cgroupfs.kill(box.cgroups, signal.SIGKILL)
    assert outsider.wait(timeout=60) == -signal.SIGKILL


def test_kill_of_nothing(box: Box) -> None:
    cgroupfs.kill(box.cgroups, signal.SIGKILL)
    cgroupfs.kill([], signal.SIGTERM)


# entering


def test_join_moves_into_every_hierarchy(box: Box) -> None:
    box.create()
    outsider = box.outsider()
    cgroupfs.join(box.cgroups, outsider.pid)
    found = boxes.membership(outsider.pid)
    for names, path in box.cgroups:
        assert path.endswith(found[",".join(names)])


def test_a_process_enters_v1_by_itself(box: Box) -> None:
    box.create()
    pid = os.fork()
    if pid == 0:
        for path in join_files(box.cgroups):
            with open(path, "w") as file:
                file.write("0")
        time.sleep(99)
    try:
        paths = [path for names, path in box.cgroups if names]
        boxes.until(
            lambda: all(str(pid) in boxes.open_text(f"{path}/cgroup.procs").split() for path in paths)
        )
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_join_of_what_is_not_there(box: Box) -> None:
    outsider = box.outsider()
    with pytest.raises(KernelError) as caught:
        cgroupfs.join(box.cgroups, outsider.pid)
    assert str(caught.value) == (
        f"linux.cgroupsPath: move process {outsider.pid} to cgroup {box.cgroups[0][1]}:"
        " ENOENT: no such file or directory"
    )
    cgroupfs.join_exec(box.cgroups, outsider.pid)


def opened(box: Box, init: int = 0) -> int:
    """The inode of the cgroup that clone3(2) is given."""
    fd = cgroupfs.open_unified(box.cgroups, init)
    try:
        assert not os.get_inheritable(fd)
        return os.fstat(fd).st_ino
    finally:
        os.close(fd)


@pytest.mark.skipif(not boxes.LAYOUT.unified, reason="this machine has no unified hierarchy")
def test_the_descriptor_of_the_unified_cgroup(box: Box) -> None:
    assert cgroupfs.open_unified([]) == -1
    with pytest.raises(KernelError, match=r"open cgroup .*: ENOENT"):
        cgroupfs.open_unified(box.cgroups)
    box.create()
    assert opened(box) == os.stat(box.directory("")).st_ino


@pytest.mark.v2
def test_a_container_that_has_moved_its_processes_down(new_box: Callable[[str], Box]) -> None:
    """As systemd does: exec goes where init is."""
    outer, inner = new_box(""), new_box("/init.scope")
    inner.create()
    init, other = inner.start(), outer.outsider()
    with open(f"{outer.directory('')}/cgroup.subtree_control", "w") as file:
        file.write("+pids")
    with pytest.raises(KernelError, match="EBUSY: device or resource busy; a cgroup whose children have"):
        cgroupfs.join(outer.cgroups, other.pid)
    cgroupfs.join_exec(outer.cgroups, other.pid, init.pid)
    assert boxes.membership(other.pid) == boxes.membership(init.pid)
    assert opened(outer, init.pid) == os.stat(inner.directory("")).st_ino


@pytest.mark.v2
def test_its_own_cgroups_may_have_any_names(new_box: Callable[[str], Box]) -> None:
    outer, inner = new_box("/a/a"), new_box("/a/a/a/init.scope")
    inner.create()
    init = inner.start()
    with open(f"{outer.directory('')}/cgroup.subtree_control", "w") as file:
        file.write("+pids")
    assert opened(outer, init.pid) == os.stat(inner.directory("")).st_ino


@pytest.mark.v2
def test_limits_of_one_that_has_moved_its_processes_down(new_box: Callable[[str], Box]) -> None:
    """They stay where they are: at its top."""
    outer, inner = new_box(""), new_box("/init.scope")
    outer.create(pids=LinuxPids(limit=50))
    inner.create()
    init = inner.start()
    cgroupfs.update(outer.cgroups, outer.ops(pids=LinuxPids(limit=60)))
    assert outer.read("", "pids.max") == "60"
    assert inner.read("", "pids.max") == "max"
    assert cgroupfs.pids(outer.cgroups) == [init.pid]
    assert cgroupfs.stats(outer.cgroups)["pids"] == {"current": 1, "limit": 60}


@pytest.mark.v2
def test_a_cgroup_that_can_have_no_processes(new_box: Callable[[str], Box]) -> None:
    """A sibling of a threaded one is of no use until it is threaded too."""
    outer, threaded, inner = new_box(""), new_box("/threaded"), new_box("/inner")
    for made in (outer, threaded, inner):
        os.mkdir(made.directory(""))
    with open(f"{threaded.directory('')}/cgroup.type", "w") as file:
        file.write("threaded")
    outsider = outer.outsider()
    with pytest.raises(KernelError) as caught:
        cgroupfs.join(inner.cgroups, outsider.pid)
    assert str(caught.value).endswith(
        "operation not supported; it is of type domain invalid (cgroups(7), Thread mode):"
        " choose another cgroupsPath"
    )


# the end


def test_remove_takes_what_is_below_too(new_box: Callable[[str], Box]) -> None:
    outer, inner = new_box(""), new_box("/a/b/c")
    inner.create()
    cgroupfs.remove(outer.cgroups)
    assert not any(os.path.exists(path) for _, path in outer.cgroups)
    cgroupfs.remove(outer.cgroups)


def test_remove_waits_for_the_dying(box: Box) -> None:
    box.create()
    child = box.start()
    timer = threading.Timer(0.3, child.kill)
    begin = time.monotonic()
    timer.start()
    cgroupfs.remove(box.cgroups)
    assert time.monotonic() - begin > 0.25
    assert not any(os.path.exists(path) for _, path in box.cgroups)
    timer.join()


def test_remove_says_who_does_not_end(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup_processes, "REMOVE_TIMEOUT", 0.2)
    box.create()
    child = box.start()
    with pytest.raises(KernelError) as caught:
        cgroupfs.remove(box.cgroups)
    assert str(caught.value) == (
        f"remove cgroup {box.cgroups[0][1]}: processes {child.pid} do not end:"
        " EBUSY: device or resource busy; try again later"
    )


def test_kill_and_remove_of_a_fork_bomb(box: Box) -> None:
    box.create(pids=LinuxPids(limit=100)) if boxes.has("pids") else box.create()
    box.python(FORK_BOMB if boxes.has("pids") else "import time; time.sleep(99)")
    time.sleep(0.3)
    cgroupfs.kill(box.cgroups, signal.SIGKILL)
    cgroupfs.remove(box.cgroups)
    assert not any(os.path.exists(path) for _, path in box.cgroups)
