"""The checks of `planc doctor` for people: a table of at most 100 columns, coloured on a terminal."""

from __future__ import annotations

import textwrap

from runtime.cli.doctor_check import LIMITED, MISSING, OK
from runtime.linux import posix as os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.cli.doctor_check import Check

WIDEST = 100
NARROWEST = 60
_COLOURS = {OK: "\033[32m", LIMITED: "\033[33m", MISSING: "\033[31m"}
_BOLD = "\033[1m"
_PLAIN = "\033[0m"
_STATUS_WIDTH = 11
_NAME_WIDTH = 17


def table(found: list[Check], verdict: str) -> str:
    """The whole report, with the width and the colours of standard output."""
    return render(found, verdict, terminal_width(), coloured())


def render(found: list[Check], verdict: str, width: int, colour: bool) -> str:
    """Groups with a line per check; below what is not ok, what it means and what to do."""
    lines: list[str] = []
    group = ""
    for check in found:
        if check.group != group:
            group = check.group
            lines += (
                ["", _paint(group.upper(), _BOLD, colour)]
                if lines
                else [_paint(group.upper(), _BOLD, colour)]
            )
        lines += _check(check, width, colour)
    return "\n".join([*lines, "", *textwrap.wrap(verdict, width)]) + "\n"


def terminal_width() -> int:
    """Of standard output; 100 where that is no terminal."""
    try:
        columns = os.get_terminal_size(1).columns
    except OSError:
        return WIDEST
    return max(NARROWEST, min(columns, WIDEST)) if columns else WIDEST


def coloured() -> bool:
    """On a terminal that has colours, unless the user wants none (NO_COLOR)."""
    return os.isatty(1) and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") not in ("", "dumb")


def _check(check: Check, width: int, colour: bool) -> list[str]:
    mark = "*" if check.required and check.status == MISSING else ""
    status = f"{check.status + mark:<{_STATUS_WIDTH - 2}}"
    head = f"  {_paint(status, _COLOURS[check.status], colour)}{check.name:<{_NAME_WIDTH}}"
    indent = " " * (_STATUS_WIDTH + _NAME_WIDTH)
    body = _wrapped(check.found, width - len(indent))
    lines = [head + body[0], *[indent + line for line in body[1:]]]
    for text, label in ((check.means, "-> "), (check.advice, "do: ")):
        first, *rest = _wrapped(text, width - len(indent) - len(label)) if text else [""]
        if first:
            lines.append(f"{indent}{label}{first}")
            lines += [indent + " " * len(label) + line for line in rest]
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False) or [""]


def _paint(text: str, code: str, colour: bool) -> str:
    return f"{code}{text}{_PLAIN}" if colour else text
