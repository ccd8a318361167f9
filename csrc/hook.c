/*
 * hook.c - OP_HOOK: a program run by init in the container's namespaces.
 *
 * It may run under the container's seccomp filter (startContainer), so only
 * system calls that any program makes are used here: no clone3, no pidfd.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "init.h"
#include "raw.h"
#include "scope.h"

#define KEPT 500 /* bytes of output that go into a failure's text */
#define DRAIN 256 /* reads after its end: a full pipe, but a grandchild may write for ever */

struct hook {
    const char *path;
    const char **argv, **env;
    const char *part[3];  /* standard input: head, own pid, tail */
    unsigned current;     /* of part */
    pid_t pid;
    int input[2], output[2], trouble[2]; /* pipes; trouble carries execve's errno */
    size_t kept;
    char tail[KEPT + 1];
};

static void on_child(int number)
{
    (void)number; /* its only purpose is to end ppoll(2) */
}

/* SIGCHLD only inside ppoll(2), no SIGPIPE for a hook that does not read its input. */
static void watch_children(bool on)
{
    struct sigaction child = {.sa_handler = on ? on_child : SIG_DFL};
    struct sigaction pipe_end = {.sa_handler = on ? SIG_IGN : SIG_DFL};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    if (on)
        sigprocmask(SIG_BLOCK, &set, NULL);
    sigaction(SIGCHLD, &child, NULL);
    sigaction(SIGPIPE, &pipe_end, NULL);
    if (!on)
        sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* The forked child's way to the hook. */
static void become_hook(const struct hook *h)
{
    setpgid(0, 0);
    watch_children(false);
    dup3(h->input[0], 0, 0);
    dup3(h->output[1], 1, 0);
    dup3(h->output[1], 2, 0);
    raw_close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    execve(h->path, (char **)h->argv, (char **)h->env);
    int error = errno;
    ssize_t n = write(h->trouble[1], &error, sizeof error);
    _exit(n == sizeof error ? 127 : 126);
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_all(struct hook *h)
{
    for (int i = 0; i < 2; i++) {
        close_end(&h->input[i]);
        close_end(&h->output[i]);
        close_end(&h->trouble[i]);
    }
}

static int start_hook(struct init *in, struct hook *h)
{
    if (pipe2(h->input, O_CLOEXEC) < 0 || pipe2(h->output, O_CLOEXEC) < 0 || pipe2(h->trouble, O_CLOEXEC) < 0)
        return fail(in, errno, "hook %s: pipe", h->path);
    fcntl(h->input[1], F_SETFL, O_NONBLOCK);
    fcntl(h->output[0], F_SETFL, O_NONBLOCK);
    fcntl(h->trouble[0], F_SETFL, O_NONBLOCK);
    h->pid = fork();
    if (h->pid < 0)
        return fail(in, errno, "hook %s: fork", h->path);
    if (h->pid == 0)
        become_hook(h);
    setpgid(h->pid, h->pid); /* whoever comes first, the group is there before the time is up */
    close_end(&h->input[0]);
    close_end(&h->output[1]);
    close_end(&h->trouble[1]);
    return 0;
}

/* As much of the standard input as the pipe takes; its end is the end of the parts. */
static void feed(struct hook *h)
{
    while (h->current < 3) {
        size_t size = strlen(h->part[h->current]);
        ssize_t n = size ? write(h->input[1], h->part[h->current], size) : 0;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0)
            break; /* the hook does not want it */
        h->part[h->current] += n;
        if ((size_t)n == size)
            h->current++;
    }
    close_end(&h->input[1]);
}

/* False at the end, or when there is nothing for now. Only the last KEPT bytes stay. */
static bool listen_to(struct hook *h)
{
    char bytes[KEPT];
    ssize_t n = read(h->output[0], bytes, sizeof bytes);

    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            close_end(&h->output[0]);
        return false;
    }
    size_t gone = h->kept + (size_t)n > KEPT ? h->kept + (size_t)n - KEPT : 0;
    memmove(h->tail, h->tail + gone, h->kept - gone);
    h->kept -= gone;
    memcpy(h->tail + h->kept, bytes, (size_t)n);
    h->kept += (size_t)n;
    return true;
}

static int64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until the hook ends, or something is to be read or written, or `left` ms (-1: for ever) are over. */
static void wait_for_something(struct hook *h, int64_t left)
{
    struct pollfd fds[2] = {{.fd = h->input[1], .events = POLLOUT}, {.fd = h->output[0], .events = POLLIN}};
    struct timespec time = {.tv_sec = (time_t)(left / 1000), .tv_nsec = (long)(left % 1000) * 1000000};
    sigset_t none;

    sigemptyset(&none);
    if (ppoll(fds, 2, left < 0 ? NULL : &time, &none) <= 0)
        return;
    if (fds[0].revents)
        feed(h);
    if (fds[1].revents)
        listen_to(h);
}

/* True when it ended by itself; else it was killed, with its process group, after `timeout` seconds. */
static bool follow_hook(struct hook *h, uint64_t timeout, int *status)
{
    int64_t end = timeout && timeout < INT32_MAX ? milliseconds() + (int64_t)timeout * 1000 : -1;

    while (waitpid(h->pid, status, WNOHANG) != h->pid) {
        int64_t left = end < 0 ? -1 : end - milliseconds();
        if (end >= 0 && left <= 0) {
            kill(-h->pid, SIGKILL);
            kill(h->pid, SIGKILL);
            waitpid(h->pid, status, 0);
            return false;
        }
        wait_for_something(h, left);
    }
    for (int i = 0; i < DRAIN && h->output[0] >= 0 && listen_to(h); i++)
        continue;
    return true;
}

/* What the hook left behind is init's, and init is about to become the payload. */
static void reap_orphans(void)
{
    if (getpid() == 1)
        while (waitpid(-1, NULL, WNOHANG) > 0)
            continue;
}

static int judge(struct init *in, struct hook *h, bool ended, uint64_t timeout, int status)
{
    int error = 0;

    while (h->kept && strchr(" \t\r\n", h->tail[h->kept - 1]))
        h->kept--;
    h->tail[h->kept] = '\0';
    const char *output = h->kept ? ", output: " : "";
    if (!ended)
        return fail(in, ETIMEDOUT, "hook %s: killed after %llu s%s%s", h->path, (unsigned long long)timeout, output,
                    h->tail);
    if (read(h->trouble[0], &error, sizeof error) == sizeof error)
        return fail(in, error, "hook %s: exec", h->path);
    if (WIFSIGNALED(status))
        return fail(in, 0, "hook %s: killed by signal %d%s%s", h->path, WTERMSIG(status), output, h->tail);
    if (WEXITSTATUS(status) != 0)
        return fail(in, 0, "hook %s: exit status %d%s%s", h->path, WEXITSTATUS(status), output, h->tail);
    return 0;
}

static int carry_out(struct init *in, struct hook *h, uint64_t timeout)
{
    int status = 0;

    if (start_hook(in, h) < 0)
        return -1;
    bool ended = follow_hook(h, timeout, &status);
    reap_orphans();
    return judge(in, h, ended, timeout, status);
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

int run_hook(struct init *in, const struct op_hook *args)
{
    char pid[16];
    struct hook h = {
        .path = str(in, args->path),
        .argv = str_array(in, args->argv, 1),
        .env = str_array(in, args->env, 0),
        .part = {or_empty(str(in, args->head)), pid, or_empty(str(in, args->tail))},
        .input = {-1, -1}, .output = {-1, -1}, .trouble = {-1, -1},
    };

    if (!h.path)
        return fail(in, EINVAL, "hook without a path");
    if (!h.argv[0])
        h.argv[0] = h.path;
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    watch_children(true);
    int rc = carry_out(in, &h, args->timeout);
    close_all(&h);
    watch_children(false);
    return rc;
}
