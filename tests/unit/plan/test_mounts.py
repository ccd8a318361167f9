"""Mounts: rules, order, and what each entry of config.json becomes."""

from typing import Any

import pytest

from runtime.errors import PlanError
from runtime.linux import constants as k
from runtime.plan.mounts import PROC_FILES
from runtime.plan.ops import Plan

from . import samples
from .samples import mount


def plan_with(*mounts: dict[str, Any], host: Any = None, **options: Any) -> Plan:
    value = samples.config()
    value["mounts"] = [mount("/proc", "proc", "proc"), *mounts]
    return samples.create(value, host, **options)


def refusal(*mounts: dict[str, Any], host: Any = None) -> str:
    with pytest.raises(PlanError) as caught:
        plan_with(*mounts, host=host)
    return str(caught.value)


def test_mounts_come_in_the_order_listed() -> None:
    entries = [mount(f"/m{number}", "tmpfs", "tmpfs") for number in range(3)]
    entries.insert(1, mount("/b", None, "/src", "bind"))
    plan = plan_with(*entries)
    targets = [op.args["target"] for op in samples.ops(plan, "mount", "bind")]
    assert targets == ["/proc", "/m0", "/b", "/m1", "/m2"]
    causes = [op.cause for op in samples.ops(plan, "mount", "bind")]
    assert causes == [f"/mounts/{index}" for index in range(5)]


@pytest.mark.parametrize(
    ("destination", "target"),
    [("/a/../b//c/.", "/b/c"), ("relative", "/relative"), ("/../../x", "/x"), ("/dev/", "/dev")],
)
def test_targets_are_clean(destination: str, target: str) -> None:
    value = samples.config()
    value["mounts"] = [mount("/placeholder", "tmpfs", "tmpfs")]
    spec = samples.decode(value)
    # a relative destination is deprecated, but not everybody's config is new
    assert spec.mounts is not None
    spec.mounts[0].destination = destination
    plan = samples.compile_create(
        spec, samples.BUNDLE, samples.ROOTFS, samples.root_host(), samples.CreateOptions(id="demo")
    )
    assert samples.only(plan, "mount").args["target"] == target


def test_sources_of_binds_are_relative_to_the_bundle() -> None:
    plan = plan_with(mount("/a", None, "data", "bind"), mount("/b", None, "/data", "rbind"))
    trees = {op.args["tree"]: op.args for op in samples.ops(plan, "open_tree")}
    assert trees["mounts[1]"]["source"] == "/bundle/data" and trees["mounts[1]"]["recursive"] == 0
    assert trees["mounts[2]"]["source"] == "/data" and trees["mounts[2]"]["recursive"] == 1


def test_the_type_alone_makes_a_bind() -> None:
    plan = plan_with(mount("/a", "bind", "/data"))
    assert samples.only(plan, "bind").args["target"] == "/a"


def test_attributes_of_a_bind() -> None:
    plan = plan_with(mount("/a", None, "/data", "rbind", "ro", "suid", "rnodev", "rexec", "slave", "rshared"))
    args = samples.only(plan, "bind").args
    assert (args["attr_set"], args["attr_clr"]) == (k.MOUNT_ATTR_RDONLY, k.MOUNT_ATTR_NOSUID)
    assert (args["rec_set"], args["rec_clr"]) == (k.MOUNT_ATTR_NODEV, k.MOUNT_ATTR_NOEXEC)
    assert args["propagation"] == [k.MS_SLAVE, k.MS_SHARED | k.MS_REC]


def test_file_system_words_on_a_bind_are_a_warning() -> None:
    plan = plan_with(mount("/a", None, "/data", "bind", "mode=755", "size=1k"))
    assert plan.warnings == ["mounts[1].options: mode=755,size=1k: no effect on a bind mount"]


def test_sources_are_opened_in_the_order_of_the_mounts() -> None:
    """Since Linux 6.8 a list of mounts is sorted by age."""
    plan = plan_with(mount("/a", None, "/data", "bind"), mount("/b", None, "/srv/../x", "bind"))
    ops = [op.args.get("tree") for op in plan.ops if op.code in ("fork", "mount", "open_tree", "bind")]
    assert ops == ["rootfs", None, None, "mounts[1]", "mounts[1]", "mounts[2]", "mounts[2]"]


@pytest.mark.parametrize(
    "source", ["/", "/bundle", "/bundle/", "/bundle/rootfs", "/bundle/rootfs/etc", "rootfs"]
)
def test_a_source_that_holds_the_root_is_opened_before_it_is_filled(source: str) -> None:
    plan = plan_with(mount("/a", None, source, "rbind"), mount("/b", None, "/bundle/root", "bind"))
    codes = [(op.code, op.args.get("tree")) for op in plan.ops]
    fork = codes.index(("fork", None))
    assert codes.index(("open_tree", "mounts[1]")) < fork < codes.index(("open_tree", "mounts[2]"))


def test_a_new_file_system() -> None:
    words = ("nosuid", "noatime", "sync", "ro", "data=ordered", "lazytime", "errors=panic", "rnodev")
    plan = plan_with(mount("/a", "ext4", "/dev/vdb", *words))
    args = samples.ops(plan, "mount")[1].args
    assert (args["type"], args["source"], args["data"]) == ("ext4", "/dev/vdb", "data=ordered,errors=panic")
    # read-only is said to both: the mount, and the superblock, whose journal must not be written
    assert args["superflags"] == "sync,lazytime,ro"
    assert args["attrs"] == (
        k.MOUNT_ATTR_NOSUID | k.MOUNT_ATTR_NOATIME | k.MOUNT_ATTR_RDONLY | k.MOUNT_ATTR_NODEV
    )
    assert (args["copy_up"], args["inherit_mode"], args["mount"]) == (0, 0, None)


def test_the_source_defaults_to_the_type() -> None:
    plan = plan_with({"destination": "/a", "type": "mqueue"})
    assert samples.ops(plan, "mount")[1].args["source"] == "mqueue"


@pytest.mark.parametrize(
    ("words", "copy_up", "inherit_mode"),
    [([], 0, 1), (["mode=1777"], 0, 0), (["tmpcopyup"], 1, 1), (["tmpcopyup", "mode=700"], 1, 0)],
)
def test_tmpfs(words: list[str], copy_up: int, inherit_mode: int) -> None:
    args = samples.ops(plan_with(mount("/a", "tmpfs", "tmpfs", *words)), "mount")[1].args
    assert (args["copy_up"], args["inherit_mode"]) == (copy_up, inherit_mode)


@pytest.mark.parametrize(("destination", "kind"), [("/a", "tmpfs"), ("/dev", "tmpfs"), ("/dev", "devtmpfs")])
def test_what_is_filled_is_made_read_only_late(destination: str, kind: str) -> None:
    plan = plan_with(mount(destination, kind, kind, "ro", "nosuid"))
    args = samples.ops(plan, "mount")[1].args
    assert args["attrs"] == k.MOUNT_ATTR_NOSUID and "ro" not in args["superflags"].split(",")
    late = samples.position(plan, "set_attr", mount=args["mount"])
    assert plan.ops[late].args["attr_set"] == k.MOUNT_ATTR_RDONLY
    assert late > max(samples.position(plan, code) for code in ("pivot_root", "make_cwd", "reopen_dev_null"))
    assert late < samples.position(plan, "set_attr", mount="root")


def test_a_read_only_bind_of_dev_is_read_only_at_once() -> None:
    plan = plan_with(mount("/dev", None, "/dev", "rbind", "ro"))
    assert samples.only(plan, "bind").args["attr_set"] == k.MOUNT_ATTR_RDONLY
    assert [op.args["mount"] for op in samples.ops(plan, "set_attr")] == ["root"]


# rules


def test_not_on_the_root_itself() -> None:
    text = refusal(mount("/..", "tmpfs", "tmpfs"))
    assert text.startswith('mounts[1].destination: "/" is the root file system itself; ')


def test_a_mount_needs_a_type() -> None:
    assert refusal(mount("/a", None, "tmpfs")).startswith("mounts[1].type: missing; name a file system")


@pytest.mark.parametrize("destination", ["/proc/sys", "/proc/1/ns", "/x/../proc/self", "/proc/cpuinfo/x"])
def test_nothing_inside_proc(destination: str) -> None:
    text = refusal(mount(destination, "tmpfs", "tmpfs"))
    assert "cannot be mounted because it is inside /proc; only these may be covered: /proc/cpuinfo" in text
    assert "is inside /proc" in refusal(mount(destination, None, "/src", "bind"))


@pytest.mark.parametrize("destination", PROC_FILES)
def test_but_for_the_files_of_lxcfs(destination: str) -> None:
    plan = plan_with(mount(destination, None, "/var/lib/lxcfs/x", "bind"))
    assert samples.only(plan, "bind").args["must_be_procfs"] == 0


def test_proc_is_proc() -> None:
    assert refusal(mount("/proc", "tmpfs", "tmpfs")) == (
        "mounts[1].destination: only proc can be mounted on /proc, not tmpfs"
    )
    assert samples.only(plan_with(mount("/proc", None, "/proc", "rbind")), "bind").args["must_be_procfs"] == 1
    assert (
        samples.ops(plan_with(mount("/process", "tmpfs", "tmpfs")), "mount")[1].args["target"] == "/process"
    )


# remount


def test_remount_changes_an_earlier_entry() -> None:
    plan = plan_with(
        mount("/a", "ramfs", "x"), mount("/b", "tmpfs", "x"), mount("/a/", None, "", "remount", "ro")
    )
    remount = samples.ops(plan, "set_attr")[0]
    assert remount.cause == "/mounts/3"
    assert (remount.args["mount"], remount.args["attr_set"]) == ("mounts[1]", k.MOUNT_ATTR_RDONLY)
    kept = {op.args["target"]: op.args["mount"] for op in samples.ops(plan, "mount")}
    assert kept == {"/proc": None, "/a": "mounts[1]", "/b": None}


def test_read_only_remount_of_a_tmpfs_comes_when_it_has_been_filled() -> None:
    plan = plan_with(mount("/a", "tmpfs", "x"), mount("/a", "tmpfs", "", "remount", "ro", "nosuid"))
    early, late = samples.ops(plan, "set_attr")[:2]
    assert (early.args["mount"], early.args["attr_set"]) == ("mounts[1]", k.MOUNT_ATTR_NOSUID)
    assert (late.args["mount"], late.args["attr_set"]) == ("mounts[1]", k.MOUNT_ATTR_RDONLY)
    assert late.cause == "/mounts/2/options"
    assert plan.ops.index(late) > plan.ops.index(samples.only(plan, "pivot_root"))


def test_remount_of_a_bind_keeps_its_tree() -> None:
    plan = plan_with(mount("/a", None, "/src", "bind"), mount("/a", None, "/src", "bind", "remount", "rro"))
    args = samples.ops(plan, "set_attr")[0].args
    assert (args["mount"], args["attr_set"], args["recursive"]) == ("mounts[1]", k.MOUNT_ATTR_RDONLY, 1)


def test_remount_of_nothing_is_refused() -> None:
    text = refusal(mount("/a", None, "", "remount", "ro"))
    assert text == "mounts[1].options: remount: no earlier mount is on /a"


def test_remount_of_cgroups_is_refused() -> None:
    text = refusal(
        mount("/sys/fs/cgroup", "cgroup", "cgroup"), mount("/sys/fs/cgroup", None, "", "remount", "ro")
    )
    assert text.startswith("mounts[2].options: remount: a mount of type cgroup is many mounts")


# id-mapped mounts

IDS = [{"containerID": 0, "hostID": 7, "size": 1}]


def test_mappings_make_an_idmapped_mount_even_without_the_word() -> None:
    plan = plan_with(mount("/a", None, "/src", "rbind", uidMappings=IDS, gidMappings=IDS))
    made = samples.only(plan, "open_user_namespace")
    assert made.args == {"userns": "userns[0]", "uid_map": "0 7 1\n", "gid_map": "0 7 1\n"}
    opened = samples.ops(plan, "open_tree")[1].args
    assert (opened["userns"], opened["recursive"], opened["userns_recursive"]) == ("userns[0]", 1, 0)


def test_idmap_of_a_joined_user_namespace_is_its_own() -> None:
    value = samples.with_namespaces(samples.config(), ("user", "/run/pod/user"))
    value["mounts"].append(mount("/a", None, "/src", "bind", "ridmap"))
    plan = samples.create(value)
    opened = next(op for op in samples.ops(plan, "open_tree") if op.args["tree"] == "mounts[6]")
    assert opened.args["userns"] == samples.only(plan, "open_namespace").args["ns"]
    assert opened.args["userns_recursive"] == 1
    assert samples.ops(plan, "open_user_namespace") == []


def test_idmapped_mounts_need_privilege() -> None:
    value = samples.with_namespaces(samples.config(), "user")
    value["mounts"].append(mount("/a", None, "/src", "bind", "idmap"))
    with pytest.raises(PlanError, match=r"^mounts\[6\]\.options: an id-mapped mount needs CAP_SYS_ADMIN"):
        samples.create(value, samples.user_host())


# sysfs


@pytest.mark.parametrize(
    ("namespaces", "dropped", "fallback"),
    [((), (), False), (("user",), (), False), (("user",), ("network",), True), ((), ("network",), False)],
)
def test_sysfs_has_a_stand_in_where_the_network_is_anothers(
    namespaces: tuple[str, ...], dropped: tuple[str, ...], fallback: bool
) -> None:
    value = samples.without_namespaces(samples.with_namespaces(samples.config(), *namespaces), *dropped)
    plan = samples.create(value)
    sysfs = next(op for op in samples.ops(plan, "mount") if op.args["type"] == "sysfs")
    assert sysfs.args["fallback"] == ("mounts[5].fallback" if fallback else None)
    sources = [op.args["source"] for op in samples.ops(plan, "open_tree")]
    assert ("/sys" in sources) == fallback


def test_the_notify_socket_comes_after_the_mounts() -> None:
    plan = plan_with(mount("/run", "tmpfs", "tmpfs"), notify_socket_dir="/run/planc/demo/notify")
    bound = samples.ops(plan, "mount", "bind")[-1]
    assert (bound.args["tree"], bound.args["target"]) == ("notify", "/run/notify")
    assert bound.args["attr_set"] == (
        k.MOUNT_ATTR_RDONLY | k.MOUNT_ATTR_NOSUID | k.MOUNT_ATTR_NODEV | k.MOUNT_ATTR_NOEXEC
    )
    assert samples.only(plan, "environment").args["env"][-1] == "NOTIFY_SOCKET=/run/notify/notify.sock"
