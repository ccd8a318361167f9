/*
 * mount_new.c - OP_MOUNT: a new file system on its target.
 */
#include <string.h>
#include <sys/stat.h>
#include "mounts.h"
#include "scope.h"

/* proc and sysfs on a symlink's target would let the image choose where the masks of /proc end up. */
static bool wants_real_directory(const char *type)
{
    return strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0;
}

static int open_real_directory(struct init *in, const char *path)
{
    char name[256];
    cleanup_close int parent = root_open_parent(in, path, true, name);
    if (parent < 0)
        return -1;
    mode_t old = umask(0);
    int rc = mkdirat(parent, name, 0755);
    umask(old);
    if (rc < 0 && errno != EEXIST)
        return -1;
    return openat(parent, name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
}

/* `*mode`: of the directory that will be covered, -1: it was not there. */
static int open_target(struct init *in, const struct op_mount *args, int *mode)
{
    struct stat st;
    const char *type = str(in, args->type), *path = str(in, args->target);
    *mode = -1;
    if (wants_real_directory(type)) {
        int fd = open_real_directory(in, path);
        if (fd < 0)
            return fail(in, errno, "mount %s on %s%s", type, path,
                        errno == ENOTDIR ? ": not a directory of its own (a symlink or a file)" : "");
        return fd;
    }
    cleanup_close int target = root_open(in, path, O_PATH | O_DIRECTORY);
    if (target >= 0 && fstat(target, &st) == 0)
        *mode = st.st_mode & 07777;
    else if (errno == ENOENT)
        target = root_make_dir(in, path, 0755);
    if (target < 0)
        return fail(in, errno, "make the directory %s to mount %s on", path, type);
    return refuse_root(in, target, path) < 0 ? -1 : steal_fd(&target);
}

/* What the kernel does not let this user namespace mount anew is shown as the caller has it. */
static int use_fallback(struct init *in, const struct op_mount *args)
{
    int tree = slot_get(in, args->fallback);
    if (tree < 0 || (in->error != EPERM && in->error != EBUSY))
        return -1;
    uint64_t attrs = args->attrs & (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (set_attributes(tree, attrs, 0, true) < 0)
        return fail(in, errno, "set the attributes of the bind that stands in for %s on %s", str(in, args->type),
                    str(in, args->target));
    int copy = fcntl(tree, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return fail(in, errno, "keep the bind that stands in for %s on %s", str(in, args->type),
                    str(in, args->target));
    in->error = 0;
    in->text[0] = '\0';
    return copy;
}

static int copy_up(struct init *in, const struct op_mount *args, int target, int tree)
{
    const char *path = str(in, args->target);
    if (copy_directory(target, tree) < 0)
        return fail(in, errno, "copy the content of %s into the %s over it", path, str(in, args->type));
    if ((args->attrs & MOUNT_ATTR_RDONLY) && set_attributes(tree, MOUNT_ATTR_RDONLY, 0, false) < 0)
        return fail(in, errno, "make %s read-only", path);
    return 0;
}

/* A detached mount, ready but for its propagation. */
static int make_tree(struct init *in, const struct op_mount *args, int target, int mode)
{
    uint64_t early = args->copy_up ? args->attrs & ~(uint64_t)MOUNT_ATTR_RDONLY : args->attrs;
    cleanup_close int tree = new_filesystem(in, args, early, args->inherit_mode ? mode : -1);
    if (tree < 0)
        return use_fallback(in, args);
    if (args->copy_up && copy_up(in, args, target, tree) < 0)
        return -1;
    return steal_fd(&tree);
}

int run_mount(struct init *in, const struct op_mount *args)
{
    const char *path = str(in, args->target);
    int mode;
    if (!str(in, args->type) || !path)
        return fail(in, EINVAL, "mount without a type or a target");
    cleanup_close int target = open_target(in, args, &mode);
    if (target < 0)
        return -1;
    bool on_target = needs_mount_syscall(in, args);
    cleanup_close int tree = on_target ? mount_on_target(in, args, target) : make_tree(in, args, target, mode);
    if (tree < 0)
        return -1;
    if (!on_target && attach_tree(tree, target) < 0)
        return fail(in, errno, "mount %s on %s", str(in, args->type), path);
    if (propagate(in, tree, args->propagation, path) < 0)
        return -1;
    if (args->mount.index != SLOT_NONE)
        slot_put(in, args->mount, steal_fd(&tree));
    return 0;
}
