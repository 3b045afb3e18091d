// SPDX-License-Identifier: Apache-2.0
// Actions of the specifications: output, groups, tags, TTLs, queues; those of them that 1.0 lacks have Nicira's form there.
#include <config.h>
#include "lib/of/ofact_private.h"

enum of_error
ofact_decode_OUTPUT(struct ofact_decoder *d)
{
    uint32_t port;
    struct ofact_output *a;
    be16 port16 = 0;
    be32 port32 = 0;

    if (d->wire == WIRE_OUTPUT10) {
        slice_get(&d->body, &port16, sizeof port16);
        port = of_port_from_wire16(port16);
    } else {
        slice_get(&d->body, &port32, sizeof port32);
        if (!of_port_from_wire32(port32, &port)) {
            return OFERR_OFPBAC_BAD_OUT_PORT;
        }
    }
    a = ofact_decoder_put(d, sizeof *a);
    a->port = port;
    slice_get_be16(&d->body, &a->max_len);
    return OFERR_OK;
}

void
ofact_encode_OUTPUT(const struct ofact_output *a, struct ofact_encoder *e)
{
    size_t start = ofact_encode_begin(e, e->version == OF10 ? WIRE_OUTPUT10 : WIRE_OUTPUT11);

    if (e->version == OF10) {
        buf_put_be16(e->out, (uint16_t) a->port);
    } else {
        buf_put_be32(e->out, a->port);
    }
    buf_put_be16(e->out, a->max_len);
    ofact_encode_end(e, start);
}

enum of_error
ofact_decode_GROUP(struct ofact_decoder *d)
{
    struct ofact_group *a = ofact_decoder_put(d, sizeof *a);

    slice_pull(&d->body, d->wire == WIRE_GROUP10 ? 2 : 0);
    slice_get_be32(&d->body, &a->group_id);
    return OFERR_OK;
}

void
ofact_encode_GROUP(const struct ofact_group *a, struct ofact_encoder *e)
{
    size_t start = ofact_encode_begin(e, e->version == OF10 ? WIRE_GROUP10 : WIRE_GROUP11);

    buf_put_zeros(e->out, e->version == OF10 ? 2 : 0);
    buf_put_be32(e->out, a->group_id);
    ofact_encode_end(e, start);
}

enum of_error
ofact_decode_ENQUEUE(struct ofact_decoder *d)
{
    struct ofact_enqueue *a;
    be16 port = 0;

    slice_get(&d->body, &port, sizeof port);
    a = ofact_decoder_put(d, sizeof *a);
    a->port = of_port_from_wire16(port);
    slice_pull(&d->body, 6);
    slice_get_be32(&d->body, &a->queue);
    return OFERR_OK;
}

static void
encode_u32(struct ofact_encoder *e, enum ofact_wire wire, uint32_t value)
{
    size_t start = ofact_encode_begin(e, wire);

    buf_put_zeros(e->out, ofact_wires[wire].vendor == VENDOR_NX ? 2 : 0);
    buf_put_be32(e->out, value);
    ofact_encode_end(e, start);
}

/* Later versions say it in three actions. */
void
ofact_encode_ENQUEUE(const struct ofact_enqueue *a, struct ofact_encoder *e)
{
    struct ofact_output output = {.port = a->port};
    size_t start;

    if (e->version > OF10) {
        encode_u32(e, WIRE_SET_QUEUE11, a->queue);
        ofact_encode_OUTPUT(&output, e);
        ofact_encode_empty(e, WIRE_POP_QUEUE);
        return;
    }
    start = ofact_encode_begin(e, WIRE_ENQUEUE);
    buf_put_be16(e->out, (uint16_t) a->port);
    buf_put_zeros(e->out, 6);
    buf_put_be32(e->out, a->queue);
    ofact_encode_end(e, start);
}

enum of_error
ofact_decode_SET_QUEUE(struct ofact_decoder *d)
{
    struct ofact_queue *a = ofact_decoder_put(d, sizeof *a);

    slice_pull(&d->body, d->wire == WIRE_SET_QUEUE10 ? 2 : 0);
    slice_get_be32(&d->body, &a->queue_id);
    return OFERR_OK;
}

void
ofact_encode_SET_QUEUE(const struct ofact_queue *a, struct ofact_encoder *e)
{
    encode_u32(e, e->version == OF10 ? WIRE_SET_QUEUE10 : WIRE_SET_QUEUE11, a->queue_id);
}

/* Actions that say nothing but their kind. */
static enum of_error
decode_empty(struct ofact_decoder *d)
{
    ofact_decoder_put(d, sizeof(struct ofact_empty));
    return OFERR_OK;
}

enum of_error
ofact_decode_POP_QUEUE(struct ofact_decoder *d)
{
    return decode_empty(d);
}

void
ofact_encode_POP_QUEUE(const struct ofact_empty *a, struct ofact_encoder *e)
{
    (void) a;
    ofact_encode_empty(e, WIRE_POP_QUEUE);
}

enum of_error
ofact_decode_STRIP_VLAN(struct ofact_decoder *d)
{
    return decode_empty(d);
}

void
ofact_encode_STRIP_VLAN(const struct ofact_empty *a, struct ofact_encoder *e)
{
    (void) a;
    if (e->version == OF10) {
        /* The body of 1.0's form is 4 bytes of padding. */
        size_t start = ofact_encode_begin(e, WIRE_STRIP_VLAN);

        buf_put_zeros(e->out, 4);
        ofact_encode_end(e, start);
    } else {
        ofact_encode_empty(e, WIRE_POP_VLAN);
    }
}

enum of_error
ofact_decode_DEC_MPLS_TTL(struct ofact_decoder *d)
{
    return decode_empty(d);
}

void
ofact_encode_DEC_MPLS_TTL(const struct ofact_empty *a, struct ofact_encoder *e)
{
    (void) a;
    ofact_encode_empty(e, e->version == OF10 ? WIRE_DEC_MPLS_TTL10 : WIRE_DEC_MPLS_TTL11);
}

enum of_error
ofact_decode_DEC_NSH_TTL(struct ofact_decoder *d)
{
    return decode_empty(d);
}

void
ofact_encode_DEC_NSH_TTL(const struct ofact_empty *a, struct ofact_encoder *e)
{
    (void) a;
    ofact_encode_empty(e, WIRE_DEC_NSH_TTL);
}

enum of_error
ofact_decode_EXIT(struct ofact_decoder *d)
{
    return decode_empty(d);
}

void
ofact_encode_EXIT(const struct ofact_empty *a, struct ofact_encoder *e)
{
    (void) a;
    ofact_encode_empty(e, WIRE_EXIT);
}

enum of_error
ofact_decode_CT_CLEAR(struct ofact_decoder *d)
{
    return decode_empty(d);
}

void
ofact_encode_CT_CLEAR(const struct ofact_empty *a, struct ofact_encoder *e)
{
    (void) a;
    ofact_encode_empty(e, WIRE_CT_CLEAR);
}

static void
encode_be16(struct ofact_encoder *e, enum ofact_wire wire, be16 value)
{
    size_t start = ofact_encode_begin(e, wire);

    buf_put_be16(e->out, ntohs(value));
    ofact_encode_end(e, start);
}

#define ETH_TYPE_VLAN 0x8100
#define ETH_TYPE_QINQ 0x88a8
#define ETH_TYPE_MPLS 0x8847
#define ETH_TYPE_MPLS_MULTICAST 0x8848

enum of_error
ofact_decode_PUSH_VLAN(struct ofact_decoder *d)
{
    struct ofact_push_vlan *a;
    be16 type = 0;

    slice_get(&d->body, &type, sizeof type);
    if (type != htons(ETH_TYPE_VLAN) && type != htons(ETH_TYPE_QINQ)) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    a = ofact_decoder_put(d, sizeof *a);
    a->ethertype = type;
    return OFERR_OK;
}

/* In 1.0 the tag is pushed by the mod_vlan_vid or mod_vlan_pcp that has to follow. */
void
ofact_encode_PUSH_VLAN(const struct ofact_push_vlan *a, struct ofact_encoder *e)
{
    if (e->version > OF10) {
        encode_be16(e, WIRE_PUSH_VLAN, a->ethertype);
    }
}

enum of_error
ofact_decode_PUSH_MPLS(struct ofact_decoder *d)
{
    struct ofact_push_mpls *a;
    be16 type = 0;

    slice_get(&d->body, &type, sizeof type);
    if (type != htons(ETH_TYPE_MPLS) && type != htons(ETH_TYPE_MPLS_MULTICAST)) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    a = ofact_decoder_put(d, sizeof *a);
    a->ethertype = type;
    return OFERR_OK;
}

void
ofact_encode_PUSH_MPLS(const struct ofact_push_mpls *a, struct ofact_encoder *e)
{
    encode_be16(e, e->version == OF10 ? WIRE_PUSH_MPLS10 : WIRE_PUSH_MPLS11, a->ethertype);
}

enum of_error
ofact_decode_POP_MPLS(struct ofact_decoder *d)
{
    struct ofact_pop_mpls *a = ofact_decoder_put(d, sizeof *a);

    slice_get(&d->body, &a->ethertype, sizeof a->ethertype);
    return OFERR_OK;
}

void
ofact_encode_POP_MPLS(const struct ofact_pop_mpls *a, struct ofact_encoder *e)
{
    encode_be16(e, e->version == OF10 ? WIRE_POP_MPLS10 : WIRE_POP_MPLS11, a->ethertype);
}

/* A list of controllers to tell; the plain forms mean controller 0. */
enum of_error
ofact_decode_DEC_TTL(struct ofact_decoder *d)
{
    uint16_t n = 1;
    struct ofact_dec_ttl *a;

    if (d->wire == WIRE_DEC_TTL_CNT_IDS) {
        slice_get_be16(&d->body, &n);
        if (!slice_is_zero(slice_of(d->body.data, 4))) {
            return OFERR_NXBRC_MUST_BE_ZERO;
        }
        slice_pull(&d->body, 4);
        if (d->body.len < 2u * n) {
            return OFERR_OFPBAC_BAD_LEN;
        }
    }
    a = ofact_decoder_put(d, sizeof *a + n * sizeof a->ids[0]);
    a->n_controllers = n;
    for (uint16_t i = 0; d->wire == WIRE_DEC_TTL_CNT_IDS && i < n; i++) {
        slice_get_be16(&d->body, &a->ids[i]);
    }
    return OFERR_OK;
}

void
ofact_encode_DEC_TTL(const struct ofact_dec_ttl *a, struct ofact_encoder *e)
{
    size_t start;

    if (a->a.raw != WIRE_DEC_TTL_CNT_IDS) {
        ofact_encode_empty(e, e->version == OF10 ? WIRE_DEC_TTL10 : WIRE_DEC_TTL11);
        return;
    }
    start = ofact_encode_begin(e, WIRE_DEC_TTL_CNT_IDS);
    buf_put_be16(e->out, a->n_controllers);
    buf_put_zeros(e->out, 4);
    for (uint16_t i = 0; i < a->n_controllers; i++) {
        buf_put_be16(e->out, a->ids[i]);
    }
    ofact_encode_end(e, start);
}
