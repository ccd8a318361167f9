"""The layout read from /proc/self/mountinfo and /proc/self/cgroup, for hosts of every kind."""

from runtime.linux.cgroup import parse_layout, read_layout

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
