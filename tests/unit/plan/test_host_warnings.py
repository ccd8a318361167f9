"""What explain warns about, for made-up hosts and configs."""

from typing import Any

import pytest

from runtime.errors import PlanError
from runtime.linux.facts import (
    CgroupFacts,
    HostFacts,
    IdFacts,
    IdmapFacts,
    KernelFacts,
    LimitFacts,
    NamespaceFacts,
    SeccompFacts,
)
from runtime.linux.host import CgroupLayout, Host, Systemd
from runtime.plan.capable_host import more_capable
from runtime.plan.host_warnings import HostWarning, host_warnings

from .samples import config, create, decode, mount, root_host, user_host, with_namespaces

KINDS = ("cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts")
ACTIONS = ("kill_process", "kill_thread", "trap", "errno", "user_notif", "trace", "log", "allow")
FLAGS = ("SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW")
WITHOUT_RESOURCE = (1 << 41) - 1 & ~(1 << 24)
HELPERS = {"newuidmap": ("/usr/bin/newuidmap", "setuid"), "newgidmap": ("/usr/bin/newgidmap", "setuid")}


def facts(host: Host | None = None, **changes: Any) -> HostFacts:
    """A host on which nothing is missing, but for `changes`."""
    whole: dict[str, Any] = {
        "host": host or root_host(),
        "namespaces": NamespaceFacts(kernel=KINDS),
        "cgroup": CgroupFacts(
            parents=(((), "/sys/fs/cgroup", 0),), available=("cpu", "memory", "pids"), swap=True
        ),
        "seccomp": SeccompFacts(actions=ACTIONS, flags=FLAGS),
        "ids": IdFacts(user="u", subuids=((100000, 65536),), subgids=((100000, 65536),), helpers=HELPERS),
        "limits": LimitFacts(rlimits={"RLIMIT_NOFILE": (1024, 4096)}),
    }
    return HostFacts(**{**whole, **changes})


def warnings(value: Any, given: HostFacts, **options: Any) -> list[HostWarning]:
    plan = create(value, given.host, rootless=options.get("rootless", False))
    return host_warnings(decode(value), plan, given, options.pop("rootless", False), **options)


def one(value: Any, given: HostFacts, **options: Any) -> HostWarning:
    (found,) = warnings(value, given, **options)
    return found


def test_a_host_that_has_everything() -> None:
    value = with_namespaces(config(), "user", "cgroup", "time")
    value["linux"]["resources"]["memory"] = {"limit": 1 << 30, "swap": 1 << 31}
    value["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1 << 20}]
    value["process"]["oomScoreAdj"] = -900
    assert warnings(value, facts()) == []


@pytest.mark.parametrize(
    ("kind", "namespaces", "message", "advice"),
    [
        ("time", {"kernel": KINDS[:5] + KINDS[6:]}, "the kernel has none", "CONFIG_TIME_NS"),
        ("network", {"tried": {"network": 28}, "limits": {"network": 0}}, "user.max_net_namespaces=0", "sysctl -w user.max_net_namespaces"),
        ("pid", {"tried": {"pid": 28}, "limits": {"pid": 50}}, "as many as user.max_pid_namespaces allows", "raise it"),
        ("user", {"user": 1, "sysctls": {"kernel.unprivileged_userns_clone": "0"}}, "unprivileged_userns_clone=0", "unprivileged_userns_clone=1"),
        ("mount", {"tried": {"mount": 1}, "sysctls": {"kernel.apparmor_restrict_unprivileged_userns": "1"}}, "AppArmor forbids it", "userns,"),
        ("ipc", {"tried": {"ipc": 1}}, "refused", "seccomp filter"),
    ],
)  # fmt: skip
def test_namespaces(kind: str, namespaces: dict[str, Any], message: str, advice: str) -> None:
    value = with_namespaces(config(), kind)
    index = [entry["type"] for entry in value["linux"]["namespaces"]].index(kind)
    found = one(value, facts(namespaces=NamespaceFacts(**{"kernel": KINDS, **namespaces})))
    assert found.pointer == f"/linux/namespaces/{index}"
    assert message in found.message and advice in found.advice


def test_a_joined_namespace_need_not_be_makable() -> None:
    value = with_namespaces(config(), ("network", "/run/netns/x"))
    given = facts(namespaces=NamespaceFacts(kernel=KINDS, tried={"network": 28}, limits={"network": 0}))
    assert warnings(value, given) == []


def test_proc_in_a_user_namespace() -> None:
    given = facts(namespaces=NamespaceFacts(kernel=KINDS, proc=1))
    assert warnings(config(), given) == []
    found = one(with_namespaces(config(), "user"), given)
    assert found.pointer == "/mounts/0" and "mounted over" in found.message


def test_kernel_without_the_calls() -> None:
    found = one(config(), facts(kernel=KernelFacts(calls={"openat2": 38, "clone3": 0})))
    assert (found.pointer, found.message) == ("", "this kernel has no openat2: no container can run")
    found = one(config(), facts(kernel=KernelFacts(executable_memfd=13, memfd_noexec=2)))
    assert "vm.memfd_noexec" in found.message


def test_root_file_system_of_the_ramdisk() -> None:
    given = facts(kernel=KernelFacts(root_file_system="rootfs"))
    assert str(one(config(), given)).endswith("pivot_root(2) fails; give --no-pivot")
    assert warnings(config(), given, no_pivot=True) == []


def test_rlimits_and_oom_score() -> None:
    value = config()
    value["process"]["rlimits"] = [
        {"type": "RLIMIT_NOFILE", "soft": 1, "hard": 4096},
        {"type": "RLIMIT_CORE", "soft": 1, "hard": 1 << 40},
    ]
    value["process"]["capabilities"] = {}
    given = facts(root_host(capabilities=WITHOUT_RESOURCE))
    assert warnings(value, given) == []
    value["process"]["rlimits"][0]["hard"] = 4097
    value["process"]["oomScoreAdj"] = -1
    limit, score = warnings(value, given)
    assert str(limit) == (
        "process.rlimits[0].hard: RLIMIT_NOFILE 4097 is above planc's own hard limit 4096; "
        "needs CAP_SYS_RESOURCE, or 4096 at most"
    )
    assert score.pointer == "/process/oomScoreAdj"


def test_capability_over_a_user_namespace_only() -> None:
    """Limits are the machine's: root of a user namespace cannot raise them."""
    value = config()
    value["process"]["oomScoreAdj"] = -1
    inside = root_host(user_namespace=True, uid_map=((0, 1000, 1),), gid_map=((0, 1000, 1),))
    assert "/process/oomScoreAdj" in [
        found.pointer for found in warnings(value, facts(inside), rootless=True)
    ]


def test_real_time() -> None:
    value = config()
    value["process"]["capabilities"] = {}
    value["process"]["scheduler"] = {"policy": "SCHED_FIFO", "priority": 5}
    value["process"]["ioPriority"] = {"class": "IOPRIO_CLASS_RT", "priority": 1}
    assert warnings(value, facts()) == []
    without = facts(root_host(capabilities=(1 << 41) - 1 & ~(1 << 23)))
    pointers = [found.pointer for found in warnings(value, without)]
    assert pointers == ["/process/scheduler/policy", "/process/ioPriority/class"]


def idmapped() -> Any:
    value = config()
    mapping = [{"containerID": 0, "hostID": 1, "size": 1}]
    entry = mount("/data", "bind", "/srv/data", "bind", uidMappings=mapping, gidMappings=mapping)
    value["mounts"].append(entry)
    return value


def test_idmapped_mounts() -> None:
    assert (
        warnings(idmapped(), facts(idmap=IdmapFacts(tried=(("/srv/data", "ext4", 0), ("", "tmpfs", 22)))))
        == []
    )
    found = one(idmapped(), facts(idmap=IdmapFacts(tried=(("/srv/data", "overlay", 22),))))
    assert found.pointer == f"/mounts/{len(idmapped()['mounts']) - 1}"
    assert found.message == "overlay on /srv/data takes no idmapped mounts on this kernel"
    found = one(idmapped(), facts(idmap=IdmapFacts(reason="not tried: why")))
    assert "not tried: why" in found.message


def test_newuidmap() -> None:
    value = with_namespaces(config(), "user")
    value["mounts"] = [entry for entry in value["mounts"] if entry["destination"] != "/sys"]
    user = user_host()
    fine = facts(user)
    assert warnings(value, fine, rootless=True) == []
    none = facts(user, ids=IdFacts(helpers={"newuidmap": ("", ""), "newgidmap": ("/bin/newgidmap", "")}))
    first, second = warnings(value, none, rootless=True)
    assert (first.pointer, first.message) == ("/linux/uidMappings", "newuidmap is not installed")
    assert (second.pointer, second.message) == ("/linux/gidMappings", "/bin/newgidmap has no privilege")
    assert warnings(value, facts(ids=IdFacts())) == [], "root needs no help"


def test_subordinate_ids() -> None:
    value = with_namespaces(config(), "user")
    few = IdFacts(subuids=((100000, 65535),), subgids=((1, 200000),), helpers=HELPERS)
    found = one(value, facts(user_host(), ids=few), rootless=True)
    assert found.pointer == "/linux/uidMappings/0"
    assert "100000:65536 is not yours to map: /etc/subuid gives you 100000:65535" in found.message
    elsewhere = IdFacts(helpers=HELPERS, nsswitch="sss")
    assert warnings(value, facts(user_host(), ids=elsewhere), rootless=True) == []


def with_memory(**more: Any) -> Any:
    value = config()
    value["linux"]["resources"] = {"memory": {"limit": 1 << 30, **more}}
    return value


def test_undelegated_controller() -> None:
    parents = (((), "/sys/fs/cgroup/user", 0),)
    stopped = {"memory": ("/sys/fs/cgroup/user", "why", "do this")}
    given = facts(cgroup=CgroupFacts(parents=parents, available=("pids",), stopped=stopped))
    found = one(with_memory(), given)
    assert found.pointer == "/linux/resources/memory/limit"
    assert found.message == "the memory controller ends at /sys/fs/cgroup/user: why"
    assert found.advice == "do this"


def test_one_warning_per_controller() -> None:
    value = with_memory(swap=1 << 31, reservation=5)
    assert len(warnings(value, facts(cgroup=CgroupFacts(parents=(((), "/c", 0),))))) == 1


def test_place_that_cannot_be_written() -> None:
    parents = (((), "/sys/fs/cgroup", 30),)
    given = facts(cgroup=CgroupFacts(parents=parents, available=("memory",)))
    found = one(with_memory(), given)
    assert (found.pointer, found.message) == (
        "/linux/cgroupsPath",
        "no cgroup can be made in /sys/fs/cgroup: read-only",
    )
    value = with_namespaces(with_memory(), "user")
    rootless = one(
        value, facts(user_host(), cgroup=CgroupFacts(parents=(((), "/sys/fs/cgroup", 13),))), rootless=True
    )
    assert rootless.pointer == "/linux/resources/memory/limit"
    assert "not delegated to this caller (no permission)" in rootless.message


def test_processes_cannot_be_moved_there() -> None:
    """A directory of one's own, but the caller is outside of what was delegated."""
    value = with_namespaces(with_memory(), "user")
    cgroup = CgroupFacts(parents=(((), "/sys/fs/cgroup/mine", 0),), join=13, available=("memory",))
    found = one(value, facts(user_host(), cgroup=cgroup), rootless=True)
    assert "not delegated" in found.message


def test_swap_and_weights() -> None:
    value = with_memory(swap=1 << 31)
    cgroup = CgroupFacts(parents=(((), "/c", 0),), available=("memory", "io"), swap=False)
    found = one(value, facts(cgroup=cgroup))
    assert (found.pointer, found.advice) == ("/linux/resources/memory/swap", "boot with swapaccount=1")
    value = config()
    value["linux"]["resources"] = {"blockIO": {"weight": 100}}
    host = root_host(cgroup=CgroupLayout(controllers=("io",)))
    assert "modprobe bfq" in one(value, facts(host, cgroup=cgroup)).advice


def test_without_effect_on_v2() -> None:
    value = with_memory(kernel=1 << 20, swappiness=0, disableOOMKiller=True)
    value["linux"]["resources"]["cpu"] = {"realtimePeriod": 1000000}
    value["linux"]["resources"]["network"] = {"classID": 5}
    found = warnings(value, facts())
    assert [warning.pointer.removeprefix("/linux/resources") for warning in found] == [
        "/memory/kernel", "/memory/swappiness", "/memory/disableOOMKiller", "/cpu/realtimePeriod", "/network/classID",
    ]  # fmt: skip
    assert {warning.message for warning in found} == {"has no effect on cgroup v2"}
    layout = CgroupLayout(
        "v1", tuple(((name,), f"/c/{name}", "/") for name in ("memory", "cpu", "net_cls")), "", "/"
    )
    parents = tuple(((name,), f"/c/{name}", 0) for name in ("memory", "cpu", "net_cls"))
    assert warnings(value, facts(root_host(cgroup=layout), cgroup=CgroupFacts(parents=parents))) == []


def seccomp(**changes: Any) -> Any:
    value = config()
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG"}]}
    value["linux"]["seccomp"] = {**profile, **changes}
    return value


def test_seccomp() -> None:
    assert warnings(seccomp(flags=[FLAGS[0], "SECCOMP_FILTER_FLAG_TSYNC"]), facts()) == []
    old = facts(seccomp=SeccompFacts(actions=("kill_thread", "errno", "allow"), flags=(FLAGS[1],)))
    flag, action = warnings(seccomp(flags=list(FLAGS)), old)
    assert (flag.pointer, action.pointer) == ("/linux/seccomp/flags/0", "/linux/seccomp/syscalls/0/action")
    assert action.message == "this kernel does not have SCMP_ACT_LOG"
    none = facts(seccomp=SeccompFacts(mode=None, bindings=False))
    assert "CONFIG_SECCOMP_FILTER" in one(seccomp(), none).advice
    without = facts(seccomp=SeccompFacts(actions=ACTIONS, bindings=False))
    assert "python3-seccomp" in one(seccomp(), without).advice
    assert warnings(config(), none) == [], "nothing asked for"


def test_as_text_and_json() -> None:
    warning = HostWarning("/mounts/3", "no", "do this")
    assert str(warning) == "mounts[3]: no; do this"
    assert str(HostWarning("", "no")) == "no"
    assert warning.as_json() == {"pointer": "/mounts/3", "message": "no", "advice": "do this"}


# hosts that could


def capable(value: Any, host: Host) -> list[str]:
    """What each host had that could carry out the config."""
    able = []
    for what, other in more_capable(host, decode(value)):
        try:
            create(value, other)
        except PlanError:
            continue
        able.append(what)
    return able


@pytest.mark.parametrize("mode", ["v1", "v2", "hybrid", "none"])
def test_a_host_with_every_controller(mode: str) -> None:
    v1 = ((("memory",), "/sys/fs/cgroup/memory", "/own"),) if mode in ("v1", "hybrid") else ()
    unified = "/sys/fs/cgroup" if mode in ("v2", "hybrid") else ""
    host = root_host(cgroup=CgroupLayout("v2" if mode == "none" else mode, v1, unified), page_sizes=())
    value = config()
    value["linux"]["resources"] = {
        "rdma": {"mlx": {"hcaHandles": 1}}, "hugepageLimits": [{"pageSize": "2MB", "limit": 1}],
        "cpu": {"cpus": "0"}, "unified": {"memory.high": "1"},
    }  # fmt: skip
    with pytest.raises(PlanError):
        create(value, host)
    before = {name: getattr(host, name) for name in Host.__slots__}
    assert len(capable(value, host)) == 2
    assert {name: getattr(host, name) for name in Host.__slots__} == before, "the host itself is as it was"


def test_root_in_the_place_of_a_user() -> None:
    assert capable(config(), user_host()) == ["every cgroup controller, and root"]


def test_no_host_can() -> None:
    value = config()
    value["linux"]["mountLabel"] = "system_u:object_r:x"
    assert capable(value, root_host(selinux=True)) == []


def test_cgroups_that_systemd_makes() -> None:
    """The caller needs no permission for them."""
    user = user_host(systemd=Systemd(user=True, control_group="/user.slice"))
    cgroup = CgroupFacts(parents=(((), "/c", 13),), join=13, available=("memory",))
    value = with_namespaces(with_memory(), "user")
    value["linux"]["cgroupsPath"] = "user.slice:planc:demo"
    assert warnings(value, facts(user, cgroup=cgroup), rootless=True) == []
    assert warnings(value, facts(root_host(systemd=Systemd()), cgroup=cgroup)) == []
