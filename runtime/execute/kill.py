"""`kill`: signals to init or to the whole container, never to a stranger with its pid."""

from __future__ import annotations

import errno

from runtime.errors import KernelError, StateError
from runtime.execute import cgroupfs
from runtime.linux import posix as os
from runtime.linux.process import is_running
from runtime.native import pidfd_send_signal
from runtime.state import status
from runtime.state.record import has_own_pid_namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.state.record import Record
    from runtime.state.store import ContainerDirectory

SIGKILL = 9


def kill(directory: ContainerDirectory, record: Record, signal: int, everyone: bool) -> None:
    """Send `signal` to init; with `everyone` to all processes of the container.

    SIGKILL reaches all processes of a container without a pid namespace of its own, and thaws a
    paused one. Raises StateError "container not running" (not with `everyone`).
    """
    now = status.container_status(directory, record)
    if everyone:
        kill_all(record, signal)
        return
    if now == status.STOPPED or record.pid == 0:
        raise StateError("container not running")
    if signal == SIGKILL and not has_own_pid_namespace(record):
        kill_all(record, signal)
        return
    signal_init(record, signal)
    if signal == SIGKILL and now == status.PAUSED:
        cgroupfs.thaw(record.cgroups)


def signal_init(record: Record, signal: int) -> None:
    """Signal init by pidfd. Raises StateError when it is gone."""
    try:
        pidfd = os.pidfd_open(record.pid)
    except ProcessLookupError:
        raise StateError("container not running") from None
    try:
        # the descriptor pins the process: now its start time tells whether it is ours
        if not is_running(record.pid, record.start_time):
            raise StateError("container not running")
        pidfd_send_signal(pidfd, signal)
    except OSError as err:
        if err.errno == errno.ESRCH:
            raise StateError("container not running") from None
        raise KernelError(f"send signal {signal} to process {record.pid}", err.errno or 0) from None
    finally:
        os.close(pidfd)


def kill_all(record: Record, signal: int) -> None:
    """Signal every process in the container's cgroups; no process is no failure."""
    if record.cgroups:
        cgroupfs.kill(record.cgroups, signal)
    if is_running(record.pid, record.start_time):
        try:
            signal_init(record, signal)
        except StateError:
            pass
