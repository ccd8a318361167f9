"""Detached trees and what becomes of them (csrc/mounts.c): binds, attributes, mapped ids, user namespaces."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .blob import Operation
from .container import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    LIBC,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_REMOUNT,
    MS_SHARED,
    MS_SLAVE,
    NOATIME,
    NODEV,
    NOEXEC,
    NOSUID,
    NOSYMFOLLOW,
    PIVOT,
    RDONLY,
    STRICTATIME,
    Container,
    attach,
    failure,
    in_namespaces_of,
    mount,
    umount,
)

SYNC: Operation = ("sync", {})


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    (tmp_path / "rootfs").mkdir()
    return tmp_path / "rootfs"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    (tmp_path / "source/file").write_text("content")
    (tmp_path / "source/sub").mkdir()
    return tmp_path / "source"


def bind(source: Path | str, target: str, tree: str = "tree", **args: object) -> list[Operation]:
    """OP_OPEN_TREE and OP_BIND; arguments go to the one that has them."""
    names = ("recursive", "propagation_of_tree", "userns", "userns_recursive")
    opened = {name.removesuffix("_of_tree"): args.pop(name) for name in names if name in args}
    return [
        ("open_tree", {"tree": tree, "source": source, **opened}),
        ("bind", {"tree": tree, "target": target, **args}),
    ]


def submount(source: Path, flags: int = 0) -> None:
    mount("sub", str(source / "sub"), "tmpfs", flags)


def test_directory_on_a_missing_directory(rootfs: Path, source: Path) -> None:
    ops = [*attach(rootfs), *bind(source, "/made/here", attr_set=RDONLY | NOSUID), PIVOT]
    with Container(ops) as container:
        assert container.inside("/made/here/file").read_text() == "content"
        assert container.mount_at("/made/here").options == ["ro", "nosuid", "relatime"]
    assert stat.S_IMODE((rootfs / "made").stat().st_mode) == 0o755


def test_file_on_a_missing_file(rootfs: Path, source: Path) -> None:
    with Container([*attach(rootfs), *bind(source / "file", "/etc/new/hosts"), PIVOT]) as container:
        assert container.inside("/etc/new/hosts").read_text() == "content"
        assert container.mount_at("/etc/new/hosts").root.endswith("/source/file")
    assert (rootfs / "etc/new/hosts").read_text() == ""


def test_file_through_a_link_of_the_image(rootfs: Path, source: Path) -> None:
    (rootfs / "etc").mkdir()
    (rootfs / "real").write_text("old")
    (rootfs / "etc/hosts").symlink_to("../../../../real")
    with Container([*attach(rootfs), *bind(source / "file", "/etc/hosts"), PIVOT]) as container:
        assert container.mount_at("/real")
        assert container.inside("/etc/hosts").read_text() == "content"


def test_source_behind_a_symlink(rootfs: Path, source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("source")
    with Container([*attach(rootfs), *bind(tmp_path / "link", "/x"), PIVOT]) as container:
        assert container.inside("/x/file").read_text() == "content"


def test_types_that_do_not_fit(rootfs: Path, source: Path) -> None:
    (rootfs / "file").write_text("")
    (rootfs / "dir").mkdir()
    failed = failure([*attach(rootfs), *bind(source, "/file")])
    assert (failed.error, failed.text) == (errno.ENOTDIR, "make the directory /file to bind on")
    failed = failure([*attach(rootfs), *bind(source / "file", "/dir")])
    assert failed.error in (errno.ENOTDIR, errno.EINVAL)
    assert failed.text == "bind on /dir"
    failed = failure([*attach(rootfs), *bind(source / "none", "/dir")])
    assert (failed.error, failed.text) == (errno.ENOENT, f"open the mount tree of {source}/none")
    failed = failure([*attach(rootfs), *bind(source, "/")])
    assert (failed.error, failed.text) == (0, "mount on /: this is the root of the container")
    failed = failure([*attach(rootfs), ("bind", {"tree": "nothing", "target": "/dir"})])
    assert (failed.error, failed.text) == (errno.EBADF, "bind on /dir: no mount tree in the slot")


@pytest.mark.parametrize(
    ("recursive", "args", "top", "sub"),
    [
        (0, {"attr_set": RDONLY}, ["ro", "relatime"], None),
        (1, {"attr_set": RDONLY}, ["ro", "relatime"], ["rw", "nodev", "relatime"]),
        (
            1,
            {"rec_set": RDONLY | NOEXEC},
            ["ro", "noexec", "relatime"],
            ["ro", "nodev", "noexec", "relatime"],
        ),
        (1, {"rec_clr": NODEV, "attr_set": NODEV}, ["rw", "relatime"], ["rw", "relatime"]),
        (1, {"rec_set": NOATIME}, ["rw", "noatime"], ["rw", "nodev", "noatime"]),
        (1, {"attr_set": STRICTATIME}, ["rw"], ["rw", "nodev", "relatime"]),
    ],
)
def test_attributes_of_trees(
    rootfs: Path, source: Path, recursive: int, args: dict[str, Any], top: list[str], sub: list[str] | None
) -> None:
    ops = [*attach(rootfs), *bind(source, "/x", recursive=recursive, **args), PIVOT]
    with Container(ops, setup=lambda: submount(source, MS_NODEV)) as container:
        seen = {m.path: m.options for m in container.mounts()}
    assert seen == {"/": ["rw", "relatime"], "/x": top} | ({} if sub is None else {"/x/sub": sub})


def test_only_a_whole_procfs_on_proc(rootfs: Path, source: Path) -> None:
    text = "bind on /proc: only a whole procfs may be there"
    for other in (source, "/proc/sys", "/sys", "/proc/self/status"):
        failed = failure([*attach(rootfs), *bind(other, "/proc", must_be_procfs=1)])
        assert (failed.error, failed.text) == (0, text)
    with Container([*attach(rootfs), *bind("/proc", "/proc", must_be_procfs=1), PIVOT]) as container:
        assert container.mount_at("/proc").type == "proc"


def test_propagation_of_trees(rootfs: Path, source: Path) -> None:
    def setup() -> None:
        mount(str(source), str(source), None, MS_BIND)
        mount(None, str(source), None, MS_SHARED)

    ops = [
        *attach(rootfs),
        *bind(source, "/peer", "a"),
        *bind(source, "/slave", "b", propagation_of_tree=MS_SLAVE),
        *bind(source, "/private", "c", propagation_of_tree=MS_PRIVATE),
        *bind(source, "/both", "d", propagation=[MS_SLAVE, MS_SHARED]),
        *bind(source, "/recursive", "e", propagation=[MS_PRIVATE | MS_REC]),
        PIVOT,
    ]
    ops[0] = ("root_propagation", {"flags": MS_PRIVATE})  # keeps the source shared
    with Container(ops, setup=setup) as container:
        seen = {m.path: m.propagation for m in container.mounts()}
    assert seen == {
        "/": [],
        "/peer": ["shared"],
        "/slave": ["master"],
        "/private": [],
        "/both": ["master", "shared"],
        "/recursive": [],
    }


@pytest.fixture
def userns() -> Iterator[int]:
    """A user namespace that maps 0..999 to 100000.."""
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        LIBC.unshare(CLONE_NEWUSER)
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    write_maps(pid)
    fd = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    os.write(go[1], b"x")
    os.waitpid(pid, 0)
    yield fd
    for end in (fd, *ready, *go):
        os.close(end)


def write_maps(pid: int) -> None:
    for name in ("uid_map", "gid_map"):
        Path(f"/proc/{pid}/{name}").write_text("0 100000 1000\n")


@pytest.mark.parametrize("on_tmpfs", [False, True])
def test_mapped_ids(rootfs: Path, source: Path, userns: int, on_tmpfs: bool) -> None:
    if on_tmpfs and tuple(map(int, os.uname().release.split(".")[:2])) < (6, 3):
        pytest.skip("tmpfs has mapped mounts since Linux 6.3")

    def setup() -> None:
        if on_tmpfs:
            mount("source", str(source), "tmpfs")
            (source / "file").write_text("content")
            (source / "sub").mkdir()
        os.chown(source / "file", 5, 6)
        submount(source)
        (source / "sub/file").write_text("")

    ops = [
        *attach(rootfs),
        *bind(source, "/top", "a", recursive=1, userns="ns"),
        *bind(source, "/all", "b", recursive=1, userns="ns", userns_recursive=1),
        PIVOT,
    ]
    with Container(ops, setup=setup, inherited={"ns": userns}) as container:

        def owner(path: str) -> tuple[int, int]:
            status = container.inside(path).stat()
            return status.st_uid, status.st_gid

        assert owner("/top/file") == owner("/all/file") == (100005, 100006)
        assert owner("/top/sub/file") == (0, 0)
        assert owner("/all/sub/file") == (100000, 100000)


def test_file_system_without_mapped_ids(rootfs: Path, userns: int) -> None:
    failed = failure([*attach(rootfs), *bind("/proc", "/x", userns="ns")], inherited={"ns": userns})
    assert (failed.op, failed.error) == (3, errno.EINVAL)
    assert failed.text == "map the ids of /proc: its file system has no support for mapped mounts"
    failed = failure([*attach(rootfs), *bind("/tmp", "/x", userns="nothing")])
    assert failed.text == "map the ids of /tmp: no user namespace in the slot"


def in_user_namespace(rootfs: Path, opened: list[Operation], *, flags: int = 0) -> list[Operation]:
    """Trees are opened by the stage, in the caller's namespaces; then a user namespace is entered."""
    slave, tree, attached = attach(rootfs)
    unshare: Operation = ("unshare", {"flags": CLONE_NEWUSER | CLONE_NEWNS | flags})
    hold: Operation = ("hold_trees", {"place": rootfs})
    take: Operation = ("take_trees", {})
    return [tree, *opened, hold, unshare, SYNC, ("become_root", {}), take, slave, attached]


def test_trees_opened_before_the_user_namespace(rootfs: Path, source: Path) -> None:
    os.chown(rootfs, 100000, 100000)
    tree, attached = bind(source, "/x", recursive=1, attr_set=RDONLY)
    ops = [*in_user_namespace(rootfs, [tree]), attached, PIVOT]
    with Container(ops, setup=lambda: submount(source, MS_NOEXEC), on_sync=[write_maps]) as container:
        assert container.inside("/x/file").read_text() == "content"
        seen = {m.path: m.options for m in container.mounts()}
        assert in_namespaces_of(container.pid, lambda: umount("/x/sub")) == errno.EINVAL
        assert in_namespaces_of(container.pid, lambda: umount("/x")) == 0
    assert seen == {"/": ["rw", "relatime"], "/x": ["ro", "relatime"], "/x/sub": ["rw", "noexec", "relatime"]}


def sysfs(target: str = "/sys", **args: object) -> Operation:
    attrs = RDONLY | NOSUID | NODEV | NOEXEC
    return ("mount", {"type": "sysfs", "source": "sysfs", "target": target, "attrs": attrs, **args})


def test_sysfs_without_an_own_network(rootfs: Path) -> None:
    """The kernel refuses; the caller's tree stands in, as read-only as the new one would have been."""
    os.chown(rootfs, 100000, 100000)
    tree: Operation = (
        "open_tree",
        {"tree": "sys", "source": "/sys", "recursive": 1, "propagation": MS_SLAVE},
    )
    failed = failure([*in_user_namespace(rootfs, [tree]), sysfs()], on_sync=[write_maps])
    assert (failed.error, failed.text) == (errno.EPERM, "mount sysfs on /sys")
    late: Operation = ("set_attr", {"mount": "kept", "attr_set": NOSYMFOLLOW})
    ops = [*in_user_namespace(rootfs, [tree]), sysfs(fallback="sys", mount="kept"), PIVOT, late]
    with Container(ops, on_sync=[write_maps]) as container:
        seen = container.mount_at("/sys")
        assert seen.type == "sysfs"
        assert {"ro", "nosuid", "nodev", "noexec", "nosymfollow"} <= set(seen.options)
        below = [m for m in container.mounts() if m.path.startswith("/sys/")]
        assert below and all("ro" in m.options and "nosuid" in m.options for m in below)


def test_sysfs_with_an_own_network_is_new(rootfs: Path) -> None:
    os.chown(rootfs, 100000, 100000)
    tree: Operation = (
        "open_tree",
        {"tree": "sys", "source": "/sys", "recursive": 1, "propagation": MS_SLAVE},
    )
    ops = [*in_user_namespace(rootfs, [tree], flags=CLONE_NEWNET), sysfs(fallback="sys"), PIVOT]
    with Container(ops, on_sync=[write_maps]) as container:
        assert [m.path for m in container.mounts()] == ["/", "/sys"]
        assert os.listdir(container.inside("/sys/class/net")) == ["lo"]


def test_fallback_only_for_what_is_not_permitted(rootfs: Path) -> None:
    ops = [
        *attach(rootfs),
        ("open_tree", {"tree": "sys", "source": "/sys"}),
        ("mount", {"type": "tmpfs", "target": "/x", "data": "colour=red", "fallback": "sys"}),
    ]
    assert failure(ops).error == errno.EINVAL


def test_procfs_under_a_masked_one(rootfs: Path) -> None:
    """A user namespace gets no procfs that shows more than its caller's; the kernel's reason is passed on."""

    def setup() -> None:
        mount("tmpfs", "/proc/sys", "tmpfs")

    os.chown(rootfs, 100000, 100000)
    proc: Operation = ("mount", {"type": "proc", "source": "proc", "target": "/proc"})
    ops = [*in_user_namespace(rootfs, [], flags=CLONE_NEWPID), ("fork", {}), proc]
    failed = failure(ops, setup=setup, on_sync=[write_maps])
    assert failed.error == errno.EPERM
    assert failed.text.startswith("mount proc on /proc")


def test_access_times_of_the_caller_are_locked(rootfs: Path, source: Path) -> None:
    os.chown(rootfs, 100000, 100000)
    tree, attached = bind(source, "/x", attr_set=NOATIME | NODEV)
    failed = failure([*in_user_namespace(rootfs, [tree]), attached], on_sync=[write_maps])
    assert (failed.error, failed.text) == (errno.EPERM, "bind on /x: set nodev, noatime")


def test_root_of_the_user_namespace_and_a_read_only_mount_of_the_host(rootfs: Path, source: Path) -> None:
    """What the caller mounted read-only, nosuid, nodev, noexec stays so even for CAP_SYS_ADMIN inside."""

    def setup() -> None:
        mount(str(source), str(source), None, MS_BIND)
        flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC
        mount(None, str(source), None, MS_BIND | MS_REMOUNT | flags)

    os.chown(rootfs, 100000, 100000)
    tree, attached = bind(source, "/x")
    ops = [*in_user_namespace(rootfs, [tree]), attached, PIVOT]
    with Container(ops, setup=setup, on_sync=[write_maps]) as container:

        def remount() -> None:
            mount(None, "/x", None, MS_BIND | MS_REMOUNT)

        assert in_namespaces_of(container.pid, remount) == errno.EPERM
        assert container.mount_at("/x").options == ["ro", "nosuid", "nodev", "noexec", "relatime"]
