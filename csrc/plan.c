/*
 * plan.c - the plan's blob: mapped, checked, and its arguments read.
 *
 * The blob is planc's own work, sealed; still nothing in it is followed without
 * a look at the bounds: a plan that cannot be true ends init (die()).
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "init.h"

static int check_header(struct init *in, uint64_t size)
{
    const struct plan_header *h = in->header;

    if (size < sizeof *h || h->magic != PLAN_MAGIC)
        return fail(in, 0, "malformed plan: not a plan");
    if (h->version != PLAN_VERSION)
        return fail(in, 0, "malformed plan: version %u, this init knows %u", h->version, PLAN_VERSION);
    in->sync = (int)h->sync_fd;
    if (h->size != size)
        return fail(in, 0, "malformed plan: its size is %llu, the file's %llu", (unsigned long long)h->size,
                    (unsigned long long)size);
    if (h->slot_count > SLOT_MAX)
        return fail(in, 0, "malformed plan: %u slots", h->slot_count);
    uint64_t slots_end = sizeof *h + ((uint64_t)h->slot_count * sizeof(int32_t) + 7) / 8 * 8;
    if (h->ops % 8 || h->ops < slots_end || h->ops > size)
        return fail(in, 0, "malformed plan: operations out of bounds");
    if (h->keep_fds > INT32_MAX - 3)
        return fail(in, 0, "malformed plan: %u descriptors to keep", h->keep_fds);
    return 0;
}

static void take_slots(struct init *in)
{
    const int32_t *slot = (const void *)(in->header + 1);

    for (uint32_t i = 0; i < SLOT_MAX; i++)
        in->slot[i] = i < in->header->slot_count ? slot[i] : -1;
}

int plan_open(struct init *in, int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return fail(in, errno, "plan");
    if ((uint64_t)st.st_size < sizeof *in->header)
        return fail(in, 0, "malformed plan: too short");
    in->blob = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (in->blob == MAP_FAILED)
        return fail(in, errno, "map the plan");
    in->header = (const void *)in->blob;
    close(fd);
    if (check_header(in, (uint64_t)st.st_size) < 0)
        return -1;
    take_slots(in);
    return 0;
}

/* `size` bytes at `offset`, whose address is a multiple of `align`. */
static const void *bytes_at(const struct init *in, uint64_t offset, uint64_t size, uint64_t align)
{
    uint64_t end = in->header->size;

    if (offset < sizeof *in->header || offset % align || offset > end || size > end - offset)
        die((struct init *)in, 0, "malformed plan: argument out of bounds");
    return in->blob + offset;
}

/* The count in front of a vector whose items have `size` bytes; the items are known to be there. */
static uint64_t count_at(const struct init *in, uint64_t offset, uint64_t size)
{
    if (!offset)
        return 0;
    uint64_t count = *(const uint64_t *)bytes_at(in, offset, sizeof count, 8);
    if (count > in->header->size / size)
        die((struct init *)in, 0, "malformed plan: vector out of bounds");
    bytes_at(in, offset + sizeof count, count * size, 1);
    return count;
}

static uint64_t item_at(const struct init *in, uint64_t offset, uint64_t i)
{
    if (i >= count_at(in, offset, sizeof i))
        die((struct init *)in, 0, "malformed plan: item out of bounds");
    return ((const uint64_t *)(const void *)(in->blob + offset))[i + 1];
}

const char *str(const struct init *in, str_t s)
{
    if (!s.offset)
        return NULL;
    const char *text = bytes_at(in, s.offset, 1, 1);
    if (!memchr(text, '\0', (size_t)(in->header->size - s.offset)))
        die((struct init *)in, 0, "malformed plan: string without an end");
    return text;
}

uint64_t str_count(const struct init *in, strv_t v)
{
    return count_at(in, v.offset, sizeof(str_t));
}

const char *str_at(const struct init *in, strv_t v, uint64_t i)
{
    const char *text = str(in, (str_t){item_at(in, v.offset, i)});

    if (!text)
        die((struct init *)in, 0, "malformed plan: no string in a vector of strings");
    return text;
}

const char **str_array(struct init *in, strv_t v, size_t extra)
{
    uint64_t count = str_count(in, v);
    const char **array = keep(in, (count + extra + 1) * sizeof *array);

    for (uint64_t i = 0; i < count; i++)
        array[i] = str_at(in, v, i);
    return array;
}

uint64_t u64_count(const struct init *in, u64v_t v)
{
    return count_at(in, v.offset, sizeof(uint64_t));
}

uint64_t u64_at(const struct init *in, u64v_t v, uint64_t i)
{
    return item_at(in, v.offset, i);
}

const void *blob_bytes(const struct init *in, blob_t b, uint64_t *size)
{
    *size = count_at(in, b.offset, 1);
    return b.offset ? in->blob + b.offset + sizeof *size : NULL;
}

static int *slot_of(const struct init *in, slot_t s)
{
    if (s.index >= SLOT_MAX)
        die((struct init *)in, 0, "malformed plan: slot %llu", (unsigned long long)s.index);
    return (int *)&in->slot[s.index];
}

int slot_get(const struct init *in, slot_t s)
{
    return s.index == SLOT_NONE ? -1 : *slot_of(in, s);
}

void slot_put(struct init *in, slot_t s, int fd)
{
    if (s.index == SLOT_NONE) {
        if (fd >= 0)
            close(fd);
        return;
    }
    int *slot = slot_of(in, s);
    if (*slot >= 0 && *slot != fd)
        close(*slot);
    *slot = fd;
}

void *keep(struct init *in, size_t size)
{
    void *memory = mmap(NULL, size ? size : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        die(in, errno, "no memory");
    return memory;
}
