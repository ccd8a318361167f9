"""SIGHUP, SIGINT and SIGTERM while something is half made: an exception, and only where planc waits.

Between two waits the signals are held back, so that whoever undoes a creation knows all of it.
"""

from __future__ import annotations

import _signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set

SIGNALS = frozenset({_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM})


class Interrupted(BaseException):
    """One of the signals has come: undo and end. No PlancError, so that nobody takes it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def hold() -> None:
    """From here on the signals wait for the next :class:`Waiting`; ignored ones stay so (nohup(1))."""
    for number in SIGNALS:
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, _interrupt)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, SIGNALS)


class Waiting:
    """Around a system call that may take long: after :func:`hold` it may raise Interrupted, once."""

    __slots__ = ("old",)

    def __enter__(self) -> None:
        self.old: Set[int] = frozenset()
        held = [number for number in SIGNALS if _signal.getsignal(number) is _interrupt]
        if held:
            self.old = _signal.pthread_sigmask(_signal.SIG_BLOCK, ())
            _signal.pthread_sigmask(_signal.SIG_UNBLOCK, held)

    def __exit__(self, *exc: object) -> None:
        if self.old:
            _signal.pthread_sigmask(_signal.SIG_SETMASK, self.old)


def _interrupt(number: int, frame: object) -> None:
    # what is undone now must not be interrupted again
    for other in SIGNALS:
        _signal.signal(other, _signal.SIG_IGN)
    raise Interrupted(number)
