"""Messages: the log file, standard error, exit codes. The one place that knows how they look.

Managers read them: containerd takes `msg` of the last line with level error of ``--log FILE
--log-format json``, Podman wants exactly one line there, and both fall back to standard error.
"""

from __future__ import annotations

import time

from runtime.errors import PlancError, UsageError, errno_text
from runtime.linux import posix as os
from runtime.linux.json import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Log:
    """Where messages go: standard error, and a file with ``--log``."""

    __slots__ = ("debug", "fd", "json")

    def __init__(self, path: str | None, form: str, debug: bool) -> None:
        """Raises UsageError for an unknown format or a file that cannot be opened."""
        if form not in ("text", "json"):
            raise UsageError(f"--log-format: {form!r} is neither text nor json")
        self.debug = debug
        self.json = form == "json"
        self.fd = -1
        if path:
            try:
                self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            except OSError as err:
                raise UsageError(f"--log: cannot open {path}: {errno_text(err.errno or 0)}") from None

    def message(self, level: str, text: str) -> None:
        """To the log file, without one to standard error."""
        if self.fd >= 0:
            _write(self.fd, self.line(level, text))
        elif self.json:
            _write(2, self.line(level, text))
        else:
            _write(2, f"{level}: {text}\n")

    def warning(self, text: str) -> None:
        self.message("warning", text)

    def error(self, text: str) -> None:
        """To standard error as plain text, and to the log file; json without a file: to standard error."""
        if self.fd >= 0:
            _write(self.fd, self.line("error", text))
        if self.json and self.fd < 0:
            _write(2, self.line("error", text))
        else:
            _write(2, text + "\n")

    def line(self, level: str, text: str) -> str:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self.json:
            return dumps({"level": level, "msg": text, "time": now}, spaces=False) + "\n"
        return f"time={quote(now)} level={level} msg={quote(text)}\n"


def quote(text: str) -> str:
    """In double quotes, with what would break the line escaped."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def _write(fd: int, text: str) -> None:
    try:
        os.write(fd, text.encode("utf-8", "surrogateescape"))
    except OSError:
        # a caller may give /dev/null opened for reading, or a pipe that nobody reads: no reason to fail
        pass


def print_json(value: Any, indent: int | None = 2) -> None:
    """A JSON value and a newline on standard output. Raises PlancError when that is not possible."""
    print_text(dumps(value, indent=indent, spaces=False) + "\n")


def print_text(text: str) -> None:
    """`text` on standard output. Raises PlancError when that is not possible."""
    data = text.encode("utf-8", "surrogateescape")
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError as err:
        raise PlancError(f"write to standard output: {err.strerror}") from None
