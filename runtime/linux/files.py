"""Whole reads and writes of small files and of descriptors. All raise OSError."""

from __future__ import annotations

from runtime.linux import posix as os

TYPE_CHECKING = False


def read_file(path: str, size: int = 65536) -> bytes:
    """One read(2) of up to `size` bytes: files of /proc and cgroups give a whole value at once."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, size)
    finally:
        os.close(fd)


def read_text(path: str) -> str:
    """The whole file, whatever its length, undecodable bytes as surrogates."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.fsdecode(read_all(fd))
    finally:
        os.close(fd)


def read_all(fd: int) -> bytes:
    """Everything up to end of file."""
    parts = []
    while part := os.read(fd, 1 << 18):
        parts.append(part)
    return b"".join(parts)


def write_all(fd: int, data: bytes) -> None:
    """write(2) until all is written."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
