"""OP_SECCOMP: the filter is loaded, and its notify descriptor reaches planc."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Sequence

import pytest
from init_harness import Init, Operation, failure, payload, shell

import runtime.native as native

seccomp = pytest.importorskip("seccomp", reason="libseccomp's bindings")

TSYNC, NEW_LISTENER, TSYNC_ESRCH = 1 << 0, 1 << 3, 1 << 4
NNP: Operation = ("no_new_privileges", {})


def program(default: int, rules: Sequence[tuple[int, str]]) -> bytes:
    """The BPF program of these rules."""
    filter = seccomp.SyscallFilter(default)
    for action, name in rules:
        filter.add_rule(action, name)
    fd = os.memfd_create("bpf")
    with os.fdopen(fd, "w+b") as file:
        filter.export_bpf(file)
        file.seek(0)
        return file.read()


def test_filter_binds_the_payload() -> None:
    bpf = program(seccomp.ALLOW, [(seccomp.ERRNO(errno.EXDEV), "mkdir")])
    with Init([NNP, ("seccomp", {"filter": bpf}), *shell("mkdir /tmp/x 2>&1 | grep cross-device")]) as init:
        init.expect(native.MSG_DONE)
        init.expect_end()
        assert init.wait() == 0


def test_everything_after_the_filter_gets_by_with_little(tmp_path: object) -> None:
    """read, write, close, execve and exit are all that init itself needs once it is confined."""
    needed = ["read", "write", "close", "execve", "exit_group", "exit"]
    static = ["brk", "arch_prctl", "set_tid_address", "mmap", "prctl", "rt_sigaction", "rt_sigprocmask"]
    bpf = program(seccomp.KILL, [(seccomp.ALLOW, name) for name in (*needed, *static)])
    end: list[Operation] = [
        ("find_executable", {"name": native.init_path()}),
        NNP,
        ("seccomp", {"filter": bpf}),
        ("done", {}),
        ("exec", {"argv": ["planc-init"]}),
    ]
    with Init(end) as init:
        init.expect(native.MSG_DONE)
        init.expect_end()
        assert init.wait() == 1, "the payload is planc-init itself, without a plan"


@pytest.mark.parametrize("size", [0, 7, 8 * 65536])
def test_size_that_is_no_program(size: int) -> None:
    failed = failure([NNP, ("seccomp", {"filter": bytes(size)})])
    assert failed.error == errno.EINVAL


def test_program_that_the_kernel_refuses() -> None:
    failed = failure([NNP, ("seccomp", {"filter": b"\xff" * 16})])
    assert (failed.error, failed.text) == (errno.EINVAL, "load the seccomp filter")


def test_refused_with_a_listener_wanted() -> None:
    failed = failure([NNP, ("seccomp", {"filter": b"\xff" * 16, "flags": NEW_LISTENER})])
    assert (failed.error, failed.text) == (errno.EINVAL, "load the seccomp filter")


SECCOMP_IOCTL_NOTIF_RECV = 0xC0502100
SECCOMP_IOCTL_NOTIF_SEND = 0xC0182101


def answer(listener: int, error: int) -> int:
    """Be the agent for one system call: its number; it fails with `error`."""
    request = bytearray(80)
    fcntl.ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, request)
    id, _, _, number = struct.unpack_from("<QIIi", request)
    fcntl.ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, bytearray(struct.pack("<QqiI", id, 0, -error, 0)))
    return int(number)


@pytest.mark.parametrize("notified", [["mkdir"], ["mkdir", "sendmsg", "sendto", "wait4", "futex", "clone3"]])
def test_notify_descriptor_comes_by_a_process_outside_the_filter(notified: list[str]) -> None:
    """Were it sent by init itself, sendmsg would wait for an agent that has no descriptor."""
    bpf = program(seccomp.ALLOW, [(seccomp.NOTIFY, name) for name in notified])
    script: list[Operation] = payload("mkdir", "/nowhere/x")
    with Init([NNP, ("seccomp", {"filter": bpf, "flags": NEW_LISTENER}), *script]) as init:
        message = init.expect(native.MSG_SECCOMP_FD)
        assert message.op == 1
        assert os.readlink(f"/proc/self/fd/{message.fd}") == "anon_inode:seccomp notify"
        init.proceed()
        init.expect(native.MSG_DONE)
        init.expect_end()
        number = answer(message.fd, errno.EXDEV)
        assert number == seccomp.resolve_syscall(seccomp.Arch(), "mkdir")
        os.close(message.fd)
        assert init.wait() == 1


@pytest.mark.parametrize("flags", [NEW_LISTENER, NEW_LISTENER | TSYNC | TSYNC_ESRCH])
def test_no_helper_is_left_behind(flags: int) -> None:
    """Neither a child nor a thread that the payload did not make; often, since it would be a race."""
    bpf = program(seccomp.ALLOW, [(seccomp.NOTIFY, "mkdir")])
    for _ in range(25):
        with Init([NNP, ("seccomp", {"filter": bpf, "flags": flags}), *payload("sleep", "60")]) as init:
            message = init.expect(native.MSG_SECCOMP_FD)
            init.proceed()
            init.expect(native.MSG_DONE)
            init.expect_end()
            assert os.listdir(f"/proc/{init.pid}/task") == [str(init.pid)]
            with open(f"/proc/{init.pid}/task/{init.pid}/children") as children:
                assert children.read() == ""
            os.close(message.fd)


def test_the_agents_descriptor_is_the_only_one() -> None:
    """Were it open in init as well, system calls would wait for an agent that has died."""
    bpf = program(seccomp.ALLOW, [(seccomp.NOTIFY, "mkdir")])
    with Init([NNP, ("seccomp", {"filter": bpf, "flags": NEW_LISTENER}), ("sync", {})]) as init:
        message = init.expect(native.MSG_SECCOMP_FD)
        init.proceed()
        init.expect(native.MSG_SYNC)
        held = [os.readlink(f"/proc/{init.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{init.pid}/fd")]
        assert "anon_inode:seccomp notify" not in held
        os.close(message.fd)


def test_planc_gone_while_init_waits_for_its_answer() -> None:
    bpf = program(seccomp.ALLOW, [(seccomp.NOTIFY, "mkdir")])
    with Init([NNP, ("seccomp", {"filter": bpf, "flags": NEW_LISTENER}), *shell("exit 7")]) as init:
        os.close(init.expect(native.MSG_SECCOMP_FD).fd)
        init.socket.close()
        assert init.wait() == 1
