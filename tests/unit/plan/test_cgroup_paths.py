"""Where the container's cgroups are: cgroupsPath absolute, relative, absent; v1, hybrid, v2."""

import pytest

from runtime.linux.host import CgroupLayout, Host
from runtime.plan.cgroup import clean_path, container_cgroups, join_files, plan_cgroup
from runtime.spec.model import LinuxMemory, LinuxResources

V1 = CgroupLayout(
    "v1",
    (
        (("cpu", "cpuacct"), "/sys/fs/cgroup/cpu,cpuacct", "/user.slice"),
        (("memory",), "/sys/fs/cgroup/memory", "/"),
        (("name=systemd",), "/sys/fs/cgroup/systemd", "/user.slice/session-1.scope"),
    ),
    "",
)
HYBRID = CgroupLayout("hybrid", V1.v1[1:2], "/sys/fs/cgroup/unified", "/user.slice/s", ("hugetlb",))
V2 = CgroupLayout("v2", (), "/sys/fs/cgroup", "/user.slice/session-1.scope", ("cpu", "memory", "pids"))
V2_TOP = CgroupLayout("v2", (), "/sys/fs/cgroup", "/", ("cpu",))


def paths(cgroups_path: str | None, layout: CgroupLayout) -> list[str]:
    return [path for _, path in container_cgroups(cgroups_path, "demo", Host(cgroup=layout))]


def test_absolute_counts_from_the_mountpoint() -> None:
    assert paths("/docker/abc", V1) == [
        "/sys/fs/cgroup/cpu,cpuacct/docker/abc",
        "/sys/fs/cgroup/memory/docker/abc",
        "/sys/fs/cgroup/systemd/docker/abc",
    ]
    assert paths("/docker/abc", V2) == ["/sys/fs/cgroup/docker/abc"]


@pytest.mark.parametrize(("given", "name"), [(None, "demo"), ("", "demo"), ("a/b", "a/b")])
def test_relative_and_absent_count_from_the_callers_own_cgroup(given: str | None, name: str) -> None:
    assert paths(given, V1) == [
        f"/sys/fs/cgroup/cpu,cpuacct/user.slice/{name}",
        f"/sys/fs/cgroup/memory/{name}",
        f"/sys/fs/cgroup/systemd/user.slice/session-1.scope/{name}",
    ]
    assert paths(given, HYBRID) == [
        f"/sys/fs/cgroup/memory/{name}",
        f"/sys/fs/cgroup/unified/user.slice/s/{name}",
    ]


def test_on_v2_relative_counts_from_the_parent_of_the_callers_cgroup() -> None:
    """The caller's own has processes, so its children can have no controllers."""
    assert paths(None, V2) == ["/sys/fs/cgroup/user.slice/demo"]
    assert paths("a/b", V2) == ["/sys/fs/cgroup/user.slice/a/b"]
    assert paths(None, V2_TOP) == ["/sys/fs/cgroup/demo"]


def test_the_controllers_go_with_the_directories() -> None:
    found = [names for names, _ in container_cgroups("/x", "demo", Host(cgroup=HYBRID))]
    assert found == [("memory",), ()]


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("../../etc", "/etc"),
        ("/../../etc", "/etc"),
        ("a/../../b", "/b"),
        ("/a/./b//c/", "/a/b/c"),
        ("..", "/"),
        ("/a/..b", "/a/..b"),
    ],
)
def test_no_path_leads_out(given: str, clean: str) -> None:
    assert clean_path(given) == clean
    prefix = "/user.slice" if not given.startswith("/") else ""
    assert paths(given, V1)[0] == f"/sys/fs/cgroup/cpu,cpuacct{prefix}{clean}".rstrip("/")


def test_nothing_mounted_is_no_cgroup() -> None:
    assert paths("/x", CgroupLayout("v2", (), "")) == []


def test_a_process_enters_v1_by_itself() -> None:
    assert join_files(container_cgroups("/x", "demo", Host(cgroup=HYBRID))) == [
        "/sys/fs/cgroup/memory/x/tasks"
    ]
    assert join_files(container_cgroups("/x", "demo", Host(cgroup=V2))) == []


def test_the_operations_say_why() -> None:
    for given, cause in (("/x", "/linux/cgroupsPath"), (None, "(default cgroupsPath)")):
        ops = plan_cgroup(None, given, "demo", Host(cgroup=V1), False)
        assert {op.cause for op in ops} == {cause}
        assert {op.code for op in ops} == {"cgroup_create"}
        assert ops[0].args["controllers"] == ["cpu", "cpuacct"]


def test_creation_comes_before_limits_before_devices() -> None:
    resources = LinuxResources(memory=LinuxMemory(limit=1 << 20))
    codes = [op.code for op in plan_cgroup(resources, None, "demo", Host(cgroup=V2), False)]
    assert codes == ["cgroup_create", "cgroup_set", "cgroup_devices"]
