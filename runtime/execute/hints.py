"""What to do about a failed operation, when we know. Imported only on failure."""

from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.ops import Op

HINTS: dict[tuple[str, int], str] = {
    ("unshare", errno.EPERM): "user namespaces may be disabled: see user.max_user_namespaces and "
    "kernel.apparmor_restrict_unprivileged_userns",
    ("unshare", errno.ENOSPC): "the limit of namespaces is reached: see the user.max_*_namespaces sysctls",
    ("oom_score_adj", errno.EACCES): "lowering it needs CAP_SYS_RESOURCE",
    ("mount", errno.ENODEV): "load its module, or write a type that /proc/filesystems has",
    ("mount", errno.EPERM): "in a user namespace proc and sysfs need a pid or network namespace of their own",
    ("open_namespace", errno.ENOENT): "the process it belonged to may have ended",
    ("make_cwd", errno.ENOTDIR): "write the path of a directory in the container",
    ("open_tree", errno.ENOENT): "the source must exist on the host before the container is created",
    ("scheduler", errno.EPERM): "real-time and deadline policies need CAP_SYS_NICE and no cpuset",
    ("mknod", errno.EPERM): "making device nodes needs CAP_MKNOD in the initial user namespace",
}


def hint_for(op: Op, error: int) -> str | None:
    """One clause, or None."""
    return HINTS.get((op.code, error))
