/*
 * resolve.c - paths of the container.
 *
 * Whatever the image or another container sharing it does with symlinks, a path
 * never leaves the root: the kernel resolves it with RESOLVE_IN_ROOT, and where
 * something has to be made, we walk it name by name, each step through the
 * descriptor of the last.  Callers go on with descriptors, never with the string.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include "init.h"
#include "raw.h"
#include "scope.h"

#define PROC_SUPER_MAGIC 0x9fa0
#define MAX_LINKS 40
#define MAX_TRIES 128

struct walk {
    const struct init *in;
    int dir;              /* where we are; owned */
    unsigned links;       /* symlinks followed, lost races: bounded by MAX_LINKS */
    const char *next;     /* what is still to be walked, in rest */
    char here[PATH_MAX];  /* names from the root to dir, free of symlinks and "..": only ".." wants it */
    char rest[PATH_MAX];
};

/* EAGAIN: something was renamed or mounted anywhere on the machine while ".." was walked. */
static int open_in_root(int root, const char *path, int flags, uint64_t resolve)
{
    int fd = -1;
    for (int i = 0; i < MAX_TRIES; i++) {
        fd = raw_openat2(root, path && !*path ? "." : path, (uint64_t)flags | O_CLOEXEC, 0,
                         RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return fd;
}

int root_open(struct init *in, const char *path, int flags)
{
    return open_in_root(in->root, path, flags, 0);
}

bool is_procfs(int fd)
{
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && (unsigned long)fs.f_type == PROC_SUPER_MAGIC;
}

static void move_to(struct walk *w, int fd)
{
    cleanup_close_fd(&w->dir);
    w->dir = fd;
}

static int go_to_root(struct walk *w)
{
    int fd = fcntl(w->in->root, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return -1;
    move_to(w, fd);
    w->here[0] = '\0';
    return 0;
}

/* ".." of the root is the root; any other is found from the root again, so that no rename can lead outside. */
static int go_up(struct walk *w)
{
    char *slash = strrchr(w->here, '/');
    if (!slash)
        return 0;
    *slash = '\0';
    int fd = open_in_root(w->in->root, w->here, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
    if (fd < 0)
        return -1;
    move_to(w, fd);
    return 0;
}

static int go_down(struct walk *w, const char *name, int fd)
{
    size_t used = strlen(w->here), size = strlen(name);
    if (used + 1 + size >= sizeof w->here) {
        errno = ENAMETOOLONG;
        return -1;
    }
    w->here[used] = '/';
    memcpy(w->here + used + 1, name, size + 1);
    move_to(w, fd);
    return 0;
}

/* Put the symlink's text before what is still to be walked. */
static int follow(struct walk *w, int link)
{
    char text[PATH_MAX];
    if (++w->links > MAX_LINKS || is_procfs(link)) {
        errno = ELOOP; /* procfs: may be a magic link, whose text means nothing */
        return -1;
    }
    ssize_t size = readlinkat(link, "", text, sizeof text - 1);
    if (size < 0)
        return -1;
    text[size] = '\0';
    char rest[PATH_MAX];
    int n = snprintf(rest, sizeof rest, "%s/%s", text, w->next);
    if (n < 0 || (size_t)n >= sizeof rest) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(w->rest, rest, (size_t)n + 1);
    w->next = w->rest;
    return text[0] == '/' ? go_to_root(w) : 0;
}

/* The next name of the path: 1; 0 at its end; -1 and errno. "." and "//" are skipped. */
static int next_name(struct walk *w, char name[NAME_MAX + 1])
{
    size_t size;
    do {
        w->next += strspn(w->next, "/");
        size = strcspn(w->next, "/");
        if (size == 0)
            return 0;
        if (size > NAME_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(name, w->next, size);
        name[size] = '\0';
        w->next += size;
    } while (strcmp(name, ".") == 0);
    w->next += strspn(w->next, "/");
    return 1;
}

/* Exactly `mode`, whatever the umask of the caller of planc. EEXIST is no failure here: the walk looks again. */
static int make(int dir, const char *name, unsigned mode, bool file)
{
    mode_t old = umask(0);
    int rc;
    if (file) {
        rc = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, mode);
        if (rc >= 0)
            close(rc);
    } else {
        rc = mkdirat(dir, name, mode);
    }
    umask(old);
    return rc < 0 && errno != EEXIST ? -1 : 0;
}

/* The file called `name`, made when missing; symlinks are not followed. */
static int open_or_make(struct walk *w, const char *name, unsigned mode, bool file)
{
    for (;;) {
        int fd = openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 || errno != ENOENT)
            return fd;
        if (++w->links > MAX_LINKS) {
            errno = ELOOP;
            return -1;
        }
        if (make(w->dir, name, mode, file) < 0)
            return -1;
    }
}

/* One name. 1: go on; 0: `*found` is a file that is no directory, at the path's end; -1 and errno. */
static int step(struct walk *w, const char *name, unsigned mode, bool file, int *found)
{
    struct stat st;
    if (strcmp(name, "..") == 0)
        return go_up(w) < 0 ? -1 : 1;
    bool last = *w->next == '\0';
    cleanup_close int fd = open_or_make(w, name, mode, file && last);
    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    if (S_ISLNK(st.st_mode))
        return follow(w, fd) < 0 ? -1 : 1;
    if (S_ISDIR(st.st_mode)) {
        if (go_down(w, name, fd) < 0)
            return -1;
        steal_fd(&fd);
        return 1;
    }
    if (!file || !last) {
        errno = ENOTDIR;
        return -1;
    }
    *found = steal_fd(&fd);
    return 0;
}

static int walk(struct init *in, const char *path, unsigned mode, bool file)
{
    struct walk w = { .in = in, .dir = -1 };
    char name[NAME_MAX + 1];
    int found = -1, more;
    size_t size = strlen(path);
    if (size >= sizeof w.rest) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(w.rest, path, size + 1);
    w.next = w.rest;
    if (go_to_root(&w) < 0)
        return -1;
    do {
        more = next_name(&w, name);
        if (more > 0)
            more = step(&w, name, mode, file, &found);
    } while (more > 0);
    if (more == 0 && found < 0)
        found = steal_fd(&w.dir);
    cleanup_close_fd(&w.dir);
    return found;
}

int root_make_dir(struct init *in, const char *path, unsigned mode)
{
    int fd = root_open(in, path, O_PATH | O_DIRECTORY);
    return fd >= 0 || errno != ENOENT ? fd : walk(in, path, mode, false);
}

int root_make_file(struct init *in, const char *path)
{
    int fd = root_open(in, path, O_PATH);
    return fd >= 0 || errno != ENOENT ? fd : walk(in, path, 0755, true);
}

int root_open_parent(struct init *in, const char *path, bool make_parents, char name[256])
{
    char parent[PATH_MAX];
    if (!path) {
        errno = EFAULT;
        return -1;
    }
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    size_t size = end - start;
    if (size > NAME_MAX || start >= sizeof parent) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, path + start, size);
    name[size] = '\0';
    if (size == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        errno = EINVAL; /* no name that something could be made under */
        return -1;
    }
    memcpy(parent, path, start);
    parent[start] = '\0';
    return make_parents ? root_make_dir(in, parent, 0755) : root_open(in, parent, O_PATH | O_DIRECTORY);
}
