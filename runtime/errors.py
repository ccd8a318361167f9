"""The errors planc can end with.

Every failure the user should see is a PlancError: one clear line, an optional
hint, and the exit code of the command.  This is a leaf module: it knows no
other part of planc.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "KernelError",
    "PlanError",
    "PlancError",
    "Problem",
    "SpecError",
    "StateError",
    "UsageError",
    "errno_name",
    "errno_text",
]


def errno_name(number: int) -> str:
    """The symbolic name of an errno ("ENOENT"), or "errno 4711" if it has none."""
    from errno import errorcode  # only a failure needs the table

    return errorcode.get(number) or f"errno {number}"


def errno_text(number: int) -> str:
    """Name and meaning: "ENOENT: no such file or directory".

    The meaning is lower-case, since managers search messages for it.
    """
    name = errno_name(number)
    if " " in name:
        return name
    from posix import strerror

    text = strerror(number)
    return f"{name}: {text[:1].lower()}{text[1:]}"


class PlancError(Exception):
    """A failure to be reported.  str() is the message, "; " and the hint if there is one."""

    def __init__(self, message: str, hint: str | None = None, exit_code: int = 1) -> None:
        super().__init__(message, hint, exit_code)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UsageError(PlancError):
    """The command line asks for something that makes no sense."""


class StateError(PlancError):
    """The container is not there, is already there, or is in the wrong status."""


class Problem:
    """One thing wrong with a config.

    path: where, as `mounts[3].destination` ("" for the document itself);
    value: what stands there (None if nothing does);
    message: what is wrong and what would be right, the value included.
    """

    __slots__ = ("message", "path", "value")

    def __init__(self, path: str, value: object, message: str) -> None:
        self.path = path
        self.value = value
        self.message = message

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message

    def __repr__(self) -> str:
        return f"Problem({self.path!r}, {self.value!r}, {self.message!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Problem):
            return NotImplemented
        return (self.path, self.value, self.message) == (other.path, other.value, other.message)

    __hash__ = None  # type: ignore[assignment]  # a problem holds any JSON value


class SpecError(PlancError):
    """A document (config.json, a process or resources file) is not valid.

    The message has one line per problem, each beginning with `source`.
    """

    def __init__(self, problems: Sequence[Problem], source: str = "config.json") -> None:
        super().__init__("\n".join([f"{source}: {problem}" for problem in problems]))
        self.problems = list(problems)
        self.source = source


class PlanError(PlancError):
    """The config is valid, but asks for what this host or this version cannot do.

    pointer: the place in config.json (`linux.resources.rdma`), or "" for a command-line option.
    """

    def __init__(self, message: str, pointer: str = "", hint: str | None = None) -> None:
        super().__init__(f"{pointer}: {message}" if pointer else message, hint)
        self.pointer = pointer


class KernelError(PlancError):
    """The kernel refused an operation.

    operation: what was tried, on what ("mount tmpfs on /run/lock");
    errno: the errno, or 0 when the operation failed for another reason;
    pointer: the place in config.json that caused the operation, or "";
    detail: more about the failure, or "".
    """

    def __init__(
        self, operation: str, errno: int, pointer: str = "", detail: str = "", hint: str | None = None
    ) -> None:
        parts = [pointer, operation, detail, errno_text(errno) if errno else ""]
        super().__init__(": ".join([part for part in parts if part]), hint)
        self.operation = operation
        self.errno = errno
        self.pointer = pointer
        self.detail = detail
