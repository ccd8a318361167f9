"""`delete`: end what is left, remove cgroups and record, run the poststop hooks."""

from __future__ import annotations

import select

from runtime.errors import KernelError, PlancError, StateError
from runtime.execute import cgroupfs
from runtime.execute.kill import kill_all
from runtime.linux import posix as os
from runtime.linux.process import is_running
from runtime.state import status
from runtime.state.oci_state import oci_state
from runtime.state.record import has_own_pid_namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.state.record import Record
    from runtime.state.store import ContainerDirectory

SIGKILL = 9
END_TIMEOUT = 10.0


def delete(directory: ContainerDirectory, record: Record | None, force: bool) -> list[str]:
    """Delete a container: stopped or created, with `force` in any status.

    `record` None: a container whose `create` was killed before anything else existed.
    Returns warnings (a poststop hook that failed). Raises StateError when it runs and not `force`.
    """
    if record is None:
        directory.remove()
        return []
    now = status.container_status(directory, record)
    if now not in (status.STOPPED, status.CREATED) and not force:
        raise StateError(f"cannot delete container {record.id} that is not stopped: {now}")
    if record.pid:
        gone = now == status.STOPPED and gone_with_init(record)
        if not gone:
            end_processes(record, now)
        stop_scope(record)
        if not gone:
            cgroupfs.remove(record.cgroups)
        remove_mounts(record)
        warnings = run_poststop(record)
    else:
        warnings = remove_unused_cgroups(record)
        remove_mounts(record)
    directory.remove()
    return warnings


def gone_with_init(record: Record) -> bool:
    """Whether init's end was that of every process: then the cgroups are removed without looking further.

    In a pid namespace of its own init ends last. A process that was moved into a cgroup from outside
    keeps that from being removed.
    """
    return has_own_pid_namespace(record) and cgroupfs.remove_empty(record.cgroups)


def stop_scope(record: Record) -> None:
    """The systemd driver: nothing is left in the scope, and systemd is to forget it. Raises PlancError.

    Not before there was an init: then it ends with the stage, and one that goes on is another's.
    """
    if record.systemd_unit:
        from runtime.execute.systemd import stop_unit

        stop_unit(record.systemd_unit, record.systemd_user)


def remove_mounts(record: Record) -> None:
    """What a container without a mount namespace has mounted. Raises KernelError."""
    if record.covered_mount:
        from runtime.execute.host_mounts import unmount

        unmount(record)


def remove_unused_cgroups(record: Record) -> list[str]:
    """For a create that was killed before there was an init: nothing in these cgroups is the container's.

    They may even be somebody else's, so nothing in them is killed, and they may stay.
    """
    failures = []
    for step in (forget_scope, remove_cgroups):
        try:
            step(record)
        except PlancError as err:
            failures.append(str(err))
    return failures


def forget_scope(record: Record) -> None:
    """A scope whose only process, the stage, was killed with planc."""
    if record.systemd_unit:
        from runtime.execute.cgroup_processes import pids_of_any
        from runtime.execute.systemd import forget_unit

        in_use = lambda: bool(pids_of_any(record.cgroups))
        forget_unit(record.systemd_unit, record.systemd_user, in_use)


def remove_cgroups(record: Record) -> None:
    cgroupfs.remove(record.cgroups)


def end_processes(record: Record, now: str) -> None:
    """SIGKILL everything in the container and wait until init is gone. Raises KernelError."""
    kill_all(record, SIGKILL)
    if now == status.PAUSED:
        cgroupfs.thaw(record.cgroups)
    if now != status.STOPPED and not _wait_for_end(record):
        raise KernelError(
            f"end process {record.pid}",
            0,
            detail="it is still there 10 s after SIGKILL",
            hint="try again later",
        )


def _wait_for_end(record: Record) -> bool:
    try:
        pidfd = os.pidfd_open(record.pid)
    except OSError:
        return True
    try:
        if not is_running(record.pid, record.start_time):
            return True
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(END_TIMEOUT * 1000))
    finally:
        os.close(pidfd)


def run_poststop(record: Record) -> list[str]:
    """Every poststop hook, whatever the others do (runtime-spec, "Poststop"). Returns the failures."""
    hooks = record.config.get("hooks", {}).get("poststop")
    if not hooks:
        return []
    from runtime.execute.recorded_hooks import run_recorded

    failures = []
    for index, hook in enumerate(hooks):
        try:
            run_recorded("poststop", index, hook, oci_state(record, status.STOPPED))
        except PlancError as err:
            failures.append(str(err))
    return failures
