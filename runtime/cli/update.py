"""planc update"""

from __future__ import annotations

from runtime.cli.locked import locked
from runtime.cli.size import integer, size
from runtime.errors import PlanError, StateError
from runtime.execute import cgroupfs
from runtime.linux import posix as os
from runtime.linux.files import read_all
from runtime.linux.host import read_host
from runtime.linux.json import dumps
from runtime.plan.cgroup import plan_update
from runtime.spec.bundle import load_resources, read_document
from runtime.state.status import STOPPED, container_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from runtime.cli.context import Context
    from runtime.linux.host import Host
    from runtime.plan.ops import Op
    from runtime.spec.model import LinuxResources
    from runtime.state.record import Record


def text(value: str, option: str) -> str:
    """A list of CPUs or nodes, as it is."""
    return value


# option → where it stands in linux.resources, how it is read
MEMBERS: dict[str, tuple[str, str, Callable[[str, str], Any]]] = {
    "blkio-weight": ("blockIO", "weight", integer),
    "cpu-period": ("cpu", "period", integer),
    "cpu-quota": ("cpu", "quota", integer),
    "cpu-burst": ("cpu", "burst", integer),
    "cpu-share": ("cpu", "shares", integer),
    "cpu-rt-period": ("cpu", "realtimePeriod", integer),
    "cpu-rt-runtime": ("cpu", "realtimeRuntime", integer),
    "cpuset-cpus": ("cpu", "cpus", text),
    "cpuset-mems": ("cpu", "mems", text),
    "cpu-idle": ("cpu", "idle", integer),
    "memory": ("memory", "limit", size),
    "memory-reservation": ("memory", "reservation", size),
    "memory-swap": ("memory", "swap", size),
    "pids-limit": ("pids", "limit", integer),
}
REFUSED = ("l3-cache-schema", "mem-bw-schema")


def run(context: Context) -> int:
    """Change the limits of a container that has processes; what is not given stays as it is."""
    resources, pointer = wanted_resources(context)
    directory, record = locked(context)
    with directory:
        if container_status(directory, record) == STOPPED:
            raise StateError("cannot update a container that has stopped")
        current = cgroupfs.current_limits(record.cgroups)
        host = read_host()
        ops = plan_update(resources, host, current, pointer)
        if record.systemd_unit:
            update_unit(record, resources, host, current, pointer, ops)
        else:
            cgroupfs.update(record.cgroups, ops)
    return 0


def update_unit(
    record: Record,
    resources: LinuxResources,
    host: Host,
    current: dict[str, int],
    pointer: str,
    ops: list[Op],
) -> None:
    """The same where systemd has made the cgroups: it is told first. Raises PlancError."""
    from runtime.execute.systemd_update import update
    from runtime.linux.systemd import read_systemd
    from runtime.plan.systemd import plan_unit_update

    host.systemd = read_systemd(record.systemd_user)
    update(record, [*plan_unit_update(resources, host, current, pointer, record.systemd_unit), *ops])


def wanted_resources(context: Context) -> tuple[LinuxResources, str]:
    """The resources of --resources or of the options. Raises PlancError."""
    path = context.options["resources"]
    if path == "-":
        return load_resources(read_all(0), "standard input"), ""
    if path:
        return load_resources(read_document(os.path.abspath(path), "--resources"), path), ""
    for option in REFUSED:
        if context.options[option.replace("-", "_")]:
            raise PlanError(f"--{option}: planc 0.1 does not support resctrl yet")
    return load_resources(dumps(resources_of(context.options)).encode(), "update"), ""


def resources_of(options: dict[str, Any]) -> dict[str, Any]:
    """The options as a linux.resources object."""
    resources: dict[str, Any] = {}
    for option, (part, member, read) in MEMBERS.items():
        value = options[option.replace("-", "_")]
        if value is not None:
            resources.setdefault(part, {})[member] = read(value, option)
    return resources
