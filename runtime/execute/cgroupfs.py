"""The container's cgroups in the file system: made, limited, entered, signalled, removed.

Functions take the cgroups as planned and recorded: per hierarchy its controllers (none: the unified
one, cgroup v2) and the absolute directory.  Errors are KernelErrors.
Here is what `create` needs; what other commands need is imported when called.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from runtime.plan.ops import Op

    Cgroup = tuple[Sequence[str], str]

NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)
DEFAULT_POINTER = "/linux/cgroupsPath"


# made


def create(cgroups: Sequence[Cgroup], optional: bool = False, pointer: str = DEFAULT_POINTER) -> list[Cgroup]:
    """Make the directories with missing parents; returns those that were not there before.

    Raises KernelError, with what it made removed again, also for one that is in use: that has
    processes or is frozen. `optional`: where the caller may not make it, go on without.
    """
    made: list[Cgroup] = []
    try:
        for cgroup in cgroups:
            if _create_one(cgroup, optional, pointer):
                made.append(cgroup)
    except BaseException:
        for _, path in reversed(made):
            _try_rmdir(path)
        raise
    return made


def _create_one(cgroup: Cgroup, optional: bool, pointer: str) -> bool:
    controllers, path = cgroup
    try:
        new = _mkdir(path)
        if "cpuset" in controllers:
            _inherit_cpuset(path)
        elif not controllers:
            enable_controllers(path)
    except OSError as err:
        if optional and err.errno in NO_PERMISSION:
            return False
        from runtime.execute.cgroup_errors import create_error

        raise create_error(path, err, pointer) from None
    if not new:
        from runtime.execute.cgroup_processes import refuse_if_used

        refuse_if_used(cgroup, pointer)
    return new


def _mkdir(path: str) -> bool:
    """mkdir -p; False when it was there. A parent that another container's end takes away is made again."""
    for _ in range(100):
        try:
            os.mkdir(path, 0o755)
            return True
        except FileExistsError:
            return False
        except FileNotFoundError:
            _mkdir(os.path.dirname(path))
    raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))


def _try_rmdir(path: str) -> None:
    try:
        os.rmdir(path)
    except OSError:
        pass


def _inherit_cpuset(path: str) -> None:
    """v1: no process may enter a cpuset without CPUs and memory nodes, and a new one has none."""
    parent = os.path.dirname(path)
    for name in ("cpuset.cpus", "cpuset.mems"):
        if read(f"{path}/{name}").strip():
            continue
        value = read(f"{parent}/{name}").strip()
        if not value:
            _inherit_cpuset(parent)
            value = read(f"{parent}/{name}").strip()
        write(f"{path}/{name}", value)


def enable_controllers(path: str, wanted: str = "") -> None:
    """v2: let the cgroup have every controller of the hierarchy (`wanted`: that one).

    What cannot be enabled (a parent with processes, no permission) is missed when a limit needs it.
    The unified hierarchy of a hybrid host has few controllers and only gives those that are wanted.
    """
    levels: list[tuple[str, set[bytes]]] = []
    parent = os.path.dirname(path)
    while True:
        try:
            levels.append((parent, set(read(f"{parent}/cgroup.controllers").split())))
        except OSError:
            break
        parent = os.path.dirname(parent)
    if not wanted and not (levels and levels[-1][1] & {b"cpu", b"memory", b"pids"}):
        return
    for parent, controllers in reversed(levels):
        if wanted:
            controllers &= {wanted.encode()}
        missing = controllers - set(read(f"{parent}/cgroup.subtree_control").split())
        if missing:
            _enable(f"{parent}/cgroup.subtree_control", missing)
            # what this level now gives is what the next one has
            below = levels.index((parent, controllers)) - 1 if not wanted else -1
            if below >= 0:
                level = levels[below][0]
                levels[below] = (level, set(read(f"{level}/cgroup.controllers").split()))
