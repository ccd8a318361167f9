"""The processes of a container's cgroups: listed, signalled, waited for; and the cgroups' end."""

from __future__ import annotations

import errno
import time

from runtime.errors import KernelError
from runtime.execute.cgroupfs import write
from runtime.linux import posix as os
from runtime.linux.files import read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runtime.execute.cgroupfs import Cgroup

SIGKILL = 9
REMOVE_TIMEOUT = 10.0
GONE = (errno.ENOENT, errno.ENODEV)


def refuse_used(cgroup: Cgroup, pointer: str) -> None:
    """Raise KernelError for a cgroup, there before, that has processes or is frozen."""
    path = cgroup[1]
    inside = list(_pids_below(path))
    hint = "another container may have it: choose another cgroupsPath"
    if inside:
        first = ", ".join([str(pid) for pid in inside[:3]])
        detail = f"it already has processes ({first}{', ...' if len(inside) > 3 else ''})"
        raise KernelError(f"create cgroup {path}", 0, pointer, detail, hint)
    from runtime.execute.cgroup_freezer import frozen

    if frozen([cgroup]):
        raise KernelError(f"create cgroup {path}", 0, pointer, "it is frozen", hint)


def pids(cgroups: Sequence[Cgroup]) -> list[int]:
    """See cgroupfs.pids."""
    for wanted in ("freezer", "devices", "pids", ""):
        for controllers, path in cgroups:
            if wanted in (controllers or ("",)) and os.path.isdir(path):
                return sorted(set(_pids_below(path)))
    return pids_of_any(cgroups)


def pids_of_any(cgroups: Sequence[Cgroup]) -> list[int]:
    """The processes that are in one of the cgroups: a child of one that was entering them may have
    missed the last."""
    found: set[int] = set()
    for _, path in cgroups:
        found.update(_pids_below(path))
    return sorted(found)


def _directories(path: str) -> Iterator[str]:
    """`path` and every cgroup below, children before their parents."""
    try:
        with os.scandir(path) as entries:
            children = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    for child in children:
        yield from _directories(child)
    yield path


def _pids_below(path: str) -> Iterator[int]:
    for directory in _directories(path):
        try:
            text = read_text(f"{directory}/cgroup.procs")
        except OSError as err:
            if err.errno != errno.EOPNOTSUPP:
                continue
            # a threaded cgroup lists its processes in the one above; here are their threads
            text = read_text(f"{directory}/cgroup.threads")
        yield from [int(pid) for pid in text.split() if pid != "0"]


# signals


def kill(cgroups: Sequence[Cgroup], signal: int) -> None:
    """See cgroupfs.kill."""
    if signal == SIGKILL and _kill_unified(cgroups):
        # all of them are dying, but for those that v1 has frozen, or that have left the unified cgroup
        _signal_each(cgroups, pids_of_any(cgroups), signal)
        _thaw(cgroups)
    elif inside := pids_of_any(cgroups):
        _signal_frozen(cgroups, inside, signal)


def _kill_unified(cgroups: Sequence[Cgroup]) -> bool:
    """v2 has a file for it, which no fork escapes (Linux 5.14)."""
    for controllers, path in cgroups:
        if not controllers:
            try:
                write(f"{path}/cgroup.kill", b"1")
                return True
            except OSError:
                pass
    return False


def _signal_frozen(cgroups: Sequence[Cgroup], inside: list[int], signal: int) -> None:
    """Signal each process while none can fork or end; a container that was frozen stays so, but for
    SIGKILL."""
    from runtime.execute.cgroup_freezer import freeze, frozen

    was_frozen = frozen(cgroups)
    try:
        if not was_frozen and (len(inside) > 1 or signal == SIGKILL):
            freeze(cgroups)
            inside = pids_of_any(cgroups)
    except KernelError:
        # no freezer (rootless), or one that waits for a device: what is forked meanwhile is seen later
        pass
    try:
        _signal_each(cgroups, inside, signal)
    finally:
        if signal == SIGKILL or not was_frozen:
            _thaw(cgroups)


def _thaw(cgroups: Sequence[Cgroup]) -> None:
    from runtime.execute.cgroup_freezer import thaw

    thaw(cgroups)


def _signal_each(cgroups: Sequence[Cgroup], inside: list[int], signal: int) -> None:
    signalled: set[int] = set()
    while fresh := [pid for pid in inside if pid not in signalled]:
        for pid in fresh:
            signalled.add(pid)
            try:
                os.kill(pid, signal)
            except ProcessLookupError:
                pass
            except OSError as err:
                raise KernelError(f"send signal {signal} to process {pid}", err.errno or 0) from None
        if signal != SIGKILL:
            return
        inside = pids_of_any(cgroups)


# the end


def remove(cgroups: Sequence[Cgroup]) -> None:
    """See cgroupfs.remove."""
    left = [path for _, path in cgroups]
    if not _until(lambda: _all_removed(left), REMOVE_TIMEOUT):
        path = left[0]
        inside = ", ".join([str(pid) for pid in _pids_below(path)])
        detail = f"processes {inside} do not end" if inside else ""
        raise KernelError(f"remove cgroup {path}", errno.EBUSY, "", detail, "try again later")


def _all_removed(left: list[str]) -> bool:
    """Remove those that can be; `left` then is what remains."""
    left[:] = [path for path in left if not _removed(path)]
    return not left


def _removed(path: str) -> bool:
    """rmdir(2) the cgroup and those below; False when a process is still there."""
    try:
        os.rmdir(path)
        return True
    except OSError as err:
        if err.errno in GONE:
            return True
        if err.errno not in (errno.EBUSY, errno.ENOTEMPTY):
            raise KernelError(f"remove cgroup {path}", err.errno or 0) from None
    for directory in _directories(path):
        try:
            os.rmdir(directory)
        except OSError as err:
            if err.errno not in GONE:
                return False
    return True


def _until(done: Callable[[], bool], timeout: float) -> bool:
    """Ask again, at longer and longer intervals (1 to 100 ms)."""
    end = time.monotonic() + timeout
    pause = 0.001
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    return True
