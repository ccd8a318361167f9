"""planc kill"""

from __future__ import annotations

from runtime.execute.kill import kill
from runtime.linux.signals import parse_signal
from runtime.state import store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cli.context import Context


def run(context: Context) -> int:
    """Send a signal; the container is not locked, so that a hanging command does not keep it alive."""
    signal = parse_signal(context.options["signal"] or "SIGTERM")
    directory, record = store.load(context.root, context.options["id"])
    with directory:
        kill(directory, record, signal, context.options["all"])
    return 0
