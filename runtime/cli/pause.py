"""planc pause"""

from __future__ import annotations

from runtime.cli.locked import locked
from runtime.errors import StateError
from runtime.execute import cgroupfs
from runtime.state.status import CREATED, RUNNING, container_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cli.context import Context


def run(context: Context) -> int:
    """Freeze a created or running container; returns when every process is frozen."""
    directory, record = locked(context)
    with directory:
        now = container_status(directory, record)
        if now not in (CREATED, RUNNING):
            raise StateError(f"container not running or created: {now}")
        cgroupfs.freeze(record.cgroups)
    return 0
