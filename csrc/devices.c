/*
 * devices.c - device nodes and symlinks inside the root.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "mounts.h"
#include "scope.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static dev_t device(const struct op_mknod *args)
{
    return makedev((unsigned)args->major, (unsigned)args->minor);
}

static bool is_same_device(const struct op_mknod *args, const struct stat *st)
{
    if ((st->st_mode & S_IFMT) != (args->mode & S_IFMT))
        return false;
    return S_ISFIFO(st->st_mode) || st->st_rdev == device(args);
}

/* chmod(2) of an O_PATH descriptor; before Linux 6.6 only /proc knows how (the caller's is still there). */
static int change_mode(int fd, unsigned mode)
{
    char path[64];
    if (syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno != ENOSYS)
        return -1;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return chmod(path, mode);
}

static int set_owner_and_mode(struct init *in, const struct op_mknod *args, int fd, const struct stat *st)
{
    uid_t uid = (uid_t)args->uid;
    gid_t gid = (gid_t)args->gid;
    unsigned mode = (unsigned)args->mode & 07777;
    bool chowned = st->st_uid != uid || st->st_gid != gid;
    if (chowned && fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
        return fail(in, errno, "change the owner of %s to %u:%u", str(in, args->path), uid, gid);
    if ((chowned || (st->st_mode & 07777) != mode) && change_mode(fd, mode) < 0)
        return fail(in, errno, "change the mode of %s to %o", str(in, args->path), mode);
    return 0;
}

/* Where mknod(2) is not allowed, the caller's own node of the same path serves, if it is the same device. */
static int bind_callers_node(struct init *in, const struct op_mknod *args)
{
    const char *path = str(in, args->path);
    struct stat st;
    cleanup_close int tree = raw_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (tree < 0 || fstat(tree, &st) < 0 || !is_same_device(args, &st))
        return fail(in, EPERM, "mknod %s", path);
    cleanup_close int target = root_make_file(in, path);
    if (target < 0 || attach_tree(tree, target) < 0)
        return fail(in, errno, "bind the caller's %s, as mknod is not permitted", path);
    return 0;
}

int run_mknod(struct init *in, const struct op_mknod *args)
{
    const char *path = str(in, args->path);
    char name[256];
    struct stat st;
    cleanup_close int parent = root_open_parent(in, path, true, name);
    if (parent < 0)
        return fail(in, errno, "make the directory of %s", path);
    mode_t old = umask(0);
    int rc = mknodat(parent, name, (mode_t)args->mode, device(args));
    umask(old);
    if (rc < 0 && errno == EPERM)
        return bind_callers_node(in, args);
    if (rc < 0 && errno != EEXIST)
        return fail(in, errno, "mknod %s", path);
    cleanup_close int fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return fail(in, errno, "open the device node %s", path);
    if (!is_same_device(args, &st))
        return fail(in, 0, "mknod %s: there is already another file, which is not device %u:%u of that type", path,
                    (unsigned)args->major, (unsigned)args->minor);
    return set_owner_and_mode(in, args, fd, &st);
}

int run_symlink(struct init *in, const struct op_symlink *args)
{
    const char *target = str(in, args->target), *path = str(in, args->path);
    char name[256];
    cleanup_close int parent = root_open_parent(in, path, true, name);
    if (parent < 0)
        return fail(in, errno, "make the directory of %s", path);
    int rc = symlinkat(target, parent, name);
    if (rc < 0 && errno == EEXIST) {
        if (!args->replace)
            return 0;
        rc = unlinkat(parent, name, 0);
        if (rc < 0 && errno == EISDIR)
            rc = unlinkat(parent, name, AT_REMOVEDIR);
        if (rc == 0)
            rc = symlinkat(target, parent, name);
    }
    return rc < 0 ? fail(in, errno, "symlink %s to %s", path, target) : 0;
}
