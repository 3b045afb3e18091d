// SPDX-License-Identifier: Apache-2.0
// Finds where JSON values end in a byte stream, by counting brackets outside of strings; jansson then parses
// each. Each byte is looked at once here, however the peer cuts its stream.
#include <config.h>
#include "lib/base/jsonrpc.h"

void
json_splitter_clear(struct json_splitter *s)
{
    buf_free(&s->pending);
    *s = (struct json_splitter){0};
}

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Looks at the next byte. True when it ends a value. */
static bool
scan_byte(struct json_splitter *s, uint8_t c)
{
    if (s->in_string) {
        if (s->escaped) {
            s->escaped = false;
        } else if (c == '\\') {
            s->escaped = true;
        } else if (c == '"') {
            s->in_string = false;
        }
    } else if (c == '"') {
        s->in_string = true;
    } else if (c == '{' || c == '[') {
        s->depth++;
    } else if (c == '}' || c == ']') {
        s->depth--;
        return s->depth == 0;
    }
    return false;
}

/* Parses the value that 'pending' holds and hands it over. */
static int
deliver(struct json_splitter *s, void (*got)(json_t *, void *), void *arg)
{
    json_error_t why;
    json_t *json = json_loadb((const char *) s->pending.data, s->pending.len, 0, &why);

    buf_clear(&s->pending);
    if (s->pending.allocated > 65536) {
        buf_free(&s->pending); /* A large message is the exception: do not keep its memory. */
    }
    if (!json) {
        return -EPROTO;
    }
    got(json, arg);
    return 0;
}

int
json_splitter_feed(struct json_splitter *s, struct slice bytes, size_t max_msg, void (*got)(json_t *, void *),
                   void *arg)
{
    while (bytes.len) {
        size_t n = 0;
        bool whole = false;

        while (!s->depth && bytes.len && is_blank(bytes.data[0])) {
            slice_pull(&bytes, 1);
        }
        if (!s->depth && bytes.len && bytes.data[0] != '{' && bytes.data[0] != '[') {
            return -EPROTO;
        }
        while (n < bytes.len && !whole) {
            whole = scan_byte(s, bytes.data[n++]);
        }
        if (n > max_msg - MIN(s->pending.len, max_msg)) {
            return -EMSGSIZE;
        }
        buf_put(&s->pending, bytes.data, n);
        slice_pull(&bytes, n);
        if (whole) {
            int error = deliver(s, got, arg);

            if (error) {
                return error;
            }
        }
    }
    return 0;
}
