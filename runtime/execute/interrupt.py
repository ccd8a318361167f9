"""SIGHUP, SIGINT and SIGTERM while something is half made: an exception, and only where planc waits.

Between two waits the signals are held back, so that whoever undoes a creation knows all of it.
"""

from __future__ import annotations

import _signal
import select
import time

from runtime.linux import posix as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SIGNALS = frozenset({_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM})
STOP_TIMEOUT = 0.5

_aside: list[tuple[int, Callable[[], None]]] = []


class Interrupted(BaseException):
    """One of the signals has come: undo and end. No PlancError, so that nobody takes it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def hold() -> None:
    """From here on the signals wait for the next :func:`readable`; ignored ones stay so (nohup(1))."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, SIGNALS)
    for number in SIGNALS:
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, _interrupt)


def check() -> None:
    """Raise Interrupted when, after :func:`hold`, one of the signals has come since the last wait."""
    held = _held()
    if held:
        _poll_open(select.poll(), 0, held)


def readable(fd: int, seconds: float | None = None) -> bool:
    """Wait until `fd` can be read (or has ended); False after `seconds`.

    After :func:`hold` it raises Interrupted when one of the signals comes first, and only once: what is
    undone then is not interrupted again.
    """
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    timeout = None if seconds is None else seconds * 1000
    if _aside:
        return _poll_aside(poll, fd, timeout)
    held = _held()
    return bool(_poll_open(poll, timeout, held) if held else poll.poll(timeout))


def program(fd: int, pid: int) -> None:
    """Wait until `fd` can be read, which the child `pid` closes with execve(2), or reports a failure on.

    When this raises Interrupted the program does not run, and will not: the child is stopped, for the
    caller to kill. A signal that finds the program running is kept for the next wait.
    """
    try:
        readable(fd)
    except Interrupted as err:
        os.kill(pid, _signal.SIGSTOP)
        _wait_for_stop(pid)
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        if not poll.poll(0):
            raise
        os.kill(pid, _signal.SIGCONT)
        _again(err.number)


def aside(fd: int, handle: Callable[[], None] | None) -> None:
    """While :func:`readable` waits, call `handle` whenever `fd` can be read as well; None: no more."""
    _aside[:] = [(fd, handle)] if handle else []


def _held() -> list[int]:
    return [number for number in SIGNALS if _signal.getsignal(number) is _interrupt]


def _wait_for_stop(pid: int) -> None:
    """Until it is stopped or has ended. One that is frozen, or waits for a device, goes nowhere either."""
    end = time.monotonic() + STOP_TIMEOUT
    options = os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, pid, options) is None and time.monotonic() < end:
        time.sleep(0.0005)


def _poll_aside(poll: select.poll, fd: int, timeout: float | None) -> bool:
    other, handle = _aside[0]
    poll.register(other, select.POLLIN)
    end = None if timeout is None else time.monotonic() * 1000 + timeout
    while True:
        left = None if end is None else max(0.0, end - time.monotonic() * 1000)
        ready = [number for number, _ in poll.poll(left)]
        if other in ready:
            handle()
        if fd in ready:
            return True
        if not ready:
            return False


def _poll_open(poll: select.poll, timeout: float | None, held: Sequence[int]) -> bool:
    """poll(2) with the signals let through; what is ready counts before a signal that came later."""
    caught = 0
    ready: object = None
    old = _signal.pthread_sigmask(_signal.SIG_BLOCK, ())
    try:
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, held)
        ready = poll.poll(timeout)
    except Interrupted as err:
        caught = err.number
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, old)
    if not caught:
        return bool(ready)
    if not poll.poll(0):
        raise Interrupted(caught)
    _again(caught)
    return True


def _again(number: int) -> None:
    """The signal as if it had not been caught yet."""
    hold()
    os.kill(os.getpid(), number)


def _interrupt(number: int, frame: object) -> None:
    for other in _held():
        _signal.signal(other, _ignore)
    raise Interrupted(number)


def _ignore(number: int, frame: object) -> None:
    """A handler, not SIG_IGN: Python complains about a signal that meets that on its way."""
