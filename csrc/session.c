/* session.c - a session, a session keyring and a loopback interface of init's own. */
#include <errno.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "init.h"
#include "raw.h"
#include "scope.h"

#define KEY_USR_SEARCH 0x00080000ul /* keyctl_setperm(3) */

int run_setsid(struct init *in, const struct op_setsid *args)
{
    (void)args;
    if (setsid() < 0)
        return fail(in, errno, "setsid");
    return 0;
}

/* The permissions in KEYCTL_DESCRIBE's "type;uid;gid;perm;description", 0 if there are none. */
static unsigned long permissions(long key)
{
    char text[256];
    const char *at = text;

    long size = raw_keyctl(KEYCTL_DESCRIBE, (uintptr_t)key, (uintptr_t)text, sizeof text - 1);
    if (size <= 0)
        return 0;
    text[size < (long)sizeof text ? size : (long)sizeof text - 1] = '\0';
    for (int i = 0; i < 3 && at; i++) {
        at = strchr(at, ';');
        at = at ? at + 1 : NULL;
    }
    return at ? strtoul(at, NULL, 16) : 0;
}

int run_session_keyring(struct init *in, const struct op_session_keyring *args)
{
    const char *name = str(in, args->name);

    long key = raw_keyctl(KEYCTL_JOIN_SESSION_KEYRING, (uintptr_t)name, 0, 0);
    if (key < 0 && errno == ENOSYS)
        return 0;
    if (key < 0)
        return fail(in, errno, "join session keyring \"%s\"", name ? name : "");
    /* so that whoever runs as the same user, an exec'ed process above all, finds it by its name */
    unsigned long perm = permissions(key);
    if (!perm || raw_keyctl(KEYCTL_SETPERM, (uintptr_t)key, perm | KEY_USR_SEARCH, 0) < 0)
        return fail(in, errno, "permissions of session keyring \"%s\"", name ? name : "");
    return 0;
}

int run_loopback_up(struct init *in, const struct op_loopback_up *args)
{
    struct ifreq request = {.ifr_name = "lo"};

    (void)args;
    cleanup_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* netdevice(7): any family will do */
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        return fail(in, errno, "loopback interface");
    request.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        return fail(in, errno, "bring the loopback interface up");
    return 0;
}
