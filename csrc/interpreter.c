/* interpreter.c - execve(2) says ENOENT of a program that is there: name what is not. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "interpreter.h"
#include "scope.h"

#define HEAD 256 /* BINPRM_BUF_SIZE: what the kernel reads of a script's first line */
#define MAX_DEPTH 4

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#elif defined(__riscv)
#define OWN_MACHINE EM_RISCV
#else
#define OWN_MACHINE 0
#endif

struct program {
    int fd;
    ssize_t size; /* of head */
    union {
        char bytes[HEAD];
        ElfW(Ehdr) elf;
    } head;
};

static bool is_elf(const struct program *p)
{
    return p->size >= (ssize_t)sizeof p->head.elf && memcmp(p->head.bytes, ELFMAG, SELFMAG) == 0;
}

/* The word after "#!". */
static bool script_interpreter(const struct program *p, char *path)
{
    if (p->size < 2 || memcmp(p->head.bytes, "#!", 2) != 0)
        return false;
    size_t end = (size_t)p->size, at = 2, used = 0;
    while (at < end && (p->head.bytes[at] == ' ' || p->head.bytes[at] == '\t'))
        at++;
    while (at < end && used < HEAD - 1 && !strchr(" \t\r\n", p->head.bytes[at]))
        path[used++] = p->head.bytes[at++];
    path[used] = '\0';
    return used > 0;
}

static bool elf_interpreter(const struct program *p, char *path)
{
    const ElfW(Ehdr) *elf = &p->head.elf;
    ElfW(Phdr) header;

    if (!is_elf(p) || elf->e_phentsize != sizeof header)
        return false;
    for (unsigned i = 0; i < elf->e_phnum; i++) {
        off_t at = (off_t)(elf->e_phoff + i * sizeof header);
        if (pread(p->fd, &header, sizeof header, at) != sizeof header)
            return false;
        if (header.p_type != PT_INTERP)
            continue;
        size_t size = header.p_filesz < HEAD - 1 ? (size_t)header.p_filesz : HEAD - 1;
        ssize_t n = pread(p->fd, path, size, (off_t)header.p_offset);
        if (n <= 0)
            return false;
        path[n] = '\0';
        return true;
    }
    return false;
}

/* The chain script → interpreter → loader, up to the first link that is missing. */
static void explain_missing(const char *path, int error, char *text, size_t size)
{
    char at[PATH_MAX], next[HEAD];

    snprintf(at, sizeof at, "%s", path);
    for (int i = 0; i < MAX_DEPTH; i++) {
        cleanup_close int fd = open(at, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        struct program p = {.fd = fd};
        p.size = fd < 0 ? -1 : read(fd, p.head.bytes, sizeof p.head.bytes);
        if (!script_interpreter(&p, next) && !elf_interpreter(&p, next))
            return;
        if (access(next, error == ENOENT ? F_OK : X_OK) < 0) {
            snprintf(text, size, "its interpreter %s is %s", next, errno == ENOENT ? "missing" : "not executable");
            return;
        }
        snprintf(at, sizeof at, "%s", next);
    }
}

static void explain_format(const char *path, char *text, size_t size)
{
    cleanup_close int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct program p = {.fd = fd};

    p.size = fd < 0 ? -1 : read(fd, p.head.bytes, sizeof p.head.bytes);
    if (p.size == 0)
        snprintf(text, size, "the file is empty");
    else if (is_elf(&p) && OWN_MACHINE && p.head.elf.e_machine != OWN_MACHINE)
        snprintf(text, size, "a program for another machine (ELF e_machine %u, this is %u)", p.head.elf.e_machine,
                 OWN_MACHINE);
    else if (p.size > 0 && !is_elf(&p) && memcmp(p.head.bytes, "#!", 2) != 0)
        snprintf(text, size, "neither an ELF program nor a script that begins with #!");
}

void explain_exec(const char *path, int error, char *text, size_t size)
{
    text[0] = '\0';
    if (error == ENOENT || error == EACCES)
        explain_missing(path, error, text, size);
    else if (error == ENOEXEC)
        explain_format(path, text, size);
}
