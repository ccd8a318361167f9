/* signals.c - signal names and numbers, as runtime/linux/signals.py takes them. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "front.h"

/* What libc leaves to programs; the kernel's own first is 32. */
#define RTMIN 34
#define RTMAX 64

static const struct {
    const char *name;
    int number;
} SIGNALS[] = {
    {"HUP", SIGHUP},       {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"ILL", SIGILL},       {"TRAP", SIGTRAP},
    {"ABRT", SIGABRT},     {"BUS", SIGBUS},   {"FPE", SIGFPE},   {"KILL", SIGKILL},     {"USR1", SIGUSR1},
    {"SEGV", SIGSEGV},     {"USR2", SIGUSR2}, {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},     {"TERM", SIGTERM},
    {"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD}, {"CONT", SIGCONT}, {"STOP", SIGSTOP},     {"TSTP", SIGTSTP},
    {"TTIN", SIGTTIN},     {"TTOU", SIGTTOU}, {"URG", SIGURG},   {"XCPU", SIGXCPU},     {"XFSZ", SIGXFSZ},
    {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"WINCH", SIGWINCH}, {"IO", SIGIO},       {"PWR", SIGPWR},
    {"SYS", SIGSYS},       {"IOT", SIGABRT},  {"CLD", SIGCHLD},  {"POLL", SIGIO},
};

/* Digits only, few enough that nothing overflows; or -1. */
static int decimal(const char *text)
{
    size_t size = strlen(text);

    return size > 0 && size <= 9 && strspn(text, "0123456789") == size ? atoi(text) : -1;
}

/* RTMIN, RTMIN+3, RTMAX, RTMAX-3. */
static int realtime(const char *name)
{
    bool from_min = strncasecmp(name, "RTMIN", 5) == 0;

    if (!from_min && strncasecmp(name, "RTMAX", 5) != 0)
        return -1;
    if (name[5] == '\0')
        return from_min ? RTMIN : RTMAX;
    int offset = decimal(name + 6);
    if (name[5] != (from_min ? '+' : '-') || offset < 0 || offset > RTMAX - RTMIN)
        return -1;
    return from_min ? RTMIN + offset : RTMAX - offset;
}

int parse_signal(const char *text)
{
    int number = decimal(text);

    if (number >= 0)
        return number <= RTMAX ? number : -1;
    if (strncasecmp(text, "SIG", 3) == 0)
        text += 3;
    for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++)
        if (strcasecmp(text, SIGNALS[i].name) == 0)
            return SIGNALS[i].number;
    return realtime(text);
}
