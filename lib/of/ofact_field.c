// SPDX-License-Identifier: Apache-2.0
// Actions that write fields, in their many forms: mod_*, set_tunnel, load, set_field, move, push and pop.
#include <config.h>
#include "lib/of/ofact_private.h"

static const struct set_form set_forms[] = {
    {WIRE_SET_VLAN_VID, FIELD_DL_VLAN, "mod_vlan_vid:", 0, 2},
    {WIRE_SET_VLAN_PCP, FIELD_DL_VLAN_PCP, "mod_vlan_pcp:", 0, 1},
    {WIRE_SET_DL_SRC10, FIELD_ETH_SRC, "mod_dl_src:", 0, 6},
    {WIRE_SET_DL_SRC11, FIELD_ETH_SRC, "mod_dl_src:", 0, 6},
    {WIRE_SET_DL_DST10, FIELD_ETH_DST, "mod_dl_dst:", 0, 6},
    {WIRE_SET_DL_DST11, FIELD_ETH_DST, "mod_dl_dst:", 0, 6},
    {WIRE_SET_NW_SRC10, FIELD_IP_SRC, "mod_nw_src:", 0, 4},
    {WIRE_SET_NW_SRC11, FIELD_IP_SRC, "mod_nw_src:", 0, 4},
    {WIRE_SET_NW_DST10, FIELD_IP_DST, "mod_nw_dst:", 0, 4},
    {WIRE_SET_NW_DST11, FIELD_IP_DST, "mod_nw_dst:", 0, 4},
    {WIRE_SET_NW_TOS10, FIELD_NW_TOS, "mod_nw_tos:", 0, 1},
    {WIRE_SET_NW_TOS11, FIELD_NW_TOS, "mod_nw_tos:", 0, 1},
    {WIRE_SET_NW_ECN, FIELD_NW_ECN, "mod_nw_ecn:", 0, 1},
    {WIRE_SET_NW_TTL, FIELD_NW_TTL, "mod_nw_ttl:", 0, 1},
    {WIRE_SET_TP_SRC, FIELD_TCP_SRC, "mod_tp_src:", 0, 2},
    {WIRE_SET_TP_DST, FIELD_TCP_DST, "mod_tp_dst:", 0, 2},
    {WIRE_SET_MPLS_LABEL10, FIELD_MPLS_LABEL, "set_mpls_label(", 2, 4},
    {WIRE_SET_MPLS_LABEL11, FIELD_MPLS_LABEL, "set_mpls_label(", 0, 4},
    {WIRE_SET_MPLS_TC10, FIELD_MPLS_TC, "set_mpls_tc(", 0, 1},
    {WIRE_SET_MPLS_TC11, FIELD_MPLS_TC, "set_mpls_tc(", 0, 1},
    {WIRE_SET_MPLS_TTL10, FIELD_MPLS_TTL, "set_mpls_ttl(", 0, 1},
    {WIRE_SET_MPLS_TTL11, FIELD_MPLS_TTL, "set_mpls_ttl(", 0, 1},
    {WIRE_SET_TUNNEL, FIELD_TUN_ID, "set_tunnel:", 2, 4},
    {WIRE_SET_TUNNEL64, FIELD_TUN_ID, "set_tunnel64:", 6, 8},
};

const struct set_form *
set_form_by_wire(enum ofact_wire wire)
{
    for (size_t i = 0; i < ARRAY_SIZE(set_forms); i++) {
        if (set_forms[i].wire == wire) {
            return &set_forms[i];
        }
    }
    return NULL;
}

static struct ofact_set_field *
put_set_field(struct ofact_decoder *d, const struct field *f)
{
    struct ofact_set_field *a = ofact_decoder_put(d, sizeof *a);

    a->field = f;
    return a;
}

static void
fill_mask(const struct field *f, union field_value *mask)
{
    struct flow_key bits;

    memset(&bits, 0, sizeof bits);
    field_unwildcard(f, &bits);
    field_get_mask(f, &bits, mask);
}

static enum of_error
decode_form(struct ofact_decoder *d, const struct set_form *form)
{
    const struct field *f = &field_table[form->field];
    union field_value value = {{0}};
    struct ofact_set_field *a;

    slice_pull(&d->body, form->ofs);
    slice_get(&d->body, value.b + f->n_bytes - form->n_bytes, form->n_bytes);
    if (f->id == FIELD_DL_VLAN ? ntohs(value.be16) > 0xfff : !field_value_valid(f, &value)) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    a = put_set_field(d, f);
    a->value = value;
    fill_mask(f, &a->mask);
    a->push_vlan_if_none = d->version == OF10 && (f->id == FIELD_DL_VLAN || f->id == FIELD_DL_VLAN_PCP);
    return OFERR_OK;
}

enum of_error
ofact_pull_subfield(struct slice *s, unsigned ofs, unsigned n_bits, struct subfield *sub)
{
    uint64_t wire;
    enum of_error error = oxm_pull_header(s, &sub->field, &wire);

    if (error) {
        return error == OFERR_OFPBMC_BAD_LEN ? OFERR_OFPBAC_BAD_ARGUMENT : error;
    }
    if (field_header_is_masked(wire)) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    sub->ofs = ofs;
    sub->n_bits = n_bits ? n_bits : sub->field->n_bits;
    return OFERR_OK;
}

/* Bits [ofs, ofs + n_bits) of a big-endian value of 'n_bytes'. */
static void
put_bits(union field_value *v, unsigned n_bytes, unsigned ofs, unsigned n_bits, uint64_t x)
{
    for (unsigned i = 0; i < n_bits; i++) {
        uint8_t *byte = &v->b[n_bytes - 1 - (ofs + i) / 8];
        uint8_t bit = (uint8_t) (1u << (ofs + i) % 8);

        *byte = x >> i & 1 ? *byte | bit : *byte & (uint8_t) ~bit;
    }
}

static bool
get_bit(const union field_value *v, unsigned n_bytes, unsigned i)
{
    return v->b[n_bytes - 1 - i / 8] >> i % 8 & 1;
}

static enum of_error
decode_reg_load(struct ofact_decoder *d)
{
    uint16_t ofs_nbits = 0;
    uint64_t x = 0;
    struct subfield dst;
    struct ofact_set_field *a;
    enum of_error error;
    unsigned n_bits;

    slice_get_be16(&d->body, &ofs_nbits);
    n_bits = (ofs_nbits & 63) + 1;
    error = ofact_pull_subfield(&d->body, ofs_nbits >> 6, n_bits, &dst);
    if (!error) {
        error = subfield_check_dst(&dst, NULL);
    }
    if (error) {
        return error == OFERR_OFPBMC_BAD_FIELD ? OFERR_OFPBAC_BAD_SET_TYPE : error;
    }
    /* An experimenter's header takes 4 bytes more than the value leaves. */
    if (!slice_get_be64(&d->body, &x) || x & ~low_bits(n_bits)) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    a = put_set_field(d, dst.field);
    put_bits(&a->value, dst.field->n_bytes, dst.ofs, n_bits, x);
    put_bits(&a->mask, dst.field->n_bytes, dst.ofs, n_bits, UINT64_MAX);
    return OFERR_OK;
}

/* May set_field write that (1.3.5, section 5.12)? A VID goes with the bit that a tag is present; the port that a packet came by is for extensions only. */
static bool
settable(const struct field *f, const union field_value *value)
{
    if (f->id == FIELD_VLAN_VID && !(value->be16 & htons(FLOW_VLAN_PRESENT))) {
        return false;
    }
    return field_value_valid(f, value) && f->id != FIELD_IN_PORT_OXM;
}

/* The value of an OXM. */
static enum of_error
decode_oxm_value(struct ofact_decoder *d, bool may_mask)
{
    const struct field *f;
    union field_value value, mask;
    struct ofact_set_field *a;
    bool masked;
    enum of_error error = oxm_pull_entry(&d->body, &f, &value, &mask, &masked);

    if (error == OFERR_OFPBMC_BAD_FIELD) {
        return f ? OFERR_OFPBAC_BAD_SET_LEN : OFERR_OFPBAC_BAD_SET_TYPE;
    }
    if (error) {
        return error == OFERR_OFPBMC_BAD_LEN ? OFERR_OFPBAC_BAD_SET_LEN : error;
    }
    if (!slice_is_zero(d->body) || d->body.len >= 8) {
        return OFERR_OFPBAC_BAD_SET_ARGUMENT;
    }
    if (masked && !may_mask) {
        return OFERR_OFPBAC_BAD_SET_MASK;
    }
    if (!f->writable || (d->wire == WIRE_SET_FIELD && !settable(f, &value))) {
        return OFERR_OFPBAC_BAD_SET_ARGUMENT;
    }
    a = put_set_field(d, f);
    a->value = value;
    a->mask = mask;
    return OFERR_OK;
}

enum of_error
ofact_decode_SET_FIELD(struct ofact_decoder *d)
{
    switch (d->wire) {
    case WIRE_REG_LOAD:
        return decode_reg_load(d);
    case WIRE_REG_LOAD2:
        return decode_oxm_value(d, true);
    case WIRE_SET_FIELD:
        return decode_oxm_value(d, d->version >= OF15);
    default:
        return decode_form(d, set_form_by_wire(d->wire));
    }
}

bool
set_field_next_segment(const struct ofact_set_field *a, struct subfield *s, uint64_t *value)
{
    unsigned n = a->field->n_bytes, i = s->ofs + s->n_bits, end = 8u * n;

    s->field = a->field;
    while (i < end && !get_bit(&a->mask, n, i)) {
        i++;
    }
    if (i >= end) {
        return false;
    }
    s->ofs = i;
    *value = 0;
    for (; i < end && get_bit(&a->mask, n, i) && i - s->ofs < 64; i++) {
        *value |= (uint64_t) get_bit(&a->value, n, i) << (i - s->ofs);
    }
    s->n_bits = i - s->ofs;
    return true;
}

/* Bits above those that count are not loaded. */
static void
encode_reg_loads(const struct ofact_set_field *a, struct ofact_encoder *e)
{
    struct subfield s = {a->field, 0, 0};
    uint64_t value;

    while (set_field_next_segment(a, &s, &value)) {
        size_t start;

        if (e->version >= OF15) {
            struct ofact_set_field part = {.field = a->field};

            put_bits(&part.value, a->field->n_bytes, s.ofs, s.n_bits, value);
            put_bits(&part.mask, a->field->n_bytes, s.ofs, s.n_bits, UINT64_MAX);
            start = ofact_encode_begin(e, WIRE_SET_FIELD);
            oxm_put_entry(a->field, e->version, &part.value, field_mask_is_exact(a->field, &part.mask) ? NULL : &part.mask, e->out);
        } else {
            start = ofact_encode_begin(e, WIRE_REG_LOAD);
            buf_put_be16(e->out, ofs_nbits_encode(&s));
            oxm_put_header(a->field, 0, false, e->out);
            buf_put_be64(e->out, value);
        }
        ofact_encode_end(e, start);
    }
}

static void
encode_form(const struct ofact_set_field *a, const struct set_form *form, struct ofact_encoder *e)
{
    size_t start = ofact_encode_begin(e, form->wire);

    buf_put_zeros(e->out, form->ofs);
    buf_put(e->out, a->value.b + a->field->n_bytes - form->n_bytes, form->n_bytes);
    buf_put_zeros(e->out, form->wire == WIRE_SET_DL_SRC10 || form->wire == WIRE_SET_DL_DST10 || form->wire == WIRE_SET_DL_SRC11
                                  || form->wire == WIRE_SET_DL_DST11
                              ? 6
                              : 0);
    ofact_encode_end(e, start);
}

/* What an older form would write for a field that later versions split up or count differently. */
static struct ofact_set_field
as_older(const struct ofact_set_field *a)
{
    struct ofact_set_field old = *a;

    switch (a->field->id) {
    case FIELD_UDP_SRC:
    case FIELD_SCTP_SRC:
        old.field = &field_table[FIELD_TCP_SRC];
        break;
    case FIELD_UDP_DST:
    case FIELD_SCTP_DST:
        old.field = &field_table[FIELD_TCP_DST];
        break;
    case FIELD_VLAN_VID:
        old.field = &field_table[FIELD_DL_VLAN];
        old.value.be16 &= htons(0xfff);
        break;
    case FIELD_VLAN_PCP:
        old.field = &field_table[FIELD_DL_VLAN_PCP];
        break;
    case FIELD_IP_DSCP:
        old.field = &field_table[FIELD_NW_TOS];
        old.value.u8 = (uint8_t) (old.value.u8 << 2);
        break;
    default:
        break;
    }
    return old;
}

/* Encodes in a form of its own where the version has one: set_field from 1.2 on stays what it is. */
static bool
encode_as_form(const struct ofact_set_field *a, struct ofact_encoder *e)
{
    struct ofact_set_field old = as_older(a);
    bool is_set_field = a->a.raw == WIRE_SET_FIELD || a->a.raw == WIRE_ANY;

    if ((is_set_field && e->version >= OF12) || a->field->id == FIELD_TUN_ID || !field_mask_is_exact(a->field, &a->mask)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_SIZE(set_forms); i++) {
        const struct set_form *form = &set_forms[i];
        const struct wire_form *w = &ofact_wires[form->wire];

        if (form->field == old.field->id && e->version >= w->first && e->version <= w->last) {
            encode_form(&old, form, e);
            return true;
        }
    }
    return false;
}

/* The standard field for 1.2 and later of what an older form wrote. */
static enum field_id
oxm_equivalent(enum field_id id)
{
    return id == FIELD_DL_VLAN ? FIELD_VLAN_VID : id == FIELD_DL_VLAN_PCP ? FIELD_VLAN_PCP : id == FIELD_NW_TOS ? FIELD_IP_DSCP : id;
}

static void
encode_as_oxm(const struct ofact_set_field *a, struct ofact_encoder *e)
{
    const struct field *f = &field_table[oxm_equivalent(a->field->id)];
    bool exact = field_mask_is_exact(a->field, &a->mask);
    union field_value value = a->value;
    size_t start;

    if (a->field->id == FIELD_DL_VLAN) {
        value.be16 |= htons(FLOW_VLAN_PRESENT);
    } else if (a->field->id == FIELD_NW_TOS) {
        value.u8 = (uint8_t) (value.u8 >> 2);
    }
    if (exact || e->version >= OF15) {
        start = ofact_encode_begin(e, WIRE_SET_FIELD);
    } else {
        start = ofact_encode_begin(e, WIRE_REG_LOAD2);
    }
    oxm_put_entry(f, e->version, &value, exact ? NULL : &a->mask, e->out);
    ofact_encode_end(e, start);
}

static void
encode_push_vlan(const struct ofact_set_field *a, struct ofact_encoder *e)
{
    struct ofact_push_vlan push = {.ethertype = htons(0x8100)};

    if (a->push_vlan_if_none && !a->has_vlan) {
        ofact_encode_PUSH_VLAN(&push, e);
    }
}

void
ofact_encode_SET_FIELD(const struct ofact_set_field *a, struct ofact_encoder *e)
{
    enum ofact_wire raw = (enum ofact_wire) a->a.raw;

    if (raw == WIRE_REG_LOAD) {
        encode_reg_loads(a, e);
        return;
    }
    if (raw == WIRE_SET_TUNNEL || raw == WIRE_SET_TUNNEL64) {
        encode_form(a, set_form_by_wire(raw), e);
        return;
    }
    if (raw == WIRE_REG_LOAD2 && e->version < OF15) {
        size_t start = ofact_encode_begin(e, WIRE_REG_LOAD2);

        oxm_put_entry(a->field, e->version, &a->value, field_mask_is_exact(a->field, &a->mask) ? NULL : &a->mask, e->out);
        ofact_encode_end(e, start);
        return;
    }
    encode_push_vlan(a, e);
    if (encode_as_form(a, e)) {
        return;
    }
    if (e->version >= OF12) {
        encode_as_oxm(a, e);
    } else {
        encode_reg_loads(a, e);
    }
}

/* A copy of bits from field to field. The headers may be of 4 or 8 bytes. */
enum of_error
ofact_decode_REG_MOVE(struct ofact_decoder *d)
{
    uint16_t n_bits = 0, src_ofs = 0, dst_ofs = 0;
    struct subfield src, dst;
    struct ofact_reg_move *a;
    enum of_error error;

    slice_pull(&d->body, d->wire == WIRE_COPY_FIELD_ONF ? 2 : 0);
    slice_get_be16(&d->body, &n_bits);
    slice_get_be16(&d->body, &src_ofs);
    slice_get_be16(&d->body, &dst_ofs);
    slice_pull(&d->body, d->wire == WIRE_REG_MOVE ? 0 : 2);
    if (!n_bits) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    error = ofact_pull_subfield(&d->body, src_ofs, n_bits, &src);
    if (!error) {
        error = ofact_pull_subfield(&d->body, dst_ofs, n_bits, &dst);
    }
    if (!error && (!slice_is_zero(d->body) || d->body.len >= 8)) {
        error = OFERR_NXBRC_MUST_BE_ZERO;
    }
    if (!error) {
        error = subfield_check_src(&src, NULL);
    }
    if (!error) {
        error = subfield_check_dst(&dst, NULL);
    }
    if (error) {
        return error;
    }
    a = ofact_decoder_put(d, sizeof *a);
    a->src = src;
    a->dst = dst;
    return OFERR_OK;
}

void
ofact_encode_REG_MOVE(const struct ofact_reg_move *a, struct ofact_encoder *e)
{
    enum ofact_wire wire = e->version >= OF15 ? WIRE_COPY_FIELD : WIRE_REG_MOVE;
    size_t start;

    if (a->a.raw == WIRE_COPY_FIELD_ONF && (e->version == OF13 || e->version == OF14)) {
        wire = WIRE_COPY_FIELD_ONF;
    }
    start = ofact_encode_begin(e, wire);
    buf_put_zeros(e->out, wire == WIRE_COPY_FIELD_ONF ? 2 : 0);
    buf_put_be16(e->out, (uint16_t) a->src.n_bits);
    buf_put_be16(e->out, (uint16_t) a->src.ofs);
    buf_put_be16(e->out, (uint16_t) a->dst.ofs);
    buf_put_zeros(e->out, wire == WIRE_REG_MOVE ? 0 : 2);
    oxm_put_header(a->src.field, wire == WIRE_REG_MOVE ? 0 : e->version, false, e->out);
    oxm_put_header(a->dst.field, wire == WIRE_REG_MOVE ? 0 : e->version, false, e->out);
    ofact_encode_end(e, start);
}

static enum of_error
decode_stack(struct ofact_decoder *d, bool is_push)
{
    uint16_t ofs = 0, n_bits = 0;
    struct subfield sub;
    struct ofact_stack *a;
    enum of_error error;

    slice_get_be16(&d->body, &ofs);
    error = ofact_pull_subfield(&d->body, ofs, 0, &sub);
    if (error) {
        return error;
    }
    slice_get_be16(&d->body, &n_bits);
    if (!slice_is_zero(d->body)) {
        return OFERR_NXBRC_MUST_BE_ZERO;
    }
    if (!n_bits) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    sub.n_bits = n_bits;
    error = is_push ? subfield_check_src(&sub, NULL) : subfield_check_dst(&sub, NULL);
    if (error) {
        return error;
    }
    a = ofact_decoder_put(d, sizeof *a);
    a->sub = sub;
    return OFERR_OK;
}

static void
encode_stack(const struct ofact_stack *a, enum ofact_wire wire, struct ofact_encoder *e)
{
    size_t start = ofact_encode_begin(e, wire);

    buf_put_be16(e->out, (uint16_t) a->sub.ofs);
    oxm_put_header(a->sub.field, 0, false, e->out);
    buf_put_be16(e->out, (uint16_t) a->sub.n_bits);
    buf_put_zeros(e->out, 24 - (e->out->len - start));
    ofact_encode_end(e, start);
}

enum of_error
ofact_decode_STACK_PUSH(struct ofact_decoder *d)
{
    return decode_stack(d, true);
}

void
ofact_encode_STACK_PUSH(const struct ofact_stack *a, struct ofact_encoder *e)
{
    encode_stack(a, WIRE_STACK_PUSH, e);
}

enum of_error
ofact_decode_STACK_POP(struct ofact_decoder *d)
{
    return decode_stack(d, false);
}

void
ofact_encode_STACK_POP(const struct ofact_stack *a, struct ofact_encoder *e)
{
    encode_stack(a, WIRE_STACK_POP, e);
}

enum of_error
ofact_decode_DELETE_FIELD(struct ofact_decoder *d)
{
    struct ofact_delete_field *a;
    struct subfield sub;
    enum of_error error = ofact_pull_subfield(&d->body, 0, 0, &sub);

    if (error) {
        return error;
    }
    a = ofact_decoder_put(d, sizeof *a);
    a->field = sub.field;
    return OFERR_OK;
}

void
ofact_encode_DELETE_FIELD(const struct ofact_delete_field *a, struct ofact_encoder *e)
{
    size_t start = ofact_encode_begin(e, WIRE_DELETE_FIELD);

    oxm_put_header(a->field, 0, false, e->out);
    buf_put_zeros(e->out, 24 - (e->out->len - start));
    ofact_encode_end(e, start);
}
