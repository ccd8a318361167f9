"""What the kernel says about a process, read from outside through /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple

NAMESPACES = ("mnt", "pid", "net", "ipc", "uts", "user", "cgroup", "time")
"""File names under /proc/PID/ns."""

NAMESPACE_FILE = {"mount": "mnt", "network": "net"} | {
    kind: kind for kind in ("pid", "ipc", "uts", "user", "cgroup", "time")
}
"""linux.namespaces[].type → file name under /proc/PID/ns."""


class Mount(NamedTuple):
    """One line of mountinfo (proc_pid_mountinfo(5)); `propagation` holds the optional fields as words."""

    mount_id: int
    parent_id: int
    device: str
    root: str
    mount_point: str
    options: frozenset[str]
    propagation: frozenset[str]
    fs_type: str
    source: str
    super_options: frozenset[str]


def _unescape(word: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        word = word.replace(code, char)
    return word


def parse_mountinfo(text: str) -> list[Mount]:
    """The lines of a mountinfo file, in the kernel's order (later mounts come later)."""
    mounts = []
    for line in text.splitlines():
        fields = line.split(" ")
        dash = fields.index("-", 6)
        mounts.append(
            Mount(
                int(fields[0]),
                int(fields[1]),
                fields[2],
                _unescape(fields[3]),
                _unescape(fields[4]),
                frozenset(fields[5].split(",")),
                frozenset(word.split(":")[0] for word in fields[6:dash]),
                fields[dash + 1],
                _unescape(fields[dash + 2]),
                frozenset(fields[dash + 3].split(",")),
            )
        )
    return mounts


def mountinfo(pid: int | str = "self") -> list[Mount]:
    """The mounts that process `pid` sees."""
    with open(f"/proc/{pid}/mountinfo") as file:
        return parse_mountinfo(file.read())


def mount_at(mounts: list[Mount], point: str) -> Mount:
    """The topmost mount on `point`; fails the test when there is none."""
    found = [mount for mount in mounts if mount.mount_point == point]
    assert found, f"nothing is mounted on {point}: {[mount.mount_point for mount in mounts]}"
    return found[-1]


def status(pid: int | str) -> dict[str, str]:
    """/proc/PID/status as a dictionary."""
    with open(f"/proc/{pid}/status") as file:
        return dict((part.strip() for part in line.split(":", 1)) for line in file if ":" in line)  # type: ignore[misc]


def capability_set(pid: int | str, name: str) -> set[int]:
    """The numbers in one of CapInh, CapPrm, CapEff, CapBnd, CapAmb."""
    bits = int(status(pid)[name], 16)
    return {number for number in range(64) if bits >> number & 1}


def limits(pid: int | str) -> dict[str, tuple[str, str]]:
    """/proc/PID/limits: name → (soft, hard), both as the kernel prints them."""
    result = {}
    with open(f"/proc/{pid}/limits") as file:
        for line in file.readlines()[1:]:
            result[line[:26].strip()] = (line[26:47].strip(), line[47:68].strip())
    return result


def ns(pid: int | str, kind: str) -> str:
    """The identity of a namespace, such as `net:[4026531840]`; `kind` is a file name under ns/."""
    return os.readlink(f"/proc/{pid}/ns/{kind}")


def environ(pid: int | str) -> dict[str, str]:
    """The environment a process was started with."""
    with open(f"/proc/{pid}/environ", "rb") as file:
        words = file.read().decode().split("\0")
    return dict(word.split("=", 1) for word in words if "=" in word)  # type: ignore[misc]


def cmdline(pid: int | str) -> list[str]:
    """argv of a process; empty for a zombie."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read().decode(errors="replace").split("\0")[:-1]


def fds(pid: int | str) -> dict[int, str]:
    """Open descriptors: number → target."""
    result = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            result[int(name)] = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
    return result


def stat_fields(pid: int | str) -> list[str]:
    """The fields of /proc/PID/stat after the command name: state, ppid, pgrp, session, tty …"""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()


def is_alive(pid: int) -> bool:
    """True unless the process is gone or a zombie."""
    try:
        return stat_fields(pid)[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def pids() -> list[int]:
    """All processes of this pid namespace."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children(parent: int) -> list[int]:
    """Direct children of a process, zombies included."""
    found = []
    for pid in pids():
        try:
            if int(stat_fields(pid)[1]) == parent:
                found.append(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def pids_with_argument(word: str) -> list[int]:
    """Live processes that have `word` as one argument: a unique word is how tests find their processes."""
    found = []
    for pid in pids():
        try:
            if word in cmdline(pid) and is_alive(pid):
                found.append(pid)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def wait_until(condition: Callable[[], object], what: str, timeout: float = 60.0) -> None:
    """Poll every 5 ms until `condition()` is true; fails the test after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"timed out after {timeout} s: {what}"
        time.sleep(0.005)
