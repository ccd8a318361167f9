"""planc list"""

from __future__ import annotations

from runtime.cli.report import print_json, print_text
from runtime.errors import PlancError, StateError
from runtime.linux import posix as os
from runtime.state import store
from runtime.state.oci_state import state_output
from runtime.state.status import container_status

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cli.context import Context

COLUMNS = (
    ("ID", "id"),
    ("PID", "pid"),
    ("STATUS", "status"),
    ("BUNDLE", "bundle"),
    ("CREATED", "created"),
    ("OWNER", "owner"),
)


def run(context: Context) -> int:
    """List the containers; one that cannot be read is named on standard error, the others are listed."""
    states = containers(context)
    if context.options["quiet"]:
        print_text("".join([f"{state['id']}\n" for state in states]))
    elif context.options["format"] == "json":
        print_json(states or None, indent=None)
    else:
        print_text(table([dict(state) for state in states]))
    return 0


def containers(context: Context) -> list[dict[str, Any]]:
    """The state of each. Raises StateError when a --root that was given is not there."""
    try:
        ids = store.container_ids(context.root)
    except FileNotFoundError:
        if context.explicit_root:
            raise StateError(f"{context.root}: no such directory", hint="is --root right?") from None
        return []
    states = []
    for container_id in ids:
        try:
            states.append(state_of(context.root, container_id))
        except PlancError as err:
            context.log.error(f"container {container_id}: {err}")
    return states


def state_of(root: str, container_id: str) -> dict[str, Any]:
    directory, record = store.load(root, container_id)
    with directory:
        owner = owner_name(os.fstat(directory.fd).st_uid)
        return state_output(record, container_status(directory, record), owner)


def owner_name(uid: int) -> str:
    """The user's name, "#uid" for one without."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"


def table(states: list[dict[str, Any]]) -> str:
    """Columns of equal width, as runc prints them."""
    rows = [[title for title, _ in COLUMNS]]
    rows += [[str(state[key]) for _, key in COLUMNS] for state in states]
    widths = [max(max(len(row[column]) for row in rows), 11) for column in range(len(COLUMNS))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append(" ".join(cells).rstrip())
    return "\n".join(lines) + "\n"
