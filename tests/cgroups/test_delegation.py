"""cgroup v2: controllers that do not come down to the container's cgroup, and who keeps them back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from runtime.errors import KernelError
from runtime.execute import cgroupfs
from runtime.linux.cgroup_delegation import where_it_stops
from runtime.spec.model import LinuxCPU, LinuxMemory, LinuxPids

from . import box as boxes
from .box import Box

MIB = 1 << 20
NOBODY = 65534
BoxMaker = Callable[..., Box]

pytestmark = pytest.mark.v2


def hand_on(path: str, *controllers: str) -> None:
    with open(f"{path}/cgroup.subtree_control", "w") as file:
        file.write(" ".join(f"+{name}" for name in controllers))


@pytest.fixture
def delegated(new_box: BoxMaker) -> Iterator[Box]:
    """What a user who has been given no more than memory and pids has: a cgroup of nobody's, made by
    another, and one below it, for what is theirs."""
    top, outer, inner = new_box("").create(), new_box("/user"), new_box("/user/c")
    hand_on(top.directory(""), "memory", "pids")
    path = outer.directory("")
    os.mkdir(path)
    for name in ("", "/cgroup.procs", "/cgroup.subtree_control", "/cgroup.threads"):
        os.chown(path + name, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    yield inner
    os.seteuid(0)


def test_what_was_delegated_can_be_limited(delegated: Box) -> None:
    delegated.create(memory=LinuxMemory(limit=64 * MIB), pids=LinuxPids(limit=9))
    assert delegated.read("", "cgroup.controllers") == "memory pids"
    assert delegated.read("", "memory.max") == str(64 * MIB)
    assert delegated.read("", "pids.max") == "9"


def test_what_was_not_is_named_with_who_keeps_it(delegated: Box) -> None:
    delegated.create()
    with pytest.raises(KernelError) as caught:
        delegated.apply(cpu=LinuxCPU(shares=512))
    top = os.path.dirname(os.path.dirname(delegated.directory("")))
    assert str(caught.value) == (
        f"linux.resources.cpu.shares: write 59 to cpu.weight: {top} does not hand on the cpu controller:"
        " the caller may not write its cgroup.subtree_control; whoever may must write +cpu to it, for a"
        " user of systemd by Delegate=cpu in user@.service"
    )


def test_unified_too(delegated: Box) -> None:
    delegated.create()
    with pytest.raises(KernelError, match=r'unified\["cpu.weight"\]: .* does not hand on the cpu controller'):
        delegated.apply(unified={"cpu.weight": "33"})


def test_it_is_known_before_the_cgroup_is_there(delegated: Box) -> None:
    path = delegated.directory("")
    stop = where_it_stops(path, "cpu")
    assert stop is not None
    assert (stop.path, stop.absent) == (os.path.dirname(os.path.dirname(path)), False)
    assert where_it_stops(path, "memory") is None
    assert not os.path.exists(path)


def test_the_host_has_not_got_it(box: Box) -> None:
    stop = where_it_stops(box.directory(""), "nonsense")
    assert stop is not None
    assert (stop.path, stop.absent, stop.reason) == (boxes.LAYOUT.unified, True, "")


def test_a_parent_with_processes(new_box: BoxMaker) -> None:
    outer, inner = new_box(""), new_box("/inner")
    outer.create()
    outer.start()
    stop = where_it_stops(inner.directory(""), "memory")
    assert stop is not None
    assert stop.path == outer.directory("")
    assert stop.reason == "a cgroup with processes of its own cannot have children with controllers"


def test_a_cgroup_that_has_it(box: Box) -> None:
    box.create()
    for name in boxes.LAYOUT.controllers:
        assert where_it_stops(box.directory(""), name) is None


def test_a_path_that_is_no_cgroup(tmp_path: object) -> None:
    assert where_it_stops(f"{tmp_path}/x", "memory") is None


def test_a_caller_in_a_container(new_box: BoxMaker) -> None:
    """Its cgroup namespace shows a cgroup as if it were the root; what is missing there the host may have."""
    outer, top = new_box("/top"), new_box("").create()
    hand_on(top.directory(""), "memory", "pids")
    os.mkdir(outer.directory(""))
    code = "from runtime.linux.cgroup import read_layout as r; l = r(); print(l.part, *l.controllers, l.own)"
    mount = "umount --lazy /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup"
    command = f'{mount} && exec "$@"'
    argv = ["unshare", "--mount", "--cgroup", "sh", "-c", command, "sh", sys.executable, "-c", code]
    child = outer.start(*argv, stdout=subprocess.PIPE, text=True)
    assert child.communicate(timeout=60)[0] == "True memory pids /\n"
    assert boxes.LAYOUT.part is False


def test_containers_that_come_and_go_leave_a_parent_with_processes_as_it_is(new_box: BoxMaker) -> None:
    """Its own processes could otherwise be left in a cgroup of another type."""
    outer, inner = new_box(""), new_box("/inner")
    outer.create()
    child = outer.start()
    for _ in range(3):
        inner.create()
        cgroupfs.remove(inner.cgroups)
    assert outer.read("", "cgroup.type") == "domain"
    assert outer.listed() == {child.pid}
