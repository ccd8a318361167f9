"""Numbers on the command line."""

from __future__ import annotations

from runtime.errors import UsageError

TYPE_CHECKING = False

UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}


def integer(text: str, option: str) -> int:
    """A decimal number. Raises UsageError."""
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--{option}: {text!r} is not a number") from None


def size(text: str, option: str) -> int:
    """Bytes: a number, perhaps with a unit (k, kb, kib, m ... p), or -1. Raises UsageError."""
    lower = text.strip().lower()
    if lower == "-1":
        return -1
    if lower.endswith("ib"):
        lower = lower[:-2]
    elif lower.endswith("b") and lower[-2:-1] in UNITS:
        lower = lower[:-1]
    unit = 1
    if lower[-1:] in UNITS:
        unit = UNITS[lower[-1]]
        lower = lower[:-1]
    try:
        return int(float(lower.strip()) * unit) if "." in lower else int(lower) * unit
    except ValueError:
        raise UsageError(
            f"--{option}: {text!r} is not a size", hint="write a number of bytes, or one like 512m or 2g"
        ) from None


def duration(text: str, option: str) -> float:
    """Seconds of "500ms", "5s", "2m", "1h" or a bare number of seconds. Raises UsageError."""
    given, seconds = text, 1.0
    for unit, unit_seconds in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)):
        if text.endswith(unit):
            text, seconds = text[: -len(unit)], unit_seconds
            break
    try:
        value = float(text) * seconds
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise UsageError(
            f"--{option}: {given!r} is not a duration above 0", hint="write one like 500ms, 5s or 2m"
        )
    return value
