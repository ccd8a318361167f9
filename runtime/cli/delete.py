"""planc delete"""

from __future__ import annotations

from runtime.errors import StateError
from runtime.execute.delete import delete
from runtime.state import store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cli.context import Context

#: Seconds that --force waits for another command's work on the container to end.
FORCE_PATIENCE = 2.0


def run(context: Context) -> int:
    """Delete a container; with --force a missing one is no error."""
    force: bool = context.options["force"]
    directory = None
    try:
        directory = store.open_directory(context.root, context.options["id"])
        # a command that hangs, in a hook say, does not keep its container alive
        directory.lock(FORCE_PATIENCE if force else None)
    except StateError:
        if directory:
            directory.close()
        if force:
            return 0
        raise
    with directory:
        for warning in delete(directory, directory.load(), force):
            context.log.warning(warning)
    return 0
