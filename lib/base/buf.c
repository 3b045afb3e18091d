// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib/base/buf.h"

void
buf_free(struct buf *b)
{
    free(b->data);
    *b = BUF_EMPTY;
}

void
buf_clear(struct buf *b)
{
    b->len = 0;
}

void
buf_reserve(struct buf *b, size_t room)
{
    if (b->allocated - b->len < room) {
        size_t want = MAX(b->allocated * 2, (size_t) 64);

        b->allocated = MAX(want, b->len + room);
        b->data = xrealloc(b->data, b->allocated);
    }
}

/* Makes the buffer 'n' bytes longer; a pointer to them, not initialised. */
static void *
buf_extend(struct buf *b, size_t n)
{
    void *p;

    buf_reserve(b, MAX(n, (size_t) 1)); /* Never NULL, not even for nothing. */
    p = b->data + b->len;
    b->len += n;
    return p;
}

void *
buf_put(struct buf *b, const void *data, size_t n)
{
    void *p = buf_extend(b, n);

    if (n) {
        memcpy(p, data, n);
    }
    return p;
}

void *
buf_put_zeros(struct buf *b, size_t n)
{
    return memset(buf_extend(b, n), 0, n);
}

void
buf_put_u8(struct buf *b, uint8_t value)
{
    buf_put(b, &value, sizeof value);
}

void
buf_put_be16(struct buf *b, uint16_t value)
{
    value = htobe16(value);
    buf_put(b, &value, sizeof value);
}

void
buf_put_be32(struct buf *b, uint32_t value)
{
    value = htobe32(value);
    buf_put(b, &value, sizeof value);
}

void
buf_put_be64(struct buf *b, uint64_t value)
{
    value = htobe64(value);
    buf_put(b, &value, sizeof value);
}

void
buf_pad(struct buf *b, size_t alignment)
{
    size_t over = b->len % alignment;

    if (over) {
        buf_put_zeros(b, alignment - over);
    }
}

void
buf_putf(struct buf *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_putv(b, fmt, args);
    va_end(args);
}

void
buf_putv(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    size_t room;
    int n;

    buf_reserve(b, 64);
    room = b->allocated - b->len;
    va_copy(again, args);
    n = vsnprintf((char *) b->data + b->len, room, fmt, args);
    if (n > 0 && (size_t) n >= room) {
        buf_reserve(b, (size_t) n + 1);
        n = vsnprintf((char *) b->data + b->len, (size_t) n + 1, fmt, again);
    }
    va_end(again);
    if (n > 0) {
        b->len += (size_t) n;
    }
}

void
buf_puts(struct buf *b, const char *s)
{
    buf_put(b, s, strlen(s));
}

void
buf_putc(struct buf *b, char c)
{
    buf_put(b, &c, 1);
}

void
buf_chomp(struct buf *b, char c)
{
    if (b->len && b->data[b->len - 1] == (uint8_t) c) {
        b->len--;
    }
}

const char *
buf_text(struct buf *b)
{
    buf_reserve(b, 1);
    b->data[b->len] = '\0';
    return (const char *) b->data;
}

char *
buf_steal_text(struct buf *b)
{
    char *text;

    buf_text(b);
    text = (char *) b->data;
    *b = BUF_EMPTY;
    return text;
}

void
buf_put_hex_dump(struct buf *b, const void *data, size_t n, size_t first_offset)
{
    const uint8_t *p = data;

    for (size_t line = 0; line < n; line += 16) {
        size_t in_line = MIN(n - line, (size_t) 16);

        buf_putf(b, "%08zx ", first_offset + line);
        for (size_t i = 0; i < 16; i++) {
            if (i < in_line) {
                buf_putf(b, "%c%02x", i == 8 ? '-' : ' ', p[line + i]);
            } else {
                buf_puts(b, "   ");
            }
        }
        buf_puts(b, " |");
        for (size_t i = 0; i < 16; i++) {
            buf_putc(b, i >= in_line ? ' ' : isprint(p[line + i]) ? (char) p[line + i] : '.');
        }
        buf_puts(b, "|\n");
    }
}

bool
slice_get_u8(struct slice *s, uint8_t *value)
{
    return slice_get(s, value, sizeof *value);
}

bool
slice_get_be16(struct slice *s, uint16_t *value)
{
    bool got = slice_get(s, value, sizeof *value);

    if (got) {
        *value = be16toh(*value);
    }
    return got;
}

bool
slice_get_be32(struct slice *s, uint32_t *value)
{
    bool got = slice_get(s, value, sizeof *value);

    if (got) {
        *value = be32toh(*value);
    }
    return got;
}

bool
slice_get_be64(struct slice *s, uint64_t *value)
{
    bool got = slice_get(s, value, sizeof *value);

    if (got) {
        *value = be64toh(*value);
    }
    return got;
}
