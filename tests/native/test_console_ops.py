"""The container's terminal and its /dev/null (csrc/console.c)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from .blob import Operation
from .container import PIVOT, Container, attach, failure

CLONE_NEWPID = 0x20000000


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    (tmp_path / "rootfs").mkdir()
    return tmp_path / "rootfs"


def devices(rootfs: Path) -> list[Operation]:
    """A /dev as the default mounts make it."""
    return [
        ("unshare", {"flags": CLONE_NEWPID}),
        ("fork", {}),
        ("setsid", {}),
        *attach(rootfs),
        ("mount", {"type": "tmpfs", "source": "tmpfs", "target": "/dev", "data": "mode=755"}),
        (
            "mount",
            {"type": "devpts", "source": "devpts", "target": "/dev/pts", "data": "newinstance,ptmxmode=0666"},
        ),
        ("symlink", {"path": "/dev/ptmx", "target": "pts/ptmx"}),
        ("mknod", {"path": "/dev/null", "mode": 0o020666, "major": 1, "minor": 3}),
        PIVOT,
    ]


@contextlib.contextmanager
def console(operations: list[Operation], **args: object) -> Iterator[tuple[Container, int]]:
    """The container, and the master that came over the console socket."""
    ours, theirs = socket.socketpair()
    operations = [*operations, ("console", {"socket": "console", **args})]
    with ours, theirs, Container(operations, inherited={"console": theirs.fileno()}) as container:
        theirs.close()
        data, fds, _, _ = socket.recv_fds(ours, 100, 4)
        assert data == b"/dev/ptmx"
        assert ours.recv(100) == b"", "nothing more, and init has closed its end"
        (master,) = fds
        try:
            yield container, master
        finally:
            os.close(master)


def test_terminal_is_controlling_and_the_standard_descriptors(rootfs: Path) -> None:
    with console(devices(rootfs), width=120, height=40, uid=1000, bind_console=1) as (container, master):
        size = struct.unpack("4H", fcntl.ioctl(master, termios.TIOCGWINSZ, bytes(8)))
        assert size[:2] == (40, 120)
        for fd in (0, 1, 2):
            found = os.stat(f"/proc/{container.pid}/fd/{fd}")
            assert (os.major(found.st_rdev), found.st_uid) == (136, 1000)
        tty = int(Path(f"/proc/{container.pid}/stat").read_text().rpartition(")")[2].split()[4])
        assert os.major(tty) == 136
        assert (
            container.inside("/dev/console").stat().st_rdev == os.stat(f"/proc/{container.pid}/fd/0").st_rdev
        )
        assert container.mount_at("/dev/console").type == "devpts"
        held = {os.readlink(fd) for fd in Path(f"/proc/{container.pid}/fd").iterdir()}
        assert not [link for link in held if "ptmx" in link], "init keeps no master"


def test_what_is_written_on_the_master_is_read_inside(rootfs: Path) -> None:
    with console(devices(rootfs), bind_console=1) as (container, master):
        with open(f"/proc/{container.pid}/fd/1", "wb", buffering=0) as slave:
            slave.write(b"hello\n")
        assert os.read(master, 100) == b"hello\r\n"


def test_without_a_console_device_and_a_size(rootfs: Path) -> None:
    with console(devices(rootfs)) as (container, master):
        assert not container.inside("/dev/console").exists()
        assert fcntl.ioctl(master, termios.TIOCGWINSZ, bytes(8)) == bytes(8)


def failed_console(operations: list[Operation]) -> tuple[str, str]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        console_op: Operation = ("console", {"socket": "console"})
        failed = failure([*operations, console_op], inherited={"console": theirs.fileno()})
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            ours.recv(1)
    return errno.errorcode[failed.error], failed.text


OPEN = "console: open the container's /dev/ptmx"


def test_no_devpts(rootfs: Path) -> None:
    dev = [op for op in devices(rootfs) if op[1].get("type") != "devpts"]
    assert failed_console(dev) == ("ENOENT", OPEN)


@pytest.mark.parametrize("kind", ["file", "fifo", "null", "outside"])
def test_ptmx_of_the_image_that_is_none(rootfs: Path, kind: str) -> None:
    """A file in the way is not taken for one, and a link is not followed out of the root."""
    (rootfs / "dev").mkdir()
    ptmx = rootfs / "dev" / "ptmx"
    if kind == "file":
        ptmx.write_text("")
    elif kind == "fifo":
        os.mkfifo(ptmx)
    elif kind == "null":
        os.mknod(ptmx, 0o020666, os.makedev(1, 3))
    else:
        ptmx.symlink_to("/dev/pts/ptmx")
    plain: list[Operation] = [("setsid", {}), *attach(rootfs), PIVOT]
    fork: list[Operation] = [("unshare", {"flags": CLONE_NEWPID}), ("fork", {})]
    assert failed_console([*fork, *plain]) == ("ENOENT" if kind == "outside" else "ENODEV", OPEN)


def test_standard_descriptors_on_dev_null_become_the_containers(rootfs: Path) -> None:
    null = os.open("/dev/null", os.O_RDWR)
    saved = os.dup(0)
    os.dup2(null, 0)
    try:
        with Container([*devices(rootfs), ("reopen_dev_null", {})]) as container:
            found = os.stat(f"/proc/{container.pid}/fd/0")
            inside = container.inside("/dev/null").stat()
            assert (found.st_dev, found.st_ino) == (inside.st_dev, inside.st_ino)
            assert found.st_dev != os.stat("/dev/null").st_dev
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(null)


def test_dev_null_of_the_image_that_is_none(rootfs: Path) -> None:
    (rootfs / "dev").mkdir()
    (rootfs / "dev" / "null").write_text("")
    null = os.open("/dev/null", os.O_RDWR)
    saved = os.dup(0)
    os.dup2(null, 0)
    try:
        failed = failure([*attach(rootfs), PIVOT, ("reopen_dev_null", {})])
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(null)
    text = "reopen descriptor 0 on the container's /dev/null"
    assert (failed.error, failed.text) == (errno.ENODEV, text)
