/*
 * seccomp.c - the filter, and the way of its notify descriptor to planc.
 *
 * Once the filter is loaded, init's own system calls are subject to it: one that
 * notifies would wait for an agent that does not have the descriptor yet.  So a
 * helper thread sends the descriptor: started before, it is under no filter, and
 * it learns the number through memory.  Init itself only reads planc's answer.
 * A thread, because execve(2) ends it and waits for it: a process would have to
 * be reaped, by a system call that the filter may not allow, or be found by the payload.
 */
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "init.h"
#include "raw.h"

#define NOTHING_YET (-2)
#define STACK (16 * 1024)
#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

struct helper {
    atomic_int listener; /* NOTHING_YET, then what seccomp(2) returned */
    int sync, op;
};

/* The helper thread. It shares everything with init, errno included, while init waits for planc. */
static int send_listener(void *argument)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000};
    struct helper *helper = argument;
    struct message m = {.type = MSG_SECCOMP_FD, .op = helper->op};
    int fd;

    while ((fd = atomic_load(&helper->listener)) == NOTHING_YET)
        nanosleep(&pause, NULL);
    if (fd >= 0 && send_fd(helper->sync, fd, &m, sizeof m) < 0)
        send_message(helper->sync, MSG_FAILED, helper->op, errno, 0, "send the seccomp notify descriptor");
    syscall(SYS_exit, 0); /* of the thread; the library's exit() would be init's */
    return 0;
}

static int load_notifying(struct init *in, const struct sock_fprog *program, unsigned flags)
{
    struct helper *helper = keep(in, sizeof *helper);
    char *stack = keep(in, STACK);

    *helper = (struct helper){.listener = NOTHING_YET, .sync = in->sync, .op = in->op};
    if (clone(send_listener, stack + STACK, THREAD, helper) < 0)
        return fail(in, errno, "start the seccomp helper");
    /* synchronizing threads would put the helper under the filter; there is no other */
    flags &= ~(unsigned)(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
    int fd = raw_seccomp(SECCOMP_SET_MODE_FILTER, flags, program);
    int error = errno;
    in->confined = fd >= 0;
    atomic_store(&helper->listener, fd);
    if (fd < 0)
        return fail(in, error, "load the seccomp filter");
    if (wait_continue(in) < 0)
        return -1;
    close(fd); /* the agent's alone: when it dies, what it should answer fails */
    return 0;
}

int run_seccomp(struct init *in, const struct op_seccomp *args)
{
    uint64_t size;
    const void *filter = blob_bytes(in, args->filter, &size);
    unsigned flags = (unsigned)args->flags;

    if (!filter || size % sizeof(struct sock_filter) || size / sizeof(struct sock_filter) > USHRT_MAX)
        return fail(in, EINVAL, "seccomp filter of %llu bytes", (unsigned long long)size);
    struct sock_fprog program = {.len = (unsigned short)(size / sizeof(struct sock_filter)), .filter = (void *)filter};
    /* now, because OP_EXEC may no longer be allowed to */
    raw_close_range(3 + in->header->keep_fds, ~0u, CLOSE_RANGE_CLOEXEC);
    if (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
        return load_notifying(in, &program, flags);
    if (raw_seccomp(SECCOMP_SET_MODE_FILTER, flags, &program) < 0)
        return fail(in, errno, "load the seccomp filter");
    in->confined = true;
    return 0;
}
