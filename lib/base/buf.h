// SPDX-License-Identifier: Apache-2.0
// A growable byte buffer, used for text and for wire formats alike, and a bounded reader.
#ifndef LIB_BASE_BUF_H
#define LIB_BASE_BUF_H 1

#include <stdarg.h>
#include "lib/base/util.h"

/* Owns 'data'. All zeros is an empty buffer. Text is always followed by a NUL beyond 'len' once buf_text() was called. */
struct buf {
    uint8_t *data;
    size_t len;
    size_t allocated;
};

#define BUF_EMPTY ((struct buf){NULL, 0, 0})

void buf_free(struct buf *);                     /* Releases the memory; '*b' is empty after it. */
void buf_clear(struct buf *);                    /* Keeps the memory. */
void buf_reserve(struct buf *, size_t room);     /* At least 'room' bytes can be put without moving 'data'. */
void *buf_put(struct buf *, const void *, size_t); /* Appends; pointer to what was appended, valid until the next append. */
void *buf_put_zeros(struct buf *, size_t);
void buf_put_u8(struct buf *, uint8_t);
void buf_put_be16(struct buf *, uint16_t host_value);
void buf_put_be32(struct buf *, uint32_t host_value);
void buf_put_be64(struct buf *, uint64_t host_value);
void buf_pad(struct buf *, size_t alignment);    /* Zeros until 'len' is a multiple of 'alignment'. */

void buf_putf(struct buf *, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_putv(struct buf *, const char *fmt, va_list) PRINTF_LIKE(2, 0);
void buf_puts(struct buf *, const char *);
void buf_putc(struct buf *, char);
void buf_chomp(struct buf *, char);              /* Takes one 'c' off the end, if it is there. */
const char *buf_text(struct buf *);              /* NUL-terminated; owned by 'b'. */
char *buf_steal_text(struct buf *);              /* The same, owned by the caller; 'b' is empty after it. */
void buf_put_hex_dump(struct buf *, const void *, size_t, size_t first_offset); /* 16 bytes a line, offset, hex, ASCII. */

/* A view of bytes owned by somebody else; reading moves 'data' on. Never reads past the end. */
struct slice {
    const uint8_t *data;
    size_t len;
};

static inline struct slice
slice_of(const void *data, size_t len)
{
    return (struct slice){data, len};
}

/* Takes 'n' bytes off the front: a pointer to them, or NULL when fewer are left (then nothing is taken). */
static inline const void *
slice_pull(struct slice *s, size_t n)
{
    const uint8_t *p = s->data;

    if (n > s->len) {
        return NULL;
    }
    s->data += n;
    s->len -= n;
    return p;
}

/* Copies 'n' bytes off the front to 'dst'; false (and nothing taken) when fewer are left. */
static inline bool
slice_get(struct slice *s, void *dst, size_t n)
{
    const void *p = slice_pull(s, n);

    if (p) {
        memcpy(dst, p, n);
    }
    return p != NULL;
}

/* Big-endian integers off the front, in host order; false when fewer bytes are left. */
bool slice_get_u8(struct slice *, uint8_t *);
bool slice_get_be16(struct slice *, uint16_t *);
bool slice_get_be32(struct slice *, uint32_t *);
bool slice_get_be64(struct slice *, uint64_t *);

#endif
