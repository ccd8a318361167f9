"""Descriptors that the caller passes on: --preserve-fds and LISTEN_FDS, sd_listen_fds(3)."""

from __future__ import annotations

from runtime.errors import UsageError
from runtime.linux import posix as os

TYPE_CHECKING = False

FIRST = 3


def listen_fds() -> int:
    """LISTEN_FDS when LISTEN_PID is this process or not set, else 0. Raises UsageError for no number."""
    text = os.environ.get("LISTEN_FDS") or "0"
    if not text.isdigit():
        raise UsageError(f"LISTEN_FDS: {text!r} is not a number of descriptors")
    if os.environ.get("LISTEN_PID") not in (None, "", str(os.getpid())):
        return 0
    return int(text)


def passed_on(preserve_fds: int) -> tuple[int, int]:
    """(all descriptors to keep from 3 on, those of them that are LISTEN_FDS).

    Raises UsageError when one of them is not open.
    """
    listening = listen_fds()
    total = listening + preserve_fds
    for fd in range(FIRST, FIRST + total):
        try:
            os.fstat(fd)
        except OSError:
            raise UsageError(
                f"--preserve-fds {preserve_fds}: descriptor {fd} is not open",
                hint="please check that descriptors 3 to 3+N-1 are open",
            ) from None
    return total, listening
