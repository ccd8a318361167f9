/* arguments.c - the command lines of runtime/cli/parse.py, as far as they concern the front. */
#include <stdlib.h>
#include <string.h>
#include "front.h"

#define ARGUMENTS_MAX 2
#define ID_MAX 255
#define ID_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-."

struct words {
    char **next;
    char **end;
};

/* Whether `word` is -name, --name, or one of them with =VALUE; `value` is NULL without. */
static bool is_option(char *word, const char *name, char **value)
{
    size_t size = strlen(name);

    word += word[1] == '-' ? 2 : 1;
    if (strncmp(word, name, size) != 0 || (word[size] != '\0' && word[size] != '='))
        return false;
    *value = word[size] == '=' ? word + size + 1 : NULL;
    return true;
}

static int need_value(struct words *words, char **value)
{
    if (*value)
        return 0;
    if (words->next == words->end)
        return -1;
    *value = *words->next++;
    return 0;
}

static int set_log_format(struct command *command, const char *value)
{
    command->log.json = strcmp(value, "json") == 0;
    return command->log.json || strcmp(value, "text") == 0 ? 0 : -1;
}

static int check_rootless(const char *value)
{
    return strcmp(value, "true") == 0 || strcmp(value, "false") == 0 || strcmp(value, "auto") == 0 ? 0 : -1;
}

/* --debug is not among them: it makes a command say more. */
static int global_option(struct command *command, struct words *words, char *word)
{
    char *value;

    if (is_option(word, "systemd-cgroup", &value))
        return value ? -1 : 0;
    if (is_option(word, "log", &value)) {
        if (need_value(words, &value) < 0)
            return -1;
        command->log.path = value;
        return 0;
    }
    if (is_option(word, "root", &value)) {
        if (need_value(words, &value) < 0)
            return -1;
        command->root = value;
        return 0;
    }
    if (is_option(word, "log-format", &value))
        return need_value(words, &value) < 0 ? -1 : set_log_format(command, value);
    if (is_option(word, "rootless", &value))
        return need_value(words, &value) < 0 ? -1 : check_rootless(value);
    return -1;
}

static int delete_option(struct command *command, char *word)
{
    char *value;

    if (strcmp(word, "-f") != 0 && (!is_option(word, "force", &value) || value))
        return -1;
    command->force = true;
    return 0;
}

static bool is_argument(const char *word)
{
    return word[0] != '-' || word[1] == '\0';
}

static int read_verb(struct command *command, const struct verb *verbs, struct words *words)
{
    while (words->next < words->end) {
        char *word = *words->next++;
        if (!is_argument(word)) {
            if (global_option(command, words, word) < 0)
                return -1;
            continue;
        }
        for (command->verb = verbs; command->verb->name; command->verb++)
            if (strcmp(word, command->verb->name) == 0)
                return 0;
        return -1;
    }
    return -1;
}

/* The words behind the command: the number of arguments, or -1. */
static int read_rest(struct command *command, struct words *words, const char **arguments)
{
    bool is_kill = strcmp(command->verb->name, "kill") == 0;
    bool is_delete = strcmp(command->verb->name, "delete") == 0;
    int count = 0;

    while (words->next < words->end) {
        char *word = *words->next++;
        /* behind its first argument, kill takes no options */
        if (is_argument(word) || (is_kill && count > 0)) {
            if (count == ARGUMENTS_MAX)
                return -1;
            arguments[count++] = word;
        } else if (!(is_delete && delete_option(command, word) == 0) && global_option(command, words, word) < 0) {
            return -1;
        }
    }
    return count <= (is_kill ? 2 : 1) ? count : -1;
}

static bool is_good_id(const char *id)
{
    size_t size = strlen(id);

    return size > 0 && size <= ID_MAX && strspn(id, ID_CHARACTERS) == size && strcmp(id, ".") != 0 &&
           strcmp(id, "..") != 0;
}

/* Absolute and in the form that os.path.abspath() gives, so that it need not be worked out. */
static bool is_plain_path(const char *path)
{
    size_t size = strlen(path);

    return path[0] == '/' && path[size - 1] != '/' && !strstr(path, "//") && !strstr(path, "/./") &&
           !strstr(path, "/../") && !(size >= 2 && strcmp(path + size - 2, "/.") == 0) &&
           !(size >= 3 && strcmp(path + size - 3, "/..") == 0);
}

/* As default_root() of runtime/state/root.py; a root that may be one of a user namespace only is Python's. */
static const char *default_root(void)
{
    const char *user = getenv("USER"), *directory = getenv("XDG_RUNTIME_DIR");

    if (geteuid() != 0 || (directory && *directory && !(user && strcmp(user, "root") == 0)))
        return NULL;
    return "/run/planc";
}

int read_command(struct command *command, const struct verb *verbs, int argc, char **argv)
{
    struct words words = {argv + (argc > 0), argv + argc};
    const char *arguments[ARGUMENTS_MAX] = {NULL, NULL};

    if (read_verb(command, verbs, &words) < 0 || read_rest(command, &words, arguments) < 1)
        return -1;
    command->id = arguments[0];
    command->signal = arguments[1];
    if (!is_good_id(command->id))
        return -1;
    if (command->root && *command->root)
        return is_plain_path(command->root) ? 0 : -1;
    command->root = default_root();
    return command->root ? 0 : -1;
}
