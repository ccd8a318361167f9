"""`exec`: another process in an existing container."""

from __future__ import annotations

from runtime.errors import KernelError
from runtime.execute import cgroupfs
from runtime.execute.child import kill_and_reap
from runtime.execute.conversation import Conversation, sync_pair
from runtime.execute.encode import encode
from runtime.linux import posix as os
from runtime.state.oci_state import oci_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from runtime.execute.cgroupfs import Cgroup
    from runtime.plan.ops import Op, Plan
    from runtime.state.record import Record
    from runtime.state.store import ContainerDirectory


class ExecRequest:
    """What `exec` needs beside the plan.

    cgroups      the directories the process enters: the container's, or below them
    frozen       what is born in the unified one stands still (cgroupfs.frozen_at_birth)
    fallback     when entering one fails, enter init's cgroup instead (v2: "no internal processes")
    console_socket, console_fd, pidfd_socket, keep_fds, trace: as for `create`
    """

    __slots__ = (
        "cgroups",
        "console_fd",
        "console_socket",
        "fallback",
        "frozen",
        "keep_fds",
        "pidfd_socket",
        "trace",
    )

    def __init__(self, cgroups: list[Cgroup]) -> None:
        self.cgroups = cgroups
        self.fallback = True
        self.frozen = False
        self.console_socket = ""
        self.console_fd = -1
        self.pidfd_socket = ""
        self.keep_fds = 0
        self.trace: Callable[[int, Op], None] | None = None


def exec_process(plan: Plan, request: ExecRequest, directory: ContainerDirectory, record: Record) -> int:
    """Carry out an exec plan; returns the pid of the process, a child of ours. Raises PlancError."""
    execution = Execution(plan, request, directory, record)
    try:
        execution.run()
    except BaseException:
        execution.undo()
        raise
    finally:
        execution.close_descriptors()
    return execution.conversation.pid


class Execution:
    """One process on its way into the container."""

    def __init__(
        self, plan: Plan, request: ExecRequest, directory: ContainerDirectory, record: Record
    ) -> None:
        self.plan = plan
        self.request = request
        self.directory = directory
        self.record = record
        self.descriptors: dict[str, int] = {}
        self.born_inside = False
        self.conversation = Conversation(plan.ops, self.perform, self.forked, self.send_seccomp_fd)

    def run(self) -> None:
        """From the first operation to the program: the socket ends when execve(2) closes it."""
        for index, op in enumerate(self.plan.ops):
            if op.code == "spawn":
                self.spawn(index)
                break
            self.perform(op)
        self.conversation.run()
        self.conversation.wait_for_exec()

    def perform(self, op: Op) -> None:
        if self.request.trace:
            self.request.trace(self.plan.ops.index(op), op)
        getattr(self, "do_" + op.code)(op)

    def spawn(self, index: int) -> None:
        blobs = self.seccomp_blobs()
        self.open_descriptors()
        ours, theirs = sync_pair()
        self.conversation.socket = ours
        try:
            keep = self.request.keep_fds
            blob = encode(self.plan.ops, index + 1, self.descriptors, blobs, theirs, keep)
            cgroup_fd = -1
            if not self.request.frozen:
                cgroup_fd = cgroupfs.open_unified(self.request.cgroups, self.fallback())
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

    def fallback(self) -> int:
        """init's pid where its cgroup will do, else 0."""
        return self.record.pid if self.request.fallback else 0

    def do_cgroup_join(self, op: Op) -> None:
        cgroupfs.join(self.request.cgroups, self.conversation.pid, self.born_inside, self.fallback())

    def do_rlimit(self, op: Op) -> None:
        from runtime.execute.rlimit import set_rlimit

        set_rlimit(self.conversation.pid, op)

    def do_send_pidfd(self, op: Op) -> None:
        from runtime.execute.pidfd_socket import send_pidfd

        send_pidfd(self.request.pidfd_socket, self.conversation.pid)

    def do_seccomp_listener(self, op: Op) -> None:
        """Nothing yet: the descriptor comes by itself when init has loaded the filter."""

    def seccomp_blobs(self) -> dict[str, bytes]:
        if not any(op.code == "seccomp" for op in self.plan.ops):
            return {}
        from runtime.execute.seccomp_cache import load_for_exec

        return {"seccomp": load_for_exec(self.directory.fd)}

    def open_descriptors(self) -> None:
        try:
            self.descriptors["pidfd"] = os.pidfd_open(self.record.pid)
        except OSError as err:
            raise KernelError(f"open process {self.record.pid}", err.errno or 0) from None
        if any(op.args.get("root") == "root" for op in self.plan.ops):
            self.descriptors["root"] = self.open_root()
        if self.request.console_fd >= 0 or self.request.console_socket:
            from runtime.execute.console_socket import console_descriptor

            self.descriptors["console"] = console_descriptor(self.request)

    def open_root(self) -> int:
        """The root directory of init, for a container without a mount namespace."""
        path = f"/proc/{self.record.pid}/root"
        try:
            return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as err:
            raise KernelError(f"open {path}", err.errno or 0) from None

    def close_descriptors(self) -> None:
        for fd in self.descriptors.values():
            os.close(fd)
        self.descriptors.clear()
        if self.conversation.socket >= 0:
            os.close(self.conversation.socket)
            self.conversation.socket = -1

    def forked(self, pid: int) -> None:
        """The container's init does not hear of it."""

    def send_seccomp_fd(self, fd: int) -> None:
        from runtime.execute.seccomp_agent import send_to_agent

        seccomp = self.record.config["linux"]["seccomp"]
        path, metadata = seccomp.get("listenerPath") or "", seccomp.get("listenerMetadata") or ""
        state = oci_state(self.record, "running")
        try:
            send_to_agent(path, metadata, state, self.conversation.pid, fd)
        finally:
            os.close(fd)

    def undo(self) -> None:
        for pid in {self.conversation.stage, self.conversation.pid}:
            if pid > 0:
                kill_and_reap(pid)
