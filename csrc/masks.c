/*
 * masks.c - paths hidden or made read-only, after the root has been entered.
 */
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "mounts.h"
#include "scope.h"

/* The file at `path`: 1 and *fd; 0: there is none; -1 after fail(). */
static int open_existing(struct init *in, const char *path, int *fd)
{
    *fd = root_open(in, path, O_PATH);
    if (*fd >= 0)
        return 1;
    if (errno == ENOENT || errno == ENOTDIR)
        return 0;
    return fail(in, errno, "open %s", path);
}

/* A detached copy of the container's /dev/null. The copy is what is looked at, so nothing can be put in between. */
static int null_tree(struct init *in)
{
    struct stat st;
    cleanup_close int null = root_open(in, "/dev/null", O_PATH | O_NOFOLLOW);
    if (null < 0)
        return fail(in, errno, "open /dev/null of the container");
    cleanup_close int tree = raw_open_tree(null, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (tree < 0 || fstat(tree, &st) < 0)
        return fail(in, errno, "copy the mount of /dev/null");
    if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
        return fail(in, 0, "/dev/null of the container is not the null device");
    return steal_fd(&tree);
}

/* An empty read-only tmpfs. */
static int new_tmpfs(struct init *in)
{
    cleanup_close int context = raw_fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (context < 0 || raw_fsconfig(context, FSCONFIG_SET_STRING, "source", "tmpfs", 0) < 0 ||
        raw_fsconfig(context, FSCONFIG_SET_STRING, "nr_blocks", "1", 0) < 0 ||
        raw_fsconfig(context, FSCONFIG_SET_STRING, "nr_inodes", "1", 0) < 0 ||
        raw_fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
        raw_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return fail(in, errno, "make an empty tmpfs");
    int tree = raw_fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
    return tree < 0 ? fail(in, errno, "make an empty tmpfs") : tree;
}

/* One tmpfs serves every directory: the first mask's, attached, is cloned (a detached one only can be since 6.15). */
static int empty_tree(struct init *in)
{
    if (in->empty < 0)
        return new_tmpfs(in);
    int tree = raw_open_tree(in->empty, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    return tree < 0 ? fail(in, errno, "copy the mount of an empty tmpfs") : tree;
}

int run_mask_path(struct init *in, const struct op_mask_path *args)
{
    const char *path = str(in, args->path);
    cleanup_close int target = -1;
    struct stat st;
    int found = open_existing(in, path, &target);
    if (found <= 0)
        return found;
    if (fstat(target, &st) < 0)
        return fail(in, errno, "look at %s", path);
    bool directory = S_ISDIR(st.st_mode);
    cleanup_close int tree = directory ? empty_tree(in) : null_tree(in);
    if (tree < 0)
        return -1;
    if (attach_tree(tree, target) < 0)
        return fail(in, errno, "mask %s", path);
    if (directory && in->empty < 0)
        in->empty = steal_fd(&tree);
    return 0;
}

/* In a user namespace the copy keeps what is locked: only RDONLY is touched. */
int run_readonly_path(struct init *in, const struct op_readonly_path *args)
{
    const char *path = str(in, args->path);
    cleanup_close int target = -1;
    int found = open_existing(in, path, &target);
    if (found <= 0)
        return found;
    const unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE;
    cleanup_close int tree = raw_open_tree(target, "", flags);
    if (tree < 0)
        return fail(in, errno, "copy the mount of %s", path);
    if (set_attributes(tree, MOUNT_ATTR_RDONLY, 0, false) < 0)
        return fail(in, errno, "make %s read-only", path);
    if (attach_tree(tree, target) < 0)
        return fail(in, errno, "bind %s on itself", path);
    return 0;
}
