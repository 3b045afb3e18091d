// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/of/oxm.h"

#define COOKIE_HEADER UINT32_C(0x00013c08) /* NXM_NX_COOKIE: class 1, field 30, 8 bytes. */
#define COOKIE_HEADER_MASKED UINT32_C(0x00013d10)

/* The header alone; bytes of the value are not looked at. */
static bool
pull_raw_header(struct slice *s, uint64_t *wire)
{
    uint32_t header, experimenter = 0;

    if (!slice_get_be32(s, &header)) {
        return false;
    }
    *wire = (uint64_t) header << 32;
    if (field_header_has_experimenter(*wire)) {
        if (field_header_length(*wire) < 4 || !slice_get_be32(s, &experimenter)) {
            return false;
        }
        *wire |= experimenter;
    }
    return true;
}

enum of_error
oxm_pull_header(struct slice *s, const struct field **field, uint64_t *wire)
{
    if (!pull_raw_header(s, wire)) {
        return OFERR_OFPBMC_BAD_LEN;
    }
    *field = field_header_length(*wire) ? field_by_header(*wire) : NULL;
    return *field && field_header_length(*wire) == field_wire_length(*field, *wire) ? OFERR_OK : OFERR_OFPBMC_BAD_FIELD;
}

static unsigned
payload_len(uint64_t wire)
{
    return field_header_length(wire) - (field_header_has_experimenter(wire) ? 4 : 0);
}

static void
fill_exact_mask(const struct field *f, union field_value *mask)
{
    struct flow_key key;

    memset(&key, 0, sizeof key);
    field_unwildcard(f, &key);
    field_get_mask(f, &key, mask);
}

enum of_error
oxm_pull_entry(struct slice *s, const struct field **field, union field_value *value, union field_value *mask, bool *masked)
{
    uint64_t wire;
    enum of_error error = oxm_pull_header(s, field, &wire);
    unsigned n;

    if (error) {
        return error == OFERR_OFPBMC_BAD_FIELD && *field && payload_len(wire) > s->len ? OFERR_OFPBMC_BAD_LEN : error;
    }
    n = (*field)->n_bytes;
    memset(value, 0, sizeof *value);
    memset(mask, 0, sizeof *mask);
    *masked = field_header_is_masked(wire);
    if (!slice_get(s, value, n) || (*masked && !slice_get(s, mask, n))) {
        return OFERR_OFPBMC_BAD_LEN;
    }
    if (!*masked) {
        fill_exact_mask(*field, mask);
        return OFERR_OK;
    }
    for (unsigned i = 0; i < n; i++) {
        if (value->b[i] & ~mask->b[i]) {
            return OFERR_OFPBMC_BAD_WILDCARDS;
        }
    }
    return OFERR_OK;
}

static bool
value_is_zero(const union field_value *v)
{
    static const union field_value zero;

    return !memcmp(v, &zero, sizeof zero);
}

static bool
value_ok(const struct field *f, const union field_value *value)
{
    uint32_t port;

    return field_value_valid(f, value) && (f->id != FIELD_IN_PORT_OXM || of_port_from_wire32(value->be32, &port));
}

bool
oxm_mask_ok(const struct field *f, const union field_value *mask)
{
    if (f->maskable || value_is_zero(mask)) {
        return true;
    }
    for (unsigned i = 0; i < f->n_bytes; i++) {
        if (mask->b[i] != UINT8_MAX) {
            return false;
        }
    }
    return true;
}

static enum of_error
decode_field(struct slice *s, struct match *m)
{
    union field_value value, mask, old;
    const struct field *f;
    bool masked;
    enum of_error error = oxm_pull_entry(s, &f, &value, &mask, &masked);

    if (error) {
        return error;
    }
    if (masked && !oxm_mask_ok(f, &mask)) {
        return OFERR_OFPBMC_BAD_MASK;
    }
    if (!value_ok(f, &value)) {
        return OFERR_OFPBMC_BAD_VALUE;
    }
    if (!field_match_prereqs_ok(f, m)) {
        return OFERR_OFPBMC_BAD_PREREQ;
    }
    field_get_mask(f, &m->mask, &old);
    if (!value_is_zero(&old)) {
        return OFERR_OFPBMC_DUP_FIELD;
    }
    field_match(f, &value, masked ? &mask : NULL, m);
    return OFERR_OK;
}

static enum of_error
decode_cookie(struct slice *s, bool masked, struct oxm_cookie *cookie)
{
    if (cookie->mask) {
        return OFERR_OFPBMC_DUP_FIELD;
    }
    slice_pull(s, 4);
    cookie->mask = UINT64_MAX;
    if (!slice_get_be64(s, &cookie->value) || (masked && !slice_get_be64(s, &cookie->mask))) {
        return OFERR_OFPBMC_BAD_LEN;
    }
    return cookie->value & ~cookie->mask ? OFERR_OFPBMC_BAD_WILDCARDS : OFERR_OK;
}

/* Passes over a TLV of a field that nobody here knows. */
static bool
skip_unknown(struct slice *s)
{
    uint64_t wire;

    return pull_raw_header(s, &wire) && slice_pull(s, payload_len(wire));
}

enum of_error
oxm_decode(struct slice tlvs, bool strict, struct match *m, struct oxm_cookie *cookie)
{
    match_init_any(m);
    if (cookie) {
        *cookie = (struct oxm_cookie){0, 0};
    }
    while (tlvs.len) {
        struct slice peek = tlvs;
        enum of_error error;
        uint32_t header = 0;

        slice_get_be32(&peek, &header);
        if (cookie && (header == COOKIE_HEADER || header == COOKIE_HEADER_MASKED)) {
            error = decode_cookie(&tlvs, header == COOKIE_HEADER_MASKED, cookie);
        } else {
            peek = tlvs;
            error = decode_field(&peek, m);
            if (error == OFERR_OFPBMC_BAD_FIELD && !strict) {
                error = skip_unknown(&tlvs) ? OFERR_OK : OFERR_OFPBMC_BAD_LEN;
            } else {
                tlvs = peek;
            }
        }
        if (error) {
            return error;
        }
    }
    return OFERR_OK;
}

void
oxm_put_header(const struct field *f, unsigned of_version, bool masked, struct buf *b)
{
    uint64_t header = field_header(f, of_version, masked);

    buf_put_be32(b, (uint32_t) (header >> 32));
    if (field_header_has_experimenter(header)) {
        buf_put_be32(b, (uint32_t) header);
    }
}

void
oxm_put_entry(const struct field *f, unsigned of_version, const union field_value *value, const union field_value *mask, struct buf *b)
{
    oxm_put_header(f, of_version, mask != NULL, b);
    buf_put(b, value, f->n_bytes);
    if (mask) {
        buf_put(b, mask, f->n_bytes);
    }
}

void
oxm_encode(const struct match *m, unsigned of_version, struct buf *b)
{
    struct field_match list[FIELD_N_IDS];
    size_t n = field_match_list(m, of_version, list);

    for (size_t i = 0; i < n; i++) {
        const struct field_match *fm = &list[i];

        if (fm->field->headers[0].name) {
            oxm_put_entry(fm->field, of_version, &fm->value, fm->exact ? NULL : &fm->mask, b);
        }
    }
}

void
oxm_encode_cookie(const struct oxm_cookie *cookie, struct buf *b)
{
    if (!cookie->mask) {
        return;
    }
    buf_put_be32(b, cookie->mask == UINT64_MAX ? COOKIE_HEADER : COOKIE_HEADER_MASKED);
    buf_put_be64(b, cookie->value & cookie->mask);
    if (cookie->mask != UINT64_MAX) {
        buf_put_be64(b, cookie->mask);
    }
}

/* struct ofp_match of 1.2 and later: type, length without padding, TLVs, padding to 8 bytes. */
enum { OFPMT_STANDARD, OFPMT_OXM };

static enum of_error
pull_oxm_match(struct slice *s, uint16_t length, bool strict, struct match *m)
{
    const uint8_t *p = s->data;

    if (length < 4 || !slice_pull(s, ROUND_UP((size_t) length, 8))) {
        return OFERR_OFPBMC_BAD_LEN;
    }
    return oxm_decode(slice_of(p + 4, length - 4u), strict, m, NULL);
}

enum of_error
of_match_pull(struct slice *s, enum of_version version, bool strict, struct match *m)
{
    struct slice peek = *s;
    uint16_t type, length;
    const uint8_t *p;

    if (version == OF10) {
        p = slice_pull(s, OF10_MATCH_LEN);
        if (!p) {
            return OFERR_OFPBRC_BAD_LEN;
        }
        of10_match_decode(p, m);
        return OFERR_OK;
    }
    if (!slice_get_be16(&peek, &type) || !slice_get_be16(&peek, &length)) {
        return OFERR_OFPBMC_BAD_LEN;
    }
    /* Not of 1.1, but taken as the installed daemon takes it. */
    if (type == OFPMT_OXM) {
        return pull_oxm_match(s, length, strict, m);
    }
    if (type != OFPMT_STANDARD || version > OF11) {
        return OFERR_OFPBMC_BAD_TYPE;
    }
    p = length == OF11_MATCH_LEN ? slice_pull(s, OF11_MATCH_LEN) : NULL;
    return p ? of11_match_decode(p, m) : OFERR_OFPBMC_BAD_LEN;
}

void
of_match_put_oxm(const struct match *m, enum of_version version, struct buf *b)
{
    size_t start = b->len;
    be16 length;

    buf_put_be16(b, OFPMT_OXM);
    buf_put_be16(b, 0);
    oxm_encode(m, version, b);
    length = htons((uint16_t) (b->len - start));
    memcpy(b->data + start + 2, &length, sizeof length);
    buf_put_zeros(b, ROUND_UP(b->len - start, 8) - (b->len - start));
}

void
of_match_put(const struct match *m, enum of_version version, struct buf *b)
{
    if (version == OF10) {
        of10_match_encode(m, buf_put_zeros(b, OF10_MATCH_LEN));
        return;
    }
    if (version == OF11) {
        of11_match_encode(m, buf_put_zeros(b, OF11_MATCH_LEN));
        return;
    }
    of_match_put_oxm(m, version, b);
}
