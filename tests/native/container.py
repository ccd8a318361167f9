"""A container made of a few operations, held still so that it can be looked at from outside.

The real static init runs the plan in a mount namespace of its own, stops at a
last OP_SYNC, and is killed at the end: no mount outlives a test.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from .blob import MESSAGES, Operation, encode

INIT = os.environ.get("PLANC_TEST_INIT") or str(
    Path(__file__).resolve().parents[2] / "runtime/native/planc-init"
)
MESSAGE = struct.Struct("<IiiiQ1000s")
LIBC = ctypes.CDLL(None, use_errno=True)

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC = 1, 2, 4, 8, 4096, 16384
MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 17, 1 << 18, 1 << 19, 1 << 20
MS_REMOUNT = 32
RDONLY, NOSUID, NODEV, NOEXEC = 1, 2, 4, 8
NOATIME, STRICTATIME, NODIRATIME, NOSYMFOLLOW = 0x10, 0x20, 0x80, 0x200000
CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWPID = 0x20000, 0x10000000, 0x40000000, 0x20000000


def mount(
    source: str | None, target: str, type: str | None = None, flags: int = 0, data: str | None = None
) -> None:
    """mount(2)."""
    args = [None if s is None else os.fsencode(s) for s in (source, target, type)]
    if LIBC.mount(*args, ctypes.c_ulong(flags), None if data is None else data.encode()) < 0:
        raise OSError(ctypes.get_errno(), f"mount {type} on {target}: {os.strerror(ctypes.get_errno())}")


def umount(target: str) -> None:
    """umount2(2), lazily."""
    if LIBC.umount2(os.fsencode(target), 2) < 0:
        raise OSError(ctypes.get_errno(), f"umount {target}: {os.strerror(ctypes.get_errno())}")


def private_namespace() -> None:
    """What every child does first: mounts of its own."""
    if LIBC.unshare(CLONE_NEWNS) < 0:
        raise OSError(ctypes.get_errno(), "unshare")
    mount(None, "/", None, MS_REC | MS_PRIVATE)


class Mount:
    """One line of /proc/PID/mountinfo."""

    def __init__(self, line: str) -> None:
        left, _, right = line.partition(" - ")
        words = left.split()
        self.id, self.parent = int(words[0]), int(words[1])
        self.root, self.path = words[3], words[4]
        self.options = words[5].split(",")
        self.propagation = sorted(word.partition(":")[0] for word in words[6:])
        self.type, self.source, super_options = right.split(" ", 2)
        self.super_options = super_options.split(",")

    def __repr__(self) -> str:
        return f"<{self.type} on {self.path} {self.options} {self.propagation}>"


class Failed(Exception):  # noqa: N818 - what init answered, as data
    """MSG_FAILED."""

    def __init__(self, op: int, error: int, text: str) -> None:
        super().__init__(f"operation {op}: {text} (errno {error})")
        self.op, self.error, self.text = op, error, text


class Container:
    """Runs `operations` in init; inside the with-block init is stopped behind the last.

    `setup` runs in the child, in its private mount namespace, before init is started: mounts that
    the "host" has. `on_sync`: one function of the pid per OP_SYNC among the operations.
    """

    def __init__(
        self,
        operations: Sequence[Operation],
        *,
        setup: Callable[[], None] = lambda: None,
        on_sync: Sequence[Callable[[int], None]] = (),
        inherited: dict[str, int] | None = None,
    ) -> None:
        self.operations = [*operations, ("sync", {})]
        self.setup, self.on_sync, self.inherited = setup, list(on_sync), inherited or {}
        self.pid = 0

    def __enter__(self) -> Container:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket = ours
        ours.settimeout(60)
        plan = os.memfd_create("plan")
        os.write(plan, encode(self.operations, theirs.fileno(), self.inherited))
        self.pid = os.fork()
        if self.pid == 0:
            self._child([plan, theirs.fileno(), *self.inherited.values()], plan)
        theirs.close()
        os.close(plan)
        try:
            self._converse()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _child(self, fds: list[int], plan: int) -> None:
        try:
            private_namespace()
            self.setup()
            for fd in fds:
                os.set_inheritable(fd, True)
            os.execve(INIT, ["planc-init", str(plan)], {})
        except BaseException as error:
            os.write(2, f"child: {error!r}\n".encode())
        finally:
            os._exit(127)

    def _converse(self) -> None:
        for index, (code, _) in enumerate(self.operations):
            if code != "sync":
                continue
            assert self._receive() == index
            if index + 1 < len(self.operations):
                self.on_sync.pop(0)(self.pid)
                self.socket.send(MESSAGE.pack(MESSAGES["MSG_CONTINUE"], -1, 0, 0, 0, b""))

    def _receive(self) -> int:
        """The operation of the next MSG_SYNC. OP_FORK on the way: init takes the stage's place."""
        data = self.socket.recv(MESSAGE.size)
        assert data, "init is gone without a word"
        type, op, error, _, value, text = MESSAGE.unpack(data)
        if type == MESSAGES["MSG_FAILED"]:
            raise Failed(op, error, text.partition(b"\0")[0].decode())
        if type == MESSAGES["MSG_FORKED"]:
            os.waitpid(self.pid, 0)
            self.pid = value
            return self._receive()
        assert type == MESSAGES["MSG_SYNC"]
        return int(op)

    def __exit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)

    def mounts(self) -> list[Mount]:
        """Its mounts, in the kernel's order."""
        return [Mount(line) for line in Path(f"/proc/{self.pid}/mountinfo").read_text().splitlines()]

    def mount_at(self, path: str) -> Mount:
        """The topmost mount whose mount point, as /proc/PID/mountinfo shows it, is `path`."""
        found = [mount for mount in self.mounts() if mount.path == path]
        assert found, (path, self.mounts())
        return found[-1]

    def inside(self, path: str) -> Path:
        """The file as the container sees it, through /proc/PID/root (after pivot_root)."""
        return Path(f"/proc/{self.pid}/root/{path.lstrip('/')}")


def remove_cgroup(path: Path) -> None:
    """Remove a directory whose processes have ended: they may leave it a moment later."""
    end = time.monotonic() + 60
    while True:
        try:
            return path.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > end:
                raise
        time.sleep(0.002)


def attach(rootfs: Path, **options: Any) -> list[Operation]:
    """The usual beginning: the root file system attached on itself."""
    tree = {"tree": "rootfs", "source": rootfs, "recursive": 1, "propagation": MS_PRIVATE}
    return [
        ("root_propagation", {"flags": MS_SLAVE | MS_REC}),
        ("open_tree", {**tree, **options}),
        ("attach_rootfs", {"tree": "rootfs", "root": "root", "path": rootfs, "parent_private": 1}),
    ]


PIVOT: Operation = ("pivot_root", {"root": "root"})


def failure(operations: Sequence[Operation], **options: Any) -> Failed:
    """The failure that these operations end in."""
    try:
        with Container(operations, **options):
            pass
    except Failed as failed:
        return failed
    raise AssertionError("nothing failed")


def in_namespaces_of(pid: int, action: Callable[[], None]) -> int:
    """Run `action` as root of the user, mount and other namespaces of `pid`: 0, or the errno it raised."""
    root = os.open(f"/proc/{pid}/root", os.O_RDONLY | os.O_DIRECTORY)
    pidfd = os.pidfd_open(pid)
    child = os.fork()
    if child == 0:
        status = 255
        try:
            kinds = CLONE_NEWNS | CLONE_NEWPID
            if os.readlink(f"/proc/{pid}/ns/user") != os.readlink("/proc/self/ns/user"):
                kinds |= CLONE_NEWUSER
            if LIBC.setns(pidfd, kinds) < 0:
                raise AssertionError(f"setns: {os.strerror(ctypes.get_errno())}")
            os.fchdir(root)
            os.chroot(".")
            action()
            status = 0
        except OSError as error:
            status = error.errno or 254
        finally:
            os._exit(status)
    os.close(root)
    os.close(pidfd)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
