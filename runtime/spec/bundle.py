"""A bundle: the directory with config.json and, usually, the root file system."""

from __future__ import annotations

from runtime.errors import Problem, SpecError, errno_text
from runtime.linux import posix as os
from runtime.linux.json import JSONError, dumps, loads
from runtime.spec.decode import decode_process, decode_resources, decode_spec, show
from runtime.spec.validate import validate, validate_process, validate_resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.spec.model import LinuxResources, Process, Spec

__all__ = [
    "MAX_SIZE",
    "Bundle",
    "load_bundle",
    "load_process",
    "load_resources",
    "parse_document",
    "read_document",
]

MAX_SIZE = 64 * 1024 * 1024
"""Bytes; a config of a large real container has 0.1 % of it."""

_FILE_TYPE = 0o170000
_REGULAR = 0o100000
_DIRECTORY = 0o040000


class Bundle:
    """path and rootfs are absolute and without symbolic links; spec is valid."""

    __slots__ = ("path", "rootfs", "spec")

    def __init__(self, path: str, rootfs: str, spec: Spec) -> None:
        self.path = path
        self.rootfs = rootfs
        self.spec = spec


def load_bundle(directory: str, rootless: bool = False) -> Bundle:
    """Read, decode and validate DIRECTORY/config.json, and find the root file system.

    rootless: as for validate().  Raises SpecError with every problem there is.
    """
    path = os.path.realpath(directory)
    document = parse_document(read_document(os.path.join(path, "config.json"), "config.json"), "config.json")
    spec, problems = decode_spec(document)
    problems += validate(spec, rootless, problems)
    rootfs = ""
    if spec.root is not None and spec.root.path:
        rootfs = os.path.realpath(os.path.join(path, spec.root.path))
        problem = _rootfs_problem(rootfs)
        if problem:
            problems.append(Problem("root.path", spec.root.path, f"{show(spec.root.path)} {problem}"))
    if problems:
        raise SpecError(problems)
    return Bundle(path, rootfs, spec)


def _rootfs_problem(rootfs: str) -> str:
    """What is wrong with the root file system, "" if nothing is."""
    name = _printable(rootfs)
    try:
        mode = os.stat(rootfs).st_mode
    except FileNotFoundError:
        return f"is {name}: no such file or directory; make it, or write the path of another"
    except OSError as error:
        return f"is {name}: {errno_text(error.errno or 0)}"
    if mode & _FILE_TYPE != _DIRECTORY:
        return f"is {name}, which is not a directory; write the path of a directory"
    return ""


def _printable(path: str) -> str:
    """A path for a message: a path may hold newlines, and bytes that are not text."""
    return path if path.isprintable() else dumps(path)


def load_process(path: str) -> Process:
    """The `process` object in a file, for `exec --process`.  Raises SpecError."""
    process, problems = decode_process(parse_document(read_document(path, "--process"), path), "")
    problems += validate_process(process, "", known=problems)
    if problems:
        raise SpecError(problems, path)
    return process


def load_resources(data: bytes, source: str = "resources") -> LinuxResources:
    """The `linux.resources` object in JSON text, for `update --resources`.

    source: what to call it in a message.  Raises SpecError.
    """
    resources, problems = decode_resources(parse_document(data, source), "")
    problems += validate_resources(resources, "", update=True, known=problems)
    if problems:
        raise SpecError(problems, source)
    return resources


def read_document(path: str, source: str) -> bytes:
    """The content of a regular file of at most MAX_SIZE bytes.

    source: what to call it in a message.  Raises SpecError.
    """
    name = _printable(path)
    try:
        # without O_NONBLOCK, opening a FIFO would wait for a writer
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError:
        raise _file_error(source, f"there is no {name}; {_what_to_do(source)}") from None
    except NotADirectoryError as error:
        hint = f"{errno_text(error.errno or 0)}; {_what_to_do(source)}"
        raise _file_error(source, f"cannot open {name}: {hint}") from None
    except OSError as error:
        raise _file_error(source, f"cannot open {name}: {errno_text(error.errno or 0)}") from None
    try:
        status = os.fstat(fd)
        if status.st_mode & _FILE_TYPE != _REGULAR:
            kind = "a directory" if status.st_mode & _FILE_TYPE == _DIRECTORY else "not a regular file"
            raise _file_error(source, f"{name} is {kind}; it must be a file of JSON text")
        return _read_all(fd, status.st_size, name, source)
    except OSError as error:
        raise _file_error(source, f"cannot read {name}: {errno_text(error.errno or 0)}") from None
    finally:
        os.close(fd)


def _what_to_do(source: str) -> str:
    if source == "config.json":
        return "a bundle is a directory with a config.json, which planc spec writes"
    return "write the path of a file of JSON text"


def _file_error(source: str, message: str) -> SpecError:
    return SpecError([Problem("", None, message)], source)


def _read_all(fd: int, size: int, name: str, source: str) -> bytes:
    """A file may grow, and files of /proc have size 0: read until its end."""
    parts: list[bytes] = []
    total = 0
    while size <= MAX_SIZE and total <= MAX_SIZE:
        part = os.read(fd, min(max(size, 4096) + 1, 1024 * 1024))
        if not part:
            return b"".join(parts)
        parts.append(part)
        total += len(part)
    message = f"{name} has {max(size, total)} bytes; planc reads up to {MAX_SIZE} (64 MiB)"
    raise _file_error(source, message)


def parse_document(data: bytes, source: str) -> Any:
    """The value of JSON text.  Raises SpecError; source is what to call it in a message."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8: line {line} has the byte 0x{data[error.start]:02x}; save the file as UTF-8"
        raise _file_error(source, message) from None
    try:
        return loads(text)
    except JSONError as error:
        raise _file_error(source, f"not JSON: {error}") from None
