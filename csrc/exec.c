/* exec.c - init's end: ready, waiting for `start`, execve(2). */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "init.h"
#include "interpreter.h"
#include "raw.h"

/* What the payload, or its path of /proc/self/fd/N/..., must not reach, is closed and not merely marked. */
static void release(struct init *in)
{
    for (uint64_t i = 0; i < SLOT_MAX; i++) {
        bool kept = in->wait && (i == in->wait->fifo.index || i == in->wait->status.index);
        if (in->slot[i] >= 0 && !kept)
            slot_put(in, (slot_t){i}, -1);
    }
    if (in->root >= 0)
        close(in->root);
    in->root = -1;
}

int run_done(struct init *in, const struct op_done *args)
{
    (void)args;
    release(in);
    if (send_message(in->sync, MSG_DONE, in->op, 0, 0, NULL) < 0)
        _exit(1); /* planc is gone: nobody wants this container */
    if (in->wait) {
        close(in->sync);
        in->sync = -1;
    }
    return 0;
}

int run_wait_start(struct init *in, const struct op_wait_start *args)
{
    char byte;
    ssize_t n;

    in->status = slot_get(in, args->status);
    do
        n = read(slot_get(in, args->fifo), &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        return fail(in, n < 0 ? errno : 0, "wait for start");
    slot_put(in, args->fifo, -1);
    return 0;
}

/*
 * A container whose program the kernel does not take has started and ended, as with runc: the managers'
 * way through a `start` that fails while init ends is a race that they lose. So the reason goes where
 * the program's own words would have gone.
 */
static _Noreturn void end_as_payload(const char *path, int error, const char *why)
{
    char line[PATH_MAX + 500];
    char text[100];

    /* "exec format error", as everybody writes it */
    snprintf(text, sizeof text, "%s", strerror(error));
    if (text[0] >= 'A' && text[0] <= 'Z')
        text[0] = (char)(text[0] - 'A' + 'a');
    int n = snprintf(line, sizeof line, "exec %s: %s%s%s\n", path, why, *why ? ": " : "", text);

    if (n > 0 && (size_t)n < sizeof line && write(STDERR_FILENO, line, (size_t)n) < 0)
        _exit(1); /* nobody listens */
    _exit(1);
}

int run_exec(struct init *in, const struct op_exec *args)
{
    static const char *empty[] = {NULL};
    const char **argv = str_array(in, args->argv, 0), **env = in->env ? in->env : empty;
    char why[400];

    if (!in->executable)
        return fail(in, EINVAL, "exec without an executable");
    if (!in->confined)
        raw_close_range(3 + in->header->keep_fds, ~0u, CLOSE_RANGE_CLOEXEC);
    execve(in->executable, (char **)argv, (char **)env);
    int error = errno;
    explain_exec(in->executable, error, why, sizeof why);
    if (in->wait)
        end_as_payload(in->executable, error, why);
    return fail(in, error, "exec %s%s%s", in->executable, *why ? ": " : "", why);
}
