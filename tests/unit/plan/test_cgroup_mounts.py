"""Mounts of type cgroup: v1, hybrid, v2; with and without a cgroup namespace; rootless."""

from typing import Any

import pytest

from runtime.linux.constants import (
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
)
from runtime.linux.host import CgroupLayout
from runtime.plan.ops import Op, Plan

from . import samples

SAFE = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC
V1 = CgroupLayout(
    "v1",
    (
        (("cpu", "cpuacct"), "/sys/fs/cgroup/cpu,cpuacct", "/"),
        (("memory",), "/sys/fs/cgroup/memory", "/own"),
        (("name=systemd",), "/sys/fs/cgroup/systemd", "/"),
    ),
    "",
)
HYBRID = CgroupLayout("hybrid", V1.v1[1:2], "/sys/fs/cgroup/unified", "/")
V2 = CgroupLayout("v2", (), "/sys/fs/cgroup", "/user.slice/session", ("memory",))


def planned(
    layout: CgroupLayout,
    *options: str,
    namespaces: tuple[str, ...] = (),
    path: str | None = "/c",
    **more: Any,
) -> Plan:
    value = samples.without_namespaces(samples.config(), "cgroup")
    value["mounts"].append(samples.mount("/sys/fs/cgroup", "cgroup", "cgroup", *options))
    if path:
        value["linux"]["cgroupsPath"] = path
    value["linux"].pop("resources", None)
    host = more.pop("host", None) or samples.root_host(cgroup=layout)
    return samples.create(samples.with_namespaces(value, *namespaces), host, **more)


def of_the_mount(plan: Plan, code: str) -> list[Op]:
    cause = "/mounts/6"
    return [op for op in plan.ops if op.code == code and op.cause in (cause, cause + "/options")]


def shown(plan: Plan) -> list[tuple[str, str | None]]:
    """(target, source) of each bind mount, by way of its tree."""
    trees = {op.args["tree"]: op.args["source"] for op in of_the_mount(plan, "open_tree")}
    return [(op.args["target"], trees[op.args["tree"]]) for op in of_the_mount(plan, "bind")]


def test_the_mount_is_the_sixth() -> None:
    value = samples.config()
    assert len(value["mounts"]) == 6


def test_v1_binds_the_containers_own_cgroups() -> None:
    plan = planned(V1, "ro", "nosuid")
    assert shown(plan) == [
        ("/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/c"),
        ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/c"),
        ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/systemd/c"),
    ]
    assert {op.args["attr_set"] for op in of_the_mount(plan, "bind")} == {SAFE | MOUNT_ATTR_RDONLY}


def test_v1_has_a_link_for_each_of_several_controllers() -> None:
    links = [(op.args["path"], op.args["target"]) for op in of_the_mount(planned(V1), "symlink")]
    assert links == [("/sys/fs/cgroup/cpu", "cpu,cpuacct"), ("/sys/fs/cgroup/cpuacct", "cpu,cpuacct")]


def test_v1_is_a_tmpfs_that_becomes_read_only_at_the_end() -> None:
    plan = planned(V1, "ro")
    (tmpfs,) = of_the_mount(plan, "mount")
    assert (tmpfs.args["type"], tmpfs.args["data"], tmpfs.args["attrs"]) == ("tmpfs", "mode=755", SAFE)
    (readonly,) = of_the_mount(plan, "set_attr")
    assert (readonly.args["mount"], readonly.args["attr_set"]) == (tmpfs.args["mount"], MOUNT_ATTR_RDONLY)
    mine = [op for op in plan.ops if op.cause.startswith("/mounts/6") and op.code != "open_tree"]
    assert (mine[0], mine[-1]) == (tmpfs, readonly)


def test_v1_writable_when_not_asked_for_ro() -> None:
    plan = planned(V1, "rw", "nosuid")
    assert of_the_mount(plan, "set_attr") == []
    assert not any(op.args["attr_set"] & MOUNT_ATTR_RDONLY for op in of_the_mount(plan, "bind"))


def test_v1_in_a_cgroup_namespace_mounts_anew() -> None:
    plan = planned(V1, "ro", namespaces=("cgroup",))
    assert of_the_mount(plan, "open_tree") == of_the_mount(plan, "bind") == []
    mounts = [(op.args["type"], op.args["target"], op.args["data"]) for op in of_the_mount(plan, "mount")[1:]]
    assert mounts == [
        ("cgroup", "/sys/fs/cgroup/cpu,cpuacct", "cpu,cpuacct"),
        ("cgroup", "/sys/fs/cgroup/memory", "memory"),
        ("cgroup", "/sys/fs/cgroup/systemd", "none,name=systemd"),
    ]
    attributes = {op.args["attrs"] for op in of_the_mount(plan, "mount")[1:]}
    assert attributes == {SAFE | MOUNT_ATTR_RDONLY}


def test_a_new_mount_comes_after_the_namespace() -> None:
    plan = planned(V1, namespaces=("cgroup",))
    (unshare,) = [op for op in samples.ops(plan, "unshare") if op.cause.startswith("/linux/namespaces")
                  and op.args["flags"] & 0x02000000]  # fmt: skip
    assert plan.ops.index(unshare) < plan.ops.index(of_the_mount(plan, "mount")[0])


def test_hybrid_has_the_unified_hierarchy_too() -> None:
    assert shown(planned(HYBRID))[-1] == ("/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified/c")
    new = of_the_mount(planned(HYBRID, namespaces=("cgroup",)), "mount")[-1]
    assert (new.args["type"], new.args["target"], new.args["data"]) == (
        "cgroup2",
        "/sys/fs/cgroup/unified",
        "",
    )


def test_v2_without_a_namespace_shows_what_the_host_has() -> None:
    """By a bind: a new mount would take the host's own mount options off."""
    plan = planned(V2, "ro")
    assert shown(plan) == [("/sys/fs/cgroup", "/sys/fs/cgroup")]
    assert of_the_mount(plan, "mount") == []
    assert of_the_mount(plan, "bind")[0].args["attr_set"] == MOUNT_ATTR_RDONLY


def test_v2_in_a_cgroup_namespace() -> None:
    plan = planned(V2, "ro", "nosuid", namespaces=("cgroup",))
    (mount,) = of_the_mount(plan, "mount")
    assert (mount.args["type"], mount.args["target"]) == ("cgroup2", "/sys/fs/cgroup")
    assert mount.args["attrs"] == MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID
    assert mount.args["fallback"] is None
    assert of_the_mount(plan, "open_tree") == []


@pytest.mark.parametrize("layout", [V1, HYBRID, V2])
def test_in_a_user_namespace_a_bind_stands_in_for_what_the_kernel_refuses(layout: CgroupLayout) -> None:
    plan = planned(layout, namespaces=("cgroup", "user"))
    trees = {op.args["tree"]: op.args["source"] for op in of_the_mount(plan, "open_tree")}
    mounts = [op for op in of_the_mount(plan, "mount") if op.args["type"] != "tmpfs"]
    sources = {op.args["target"]: trees[op.args["fallback"]] for op in mounts}
    if layout is V2:
        assert sources == {"/sys/fs/cgroup": "/sys/fs/cgroup/c"}
    else:
        assert sources == {target: f"{target}/c" for target in sources}
    assert len(sources) == len(layout.v1) + bool(layout.unified)


def test_rootless_without_a_path_shows_the_callers_cgroups() -> None:
    """There may be no permission for one of the container's."""
    host = samples.user_host(cgroup=V1)
    plan = planned(V1, "ro", path=None, namespaces=("user",), host=host, rootless=True)
    assert shown(plan) == [
        ("/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct"),
        ("/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/own"),
        ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/systemd"),
    ]


@pytest.mark.parametrize("namespaces", [(), ("cgroup",)])
def test_propagation_is_passed_on(namespaces: tuple[str, ...]) -> None:
    plan = planned(V1, "rprivate", namespaces=namespaces)
    ops = of_the_mount(plan, "mount") + of_the_mount(plan, "bind")
    assert {tuple(op.args["propagation"]) for op in ops} == {((1 << 18) | (1 << 14),)}


def test_trees_are_opened_before_init() -> None:
    plan = planned(V1)
    fork = samples.position(plan, "fork")
    assert all(plan.ops.index(op) < fork for op in of_the_mount(plan, "open_tree"))
    assert all(plan.ops.index(op) > fork for op in of_the_mount(plan, "bind"))


def test_a_host_without_cgroups_has_nothing_to_show() -> None:
    plan = planned(CgroupLayout("v2", (), ""), path=None)
    assert of_the_mount(plan, "mount") == of_the_mount(plan, "bind") == []
