"""Ending a child of ours."""

from __future__ import annotations

import select

from runtime.linux import posix as os

TYPE_CHECKING = False

SIGKILL = 9
END_TIMEOUT = 2.0


def kill_and_reap(pid: int) -> None:
    """End a child; one in a frozen cgroup ends only when that is thawed, and is not waited for."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        os.kill(pid, SIGKILL)
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if poll.poll(END_TIMEOUT * 1000):
            os.waitpid(pid, 0)
    except ChildProcessError:
        # a grandchild: its own parent, or ours, will
        pass
    finally:
        os.close(pidfd)
