"""planc create"""

from __future__ import annotations

from runtime.cli.pid_file import write_pid_file
from runtime.cli.prepare import prepare
from runtime.execute.create import create
from runtime.execute.delete import delete
from runtime.execute.interrupt import hold

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cli.context import Context


def run(context: Context) -> int:
    """Create a container: everything up to its program, which `start` runs."""
    prepared = prepare(context, detached=True)
    record = prepared.request.record
    hold()
    with create(prepared.plan, prepared.request) as directory:
        if prepared.pid_file:
            try:
                write_pid_file(prepared.pid_file, record.pid)
            except BaseException:
                delete(directory, record, force=True)
                raise
    return 0
