// SPDX-License-Identifier: Apache-2.0
// Packets on the wire: packet_out in its three forms, packet_in in its six.
#include <config.h>
#include "lib/of/body.h"
#include "lib/of/oxm.h"

static bool
in_port_ok(uint32_t port)
{
    return port < OFP10_PORT_MAX || port == OFPP_LOCAL || port == OFPP_NONE || port == OFPP_CONTROLLER;
}

/* What stands before the actions. */
static enum of_error
decode_out_head(const struct of_msg *m, struct slice *s, struct packet_out *po, uint16_t *actions_len)
{
    be16 port16 = 0;
    be32 port32 = 0;

    match_init_any(&po->meta);
    slice_get_be32(s, &po->buffer_id);
    if (m->row == MSG_PACKET_OUT15) {
        enum of_error error;

        slice_get_be16(s, actions_len);
        slice_pull(s, 2);
        error = of_match_pull(s, m->version, true, &po->meta);
        if (error) {
            return error;
        }
        po->in_port = po->meta.mask.in_port ? po->meta.key.in_port : OFPP_NONE;
        return OFERR_OK;
    }
    if (m->row == MSG_PACKET_OUT10) {
        slice_get(s, &port16, sizeof port16);
        po->in_port = of_port_from_wire16(port16);
        slice_get_be16(s, actions_len);
        return OFERR_OK;
    }
    slice_get(s, &port32, sizeof port32);
    slice_get_be16(s, actions_len);
    slice_pull(s, 6);
    return of_port_from_wire32(port32, &po->in_port) ? OFERR_OK : OFERR_OFPBRC_BAD_PORT;
}

enum of_error
packet_out_decode(const struct of_msg *m, struct packet_out *po)
{
    struct slice s = m->body;
    uint16_t actions_len = 0;
    const uint8_t *actions;
    enum of_error error;

    memset(po, 0, sizeof *po);
    error = decode_out_head(m, &s, po, &actions_len);
    if (error) {
        return error;
    }
    if (!in_port_ok(po->in_port)) {
        return OFERR_OFPBRC_BAD_PORT;
    }
    actions = slice_pull(&s, actions_len);
    if (!actions) {
        return OFERR_OFPBAC_BAD_LEN;
    }
    error = ofact_decode_actions(slice_of(actions, actions_len), m->version, &po->actions);
    if (error) {
        packet_out_clear(po);
        return error;
    }
    po->data = po->buffer_id == OFP_NO_BUFFER ? s : slice_of(NULL, 0);
    return OFERR_OK;
}

void
packet_out_clear(struct packet_out *po)
{
    buf_free(&po->actions);
}

uint8_t
packet_in_wire_reason(uint8_t reason, enum of_version version)
{
    switch (reason) {
    case OFPR_ACTION_SET:
    case OFPR_GROUP:
    case OFPR_PACKET_OUT:
        return version < OF14 ? OFPR_ACTION : reason;
    case OFPR_EXPLICIT_MISS:
        return version < OF13 ? OFPR_ACTION : OFPR_NO_MATCH;
    case OFPR_IMPLICIT_MISS:
        return OFPR_NO_MATCH;
    default:
        return reason;
    }
}

/* Fields that came with the packet and not in it; those that are zero are not said, but in_port always. */
static void
metadata_match(const struct flow_key *key, struct match *m)
{
    static const uint8_t ids[] = {
        FIELD_TUN_ID, FIELD_TUN_SRC, FIELD_TUN_DST, FIELD_TUN_IPV6_SRC, FIELD_TUN_IPV6_DST, FIELD_TUN_GBP_ID, FIELD_TUN_GBP_FLAGS, FIELD_TUN_FLAGS,
        FIELD_METADATA, FIELD_REG0, FIELD_REG1, FIELD_REG2, FIELD_REG3, FIELD_REG4, FIELD_REG5, FIELD_REG6, FIELD_REG7, FIELD_REG8, FIELD_REG9,
        FIELD_REG10, FIELD_REG11, FIELD_REG12, FIELD_REG13, FIELD_REG14, FIELD_REG15, FIELD_PKT_MARK, FIELD_PACKET_TYPE, FIELD_CT_STATE,
        FIELD_CT_ZONE, FIELD_CT_MARK, FIELD_CT_LABEL,
    };
    union field_value value;

    match_init_any(m);
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        const struct field *f = &field_table[ids[i]];

        if (!field_is_all_zeros(f, key)) {
            field_get(f, key, &value);
            field_match(f, &value, NULL, m);
        }
    }
    m->key.in_port = key->in_port;
    m->mask.in_port = UINT32_MAX;
}

static void
put_prop(struct buf *b, uint16_t type, const void *data, size_t n)
{
    buf_put_be16(b, type);
    buf_put_be16(b, (uint16_t) (4 + n));
    buf_put(b, data, n);
    buf_put_zeros(b, ROUND_UP(4 + n, 8) - (4 + n));
}

static void
put_prop8(struct buf *b, uint16_t type, uint8_t x)
{
    put_prop(b, type, &x, sizeof x);
}

static void
put_prop32(struct buf *b, uint16_t type, uint32_t x)
{
    be32 wire = htonl(x);

    put_prop(b, type, &wire, sizeof wire);
}

/* A property of 64 bits has padding in front of its value. */
static void
put_prop64(struct buf *b, uint16_t type, uint64_t x)
{
    buf_put_be16(b, type);
    buf_put_be16(b, 16);
    buf_put_zeros(b, 4);
    buf_put_be64(b, x);
}

enum {
    NXPINT_PACKET, NXPINT_FULL_LEN, NXPINT_BUFFER_ID, NXPINT_TABLE_ID, NXPINT_COOKIE, NXPINT_REASON, NXPINT_METADATA, NXPINT_USERDATA, NXPINT_CONTINUATION
};

/* Bytes of the frame that are sent: a message is at most 64 kB, all of what stands beside the frame included. */
#define MAX_BESIDE 1024

static size_t
included(const struct packet_in *pin)
{
    size_t beside = MAX_BESIDE + pin->userdata.len + pin->continuation.len;
    size_t room = beside < OF_MSG_MAX ? OF_MSG_MAX - beside : 0;

    return MIN(pin->data.len, room);
}

static void
encode_nx2(const struct packet_in *pin, enum of_version version, struct buf *b)
{
    size_t n = included(pin), start = of_msg_begin(b, MSG_NX_PACKET_IN2, version, 0), at;
    struct match m;

    if (n) {
        put_prop(b, NXPINT_PACKET, pin->data.data, n);
    }
    if (n < pin->data.len) {
        put_prop32(b, NXPINT_FULL_LEN, (uint32_t) pin->data.len);
    }
    put_prop8(b, NXPINT_TABLE_ID, pin->table_id);
    if (pin->cookie != UINT64_MAX) {
        put_prop64(b, NXPINT_COOKIE, pin->cookie);
    }
    put_prop8(b, NXPINT_REASON, packet_in_wire_reason(pin->reason, OF14));
    metadata_match(&pin->key, &m);
    at = b->len;
    buf_put_be16(b, NXPINT_METADATA);
    buf_put_be16(b, 0);
    oxm_encode(&m, MAX(version, OF12), b);
    of_patch16(b, at + 2, (uint16_t) (b->len - at));
    buf_put_zeros(b, ROUND_UP(b->len - at, 8) - (b->len - at));
    if (pin->userdata.len) {
        put_prop(b, NXPINT_USERDATA, pin->userdata.data, pin->userdata.len);
    }
    if (pin->continuation.len) {
        put_prop(b, NXPINT_CONTINUATION, pin->continuation.data, pin->continuation.len);
    }
    of_msg_end(b, start);
}

static void
encode_nx(const struct packet_in *pin, enum of_version version, struct buf *b)
{
    size_t start = of_msg_begin(b, MSG_NX_PACKET_IN, version, 0), len_at, match_at;
    struct match m;

    buf_put_be32(b, OFP_NO_BUFFER);
    buf_put_be16(b, (uint16_t) pin->data.len);
    buf_put_u8(b, packet_in_wire_reason(pin->reason, version));
    buf_put_u8(b, pin->table_id);
    buf_put_be64(b, pin->cookie);
    len_at = b->len;
    buf_put_zeros(b, 8);
    match_at = b->len;
    metadata_match(&pin->key, &m);
    oxm_encode(&m, 0, b);
    of_patch16(b, len_at, (uint16_t) (b->len - match_at));
    buf_put_zeros(b, ROUND_UP(b->len - match_at, 8) - (b->len - match_at) + 2);
    buf_put(b, pin->data.data, included(pin));
    of_msg_end(b, start);
}

static void
encode_std(const struct packet_in *pin, enum of_version version, struct buf *b)
{
    size_t start = of_msg_begin(b, MSG_PACKET_IN, version, 0);
    struct match m;

    buf_put_be32(b, OFP_NO_BUFFER);
    if (version == OF11) {
        buf_put_be32(b, pin->key.in_port);
        buf_put_be32(b, pin->key.in_port);
    }
    buf_put_be16(b, (uint16_t) pin->data.len);
    if (version == OF10) {
        buf_put_be16(b, (uint16_t) pin->key.in_port);
    }
    buf_put_u8(b, packet_in_wire_reason(pin->reason, version));
    buf_put_u8(b, version == OF10 ? 0 : pin->table_id);
    if (version >= OF13) {
        buf_put_be64(b, pin->cookie);
    }
    if (version >= OF12) {
        metadata_match(&pin->key, &m);
        of_match_put(&m, version, b);
        buf_put_zeros(b, 2);
    }
    buf_put(b, pin->data.data, included(pin));
    of_msg_end(b, start);
}

void
packet_in_encode(const struct packet_in *pin, enum of_version version, enum packet_in_format format, struct buf *b)
{
    if (format == PACKET_IN_NXT2) {
        encode_nx2(pin, version, b);
    } else if (format == PACKET_IN_NXT) {
        encode_nx(pin, version, b);
    } else {
        encode_std(pin, version, b);
    }
}
