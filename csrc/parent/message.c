/* message.c - planc's side of the conversation: one message, with a descriptor when one comes. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "native_all.h"

/* The first descriptor is ours, further ones are not asked for and closed. */
static void take_descriptors(struct msghdr *m, int *fd)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
            int got;
            memcpy(&got, CMSG_DATA(c) + i * sizeof got, sizeof got);
            if (*fd < 0)
                *fd = got;
            else
                close(got);
        }
    }
}

static ssize_t receive(int from, struct message *message, int *fd)
{
    union {
        char bytes[CMSG_SPACE(4 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = message, .iov_len = sizeof *message};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};

    ssize_t n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
    if (n >= 0)
        take_descriptors(&m, fd);
    return n < 0 && errno == ENOTSOCK ? read(from, message, sizeof *message) : n;
}

int planc_receive(int from, struct message *message, int *fd)
{
    *fd = -1;
    memset(message, 0, sizeof *message);
    ssize_t n = receive(from, message, fd);
    if (n < 0)
        return errno == ECONNRESET ? 0 : -errno;
    if (n > 0 && n != sizeof *message) {
        if (*fd >= 0)
            close(*fd);
        *fd = -1;
        return -EPROTO;
    }
    message->text[sizeof message->text - 1] = '\0';
    return (int)n;
}

int planc_send(int to, uint32_t type)
{
    struct message m = {.type = type, .op = -1};
    ssize_t n = send(to, &m, sizeof m, MSG_NOSIGNAL);

    return n < 0 ? -errno : 0;
}
