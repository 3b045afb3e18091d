// SPDX-License-Identifier: Apache-2.0
// The learn action. A specification on the wire is a 16-bit header (bits 0-9: number of bits, 11-12: destination, 13: source is a constant), source, and
// destination.
#include <config.h>
#include "lib/of/ofact_private.h"

#define SPEC_N_BITS 0x3ff
#define SPEC_DST(HEADER) ((HEADER) >> 11 & 3)
#define SPEC_IMMEDIATE 0x2000
#define SPEC_UNUSED 0xc400
#define LEARN_FLAGS_ALL 7
enum { DST_MATCH, DST_LOAD, DST_OUTPUT };

static enum of_error
pull_ofs_field(struct slice *s, unsigned n_bits, struct subfield *sub)
{
    uint16_t ofs;
    enum of_error error = ofact_pull_subfield(s, 0, n_bits, sub);

    if (error) {
        return error;
    }
    if (!slice_get_be16(s, &ofs)) {
        return OFERR_OFPBAC_BAD_LEN;
    }
    sub->ofs = ofs;
    return OFERR_OK;
}

static enum of_error
decode_spec(struct slice *s, uint16_t header, struct ofact_learn_spec *spec)
{
    enum of_error error = OFERR_OK;

    if (header & SPEC_UNUSED || SPEC_DST(header) > DST_OUTPUT) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    spec->n_bits = header & SPEC_N_BITS;
    spec->dst = (uint8_t) SPEC_DST(header);
    spec->src_is_field = !(header & SPEC_IMMEDIATE);
    if (spec->src_is_field) {
        error = pull_ofs_field(s, spec->n_bits, &spec->src_sub);
        error = error ? error : subfield_check_src(&spec->src_sub, NULL);
    } else {
        unsigned n_bytes = ROUND_UP(spec->n_bits, 16) / 8;

        /* Right-aligned in 16 bytes, so that it is a number. */
        if (spec->n_bits > 128) {
            return OFERR_OFPBAC_BAD_ARGUMENT;
        }
        if (!slice_get(s, spec->imm.b + sizeof spec->imm - n_bytes, n_bytes)) {
            return OFERR_OFPBAC_BAD_LEN;
        }
    }
    if (error || spec->dst == DST_OUTPUT) {
        return error ? error : spec->src_is_field ? OFERR_OK : OFERR_OFPBAC_BAD_ARGUMENT;
    }
    error = pull_ofs_field(s, spec->n_bits, &spec->dst_sub);
    if (error) {
        return error;
    }
    return spec->dst == DST_LOAD ? subfield_check_dst(&spec->dst_sub, NULL) : subfield_check_src(&spec->dst_sub, NULL);
}

/* Specifications until a header of 0 or the end. They follow the record at 'start' in d->out. */
static enum of_error
decode_specs(struct ofact_decoder *d, size_t start)
{
    struct slice *s = &d->body;
    struct ofact_learn *a;
    uint32_t n = 0;

    for (;;) {
        struct ofact_learn_spec spec;
        uint16_t header;
        enum of_error error;

        if (!slice_get_be16(s, &header) || !header) {
            break;
        }
        memset(&spec, 0, sizeof spec);
        error = decode_spec(s, header, &spec);
        if (error) {
            return error;
        }
        buf_put(d->out, &spec, sizeof spec);
        n++;
    }
    if (!slice_is_zero(*s)) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    a = (struct ofact_learn *) (void *) (d->out->data + start);
    a->n_specs = n;
    a->a.size = (uint32_t) (d->out->len - start);
    return OFERR_OK;
}

enum of_error
ofact_decode_LEARN(struct ofact_decoder *d)
{
    size_t start = d->out->len;
    struct ofact_learn *a = ofact_decoder_put(d, offsetof(struct ofact_learn, specs));
    uint16_t result_ofs = 0;
    enum of_error error;

    slice_get_be16(&d->body, &a->idle);
    slice_get_be16(&d->body, &a->hard);
    slice_get_be16(&d->body, &a->priority);
    slice_get_be64(&d->body, &a->cookie);
    slice_get_be16(&d->body, &a->flags);
    slice_get_u8(&d->body, &a->table_id);
    slice_pull(&d->body, 1);
    slice_get_be16(&d->body, &a->fin_idle);
    slice_get_be16(&d->body, &a->fin_hard);
    if (a->flags & ~LEARN_FLAGS_ALL || a->table_id == 0xff) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    if (d->wire == WIRE_LEARN2) {
        slice_get_be32(&d->body, &a->limit);
        slice_get_be16(&d->body, &result_ofs);
        slice_pull(&d->body, 2);
        if (a->flags & LEARN_WRITE_RESULT) {
            error = ofact_pull_subfield(&d->body, result_ofs, 1, &a->result);
            error = error ? error : subfield_check_dst(&a->result, NULL);
            if (error) {
                return error;
            }
            a->has_result = true;
        }
    } else if (a->flags & LEARN_WRITE_RESULT) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    return decode_specs(d, start);
}

static void
put_ofs_field(const struct subfield *s, struct buf *b)
{
    oxm_put_header(s->field, 0, false, b);
    buf_put_be16(b, (uint16_t) s->ofs);
}

static void
encode_spec(const struct ofact_learn_spec *spec, struct buf *b)
{
    unsigned n_bytes = ROUND_UP(spec->n_bits, 16) / 8;

    buf_put_be16(b, (uint16_t) (spec->n_bits | spec->dst << 11 | (spec->src_is_field ? 0 : SPEC_IMMEDIATE)));
    if (spec->src_is_field) {
        put_ofs_field(&spec->src_sub, b);
    } else {
        buf_put(b, spec->imm.b + sizeof spec->imm - n_bytes, n_bytes);
    }
    if (spec->dst != DST_OUTPUT) {
        put_ofs_field(&spec->dst_sub, b);
    }
}

void
ofact_encode_LEARN(const struct ofact_learn *a, struct ofact_encoder *e)
{
    bool newer = a->limit || a->has_result || a->a.raw == WIRE_LEARN2;
    size_t start = ofact_encode_begin(e, newer ? WIRE_LEARN2 : WIRE_LEARN);

    buf_put_be16(e->out, a->idle);
    buf_put_be16(e->out, a->hard);
    buf_put_be16(e->out, a->priority);
    buf_put_be64(e->out, a->cookie);
    buf_put_be16(e->out, a->flags);
    buf_put_u8(e->out, a->table_id);
    buf_put_zeros(e->out, 1);
    buf_put_be16(e->out, a->fin_idle);
    buf_put_be16(e->out, a->fin_hard);
    if (newer) {
        buf_put_be32(e->out, a->limit);
        buf_put_be16(e->out, (uint16_t) a->result.ofs);
        buf_put_zeros(e->out, 2);
        if (a->has_result) {
            oxm_put_header(a->result.field, 0, false, e->out);
        }
    }
    for (uint32_t i = 0; i < a->n_specs; i++) {
        encode_spec(&a->specs[i], e->out);
    }
    ofact_encode_end(e, start);
}
