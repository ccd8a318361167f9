"""What planc needs of `os`, without its price.

``os`` imports ``_collections_abc`` and makes some thirty abstract classes: as much time as planning a
whole container takes. The system calls are in ``posix``, a module inside the interpreter; here they
are again, with the same names, and the few helpers around them. Import it as
``from runtime.linux import posix as os``.
"""

from __future__ import annotations

import errno
import posix
from posix import *  # noqa: F403
from posix import _exit as _exit

TYPE_CHECKING = False

SEEK_SET = 0


def fsencode(text: str) -> bytes:
    """A path or argument as the kernel gave it: the inverse of how it came in."""
    return text.encode("utf-8", "surrogateescape")


def fsdecode(data: bytes) -> str:
    """A path or argument as str; what is not UTF-8 survives."""
    return data.decode("utf-8", "surrogateescape")


environ = {fsdecode(name): fsdecode(value) for name, value in posix.environ.items()}


def makedirs(path: str, mode: int = 0o777, exist_ok: bool = False) -> None:
    """mkdir -p; `mode` is the last directory's."""
    parent = _Path.dirname(path)
    if parent and not _Path.exists(parent):
        makedirs(parent, 0o777, True)
    try:
        posix.mkdir(path, mode)
    except FileExistsError:
        if not exist_ok or not _Path.isdir(path):
            raise


class _Path:
    """The part of os.path that is used, for absolute and relative POSIX paths."""

    @staticmethod
    def split(path: str) -> tuple[str, str]:
        cut = path.rfind("/") + 1
        head, tail = path[:cut], path[cut:]
        # a head of slashes only is the root
        head = head.rstrip("/") or head
        return head, tail

    @staticmethod
    def dirname(path: str) -> str:
        return _Path.split(path)[0]

    @staticmethod
    def basename(path: str) -> str:
        return path.rpartition("/")[2]

    @staticmethod
    def join(first: str, *rest: str) -> str:
        path = first
        for part in rest:
            if part.startswith("/"):
                path = part
            elif not path or path.endswith("/"):
                path += part
            else:
                path += "/" + part
        return path

    @staticmethod
    def exists(path: str) -> bool:
        try:
            posix.stat(path)
        except (OSError, ValueError):
            return False
        return True

    @staticmethod
    def isdir(path: str) -> bool:
        try:
            return posix.stat(path).st_mode & 0o170000 == 0o040000
        except (OSError, ValueError):
            return False

    @staticmethod
    def normpath(path: str) -> str:
        if not path:
            return "."
        lead = "/" if path.startswith("/") else ""
        if path.startswith("//") and not path.startswith("///"):
            # two slashes mean something of their own to POSIX, and os.path keeps them
            lead = "//"
        parts: list[str] = []
        for part in path.split("/"):
            if part in ("", "."):
                continue
            if part != ".." or (not lead and not parts) or (parts and parts[-1] == ".."):
                parts.append(part)
            elif parts:
                parts.pop()
        return lead + "/".join(parts) or "."

    @staticmethod
    def abspath(path: str) -> str:
        return _Path.normpath(path if path.startswith("/") else _Path.join(posix.getcwd(), path))

    @staticmethod
    def realpath(path: str) -> str:
        """The kernel's own answer; the absolute path where there is nothing, or no permission."""
        try:
            fd = posix.open(path, posix.O_PATH | posix.O_CLOEXEC)
        except (OSError, ValueError) as err:
            whole = _Path.abspath(path)
            head, tail = _Path.split(whole)
            if isinstance(err, OSError) and err.errno == errno.ENOENT and tail:
                return _Path.join(_Path.realpath(head), tail)
            return whole
        try:
            return posix.readlink(f"/proc/self/fd/{fd}")
        except OSError:
            # no proc(5): what needs it says so
            return _Path.abspath(path)
        finally:
            posix.close(fd)


path = _Path
