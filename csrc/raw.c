/* raw.c - thin wrappers of system calls, see raw.h. */
#include "raw.h"

#include <linux/capability.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

int raw_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

int raw_open_tree(int dir, const char *path, unsigned flags)
{
    return (int)syscall(SYS_open_tree, dir, path, flags);
}

int raw_move_mount(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    return (int)syscall(SYS_move_mount, from_dir, from, to_dir, to, flags);
}

int raw_fsopen(const char *type, unsigned flags)
{
    return (int)syscall(SYS_fsopen, type, flags);
}

int raw_fsconfig(int fs, unsigned command, const char *key, const void *value, int aux)
{
    return (int)syscall(SYS_fsconfig, fs, command, key, value, aux);
}

int raw_fsmount(int fs, unsigned flags, unsigned attrs)
{
    return (int)syscall(SYS_fsmount, fs, flags, attrs);
}

int raw_mount_setattr(int dir, const char *path, unsigned flags, const struct mount_attr *attr)
{
    return (int)syscall(SYS_mount_setattr, dir, path, flags, attr, sizeof *attr);
}

int raw_mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data)
{
    return (int)syscall(SYS_mount, source, target, type, flags, data);
}

int raw_umount2(const char *target, int flags)
{
    return (int)syscall(SYS_umount2, target, flags);
}

int raw_pivot_root(const char *new_root, const char *put_old)
{
    return (int)syscall(SYS_pivot_root, new_root, put_old);
}

pid_t raw_fork(uint64_t flags, int exit_signal)
{
    struct clone_args args = {.flags = flags, .exit_signal = (uint64_t)exit_signal};
    return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

int raw_close_range(unsigned first, unsigned last, unsigned flags)
{
    return (int)syscall(SYS_close_range, first, last, flags);
}

int raw_default_action(int signal)
{
    /* the kernel's struct, all zero, is SIG_DFL without flags; no architecture's is larger */
    static const uint64_t action[8];
    return (int)syscall(SYS_rt_sigaction, signal, action, NULL, (size_t)_NSIG / 8);
}

int raw_pidfd_open(pid_t pid, unsigned flags)
{
    return (int)syscall(SYS_pidfd_open, pid, flags);
}

int raw_pidfd_send_signal(int pidfd, int signal)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

long raw_keyctl(int command, uintptr_t a, uintptr_t b, uintptr_t c)
{
    return syscall(SYS_keyctl, command, a, b, c, 0);
}

int raw_ioprio_set(int which, int who, int value)
{
    return (int)syscall(SYS_ioprio_set, which, who, value);
}

int raw_sched_setattr(pid_t pid, const struct raw_sched_attr *attr, unsigned flags)
{
    return (int)syscall(SYS_sched_setattr, pid, attr, flags);
}

int raw_seccomp(unsigned operation, unsigned flags, const void *args)
{
    return (int)syscall(SYS_seccomp, operation, flags, args);
}

int raw_capget(uint64_t *effective, uint64_t *permitted, uint64_t *inheritable)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &header, data) < 0)
        return -1;
    *effective = data[0].effective | (uint64_t)data[1].effective << 32;
    *permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
    *inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
    return 0;
}

int raw_capset(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {(uint32_t)effective, (uint32_t)permitted, (uint32_t)inheritable},
        {(uint32_t)(effective >> 32), (uint32_t)(permitted >> 32), (uint32_t)(inheritable >> 32)},
    };
    return (int)syscall(SYS_capset, &header, data);
}

int raw_faccessat2(int dir, const char *path, int mode, int flags)
{
    return (int)syscall(SYS_faccessat2, dir, path, mode, flags);
}

int raw_getcwd(char *buffer, size_t size)
{
    return (int)syscall(SYS_getcwd, buffer, size);
}
