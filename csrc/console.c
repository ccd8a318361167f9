/* console.c - the container's terminal, and its own /dev/null for standard descriptors. */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>
#include "init.h"
#include "raw.h"
#include "scope.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

/* Open a character device of the container, known to be `device`. O_NONBLOCK: it may turn out to be a FIFO. */
static int open_device(struct init *in, const char *path, dev_t device)
{
    struct stat st;
    cleanup_close int fd = root_open(in, path, O_RDWR | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    if (!S_ISCHR(st.st_mode) || st.st_rdev != device) {
        errno = ENODEV;
        return -1;
    }
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) < 0)
        return -1;
    return steal_fd(&fd);
}

static bool is_dev_null(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

int run_reopen_dev_null(struct init *in, const struct op_reopen_dev_null *args)
{
    cleanup_close int null = -1;

    (void)args;
    for (int fd = 0; fd < 3; fd++) {
        if (!is_dev_null(fd))
            continue;
        if (null < 0)
            null = open_device(in, "/dev/null", makedev(1, 3));
        if (null < 0 || dup3(null, fd, 0) < 0)
            return fail(in, errno, "reopen descriptor %d on the container's /dev/null", fd);
    }
    return 0;
}

/* A new pair; the slave by TIOCGPTPEER: no path of the container is asked for it. */
static int open_pair(struct init *in, int *slave)
{
    int unlock = 0;
    cleanup_close int master = open_device(in, "/dev/ptmx", makedev(5, 2));

    if (master < 0)
        return fail(in, errno, "console: open the container's /dev/ptmx");
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
        return fail(in, errno, "console: unlock the terminal");
    *slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*slave < 0)
        return fail(in, errno, "console: open the terminal's other side");
    return steal_fd(&master);
}

static int prepare(struct init *in, const struct op_console *args, int master, int slave)
{
    struct winsize size = {.ws_col = (unsigned short)args->width, .ws_row = (unsigned short)args->height};
    struct stat st;

    if ((args->width || args->height) && ioctl(master, TIOCSWINSZ, &size) < 0)
        return fail(in, errno, "console: set the size");
    if (fstat(slave, &st) < 0)
        return fail(in, errno, "console: stat");
    if (st.st_uid != (uid_t)args->uid && fchown(slave, (uid_t)args->uid, (gid_t)-1) < 0)
        return fail(in, errno, "console: make uid %u the owner", (unsigned)args->uid);
    return 0;
}

/* The slave's inode on /dev/console, by descriptors only. */
static int bind_console(struct init *in, int slave)
{
    cleanup_close int target = root_make_file(in, "/dev/console");
    if (target < 0)
        return fail(in, errno, "console: create /dev/console");
    cleanup_close int tree = raw_open_tree(slave, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
    if (tree < 0)
        return fail(in, errno, "console: clone the terminal's mount");
    if (raw_move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return fail(in, errno, "console: mount on /dev/console");
    return 0;
}

static int make_controlling(struct init *in, int slave)
{
    if (ioctl(slave, TIOCSCTTY, 0) < 0)
        return fail(in, errno, "console: make it the controlling terminal");
    for (int fd = 0; fd < 3; fd++)
        if (dup3(slave, fd, 0) < 0)
            return fail(in, errno, "console: make it descriptor %d", fd);
    return 0;
}

int run_console(struct init *in, const struct op_console *args)
{
    static const char name[] = "/dev/ptmx"; /* without its NUL, as runc sends it */
    cleanup_close int slave = -1;
    cleanup_close int master = open_pair(in, &slave);

    if (master < 0 || prepare(in, args, master, slave) < 0)
        return -1;
    if (args->bind_console && bind_console(in, slave) < 0)
        return -1;
    if (send_fd(slot_get(in, args->socket), master, name, sizeof name - 1) < 0)
        return fail(in, errno, "console: send the terminal over the console socket");
    slot_put(in, args->socket, -1);
    return make_controlling(in, slave);
}
