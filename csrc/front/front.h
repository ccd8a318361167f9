/*
 * front.h - the commands that need no Python: state, kill, start and delete, where they are plain.
 *
 * Starting an interpreter costs many times what these commands do.  So front_main()
 * is asked first.  It does a command completely, as runtime/cli would, to the byte; or
 * it answers TO_PYTHON, and then has changed nothing, or only what Python's command
 * does too and finds done (delete: processes killed, a cgroup or a file removed).
 *
 * What it goes by is the summary of the container (runtime/state/summary.py).  Hooks,
 * systemd, processes outside of a pid namespace of the container's own, every error
 * message but those of a program that does not start: all that is Python's.
 */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "../native.h"
#include "../scope.h"

#define TO_PYTHON (-1)
#define SUMMARY_MAX (1 << 17)
#define CGROUP_MAX 32

/* The exit code, or TO_PYTHON. `argv` is main()'s; no descriptor stays open. */
int front_main(int argc, char **argv);

/* --log and --log-format; `fd` is -1 until log_open(). */
struct log {
    const char *path;
    bool json;
    int fd;
};

struct command;

/* What summary.py writes. Strings point into `text`. */
struct summary {
    pid_t pid;
    uint64_t start_time;
    bool mounts; /* in the caller's tree, to be taken away */
    bool own_pid_namespace;
    bool poststart;
    bool poststop;
    bool systemd;
    const char *freezer;     /* the container is paused when this file, NULL: none, ... */
    const char *frozen_text; /* ... holds this */
    const char *cgroup[CGROUP_MAX];
    int cgroups;
    struct { const char *data; size_t size; } part[3]; /* of the output of `state` */
    char text[SUMMARY_MAX];
};

/* A container's open directory. */
struct container {
    char path[PATH_MAX];
    int dir;
    struct summary summary;
};

struct verb {
    const char *name;
    bool locks; /* holds flock(2) on the directory while it runs */
    int (*run)(struct command *command, struct container *container);
};

struct command {
    const struct verb *verb;
    struct log log;
    const char *root;
    const char *id;
    const char *signal; /* kill; NULL: not given */
    bool force;         /* delete */
};

enum status { CREATED, RUNNING, PAUSED, STOPPED };

/* arguments.c: 0, or -1 for whatever is not a plain good command line of one of the `verbs`. */
int read_command(struct command *command, const struct verb *verbs, int argc, char **argv);

/* summary.c: 0, or -1 unless there is a summary of the state.json that is there now. */
int read_summary(int dir, struct summary *summary);

/* status.c */
/* Up to `size` - 1 bytes by one read(2), NUL-terminated; their number or -1. */
ssize_t read_text(const char *path, char *text, size_t size);
/* 1: the process that started then; 0: it is gone, or a zombie; -1: nobody knows. */
int is_running(pid_t pid, uint64_t start_time);
/* An enum status, or -1. */
int container_status(const struct container *container);

/* signals.c: the number, or -1. */
int parse_signal(const char *text);

/* log.c */
/* To be called before anything is changed: -1, errno: Python will say why. */
int log_open(struct log *log);
void log_close(struct log *log);
/* One error, to the log file and standard error as --log-format says. `text` need not be UTF-8. */
void log_error(const struct log *log, const char *text);
/* A write(2) that nobody reads is an error and no signal, as in Python. */
void ignore_write_signals(void);
/* Until release_interrupt(), SIGINT is reported and ends the process with 130, as Python's would. */
void catch_interrupt(const struct log *log);
void release_interrupt(void);

/* errno.c: "ENOENT" and "No such file or directory", or NULL; the same with every C library. */
const char *errno_name(int number);
const char *errno_meaning(int number);

int run_state(struct command *command, struct container *container);
int run_kill(struct command *command, struct container *container);
int run_start(struct command *command, struct container *container);
int run_delete(struct command *command, struct container *container);

/* start.c: what init wrote to exec.status, as an error. */
void report_failure(const struct log *log, const struct message *message);

/* kill.c: descriptor of the container's init; -1, errno ESRCH: it is gone. */
int open_init(const struct summary *summary);
int send_signal(int pidfd, int signal);
