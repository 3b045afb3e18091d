// SPDX-License-Identifier: Apache-2.0
// Instructions of OpenFlow 1.1 and later. In a list of ours, applied actions stand as they are, and the other instructions are records, in the order in
// which a switch carries them out: meter, actions, clear_actions, write_actions, write_metadata, goto_table.
#include <config.h>
#include "lib/of/ofact_private.h"

/* Types, section "Instruction Structures". */
enum {
    INST_GOTO_TABLE = 1, INST_WRITE_METADATA, INST_WRITE_ACTIONS, INST_APPLY_ACTIONS, INST_CLEAR_ACTIONS, INST_METER,
    INST_STAT_TRIGGER, INST_N, INST_EXPERIMENTER = 0xffff
};

/* Instructions found, by type; data NULL: not there. */
struct found {
    struct slice body[INST_N];
};

static bool
length_ok(uint16_t type, size_t len)
{
    switch (type) {
    case INST_WRITE_METADATA:
        return len == 24;
    case INST_WRITE_ACTIONS:
    case INST_APPLY_ACTIONS:
        return len >= 8;
    default:
        return len == 8;
    }
}

static bool
is_known(uint16_t type, enum of_version version)
{
    return (type >= INST_GOTO_TABLE && type <= INST_CLEAR_ACTIONS) || (type == INST_METER && (version == OF13 || version == OF14));
}

static enum of_error
sort_instructions(struct slice s, enum of_version version, struct found *found)
{
    while (s.len) {
        struct slice peek = s;
        uint16_t type, len;

        if (!slice_get_be16(&peek, &type) || !slice_get_be16(&peek, &len) || len < 8 || len % 8 || len > s.len) {
            return OFERR_OFPBIC_BAD_LEN;
        }
        peek.len = len - 4u;
        slice_pull(&s, len);
        if (type == INST_EXPERIMENTER) {
            return OFERR_OFPBIC_BAD_EXPERIMENTER;
        }
        if (!is_known(type, version)) {
            return OFERR_OFPBIC_UNKNOWN_INST;
        }
        if (!length_ok(type, len)) {
            return OFERR_OFPBIC_BAD_LEN;
        }
        if (found->body[type].data) {
            return OFERR_OFPBIC_DUP_INST;
        }
        found->body[type] = peek;
    }
    return OFERR_OK;
}

static void
put_metadata(struct slice body, struct buf *list)
{
    struct ofact_metadata *a = ofact_put(list, OFACT_METADATA, sizeof *a);

    slice_pull(&body, 4);
    slice_get(&body, &a->metadata, 8);
    slice_get(&body, &a->mask, 8);
    a->metadata &= a->mask;
}

static enum of_error
put_write_actions(struct slice body, enum of_version version, struct buf *list)
{
    struct ofact_decoder d = {.version = version, .out = list};
    size_t start = list->len;

    slice_pull(&body, 4);
    ofact_put(list, OFACT_WRITE_ACTIONS, sizeof(struct ofact_nest));
    return ofact_decode_nested(&d, body, start);
}

static enum of_error
put_found(const struct found *found, enum of_version version, struct buf *list)
{
    struct slice apply = found->body[INST_APPLY_ACTIONS], meter = found->body[INST_METER];
    enum of_error error = OFERR_OK;

    if (meter.data) {
        struct ofact_meter *a = ofact_put(list, OFACT_METER, sizeof *a);

        slice_get_be32(&meter, &a->meter_id);
    }
    if (apply.data) {
        slice_pull(&apply, 4);
        error = ofact_decode_actions(apply, version, list);
    }
    if (!error && found->body[INST_CLEAR_ACTIONS].data) {
        ofact_put(list, OFACT_CLEAR_ACTIONS, sizeof(struct ofact_empty));
    }
    if (!error && found->body[INST_WRITE_ACTIONS].data) {
        error = put_write_actions(found->body[INST_WRITE_ACTIONS], version, list);
    }
    if (!error && found->body[INST_WRITE_METADATA].data) {
        put_metadata(found->body[INST_WRITE_METADATA], list);
    }
    if (!error && found->body[INST_GOTO_TABLE].data) {
        struct ofact_goto *a = ofact_put(list, OFACT_GOTO_TABLE, sizeof *a);

        a->table_id = found->body[INST_GOTO_TABLE].data[0];
    }
    return error;
}

enum of_error
ofact_decode_instructions(struct slice wire, enum of_version version, struct buf *list)
{
    struct found found = {0};
    size_t start = list->len;
    enum of_error error = wire.len % 8 ? OFERR_OFPBRC_BAD_LEN : sort_instructions(wire, version, &found);

    if (!error) {
        error = put_found(&found, version, list);
    }
    if (error) {
        list->len = start;
    }
    return error;
}

static size_t
begin(struct ofact_encoder *e, uint16_t type)
{
    size_t start = e->out->len;

    buf_put_be16(e->out, type);
    buf_put_be16(e->out, 0);
    return start;
}

/* Is the record an instruction of its own in this version? */
static bool
stands_alone(const struct ofact *a, enum of_version version)
{
    return ofact_is_instruction((enum ofact_kind) a->kind) && (a->kind != OFACT_METER || version < OF15);
}

void
ofact_encode_instructions(const void *list, size_t size, enum of_version version, struct buf *wire)
{
    struct ofact_encoder e = {version, wire};
    uintptr_t end = (uintptr_t) list + size; /* An empty list may be NULL. */
    const struct ofact *a = list;

    while ((uintptr_t) a < end) {
        size_t start;

        if (stands_alone(a, version)) {
            ofact_encode_record(a, &e);
            a = ofact_next(a);
            continue;
        }
        start = begin(&e, INST_APPLY_ACTIONS);
        buf_put_zeros(wire, 4);
        while ((uintptr_t) a < end && !stands_alone(a, version)) {
            ofact_encode_record(a, &e);
            a = ofact_next(a);
        }
        ofact_encode_end(&e, start);
    }
}

enum of_error
ofact_decode_METER(struct ofact_decoder *d)
{
    struct ofact_meter *a = ofact_decoder_put(d, sizeof *a);

    slice_get_be32(&d->body, &a->meter_id);
    return OFERR_OK;
}

void
ofact_encode_METER(const struct ofact_meter *a, struct ofact_encoder *e)
{
    size_t start;

    if (e->version < OF13) {
        return;
    }
    start = e->version >= OF15 ? ofact_encode_begin(e, WIRE_METER) : begin(e, INST_METER);
    buf_put_be32(e->out, a->meter_id);
    ofact_encode_end(e, start);
}

/* CLEAR_ACTIONS, WRITE_ACTIONS and GOTO_TABLE have no form among actions: these decoders are never reached by a header. */
enum of_error
ofact_decode_CLEAR_ACTIONS(struct ofact_decoder *d)
{
    (void) d;
    return OFERR_OFPBAC_BAD_TYPE;
}

void
ofact_encode_CLEAR_ACTIONS(const struct ofact_empty *a, struct ofact_encoder *e)
{
    (void) a;
    if (e->version > OF10) {
        size_t start = begin(e, INST_CLEAR_ACTIONS);

        buf_put_zeros(e->out, 4);
        ofact_encode_end(e, start);
    }
}

enum of_error
ofact_decode_WRITE_ACTIONS(struct ofact_decoder *d)
{
    (void) d;
    return OFERR_OFPBAC_BAD_TYPE;
}

void
ofact_encode_WRITE_ACTIONS(const struct ofact_nest *a, struct ofact_encoder *e)
{
    if (e->version > OF10) {
        size_t size, start = begin(e, INST_WRITE_ACTIONS);
        const struct ofact *nested = ofact_nested(&a->a, &size);

        buf_put_zeros(e->out, 4);
        ofact_encode_list(nested, size, e);
        ofact_encode_end(e, start);
    }
}

enum of_error
ofact_decode_METADATA(struct ofact_decoder *d)
{
    struct ofact_metadata *a;

    if (!slice_is_zero(slice_of(d->body.data, 6))) {
        return OFERR_NXBRC_MUST_BE_ZERO;
    }
    a = ofact_decoder_put(d, sizeof *a);
    slice_pull(&d->body, 6);
    slice_get(&d->body, &a->metadata, 8);
    slice_get(&d->body, &a->mask, 8);
    a->metadata &= a->mask;
    return OFERR_OK;
}

void
ofact_encode_METADATA(const struct ofact_metadata *a, struct ofact_encoder *e)
{
    size_t start = e->version == OF10 ? ofact_encode_begin(e, WIRE_WRITE_METADATA) : begin(e, INST_WRITE_METADATA);

    buf_put_zeros(e->out, e->version == OF10 ? 6 : 4);
    buf_put(e->out, &a->metadata, 8);
    buf_put(e->out, &a->mask, 8);
    ofact_encode_end(e, start);
}

enum of_error
ofact_decode_GOTO_TABLE(struct ofact_decoder *d)
{
    (void) d;
    return OFERR_OFPBAC_BAD_TYPE;
}

/* 1.0 knows no instruction: a resubmit does the same there. */
void
ofact_encode_GOTO_TABLE(const struct ofact_goto *a, struct ofact_encoder *e)
{
    size_t start;

    if (e->version == OF10) {
        start = ofact_encode_begin(e, WIRE_RESUBMIT_TABLE);
        buf_put_be16(e->out, (uint16_t) OFPP_IN_PORT);
    } else {
        start = begin(e, INST_GOTO_TABLE);
    }
    buf_put_u8(e->out, a->table_id);
    ofact_encode_end(e, start);
}
