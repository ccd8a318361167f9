/* mount.c - umount2(2) for Python: the mounts that a container has made in the caller's tree. */
#include <errno.h>
#include <sys/mount.h>
#include "native_all.h"

int planc_umount(const char *path, int flags)
{
    return umount2(path, flags) < 0 ? -errno : 0;
}
