/* memfd.c - bytes that cannot change any more: the plan, and init's executable (CVE-2019-5736). */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "native_all.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u /* since Linux 6.3; without either the kernel complains in its log */
#define MFD_NOEXEC_SEAL 0x8u
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int create(const char *name, int executable)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | (executable ? MFD_EXEC : MFD_NOEXEC_SEAL));

    if (fd < 0 && errno == EINVAL)
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return fd;
}

static int fill(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        data += n;
        size -= (size_t)n;
    }
    /* F_SEAL_EXEC freezes the mode as well, where the kernel knows it */
    if (fcntl(fd, F_ADD_SEALS, SEALS | F_SEAL_EXEC) == 0)
        return 0;
    return errno == EINVAL ? fcntl(fd, F_ADD_SEALS, SEALS) : -1;
}

int planc_sealed_memfd(const char *name, const void *data, size_t size, int executable)
{
    int fd = create(name, executable);

    if (fd < 0)
        return -errno;
    if (fill(fd, data, size) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}
