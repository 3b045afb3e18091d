// SPDX-License-Identifier: Apache-2.0
// What every file needs: allocation that cannot fail, containers, bit and byte helpers.
#ifndef LIB_BASE_UTIL_H
#define LIB_BASE_UTIL_H 1

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARRAY_SIZE(A) (sizeof(A) / sizeof((A)[0]))
#define DIV_ROUND_UP(X, Y) (((X) + (Y) - 1) / (Y))
#define ROUND_UP(X, Y) (DIV_ROUND_UP(X, Y) * (Y))
#define MIN(A, B) ((A) < (B) ? (A) : (B))
#define MAX(A, B) ((A) > (B) ? (A) : (B))
#define PRINTF_LIKE(FMT, ARG1) __attribute__((format(printf, FMT, ARG1)))
#define NO_RETURN __attribute__((noreturn))
#define WARN_UNUSED __attribute__((warn_unused_result))
#define CONTAINER_OF(PTR, TYPE, MEMBER) ((TYPE *) (void *) ((char *) (PTR) - offsetof(TYPE, MEMBER)))

/* Allocation aborts with a message when memory is out: no caller checks. */
void *xmalloc(size_t size) __attribute__((malloc));
void *xzalloc(size_t size) __attribute__((malloc));
void *xcalloc(size_t n, size_t size) __attribute__((malloc));
void *xrealloc(void *p, size_t size);
void *xmemdup(const void *p, size_t size) __attribute__((malloc));
char *xstrdup(const char *s) __attribute__((malloc));
char *xstrndup(const char *s, size_t n) __attribute__((malloc));
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((malloc));

/* Makes room for one more element of 'size' bytes in the array '*p' of which '*allocated' slots exist. */
void array_grow(void *p, size_t *allocated, size_t size);
void heap_touch_ahead(void); /* Has the system give the heap its next pages now, so that who is in a hurry later need not wait for them. */

/* Prints 'fmt' on stderr, prefixed with the program's name, and exits with 'status'; 'error' (a positive errno or 0) is explained. */
void fatal(int status, int error, const char *fmt, ...) PRINTF_LIKE(3, 4) NO_RETURN;

/* strerror() for a negative or positive errno, in a buffer of the calling thread; "End of file" for EOF (-1 is not EPERM here: pass errnos). */
const char *errno_text(int error);

/* Microseconds and milliseconds on CLOCK_MONOTONIC, and milliseconds on CLOCK_REALTIME. */
int64_t now_us(void);
int64_t now_ms(void);
int64_t wall_ms(void);

/* Strict number parsing: the whole of 's' must be a number ("0x" and decimal; no sign, no blanks).  0, -EINVAL or -ERANGE. */
int parse_u64(const char *s, uint64_t max, uint64_t *value);
int parse_u32(const char *s, uint32_t *value);

static inline uint64_t
htonll(uint64_t x)
{
    return htobe64(x);
}

static inline uint64_t
ntohll(uint64_t x)
{
    return be64toh(x);
}

/* An unsigned integer mask of 'n' low bits, 0 <= n <= 64. */
static inline uint64_t
low_bits(unsigned n)
{
    return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

#endif
