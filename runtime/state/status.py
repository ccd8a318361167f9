"""The status of a container, from what the kernel says now (runtime-spec, "State")."""

from __future__ import annotations

from runtime.linux.files import read_file
from runtime.linux.process import is_running
from runtime.state.store import EXEC_FIFO, ContainerDirectory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.state.record import Record

CREATING = "creating"
CREATED = "created"
RUNNING = "running"
PAUSED = "paused"
STOPPED = "stopped"


def container_status(directory: ContainerDirectory, record: Record) -> str:
    """One of creating, created, running, paused, stopped."""
    if not is_running(record.pid, record.start_time):
        return CREATING if record.creating and record.pid == 0 else STOPPED
    if record.creating:
        return CREATING
    if is_frozen(record):
        return PAUSED
    return CREATED if directory.has(EXEC_FIFO) else RUNNING


def is_frozen(record: Record) -> bool:
    """Whether the container's freezer (v1 freezer.state, v2 cgroup.freeze) is on."""
    for controllers, path in record.cgroups:
        if "freezer" in controllers:
            return _reads(f"{path}/freezer.state", b"FROZEN")
    for controllers, path in record.cgroups:
        if not controllers:
            return _reads(f"{path}/cgroup.freeze", b"1")
    return False


def _reads(path: str, text: bytes) -> bool:
    try:
        return read_file(path, 64).strip() == text
    except OSError:
        return False
