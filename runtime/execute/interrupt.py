"""SIGHUP, SIGINT and SIGTERM while something is half made: an exception, and only where planc waits.

Between two waits the signals are held back, so that whoever undoes a creation knows all of it.
"""

from __future__ import annotations

import _signal
import select

from runtime.linux import posix as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

SIGNALS = frozenset({_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM})


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


def readable(fd: int, seconds: float | None = None) -> bool:
    """Wait until `fd` can be read (or has ended); False after `seconds`.

    After :func:`hold` it raises Interrupted when one of the signals comes first, and only once: what is
    undone then is not interrupted again.
    """
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    timeout = None if seconds is None else seconds * 1000
    held = [number for number in SIGNALS if _signal.getsignal(number) is _interrupt]
    return bool(_poll_open(poll, timeout, held) if held else poll.poll(timeout))


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
    hold()
    os.kill(os.getpid(), caught)
    return True


def _interrupt(number: int, frame: object) -> None:
    for other in SIGNALS:
        _signal.signal(other, _ignore)
    raise Interrupted(number)


def _ignore(number: int, frame: object) -> None:
    """A handler, not SIG_IGN: Python complains about a signal that meets that on its way."""
