// SPDX-License-Identifier: Apache-2.0
// Bundles: messages that are held until they are committed, all of them or none. OpenFlow 1.4.1, section "Bundle Messages"; the ONF's extension of
// 1.3 is the same behind another header.
//
// What can be told without the tables is checked when a message comes. The commit carries out the flow_mods as one transaction, each on the tables as those before it
// leave them, and only checks the others; if all went well, packets see all of it at once, and the others are carried out. Else nothing was done.
#include <config.h>
#include <stdlib.h>

#include "lib/base/counter.h"
#include "ofproto/ofserve_private.h"
#include "ofproto/transaction.h"
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

/* A flow_mod, as far as it can be judged apart from the tables. */
static enum of_error
check_flow_mod(struct ofconn *c, const struct of_msg *m)
{
    struct flow_mod fm;
    enum of_error error = flow_mod_decode(m, c->flow_mod_table_id, &fm);
    uint8_t table_id;

    if (error) {
        return error;
    }
    table_id = fm.table_id == OFPTT_ALL && fm.command == OFPFC_ADD ? 0 : fm.table_id;
    error = table_id == TABLE_INTERNAL ? OFERR_OFPBRC_EPERM : table_check_actions(&fm, table_id);
    if (!error && fm.buffer_id != OFP_NO_BUFFER) {
        error = OFERR_OFPBRC_BUFFER_UNKNOWN;
    }
    flow_mod_clear(&fm);
    return error;
}

static enum of_error
check_message(struct ofconn *c, const struct of_msg *m)
{
    switch (m->op) {
    case OP_FLOW_MOD:
        return check_flow_mod(c, m);
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

/* What may still be refused. */
static enum of_error
prepare_message(struct ofconn *c, const struct of_msg *m, struct transaction *t)
{
    return m->op == OP_FLOW_MOD ? ofserve_apply_flow_mod(c, m, t) : check_message(c, m);
}

/* What is left after that. */
static enum of_error
finish_message(struct ofconn *c, const struct of_msg *m)
{
    switch (m->op) {
    case OP_PORT_MOD:
        return serve_port_mod(c, m);
    case OP_PACKET_OUT:
        return serve_packet_out(c, m);
    default:
        return OFERR_OK;
    }
}

/* Prepares each message in transaction 't', or finishes each if that is NULL, until one is refused, of which the peer is told. */
static enum of_error
bundle_each(struct ofconn *c, struct bundle *b, struct transaction *t)
{
    struct slice rest = slice_of(b->messages.data, b->messages.len);

    while (rest.len) {
        size_t length = (size_t) of_msg_length(rest);
        struct of_msg m;
        enum of_error error = of_msg_parse(slice_of(slice_pull(&rest, length), length), &m);

        error = error ? error : t ? prepare_message(c, &m, t) : finish_message(c, &m);
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
    struct transaction *t = transaction_begin(c->mgr->bridge);
    enum of_error error = b->failed ? OFERR_OFPBFC_MSG_FAILED : bundle_each(c, b, t);

    if (!error) {
        COUNTER_INC(bundle_committed);
        transaction_commit(t);
        error = bundle_each(c, b, NULL);
    } else {
        COUNTER_INC(bundle_refused);
        transaction_abort(t);
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
    error = check_message(c, &m);
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
