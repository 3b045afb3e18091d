// SPDX-License-Identifier: Apache-2.0
// Actions that change fields of the packet.
#include <config.h>
#include "ofproto/translate_ctx.h"

/* Fields of the network header: that there is one at all depends on the protocol number, which the megaflow then has to match. */
static bool
is_l3_field(const struct field *f)
{
    switch (f->prereq) {
    case FP_ARP:
    case FP_IPV4:
    case FP_IPV6:
    case FP_IP_ANY:
        return f->id != FIELD_IP_DSCP;
    default:
        return false;
    }
}

/* OpenFlow 1.0's and 1.1's way to write a tag's parts: on a packet without a tag they push one. */
static void
set_vlan(struct xl *xl, const struct ofact_set_field *s)
{
    xl->mask->vlan[0].tci |= htons(FLOW_VLAN_PRESENT | (s->field->shift ? 0xe000 : 0x0fff));
    if (!(xl->key.vlan[0].tci & htons(FLOW_VLAN_PRESENT)) && !s->push_vlan_if_none) {
        return;
    }
    if (!xl->key.vlan[0].tpid) {
        xl->key.vlan[0].tpid = htons(0x8100);
    }
    field_set(s->field, &s->value, &xl->key);
    xl->key.vlan[0].tci |= htons(FLOW_VLAN_PRESENT);
}

/* OpenFlow 1.0's set_tp_src and set_tp_dst: whatever the transport protocol is, ICMP's type and code included. */
static void
set_transport(struct xl *xl, const struct ofact_set_field *s)
{
    bool is_src = s->a.raw == WIRE_SET_TP_SRC;

    if (!flow_key_is_ip(&xl->key) || xl->key.nw_frag & FLOW_FRAG_LATER) {
        return;
    }
    xl->mask->nw_proto = UINT8_MAX;
    if (is_src) {
        xl->mask->tp_src = UINT16_MAX;
        xl->key.tp_src = s->value.be16;
    } else {
        xl->mask->tp_dst = UINT16_MAX;
        xl->key.tp_dst = s->value.be16;
    }
}

/* The bits of the field under 'mask', the others as they are. */
static void
set_masked(const struct field *f, const union field_value *value, const union field_value *mask, struct flow_key *key)
{
    union field_value v;

    field_get(f, key, &v);
    for (unsigned i = 0; i < f->n_bytes; i++) {
        v.b[i] = (uint8_t) ((v.b[i] & ~mask->b[i]) | (value->b[i] & mask->b[i]));
    }
    field_set(f, &v, key);
}

/* A TCI written as a whole says itself whether there is a tag. */
static void
fix_tpid(struct xl *xl, const struct field *f)
{
    if (f->id == FIELD_VLAN_TCI && xl->key.vlan[0].tci & htons(FLOW_VLAN_PRESENT) && !xl->key.vlan[0].tpid) {
        xl->key.vlan[0].tpid = htons(0x8100);
    }
}

void
xl_set_field(struct xl *xl, const struct ofact_set_field *s)
{
    const struct field *f = s->field;

    if (s->a.raw == WIRE_SET_VLAN_VID || s->a.raw == WIRE_SET_VLAN_PCP) {
        set_vlan(xl, s);
    } else if (s->a.raw == WIRE_SET_TP_SRC || s->a.raw == WIRE_SET_TP_DST) {
        set_transport(xl, s);
    } else if (!field_prereqs_ok(f, &xl->key, xl->mask)) {
        trace_add(xl->in->trace, TRACE_WARN, "unmet prerequisites for %s, set_field ignored", f->name);
    } else {
        if (is_l3_field(f)) {
            xl->mask->nw_proto = UINT8_MAX;
        }
        field_set_mask(f, &s->mask, xl->mask);
        set_masked(f, &s->value, &s->mask, &xl->key);
        fix_tpid(xl, f);
    }
}

/* "NXM_OF_VLAN_TCI[0..11] is now 0x5". */
void
xl_report_subfield(struct xl *xl, const struct subfield *sf)
{
    struct buf text = BUF_EMPTY;

    if (!xl->in->trace) {
        return;
    }
    subfield_format(sf, &text);
    buf_puts(&text, " is now ");
    if (!sf->ofs && sf->n_bits >= sf->field->n_bits) {
        union field_value v;

        field_get(sf->field, &xl->key, &v);
        field_format_value(sf->field, &v, NULL, NULL, &text);
    } else if (sf->n_bits > 64) {
        union field_value v;
        unsigned skip = 0;

        subfield_get_wide(sf, &xl->key, &v);
        while (skip < 15 && !v.b[skip]) {
            skip++;
        }
        buf_putf(&text, "0x%x", v.b[skip]);
        while (++skip < 16) {
            buf_putf(&text, "%02x", v.b[skip]);
        }
    } else {
        uint64_t v = subfield_get(sf, &xl->key);

        buf_putf(&text, v ? "%#" PRIx64 : "%" PRIu64, v);
    }
    trace_add(xl->in->trace, TRACE_DETAIL, "%s", buf_text(&text));
    buf_free(&text);
}

void
xl_move(struct xl *xl, const struct ofact_reg_move *m)
{
    if (field_prereqs_ok(m->src.field, &xl->key, xl->mask) && field_prereqs_ok(m->dst.field, &xl->key, xl->mask)) {
        subfield_unwildcard(&m->dst, xl->mask);
        subfield_unwildcard(&m->src, xl->mask);
        subfield_move(&m->src, &m->dst, &xl->key);
        fix_tpid(xl, m->dst.field);
    }
    xl_report_subfield(xl, &m->dst);
}

void
xl_stack_push(struct xl *xl, const struct subfield *sf)
{
    union field_value v;

    subfield_unwildcard(sf, xl->mask);
    subfield_get_wide(sf, &xl->key, &v);
    buf_put(&xl->stack, v.b, sizeof v.b);
}

void
xl_stack_pop(struct xl *xl, const struct subfield *sf)
{
    union field_value v;

    if (xl->stack.len < sizeof v.b) {
        trace_add(xl->in->trace, TRACE_ERROR, "stack underflow");
        return;
    }
    xl->stack.len -= sizeof v.b;
    memcpy(v.b, xl->stack.data + xl->stack.len, sizeof v.b);
    subfield_unwildcard(sf, xl->mask);
    subfield_set_wide(sf, &v, &xl->key);
    fix_tpid(xl, sf->field);
    xl_report_subfield(xl, sf);
}

unsigned
xl_n_vlans(const struct flow_key *key)
{
    unsigned n = 0;

    while (n < FLOW_N_VLANS && key->vlan[n].tci & htons(FLOW_VLAN_PRESENT)) {
        n++;
    }
    return n;
}

void
xl_push_vlan(struct xl *xl, be16 tpid)
{
    memset(xl->mask->vlan, 0xff, xl_n_vlans(&xl->key) * sizeof xl->mask->vlan[0]);
    memmove(&xl->key.vlan[1], &xl->key.vlan[0], (FLOW_N_VLANS - 1) * sizeof xl->key.vlan[0]);
    xl->key.vlan[0].tpid = tpid;
    xl->key.vlan[0].tci = htons(FLOW_VLAN_PRESENT);
}

void
xl_pop_vlan(struct xl *xl)
{
    unsigned n = xl_n_vlans(&xl->key);

    if (!n) {
        return;
    }
    memset(&xl->mask->vlan[1], 0xff, (n - 1) * sizeof xl->mask->vlan[0]);
    memmove(&xl->key.vlan[0], &xl->key.vlan[1], (n - 1) * sizeof xl->key.vlan[0]);
    memset(&xl->key.vlan[n - 1], 0, sizeof xl->key.vlan[0]);
}

bool
xl_dec_ttl(struct xl *xl, const struct ofact_dec_ttl *d)
{
    struct xl_packet_in in = {.max_len = UINT16_MAX, .reason = OFPR_INVALID_TTL};

    xl->mask->nw_ttl = xl->mask->nw_proto = UINT8_MAX;
    if (!flow_key_is_ip(&xl->key)) {
        return false;
    }
    if (xl->key.nw_ttl > 1) {
        xl->key.nw_ttl--;
        return false;
    }
    for (unsigned i = 0; i < MAX(d->n_controllers, 1u); i++) {
        in.controller_id = d->n_controllers ? d->ids[i] : 0;
        xl_packet_in(xl, &in);
    }
    trace_add(xl->in->trace, TRACE_WARN, "IPv%d decrement TTL exception", xl->key.eth_type == htons(0x0800) ? 4 : 6);
    return true;
}

/* Queues are classes of Linux's qdiscs, numbered from one in the first handle; the datapath of tests takes the number as it is. */
bool
xl_queue_to_priority(const struct xl *xl, uint32_t queue, uint32_t *priority)
{
    if (!strcmp(xl->bridge->datapath_type, "dummy")) {
        *priority = queue;
        return true;
    }
    if (queue >= 0xf000) {
        return false;
    }
    *priority = 1u << 16 | (queue + 1);
    return true;
}

void
xl_set_queue(struct xl *xl, uint32_t queue)
{
    xl->mask->skb_priority = UINT32_MAX;
    if (!xl_queue_to_priority(xl, queue, &xl->key.skb_priority)) {
        trace_add(xl->in->trace, TRACE_ERROR, "couldn't translate queue %" PRIu32 " to a priority", queue);
    }
}
