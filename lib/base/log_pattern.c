// SPDX-License-Identifier: Apache-2.0
// The line format of a sink: ovs-appctl(8), "vlog/set PATTERN".
#include <config.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#include "lib/base/dirs.h"
#include "lib/base/log_private.h"

/* RFC 5424 section 6.2.1: severities. */
int
log_severity(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_OFF:
    case LOG_LEVEL_EMER:
        return LOG_ALERT;
    case LOG_LEVEL_ERR:
        return LOG_ERR;
    case LOG_LEVEL_WARN:
        return LOG_WARNING;
    case LOG_LEVEL_INFO:
        return LOG_NOTICE;
    case LOG_LEVEL_DBG:
        break;
    }
    return LOG_DEBUG;
}

/* Appends the time by 'template' of strftime(3); each run of '#' becomes the first digits of the fraction of
 * a second. */
static void
put_time(struct buf *b, const char *template, size_t template_len, int64_t ms, bool utc)
{
    char *copy = xstrndup(template, template_len);
    time_t seconds = ms / 1000;
    char text[256], fraction[16];
    unsigned digit = 0;
    struct tm tm;
    size_t n;

    if (utc) {
        gmtime_r(&seconds, &tm);
    } else {
        localtime_r(&seconds, &tm);
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    n = strftime(text, sizeof text, copy, &tm); /* The operator's own template: any is harmless. */
#pragma GCC diagnostic pop
    free(copy);

    snprintf(fraction, sizeof fraction, "%03d", (int) (ms % 1000));
    for (size_t i = 0; i < n; i++) {
        if (text[i] != '#') {
            digit = 0;
            buf_putc(b, text[i]);
        } else {
            buf_putc(b, digit < 3 ? fraction[digit] : '0');
            digit++;
        }
    }
}

/* An escape of a pattern: "%-05N", "%D{...}". */
struct escape {
    bool left, zero;
    size_t width;
    char letter;
    const char *argument; /* Inside the braces; NULL if there are none. */
    size_t argument_len;
};

/* Parses what follows '%'; the first character after it. */
static const char *
parse_escape(const char *p, struct escape *e)
{
    *e = (struct escape){0};
    if (*p == '-') {
        e->left = true;
        p++;
    }
    if (*p == '0') {
        e->zero = true;
        p++;
    }
    while (isdigit((unsigned char) *p)) {
        e->width = MIN(e->width * 10 + (size_t) (*p - '0'), (size_t) 1024);
        p++;
    }
    e->letter = *p;
    if (*p) {
        p++;
    }
    if (*p == '{' && strchr("dD", e->letter)) {
        size_t len = strcspn(p + 1, "}");

        if (p[1 + len]) {
            e->argument = p + 1;
            e->argument_len = len;
            p += len + 2;
        }
    }
    return p;
}

static void
put_escape(struct buf *b, const struct escape *e, int facility, const struct log_record *r)
{
    static const char iso8601[] = "%Y-%m-%d %H:%M:%S";
    const char *name = log_thread_name();
    char host[256] = "";

    switch (e->letter) {
    case 'A':
        buf_puts(b, program_name());
        break;
    case 'B':
        buf_putf(b, "%d", facility * 8 + log_severity(r->level));
        break;
    case 'c':
        buf_puts(b, log_module_name(r->module));
        break;
    case 'd':
    case 'D':
        put_time(b, e->argument ? e->argument : iso8601, e->argument ? e->argument_len : strlen(iso8601),
                 r->wall_ms, e->letter == 'D');
        break;
    case 'E':
        gethostname(host, sizeof host - 1);
        buf_puts(b, host);
        break;
    case 'm':
        buf_puts(b, r->text);
        break;
    case 'N':
        buf_putf(b, "%u", r->serial);
        break;
    case 'n':
        buf_putc(b, '\n');
        break;
    case 'p':
        buf_puts(b, log_level_name(r->level));
        break;
    case 'P':
        buf_putf(b, "%ld", (long) getpid());
        break;
    case 'r':
        buf_putf(b, "%lld", (long long) log_uptime_ms());
        break;
    case 't':
        buf_puts(b, name[0] ? name : "main");
        break;
    case 'T':
        if (name[0]) {
            buf_putf(b, "(%s)", name);
        }
        break;
    default:
        buf_putc(b, e->letter ? e->letter : '%');
        break;
    }
}

/* Pads what stands in 'b' from 'start' on to the width of 'e'. */
static void
pad_escape(struct buf *b, size_t start, const struct escape *e)
{
    size_t len = b->len - start;

    if (len < e->width) {
        size_t n = e->width - len;

        buf_put_zeros(b, n);
        if (e->left) {
            memset(b->data + b->len - n, ' ', n);
        } else {
            memmove(b->data + start + n, b->data + start, len);
            memset(b->data + start, e->zero ? '0' : ' ', n);
        }
    }
}

void
log_format(struct buf *b, const char *pattern, int facility, const struct log_record *r)
{
    const char *p = pattern;

    while (*p) {
        struct escape e;
        size_t start;

        if (*p != '%') {
            buf_putc(b, *p++);
            continue;
        }
        p = parse_escape(p + 1, &e);
        start = b->len;
        put_escape(b, &e, facility, r);
        pad_escape(b, start, &e);
    }
}
