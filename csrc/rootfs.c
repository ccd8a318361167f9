/*
 * rootfs.c - the container's root: attached, entered, made the only one.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "mounts.h"
#include "scope.h"

/* The root of the mount that `fd` is in; takes fd. mount_setattr(2) wants nothing less. */
static int mount_root(int fd)
{
    cleanup_close int here = fd;
    struct place place, up;
    if (place_of(here, &place) < 0)
        return -1;
    while (!place.is_mount_root) {
        int parent = openat(here, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (parent < 0)
            return -1;
        close(here);
        here = parent;
        if (place_of(here, &up) < 0)
            return -1;
        if (is_same_place(&up, &place)) {
            errno = EINVAL; /* a chroot whose directory is no mount point */
            return -1;
        }
        place = up;
    }
    return steal_fd(&here);
}

/* pivot_root(2) and MS_MOVE refuse a root whose parent mount is shared. */
static int make_parent_private(struct init *in, int target, const char *path)
{
    int fd = fcntl(target, F_DUPFD_CLOEXEC, 3);
    cleanup_close int parent = fd < 0 ? -1 : mount_root(fd);
    if (parent < 0)
        return fail(in, errno, "find the mount that holds the root file system %s", path);
    if (set_propagation(parent, MS_PRIVATE) < 0)
        return fail(in, errno, "make the mount private that holds the root file system %s", path);
    return 0;
}

/*
 * Where the root goes. The tree itself was opened by the caller; its path may lead
 * through directories that root of a user namespace may not search. Then any place
 * will do: on top of "/", whose files stay reachable by absolute paths.
 */
static int open_place(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 && errno == EACCES ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : fd;
}

int run_attach_rootfs(struct init *in, const struct op_attach_rootfs *args)
{
    const char *path = str(in, args->path);
    int tree = slot_get(in, args->tree);
    if (tree < 0)
        return fail(in, EBADF, "attach the root file system %s: no mount tree in the slot", path);
    cleanup_close int target = open_place(path);
    if (target < 0)
        return fail(in, errno, "open %s to attach the root file system", path);
    if (args->parent_private && make_parent_private(in, target, path) < 0)
        return -1;
    if (attach_tree(tree, target) < 0)
        return fail(in, errno, "attach the root file system %s", path);
    cleanup_close int root = fcntl(tree, F_DUPFD_CLOEXEC, 3);
    int kept = args->root.index == SLOT_NONE ? -1 : fcntl(tree, F_DUPFD_CLOEXEC, 3);
    if (kept >= 0)
        slot_put(in, args->root, kept);
    if (root < 0 || fchdir(root) < 0)
        return fail(in, errno, "enter the root file system %s", path);
    in->root = steal_fd(&root);
    return 0;
}

/* The old root, still the working directory's place on the stack: its unmounting must not reach the caller's tree. */
static int detach_old_root(struct init *in, int old)
{
    if (fchdir(old) < 0)
        return fail(in, errno, "enter the old root");
    if (raw_mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0)
        return fail(in, errno, "make the old root a slave");
    if (raw_umount2(".", MNT_DETACH) < 0)
        return fail(in, errno, "detach the old root");
    return 0;
}

int run_pivot_root(struct init *in, const struct op_pivot_root *args)
{
    int root = slot_get(in, args->root);
    cleanup_close int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (old < 0 || fchdir(root >= 0 ? root : in->root) < 0)
        return fail(in, errno, "enter the root file system");
    if (raw_pivot_root(".", ".") < 0)
        return fail(in, errno, "pivot_root into the root file system%s",
                    errno == EINVAL ? " (impossible where / is the initramfs; then use --no-pivot)" : "");
    if (detach_old_root(in, old) < 0)
        return -1;
    if (chdir("/") < 0)
        return fail(in, errno, "chdir to the new root");
    return 0;
}

int run_chroot(struct init *in, const struct op_chroot *args)
{
    int root = slot_get(in, args->root);
    if (fchdir(root >= 0 ? root : in->root) < 0 || chroot(".") < 0 || chdir("/") < 0)
        return fail(in, errno, "chroot into the root file system");
    return 0;
}

int run_make_cwd(struct init *in, const struct op_make_cwd *args)
{
    const char *path = str(in, args->path);
    cleanup_close int fd = root_make_dir(in, path, 0755);
    /* EACCES: root of a user namespace may be nobody here; the process itself will tell, in chdir(2). */
    if (fd < 0 && errno != EACCES)
        return fail(in, errno, "make the working directory %s", path);
    return 0;
}
