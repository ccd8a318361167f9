/* identity.c - groups, user and group ids, capabilities. */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "init.h"
#include "raw.h"

/* The highest capability this kernel knows; no /proc needed. */
static uint64_t last_capability(struct init *in)
{
    if (!in->last_capability)
        while (in->last_capability < 63 && prctl(PR_CAPBSET_READ, in->last_capability + 1, 0, 0, 0) >= 0)
            in->last_capability++;
    return in->last_capability;
}

int run_bounding(struct init *in, const struct op_bounding *args)
{
    for (uint64_t cap = 0; cap <= last_capability(in); cap++) {
        if (args->keep >> cap & 1 || prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 1)
            continue;
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return fail(in, errno, "drop capability %u from the bounding set", (unsigned)cap);
    }
    return 0;
}

static bool is_dev_null(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

int run_stdio_owner(struct init *in, const struct op_stdio_owner *args)
{
    struct stat st;

    for (int fd = 0; fd < 3; fd++) {
        if (fstat(fd, &st) < 0 || is_dev_null(&st) || st.st_uid == (uid_t)args->uid)
            continue;
        if (fchown(fd, (uid_t)args->uid, (gid_t)-1) == 0)
            continue;
        /* another user's terminal, a read-only file system, an owner that is not mapped: as good as it gets */
        if (errno != EPERM && errno != EROFS && errno != EINVAL)
            return fail(in, errno, "make uid %u the owner of descriptor %d", (unsigned)args->uid, fd);
    }
    return 0;
}

/*
 * A joined user namespace may forbid setgroups(2) to everybody, user_namespaces(7);
 * its file that says so may be out of sight, or the container's own.
 */
static bool denied_to_all(void)
{
    uint64_t effective, permitted, inheritable;

    return raw_capget(&effective, &permitted, &inheritable) == 0 && effective >> CAP_SETGID & 1;
}

int run_setgroups(struct init *in, const struct op_setgroups *args)
{
    uint64_t count = u64_count(in, args->gids);

    if (args->skip)
        return 0;
    if (count > NGROUPS_MAX)
        return fail(in, EINVAL, "set %llu additional groups", (unsigned long long)count);
    gid_t *gids = keep(in, count * sizeof *gids);
    for (uint64_t i = 0; i < count; i++)
        gids[i] = (gid_t)u64_at(in, args->gids, i);
    if (setgroups((size_t)count, gids) < 0 && !(count == 0 && errno == EPERM && denied_to_all()))
        return fail(in, errno, "set %llu additional groups", (unsigned long long)count);
    return 0;
}

int run_setuid(struct init *in, const struct op_setuid *args)
{
    uid_t uid = (uid_t)args->uid;
    gid_t gid = (gid_t)args->gid;
    uint64_t effective, permitted, inheritable;

    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return fail(in, errno, "PR_SET_KEEPCAPS");
    if (setresgid(gid, gid, gid) < 0)
        return fail(in, errno, "become gid %u", gid);
    if (setresuid(uid, uid, uid) < 0)
        return fail(in, errno, "become uid %u", uid);
    if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
        return fail(in, errno, "PR_SET_KEEPCAPS");
    /* the change of uid cleared the effective set; what follows (cwd, capabilities) still needs it */
    if (raw_capget(&effective, &permitted, &inheritable) < 0 || raw_capset(permitted, permitted, inheritable) < 0)
        return fail(in, errno, "make the kept capabilities effective");
    return 0;
}

int run_capset(struct init *in, const struct op_capset *args)
{
    /* planc's caller may have ambient ones; the container's come after, by OP_AMBIENT */
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return fail(in, errno, "clear the ambient capabilities");
    if (raw_capset(args->effective, args->permitted, args->inheritable) < 0)
        return fail(in, errno, "set capabilities (effective 0x%llx, permitted 0x%llx, inheritable 0x%llx)",
                    (unsigned long long)args->effective, (unsigned long long)args->permitted,
                    (unsigned long long)args->inheritable);
    return 0;
}

int run_ambient(struct init *in, const struct op_ambient *args)
{
    for (uint64_t cap = 0; cap <= last_capability(in); cap++)
        if (args->mask >> cap & 1)
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0); /* not inheritable or not permitted: as documented */
    return 0;
}
