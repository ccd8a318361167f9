"""Freezing and thawing: v1 freezer.state, v2 cgroup.freeze."""

from __future__ import annotations

import errno
import select
import time

from runtime.errors import KernelError
from runtime.execute.cgroupfs import write
from runtime.linux import posix as os
from runtime.linux.files import read_file as read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from runtime.execute.cgroupfs import Cgroup

TIMEOUT = 10.0
#: Processes that are forking slip through the v1 freezer: it is asked again after so many seconds.
ASK_AGAIN = 0.05


def _freezer(cgroups: Sequence[Cgroup]) -> tuple[str, bool]:
    """The directory and whether it is v1; ("", False): the container has none."""
    unified = ""
    for controllers, path in cgroups:
        if "freezer" in controllers:
            return path, True
        if not controllers:
            unified = path
    return unified, False


def freeze(cgroups: Sequence[Cgroup]) -> None:
    """See cgroupfs.freeze."""
    path, v1 = _freezer(cgroups)
    if not path:
        hint = "it was made without permission to make cgroups"
        raise KernelError("freeze the container", 0, "", "it has no cgroup with a freezer", hint)
    try:
        done = _freeze_v1(path) if v1 else _freeze_v2(path)
    except OSError as err:
        raise KernelError(f"freeze cgroup {path}", err.errno or 0) from None
    if not done:
        thaw(cgroups)
        detail = f"not all of its processes are frozen after {TIMEOUT:.0f} s"
        raise KernelError(f"freeze cgroup {path}", 0, "", detail, "a process may be waiting for a device")


def _freeze_v1(path: str) -> bool:
    """The state goes from FREEZING to FROZEN, when it is read and all processes are."""
    now = time.monotonic()
    end = now + TIMEOUT
    while now < end:
        write(f"{path}/freezer.state", b"FROZEN")
        again = now + ASK_AGAIN
        pause = 0.0
        while now < again:
            if read(f"{path}/freezer.state").strip() == b"FROZEN":
                return True
            time.sleep(pause)
            pause = 0.001
            now = time.monotonic()
        if end - now < TIMEOUT / 2:
            # one that waits for a frozen one (vfork(2)) is only helped by running both for a moment
            write(f"{path}/freezer.state", b"THAWED")
            time.sleep(0.001)
    return False


def _freeze_v2(path: str) -> bool:
    """cgroup.events says when all are frozen, and poll(2) when it changes."""
    fd = os.open(f"{path}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
    try:
        poll = select.poll()
        poll.register(fd, select.POLLPRI)
        write(f"{path}/cgroup.freeze", b"1")
        end = time.monotonic() + TIMEOUT
        while b"frozen 1" not in os.pread(fd, 4096, 0):
            left = end - time.monotonic()
            if left <= 0:
                return False
            poll.poll(min(left, 1) * 1000)
        return True
    finally:
        os.close(fd)


def thaw(cgroups: Sequence[Cgroup]) -> None:
    """See cgroupfs.thaw."""
    path, v1 = _freezer(cgroups)
    if not path:
        return
    try:
        if v1:
            write(f"{path}/freezer.state", b"THAWED")
        else:
            write(f"{path}/cgroup.freeze", b"0")
    except OSError as err:
        # gone, perhaps in this moment: systemd removes a scope without processes
        if err.errno not in (errno.ENOENT, errno.ENODEV):
            raise KernelError(f"thaw cgroup {path}", err.errno or 0) from None


def frozen(cgroups: Sequence[Cgroup]) -> bool:
    """See cgroupfs.frozen. A parent's freeze does not count."""
    path, v1 = _freezer(cgroups)
    if not path:
        return False
    try:
        if v1:
            return read(f"{path}/freezer.self_freezing").strip() == b"1"
        return read(f"{path}/cgroup.freeze").strip() == b"1"
    except OSError:
        return False
