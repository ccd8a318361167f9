/* summary.c - the file that runtime/state/summary.py writes. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "front.h"

#define PARTS 3
#define PID_LIMIT (1 << 22) /* proc(5), pid_max */

/* A decimal number up to a space or the end of the line; the place behind it, or NULL. */
static char *number(char *text, uint64_t *value)
{
    char *end;

    if (*text < '0' || *text > '9')
        return NULL;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (errno || (*end != ' ' && *end != '\0'))
        return NULL;
    return *end ? end + 1 : end;
}

static int numbers(char *text, uint64_t *values, int count)
{
    for (int i = 0; i < count; i++) {
        text = number(text, &values[i]);
        if (!text)
            return -1;
    }
    return *text ? -1 : 0;
}

/* Whatever has replaced or edited state.json is newer than we are. */
static int read_record(int dir, char *text)
{
    uint64_t value[3];
    struct stat st;

    if (numbers(text, value, 3) < 0 || fstatat(dir, "state.json", &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    uint64_t time = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
    return st.st_ino == value[0] && (uint64_t)st.st_size == value[1] && time == value[2] ? 0 : -1;
}

static int read_process(struct summary *summary, char *text)
{
    uint64_t value[2];

    if (numbers(text, value, 2) < 0 || value[0] == 0 || value[0] > PID_LIMIT)
        return -1;
    summary->pid = (pid_t)value[0];
    summary->start_time = value[1];
    return 0;
}

static int read_flags(struct summary *summary, char *text)
{
    char *rest;

    for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (strcmp(word, "mounts") == 0)
            summary->mounts = true;
        else if (strcmp(word, "own-pid-namespace") == 0)
            summary->own_pid_namespace = true;
        else if (strcmp(word, "poststart") == 0)
            summary->poststart = true;
        else if (strcmp(word, "poststop") == 0)
            summary->poststop = true;
        else if (strcmp(word, "systemd") == 0)
            summary->systemd = true;
        else
            return -1;
    }
    return 0;
}

static int read_freezer(struct summary *summary, char *text)
{
    char *space = strchr(text, ' ');

    if (!space || space == text || space[1] != '/' || summary->freezer)
        return -1;
    *space = '\0';
    summary->frozen_text = text;
    summary->freezer = space + 1;
    return 0;
}

static int read_cgroup(struct summary *summary, const char *text)
{
    if (summary->cgroups == CGROUP_MAX || text[0] != '/')
        return -1;
    summary->cgroup[summary->cgroups++] = text;
    return 0;
}

/* `bytes` up to `end` are the parts, no more and no less. */
static int read_parts(struct summary *summary, char *sizes, const char *bytes, const char *end)
{
    uint64_t size[PARTS];

    if (numbers(sizes, size, PARTS) < 0)
        return -1;
    for (int i = 0; i < PARTS; i++) {
        if (size[i] > (uint64_t)(end - bytes))
            return -1;
        summary->part[i].data = bytes;
        summary->part[i].size = size[i];
        bytes += size[i];
    }
    return bytes == end ? 0 : -1;
}

/* The line at *next, NUL-terminated, when it begins with `word`; *next moves on. */
static char *line(char **next, const char *word)
{
    size_t size = strlen(word);
    char *text = *next, *end;

    if (strncmp(text, word, size) != 0)
        return NULL;
    end = strchr(text + size, '\n');
    if (!end || (text[size] != ' ' && text + size != end))
        return NULL;
    *end = '\0';
    *next = end + 1;
    return text + size + (text + size < end);
}

static int parse(int dir, struct summary *summary, const char *end)
{
    char *next = summary->text, *text;

    if (!(text = line(&next, "planc-summary")) || strcmp(text, "1") != 0)
        return -1;
    if (!(text = line(&next, "record")) || read_record(dir, text) < 0)
        return -1;
    if (!(text = line(&next, "process")) || read_process(summary, text) < 0)
        return -1;
    if (!(text = line(&next, "flags")) || read_flags(summary, text) < 0)
        return -1;
    if ((text = line(&next, "freezer")) && read_freezer(summary, text) < 0)
        return -1;
    while ((text = line(&next, "cgroup")))
        if (read_cgroup(summary, text) < 0)
            return -1;
    return (text = line(&next, "state")) ? read_parts(summary, text, next, end) : -1;
}

int read_summary(int dir, struct summary *summary)
{
    cleanup_close int fd = openat(dir, "summary", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -1;
    ssize_t size = read(fd, summary->text, sizeof summary->text);
    if (size <= 0 || (size_t)size == sizeof summary->text || memchr(summary->text, '\0', (size_t)size))
        return -1;
    summary->text[size] = '\0';
    memset(summary, 0, offsetof(struct summary, text));
    return parse(dir, summary, summary->text + size);
}
