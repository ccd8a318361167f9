"""New file systems (csrc/mount_new.c, filesystem.c, mount_long.c, copy_up.c), seen in /proc/PID/mountinfo."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from .blob import Operation
from .container import (
    MS_PRIVATE,
    MS_REC,
    MS_SHARED,
    MS_SLAVE,
    MS_UNBINDABLE,
    NOATIME,
    NODEV,
    NODIRATIME,
    NOEXEC,
    NOSUID,
    PIVOT,
    RDONLY,
    Container,
    attach,
    failure,
    mount,
)


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    (tmp_path / "rootfs").mkdir()
    return tmp_path / "rootfs"


def tmpfs(target: str, **args: object) -> Operation:
    return ("mount", {"type": "tmpfs", "source": "tmpfs", "target": target, **args})


def test_options_and_attributes(rootfs: Path) -> None:
    ops = [
        *attach(rootfs),
        tmpfs("/a", data="mode=0701,,size=64k,nr_inodes=20,uid=7", attrs=NOSUID | NODEV | NOEXEC),
        tmpfs("/b", superflags="sync,dirsync,ro", attrs=RDONLY | NOATIME | NODIRATIME),
        tmpfs("/c", source="my source, with words"),
        tmpfs("/d", source=None),
        PIVOT,
    ]
    with Container(ops) as container:
        a, b = container.mount_at("/a"), container.mount_at("/b")
        assert a.options == ["rw", "nosuid", "nodev", "noexec", "relatime"]
        assert {"size=64k", "nr_inodes=20", "mode=701", "uid=7"} <= set(a.super_options)
        assert b.options == ["ro", "noatime", "nodiratime"]
        assert {"ro", "sync", "dirsync"} <= set(b.super_options)
        assert container.mount_at("/c").source == r"my\040source,\040with\040words"
        assert container.mount_at("/d").source == "none"
        status = container.inside("/a").stat()
        assert (status.st_mode & 0o7777, status.st_uid) == (0o701, 7)


def test_the_kernels_words_are_in_the_failure(rootfs: Path) -> None:
    failed = failure([*attach(rootfs), tmpfs("/run/lock", data="mode=755,colour=red")])
    assert (failed.op, failed.error) == (3, errno.EINVAL)
    assert failed.text == "mount tmpfs on /run/lock: option colour=red: tmpfs: Unknown parameter 'colour'"
    failed = failure([*attach(rootfs), tmpfs("/x", data="mode=rwx")])
    assert failed.text == "mount tmpfs on /x: option mode=rwx: tmpfs: Bad value for 'mode'"


def test_a_security_context_keeps_its_commas(rootfs: Path) -> None:
    """No LSM here knows the option, so what was asked for is seen in the refusal."""
    failed = failure([*attach(rootfs), tmpfs("/x", data='mode=755,context="u:r:t:s0:c1,c2",size=1m')])
    assert failed.text.startswith("mount tmpfs on /x: option context=u:r:t:s0:c1,c2")


def test_options_refused_without_a_word(rootfs: Path) -> None:
    (rootfs / "lower").mkdir()
    data = f"lowerdir={rootfs}/lower"
    failed = failure([*attach(rootfs), ("mount", {"type": "overlay", "target": "/x", "data": data})])
    assert (failed.error, failed.text) == (errno.EINVAL, f"mount overlay on /x: options {data}")


def test_absent_arguments(rootfs: Path) -> None:
    """A plan like that is a mistake of planc's; init still says so."""
    for operation in (
        ("mount", {"type": "tmpfs"}),
        ("mount", {"target": "/x"}),
        ("bind", {"tree": "rootfs"}),
        ("open_tree", {"tree": "x"}),
        ("mknod", {"mode": 0o20666}),
        ("make_cwd", {}),
        ("mask_path", {}),
    ):
        assert failure([*attach(rootfs), operation]).error in (errno.EINVAL, errno.EFAULT), operation


def test_unknown_file_system(rootfs: Path) -> None:
    failed = failure([*attach(rootfs), ("mount", {"type": "nofs", "source": "x", "target": "/x"})])
    assert failed.error == errno.ENODEV
    assert failed.text == "mount nofs on /x: the kernel knows no such file system"


@pytest.mark.parametrize("type", ["proc", "sysfs"])
def test_proc_and_sysfs_want_a_directory_of_their_own(rootfs: Path, type: str) -> None:
    (rootfs / "elsewhere").mkdir()
    (rootfs / "link").symlink_to("elsewhere")
    (rootfs / "file").write_text("")
    for target in ("/link", "/file"):
        failed = failure([*attach(rootfs), ("mount", {"type": type, "source": type, "target": target})])
        assert failed.error == errno.ENOTDIR
        assert failed.text == f"mount {type} on {target}: not a directory of its own (a symlink or a file)"
    with Container(
        [*attach(rootfs), ("mount", {"type": type, "source": type, "target": "/new/dir"})]
    ) as container:
        assert container.mount_at(f"{rootfs}/new/dir").type == type


def test_tmpfs_follows_symlinks_inside_the_root(rootfs: Path) -> None:
    (rootfs / "dev").symlink_to("../../../data/dev")
    ops = [
        *attach(rootfs),
        tmpfs("/dev"),
        ("mknod", {"path": "/dev/null", "mode": 0o20666, "major": 1, "minor": 3}),
    ]
    with Container(ops) as container:
        assert container.mount_at(f"{rootfs}/data/dev").type == "tmpfs"
    assert os.listdir(rootfs / "data/dev") == []


def test_file_and_root_are_no_targets(rootfs: Path) -> None:
    (rootfs / "file").write_text("")
    (rootfs / "self").symlink_to("../..")
    failed = failure([*attach(rootfs), tmpfs("/file")])
    assert (failed.error, failed.text) == (errno.ENOTDIR, "make the directory /file to mount tmpfs on")
    for target in ("/", "/self"):
        failed = failure([*attach(rootfs), tmpfs(target)])
        assert (failed.error, failed.text) == (0, f"mount on {target}: this is the root of the container")


def test_mode_of_the_covered_directory(rootfs: Path) -> None:
    (rootfs / "old").mkdir()
    (rootfs / "old").chmod(0o1751)
    ops = [
        *attach(rootfs),
        tmpfs("/old", inherit_mode=1),
        tmpfs("/new", inherit_mode=1),
        tmpfs("/plain"),
        PIVOT,
    ]
    with Container(ops) as container:
        modes = {name: container.inside(name).stat().st_mode & 0o7777 for name in ("old", "new", "plain")}
    assert modes == {"old": 0o1751, "new": 0o1777, "plain": 0o1777}


def test_copy_up(rootfs: Path) -> None:
    old = rootfs / "etc"
    (old / "sub/deep").mkdir(parents=True)
    (old / "file").write_bytes(b"x" * 100_000)
    (old / "file").chmod(0o4711)
    os.chown(old / "file", 12, 34)
    (old / "file").chmod(0o4711)
    os.setxattr(old / "file", "trusted.planc", b"value")
    os.utime(old / "file", (1, 2))
    (old / "sub").chmod(0o750)
    os.chown(old / "sub", 1, 1)
    (old / "sub/link").symlink_to("../nowhere")
    os.chown(old / "sub/link", 5, 6, follow_symlinks=False)
    os.mkfifo(old / "fifo", 0o640)
    os.mknod(old / "sub/deep/zero", 0o20606, os.makedev(1, 5))
    ops = [*attach(rootfs), tmpfs("/etc", copy_up=1, data="mode=755", attrs=RDONLY | NODEV), PIVOT]
    with Container(ops) as container:
        new = container.inside("/etc")
        assert container.mount_at("/etc").options == ["ro", "nodev", "relatime"]
        names = sorted(str(path.relative_to(new)) for path in new.rglob("*"))
        assert names == ["fifo", "file", "sub", "sub/deep", "sub/deep/zero", "sub/link"]
        for name in names:
            a, b = (old / name).lstat(), (new / name).lstat()
            assert (a.st_mode, a.st_uid, a.st_gid, a.st_rdev, a.st_mtime_ns) == (
                b.st_mode,
                b.st_uid,
                b.st_gid,
                b.st_rdev,
                b.st_mtime_ns,
            ), name
        assert (new / "file").read_bytes() == b"x" * 100_000
        assert os.getxattr(new / "file", "trusted.planc") == b"value"
        assert os.readlink(new / "sub/link") == "../nowhere"


def test_copy_up_without_room(rootfs: Path) -> None:
    (rootfs / "etc").mkdir()
    (rootfs / "etc/file").write_bytes(b"x" * 100_000)
    failed = failure([*attach(rootfs), tmpfs("/etc", copy_up=1, data="size=16k")])
    assert failed.error == errno.ENOSPC
    assert failed.text == "copy the content of /etc into the tmpfs over it"


def test_propagation_in_order(rootfs: Path) -> None:
    ops = [
        *attach(rootfs),
        tmpfs("/shared", propagation=[MS_SHARED]),
        tmpfs("/both", propagation=[MS_SHARED, MS_SLAVE, MS_SHARED | MS_REC]),
        tmpfs("/private", propagation=[MS_SHARED, MS_PRIVATE]),
        tmpfs("/unbindable", propagation=[MS_UNBINDABLE | MS_REC]),
        PIVOT,
    ]
    with Container(ops) as container:
        seen = {m.path: m.propagation for m in container.mounts()}
    assert seen == {
        "/": [],
        "/shared": ["shared"],
        "/both": ["shared"],
        "/private": [],
        "/unbindable": ["unbindable"],
    }


def test_late_read_only(rootfs: Path) -> None:
    ops = [
        *attach(rootfs),
        tmpfs("/dev", mount="dev", attrs=NOSUID),
        ("mknod", {"path": "/dev/null", "mode": 0o20666, "major": 1, "minor": 3}),
        PIVOT,
        ("set_attr", {"mount": "dev", "attr_set": RDONLY}),
        ("set_attr", {"mount": "root", "attr_set": RDONLY | NOATIME}),
    ]
    with Container(ops) as container:
        assert container.mount_at("/dev").options == ["ro", "nosuid", "relatime"]
        assert container.mount_at("/").options == ["ro", "noatime"]
        assert os.listdir(container.inside("/dev")) == ["null"]
    failed = failure([*attach(rootfs), ("set_attr", {"mount": "nothing", "attr_set": RDONLY})])
    assert (failed.error, failed.text) == (errno.EBADF, "change the attributes of a mount: none in the slot")


def overlay_setup(base: Path, count: int) -> None:
    """Mount a tmpfs on `base` and lay out `count` lower directories with long names."""
    mount("tmpfs", str(base), "tmpfs")
    for i in range(count):
        (base / f"lower-directory-with-a-long-name-{i}").mkdir()
        (base / f"lower-directory-with-a-long-name-{i}" / f"file{i}").write_text("")
    for name in ("upper", "work"):
        (base / name).mkdir()


def test_values_longer_than_fsconfig_takes(rootfs: Path, tmp_path: Path) -> None:
    base = tmp_path / "layers"
    base.mkdir()
    lower = ":".join(f"{base}/lower-directory-with-a-long-name-{i}" for i in range(8))
    assert len(lower) > 256
    data = f"lowerdir={lower},upperdir={base}/upper,workdir={base}/work"
    (rootfs / "data").symlink_to("/real")
    overlay: dict[str, object] = {
        "type": "overlay",
        "source": "overlay",
        "target": "/data/x",
        "data": data,
        "mount": "overlay",
    }
    overlay |= {"attrs": NOSUID | NODEV, "propagation": [MS_SHARED], "superflags": "sync"}
    ops = [*attach(rootfs), ("mount", overlay), tmpfs("/after"), PIVOT]
    late: Operation = ("set_attr", {"mount": "overlay", "attr_set": RDONLY})
    with Container([*ops, late], setup=lambda: overlay_setup(base, 8)) as container:
        seen = container.mount_at("/real/x")
        assert (seen.type, seen.options) == ("overlay", ["ro", "nosuid", "nodev", "relatime"])
        assert seen.propagation == ["shared"]
        assert "sync" in seen.super_options
        assert sorted(os.listdir(container.inside("/real/x"))) == [f"file{i}" for i in range(8)]
        assert container.mount_at("/after").type == "tmpfs"


def test_escaped_commas_of_overlay(rootfs: Path, tmp_path: Path) -> None:
    def setup() -> None:
        mount("tmpfs", str(tmp_path / "layers"), "tmpfs")
        (tmp_path / "layers/a,b").mkdir()
        (tmp_path / "layers/a,b/file").write_text("")
        (tmp_path / "layers/c").mkdir()

    (tmp_path / "layers").mkdir()
    data = f"lowerdir={tmp_path}/layers/a\\,b:{tmp_path}/layers/c"
    ops = [
        *attach(rootfs),
        ("mount", {"type": "overlay", "source": "overlay", "target": "/x", "data": data}),
        PIVOT,
    ]
    with Container(ops, setup=setup) as container:
        assert os.listdir(container.inside("/x")) == ["file"]


def test_options_longer_than_a_page(rootfs: Path) -> None:
    data = "lowerdir=" + ":".join(f"/lower{i}" for i in range(1000))
    failed = failure([*attach(rootfs), ("mount", {"type": "overlay", "target": "/x", "data": data})])
    assert failed.text == "mount overlay on /x: the options are longer than the 4094 bytes of a page"


def test_failed_mount_syscall(rootfs: Path) -> None:
    data = "lowerdir=" + ":".join(f"/nowhere/lower{i}" for i in range(30))
    failed = failure([*attach(rootfs), ("mount", {"type": "overlay", "target": "/x", "data": data})])
    assert (failed.error, failed.text) == (errno.ENOENT, "mount overlay on /x")


def test_cgroup_v1_controllers(rootfs: Path) -> None:
    line = next(
        (line for line in Path("/proc/self/mountinfo").read_text().splitlines() if " - cgroup " in line), None
    )
    if line is None:
        pytest.skip("no cgroup v1 here")
    names = [w for w in line.rpartition(" ")[2].split(",") if w not in ("rw", "ro", "xattr")]
    data = ",".join(names)
    cgroup = {"type": "cgroup", "source": "cgroup", "target": "/c", "data": data, "attrs": NOSUID | RDONLY}
    with Container([*attach(rootfs), ("mount", cgroup), PIVOT]) as container:
        assert set(names) <= set(container.mount_at("/c").super_options)
