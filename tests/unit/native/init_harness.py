"""The real planc-init, run with plans of a few operations. No privileges needed.

The encoder here knows only the layout that csrc/native.h describes in words; the
names and kinds of arguments come from cffi's reading of that header.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping, Sequence

from runtime.native._native import ffi

import runtime.native as native

SLOT_NONE = (1 << 64) - 1
INIT = os.environ.get("PLANC_TEST_INIT") or native.init_path()

Operation = tuple[str, Mapping[str, object]]


def fields_of(code: str) -> list[tuple[str, str]]:
    """Names and kinds of the arguments of operation `code`, from the compiled header."""
    numbers = {"uint64_t": "u64", "int64_t": "i64"}
    fields = ffi.typeof(f"struct op_{code}").fields
    names = [(name, field.type.cname) for name, field in fields]
    return [(name, numbers.get(kind) or kind.removesuffix("_t")) for name, kind in names]


class Blob:
    """One plan; every part can be bent before `data` puts it together."""

    def __init__(self, operations: Sequence[Operation], slots: Sequence[int] = ()) -> None:
        self.slots = list(slots)
        self.magic, self.version = native.PLAN_MAGIC, native.PLAN_VERSION
        self.slot_count: int | None = None
        self.size: int | None = None
        self.ops: int | None = None
        self.op_count = len(operations)
        self.sync_fd, self.keep_fds = 0, 0
        self.body = b""
        self.pool = b""
        words = sum(1 + len(fields_of(code)) for code, _ in operations)
        self.pool_at = self.ops_at() + 8 * words
        for index, (code, args) in enumerate(operations):
            fields = fields_of(code)
            assert set(args) <= {name for name, _ in fields}, (code, args)
            self.body += struct.pack("<HHi", native.opcode(code), len(fields), index)
            for name, kind in fields:
                self.body += struct.pack("<Q", self.argument(kind, args.get(name)))

    def ops_at(self) -> int:
        return 40 + (len(self.slots) * 4 + 7) // 8 * 8

    def add(self, data: bytes) -> int:
        self.pool += bytes(-len(self.pool) % 8)
        offset = self.pool_at + len(self.pool)
        self.pool += data
        return offset

    def argument(self, kind: str, value: object) -> int:
        if isinstance(value, int):
            return value & SLOT_NONE  # also offsets of one's own for strings and vectors
        if value is None:
            return SLOT_NONE if kind == "slot" else 0
        if isinstance(value, bytes) and kind == "blob":
            return self.add(struct.pack("<Q", len(value)) + value)
        if kind == "str":
            return self.add(os.fsencode(str(value)) + b"\0")
        assert isinstance(value, (list, tuple)), (kind, value)
        items = [self.argument("str", item) if kind == "strv" else item for item in value]
        return self.add(struct.pack(f"<{len(items) + 1}Q", len(items), *items))

    def data(self) -> bytes:
        slots = struct.pack(f"<{len(self.slots)}i", *self.slots)
        slots += bytes(-len(slots) % 8)
        whole = slots + self.body + self.pool
        header = struct.pack(
            "<4I2Q2I",
            self.magic,
            self.version,
            len(self.slots) if self.slot_count is None else self.slot_count,
            self.op_count,
            40 + len(whole) if self.size is None else self.size,
            self.ops_at() if self.ops is None else self.ops,
            self.sync_fd,
            self.keep_fds,
        )
        return header + whole


class Failed(Exception):  # noqa: N818 - what init answered, as data
    """MSG_FAILED."""

    def __init__(self, message: native.Message) -> None:
        super().__init__(f"operation {message.op}: {message.text} (errno {message.error})")
        self.op, self.error, self.text = message.op, message.error, message.text


class Init:
    """An init of its own for each with-block; killed and reaped at its end."""

    def __init__(
        self,
        plan: Blob | Sequence[Operation],
        *,
        fds: Sequence[int] = (),
        slots: Sequence[int] = (),
        keep_fds: int = 0,
    ) -> None:
        self.blob = plan if isinstance(plan, Blob) else Blob(plan, slots)
        self.blob.keep_fds = keep_fds
        self.fds = [*fds, *(fd for fd in slots if fd >= 0)]
        self.keep_fds = keep_fds
        self.pid, self.pidfd = 0, -1
        self.status: int | None = None

    def __enter__(self) -> Init:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket = ours
        image = os.open(INIT, os.O_RDONLY)
        with theirs:
            self.blob.sync_fd = theirs.fileno()
            plan = native.sealed_memfd("plan", self.blob.data())
            self.pid, self.pidfd = native.spawn(image, plan, [theirs.fileno(), *self.fds], self.keep_fds)
            os.close(plan)
            os.close(image)
        return self

    def receive(self) -> native.Message | None:
        return native.receive(self.socket.fileno())

    def proceed(self) -> None:
        native.send_continue(self.socket.fileno())

    def expect(self, type: int) -> native.Message:
        """The next message, which must be of this type. Raises Failed for MSG_FAILED."""
        message = self.receive()
        assert message is not None, f"init is gone without a word: {self.wait()}"
        if message.type == native.MSG_FAILED and type != native.MSG_FAILED:
            raise Failed(message)
        assert message.type == type, (message.type, message.text)
        return message

    def expect_end(self) -> None:
        message = self.receive()
        if message is not None:
            raise Failed(message)

    def wait(self) -> int:
        """The exit code; negative: the signal."""
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        if self.status is None:
            native.pidfd_send_signal(self.pidfd, 9)
            self.wait()
        os.close(self.pidfd)


def run(operations: Sequence[Operation], **options: object) -> int:
    """Run a plan to its end, or to its payload's: the exit code. Raises Failed."""
    with Init(operations, **options) as init:  # type: ignore[arg-type]
        while (message := init.receive()) is not None:
            if message.type == native.MSG_FAILED:
                assert init.wait() == 1
                raise Failed(message)
            if message.type == native.MSG_SYNC:
                init.proceed()
        return init.wait()


def failure(operations: Sequence[Operation], **options: object) -> Failed:
    """The failure this plan ends in."""
    try:
        code = run(operations, **options)
    except Failed as failed:
        return failed
    raise AssertionError(f"nothing failed, exit code {code}")


def payload(*argv: str, env: Sequence[str] = ("PATH=/usr/bin:/bin",)) -> list[Operation]:
    """The end of a plan: execute this."""
    return [
        ("environment", {"env": list(env)}),
        ("find_executable", {"name": argv[0]}),
        ("done", {}),
        ("exec", {"argv": list(argv)}),
    ]


def shell(script: str, env: Sequence[str] = ("PATH=/usr/bin:/bin",)) -> list[Operation]:
    return payload("sh", "-c", script, env=env)
