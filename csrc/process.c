/* process.c - attributes of the process: one system call each. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "init.h"
#include "raw.h"
#include "scope.h"

#define IOPRIO_WHO_PROCESS 1
#define SCHED_DEADLINE_POLICY 6

int write_proc(int dir, const char *path, const char *text)
{
    size_t size = strlen(text);

    cleanup_close int fd = openat(dir, path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (!is_procfs(fd)) {
        errno = ENODEV;
        return -1;
    }
    ssize_t n = write(fd, text, size);
    if (n >= 0 && (size_t)n != size)
        errno = EIO;
    return n == (ssize_t)size ? 0 : -1;
}

int run_oom_score_adj(struct init *in, const struct op_oom_score_adj *args)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)args->value);
    if (write_proc(AT_FDCWD, "/proc/self/oom_score_adj", text) < 0)
        return fail(in, errno, "write \"%s\" to /proc/self/oom_score_adj", text);
    return 0;
}

int run_dumpable(struct init *in, const struct op_dumpable *args)
{
    if (prctl(PR_SET_DUMPABLE, args->value, 0, 0, 0) < 0)
        return fail(in, errno, "PR_SET_DUMPABLE %llu", (unsigned long long)args->value);
    return 0;
}

int run_umask(struct init *in, const struct op_umask *args)
{
    (void)in;
    umask((mode_t)args->mask);
    return 0;
}

int run_no_new_privileges(struct init *in, const struct op_no_new_privileges *args)
{
    (void)args;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail(in, errno, "PR_SET_NO_NEW_PRIVS");
    return 0;
}

int run_scheduler(struct init *in, const struct op_scheduler *args)
{
    struct raw_sched_attr attr = {
        .size = sizeof attr,
        .policy = (uint32_t)args->policy,
        .flags = args->flags,
        .nice = (int32_t)args->nice,
        .priority = (uint32_t)args->priority,
        .runtime = args->runtime,
        .deadline = args->deadline,
        .period = args->period,
    };

    if (raw_sched_setattr(0, &attr, 0) == 0)
        return 0;
    if (errno == EPERM && args->policy == SCHED_DEADLINE_POLICY)
        return fail(in, EPERM, "set the scheduler: SCHED_DEADLINE wants every CPU of the machine (no cpuset)");
    return fail(in, errno, "set the scheduler (policy %u)", attr.policy);
}

int run_io_priority(struct init *in, const struct op_io_priority *args)
{
    if (raw_ioprio_set(IOPRIO_WHO_PROCESS, 0, (int)args->value) < 0)
        return fail(in, errno, "set the I/O priority (class %d, level %d)", (int)args->value >> 13,
                    (int)args->value & 0x1fff);
    return 0;
}

int run_personality(struct init *in, const struct op_personality *args)
{
    if (personality((unsigned long)args->persona) < 0)
        return fail(in, errno, "set personality 0x%llx", (unsigned long long)args->persona);
    return 0;
}
