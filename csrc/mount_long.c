/*
 * mount_long.c - file systems whose options do not fit fsconfig(2), which takes
 * values of at most 255 bytes (an overlay's lowerdir): mount(2) on the target
 * itself, which knows only a page as the limit.
 */
#include <stdio.h>
#include <string.h>
#include "mounts.h"
#include "scope.h"

#define VALUE_MAX 255
#define DATA_MAX 4094 /* the kernel cuts off what is behind a page */

bool needs_mount_syscall(const struct init *in, const struct op_mount *args)
{
    const char *source = str(in, args->source), *data = str(in, args->data);
    if ((source && strlen(source) > VALUE_MAX) || (data && strstr(data, "\\,")))
        return true; /* "\," is overlayfs's own way of writing a comma, understood in mount(2) only */
    while (data && *data) {
        size_t word = strcspn(data, ","), key = strcspn(data, "=,");
        if (word - key > VALUE_MAX + 1 || key > VALUE_MAX)
            return true;
        data += word + (data[word] == ',');
    }
    return false;
}

static const struct {
    const char *word;
    unsigned long flag;
} superflag[] = {
    {"ro", MS_RDONLY},         {"sync", MS_SYNCHRONOUS}, {"dirsync", MS_DIRSYNC},    {"mand", MS_MANDLOCK},
    {"lazytime", MS_LAZYTIME}, {"silent", MS_SILENT},    {"iversion", MS_I_VERSION},
};

/* Words that only clear what a new mount does not have anyway (rw, async, ...) are no flag. */
static unsigned long superflags(const char *list)
{
    char word[32];
    unsigned long flags = 0;
    while (next_word(&list, word, sizeof word) > 0)
        for (size_t i = 0; i < sizeof superflag / sizeof *superflag; i++)
            if (strcmp(word, superflag[i].word) == 0)
                flags |= superflag[i].flag;
    return flags;
}

/*
 * The descriptor of the mount just made: the same path, resolved again inside
 * the root, must now be the root of a mount.
 */
static int reopen(struct init *in, const char *path)
{
    struct place place;
    cleanup_close int tree = root_open(in, path, O_PATH | O_DIRECTORY);
    if (tree < 0 || place_of(tree, &place) < 0)
        return -1;
    if (!place.is_mount_root) {
        errno = ESTALE;
        return -1;
    }
    return steal_fd(&tree);
}

int mount_on_target(struct init *in, const struct op_mount *args, int target)
{
    const char *type = str(in, args->type), *path = str(in, args->target), *source = str(in, args->source);
    const char *data = str(in, args->data);
    if (data && strlen(data) > DATA_MAX)
        return fail(in, 0, "mount %s on %s: the options are longer than the %d bytes of a page", type, path, DATA_MAX);
    if (fchdir(target) < 0)
        return fail(in, errno, "chdir to %s", path);
    int rc = raw_mount(source ? source : "none", ".", type, superflags(str(in, args->superflags)), data);
    int error = errno;
    if (fchdir(in->root) < 0)
        return fail(in, errno, "chdir to the root of the container");
    if (rc < 0)
        return refused_silently(in, args, error);
    cleanup_close int tree = reopen(in, path);
    if (tree < 0 || (args->attrs && set_attributes(tree, args->attrs, 0, false) < 0))
        return fail(in, errno, "mount %s on %s: set its attributes", type, path);
    return steal_fd(&tree);
}
