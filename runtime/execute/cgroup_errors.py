"""What the kernel refused about a cgroup: a last try, or the error to raise. Imported only then."""

from __future__ import annotations

import errno
import time

from runtime.errors import KernelError, errno_text
from runtime.execute.cgroupfs import (
    NO_PERMISSION,
    enable_controllers,
    unified_cgroup_of,
    write,
)
from runtime.linux import posix as os
from runtime.linux.cgroup_delegation import Stop, where_it_stops
from runtime.linux.files import read_file as read
from runtime.plan.refuse import dotted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.ops import Op

SETTING_HINTS = {
    ("memory.memsw.limit_in_bytes", errno.EINVAL): "the limit of memory and swap together cannot be below"
    " the memory limit",
    ("memory.limit_in_bytes", errno.EINVAL): "the memory limit cannot be above that of memory and swap"
    " together; set both",
    ("cpu.rt_runtime_us", errno.EINVAL): "the parent cgroup has not that much real-time time",
    ("cpu.cfs_quota_us", errno.EINVAL): "the share of quota in period cannot be above that of the parent"
    " cgroup, nor below burst",
    ("cpu.cfs_burst_us", errno.EINVAL): "burst cannot be above quota",
    ("cpu.max.burst", errno.EINVAL): "burst cannot be above quota",
    ("cpu.weight", errno.EINVAL): "an idle cgroup (cpu.idle 1) has no shares",
    ("cpu.shares", errno.EINVAL): "an idle cgroup (cpu.idle 1) has no shares",
    ("cpuset.cpus", errno.EACCES): "the parent cgroup has not all of these CPUs",
    ("cpuset.cpus", errno.EINVAL): "the host has not all of these CPUs",
    ("cpuset.cpus", errno.ERANGE): "the host has not all of these CPUs",
    ("cpuset.mems", errno.EACCES): "the parent cgroup has not all of these memory nodes",
    ("cpuset.mems", errno.EINVAL): "the host has not all of these memory nodes",
    ("cpuset.mems", errno.ERANGE): "the host has not all of these memory nodes",
    ("blkio.bfq.weight", errno.ENOENT): "the kernel has no BFQ I/O scheduler",
    ("blkio.bfq.weight_device", errno.ENOENT): "the kernel has no BFQ I/O scheduler",
    ("io.weight", errno.ENOENT): "the kernel has no weights for I/O (BFQ or iocost)",
    ("io.weight", errno.EOPNOTSUPP): "neither BFQ nor iocost serves the device: see its queue/scheduler, and"
    " io.cost.qos",
    ("io.bfq.weight", errno.EOPNOTSUPP): "the device has another scheduler: see its queue/scheduler",
    ("io.max", errno.ENODEV): "there is no such block device",
    ("rdma.max", errno.ENODEV): "there is no such RDMA device",
}


def create_error(path: str, err: OSError, pointer: str) -> KernelError:
    hint = None
    if err.errno in NO_PERMISSION:
        hint = "the caller has no permission to make cgroups there"
    elif err.errno == errno.ENOENT:
        hint = "the parent cgroup was removed meanwhile, or is no cgroup"
    return KernelError(f"create cgroup {path}", err.errno or 0, pointer, hint=hint)


def open_error(path: str, err: OSError) -> KernelError:
    return KernelError(f"open cgroup {path}", err.errno or 0, "linux.cgroupsPath")


# settings


def set_after_all(path: str, op: Op, err: OSError) -> None:
    """A setting that was refused: return if it need not be, or now is; else raise KernelError."""
    file, value = op.args["file"], op.args["value"]
    if path and err.errno == errno.ENOENT and not op.args["controller"]:
        # the controller may only be not enabled yet
        try:
            enable_controllers(path, file.partition(".")[0])
            write(f"{path}/{file}", value.encode())
            return
        except OSError as again:
            err = again
    if path and err.errno == errno.ENOENT and may_be_missing(file, value):
        return
    if err.errno == errno.EINVAL and file in ("cpu.rt_runtime_us", "cpu.rt_period_us"):
        _give_ancestors(path, file, int(value))
        try:
            write(f"{path}/{file}", value.encode())
            return
        except OSError as again:
            err = again
    raise _set_error(path, op, err)


def may_be_missing(file: str, value: str) -> bool:
    """Whether a kernel without the file already does what the value says, or has another file for it."""
    if file in ("memory.swap.max", "memory.memsw.limit_in_bytes"):
        # no swap accounting: no limit, and none for swap alone
        return value in ("max", "-1", "0")
    if file in ("cpu.idle", "cpu.cfs_burst_us", "cpu.max.burst"):
        return value == "0"
    return ".rsvd." in file or file in ("io.bfq.weight", "memory.kmem.tcp.limit_in_bytes")


def _give_ancestors(path: str, file: str, value: int) -> None:
    """v1: no cgroup has more real-time time than its parent, and a new one has none."""
    ancestors: list[str] = []
    parent = os.path.dirname(path)
    while os.path.exists(f"{os.path.dirname(parent)}/{file}"):
        ancestors.insert(0, parent)
        parent = os.path.dirname(parent)
    for ancestor in ancestors:
        try:
            if int(read(f"{ancestor}/{file}")) < value:
                write(f"{ancestor}/{file}", str(value).encode())
        except OSError:
            return


def _set_error(path: str, op: Op, err: OSError) -> KernelError:
    file, value = op.args["file"], op.args["value"]
    operation = f"write {value} to {file}"
    pointer = dotted(op.cause)
    if not path or not os.path.exists(f"{path}/cgroup.procs"):
        name = op.args["controller"] or file.partition(".")[0]
        detail = f"the container has no {name} cgroup"
        return KernelError(operation, 0, pointer, detail, "the caller has no permission to make it")
    if err.errno == errno.ENOENT and not op.args["controller"]:
        reason, remedy = _why_not_enabled(path, file.partition(".")[0])
        if reason:
            return KernelError(operation, 0, pointer, reason, remedy or None)
    hint = SETTING_HINTS.get((file, err.errno or 0))
    if err.errno == errno.EBUSY and file.startswith("memory."):
        hint = f"the container already uses more ({_usage(path)} bytes)"
    elif err.errno == errno.ENOENT and not hint:
        hint = "this kernel has no such file"
    elif not hint and _is_read_only(f"{path}/{file}"):
        hint = "the kernel only lets it be read"
    elif err.errno in NO_PERMISSION and not hint:
        hint = "the caller has no permission to write it"
    return KernelError(operation, err.errno or 0, pointer, hint=hint)


def _is_read_only(path: str) -> bool:
    try:
        return not os.stat(path).st_mode & 0o222
    except OSError:
        return False


def _why_not_enabled(path: str, controller: str) -> tuple[str, str]:
    """v2: which parent does not hand the controller on, and why, and what to do; "" when the cgroup has
    it."""
    if controller == "cgroup" or controller in read(f"{path}/cgroup.controllers").decode().split():
        return "", ""
    stop = where_it_stops(path, controller)
    if stop is None:
        # nothing to be seen: the kernel has its own reason
        stop = _refused(path, controller)
    if stop.absent:
        return f"the {controller} controller is not available: {stop.path} has not got it", ""
    return f"{stop.path} does not hand on the {controller} controller: {stop.reason}", stop.remedy


def _refused(path: str, controller: str) -> Stop:
    """What the kernel says when the nearest parent that has the controller is asked to hand it on."""
    parent = os.path.dirname(path)
    while controller not in read(f"{parent}/cgroup.controllers").decode().split():
        parent = os.path.dirname(parent)
    try:
        write(f"{parent}/cgroup.subtree_control", f"+{controller}".encode())
    except OSError as err:
        return Stop(parent, errno_text(err.errno or 0))
    return Stop(parent, "it does so only now", "try again")


def _usage(path: str) -> int:
    for file in ("memory.usage_in_bytes", "memory.current"):
        try:
            return int(read(f"{path}/{file}"))
        except OSError:
            pass
    return 0


def check_usage(path: str, op: Op) -> None:
    """``cgroup_check``: usage (file) must not be above the value. Raises KernelError."""
    try:
        usage = int(read(f"{path}/{op.args['file']}"))
    except OSError:
        return
    if usage > int(op.args["value"]):
        what = "memory and swap" if op.cause.endswith("/swap") else "memory"
        operation = f"limit {what} to {op.args['value']}"
        detail = f"the container already uses more ({usage} bytes)"
        raise KernelError(operation, 0, dotted(op.cause), detail, "memory.checkBeforeUpdate is set")


# entering


def join_after_all(path: str, pid: int, err: OSError, init: int) -> None:
    """A process that was refused: move it after all, or raise KernelError."""
    if err.errno == errno.EBUSY and init:
        try:
            write(f"{unified_cgroup_of(init, path)}/cgroup.procs", str(pid).encode())
            return
        except OSError as again:
            err = again
    # a process that was only just cloned is refused for a moment
    for _ in range(50 if err.errno == errno.EINVAL else 0):
        time.sleep(0.001)
        try:
            write(f"{path}/cgroup.procs", str(pid).encode())
            return
        except OSError as again:
            err = again
    raise _join_error(path, pid, err)


def _join_error(path: str, pid: int, err: OSError) -> KernelError:
    hint = None
    if err.errno == errno.EBUSY:
        hint = "a cgroup whose children have controllers can have no processes of its own"
    elif err.errno == errno.EOPNOTSUPP:
        kind = read(f"{path}/cgroup.type").decode().strip()
        hint = f"it is of type {kind} (cgroups(7), Thread mode): choose another cgroupsPath"
    elif err.errno == errno.ENOSPC:
        hint = "its cpuset.cpus or cpuset.mems is empty"
    elif err.errno in NO_PERMISSION:
        hint = "the caller may not move processes there: it must own the common parent's cgroup.procs"
    return KernelError(f"move process {pid} to cgroup {path}", err.errno or 0, "linux.cgroupsPath", hint=hint)
