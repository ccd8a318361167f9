/* userns.c - a process that holds a user namespace, for the mappings of an idmapped mount. */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "native_all.h"
#include "../raw.h"

/* The child has a copy of a Python process: no library calls that could want a lock. */
static void hold(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    raw_close_range(0, ~0u, 0);
    if (getppid() != parent)
        _exit(1);
    for (;;)
        pause();
}

int planc_spawn_userns(int *pidfd)
{
    pid_t parent = getpid();
    struct clone_args args = {
        .flags = CLONE_NEWUSER | CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
        .pidfd = (uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
    };

    *pidfd = -1;
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        hold(parent);
    return pid < 0 ? -errno : (int)pid;
}
