// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/of/msg.h"

#include "lib/base/counter.h"

#include <stdio.h>
#include <stdlib.h>

COUNTER(multipart_entry_too_long, "An entry of a statistics reply was left out: in the session's OpenFlow version it is longer than a message can be.");

enum form { FORM_PLAIN, FORM_NX, FORM_ONF, FORM_REQUEST, FORM_REPLY, FORM_NX_REQUEST, FORM_NX_REPLY, FORM_ONF_REQUEST, FORM_ONF_REPLY };
enum { LENGTH_FIXED, LENGTH_VAR };

static const struct row {
    const char *name;
    uint8_t op, form, first, last;
    uint16_t type, min;
    bool variable;
} rows[MSG_N] = {
#define MSG(ROW, OP, NAME, FORM, FIRST, LAST, TYPE, MIN, LENGTH) \
    [MSG_##ROW] = {NAME, OP_##OP, FORM_##FORM, FIRST, LAST, TYPE, MIN, LENGTH_##LENGTH == LENGTH_VAR},
#include "lib/of/msg.def"
#undef MSG
};

#define TYPE_VENDOR 4
#define STATS_VENDOR 0xffff
#define PLAIN_TYPES 36

/* Plain messages are the many: found by version and type. Row plus one; filled before main(), constant from then on. */
static uint8_t plain_index[OF15 + 1][PLAIN_TYPES];
_Static_assert(MSG_N < UINT8_MAX, "a row fits its index");

__attribute__((constructor)) static void
index_rows(void)
{
    for (unsigned i = 0; i < MSG_N; i++) {
        for (unsigned v = rows[i].first; rows[i].form == FORM_PLAIN && v <= rows[i].last; v++) {
            plain_index[v][rows[i].type] = (uint8_t) (i + 1);
        }
    }
}

static uint8_t
stats_type(enum of_version version, bool reply)
{
    return (uint8_t) ((version == OF10 ? 16 : 18) + reply);
}

int
of_msg_length(struct slice s)
{
    uint16_t length;

    if (s.len < 4) {
        return 0;
    }
    slice_pull(&s, 2);
    slice_get_be16(&s, &length);
    return length < OF_HEADER_LEN ? -EPROTO : length;
}

static bool
find_row(enum form form, enum of_version version, uint32_t type, enum msg_row *row)
{
    for (unsigned i = 0; i < MSG_N; i++) {
        const struct row *r = &rows[i];

        if (r->form == form && r->type == type && version >= r->first && version <= r->last) {
            *row = (enum msg_row) i;
            return true;
        }
    }
    return false;
}

static enum of_error
parse_vendor(struct of_msg *m)
{
    uint32_t vendor, subtype;

    if (!slice_get_be32(&m->body, &vendor) || !slice_get_be32(&m->body, &subtype)) {
        return OFERR_OFPBRC_BAD_LEN;
    }
    if (vendor != OF_VENDOR_NX && vendor != OF_VENDOR_ONF) {
        return OFERR_OFPBRC_BAD_VENDOR;
    }
    return find_row(vendor == OF_VENDOR_NX ? FORM_NX : FORM_ONF, m->version, subtype, &m->row) ? OFERR_OK : OFERR_OFPBRC_BAD_SUBTYPE;
}

static enum of_error
parse_stats(struct of_msg *m, bool reply)
{
    uint16_t type;
    uint32_t vendor, subtype;
    enum form form;

    if (!slice_get_be16(&m->body, &type) || !slice_get_be16(&m->body, &m->stats_flags)
        || (m->version > OF10 && !slice_pull(&m->body, 4))) {
        return OFERR_OFPBRC_BAD_LEN;
    }
    if (type != STATS_VENDOR) {
        return find_row(reply ? FORM_REPLY : FORM_REQUEST, m->version, type, &m->row) ? OFERR_OK : OFERR_OFPBRC_BAD_STAT;
    }
    if (!slice_get_be32(&m->body, &vendor)) {
        return OFERR_OFPBRC_BAD_LEN;
    }
    if (vendor != OF_VENDOR_NX && vendor != OF_VENDOR_ONF) {
        return OFERR_OFPBRC_BAD_VENDOR;
    }
    form = vendor == OF_VENDOR_NX ? reply ? FORM_NX_REPLY : FORM_NX_REQUEST : reply ? FORM_ONF_REPLY : FORM_ONF_REQUEST;
    if (!slice_get_be32(&m->body, &subtype) || (m->version == OF10 && !slice_pull(&m->body, 4))) {
        return OFERR_OFPBRC_BAD_LEN;
    }
    return find_row(form, m->version, subtype, &m->row) ? OFERR_OK : OFERR_OFPBRC_BAD_SUBTYPE;
}

/* Sets m->row and takes all headers off m->body. */
static enum of_error
parse_headers(struct of_msg *m, uint8_t type)
{
    if (type == TYPE_VENDOR) {
        return parse_vendor(m);
    }
    if (type == stats_type(m->version, false) || type == stats_type(m->version, true)) {
        return parse_stats(m, type == stats_type(m->version, true));
    }
    if (type >= PLAIN_TYPES || !plain_index[m->version][type]) {
        return OFERR_OFPBRC_BAD_TYPE;
    }
    m->row = (enum msg_row) (plain_index[m->version][type] - 1);
    return OFERR_OK;
}

enum of_error
of_msg_parse(struct slice whole, struct of_msg *m)
{
    uint8_t version, type;
    uint16_t length;
    enum of_error error;

    *m = (struct of_msg){.whole = whole, .body = whole};
    if (!slice_get_u8(&m->body, &version) || !slice_get_u8(&m->body, &type) || !slice_get_be16(&m->body, &length)
        || !slice_get(&m->body, &m->xid, sizeof m->xid) || length != whole.len) {
        return OFERR_OFPBRC_BAD_LEN;
    }
    m->version = (enum of_version) version;
    if (version < OF10 || version > OF15) {
        return OFERR_OFPBRC_BAD_VERSION;
    }
    error = parse_headers(m, type);
    if (error) {
        return error;
    }
    m->op = (enum msg_op) rows[m->row].op;
    if (m->body.len < rows[m->row].min || (m->body.len > rows[m->row].min && !rows[m->row].variable)) {
        return OFERR_OFPBRC_BAD_LEN;
    }
    return OFERR_OK;
}

const char *
of_msg_name(enum msg_row row)
{
    return rows[row].name;
}

const char *
of_msg_describe(struct slice whole, char buf[32])
{
    struct of_msg m;
    enum of_error error = of_msg_parse(whole, &m);

    if (!error || error == OFERR_OFPBRC_BAD_LEN) {
        return of_msg_name(m.row);
    }
    snprintf(buf, 32, "type %u", whole.len > 1 ? whole.data[1] : 0);
    return buf;
}

static uint8_t
header_type(const struct row *r, enum of_version version)
{
    switch ((enum form) r->form) {
    case FORM_PLAIN:
        return (uint8_t) r->type;
    case FORM_NX:
    case FORM_ONF:
        return TYPE_VENDOR;
    case FORM_REQUEST:
    case FORM_NX_REQUEST:
    case FORM_ONF_REQUEST:
        return stats_type(version, false);
    case FORM_REPLY:
    case FORM_NX_REPLY:
    case FORM_ONF_REPLY:
        return stats_type(version, true);
    }
    return TYPE_VENDOR;
}

size_t
of_msg_begin(struct buf *b, enum msg_row row, enum of_version version, be32 xid)
{
    const struct row *r = &rows[row];
    size_t start = b->len;

    buf_put_u8(b, (uint8_t) version);
    buf_put_u8(b, header_type(r, version));
    buf_put_be16(b, 0);
    buf_put(b, &xid, sizeof xid);
    if (r->form == FORM_NX || r->form == FORM_ONF) {
        buf_put_be32(b, r->form == FORM_NX ? OF_VENDOR_NX : OF_VENDOR_ONF);
        buf_put_be32(b, r->type);
    } else if (r->form != FORM_PLAIN) {
        bool onf = r->form == FORM_ONF_REQUEST || r->form == FORM_ONF_REPLY;
        bool vendor = onf || r->form == FORM_NX_REQUEST || r->form == FORM_NX_REPLY;

        buf_put_be16(b, vendor ? STATS_VENDOR : r->type);
        buf_put_be16(b, 0);
        buf_put_zeros(b, version == OF10 ? 0 : 4);
        if (vendor) {
            buf_put_be32(b, onf ? OF_VENDOR_ONF : OF_VENDOR_NX);
            buf_put_be32(b, r->type);
            buf_put_zeros(b, version == OF10 ? 4 : 0);
        }
    }
    return start;
}

void
of_patch16(struct buf *b, size_t ofs, uint16_t host_value)
{
    be16 x = htons(host_value);

    memcpy(b->data + ofs, &x, sizeof x);
}

void
of_msg_end(struct buf *b, size_t start)
{
    of_patch16(b, start + 2, (uint16_t) (b->len - start));
}

void
of_multipart_begin(struct of_multipart *mp, struct buf *out, enum msg_row row, enum of_version version, be32 xid)
{
    *mp = (struct of_multipart){.out = out, .row = row, .version = version, .xid = xid};
    mp->start = of_msg_begin(out, row, version, xid);
    mp->entry = out->len;
}

void
of_multipart_entry_begin(struct of_multipart *mp)
{
    mp->entry = mp->out->len;
}

#define STATS_FLAGS_OFS 10
#define MAX_STATS_HEADER 24

void
of_multipart_entry_end(struct of_multipart *mp)
{
    size_t len = mp->out->len - mp->entry;
    uint8_t *entry;

    if (mp->out->len - mp->start <= OF_MSG_MAX) {
        return;
    }
    if (len > OF_MSG_MAX - MAX_STATS_HEADER) {
        COUNTER_INC(multipart_entry_too_long);
        mp->out->len = mp->entry;
        return;
    }
    /* Too long: the message ends before the entry, which begins the next one. */
    entry = xmemdup(mp->out->data + mp->entry, len);
    mp->out->len = mp->entry;
    of_multipart_end(mp, true);
    of_multipart_begin(mp, mp->out, mp->row, mp->version, mp->xid);
    buf_put(mp->out, entry, len);
    free(entry);
}

void
of_multipart_end(struct of_multipart *mp, bool more)
{
    of_patch16(mp->out, mp->start + STATS_FLAGS_OFS, more ? OFPMPF_MORE : 0);
    of_msg_end(mp->out, mp->start);
}
