/* process.c - small calls about processes that Python 3.11 lacks, or has in a module too slow to import. */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "native_all.h"
#include "../raw.h"

int planc_prlimit(int pid, int resource, uint64_t soft, uint64_t hard)
{
    struct rlimit64 limit = {.rlim_cur = soft, .rlim_max = hard};

    return prlimit64(pid, (__typeof__(RLIMIT_CPU))resource, &limit, NULL) < 0 ? -errno : 0;
}

int planc_close_range(unsigned first, unsigned last, unsigned flags)
{
    return raw_close_range(first, last, flags) < 0 ? -errno : 0;
}

int planc_pidfd_open(int pid)
{
    int fd = raw_pidfd_open(pid, 0);
    return fd < 0 ? -errno : fd;
}

int planc_pidfd_send_signal(int pidfd, int signal)
{
    return raw_pidfd_send_signal(pidfd, signal) < 0 ? -errno : 0;
}

int planc_set_child_subreaper(int on)
{
    return prctl(PR_SET_CHILD_SUBREAPER, on, 0, 0, 0) < 0 ? -errno : 0;
}
