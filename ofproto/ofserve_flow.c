// SPDX-License-Identifier: Apache-2.0
// Requests about flows, and packets to send. A dump of flows holds references to the rules that were there when it was asked for, and is told as the peer
// reads: what went meanwhile is left out.
#include <config.h>
#include <stdlib.h>

#include "ofproto/ofserve_private.h"
#include "ofproto/upcall.h"

#define DUMP_BYTES_AT_ONCE (63 * 1024) /* A message as long as can be: what the peer does for each is done seldom. */
/* Rules lie about in memory in no order of the dump: it would wait for each. So far ahead a rule, and half as far its match, are asked for. */
#define DUMP_AHEAD 16
#define CACHE_LINE 64

enum of_error
ofserve_apply_flow_mod(struct ofconn *c, const struct of_msg *m, struct transaction *t)
{
    const struct table_origin origin = {.ofconn = c, .xid = m->xid, .transaction = t};
    struct flow_mod fm;
    enum of_error error = flow_mod_decode(m, c->flow_mod_table_id, &fm);

    if (error) {
        return error;
    }
    error = table_apply(c->mgr->bridge, &fm, &origin);
    if (!error && fm.buffer_id != OFP_NO_BUFFER) {
        error = OFERR_OFPBRC_BUFFER_UNKNOWN; /* The flow is in; packets are not buffered here. */
    }
    flow_mod_clear(&fm);
    return error;
}

enum of_error
serve_flow_mod(struct ofconn *c, const struct of_msg *m)
{
    return ofserve_apply_flow_mod(c, m, NULL);
}

/* A reply under way. */
struct dump {
    enum msg_row row;
    enum of_version version;
    be32 xid;
    struct rule **rules; /* Each with a reference. */
    size_t n, allocated, next;
};

static void
dump_add(struct rule *r, void *dump_)
{
    struct dump *d = dump_;

    if (rule_ref(r)) {
        if (d->n >= d->allocated) {
            array_grow(&d->rules, &d->allocated, sizeof *d->rules);
        }
        d->rules[d->n++] = r;
    }
}

static struct rule *
dump_next(struct dump *d)
{
    if (d->n - d->next > DUMP_AHEAD) {
        const char *rule = (const char *) d->rules[d->next + DUMP_AHEAD];
        const char *match = (const char *) d->rules[d->next + DUMP_AHEAD / 2]->cr.match;

        __builtin_prefetch(rule);
        __builtin_prefetch(rule + CACHE_LINE);
        __builtin_prefetch(match);
        __builtin_prefetch(match + CACHE_LINE);
    }
    return d->rules[d->next++];
}

static bool
dump_more(struct ofconn *c, void *dump_)
{
    struct dump *d = dump_;
    struct of_multipart mp;
    struct buf b = BUF_EMPTY;

    of_multipart_begin(&mp, &b, d->row, d->version, d->xid);
    while (d->next < d->n && b.len < DUMP_BYTES_AT_ONCE) {
        struct rule *r = dump_next(d), *current = rule_current(r);
        struct flow_stats fs;

        if (current) {
            rule_to_stats(current, &fs);
            flow_stats_encode(&mp, &fs);
        }
        rule_unref(r);
    }
    of_multipart_end(&mp, d->next < d->n);
    ofconn_send(c, &b);
    buf_free(&b);
    return d->next < d->n;
}

static void
dump_done(void *dump_)
{
    struct dump *d = dump_;

    while (d->next < d->n) {
        rule_unref(d->rules[d->next++]);
    }
    free(d->rules);
    free(d);
}

static enum of_error
check_table(const struct flow_stats_request *r)
{
    return r->table_id != OFPTT_ALL && r->table_id > TABLE_INTERNAL ? OFERR_OFPBRC_BAD_TABLE_ID : OFERR_OK;
}

enum of_error
serve_flow_stats(struct ofconn *c, const struct of_msg *m)
{
    struct flow_stats_request r;
    enum of_error error = flow_stats_request_decode(m, &r);
    struct dump *d;

    error = error ? error : check_table(&r);
    if (error) {
        return error;
    }
    d = xzalloc(sizeof *d);
    d->row = m->row == MSG_NX_FLOW_REQUEST ? MSG_NX_FLOW_REPLY : m->version == OF10 ? MSG_FLOW_REPLY10 : MSG_FLOW_REPLY11;
    d->version = m->version;
    d->xid = m->xid;
    table_collect(c->mgr->bridge, &r, dump_add, d);
    ofconn_produce(c, &(struct ofconn_producer){dump_more, dump_done, d});
    return OFERR_OK;
}

static void
add_up(struct rule *r, void *stats)
{
    struct aggregate_stats *as = stats;

    as->n_packets += __atomic_load_n(&r->n_packets, __ATOMIC_RELAXED);
    as->n_bytes += __atomic_load_n(&r->n_bytes, __ATOMIC_RELAXED);
    as->n_flows++;
}

enum of_error
serve_aggregate(struct ofconn *c, const struct of_msg *m)
{
    struct aggregate_stats as = {0, 0, 0};
    struct flow_stats_request r;
    enum of_error error = flow_stats_request_decode(m, &r);
    struct buf b = BUF_EMPTY;

    error = error ? error : check_table(&r);
    if (error) {
        return error;
    }
    table_collect(c->mgr->bridge, &r, add_up, &as);
    aggregate_stats_encode(&as, m, &b);
    ofconn_send(c, &b);
    buf_free(&b);
    return OFERR_OK;
}

enum of_error
serve_packet_out(struct ofconn *c, const struct of_msg *m)
{
    struct packet_out po;
    enum of_error error = packet_out_decode(m, &po);

    if (error) {
        return error;
    }
    if (po.buffer_id != OFP_NO_BUFFER) {
        error = OFERR_OFPBRC_BUFFER_UNKNOWN;
    } else {
        error = packet_out_execute(c->mgr->bridge, &po);
    }
    packet_out_clear(&po);
    return error;
}
