"""The kernel through cffi: a typed face over ``_native`` (csrc/). Knows nothing of OCI.

Every function raises OSError with errno on failure.  Descriptors that are
returned are close-on-exec, and the caller's to close.
"""

from __future__ import annotations

from runtime.linux import posix as os
from runtime.native._native import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

PLAN_MAGIC: int = lib.PLAN_MAGIC
PLAN_VERSION: int = lib.PLAN_VERSION
SLOT_MAX: int = lib.SLOT_MAX
SLOT_NONE: int = lib.SLOT_NONE

MSG_SYNC: int = lib.MSG_SYNC
MSG_CONTINUE: int = lib.MSG_CONTINUE
MSG_FORKED: int = lib.MSG_FORKED
MSG_DONE: int = lib.MSG_DONE
MSG_FAILED: int = lib.MSG_FAILED
MSG_SECCOMP_FD: int = lib.MSG_SECCOMP_FD
MESSAGE_SIZE: int = ffi.sizeof("struct message")

_VERIFIER_LOG = 4096


def _check(rc: int) -> int:
    if rc < 0:
        raise OSError(-rc, os.strerror(-rc))
    return rc


def opcode(name: str) -> int:
    """The number of operation `name` (``"mount"``: ``OP_MOUNT``) in csrc/native.h."""
    number: int = getattr(lib, f"OP_{name.upper()}")
    return number


def sealed_memfd(name: str, data: bytes, executable: bool = False) -> int:
    """A memfd with `data` in it, sealed: nobody can change it any more, memfd_create(2)."""
    return _check(lib.planc_sealed_memfd(name.encode(), ffi.from_buffer(data), len(data), executable))


# --- init --------------------------------------------------------------------


def init_path() -> str:
    """Where the static init lies that was built with this package."""
    return f"{os.path.dirname(__file__)}/planc-init"


def init_image() -> bytes:
    """The static init, to be put in a sealed memfd."""
    fd = os.open(init_path(), os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        image = os.read(fd, size)
        while len(image) < size:
            image += os.read(fd, size - len(image))
        return image
    finally:
        os.close(fd)


def spawn(
    init_fd: int, plan_fd: int, fds: Sequence[int], keep_fds: int, cgroup_fd: int = -1
) -> tuple[int, int]:
    """Start the init behind `init_fd` with the plan behind `plan_fd`: its pid and a pidfd.

    It gets descriptors 0-2, 3 .. 3+keep_fds-1, plan_fd and `fds` (with the conversation's), under
    the same numbers, and no environment.  With `cgroup_fd`, a cgroup v2 directory, it is born there.
    """
    pidfd = ffi.new("int *")
    pid = _check(lib.planc_spawn(init_fd, plan_fd, list(fds), len(fds), keep_fds, cgroup_fd, pidfd))
    return pid, pidfd[0]


def spawn_user_namespace() -> tuple[int, int]:
    """A child that only holds a new user namespace, without mappings: its pid and a pidfd.

    The caller kills and reaps it; it dies with the calling thread.
    """
    pidfd = ffi.new("int *")
    return _check(lib.planc_spawn_userns(pidfd)), pidfd[0]


# --- the conversation ----------------------------------------------------------


class Message:
    """``struct message`` of csrc/native.h. `fd` is the descriptor that came with it, or -1."""

    __slots__ = ("error", "fd", "op", "text", "type", "value")

    def __init__(self, type: int, op: int, error: int, value: int, text: str, fd: int = -1) -> None:
        self.type = type
        self.op = op
        self.error = error
        self.value = value
        self.text = text
        self.fd = fd


def _message(raw: Any, fd: int) -> Message:
    text = ffi.string(raw.text).decode("utf-8", "replace")
    return Message(raw.type, raw.op, raw.error, raw.value, text, fd)


def receive(fd: int) -> Message | None:
    """The next message of the conversation; None at its end (init has exited, or executed the payload)."""
    raw = ffi.new("struct message *")
    got = ffi.new("int *")
    while True:
        rc = lib.planc_receive(fd, raw, got)
        if rc != -4:  # EINTR: Python's signal handlers run between two calls
            break
    return _message(raw, got[0]) if _check(rc) else None


def parse_message(data: bytes) -> Message:
    """A message that was read from exec.status. Raises ValueError unless it is whole."""
    if len(data) != MESSAGE_SIZE:
        raise ValueError(f"a message has {MESSAGE_SIZE} bytes, not {len(data)}")
    raw = ffi.new("struct message *")
    ffi.memmove(raw, data, MESSAGE_SIZE)
    raw.text[lib.MESSAGE_TEXT - 1] = b"\0"
    return _message(raw, -1)


def send_continue(fd: int) -> None:
    """The runtime's turn is over."""
    _check(lib.planc_send(fd, MSG_CONTINUE))


# --- processes -----------------------------------------------------------------


def prlimit(pid: int, resource: int, soft: int, hard: int) -> None:
    """prlimit(2). Infinity is 2**64-1."""
    _check(lib.planc_prlimit(pid, resource, soft, hard))


def pidfd_open(pid: int) -> int:
    """pidfd_open(2)."""
    return _check(lib.planc_pidfd_open(pid))


def pidfd_send_signal(pidfd: int, signal: int) -> None:
    """pidfd_send_signal(2)."""
    _check(lib.planc_pidfd_send_signal(pidfd, signal))


def set_child_subreaper(on: bool = True) -> None:
    """PR_SET_CHILD_SUBREAPER: orphans of the container become children of the caller."""
    _check(lib.planc_set_child_subreaper(on))


def close_range(first: int, last: int = 0xFFFFFFFF, flags: int = 0) -> None:
    """close_range(2)."""
    _check(lib.planc_close_range(first, last, flags))


def setns(fd: int, type: int) -> None:
    """setns(2)."""
    _check(lib.planc_setns(fd, type))


def unshare(flags: int) -> None:
    """unshare(2)."""
    _check(lib.planc_unshare(flags))


def openat2(dir_fd: int, path: str | bytes, flags: int, resolve: int, mode: int = 0) -> int:
    """openat2(2); `resolve` is a set of RESOLVE_* bits."""
    return _check(lib.planc_openat2(dir_fd, os.fsencode(path), flags, mode, resolve))


def umount(path: str, flags: int) -> None:
    """umount2(2); `flags` is a set of MNT_* and UMOUNT_* bits."""
    _check(lib.planc_umount(os.fsencode(path), flags))


# --- device filters of cgroup v2 -------------------------------------------------


def bpf_load_device(insns: bytes) -> int:
    """Load a program of type BPF_PROG_TYPE_CGROUP_DEVICE; the verifier's words are in the OSError."""
    log = ffi.new("char[]", _VERIFIER_LOG)
    rc = lib.planc_bpf_load_device(ffi.from_buffer(insns), len(insns), log, _VERIFIER_LOG)
    if rc < 0 and log[0] != b"\0":
        said = ffi.string(log).decode("utf-8", "replace").strip()
        raise OSError(-rc, f"{os.strerror(-rc)}: {said}")
    return _check(rc)


def bpf_attach_device(cgroup_fd: int, prog_fd: int, replace_fd: int = -1) -> None:
    """Attach a device program to a cgroup: beside others, or in one step in the place of `replace_fd`."""
    _check(lib.planc_bpf_attach_device(cgroup_fd, prog_fd, replace_fd))


def bpf_detach_device(cgroup_fd: int, prog_fd: int) -> None:
    """Detach a device program from a cgroup."""
    _check(lib.planc_bpf_detach_device(cgroup_fd, prog_fd))


def bpf_query_device(cgroup_fd: int) -> list[int]:
    """Ids of the device programs attached to a cgroup itself, not to its parents."""
    count = 64
    while True:
        ids = ffi.new("uint32_t[]", count)
        found = _check(lib.planc_bpf_query_device(cgroup_fd, ids, count))
        if found <= count:
            return list(ids[0:found])
        count = found


def bpf_program(id: int) -> int:
    """A descriptor of the loaded program with this id."""
    return _check(lib.planc_bpf_program(id))
