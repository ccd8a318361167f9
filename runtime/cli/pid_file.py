"""--pid-file"""

from __future__ import annotations

import errno

from runtime.errors import KernelError
from runtime.linux import posix as os

TYPE_CHECKING = False


def write_pid_file(path: str, pid: int) -> None:
    """The pid in decimal, nothing else; the file appears whole, by rename. Raises KernelError."""
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}.{os.getpid()}")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            os.write(fd, str(pid).encode())
        finally:
            os.close(fd)
        os.rename(temporary, path)
    except OSError as err:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        hint = "make its directory first" if err.errno == errno.ENOENT else None
        raise KernelError(f"--pid-file: write {path}", err.errno or 0, hint=hint) from None
