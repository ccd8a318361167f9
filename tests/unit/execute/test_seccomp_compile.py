"""Profiles to BPF: what each program answers to which system calls."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import seccomp
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.errors import KernelError, PlanError
from runtime.execute import seccomp_compile
from runtime.execute.seccomp_compile import X32_BIT, compile_profile, enosys_prologue
from runtime.spec.decode import decode_spec
from runtime.spec.model import LinuxSeccomp

from . import bpf_machine as bpf
from .bpf_machine import Program

ENOSYS = bpf.ERRNO | errno.ENOSYS
EPERM = bpf.ERRNO | errno.EPERM
NEWEST = 100000
"""A system call that no kernel has yet."""


def number(name: str, arch: str = "X86_64") -> int:
    """Of a system call; libseccomp's own table."""
    found: int = seccomp.resolve_syscall(seccomp.Arch(getattr(seccomp.Arch, arch)), name)
    return found


def profile(default: str = "SCMP_ACT_ERRNO", *syscalls: dict[str, Any], **members: Any) -> LinuxSeccomp:
    """Decoded as from a config.json."""
    seccomp_object = {"defaultAction": default, "syscalls": list(syscalls), **members}
    config = {"ociVersion": "1.3.0", "root": {"path": "r"}, "linux": {"seccomp": seccomp_object}}
    config["process"] = {"args": ["x"], "cwd": "/", "user": {"uid": 0, "gid": 0}}
    spec, problems = decode_spec(config)
    assert problems == []
    found = spec.linux.seccomp
    assert isinstance(found, LinuxSeccomp)
    return found


def rule(*names: str, action: str = "SCMP_ACT_ALLOW", **members: Any) -> dict[str, Any]:
    return {"names": list(names), "action": action, **members}


def compiled(*args: Any, **members: Any) -> Program:
    return Program(compile_profile(profile(*args, **members)))


def test_allowed_and_refused() -> None:
    program = compiled("SCMP_ACT_ERRNO", rule("read", "write"), rule("mount", action="SCMP_ACT_KILL"))
    assert program.run(number("read")) == program.run(number("write")) == bpf.ALLOW
    assert program.run(number("getpid")) == EPERM
    assert program.run(number("mount")) == bpf.KILL_THREAD


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        ("SCMP_ACT_KILL", bpf.KILL_THREAD),
        ("SCMP_ACT_KILL_THREAD", bpf.KILL_THREAD),
        ("SCMP_ACT_KILL_PROCESS", bpf.KILL_PROCESS),
        ("SCMP_ACT_TRAP", bpf.TRAP),
        ("SCMP_ACT_ERRNO", EPERM),
        ("SCMP_ACT_TRACE", bpf.TRACE | errno.EPERM),
        ("SCMP_ACT_LOG", bpf.LOG),
        ("SCMP_ACT_NOTIFY", bpf.NOTIFY),
    ],
)
def test_every_action(action: str, answer: int) -> None:
    program = compiled("SCMP_ACT_ALLOW", rule("mount", action=action))
    assert program.run(number("mount")) == answer
    assert program.run(number("read")) == bpf.ALLOW
    if action != "SCMP_ACT_NOTIFY":
        assert compiled(action, rule("openat2")).run(number("mount")) == answer


@pytest.mark.parametrize(("given", "told"), [(None, errno.EPERM), (0, 0), (13, 13)])
def test_errno_of_a_rule_and_of_the_default(given: int | None, told: int) -> None:
    member = {} if given is None else {"errnoRet": given}
    program = compiled("SCMP_ACT_ALLOW", rule("mount", action="SCMP_ACT_ERRNO", **member))
    assert program.run(number("mount")) == bpf.ERRNO | told
    default = {} if given is None else {"defaultErrnoRet": given}
    assert compiled("SCMP_ACT_ERRNO", rule("openat2"), **default).run(number("mount")) == bpf.ERRNO | told


@pytest.mark.parametrize(
    ("op", "value", "yes", "no"),
    [
        ("SCMP_CMP_EQ", 7, [7], [6, 8, 7 | 1 << 32, 1 << 63]),
        ("SCMP_CMP_NE", 7, [6, 8, 7 | 1 << 32], [7]),
        ("SCMP_CMP_LT", 1 << 32, [0, 7, (1 << 32) - 1], [1 << 32, 1 << 63]),
        ("SCMP_CMP_LE", 1 << 32, [0, 1 << 32], [(1 << 32) + 1, 1 << 63]),
        ("SCMP_CMP_GT", 1 << 32, [(1 << 32) + 1, 1 << 63], [0, 1 << 32]),
        ("SCMP_CMP_GE", 1 << 32, [1 << 32, 1 << 63], [0, (1 << 32) - 1]),
    ],
)
def test_comparisons_are_of_64_bits(op: str, value: int, yes: list[int], no: list[int]) -> None:
    program = compiled("SCMP_ACT_ERRNO", rule("personality", args=[{"index": 1, "value": value, "op": op}]))
    for argument in yes:
        assert program.run(number("personality"), (0, argument)) == bpf.ALLOW
    for argument in no:
        assert program.run(number("personality"), (0, argument)) == EPERM


@settings(deadline=None, database=None, max_examples=60)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_masked_equality(mask: int, value: int, argument: int) -> None:
    """`value` is the mask, `valueTwo` what is compared: libseccomp's order, and not the obvious one."""
    comparison = {"index": 0, "value": mask, "valueTwo": value & mask, "op": "SCMP_CMP_MASKED_EQ"}
    program = compiled("SCMP_ACT_ERRNO", rule("clone", args=[comparison]))
    matches = argument & mask == value & mask
    assert program.run(number("clone"), (argument,)) == (bpf.ALLOW if matches else EPERM)
    assert program.run(number("clone"), (value,)) == bpf.ALLOW


def test_clone_without_new_namespaces() -> None:
    """As Docker's profile has it."""
    comparison = {"index": 0, "value": 0x7E020000, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}
    program = compiled("SCMP_ACT_ERRNO", rule("clone", args=[comparison]))
    assert program.run(number("clone"), (0x01200011,)) == bpf.ALLOW
    for flag in (0x10000000, 0x20000000, 0x40000000, 0x02000000, 0x00020000):
        assert program.run(number("clone"), (flag | 17,)) == EPERM


def test_two_arguments_must_both_match_two_comparisons_of_one_either() -> None:
    two = [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 2, "op": "SCMP_CMP_EQ"}]
    program = compiled("SCMP_ACT_ERRNO", rule("socket", args=two))
    assert program.run(number("socket"), (1, 2)) == bpf.ALLOW
    assert program.run(number("socket"), (1, 3)) == program.run(number("socket"), (0, 2)) == EPERM
    one = [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]
    program = compiled("SCMP_ACT_ERRNO", rule("socket", args=one))
    answers = [program.run(number("socket"), (value,)) for value in range(4)]
    assert answers == [EPERM, bpf.ALLOW, bpf.ALLOW, EPERM]


# architectures


def test_other_architectures_only_when_they_are_named() -> None:
    alone = compiled("SCMP_ACT_ERRNO", rule("read"))
    assert alone.run(number("read", "X86"), arch=bpf.I386) == bpf.KILL_THREAD
    architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    both = compiled("SCMP_ACT_ERRNO", rule("read", "openat2"), architectures=architectures)
    assert both.run(number("read", "X86"), arch=bpf.I386) == bpf.ALLOW
    assert both.run(number("write", "X86"), arch=bpf.I386) == EPERM
    assert both.run(number("read"), arch=bpf.X86_64) == bpf.ALLOW
    assert both.run(number("read") | X32_BIT, arch=bpf.X86_64) == bpf.ALLOW
    assert both.run(number("write") | X32_BIT, arch=bpf.X86_64) == EPERM
    assert both.run(number("read"), arch=bpf.AARCH64) == bpf.KILL_THREAD


def test_an_architecture_that_these_bindings_do_not_know_is_passed_over() -> None:
    program = compiled(
        "SCMP_ACT_ERRNO", rule("read"), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_LOONGARCH64"]
    )
    assert program.run(number("read")) == bpf.ALLOW


# calls newer than the profile


def test_calls_newer_than_the_profile_are_not_there() -> None:
    """A program then takes the older call, instead of giving up at "operation not permitted"."""
    program = compiled("SCMP_ACT_ERRNO", rule("read", "openat2"))
    assert program.run(number("openat2")) == bpf.ALLOW
    assert program.run(number("openat2") + 1) == program.run(NEWEST) == ENOSYS
    assert program.run(number("openat2") - 1) == EPERM


def test_a_rule_that_refuses_makes_a_profile_new_too() -> None:
    program = compiled("SCMP_ACT_ERRNO", rule("read"), rule("openat2", action="SCMP_ACT_ERRNO", errnoRet=13))
    assert program.run(number("openat2")) == bpf.ERRNO | 13
    assert program.run(number("openat2") - 1) == EPERM


def test_each_architecture_has_its_newest() -> None:
    program = compiled(
        "SCMP_ACT_ERRNO", rule("read", "stat"), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    )
    newest, newest_x86 = number("stat"), number("stat", "X86")
    assert newest < newest_x86
    assert program.run(newest + 1) == ENOSYS
    assert program.run(newest_x86 - 1, arch=bpf.I386) == EPERM
    assert program.run(newest_x86 + 1, arch=bpf.I386) == ENOSYS


def test_x32_calls_are_not_taken_for_new_ones() -> None:
    """They have the architecture of x86_64, and bit 30 set."""
    named = compiled("SCMP_ACT_ERRNO", rule("read"), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"])
    assert named.run(number("read") | X32_BIT) == bpf.ALLOW
    assert named.run((number("read") + 1) | X32_BIT) == ENOSYS
    assert named.run(number("read") + 1) == ENOSYS
    unnamed = compiled("SCMP_ACT_ERRNO", rule("read"))
    assert unnamed.run(number("read") | X32_BIT) not in (bpf.ALLOW, ENOSYS)


@pytest.mark.parametrize(
    ("default", "members"),
    [
        ("SCMP_ACT_ALLOW", {}),
        ("SCMP_ACT_LOG", {}),
        ("SCMP_ACT_TRACE", {}),
        ("SCMP_ACT_ERRNO", {"defaultErrnoRet": errno.ENOSYS}),
    ],
)
def test_defaults_that_say_enough_themselves(default: str, members: dict[str, Any]) -> None:
    program = compiled(default, rule("read", action="SCMP_ACT_KILL_PROCESS"), **members)
    assert program.run(NEWEST) == program.run(number("getpid"))


@pytest.mark.parametrize("default", ["SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"])
def test_defaults_that_kill_do_not_kill_for_new_calls(default: str) -> None:
    program = compiled(default, rule("read", "write"))
    assert program.run(NEWEST) == ENOSYS
    assert program.run(number("write")) == bpf.ALLOW


@settings(deadline=None, database=None)
@given(
    st.integers(-1, 500),
    st.integers(-1, 500).map(lambda value: value if value < 0 else value | X32_BIT),
    st.integers(0, 600),
    st.booleans(),
)
def test_prologue(ordinary: int, x32: int, call: int, is_x32: bool) -> None:
    """Alone in front of a filter that answers LOG."""
    rest = b"\x06\x00\x00\x00\x00\x00\xfc\x7f"
    program = Program(enosys_prologue({bpf.X86_64: (max(ordinary, 0), x32), bpf.I386: (5, -1)}) + rest)
    nr = call | X32_BIT if is_x32 else call
    newer = call > max(ordinary, 0) if not is_x32 else x32 >= 0 and nr > x32
    assert program.run(nr) == (ENOSYS if newer else bpf.LOG)
    assert program.run(call, arch=bpf.I386) == (ENOSYS if call > 5 else bpf.LOG)
    assert program.run(nr, arch=bpf.AARCH64) == bpf.LOG


# libseccomp


def test_names_that_libseccomp_does_not_know_are_passed_over() -> None:
    program = compiled(
        "SCMP_ACT_ERRNO", rule("read", "no_such_call"), rule("nor_this", action="SCMP_ACT_KILL")
    )
    assert program.run(number("read")) == bpf.ALLOW


def test_what_libseccomp_refuses_is_an_error_with_its_place() -> None:
    bad = profile("SCMP_ACT_ALLOW", rule("read", action="SCMP_ACT_ERRNO", errnoRet=5000))
    with pytest.raises(KernelError, match=r"^linux\.seccomp: compile the seccomp profile: "):
        compile_profile(bad)


def test_missing_bindings_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "seccomp", None)
    with pytest.raises(
        PlanError, match="^linux.seccomp: the Python bindings of libseccomp are not installed; "
    ):
        seccomp_compile.import_bindings()


def test_a_whole_profile() -> None:
    """Many rules, as managers send them: the program is sound, whatever libseccomp made of it."""
    calls = json.loads((Path(__file__).parent / "data" / "calls.json").read_text())
    program = compiled(
        "SCMP_ACT_ERRNO",
        *[rule(name) for name in calls],
        architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    )
    for name in calls:
        assert program.run(number(name)) == bpf.ALLOW, name
    for name in ("mount", "reboot", "kexec_load", "init_module", "bpf"):
        assert program.run(number(name)) == EPERM, name
    assert program.run(NEWEST) == ENOSYS
