"""The directories of a scope: taken over from systemd, or made where it makes none."""

from __future__ import annotations

from runtime.errors import KernelError
from runtime.execute import cgroupfs
from runtime.linux import posix as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.execute.cgroupfs import Cgroup


def adopt(cgroup: Cgroup, pid: int, optional: bool, pointer: str, unified_only: bool) -> list[Cgroup]:
    """Have the directory, with process `pid` in it at most; [] where it is `optional` and not permitted.

    The hierarchy that systemd itself goes by (the unified one where it is the only one,
    ``name=systemd`` on v1) must have it. Raises KernelError.
    """
    controllers, path = cgroup
    managed = "name=systemd" in controllers or unified_only and not controllers
    if managed and not os.path.isdir(path):
        detail = "systemd has put the unit elsewhere"
        hint = "the annotation org.systemd.property.Slice or another manager's cgroup root may be the reason"
        raise KernelError(f"find cgroup {path}", 0, pointer, detail, hint)
    if not os.path.isdir(path):
        return cgroupfs.create([cgroup], optional, pointer)
    _refuse_others(cgroup, pid, pointer)
    try:
        if "cpuset" in controllers:
            cgroupfs.inherit_cpuset(path)
        elif not controllers:
            cgroupfs.enable_controllers(path)
    except OSError as err:
        if not (optional and err.errno in cgroupfs.NO_PERMISSION):
            from runtime.execute.cgroup_errors import create_error

            raise create_error(path, err, pointer) from None
    return [cgroup]


def _refuse_others(cgroup: Cgroup, pid: int, pointer: str) -> None:
    """Raise KernelError for a directory that is somebody else's."""
    if any(inside != pid for inside in cgroupfs.pids([cgroup])):
        from runtime.execute.cgroup_processes import refuse_used

        refuse_used(cgroup, pointer)
