/* kill.c - `planc kill`: a signal to init, never to a stranger with its pid. */
#include <signal.h>
#include <sys/syscall.h>
#include "front.h"

int open_init(const struct summary *summary)
{
    cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, summary->pid, 0);
    if (pidfd < 0)
        return -1;
    /* the descriptor pins the process: now its start time tells whether it is ours */
    int running = is_running(summary->pid, summary->start_time);
    if (running <= 0) {
        errno = running < 0 ? EIO : ESRCH;
        return -1;
    }
    return steal_fd(&pidfd);
}

int send_signal(int pidfd, int number)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
}

/* Without a pid namespace of its own SIGKILL is for all processes, and a paused container is thawed. */
static bool is_only_for_init(const struct container *container, int number)
{
    if (number != SIGKILL)
        return true;
    return container->summary.own_pid_namespace && container_status(container) != PAUSED;
}

int run_kill(struct command *command, struct container *container)
{
    const char *name = command->signal && *command->signal ? command->signal : "TERM";
    int number = parse_signal(name);

    if (number < 0 || !is_only_for_init(container, number))
        return TO_PYTHON;
    cleanup_close int pidfd = open_init(&container->summary);
    if (pidfd < 0 || log_open(&command->log) < 0)
        return TO_PYTHON;
    return send_signal(pidfd, number) == 0 ? 0 : TO_PYTHON;
}
