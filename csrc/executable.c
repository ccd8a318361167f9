/*
 * executable.c - OP_FIND_EXECUTABLE: argv[0] looked up in the container.
 *
 * Engines read these texts (dockerd and podman make exit code 126 or 127 of
 * them), so they have the form that Go's os/exec gives them, errno included.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "init.h"
#include "raw.h"

static const char *meaning(int error)
{
    switch (error) {
    case ENOENT: return "no such file or directory";
    case EACCES: return "permission denied";
    case EPERM: return "operation not permitted";
    case EISDIR: return "is a directory: permission denied"; /* the words engines make exit code 126 of */
    case ENOTDIR: return "not a directory";
    case ELOOP: return "too many levels of symbolic links";
    case ENAMETOOLONG: return "file name too long";
    default: return "cannot be executed";
    }
}

/* 0, or the errno of what stands in the way; `missing` tells stat(2)'s from our own judgement. */
static int check(const char *path, bool *missing)
{
    struct stat st;

    *missing = stat(path, &st) < 0;
    if (*missing)
        return errno;
    if (S_ISDIR(st.st_mode))
        return EISDIR;
    if (!S_ISREG(st.st_mode))
        return EACCES;
    if (raw_faccessat2(AT_FDCWD, path, X_OK, AT_EACCESS) == 0)
        return 0;
    if (errno != ENOSYS && errno != EPERM)
        return errno;
    return st.st_mode & 0111 ? 0 : EACCES; /* a seccomp filter older than the system call */
}

static const char *path_variable(const struct init *in)
{
    for (const char **entry = in->env; entry && *entry; entry++)
        if (strncmp(*entry, "PATH=", 5) == 0)
            return *entry + 5;
    return NULL;
}

/* The first that can be executed, as execvp(3); an empty entry is the working directory, no PATH nothing. */
static bool search(const char *list, const char *name, char path[PATH_MAX])
{
    bool missing;

    while (list) {
        size_t size = strcspn(list, ":");
        int n = snprintf(path, PATH_MAX, "%.*s%s%s", (int)size, list, size ? "/" : "./", name);
        if (n > 0 && n < PATH_MAX && check(path, &missing) == 0)
            return true;
        list = list[size] ? list + size + 1 : NULL;
    }
    return false;
}

int run_find_executable(struct init *in, const struct op_find_executable *args)
{
    const char *name = str(in, args->name);
    bool missing;

    if (!name)
        name = "";
    if (strchr(name, '/')) {
        int error = check(name, &missing);
        if (error && missing)
            return fail(in, 0, "exec: \"%s\": stat %s: %s", name, name, meaning(error));
        if (error)
            return fail(in, 0, "exec: \"%s\": %s", name, meaning(error));
        in->executable = name;
        return 0;
    }
    char *path = keep(in, PATH_MAX);
    if (!*name || !search(path_variable(in), name, path))
        return fail(in, 0, "exec: \"%s\": executable file not found in $PATH", name);
    in->executable = path;
    return 0;
}
