/* environment.c - the payload's environment and working directory. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "init.h"
#include "raw.h"
#include "scope.h"

/* The next line without its end into `line`; what does not fit is cut off. -1: end of the file. */
struct reader {
    int fd;
    size_t at, size;
    char buffer[1024];
};

static int next_byte(struct reader *r)
{
    if (r->at == r->size) {
        ssize_t n = read(r->fd, r->buffer, sizeof r->buffer);
        if (n <= 0)
            return -1;
        r->size = (size_t)n;
        r->at = 0;
    }
    return (unsigned char)r->buffer[r->at++];
}

static int next_line(struct reader *r, char *line, size_t size)
{
    size_t used = 0;
    int c = next_byte(r);

    if (c < 0)
        return -1;
    for (; c >= 0 && c != '\n'; c = next_byte(r))
        if (used < size - 1)
            line[used++] = (char)c;
    line[used] = '\0';
    return 0;
}

/* The home in a line of passwd(5) when it is the line of `uid`, else NULL. */
static char *home_in(char *line, uint64_t uid)
{
    char *field[7], *end;

    for (int i = 0; i < 7; i++) {
        field[i] = strsep(&line, ":");
        if (!field[i])
            return NULL;
    }
    uint64_t found = strtoull(field[2], &end, 10);
    return field[2][0] >= '0' && field[2][0] <= '9' && !*end && found == uid ? field[5] : NULL;
}

/* "HOME=..." for the uid; what the container's /etc/passwd is or says is not trusted, only read. */
static char *home_entry(struct init *in, uint64_t uid)
{
    char line[PATH_MAX + 512];
    struct stat st;
    char *home = NULL;

    cleanup_close int fd = root_open(in, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY);
    struct reader r = {.fd = fd};
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        while (!home && next_line(&r, line, sizeof line) == 0)
            home = home_in(line, uid);
    const char *value = home && *home ? home : "/";
    char *entry = keep(in, strlen("HOME=") + strlen(value) + 1);
    strcpy(entry, "HOME=");
    return strcat(entry, value);
}

int run_environment(struct init *in, const struct op_environment *args)
{
    const char **env = str_array(in, args->env, 1);
    size_t home, count = (size_t)str_count(in, args->env);

    for (home = 0; home < count; home++)
        if (strncmp(env[home], "HOME=", 5) == 0)
            break;
    if (args->home && (home == count || env[home][5] == '\0'))
        env[home] = home_entry(in, args->uid);
    in->env = env;
    return 0;
}

/* CVE-2024-21626: a directory outside of the root (through /proc/self/fd/N) must not become ours. */
static int check_inside(struct init *in)
{
    char path[PATH_MAX + 16];

    if (raw_getcwd(path, sizeof path) < 0)
        return fail(in, errno, "working directory: not reachable from the container's root");
    if (path[0] != '/')
        return fail(in, 0, "working directory is outside of the container's root: possible breakout attempt");
    return 0;
}

int run_chdir(struct init *in, const struct op_chdir *args)
{
    const char *path = str(in, args->path);

    /* nor any directory of init's own; nothing that comes now needs it any more */
    if (in->root >= 0)
        close(in->root);
    in->root = -1;
    if (!path || !*path)
        path = "/";
    if (chdir(path) == 0)
        return check_inside(in);
    if (args->may_fail && (errno == EACCES || errno == EPERM))
        return 0;
    return fail(in, errno, "chdir to cwd (\"%s\") set in config.json failed", path);
}
