/*
 * filesystem.c - a new file system as a detached mount: fsopen(2), fsconfig(2),
 * fsmount(2).  What the kernel has to say about a refusal goes into the failure text.
 */
#include <stdio.h>
#include <string.h>
#include "mounts.h"
#include "scope.h"

/* fsconfig(2) takes 255 bytes and a NUL, as key and as value. */
#define WORD_MAX 512

void read_fs_log(int context, char log[FS_LOG])
{
    size_t used = 0;
    int saved = errno;
    log[0] = '\0';
    while (used + 3 < FS_LOG) {
        char line[256];
        ssize_t n = read(context, line, sizeof line - 1);
        if (n <= 0)
            break;
        while (n > 0 && line[n - 1] == '\n')
            n--;
        line[n] = '\0';
        if (n > 2 && line[0] != 'i') /* "e text", "w text"; "i text" is not about the failure */
            used += (size_t)snprintf(log + used, FS_LOG - used, ": %s", line + 2);
    }
    log[FS_LOG - 1] = '\0';
    errno = saved;
}

static bool is_context(const char *word)
{
    return strncmp(word, "context=\"", 9) == 0 || strncmp(word, "fscontext=\"", 11) == 0 ||
           strncmp(word, "defcontext=\"", 12) == 0 || strncmp(word, "rootcontext=\"", 13) == 0;
}

static void unquote(char *word)
{
    char *quote = strchr(word, '"');
    size_t size = strlen(quote + 1);
    memmove(quote, quote + 1, size + 1);
    if (size > 0 && quote[size - 1] == '"')
        quote[size - 1] = '\0';
}

int next_word(const char **list, char *word, size_t size)
{
    const char *start = *list ? *list : "";
    start += strspn(start, ",");
    size_t n = strcspn(start, ",");
    bool quoted = is_context(start);
    if (quoted) {
        const char *close = strchr(strchr(start, '"') + 1, '"');
        n = close ? (size_t)(close - start) + 1 : strlen(start);
    }
    *list = start + n;
    if (n >= size)
        return -1;
    memcpy(word, start, n);
    word[n] = '\0';
    if (quoted)
        unquote(word);
    return n > 0;
}

/* Where the kernel gives no reason, the options are what it may not have liked. */
int refused_silently(struct init *in, const struct op_mount *args, int error)
{
    const char *data = str(in, args->data);
    bool any = data && *data && error == EINVAL;
    return fail(in, error, "mount %s on %s%s%s", str(in, args->type), str(in, args->target), any ? ": options " : "",
                any ? data : "");
}

static int set_option(int context, char *word)
{
    char *value = strchr(word, '=');
    if (!value)
        return raw_fsconfig(context, FSCONFIG_SET_FLAG, word, NULL, 0);
    *value = '\0';
    int rc = raw_fsconfig(context, FSCONFIG_SET_STRING, word, value + 1, 0);
    *value = '=';
    return rc;
}

/* Record the failure of one step, with the option it is about (or NULL). */
static int refused(struct init *in, const struct op_mount *args, int context, const char *option)
{
    char log[FS_LOG];
    int error = errno;
    read_fs_log(context, log);
    if (!option && !*log)
        return refused_silently(in, args, error);
    return fail(in, error, "mount %s on %s%s%s%s", str(in, args->type), str(in, args->target),
                option ? ": option " : "", option ? option : "", log);
}

static int set_options(struct init *in, const struct op_mount *args, int context, const char *list)
{
    char word[WORD_MAX];
    int n;
    while ((n = next_word(&list, word, sizeof word)) > 0)
        if (set_option(context, word) < 0)
            return refused(in, args, context, word);
    if (n < 0) {
        errno = EINVAL;
        return refused(in, args, context, NULL);
    }
    return 0;
}

static int configure(struct init *in, const struct op_mount *args, int context, int mode)
{
    const char *source = str(in, args->source);
    char option[24];
    if (source && *source && raw_fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) < 0)
        return refused(in, args, context, source);
    if (mode >= 0) {
        snprintf(option, sizeof option, "mode=%o", (unsigned)mode);
        if (set_option(context, option) < 0)
            return refused(in, args, context, option);
    }
    if (set_options(in, args, context, str(in, args->data)) < 0)
        return -1;
    return set_options(in, args, context, str(in, args->superflags));
}

int new_filesystem(struct init *in, const struct op_mount *args, uint64_t attrs, int mode)
{
    const char *type = str(in, args->type), *target = str(in, args->target);
    cleanup_close int context = raw_fsopen(type, FSOPEN_CLOEXEC);
    if (context < 0)
        return fail(in, errno, "mount %s on %s%s", type, target,
                    errno == ENODEV ? ": the kernel knows no such file system" : "");
    if (configure(in, args, context, mode) < 0)
        return -1;
    if (raw_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return refused(in, args, context, NULL);
    int tree = raw_fsmount(context, FSMOUNT_CLOEXEC, (unsigned)attrs);
    return tree < 0 ? refused(in, args, context, NULL) : tree;
}
