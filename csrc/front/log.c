/* log.c - error messages as runtime/cli/report.py writes them. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "front.h"

#define INTERRUPTED 130
#define REPLACEMENT 0xfffd
#define LINE_MAX_SIZE 16384

/* Text in the making; what does not fit is left out. */
struct line {
    char data[LINE_MAX_SIZE];
    size_t size;
};

static void put(struct line *line, const char *data, size_t size)
{
    if (size > sizeof line->data - line->size)
        size = sizeof line->data - line->size;
    memcpy(line->data + line->size, data, size);
    line->size += size;
}

static void put_string(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

/* What the second byte of a UTF-8 sequence may be; the length of the sequence, 0: no lead byte. */
static int lead(unsigned char byte, unsigned char *low, unsigned char *high)
{
    *low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    *high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    if (byte < 0x80)
        return 1;
    if (byte >= 0xc2 && byte <= 0xdf)
        return 2;
    if (byte >= 0xe0 && byte <= 0xef)
        return 3;
    return byte >= 0xf0 && byte <= 0xf4 ? 4 : 0;
}

/* The code point at *text, which moves on; REPLACEMENT for each longest part of what is no UTF-8. */
static uint32_t next_code(const unsigned char **text)
{
    static const unsigned char MASK[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned char low, high, byte = *(*text)++;
    int length = lead(byte, &low, &high);
    uint32_t code = byte & MASK[length];

    if (length == 0)
        return REPLACEMENT;
    for (int i = 1; i < length; i++) {
        byte = **text;
        if (byte < low || byte > high)
            return REPLACEMENT;
        code = code << 6 | (byte & 0x3f);
        low = 0x80;
        high = 0xbf;
        ++*text;
    }
    return code;
}

static void put_utf8(struct line *line, uint32_t code)
{
    char bytes[4];
    size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

    for (size_t i = size; i-- > 1; code >>= 6)
        bytes[i] = (char)(0x80 | (code & 0x3f));
    bytes[0] = (char)(size == 1 ? code : (0xf00 >> size & 0xff) | code);
    put(line, bytes, size);
}

static void put_plain(struct line *line, const char *text)
{
    for (const unsigned char *next = (const unsigned char *)text; *next;)
        put_utf8(line, next_code(&next));
}

/* In double quotes, with what would break the line escaped. */
static void put_quoted(struct line *line, const char *text)
{
    put_string(line, "\"");
    for (const unsigned char *next = (const unsigned char *)text; *next;) {
        uint32_t code = next_code(&next);
        if (code == '\\' || code == '"')
            put_string(line, "\\");
        if (code == '\n' || code == '\t')
            put_string(line, code == '\n' ? "\\n" : "\\t");
        else
            put_utf8(line, code);
    }
    put_string(line, "\"");
}

static void put_unit(struct line *line, uint32_t unit)
{
    char text[8];

    snprintf(text, sizeof text, "\\u%04x", (unsigned)unit & 0xffff);
    put_string(line, text);
}

/* A JSON string, all ASCII. */
static void put_json(struct line *line, const char *text)
{
    static const char SHORT[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    put_string(line, "\"");
    for (const unsigned char *next = (const unsigned char *)text; *next;) {
        uint32_t code = next_code(&next);
        const char *escape = SHORT;
        while (*escape && (unsigned char)*escape != code)
            escape += 2;
        if (*escape)
            put(line, (char[]){'\\', escape[1]}, 2);
        else if (code >= ' ' && code <= '~')
            put_utf8(line, code);
        else if (code < 0x10000)
            put_unit(line, code);
        else {
            put_unit(line, 0xd800 | (code - 0x10000) >> 10);
            put_unit(line, 0xdc00 | (code & 0x3ff));
        }
    }
    put_string(line, "\"");
}

/* RFC 3339 in UTC: always 20 characters. */
static void put_time(struct line *line)
{
    time_t seconds = time(NULL);
    char text[32] = "";
    struct tm utc;

    if (gmtime_r(&seconds, &utc))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    put_string(line, text);
}

static void format(struct line *line, bool json, const char *text)
{
    put_string(line, json ? "{\"level\":\"error\",\"msg\":" : "time=\"");
    if (json)
        put_json(line, text);
    else
        put_time(line);
    put_string(line, json ? ",\"time\":\"" : "\" level=error msg=");
    if (json)
        put_time(line);
    else
        put_quoted(line, text);
    put_string(line, json ? "\"}\n" : "\n");
}

/* A caller may give /dev/null opened for reading, or a pipe that nobody reads: no reason to fail. */
static void write_line(int fd, const struct line *line)
{
    ssize_t n = write(fd, line->data, line->size);
    (void)n;
}

int log_open(struct log *log)
{
    if (!log->path || !*log->path)
        return 0;
    log->fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    return log->fd < 0 ? -1 : 0;
}

void log_close(struct log *log)
{
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}

void log_error(const struct log *log, const char *text)
{
    struct line formatted = {.size = 0}, plain = {.size = 0};

    format(&formatted, log->json, text);
    put_plain(&plain, text);
    put_string(&plain, "\n");
    if (log->fd >= 0)
        write_line(log->fd, &formatted);
    write_line(2, log->json && log->fd < 0 ? &formatted : &plain);
}

void ignore_write_signals(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

static const struct log *interrupted_log;

/* The program stands in read(2) or poll(2) then, so nothing that this calls has been interrupted. */
static void interrupt(int number)
{
    (void)number;
    log_error(interrupted_log, "interrupted");
    _exit(INTERRUPTED);
}

void catch_interrupt(const struct log *log)
{
    struct sigaction old;

    interrupted_log = log;
    if (sigaction(SIGINT, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        sigaction(SIGINT, &(struct sigaction){.sa_handler = interrupt}, NULL);
    else
        interrupted_log = NULL;
}

void release_interrupt(void)
{
    if (interrupted_log)
        signal(SIGINT, SIG_DFL);
    interrupted_log = NULL;
}
