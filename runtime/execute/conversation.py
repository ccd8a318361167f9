"""The runtime's side of the conversation drawn in csrc/native.h."""

from __future__ import annotations

import _socket

from runtime.errors import KernelError
from runtime.execute.interrupt import program, readable
from runtime.linux import posix as os
from runtime.native import (
    MSG_DONE,
    MSG_FAILED,
    MSG_FORKED,
    MSG_SECCOMP_FD,
    MSG_SYNC,
    Message,
    init_image,
    receive,
    sealed_memfd,
    send_continue,
    spawn,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runtime.plan.ops import Op


class Conversation:
    """Runs a plan from its spawn operation on, until init says that it is done.

    `perform(op)` does an operation of the runtime; `forked(pid)` is told init's pid before anything
    else happens; `seccomp_fd(fd)` gets the notify descriptor. `pid` is the stage's, then init's.
    """

    __slots__ = ("forked", "ops", "perform", "pid", "seccomp_fd", "socket", "stage")

    def __init__(
        self,
        ops: Sequence[Op],
        perform: Callable[[Op], None],
        forked: Callable[[int], None],
        seccomp_fd: Callable[[int], None],
    ) -> None:
        self.ops = ops
        self.perform = perform
        self.forked = forked
        self.seccomp_fd = seccomp_fd
        self.socket = -1
        self.stage = 0
        self.pid = 0

    def start(self, blob: bytes, sync_fd: int, fds: list[int], keep_fds: int, cgroup_fd: int) -> None:
        """Start the stage from the sealed init image with the plan in a sealed memfd."""
        image = sealed_memfd("planc-init", init_image(), executable=True)
        plan = sealed_memfd("planc-plan", blob)
        try:
            self.stage, pidfd = spawn(image, plan, [sync_fd, *fds], keep_fds, cgroup_fd)
            os.close(pidfd)
        finally:
            os.close(image)
            os.close(plan)
        self.pid = self.stage

    def run(self) -> None:
        """Listen until MSG_DONE. Raises KernelError for what init reports, and what `perform` raises."""
        while True:
            message = self.listen()
            if message is None:
                raise self.died()
            if message.type == MSG_DONE:
                return
            self.answer(message)

    def listen(self) -> Message | None:
        """The next message; None at the end of init. May raise Interrupted."""
        try:
            readable(self.socket)
            return receive(self.socket)
        except ConnectionResetError:
            # it had been told something that it did not live to read
            return None

    def wait_for_exec(self) -> None:
        """After MSG_DONE of a plan without OP_WAIT_START: until execve(2) closes the socket, or fails.

        May raise Interrupted: the program has not run.
        """
        program(self.socket, self.pid)
        message = self.listen()
        if message is not None:
            raise failure(self.ops, message)

    def answer(self, message: Message) -> None:
        if message.type == MSG_FAILED:
            raise failure(self.ops, message)
        if message.type == MSG_FORKED:
            self.pid = message.value
            os.waitpid(self.stage, 0)
            self.forked(self.pid)
        elif message.type == MSG_SYNC:
            for op in self.runtime_ops(message.op):
                self.perform(op)
            self.go_on()
        elif message.type == MSG_SECCOMP_FD:
            self.seccomp_fd(message.fd)
            self.go_on()

    def go_on(self) -> None:
        """It is init's turn again. Raises KernelError when it has been killed meanwhile."""
        try:
            send_continue(self.socket)
        except OSError:
            raise self.died() from None

    def runtime_ops(self, index: int) -> list[Op]:
        """The operations of the runtime from `index` to the next one of init."""
        end = index
        while end < len(self.ops) and self.ops[end].who == "runtime":
            end += 1
        return list(self.ops[index:end])

    def died(self) -> KernelError:
        """What to say when the socket ends without a word: who killed init?"""
        detail = "init ended without a word"
        try:
            _, status = os.waitpid(self.pid, 0)
        except ChildProcessError:
            return KernelError("start init", 0, detail=detail)
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            detail = f"init was killed by signal {number}"
            if number == 9:
                hint = "most often that is the memory limit: linux.resources.memory.limit may be too low"
                return KernelError("start init", 0, detail=detail, hint=hint)
        return KernelError("start init", 0, detail=detail)


def failure(ops: Sequence[Op], message: Message) -> KernelError:
    """The error of an operation that init could not do: where it came from, what it was, errno, hint."""
    from runtime.execute.hints import hint_for
    from runtime.plan.refuse import dotted

    pointer = ""
    operation = message.text
    if 0 <= message.op < len(ops):
        op = ops[message.op]
        pointer = dotted(op.cause)
        operation = message.text or op.code.replace("_", " ")
        return KernelError(operation, message.error, pointer, hint=hint_for(op, message.error))
    return KernelError(operation, message.error, pointer)


def sync_pair() -> tuple[int, int]:
    """The two ends of a conversation."""
    from runtime.execute.unix_socket import pair

    return pair(_socket.SOCK_SEQPACKET)
