/* namespace.c - setns(2) and unshare(2) for Python, whose os module has them from 3.12 on. */
#include <errno.h>
#include <sched.h>
#include "native_all.h"

int planc_setns(int fd, int type)
{
    return setns(fd, type) < 0 ? -errno : 0;
}

int planc_unshare(int flags)
{
    return unshare(flags) < 0 ? -errno : 0;
}
