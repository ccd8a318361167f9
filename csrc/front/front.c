/* front.c - from argv to the exit code of a command, or to Python. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include "front.h"

static const struct verb VERBS[] = {
    {"state", false, run_state},
    {"kill", false, run_kill}, /* no lock: a hanging command does not keep a container alive */
    {"start", true, run_start},
    {"delete", true, run_delete},
    {NULL, false, NULL},
};

/* A closed one would be given to the first file that is opened. */
static bool standard_descriptors_open(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            return false;
    return true;
}

/* --root may not be "/", by whatever name. */
static bool is_root_directory(const char *path)
{
    struct stat there, root;

    if (stat(path, &there) < 0)
        return false;
    return stat("/", &root) < 0 || (there.st_dev == root.st_dev && there.st_ino == root.st_ino);
}

static int open_container(const struct command *command, struct container *container)
{
    int size = snprintf(container->path, sizeof container->path, "%s/%s", command->root, command->id);

    if (size < 0 || (size_t)size >= sizeof container->path || is_root_directory(command->root)) {
        errno = EINVAL;
        return -1;
    }
    return open(container->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

/* Whoever would have to wait does so in Python. */
static bool lock(int dir)
{
    struct stat st;

    return flock(dir, LOCK_EX | LOCK_NB) == 0 && fstat(dir, &st) == 0 && st.st_nlink > 0;
}

static int run(struct command *command)
{
    static struct container container;

    cleanup_close int dir = open_container(command, &container);
    if (dir < 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        return missing && command->force && log_open(&command->log) == 0 ? 0 : TO_PYTHON;
    }
    container.dir = dir;
    if (command->verb->locks && !lock(dir))
        return TO_PYTHON;
    if (read_summary(dir, &container.summary) < 0)
        return TO_PYTHON;
    return command->verb->run(command, &container);
}

int front_main(int argc, char **argv)
{
    struct command command = {.log.fd = -1};

    if (!standard_descriptors_open() || read_command(&command, VERBS, argc, argv) < 0)
        return TO_PYTHON;
    int code = run(&command);
    log_close(&command.log);
    return code;
}
