"""The parser of the hot path: good command lines only.

Anything else (help, an unknown option, a missing argument) makes `parse` return None, and click,
which costs as much start-up time as all the rest together, says what is wrong.
"""

from __future__ import annotations

from runtime.cli.options import COMMANDS, FLAG, GLOBAL_OPTIONS, INTEGER, MULTIPLE, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


class Arguments:
    """A parsed command line: global options and the command's own by their names with underscores."""

    __slots__ = ("command", "globals", "values")

    def __init__(self, command: str) -> None:
        self.command = command
        self.globals: dict[str, Any] = defaults(GLOBAL_OPTIONS)
        self.values: dict[str, Any] = {}


def defaults(options: Sequence[Option]) -> dict[str, Any]:
    """What each option is when it is not given: False, [], its default or None."""
    values: dict[str, Any] = {}
    for option in options:
        if option.kind == FLAG:
            values[option.name] = False
        elif option.kind == MULTIPLE:
            values[option.name] = []
        else:
            values[option.name] = option.default
    return values


def argument_name(argument: str) -> str:
    """ "[PS-OPTION...]" is kept as ps_option."""
    return argument.strip("[]").removesuffix("...").lower().replace("-", "_")


class Refused(Exception):
    """Not a good command line: click will say why."""


def parse(argv: Sequence[str]) -> Arguments | None:
    """The arguments of a good command line, None for any other."""
    try:
        return _parse(list(argv))
    except Refused:
        return None


def _parse(words: list[str]) -> Arguments:
    arguments = Arguments("")
    rest = _read_options(words, GLOBAL_OPTIONS, arguments.globals, {}, stop_at_argument=True)
    if not rest or rest[0] not in COMMANDS:
        raise Refused
    arguments.command = rest[0]
    command = COMMANDS[rest[0]]
    arguments.values = defaults(command.options)
    positional = _read_options(
        rest[1:],
        (*command.options, *GLOBAL_OPTIONS),
        arguments.values,
        arguments.globals,
        stop_at_argument=not command.interspersed,
    )
    _assign(command, positional, arguments.values)
    return arguments


def _read_options(
    words: list[str],
    options: Sequence[Option],
    values: dict[str, Any],
    global_values: dict[str, Any],
    stop_at_argument: bool,
) -> list[str]:
    """Take the options off `words`; returns the positional words."""
    positional: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if word == "--":
            return positional + words[index:]
        if len(word) < 2 or word[0] != "-":
            positional.append(word)
            if stop_at_argument:
                return positional + words[index:]
            continue
        option, value = _match(word, options)
        if option.kind != FLAG and value is None:
            if index == len(words):
                raise Refused
            value = words[index]
            index += 1
        _store(option, value, values if option.name in values else global_values)
    return positional


def _match(word: str, options: Sequence[Option]) -> tuple[Option, str | None]:
    """The option that a word names, and the value behind its "="."""
    name, equals, text = word.partition("=")
    value = text if equals else None
    bare = name[2:] if name.startswith("--") else name[1:]
    for option in options:
        if bare == option.long or (bare == option.short and name[1] != "-"):
            if option.kind == FLAG and equals:
                raise Refused
            return option, value
    raise Refused


def _store(option: Option, value: str | None, values: dict[str, Any]) -> None:
    if option.kind == FLAG:
        values[option.name] = True
    elif option.kind == MULTIPLE:
        values[option.name].append(value)
    elif option.kind == INTEGER:
        if not value or not value.isascii() or not value.isdigit():
            raise Refused
        values[option.name] = int(value)
    else:
        if option.choices and value not in option.choices:
            raise Refused
        values[option.name] = value


def _assign(command: Command, positional: list[str], values: dict[str, Any]) -> None:
    rest = positional
    for argument in command.arguments:
        name = argument_name(argument)
        if "..." in argument:
            values[name] = rest
            rest = []
        elif rest:
            values[name], rest = rest[0], rest[1:]
        elif argument.startswith("["):
            values[name] = None
        else:
            raise Refused
    if rest:
        raise Refused
