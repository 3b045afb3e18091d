// SPDX-License-Identifier: Apache-2.0
// Nicira's actions beyond field writes: controller, resubmit, bundle, multipath, note and others of ovs-actions(7).
#include <config.h>
#include "lib/of/ofact_private.h"

/* Properties of the newer controller action: type and length as in 1.4's property lists. */
enum { PROP_MAX_LEN, PROP_CONTROLLER_ID, PROP_REASON, PROP_USERDATA, PROP_PAUSE, PROP_METER_ID };

static enum of_error
decode_controller_prop(uint16_t type, struct slice body, struct ofact_controller *a, struct slice *userdata)
{
    bool number = body.len == 4; /* A number of 16 bits is padded within the property. */

    switch (type) {
    case PROP_MAX_LEN:
        return number && slice_get_be16(&body, &a->max_len) ? OFERR_OK : OFERR_OFPBPC_BAD_LEN;
    case PROP_CONTROLLER_ID:
        return number && slice_get_be16(&body, &a->controller_id) ? OFERR_OK : OFERR_OFPBPC_BAD_LEN;
    case PROP_REASON:
        return (number || body.len == 1) && slice_get_u8(&body, &a->reason) ? OFERR_OK : OFERR_OFPBPC_BAD_LEN;
    case PROP_USERDATA:
        *userdata = body;
        return OFERR_OK;
    case PROP_PAUSE:
        a->pause = true;
        return body.len ? OFERR_OFPBPC_BAD_LEN : OFERR_OK;
    case PROP_METER_ID:
        return number && slice_get_be32(&body, &a->meter_id) ? OFERR_OK : OFERR_OFPBPC_BAD_LEN;
    default:
        return OFERR_OFPBPC_BAD_TYPE;
    }
}

static enum of_error
decode_controller2(struct ofact_decoder *d)
{
    struct ofact_controller fixed = {.max_len = UINT16_MAX, .reason = OFPR_ACTION}, *a;
    struct slice userdata = {NULL, 0}, s = d->body;
    struct ofact header;

    if (!slice_is_zero(slice_of(s.data, 6))) {
        return OFERR_NXBRC_MUST_BE_ZERO;
    }
    slice_pull(&s, 6);
    while (s.len) {
        struct slice peek = s;
        uint16_t type, len;
        enum of_error error;

        if (!slice_get_be16(&peek, &type) || !slice_get_be16(&peek, &len) || len < 4 || ROUND_UP((size_t) len, 8) > s.len) {
            return OFERR_OFPBPC_BAD_LEN;
        }
        peek.len = len - 4u;
        error = decode_controller_prop(type, peek, &fixed, &userdata);
        if (error) {
            return error;
        }
        slice_pull(&s, ROUND_UP((size_t) len, 8));
    }
    a = ofact_decoder_put(d, sizeof *a + userdata.len);
    header = a->a;
    *a = fixed;
    a->a = header;
    a->userdata_len = (uint16_t) userdata.len;
    if (userdata.len) {
        memcpy(a->userdata, userdata.data, userdata.len);
    }
    return OFERR_OK;
}

enum of_error
ofact_decode_CONTROLLER(struct ofact_decoder *d)
{
    struct ofact_controller *a;

    if (d->wire == WIRE_CONTROLLER2) {
        return decode_controller2(d);
    }
    a = ofact_decoder_put(d, sizeof *a);
    slice_get_be16(&d->body, &a->max_len);
    slice_get_be16(&d->body, &a->controller_id);
    slice_get_u8(&d->body, &a->reason);
    return OFERR_OK;
}

static size_t
begin_prop(struct buf *b, uint16_t type)
{
    size_t start = b->len;

    buf_put_be16(b, type);
    buf_put_be16(b, 0);
    return start;
}

/* A number, with padding that counts. */
static void
put_number_prop(struct buf *b, uint16_t type, uint32_t left_aligned)
{
    buf_put_be16(b, type);
    buf_put_be16(b, 8);
    buf_put_be32(b, left_aligned);
}

static void
end_prop(struct buf *b, size_t start)
{
    size_t len = b->len - start;
    be16 length = htons((uint16_t) len);

    memcpy(b->data + start + 2, &length, sizeof length);
    buf_put_zeros(b, ROUND_UP(len, 8) - len);
}

static void
encode_controller2(const struct ofact_controller *a, struct buf *b)
{
    size_t p;

    buf_put_zeros(b, 6);
    if (a->max_len != UINT16_MAX) {
        put_number_prop(b, PROP_MAX_LEN, (uint32_t) a->max_len << 16);
    }
    if (a->controller_id) {
        put_number_prop(b, PROP_CONTROLLER_ID, (uint32_t) a->controller_id << 16);
    }
    if (a->reason != OFPR_ACTION) {
        p = begin_prop(b, PROP_REASON);
        buf_put_u8(b, a->reason);
        end_prop(b, p);
    }
    if (a->userdata_len) {
        p = begin_prop(b, PROP_USERDATA);
        buf_put(b, a->userdata, a->userdata_len);
        end_prop(b, p);
    }
    if (a->pause) {
        end_prop(b, begin_prop(b, PROP_PAUSE));
    }
    if (a->meter_id) {
        put_number_prop(b, PROP_METER_ID, a->meter_id);
    }
}

void
ofact_encode_CONTROLLER(const struct ofact_controller *a, struct ofact_encoder *e)
{
    bool newer = a->userdata_len || a->pause || a->meter_id || a->a.raw == WIRE_CONTROLLER2;
    size_t start = ofact_encode_begin(e, newer ? WIRE_CONTROLLER2 : WIRE_CONTROLLER);

    if (newer) {
        encode_controller2(a, e->out);
    } else {
        buf_put_be16(e->out, a->max_len);
        buf_put_be16(e->out, a->controller_id);
        buf_put_u8(e->out, a->reason);
    }
    ofact_encode_end(e, start);
}

enum of_error
ofact_decode_OUTPUT_REG(struct ofact_decoder *d)
{
    uint16_t ofs_nbits = 0, max_len = 0;
    struct ofact_output_reg *a;
    struct subfield src;
    enum of_error error;

    slice_get_be16(&d->body, &ofs_nbits);
    if (d->wire == WIRE_OUTPUT_REG2) {
        slice_get_be16(&d->body, &max_len);
    }
    error = ofact_pull_subfield(&d->body, ofs_nbits >> 6, (ofs_nbits & 63) + 1u, &src);
    if (error) {
        return error;
    }
    if (d->wire == WIRE_OUTPUT_REG) {
        slice_get_be16(&d->body, &max_len);
    }
    if (!slice_is_zero(d->body)) {
        return OFERR_NXBRC_MUST_BE_ZERO;
    }
    error = subfield_check_src(&src, NULL);
    if (error) {
        return error;
    }
    a = ofact_decoder_put(d, sizeof *a);
    a->src = src;
    a->max_len = max_len;
    return OFERR_OK;
}

void
ofact_encode_OUTPUT_REG(const struct ofact_output_reg *a, struct ofact_encoder *e)
{
    bool wide = field_header_has_experimenter(field_header(a->src.field, 0, false));
    size_t start = ofact_encode_begin(e, wide ? WIRE_OUTPUT_REG2 : WIRE_OUTPUT_REG);

    buf_put_be16(e->out, ofs_nbits_encode(&a->src));
    if (wide) {
        buf_put_be16(e->out, a->max_len);
        oxm_put_header(a->src.field, 0, false, e->out);
    } else {
        oxm_put_header(a->src.field, 0, false, e->out);
        buf_put_be16(e->out, a->max_len);
        buf_put_zeros(e->out, 6);
    }
    ofact_encode_end(e, start);
}

enum of_error
ofact_decode_OUTPUT_TRUNC(struct ofact_decoder *d)
{
    struct ofact_output_trunc *a = ofact_decoder_put(d, sizeof *a);
    be16 port = 0;

    slice_get(&d->body, &port, sizeof port);
    a->port = of_port_from_wire16(port);
    slice_get_be32(&d->body, &a->max_len);
    return OFERR_OK;
}

void
ofact_encode_OUTPUT_TRUNC(const struct ofact_output_trunc *a, struct ofact_encoder *e)
{
    size_t start = ofact_encode_begin(e, WIRE_OUTPUT_TRUNC);

    buf_put_be16(e->out, (uint16_t) a->port);
    buf_put_be32(e->out, a->max_len);
    ofact_encode_end(e, start);
}

enum of_error
ofact_decode_RESUBMIT(struct ofact_decoder *d)
{
    struct ofact_resubmit *a = ofact_decoder_put(d, sizeof *a);
    be16 port = 0;

    slice_get(&d->body, &port, sizeof port);
    a->in_port = of_port_from_wire16(port);
    a->table_id = 255;
    if (d->wire == WIRE_RESUBMIT) {
        return OFERR_OK;
    }
    slice_get_u8(&d->body, &a->table_id);
    a->with_ct_orig = d->wire == WIRE_RESUBMIT_TABLE_CT;
    return slice_is_zero(d->body) ? OFERR_OK : OFERR_OFPBAC_BAD_ARGUMENT;
}

void
ofact_encode_RESUBMIT(const struct ofact_resubmit *a, struct ofact_encoder *e)
{
    enum ofact_wire wire = a->with_ct_orig                                          ? WIRE_RESUBMIT_TABLE_CT
                           : a->table_id == 255 && a->a.raw != WIRE_RESUBMIT_TABLE ? WIRE_RESUBMIT
                                                                                    : WIRE_RESUBMIT_TABLE;
    size_t start = ofact_encode_begin(e, wire);

    buf_put_be16(e->out, (uint16_t) a->in_port);
    buf_put_u8(e->out, wire == WIRE_RESUBMIT ? 0 : a->table_id);
    ofact_encode_end(e, start);
}

enum of_error
ofact_decode_NOTE(struct ofact_decoder *d)
{
    struct ofact_note *a = ofact_decoder_put(d, sizeof *a + d->body.len);

    a->length = (uint32_t) d->body.len;
    memcpy(a->data, d->body.data, d->body.len);
    return OFERR_OK;
}

void
ofact_encode_NOTE(const struct ofact_note *a, struct ofact_encoder *e)
{
    size_t start = ofact_encode_begin(e, WIRE_NOTE);

    buf_put(e->out, a->data, a->length);
    ofact_encode_end(e, start);
}

enum of_error
ofact_decode_FIN_TIMEOUT(struct ofact_decoder *d)
{
    struct ofact_fin_timeout *a = ofact_decoder_put(d, sizeof *a);

    slice_get_be16(&d->body, &a->idle);
    slice_get_be16(&d->body, &a->hard);
    return OFERR_OK;
}

void
ofact_encode_FIN_TIMEOUT(const struct ofact_fin_timeout *a, struct ofact_encoder *e)
{
    size_t start = ofact_encode_begin(e, WIRE_FIN_TIMEOUT);

    buf_put_be16(e->out, a->idle);
    buf_put_be16(e->out, a->hard);
    ofact_encode_end(e, start);
}

enum of_error
ofact_decode_SAMPLE(struct ofact_decoder *d)
{
    struct ofact_sample *a = ofact_decoder_put(d, sizeof *a);
    uint16_t port = 0xffff;

    slice_get_be16(&d->body, &a->probability);
    slice_get_be32(&d->body, &a->collector_set);
    slice_get_be32(&d->body, &a->obs_domain);
    slice_get_be32(&d->body, &a->obs_point);
    if (d->wire != WIRE_SAMPLE) {
        slice_get_be16(&d->body, &port);
    }
    a->sampling_port = of_port_from_wire16(htons(port));
    if (d->wire == WIRE_SAMPLE3) {
        slice_get_u8(&d->body, &a->direction);
    }
    return a->probability && a->direction <= 2 ? OFERR_OK : OFERR_OFPBAC_BAD_ARGUMENT;
}

void
ofact_encode_SAMPLE(const struct ofact_sample *a, struct ofact_encoder *e)
{
    enum ofact_wire wire = a->direction ? WIRE_SAMPLE3 : a->sampling_port != OFPP_NONE || a->a.raw == WIRE_SAMPLE2 ? WIRE_SAMPLE2 : WIRE_SAMPLE;
    size_t start = ofact_encode_begin(e, wire);

    buf_put_be16(e->out, a->probability);
    buf_put_be32(e->out, a->collector_set);
    buf_put_be32(e->out, a->obs_domain);
    buf_put_be32(e->out, a->obs_point);
    if (wire != WIRE_SAMPLE) {
        buf_put_be16(e->out, (uint16_t) a->sampling_port);
        buf_put_u8(e->out, a->direction);
    }
    ofact_encode_end(e, start);
}

enum of_error
ofact_decode_CONJUNCTION(struct ofact_decoder *d)
{
    struct ofact_conjunction *a = ofact_decoder_put(d, sizeof *a);

    slice_get_u8(&d->body, &a->clause);
    slice_get_u8(&d->body, &a->n_clauses);
    slice_get_be32(&d->body, &a->id);
    return a->n_clauses < 2 || a->n_clauses > 64 || a->clause >= a->n_clauses ? OFERR_NXBAC_BAD_CONJUNCTION : OFERR_OK;
}

void
ofact_encode_CONJUNCTION(const struct ofact_conjunction *a, struct ofact_encoder *e)
{
    size_t start = ofact_encode_begin(e, WIRE_CONJUNCTION);

    buf_put_u8(e->out, a->clause);
    buf_put_u8(e->out, a->n_clauses);
    buf_put_be32(e->out, a->id);
    ofact_encode_end(e, start);
}

#define N_HASH_FIELDS 7
#define N_MULTIPATH_ALGORITHMS 4
#define N_BUNDLE_ALGORITHMS 2

enum of_error
ofact_decode_MULTIPATH(struct ofact_decoder *d)
{
    struct ofact_multipath m = {.max_link = 0}, *a;
    uint16_t ofs_nbits = 0;
    enum of_error error;
    struct ofact header;

    slice_get_be16(&d->body, &m.fields);
    slice_get_be16(&d->body, &m.basis);
    slice_pull(&d->body, 2);
    slice_get_be16(&d->body, &m.algorithm);
    slice_get_be16(&d->body, &m.max_link);
    slice_get_be32(&d->body, &m.arg);
    slice_pull(&d->body, 2);
    slice_get_be16(&d->body, &ofs_nbits);
    error = ofact_pull_subfield(&d->body, ofs_nbits >> 6, (ofs_nbits & 63) + 1u, &m.dst);
    if (error) {
        return error;
    }
    if (m.fields >= N_HASH_FIELDS || m.algorithm >= N_MULTIPATH_ALGORITHMS || (m.dst.n_bits < 16 && m.max_link >= 1u << m.dst.n_bits)) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    error = subfield_check_dst(&m.dst, NULL);
    if (error) {
        return error;
    }
    a = ofact_decoder_put(d, sizeof *a);
    header = a->a;
    *a = m;
    a->a = header;
    return OFERR_OK;
}

void
ofact_encode_MULTIPATH(const struct ofact_multipath *a, struct ofact_encoder *e)
{
    size_t start = ofact_encode_begin(e, WIRE_MULTIPATH);

    buf_put_be16(e->out, a->fields);
    buf_put_be16(e->out, a->basis);
    buf_put_zeros(e->out, 2);
    buf_put_be16(e->out, a->algorithm);
    buf_put_be16(e->out, a->max_link);
    buf_put_be32(e->out, a->arg);
    buf_put_zeros(e->out, 2);
    buf_put_be16(e->out, ofs_nbits_encode(&a->dst));
    oxm_put_header(a->dst.field, 0, false, e->out);
    ofact_encode_end(e, start);
}

#define MEMBER_TYPE_PORT 0x00000002u /* NXM_OF_IN_PORT. */
#define MAX_MEMBERS 2048

static enum of_error
check_bundle(const struct ofact_bundle *a, uint32_t type, struct slice members)
{
    if (a->algorithm >= N_BUNDLE_ALGORITHMS || a->fields >= N_HASH_FIELDS || type != MEMBER_TYPE_PORT || a->n_members > MAX_MEMBERS) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    return members.len < 2u * a->n_members ? OFERR_OFPBAC_BAD_LEN : OFERR_OK;
}

enum of_error
ofact_decode_BUNDLE(struct ofact_decoder *d)
{
    struct ofact_bundle m = {.fields = 0}, *a;
    uint16_t ofs_nbits = 0;
    uint32_t type = 0;
    enum of_error error = OFERR_OK;
    struct ofact header;

    slice_get_be16(&d->body, &m.algorithm);
    slice_get_be16(&d->body, &m.fields);
    slice_get_be16(&d->body, &m.basis);
    slice_get_be32(&d->body, &type);
    slice_get_be16(&d->body, &m.n_members);
    slice_get_be16(&d->body, &ofs_nbits);
    if (d->wire == WIRE_BUNDLE_LOAD) {
        error = ofact_pull_subfield(&d->body, ofs_nbits >> 6, (ofs_nbits & 63) + 1u, &m.dst);
        error = error ? error : m.dst.n_bits < 16 ? OFERR_OFPBAC_BAD_ARGUMENT : subfield_check_dst(&m.dst, NULL);
    } else {
        slice_pull(&d->body, 4);
    }
    slice_pull(&d->body, 4);
    error = error ? error : check_bundle(&m, type, d->body);
    if (error) {
        return error;
    }
    a = ofact_decoder_put(d, sizeof *a + m.n_members * sizeof a->members[0]);
    header = a->a;
    *a = m;
    a->a = header;
    for (unsigned i = 0; i < m.n_members; i++) {
        be16 port = 0;

        slice_get(&d->body, &port, sizeof port);
        a->members[i] = of_port_from_wire16(port);
    }
    return OFERR_OK;
}

void
ofact_encode_BUNDLE(const struct ofact_bundle *a, struct ofact_encoder *e)
{
    size_t start = ofact_encode_begin(e, a->dst.field ? WIRE_BUNDLE_LOAD : WIRE_BUNDLE);

    buf_put_be16(e->out, a->algorithm);
    buf_put_be16(e->out, a->fields);
    buf_put_be16(e->out, a->basis);
    buf_put_be32(e->out, MEMBER_TYPE_PORT);
    buf_put_be16(e->out, a->n_members);
    if (a->dst.field) {
        buf_put_be16(e->out, ofs_nbits_encode(&a->dst));
        oxm_put_header(a->dst.field, 0, false, e->out);
    } else {
        buf_put_zeros(e->out, 6);
    }
    buf_put_zeros(e->out, 4);
    for (unsigned i = 0; i < a->n_members; i++) {
        buf_put_be16(e->out, (uint16_t) a->members[i]);
    }
    ofact_encode_end(e, start);
}

enum of_error
ofact_decode_CHECK_PKT_LARGER(struct ofact_decoder *d)
{
    uint16_t len = 0, ofs = 0;
    struct ofact_check_pkt_larger *a;
    struct subfield dst;
    enum of_error error;

    slice_get_be16(&d->body, &len);
    slice_get_be16(&d->body, &ofs);
    error = ofact_pull_subfield(&d->body, ofs, 1, &dst);
    if (!error && !slice_is_zero(d->body)) {
        error = OFERR_NXBRC_MUST_BE_ZERO;
    }
    if (!error) {
        error = subfield_check_dst(&dst, NULL);
    }
    if (error) {
        return error;
    }
    a = ofact_decoder_put(d, sizeof *a);
    a->len = len;
    a->dst = dst;
    return OFERR_OK;
}

void
ofact_encode_CHECK_PKT_LARGER(const struct ofact_check_pkt_larger *a, struct ofact_encoder *e)
{
    size_t start = ofact_encode_begin(e, WIRE_CHECK_PKT_LARGER);

    buf_put_be16(e->out, a->len);
    buf_put_be16(e->out, (uint16_t) a->dst.ofs);
    oxm_put_header(a->dst.field, 0, false, e->out);
    buf_put_zeros(e->out, 24 - (e->out->len - start));
    ofact_encode_end(e, start);
}

enum of_error
ofact_decode_CLONE(struct ofact_decoder *d)
{
    size_t start = d->out->len;

    ofact_decoder_put(d, sizeof(struct ofact_nest));
    slice_pull(&d->body, 6);
    return ofact_decode_nested(d, d->body, start);
}

void
ofact_encode_CLONE(const struct ofact_nest *a, struct ofact_encoder *e)
{
    size_t size, start = ofact_encode_begin(e, WIRE_CLONE);
    const struct ofact *nested = ofact_nested(&a->a, &size);

    buf_put_zeros(e->out, 6);
    ofact_encode_list(nested, size, e);
    ofact_encode_end(e, start);
}
