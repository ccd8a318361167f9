"""linux.seccomp: actions, errnoRet, argument comparisons, architectures, flags, notification, exec."""

from __future__ import annotations

import errno
import os
import resource
from typing import Any

import pytest

from . import proc, seccomp_agent
from .harness import Container

NATIVE = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}[os.uname().machine]
MKDIR = ["mkdir", "mkdirat"]
FOR_A_SHELL = [
    "access", "arch_prctl", "brk", "capget", "capset", "chdir", "clone", "clone3", "close", "close_range",
    "dup", "dup2", "dup3", "execve", "execveat", "exit", "exit_group", "faccessat", "faccessat2", "fchdir",
    "fchown", "fcntl", "fork", "fstat", "fstatfs", "futex", "getcwd", "getdents64", "getegid", "geteuid",
    "getgid", "getpgid", "getpgrp", "getpid", "getppid", "getrandom", "getsid", "gettid", "gettimeofday",
    "getuid", "ioctl", "kill", "lseek", "lstat", "mmap", "mprotect", "mremap", "munmap", "nanosleep",
    "newfstatat", "open", "openat", "openat2", "pipe", "pipe2", "poll", "ppoll", "prctl", "pread64",
    "prlimit64", "read", "readlink", "readlinkat", "recvmsg", "rseq", "rt_sigaction", "rt_sigprocmask",
    "rt_sigreturn", "rt_sigsuspend", "sched_getaffinity", "sched_yield", "select", "sendmsg", "sendto",
    "set_robust_list", "set_tid_address", "setgid", "setgroups", "setpgid", "setresgid", "setresuid",
    "setsid", "setuid", "sigaltstack", "splice", "stat", "statfs", "statx", "sysinfo", "tgkill", "umask",
    "uname", "unlink", "vfork", "wait4", "waitid", "write", "writev", "epoll_create1", "epoll_ctl",
    "epoll_pwait", "epoll_wait", "eventfd2", "madvise", "memfd_create", "mount_setattr", "rt_sigtimedwait",
    "setrlimit", "getrlimit", "time", "times", "keyctl",
]  # fmt: skip
OLD_RUNC_FLAGS = pytest.mark.old_runc_lacks("seccomp flags")


def _profile(
    container: Container, *rules: dict[str, Any], default: str = "SCMP_ACT_ALLOW", **more: Any
) -> Container:
    container.linux["seccomp"] = {
        "defaultAction": default,
        "architectures": [NATIVE],
        "syscalls": list(rules),
        **more,
    }
    return container


def _errno_rule(names: list[str], number: int | None = None, **more: Any) -> dict[str, Any]:
    rule: dict[str, Any] = {"names": names, "action": "SCMP_ACT_ERRNO", **more}
    if number is not None:
        rule["errnoRet"] = number
    return rule


# ---- actions ---------------------------------------------------------------------------------------------------------


def test_filter_mode(container: Container) -> None:
    _profile(container, _errno_rule(MKDIR)).sleeping()
    assert proc.status(container.pid)["Seccomp"] == "2"


def test_no_profile_no_filter(container: Container) -> None:
    container.sleeping()
    assert proc.status(container.pid)["Seccomp"] == "0"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "Operation not permitted"),
        (errno.ENOSYS, "Function not implemented"),
        (errno.EBUSY, "Device or resource busy"),
    ],
)
def test_errno(container: Container, number: int | None, text: str) -> None:
    result = _profile(container, _errno_rule(MKDIR, number)).shell("mkdir /new").run()
    assert result.returncode == 1 and text in result.stderr
    assert not os.path.exists(f"{container.bundle.rootfs}/new")


def test_errno_0_returns_success_without_doing_it(container: Container) -> None:
    assert _profile(container, _errno_rule(MKDIR, 0)).sh("mkdir /new && echo pretended") == "pretended"
    assert not os.path.exists(f"{container.bundle.rootfs}/new")


@pytest.mark.parametrize("action", ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS"])
def test_kill(container: Container, action: str) -> None:
    _profile(container, {"names": MKDIR, "action": action})
    result = container.shell("mkdir /new; echo code-$?").run()
    assert "code-159" in result.stdout  # 128 + SIGSYS


def test_trap(container: Container) -> None:
    _profile(container, {"names": MKDIR, "action": "SCMP_ACT_TRAP"})
    assert "code-159" in container.shell("mkdir /new; echo code-$?").run().stdout


def test_log_lets_it_pass(container: Container) -> None:
    _profile(container, {"names": MKDIR, "action": "SCMP_ACT_LOG"})
    assert container.sh("mkdir /new && echo made") == "made"


def test_trace_without_tracer_is_enosys(container: Container) -> None:
    _profile(container, {"names": MKDIR, "action": "SCMP_ACT_TRACE", "errnoRet": 7})
    assert "Function not implemented" in container.shell("mkdir /new").run().stderr


def test_default_errno_with_allow_list(container: Container) -> None:
    """Everything that a shell needs is allowed; mkdir is not among it."""
    _profile(container, {"names": list(FOR_A_SHELL), "action": "SCMP_ACT_ALLOW"}, default="SCMP_ACT_ERRNO")
    result = container.shell("echo before; mkdir /new; echo after").run()
    assert result.stdout == "before\nafter\n"
    assert "Operation not permitted" in result.stderr


@pytest.mark.old_runc_lacks("defaultErrnoRet", strict=False)
def test_default_errno_ret(container: Container) -> None:
    """podman uses 38, which makes libc fall back to older system calls."""
    _profile(
        container,
        {"names": list(FOR_A_SHELL), "action": "SCMP_ACT_ALLOW"},
        default="SCMP_ACT_ERRNO",
        defaultErrnoRet=errno.EDOM,
    )
    assert "argument out of domain" in container.shell("mkdir /new").run().stderr.lower()


def test_rule_with_the_default_action_changes_nothing(container: Container) -> None:
    _profile(container, {"names": MKDIR, "action": "SCMP_ACT_ALLOW"})
    assert container.sh("mkdir /new && echo made") == "made"


def test_several_rules(container: Container) -> None:
    _profile(container, _errno_rule(MKDIR, errno.EBUSY), _errno_rule(["symlink", "symlinkat"], errno.EXDEV))
    result = container.shell("mkdir /new; ln -s a /link").run()
    assert "busy" in result.stderr and "cross-device" in result.stderr.lower()


def test_unknown_syscall_names_are_ignored(container: Container) -> None:
    _profile(container, _errno_rule(["no_such_syscall", *MKDIR, "another_one"], errno.EBUSY))
    assert "busy" in container.shell("mkdir /new").run().stderr


def test_allow_without_rules_is_no_filter(container: Container) -> None:
    _profile(container)
    assert container.sh("mkdir /new && echo made") == "made"


# ---- arguments -------------------------------------------------------------------------------------------------------


def _mode_rule(number: int, *args: tuple[str, int, int]) -> list[dict[str, Any]]:
    """A rule on the mode of chmod(2), which is argument 1 there and 2 of fchmodat(2)."""
    return [
        _errno_rule(
            [name],
            number,
            args=[{"index": index, "op": op, "value": value, "valueTwo": two} for op, value, two in args],
        )
        for name, index in (("chmod", 1), ("fchmodat", 2))
    ]


@pytest.mark.parametrize(
    ("op", "value", "two", "denied", "allowed"),
    [
        ("SCMP_CMP_EQ", 0o600, 0, ["600"], ["601", "577", "644"]),
        ("SCMP_CMP_NE", 0o600, 0, ["601", "577", "644"], ["600"]),
        ("SCMP_CMP_LT", 0o600, 0, ["577", "400"], ["600", "644"]),
        ("SCMP_CMP_LE", 0o600, 0, ["577", "600"], ["601"]),
        ("SCMP_CMP_GT", 0o600, 0, ["601", "644"], ["600", "577"]),
        ("SCMP_CMP_GE", 0o600, 0, ["600", "644"], ["577"]),
        ("SCMP_CMP_MASKED_EQ", 0o111, 0o101, ["101", "705"], ["100", "111", "600"]),
    ],
)
def test_comparison(
    container: Container, op: str, value: int, two: int, denied: list[str], allowed: list[str]
) -> None:
    _profile(container, *_mode_rule(errno.EBUSY, (op, value, two)))
    container.bundle.file("file")
    script = "; ".join(f"chmod {mode} /file 2>/dev/null && echo {mode}" for mode in (*denied, *allowed))
    assert container.shell(f"{script}; true").run().ok().stdout.split() == allowed


def test_two_conditions_on_different_arguments_are_both_needed(container: Container) -> None:
    rule = _errno_rule(
        ["dup2", "dup3"],
        errno.EMFILE,
        args=[
            {"index": 0, "op": "SCMP_CMP_EQ", "value": 7},
            {"index": 1, "op": "SCMP_CMP_EQ", "value": 8},
        ],
    )
    _profile(container, rule)
    script = "exec 7</dev/null; (exec 8<&7) 2>/dev/null || echo denied; (exec 9<&7) && echo allowed"
    assert container.sh(script) == "denied\nallowed"


def test_two_conditions_on_one_argument_are_alternatives(container: Container) -> None:
    _profile(container, *_mode_rule(errno.EBUSY, ("SCMP_CMP_EQ", 0o600, 0), ("SCMP_CMP_EQ", 0o644, 0)))
    container.bundle.file("file")
    script = "; ".join(f"chmod {mode} /file 2>/dev/null && echo {mode}" for mode in ("600", "644", "640"))
    assert container.shell(f"{script}; true").run().ok().stdout.split() == ["640"]


def test_clone_rule_of_docker(container: Container) -> None:
    """MASKED_EQ on namespace flags: threads and forks go, namespaces do not."""
    _profile(
        container,
        _errno_rule(
            ["clone"],
            errno.EPERM,
            args=[{"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": 1 << 29, "valueTwo": 1 << 29}],
        ),
    )
    assert container.sh("(echo forked); ls / > /dev/null && echo ran") == "forked\nran"


# ---- architectures, flags --------------------------------------------------------------------------------------------


def test_several_architectures(container: Container) -> None:
    _profile(container, _errno_rule(MKDIR, errno.EBUSY))
    container.linux["seccomp"]["architectures"] = [NATIVE, "SCMP_ARCH_X86", "SCMP_ARCH_ARM"]
    assert "busy" in container.shell("mkdir /new").run().stderr


def test_without_architectures_the_native_one_counts(container: Container) -> None:
    _profile(container, _errno_rule(MKDIR, errno.EBUSY))
    del container.linux["seccomp"]["architectures"]
    assert "busy" in container.shell("mkdir /new").run().stderr


@pytest.mark.parametrize(
    "flags",
    [
        [],
        pytest.param(["SECCOMP_FILTER_FLAG_LOG"], marks=OLD_RUNC_FLAGS),
        pytest.param(["SECCOMP_FILTER_FLAG_SPEC_ALLOW"], marks=OLD_RUNC_FLAGS),
        pytest.param(["SECCOMP_FILTER_FLAG_TSYNC"], marks=OLD_RUNC_FLAGS),
        pytest.param(["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"], marks=OLD_RUNC_FLAGS),
    ],
)
def test_flags(container: Container, flags: list[str]) -> None:
    _profile(container, _errno_rule(MKDIR, errno.EBUSY), flags=flags)
    assert "busy" in container.shell("mkdir /new").run().stderr


def _speculation(container: Container) -> str:
    container.sleeping()
    return proc.status(container.pid)["Speculation_Store_Bypass"]


@pytest.mark.old_runc_lacks("SPEC_ALLOW as default", strict=False)
def test_without_flags_speculation_stays_allowed(container: Container) -> None:
    before = proc.status("self").get("Speculation_Store_Bypass")
    if before not in ("thread vulnerable",):
        pytest.skip(f"speculation of this machine is {before}")
    _profile(container, _errno_rule(MKDIR))
    assert _speculation(container) == before


# ---- privileges and order ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("no_new_privileges", [True, False])
@pytest.mark.parametrize("uid", [0, 1000])
def test_every_order_of_privileges(container: Container, no_new_privileges: bool, uid: int) -> None:
    container.process["noNewPrivileges"] = no_new_privileges
    container.process["user"] = {"uid": uid, "gid": uid}
    _profile(container, _errno_rule(["chmod", "fchmodat", "fchmod"], errno.EBUSY))
    assert "busy" in container.shell("chmod 777 /tmp").run().stderr


def test_profile_that_forbids_what_the_runtime_itself_needs(container: Container) -> None:
    """With noNewPrivileges the filter is loaded last, so setuid, capset and friends need not be allowed."""
    container.process["noNewPrivileges"] = True
    container.process["user"] = {"uid": 1000, "gid": 1000}
    _profile(
        container,
        _errno_rule(["setuid", "setgid", "setgroups", "capset", "prctl", "mount", "chdir", "fchdir"]),
    )
    assert container.sh("id -u") == "1000"


def test_filter_survives_exec(container: Container) -> None:
    _profile(container, _errno_rule(MKDIR, errno.EBUSY))
    assert "busy" in container.shell("sh -c 'sh -c \"mkdir /new\"'").run().stderr


def test_start_container_hooks_run_under_the_filter(container: Container) -> None:
    _profile(container, _errno_rule(MKDIR, errno.EBUSY))
    script = "mkdir /new || touch /denied; true"
    container.config["hooks"] = {
        "startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin"]}]
    }
    container.sh("true")
    assert os.path.exists(f"{container.bundle.rootfs}/denied")


def test_exec_is_under_the_filter(container: Container) -> None:
    _profile(container, _errno_rule(MKDIR, errno.EBUSY)).sleeping()
    result = container.exec("mkdir", "/new")
    assert result.returncode == 1 and "busy" in result.stderr
    assert container.exec_sh("grep ^Seccomp: /proc/self/status").split()[1] == "2"


def test_repeated_runs_of_one_profile(make_container: Any) -> None:
    """The second comes from the cache of compiled filters, and must not differ."""
    for _ in range(2):
        one = make_container()
        _profile(one, _errno_rule(MKDIR, errno.EBUSY))
        assert "busy" in one.shell("mkdir /new").run().stderr


def test_profiles_that_differ_only_in_errno_ret(make_container: Any) -> None:
    texts = []
    for number in (errno.EBUSY, errno.EXDEV):
        one = make_container()
        _profile(one, _errno_rule(MKDIR, number))
        texts.append(one.shell("mkdir /new").run().stderr.lower())
    assert "busy" in texts[0] and "cross-device" in texts[1]


def test_profile_of_docker(container: Container) -> None:
    """Many names, conditional rules, several architectures: 300 names and no noticeable delay."""
    names = [f"no_such_call_{number}" for number in range(300)] + FOR_A_SHELL
    _profile(container, {"names": names, "action": "SCMP_ACT_ALLOW"}, default="SCMP_ACT_ERRNO")
    began = _cpu_seconds_of_children()
    assert container.sh("echo fine") == "fine"
    assert _cpu_seconds_of_children() - began < 3


def _cpu_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# ---- ENOSYS for newer system calls -------------------------------------------------------------------------------------


TRY_SYSCALL = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
for number in map(int, sys.argv[1:]):
    libc.syscall(number, -1, 0, 0, 0, 0, 0)
    print(ctypes.get_errno())
"""


def test_syscall_newer_than_the_profile_is_enosys(container: Container) -> None:
    """A libc that tries a new call first must get ENOSYS and fall back; an old call that is not named gets EPERM.

    The host's Python does the calls: the rootfs is the host's /, and the payload names the numbers. 1000 is above
    every number in use, 83 is mkdir on x86_64.
    """
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers are those of x86_64")
    names = [*FOR_A_SHELL, "getresuid", "getresgid", "mincore", "shmat", "pselect6", "ppoll", "gettid"]
    _profile(container, {"names": names, "action": "SCMP_ACT_ALLOW"}, default="SCMP_ACT_ERRNO")
    for name in ("usr", "lib", "lib64", "etc"):
        if os.path.isdir(f"/{name}"):
            container.mount(f"/host/{name}", f"/{name}", "bind", "rbind", "ro", "rprivate")
    container.args("/bin/busybox", "chroot", "/host", "/usr/bin/python3", "-ISc", TRY_SYSCALL, "1000", "83")
    container.linux["seccomp"]["syscalls"][0]["names"].append("chroot")
    assert container.run().ok().stdout.split() == [str(errno.ENOSYS), str(errno.EPERM)]


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"defaultAction": "SCMP_ACT_NONSENSE"}, ["SCMP_ACT_NONSENSE"]),
        ({"architectures": ["SCMP_ARCH_NONSENSE"]}, ["SCMP_ARCH_NONSENSE"]),
        ({"syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NONSENSE"}]}, ["SCMP_ACT_NONSENSE"]),
        (
            {
                "syscalls": [
                    {
                        "names": ["mkdir"],
                        "action": "SCMP_ACT_ERRNO",
                        "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_NONSENSE"}],
                    }
                ]
            },
            ["SCMP_CMP_NONSENSE"],
        ),
        pytest.param(
            {"flags": ["SECCOMP_FILTER_FLAG_NONSENSE"]},
            ["SECCOMP_FILTER_FLAG_NONSENSE"],
            marks=OLD_RUNC_FLAGS,
        ),
        ({"defaultAction": "SCMP_ACT_NOTIFY"}, ["SCMP_ACT_NOTIFY"]),
        pytest.param(
            {"listenerMetadata": "x"},
            ["listener"],
            marks=pytest.mark.old_runc_lacks("a refusal of listenerMetadata without listenerPath"),
        ),
    ],
)
def test_bad_profile_is_refused(container: Container, change: dict[str, Any], words: list[str]) -> None:
    _profile(container, _errno_rule(MKDIR))
    container.linux["seccomp"].update(change)
    container.try_create().failed(*words)
    assert container.runtime.leftovers() == []


@pytest.mark.planc_only("JSON pointers in its errors")
@pytest.mark.parametrize(
    ("rule", "word"),
    [
        ({"action": "SCMP_ACT_ERRNO"}, "linux.seccomp.syscalls[0].names"),
        ({"names": [], "action": "SCMP_ACT_ERRNO"}, "linux.seccomp.syscalls[0].names"),
        ({"names": ["mkdir"]}, "linux.seccomp.syscalls[0].action"),
        (
            {
                "names": ["mkdir"],
                "action": "SCMP_ACT_ERRNO",
                "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}],
            },
            "linux.seccomp.syscalls[0].args[0].index",
        ),
        (
            {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "op": "SCMP_CMP_EQ"}]},
            "linux.seccomp.syscalls[0].args[0].value",
        ),
    ],
)
def test_bad_rules_are_named(container: Container, rule: dict[str, Any], word: str) -> None:
    _profile(container, rule).try_create().failed(word)


# ---- notification ----------------------------------------------------------------------------------------------------


def _notify(
    container: Container, path: str, metadata: str | None = None, names: list[str] | None = None
) -> Container:
    more = {"listenerPath": path}
    if metadata is not None:
        more["listenerMetadata"] = metadata
    return _profile(container, {"names": names or MKDIR, "action": "SCMP_ACT_NOTIFY"}, **more)


def _refuse(_: seccomp_agent.Request) -> int:
    return errno.ENOMEDIUM


def test_notify_answers_decide(container: Container, directory: str) -> None:
    with seccomp_agent.agent(directory, _refuse) as agent:
        result = _notify(container, agent.path).shell("mkdir /new").run()
        assert "No medium" in result.stderr
        assert len(agent.requests) == 1


def test_notify_may_continue(container: Container, directory: str) -> None:
    with seccomp_agent.agent(directory, lambda _: None) as agent:
        assert _notify(container, agent.path).sh("mkdir /new && echo made") == "made"


def test_notify_state(container: Container, directory: str) -> None:
    container.config["annotations"] = {"org.example": "value"}
    with seccomp_agent.agent(directory, _refuse) as agent:
        _notify(container, agent.path, metadata="some metadata").sleeping()
        proc.wait_until(lambda: agent.states, "the state has come")
        (state,) = agent.states
        assert state["ociVersion"].startswith("1.")
        assert state["fds"] == ["seccompFd"]
        assert state["pid"] == container.pid
        assert state["metadata"] == "some metadata"
        assert state["state"]["id"] == container.id
        assert state["state"]["pid"] == container.pid
        assert state["state"]["status"] == "creating"
        assert state["state"]["bundle"] == container.bundle.path
        assert state["state"]["annotations"] == {"org.example": "value"}


def test_notify_of_exec(container: Container, directory: str) -> None:
    with seccomp_agent.agent(directory, _refuse) as agent:
        _notify(container, agent.path).sleeping()
        result = container.exec("mkdir", "/new")
        assert "No medium" in result.stderr
        proc.wait_until(lambda: len(agent.states) == 2, "the state of exec has come")
        state = agent.states[1]
        assert state["state"]["status"] == "running"
        assert state["state"]["pid"] == container.pid
        assert state["pid"] != container.pid


def test_notify_requests_name_the_process(container: Container, directory: str) -> None:
    pids = []

    def answer(request: seccomp_agent.Request) -> int:
        pids.append((request.pid, proc.cmdline(request.pid)))
        return errno.EBUSY

    with seccomp_agent.agent(directory, answer) as agent:
        _notify(container, agent.path).shell("mkdir /new").run()
    assert pids[0][1][:1] in (["mkdir"], ["sh"])  # busybox may call it without an exec


def test_notify_on_a_call_of_the_runtime_does_not_hang(container: Container, directory: str) -> None:
    """Every call of init after the load would wait for an agent that has not got the listener yet."""
    names = ["openat", "close", "fcntl", "setuid", "capset", "prctl", "read", "futex"]
    with seccomp_agent.agent(directory, lambda _: None) as agent:
        _notify(container, agent.path, names=names)
        for no_new_privileges in (True, False):
            container.process["noNewPrivileges"] = no_new_privileges
            assert container.shell("echo fine").run().ok().stdout == "fine\n"


def test_notify_agent_missing_is_an_error(container: Container, directory: str) -> None:
    _notify(container, f"{directory}/nowhere").try_create().failed("nowhere", "no such file or directory")
    assert container.runtime.leftovers() == []


def test_notify_without_listener_path_is_an_error(container: Container) -> None:
    _profile(container, {"names": MKDIR, "action": "SCMP_ACT_NOTIFY"}).try_create().failed("listener")


def test_listener_path_without_notify_is_not_used(container: Container, directory: str) -> None:
    _profile(container, _errno_rule(MKDIR), listenerPath=f"{directory}/nowhere")
    assert container.sh("echo fine") == "fine"


def test_the_container_holds_no_listener(container: Container, directory: str) -> None:
    """Only the agent may answer."""
    with seccomp_agent.agent(directory, _refuse) as agent:
        _notify(container, agent.path).sleeping()
        assert not any("seccomp" in target for target in proc.fds(container.pid).values())
