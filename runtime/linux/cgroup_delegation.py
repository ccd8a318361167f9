"""cgroup v2: whether a controller comes down to a cgroup, and where it stops when it does not.

A cgroup has the controllers that each one above it hands on (cgroup.subtree_control).  Only reads;
imported when something is missing, or when a host is described.
"""

from __future__ import annotations

from runtime.linux import posix as os
from runtime.linux.cgroup import cgroup_type, has_own_processes
from runtime.linux.files import read_file

#: "When a cgroup is threaded": what it can still have (cgroups(7), Thread mode)
THREADED_CONTROLLERS = ("cpu", "cpuset", "perf_event", "pids")
THREADED_TYPES = ("threaded", "domain threaded", "domain invalid")


class Stop:
    """The cgroup (`path`) above which the controller is, and below which it is not.

    `absent`: it is the top one that the caller sees, and has not got it itself. Else `reason` says
    why it is not handed on, and `remedy` what can be done.
    """

    __slots__ = ("path", "absent", "reason", "remedy")

    def __init__(self, path: str, reason: str = "", remedy: str = "") -> None:
        self.path = path
        self.absent = not reason
        self.reason = reason
        self.remedy = remedy


def where_it_stops(path: str, controller: str) -> Stop | None:
    """Why cgroup `path`, which need not exist, has not got the controller; None: it has, or nothing
    stands in the way of enabling it. Raises OSError when `path` is below no cgroup2 mount."""
    for above in _above(path):
        if controller not in _words(f"{above}/cgroup.controllers"):
            return Stop(above)
        if controller not in _words(f"{above}/cgroup.subtree_control"):
            return _obstacle(above, controller)
    return None


def _above(path: str) -> list[str]:
    """The cgroups above that exist, from the top one that the caller sees."""
    found: list[str] = []
    while path != "/":
        path = os.path.dirname(path)
        if os.path.exists(f"{path}/cgroup.controllers"):
            found.insert(0, path)
        elif found:
            break
    return found


def _words(file: str) -> list[str]:
    return read_file(file).decode().split()


def _obstacle(path: str, controller: str) -> Stop | None:
    kind = cgroup_type(path)
    if kind in THREADED_TYPES and controller not in THREADED_CONTROLLERS:
        reason = f"it is {kind}, and {controller} is only for domains"
        return Stop(path, reason, "see Thread mode in cgroups(7), or choose another cgroupsPath")
    if has_own_processes(path):
        reason = "a cgroup with processes of its own cannot have children with controllers"
        return Stop(path, reason, "move them to a cgroup below it, or choose another cgroupsPath")
    if not os.access(f"{path}/cgroup.subtree_control", os.W_OK, effective_ids=True):
        reason = "the caller may not write its cgroup.subtree_control"
        remedy = f"whoever may must write +{controller} to it, for a user of systemd by Delegate={controller}"
        return Stop(path, reason, f"{remedy} in user@.service")
    return None
