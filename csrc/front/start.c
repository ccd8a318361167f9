/* start.c - `planc start`: wake init, and hear whether it got as far as the program. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "front.h"

#define FIFO "exec.fifo"
#define STATUS "exec.status"

/* The message of runtime.errors.KernelError. */
static void failure(const struct log *log, const char *operation, int error)
{
    char text[MESSAGE_TEXT + 200];
    const char *name = errno_name(error), *meaning = errno_meaning(error);

    if (error == 0)
        snprintf(text, sizeof text, "%s", operation);
    else if (name)
        snprintf(text, sizeof text, "%s: %s: %c%s", operation, name, meaning[0] | 0x20, meaning + 1);
    else
        snprintf(text, sizeof text, "%s: errno %d", operation, error);
    log_error(log, text);
}

void report_failure(const struct log *log, const struct message *message)
{
    char text[MESSAGE_TEXT];

    memcpy(text, message->text, sizeof text);
    text[sizeof text - 1] = '\0';
    failure(log, *text ? text : "start the container process", message->error);
}

/* sd_notify(3): Python passes the messages on. */
static bool wants_notify_socket(int dir)
{
    const char *host = getenv("NOTIFY_SOCKET");
    struct stat st;

    return host && *host && fstatat(dir, "notify", &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int wake(int dir)
{
    cleanup_close int fifo = openat(dir, FIFO, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    return fifo >= 0 && write(fifo, "0", 1) == 1 ? 0 : -1;
}

/* The message's size, less at the end of the file, or -1. */
static ssize_t read_status(int reader, struct message *message)
{
    size_t size = 0;

    if (fcntl(reader, F_SETFL, 0) < 0)
        return -1;
    while (size < sizeof *message) {
        ssize_t n = read(reader, (char *)message + size, sizeof *message - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -1 : (ssize_t)size;
        size += (size_t)n;
    }
    return (ssize_t)size;
}

static int outcome(const struct log *log, int dir, int reader)
{
    struct message message;

    catch_interrupt(log);
    ssize_t size = read_status(reader, &message);
    release_interrupt();
    if (size == sizeof message) {
        report_failure(log, &message);
        return 1;
    }
    if (size < 0 || unlinkat(dir, STATUS, 0) < 0) {
        failure(log, "read exec.status", errno);
        return 1;
    }
    return 0;
}

int run_start(struct command *command, struct container *container)
{
    int dir = container->dir;

    if (container->summary.poststart || wants_notify_socket(dir) || container_status(container) != CREATED)
        return TO_PYTHON;
    cleanup_close int reader = openat(dir, STATUS, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (reader < 0 || log_open(&command->log) < 0)
        return TO_PYTHON;
    ignore_write_signals();
    if (wake(dir) < 0)
        return TO_PYTHON;
    if (unlinkat(dir, FIFO, 0) < 0 && errno != ENOENT) {
        failure(&command->log, "remove " FIFO, errno);
        return 1;
    }
    return outcome(&command->log, dir, reader);
}
