"""Freezing, thawing, and what happens to the frozen."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from runtime.errors import KernelError
from runtime.execute import cgroupfs

from . import box as boxes
from .box import Box

SPIN = "while True: pass"
SPIN_TREE = """
import os
for _ in range(3):
    if not os.fork(): break
while True: pass
"""


def used(pids: set[int]) -> int:
    """Clock ticks of CPU time."""
    return sum(boxes.cpu_time(pid) for pid in pids)


def await_running(pids: set[int]) -> None:
    before = used(pids)
    boxes.until(lambda: used(pids) > before)


def stand_still(pids: set[int]) -> bool:
    """Whether none of them uses the CPU for half a second."""
    before = used(pids)
    time.sleep(0.5)
    return used(pids) == before


def test_the_frozen_do_not_run_and_the_thawed_do(box: Box) -> None:
    box.create()
    box.python(SPIN_TREE)
    boxes.until(lambda: len(box.listed()) == 4)
    pids = box.listed()
    await_running(pids)
    cgroupfs.freeze(box.cgroups)
    assert cgroupfs.frozen(box.cgroups)
    assert stand_still(pids)
    cgroupfs.thaw(box.cgroups)
    assert not cgroupfs.frozen(box.cgroups)
    await_running(pids)


def test_those_in_cgroups_below_too(new_box: Callable[[str], Box]) -> None:
    outer, inner = new_box(""), new_box("/inner")
    inner.create()
    inner.python(SPIN)
    cgroupfs.freeze(outer.cgroups)
    assert stand_still(inner.listed())
    assert not cgroupfs.frozen(inner.cgroups), "it is the parent that is frozen"


def test_twice_is_once(box: Box) -> None:
    box.create()
    box.start()
    for _ in range(2):
        cgroupfs.freeze(box.cgroups)
    for _ in range(2):
        cgroupfs.thaw(box.cgroups)
    assert not cgroupfs.frozen(box.cgroups)


def test_an_empty_one(box: Box) -> None:
    box.create()
    cgroupfs.freeze(box.cgroups)
    assert cgroupfs.frozen(box.cgroups)


def test_many_that_fork_all_the_time(box: Box) -> None:
    box.create()
    for _ in range(3):
        box.start("sh", "-c", "while :; do /bin/true; done")
    for _ in range(20):
        cgroupfs.freeze(box.cgroups)
        listed = box.listed()
        time.sleep(0.01)
        assert box.listed() == listed, "one was born, or ended"
        cgroupfs.thaw(box.cgroups)


def test_a_container_without_cgroups() -> None:
    with pytest.raises(KernelError) as caught:
        cgroupfs.freeze([])
    assert str(caught.value) == (
        "freeze the container: it has no cgroup with a freezer;"
        " it was made without permission to make cgroups"
    )
    cgroupfs.thaw([])
    assert not cgroupfs.frozen([])


def test_cgroups_that_are_gone(box: Box) -> None:
    with pytest.raises(KernelError, match=r"^freeze cgroup .*: ENOENT: no such file or directory$"):
        cgroupfs.freeze(box.cgroups)
    cgroupfs.thaw(box.cgroups)
    assert not cgroupfs.frozen(box.cgroups)
