"""cgroupsPath as slice:prefix:name, and where the unit's cgroups are."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import PlanError
from runtime.linux.host import CgroupLayout, Systemd
from runtime.plan.systemd_unit import container_unit, expand_slice, systemd_cgroups

from . import samples

NAMES = st.text(string.ascii_lowercase + string.digits + "_.:@\\", min_size=1, max_size=12).filter(
    lambda text: ".slice" not in text
)


@pytest.mark.parametrize(
    ("slice", "path"),
    [
        ("system.slice", "/system.slice"),
        ("a-b.slice", "/a.slice/a-b.slice"),
        ("kubepods-burstable-pod1_2.slice", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice"),
        ("-.slice", ""),
    ],
)  # fmt: skip
def test_slices(slice: str, path: str) -> None:
    assert expand_slice(slice) == path


@pytest.mark.parametrize("slice", ["", ".slice", "a", "a.scope", "a/b.slice", "-a.slice", "a-.slice", "a--b.slice", "--.slice", "a b.slice", "ä.slice"])  # fmt: skip
def test_what_is_no_slice(slice: str) -> None:
    with pytest.raises(PlanError, match="cgroupsPath: "):
        expand_slice(slice)


@given(st.lists(NAMES, min_size=1, max_size=6))
def test_every_parent_is_a_prefix(parts: list[str]) -> None:
    """Each component of the path is the slice of the parts so far, so that the last names them all."""
    slice = "-".join(parts) + ".slice"
    components = expand_slice(slice).split("/")[1:]
    assert components == ["-".join(parts[: count + 1]) + ".slice" for count in range(len(parts))]


@given(st.text())
def test_any_slice_is_a_path_or_an_error(slice: str) -> None:
    try:
        path = expand_slice(slice)
    except PlanError:
        return
    assert path == "" or path.endswith("/" + slice)
    assert ".." not in path.split("/")


@pytest.mark.parametrize(
    ("path", "user", "name", "slice"),
    [
        (None, False, "runc-demo.scope", "system.slice"),
        (None, True, "runc-demo.scope", "user.slice"),
        ("", False, "runc-demo.scope", "system.slice"),
        ("a-b.slice:pre:name", False, "pre-name.scope", "a-b.slice"),
        (":pre:name", False, "pre-name.scope", "system.slice"),
        (":pre:name", True, "pre-name.scope", "user.slice"),
        ("a.slice::name", False, "-name.scope", "a.slice"),
        ("a.slice:pre:x.scope", False, "pre-x.scope.scope", "a.slice"),
    ],
)
def test_units(path: str | None, user: bool, name: str, slice: str) -> None:
    unit = container_unit(path, "demo", user)
    assert (unit.name, unit.slice) == (name, slice)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/demo", "has not three parts"),
        ("a.slice:b", "has not three parts"),
        ("a.slice:b:c:d", "has not three parts"),
        ("a.slice:b:", "has no name"),
        ("a.slice:b:c.slice", "scopes only"),
        ("a.slice:b:c/d", 'has "/"'),
        ("a.slice:b/../c:d", 'has "/"'),
        ("a.slice:b:" + 250 * "c", "more than 255"),
        ("a:b:c", "is not the name of a slice"),
    ],
)
def test_bad_paths(path: str, words: str) -> None:
    with pytest.raises(PlanError) as caught:
        container_unit(path, "demo", False)
    assert str(caught.value).startswith("linux.cgroupsPath: ")
    assert words in str(caught.value)
    assert "SLICE:PREFIX:NAME" in str(caught.value)


def test_directories_on_v2() -> None:
    host = samples.root_host(systemd=Systemd())
    assert systemd_cgroups("a-b.slice:x:y", "demo", host) == [
        ((), "/sys/fs/cgroup/a.slice/a-b.slice/x-y.scope")
    ]


def test_directories_below_a_users_manager() -> None:
    host = samples.user_host(systemd=Systemd(user=True, control_group="/user.slice/u.slice/user@1.service"))
    path = "/sys/fs/cgroup/user.slice/u.slice/user@1.service/user.slice/runc-demo.scope"
    assert systemd_cgroups(None, "demo", host) == [((), path)]


def test_directories_on_hybrid() -> None:
    v1 = ((("cpu", "cpuacct"), "/c/cpu", "/own"), (("name=systemd",), "/c/systemd", "/own"))
    layout = CgroupLayout("hybrid", v1, "/c/unified", "/own")
    host = samples.root_host(systemd=Systemd(), cgroup=layout)
    assert systemd_cgroups(":x:y", "demo", host) == [
        (("cpu", "cpuacct"), "/c/cpu/system.slice/x-y.scope"),
        (("name=systemd",), "/c/systemd/system.slice/x-y.scope"),
        ((), "/c/unified/system.slice/x-y.scope"),
    ]


def test_a_user_has_no_cgroups_on_v1() -> None:
    layout = CgroupLayout("v1", ((("memory",), "/c/memory", "/"),), "")
    host = samples.user_host(systemd=Systemd(user=True), cgroup=layout)
    with pytest.raises(PlanError, match="no cgroups to give on cgroup v1"):
        systemd_cgroups(None, "demo", host)
