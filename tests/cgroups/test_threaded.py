"""cgroup v2, Thread mode: containers below a threaded cgroup."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from runtime.errors import KernelError
from runtime.execute import cgroupfs
from runtime.spec.model import LinuxCPU, LinuxMemory, LinuxPids

from . import box as boxes
from .box import Box

MIB = 1 << 20
BoxMaker = Callable[..., Box]

pytestmark = pytest.mark.v2


@pytest.fixture
def domain(new_box: BoxMaker) -> Box:
    """The threaded domain: a cgroup with a process of its own that hands the pids controller on."""
    outer = new_box("").create()
    outer.start()
    with open(f"{outer.directory('')}/cgroup.subtree_control", "w") as file:
        file.write("+pids")
    assert outer.read("", "cgroup.type") == "domain threaded"
    return outer


@pytest.mark.parametrize("below", ["/c", "/a/b/c"])
def test_the_container_becomes_threaded(domain: Box, new_box: BoxMaker, below: str) -> None:
    inner = new_box(below).create()
    assert inner.read("", "cgroup.type") == "threaded"
    child = inner.start()
    assert boxes.membership(child.pid)[""] == inner.directory("").removeprefix(boxes.LAYOUT.unified)
    outsider = inner.outsider()
    cgroupfs.join(inner.cgroups, outsider.pid)
    assert cgroupfs.pids(inner.cgroups) == sorted([child.pid, outsider.pid])


def test_threaded_controllers_can_be_limited(domain: Box, new_box: BoxMaker) -> None:
    inner = new_box("/c").create(pids=LinuxPids(limit=7))
    assert inner.read("", "pids.max") == "7"


def test_others_can_not(domain: Box, new_box: BoxMaker) -> None:
    inner = new_box("/c").create()
    with pytest.raises(KernelError) as caught:
        inner.apply(memory=LinuxMemory(limit=MIB))
    assert str(caught.value) == (
        f"linux.resources.memory.limit: write {MIB} to memory.max: {domain.directory('')} does not hand on"
        " the memory controller: it is domain threaded, and memory is only for domains;"
        " see Thread mode in cgroups(7), or choose another cgroupsPath"
    )


def test_the_processes_above_keep_the_rest_back(domain: Box, new_box: BoxMaker) -> None:
    """The kernel would give cpu; but a change of somebody else's cgroup needs a reason."""
    inner = new_box("/c").create()
    with pytest.raises(KernelError, match="does not hand on the cpu controller: a cgroup with processes"):
        inner.apply(cpu=LinuxCPU(shares=100))
    assert domain.read("", "cgroup.subtree_control") == "pids"


def test_it_can_be_frozen_signalled_and_removed(domain: Box, new_box: BoxMaker) -> None:
    """A threaded cgroup has neither cgroup.kill nor a list of processes of its own."""
    inner = new_box("/c").create()
    first, second = inner.start(), inner.start()
    cgroupfs.freeze(inner.cgroups)
    cgroupfs.kill(inner.cgroups, signal.SIGKILL)
    assert {first.wait(timeout=20), second.wait(timeout=20)} == {-signal.SIGKILL}
    cgroupfs.remove(inner.cgroups)
    assert not os.path.exists(inner.directory(""))
    assert boxes.alive(domain.children[0].pid)


def test_one_that_has_processes_is_refused(domain: Box, new_box: BoxMaker) -> None:
    inner = new_box("/c").create()
    inner.start()
    with pytest.raises(KernelError, match="it already has processes"):
        cgroupfs.create(inner.cgroups)
