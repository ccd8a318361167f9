/*
 * main.c - the front by itself, for the tests.
 *
 *   front ARGUMENT...            does the command; where that is Python's, prints PYTHON and exits 99
 *   front --failures LOG FORMAT  reports each struct message on standard input as `start` would
 */
#include <stdio.h>
#include <string.h>
#include "../../csrc/front/front.h"

#define PYTHON 99

static int report_failures(const char *path, const char *form)
{
    struct log log = {.path = path, .json = strcmp(form, "json") == 0, .fd = -1};
    struct message message;

    if (log_open(&log) < 0)
        return 2;
    while (fread(&message, sizeof message, 1, stdin) == 1)
        report_failure(&log, &message);
    log_close(&log);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--failures") == 0)
        return report_failures(argv[2], argv[3]);
    int code = front_main(argc, argv);
    if (code == TO_PYTHON) {
        puts("PYTHON");
        return PYTHON;
    }
    return code;
}
