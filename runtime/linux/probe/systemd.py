"""systemd: whether it manages this machine, and whether its managers answer this caller."""

from __future__ import annotations

from runtime.errors import PlancError
from runtime.linux import posix as os
from runtime.linux.facts import SystemdFacts

TYPE_CHECKING = False


def read_systemd() -> SystemdFacts:
    """The facts of this caller; asks each manager for its version."""
    from runtime.linux.systemd import BOOTED, disconnect

    if not os.path.isdir(BOOTED):
        return SystemdFacts(system_error="not booted with systemd", user_error="not booted with systemd")
    system, system_error = _ask(False)
    user, user_error = _ask(True)
    disconnect()
    return SystemdFacts(
        running=True, version=system or user, system_error=system_error, user_error=user_error
    )


def _ask(user: bool) -> tuple[int, str]:
    from runtime.linux.systemd import read_systemd as read_manager

    try:
        return read_manager(user).version, ""
    except PlancError as err:
        return 0, str(err).removeprefix("--systemd-cgroup: ")
