"""Refusals: a valid config that this host, this caller or this version cannot carry out."""

from __future__ import annotations

from runtime.errors import PlanError


def refuse(pointer: str, message: str, hint: str | None = None) -> PlanError:
    """The error to raise; `pointer` is the JSON pointer of an operation's cause."""
    return PlanError(message, dotted(pointer), hint)


def dotted(pointer: str) -> str:
    """A JSON pointer as messages write it: "/mounts/3/type" is "mounts[3].type"; "" for another cause."""
    path = ""
    if not pointer.startswith("/"):
        return path
    for part in pointer.split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if part.isdigit():
            path += f"[{part}]"
        elif "." in part or "/" in part:
            path += f'["{part}"]'
        else:
            path += f".{part}" if path else part
    return path


def pointer_token(name: str) -> str:
    """A member's name as it stands in a JSON pointer, RFC 6901."""
    return name.replace("~", "~0").replace("/", "~1")
