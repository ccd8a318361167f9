"""Making the directories."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest

from runtime.errors import KernelError
from runtime.execute import cgroupfs

from . import box as boxes
from .box import Box


def test_a_directory_in_every_hierarchy_with_missing_parents(new_box: Callable[[str], Box]) -> None:
    box = new_box("/a/b")
    assert cgroupfs.create(box.cgroups) == box.cgroups
    assert all(os.path.isdir(path) and path.endswith("/a/b") for _, path in box.cgroups)
    child = box.start()
    for names, path in boxes.membership(child.pid).items():
        if names in {",".join(names) for names, _ in box.cgroups}:
            assert path.endswith("/a/b"), names


@pytest.mark.v1
@pytest.mark.controller("cpuset")
def test_every_new_cpuset_has_its_parents_cpus_and_nodes(new_box: Callable[[str], Box]) -> None:
    box = new_box("/a/b")
    box.create()
    path = box.directory("cpuset")
    for name in ("cpuset.cpus", "cpuset.mems"):
        contents = []
        for directory in (
            path,
            os.path.dirname(path),
            os.path.dirname(os.path.dirname(os.path.dirname(path))),
        ):
            with open(f"{directory}/{name}") as file:
                contents.append(file.read())
        assert contents[0].strip()
        assert len(set(contents)) == 1


@pytest.mark.v2
def test_controllers_are_enabled_all_the_way_down(new_box: Callable[[str], Box]) -> None:
    box = new_box("/a/b")
    box.create()
    assert set(box.read("", "cgroup.controllers").split()) == set(boxes.LAYOUT.controllers)
    assert {"memory", "pids", "cpu"} <= set(box.read("", "cgroup.controllers").split())


@pytest.mark.skipif(not boxes.HYBRID, reason="this machine is not hybrid")
def test_a_hybrid_hosts_unified_hierarchy_is_left_as_it_is(new_box: Callable[[str], Box]) -> None:
    box = new_box("/a/b")
    before = boxes.open_text(f"{boxes.LAYOUT.unified}/cgroup.subtree_control")
    box.create()
    assert boxes.open_text(f"{boxes.LAYOUT.unified}/cgroup.subtree_control") == before


def test_an_empty_one_that_was_there_is_taken(box: Box) -> None:
    for _, path in box.cgroups:
        os.mkdir(path)
    assert cgroupfs.create(box.cgroups) == box.cgroups


def test_one_with_processes_is_refused(new_box: Callable[[], Box]) -> None:
    box, again = new_box().create(), new_box()
    again.cgroups = box.cgroups
    child = box.start()
    with pytest.raises(KernelError) as caught:
        cgroupfs.create(again.cgroups)
    assert str(caught.value) == (
        f"linux.cgroupsPath: create cgroup {box.cgroups[0][1]}: it already has processes ({child.pid});"
        " another container may have it: choose another cgroupsPath"
    )
    assert boxes.alive(child.pid)
    assert box.listed() == {child.pid}


def test_one_with_processes_below_is_refused(new_box: Callable[[str], Box]) -> None:
    box, inner = new_box(""), new_box("/inner")
    inner.create()
    inner.start()
    with pytest.raises(KernelError, match="it already has processes"):
        cgroupfs.create(box.cgroups)


def test_a_frozen_one_is_refused(box: Box) -> None:
    box.create()
    cgroupfs.freeze(box.cgroups)
    with pytest.raises(KernelError, match="it is frozen; another container may have it"):
        cgroupfs.create(box.cgroups)


def test_what_was_made_is_removed_when_the_rest_fails(box: Box) -> None:
    bad: list[Any] = [*box.cgroups, (("none",), "/proc/no/such")]
    with pytest.raises(KernelError) as caught:
        cgroupfs.create(bad)
    assert str(caught.value).startswith("linux.cgroupsPath: create cgroup /proc/no/such: ENOENT")
    assert not any(os.path.exists(path) for _, path in box.cgroups)


def test_without_permission(box: Box) -> None:
    os.seteuid(65534)
    try:
        assert cgroupfs.create(box.cgroups, optional=True) == []
        with pytest.raises(KernelError) as caught:
            cgroupfs.create(box.cgroups)
    finally:
        os.seteuid(0)
    assert str(caught.value) == (
        f"linux.cgroupsPath: create cgroup {box.cgroups[0][1]}: EACCES: permission denied;"
        " the caller has no permission to make cgroups there"
    )


@pytest.mark.v2
def test_with_permission_for_no_more_than_the_directory(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        assert os.path.isdir(path)
        raise PermissionError(errno.EACCES, "")

    monkeypatch.setattr(cgroupfs, "enable_controllers", refuse)
    assert cgroupfs.create(box.cgroups, optional=True) == []
    assert not os.path.exists(box.directory(""))


def test_parents_that_others_take_away(new_box: Callable[[str], Box]) -> None:
    """Two containers below one parent that neither of them owns."""
    box = new_box("/shared/a")
    path = box.cgroups[-1][1]
    parent = os.path.dirname(path)
    pid = os.fork()
    if pid == 0:
        while True:
            try:
                os.rmdir(parent)
            except OSError:
                pass
    try:
        for _ in range(200):
            cgroupfs.create(box.cgroups[-1:])
            cgroupfs.remove(box.cgroups[-1:])
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
