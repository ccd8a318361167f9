"""Mounts of type cgroup: the container's view of the cgroup hierarchies.

v1 and hybrid   a tmpfs with a directory per hierarchy, as the host has them, and a link for each of
                several controllers in one ("cpu" to "cpu,cpuacct")
v2              one mount

In a cgroup namespace of its own a container gets new mounts, whose root is its cgroup.  Without one
it gets bind mounts: of its own cgroups (v1), or of all that the host has (v2).  A new mount of cgroup2
would show the same but, made from the initial cgroup namespace, take the host's own mount options
(nsdelegate) off.
"""

from __future__ import annotations

from runtime.linux.constants import (
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
)
from runtime.plan.cgroup import container_cgroups
from runtime.plan.ops import Op
from runtime.plan.rootfs import tree_propagation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.container import Container
    from runtime.plan.mounts import PlannedMount

HARMLESS = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC


class Hierarchy:
    """One hierarchy as it appears in the container.

    `names`: its controllers, none for the unified one; `directory`: its name below the target, ""
    for the target itself; `source`: what a bind mount of it shows.
    """

    __slots__ = ("names", "directory", "source")

    def __init__(self, names: tuple[str, ...], directory: str, source: str) -> None:
        self.names = names
        self.directory = directory
        self.source = source

    def slot(self, entry: PlannedMount) -> str:
        return f"{entry.slot}.{self.directory}" if self.directory else f"{entry.slot}.unified"


def open_trees(c: Container, entry: PlannedMount) -> list[Op]:
    """Stage: the trees of bind mounts, or of those that stand in where the kernel refuses a new mount
    (some user namespaces)."""
    if _own_view(c) and not c.in_userns:
        return []
    return [
        Op(
            "open_tree",
            entry.cause,
            tree=hierarchy.slot(entry),
            source=hierarchy.source,
            propagation=tree_propagation(c),
        )
        for hierarchy in hierarchies(c)
    ]


def attach(c: Container, entry: PlannedMount) -> list[Op]:
    """init: the mounts, read-only if that is asked for."""
    if not c.host.cgroup.v1:
        return [_attach_one(c, entry, hierarchy, 0) for hierarchy in hierarchies(c)]
    ops = [_tmpfs(entry)]
    for hierarchy in hierarchies(c):
        ops.append(_attach_one(c, entry, hierarchy, HARMLESS))
        for name in hierarchy.names:
            # "name=systemd" is no name of a directory
            if name != hierarchy.directory and "=" not in name:
                path = f"{entry.target}/{name}"
                ops.append(Op("symlink", entry.cause, target=hierarchy.directory, path=path))
    if entry.options.readonly:
        ops.append(Op("set_attr", f"{entry.cause}/options", mount=entry.slot, attr_set=MOUNT_ATTR_RDONLY))
    return ops


def hierarchies(c: Container) -> list[Hierarchy]:
    """Every hierarchy of the host, in its order, the unified one last."""
    layout = c.host.cgroup
    path = c.linux.cgroups_path if c.linux else None
    own = [(names, f"{mountpoint}{inner}") for names, mountpoint, inner in layout.v1]
    if layout.unified:
        own.append(((), layout.unified + layout.own))
    # without permission there may be no cgroup of the container's: then it is in the caller's
    cgroups = own if c.options.rootless and not path else container_cgroups(path, c.options.id, c.host)
    if not layout.v1:
        source = cgroups[0][1] if cgroups and _own_view(c) else layout.unified
        return [Hierarchy((), "", source.rstrip("/"))] if cgroups else []
    found = []
    mountpoints = [mountpoint for _, mountpoint, _ in layout.v1] + [layout.unified]
    for (names, source), mountpoint in zip(cgroups, mountpoints, strict=False):
        found.append(Hierarchy(names, mountpoint.rpartition("/")[2], source.rstrip("/")))
    return found


def _own_view(c: Container) -> bool:
    return c.namespaces.own("cgroup")


def _tmpfs(entry: PlannedMount) -> Op:
    attrs = entry.options.attr_set & ~MOUNT_ATTR_RDONLY | HARMLESS
    return Op(
        "mount",
        entry.cause,
        mount=entry.slot,
        type="tmpfs",
        source="tmpfs",
        data="mode=755",
        attrs=attrs,
        target=entry.target,
        propagation=entry.options.propagation,
    )


def _attach_one(c: Container, entry: PlannedMount, hierarchy: Hierarchy, attrs: int) -> Op:
    options = entry.options
    target = f"{entry.target}/{hierarchy.directory}" if hierarchy.directory else entry.target
    if not _own_view(c):
        return Op(
            "bind",
            entry.cause,
            tree=hierarchy.slot(entry),
            target=target,
            attr_set=options.attr_set | attrs,
            attr_clr=options.attr_clr,
            propagation=options.propagation,
        )
    return Op(
        "mount",
        entry.cause,
        type="cgroup" if hierarchy.names else "cgroup2",
        source="cgroup",
        data=_data(hierarchy.names),
        attrs=options.attr_set | attrs,
        target=target,
        propagation=options.propagation,
        fallback=hierarchy.slot(entry) if c.in_userns else None,
    )


def _data(names: tuple[str, ...]) -> str:
    """Mount options that name a v1 hierarchy: "cpu,cpuacct", or "none,name=systemd"."""
    if len(names) == 1 and names[0].startswith("name="):
        return f"none,{names[0]}"
    return ",".join(names)
