// SPDX-License-Identifier: Apache-2.0
// The frame of a translation: what comes before the first action and after the last. Where the rest is: ofproto/translate_ctx.h.
#include <config.h>
#include <stdlib.h>
#include "lib/base/counter.h"
#include "lib/flow/wire.h"
#include "lib/nl/ovs_action.h"
#include "ofproto/datapath.h"
#include "ofproto/learned.h"
#include "ofproto/transaction.h"
#include "ofproto/translate_ctx.h"

COUNTER(translate_done, "Packets or megaflows that were translated into datapath actions.");
COUNTER(translate_failed, "Translations that ended with an error: the packets are dropped.");

static const char *const error_texts[] = {
    [TRANSLATE_OK] = "OK",
    [TRANSLATE_TOO_DEEP] = "Recursion too deep",
    [TRANSLATE_TOO_MANY_RESUBMITS] = "Too many resubmits",
    [TRANSLATE_STACK_TOO_DEEP] = "Stack too deep",
    [TRANSLATE_NO_RECIRC] = "No recirculation context",
    [TRANSLATE_BRIDGE_NOT_FOUND] = "No bridge for the recirculation context",
    [TRANSLATE_INVALID_TUNNEL] = "Invalid tunnel metadata",
    [TRANSLATE_TOO_MANY_ACTIONS] = "Too many actions",
    [TRANSLATE_TOO_MANY_LABELS] = "Too many MPLS labels",
};
_Static_assert(ARRAY_SIZE(error_texts) == TRANSLATE_N_ERRORS, "an error without a text");

const char *
translate_error_text(enum translate_error error)
{
    return error < TRANSLATE_N_ERRORS ? error_texts[error] : "Unknown error";
}

void
translate_out_init(struct translate_out *out)
{
    memset(out, 0, sizeof *out);
}

void
translate_out_clear(struct translate_out *out)
{
    for (size_t i = 0; i < out->n_effects; i++) {
        if (out->effects[i].kind == EFFECT_FLOW_MOD) {
            learned_unref(out->effects[i].learned);
        }
    }
    out->n_effects = out->n_deps = 0;
    buf_clear(&out->actions);
    memset(&out->mask, 0, sizeof out->mask);
    out->slow = 0;
    out->cacheable = true;
    out->error = TRANSLATE_OK;
}

void
translate_out_destroy(struct translate_out *out)
{
    translate_out_clear(out);
    free(out->effects);
    free(out->deps);
    buf_free(&out->actions);
}

struct effect *
xl_effect(struct xl *xl, enum effect_kind kind)
{
    struct translate_out *out = xl->out;
    struct effect *e;

    if (out->n_effects == out->effects_allocated) {
        array_grow(&out->effects, &out->effects_allocated, sizeof *out->effects);
    }
    e = &out->effects[out->n_effects++];
    memset(e, 0, sizeof *e);
    e->kind = kind;
    return e;
}

void
xl_depend(struct xl *xl, enum dep_kind kind, uint64_t what)
{
    struct translate_out *out = xl->out;
    struct dep dep = {kind, xl->bridge->id, what};

    for (size_t i = 0; i < out->n_deps; i++) {
        if (!memcmp(&out->deps[i], &dep, sizeof dep)) {
            return;
        }
    }
    if (out->n_deps == out->deps_allocated) {
        array_grow(&out->deps, &out->deps_allocated, sizeof *out->deps);
    }
    out->deps[out->n_deps++] = dep;
}

/* The attributes of a record are no longer than it, those of a set much shorter: they are measured when they might not fit, and not again before what was left
 * is used up. */
bool
xl_actions_fit(struct xl *xl)
{
    const struct buf *list = &xl->out->actions;
    size_t size;

    if (list->len <= UINT16_MAX || list->len <= xl->fitting) {
        return true;
    }
    size = ovs_actions_size(list->data, list->len);
    if (size > UINT16_MAX) {
        return false;
    }
    xl->fitting = list->len + UINT16_MAX - size;
    return true;
}

void
xl_fail(struct xl *xl, enum translate_error error, const char *fmt, ...)
{
    xl->out->error = error;
    if (xl->in->trace) {
        struct buf text = BUF_EMPTY;
        va_list args;

        va_start(args, fmt);
        buf_putv(&text, fmt, args);
        va_end(args);
        trace_add(xl->in->trace, TRACE_ERROR, "%s", buf_text(&text));
        buf_free(&text);
    }
}

/* What every megaflow is told apart by. */
static void
begin_mask(struct xl *xl)
{
    xl->mask->recirc_id = UINT32_MAX;
    xl->mask->in_port = UINT32_MAX;
    xl->mask->packet_type = UINT32_MAX;
    xl->mask->eth_type = UINT16_MAX;
    if (flow_key_is_ip(&xl->key)) {
        xl->mask->nw_frag = FLOW_FRAG_ANY | FLOW_FRAG_LATER;
    }
    if (xl->key.tun_dst || !IN6_IS_ADDR_UNSPECIFIED(&xl->key.tun_dst6)) {
        xl->mask->tun_id = UINT64_MAX;
        xl->mask->tun_src = xl->mask->tun_dst = UINT32_MAX;
        memset(&xl->mask->tun_src6, 0xff, sizeof xl->mask->tun_src6);
        memset(&xl->mask->tun_dst6, 0xff, sizeof xl->mask->tun_dst6);
        xl->mask->tun_flags = UINT16_MAX;
        xl->mask->tun_tos = xl->mask->tun_ttl = UINT8_MAX;
    }
}

static bool
is_icmp(const struct flow_key *key)
{
    return (key->eth_type == htons(WIRE_ETH_IPV4) && key->nw_proto == IPPROTO_ICMP)
           || (key->eth_type == htons(WIRE_ETH_IPV6) && key->nw_proto == IPPROTO_ICMPV6);
}

static void
forget_tunnel(struct flow_key *mask)
{
    mask->tun_id = 0;
    memset(&mask->tun_src6, 0, sizeof mask->tun_src6);
    memset(&mask->tun_dst6, 0, sizeof mask->tun_dst6);
    mask->tun_src = mask->tun_dst = 0;
    mask->tun_flags = 0;
    mask->tun_tos = mask->tun_ttl = 0;
    mask->tun_gbp_id = 0;
    mask->tun_gbp_flags = 0;
}

/* Takes out of the mask what no datapath can or need match: metadata of OpenFlow, and headers that pipeline steps asked about but the packet that came in
 * does not have. */
static void
finish_mask(struct xl *xl)
{
    const struct flow_key *key = &xl->in->key;
    struct flow_key *mask = xl->mask;

    mask->metadata = 0;
    memset(mask->regs, 0, sizeof mask->regs);
    mask->conj_id = mask->actset_output = 0;
    if (!key->tun_dst && IN6_IS_ADDR_UNSPECIFIED(&key->tun_dst6)) {
        forget_tunnel(mask);
    }
    if (is_icmp(key)) {
        mask->tp_src &= htons(UINT8_MAX);
        mask->tp_dst &= htons(UINT8_MAX);
    }
    for (unsigned i = 0; i < FLOW_N_VLANS; i++) {
        if (!(key->vlan[i].tci & htons(FLOW_VLAN_PRESENT))) {
            memset(&mask->vlan[i], 0, sizeof mask->vlan[i]);
        } else if (mask->vlan[i].tci) {
            mask->vlan[i].tci |= htons(FLOW_VLAN_PRESENT);
        }
    }
    if (key->nw_frag & FLOW_FRAG_LATER) {
        mask->tp_src = mask->tp_dst = 0;
    }
    if (!xl_is_mpls(key->eth_type)) {
        memset(mask->mpls, 0, sizeof mask->mpls);
    }
}

void
translate_add_layout(const struct flow_key *key, struct flow_key *mask)
{
    mask->vlan[0].tci |= htons(FLOW_VLAN_PRESENT);
    if (key->vlan[0].tci & htons(FLOW_VLAN_PRESENT)) {
        mask->vlan[0].tpid = UINT16_MAX;
        mask->vlan[1].tci |= htons(FLOW_VLAN_PRESENT);
    }
}

/* 01:80:c2:00:00:00 of IEEE 802.1D: port_mod can treat spanning tree apart from the rest. */
static bool
is_stp(struct eth_addr mac)
{
    return eth_addr_u64(mac) == UINT64_C(0x0180c2000000);
}

bool
xl_may_receive(const struct xl *xl, const struct port *port)
{
    uint32_t bit = is_stp(xl->key.eth_dst) ? OFPPC_NO_RECV_STP : OFPPC_NO_RECV;

    return !(port_settings(port)->of_config & bit);
}

void
xl_end_pipeline(struct xl *xl)
{
    if (!xl->out->error && !xl->freezing) {
        xl_set_execute(xl);
    }
    if (!xl->out->error && xl->freezing) {
        xl_freeze_end(xl, FREEZE_NO_TABLE);
    }
}

/* Goes on where a frozen translation stopped. */
static void
run_thawed(struct xl *xl)
{
    const struct freeze *f;
    struct slice s;

    if (!xl_thaw(xl, &f)) {
        return;
    }
    if (f->table_id != FREEZE_NO_TABLE) {
        void *was = trace_enter(xl->in->trace, TRACE_THAW, "thaw");

        trace_add(xl->in->trace, TRACE_THAW, "Resuming from table %u", f->table_id);
        trace_leave(xl->in->trace, was);
        xl_table(xl, xl->key.in_port, f->table_id, true, true, xl_run);
    }
    for (s = f->ofacts; s.len && !xl->exit && !xl->out->error;) {
        struct freeze_segment seg;
        const void *list;

        if (!slice_get(&s, &seg, sizeof seg) || !(list = slice_pull(&s, seg.size))) {
            break;
        }
        xl->cookie = seg.cookie;
        xl->table_id = seg.table_id;
        xl_run(xl, list, seg.size, !s.len);
        if (xl->freezing) {
            buf_put(&xl->frozen, s.data, s.len);
        }
    }
    xl_end_pipeline(xl);
}

/* A clone that nothing follows need not be one. */
static void
unwrap_last_clone(struct buf *list)
{
    const struct action *a, *last = NULL;
    const void *nested;
    size_t size, at;

    ACTION_FOR_EACH (a, list->data, list->len) {
        last = a;
    }
    if (last && last->kind == ACTION_CLONE) {
        at = (size_t) ((const uint8_t *) last - list->data);
        nested = action_nested(last, &size);
        memmove(list->data + at, nested, size);
        list->len = at + size;
    }
}

static void
run_first(struct xl *xl)
{
    const struct translate_in *in = xl->in;
    const struct rule_actions *actions;

    if (in->ofacts) {
        if (!in->in_port || xl_may_receive(xl, in->in_port)) {
            xl_run(xl, in->ofacts, in->ofacts_len, true);
            xl_end_pipeline(xl);
        }
        return;
    }
    actions = xl_first_rule(xl, in->first_table);
    if (actions && (!in->in_port || xl_may_receive(xl, in->in_port))) {
        xl_run(xl, actions->list, actions->size, true);
        xl_end_pipeline(xl);
    }
}

enum translate_error
translate_unproved(const struct translate_in *in, struct translate_out *out)
{
    struct xl xl = {.in = in, .out = out, .bridge = in->bridge, .key = in->key, .mask = &out->mask, .table_id = in->first_table};

    xl.cookie = UINT64_MAX;
    xl.version = transaction_current_version(in->bridge);
    translate_out_clear(out);
    xl.key.actset_output = OFPP_UNSET;
    xl.base = xl.key;
    xl.packet_priority = in->key.skb_priority;
    begin_mask(&xl);
    xl_depend(&xl, DEP_BRIDGE, 0);
    xl_depend(&xl, DEP_PORT, in->key.in_port);
    trace_enter(in->trace, TRACE_BRIDGE, "bridge(\"%s\")", in->bridge->name);
    if (in->key.recirc_id && !in->ofacts) {
        run_thawed(&xl);
    } else {
        run_first(&xl);
    }
    COUNTER_INC(translate_done);
    if (out->error) {
        COUNTER_INC(translate_failed);
        buf_clear(&out->actions);
        out->slow = 0;
    } else {
        finish_mask(&xl);
        unwrap_last_clone(&out->actions);
        if (!xl_actions_fit(&xl)) {
            out->slow |= SLOW_ACTION;
        }
    }
    if (in->trace) {
        out->final_key = xl.key;
    }
    buf_free(&xl.action_set);
    buf_free(&xl.stack);
    buf_free(&xl.frozen);
    return out->error;
}

enum translate_error
translate(const struct translate_in *in, struct translate_out *out)
{
    translate_unproved(in, out);
#ifdef SLUICE_DEBUG_MASKS
    if (!out->error && !translate_check_mask(in, out, 4)) {
        abort();
    }
#endif
    return out->error;
}

void
translate_apply(const struct translate_out *out, uint64_t packets, uint64_t bytes, int64_t used_ms)
{
    effects_apply(out->effects, out->n_effects, packets, bytes, used_ms);
}

bool
translate_needs_main(const struct translate_out *out)
{
    for (size_t i = 0; i < out->n_effects; i++) {
        if (effect_is_main(&out->effects[i])) {
            return true;
        }
    }
    return false;
}

void
translate_apply_main(const struct translate_out *out)
{
    for (size_t i = 0; i < out->n_effects; i++) {
        effect_apply_main(&out->effects[i]);
    }
}
