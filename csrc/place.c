/*
 * place.c - which directory of which mount a descriptor stands for: statx(2),
 * whose structure not every C library we build with has.
 */
#include <sys/syscall.h>
#include <unistd.h>
#include "mounts.h"

#define BASIC_STATS 0x7ff
#define MNT_ID 0x1000
#define ATTR_MOUNT_ROOT 0x2000

struct raw_statx {
    uint32_t mask;
    uint32_t blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, pad;
    uint64_t ino, size, blocks, attributes_mask;
    uint64_t times[8];
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t mnt_id;
    uint64_t spare[13];
};
_Static_assert(sizeof(struct raw_statx) == 256, "struct statx of the kernel");

int place_of(int fd, struct place *place)
{
    struct raw_statx st;
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, BASIC_STATS | MNT_ID, &st) < 0)
        return -1;
    *place = (struct place){
        .mount = st.mnt_id,
        .ino = st.ino,
        .is_mount_root = st.attributes & ATTR_MOUNT_ROOT,
    };
    return 0;
}

bool is_same_place(const struct place *a, const struct place *b)
{
    return a->mount == b->mount && a->ino == b->ino;
}
