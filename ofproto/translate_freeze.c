// SPDX-License-Identifier: Apache-2.0
// Freezing: when what comes next depends on headers that this pass cannot see, the packet goes through the datapath once more, and what remains to be done
// waits for it under a number.
#include <config.h>
#include "ofproto/private.h"
#include "ofproto/translate_ctx.h"

void
xl_freeze_begin(struct xl *xl)
{
    xl->exit = true;
    xl->freezing = true;
}

void
xl_freeze_rest(struct xl *xl, const void *list, size_t size)
{
    struct freeze_segment seg = {.cookie = xl->cookie, .size = (uint32_t) size, .table_id = xl->table_id};

    buf_put(&xl->frozen, &seg, sizeof seg);
    buf_put(&xl->frozen, list, size);
}

/* The part of the key that is not in the packet. */
static struct flow_key
metadata_of(const struct flow_key *key)
{
    struct flow_key meta = {0};

    memcpy(&meta, key, offsetof(struct flow_key, skb_priority));
    meta.in_port = key->in_port;
    meta.actset_output = key->actset_output;
    return meta;
}

static struct freeze
state_of(struct xl *xl, uint8_t table)
{
    return (struct freeze){
        .bridge_id = xl->bridge->id,
        .table_id = table,
        .in_action_set = xl->in_action_set,
        .conntracked = xl->conntracked,
        .meta = metadata_of(&xl->key),
        .ofacts = slice_of(xl->frozen.data, xl->frozen.len),
        .action_set = slice_of(xl->action_set.data, xl->action_set.len),
        .stack = slice_of(xl->stack.data, xl->stack.len),
    };
}

static uint32_t
intern(struct xl *xl, const struct freeze *f)
{
    uint32_t id = freeze_intern(f);

    if (!id) {
        xl_fail(xl, TRANSLATE_NO_RECIRC, "Failed to allocate recirculation id");
    } else {
        xl_effect(xl, EFFECT_FREEZE)->freeze = id;
    }
    return id;
}

uint32_t
xl_freeze_for_controller(struct xl *xl, const struct xl_packet_in *in)
{
    struct freeze f = {
        .bridge_id = xl->bridge->id,
        .table_id = xl->table_id,
        .conntracked = xl->conntracked,
        .meta = metadata_of(&xl->key),
        .userdata = slice_of(in->userdata, in->userdata_len),
    };

    return intern(xl, &f);
}

/* A pipeline that pauses for the controller: the packet goes there with all that is needed to go on; nothing comes back by itself. */
static void
pause_for_controller(struct xl *xl, struct freeze *f)
{
    const struct ofact_controller *c = xl->pause;
    struct upcall_cookie cookie = {
        .reason = UPCALL_CONTROLLER,
        .of_reason = c->reason,
        .flags = UPCALL_F_CONTINUATION,
        .table_id = xl->table_id,
        .bridge_id = xl->bridge->id,
        .rule_cookie = xl->cookie,
        .controller_id = c->controller_id,
        .max_len = c->max_len,
    };

    if (xl->in->trace && !xl_side_effects(xl)) {
        return;
    }
    f->userdata = slice_of(c->userdata, c->userdata_len);
    cookie.recirc_id = intern(xl, f);
    if (cookie.recirc_id) {
        action_put_userspace(&xl->out->actions, UPCALL_PID_AUTO, &cookie);
    }
}

uint32_t
xl_freeze_end(struct xl *xl, uint8_t table)
{
    struct freeze f;
    uint32_t id = 0;

    xl_commit(xl);
    f = state_of(xl, table);
    if (xl->pause) {
        pause_for_controller(xl, &f);
    } else {
        id = intern(xl, &f);
        if (id) {
            struct action_recirc *r = action_put(&xl->out->actions, ACTION_RECIRC, sizeof *r);

            r->id = id;
        }
    }
    buf_clear(&xl->frozen);
    buf_clear(&xl->action_set);
    xl->pause = NULL;
    xl->freezing = xl->exit = false;
    return id;
}

/* Fields that lie above the network header are known although labels were popped. */
static bool
is_l2_or_metadata(const struct field *f)
{
    return f->ofs < offsetof(struct flow_key, mpls);
}

bool
xl_needs_recirculation(const struct xl *xl, const struct ofact *a)
{
    if (!xl->was_mpls) {
        return false;
    }
    switch ((enum ofact_kind) a->kind) {
    case OFACT_OUTPUT:
    case OFACT_OUTPUT_TRUNC:
    case OFACT_OUTPUT_REG:
    case OFACT_ENQUEUE:
    case OFACT_GROUP:
    case OFACT_SET_QUEUE:
        return false;
    case OFACT_SET_FIELD:
        return !is_l2_or_metadata(((const struct ofact_set_field *) (const void *) a)->field);
    default:
        return true;
    }
}

/* The bridge that froze, which need not be the one of the port that the packet came in on: patches may lie between. */
static bool
find_bridge(struct xl *xl, uint32_t id)
{
    struct bridge *bridge = xl->in->bridge;

    if (bridge->id != id) {
        bridge = bridge_by_id(bridge->ofproto, id);
    }
    if (!bridge) {
        xl_fail(xl, TRANSLATE_BRIDGE_NOT_FOUND, "Frozen state for a bridge that no longer exists");
        return false;
    }
    if (bridge != xl->in->bridge) {
        trace_add(xl->in->trace, TRACE_BRIDGE, "bridge(\"%s\")", bridge->name);
    }
    xl->bridge = bridge;
    return true;
}

bool
xl_thaw(struct xl *xl, const struct freeze **freeze)
{
    const struct freeze *f = freeze_find(xl->in->key.recirc_id);

    if (!f) {
        xl_fail(xl, TRANSLATE_NO_RECIRC, "Recirculation context not found for ID %" PRIx32, xl->in->key.recirc_id);
        return false;
    }
    if (!find_bridge(xl, f->bridge_id)) {
        return false;
    }
    xl_effect(xl, EFFECT_FREEZE)->freeze = xl->in->key.recirc_id;
    memcpy(&xl->key, &f->meta, offsetof(struct flow_key, skb_priority));
    xl->key.in_port = f->meta.in_port;
    xl->key.actset_output = f->meta.actset_output;
    xl->base.in_port = xl->key.in_port;
    xl->in_action_set = f->in_action_set;
    xl->conntracked = f->conntracked;
    if (!f->conntracked) {
        xl_ct_forget(xl);
    }
    buf_put(&xl->action_set, f->action_set.data, f->action_set.len);
    buf_put(&xl->stack, f->stack.data, f->stack.len);
    *freeze = f;
    return true;
}
