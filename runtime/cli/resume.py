"""planc resume"""

from __future__ import annotations

from runtime.cli.locked import locked
from runtime.errors import StateError
from runtime.execute import cgroupfs
from runtime.state.status import PAUSED, container_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cli.context import Context


def run(context: Context) -> int:
    """Thaw a paused container."""
    directory, record = locked(context)
    with directory:
        if container_status(directory, record) != PAUSED:
            raise StateError("container not paused")
        cgroupfs.thaw(record.cgroups)
    return 0
