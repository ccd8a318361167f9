"""Find and read a container's cgroup files, alike on cgroup v1, hybrid and v2 hosts."""

from __future__ import annotations

import contextlib
import os
import time

from . import proc

DRIVER = os.environ.get("PLANC_TEST_CGROUP_DRIVER", "cgroupfs")
"""`cgroupfs`, or `systemd`: every call of the runtime has --systemd-cgroup."""

_V1_FILES = {
    ("memory", "max"): "memory.limit_in_bytes",
    ("memory", "low"): "memory.soft_limit_in_bytes",
    ("pids", "max"): "pids.max",
    ("cpuset", "cpus"): "cpuset.cpus",
    ("cpuset", "mems"): "cpuset.mems",
}


def path_for(container_id: str) -> str:
    """linux.cgroupsPath of a container with a cgroup of its own, in the driver's form."""
    return f":planc:{container_id}" if DRIVER == "systemd" else f"{top()}/{container_id}"


def name_for(container_id: str) -> str:
    """What the container's directories are called then."""
    return f"planc-{container_id}.scope" if DRIVER == "systemd" else container_id


def place_for(container_id: str) -> str:
    """Where that is below the mount of each hierarchy; in pure v2 too for a user with a systemd of its own."""
    if DRIVER != "systemd":
        return f"{top()}/{container_id}"
    if os.geteuid() == 0:
        return f"/system.slice/{name_for(container_id)}"
    manager = f"/user@{os.geteuid()}.service"
    above = membership("self")[""].partition(manager)[0]
    return f"{above}{manager}/user.slice/{name_for(container_id)}"


def mounts() -> dict[str, str]:
    """Controller name (or `name=systemd`, or `` for v2) → mount point."""
    found: dict[str, str] = {}
    for mount in proc.mountinfo():
        if mount.fs_type == "cgroup2":
            found.setdefault("", mount.mount_point)
        elif mount.fs_type == "cgroup":
            for word in mount.super_options - {"rw", "ro", "xattr", "noprefix", "clone_children"}:
                found.setdefault(word, mount.mount_point)
    return found


def mode() -> str:
    """`v1`, `hybrid` or `v2`; `none` when nothing is mounted."""
    names = set(mounts())
    if not names:
        return "none"
    if names == {""}:
        return "v2"
    return "hybrid" if "" in names else "v1"


def is_v2() -> bool:
    """True on a host whose only hierarchy is cgroup2."""
    return mode() == "v2"


def v1_controllers() -> set[str]:
    """Controllers that have a hierarchy of their own."""
    return {name for name in mounts() if name and not name.startswith("name=")}


def v2_controllers() -> set[str]:
    """Controllers of the cgroup2 hierarchy."""
    top = mounts().get("")
    if top is None:
        return set()
    with open(f"{top}/cgroup.controllers") as file:
        return set(file.read().split())


def controllers() -> set[str]:
    """All controllers of either kind; on v2 `devices` and `freezer` are always there, as BPF and core file."""
    found = v1_controllers() | v2_controllers()
    if is_v2():
        found |= {"devices", "freezer"}
    return found


def membership(pid: int | str) -> dict[str, str]:
    """/proc/PID/cgroup: controller (`` for v2) → path below its mount."""
    result = {}
    with open(f"/proc/{pid}/cgroup") as file:
        for line in file:
            _, names, path = line.rstrip("\n").split(":", 2)
            for name in names.split(","):
                result[name] = path
    return result


def top() -> str:
    """The cgroup, as a path below each mount, in which the suite's containers have theirs: of root's the root of the
    hierarchy (""), of a user's the delegated one."""
    return "" if os.geteuid() == 0 else os.path.dirname(membership("self")[""]).rstrip("/")


def own_parent() -> str:
    """The directory of the cgroup above the caller's own (pure v2)."""
    return mounts()[""] + os.path.dirname(membership("self")[""]).rstrip("/")


def directory(pid: int | str, controller: str) -> str:
    """The directory that holds `controller`'s files for process `pid`."""
    where, belongs = mounts(), membership(pid)
    if controller in where and controller in belongs:
        return where[controller] + belongs[controller].rstrip("/")
    return where[""] + belongs[""].rstrip("/")


def directories(pid: int | str) -> list[str]:
    """The process's directory in every mounted hierarchy."""
    where = mounts()
    return [where[name] + path for name, path in membership(pid).items() if name in where]


def read(pid: int | str, controller: str, name: str) -> str:
    """Content of a cgroup file without its final newline; the caller knows the flavour's file name."""
    with open(f"{directory(pid, controller)}/{name}") as file:
        return file.read().rstrip("\n")


def read_any(pid: int | str, controller: str, name: str) -> str:
    """Like `read`, by the v2 suffix (`max`, `low`, `cpus`); v1's own name is looked up."""
    v1 = _V1_FILES.get((controller, name)) if controller in v1_controllers() else None
    return read(pid, controller, v1 or f"{controller}.{name}")


def keyed(pid: int | str, controller: str, name: str) -> dict[str, str]:
    """A flat keyed file such as memory.stat."""
    return dict(line.split(" ", 1) for line in read(pid, controller, name).splitlines())  # type: ignore[misc]


def process_ids(pid: int | str, controller: str) -> set[int]:
    """All processes in the cgroup of `pid`."""
    return {int(word) for word in read(pid, controller, "cgroup.procs").split()}


def find_named(part: str) -> list[str]:
    """Every cgroup directory of the host whose name contains `part`."""
    found = []
    for top in set(mounts().values()):
        for parent, names, _ in os.walk(top):
            found += [os.path.join(parent, name) for name in names if part in name]
    return found


def remove_tree(part: str) -> None:
    """Remove the empty cgroups whose name contains `part`, deepest first; what has ended may leave a moment later."""
    end = time.monotonic() + 10
    while (paths := find_named(part)) and time.monotonic() < end:
        for path in sorted(paths, key=len, reverse=True):
            for parent, _, _ in os.walk(path, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(parent)
