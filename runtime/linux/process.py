"""Facts about a process from /proc, proc(5)."""

from __future__ import annotations

from runtime.linux import posix as os
from runtime.linux.files import read_file

TYPE_CHECKING = False


def process_status(pid: int) -> tuple[str, int]:
    """State letter ("R", "S", "Z" ...) and start time in clock ticks since boot; ("", 0) when it is gone."""
    try:
        stat = read_file(f"/proc/{pid}/stat", 1024)
    except OSError:
        return "", 0
    # the command name may hold spaces and parentheses: fields count from the last one
    fields = stat[stat.rindex(b")") + 2 :].split()
    return fields[0].decode(), int(fields[19])


def is_running(pid: int, start_time: int) -> bool:
    """Whether `pid` is still the process that started at `start_time` and not a zombie."""
    if pid <= 0:
        return False
    letter, started = process_status(pid)
    return letter not in ("", "Z", "X") and started == start_time


def namespace_inode(pid: int | str, name: str) -> int:
    """Inode number of /proc/PID/ns/NAME; 0 when it cannot be read."""
    try:
        return os.stat(f"/proc/{pid}/ns/{name}").st_ino
    except OSError:
        return 0
