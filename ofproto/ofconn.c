// SPDX-License-Identifier: Apache-2.0
// One session: hellos, echoes, requests a turn at a time, replies under back-pressure. A session that reads slowly stops being read; one that does not read at all
// is closed when what it is owed passes a bound.
#include <config.h>
#include "ofproto/ofconn_private.h"

#include <stdlib.h>

#include "lib/base/counter.h"
#include "lib/base/log.h"
#include "ofproto/private.h"

COUNTER(ofconn_hello_failed, "A peer and we had no version of OpenFlow in common.");
COUNTER(ofconn_garbage, "A peer sent bytes that are no OpenFlow; the connection was closed.");
COUNTER(ofconn_probe_lost, "A peer did not answer the inactivity probe; the connection was closed.");
COUNTER(ofconn_overrun, "A peer did not read what it had asked for; the connection was closed.");
COUNTER(ofconn_error_sent, "A request was answered with an error.");

/* What a peer can provoke in the log. */
static struct log_limit peer_limit = LOG_LIMIT(60, 20);

#define TURN_MESSAGES 256               /* Requests of one session in one turn of the loop. */
#define TURN_PIECES 16                  /* Of a long reply at once. */
#define READ_HIGH (256 * 1024)          /* Bytes that may wait to be looked at. */

/* Lets go of a session that failed; nothing may touch it afterwards. */
static void
ofconn_fail(struct ofconn *c, int error)
{
    controller_lost(c->controller, c, error);
}

void
ofconn_close_soon(struct ofconn *c)
{
    c->closing = true;
}

void
ofconn_send(struct ofconn *c, struct buf *b)
{
    if (!c->closing && b->len) {
        stream_send(c->stream, b->data, b->len);
        if (c->primary) {
            ofconns_snoop(c, b->data, b->len);
        }
        if (stream_backlog(c->stream) > OFCONN_BACKLOG_MAX) {
            COUNTER_INC(ofconn_overrun);
            ofconn_close_soon(c);
        }
    }
    buf_clear(b);
}

void
ofconn_send_error(struct ofconn *c, enum of_error error, const struct of_msg *request)
{
    struct buf b = BUF_EMPTY;
    char what[32];

    COUNTER_INC(ofconn_error_sent);
    error_encode(error, c->version, request->xid, request->whole, &b);
    log_info_rl(LOG_connmgr, &peer_limit, "%s: sending %s error reply to %s message", c->name, of_error_name(error),
                of_msg_describe(request->whole, what));
    ofconn_send(c, &b);
    buf_free(&b);
}

static void
send_hello(struct ofconn *c)
{
    struct buf b = BUF_EMPTY;

    hello_encode(c->mgr->bridge->versions, &b);
    ofconn_send(c, &b);
    buf_free(&b);
}

static void
send_echo(struct ofconn *c, enum msg_row row, be32 xid, struct slice payload)
{
    struct buf b = BUF_EMPTY;
    size_t start = of_msg_begin(&b, row, c->version != OF_NONE ? c->version : OF10, xid);

    buf_put(&b, payload.data, payload.len);
    of_msg_end(&b, start);
    ofconn_send(c, &b);
    buf_free(&b);
}

static void
ofconn_arm_probe(struct ofconn *c)
{
    if (c->controller->config.inactivity_probe_s) {
        loop_timer_set(c->timer, (int64_t) c->controller->config.inactivity_probe_s * 1000);
    }
}

static void
probe_due(void *ofconn)
{
    struct ofconn *c = ofconn;
    int64_t idle = now_ms() - c->last_heard_ms;
    int64_t probe = (int64_t) c->controller->config.inactivity_probe_s * 1000;

    if (!probe) {
        return;
    }
    if (idle < probe) {
        loop_timer_set(c->timer, probe - idle);
        return;
    }
    if (c->probing || c->state != OFCONN_ACTIVE) {
        COUNTER_INC(ofconn_probe_lost);
        log_err(LOG_rconn, "%s: no response to inactivity probe after %lld seconds, disconnecting", c->name, (long long) probe / 1000);
        ofconn_fail(c, -ETIMEDOUT);
        return;
    }
    c->probing = true;
    send_echo(c, MSG_ECHO_REQUEST, 0, slice_of(NULL, 0));
    loop_timer_set(c->timer, probe);
}

#define HELLO_TYPE 0 /* In every version. */

/* A hello may be of a version that is not known here: only its list of versions counts. */
static void
got_hello(struct ofconn *c, struct slice whole)
{
    uint32_t theirs = hello_decode(whole);
    uint32_t common = theirs & c->mgr->bridge->versions;

    if (!common) {
        char *text = xasprintf("no version in common: 0x%02x here, 0x%02x there", c->mgr->bridge->versions, theirs);
        struct buf b = BUF_EMPTY;

        COUNTER_INC(ofconn_hello_failed);
        log_warn_rl(LOG_vconn, &peer_limit, "%s: version negotiation failed (we support versions 0x%x, peer supports 0x%x)",
                    c->name, c->mgr->bridge->versions, theirs);
        /* 1.3.5, section 7.4.1: this error carries a text. */
        error_encode(OFERR_OFPHFC_INCOMPATIBLE, OF10, 0, slice_of(text, strlen(text)), &b);
        ofconn_send(c, &b);
        buf_free(&b);
        free(text);
        ofconn_close_soon(c);
        return;
    }
    c->version = (enum of_version) (31 - __builtin_clz(common));
    c->state = OFCONN_ACTIVE;
    controller_admitted(c->controller);
}

/* A whole message. */
static void
got_message(struct ofconn *c, struct slice whole)
{
    struct of_msg m;
    enum of_error error = of_msg_parse(whole, &m);

    if (c->primary) {
        ofconns_snoop(c, whole.data, whole.len);
    }
    if (c->state == OFCONN_HELLO) {
        if (whole.data[1] != HELLO_TYPE) {
            COUNTER_INC(ofconn_garbage);
            log_warn_rl(LOG_vconn, &peer_limit, "%s: received other than hello first, closing", c->name);
            ofconn_close_soon(c);
        } else {
            got_hello(c, whole);
        }
        return;
    }
    if (!error && m.version != c->version && m.op != OP_HELLO) {
        error = OFERR_OFPBRC_BAD_VERSION;
    }
    if (error) {
        ofconn_send_error(c, error, &m);
    } else if (m.op == OP_ECHO_REQUEST) {
        send_echo(c, MSG_ECHO_REPLY, m.xid, m.body);
    } else if (m.op != OP_ECHO_REPLY && m.op != OP_ERROR) {
        ofserve_request(c, &m);
    }
}

/* Goes on with a reply that is being made. true: nothing stands in the way of the next request. */
static bool
ofconn_continue_reply(struct ofconn *c)
{
    unsigned n = 0;

    while (c->producer.more && !c->closing) {
        if (stream_backlog(c->stream) > OFCONN_PRODUCE_BELOW) {
            return false;
        }
        if (n++ == TURN_PIECES) {
            loop_timer_set(c->resume, 0); /* The peer reads as fast as we tell: others have their turn. */
            return false;
        }
        if (!c->producer.more(c, c->producer.arg)) {
            ofconn_produce(c, &(struct ofconn_producer){0});
        }
    }
    return !c->closing && stream_backlog(c->stream) <= OFCONN_PAUSE_AT;
}

void
ofconn_produce(struct ofconn *c, const struct ofconn_producer *p)
{
    struct ofconn_producer old = c->producer;

    c->producer = *p;
    if (old.more) {
        old.done(old.arg);
    }
}

/* One message off the front of what was received. false: there is no whole one, or the session is to be closed. */
static bool
take_message(struct ofconn *c)
{
    struct slice bytes = stream_peek(c->stream);
    int length = of_msg_length(bytes);

    if (length < 0) {
        COUNTER_INC(ofconn_garbage);
        log_warn_rl(LOG_vconn, &peer_limit, "%s: received bytes that are no OpenFlow message, closing", c->name);
        ofconn_close_soon(c);
        return false;
    }
    if (!length || (size_t) length > bytes.len) {
        return false;
    }
    got_message(c, slice_of(bytes.data, (size_t) length));
    stream_consume(c->stream, (size_t) length);
    return !c->closing;
}

/* A turn: at most so many requests; then the rest of the house has its turn. */
static void
ofconn_work(struct ofconn *c)
{
    unsigned n = 0;

    while (n < TURN_MESSAGES && ofconn_continue_reply(c) && take_message(c)) {
        n++;
    }
    if (c->closing) {
        ofconn_fail(c, -EPROTO);
    } else if (n == TURN_MESSAGES) {
        loop_timer_set(c->resume, 0);
    }
}

static void
resume_due(void *ofconn)
{
    ofconn_work(ofconn);
}

static void
on_connected(struct stream *s, void *ofconn)
{
    struct ofconn *c = ofconn;

    c->state = OFCONN_HELLO;
    c->last_heard_ms = now_ms();
    send_hello(c);
}

static void
on_readable(struct stream *s, void *ofconn)
{
    struct ofconn *c = ofconn;

    c->last_heard_ms = now_ms();
    c->probing = false;
    ofconn_work(c);
}

static void
on_drained(struct stream *s, void *ofconn)
{
    ofserve_drained(ofconn);
    ofconn_work(ofconn);
}

static void
on_closed(struct stream *s, int error, void *ofconn)
{
    ofconn_fail(ofconn, error);
}

static const struct stream_ops session_ops = {on_connected, on_readable, on_drained, on_closed};

struct ofconn *
ofconn_create(struct controller *controller, struct stream *stream, bool connected)
{
    struct ofconn *c = xzalloc(sizeof *c);
    struct ofconns *mgr = controller->mgr;

    c->mgr = mgr;
    c->controller = controller;
    c->stream = stream;
    c->name = xasprintf("%s<->%s", mgr->bridge->name, stream_name(stream));
    c->primary = !controller->config.is_service;
    c->role = OFPCR_EQUAL;
    c->miss_send_len = c->primary ? mgr->bridge->miss_send_len : 0;
    c->last_heard_ms = now_ms();
    CDS_INIT_LIST_HEAD(&c->monitors);
    CDS_INIT_LIST_HEAD(&c->bundles);
    c->timer = loop_timer_add(mgr->loop, probe_due, c);
    c->resume = loop_timer_add(mgr->loop, resume_due, c);
    cds_list_add_tail(&c->node, &mgr->all);
    stream_set_ops(stream, &session_ops, c);
    stream_watermarks(stream, 0, READ_HIGH);
    ofconn_arm_probe(c);
    if (connected) {
        on_connected(stream, c);
    }
    return c;
}

void
ofconn_destroy(struct ofconn *c)
{
    ofconn_produce(c, &(struct ofconn_producer){0});
    ofserve_forget(c);
    cds_list_del(&c->node);
    loop_timer_del(c->timer);
    loop_timer_del(c->resume);
    stream_close(c->stream);
    free(c->name);
    free(c);
}

/* Another session is the master now. */
static void
ofconn_demote(struct ofconn *c)
{
    const struct of_role_request now = {.role = OFPCR_SLAVE, .has_generation = c->mgr->role_generation_set, .generation = c->mgr->role_generation};
    struct buf b = BUF_EMPTY;

    c->role = OFPCR_SLAVE;
    if (c->version == OF13) {
        role_status_encode(&now, &b);
        ofconn_send(c, &b);
        buf_free(&b);
    }
}

/* OpenFlow 1.3.5, section 6.3.6 "Multiple controllers", and Nicira's role extension before it. */
enum of_error
ofconn_set_role(struct ofconn *c, const struct of_role_request *r)
{
    struct ofconns *mgr = c->mgr;
    struct ofconn *other;

    if (r->role != OFPCR_NOCHANGE && r->role != OFPCR_EQUAL && r->has_generation) {
        if (mgr->role_generation_set && (int64_t) (r->generation - mgr->role_generation) < 0) {
            return OFERR_OFPRRFC_STALE;
        }
        mgr->role_generation = r->generation;
        mgr->role_generation_set = true;
    }
    if (r->role == OFPCR_MASTER) {
        cds_list_for_each_entry (other, &mgr->all, node) {
            if (other != c && other->role == OFPCR_MASTER) {
                ofconn_demote(other);
            }
        }
    }
    if (r->role != OFPCR_NOCHANGE) {
        c->role = r->role;
    }
    return OFERR_OK;
}

const struct of_async *
ofconn_async(const struct ofconn *c, struct of_async *defaults)
{
    const uint32_t all_ports = 1u << OFPPR_ADD | 1u << OFPPR_DELETE | 1u << OFPPR_MODIFY;

    if (c->async_set) {
        return &c->async;
    }
    *defaults = (struct of_async){
        .packet_in = {1u << OFPR_NO_MATCH | 1u << OFPR_ACTION | 1u << OFPR_ACTION_SET | 1u << OFPR_GROUP | 1u << OFPR_PACKET_OUT
                          | (c->invalid_ttl_to_controller ? 1u << OFPR_INVALID_TTL : 0),
                      0},
        .port_status = {all_ports, all_ports},
        .flow_removed = {1u << OFPRR_IDLE_TIMEOUT | 1u << OFPRR_HARD_TIMEOUT | 1u << OFPRR_DELETE | 1u << OFPRR_GROUP_DELETE
                             | (c->version >= OF14 ? 1u << OFPRR_METER_DELETE | 1u << OFPRR_EVICTION : 0),
                         0}};
    return defaults;
}
