/* delete.c - `planc delete`: init, cgroups and directory of a container that has nothing special. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include "front.h"

#define END_TIMEOUT 3000    /* ms; who takes longer is waited for in Python, and named there */
#define REMOVE_TIMEOUT 500  /* ms; a process that has just ended may leave its cgroup a moment later */
#define FIRST_PAUSE 100     /* µs */

/* In the order in which they go: as long as there is state.json, there is a container. */
static const char *const FILES[] = {"summary", "exec.fifo", "exec.status", "seccomp.bpf", "state.json"};
#define FILE_COUNT (sizeof FILES / sizeof *FILES)

/* getdents64(2), without the libraries' buffers. */
struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

static bool is_known(const char *name)
{
    for (size_t i = 0; i < FILE_COUNT; i++)
        if (strcmp(name, FILES[i]) == 0)
            return true;
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool holds_known_files_only(int dir)
{
    char buffer[2048] __attribute__((aligned(8)));
    long size;

    while ((size = syscall(SYS_getdents64, dir, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < size;) {
            struct entry *entry = (struct entry *)(buffer + at);
            if (!is_known(entry->name))
                return false;
            at += entry->size;
        }
    }
    return size == 0;
}

/*
 * The end of init is the end of its pid namespace: 0 when it is gone. A process from elsewhere that
 * somebody has moved into a cgroup keeps it from being removed, and is Python's.
 */
static int end_init(const struct log *log, const struct summary *summary)
{
    struct pollfd end = {.events = POLLIN};

    cleanup_close int pidfd = open_init(summary);
    if (pidfd < 0)
        return errno == ESRCH ? 0 : -1;
    if (send_signal(pidfd, SIGKILL) < 0 && errno != ESRCH)
        return -1;
    end.fd = pidfd;
    catch_interrupt(log);
    int ended = poll(&end, 1, END_TIMEOUT);
    release_interrupt();
    return ended > 0 ? 0 : -1;
}

/* Of a busy cgroup: whether there are cgroups below, which take more than waiting. */
static bool has_children(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_nlink > 2;
}

static bool has_processes(const char *path)
{
    char file[PATH_MAX], text[2];

    if (snprintf(file, sizeof file, "%s/cgroup.procs", path) >= (int)sizeof file)
        return true;
    return read_text(file, text, sizeof text) != 0;
}

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void pause_us(long duration)
{
    nanosleep(&(struct timespec){.tv_nsec = duration * 1000}, NULL);
}

static int remove_cgroup(const char *path, bool was_stopped, int64_t deadline)
{
    for (long pause = FIRST_PAUSE;; pause += pause / 2) {
        if (rmdir(path) == 0 || errno == ENOENT || errno == ENODEV)
            return 0;
        if ((errno != EBUSY && errno != ENOTEMPTY) || now_us() > deadline || has_children(path))
            return -1;
        if (was_stopped && has_processes(path))
            return -1;
        pause_us(pause);
    }
}

static int remove_cgroups(const struct summary *summary, bool was_stopped)
{
    int64_t deadline = now_us() + REMOVE_TIMEOUT * 1000;

    for (int i = 0; i < summary->cgroups; i++)
        if (remove_cgroup(summary->cgroup[i], was_stopped, deadline) < 0)
            return -1;
    return 0;
}

static int remove_directory(const struct container *container)
{
    for (size_t i = 0; i < FILE_COUNT; i++)
        if (unlinkat(container->dir, FILES[i], 0) < 0 && errno != ENOENT)
            return -1;
    return rmdir(container->path) == 0 || errno == ENOENT ? 0 : -1;
}

int run_delete(struct command *command, struct container *container)
{
    const struct summary *summary = &container->summary;
    int status = container_status(container);

    if (summary->poststop || summary->systemd || summary->mounts || !summary->own_pid_namespace)
        return TO_PYTHON;
    if (status < 0 || status == PAUSED || (status == RUNNING && !command->force))
        return TO_PYTHON;
    if (!holds_known_files_only(container->dir) || log_open(&command->log) < 0)
        return TO_PYTHON;
    if (status != STOPPED && end_init(&command->log, summary) < 0)
        return TO_PYTHON;
    if (remove_cgroups(summary, status == STOPPED) < 0)
        return TO_PYTHON;
    return remove_directory(container) == 0 ? 0 : TO_PYTHON;
}
