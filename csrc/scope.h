/* scope.h - what a function owns ends with its scope. */
#pragma once
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Errno survives, so that a failed call may be followed by any number of scope ends. */
static inline void cleanup_close_fd(int *fd)
{
    int saved = errno;
    if (*fd >= 0)
        close(*fd);
    errno = saved;
}

static inline void cleanup_closedir_p(DIR **dir)
{
    int saved = errno;
    if (*dir)
        closedir(*dir);
    errno = saved;
}

static inline void cleanup_free_p(void *pointer)
{
    int saved = errno;
    free(*(void **)pointer);
    errno = saved;
}

#define cleanup_close __attribute__((cleanup(cleanup_close_fd)))
#define cleanup_closedir __attribute__((cleanup(cleanup_closedir_p)))
#define cleanup_free __attribute__((cleanup(cleanup_free_p)))

/* The descriptor leaves the scope; whoever gets it owns it. */
static inline int steal_fd(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}
