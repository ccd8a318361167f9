"""`start`: wake init, hear whether it got as far as the program, run the poststart hooks."""

from __future__ import annotations

import errno

from runtime.errors import KernelError, PlancError, StateError
from runtime.execute import interrupt
from runtime.linux import posix as os
from runtime.native import MESSAGE_SIZE, parse_message
from runtime.state import status, store
from runtime.state.oci_state import oci_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.execute.foreground import Foreground
    from runtime.state.record import Record


def start(directory: store.ContainerDirectory, record: Record, foreground: Foreground | None = None) -> None:
    """Let a created container run its program.

    The directory must be locked. Returns when the program has been executed and the poststart hooks
    have run; with NOTIFY_SOCKET when the container is ready too. With `foreground` that is what waits
    for it, and the signals that come when the program runs go to it. Raises StateError when the
    container is not in status created, KernelError when the program or a startContainer hook failed.
    """
    now = status.container_status(directory, record)
    if now != status.CREATED:
        raise StateError(_refusal(now))
    notify = None
    if "NOTIFY_SOCKET" in os.environ:
        from runtime.execute.notify_socket import notify_socket

        notify = notify_socket(directory)
    wake(directory, record)
    if foreground:
        foreground.notify = notify
        foreground.forward_while(record.pid, lambda: run_poststart(record))
        return
    run_poststart(record)
    if notify:
        notify.wait(record)
        notify.close()


def _refusal(now: str) -> str:
    if now == status.STOPPED:
        return "cannot start a container that has stopped"
    if now == status.CREATING:
        return "cannot start a container that is being created"
    return "cannot start an already running container"


def wake(directory: store.ContainerDirectory, record: Record) -> None:
    """Write to exec.fifo, then read exec.status to its end. May raise Interrupted: it has not run."""
    interrupt.check()
    reader = os.open(store.EXEC_STATUS, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory.fd)
    try:
        _write_fifo(directory)
        directory.unlink(store.EXEC_FIFO)
        _read_status(reader, record)
        directory.unlink(store.EXEC_STATUS)
    finally:
        os.close(reader)


def _write_fifo(directory: store.ContainerDirectory) -> None:
    try:
        fifo = os.open(store.EXEC_FIFO, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory.fd)
    except OSError as err:
        if err.errno in (errno.ENXIO, errno.ENOENT):
            raise StateError("cannot start a container that has stopped") from None
        raise KernelError(f"open {directory.path}/{store.EXEC_FIFO}", err.errno or 0) from None
    try:
        os.write(fifo, b"0")
    finally:
        os.close(fifo)


def _read_status(reader: int, record: Record) -> None:
    os.set_blocking(reader, True)
    data = b""
    while len(data) < MESSAGE_SIZE:
        interrupt.program(reader, record.pid)
        part = os.read(reader, MESSAGE_SIZE - len(data))
        if not part:
            return
        data += part
    message = parse_message(data)
    raise KernelError(message.text or "start the container process", message.error)


def run_poststart(record: Record) -> None:
    """The poststart hooks; the container is killed when one fails. Raises KernelError."""
    hooks = record.config.get("hooks", {}).get("poststart")
    if not hooks:
        return
    from runtime.execute.kill import kill_all
    from runtime.execute.recorded_hooks import run_recorded

    # even if the program has ended since: it has run, and its pid stays until the caller's parent reaps it
    state = oci_state(record, status.RUNNING)
    try:
        for index, hook in enumerate(hooks):
            run_recorded("poststart", index, hook, state)
    except PlancError:
        kill_all(record, 9)
        raise
