// SPDX-License-Identifier: Apache-2.0
// Bundles: messages that are held until they are committed, all of them or none. OpenFlow 1.4.1, section "Bundle Messages"; the ONF's extension of
// 1.3 is the same behind another header.
//
// Nothing is undone: what could fail is checked for the whole bundle first, then every message is carried out. A check for overlap therefore sees the
// tables as they are before the bundle, and the other additions of the bundle, but not its deletions.
#include <config.h>
#include <stdlib.h>

#include "lib/base/counter.h"
#include "ofproto/ofserve_private.h"
#include "ofproto/upcall.h"

COUNTER(bundle_committed, "A bundle was carried out.");
COUNTER(bundle_refused, "A bundle was refused as a whole.");

#define MAX_BUNDLES 16          /* Of a session. */
#define MAX_BYTES (64u << 20)   /* Held by a session's bundles. */

enum { OPEN_REQUEST = 0, CLOSE_REQUEST = 2, COMMIT_REQUEST = 4, DISCARD_REQUEST = 6 };
#define BUNDLE_FLAGS_ALL 3 /* Atomic, ordered: it is both anyhow. */

struct bundle {
    struct cds_list_head node; /* In ofconn.bundles. */
    uint32_t id;
    uint16_t flags;
    bool closed, failed;       /* 'failed': a message was refused already. */
    bool checks_overlap;       /* Some addition is only for where nothing overlaps. */
    struct buf messages;       /* As they came, one behind the other. */
};

static struct bundle *
bundle_find(const struct ofconn *c, uint32_t id)
{
    struct bundle *b;

    cds_list_for_each_entry (b, &c->bundles, node) {
        if (b->id == id) {
            return b;
        }
    }
    return NULL;
}

static void
bundle_free(struct bundle *b)
{
    cds_list_del(&b->node);
    buf_free(&b->messages);
    free(b);
}

void
ofbundle_forget(struct ofconn *c)
{
    struct bundle *b, *next;

    cds_list_for_each_entry_safe (b, next, &c->bundles, node) {
        bundle_free(b);
    }
}

static enum of_error
bundle_open(struct ofconn *c, uint32_t id, uint16_t flags, struct bundle **bundle)
{
    struct bundle *b;
    unsigned n = 0;

    cds_list_for_each_entry (b, &c->bundles, node) {
        n++;
    }
    if (n >= MAX_BUNDLES) {
        return OFERR_OFPBFC_OUT_OF_BUNDLES;
    }
    b = xzalloc(sizeof *b);
    b->id = id;
    b->flags = flags;
    cds_list_add_tail(&b->node, &c->bundles);
    *bundle = b;
    return OFERR_OK;
}

static enum of_error
check_port_mod(struct ofconn *c, const struct of_msg *m)
{
    struct of_port_mod pm;
    enum of_error error = port_mod_decode(m, &pm);

    return error ? error : ofserve_apply_port_mod(c, &pm, true);
}

static enum of_error
check_packet_out(const struct of_msg *m)
{
    struct packet_out po;
    enum of_error error = packet_out_decode(m, &po);

    if (!error) {
        error = po.buffer_id != OFP_NO_BUFFER ? OFERR_OFPBRC_BUFFER_UNKNOWN : packet_out_check(&po);
        packet_out_clear(&po);
    }
    return error;
}

/* Additions of the bundle so far that a later check for overlap must know. */
struct addition {
    struct match_sparse *match;
    uint16_t priority;
    uint8_t table_id;
};
struct additions {
    struct addition *list;
    size_t n, allocated;
};

static void
additions_put(struct additions *as, const struct flow_mod *fm, uint8_t table_id)
{
    if (as->n >= as->allocated) {
        array_grow(&as->list, &as->allocated, sizeof *as->list);
    }
    as->list[as->n++] = (struct addition){match_pack(&fm->match), fm->priority, table_id};
}

static void
additions_free(struct additions *as)
{
    for (size_t i = 0; i < as->n; i++) {
        free(as->list[i].match);
    }
    free(as->list);
}

static bool
addition_overlaps(const struct addition *a, const struct flow_mod *fm, uint8_t table_id)
{
    struct match m;

    if (a->table_id != table_id || a->priority != fm->priority) {
        return false;
    }
    match_unpack(a->match, &m);
    return match_overlaps(&m, &fm->match);
}

static enum of_error
check_overlap(struct ofconn *c, const struct flow_mod *fm, uint8_t table_id, const struct additions *as)
{
    if (!(fm->flags & OFPFF_CHECK_OVERLAP)) {
        return OFERR_OK;
    }
    if (table_overlaps(&c->mgr->bridge->tables[table_id], fm)) {
        return OFERR_OFPFMFC_OVERLAP;
    }
    for (size_t i = 0; i < as->n; i++) {
        if (addition_overlaps(&as->list[i], fm, table_id)) {
            return OFERR_OFPFMFC_OVERLAP;
        }
    }
    return OFERR_OK;
}

static enum of_error
check_flow_mod(struct ofconn *c, struct bundle *b, const struct of_msg *m, struct additions *as)
{
    struct flow_mod fm;
    enum of_error error = flow_mod_decode(m, c->flow_mod_table_id, &fm);
    uint8_t table_id;

    if (error) {
        return error;
    }
    table_id = fm.table_id == OFPTT_ALL && fm.command == OFPFC_ADD ? 0 : fm.table_id;
    error = table_id == TABLE_INTERNAL ? OFERR_OFPBRC_EPERM : table_check_actions(&fm, table_id);
    flow_mod_clear(&fm);
    if (error) {
        return error;
    }
    if (fm.buffer_id != OFP_NO_BUFFER) {
        return OFERR_OFPBRC_BUFFER_UNKNOWN;
    }
    b->checks_overlap |= fm.command == OFPFC_ADD && fm.flags & OFPFF_CHECK_OVERLAP;
    if (fm.command != OFPFC_ADD || !as || !b->checks_overlap) {
        return OFERR_OK;
    }
    error = check_overlap(c, &fm, table_id, as);
    additions_put(as, &fm, table_id);
    return error;
}

/* Would the message be carried out?  'as' NULL: apart from what depends on the tables. */
static enum of_error
check_message(struct ofconn *c, struct bundle *b, const struct of_msg *m, struct additions *as)
{
    switch (m->op) {
    case OP_FLOW_MOD:
        return check_flow_mod(c, b, m, as);
    case OP_PORT_MOD:
        return check_port_mod(c, m);
    case OP_PACKET_OUT:
        return check_packet_out(m);
    case OP_GROUP_MOD:
        return serve_group_mod(c, m); /* It changes nothing. */
    default:
        return OFERR_OFPBFC_MSG_UNSUP;
    }
}

static enum of_error
apply_message(struct ofconn *c, const struct of_msg *m)
{
    switch (m->op) {
    case OP_FLOW_MOD:
        return serve_flow_mod(c, m);
    case OP_PORT_MOD:
        return serve_port_mod(c, m);
    case OP_PACKET_OUT:
        return serve_packet_out(c, m);
    default:
        return OFERR_OK;
    }
}

/* Calls for each message until one is refused, of which the peer is told. */
static enum of_error
bundle_each(struct ofconn *c, struct bundle *b, bool apply, struct additions *as)
{
    struct slice rest = slice_of(b->messages.data, b->messages.len);

    while (rest.len) {
        size_t length = (size_t) of_msg_length(rest);
        struct of_msg m;
        enum of_error error = of_msg_parse(slice_of(slice_pull(&rest, length), length), &m);

        error = error ? error : apply ? apply_message(c, &m) : check_message(c, b, &m, as);
        if (error) {
            ofconn_send_error(c, error, &m);
            return OFERR_OFPBFC_MSG_FAILED;
        }
    }
    return OFERR_OK;
}

static enum of_error
bundle_commit(struct ofconn *c, struct bundle *b)
{
    struct additions as = {NULL, 0, 0};
    enum of_error error = b->failed ? OFERR_OFPBFC_MSG_FAILED : bundle_each(c, b, false, &as);

    additions_free(&as);
    if (!error) {
        COUNTER_INC(bundle_committed);
        error = bundle_each(c, b, true, NULL);
    } else {
        COUNTER_INC(bundle_refused);
    }
    bundle_free(b);
    return error;
}

static void
send_control(struct ofconn *c, const struct of_msg *m, uint32_t id, uint16_t type)
{
    struct buf b = BUF_EMPTY;
    size_t start = of_msg_begin(&b, m->row, m->version, m->xid);

    buf_put_be32(&b, id);
    buf_put_be16(&b, type);
    buf_put_be16(&b, 0); /* Flags. */
    of_msg_end(&b, start);
    ofconn_send(c, &b);
    buf_free(&b);
}

static enum of_error
control(struct ofconn *c, struct bundle *b, uint32_t id, uint16_t type, uint16_t flags)
{
    if (type == OPEN_REQUEST && !b) {
        return bundle_open(c, id, flags, &b);
    }
    if (!b) {
        return OFERR_OFPBFC_BAD_ID;
    }
    if (type == OPEN_REQUEST) {
        bundle_free(b); /* Who opens one twice has lost track of it. */
        return OFERR_OFPBFC_BAD_ID;
    }
    if (type != DISCARD_REQUEST && flags != b->flags) {
        bundle_free(b);
        return OFERR_OFPBFC_BAD_FLAGS;
    }
    switch (type) {
    case CLOSE_REQUEST:
        if (b->closed) {
            bundle_free(b);
            return OFERR_OFPBFC_BUNDLE_CLOSED;
        }
        b->closed = true;
        return OFERR_OK;
    case COMMIT_REQUEST:
        return bundle_commit(c, b);
    default:
        bundle_free(b);
        return OFERR_OK;
    }
}

enum of_error
serve_bundle_control(struct ofconn *c, const struct of_msg *m)
{
    struct slice s = m->body;
    uint32_t id = 0;
    uint16_t type = 0, flags = 0;
    enum of_error error;

    slice_get_be32(&s, &id);
    slice_get_be16(&s, &type);
    slice_get_be16(&s, &flags);
    if (type > DISCARD_REQUEST || type & 1) {
        return OFERR_OFPBFC_BAD_TYPE;
    }
    if (flags & ~BUNDLE_FLAGS_ALL) {
        return OFERR_OFPBFC_BAD_FLAGS;
    }
    error = control(c, bundle_find(c, id), id, type, flags);
    if (!error) {
        send_control(c, m, id, (uint16_t) (type + 1));
    }
    return error;
}

static size_t
bytes_held(const struct ofconn *c)
{
    const struct bundle *b;
    size_t n = 0;

    cds_list_for_each_entry (b, &c->bundles, node) {
        n += b->messages.len;
    }
    return n;
}

static enum of_error
bundle_add(struct ofconn *c, struct bundle *b, const struct of_msg *outer, struct slice inner)
{
    int length = of_msg_length(inner);
    struct of_msg m;
    enum of_error error;

    if (length <= 0 || (size_t) length > inner.len) {
        return OFERR_OFPBFC_MSG_BAD_LEN;
    }
    if (bytes_held(c) + (size_t) length > MAX_BYTES) {
        return OFERR_OFPBFC_MSG_TOO_MANY;
    }
    inner.len = (size_t) length; /* Properties may follow. */
    error = of_msg_parse(inner, &m);
    if (error) {
        return error;
    }
    if (m.version != outer->version) {
        return OFERR_OFPBFC_BAD_VERSION;
    }
    if (m.xid != outer->xid) {
        return OFERR_OFPBFC_MSG_BAD_XID;
    }
    error = check_message(c, b, &m, NULL);
    if (!error) {
        buf_put(&b->messages, inner.data, inner.len);
    }
    return error;
}

enum of_error
serve_bundle_add(struct ofconn *c, const struct of_msg *m)
{
    struct slice s = m->body;
    uint32_t id = 0;
    uint16_t flags = 0;
    struct bundle *b;
    enum of_error error = OFERR_OK;

    slice_get_be32(&s, &id);
    slice_pull(&s, 2);
    slice_get_be16(&s, &flags);
    b = bundle_find(c, id);
    if (!b) {
        error = bundle_open(c, id, flags, &b);
    }
    if (error) {
        return error;
    }
    if (b->closed || flags != b->flags) {
        error = b->closed ? OFERR_OFPBFC_BUNDLE_CLOSED : OFERR_OFPBFC_BAD_FLAGS;
        bundle_free(b); /* As by any other mistake about its state. */
        return error;
    }
    error = bundle_add(c, b, m, s);
    b->failed |= error != OFERR_OK;
    return error;
}
