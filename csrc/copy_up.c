/*
 * copy_up.c - a directory's content into an empty one (tmpcopyup): modes, owners,
 * times, symlinks, and the extended attributes the new file system takes.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include "mounts.h"
#include "scope.h"

#define DEEPEST 200  /* directories inside each other; two descriptors each */

static int copy_entries(int from, int to, int depth);

/* Refusals are no failure: not every attribute means something in the new place. */
static void copy_xattrs(int from, int to)
{
    char names[4096], value[4096];
    ssize_t size = flistxattr(from, names, sizeof names);
    for (ssize_t i = 0; i < size; i += (ssize_t)strlen(names + i) + 1) {
        ssize_t n = fgetxattr(from, names + i, value, sizeof value);
        if (n >= 0)
            (void)fsetxattr(to, names + i, value, (size_t)n, 0);
    }
}

/* Owner first: a change of owner takes set-id bits and capabilities away. */
static int copy_metadata(int from, int to, const struct stat *st)
{
    const struct timespec times[2] = { st->st_atim, st->st_mtim };
    if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
        return -1;
    copy_xattrs(from, to);
    return futimens(to, times);
}

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *st)
{
    cleanup_close int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_close int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (from < 0 || to < 0)
        return -1;
    ssize_t n;
    do
        n = sendfile(to, from, NULL, 1 << 20);
    while (n > 0 || (n < 0 && errno == EINTR));
    return n < 0 ? -1 : copy_metadata(from, to, st);
}

static int copy_subdirectory(int from_dir, int to_dir, const char *name, const struct stat *st, int depth)
{
    if (mkdirat(to_dir, name, 0700) < 0)
        return -1;
    cleanup_close int from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_close int to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0 || to < 0 || copy_entries(from, to, depth + 1) < 0)
        return -1;
    return copy_metadata(from, to, st);
}

static int copy_symlink(int from_dir, int to_dir, const char *name)
{
    char text[4096];
    ssize_t n = readlinkat(from_dir, name, text, sizeof text - 1);
    if (n < 0)
        return -1;
    text[n] = '\0';
    return symlinkat(text, to_dir, name);
}

/* Nodes we may not make (a user namespace) are left out; a socket is nothing without its process. */
static int copy_node(int to_dir, const char *name, const struct stat *st)
{
    if (S_ISSOCK(st->st_mode))
        return 1;
    if (mknodat(to_dir, name, st->st_mode, st->st_rdev) == 0)
        return 0;
    return errno == EPERM ? 1 : -1;
}

static int copy_entry(int from, int to, const char *name, int depth)
{
    struct stat st;
    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (S_ISDIR(st.st_mode))
        return copy_subdirectory(from, to, name, &st, depth);
    if (S_ISREG(st.st_mode))
        return copy_file(from, to, name, &st);
    int rc = S_ISLNK(st.st_mode) ? copy_symlink(from, to, name) : copy_node(to, name, &st);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    const struct timespec times[2] = { st.st_atim, st.st_mtim };
    if (fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (!S_ISLNK(st.st_mode) && fchmodat(to, name, st.st_mode & 07777, 0) < 0)
        return -1;
    return utimensat(to, name, times, AT_SYMLINK_NOFOLLOW);
}

static int copy_entries(int from, int to, int depth)
{
    if (depth > DEEPEST) {
        errno = ELOOP;
        return -1;
    }
    int duplicate = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cleanup_closedir DIR *dir = duplicate < 0 ? NULL : fdopendir(duplicate);
    if (!dir) {
        cleanup_close_fd(&duplicate);
        return -1;
    }
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(dir);
        if (!entry)
            return errno ? -1 : 0;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (copy_entry(from, to, entry->d_name, depth) < 0)
            return -1;
    }
}

int copy_directory(int from, int to)
{
    return copy_entries(from, to, 0);
}
