"""A plan on its way: what `create` and `exec` have in common from the first operation to the last.

Operations of the runtime are methods ``do_<code>``; those of the stage and init go to csrc/ in one
piece, and the conversation with it comes back here for each of the runtime's in between.
"""

from __future__ import annotations

from runtime.errors import KernelError
from runtime.execute.child import kill_and_reap
from runtime.execute.conversation import Conversation, sync_pair
from runtime.execute.encode import encode
from runtime.linux import posix as os
from runtime.state.oci_state import oci_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.plan.ops import Op, Plan
    from runtime.state.record import Record


class RunRequest:
    """What is needed beside the plan.

    console_socket   path of the socket that gets the terminal's master, or ""
    console_fd       instead of it: a connected socket of planc's own (`run` with a terminal), or -1
    pidfd_socket     path of the socket that gets the process's pidfd, or ""
    keep_fds         descriptors 3 .. 3+keep_fds-1 go to the process
    trace            called with each operation before it is done (`--debug`), or None
    """

    __slots__ = ("console_fd", "console_socket", "keep_fds", "pidfd_socket", "trace")

    def __init__(self) -> None:
        self.console_socket = ""
        self.console_fd = -1
        self.pidfd_socket = ""
        self.keep_fds = 0
        self.trace: Callable[[int, Op], None] | None = None


class PlanRun:
    """One process on its way: what there is so far. The two that know more fill in the lower half.

    `born_inside`: the stage was born in the unified cgroup.
    """

    def __init__(self, plan: Plan, request: RunRequest, record: Record) -> None:
        self.plan = plan
        self.request = request
        self.record = record
        self.descriptors: dict[str, int] = {}
        self.born_inside = False
        self.conversation = Conversation(plan.ops, self.perform, self.forked, self.send_seccomp_fd)

    def perform(self, op: Op) -> None:
        self.trace(op)
        getattr(self, "do_" + op.code)(op)

    def trace(self, op: Op) -> None:
        if self.request.trace:
            self.request.trace(self.plan.ops.index(op), op)

    def do_spawn(self, op: Op) -> None:
        """The stage, with the rest of the plan; it waits for ``conversation.run()``."""
        blobs = self.seccomp_blobs()
        self.open_descriptors()
        self.open_console()
        ours, theirs = sync_pair()
        self.conversation.socket = ours
        try:
            keep = self.request.keep_fds
            first = self.plan.ops.index(op) + 1
            blob = encode(self.plan.ops, first, self.descriptors, blobs, theirs, keep)
            cgroup_fd = self.open_cgroup()
            try:
                self.conversation.start(blob, theirs, list(self.descriptors.values()), keep, cgroup_fd)
            finally:
                if cgroup_fd >= 0:
                    self.born_inside = True
                    os.close(cgroup_fd)
        except OSError as err:
            raise KernelError("start init", err.errno or 0) from None
        finally:
            os.close(theirs)

    def do_rlimit(self, op: Op) -> None:
        from runtime.execute.rlimit import set_rlimit

        set_rlimit(self.conversation.pid, op)

    def do_send_pidfd(self, op: Op) -> None:
        from runtime.execute.pidfd_socket import send_pidfd

        send_pidfd(self.request.pidfd_socket, self.conversation.pid)

    def do_seccomp_listener(self, op: Op) -> None:
        """Nothing yet: the descriptor comes by itself when init has loaded the filter."""

    def open_console(self) -> None:
        if self.request.console_fd >= 0 or self.request.console_socket:
            from runtime.execute.console_socket import console_descriptor

            self.descriptors["console"] = console_descriptor(self.request)

    def close_descriptors(self) -> None:
        for fd in self.descriptors.values():
            os.close(fd)
        self.descriptors.clear()
        if self.conversation.socket >= 0:
            os.close(self.conversation.socket)
            self.conversation.socket = -1

    def send_listener(self, path: str, metadata: str, status: str, fd: int) -> None:
        """The notify descriptor, ours to close, to the seccomp agent."""
        from runtime.execute.seccomp_agent import send_to_agent

        try:
            send_to_agent(path, metadata, oci_state(self.record, status), self.conversation.pid, fd)
        finally:
            os.close(fd)

    def end_processes(self) -> None:
        for pid in {self.conversation.stage, self.conversation.pid}:
            if pid > 0:
                kill_and_reap(pid)

    # what create and exec know

    def seccomp_blobs(self) -> dict[str, bytes]:
        """The compiled filter under its name in the plan, if there is one."""
        raise NotImplementedError

    def open_descriptors(self) -> None:
        """Into ``descriptors``: what the stage inherits, by its name in the plan."""
        raise NotImplementedError

    def open_cgroup(self) -> int:
        """Descriptor of the unified cgroup that the stage is born in, or -1."""
        raise NotImplementedError

    def forked(self, pid: int) -> None:
        """The stage has made the process; nothing else has happened."""

    def send_seccomp_fd(self, fd: int) -> None:
        """The filter's notify descriptor has come."""
        raise NotImplementedError
