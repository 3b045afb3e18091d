// SPDX-License-Identifier: Apache-2.0
// The action set: what write_actions has collected, done in OpenFlow's own order at the end of the pipeline (OpenFlow Switch Specification 1.5.1,
// section 5.6).
#include <config.h>
#include "ofproto/translate_ctx.h"

/* The place of each kind in the order; 0: not in a set. */
static const uint8_t places[OFACT_N_KINDS] = {
#define OFACT(KIND, STRUCT, SET, CHECK) [OFACT_##KIND] = SET,
#include "lib/of/ofact.def"
};
enum { PLACE_FIELDS = 7, PLACE_GROUP = 9, PLACE_OUTPUT = 10 };

/* Appends what stands at 'place' in the set: the last of its kind, but all of those that write fields. */
static bool
put_place(const struct buf *set, unsigned place, struct buf *list)
{
    const struct ofact *a, *found = NULL;

    OFACT_FOR_EACH (a, set->data, set->len) {
        if (places[a->kind] == place) {
            found = a;
            if (place == PLACE_FIELDS) {
                buf_put(list, a, a->size);
            }
        }
    }
    if (found && place != PLACE_FIELDS) {
        buf_put(list, found, found->size);
    }
    return found != NULL;
}

/* The set as a list. Without an output or a group it does nothing. */
static void
put_list(const struct buf *set, struct buf *list)
{
    for (unsigned place = 1; place < PLACE_GROUP; place++) {
        put_place(set, place, list);
    }
    if (!put_place(set, PLACE_GROUP, list) && !put_place(set, PLACE_OUTPUT, list)) {
        buf_clear(list);
    }
}

static void
report(struct xl *xl, const char *verb)
{
    struct buf list = BUF_EMPTY, text = BUF_EMPTY;

    if (!xl->in->trace) {
        return;
    }
    put_list(&xl->action_set, &list);
    if (list.len) {
        ofact_format(list.data, list.len, NULL, &text);
        trace_add(xl->in->trace, TRACE_DETAIL, "action set %s: %s", verb, buf_text(&text));
    } else {
        trace_add(xl->in->trace, TRACE_DETAIL, "action set %s empty", verb);
    }
    buf_free(&list);
    buf_free(&text);
}

/* The field actset_output: the port of the set, unless a group stands before it. */
static void
set_actset_output(struct xl *xl)
{
    const struct ofact *a;
    uint32_t port = OFPP_UNSET;

    OFACT_FOR_EACH (a, xl->action_set.data, xl->action_set.len) {
        if (a->kind == OFACT_GROUP) {
            port = OFPP_UNSET;
            break;
        }
        if (a->kind == OFACT_OUTPUT) {
            port = ((const struct ofact_output *) (const void *) a)->port;
        }
    }
    xl->key.actset_output = port;
}

void
xl_set_write(struct xl *xl, const void *list, size_t size)
{
    buf_put(&xl->action_set, list, size);
    set_actset_output(xl);
    report(xl, "is");
}

void
xl_set_clear(struct xl *xl)
{
    report(xl, "was");
    buf_clear(&xl->action_set);
    xl->key.actset_output = OFPP_UNSET;
}

void
xl_set_execute(struct xl *xl)
{
    struct buf list = BUF_EMPTY;

    if (!xl->action_set.len) {
        return; /* As for nearly all packets. */
    }
    put_list(&xl->action_set, &list);
    buf_clear(&xl->action_set);
    if (list.len) {
        void *was = trace_enter(xl->in->trace, TRACE_TABLE, "--. Executing action set:");

        xl->in_action_set = true;
        xl_run(xl, list.data, list.len, true);
        xl->in_action_set = false;
        trace_leave(xl->in->trace, was);
    }
    buf_free(&list);
}
