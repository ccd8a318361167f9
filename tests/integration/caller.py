"""Who runs the suite: root, or a user with subordinate ids and a delegated cgroup, whose containers are all rootless."""

from __future__ import annotations

import functools
import os
import pwd
import shutil
from typing import Any

import pytest

from . import cgroup

UID = os.geteuid()
GID = os.getegid()
ROOTLESS = UID != 0


def need_root(reason: str) -> None:
    """Skip the test unless the caller is root: for fixtures, and where a marker would say it of too many."""
    if ROOTLESS:
        pytest.skip(f"needs root: {reason}")


def first_subordinate(default: int) -> int:
    """The first of 65536 ids, for users and groups, that the caller may map; root may map any, and gets `default`."""
    if not ROOTLESS:
        return default
    uids, gids = subordinate("uid"), subordinate("gid")
    return max(uids[0], gids[0]) if uids and gids else default


def mappings(kind: str) -> list[dict[str, int]]:
    """linux.uidMappings or linux.gidMappings (`uid`, `gid`) of a rootless container: root is the caller, the
    others are the subordinate ids."""
    first, size = subordinate(kind) or (0, 0)
    own = UID if kind == "uid" else GID
    found = [{"containerID": 0, "hostID": own, "size": 1}]
    if size:
        found.append({"containerID": 1, "hostID": first, "size": size})
    return found


def outside(inside: int, kind: str = "uid") -> int:
    """What the machine calls an id (`uid`, `gid`) of a container with the base configuration."""
    for entry in mappings(kind) if ROOTLESS else ():
        if 0 <= inside - entry["containerID"] < entry["size"]:
            return entry["hostID"] + inside - entry["containerID"]
    return inside


def adapt(config: dict[str, Any]) -> None:
    """Give a configuration that root may run what a user needs: a user namespace."""
    if ROOTLESS:
        config["linux"]["namespaces"].append({"type": "user"})
        config["linux"]["uidMappings"] = mappings("uid")
        config["linux"]["gidMappings"] = mappings("gid")


def share_mounts(config: dict[str, Any], kinds: tuple[str, ...]) -> None:
    """Take the machine's /proc and /sys for those that a user can mount only of namespaces of its own."""
    of_kind = {"pid": "/proc", "network": "/sys"}
    for mount in config["mounts"]:
        if mount["destination"] in [of_kind.get(kind) for kind in kinds]:
            mount.update(type="none", source=mount["destination"])
            mount["options"] = ["rbind", *mount.get("options", [])]


def user_name() -> str:
    """The caller's; its uid, should it have none."""
    try:
        return pwd.getpwuid(UID).pw_name
    except KeyError:
        return str(UID)


@functools.cache
def subordinate(kind: str) -> tuple[int, int] | None:
    """First and number of the caller's range in /etc/subuid or /etc/subgid (subuid(5)), None without one."""
    try:
        with open(f"/etc/sub{kind}") as file:
            entries = [line.strip().split(":") for line in file if line.count(":") == 2]
    except OSError:
        return None
    ranges = [(int(first), int(size)) for name, first, size in entries if name in (user_name(), str(UID))]
    return max(ranges, key=lambda found: found[1], default=None)


@functools.cache
def lacks() -> str:
    """Why this caller cannot run the suite; empty when it can."""
    if not ROOTLESS:
        return ""
    if not cgroup.is_v2():
        return f"cgroups are delegated to users on pure cgroup v2, this machine has {cgroup.mode()}"
    place = cgroup.own_parent()
    if not all(os.access(path, os.W_OK) for path in (place, f"{place}/cgroup.procs")):
        return f"{place} is not delegated to uid {UID} (cgroups(7))"
    missing = [kind for kind in ("uid", "gid") if (subordinate(kind) or (0, 0))[1] < 65536]
    if missing:
        return f"no 65536 subordinate ids of uid {UID} in /etc/sub{missing[0]}"
    if not shutil.which("newuidmap"):
        return "no newuidmap (Debian: uidmap)"
    return ""
