/*
 * move_root.c - OP_MOVE_ROOT, for roots that cannot be pivoted away from (the
 * initramfs): the old root stays mounted beneath the new one.  A whole procfs or
 * sysfs in it would let the kernel grant a user namespace inside a fresh, unmasked
 * one, so each is unmounted, or covered where it may not be.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "mounts.h"
#include "scope.h"

/* All of a procfs file, NUL-terminated, to be freed; NULL and errno. */
static char *read_whole(const char *path)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0, size = 65536;
    char *text = fd < 0 ? NULL : malloc(size);
    while (text) {
        ssize_t n = read(fd, text + used, size - used - 1);
        if (n == 0) {
            text[used] = '\0';
            break;
        }
        if (n > 0)
            used += (size_t)n;
        char *larger = n < 0 ? NULL : used + 4096 < size ? text : realloc(text, size *= 2);
        if (!larger) {
            cleanup_free_p(&text);
            return NULL;
        }
        text = larger;
    }
    return text;
}

/* "\040" and its like, in place. */
static void unescape(char *s)
{
    char *out = s;
    for (; *s; s++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
            *out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
            s += 3;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
}

/* proc_pid_mountinfo(5): the mount point of a line about a whole proc or sysfs; else NULL. Cuts the line up. */
static char *bare_mount_point(char *line)
{
    char *field[5], *save = NULL, *type = strstr(line, " - ");
    if (!type || (strncmp(type + 3, "proc ", 5) != 0 && strncmp(type + 3, "sysfs ", 6) != 0))
        return NULL;
    for (int i = 0; i < 5; i++) {
        field[i] = strtok_r(i ? NULL : line, " ", &save);
        if (!field[i])
            return NULL;
    }
    if (strcmp(field[3], "/") != 0)
        return NULL;
    unescape(field[4]);
    return field[4];
}

static bool is_inside(const char *path, const char *root)
{
    size_t n = strlen(root);
    return strncmp(path, root, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* Locked mounts (EINVAL) and those of another owner (EPERM) can only be covered. */
static int hide(struct init *in, const char *path)
{
    if (raw_mount(NULL, path, NULL, MS_SLAVE | MS_REC, NULL) < 0 && (errno == ENOENT || errno == EINVAL))
        return 0; /* went away with a mount above it, or is covered itself */
    if (raw_umount2(path, MNT_DETACH) == 0 || errno == ENOENT)
        return 0;
    if (errno != EINVAL && errno != EPERM)
        return fail(in, errno, "unmount %s of the caller", path);
    if (raw_mount("tmpfs", path, "tmpfs", 0, NULL) < 0)
        return fail(in, errno, "cover %s of the caller", path);
    return 0;
}

static int hide_bare_mounts(struct init *in)
{
    char link[64], root[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", in->root);
    ssize_t n = readlink(link, root, sizeof root - 1);
    cleanup_free char *mounts = read_whole("/proc/self/mountinfo");
    if (n < 0 || !mounts)
        return fail(in, errno, "read the caller's mounts");
    root[n] = '\0';
    char *save = NULL;
    for (char *line = strtok_r(mounts, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *path = bare_mount_point(line);
        if (path && !is_inside(path, root) && hide(in, path) < 0)
            return -1;
    }
    return 0;
}

int run_move_root(struct init *in, const struct op_move_root *args)
{
    int root = slot_get(in, args->root);
    if (hide_bare_mounts(in) < 0)
        return -1;
    if (fchdir(root >= 0 ? root : in->root) < 0)
        return fail(in, errno, "enter the root file system");
    if (raw_mount(".", "/", NULL, MS_MOVE, NULL) < 0)
        return fail(in, errno, "move the root file system to /");
    if (chroot(".") < 0)
        return fail(in, errno, "chroot into the root file system");
    if (chdir("/") < 0)
        return fail(in, errno, "chdir to the new root");
    return 0;
}
