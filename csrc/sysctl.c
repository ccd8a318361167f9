/*
 * sysctl.c - kernel parameters of the container's namespaces.
 *
 * The container's image and mounts decide what stands at /proc/sys, so a value
 * is written only beneath the root of a procfs, over no other mount and no
 * symlink; when the container's own will not do (absent, read-only, covered),
 * beneath a fresh one that is mounted nowhere.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "init.h"
#include "raw.h"
#include "scope.h"

#define PROC_ROOT_INO 1
#define NARROW (RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

/* "sys" of the procfs `proc` (whose ownership passes to us), -1 and errno. */
static int open_sys(int proc)
{
    struct stat st;
    cleanup_close int fd = proc;

    if (fd < 0)
        return -1;
    if (!is_procfs(fd) || fstat(fd, &st) < 0 || st.st_ino != PROC_ROOT_INO) {
        errno = ENODEV;
        return -1;
    }
    return raw_openat2(fd, "sys", O_PATH | O_DIRECTORY | O_CLOEXEC, 0, NARROW);
}

static int mount_proc(void)
{
    cleanup_close int fs = raw_fsopen("proc", FSOPEN_CLOEXEC);

    if (fs < 0 || raw_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return -1;
    return raw_fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

/* The parameter's file below a procfs' root (whose ownership passes to us), -1 and errno. */
static int open_parameter(int proc, const char *path)
{
    cleanup_close int sys = open_sys(proc);

    if (sys < 0)
        return -1;
    return raw_openat2(sys, path, O_WRONLY | O_NOCTTY | O_CLOEXEC, 0, NARROW);
}

int run_sysctl(struct init *in, const struct op_sysctl *args)
{
    const char *path = str(in, args->path), *value = str(in, args->value);

    if (!path || !value)
        return fail(in, EINVAL, "sysctl without a name or a value");
    cleanup_close int fd = open_parameter(root_open(in, "/proc", O_PATH | O_DIRECTORY), path);
    int error = errno;
    if (fd < 0)
        fd = open_parameter(mount_proc(), path);
    if (fd < 0)
        return fail(in, error, "open /proc/sys/%s", path);
    size_t size = strlen(value);
    ssize_t n = write(fd, value, size);
    if (n != (ssize_t)size)
        return fail(in, n < 0 ? errno : EIO, "write \"%s\" to /proc/sys/%s", value, path);
    return 0;
}
