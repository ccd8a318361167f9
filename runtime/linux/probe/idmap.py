"""Idmapped mounts (mount_setattr(2), MOUNT_ATTR_IDMAP): which file systems take them."""

from __future__ import annotations

import struct

from runtime.linux import posix as os
from runtime.linux.facts import IdmapFacts
from runtime.linux.probe import syscall as call
from runtime.linux.probe.child import UserNamespace
from runtime.linux.probe.syscall import errno_of, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

OPEN_TREE_CLONE = 1
OPEN_TREE_CLOEXEC = 0o2000000
AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
MOUNT_ATTR_IDMAP = 0x100000
_FSCONFIG_CMD_CREATE = 6

PLACES = ("/", "/var/lib", "/var/lib/docker", "/var/lib/containers", "/home", "/tmp", "/run")
"""Where bundles and volumes lie on most hosts."""


def read_idmap(privileged: bool, places: Sequence[str] = PLACES) -> IdmapFacts:
    """Try it on `places` and on a new tmpfs. The mounts are detached, and gone at once.

    `privileged`: the caller has CAP_SYS_ADMIN where those file systems were mounted.
    """
    if not privileged:
        return IdmapFacts(reason="not tried: needs CAP_SYS_ADMIN in the initial user namespace")
    try:
        with UserNamespace() as namespace:
            tried = [("", "tmpfs", errno_of(lambda: _on_tmpfs(namespace.fd)))]
            types = _types()
            for path in places:
                number = errno_of(lambda path=path: _on(path, namespace.fd))  # type: ignore[misc]
                tried.append((path, _type(path, types), number))
    except OSError as err:
        return IdmapFacts(reason=f"not tried: no user namespace: {err.strerror}")
    return IdmapFacts(tried=tuple(tried))


def _on(path: str, namespace: int) -> None:
    tree = syscall(call.OPEN_TREE, AT_FDCWD, os.fsencode(path), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)
    try:
        _set(tree, namespace)
    finally:
        os.close(tree)


def _on_tmpfs(namespace: int) -> None:
    fs = syscall(call.FSOPEN, b"tmpfs", 1)
    try:
        syscall(call.FSCONFIG, fs, _FSCONFIG_CMD_CREATE, None, None, 0)
        mount = syscall(call.FSMOUNT, fs, 1, 0)
    finally:
        os.close(fs)
    try:
        _set(mount, namespace)
    finally:
        os.close(mount)


def _set(mount: int, namespace: int) -> None:
    # struct mount_attr: attr_set, attr_clr, propagation, userns_fd
    attr = struct.pack("<4Q", MOUNT_ATTR_IDMAP, 0, 0, namespace)
    syscall(call.MOUNT_SETATTR, mount, b"", AT_EMPTY_PATH, attr, len(attr))


def one_of_each(places: Sequence[str]) -> list[str]:
    """Those that are there, without those on a file system of an earlier one."""
    seen: set[int] = set()
    found = []
    for path in places:
        try:
            device = os.stat(path).st_dev
        except OSError:
            continue
        if device not in seen:
            seen.add(device)
            found.append(path)
    return found


def _type(path: str, types: dict[str, str]) -> str:
    try:
        device = os.stat(path).st_dev
    except OSError:
        return "?"
    return types.get(f"{os.major(device)}:{os.minor(device)}", "?")


def _types() -> dict[str, str]:
    """st_dev as "major:minor" → type. (A subvolume of btrfs has a device that mountinfo does not know.)"""
    types = {}
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields, _, rest = line.partition(" - ")
            types[fields.split(" ")[2]] = rest.split(" ")[0]
    return types
