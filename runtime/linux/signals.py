"""Signal names and numbers: signal(7), the numbers of every architecture but mips, alpha, sparc, hppa."""

from __future__ import annotations

from runtime.errors import UsageError

__all__ = ["RTMAX", "RTMIN", "SIGNALS", "parse_signal", "signal_name"]

# what libc leaves to programs; the kernel's own first is 32
RTMIN = 34
RTMAX = 64

SIGNALS = {
    "SIGHUP": 1,
    "SIGINT": 2,
    "SIGQUIT": 3,
    "SIGILL": 4,
    "SIGTRAP": 5,
    "SIGABRT": 6,
    "SIGBUS": 7,
    "SIGFPE": 8,
    "SIGKILL": 9,
    "SIGUSR1": 10,
    "SIGSEGV": 11,
    "SIGUSR2": 12,
    "SIGPIPE": 13,
    "SIGALRM": 14,
    "SIGTERM": 15,
    "SIGSTKFLT": 16,
    "SIGCHLD": 17,
    "SIGCONT": 18,
    "SIGSTOP": 19,
    "SIGTSTP": 20,
    "SIGTTIN": 21,
    "SIGTTOU": 22,
    "SIGURG": 23,
    "SIGXCPU": 24,
    "SIGXFSZ": 25,
    "SIGVTALRM": 26,
    "SIGPROF": 27,
    "SIGWINCH": 28,
    "SIGIO": 29,
    "SIGPWR": 30,
    "SIGSYS": 31,
    "SIGIOT": 6,
    "SIGCLD": 17,
    "SIGPOLL": 29,
}
"""Name to number; of two names of one number the usual one comes first."""


def parse_signal(text: str) -> int:
    """The number of "TERM", "SIGTERM", "term", "15", "RTMIN+3" or "RTMAX-1".

    0, which sends nothing, is allowed.  Raises UsageError.
    """
    if text.isascii() and text.isdigit():
        number = int(text[:9])
        if number <= RTMAX:
            return number
    else:
        name = text.upper()
        number = SIGNALS.get(name) or SIGNALS.get("SIG" + name) or _realtime(name.removeprefix("SIG"))
        if number:
            return number
    raise UsageError(
        f'"{text}" is not a signal; give a name such as TERM or SIGTERM, or a number from 0 to {RTMAX}'
    )


def _realtime(name: str) -> int:
    """The number of RTMIN, RTMIN+n, RTMAX or RTMAX-n; 0 if it is none."""
    for base, sign, mark in ((RTMIN, 1, "RTMIN+"), (RTMAX, -1, "RTMAX-")):
        if name == mark[:-1]:
            return base
        offset = name.removeprefix(mark)
        if offset != name and offset.isascii() and offset.isdigit():
            number = base + sign * int(offset[:9])
            return number if RTMIN <= number <= RTMAX else 0
    return 0


def signal_name(number: int) -> str:
    """The name as "SIGTERM" or "SIGRTMIN+3", or the number as text where it has none."""
    for name, value in SIGNALS.items():
        if value == number:
            return name
    if RTMIN <= number <= RTMAX:
        return f"SIGRTMIN+{number - RTMIN}" if number > RTMIN else "SIGRTMIN"
    return str(number)
