"""Waiting for a process of ours in the foreground: signals on, orphans reaped, terminal relayed."""

from __future__ import annotations

import _signal
import select

from runtime.execute import interrupt
from runtime.linux import posix as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runtime.execute.notify_socket import NotifySocket
    from runtime.execute.terminal import Terminal

NOT_FORWARDED = frozenset({_signal.SIGCHLD, _signal.SIGURG, _signal.SIGWINCH})
NOT_CATCHABLE = frozenset({_signal.SIGKILL, _signal.SIGSTOP})
FAULTS = frozenset(
    {_signal.SIGSEGV, _signal.SIGBUS, _signal.SIGFPE, _signal.SIGILL, _signal.SIGTRAP, _signal.SIGABRT}
)
BUFFER = 65536


class Foreground:
    """Catches signals from its making on, so that none is lost before the process exists.

    Use: make it before the process is created, then ``wait(pid)``. In between, ``interrupt.hold()``
    lets some of them end the creation, until ``forward_while`` or ``wait``: the program runs then, and
    has to hear of them.
    """

    def __init__(self) -> None:
        self.reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.terminal: Terminal | None = None
        self.notify: NotifySocket | None = None
        _signal.pthread_sigmask(_signal.SIG_BLOCK, interrupt.SIGNALS)
        # every signal becomes a byte in the pipe: one poll loop sees signals and the terminal alike
        _signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in _signal.valid_signals() - NOT_CATCHABLE - FAULTS:
            _signal.signal(number, _ignore)

    def wait(self, pid: int) -> int:
        """Until `pid` has ended: its exit status, 128 + n when signal n ended it."""
        self._take_over(pid)
        poll = select.poll()
        poll.register(self.reader, select.POLLIN)
        if self.terminal:
            self.terminal.register(poll)
        if self.notify:
            poll.register(self.notify.fileno(), select.POLLIN)
        code = _reap(pid)
        while code is None:
            for fd, _ in poll.poll():
                if fd == self.reader:
                    self._forward(pid, self._caught())
                elif self.notify and fd == self.notify.fileno():
                    if self.notify.forward(pid):
                        poll.unregister(fd)
                elif self.terminal:
                    self.terminal.relay(fd, poll)
            code = _reap(pid)
        if self.terminal:
            self.terminal.drain()
        return code

    def forward_while(self, pid: int, call: Callable[[], None]) -> None:
        """Do `call`; what it waits for does not keep signals from `pid`, a child that runs its program.

        A signal that comes when the child has ended makes `call` raise Interrupted instead.
        """
        self._take_over(pid)

        def forward() -> None:
            caught = self._caught()
            if interrupt.SIGNALS.intersection(caught) and _has_ended(pid):
                raise interrupt.Interrupted(min(interrupt.SIGNALS.intersection(caught)))
            self._forward(pid, caught)

        interrupt.aside(self.reader, forward)
        try:
            call()
        finally:
            interrupt.aside(self.reader, None)

    def _take_over(self, pid: int) -> None:
        """The signals that would have ended the creation are the process's from now on.

        One of those that was caught, came too late to end the creation and was sent again is both in
        the pipe and pending.
        """
        for number in interrupt.SIGNALS:
            _signal.signal(number, _ignore)
        caught = self._caught()
        self._forward(pid, [number for number in caught if number not in interrupt.SIGNALS])
        self._forward(pid, interrupt.SIGNALS.intersection(caught) - _signal.sigpending())
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, interrupt.SIGNALS)

    def _caught(self) -> bytes:
        try:
            return os.read(self.reader, BUFFER)
        except BlockingIOError:
            return b""

    def _forward(self, pid: int, numbers: Iterable[int]) -> None:
        for number in numbers:
            if number == _signal.SIGWINCH and self.terminal:
                self.terminal.resize()
            elif number not in NOT_FORWARDED:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass


def _ignore(number: int, frame: object) -> None:
    """A handler, not SIG_IGN: the wakeup descriptor only hears of signals that have one."""


def _has_ended(pid: int) -> bool:
    """Of a child, which is left for others to reap."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _reap(pid: int) -> int | None:
    """Reap what has ended: the exit code of `pid` when it is among them."""
    code = None
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if ended == 0:
            return code
        if ended == pid:
            code = exit_code(status)


def exit_code(status: int) -> int:
    """Of a wait status, as a shell and runc give it: 128 + n for signal n."""
    if os.WIFSIGNALED(status):
        return 128 + os.WTERMSIG(status)
    return os.waitstatus_to_exitcode(status)
