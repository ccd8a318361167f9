"""doctor's verdicts for made-up hosts, its table and its JSON."""

import json
import re
from typing import Any

import pytest

from runtime.cli.doctor import report, verdict
from runtime.cli.doctor_check import LIMITED, MISSING, OK, Check
from runtime.cli.doctor_checks import can_run, checks
from runtime.cli.doctor_table import render
from runtime.linux.facts import (
    CgroupFacts,
    CriuFacts,
    HostFacts,
    IdFacts,
    IdmapFacts,
    KernelFacts,
    LimitFacts,
    NamespaceFacts,
    SeccompFacts,
    SecurityModuleFacts,
    SystemdFacts,
)
from runtime.linux.host import CgroupLayout, Host

KINDS = ("cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts")
ACTIONS = ("kill_process", "kill_thread", "trap", "errno", "user_notif", "trace", "log", "allow")
V2 = CgroupLayout(controllers=("cpu", "cpuset", "io", "memory", "pids"))
V1 = CgroupLayout(
    "v1", tuple(((name,), f"/c/{name}", "/") for name in ("cpu", "cpuset", "blkio", "memory", "pids")), ""
)
V1_PARENTS = tuple((names, at, 0) for names, at, _ in V1.v1)
CALLS = {"openat2": 0, "clone3": 0}
IDS = IdFacts(
    user="u",
    subuids=((100000, 65536),),
    subgids=((100000, 65536),),
    helpers={"newuidmap": ("/usr/bin/newuidmap", "setuid"), "newgidmap": ("/usr/bin/newgidmap", "setuid")},
)
WITHOUT_RESOURCE = (1 << 41) - 1 & ~(1 << 24)


def facts(host: dict[str, Any] | None = None, **changes: Any) -> HostFacts:
    """A host on which nothing is missing but checkpoints, but for `changes`."""
    whole: dict[str, Any] = {
        "host": Host(**{"cgroup": V2, **(host or {})}),
        "kernel": KernelFacts(release="6.1.0", architecture="x86_64", calls=CALLS, root_file_system="ext4"),
        "namespaces": NamespaceFacts(kernel=KINDS, limits={"pid": 5}),
        "cgroup": CgroupFacts(
            parents=(((), "/sys/fs/cgroup", 0),), available=V2.controllers, kill=True, freezer=True, swap=True,
            io_weight=("io.weight",), page_sizes=("2MB",),
        ),
        "seccomp": SeccompFacts(actions=ACTIONS, library="2.5.4"),
        "idmap": IdmapFacts(tried=(("", "tmpfs", 0), ("/", "ext4", 0))),
        "ids": IDS,
        "systemd": SystemdFacts(running=True, version=252),
        "limits": LimitFacts(keys=(1, 100)),
    }  # fmt: skip
    return HostFacts(**{**whole, **changes})


USER = {"euid": 1000, "egid": 1000, "capabilities": 0}


def check(given: HostFacts, name: str) -> Check:
    """The check with this name, or "group: name" where a name is in several groups."""
    (found,) = [one for one in checks(given) if name in (one.name, f"{one.group}: {one.name}")]
    return found


def test_nothing_is_missing_but_checkpoints() -> None:
    found = checks(facts())
    assert [one.name for one in found if one.status != OK] == ["CRIU"]
    assert can_run(found)
    assert len({(one.group, one.name) for one in found}) == len(found)


def test_a_user_on_the_same_host() -> None:
    found = checks(facts(USER, idmap=IdmapFacts(reason="not tried: needs root")))
    assert [one.name for one in found if one.status != OK] == ["rlimits", "idmapped mounts", "CRIU"]
    assert can_run(found)


def test_every_complaint_says_what_it_means_and_what_to_do() -> None:
    """But the one about which nothing can be done."""
    empty = HostFacts(
        host=Host(euid=5, capabilities=0, cgroup=CgroupLayout(unified="")),
        kernel=KernelFacts(release="4.1", calls={"openat2": 38}, executable_memfd=13, psi=False, root_file_system="rootfs"),
        namespaces=NamespaceFacts(kernel=(), user=1),
        seccomp=SeccompFacts(mode=None, bindings=False),
        security=SecurityModuleFacts(apparmor=True, selinux="enforcing"),
        idmap=IdmapFacts(tried=(("/", "zfs", 22),)),
        limits=LimitFacts(keys=(99, 100)),
    )  # fmt: skip
    found = checks(empty)
    for one in found:
        if one.status != OK:
            assert one.means and (one.advice or one.name == "CRIU"), one.name
    assert not can_run(found)


@pytest.mark.parametrize(
    ("name", "changes", "status", "required", "words"),
    [
        ("release", {"kernel": KernelFacts(release="5.13.9")}, LIMITED, False, "newer kernel"),
        ("system calls", {"kernel": KernelFacts(release="6.1", calls={"openat2": 38, "clone3": 0})}, MISSING, True, "no openat2"),
        ("system calls", {"kernel": KernelFacts(release="6.1", clone_into_cgroup=22)}, MISSING, True, "CLONE_INTO_CGROUP"),
        ("executable memfd", {"kernel": KernelFacts(executable_memfd=13, memfd_noexec=2)}, MISSING, True, "sysctl -w vm.memfd_noexec=1"),
        ("root file system", {"kernel": KernelFacts(root_file_system="rootfs")}, LIMITED, False, "--no-pivot"),
        ("PSI", {"kernel": KernelFacts(psi=False)}, LIMITED, False, "psi=1"),
        ("capabilities", {"host": {"capabilities": WITHOUT_RESOURCE}}, LIMITED, False, "rlimits above planc's own"),
        ("rlimits", {"host": {"capabilities": WITHOUT_RESOURCE}}, LIMITED, False, "LimitNOFILE="),
        ("identity", {"host": {"capabilities": 0}}, LIMITED, False, "planc spec --rootless"),
        ("kernel keys", {"limits": LimitFacts(keys=(90, 100))}, LIMITED, False, "kernel.keys.root_maxkeys"),
        ("kernel keys", {"host": USER, "limits": LimitFacts(keys=(90, 100))}, LIMITED, False, "kernel.keys.maxkeys"),
        ("time", {"namespaces": NamespaceFacts(kernel=(*KINDS[:5], "user", "uts"))}, MISSING, False, "CONFIG_TIME_NS"),
        ("pid", {"namespaces": NamespaceFacts(kernel=KINDS, tried={"pid": 28}, limits={"pid": 0})}, MISSING, True, "user.max_pid_namespaces=0"),
        ("network", {"host": USER, "namespaces": NamespaceFacts(kernel=KINDS, tried={"network": 1})}, MISSING, False, "network namespace"),
        ("cgroup", {"namespaces": NamespaceFacts(kernel=KINDS, tried={"cgroup": 28})}, MISSING, True, "cgroup namespace"),
        ("pid", {"host": USER, "namespaces": NamespaceFacts(kernel=KINDS, tried={"pid": 28}, inside=True, user=28, limits={"user": 0, "pid": 9})}, MISSING, True, "it needs a user namespace"),
        ("user", {"namespaces": NamespaceFacts(kernel=KINDS, user=28, limits={"user": 0})}, MISSING, False, "user.max_user_namespaces"),
        ("user", {"host": USER, "namespaces": NamespaceFacts(kernel=KINDS, user=1)}, MISSING, True, "refused"),
        ("user", {"namespaces": NamespaceFacts(kernel=KINDS, sysctls={"kernel.unprivileged_userns_clone": "0"})}, LIMITED, False, "unprivileged_userns_clone=1"),
        ("user", {"namespaces": NamespaceFacts(kernel=KINDS, sysctls={"kernel.apparmor_restrict_unprivileged_userns": "1"})}, LIMITED, False, "unprivileged_userns=0"),
        ("/proc in user", {"namespaces": NamespaceFacts(kernel=KINDS, proc=1)}, MISSING, False, "unmask"),
        ("/proc in user", {"host": USER, "namespaces": NamespaceFacts(kernel=KINDS, proc=1)}, MISSING, True, "unmask"),
        ("version", {"host": {"cgroup": CgroupLayout(unified="")}}, MISSING, False, "none mounted"),
        ("place", {"cgroup": CgroupFacts(parents=(((), "/c", 30),))}, MISSING, True, "read-only"),
        ("place", {"host": USER, "cgroup": CgroupFacts(parents=(((), "/c", 13),))}, LIMITED, False, "Delegate=yes"),
        ("place", {"host": USER, "cgroup": CgroupFacts(parents=(((), "/c", 0),), join=13)}, LIMITED, False, "/c/cgroup.procs"),
        ("controllers", {"cgroup": CgroupFacts(parents=(((), "/c", 0),), available=("cpu", "memory", "pids"))}, LIMITED, False, "no limits of cpuset, io"),
        ("controllers", {"host": USER, "cgroup": CgroupFacts(parents=(((), "/c", 0),), available=("memory", "pids"), stopped={"cpu": ("/c", "why", "Delegate=cpu")})}, LIMITED, False, "ends at /c: why\nDelegate=cpu"),
        ("controllers", {"cgroup": CgroupFacts(parents=(((), "/c", 0),))}, MISSING, False, "none"),
        ("freezer", {"cgroup": CgroupFacts(freezer=False)}, MISSING, False, "pause and resume fail"),
        ("cgroup.kill", {"cgroup": CgroupFacts(kill=False)}, LIMITED, False, "one by one"),
        ("swap limits", {"cgroup": CgroupFacts(swap=False)}, LIMITED, False, "swapaccount=1"),
        ("block IO weights", {"cgroup": CgroupFacts(available=("io",))}, LIMITED, False, "modprobe bfq"),
        ("systemd", {"systemd": SystemdFacts()}, MISSING, False, "not booted with systemd"),
        ("systemd", {"systemd": SystemdFacts(running=True, system_error="no bus")}, MISSING, False, "no bus"),
        ("systemd", {"host": USER, "systemd": SystemdFacts(running=True, version=252, user_error="no user bus")}, MISSING, False, "enable-linger"),
        ("systemd", {"host": {**USER, "cgroup": V1}, "systemd": SystemdFacts(running=True, version=252)}, MISSING, False, "boot with cgroup v2"),
        ("systemd", {"systemd": SystemdFacts(running=True, version=252, user_error="x")}, OK, False, "252, the system's manager"),
        ("seccomp: kernel", {"seccomp": SeccompFacts(mode=None)}, MISSING, False, "CONFIG_SECCOMP_FILTER"),
        ("seccomp: kernel", {"seccomp": SeccompFacts(actions=ACTIONS[:4])}, LIMITED, False, "user_notif"),
        ("libseccomp", {"seccomp": SeccompFacts(bindings=False)}, MISSING, False, "python3-seccomp"),
        ("around planc", {"seccomp": SeccompFacts(mode=2)}, LIMITED, False, "forbids"),
        ("labels", {"security": SecurityModuleFacts(active=("capability", "apparmor"), apparmor=True)}, LIMITED, False, "AppArmor"),
        ("labels", {"security": SecurityModuleFacts(active=("selinux",), selinux="enforcing")}, LIMITED, False, "SELinux enforcing"),
        ("labels", {"security": SecurityModuleFacts(active=None)}, OK, False, "unknown"),
        ("idmapped mounts", {"idmap": IdmapFacts(tried=(("", "tmpfs", 22), ("/", "ext4", 0)))}, LIMITED, False, "not tmpfs"),
        ("idmapped mounts", {"idmap": IdmapFacts(tried=(("/", "overlay", 22),))}, MISSING, False, "overlay on /"),
        ("newuidmap", {"ids": IdFacts(helpers={"newuidmap": ("", ""), "newgidmap": ("", "")})}, LIMITED, False, "uidmap"),
        ("newuidmap", {"ids": IdFacts(helpers={"newuidmap": ("/u", ""), "newgidmap": ("/g", "setuid")})}, LIMITED, False, "/u (no privilege)"),
        ("subordinate", {"host": USER, "ids": IdFacts(helpers=IDS.helpers)}, LIMITED, False, "1000:100000:65536"),
        ("subordinate", {"host": USER, "ids": IdFacts(user="u", helpers=IDS.helpers, subuids=((1, 10),), subgids=((1, 10),))}, LIMITED, False, "echo u:"),
        ("subordinate", {"host": USER, "ids": IdFacts(helpers=IDS.helpers, nsswitch="sss")}, OK, False, "from sss"),
        ("CRIU", {"criu": CriuFacts(path="/usr/sbin/criu", version="4.1")}, MISSING, False, "planc has no checkpoint"),
    ],
)  # fmt: skip
def test_verdicts(name: str, changes: dict[str, Any], status: str, required: bool, words: str) -> None:
    found = check(facts(**changes), name)
    assert (found.status, found.required) == (status, required)
    assert words in f"{found.found}\n{found.means}\n{found.advice}"
    assert can_run(checks(facts(**changes))) == (not (required and status == MISSING))


def test_cgroup_v1() -> None:
    found = checks(facts({"cgroup": V1}, cgroup=CgroupFacts(parents=V1_PARENTS, freezer=True, swap=True)))
    assert [one.name for one in found if one.status != OK] == ["CRIU"]
    assert "cgroup.kill" not in [one.name for one in found], "a file of v2 only"
    some = (*V1_PARENTS[:3], (V1_PARENTS[3][0], V1_PARENTS[3][1], 13), V1_PARENTS[4])
    given = facts({"cgroup": V1, **USER}, cgroup=CgroupFacts(parents=some))
    assert check(given, "controllers").found == "blkio, cpu, cpuset, pids"
    assert check(given, "controllers").means == "no limits of memory"
    assert check(given, "place").found == "/c/memory (no permission)"


def test_a_cgroup_namespace_is_needed_on_v2_only() -> None:
    without = NamespaceFacts(kernel=tuple(kind for kind in KINDS if kind != "cgroup"))
    assert not can_run(checks(facts(namespaces=without)))
    v1 = facts({"cgroup": V1}, namespaces=without, cgroup=CgroupFacts(parents=V1_PARENTS, freezer=True))
    assert can_run(checks(v1))


# the table

SAMPLE = [
    Check("fine", OK, "yes", required=True),
    Check("a part", LIMITED, "some " * 30, "it means " * 20, "do this " * 20),
    Check("gone", MISSING, "no", "nothing runs", "get one", True),
]
for one in SAMPLE:
    one.group = "things"


@pytest.mark.parametrize("width", [60, 80, 100])
def test_the_table_keeps_its_width(width: int) -> None:
    text = render(SAMPLE, "An end.", width, False)
    assert max(len(line) for line in text.splitlines()) <= width
    assert not any(line.endswith(" ") for line in text.splitlines())
    assert text.startswith("THINGS\n  ok       fine") and text.endswith("\n\nAn end.\n")
    assert "  missing* gone " in text, "what keeps containers from running is marked"
    words = text.split()
    assert words.count("means") == 20 and words.count("some") == 30


def test_long_words_are_not_cut() -> None:
    """A path or a command must be there for copying."""
    path = "/sys/fs/cgroup/" + "x" * 120
    row = Check("place", MISSING, path)
    assert path in render([row], "End.", 80, False)


def test_colours_are_all_there_is_on_a_terminal() -> None:
    plain, coloured = render(SAMPLE, "End.", 80, False), render(SAMPLE, "End.", 80, True)
    assert "\033" not in plain
    assert re.sub("\033\\[[0-9]+m", "", coloured) == plain
    assert "\033[32mok" in coloured and "\033[31mmissing*" in coloured


# JSON


def test_json() -> None:
    given = facts()
    found = report(given, checks(given))
    assert json.loads(json.dumps(found)) == found
    assert list(found) == ["version", "canRun", "caller", "checks", "facts"]
    assert set(found["caller"]) == {"uid", "gid", "userNamespace", "rootless", "capabilities"}
    for one in found["checks"]:
        assert list(one) == ["group", "name", "status", "required", "found", "means", "advice"]
    assert set(found["facts"]) == {
        "kernel", "namespaces", "cgroup", "seccomp", "security", "idmap", "ids", "systemd", "criu", "limits",
    }  # fmt: skip
    assert found["facts"]["cgroup"]["mode"] == "v2"
    assert found["facts"]["kernel"]["cloneIntoCgroup"] == 0


def test_names_that_are_not_ours_stay() -> None:
    given = facts(
        kernel=KernelFacts(memfd_noexec=1, calls={"open_tree": 0}),
        limits=LimitFacts(rlimits={"RLIMIT_CPU": (1, 2)}),
    )
    found = report(given, [])["facts"]
    assert (found["kernel"]["memfdNoexec"], found["kernel"]["calls"]) == (1, {"open_tree": 0})
    assert found["limits"]["rlimits"] == {"RLIMIT_CPU": [1, 2]}


def test_verdict() -> None:
    given = facts()
    assert verdict(given, checks(given)) == "A default container of root can run."
    bad = facts(USER, kernel=KernelFacts(executable_memfd=1))
    assert verdict(bad, checks(bad)).startswith("No default container of uid 1000 can run")
