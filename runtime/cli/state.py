"""planc state"""

from __future__ import annotations

from runtime.cli.report import print_json
from runtime.state import store
from runtime.state.oci_state import state_output
from runtime.state.status import container_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cli.context import Context


def run(context: Context) -> int:
    """Print the state of a container (runtime-spec, "Query State")."""
    directory, record = store.load(context.root, context.options["id"])
    with directory:
        print_json(state_output(record, container_status(directory, record)))
    return 0
