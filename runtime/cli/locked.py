"""A container that a command is about to change."""

from __future__ import annotations

from runtime.errors import StateError
from runtime.state import store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cli.context import Context
    from runtime.state.record import Record


def locked(context: Context) -> tuple[store.ContainerDirectory, Record]:
    """The container named on the command line, locked and read. Raises StateError."""
    directory = store.open_directory(context.root, context.options["id"])
    directory.lock()
    record = directory.load()
    if record is None:
        directory.close()
        raise StateError(f"container does not exist: {directory.container_id!r} was never finished")
    return directory, record
