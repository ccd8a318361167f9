"""Device nodes and symlinks (csrc/devices.c)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from .blob import Operation
from .container import LIBC, Container, attach, failure


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    (tmp_path / "rootfs").mkdir()
    return tmp_path / "rootfs"


def node(path: str, type: int, major: int = 0, minor: int = 0, mode: int = 0o666, **owner: int) -> Operation:
    return ("mknod", {"path": path, "mode": type | mode, "major": major, "minor": minor, **owner})


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (node("/dev/null", stat.S_IFCHR, 1, 3), (stat.S_IFCHR | 0o666, 1, 3, 0, 0)),
        (node("/dev/null", stat.S_IFCHR, 300, 70000, uid=5, gid=6), (stat.S_IFCHR | 0o666, 300, 70000, 5, 6)),
        (node("/deep/dir/disk", stat.S_IFBLK, 7, 9, 0o4640, gid=6), (stat.S_IFBLK | 0o4640, 7, 9, 0, 6)),
        (node("fifo", stat.S_IFIFO, mode=0o2600, uid=1000), (stat.S_IFIFO | 0o2600, 0, 0, 1000, 0)),
    ],
)
def test_nodes(rootfs: Path, made: Operation, expected: tuple[int, ...]) -> None:
    old = os.umask(0o077)
    try:
        with Container([*attach(rootfs), made]):
            pass
    finally:
        os.umask(old)
    status = (rootfs / str(made[1]["path"]).lstrip("/")).lstat()
    device = (os.major(status.st_rdev), os.minor(status.st_rdev))
    assert (status.st_mode, *device, status.st_uid, status.st_gid) == expected


def test_existing_node_is_adjusted(rootfs: Path) -> None:
    os.mknod(rootfs / "null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.chown(rootfs / "null", 9, 9)
    with Container([*attach(rootfs), node("/null", stat.S_IFCHR, 1, 3, 0o620, gid=5)]):
        pass
    status = (rootfs / "null").lstat()
    assert (status.st_mode, status.st_uid, status.st_gid) == (stat.S_IFCHR | 0o620, 0, 5)


@pytest.mark.parametrize("existing", ["file", "dir", "link", "other minor", "block"])
def test_another_file_in_the_way(rootfs: Path, existing: str) -> None:
    path = rootfs / "null"
    make: dict[str, Callable[[], object]] = {
        "file": lambda: path.write_text(""),
        "dir": lambda: path.mkdir(),
        "link": lambda: path.symlink_to("/real"),
        "other minor": lambda: os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5)),
        "block": lambda: os.mknod(path, stat.S_IFBLK | 0o666, os.makedev(1, 3)),
    }
    make[existing]()
    before = path.lstat()
    os.mknod(rootfs / "real", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    failed = failure([*attach(rootfs), node("/null", stat.S_IFCHR, 1, 3)])
    assert failed.error == 0
    assert failed.text == ("mknod /null: there is already another file, which is not device 1:3 of that type")
    after = path.lstat()
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)


def test_dev_that_leads_elsewhere(rootfs: Path) -> None:
    (rootfs.parent / "outside").mkdir()
    (rootfs / "dev").symlink_to("../outside")
    with Container([*attach(rootfs), node("/dev/null", stat.S_IFCHR, 1, 3)]):
        pass
    assert (rootfs / "outside/null").is_char_device()
    assert os.listdir(rootfs.parent / "outside") == []


@pytest.mark.parametrize("path", ["/", "/dev/..", "/dev/.", "", "/" + "x" * 256])
def test_no_name(rootfs: Path, path: str) -> None:
    failed = failure([*attach(rootfs), node(path, stat.S_IFCHR, 1, 3)])
    assert failed.error == (errno.ENAMETOOLONG if len(path) > 255 else errno.EINVAL)


def drop_mknod() -> None:
    LIBC.prctl(24, 27, 0, 0, 0)  # PR_CAPBSET_DROP, CAP_MKNOD: gone with the execve that follows


def test_callers_node_where_mknod_is_not_permitted(rootfs: Path) -> None:
    with Container([*attach(rootfs), node("/dev/null", stat.S_IFCHR, 1, 3)], setup=drop_mknod) as container:
        assert container.mount_at(f"{rootfs}/dev/null").root == "/null"
    assert (rootfs / "dev/null").is_file()
    failed = failure([*attach(rootfs), node("/dev/zero", stat.S_IFCHR, 1, 3)], setup=drop_mknod)
    assert (failed.error, failed.text) == (errno.EPERM, "mknod /dev/zero")
    failed = failure([*attach(rootfs), node("/dev/none", stat.S_IFCHR, 1, 5)], setup=drop_mknod)
    assert (failed.error, failed.text) == (errno.EPERM, "mknod /dev/none")


def link(path: str, target: str, replace: int = 0) -> Operation:
    return ("symlink", {"path": path, "target": target, "replace": replace})


def test_symlinks(rootfs: Path) -> None:
    (rootfs / "dev").mkdir()
    (rootfs / "dev/stdin").write_text("kept")
    (rootfs / "dev/ptmx").write_text("replaced")
    (rootfs / "dev/empty").mkdir()
    ops = [
        *attach(rootfs),
        link("/dev/fd", "/proc/self/fd"),
        link("/dev/stdin", "/proc/self/fd/0"),
        link("/dev/ptmx", "pts/ptmx", 1),
        link("/dev/empty", "x", 1),
        link("/new/dir/link", "../y"),
        link("/new/dir/link", "other"),
    ]
    with Container(ops):
        pass
    assert os.readlink(rootfs / "dev/fd") == "/proc/self/fd"
    assert (rootfs / "dev/stdin").read_text() == "kept"
    assert os.readlink(rootfs / "dev/ptmx") == "pts/ptmx"
    assert os.readlink(rootfs / "dev/empty") == "x"
    assert os.readlink(rootfs / "new/dir/link") == "../y"


def test_symlink_in_the_place_of_a_full_directory(rootfs: Path) -> None:
    (rootfs / "dev/ptmx/full").mkdir(parents=True)
    failed = failure([*attach(rootfs), link("/dev/ptmx", "pts/ptmx", 1)])
    assert (failed.error, failed.text) == (errno.ENOTEMPTY, "symlink /dev/ptmx to pts/ptmx")
