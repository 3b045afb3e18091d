// SPDX-License-Identifier: Apache-2.0
// Building lists of datapath actions.
#include <config.h>
#include "lib/flow/action.h"

void *
action_put(struct buf *list, enum action_kind kind, size_t size)
{
    struct action *a;

    size = ROUND_UP(size, 8);
    a = buf_put_zeros(list, size);
    a->kind = (uint16_t) kind;
    a->size = (uint32_t) size;
    return a;
}

void
action_put_output(struct buf *list, uint32_t port)
{
    struct action_output *a = action_put(list, ACTION_OUTPUT, sizeof *a);

    a->port = port;
}

void
action_put_userspace(struct buf *list, uint32_t pid, const struct upcall_cookie *cookie)
{
    struct action_userspace *a = action_put(list, ACTION_USERSPACE, sizeof *a);

    a->cookie = *cookie;
    a->pid = pid;
}

size_t
action_nest_begin(struct buf *list, enum action_kind kind, size_t header_size)
{
    size_t offset = list->len;

    action_put(list, kind, header_size);
    return offset;
}

static size_t
header_size(enum action_kind kind)
{
    switch (kind) {
    case ACTION_SAMPLE:
        return sizeof(struct action_sample);
    case ACTION_CLONE:
        return sizeof(struct action_clone);
    default:
        return sizeof(struct action_check_len);
    }
}

void
action_nest_else(struct buf *list, size_t offset)
{
    struct action_check_len *c = (struct action_check_len *) (void *) (list->data + offset);

    c->greater_size = (uint32_t) (list->len - offset - sizeof *c);
}

void
action_nest_end(struct buf *list, size_t offset)
{
    struct action *a = (struct action *) (void *) (list->data + offset);
    uint32_t nested = (uint32_t) (list->len - offset - header_size(a->kind));

    a->size = (uint32_t) (list->len - offset);
    if (a->kind == ACTION_SAMPLE) {
        ((struct action_sample *) (void *) a)->nested_size = nested;
    } else if (a->kind == ACTION_CLONE) {
        ((struct action_clone *) (void *) a)->nested_size = nested;
    }
}

const struct action *
action_nested(const struct action *a, size_t *size)
{
    const void *p = (const uint8_t *) a + header_size(a->kind);

    switch (a->kind) {
    case ACTION_SAMPLE:
        *size = ((const struct action_sample *) (const void *) a)->nested_size;
        return p;
    case ACTION_CLONE:
        *size = ((const struct action_clone *) (const void *) a)->nested_size;
        return p;
    case ACTION_CHECK_LEN:
        *size = ((const struct action_check_len *) (const void *) a)->greater_size;
        return p;
    default:
        *size = 0;
        return NULL;
    }
}
