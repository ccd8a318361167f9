"""The container's cgroups in the file system: made, limited, entered, signalled, removed.

Functions take the cgroups as planned and recorded: per hierarchy its controllers (none: the unified
one, cgroup v2) and the absolute directory.  Failures are KernelErrors.
Here is what `create` and `exec` need; the rest is imported when called.
"""

from __future__ import annotations

import errno
import time

from runtime.errors import KernelError
from runtime.linux import posix as os
from runtime.linux.files import read_file as read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from runtime.plan.ops import Op

    Cgroup = tuple[Sequence[str], str]

NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)
DEFAULT_POINTER = "linux.cgroupsPath"
#: seconds for which a parent may go away each time that it is made
PARENT_TIMEOUT = 5.0


def write(path: str, value: bytes) -> None:
    """One write(2), as cgroup files want it. Raises OSError.

    An empty value, such as that of a cpuset that is its parent's, needs a byte: the kernel is not told
    of a write of none.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value or b"\n")
    finally:
        os.close(fd)


# made


def create(cgroups: Sequence[Cgroup], optional: bool = False, pointer: str = DEFAULT_POINTER) -> list[Cgroup]:
    """Make the directories, with missing parents; returns the cgroups that the container then has.

    All of them, but `optional`: without those that the caller has no permission to make.
    Raises KernelError, with nothing left behind, also for a cgroup that is in use: that has
    processes or is frozen.
    """
    made: list[str] = []
    usable: list[Cgroup] = []
    try:
        for cgroup in cgroups:
            if _create_one(cgroup, optional, pointer, made):
                usable.append(cgroup)
    except BaseException:
        for path in reversed(made):
            _try_rmdir(path)
        raise
    return usable


def _create_one(cgroup: Cgroup, optional: bool, pointer: str, made: list[str]) -> bool:
    controllers, path = cgroup
    try:
        new = _mkdir(path)
        if new:
            made.append(path)
        if "cpuset" in controllers:
            inherit_cpuset(path)
        elif not controllers:
            from runtime.linux.cgroup import cgroup_type

            enable_controllers(path)
            if cgroup_type(path) == "domain invalid":
                from runtime.execute.cgroup_threaded import make_threaded

                make_threaded(path)
    except OSError as err:
        if optional and err.errno in NO_PERMISSION:
            if path in made:
                _try_rmdir(path)
            return False
        from runtime.execute.cgroup_errors import create_error

        raise create_error(path, err, pointer) from None
    if not new:
        from runtime.execute.cgroup_processes import refuse_used

        refuse_used(cgroup, pointer)
    if frozen_at_birth([cgroup]):
        detail = "a cgroup above it is frozen"
        raise KernelError(f"create cgroup {path}", 0, pointer, detail, "thaw that first")
    return True


def _mkdir(path: str) -> bool:
    """mkdir -p; False when it was there. A parent that another container's end takes away is made again."""
    end = 0.0
    while True:
        try:
            os.mkdir(path, 0o755)
            return True
        except FileExistsError:
            return False
        except FileNotFoundError:
            now = time.monotonic()
            end = end or now + PARENT_TIMEOUT
            if now > end:
                raise
            _mkdir(os.path.dirname(path))


def _try_rmdir(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        pass


def inherit_cpuset(path: str) -> None:
    """v1: no process may enter a cpuset without CPUs and memory nodes, and a new one has none."""
    parent = os.path.dirname(path)
    for name in ("cpuset.cpus", "cpuset.mems"):
        if read(f"{path}/{name}").strip():
            continue
        value = read(f"{parent}/{name}").strip()
        if not value:
            inherit_cpuset(parent)
            value = read(f"{parent}/{name}").strip()
        write(f"{path}/{name}", value)


def enable_controllers(path: str, wanted: str = "") -> None:
    """v2: give the cgroup every controller of the hierarchy, or the `wanted` one.

    What cannot be enabled (a parent with processes, no permission) is missed when a limit needs it.
    On a hybrid host, whose limits are in v1, nothing is enabled but what is wanted.
    """
    parents: list[str] = []
    parent = os.path.dirname(path)
    while os.path.exists(f"{parent}/cgroup.controllers"):
        parents.insert(0, parent)
        parent = os.path.dirname(parent)
    for parent in parents:
        offered = read(f"{parent}/cgroup.controllers").split()
        if wanted:
            offered = [name for name in offered if name == wanted.encode()]
        elif b"memory" not in offered and b"pids" not in offered and b"cpu" not in offered:
            return
        enabled = read(f"{parent}/cgroup.subtree_control").split()
        missing = [name for name in offered if name not in enabled]
        if missing:
            _enable_unless_used(parent, missing)


def _enable_unless_used(parent: str, names: list[bytes]) -> None:
    from runtime.linux.cgroup import has_own_processes

    if not has_own_processes(parent):
        _enable(f"{parent}/cgroup.subtree_control", names)


def _enable(file: str, names: list[bytes]) -> None:
    try:
        write(file, b" ".join([b"+" + name for name in names]))
    except OSError:
        for name in names if len(names) > 1 else ():
            _enable(file, [name])


# limited


def apply(cgroups: Sequence[Cgroup], ops: Sequence[Op]) -> None:
    """Do the operations ``cgroup_set``, ``cgroup_check`` and ``cgroup_devices``. Raises KernelError.

    Values may constrain each other (a memory limit and that of memory and swap together, a quota and
    its burst), so that the right order depends on what is there already: what the kernel refuses as
    invalid is tried again after the rest.
    """
    where = {name: path for controllers, path in cgroups for name in controllers or ("",)}
    postponed: list[Op] = []
    for op in ops:
        if op.code == "cgroup_devices":
            from runtime.execute.cgroup_devices import apply_devices

            apply_devices(where, op)
        elif op.code == "cgroup_check":
            from runtime.execute.cgroup_errors import check_usage

            check_usage(where.get(op.args["controller"], ""), op)
        elif not _set(where, op, len(ops) > 1):
            postponed.append(op)
    for op in postponed:
        _set(where, op, False)


def _set(where: dict[str, str], op: Op, postpone: bool) -> bool:
    """Write one value; False where it may be right later (`postpone`)."""
    args: dict[str, Any] = op.args
    controller, file, value = args["controller"], args["file"], args["value"]
    path = where.get(controller, "")
    try:
        if not path:
            raise OSError(errno.ENOENT, "")
        if file == "io.weight" and os.path.exists(f"{path}/io.bfq.weight"):
            return True
        write(f"{path}/{file}", value.encode())
    except OSError as err:
        if err.errno == errno.EINVAL and postpone:
            return False
        from runtime.execute.cgroup_errors import set_after_all

        set_after_all(path, op, err)
    return True


# entered


def join(cgroups: Sequence[Cgroup], pid: int, skip_unified: bool = False, init: int = 0) -> None:
    """Move process `pid` into the cgroups. Raises KernelError.

    `skip_unified`: it was born inside of that one. `init`: pid of the container's init, whose own
    cgroup is taken where the container's no longer may have processes (see :func:`open_unified`).
    It is slow for v1 (see ``runtime.plan.cgroup.join_files``).
    """
    for controllers, path in cgroups:
        if not controllers and skip_unified:
            continue
        try:
            write(f"{path}/cgroup.procs", str(pid).encode())
        except OSError as err:
            from runtime.execute.cgroup_errors import join_after_all

            join_after_all(path, pid, err, init if not controllers else 0)


def join_exec(cgroups: Sequence[Cgroup], pid: int, init: int = 0) -> None:
    """:func:`join` for another process of a container that runs; where it has no cgroup (rootless,
    without permission) there is none to enter."""
    join([cgroup for cgroup in cgroups if os.path.isdir(cgroup[1])], pid, False, init)


def open_unified(cgroups: Sequence[Cgroup], init: int = 0) -> int:
    """Descriptor of the unified cgroup for clone3(2) with CLONE_INTO_CGROUP; -1: there is none.

    `init`: see :func:`place_for_process`.
    """
    for controllers, path in cgroups:
        if controllers:
            continue
        try:
            path = place_for_process(path, init)
            return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as err:
            from runtime.execute.cgroup_errors import open_error

            raise open_error(path, err) from None
    return -1


def place_for_process(path: str, init: int) -> str:
    """The unified cgroup for one more process of the container whose cgroup is `path`. Raises OSError.

    A container that manages cgroups of its own (systemd) has moved all processes out of its top one,
    which then takes none: it is that of process `init` (0: of none).
    """
    if init and read(f"{path}/cgroup.subtree_control").strip():
        return unified_cgroup_of(init, path)
    return path


def frozen_at_birth(cgroups: Sequence[Cgroup]) -> bool:
    """v2: whether a process that is born in the unified cgroup stands still, for its freeze or a parent's.

    It does so before its execve(2), for which its parent, a vfork(2) being one, waits in the kernel.
    """
    for controllers, path in cgroups:
        if not controllers:
            try:
                if b"frozen 1" in read(f"{path}/cgroup.events"):
                    return True
                return read(f"{path}/cgroup.freeze").strip() == b"1"
            except OSError:
                # the root, which cannot be frozen, or gone
                return False
    return False


def unified_cgroup_of(pid: int, path: str) -> str:
    """The directory of the process's cgroup, which is `path` or below. Raises OSError."""
    for line in read(f"/proc/{pid}/cgroup").decode().splitlines():
        if line.startswith("0::"):
            return path + _below(path, line[3:])
    return path


def _below(path: str, member: str) -> str:
    """Which part of `member`, as /proc/PID/cgroup has it, is below directory `path`: what follows the
    longest run of names with which `path` ends, whatever is mounted where."""
    names = member.split("/")[1:]
    longest, below = 0, ""
    for start in range(len(names)):
        for end in range(len(names), start + longest, -1):
            if path.endswith("/" + "/".join(names[start:end])):
                longest, below = end - start, "".join([f"/{name}" for name in names[end:]])
                break
    return below


# used and removed


def freeze(cgroups: Sequence[Cgroup]) -> None:
    """Freeze every process and wait until they are. Raises KernelError, thawed again."""
    from runtime.execute.cgroup_freezer import freeze as do

    do(cgroups)


def thaw(cgroups: Sequence[Cgroup]) -> None:
    """The inverse; no cgroup left is no failure. Raises KernelError."""
    from runtime.execute.cgroup_freezer import thaw as do

    do(cgroups)


def frozen(cgroups: Sequence[Cgroup]) -> bool:
    """Whether the container is, or is about to be, frozen."""
    from runtime.execute.cgroup_freezer import frozen as do

    return do(cgroups)


def pids(cgroups: Sequence[Cgroup]) -> list[int]:
    """The processes in the container's cgroups and those below, as the caller's pid namespace has them."""
    from runtime.execute.cgroup_processes import pids as do

    return do(cgroups)


def kill(cgroups: Sequence[Cgroup], signal: int) -> None:
    """Signal all processes; none is no failure. SIGKILL misses none, also while they fork, and thaws."""
    from runtime.execute.cgroup_processes import kill as do

    do(cgroups, signal)


def remove_empty(cgroups: Sequence[Cgroup]) -> bool:
    """Remove the directories that have neither processes nor others below; whether all are gone now."""
    gone = True
    for _, path in cgroups:
        try:
            os.rmdir(path)
        except OSError as err:
            gone = gone and err.errno in (errno.ENOENT, errno.ENODEV)
    return gone


def remove(cgroups: Sequence[Cgroup]) -> None:
    """Remove the directories and those below; what is not there is no failure.

    Waits up to 10 s for processes that are ending. Raises KernelError.
    """
    from runtime.execute.cgroup_processes import remove as do

    do(cgroups)


def stats(cgroups: Sequence[Cgroup]) -> dict[str, Any]:
    """Usage, as the member `data` of `runc events --stats`."""
    from runtime.execute.cgroup_stats import stats as do

    return do(cgroups)


def update(cgroups: Sequence[Cgroup], ops: Sequence[Op]) -> None:
    """:func:`apply` for a container that exists: on failure the old values are put back."""
    from runtime.execute.cgroup_update import update as do

    do(cgroups, ops)


def current_limits(cgroups: Sequence[Cgroup]) -> dict[str, int]:
    """What ``runtime.plan.cgroup.plan_update`` wants to know of a container."""
    from runtime.execute.cgroup_update import current_limits as do

    return do(cgroups)
