/* open.c - openat2(2) for Python. */
#include <errno.h>
#include "native_all.h"
#include "../raw.h"

int planc_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
    int fd = raw_openat2(dir, path, flags | O_CLOEXEC, mode, resolve);
    return fd < 0 ? -errno : fd;
}
