"""The process of `exec` without --process: the container's own, changed by the options."""

from __future__ import annotations

import copy

from runtime.errors import SpecError, UsageError
from runtime.linux import posix as os
from runtime.linux.capabilities import CAPABILITIES
from runtime.spec.model import LinuxCapabilities, User
from runtime.spec.validate import validate_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from runtime.spec.model import Process, Spec


def check_options(options: dict[str, Any]) -> None:
    """Raise UsageError for what is wrong whatever the container is."""
    if not options["command"]:
        raise UsageError("exec needs a command to run", hint="give one after the id, or --process FILE")
    for variable in options["env"]:
        if variable.find("=") < 1:
            raise UsageError(f"--env: {variable!r} is not a variable", hint="write NAME=value")
    if options["user"]:
        user_of(options["user"], None)
    with_groups(User(), options["additional_gids"])
    with_capabilities(None, options["cap"])


def process_from_options(options: dict[str, Any], spec: Spec) -> Process:
    """As runc does: the environment and the capabilities are added to, user and cwd replaced.

    `options` have passed check_options().  Raises SpecError.
    """
    assert spec.process is not None
    process: Process = copy.copy(spec.process)
    process.args = list(options["command"])
    process.terminal = options["tty"]
    process.console_size = terminal_size() if options["tty"] else None
    if options["cwd"]:
        process.cwd = options["cwd"]
    process.env = [*(process.env or ()), *options["env"]]
    if options["user"]:
        process.user = user_of(options["user"], process.user)
    if options["additional_gids"]:
        process.user = with_groups(process.user or User(), options["additional_gids"])
    if options["no_new_privs"]:
        process.no_new_privileges = True
    if options["cap"]:
        process.capabilities = with_capabilities(process.capabilities, options["cap"])
    problems = validate_process(process, "exec")
    if problems:
        raise SpecError(problems, "exec")
    return process


def terminal_size() -> Any:
    """The size of the caller's terminal as consoleSize, None without one."""
    from runtime.spec.model import Box

    for fd in (2, 1, 0):
        try:
            size = os.get_terminal_size(fd)
        except OSError:
            continue
        return Box(height=size.lines, width=size.columns)
    return None


def user_of(text: str, user: User | None) -> User:
    """UID[:GID]; the group stays as it is when only a user is given, as the other groups do."""
    changed: User = copy.copy(user) if user else User(uid=0, gid=0)
    uid, _, gid = text.partition(":")
    changed.uid = number(uid, "user")
    if gid:
        changed.gid = number(gid, "user")
    return changed


def number(text: str, option: str) -> int:
    """A uid or gid. Raises UsageError."""
    if not text.isascii() or not text.isdigit() or int(text) > 0xFFFFFFFE:
        raise UsageError(
            f"--{option}: {text!r} is not a number from 0 to 4294967294", hint="names are not looked up"
        )
    return int(text)


def with_groups(user: User, groups: list[str]) -> User:
    changed: User = copy.copy(user)
    changed.additional_gids = [
        *(user.additional_gids or ()),
        *(number(gid, "additional-gids") for gid in groups),
    ]
    return changed


def with_capabilities(sets: LinuxCapabilities | None, names: list[str]) -> LinuxCapabilities:
    """Added to bounding, effective and permitted, and to ambient where there is an inheritable set."""
    for name in names:
        if name not in CAPABILITIES:
            raise UsageError(f"--cap: {name!r} is no capability", hint="write it like CAP_NET_ADMIN")
    changed: LinuxCapabilities = copy.copy(sets) if sets else LinuxCapabilities()
    for member in ("bounding", "effective", "permitted"):
        setattr(changed, member, merged(getattr(changed, member), names))
    if changed.inheritable:
        changed.ambient = merged(changed.ambient, names)
    return changed


def merged(have: list[str] | None, names: list[str]) -> list[str]:
    return [*(have or ()), *(name for name in names if name not in (have or ()))]
