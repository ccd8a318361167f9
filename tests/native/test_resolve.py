"""Paths of the container (csrc/resolve.c): whatever the image's symlinks say, nothing outside is touched."""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
import threading
from pathlib import Path

import pytest

from .container import LIBC, Container, Failed, attach, failure

RENAME_EXCHANGE = 2
AT_FDCWD = -100


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """A root file system with a directory beside it that nobody must reach."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "rootfs").mkdir()
    return tmp_path / "rootfs"


def make_dirs(rootfs: Path, *paths: str) -> None:
    """mkdir -p of each path, by init, inside the rootfs."""
    with Container([*attach(rootfs), *(("make_cwd", {"path": path}) for path in paths)]):
        pass


def tree(directory: Path) -> set[str]:
    """Every name below, symlinks not followed."""
    return {
        str((Path(here) / name).relative_to(directory))
        for here, dirs, files in os.walk(directory)
        for name in (*dirs, *files)
    }


@pytest.mark.parametrize(
    ("links", "path", "made"),
    [
        ({}, "/a/b/c", "a/b/c"),
        ({}, "a//./b/", "a/b"),
        ({}, "/../../a/../b", "b"),
        ({"link": "/real"}, "/link/a", "real/a"),
        ({"link": "real"}, "/link/a", "real/a"),
        ({"link": "../../../../outside"}, "/link/a", "outside/a"),
        ({"link": "/outside"}, "/link", "outside"),
        ({"link": "hop/x", "hop": "/y/../z"}, "/link/a", "z/x/a"),
        ({"link": "made/by/us"}, "/link/../beside", "made/by/beside"),
        ({"link": "."}, "/link/link/a", "a"),
        ({"dir/link": "../up"}, "/dir/link/a", "up/a"),
        ({"dir/link": "../../../../../../up"}, "/dir/link/a", "up/a"),
    ],
)
def test_directories_are_made_inside(rootfs: Path, links: dict[str, str], path: str, made: str) -> None:
    for name, target in links.items():
        (rootfs / name).parent.mkdir(exist_ok=True)
        (rootfs / name).symlink_to(target)
    make_dirs(rootfs, path)
    assert (rootfs / made).is_dir() and not (rootfs / made).is_symlink()
    assert tree(rootfs.parent / "outside") == set()
    assert set(os.listdir(rootfs.parent)) == {"outside", "rootfs"}


def test_mode_does_not_depend_on_the_umask(rootfs: Path) -> None:
    old = os.umask(0o077)
    try:
        make_dirs(rootfs, "/a/b")
    finally:
        os.umask(old)
    assert [(rootfs / name).stat().st_mode & 0o7777 for name in ("a", "a/b")] == [0o755, 0o755]


def test_existing_directory_is_left_as_it_is(rootfs: Path) -> None:
    (rootfs / "a").mkdir(mode=0o700)
    make_dirs(rootfs, "/a")
    assert (rootfs / "a").stat().st_mode & 0o7777 == 0o700


@pytest.mark.parametrize(
    ("links", "path", "error"),
    [
        ({"loop": "loop"}, "/loop/a", errno.ELOOP),
        ({"a": "b", "b": "/a"}, "/a/x", errno.ELOOP),
        ({"grow": "grow/x"}, "/grow", errno.ELOOP),
        ({}, "/file/a", errno.ENOTDIR),
        ({}, "/file", errno.ENOTDIR),
        ({"link": "file"}, "/link/a", errno.ENOTDIR),
        ({"link": "file/missing"}, "/link", errno.ENOTDIR),
        ({}, "/" + "n" * 256, errno.ENAMETOOLONG),
        ({}, "/x/" + "n" * 256, errno.ENAMETOOLONG),
        ({}, "/x" * 3000, errno.ENAMETOOLONG),
    ],
)
def test_refusals(rootfs: Path, links: dict[str, str], path: str, error: int) -> None:
    (rootfs / "file").write_text("")
    for name, target in links.items():
        (rootfs / name).symlink_to(target)
    failed = failure([*attach(rootfs), ("make_cwd", {"path": path})])
    assert (failed.op, failed.error) == (3, error)
    assert failed.text.startswith("make the working directory /")


def test_a_dangling_link_becomes_a_file_inside(rootfs: Path, tmp_path: Path) -> None:
    (tmp_path / "source").write_text("content")
    (rootfs / "etc").mkdir()
    (rootfs / "etc/resolv.conf").symlink_to("../../../../../run/resolve/resolv.conf")
    ops = [
        *attach(rootfs),
        ("open_tree", {"tree": "file", "source": tmp_path / "source"}),
        ("bind", {"tree": "file", "target": "/etc/resolv.conf"}),
    ]
    with Container(ops) as container:
        assert container.mount_at(f"{rootfs}/run/resolve/resolv.conf").root.endswith("/source")
    assert tree(rootfs) == {"etc", "etc/resolv.conf", "run", "run/resolve", "run/resolve/resolv.conf"}
    assert (rootfs / "run/resolve/resolv.conf").stat().st_size == 0


def test_magic_links_of_a_mounted_procfs_are_refused(rootfs: Path) -> None:
    proc = ("mount", {"type": "proc", "source": "proc", "target": "/proc"})
    for path in ("/proc/self/cwd/x", "/proc/self/root", "/proc/self/fd/0/x"):
        assert failure([*attach(rootfs), proc, ("make_cwd", {"path": path})]).error == errno.ELOOP, path
    assert tree(rootfs) == {"proc"}


@pytest.mark.parametrize("tail", ["x/y", "x/../y"])
def test_a_swapped_symlink_never_leads_outside(rootfs: Path, tail: str) -> None:
    """Another container on the same rootfs exchanges a directory and a symlink all the time."""
    (rootfs / "swap").mkdir()
    (rootfs / "other").symlink_to("../../outside")
    names = [os.fsencode(rootfs / name) for name in ("swap", "other")]
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            LIBC.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], ctypes.c_uint(RENAME_EXCHANGE))

    thread = threading.Thread(target=exchange)
    thread.start()
    met: set[str] = set()
    try:
        for turn in itertools.count():
            try:
                make_dirs(rootfs, *(f"/swap/{turn}.{i}/{tail}" for i in range(300)))
            except Failed as failed:
                # a directory that became a symlink cannot be gone back to: a lost race is refused
                assert (tail, failed.error) == ("x/../y", errno.ELOOP)
            met = {name.partition("/")[0] for name in tree(rootfs) if "/" in name}
            if turn >= 4 and ({"outside"} < met or turn == 200):
                break
    finally:
        stop.set()
        thread.join()
    assert tree(rootfs.parent / "outside") == set()
    assert set(os.listdir(rootfs.parent)) == {"outside", "rootfs"}
    assert {"outside"} < met, "one of the two was never met: this tests nothing"
