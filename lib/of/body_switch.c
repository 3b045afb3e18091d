// SPDX-License-Identifier: Apache-2.0
// The switch as a whole on the wire: hello, errors, features, configuration, description, roles, asynchronous messages.
#include <config.h>
#include "lib/of/body.h"

#define HELLO_VERSIONBITMAP 1

void
hello_encode(uint32_t versions, struct buf *b)
{
    enum of_version highest = (enum of_version) (31 - __builtin_clz(versions));
    size_t start = of_msg_begin(b, MSG_HELLO, highest, 0);

    /* A peer that knows no bitmap takes the version of the header, and all below for granted. */
    if (versions != (low_bits(highest + 1u) & ~UINT64_C(1))) {
        buf_put_be16(b, HELLO_VERSIONBITMAP);
        buf_put_be16(b, 8);
        buf_put_be32(b, versions);
    }
    of_msg_end(b, start);
}

/* The bitmap among the elements; false when there is none. */
static bool
find_bitmap(struct slice s, uint32_t *versions)
{
    while (s.len >= 4) {
        struct slice peek = s;
        uint16_t type, len;

        slice_get_be16(&peek, &type);
        slice_get_be16(&peek, &len);
        if (len < 4 || len > s.len) {
            return false;
        }
        if (type == HELLO_VERSIONBITMAP && len >= 8) {
            slice_get_be32(&peek, versions);
            return true;
        }
        slice_pull(&s, MIN(ROUND_UP((size_t) len, 8), s.len));
    }
    return false;
}

uint32_t
hello_decode(struct slice whole)
{
    uint8_t version, type;
    struct slice s = whole;
    uint32_t versions;

    if (!slice_get_u8(&s, &version) || !slice_get_u8(&s, &type) || !slice_pull(&s, 6) || type || !version) {
        return 0;
    }
    if (!find_bitmap(s, &versions) || !(versions & ~1u)) {
        versions = (uint32_t) low_bits(MIN(version, 31) + 1u);
    }
    return versions & ~1u;
}

void
error_encode(enum of_error error, enum of_version version, be32 xid, struct slice request, struct buf *b)
{
    size_t start = of_msg_begin(b, MSG_ERROR, version, xid);

    of_error_encode(error, version, request, b);
    of_msg_end(b, start);
}

void
empty_encode(enum msg_row row, enum of_version version, be32 xid, struct buf *b)
{
    of_msg_end(b, of_msg_begin(b, row, version, xid));
}

size_t
switch_features_begin(const struct of_switch_features *f, enum of_version version, be32 xid, struct buf *b)
{
    size_t start = of_msg_begin(b, MSG_FEATURES_REPLY, version, xid);

    buf_put_be64(b, f->datapath_id);
    buf_put_be32(b, f->n_buffers);
    buf_put_u8(b, f->n_tables);
    buf_put_u8(b, version >= OF13 ? f->auxiliary_id : 0);
    buf_put_zeros(b, 2);
    buf_put_be32(b, f->capabilities);
    buf_put_be32(b, version == OF10 ? f->ofp10_actions : 0);
    return start;
}

#define CONFIG_FRAG 3
#define CONFIG_INVALID_TTL 4 /* Up to 1.2; 1.0 does not name it, but it is taken there, too. */

void
switch_config_encode(const struct of_switch_config *c, enum of_version version, be32 xid, struct buf *b)
{
    size_t start = of_msg_begin(b, MSG_GET_CONFIG_REPLY, version, xid);
    bool ttl = c->invalid_ttl_to_controller > 0 && version < OF13;

    buf_put_be16(b, (uint16_t) (c->frag | (ttl ? CONFIG_INVALID_TTL : 0)));
    buf_put_be16(b, c->miss_send_len);
    of_msg_end(b, start);
}

enum of_error
switch_config_decode(const struct of_msg *m, struct of_switch_config *c)
{
    struct slice s = m->body;
    uint16_t flags = 0, known = CONFIG_FRAG, miss_send_len = 0;
    bool has_ttl = m->version < OF13;

    slice_get_be16(&s, &flags);
    slice_get_be16(&s, &miss_send_len);
    known |= has_ttl ? CONFIG_INVALID_TTL : 0;
    if (flags & ~known) {
        return OFERR_OFPSCFC_BAD_FLAGS;
    }
    c->frag = flags & CONFIG_FRAG;
    c->miss_send_len = miss_send_len;
    c->invalid_ttl_to_controller = has_ttl ? !!(flags & CONFIG_INVALID_TTL) : -1;
    return OFERR_OK;
}

static void
put_text(const char *text, size_t size, struct buf *b)
{
    size_t n = MIN(strlen(text), size - 1);

    buf_put(b, text, n);
    buf_put_zeros(b, size - n);
}

void
switch_desc_encode(const struct of_switch_desc *d, const struct of_msg *request, struct buf *b)
{
    size_t start = of_msg_begin(b, MSG_DESC_REPLY, request->version, request->xid);

    put_text(d->mfr, 256, b);
    put_text(d->hw, 256, b);
    put_text(d->sw, 256, b);
    put_text(d->serial, 32, b);
    put_text(d->dp, 256, b);
    of_msg_end(b, start);
}

enum of_error
role_request_decode(const struct of_msg *m, struct of_role_request *r)
{
    struct slice s = m->body;
    uint32_t role = 0;

    slice_get_be32(&s, &role);
    if (m->row == MSG_NX_ROLE_REQUEST) {
        /* Nicira counts other, master, slave. */
        if (role > 2) {
            return OFERR_OFPRRFC_BAD_ROLE;
        }
        *r = (struct of_role_request){.role = (enum of_role) (role + OFPCR_EQUAL)};
        return OFERR_OK;
    }
    if (role > OFPCR_SLAVE) {
        return OFERR_OFPRRFC_BAD_ROLE;
    }
    r->role = (enum of_role) role;
    r->has_generation = role == OFPCR_MASTER || role == OFPCR_SLAVE;
    slice_pull(&s, 4);
    slice_get_be64(&s, &r->generation);
    return OFERR_OK;
}

void
role_reply_encode(const struct of_role_request *r, const struct of_msg *request, struct buf *b)
{
    bool nx = request->row == MSG_NX_ROLE_REQUEST;
    size_t start = of_msg_begin(b, nx ? MSG_NX_ROLE_REPLY : MSG_ROLE_REPLY12, request->version, request->xid);

    if (nx) {
        buf_put_be32(b, (uint32_t) r->role - OFPCR_EQUAL);
    } else {
        buf_put_be32(b, r->role);
        buf_put_zeros(b, 4);
        buf_put_be64(b, r->has_generation ? r->generation : UINT64_MAX);
    }
    of_msg_end(b, start);
}

#define ROLE_STATUS_MASTER_REQUEST 0 /* Why: a master was asked for. */

void
role_status_encode(const struct of_role_request *now, struct buf *b)
{
    size_t start = of_msg_begin(b, MSG_ONF_ROLE_STATUS, OF13, 0);

    buf_put_be32(b, now->role);
    buf_put_u8(b, ROLE_STATUS_MASTER_REQUEST);
    buf_put_zeros(b, 3);
    buf_put_be64(b, now->has_generation ? now->generation : UINT64_MAX);
    of_msg_end(b, start);
}

/* Masks in the order of 1.3's structure and of 1.4's properties, where the slave's comes first. */
static uint32_t *
async_mask(struct of_async *a, unsigned i, bool slave)
{
    return i == 0 ? &a->packet_in[slave] : i == 1 ? &a->port_status[slave] : &a->flow_removed[slave];
}

#define N_ASYNC_PROPS 12 /* Two for each kind of message, roles, tables and forwarded requests behind the three that are sent here. */
#define N_ASYNC_SENT 6

static enum of_error
decode_async_props(struct slice s, struct of_async *a)
{
    while (s.len) {
        struct slice peek = s;
        uint16_t type, len;
        uint32_t mask;

        if (!slice_get_be16(&peek, &type) || !slice_get_be16(&peek, &len) || len < 4 || ROUND_UP((size_t) len, 8) > s.len) {
            return OFERR_OFPBPC_BAD_LEN;
        }
        if (type >= N_ASYNC_PROPS) {
            return OFERR_OFPACFC_UNSUPPORTED;
        }
        if (len != 8 || !slice_get_be32(&peek, &mask)) {
            return OFERR_OFPBPC_BAD_LEN;
        }
        /* Role, table and forwarded requests: never sent, so that any mask holds. */
        if (type < N_ASYNC_SENT) {
            *async_mask(a, type / 2u, !(type & 1)) = mask;
        }
        slice_pull(&s, 8);
    }
    return OFERR_OK;
}

enum of_error
async_decode(const struct of_msg *m, struct of_async *a)
{
    struct slice s = m->body;
    struct of_async new = *a;
    enum of_error error = OFERR_OK;

    if (m->row == MSG_SET_ASYNC14 || m->row == MSG_NX_SET_ASYNC2) {
        error = decode_async_props(s, &new);
    } else {
        for (unsigned i = 0; i < 3; i++) {
            slice_get_be32(&s, async_mask(&new, i, false));
            slice_get_be32(&s, async_mask(&new, i, true));
        }
    }
    if (!error) {
        *a = new;
    }
    return error;
}

void
async_reply_encode(const struct of_async *a, const struct of_msg *request, struct buf *b)
{
    static const uint32_t reasons13[] = {0x7, 0x7, 0x3f}; /* Those that are told in 1.3. */
    size_t start = of_msg_begin(b, MSG_GET_ASYNC_REPLY, request->version, request->xid);
    struct of_async copy = *a;

    if (request->version == OF13) {
        for (unsigned i = 0; i < N_ASYNC_SENT; i++) {
            buf_put_be32(b, *async_mask(&copy, i / 2, i & 1) & reasons13[i / 2]);
        }
    } else {
        for (unsigned i = 0; i < N_ASYNC_PROPS; i++) {
            buf_put_be16(b, (uint16_t) i);
            buf_put_be16(b, 8);
            buf_put_be32(b, i < N_ASYNC_SENT ? *async_mask(&copy, i / 2, !(i & 1)) : 0);
        }
    }
    of_msg_end(b, start);
}
