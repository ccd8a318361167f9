/*
 * dialog.c - init's side of the conversation with planc (native.h draws it).
 *
 * read(2) and write(2) carry it, not recvmsg(2) and sendmsg(2): a seccomp filter
 * that a payload can live with lets them pass.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "init.h"

int send_message(int fd, uint32_t type, int op, int error, int64_t value, const char *text)
{
    struct message m = {.type = type, .op = op, .error = error, .value = value};
    ssize_t n;

    if (text)
        strncpy(m.text, text, sizeof m.text - 1);
    do
        n = write(fd, &m, sizeof m);
    while (n < 0 && errno == EINTR);
    return n == sizeof m ? 0 : -1;
}

int send_fd(int socket, int fd, const void *data, size_t size)
{
    union {
        char bytes[CMSG_SPACE(sizeof fd)];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct iovec part = {.iov_base = (void *)data, .iov_len = size};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&m);
    ssize_t n;

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    do
        n = sendmsg(socket, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -1 : 0;
}

int wait_continue(struct init *in)
{
    struct message m;
    ssize_t n;

    do
        n = read(in->sync, &m, sizeof m);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        _exit(1); /* planc is gone: nobody wants this container */
    if (n != sizeof m || m.type != MSG_CONTINUE)
        return fail(in, 0, "planc answered out of turn");
    return 0;
}

int run_sync(struct init *in, const struct op_sync *args)
{
    (void)args;
    if (send_message(in->sync, MSG_SYNC, in->op, 0, 0, NULL) < 0)
        return fail(in, errno, "hand over to planc");
    return wait_continue(in);
}

static void record(struct init *in, int error, const char *format, va_list args)
{
    in->error = error;
    vsnprintf(in->text, sizeof in->text, format, args);
}

int fail(struct init *in, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    record(in, error, format, args);
    va_end(args);
    return -1;
}

void report_failure(struct init *in)
{
    int fd = in->status >= 0 ? in->status : in->sync;

    if (fd >= 0)
        send_message(fd, MSG_FAILED, in->op, in->error, 0, in->text);
}

void die(struct init *in, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    record(in, error, format, args);
    va_end(args);
    report_failure(in);
    _exit(1);
}
