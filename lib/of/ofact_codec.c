// SPDX-License-Identifier: Apache-2.0
// Actions on the wire: the walk over lists, and from a header to its row in lib/of/ofact.def and back. What an action says itself is in
// ofact_std.c, ofact_field.c, ofact_nx.c, ofact_ct.c and ofact_learn.c.
#include <config.h>
#include "lib/of/ofact_private.h"

#define VENDOR_TYPE 0xffff
#define MAX_DEPTH 32          /* Lists in lists. */
#define HEADER_STD 4
#define HEADER_VENDOR 10

enum { WIRE_FIXED, WIRE_VAR };
const struct wire_form ofact_wires[WIRE_N] = {
#define WIRE(ID, KIND, VENDOR, TYPE, FIRST, LAST, MIN, LENGTH) \
    [WIRE_##ID] = {OFACT_##KIND, VENDOR_##VENDOR, FIRST, LAST, TYPE, MIN, WIRE_##LENGTH == WIRE_VAR},
#include "lib/of/ofact.def"
};

/* From version, vendor and type to a form. Filled before main(), constant from then on. */
#define N_STD 32
#define N_NX 64
static uint8_t std_index[OF15 + 1][N_STD], nx_index[OF15 + 1][N_NX];
_Static_assert(WIRE_N <= UINT8_MAX, "a form fits its index");

__attribute__((constructor)) static void
index_wires(void)
{
    for (unsigned i = 1; i < WIRE_N; i++) {
        const struct wire_form *w = &ofact_wires[i];

        for (unsigned v = w->first; v <= w->last; v++) {
            if (w->vendor == VENDOR_STD) {
                std_index[v][w->type] = (uint8_t) i;
            } else if (w->vendor == VENDOR_NX) {
                nx_index[v][w->type] = (uint8_t) i;
            }
        }
    }
}

static enum ofact_wire
find_onf(enum of_version version, uint16_t type)
{
    const struct wire_form *w = &ofact_wires[WIRE_COPY_FIELD_ONF];

    return type == w->type && version >= w->first && version <= w->last ? WIRE_COPY_FIELD_ONF : WIRE_ANY;
}

/* Takes the header off 'd->body' and tells the form. */
static enum of_error
pull_header(struct ofact_decoder *d, uint16_t type)
{
    uint32_t vendor;
    uint16_t subtype;

    slice_pull(&d->body, HEADER_STD);
    if (type != VENDOR_TYPE) {
        d->wire = type < N_STD ? (enum ofact_wire) std_index[d->version][type] : WIRE_ANY;
        return d->wire ? OFERR_OK : OFERR_OFPBAC_BAD_TYPE;
    }
    if (!slice_get_be32(&d->body, &vendor)) {
        return OFERR_OFPBAC_BAD_LEN;
    }
    if (vendor != OF_VENDOR_NX && vendor != OF_VENDOR_ONF) {
        return OFERR_OFPBAC_BAD_VENDOR;
    }
    if (!slice_get_be16(&d->body, &subtype)) {
        return OFERR_OFPBAC_BAD_LEN;
    }
    if (vendor == OF_VENDOR_ONF) {
        d->wire = find_onf(d->version, subtype);
    } else {
        d->wire = subtype < N_NX ? (enum ofact_wire) nx_index[d->version][subtype] : WIRE_ANY;
    }
    return d->wire ? OFERR_OK : OFERR_OFPBAC_BAD_VENDOR_TYPE;
}

static enum of_error
decode_kind(struct ofact_decoder *d)
{
    switch ((enum ofact_kind) ofact_wires[d->wire].kind) {
#define OFACT(KIND, STRUCT, SET, CHECK) \
    case OFACT_##KIND:                  \
        return ofact_decode_##KIND(d);
#include "lib/of/ofact.def"
    case OFACT_N_KINDS:
        break;
    }
    return OFERR_OFPBAC_BAD_TYPE;
}

/* One action off the front of '*s'. */
static enum of_error
decode_one(struct slice *s, enum of_version version, unsigned depth, struct buf *list)
{
    struct ofact_decoder d = {.version = version, .depth = depth, .out = list};
    struct slice peek = *s;
    uint16_t type, len;
    const struct wire_form *w;
    enum of_error error;

    if (!slice_get_be16(&peek, &type) || !slice_get_be16(&peek, &len) || len < 8 || len % 8 || len > s->len) {
        return OFERR_OFPBAC_BAD_LEN;
    }
    d.body = slice_of(slice_pull(s, len), len);
    d.len = len;
    error = pull_header(&d, type);
    if (error) {
        return error;
    }
    w = &ofact_wires[d.wire];
    if (len < w->min || (len > w->min && !w->variable)) {
        return OFERR_OFPBAC_BAD_LEN;
    }
    return decode_kind(&d);
}

enum of_error
ofact_decode_list(struct slice s, enum of_version version, unsigned depth, struct buf *list)
{
    if (depth > MAX_DEPTH) {
        return OFERR_OFPBAC_TOO_MANY;
    }
    while (s.len) {
        enum of_error error = decode_one(&s, version, depth, list);

        if (error) {
            return error;
        }
    }
    return OFERR_OK;
}

bool
ofact_is_instruction(enum ofact_kind kind)
{
    return kind >= OFACT_METER;
}

/* In 1.0 instructions are actions; then they must stand in the order of later versions, each once. Elsewhere an action that stands for one is not
 * taken, but for meters, which are actions from 1.5 on. */
static enum of_error
check_instructions(const void *list, size_t size, enum of_version version)
{
    enum ofact_kind last = OFACT_METER;
    const struct ofact *a;
    bool seen = false;

    OFACT_FOR_EACH (a, list, size) {
        if (!ofact_is_instruction((enum ofact_kind) a->kind)) {
            if (seen && last > OFACT_METER) {
                return OFERR_OFPBAC_UNSUPPORTED_ORDER;
            }
            continue;
        }
        if (version > OF10 && a->kind != OFACT_METER) {
            return OFERR_OFPBIC_UNSUP_INST;
        }
        if (seen && (enum ofact_kind) a->kind <= last) {
            return OFERR_OFPBAC_UNSUPPORTED_ORDER;
        }
        last = (enum ofact_kind) a->kind;
        seen = true;
    }
    return OFERR_OK;
}

enum of_error
ofact_decode_actions(struct slice wire, enum of_version version, struct buf *list)
{
    size_t start = list->len;
    enum of_error error = wire.len % 8 ? OFERR_OFPBRC_BAD_LEN : ofact_decode_list(wire, version, 0, list);

    if (!error && list->len > start) {
        error = check_instructions(list->data + start, list->len - start, version);
    }
    if (error) {
        list->len = start;
    }
    return error;
}

void *
ofact_decoder_put(struct ofact_decoder *d, size_t size)
{
    struct ofact *a = ofact_put(d->out, (enum ofact_kind) ofact_wires[d->wire].kind, size);

    a->raw = (uint16_t) d->wire;
    return a;
}

enum of_error
ofact_decode_nested(struct ofact_decoder *d, struct slice actions, size_t start)
{
    size_t first = d->out->len;
    enum of_error error = ofact_decode_list(actions, d->version, d->depth + 1, d->out);
    const struct ofact *a;

    if (error) {
        return error;
    }
    OFACT_FOR_EACH (a, d->out->data + first, d->out->len - first) {
        if (ofact_is_instruction((enum ofact_kind) a->kind)) {
            return OFERR_OFPBIC_UNSUP_INST;
        }
    }
    ((struct ofact *) (void *) (d->out->data + start))->size = (uint32_t) (d->out->len - start);
    return OFERR_OK;
}

bool
slice_is_zero(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i]) {
            return false;
        }
    }
    return true;
}

size_t
ofact_encode_begin(struct ofact_encoder *e, enum ofact_wire wire)
{
    const struct wire_form *w = &ofact_wires[wire];
    size_t start = e->out->len;

    buf_put_be16(e->out, w->vendor == VENDOR_STD ? w->type : VENDOR_TYPE);
    buf_put_be16(e->out, 0);
    if (w->vendor != VENDOR_STD) {
        buf_put_be32(e->out, w->vendor == VENDOR_NX ? OF_VENDOR_NX : OF_VENDOR_ONF);
        buf_put_be16(e->out, w->type);
    }
    return start;
}

void
ofact_encode_end(struct ofact_encoder *e, size_t start)
{
    size_t len = e->out->len - start;
    be16 length;

    buf_put_zeros(e->out, ROUND_UP(len, 8) - len);
    length = htons((uint16_t) ROUND_UP(len, 8));
    memcpy(e->out->data + start + 2, &length, sizeof length);
}

void
ofact_encode_empty(struct ofact_encoder *e, enum ofact_wire wire)
{
    ofact_encode_end(e, ofact_encode_begin(e, wire));
}

void
ofact_encode_record(const struct ofact *a, struct ofact_encoder *e)
{
    switch ((enum ofact_kind) a->kind) {
#define OFACT(KIND, STRUCT, SET, CHECK)                                            \
    case OFACT_##KIND:                                                             \
        ofact_encode_##KIND((const struct STRUCT *) (const void *) a, e);          \
        break;
#include "lib/of/ofact.def"
    case OFACT_N_KINDS:
        break;
    }
}

void
ofact_encode_list(const void *list, size_t size, struct ofact_encoder *e)
{
    const struct ofact *a;

    OFACT_FOR_EACH (a, list, size) {
        ofact_encode_record(a, e);
    }
}

void
ofact_encode_actions(const void *list, size_t size, enum of_version version, struct buf *wire)
{
    struct ofact_encoder e = {version, wire};

    ofact_encode_list(list, size, &e);
}
