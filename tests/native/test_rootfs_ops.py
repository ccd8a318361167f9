"""The root of the container (csrc/rootfs.c, move_root.c): attached, entered, and nothing else left."""

from __future__ import annotations

import errno
import os
import signal
from pathlib import Path

import pytest

from .blob import Operation
from .container import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    LIBC,
    MS_BIND,
    MS_PRIVATE,
    MS_REC,
    MS_SHARED,
    MS_SLAVE,
    MS_UNBINDABLE,
    NOSUID,
    PIVOT,
    RDONLY,
    Container,
    Mount,
    attach,
    failure,
    in_namespaces_of,
    mount,
)

MOVE: Operation = ("move_root", {"root": "root"})
PROC: Operation = ("mount", {"type": "proc", "source": "proc", "target": "/proc"})


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    (tmp_path / "rootfs").mkdir()
    (tmp_path / "rootfs/marker").write_text("")
    return tmp_path / "rootfs"


def test_only_the_container_is_left(rootfs: Path) -> None:
    ops = [*attach(rootfs), PIVOT, ("make_cwd", {"path": "/a/b"}), ("mask_path", {"path": "/nothing"})]
    with Container(ops) as container:
        assert [m.path for m in container.mounts()] == ["/"]
        assert container.mounts()[0].root.endswith("/rootfs")
        assert os.readlink(f"/proc/{container.pid}/cwd") == os.readlink(f"/proc/{container.pid}/root")
        assert sorted(os.listdir(container.inside("/"))) == ["a", "marker"]
        # no descriptor of the caller's tree is left: the slots hold the root
        fds = [fd for fd in Path(f"/proc/{container.pid}/fd").iterdir() if int(fd.name) > 2]
        places = {os.readlink(fd) for fd in fds}
        assert {place for place in places if place.startswith("/")} - {"/dev/null"} == {"/"}


@pytest.mark.parametrize("enter", [PIVOT, MOVE])
def test_mounts_of_the_root_come_along(rootfs: Path, enter: Operation) -> None:
    def setup() -> None:
        (rootfs / "sub").mkdir()
        mount("sub", str(rootfs / "sub"), "tmpfs")
        (rootfs / "sub/file").write_text("")

    with Container([*attach(rootfs), enter], setup=setup) as container:
        assert [m.path for m in container.mounts()] == ["/", "/sub"]
        assert os.listdir(container.inside("/sub")) == ["file"]


def test_the_callers_mounts_stay(rootfs: Path, tmp_path: Path) -> None:
    """All is shared, as systemd makes it: detaching the old root must not reach the caller's namespace."""
    (tmp_path / "pid").write_text("")

    def setup() -> None:
        mount("here", str(tmp_path), "tmpfs")
        rootfs.mkdir()
        mount(None, "/", None, MS_SHARED | MS_REC)
        if os.fork() == 0:
            LIBC.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            os.write(report[1], str(os.getpid()).encode())
            os.write(ready[1], b"x")
            signal.pause()
        os.read(ready[0], 1)

    report, ready = os.pipe(), os.pipe()
    shared: Operation = ("root_propagation", {"flags": MS_SLAVE | MS_REC})
    unshare: Operation = ("unshare", {"flags": CLONE_NEWNS})
    ops = [unshare, shared, *attach(rootfs)[1:], PROC, PIVOT]
    with Container(ops, setup=setup) as container:
        caller = int(os.read(report[0], 20))
        lines = Path(f"/proc/{caller}/mountinfo").read_text().splitlines()
        paths = [Mount(line).path for line in lines]
        assert {"/", "/proc", "/sys", str(tmp_path)} <= set(paths)
        assert not [path for path in paths if path.startswith(str(rootfs))]
        assert [m.path for m in container.mounts()] == ["/", "/proc"]
    for end in (*report, *ready):
        os.close(end)


def test_parent_mount_is_made_private(rootfs: Path) -> None:
    def setup() -> None:
        mount(None, "/", None, MS_SHARED | MS_REC)

    keep: Operation = ("root_propagation", {"flags": MS_UNBINDABLE})
    _, tree, attached = attach(rootfs)
    public: Operation = ("attach_rootfs", {**attached[1], "parent_private": 0})
    failed = failure([tree, public, PIVOT], setup=setup)
    assert failed.error == errno.EINVAL
    assert failed.text.startswith("pivot_root into the root file system (")
    with Container([tree, attached, PIVOT, keep], setup=setup) as container:
        assert [m.propagation for m in container.mounts()] == [["unbindable"]]


@pytest.mark.parametrize(("flags", "seen"), [(MS_SHARED, ["shared"]), (MS_UNBINDABLE, ["unbindable"])])
def test_final_propagation_is_of_the_root_alone(rootfs: Path, flags: int, seen: list[str]) -> None:
    with Container([*attach(rootfs), PROC, PIVOT, ("root_propagation", {"flags": flags})]) as container:
        assert {m.path: m.propagation for m in container.mounts()} == {"/": seen, "/proc": []}


def test_missing_root(rootfs: Path) -> None:
    _, tree, attached = attach(rootfs)
    failed = failure([tree, ("attach_rootfs", {**attached[1], "path": f"{rootfs}/none"})])
    assert (failed.error, failed.text) == (errno.ENOENT, f"open {rootfs}/none to attach the root file system")
    failed = failure([attached])
    assert failed.error == errno.EBADF


def test_read_only_root(rootfs: Path) -> None:
    with Container(
        [*attach(rootfs), PIVOT, ("set_attr", {"mount": "root", "attr_set": RDONLY})]
    ) as container:
        assert container.mount_at("/").options[0] == "ro"
        with pytest.raises(OSError, match="Read-only"):
            (container.inside("/") / "new").write_text("")


def fresh_procfs() -> None:
    """What a process of the container may try: a user namespace, and in it a procfs of its own."""
    assert LIBC.unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) == 0
    child = os.fork()
    if child == 0:
        try:
            mount("proc", "/mnt", "proc")
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise OSError(code, "mount")


@pytest.mark.parametrize("enter", [PIVOT, MOVE])
def test_no_bare_procfs_is_left_behind(rootfs: Path, enter: Operation) -> None:
    """A user namespace is allowed a fresh procfs only where there is an unmasked one, however hidden."""
    (rootfs / "mnt").mkdir()
    mask: Operation = ("mount", {"type": "tmpfs", "target": "/proc/sys", "attrs": RDONLY})
    with Container([*attach(rootfs), PROC, mask, enter]) as container:
        assert in_namespaces_of(container.pid, fresh_procfs) == errno.EPERM
        assert {m.path for m in container.mounts()} == {"/", "/proc", "/proc/sys"}
    # the control: with its own procfs unmasked the same is allowed
    with Container([*attach(rootfs), PROC, enter]) as container:
        assert in_namespaces_of(container.pid, fresh_procfs) == 0


def test_move_root_hides_several_procfs(rootfs: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a place\twith spaces"
    odd.mkdir()
    (rootfs / "mnt").mkdir()

    def setup() -> None:
        mount("proc", str(odd), "proc")
        mount("proc", "/proc", "proc")
        mount("/sys", str(tmp_path / "sys"), None, MS_BIND)

    (tmp_path / "sys").mkdir()
    mask: Operation = ("mount", {"type": "tmpfs", "target": "/proc/sys", "attrs": RDONLY})
    with Container([*attach(rootfs), PROC, mask, MOVE], setup=setup) as container:
        assert in_namespaces_of(container.pid, fresh_procfs) == errno.EPERM


def test_chroot_alone(rootfs: Path) -> None:
    with Container([*attach(rootfs), ("chroot", {"root": "root"})]) as container:
        assert sorted(os.listdir(container.inside("/"))) == ["marker"]
        assert [m.path for m in container.mounts()] == ["/"]


def test_working_directory(rootfs: Path) -> None:
    (rootfs / "home").symlink_to("/data/home")
    ops = [*attach(rootfs), PIVOT, ("make_cwd", {"path": "/home/user"}), ("make_cwd", {"path": "/"})]
    with Container(ops) as container:
        status = container.inside("/data/home/user").stat()
        assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o755, 0, 0)
    failed = failure([*attach(rootfs), PIVOT, ("make_cwd", {"path": "/marker/x"})])
    assert (failed.error, failed.text) == (errno.ENOTDIR, "make the working directory /marker/x")


def test_nosuid_root_keeps_its_flags_when_made_read_only(rootfs: Path) -> None:
    def setup() -> None:
        mount(str(rootfs), str(rootfs), None, MS_BIND)
        mount(None, str(rootfs), None, MS_BIND | 32 | NOSUID)  # MS_REMOUNT
        mount(None, str(rootfs), None, MS_PRIVATE)

    ops = [*attach(rootfs), PIVOT, ("set_attr", {"mount": "root", "attr_set": RDONLY})]
    with Container(ops, setup=setup) as container:
        assert container.mount_at("/").options == ["ro", "nosuid", "relatime"]
