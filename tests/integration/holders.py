"""Processes that hold namespaces open, for containers that join them by path."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

from . import caller, proc

_UNSHARE_FLAG = {
    "mnt": "--mount",
    "pid": "--pid",
    "net": "--net",
    "ipc": "--ipc",
    "uts": "--uts",
    "user": "--user",
    "cgroup": "--cgroup",
    "time": "--time",
}

_QUIET = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@contextlib.contextmanager
def holder(*kinds: str, extra: tuple[str, ...] = ()) -> Iterator[int]:
    """A sleeping process in new namespaces of these kinds (file names under ns/); yields its pid.

    pid and time namespaces hold the process itself, not only its future children. A user can make and join them
    only together with a user namespace.
    """
    if "user" not in kinds:
        caller.need_root("namespaces of the initial user namespace")
    flags = [_UNSHARE_FLAG[kind] for kind in kinds]
    if {"pid", "time"} & set(kinds):
        flags.append("--fork")
    with subprocess.Popen(["unshare", *flags, *extra, "sleep", "987654"], **_QUIET) as popen:
        pid = popen.pid
        try:
            if "--fork" in flags:
                proc.wait_until(lambda: proc.children(popen.pid), "unshare forks")
                (pid,) = proc.children(popen.pid)
            proc.wait_until(lambda: proc.cmdline(pid) == ["sleep", "987654"], "holder sleeps")
            yield pid
        finally:
            if pid != popen.pid:
                subprocess.run(["kill", "-9", str(pid)], check=False)
            popen.kill()


def path(pid: int, kind: str) -> str:
    """The path under which a namespace of a holder is joined."""
    return f"/proc/{pid}/ns/{kind}"
