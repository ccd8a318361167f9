/*
 * seccomp.c - the filter, and the way of its notify descriptor to planc.
 *
 * Once the filter is loaded, init's own system calls are subject to it: one that
 * notifies would wait for an agent that does not have the descriptor yet.  So the
 * descriptor is sent by a helper process that was forked before, is under no
 * filter, shares the descriptor table, and learns the number through shared
 * memory.  Init itself only reads planc's answer.
 */
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#include "init.h"
#include "raw.h"

#define NOTHING_YET (-2)

/*
 * The helper. It never returns. A table of descriptors of its own before it speaks: init may close
 * what it likes from then on, and knows by the pipe of load_notifying() when the helper is gone.
 */
static void send_listener(struct init *in, atomic_int *listener, pid_t init)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000};
    struct message m = {.type = MSG_SECCOMP_FD, .op = in->op};
    int fd;

    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    while ((fd = atomic_load(listener)) == NOTHING_YET) {
        if (getppid() != init)
            _exit(1);
        nanosleep(&pause, NULL);
    }
    if (fd >= 0 && (unshare(CLONE_FILES) < 0 || send_fd(in->sync, fd, &m, sizeof m) < 0))
        send_message(in->sync, MSG_FAILED, in->op, errno, 0, "send the seccomp notify descriptor");
    _exit(0);
}

/* The payload is to find no child that it did not make. */
static void wait_for_end(int *gate)
{
    char byte;

    close(gate[1]);
    while (read(gate[0], &byte, 1) < 0 && errno == EINTR)
        continue;
    close(gate[0]);
}

static int load_notifying(struct init *in, const struct sock_fprog *program, unsigned flags)
{
    /* the helper is nobody's child to wait for; execve(2) resets the flag */
    struct sigaction no_zombie = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
    atomic_int *listener = mmap(NULL, sizeof *listener, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t init = getpid();
    int gate[2];

    if (listener == MAP_FAILED || pipe2(gate, O_CLOEXEC) < 0)
        return fail(in, errno, "seccomp helper");
    atomic_store(listener, NOTHING_YET);
    sigaction(SIGCHLD, &no_zombie, NULL);
    pid_t helper = raw_fork(CLONE_FILES, SIGCHLD);
    if (helper < 0)
        return fail(in, errno, "fork the seccomp helper");
    if (helper == 0)
        send_listener(in, listener, init);
    int fd = raw_seccomp(SECCOMP_SET_MODE_FILTER, flags, program);
    int error = errno;
    in->confined = fd >= 0;
    atomic_store(listener, fd);
    if (fd < 0)
        return fail(in, error, "load the seccomp filter");
    if (wait_continue(in) < 0)
        return -1;
    close(fd); /* the agent's alone: when it dies, what it should answer fails */
    wait_for_end(gate);
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
