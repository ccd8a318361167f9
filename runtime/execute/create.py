"""`create`: reserve, cgroups, spawn, id maps, hooks, ready, record; whatever fails is undone."""

from __future__ import annotations

import time

from runtime.errors import PlancError
from runtime.execute import cgroupfs
from runtime.execute.plan_run import PlanRun, RunRequest
from runtime.linux import posix as os
from runtime.linux.json import dumps
from runtime.linux.process import process_status
from runtime.plan.refuse import dotted
from runtime.state import store
from runtime.state.oci_state import oci_state
from runtime.state.record import Record
from runtime.state.summary import save_summary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.execute.cgroupfs import Cgroup
    from runtime.plan.ops import Op, Plan

SIGKILL = 9
LIMITS = ("cgroup_set", "cgroup_check", "cgroup_devices")


class CreateRequest(RunRequest):
    """What `create` needs beside the plan, and beside what every plan needs.

    record           the container as far as it is known: everything but pid and times
    root             where containers are kept
    seccomp          linux.seccomp as it stands in config.json, the key of the filter cache
    """

    __slots__ = ("record", "root", "seccomp")

    def __init__(self, root: str, record: Record) -> None:
        super().__init__()
        self.root = root
        self.record = record
        self.seccomp: Any = None


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


class Creation(PlanRun):
    """One container on its way, and how to take it back."""

    request: CreateRequest

    def __init__(self, plan: Plan, request: CreateRequest) -> None:
        super().__init__(plan, request, request.record)
        self.directory: store.ContainerDirectory | None = None
        self.index = 0
        self.cgroups: list[Cgroup] = []
        self.scope = False

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
        self.cgroups += cgroupfs.create([cgroup], self.record.rootless, dotted(op.cause))

    def do_cgroup_set(self, op: Op) -> None:
        """Limits that come when there is a stage or an init: all that follow each other at once."""
        ops = self.plan.ops
        first = last = next(index for index, other in enumerate(ops) if other is op)
        if ops[first - 1].code in LIMITS:
            return
        while ops[last].code in LIMITS:
            last += 1
        cgroupfs.apply(self.cgroups, ops[first:last])

    do_cgroup_check = do_cgroup_devices = do_cgroup_set

    def do_systemd_scope(self, op: Op) -> None:
        from runtime.execute.systemd import await_scope, begin_scope

        unit, user = op.args["unit"], bool(op.args["user"])
        properties, pid = op.args["properties"], self.conversation.pid
        job = begin_scope(unit, user, properties, pid, self.record.annotations)
        self.scope = True
        await_scope(unit, user, job)

    def do_cgroup_adopt(self, op: Op) -> None:
        from runtime.execute.systemd_cgroups import adopt

        cgroup = (tuple(op.args.get("controllers") or ()), op.args["path"])
        pure_v2 = sum(other.code == op.code for other in self.plan.ops) == 1
        record, pid = self.record, self.conversation.pid
        self.cgroups += adopt(cgroup, pid, record.rootless, dotted(op.cause), pure_v2)

    def do_systemd_set(self, op: Op) -> None:
        from runtime.execute.systemd import set_properties

        set_properties(op.args["unit"], bool(op.args["user"]), op.args["properties"])

    def do_cgroup_owner(self, op: Op) -> None:
        from runtime.execute.cgroup_owner import give_away

        give_away(op)

    def do_cgroup_join(self, op: Op) -> None:
        cgroupfs.join(self.cgroups, self.conversation.pid, self.born_inside)

    def do_open_user_namespace(self, op: Op) -> None:
        from runtime.execute.idmap import open_user_namespace

        self.descriptors[op.args["userns"]] = open_user_namespace(op, dotted(op.cause))

    def do_id_map(self, op: Op) -> None:
        from runtime.execute.idmap import write_id_maps

        write_id_maps(self.conversation.pid, op, dotted(op.cause))

    def do_check_id_map(self, op: Op) -> None:
        from runtime.execute.idmap import check_id_maps

        check_id_maps(self.conversation.pid, op, dotted(op.cause))

    def do_run_hook(self, op: Op) -> None:
        from runtime.execute.hooks import run_hook

        args = op.args
        state = dumps(oci_state(self.record, "created"), spaces=False)
        name = f"{args['kind']} hook"
        timeout = args.get("timeout") or 0
        run_hook(name, args["path"], args.get("argv"), args.get("env"), timeout, state, dotted(op.cause))

    def do_save_state(self, op: Op) -> None:
        assert self.directory is not None
        self.record.creating = False
        self.record.cgroups = self.cgroups
        self.directory.save(self.record)
        self.directory.unlink(store.INIT_FILE)
        save_summary(self.directory, self.record)

    # what they need

    def seccomp_blobs(self) -> dict[str, bytes]:
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

    def open_cgroup(self) -> int:
        return cgroupfs.open_unified(self.cgroups)

    def forked(self, pid: int) -> None:
        """Init exists: from here `delete --force` can find it."""
        assert self.directory is not None
        self.record.pid = pid
        self.record.start_time = process_status(pid)[1]
        self.directory.save_init(pid, self.record.start_time)

    def send_seccomp_fd(self, fd: int) -> None:
        listener = next(op for op in self.plan.ops if op.code == "seccomp_listener")
        self.send_listener(listener.args["path"], listener.args.get("metadata") or "", "creating", fd)

    # and back

    def undo(self, error: BaseException) -> None:
        """Take everything back; what cannot be taken back is added to the error, never hides it."""
        if self.directory is None:
            return
        steps = (
            self.end_processes,
            self.stop_scope,
            self.remove_cgroups,
            self.unmount,
            self.run_poststop,
            self.directory.remove,
        )
        for step in steps:
            try:
                step()
            except (PlancError, OSError) as err:
                if isinstance(error, PlancError):
                    error.message += f" (and then: {err})"
        self.directory.close()

    def stop_scope(self) -> None:
        """One of that name that we have not begun is somebody else's."""
        if self.scope:
            from runtime.execute.systemd import stop_unit

            cgroupfs.kill(self.cgroups, SIGKILL)
            stop_unit(self.record.systemd_unit, self.record.systemd_user)

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
