"""planc start"""

from __future__ import annotations

from runtime.execute.start import start
from runtime.state import store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cli.context import Context


def run(context: Context) -> int:
    """Run the program of a created container."""
    directory, _ = store.load(context.root, context.options["id"])
    with directory:
        directory.lock()
        record = directory.load()
        assert record is not None
        start(directory, record)
    return 0
