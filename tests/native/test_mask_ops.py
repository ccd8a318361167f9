"""Masked and read-only paths (csrc/masks.c), after the root has been entered."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from .blob import Operation
from .container import (
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUSER,
    NODEV,
    NOEXEC,
    NOSUID,
    PIVOT,
    Container,
    attach,
    failure,
    in_namespaces_of,
    mount,
)

NULL: Operation = ("mknod", {"path": "/dev/null", "mode": 0o20666, "major": 1, "minor": 3})
PROC: Operation = (
    "mount",
    {"type": "proc", "source": "proc", "target": "/proc", "attrs": NOSUID | NODEV | NOEXEC},
)


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    (tmp_path / "rootfs/secret").mkdir(parents=True)
    (tmp_path / "rootfs/secret/file").write_text("secret")
    return tmp_path / "rootfs"


def mask(*paths: str) -> list[Operation]:
    return [("mask_path", {"path": path}) for path in paths]


def readonly(*paths: str) -> list[Operation]:
    return [("readonly_path", {"path": path}) for path in paths]


def test_masks(rootfs: Path) -> None:
    paths = ("/secret", "/proc/timer_list", "/proc/keys", "/proc/fs", "/none", "/none/deep", "/dev/null/x")
    with Container([*attach(rootfs), PROC, NULL, PIVOT, *mask(*paths)]) as container:
        directory, file = container.mount_at("/secret"), container.mount_at("/proc/keys")
        assert (directory.type, directory.options[0], "ro" in directory.super_options) == (
            "tmpfs",
            "ro",
            True,
        )
        assert os.listdir(container.inside("/secret")) == []
        assert file.root.endswith("/dev/null")
        assert container.inside("/proc/keys").read_bytes() == b""
        masked = [m.path for m in container.mounts() if m.path not in ("/", "/proc")]
        expected = ["/secret", *(path for path in paths[1:4] if os.path.lexists(path))]
        assert masked == expected
        with pytest.raises(OSError) as refused:
            (container.inside("/secret") / "new").write_text("")
        assert refused.value.errno == errno.EROFS


def test_a_masked_symlink_masks_what_it_means(rootfs: Path) -> None:
    (rootfs / "link").symlink_to("/secret/file")
    with Container([*attach(rootfs), NULL, PIVOT, *mask("/link")]) as container:
        assert container.inside("/secret/file").read_bytes() == b""


@pytest.mark.parametrize("fake", ["link", "zero", "file", "directory", "missing"])
def test_the_null_device_is_looked_at(rootfs: Path, fake: str) -> None:
    """Whatever else is there, it must not be mounted over a file of /proc (CVE-2025-31133)."""
    (rootfs / "dev").mkdir()
    null = rootfs / "dev/null"
    make: dict[str, Callable[[], object]] = {
        "link": lambda: null.symlink_to("/proc/sys/kernel/core_pattern"),
        "zero": lambda: os.mknod(null, stat.S_IFCHR | 0o666, os.makedev(1, 5)),
        "file": lambda: null.write_text(""),
        "directory": lambda: null.mkdir(),
        "missing": lambda: None,
    }
    make[fake]()
    failed = failure([*attach(rootfs), PROC, PIVOT, *mask("/proc/keys")])
    if fake == "missing":
        assert (failed.error, failed.text) == (errno.ENOENT, "open /dev/null of the container")
    else:
        assert (failed.error, failed.text) == (0, "/dev/null of the container is not the null device")


def test_magic_links_are_not_masked(rootfs: Path) -> None:
    failed = failure([*attach(rootfs), PROC, NULL, PIVOT, *mask("/proc/self/exe")])
    assert (failed.error, failed.text) == (errno.ELOOP, "open /proc/self/exe")


def test_read_only_paths(rootfs: Path) -> None:
    tmpfs: Operation = ("mount", {"type": "tmpfs", "target": "/secret/sub", "attrs": NODEV})
    ops = [*attach(rootfs), PROC, tmpfs, PIVOT, *readonly("/proc/sys", "/secret", "/none", "/secret/file/x")]
    with Container(ops) as container:
        sys, secret = container.mount_at("/proc/sys"), container.mount_at("/secret")
        assert sys.options == ["ro", "nosuid", "nodev", "noexec", "relatime"]
        assert (sys.type, sys.root, secret.options) == ("proc", "/sys", ["ro", "relatime"])
        assert container.inside("/secret/file").read_text() == "secret"
        # what is mounted below comes along as it is
        assert container.mount_at("/secret/sub").options == ["rw", "nodev", "relatime"]
        (container.inside("/secret/sub") / "new").write_text("")
        with pytest.raises(OSError) as refused:
            container.inside("/proc/sys/kernel/domainname").write_text("x")
        assert refused.value.errno == errno.EROFS


def test_read_only_file(rootfs: Path) -> None:
    with Container([*attach(rootfs), PIVOT, *readonly("/secret/file")]) as container:
        assert container.mount_at("/secret/file").options[0] == "ro"


def test_in_a_user_namespace(rootfs: Path) -> None:
    """The flags of the caller's mounts are locked: only read-only is added."""
    os.chown(rootfs, 100000, 100000)
    os.chmod(rootfs / "secret", 0o755)

    def maps(pid: int) -> None:
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{pid}/{name}").write_text("0 100000 1000\n")

    def setup() -> None:
        mount("tmpfs", str(rootfs / "secret"), "tmpfs", NOSUID | NOEXEC, "mode=755")
        (rootfs / "secret/dir").mkdir(mode=0o755)

    slave, tree, attached = attach(rootfs)
    flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID
    ops: list[Operation] = [
        tree,
        ("open_tree", {"tree": "null", "source": "/dev/null"}),
        ("hold_trees", {"place": rootfs}),
        ("unshare", {"flags": flags}),
        ("sync", {}),
        ("become_root", {}),
        ("take_trees", {}),
        ("fork", {}),
        slave,
        attached,
        PROC,
        ("bind", {"tree": "null", "target": "/dev/null"}),
        PIVOT,
        *readonly("/secret", "/proc/sys"),
        *mask("/proc/keys", "/secret/dir"),
    ]
    with Container(ops, setup=setup, on_sync=[maps]) as container:
        assert container.mount_at("/secret").options == ["ro", "nosuid", "noexec", "relatime"]
        assert container.mount_at("/proc/sys").options == ["ro", "nosuid", "nodev", "noexec", "relatime"]
        assert container.mount_at("/proc/keys").root == "/null"
        assert container.mount_at("/secret/dir").options[0] == "ro"

        def again() -> None:
            mount(None, "/secret", None, 4096 | 32)  # MS_BIND | MS_REMOUNT

        assert in_namespaces_of(container.pid, again) == errno.EPERM


def test_the_root_read_only_by_path(rootfs: Path) -> None:
    with Container([*attach(rootfs), PIVOT, *readonly("/")]) as container:
        assert container.mount_at("/").options[0] == "ro" or container.mounts()[-1].options[0] == "ro"
