/*
 * trees.c - detached trees carried into a mount namespace of a user namespace.
 *
 * What a mount namespace is given when it is copied for another user namespace is
 * locked: its root can neither undo the caller's read-only, nosuid, nodev, noexec,
 * nor take a mount away to see what is beneath (mount_namespaces(7)).  A detached
 * tree escapes that copying.  So the trees are attached, in a mount namespace of
 * the stage's own, to a scratch tmpfs that is the working directory; the kernel
 * moves the working directory into the copy, and there they are cloned again.
 */
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include "mounts.h"
#include "scope.h"

void remember_tree(struct init *in, slot_t s)
{
    if (s.index < SLOT_MAX)
        in->trees[s.index / 64] |= 1ull << s.index % 64;
}

static bool is_tree(const struct init *in, uint64_t slot)
{
    return in->trees[slot / 64] >> slot % 64 & 1;
}

/* Not on "/", which a process must have as its root to be allowed a user namespace. */
static int enter_scratch(struct init *in, const char *place)
{
    cleanup_close int target = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC);
    cleanup_close int context = raw_fsopen("tmpfs", FSOPEN_CLOEXEC);
    if (target < 0 || context < 0 || raw_fsconfig(context, FSCONFIG_SET_STRING, "mode", "755", 0) < 0 ||
        raw_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return fail(in, errno, "make a tmpfs to hold mount trees");
    cleanup_close int tree = raw_fsmount(context, FSMOUNT_CLOEXEC, 0);
    if (tree < 0 || attach_tree(tree, target) < 0 || fchdir(tree) < 0)
        return fail(in, errno, "attach a tmpfs to hold mount trees");
    return 0;
}

/* A directory or a file, as the tree's root is. */
static int make_place(const char *name, int tree)
{
    struct stat st;
    if (fstat(tree, &st) < 0)
        return -1;
    if (S_ISDIR(st.st_mode))
        return mkdir(name, 0700);
    return mknod(name, S_IFREG | 0600, 0);
}

static int hold(struct init *in, slot_t slot)
{
    char name[24];
    int tree = slot_get(in, slot);
    snprintf(name, sizeof name, "%llu", (unsigned long long)slot.index);
    if (make_place(name, tree) < 0 ||
        raw_move_mount(tree, "", AT_FDCWD, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return fail(in, errno, "hold the mount tree of slot %s", name);
    slot_put(in, slot, -1);
    return 0;
}

int run_hold_trees(struct init *in, const struct op_hold_trees *args)
{
    if (unshare(CLONE_NEWNS) < 0)
        return fail(in, errno, "create a mount namespace to hold mount trees");
    if (raw_mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) < 0)
        return fail(in, errno, "make / a slave to hold mount trees");
    if (enter_scratch(in, str(in, args->place)) < 0)
        return -1;
    for (uint64_t i = 0; i < SLOT_MAX; i++)
        if (is_tree(in, i) && in->slot[i] >= 0 && hold(in, (slot_t){i}) < 0)
            return -1;
    return 0;
}

int run_take_trees(struct init *in, const struct op_take_trees *args)
{
    (void)args;
    for (uint64_t i = 0; i < SLOT_MAX; i++) {
        char name[24];
        if (!is_tree(in, i) || in->slot[i] >= 0)
            continue;
        snprintf(name, sizeof name, "%llu", (unsigned long long)i);
        int tree = raw_open_tree(AT_FDCWD, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        if (tree < 0)
            return fail(in, errno, "take the mount tree of slot %s back", name);
        slot_put(in, (slot_t){i}, tree);
    }
    return chdir("/") < 0 ? fail(in, errno, "chdir to /") : 0;
}
