"""`create`: reserve, cgroups, spawn, id maps, hooks, ready, record; whatever fails is undone."""

from __future__ import annotations

import time

from runtime.errors import KernelError, PlancError
from runtime.execute import cgroupfs
from runtime.execute.child import kill_and_reap
from runtime.execute.conversation import Conversation, pointer_path, sync_pair
from runtime.execute.encode import encode
from runtime.linux import posix as os
from runtime.linux.json import dumps
from runtime.linux.process import process_status
from runtime.state import store
from runtime.state.oci_state import oci_state
from runtime.state.record import Record
from runtime.state.summary import save_summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runtime.execute.cgroupfs import Cgroup
    from runtime.plan.ops import Op, Plan

SIGKILL = 9
LIMITS = ("cgroup_set", "cgroup_check", "cgroup_devices")


class CreateRequest:
    """What `create` needs beside the plan.

    record           the container as far as it is known: everything but pid and times
    root             where containers are kept
    console_socket   path of the socket that gets the terminal's master, or ""
    console_fd       instead of it: a connected socket of planc's own (`run` with a terminal), or -1
    pidfd_socket     path of the socket that gets init's pidfd, or ""
    seccomp          linux.seccomp as it stands in config.json, the key of the filter cache
    keep_fds         descriptors 3 .. 3+keep_fds-1 go to the container
    trace            called with each operation before it is done (`--debug`), or None
    """

    __slots__ = (
        "console_fd",
        "console_socket",
        "keep_fds",
        "pidfd_socket",
        "record",
        "root",
        "seccomp",
        "trace",
    )

    def __init__(self, root: str, record: Record) -> None:
        self.root = root
        self.record = record
        self.console_socket = ""
        self.console_fd = -1
        self.pidfd_socket = ""
        self.keep_fds = 0
        self.seccomp: Any = None
        self.trace: Callable[[int, Op], None] | None = None


def create(plan: Plan, request: CreateRequest) -> store.ContainerDirectory:
    """Carry out a create plan.

    Returns the container's directory, open and locked; ``request.record`` is complete and saved, the
    container's status is created. Raises PlancError with everything undone.
    """
    creation = Creation(plan, request)
    try:
        creation.run()
    except BaseException as err:
        creation.undo(err)
        raise
    finally:
        creation.close_descriptors()
    assert creation.directory is not None
    return creation.directory


class Creation:
    """One container on its way: what there is so far, and how to take it back."""

    def __init__(self, plan: Plan, request: CreateRequest) -> None:
        self.plan = plan
        self.request = request
        self.record = request.record
        self.directory: store.ContainerDirectory | None = None
        self.descriptors: dict[str, int] = {}
        self.conversation = Conversation(plan.ops, self.perform, self.forked, self.send_seccomp_fd)
        self.index = 0
        self.joined_unified = False
        self.cgroups: list[Cgroup] = []

    def run(self) -> None:
        ops = self.plan.ops
        while ops[self.index].code != "spawn":
            if ops[self.index].code in LIMITS:
                self.set_limits()
                continue
            self.perform(ops[self.index])
            self.index += 1
        self.perform(ops[self.index])
        self.conversation.run()

    def set_limits(self) -> None:
        """All that follow each other at once: some values depend on others being there first."""
        first = self.index
        while self.plan.ops[self.index].code in LIMITS:
            self.trace(self.plan.ops[self.index])
            self.index += 1
        cgroupfs.apply(self.cgroups, self.plan.ops[first : self.index])

    # operations of the runtime, one method each

    def perform(self, op: Op) -> None:
        self.trace(op)
        getattr(self, "do_" + op.code)(op)

    def trace(self, op: Op) -> None:
        if self.request.trace:
            self.request.trace(self.plan.ops.index(op), op)

    def do_reserve_state(self, op: Op) -> None:
        self.directory = store.reserve(self.request.root, op.args["id"])
        if any(op.code == "chroot" for op in self.plan.ops):
            from runtime.execute.host_mounts import mount_under

            self.record.covered_mount = mount_under(self.record.rootfs)
        self.record.created = now_rfc3339()
        self.directory.save(self.record)
        if self.record.notify_socket:
            os.mkdir("notify", 0o755, dir_fd=self.directory.fd)

    def do_cgroup_create(self, op: Op) -> None:
        cgroup = (tuple(op.args.get("controllers") or ()), op.args["path"])
        self.cgroups += cgroupfs.create([cgroup], self.record.rootless, pointer_path(op.cause))

    def do_cgroup_set(self, op: Op) -> None:
        """One that comes when there is an init."""
        cgroupfs.apply(self.cgroups, [op])

    def do_cgroup_join(self, op: Op) -> None:
        cgroupfs.join(self.cgroups, self.conversation.pid, self.joined_unified)

    def do_open_user_namespace(self, op: Op) -> None:
        from runtime.execute.idmap import open_user_namespace

        self.descriptors[op.args["userns"]] = open_user_namespace(op, pointer_path(op.cause))

    def do_id_map(self, op: Op) -> None:
        from runtime.execute.idmap import write_id_maps

        write_id_maps(self.conversation.pid, op, pointer_path(op.cause))

    def do_check_id_map(self, op: Op) -> None:
        from runtime.execute.idmap import check_id_maps

        check_id_maps(self.conversation.pid, op, pointer_path(op.cause))

    def do_spawn(self, op: Op) -> None:
        blobs = self.compile_seccomp()
        self.open_descriptors()
        ours, theirs = sync_pair()
        self.conversation.socket = ours
        try:
            inherited = self.descriptors
            keep = self.request.keep_fds
            blob = encode(self.plan.ops, self.index + 1, inherited, blobs, theirs, keep)
            cgroup_fd = cgroupfs.open_unified(self.cgroups)
            try:
                self.conversation.start(blob, theirs, list(inherited.values()), keep, cgroup_fd)
            except OSError as err:
                raise KernelError("start init", err.errno or 0) from None
            finally:
                if cgroup_fd >= 0:
                    self.joined_unified = True
                    os.close(cgroup_fd)
        finally:
            os.close(theirs)

    def do_run_hook(self, op: Op) -> None:
        from runtime.execute.hooks import run_hook

        args = op.args
        state = dumps(oci_state(self.record, "created"), spaces=False)
        name = f"{args['kind']} hook"
        timeout = args.get("timeout") or 0
        run_hook(
            name, args["path"], args.get("argv"), args.get("env"), timeout, state, pointer_path(op.cause)
        )

    def do_rlimit(self, op: Op) -> None:
        from runtime.execute.rlimit import set_rlimit

        set_rlimit(self.conversation.pid, op)

    def do_send_pidfd(self, op: Op) -> None:
        from runtime.execute.pidfd_socket import send_pidfd

        send_pidfd(self.request.pidfd_socket, self.conversation.pid)

    def do_seccomp_listener(self, op: Op) -> None:
        """Nothing yet: the descriptor comes by itself when init has loaded the filter."""

    def do_save_state(self, op: Op) -> None:
        assert self.directory is not None
        self.record.creating = False
        self.record.cgroups = self.cgroups
        self.directory.save(self.record)
        self.directory.unlink(store.INIT_FILE)
        save_summary(self.directory, self.record)

    # what they need

    def compile_seccomp(self) -> dict[str, bytes]:
        if self.plan.seccomp is None:
            return {}
        from runtime.execute.seccomp_cache import compiled_filter, save_for_exec

        assert self.directory is not None
        program = compiled_filter(self.plan.seccomp, self.request.seccomp, self.request.root)
        save_for_exec(program, self.directory.fd)
        return {"seccomp": program}

    def open_descriptors(self) -> None:
        assert self.directory is not None
        for name in (store.EXEC_FIFO, store.EXEC_STATUS):
            os.mkfifo(name, 0o600, dir_fd=self.directory.fd)
            self.descriptors[name] = os.open(name, os.O_RDWR | os.O_CLOEXEC, dir_fd=self.directory.fd)
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

    def forked(self, pid: int) -> None:
        """Init exists: from here `delete --force` can find it."""
        assert self.directory is not None
        self.record.pid = pid
        self.record.start_time = process_status(pid)[1]
        self.directory.save_init(pid, self.record.start_time)

    def send_seccomp_fd(self, fd: int) -> None:
        from runtime.execute.seccomp_agent import send_to_agent

        listener = next(op for op in self.plan.ops if op.code == "seccomp_listener")
        try:
            path, metadata = listener.args["path"], listener.args.get("metadata") or ""
            send_to_agent(path, metadata, oci_state(self.record, "creating"), self.conversation.pid, fd)
        finally:
            os.close(fd)

    # and back

    def undo(self, error: BaseException) -> None:
        """Take everything back; what cannot be taken back is added to the error, never hides it."""
        if self.directory is None:
            return
        steps = (self.end_init, self.remove_cgroups, self.unmount, self.run_poststop, self.directory.remove)
        for step in steps:
            try:
                step()
            except (PlancError, OSError) as err:
                if isinstance(error, PlancError):
                    error.message += f" (and then: {err})"
        self.directory.close()

    def end_init(self) -> None:
        for pid in {self.conversation.stage, self.conversation.pid}:
            if pid > 0:
                kill_and_reap(pid)

    def remove_cgroups(self) -> None:
        cgroupfs.kill(self.cgroups, SIGKILL)
        cgroupfs.remove(self.cgroups)

    def unmount(self) -> None:
        if self.record.covered_mount:
            from runtime.execute.host_mounts import unmount

            unmount(self.record)

    def run_poststop(self) -> None:
        if self.record.pid:
            from runtime.execute.delete import run_poststop

            run_poststop(self.record)


def now_rfc3339() -> str:
    """The time with nanoseconds, as runc writes it: 2026-11-21T08:00:00.123456789Z."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds:09d}Z"
