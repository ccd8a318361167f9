/*
 * init.h - what the files of the static init share: its state, the way an
 * operation fails, and one prototype per operation.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "native.h"

struct init {
    const char *blob;             /* the mapped plan; everything a str() returns points into it */
    const struct plan_header *header;
    int sync;                     /* the conversation with planc; -1 after OP_DONE of a waiting init */
    int status;                   /* where failures go after OP_DONE, -1: sync */
    int slot[SLOT_MAX];           /* descriptors by slot, -1: empty */
    int root;                     /* directory descriptor of the container's root, -1 before OP_ATTACH_ROOTFS;
                                     after OP_PIVOT_ROOT it is the new "/" */
    uint64_t trees[SLOT_MAX / 64]; /* slots that OP_OPEN_TREE has filled, a bit each */
    int empty;                    /* the tmpfs over the first masked directory; -1: none yet */
    int op;                       /* index in the plan of the operation being run, -1: none */
    const struct op_wait_start *wait; /* the plan's, NULL: it has none */
    bool confined;                /* the seccomp filter is loaded: as few system calls as possible from here */
    const char **env;             /* set by OP_ENVIRONMENT, NULL-terminated */
    const char *executable;       /* set by OP_FIND_EXECUTABLE */
    uint64_t last_capability;     /* read from the kernel on first use */
    int error;                    /* of the failed operation: errno */
    char text[MESSAGE_TEXT];      /* of the failed operation: what was done to what */
};

/* Arguments. A str() of an absent argument is NULL; a count() of an absent vector is 0. */
const char *str(const struct init *in, str_t s);
uint64_t str_count(const struct init *in, strv_t v);
const char *str_at(const struct init *in, strv_t v, uint64_t i);
uint64_t u64_count(const struct init *in, u64v_t v);
uint64_t u64_at(const struct init *in, u64v_t v, uint64_t i);
const void *blob_bytes(const struct init *in, blob_t b, uint64_t *size);
int slot_get(const struct init *in, slot_t s);             /* -1: none or empty */
void slot_put(struct init *in, slot_t s, int fd);          /* takes ownership of fd; closes it when the slot is none */
const char **str_array(struct init *in, strv_t v, size_t extra); /* NULL-terminated, with room for `extra` more; never freed */

/* plan.c: map and check the plan. -1 after fail(); in->sync is set as soon as the header can be trusted. */
int plan_open(struct init *in, int fd);

/* Zeroed memory for the rest of the process's life; init has no malloc. */
void *keep(struct init *in, size_t size);

/* Record a failure and return -1; `error` 0: our own judgement, no errno. Format as printf(3). */
int fail(struct init *in, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Tell planc (or `start`) about the failure recorded by fail(). */
void report_failure(struct init *in);
/* fail(), report_failure(), exit 1: for a plan that cannot be true. */
void die(struct init *in, int error, const char *format, ...) __attribute__((format(printf, 3, 4), noreturn));

/*
 * One function per operation: 0, or -1 after fail().  Each takes its own struct.
 */
#define OPERATION(name) int run_##name(struct init *in, const struct op_##name *args)
OPERATION(sync);
OPERATION(oom_score_adj);
OPERATION(enter_cgroups);
OPERATION(dumpable);
OPERATION(open_tree);
OPERATION(hold_trees);
OPERATION(take_trees);
OPERATION(open_namespace);
OPERATION(setns);
OPERATION(unshare);
OPERATION(become_root);
OPERATION(time_offsets);
OPERATION(fork);
OPERATION(setsid);
OPERATION(session_keyring);
OPERATION(loopback_up);
OPERATION(root_propagation);
OPERATION(attach_rootfs);
OPERATION(mount);
OPERATION(bind);
OPERATION(set_attr);
OPERATION(mknod);
OPERATION(symlink);
OPERATION(hook);
OPERATION(pivot_root);
OPERATION(move_root);
OPERATION(chroot);
OPERATION(reopen_dev_null);
OPERATION(console);
OPERATION(make_cwd);
OPERATION(readonly_path);
OPERATION(mask_path);
OPERATION(sysctl);
OPERATION(hostname);
OPERATION(domainname);
OPERATION(umask);
OPERATION(no_new_privileges);
OPERATION(scheduler);
OPERATION(io_priority);
OPERATION(personality);
OPERATION(environment);
OPERATION(chdir);
OPERATION(bounding);
OPERATION(stdio_owner);
OPERATION(setgroups);
OPERATION(setuid);
OPERATION(capset);
OPERATION(ambient);
OPERATION(seccomp);
OPERATION(find_executable);
OPERATION(done);
OPERATION(wait_start);
OPERATION(exec);

/* Paths inside the container, resolve.c: never re-walked as strings. */
int root_open(struct init *in, const char *path, int flags);                     /* openat2 RESOLVE_IN_ROOT, O_CLOEXEC added; -1 and errno */
int root_open_parent(struct init *in, const char *path, bool make, char name[256]); /* parent directory + last component */
int root_make_dir(struct init *in, const char *path, unsigned mode);             /* mkdir -p; O_PATH descriptor; -1 and errno */
int root_make_file(struct init *in, const char *path);                           /* parents + empty file; O_PATH descriptor */
bool is_procfs(int fd);

/* dialog.c */
int send_message(int fd, uint32_t type, int op, int error, int64_t value, const char *text);
int send_fd(int socket, int fd, const void *data, size_t size);                   /* data + SCM_RIGHTS; -1 and errno */
int wait_continue(struct init *in);                                               /* exits when planc is gone */

/* One write of the whole text to a file of procfs, checked to be one. -1 and errno. */
int write_proc(int dir, const char *path, const char *text);
