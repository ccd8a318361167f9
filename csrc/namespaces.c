/* namespaces.c - the stage enters and makes namespaces, and forks init into them. */
#include <errno.h>
#include <grp.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sched.h>
#include <unistd.h>
#include "init.h"
#include "raw.h"
#include "scope.h"

static const struct {
    uint64_t flag;
    const char *name;
} kinds[] = {
    {CLONE_NEWUSER, "user"},       {CLONE_NEWNS, "mount"}, {CLONE_NEWPID, "pid"}, {CLONE_NEWNET, "network"},
    {CLONE_NEWIPC, "ipc"},         {CLONE_NEWUTS, "uts"},  {CLONE_NEWTIME, "time"},
    {CLONE_NEWCGROUP, "cgroup"},
};

/* "mount, pid" for CLONE_NEWNS|CLONE_NEWPID. */
static void names_of(uint64_t flags, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (flags & kinds[i].flag) {
            size_t used = strlen(text);
            strncat(text, used ? ", " : "", size - used - 1);
            strncat(text, kinds[i].name, size - strlen(text) - 1);
        }
}

static int check_type(struct init *in, int fd, const char *path, uint64_t type)
{
    struct statfs fs;
    char wanted[80], found[80];

    if (fstatfs(fd, &fs) < 0)
        return fail(in, errno, "namespace path \"%s\"", path);
    if ((unsigned long)fs.f_type != NSFS_MAGIC)
        return fail(in, 0, "namespace path \"%s\" is no namespace", path);
    int actual = ioctl(fd, NS_GET_NSTYPE);
    if (actual < 0)
        return fail(in, errno, "namespace path \"%s\"", path);
    if ((uint64_t)actual == type)
        return 0;
    names_of(type, wanted, sizeof wanted);
    names_of((uint64_t)actual, found, sizeof found);
    return fail(in, EINVAL, "namespace path \"%s\" is a %s namespace, not a %s namespace", path, found, wanted);
}

int run_open_namespace(struct init *in, const struct op_open_namespace *args)
{
    const char *path = str(in, args->path);

    if (!path)
        return fail(in, EINVAL, "open a namespace without a path");
    /* O_NONBLOCK: somebody may have put a FIFO there */
    cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return fail(in, errno, "open namespace path \"%s\"", path);
    if (args->type && check_type(in, fd, path, args->type) < 0)
        return -1;
    slot_put(in, args->ns, steal_fd(&fd));
    return 0;
}

/* In a joined mount namespace "/" is what paths of the container begin at. */
static int enter_root(struct init *in)
{
    int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return fail(in, errno, "open the joined mount namespace's root");
    if (in->root >= 0)
        close(in->root);
    in->root = fd;
    return 0;
}

int run_setns(struct init *in, const struct op_setns *args)
{
    char names[80];

    if (setns(slot_get(in, args->ns), (int)args->type) < 0) {
        int error = errno;
        names_of(args->type, names, sizeof names);
        return fail(in, error, "join namespaces (%s)", names);
    }
    return args->type & CLONE_NEWNS ? enter_root(in) : 0;
}

int run_unshare(struct init *in, const struct op_unshare *args)
{
    char names[80];

    if (unshare((int)args->flags) == 0)
        return 0;
    int error = errno;
    names_of(args->flags, names, sizeof names);
    return fail(in, error, "create namespaces (%s)", names);
}

int run_become_root(struct init *in, const struct op_become_root *args)
{
    (void)args;
    if (setgroups(0, NULL) < 0 && errno != EPERM)
        return fail(in, errno, "drop the caller's groups");
    if (setresgid(0, 0, 0) < 0)
        return fail(in, errno, "become gid 0 of the user namespace");
    if (setresuid(0, 0, 0) < 0)
        return fail(in, errno, "become uid 0 of the user namespace");
    return 0;
}

int run_time_offsets(struct init *in, const struct op_time_offsets *args)
{
    const char *text = str(in, args->text);

    if (text && write_proc(AT_FDCWD, "/proc/self/timens_offsets", text) < 0)
        return fail(in, errno, "write /proc/self/timens_offsets");
    return 0;
}

/* The stage's last act. Init waits for it, so that planc hears of init's pid before it hears from init. */
static void announce(struct init *in, pid_t pid, int *gate)
{
    char byte = 0;

    if (send_message(in->sync, MSG_FORKED, in->op, 0, pid, NULL) < 0 || write(gate[1], &byte, 1) != 1) {
        raw_pidfd_send_signal(raw_pidfd_open(pid, 0), SIGKILL);
        _exit(1);
    }
    _exit(0);
}

static void end_of(int number)
{
    _exit(128 + number);
}

/*
 * The kernel keeps from a pid namespace's first process every signal it has no handler for; a
 * container that is created, not started, shall still end when it is told to.  execve(2) resets these.
 */
static void obey_signals(void)
{
    static const int obeyed[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM};
    struct sigaction action = {.sa_handler = end_of};

    for (size_t i = 0; i < sizeof obeyed / sizeof *obeyed; i++)
        sigaction(obeyed[i], &action, NULL);
}

int run_fork(struct init *in, const struct op_fork *args)
{
    int gate[2];
    char byte;

    (void)args;
    if (pipe2(gate, O_CLOEXEC) < 0)
        return fail(in, errno, "pipe");
    pid_t pid = raw_fork(CLONE_PARENT, 0); /* the exit signal is the stage's own */
    if (pid < 0)
        return fail(in, errno, "fork init");
    if (pid > 0)
        announce(in, pid, gate);
    prctl(PR_SET_NAME, "planc:[2:INIT]");
    obey_signals();
    close(gate[1]);
    ssize_t n = read(gate[0], &byte, 1);
    close(gate[0]);
    if (n != 1)
        _exit(1);
    return 0;
}
