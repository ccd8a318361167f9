/* state.c - `planc state`: what summary.py has written down, with pid and status of now. */
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include "front.h"

#define PIECES 5

static const char *const NAME[] = {
    [CREATED] = "created", [RUNNING] = "running", [PAUSED] = "paused", [STOPPED] = "stopped"};

static struct iovec piece(const char *data, size_t size)
{
    return (struct iovec){.iov_base = (void *)data, .iov_len = size};
}

/* What is left when `done` bytes are gone. */
static void advance(struct iovec **next, int *count, size_t done)
{
    while (*count > 0 && done >= (*next)->iov_len) {
        done -= (*next)->iov_len;
        ++*next;
        --*count;
    }
    if (*count > 0) {
        (*next)->iov_base = (char *)(*next)->iov_base + done;
        (*next)->iov_len -= done;
    }
}

static int write_output(const struct log *log, struct iovec *next, int count)
{
    bool begun = false;
    char text[200];

    while (count > 0) {
        ssize_t n = writev(1, next, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && !begun)
            return TO_PYTHON;
        if (n < 0) {
            const char *meaning = errno_meaning(errno);
            snprintf(text, sizeof text, "write to standard output: %s", meaning ? meaning : "unknown error");
            log_error(log, text);
            return 1;
        }
        begun = begun || n > 0;
        advance(&next, &count, (size_t)n);
    }
    return 0;
}

int run_state(struct command *command, struct container *container)
{
    const struct summary *summary = &container->summary;
    int status = container_status(container);
    char pid[16];

    if (status < 0 || log_open(&command->log) < 0)
        return TO_PYTHON;
    int size = snprintf(pid, sizeof pid, "%d", status == STOPPED ? 0 : (int)summary->pid);
    struct iovec output[PIECES] = {
        piece(summary->part[0].data, summary->part[0].size), piece(pid, (size_t)size),
        piece(summary->part[1].data, summary->part[1].size), piece(NAME[status], strlen(NAME[status])),
        piece(summary->part[2].data, summary->part[2].size),
    };
    ignore_write_signals();
    return write_output(&command->log, output, PIECES);
}
