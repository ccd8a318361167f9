"""What a container without a mount namespace of its own has mounted: it is in the caller's tree.

Its root file system is mounted over its own path, everything else below that, so one umount2(2) takes
all of it away. But what is on the path may also be the caller's own: ours is the mount whose parent is
the one that was there before.
"""

from __future__ import annotations

from runtime.errors import KernelError
from runtime.linux import posix as os
from runtime.linux.files import read_text
from runtime.native import umount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from runtime.state.record import Record

MNT_DETACH = 2
UMOUNT_NOFOLLOW = 8
ESCAPES = (("\\", "\\134"), (" ", "\\040"), ("\t", "\\011"), ("\n", "\\012"))


def mount_under(path: str) -> int:
    """The id of the mount that the directory is on; 0 when there is none: then nothing gets mounted on it."""
    try:
        fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return _mount_id(read_text(f"/proc/self/fdinfo/{fd}"))
    finally:
        os.close(fd)


def _mount_id(fdinfo: str) -> int:
    for line in fdinfo.splitlines():
        if line.startswith("mnt_id:"):
            return int(line[7:])
    return 0


def unmount(record: Record) -> None:
    """Take away what the container has mounted, with what others have put on top; nothing is no failure.

    Its processes must have ended. Raises KernelError.
    """
    while record.covered_mount and _is_mounted(record.rootfs, record.covered_mount):
        try:
            umount(record.rootfs, MNT_DETACH | UMOUNT_NOFOLLOW)
        except OSError as err:
            raise KernelError(f"unmount {record.rootfs}", err.errno or 0) from None


def _is_mounted(path: str, parent: int) -> bool:
    """Whether there is a mount on `path` whose parent is the mount `parent`, proc(5)."""
    for char, escape in ESCAPES:
        path = path.replace(char, escape)
    wanted = [str(parent), path]
    for line in read_text("/proc/self/mountinfo").splitlines():
        fields = line.split(" ", 5)
        if [fields[1], fields[4]] == wanted:
            return True
    return False
