// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "lib/base/util.h"
#include "lib/base/dirs.h"

static void *
check_memory(void *p)
{
    if (!p) {
        fputs("virtual memory exhausted\n", stderr);
        abort();
    }
    return p;
}

void *
xmalloc(size_t size)
{
    return check_memory(malloc(size ? size : 1));
}

void *
xcalloc(size_t n, size_t size)
{
    return check_memory(calloc(n ? n : 1, size ? size : 1));
}

void *
xzalloc(size_t size)
{
    return xcalloc(1, size);
}

void *
xrealloc(void *p, size_t size)
{
    return check_memory(realloc(p, size ? size : 1));
}

void *
xmemdup(const void *p, size_t size)
{
    void *copy = xmalloc(size);

    if (size) {
        memcpy(copy, p, size);
    }
    return copy;
}

#define AHEAD_BYTES (16 * 1024) /* Less than what free() would give back. */
#define PAGE_BYTES 4096

void
heap_touch_ahead(void)
{
    volatile char *p = xmalloc(AHEAD_BYTES);

    for (size_t i = 0; i < AHEAD_BYTES; i += PAGE_BYTES) {
        p[i] = 0;
    }
    free((void *) p);
}

char *
xstrdup(const char *s)
{
    return xmemdup(s, strlen(s) + 1);
}

char *
xstrndup(const char *s, size_t n)
{
    size_t len = strnlen(s, n);
    char *copy = xmalloc(len + 1);

    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

char *
xasprintf(const char *fmt, ...)
{
    va_list args;
    char *s;

    va_start(args, fmt);
    if (vasprintf(&s, fmt, args) < 0) {
        s = NULL;
    }
    va_end(args);
    return check_memory(s);
}

void
array_grow(void *p, size_t *allocated, size_t size)
{
    void **array = p;
    size_t n = *allocated ? *allocated * 2 : 4;

    *array = xrealloc(*array, n * size);
    *allocated = n;
}

void
fatal(int status, int error, const char *fmt, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", program_name());
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    if (error) {
        fprintf(stderr, " (%s)", errno_text(error));
    }
    fputc('\n', stderr);
    exit(status);
}

const char *
errno_text(int error)
{
    static __thread char text[128];

    /* GNU's strerror_r() may answer with static text of its own. */
    return strerror_r(abs(error), text, sizeof text);
}

static int64_t
clock_us(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t
now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t
now_ms(void)
{
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t
wall_ms(void)
{
    return clock_us(CLOCK_REALTIME) / 1000;
}

/* The value of 'c' as a digit, 36 if it is none. */
static unsigned
digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? 10 + c - 'a' : 36;
}

int
parse_u64(const char *s, uint64_t max, uint64_t *value)
{
    unsigned base = 10;
    uint64_t sum = 0;
    bool over = false;

    if (s[0] == '0' && (s[1] | 0x20) == 'x') {
        base = 16;
        s += 2;
    }
    if (!*s) {
        return -EINVAL;
    }
    for (; *s; s++) {
        unsigned digit = digit_value(*s);

        if (digit >= base) {
            return -EINVAL;
        }
        over |= __builtin_mul_overflow(sum, (uint64_t) base, &sum) ||
                __builtin_add_overflow(sum, (uint64_t) digit, &sum);
    }
    if (over || sum > max) {
        return -ERANGE;
    }
    *value = sum;
    return 0;
}

int
parse_u32(const char *s, uint32_t *value)
{
    uint64_t wide;
    int error = parse_u64(s, UINT32_MAX, &wide);

    if (!error) {
        *value = (uint32_t) wide;
    }
    return error;
}
