"""Waiting for a process of ours in the foreground: signals on, orphans reaped, terminal relayed."""

from __future__ import annotations

import _signal
import select

from runtime.execute import interrupt
from runtime.linux import posix as os

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    lets some of them end the creation.
    """

    def __init__(self) -> None:
        self.reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.terminal: Terminal | None = None
        self.notify: NotifySocket | None = None
        # every signal becomes a byte in the pipe: one poll loop sees signals and the terminal alike
        _signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in _signal.valid_signals() - NOT_CATCHABLE - FAULTS:
            _signal.signal(number, _ignore)

    def wait(self, pid: int) -> int:
        """Until `pid` has ended: its exit status, 128 + n when signal n ended it."""
        self._forward_all()
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
                    self._signals(pid)
                elif self.notify and fd == self.notify.fileno():
                    if self.notify.forward(pid):
                        poll.unregister(fd)
                elif self.terminal:
                    self.terminal.relay(fd, poll)
            code = _reap(pid)
        if self.terminal:
            self.terminal.drain()
        return code

    def _forward_all(self) -> None:
        """The signals that would have ended the creation are the process's from now on."""
        for number in interrupt.SIGNALS:
            _signal.signal(number, _ignore)
        _signal.pthread_sigmask(_signal.SIG_UNBLOCK, interrupt.SIGNALS)

    def _signals(self, pid: int) -> None:
        for number in os.read(self.reader, BUFFER):
            if number == _signal.SIGWINCH and self.terminal:
                self.terminal.resize()
            elif number not in NOT_FORWARDED:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass


def _ignore(number: int, frame: object) -> None:
    """A handler, not SIG_IGN: the wakeup descriptor only hears of signals that have one."""


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
