/*
 * The smallest possible caller of a runtime, the same for all that are measured.
 *
 *   driver cycle RUNTIME ROOT BUNDLE ID PIDFILE   create, start, state, kill KILL, delete; waits for the
 *                                                 container's init between kill and delete
 *   driver peak COMMAND [ARGUMENT...]             runs the command once and prints "KILOBYTES EXITCODE":
 *                                                 the largest resident set any one of its processes had
 *
 * It is a static program because wait4(2) reports of a child no less than what its parent held when the
 * child was made; and a subreaper, as containerd's shim and conmon are, so that it can wait for the init.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIMEOUT_SECONDS = 60 };

extern char **environ;

static void die(const char *what)
{
    dprintf(STDERR_FILENO, "driver: %s: %s\n", what, strerror(errno));
    _exit(125);
}

/* Runs argv and returns its exit code, 128 + signal if it was killed; *usage is what it used. */
static int run(char *const argv[], struct rusage *usage)
{
    pid_t pid;
    int status;

    errno = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
    if (errno != 0)
        die(argv[0]);
    while (wait4(pid, &status, 0, usage) < 0)
        if (errno != EINTR)
            die("wait4");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t read_pid(const char *path)
{
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
        die(path);
    close(fd);
    return (pid_t)strtol(text, NULL, 10);
}

static void step(char *const argv[])
{
    struct rusage usage;
    int code = run(argv, &usage);

    if (code != 0) {
        dprintf(STDERR_FILENO, "driver: %s %s ended with %d\n", argv[0], argv[3], code);
        _exit(1);
    }
}

static int cycle(char *argv[])
{
    char *runtime = argv[0], *root = argv[1], *bundle = argv[2], *id = argv[3], *pid_file = argv[4];
    int status;

    step((char *[]){runtime, "--root", root, "create", "--bundle", bundle, "--pid-file", pid_file, id, NULL});
    step((char *[]){runtime, "--root", root, "start", id, NULL});
    step((char *[]){runtime, "--root", root, "state", id, NULL});
    step((char *[]){runtime, "--root", root, "kill", id, "KILL", NULL});
    if (waitpid(read_pid(pid_file), &status, 0) < 0)
        die("waitpid for the container's init");
    step((char *[]){runtime, "--root", root, "delete", id, NULL});
    return 0;
}

static int peak(char *argv[])
{
    struct rusage usage;
    int out = dup(STDOUT_FILENO), null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (out < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
        die("/dev/null");
    fcntl(out, F_SETFD, FD_CLOEXEC);
    int code = run(argv, &usage);
    dprintf(out, "%ld %d\n", usage.ru_maxrss, code);
    return 0;
}

int main(int argc, char *argv[])
{
    alarm(TIMEOUT_SECONDS);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        die("prctl");
    if (argc == 7 && strcmp(argv[1], "cycle") == 0)
        return cycle(argv + 2);
    if (argc > 2 && strcmp(argv[1], "peak") == 0)
        return peak(argv + 2);
    dprintf(STDERR_FILENO, "usage: driver cycle RUNTIME ROOT BUNDLE ID PIDFILE | driver peak COMMAND...\n");
    return 2;
}
