"""The layout read from /proc/self/mountinfo and /proc/self/cgroup, for hosts of every kind."""

from pathlib import Path

import pytest

from runtime.linux.cgroup import parse_layout, read_layout, usual_v2

ROOT = "20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
SYSFS = "23 20 0:20 / /sys rw,nosuid - sysfs sysfs rw\n"
TMPFS = "30 23 0:28 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755\n"


def v1(ident: int, name: str, options: str, root: str = "/", parent: int = 30) -> str:
    return (
        f"{ident} {parent} 0:{ident} {root} /sys/fs/cgroup/{name} rw,relatime - cgroup cgroup rw,{options}\n"
    )


def test_v1_with_two_controllers_in_one_hierarchy() -> None:
    mountinfo = (
        ROOT
        + SYSFS
        + TMPFS
        + v1(31, "systemd", "xattr,release_agent=/lib/systemd/agent,name=systemd")
        + v1(32, "cpu,cpuacct", "cpu,cpuacct")
        + v1(33, "memory", "memory")
    )
    membership = "3:memory:/\n2:cpu,cpuacct:/user.slice\n1:name=systemd:/user.slice/user-0.slice\n"
    layout = parse_layout(mountinfo, membership)
    assert layout.mode == "v1"
    assert layout.v1 == (
        (("name=systemd",), "/sys/fs/cgroup/systemd", "/user.slice/user-0.slice"),
        (("cpu", "cpuacct"), "/sys/fs/cgroup/cpu,cpuacct", "/user.slice"),
        (("memory",), "/sys/fs/cgroup/memory", "/"),
    )
    assert layout.unified == ""


def test_the_names_are_the_kernels_whatever_the_directory_is_called() -> None:
    """The super options come in any order; /proc/self/cgroup has the kernel's."""
    mountinfo = ROOT + SYSFS + TMPFS + v1(32, "cpu", "cpuacct,clone_children,cpu")
    layout = parse_layout(mountinfo, "2:cpu,cpuacct:/\n")
    assert layout.v1 == ((("cpu", "cpuacct"), "/sys/fs/cgroup/cpu", "/"),)


def test_hybrid() -> None:
    mountinfo = (
        ROOT
        + SYSFS
        + TMPFS
        + v1(31, "memory", "memory")
        + "32 30 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate\n"
    )
    layout = parse_layout(mountinfo, "1:memory:/a\n0::/b\n")
    assert (layout.mode, layout.unified, layout.own) == ("hybrid", "/sys/fs/cgroup/unified", "/b")
    assert layout.v1 == ((("memory",), "/sys/fs/cgroup/memory", "/a"),)


def test_v2() -> None:
    mountinfo = ROOT + SYSFS + "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    layout = parse_layout(mountinfo, "0::/user.slice/session-1.scope\n")
    assert (layout.mode, layout.v1) == ("v2", ())
    assert (layout.unified, layout.own) == ("/sys/fs/cgroup", "/user.slice/session-1.scope")


def test_v2_with_a_v1_hierarchy_of_a_name_only() -> None:
    mountinfo = (
        ROOT
        + SYSFS
        + "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
        + "31 20 0:31 / /run/elogind rw - cgroup cgroup rw,none,name=elogind\n"
    )
    layout = parse_layout(mountinfo, "1:name=elogind:/\n0::/\n")
    assert layout.mode == "hybrid"
    assert layout.v1 == ((("name=elogind",), "/run/elogind", "/"),)


def test_nothing_mounted() -> None:
    layout = parse_layout(ROOT + SYSFS, "1:memory:/a\n0::/\n")
    assert (layout.v1, layout.unified) == ((), "")


def test_a_controller_that_is_not_mounted_is_not_there() -> None:
    layout = parse_layout(ROOT + SYSFS + TMPFS + v1(31, "pids", "pids"), "2:memory:/\n1:pids:/\n0::/\n")
    assert [names for names, _, _ in layout.v1] == [("pids",)]


def test_a_mount_that_shows_a_part_of_its_hierarchy() -> None:
    """A container without a cgroup namespace: the mount's root is its own cgroup."""
    mountinfo = ROOT + SYSFS + TMPFS + v1(31, "memory", "memory", root="/docker/abc")
    for own, path in [("/docker/abc", "/"), ("/docker/abc/inner", "/inner"), ("/docker/abcd", "/")]:
        layout = parse_layout(mountinfo, f"1:memory:{own}\n")
        assert layout.v1 == ((("memory",), "/sys/fs/cgroup/memory", path),), own


def test_a_mount_from_outside_of_the_cgroup_namespace() -> None:
    mountinfo = ROOT + SYSFS + "30 23 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    assert parse_layout(mountinfo, "0::/\n").own == "/"


def test_a_second_mount_elsewhere_does_not_count() -> None:
    mountinfo = (
        ROOT
        + "29 20 0:26 / /var/lib/box/cgroup rw - cgroup2 cgroup2 rw\n"
        + SYSFS
        + "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    )
    assert parse_layout(mountinfo, "0::/\n").unified == "/sys/fs/cgroup"


def test_mounts_that_others_cover_do_not_count() -> None:
    hidden = ROOT + SYSFS + TMPFS + v1(31, "memory", "memory") + v1(32, "pids", "pids")
    cover = "40 30 0:40 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    new = v1(41, "memory", "memory", parent=40)
    membership = "2:pids:/\n1:memory:/\n"
    layout = parse_layout(hidden + cover + new, membership)
    assert [names for names, _, _ in layout.v1] == [("memory",)]
    # the order of the lines says nothing: mounts may be made first and attached later
    assert parse_layout(ROOT + SYSFS + new + cover + hidden, membership).v1 == layout.v1


def test_the_line_of_a_child_may_stand_before_its_parents() -> None:
    child = v1(25, "memory", "memory")
    layout = parse_layout(ROOT + child + SYSFS + TMPFS, "1:memory:/\n")
    assert [names for names, _, _ in layout.v1] == [("memory",)]


@pytest.mark.parametrize(
    "root",
    [
        "1 1 0:2 / / rw - rootfs rootfs rw\n",
        "1 1 0:2 / / rw - rootfs rootfs rw\n20 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n",
        "20 19 0:2 /@/subvolume / ro - btrfs /dev/sda1 rw\n",
        "21 20 0:5 / / rw - overlay overlay rw\n20 19 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n",
    ],
)
def test_roots_of_every_kind(root: str) -> None:
    """The first mount of all is its own parent; a root may be mounted over."""
    top = root.splitlines()[-1 if root.startswith("1 ") else 0].split()[0]
    mount = f"30 {top} 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    covered = (
        f"31 {'1' if top == '20' and root.startswith('1 ') else '999'} 0:27 / /x rw - cgroup2 cgroup2 rw\n"
    )
    assert parse_layout(root + mount + covered, "0::/\n").unified == "/sys/fs/cgroup"
    assert parse_layout(root + covered, "0::/\n").unified == ""


def test_the_last_line_may_have_no_end() -> None:
    mountinfo = ROOT + SYSFS + "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
    assert parse_layout(mountinfo, "0::/\n").unified == "/sys/fs/cgroup"


def test_words_that_look_like_a_mount() -> None:
    """In a source or an option, where spaces are not escaped by every file system."""
    mountinfo = ROOT + SYSFS + "30 23 0:26 / /mnt rw - 9p - cgroup rw,x= /sys/fs/cgroup rw\n"
    assert parse_layout(mountinfo, "0::/\n").unified == ""


def test_the_usual_v2_needs_no_list_of_mounts(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu\n")
    own = tmp_path / "user.slice/one"
    own.mkdir(parents=True)
    for directory in (tmp_path, own):
        (directory / "cgroup.procs").touch()
    for path in ("/", "/user.slice/one"):
        layout = usual_v2(f"0::{path}\n", str(tmp_path))
        assert layout is not None
        assert (layout.mode, layout.v1, layout.unified, layout.own) == ("v2", (), str(tmp_path), path)
    assert usual_v2("1:name=elogind:/\n0::/\n", str(tmp_path)) is None
    assert usual_v2("1:memory:/\n", str(tmp_path)) is None
    assert usual_v2("0::/docker/abc\n", str(tmp_path)) is None  # the mount's root is /docker/abc
    assert usual_v2("0::/../user.slice/one\n", str(own)) is None
    (tmp_path / "cgroup.controllers").unlink()
    assert usual_v2("0::/\n", str(tmp_path)) is None


def test_both_ways_agree_on_this_host() -> None:
    mountinfo, membership = Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text()
    one, other = read_layout(), parse_layout(mountinfo, membership)
    assert (one.mode, one.v1, one.unified, one.own) == (other.mode, other.v1, other.unified, other.own)


def test_escaped_mountpoint() -> None:
    mountinfo = ROOT + "30 20 0:26 / /my\\040cgroups rw - cgroup2 cgroup2 rw\n"
    assert parse_layout(mountinfo, "0::/\n").unified == "/my cgroups"


def test_a_path_with_colons_and_a_removed_cgroup() -> None:
    mountinfo = ROOT + SYSFS + "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
    assert parse_layout(mountinfo, "0::/a:b/c\n").own == "/a:b/c"
    assert parse_layout(mountinfo, "0::/gone (deleted)\n").own == "/gone"


def test_this_host_agrees_with_itself() -> None:
    """What is found is what /proc lists: each hierarchy at a directory with a cgroup.procs."""
    layout = read_layout()
    with open("/proc/self/cgroup") as file:
        listed = {tuple(line.split(":")[1].split(",")) for line in file if not line.startswith("0:")}
    assert {names for names, _, _ in layout.v1} <= listed
    for _, mountpoint, own in layout.v1:
        with open(f"{mountpoint}{own}/cgroup.procs") as file:
            assert file.read().split()
    if layout.unified:
        with open(f"{layout.unified}/cgroup.controllers") as file:
            assert tuple(file.read().split()) == layout.controllers
