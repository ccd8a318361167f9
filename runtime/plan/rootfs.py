"""The root file system: its tree, its propagation, and how it becomes the only one."""

from __future__ import annotations

from runtime.linux.constants import (
    MOUNT_ATTR_RDONLY,
    MS_PRIVATE,
    MS_REC,
    MS_SHARED,
    MS_SLAVE,
    MS_UNBINDABLE,
)
from runtime.plan.ops import Op
from runtime.plan.refuse import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.container import Container

CAUSE = "/root/path"
_PROPAGATION_CAUSE = "/linux/rootfsPropagation"
_WORDS = {"private": MS_PRIVATE, "slave": MS_SLAVE, "shared": MS_SHARED, "unbindable": MS_UNBINDABLE}


def _asked(c: Container) -> tuple[int, int]:
    """linux.rootfsPropagation as (MS_*, MS_REC or 0); slave is the default."""
    word = (c.linux and c.linux.rootfs_propagation) or ""
    if word in _WORDS:
        return _WORDS[word], 0
    return _WORDS.get(word[1:], MS_SLAVE), MS_REC


def tree_propagation(c: Container) -> int:
    """What becomes of the copies of the caller's mounts that are bound into the container.

    They take no part in the caller's propagation, or only receive (slave); with a shared root they
    stay as they are, so that an `rshared` bind reaches the caller.
    """
    flag, _ = _asked(c)
    if flag == MS_SHARED:
        return 0
    return MS_SLAVE if flag == MS_SLAVE and c.own_mounts else MS_PRIVATE


def open_tree(c: Container) -> list[Op]:
    """A copy of the root file system's mounts.

    Shared and unbindable are for the finished root: until then nothing that is mounted into it may
    appear outside.
    """
    flag, _ = _asked(c)
    propagation = MS_SLAVE if flag == MS_SLAVE and c.own_mounts else MS_PRIVATE
    return [Op("open_tree", CAUSE, tree="rootfs", source=c.rootfs, recursive=1, propagation=propagation)]


def parent_propagation(c: Container) -> list[Op]:
    """Cut the container's mount namespace off from the caller's; what is shared stays so if asked."""
    flag, _ = _asked(c)
    if not c.own_mounts or flag == MS_SHARED:
        return []
    cause = _PROPAGATION_CAUSE if c.linux and c.linux.rootfs_propagation else "(root propagation)"
    flags = MS_SLAVE if flag == MS_SLAVE else MS_PRIVATE
    return [Op("root_propagation", cause, flags=flags | MS_REC)]


def attach(c: Container) -> list[Op]:
    """The root file system on its own path; pivot_root(2) wants its parent not to be shared."""
    flag, _ = _asked(c)
    parent_private = int(c.own_mounts and flag == MS_SHARED)
    return [
        Op("attach_rootfs", CAUSE, tree="rootfs", root="root", path=c.rootfs, parent_private=parent_private)
    ]


def enter(c: Container) -> list[Op]:
    """pivot_root(2); with --no-pivot MS_MOVE; without a mount namespace only chroot(2)."""
    if not c.own_mounts:
        return [Op("chroot", "(no mount namespace)", root="root")]
    if not c.options.no_pivot:
        return [Op("pivot_root", CAUSE, root="root")]
    flag, _ = _asked(c)
    if flag == MS_PRIVATE:
        message = "private is not safe with --no-pivot: what is unmounted outside would stay here"
        raise refuse(_PROPAGATION_CAUSE, message, "use slave")
    return [Op("move_root", "(--no-pivot)", root="root")]


def final_propagation(c: Container) -> list[Op]:
    """Shared or unbindable: when "/" is the container's own root and nothing is bound any more."""
    flag, recursive = _asked(c)
    if not c.own_mounts or flag not in (MS_SHARED, MS_UNBINDABLE):
        return []
    return [Op("root_propagation", _PROPAGATION_CAUSE, flags=flag | recursive)]


def readonly(c: Container) -> list[Op]:
    if not c.spec.root.readonly:
        return []
    return [Op("set_attr", "/root/readonly", mount="root", attr_set=MOUNT_ATTR_RDONLY)]
