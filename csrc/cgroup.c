/* cgroup.c - the stage enters its cgroups of version 1. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "init.h"
#include "scope.h"

/*
 * "0" is the writer itself.  A thread that moves itself does not need the lock over
 * all forks of the machine that any write of another's pid, or to cgroup.procs,
 * takes: waiting for it costs milliseconds for each hierarchy.
 */
int run_enter_cgroups(struct init *in, const struct op_enter_cgroups *args)
{
    for (uint64_t i = 0; i < str_count(in, args->tasks); i++) {
        const char *path = str_at(in, args->tasks, i);
        cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, "0", 1) < 0)
            return fail(in, errno, "enter cgroup: write 0 to %s", path);
    }
    return 0;
}
