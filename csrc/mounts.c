/*
 * mounts.c - the mounts of the container: every one is made detached, finished
 * there, and attached to its target through the target's descriptor.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "mounts.h"
#include "scope.h"

#define PROC_ROOT_INO 1

int attach_tree(int tree, int target)
{
    return raw_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static int change(int tree, struct mount_attr *attr, bool recursive)
{
    return raw_mount_setattr(tree, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), attr);
}

/* The access-time setting is one value: any new one replaces it whole. */
int set_attributes(int tree, uint64_t set, uint64_t clear, bool recursive)
{
    if (set & MOUNT_ATTR__ATIME)
        clear |= MOUNT_ATTR__ATIME;
    struct mount_attr attr = { .attr_set = set, .attr_clr = clear };
    return set || clear ? change(tree, &attr, recursive) : 0;
}

static const struct {
    uint64_t attr;
    const char *word;
} words[] = {
    {MOUNT_ATTR_RDONLY, "ro"},         {MOUNT_ATTR_NOSUID, "nosuid"},       {MOUNT_ATTR_NODEV, "nodev"},
    {MOUNT_ATTR_NOEXEC, "noexec"},     {MOUNT_ATTR_NOATIME, "noatime"},     {MOUNT_ATTR_STRICTATIME, "strictatime"},
    {MOUNT_ATTR_NODIRATIME, "nodiratime"}, {MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow"},
};

/* "set ro, nodev", "clear nosuid", or both; as mount(8) calls them. */
static void append_words(char *text, size_t size, const char *verb, uint64_t attrs)
{
    const char *before = verb;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (attrs & words[i].attr) {
            size_t used = strlen(text);
            snprintf(text + used, size - used, "%s%s", before, words[i].word);
            before = ", ";
        }
}

static int attributes_refused(struct init *in, const char *what, uint64_t set, uint64_t clear)
{
    char text[160] = "";
    int error = errno;
    append_words(text, sizeof text, ": set ", set);
    append_words(text, sizeof text, ": clear ", clear);
    return fail(in, error, "%s%s", what, text);
}

int set_propagation(int tree, uint64_t flags)
{
    struct mount_attr attr = { .propagation = flags & ~(uint64_t)MS_REC };
    return attr.propagation ? change(tree, &attr, flags & MS_REC) : 0;
}

int propagate(struct init *in, int tree, u64v_t list, const char *path)
{
    for (uint64_t i = 0; i < u64_count(in, list); i++)
        if (set_propagation(tree, u64_at(in, list, i)) < 0)
            return fail(in, errno, "change the propagation of %s to %#llx", path,
                        (unsigned long long)u64_at(in, list, i));
    return 0;
}

/* A mount over the root would hide it from the lookups that follow, which start beneath. */
int refuse_root(struct init *in, int target, const char *path)
{
    struct place here, root;
    if (place_of(target, &here) < 0 || place_of(in->root, &root) < 0)
        return fail(in, errno, "look at %s", path);
    if (is_same_place(&here, &root))
        return fail(in, 0, "mount on %s: this is the root of the container", path);
    return 0;
}

static int map_ids(struct init *in, const struct op_open_tree *args, int tree)
{
    struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
    int userns = slot_get(in, args->userns);
    if (args->userns.index == SLOT_NONE)
        return 0;
    if (userns < 0)
        return fail(in, EBADF, "map the ids of %s: no user namespace in the slot", str(in, args->source));
    attr.userns_fd = (uint64_t)userns;
    if (change(tree, &attr, args->userns_recursive) < 0)
        return fail(in, errno, "map the ids of %s%s", str(in, args->source),
                    errno == EINVAL ? ": its file system has no support for mapped mounts" : "");
    return 0;
}

int run_open_tree(struct init *in, const struct op_open_tree *args)
{
    const char *source = str(in, args->source);
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (args->recursive ? AT_RECURSIVE : 0);
    cleanup_close int tree = raw_open_tree(AT_FDCWD, source, flags);
    if (tree < 0)
        return fail(in, errno, "open the mount tree of %s", source);
    if (args->propagation && set_propagation(tree, args->propagation | MS_REC) < 0)
        return fail(in, errno, "change the propagation of a copy of %s", source);
    if (map_ids(in, args, tree) < 0)
        return -1;
    slot_put(in, args->tree, steal_fd(&tree));
    remember_tree(in, args->tree);
    return 0;
}

int run_root_propagation(struct init *in, const struct op_root_propagation *args)
{
    if (raw_mount(NULL, "/", NULL, args->flags, NULL) < 0)
        return fail(in, errno, "change the propagation of / to %#llx", (unsigned long long)args->flags);
    return 0;
}

int run_set_attr(struct init *in, const struct op_set_attr *args)
{
    int tree = slot_get(in, args->mount);
    if (tree < 0)
        return fail(in, EBADF, "change the attributes of a mount: none in the slot");
    if (set_attributes(tree, args->attr_set, args->attr_clr, args->recursive) < 0)
        return attributes_refused(in, "change the attributes of a mount", args->attr_set, args->attr_clr);
    return 0;
}

static int check_procfs(struct init *in, const struct op_bind *args, int tree, const struct stat *st)
{
    if (!args->must_be_procfs || (is_procfs(tree) && st->st_ino == PROC_ROOT_INO))
        return 0;
    return fail(in, 0, "bind on %s: only a whole procfs may be there", str(in, args->target));
}

static int set_bind_attributes(struct init *in, const struct op_bind *args, int tree)
{
    char what[PATH_MAX];
    snprintf(what, sizeof what, "bind on %s", str(in, args->target));
    if (set_attributes(tree, args->attr_set, args->attr_clr, false) < 0)
        return attributes_refused(in, what, args->attr_set, args->attr_clr);
    if (set_attributes(tree, args->rec_set, args->rec_clr, true) < 0)
        return attributes_refused(in, what, args->rec_set, args->rec_clr);
    return 0;
}

int run_bind(struct init *in, const struct op_bind *args)
{
    const char *path = str(in, args->target);
    int tree = slot_get(in, args->tree);
    struct stat st;
    if (tree < 0 || fstat(tree, &st) < 0)
        return fail(in, tree < 0 ? EBADF : errno, "bind on %s: no mount tree in the slot", path);
    if (check_procfs(in, args, tree, &st) < 0)
        return -1;
    bool directory = S_ISDIR(st.st_mode);
    cleanup_close int target = directory ? root_make_dir(in, path, 0755) : root_make_file(in, path);
    if (target < 0)
        return fail(in, errno, "make the %s %s to bind on", directory ? "directory" : "file", path);
    if (refuse_root(in, target, path) < 0)
        return -1;
    if (set_bind_attributes(in, args, tree) < 0)
        return -1;
    if (attach_tree(tree, target) < 0)
        return fail(in, errno, "bind on %s", path);
    return propagate(in, tree, args->propagation, path);
}
