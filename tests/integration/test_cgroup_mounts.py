"""Mounts of type cgroup: the container sees its own cgroup, read-only unless it asks, on v1 and v2."""

from __future__ import annotations

import os

import pytest

from . import cgroup, proc
from .harness import Container, Tracker

pytestmark = pytest.mark.skipif(cgroup.mode() == "none", reason="no cgroup file system is mounted")

POINT = "/sys/fs/cgroup"


def _cgroup_mount(container: Container, *options: str) -> Container:
    return container.mount(POINT, "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", *options)


def _visible(container: Container) -> list[proc.Mount]:
    return [m for m in proc.mountinfo(container.pid) if m.mount_point.startswith(POINT)]


@pytest.fixture(params=[False, True], ids=["host-cgroupns", "new-cgroupns"])
def either(container: Container, request: pytest.FixtureRequest) -> Container:
    """A container with and without a cgroup namespace of its own."""
    if request.param:
        container.namespace("cgroup")
    return container


def test_every_hierarchy_is_there(either: Container) -> None:
    _cgroup_mount(either, "ro").sleeping()
    kinds = {mount.fs_type for mount in _visible(either)}
    if cgroup.is_v2():
        assert kinds == {"cgroup2"}
    else:
        assert "tmpfs" in kinds and "cgroup" in kinds
        names = {os.path.basename(m.mount_point) for m in _visible(either) if m.fs_type == "cgroup"}
        expected = {os.path.basename(path) for name, path in cgroup.mounts().items() if name}
        assert names == expected


def _sees_the_whole_tree(container: Container) -> bool:
    """A cgroup2 mount starts at the root of the mounter's cgroup namespace (cgroup_namespaces(7))."""
    return cgroup.is_v2() and not any(item["type"] == "cgroup" for item in container.linux["namespaces"])


def test_the_containers_own_cgroup_is_at_the_top(either: Container) -> None:
    _cgroup_mount(either, "ro").sleeping()
    if not cgroup.is_v2() and "pids" not in cgroup.v1_controllers():
        pytest.skip("no v1 controller pids")
    top = POINT if cgroup.is_v2() else f"{POINT}/pids"
    if _sees_the_whole_tree(either):
        top += cgroup.membership(either.pid)[""]
    assert "1" in either.exec_sh(f"cat {top}/cgroup.procs").split()


def test_read_only_refuses_writes(either: Container) -> None:
    _cgroup_mount(either, "ro").sleeping()
    for mount in _visible(either):
        assert "ro" in mount.options or mount.fs_type == "tmpfs", mount
    top = POINT if cgroup.is_v2() else f"{POINT}/{sorted(cgroup.v1_controllers())[0]}"
    assert "Read-only" in either.exec("mkdir", f"{top}/new").stderr


@pytest.mark.needs_cgroup_v1
@pytest.mark.old_runc_lacks("a read-only tmpfs above the v1 hierarchies")
def test_tmpfs_above_the_hierarchies_is_read_only(either: Container) -> None:
    _cgroup_mount(either, "ro").sleeping()
    assert "ro" in proc.mount_at(proc.mountinfo(either.pid), POINT).options


def test_writable_when_asked(either: Container) -> None:
    _cgroup_mount(either, "rw").sleeping()
    top = POINT if cgroup.is_v2() else f"{POINT}/{sorted(cgroup.v1_controllers())[0]}"
    if _sees_the_whole_tree(either):
        top += cgroup.membership(either.pid)[""]
    either.exec_sh(f"mkdir {top}/inner && rmdir {top}/inner")


def test_flags_are_applied(either: Container) -> None:
    _cgroup_mount(either, "ro").sleeping()
    for mount in _visible(either):
        if mount.fs_type.startswith("cgroup"):
            assert {"nosuid", "noexec", "nodev"} <= mount.options


def test_other_cgroups_of_the_host_are_visible_only_without_a_namespace(either: Container) -> None:
    _cgroup_mount(either, "ro").sleeping()
    names = either.exec_sh(f"find {POINT} -type d").splitlines()
    assert any(either.id in name for name in names) == _sees_the_whole_tree(either)


@pytest.mark.needs_cgroup_v1
def test_co_mounted_controllers_get_symlinks(container: Container) -> None:
    shared = [path for path in cgroup.mounts().values() if "," in os.path.basename(path)]
    if not shared:
        pytest.skip("no co-mounted v1 controllers, such as cpu,cpuacct")
    _cgroup_mount(container, "ro").sleeping()
    for path in shared:
        for name in os.path.basename(path).split(","):
            assert container.exec_sh(f"readlink {POINT}/{name}") == os.path.basename(path)


def test_as_a_submount_of_sysfs_nothing_reaches_the_host(container: Container, tracker: Tracker) -> None:
    before = tracker.mount_points()
    _cgroup_mount(container, "ro").sleeping()
    assert tracker.mount_points() == before


def test_elsewhere_than_sys(container: Container) -> None:
    container.mount("/cg", "cgroup", "cgroup", "ro").sleeping()
    assert any(mount.mount_point.startswith("/cg") for mount in proc.mountinfo(container.pid))


@pytest.mark.needs_cgroup_v2
def test_type_cgroup2(container: Container) -> None:
    container.namespace("cgroup").mount(POINT, "cgroup2", "cgroup2", "ro").sleeping()
    assert "1" in container.exec_sh(f"cat {POINT}/cgroup.procs").split()
