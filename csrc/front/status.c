/* status.c - the status of a container, as runtime/state/status.py finds it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "front.h"

#define SPACE " \t\n\r\v\f"
#define START_TIME 19 /* fields behind the state letter, proc_pid_stat(5) */

ssize_t read_text(const char *path, char *text, size_t size)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = read(fd, text, size - 1);
    if (n >= 0)
        text[n] = '\0';
    return n;
}

int is_running(pid_t pid, uint64_t start_time)
{
    char path[32], text[1025];

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (read_text(path, text, sizeof text) < 0)
        return errno == ENOENT || errno == ESRCH ? 0 : -1;
    /* the command name may hold spaces and parentheses: fields count from the last one */
    char *field = strrchr(text, ')');
    if (!field || field[1] != ' ')
        return -1;
    field += 2;
    if (*field == 'Z' || *field == 'X')
        return 0;
    for (int i = 0; field && i < START_TIME; i++)
        if ((field = strchr(field, ' ')))
            field++;
    return field ? strtoull(field, NULL, 10) == start_time : -1;
}

static bool is_frozen(const struct summary *summary)
{
    char text[65], *start = text;

    if (!summary->freezer || read_text(summary->freezer, text, sizeof text) < 0)
        return false;
    start += strspn(start, SPACE);
    size_t size = strlen(start);
    while (size > 0 && strchr(SPACE, start[size - 1]))
        size--;
    return size == strlen(summary->frozen_text) && strncmp(start, summary->frozen_text, size) == 0;
}

int container_status(const struct container *container)
{
    const struct summary *summary = &container->summary;
    struct stat st;
    int running = is_running(summary->pid, summary->start_time);

    if (running <= 0)
        return running < 0 ? -1 : STOPPED;
    if (is_frozen(summary))
        return PAUSED;
    return fstatat(container->dir, "exec.fifo", &st, AT_SYMLINK_NOFOLLOW) == 0 ? CREATED : RUNNING;
}
