"""`exec`: another process in an existing container."""

from __future__ import annotations

from runtime.errors import KernelError
from runtime.execute import cgroupfs
from runtime.execute.plan_run import PlanRun, RunRequest
from runtime.linux import posix as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.execute.cgroupfs import Cgroup
    from runtime.plan.ops import Op, Plan
    from runtime.state.record import Record
    from runtime.state.store import ContainerDirectory


class ExecRequest(RunRequest):
    """What `exec` needs beside the plan, and beside what every plan needs.

    cgroups      the directories the process enters: the container's, or below them
    frozen       what is born in the unified one stands still (cgroupfs.frozen_at_birth)
    fallback     when entering one fails, enter init's cgroup instead (v2: "no internal processes")
    """

    __slots__ = ("cgroups", "fallback", "frozen")

    def __init__(self, cgroups: list[Cgroup]) -> None:
        super().__init__()
        self.cgroups = cgroups
        self.fallback = True
        self.frozen = False


def exec_process(plan: Plan, request: ExecRequest, directory: ContainerDirectory, record: Record) -> int:
    """Carry out an exec plan; returns the pid of the process, a child of ours. Raises PlancError."""
    execution = Execution(plan, request, directory, record)
    try:
        execution.run()
    except BaseException:
        execution.end_processes()
        raise
    finally:
        execution.close_descriptors()
    return execution.conversation.pid


class Execution(PlanRun):
    """One process on its way into the container."""

    request: ExecRequest

    def __init__(
        self, plan: Plan, request: ExecRequest, directory: ContainerDirectory, record: Record
    ) -> None:
        super().__init__(plan, request, record)
        self.directory = directory

    def run(self) -> None:
        """From the first operation to the program: the socket ends when execve(2) closes it."""
        for op in self.plan.ops:
            self.perform(op)
            if op.code == "spawn":
                break
        self.conversation.run()
        self.conversation.wait_for_exec()

    def open_cgroup(self) -> int:
        if self.request.frozen or self.record.systemd_user:
            return -1
        return cgroupfs.open_unified(self.request.cgroups, self.fallback())

    def fallback(self) -> int:
        """init's pid where its cgroup will do, else 0."""
        return self.record.pid if self.request.fallback else 0

    def do_cgroup_join(self, op: Op) -> None:
        cgroupfs.join(self.request.cgroups, self.conversation.pid, self.born_inside, self.fallback())

    def do_systemd_attach(self, op: Op) -> None:
        from runtime.execute.systemd import attach

        args, below = op.args, op.args["below"]
        path = self.request.cgroups[-1][1]
        try:
            below = below.rstrip("/") + cgroupfs.place_for_process(path, self.fallback())[len(path) :] or "/"
        except OSError:
            pass  # systemd knows better what is wrong with it
        attach(args["unit"], bool(args["user"]), below, self.conversation.pid)

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

    def open_root(self) -> int:
        """The root directory of init, for a container without a mount namespace."""
        path = f"/proc/{self.record.pid}/root"
        try:
            return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as err:
            raise KernelError(f"open {path}", err.errno or 0) from None

    def send_seccomp_fd(self, fd: int) -> None:
        seccomp = self.record.config["linux"]["seccomp"]
        self.send_listener(
            seccomp.get("listenerPath") or "", seccomp.get("listenerMetadata") or "", "running", fd
        )
