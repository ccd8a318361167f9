"""JSON for the hot path: json.loads and json.dumps without importing json.

The json package pulls in re and enum, which costs more than parsing a whole
config.json.  Its C accelerator does the work and can be used alone.  loads and
dumps give what the json package gives, with these differences: a failure is
always a JSONError (ValueError) with a position where there is one, too deep a
nesting too; and NaN and Infinity are refused in both directions.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["JSONError", "dumps", "loads"]

_SPACE = " \t\n\r"


class JSONError(ValueError):
    """Text that is not JSON, or a value that JSON cannot hold.

    line and column count from 1, the column in characters; 0 when there is no position.
    """

    def __init__(self, message: str, text: str = "", position: int = -1) -> None:
        self.message = message
        self.line = self.column = 0
        if position >= 0:
            self.line = text.count("\n", 0, position) + 1
            self.column = position - text.rfind("\n", 0, position)
        super().__init__(f"line {self.line}, column {self.column}: {message}" if self.line else message)


class _NotANumber(ValueError):
    """NaN, Infinity or -Infinity."""


def _refuse_constant(name: str) -> None:
    raise _NotANumber(name)


class _Settings:
    """What make_scanner reads its options from."""

    def __init__(self) -> None:
        self.strict = True
        self.object_hook = None
        self.object_pairs_hook = None
        self.parse_float = float
        self.parse_int = int
        self.parse_constant = _refuse_constant
        self.memo: dict[str, str] = {}


def _refuse_object(value: object) -> None:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_scan: Callable[[str, int], tuple[Any, int]]
try:
    import _json
except ImportError:  # a Python without the accelerator: slower, and just as good
    from json import decoder, encoder

    _quote: Callable[[str], str] = encoder.encode_basestring_ascii
    _scan = decoder.JSONDecoder(parse_constant=_refuse_constant).scan_once  # type: ignore[attr-defined]

    def _compact(value: object, colon: str = ": ", comma: str = ", ") -> str:
        separators = (comma, colon)
        return encoder.JSONEncoder(allow_nan=False, default=_refuse_object, separators=separators).encode(
            value
        )
else:
    _quote = _json.encode_basestring_ascii
    _scan = _json.make_scanner(_Settings())  # type: ignore[arg-type]

    def _compact(value: object, colon: str = ": ", comma: str = ", ") -> str:
        # a new encoder each time, since a failure leaves traces in its markers
        encode = _json.make_encoder({}, _refuse_object, _quote, None, colon, comma, False, False, False)
        return "".join(encode(value, 0))


def loads(text: str) -> Any:
    """The value of a JSON document.  Of equal keys in an object the last wins.

    Raises JSONError.
    """
    start = 0
    while text[start : start + 1] in _SPACE and start < len(text):
        start += 1
    value, end = _parse(text, start)
    rest = text[end:].lstrip(_SPACE)
    if rest:
        raise JSONError("unexpected text after the JSON document", text, len(text) - len(rest))
    return value


def _parse(text: str, start: int) -> tuple[Any, int]:
    """The value that begins at start, and the index after it."""
    try:
        try:
            return _scan(text, start)
        except SystemError:
            # the accelerator has no JSONDecodeError to raise as long as json.decoder is not imported
            import json.decoder  # noqa: F401

            return _scan(text, start)
    except StopIteration as error:
        raise _explained(_missing_value(text, error.value), text, error.value) from None
    except RecursionError:
        raise JSONError("nested too deeply") from None
    except _NotANumber as error:
        raise JSONError(f"{error} is not a number of JSON", text, _find(str(error), text)) from None
    except ValueError as error:
        message, position = getattr(error, "msg", ""), getattr(error, "pos", -1)
        if message:
            # "... starting at" is in front of its own position; ours comes first
            message = message.removesuffix(" at").removesuffix(" starting")
            raise _explained(message[:1].lower() + message[1:], text, position) from None
        # int() refuses thousands of digits
        raise JSONError("this number has too many digits", text, _find("[0-9]{4301,}", text)) from None


def _find(pattern: str, text: str) -> int:
    """Where a pattern first is in JSON text outside of strings; -1: nowhere."""
    import re  # only a failure needs it

    for match in re.finditer(rf'"(?:[^"\\]|\\.)*"|({pattern})', text):
        if match[1]:
            return match.start()
    return -1


def _explained(message: str, text: str, position: int) -> JSONError:
    """The error of the scanner, in other words for the two commonest mistakes."""
    rest = text[position:].lstrip(_SPACE + ",")
    before = text[: position + 1].rstrip(_SPACE + "}]")
    if not rest and before.strip(_SPACE):
        return JSONError("the text ends too early", text, position)
    if rest[:1] in ("}", "]") and before.endswith(","):
        return JSONError(f"leave out the comma before {rest[0]}", text, len(before) - 1)
    return JSONError(message, text, position)


def _missing_value(text: str, position: int) -> str:
    if not text.strip(_SPACE):
        return "the document is empty"
    if text.startswith("\ufeff"):
        return "a byte order mark is not JSON"
    return f"expecting a value, not {_quote(text[position : position + 1])}"


def dumps(value: object, indent: int | str | None = None, spaces: bool = True) -> str:
    """The JSON text of a value, all ASCII.  indent: spaces per level, or the text for a level.

    Without `spaces` it is as short as can be, as Go writes it: scripts search hooks' states and log
    lines for such text.  Raises TypeError for what is not JSON, JSONError for NaN, Infinity and
    endless nesting.
    """
    try:
        if indent is None:
            return _compact(value) if spaces else _compact(value, ":", ",")
        parts: list[str] = []
        _write(value, "\n", " " * indent if isinstance(indent, int) else indent, parts)
        return "".join(parts)
    except RecursionError:
        raise JSONError("nested too deeply") from None
    except ValueError as error:
        raise JSONError(str(error)) from None


def _write(value: object, newline: str, step: str, parts: list[str]) -> None:
    """Append the indented text of value; newline holds the indentation so far."""
    if isinstance(value, dict) and value:
        inner = newline + step
        mark = "{" + inner
        for key, item in value.items():
            parts.append(f"{mark}{_key(key)}: ")
            _write(item, inner, step, parts)
            mark = "," + inner
        parts.append(newline + "}")
    elif isinstance(value, (list, tuple)) and value:
        inner = newline + step
        mark = "[" + inner
        for item in value:
            parts.append(mark)
            _write(item, inner, step, parts)
            mark = "," + inner
        parts.append(newline + "]")
    else:
        parts.append(_compact(value))


def _key(key: object) -> str:
    if isinstance(key, str):
        return str(_quote(key))
    if key is None or isinstance(key, (bool, int, float)):
        return f'"{_compact(key)}"'
    raise TypeError(f"keys must be str, int, float, bool or None, not {type(key).__name__}")
