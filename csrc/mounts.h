/* mounts.h - what the files about mounts share; init.h has the operations themselves. */
#pragma once
#include "init.h"
#include "raw.h"

#define FS_LOG 400

/* filesystem.c: the kernel's words about a failed fsopen(2) conversation, ": " before each; "" when there are none. */
void read_fs_log(int context, char log[FS_LOG]);

/* filesystem.c: a detached mount of args' file system, or -1 after fail(). `mode` of its root, -1: leave. */
int new_filesystem(struct init *in, const struct op_mount *args, uint64_t attrs, int mode);

/* filesystem.c: fail() for a file system that the kernel refused without a word in its log; -1. */
int refused_silently(struct init *in, const struct op_mount *args, int error);

/* mount_long.c: is a value too long for fsconfig(2)? Then the mount is made right on the target. */
bool needs_mount_syscall(const struct init *in, const struct op_mount *args);
int mount_on_target(struct init *in, const struct op_mount *args, int target);

/* filesystem.c: the next comma-separated word of *list, NUL-terminated in `word`; -1: too long, 0: none left.
 * Quotes around the value of a security context may hold commas and are taken off. */
int next_word(const char **list, char *word, size_t size);

/* place.c: what a descriptor stands for; -1 and errno. */
struct place {
    uint64_t mount;
    uint64_t ino;
    bool is_mount_root;
};
int place_of(int fd, struct place *place);
bool is_same_place(const struct place *a, const struct place *b);

/* trees.c: that a slot holds a tree, for OP_HOLD_TREES. */
void remember_tree(struct init *in, slot_t s);

/* mounts.c */
int attach_tree(int tree, int target);
int set_attributes(int tree, uint64_t set, uint64_t clear, bool recursive);
int set_propagation(int tree, uint64_t flags);
int propagate(struct init *in, int tree, u64v_t list, const char *path);
int refuse_root(struct init *in, int target, const char *path);

/* copy_up.c: the content of directory `from` into directory `to`; -1 and errno. */
int copy_directory(int from, int to);
