"""A command on its own pseudo terminal."""

from __future__ import annotations

import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AWAIT_SIZE = """until [ "$(stty size)" = "40 120" ]; do sleep 0.1; done; echo the 'size' is right"""
# for a shell in the terminal: managers pass the size on a moment after the start


class Terminal:
    """The master side of a terminal of 40 rows and 120 columns; `seen` collects what the command wrote."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self._master, slave = os.openpty()
        self.seen = ""
        self.resize(40, 120)
        self._process = subprocess.Popen(
            argv,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=dict(env),
            preexec_fn=lambda: os.login_tty(slave),
        )
        os.close(slave)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, line: str) -> None:
        """Type a line and Enter."""
        os.write(self._master, line.encode() + b"\n")

    def _read(self, seconds: float) -> bool:
        """Read once; False at the end of the command's output or after the time."""
        if not select.select([self._master], [], [], max(seconds, 0))[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    def shows(self, pattern: str, seconds: float) -> re.Match[str] | None:
        """The first match of a regular expression in what was written since the last match, if any."""
        end = time.monotonic() + seconds
        while not (match := re.search(pattern, self.seen)):
            if not self._read(end - time.monotonic()):
                return None
        self.seen = self.seen[match.end() :]
        return match

    def wait_for(self, pattern: str, seconds: float = 60.0) -> re.Match[str]:
        """As shows(), but the match must come."""
        match = self.shows(pattern, seconds)
        assert match, f"{pattern!r} did not appear in {self.seen!r}"
        return match

    def wait(self, seconds: float = 60.0) -> int:
        """The exit code, once the command has ended."""
        end = time.monotonic() + seconds
        while self._read(end - time.monotonic()):
            pass
        return self._process.wait(max(end - time.monotonic(), 0.1))

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._master)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
