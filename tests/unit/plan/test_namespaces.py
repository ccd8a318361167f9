"""Namespaces, the root file system, and the order of both."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import PlanError
from runtime.linux import constants as k
from runtime.linux.host import CgroupLayout, Host
from runtime.plan.namespaces import FLAGS
from runtime.plan.ops import Plan

from . import samples

HOSTS = {"root": samples.root_host(), "user": samples.user_host()}
CHOICES = st.fixed_dictionaries({kind: st.sampled_from(["", "new", "path"]) for kind in FLAGS})


def config_with(choice: dict[str, str]) -> Any:
    """A config with just these namespaces, valid whatever they are."""
    value = samples.config()
    for name in ("hostname", "domainname"):
        value.pop(name, None)
    value["linux"] = {"namespaces": []}
    for kind, how in choice.items():
        if how:
            samples.with_namespaces(value, (kind, f"/ns/{kind}") if how == "path" else kind)
    return value


@given(CHOICES, st.sampled_from(sorted(HOSTS)))
def test_every_namespace_is_made_or_joined_once(choice: dict[str, str], caller: str) -> None:
    host: Host = HOSTS[caller]
    if caller == "user" and not choice["user"]:
        with pytest.raises(PlanError, match="needs a user namespace"):
            samples.create(config_with(choice), host)
        return
    if choice["user"] and not choice["mount"]:
        with pytest.raises(PlanError, match="can mount nothing without a mount namespace"):
            samples.create(config_with(choice), host)
        return
    plan = samples.create(config_with(choice), host)
    new = sum(op.args["flags"] for op in samples.ops(plan, "unshare"))
    assert new == sum(FLAGS[kind] for kind, how in choice.items() if how == "new")
    joined = {op.args["type"] for op in samples.ops(plan, "setns")}
    assert joined == {FLAGS[kind] for kind, how in choice.items() if how == "path"}
    check_order(plan, choice, host)


def check_order(plan: Plan, choice: dict[str, str], host: Host) -> None:
    """The rules of namespaces(7) and setns(2) that any plan has to follow."""
    codes = [op.code for op in plan.ops]
    fork = codes.index("fork")
    joins = [index for index, code in enumerate(codes) if code == "setns"]
    opens = [index for index, code in enumerate(codes) if code == "open_namespace"]
    assert len(opens) == len(joins) and max(opens, default=-1) < min(joins, default=fork) <= fork
    by_flags = {op.args["flags"]: index for index, op in enumerate(plan.ops) if op.code == "unshare"}
    rest = [index for flags, index in by_flags.items() if flags not in (k.CLONE_NEWUSER, k.CLONE_NEWCGROUP)]
    assert len(rest) <= 1 and all(index < fork for index in rest)
    if choice["cgroup"] == "new":
        # the root of a cgroup namespace is the cgroup of who makes it: after the process is inside
        assert by_flags[k.CLONE_NEWCGROUP] > fork > codes.index("spawn")
    if choice["user"] == "new":
        user = by_flags[k.CLONE_NEWUSER]
        assert [op.code for op in plan.ops[user : user + 3]] == ["unshare", "id_map", "become_root"]
        assert all(index > user for index in rest)
    if choice["user"] == "path":
        user = samples.position(plan, "setns", type=k.CLONE_NEWUSER)
        others = [index for index in joins if index != user]
        privileged = host.capable(samples.SYS_ADMIN)
        assert all((index < user) == privileged for index in others)
        assert all(index > user for index in rest)
    trees = [index for index, code in enumerate(codes) if code == "open_tree"]
    assert trees and max(trees) < fork
    check_trees(plan, choice, trees, rest, host)


def check_trees(plan: Plan, choice: dict[str, str], trees: list[int], rest: list[int], host: Host) -> None:
    """open_tree(2) needs a mount namespace one is privileged in, with the caller's files in it."""
    codes = [op.code for op in plan.ops]
    barriers = [index for index, code in enumerate(codes) if code in ("setns", "unshare")]
    if not host.capable(samples.SYS_ADMIN):
        assert min(trees) > max([index for index in barriers if index < codes.index("fork")])
    elif choice["user"] or choice["mount"] != "new":
        assert max(trees) < min(barriers, default=len(codes))
    else:
        assert min(trees) > rest[0]
    held = host.capable(samples.SYS_ADMIN) and choice["user"] and choice["mount"] == "new"
    assert ("hold_trees" in codes) == ("take_trees" in codes) == bool(held)
    if held:
        assert max(trees) < codes.index("hold_trees") < min(barriers)
        assert rest[0] < codes.index("take_trees") < codes.index("fork")


@given(CHOICES)
def test_exec_joins_all_at_once(choice: dict[str, str]) -> None:
    plan = samples.exec_(config_with(choice))
    own = sum(FLAGS[kind] for kind, how in choice.items() if how)
    assert [op.args for op in samples.ops(plan, "setns")] == ([{"ns": "pidfd", "type": own}] if own else [])
    assert bool(samples.ops(plan, "become_root")) == bool(choice["user"])
    assert bool(samples.ops(plan, "chroot")) == (not choice["mount"])
    assert samples.ops(plan, "wait_start", "save_state", "reserve_state", "unshare") == []


def test_the_stage_is_not_dumpable_as_soon_as_can_be() -> None:
    plan = samples.create(samples.config())
    assert samples.position(plan, "dumpable") == samples.position(plan, "spawn") + 1
    # without privilege its map files would be root's, and nobody could write them; nor could a user's hooks
    # enter the namespaces of init, which nobody but the user can look at
    plan = samples.create(samples.with_namespaces(samples.config(), "user"), samples.user_host())
    assert [op.args for op in samples.ops(plan, "dumpable")] == [{"value": 1}]
    # but there may be somebody in a user namespace that is joined
    value = samples.with_namespaces(samples.config(), "user")
    value["linux"]["namespaces"][-1]["path"] = "/proc/7/ns/user"
    plan = samples.create(value, samples.user_host())
    assert samples.position(plan, "dumpable", value=0) == samples.position(plan, "become_root") + 1
    assert samples.position(plan, "dumpable", value=1) > samples.position(plan, "setuid")


def test_a_user_may_look_at_the_created_container() -> None:
    """Between the last change of ids, which makes the process undumpable, and a filter against prctl(2)."""
    assert samples.position(samples.create(samples.config()), "dumpable") < 10
    value = samples.with_namespaces(samples.config(), "user")
    value["process"]["noNewPrivileges"] = False
    value["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ERRNO"}
    codes = [op.code for op in samples.create(value, samples.user_host()).ops]
    last = len(codes) - 1 - codes[::-1].index("dumpable")
    assert codes.index("setuid") < last < codes.index("seccomp") < codes.index("capset")
    assert "dumpable" not in [op.code for op in samples.create(value).ops][codes.index("setuid") :]


def test_how_the_stage_gets_into_its_cgroups() -> None:
    """On v2 it is born inside; v1 it enters first of all, and what may be forbidden is the runtime's."""
    hybrid = CgroupLayout("hybrid", ((("cpu", "devices"), "/cg/v1", "/me"),), "/cg/unified", "/me")
    assert samples.ops(samples.create(samples.config()), "enter_cgroups", "cgroup_join") == []
    plan = samples.create(samples.config(), samples.root_host(cgroup=hybrid))
    assert plan.ops[samples.position(plan, "spawn") + 1].args == {"tasks": ["/cg/v1/me/demo/tasks"]}
    assert samples.only(plan, "enter_cgroups")
    plan = samples.create(samples.config(), samples.root_host(cgroup=hybrid), rootless=True)
    assert plan.ops[samples.position(plan, "spawn") + 1].code == "cgroup_join"
    assert samples.ops(plan, "enter_cgroups") == []


def test_oom_score_adj_is_written_while_the_file_is_still_ours() -> None:
    value = samples.config()
    value["process"]["oomScoreAdj"] = 0
    plan = samples.create(value)
    assert samples.only(plan, "oom_score_adj").args == {"value": 0}
    assert samples.position(plan, "oom_score_adj") < samples.position(plan, "dumpable")


def test_time_offsets() -> None:
    value = samples.with_namespaces(samples.config(), "time")
    assert samples.ops(samples.create(value), "time_offsets") == []
    value["linux"]["timeOffsets"] = {"monotonic": {"secs": -5, "nanosecs": 7}}
    plan = samples.create(value)
    assert samples.only(plan, "time_offsets").args["text"] == "monotonic -5 7\nboottime 0 0\n"
    assert len(samples.ops(plan, "dumpable")) == 1
    samples.with_namespaces(value, "user")
    codes = [op.code for op in samples.create(value).ops]
    at = codes.index("time_offsets")
    assert codes[at - 1 : at + 2] == ["dumpable", "time_offsets", "dumpable"]
    codes = [op.code for op in samples.create(value, samples.user_host()).ops]
    at = codes.index("time_offsets")
    assert "dumpable" not in codes[: at + 2]


def test_loopback_only_in_a_new_network_namespace() -> None:
    value = samples.config()
    assert samples.only(samples.create(value), "loopback_up")
    samples.with_namespaces(value, ("network", "/ns/net"))
    assert samples.ops(samples.create(value), "loopback_up") == []


# the root


@pytest.mark.parametrize(
    ("word", "before", "tree", "bind", "parent_private", "after"),
    [
        (None, k.MS_SLAVE, k.MS_SLAVE, k.MS_SLAVE, 0, None),
        ("slave", k.MS_SLAVE, k.MS_SLAVE, k.MS_SLAVE, 0, None),
        ("rslave", k.MS_SLAVE, k.MS_SLAVE, k.MS_SLAVE, 0, None),
        ("private", k.MS_PRIVATE, k.MS_PRIVATE, k.MS_PRIVATE, 0, None),
        ("rprivate", k.MS_PRIVATE, k.MS_PRIVATE, k.MS_PRIVATE, 0, None),
        ("shared", None, k.MS_PRIVATE, 0, 1, k.MS_SHARED),
        ("rshared", None, k.MS_PRIVATE, 0, 1, k.MS_SHARED | k.MS_REC),
        ("unbindable", k.MS_PRIVATE, k.MS_PRIVATE, k.MS_PRIVATE, 0, k.MS_UNBINDABLE),
        ("runbindable", k.MS_PRIVATE, k.MS_PRIVATE, k.MS_PRIVATE, 0, k.MS_UNBINDABLE | k.MS_REC),
    ],
)
def test_propagation(
    word: str | None, before: int | None, tree: int, bind: int, parent_private: int, after: int | None
) -> None:
    value = samples.config()
    value["linux"]["rootfsPropagation"] = word
    value["mounts"].append(samples.mount("/a", None, "/src", "bind"))
    plan = samples.create(value)
    pivot = samples.position(plan, "pivot_root")
    changes = [index for index, op in enumerate(plan.ops) if op.code == "root_propagation"]
    early = [plan.ops[index].args["flags"] for index in changes if index < pivot]
    late = [plan.ops[index].args["flags"] for index in changes if index > pivot]
    assert early == ([] if before is None else [before | k.MS_REC])
    assert late == ([] if after is None else [after])
    opened = {op.args["tree"]: op.args["propagation"] for op in samples.ops(plan, "open_tree")}
    assert (opened["rootfs"], opened["mounts[6]"]) == (tree, bind)
    assert samples.only(plan, "attach_rootfs").args["parent_private"] == parent_private


def test_no_pivot() -> None:
    plan = samples.create(samples.config(), no_pivot=True)
    assert samples.ops(plan, "pivot_root") == [] and samples.only(plan, "move_root")
    value = samples.config()
    value["linux"]["rootfsPropagation"] = "private"
    with pytest.raises(PlanError, match=r"^linux\.rootfsPropagation: private is not safe with --no-pivot"):
        samples.create(value, no_pivot=True)


def test_without_a_mount_namespace_nothing_of_the_callers_is_changed() -> None:
    value = config_with(dict.fromkeys(FLAGS, ""))
    value["linux"]["rootfsPropagation"] = "rshared"
    plan = samples.create(value)
    assert samples.ops(plan, "root_propagation", "pivot_root", "move_root") == []
    assert samples.only(plan, "chroot").args == {"root": "root"}
    assert samples.only(plan, "attach_rootfs").args["parent_private"] == 0
    assert samples.only(plan, "open_tree").args["propagation"] == k.MS_PRIVATE


def test_a_writable_root() -> None:
    value = samples.config(root={"path": "rootfs"})
    assert samples.ops(samples.create(value), "set_attr") == []


def test_masks_are_the_last_that_touches_files() -> None:
    value = samples.config()
    value["linux"]["maskedPaths"] = ["/proc/a", "/proc//a", "/proc/b"]
    value["linux"]["readonlyPaths"] = ["/proc/c", "/proc/c"]
    plan = samples.create(value)
    assert [op.args["path"] for op in samples.ops(plan, "mask_path")] == ["/proc/a", "/proc/b"]
    assert [op.cause for op in samples.ops(plan, "mask_path")] == [
        "/linux/maskedPaths/0",
        "/linux/maskedPaths/2",
    ]
    first = samples.position(plan, "readonly_path")
    assert first > samples.position(plan, "hostname")
    assert first < samples.position(plan, "mask_path", path="/proc/a")
