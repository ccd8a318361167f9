/*
 * spawn.c - planc starts planc-init.
 *
 * The child shares planc's memory until execve (CLONE_VM|CLONE_VFORK), so a big
 * caller costs nothing; it runs on a stack of its own, and with every signal
 * blocked, so that no handler of the caller runs in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "native_all.h"
#include "../raw.h"

#define STACK (16 * 1024)

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

struct spawn {
    int init_fd, plan_fd;
    const int *fds;
    int count, keep_fds;
    int error; /* of the child, which shares this memory */
    char plan_text[12];
};

static int keep_open(int fd)
{
    return fcntl(fd, F_SETFD, 0);
}

/* The child. It never returns. */
static void child(void *argument)
{
    struct spawn *s = argument;
    static char *const no_env[] = {NULL};
    char *argv[] = {(char *)"planc-init", s->plan_text, NULL};

    if (raw_close_range(3 + (unsigned)s->keep_fds, ~0u, CLOSE_RANGE_CLOEXEC) < 0 || keep_open(s->plan_fd) < 0)
        goto out;
    for (int i = 0; i < s->count; i++)
        if (keep_open(s->fds[i]) < 0)
            goto out;
    syscall(SYS_execveat, s->init_fd, "", argv, no_env, AT_EMPTY_PATH);
out:
    s->error = errno;
    _exit(127);
}

/*
 * clone3(2) whose child calls `child` on the stack of `args`: the C library has no
 * wrapper, and a child that shares memory cannot return from syscall(2).
 */
#if defined(__x86_64__)
static long clone_child(struct clone_args *args, struct spawn *s)
{
    register void (*entry)(void *) __asm__("r12") = child;
    register struct spawn *argument __asm__("r13") = s;
    long rc;

    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %%r13, %%rdi\n\t"
                     "call *%%r12\n\t"
                     "ud2\n"
                     "1:"
                     : "=a"(rc)
                     : "0"((long)SYS_clone3), "D"(args), "S"(sizeof *args), "r"(entry), "r"(argument)
                     : "rcx", "r11", "memory", "cc");
    return rc;
}
#elif defined(__aarch64__)
static long clone_child(struct clone_args *args, struct spawn *s)
{
    register long number __asm__("x8") = SYS_clone3;
    register void *x0 __asm__("x0") = args;
    register long x1 __asm__("x1") = sizeof *args;
    register void (*entry)(void *) __asm__("x20") = child;
    register struct spawn *argument __asm__("x21") = s;

    __asm__ volatile("svc #0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, xzr\n\t"
                     "mov x0, x21\n\t"
                     "blr x20\n\t"
                     "brk #0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(number), "r"(x1), "r"(entry), "r"(argument)
                     : "memory", "cc");
    return (long)x0;
}
#else
/* Elsewhere the child has a copy of planc's memory: dearer, as correct; `s` is shared by mmap. */
static long clone_child(struct clone_args *args, struct spawn *s)
{
    args->flags &= ~(uint64_t)CLONE_VM;
    args->stack = args->stack_size = 0;
    long rc = syscall(SYS_clone3, args, sizeof *args);
    if (rc == 0)
        child(s);
    return rc < 0 ? -errno : rc;
}
#endif

/* The pid, or -errno; on failure nothing is left of the child. */
static int clone_and_exec(struct spawn *s, void *stack, int cgroup_fd, int *pidfd)
{
    sigset_t all, old;
    siginfo_t info;
    struct clone_args args = {
        .flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | (cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
        .stack = (uintptr_t)stack,
        .stack_size = STACK,
        .cgroup = cgroup_fd >= 0 ? (uint64_t)cgroup_fd : 0,
    };

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);
    long pid = clone_child(&args, s);
    sigprocmask(SIG_SETMASK, &old, NULL);
    if (pid < 0)
        return (int)pid;
    if (!s->error)
        return (int)pid;
    waitid((idtype_t)P_PIDFD, (id_t)*pidfd, &info, WEXITED);
    close(*pidfd);
    *pidfd = -1;
    return -s->error;
}

int planc_spawn(int init_fd, int plan_fd, const int *fds, int count, int keep_fds, int cgroup_fd, int *pidfd)
{
    *pidfd = -1;
    if (count < 0 || keep_fds < 0)
        return -EINVAL;
    void *memory = mmap(NULL, STACK + 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    struct spawn *s = (void *)((char *)memory + STACK);
    *s = (struct spawn){
        .init_fd = init_fd, .plan_fd = plan_fd, .fds = fds, .count = count, .keep_fds = keep_fds};
    snprintf(s->plan_text, sizeof s->plan_text, "%d", plan_fd);
    int pid = clone_and_exec(s, memory, cgroup_fd, pidfd);
    munmap(memory, STACK + 4096);
    return pid;
}
