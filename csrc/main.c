/*
 * main.c - planc-init: carries out the operations of one plan.
 *
 * Started by planc_spawn() (spawn.c) from a sealed memfd, with one argument, the
 * plan's descriptor, and no environment.  It begins as the stage, in the caller's
 * namespaces; OP_FORK makes init of it.  It prints nothing: failures travel over
 * the conversation, and the exit status is 1.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "init.h"
#include "raw.h"

#define OPERATIONS(X) \
    X(OP_SYNC, sync) \
    X(OP_OOM_SCORE_ADJ, oom_score_adj) \
    X(OP_ENTER_CGROUPS, enter_cgroups) \
    X(OP_DUMPABLE, dumpable) \
    X(OP_OPEN_TREE, open_tree) \
    X(OP_HOLD_TREES, hold_trees) \
    X(OP_TAKE_TREES, take_trees) \
    X(OP_OPEN_NAMESPACE, open_namespace) \
    X(OP_SETNS, setns) \
    X(OP_UNSHARE, unshare) \
    X(OP_BECOME_ROOT, become_root) \
    X(OP_TIME_OFFSETS, time_offsets) \
    X(OP_FORK, fork) \
    X(OP_SETSID, setsid) \
    X(OP_SESSION_KEYRING, session_keyring) \
    X(OP_LOOPBACK_UP, loopback_up) \
    X(OP_ROOT_PROPAGATION, root_propagation) \
    X(OP_ATTACH_ROOTFS, attach_rootfs) \
    X(OP_MOUNT, mount) \
    X(OP_BIND, bind) \
    X(OP_SET_ATTR, set_attr) \
    X(OP_MKNOD, mknod) \
    X(OP_SYMLINK, symlink) \
    X(OP_HOOK, hook) \
    X(OP_PIVOT_ROOT, pivot_root) \
    X(OP_MOVE_ROOT, move_root) \
    X(OP_CHROOT, chroot) \
    X(OP_REOPEN_DEV_NULL, reopen_dev_null) \
    X(OP_CONSOLE, console) \
    X(OP_MAKE_CWD, make_cwd) \
    X(OP_READONLY_PATH, readonly_path) \
    X(OP_MASK_PATH, mask_path) \
    X(OP_SYSCTL, sysctl) \
    X(OP_HOSTNAME, hostname) \
    X(OP_DOMAINNAME, domainname) \
    X(OP_UMASK, umask) \
    X(OP_NO_NEW_PRIVILEGES, no_new_privileges) \
    X(OP_SCHEDULER, scheduler) \
    X(OP_IO_PRIORITY, io_priority) \
    X(OP_PERSONALITY, personality) \
    X(OP_ENVIRONMENT, environment) \
    X(OP_CHDIR, chdir) \
    X(OP_BOUNDING, bounding) \
    X(OP_STDIO_OWNER, stdio_owner) \
    X(OP_SETGROUPS, setgroups) \
    X(OP_SETUID, setuid) \
    X(OP_CAPSET, capset) \
    X(OP_AMBIENT, ambient) \
    X(OP_SECCOMP, seccomp) \
    X(OP_FIND_EXECUTABLE, find_executable) \
    X(OP_DONE, done) \
    X(OP_WAIT_START, wait_start) \
    X(OP_EXEC, exec)

#define WRAPPER(code, name) \
    static int call_##name(struct init *in, const void *args) { return run_##name(in, args); }
OPERATIONS(WRAPPER)

struct operation {
    int (*run)(struct init *in, const void *args);
    unsigned args;
};

#define ENTRY(code, name) [code] = {call_##name, sizeof(struct op_##name) / sizeof(uint64_t)},
static const struct operation table[OP_LAST] = {OPERATIONS(ENTRY)};

#define ONE(code, name) +1
_Static_assert(0 OPERATIONS(ONE) == OP_LAST - 1, "every operation has its entry");

/* Walk the whole list before anything is done: no plan fails half-way for its form. */
static int check_operations(struct init *in)
{
    uint64_t at = in->header->ops, end = in->header->size;

    for (uint32_t i = 0; i < in->header->op_count; i++) {
        if (end - at < sizeof(struct plan_op))
            return fail(in, 0, "malformed plan: operation %u out of bounds", i);
        const struct plan_op *op = (const void *)(in->blob + at);
        if (op->code == 0 || op->code >= OP_LAST || op->args != table[op->code].args)
            return fail(in, 0, "malformed plan: operation %u has code %u with %u arguments", i, op->code, op->args);
        at += sizeof *op;
        if ((end - at) / sizeof(uint64_t) < op->args)
            return fail(in, 0, "malformed plan: arguments of operation %u out of bounds", i);
        at += op->args * sizeof(uint64_t);
        if (op->code == OP_WAIT_START)
            in->wait = (const void *)(op + 1);
    }
    return 0;
}

/* One operation after the other, in the plan's order. */
static int child_main(struct init *in)
{
    uint64_t at = in->header->ops;

    for (uint32_t i = 0; i < in->header->op_count; i++) {
        const struct plan_op *op = (const void *)(in->blob + at);
        in->op = op->index;
        if (table[op->code].run(in, op + 1) < 0)
            return -1;
        at += sizeof *op + op->args * sizeof(uint64_t);
    }
    return 0;
}

/* What Python, or planc's caller, ignored or blocked is no business of the container's. */
static void reset_signals(void)
{
    sigset_t none;

    for (int i = 1; i < NSIG; i++)
        raw_default_action(i);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Whatever is ours to hold, inherited or not, ends with execve(2). */
static void mark_descriptors(struct init *in)
{
    raw_close_range(3 + in->header->keep_fds, ~0u, CLOSE_RANGE_CLOEXEC);
    fcntl(in->sync, F_SETFD, FD_CLOEXEC);
    for (unsigned i = 0; i < SLOT_MAX; i++)
        if (in->slot[i] >= 0)
            fcntl(in->slot[i], F_SETFD, FD_CLOEXEC);
}

static int descriptor(const char *text)
{
    char *end;
    long fd = strtol(text, &end, 10);
    return *text && !*end && fd >= 0 && fd < INT32_MAX ? (int)fd : -1;
}

int main(int argc, char **argv)
{
    static struct init in = {.sync = -1, .status = -1, .root = -1, .empty = -1, .op = -1};

    reset_signals();
    prctl(PR_SET_NAME, "planc:[1:STAGE]");
    if (argc != 2 || plan_open(&in, descriptor(argv[1])) < 0 || check_operations(&in) < 0) {
        report_failure(&in);
        return 1;
    }
    mark_descriptors(&in);
    if (child_main(&in) < 0) {
        report_failure(&in);
        return 1;
    }
    return 0;
}
