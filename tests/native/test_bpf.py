"""Device filters of cgroup v2 directories, as the kernel sees them (csrc/parent/bpf.c)."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

import runtime.native as native

from .blob import encode
from .container import remove_cgroup

V2 = next(
    (
        path
        for path in (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
        if (path / "cgroup.procs").exists()
    ),
    None,
)

pytestmark = pytest.mark.skipif(V2 is None, reason="needs a cgroup v2 mount")


def returns(value: int) -> bytes:
    """r0 = value; exit"""
    return struct.pack("<BBhi", 0xB7, 0, 0, value) + struct.pack("<BBhi", 0x95, 0, 0, 0)


ALLOW, DENY = returns(1), returns(0)


@pytest.fixture
def cgroup() -> Iterator[int]:
    assert V2
    path = V2 / f"planc-bpf-{os.getpid()}"
    path.mkdir()
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)
    remove_cgroup(path)


def may_open(cgroup: int, device: str) -> bool:
    """Whether a process in the cgroup can open it."""
    pid = os.fork()
    if pid == 0:
        status = 2
        try:
            fd = os.open("cgroup.procs", os.O_WRONLY, dir_fd=cgroup)
            os.write(fd, b"0")
            os.open(device, os.O_RDONLY)
            status = 0
        except PermissionError:
            status = 1
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert status in (0, 1)
    return status == 0


def test_attach_query_detach(cgroup: int) -> None:
    program = native.bpf_load_device(DENY)
    assert native.bpf_query_device(cgroup) == []
    assert may_open(cgroup, "/dev/null")
    native.bpf_attach_device(cgroup, program)
    (id,) = native.bpf_query_device(cgroup)
    assert not may_open(cgroup, "/dev/null")
    again = native.bpf_program(id)
    native.bpf_detach_device(cgroup, again)
    assert native.bpf_query_device(cgroup) == []
    assert may_open(cgroup, "/dev/null")
    os.close(program)
    os.close(again)


def test_replace_in_one_step(cgroup: int) -> None:
    deny, allow = native.bpf_load_device(DENY), native.bpf_load_device(ALLOW)
    native.bpf_attach_device(cgroup, deny)
    native.bpf_attach_device(cgroup, allow, deny)
    assert len(native.bpf_query_device(cgroup)) == 1
    assert may_open(cgroup, "/dev/null")
    os.close(deny)
    os.close(allow)


def test_several_programs_all_have_to_allow(cgroup: int) -> None:
    programs = [native.bpf_load_device(code) for code in (ALLOW, DENY)]
    for program in programs:
        native.bpf_attach_device(cgroup, program)
    assert len(native.bpf_query_device(cgroup)) == 2
    assert not may_open(cgroup, "/dev/null")
    for program in programs:
        os.close(program)


def test_what_the_verifier_says_is_in_the_error() -> None:
    with pytest.raises(OSError, match="Invalid argument: .*|Permission denied: .*") as caught:
        native.bpf_load_device(struct.pack("<BBhi", 0xB7, 0, 0, 1))  # without an exit
    assert len(str(caught.value)) > len("[Errno 22] Invalid argument: ")


def test_init_is_born_in_the_cgroup(cgroup: int) -> None:
    init = os.open(native.init_path(), os.O_RDONLY)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        plan = native.sealed_memfd("plan", encode([("sync", {})], theirs.fileno()))
        pid, pidfd = native.spawn(init, plan, [theirs.fileno()], 0, cgroup)
        message = native.receive(ours.fileno())
        assert message is not None
        assert message.type == native.MSG_SYNC
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    assert [line for line in lines if line == f"0::/planc-bpf-{os.getpid()}"]
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    for fd in (init, plan, pidfd):
        os.close(fd)
