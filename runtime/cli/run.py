"""planc run"""

from __future__ import annotations

from runtime.cli.pid_file import write_pid_file
from runtime.cli.prepare import prepare
from runtime.execute.create import create
from runtime.execute.delete import delete
from runtime.execute.interrupt import hold
from runtime.execute.start import start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cli.context import Context
    from runtime.cli.prepare import Prepared
    from runtime.execute.foreground import Foreground
    from runtime.execute.terminal import Terminal
    from runtime.state.store import ContainerDirectory


def run(context: Context) -> int:
    """Create, start, and unless detached wait and delete; the exit code is the container's."""
    detached: bool = context.options["detach"]
    prepared = prepare(context, detached)
    if detached:
        hold()
        with create(prepared.plan, prepared.request) as directory:
            started(prepared, directory)
        return 0
    return in_foreground(context, prepared)


def started(prepared: Prepared, directory: ContainerDirectory, foreground: Foreground | None = None) -> None:
    """Pid file and start; the container goes when either fails. As execute.start."""
    record = prepared.request.record
    try:
        if prepared.pid_file:
            write_pid_file(prepared.pid_file, record.pid)
        start(directory, record, foreground)
    except BaseException:
        delete(directory, record, force=True)
        raise


def in_foreground(context: Context, prepared: Prepared) -> int:
    """Wait for the container, forward signals and terminal, delete it."""
    from runtime.execute.foreground import Foreground

    if not context.options["no_subreaper"]:
        from runtime.execute.subreaper import become_subreaper

        become_subreaper()
    foreground = Foreground()
    hold()
    terminal = open_terminal(prepared)
    try:
        with create(prepared.plan, prepared.request) as directory:
            if terminal:
                terminal.take_master()
                foreground.terminal = terminal
            started(prepared, directory, foreground)
        return waited(context, prepared, foreground)
    finally:
        if terminal:
            terminal.restore()


def open_terminal(prepared: Prepared) -> Terminal | None:
    """A terminal of planc's own for a container that wants one."""
    if not prepared.request.record.terminal:
        return None
    from runtime.execute.terminal import Terminal

    terminal = Terminal()
    prepared.request.console_fd = terminal.socket
    return terminal


def waited(context: Context, prepared: Prepared, foreground: Foreground) -> int:
    """The container's exit code, after it has been deleted unless --keep."""
    from runtime.errors import StateError
    from runtime.state import store

    record = prepared.request.record
    code = foreground.wait(record.pid)
    if not context.options["keep"]:
        try:
            with store.open_directory(context.root, record.id) as directory:
                directory.lock()
                for warning in delete(directory, record, force=True):
                    context.log.warning(warning)
        except StateError:
            # somebody else has deleted it while we waited
            pass
    return code
