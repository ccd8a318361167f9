/*
 * raw.h - system calls and constants that the C libraries we build with lack.
 *
 * Only kernel headers are used for the mount API: glibc's and the kernel's
 * declare the same names twice and musl's declare none, so no file of init
 * includes <sys/mount.h>.  Every function returns as syscall(2): -1 and errno.
 */
#pragma once
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/types.h>

#ifndef MNT_DETACH
#define MNT_DETACH 2 /* umount2(2) */
#endif
#ifndef UMOUNT_NOFOLLOW
#define UMOUNT_NOFOLLOW 8
#endif
#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x200
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

/* sched_setattr(2); the kernel's <linux/sched/types.h> collides with <sched.h>. */
struct raw_sched_attr {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime;
    uint64_t deadline;
    uint64_t period;
};

int raw_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
int raw_open_tree(int dir, const char *path, unsigned flags);
int raw_move_mount(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int raw_fsopen(const char *type, unsigned flags);
int raw_fsconfig(int fs, unsigned command, const char *key, const void *value, int aux);
int raw_fsmount(int fs, unsigned flags, unsigned attrs);
int raw_mount_setattr(int dir, const char *path, unsigned flags, const struct mount_attr *attr);
int raw_mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);
int raw_umount2(const char *target, int flags);
int raw_pivot_root(const char *new_root, const char *put_old);

/* fork(2) with clone3(2) flags: no CLONE_VM, the child goes on with a copy of the caller's stack. */
pid_t raw_fork(uint64_t flags, int exit_signal);
int raw_close_range(unsigned first, unsigned last, unsigned flags);
/* SIG_DFL for a signal, those included that the C library keeps for itself and its sigaction(2) refuses. */
int raw_default_action(int signal);
int raw_pidfd_open(pid_t pid, unsigned flags);
int raw_pidfd_send_signal(int pidfd, int signal);

long raw_keyctl(int command, uintptr_t a, uintptr_t b, uintptr_t c);
int raw_ioprio_set(int which, int who, int value);
int raw_sched_setattr(pid_t pid, const struct raw_sched_attr *attr, unsigned flags);
int raw_seccomp(unsigned operation, unsigned flags, const void *args);
int raw_capget(uint64_t *effective, uint64_t *permitted, uint64_t *inheritable);
int raw_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable);
int raw_faccessat2(int dir, const char *path, int mode, int flags);

/* getcwd(2) itself: the libraries hide a directory that is out of reach. Length with the NUL. */
int raw_getcwd(char *buffer, size_t size);
