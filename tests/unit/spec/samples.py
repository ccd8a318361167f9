"""Configs for the tests: one that uses every property, and edits of it."""

import json
import re
from pathlib import Path
from typing import Any

from runtime.spec.decode import show

FULL = json.loads((Path(__file__).parent / "data" / "full.json").read_text())
"""Valid, by the schema and by every rule, and has every property that the schema has for Linux."""


class Delete:
    """Its repr() names test cases, and must be the same in every process."""

    def __repr__(self) -> str:
        return "DELETE"


DELETE = Delete()
"""As a value: remove the property."""

_STEP = re.compile(r'\.?([A-Za-z_]\w*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]')


def full_config() -> Any:
    """A copy to be changed."""
    return json.loads(json.dumps(FULL))


def steps(path: str) -> list[str | int]:
    """`mounts[3].options` as ["mounts", 3, "options"]."""
    found: list[str | int] = []
    end = 0
    while end < len(path):
        match = _STEP.match(path, end)
        assert match, f"{path} is not a path"
        name, index, key = match.groups()
        found.append(name if name is not None else int(index) if index is not None else json.loads(key))
        end = match.end()
    return found


def join(path: Any) -> str:
    """The inverse of steps()."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.isascii() and step.isidentifier():
            text += f".{step}" if text else step
        else:
            text += f"[{show(step)}]"
    return text


def edit(config: Any, path: str, value: Any) -> None:
    """Set, add or (DELETE) remove what is at a path; an index at the end of a list appends."""
    *parents, last = steps(path)
    for step in parents:
        config = config[step]
    if value is DELETE:
        del config[last]
    elif isinstance(config, list) and last == len(config):
        config.append(value)
    else:
        config[last] = value
