"""The process: identity, limits, environment, and the order of giving up privilege."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import PlanError
from runtime.linux.capabilities import CAPABILITIES, capability_mask
from runtime.linux.constants import RLIMITS
from runtime.plan.ops import Plan
from runtime.spec.check_process import RLIMIT_TYPES

from . import samples

NAMES = st.lists(st.sampled_from(sorted(CAPABILITIES)), max_size=6, unique=True)
FILTER = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}
ENDING = (
    "environment", "chdir", "bounding", "stdio_owner", "setgroups", "setuid", "chdir", "capset",
    "find_executable", "done", "wait_start", "exec",
)  # fmt: skip


def process(**changes: Any) -> Any:
    value = samples.config()
    value["process"].update(changes)
    return value


def codes_from(plan: Plan, code: str) -> tuple[str, ...]:
    codes = [op.code for op in plan.ops]
    return tuple(codes[codes.index(code) :])


def test_the_end_is_always_the_same() -> None:
    assert codes_from(samples.create(process()), "environment") == ENDING
    assert codes_from(samples.exec_(process()), "environment") == tuple(
        code for code in ENDING if code != "wait_start"
    )


@pytest.mark.parametrize("make", [samples.create, samples.exec_])
@pytest.mark.parametrize("no_new_privileges", [True, False])
def test_when_the_filter_is_loaded(make: Any, no_new_privileges: bool) -> None:
    value = process(noNewPrivileges=no_new_privileges)
    value["linux"]["seccomp"] = FILTER
    plan = make(value)
    at = samples.position(plan, "seccomp")
    assert bool(samples.ops(plan, "no_new_privileges")) == no_new_privileges
    assert samples.position(plan, "setuid") < at < samples.position(plan, "done")
    if no_new_privileges:
        # nothing follows that the filter could forbid
        assert plan.ops[at + 1].code == "done" and plan.ops[at - 1].code == "find_executable"
    else:
        # CAP_SYS_ADMIN is what capset takes away
        assert plan.ops[at + 1].code == "capset" and plan.ops[at - 1].code == "chdir"


def test_which_profile_is_a_filter() -> None:
    value = process()
    value["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW"}
    plan = samples.create(value)
    assert samples.ops(plan, "seccomp") == [] and plan.seccomp is None
    value["linux"]["seccomp"] = FILTER
    plan = samples.create(value)
    assert samples.only(plan, "seccomp").args == {"filter": "seccomp", "flags": 4}
    assert plan.seccomp is not None and plan.seccomp.default_action == "SCMP_ACT_ERRNO"


def test_the_agent_is_connected_before_the_filter_asks_it() -> None:
    value = process()
    rule = {"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}
    value["linux"]["seccomp"] = {**FILTER, "syscalls": [rule], "listenerPath": "/run/a.sock"}
    plan = samples.create(value)
    assert samples.only(plan, "seccomp_listener").args == {"path": "/run/a.sock", "metadata": ""}
    assert samples.position(plan, "seccomp_listener") == samples.position(plan, "seccomp") - 1
    # a path that no rule needs is left alone
    value["linux"]["seccomp"]["syscalls"] = FILTER["syscalls"]
    assert samples.ops(samples.create(value), "seccomp_listener") == []


# capabilities


@given(NAMES, NAMES, NAMES, NAMES, NAMES, st.booleans())
def test_capabilities_are_what_is_asked_for_and_can_be_given(
    bounding: list[str],
    effective: list[str],
    permitted: list[str],
    inheritable: list[str],
    ambient: list[str],
    userns: bool,
) -> None:
    value = process(
        capabilities={
            "bounding": bounding,
            "effective": effective,
            "permitted": permitted,
            "inheritable": inheritable,
            "ambient": ambient,
        }
    )
    held = capability_mask([name for name in CAPABILITIES if name != "CAP_SYS_RESOURCE"])
    if userns:
        samples.with_namespaces(value, "user")
    plan = samples.create(value, samples.root_host(capabilities=held))
    available = (1 << 41) - 1 if userns else held
    assert samples.only(plan, "bounding").args["keep"] == capability_mask(bounding)
    assert samples.only(plan, "capset").args == {
        "effective": capability_mask(effective) & available,
        "permitted": capability_mask(permitted) & available,
        "inheritable": capability_mask(inheritable) & available,
    }
    raised = [op.args["mask"] for op in samples.ops(plan, "ambient")]
    assert raised == [mask for mask in [capability_mask(ambient) & available] if mask]
    missing = "CAP_SYS_RESOURCE" in {*effective, *permitted, *inheritable} and not userns
    wanted = "process.capabilities: CAP_SYS_RESOURCE cannot be granted: the caller does not have it"
    assert plan.warnings == ([wanted] if missing else [])


def test_without_the_object_the_callers_are_kept() -> None:
    value = samples.config()
    del value["process"]["capabilities"]
    plan = samples.create(value)
    assert samples.ops(plan, "bounding", "capset", "ambient") == []


def test_capabilities_an_older_kernel_lacks() -> None:
    value = process(capabilities={"permitted": ["CAP_CHOWN", "CAP_CHECKPOINT_RESTORE"]})
    plan = samples.create(value, samples.root_host(last_capability=39))
    assert samples.only(plan, "capset").args["permitted"] == 1
    assert "CAP_CHECKPOINT_RESTORE cannot be granted" in plan.warnings[0]


# environment


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.text("x=", max_size=2)), max_size=8), st.integers(0, 3))
def test_of_two_variables_the_last_counts(pairs: list[tuple[str, str]], sockets: int) -> None:
    value = process(env=[f"{name}={text}" for name, text in pairs])
    plan = samples.create(value, listen_fds=sockets, keep_fds=sockets)
    args = samples.only(plan, "environment").args
    added = {"LISTEN_FDS": str(sockets), "LISTEN_PID": "1"} if sockets else {}
    names = [entry.partition("=")[0] for entry in args["env"]]
    assert len(set(names)) == len(names)
    assert dict(entry.split("=", 1) for entry in args["env"]) == {**dict(pairs), **added}
    assert args["home"] == 1


def test_what_planc_adds_wins_over_the_config() -> None:
    value = process(env=["NOTIFY_SOCKET=/host", "LISTEN_PID=77", "LISTEN_FDS=9", "Z="])
    plan = samples.create(value, listen_fds=1, notify_socket_dir="/run/n")
    assert samples.only(plan, "environment").args["env"] == [
        "Z=", "NOTIFY_SOCKET=/run/notify/notify.sock", "LISTEN_FDS=1", "LISTEN_PID=1",
    ]  # fmt: skip


def test_no_environment_at_all() -> None:
    value = samples.config()
    del value["process"]["env"]
    assert samples.only(samples.create(value), "environment").args["env"] == []


# one property each


@pytest.mark.parametrize(
    ("user", "created", "executed"),
    [
        ({"uid": 0, "gid": 0}, [0o022], []),
        ({"uid": 0, "gid": 0, "umask": 0}, [0], [0]),
        ({"uid": 0, "gid": 0, "umask": 0o77}, [0o77], [0o77]),
    ],
)
def test_umask(user: Any, created: list[int], executed: list[int]) -> None:
    value = process(user=user)
    assert [op.args["mask"] for op in samples.ops(samples.create(value), "umask")] == created
    assert [op.args["mask"] for op in samples.ops(samples.exec_(value), "umask")] == executed


def test_a_missing_user_is_root() -> None:
    value = samples.config()
    del value["process"]["user"]
    plan = samples.create(value)
    assert samples.only(plan, "setuid").args == {"uid": 0, "gid": 0}
    assert samples.only(plan, "setgroups").args == {"gids": [], "skip": 0}


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        (None, (0, 0)),
        ({"width": 80, "height": 24}, (80, 24)),
        ({"width": 0, "height": 24}, (0, 0)),
        ({"width": 80, "height": 0}, (0, 0)),
    ],
)
def test_console(size: Any, wanted: tuple[int, int]) -> None:
    value = process(terminal=True, consoleSize=size, user={"uid": 7, "gid": 8})
    args = samples.only(samples.create(value), "console").args
    assert (args["width"], args["height"]) == wanted
    assert (args["uid"], args["bind_console"], args["socket"]) == (7, 1, "console")
    assert samples.only(samples.exec_(value), "console").args["bind_console"] == 0
    value["process"]["terminal"] = False
    assert samples.ops(samples.create(value), "console") == []


def test_rlimits_come_in_order_and_before_the_state_is_saved() -> None:
    limits = [{"type": name, "soft": 1, "hard": 2**64 - 1} for name in RLIMIT_TYPES]
    plan = samples.create(process(rlimits=limits))
    found = samples.ops(plan, "rlimit")
    assert [op.args["resource"] for op in found] == list(RLIMIT_TYPES)
    assert found[0].args["hard"] == 2**64 - 1
    last = samples.position(plan, "rlimit", resource=RLIMIT_TYPES[-1])
    assert last == samples.position(plan, "save_state") - 1


def test_every_limit_has_its_number() -> None:
    import resource

    assert set(RLIMITS) == set(RLIMIT_TYPES)
    for name, number in RLIMITS.items():
        assert getattr(resource, name, number) == number


@pytest.mark.parametrize(
    ("given_", "value"),
    [
        ({"class": "IOPRIO_CLASS_RT", "priority": 7}, 1 << 13 | 7),
        ({"class": "IOPRIO_CLASS_BE", "priority": 0}, 2 << 13),
        ({"class": "IOPRIO_CLASS_IDLE"}, 3 << 13),
    ],
)
def test_io_priority(given_: Any, value: int) -> None:
    assert samples.only(samples.create(process(ioPriority=given_)), "io_priority").args == {"value": value}


def test_scheduler() -> None:
    plan = samples.create(process(scheduler={"policy": "SCHED_BATCH", "nice": -5}))
    args = samples.only(plan, "scheduler").args
    assert (args["policy"], args["nice"], args["flags"]) == (3, -5, 0)
    plan = samples.create(process(scheduler={"policy": "SCHED_FIFO", "priority": 9}))
    args = samples.only(plan, "scheduler").args
    assert (args["policy"], args["priority"]) == (1, 9)


@pytest.mark.parametrize(("domain", "persona"), [("LINUX", 0), ("LINUX32", 8)])
def test_personality(domain: str, persona: int) -> None:
    value = samples.config()
    value["linux"]["personality"] = {"domain": domain}
    assert samples.only(samples.create(value), "personality").args == {"persona": persona}
    assert samples.only(samples.exec_(value), "personality").args == {"persona": persona}


def test_sessions_and_descriptors() -> None:
    plan = samples.create(samples.config(), no_new_keyring=True, keep_fds=4, pidfd_socket="/run/p")
    assert samples.ops(plan, "session_keyring") == []
    assert samples.only(plan, "spawn").args == {"keep_fds": 4}
    assert samples.only(plan, "send_pidfd").args == {"path": "/run/p"}
    plan = samples.create(samples.config())
    assert samples.only(plan, "session_keyring").args == {"name": "_ses.demo"}
    assert samples.ops(plan, "send_pidfd") == []


def test_names() -> None:
    plan = samples.create(samples.config(hostname="a", domainname="b"))
    assert samples.only(plan, "hostname").args == {"name": "a"}
    assert samples.only(plan, "domainname").args == {"name": "b"}
    plan = samples.create(samples.config(hostname=""))
    assert samples.ops(plan, "hostname", "domainname") == []


def test_a_caller_without_privilege_needs_a_user_namespace() -> None:
    with pytest.raises(PlanError, match=r"^linux\.namespaces: without CAP_SYS_ADMIN .*planc spec --rootless"):
        samples.create(samples.config(), samples.user_host())


def test_a_mount_label_is_refused_where_it_would_mean_something() -> None:
    value = samples.config()
    value["linux"]["mountLabel"] = "system_u:object_r:container_file_t:s0"
    plan = samples.create(value)
    assert plan.warnings == ["linux.mountLabel: ignored, as this host has no SELinux"]
    with pytest.raises(
        PlanError, match=r"^linux\.mountLabel: planc 0\.1 does not support SELinux; remove it"
    ):
        samples.create(value, samples.root_host(selinux=True))


def test_options_that_do_not_exist() -> None:
    with pytest.raises(TypeError, match="CreateOptions has no idd"):
        samples.CreateOptions(idd="x")
    assert "no_pivot=False" in repr(samples.CreateOptions(id="x"))
