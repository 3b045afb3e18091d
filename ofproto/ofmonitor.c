// SPDX-License-Identifier: Apache-2.0
// Flow monitors: a session is told of each rule that comes, changes or goes. A session that reads too slowly is told that it is paused; from then on
// only the going of rules it has heard of is told, and once it has read all, what came or changed meanwhile.
#include <config.h>
#include <stdlib.h>

#include "lib/base/counter.h"
#include "ofproto/ofserve_private.h"

COUNTER(monitor_paused, "A flow monitor was paused: its session reads too slowly.");

#define MAX_MONITORS 256              /* Of a session. */
#define PAUSE_AT (128 * 1024)         /* Bytes that the session has not read. */
#define DUMP_BYTES_AT_ONCE (48 * 1024)

struct monitor {
    struct cds_list_head node; /* In ofconn.monitors. */
    struct flow_monitor_request request;
};

static struct monitor *
find_monitor(struct ofconn *c, uint32_t id)
{
    struct monitor *m;

    cds_list_for_each_entry (m, &c->monitors, node) {
        if (m->request.id == id) {
            return m;
        }
    }
    return NULL;
}

static void
monitor_free(struct monitor *m)
{
    cds_list_del(&m->node);
    free(m);
}

void
ofmonitor_forget(struct ofconn *c)
{
    struct monitor *m, *next;

    cds_list_for_each_entry_safe (m, next, &c->monitors, node) {
        monitor_free(m);
    }
}

static bool
monitor_selects(const struct monitor *m, const struct rule *r)
{
    const struct flow_stats_request *s = &m->request.select;

    return (s->table_id == OFPTT_ALL || s->table_id == r->table_id)
           && (s->out_port == OFPP_ANY || ofact_outputs_to_port(r->actions->list, r->actions->size, s->out_port))
           && (s->out_group == OFPG_ANY || ofact_outputs_to_group(r->actions->list, r->actions->size, s->out_group))
           && match_sparse_is_subset(r->cr.match, &s->match);
}

/* What the monitors of a session that want this event and this rule ask for, together; 0: none does. */
static uint16_t
wanted_flags(struct ofconn *c, const struct rule *r, uint16_t event_flag)
{
    struct monitor *m;
    uint16_t flags = 0;

    cds_list_for_each_entry (m, &c->monitors, node) {
        if (m->request.flags & event_flag && monitor_selects(m, r)) {
            flags |= m->request.flags;
        }
    }
    return flags;
}

static void
put_update(struct of_multipart *mp, enum flow_update_event event, uint8_t reason, const struct rule *r, uint16_t flags)
{
    struct flow_stats fs;

    rule_to_stats(r, &fs);
    if (!(flags & FLOW_MONITOR_ACTIONS)) {
        fs.actions_len = 0;
    }
    flow_update_encode(mp, event, reason, &fs);
}

static void
send_update(struct ofconn *c, enum flow_update_event event, uint8_t reason, const struct rule *r, uint16_t flags)
{
    struct of_multipart mp;
    struct buf b = BUF_EMPTY;

    of_multipart_begin(&mp, &b, flow_monitor_reply_row(c->version), c->version, 0);
    put_update(&mp, event, reason, r, flags);
    of_multipart_end(&mp, false);
    ofconn_send(c, &b);
    buf_free(&b);
}

static void
send_paused(struct ofconn *c, bool resumed)
{
    struct buf b = BUF_EMPTY;

    flow_monitor_paused_encode(resumed, c->version, &b);
    ofconn_send(c, &b);
    buf_free(&b);
}

static void
send_abbreviation(struct ofconn *c, be32 xid)
{
    struct buf b = BUF_EMPTY;

    if (c->monitors_abbreviated != xid || !xid) {
        c->monitors_abbreviated = xid;
        flow_update_abbrev_encode(xid, c->version, &b);
        ofconn_send(c, &b);
        buf_free(&b);
    }
}

static void
tell_session(struct ofconn *c, enum flow_update_event event, const struct rule *r, uint8_t reason, const struct table_origin *origin)
{
    static const uint16_t event_flags[] = {
        [FLOW_UPDATE_ADDED] = FLOW_MONITOR_ADD, [FLOW_UPDATE_DELETED] = FLOW_MONITOR_DELETE, [FLOW_UPDATE_MODIFIED] = FLOW_MONITOR_MODIFY};
    uint16_t flags = wanted_flags(c, r, event_flags[event]);

    if (!flags) {
        return;
    }
    if (!c->monitors_paused && stream_backlog(c->stream) > PAUSE_AT) {
        COUNTER_INC(monitor_paused);
        c->monitors_paused = true;
        c->monitors_paused_ms = now_ms();
        send_paused(c, false);
    }
    /* What came or changed while paused is found again at the end; what went must be told now, if the session has heard of it. A rule of the very
     * millisecond of the pause it may have heard of. */
    if (c->monitors_paused && (event != FLOW_UPDATE_DELETED || r->created_ms > c->monitors_paused_ms)) {
        return;
    }
    if (origin->ofconn == c && !(flags & FLOW_MONITOR_OWN)) {
        send_abbreviation(c, origin->xid);
    } else {
        send_update(c, event, reason, r, flags);
    }
}

void
ofconns_flow_event(struct ofconns *mgr, enum ofconn_flow_event event, const struct rule *r, uint8_t reason, const struct table_origin *origin)
{
    static const enum flow_update_event events[] = {[OFCONN_FLOW_ADDED] = FLOW_UPDATE_ADDED,
                                                    [OFCONN_FLOW_MODIFIED] = FLOW_UPDATE_MODIFIED,
                                                    [OFCONN_FLOW_DELETED] = FLOW_UPDATE_DELETED};
    struct ofconn *c;

    cds_list_for_each_entry (c, &mgr->all, node) {
        if (!cds_list_empty(&c->monitors)) {
            tell_session(c, events[event], r, reason, origin);
        }
    }
}

/* Rules told in one go: all that a new monitor selects, or after a pause those that came or changed in it. */
struct listing {
    bool after_pause;
    int64_t paused_ms;
    be32 xid;
    struct rule **rules; /* Each with a reference. */
    size_t n, allocated, next;
};

static void
listing_add(struct rule *r, void *listing_)
{
    struct listing *l = listing_;

    if (r->flags & OFPFF_HIDDEN || (l->after_pause && r->modified_ms < l->paused_ms) || !rule_ref(r)) {
        return;
    }
    if (l->n >= l->allocated) {
        array_grow(&l->rules, &l->allocated, sizeof *l->rules);
    }
    l->rules[l->n++] = r;
}

static void
list_rule(struct ofconn *c, const struct listing *l, const struct rule *r, struct of_multipart *mp)
{
    bool added = r->created_ms >= l->paused_ms;
    uint16_t flags = wanted_flags(c, r, !l->after_pause ? FLOW_MONITOR_INITIAL : added ? FLOW_MONITOR_ADD : FLOW_MONITOR_MODIFY);

    if (flags && !__atomic_load_n(&r->removed, __ATOMIC_RELAXED)) {
        put_update(mp, !l->after_pause ? FLOW_UPDATE_INITIAL : added ? FLOW_UPDATE_ADDED : FLOW_UPDATE_MODIFIED, 0, r, flags);
    }
}

static bool
listing_more(struct ofconn *c, void *listing_)
{
    struct listing *l = listing_;
    struct of_multipart mp;
    struct buf b = BUF_EMPTY;

    of_multipart_begin(&mp, &b, flow_monitor_reply_row(c->version), c->version, l->xid);
    while (l->next < l->n && b.len < DUMP_BYTES_AT_ONCE) {
        struct rule *r = l->rules[l->next++];

        list_rule(c, l, r, &mp);
        rule_unref(r);
    }
    of_multipart_end(&mp, !l->after_pause && l->next < l->n);
    if (!l->after_pause || b.len > mp.entry) {
        ofconn_send(c, &b);
    }
    buf_free(&b);
    if (l->next == l->n && l->after_pause) {
        c->monitors_paused = false;
        send_paused(c, true);
    }
    return l->next < l->n;
}

static void
listing_done(void *listing_)
{
    struct listing *l = listing_;

    while (l->next < l->n) {
        rule_unref(l->rules[l->next++]);
    }
    free(l->rules);
    free(l);
}

void
ofmonitor_drained(struct ofconn *c)
{
    const struct flow_stats_request all = {.table_id = OFPTT_ALL, .out_port = OFPP_ANY, .out_group = OFPG_ANY};
    struct flow_stats_request request = all;
    struct listing *l;

    if (!c->monitors_paused || c->producer.more) {
        return;
    }
    l = xzalloc(sizeof *l);
    l->after_pause = true;
    l->paused_ms = c->monitors_paused_ms;
    match_init_any(&request.match);
    table_collect(c->mgr->bridge, &request, listing_add, l);
    ofconn_produce(c, &(struct ofconn_producer){listing_more, listing_done, l});
}

static bool
has_id(const struct cds_list_head *monitors, uint32_t id, unsigned *n)
{
    const struct monitor *m;
    bool found = false;

    cds_list_for_each_entry (m, monitors, node) {
        found |= m->request.id == id;
        ++*n;
    }
    return found;
}

/* 1.4 can also change a monitor and take one away. */
static enum of_error
change_monitor(struct ofconn *c, const struct flow_monitor_request *r)
{
    struct monitor *m = find_monitor(c, r->id);

    if (!m) {
        return OFERR_OFPMOFC_UNKNOWN_MONITOR;
    }
    if (r->command == FLOW_MONITOR_DELETE_COMMAND) {
        monitor_free(m);
    } else {
        m->request = *r;
    }
    return OFERR_OK;
}

static enum of_error
stage_monitor(struct ofconn *c, const struct flow_monitor_request *r, struct cds_list_head *staged)
{
    struct monitor *m;
    unsigned n = 0;

    if (r->command != FLOW_MONITOR_ADD_COMMAND) {
        return change_monitor(c, r);
    }
    if (has_id(&c->monitors, r->id, &n) || has_id(staged, r->id, &n)) {
        return OFERR_OFPMOFC_MONITOR_EXISTS;
    }
    if (n >= MAX_MONITORS) {
        return OFERR_OFPBRC_EPERM;
    }
    m = xmalloc(sizeof *m);
    m->request = *r;
    cds_list_add_tail(&m->node, staged);
    return OFERR_OK;
}

/* Adds the monitors of a request, or none of them. */
static enum of_error
add_monitors(struct ofconn *c, const struct of_msg *msg, struct listing *l)
{
    struct slice body = msg->body;
    struct cds_list_head staged;
    struct monitor *m, *next;
    enum of_error error = OFERR_OK;

    CDS_INIT_LIST_HEAD(&staged);
    while (body.len && !error) {
        struct flow_monitor_request r;

        error = flow_monitor_decode(msg, &body, &r);
        error = error ? error : stage_monitor(c, &r, &staged);
    }
    cds_list_for_each_entry_safe (m, next, &staged, node) {
        if (error) {
            monitor_free(m);
            continue;
        }
        cds_list_del(&m->node);
        cds_list_add_tail(&m->node, &c->monitors);
        if (m->request.flags & FLOW_MONITOR_INITIAL) {
            table_collect(c->mgr->bridge, &m->request.select, listing_add, l);
        }
    }
    return error;
}

enum of_error
serve_flow_monitor(struct ofconn *c, const struct of_msg *m)
{
    struct listing *l = xzalloc(sizeof *l);
    enum of_error error;

    l->xid = m->xid;
    error = add_monitors(c, m, l);
    if (error) {
        listing_done(l);
    } else {
        ofconn_produce(c, &(struct ofconn_producer){listing_more, listing_done, l});
    }
    return error;
}

enum of_error
serve_monitor_cancel(struct ofconn *c, const struct of_msg *m)
{
    struct slice s = m->body;
    uint32_t id = 0;
    struct monitor *monitor;

    slice_get_be32(&s, &id);
    monitor = find_monitor(c, id);
    if (!monitor) {
        return OFERR_OFPMOFC_UNKNOWN_MONITOR;
    }
    monitor_free(monitor);
    return OFERR_OK;
}
