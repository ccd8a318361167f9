"""What every command is given."""

from __future__ import annotations

from runtime.errors import UsageError
from runtime.linux import posix as os
from runtime.state.root import default_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.cli.parse import Arguments
    from runtime.cli.report import Log


class Context:
    """The command's options and arguments by name, and the global options.

    `root`: absolute, where containers are kept. `explicit_root`: it was given. `rootless`: None for auto.
    """

    __slots__ = ("debug", "explicit_root", "log", "options", "root", "rootless", "systemd_cgroup")

    def __init__(self, arguments: Arguments, log: Log) -> None:
        values = arguments.globals
        self.options: dict[str, Any] = arguments.values
        self.log = log
        self.debug: bool = values["debug"]
        self.explicit_root = bool(values["root"])
        self.root = _absolute_root(values["root"]) if values["root"] else default_root()
        self.systemd_cgroup: bool = values["systemd_cgroup"]
        self.rootless = _rootless(values["rootless"])


def _absolute_root(path: str) -> str:
    root = os.path.abspath(path)
    if os.path.realpath(root) == "/":
        raise UsageError("--root: / cannot hold containers", hint="write the path of a directory of its own")
    return root


def _rootless(value: str) -> bool | None:
    answers = {"true": True, "false": False, "auto": None}
    if value not in answers:
        raise UsageError(f"--rootless: {value!r} is none of true, false, auto")
    return answers[value]
