"""Operation ``cgroup_owner``: the container's cgroup becomes its user's (cgroups(7), Delegation)."""

from __future__ import annotations

from runtime.errors import KernelError
from runtime.linux import posix as os
from runtime.linux.files import read_file
from runtime.plan.refuse import dotted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.plan.ops import Op

#: the files that the kernel says may be given away, and what was so before it said it (Linux 4.15)
DELEGATE = "/sys/kernel/cgroup/delegate"
FILES = "cgroup.procs cgroup.subtree_control cgroup.threads"


def give_away(op: Op) -> None:
    """Change the owner of the directory and of those files in it that may be another's; the group, and
    the limits, stay. Raises KernelError."""
    path, uid = op.args["path"], op.args["uid"]
    try:
        names = read_file(DELEGATE).decode().split()
    except FileNotFoundError:
        names = FILES.split()
    try:
        os.chown(path, uid, -1)
        for name in names:
            try:
                os.chown(f"{path}/{name}", uid, -1)
            except FileNotFoundError:
                # of a controller that the cgroup has not got
                continue
    except OSError as err:
        raise KernelError(f"give cgroup {path} to user {uid}", err.errno or 0, dotted(op.cause)) from None
