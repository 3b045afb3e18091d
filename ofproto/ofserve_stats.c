// SPDX-License-Identifier: Apache-2.0
// Requests for descriptions and statistics other than of flows. Groups, meters and queues: there are none, and the answers say so.
#include <config.h>
#include "ofproto/ofserve_private.h"

#include <stdio.h>

enum of_error
serve_desc(struct ofconn *c, const struct of_msg *m)
{
    const struct bridge *br = c->mgr->bridge;
    const struct of_switch_desc desc = {
        .mfr = br->mfr_desc ? br->mfr_desc : "Sluice",
        .hw = br->hw_desc ? br->hw_desc : "Sluice",
        .sw = br->sw_desc ? br->sw_desc : PACKAGE_VERSION,
        .serial = br->serial_desc ? br->serial_desc : "None",
        .dp = br->dp_desc ? br->dp_desc : "None",
    };
    struct buf b = BUF_EMPTY;

    switch_desc_encode(&desc, m, &b);
    ofconn_send(c, &b);
    buf_free(&b);
    return OFERR_OK;
}

/* A multipart reply whose entries put() writes for i = first, ..., n - 1; it returns false for one that is not there. */
static void
send_entries(struct ofconn *c, const struct of_msg *m, enum msg_row row, size_t n,
             bool (*put)(struct ofconn *, const struct of_msg *, size_t i, struct buf *))
{
    struct of_multipart mp;
    struct buf b = BUF_EMPTY;

    of_multipart_begin(&mp, &b, row, m->version, m->xid);
    for (size_t i = 0; i < n; i++) {
        of_multipart_entry_begin(&mp);
        if (put(c, m, i, &b)) {
            of_multipart_entry_end(&mp);
        }
    }
    of_multipart_end(&mp, false);
    ofconn_send(c, &b);
    buf_free(&b);
}

#define MAX_ENTRIES 1000000 /* What is told where a table has no limit: the installed daemon's number. */

static void
fill_table_stats(const struct bridge *br, size_t i, struct of_table_stats *ts)
{
    const struct table *t = &br->tables[i];

    *ts = (struct of_table_stats){
        .table_id = (uint8_t) i,
        .is_last = i + 1 == SERVED_TABLES,
        .config = __atomic_load_n(&t->miss_config, __ATOMIC_RELAXED),
        .active = (uint32_t) classifier_n_rules(t->cls),
        .max_entries = t->max_flows == UINT32_MAX ? MAX_ENTRIES : t->max_flows,
        .lookups = __atomic_load_n(&t->n_lookups, __ATOMIC_RELAXED),
        .matched = __atomic_load_n(&t->n_matched, __ATOMIC_RELAXED),
    };
    if (t->name) {
        snprintf(ts->name, sizeof ts->name, "%s", t->name);
    }
}

static bool
put_table_stats(struct ofconn *c, const struct of_msg *m, size_t i, struct buf *b)
{
    struct of_table_stats ts;

    fill_table_stats(c->mgr->bridge, i, &ts);
    table_stats_encode(&ts, m->version, b);
    return true;
}

enum of_error
serve_table_stats(struct ofconn *c, const struct of_msg *m)
{
    send_entries(c, m, MSG_TABLE_REPLY, SERVED_TABLES, put_table_stats);
    return OFERR_OK;
}

static bool
put_table_features(struct ofconn *c, const struct of_msg *m, size_t i, struct buf *b)
{
    struct of_table_stats ts;

    fill_table_stats(c->mgr->bridge, i, &ts);
    table_features_encode(&ts, SERVED_TABLES, m->version, b);
    return true;
}

/* A request with a body would change features; these are fixed. */
enum of_error
serve_table_features(struct ofconn *c, const struct of_msg *m)
{
    if (m->body.len) {
        return OFERR_OFPTFFC_EPERM;
    }
    send_entries(c, m, MSG_TABLE_FEATURES_REPLY, SERVED_TABLES, put_table_features);
    return OFERR_OK;
}

static bool
put_table_desc(struct ofconn *c, const struct of_msg *m, size_t i, struct buf *b)
{
    (void) c;
    (void) m;
    table_desc_encode((uint8_t) i, b);
    return true;
}

enum of_error
serve_table_desc(struct ofconn *c, const struct of_msg *m)
{
    send_entries(c, m, MSG_TABLE_DESC_REPLY, SERVED_TABLES, put_table_desc);
    return OFERR_OK;
}

/* Is the i-th port among those that the request names? In 1.5 descriptions name one, too. */
static const struct port *
requested_port(const struct ofconn *c, const struct of_msg *m, size_t i)
{
    const struct bridge_ports *ports = c->mgr->bridge->ports;
    const struct port *p = ports->ports[i ? i - 1 : ports->n - 1]; /* The local port, last in number, is told first. */
    uint32_t wanted = OFPP_ANY;

    if (m->body.len) {
        port_number_decode(m, &wanted);
    }
    return wanted == OFPP_ANY || wanted == p->ofp ? p : NULL;
}

static bool
put_port_stats(struct ofconn *c, const struct of_msg *m, size_t i, struct buf *b)
{
    const struct port *p = requested_port(c, m, i);
    struct of_port_stats stats;

    if (!p) {
        return false;
    }
    port_fill_stats(p, &stats);
    port_stats_encode(&stats, m->version, b);
    return true;
}

/* A number that no port has gets an empty answer; one that no port can have, an error. */
static enum of_error
check_requested_port(const struct of_msg *m)
{
    uint32_t port;

    return m->body.len ? port_number_decode(m, &port) : OFERR_OK;
}

enum of_error
serve_port_stats(struct ofconn *c, const struct of_msg *m)
{
    enum of_error error = check_requested_port(m);

    if (!error) {
        send_entries(c, m, MSG_PORT_REPLY, c->mgr->bridge->ports->n, put_port_stats);
    }
    return error;
}

static bool
put_port_desc(struct ofconn *c, const struct of_msg *m, size_t i, struct buf *b)
{
    const struct port *p = requested_port(c, m, i);

    if (p) {
        of_port_encode(&p->of, m->version, b);
    }
    return p != NULL;
}

enum of_error
serve_port_desc(struct ofconn *c, const struct of_msg *m)
{
    enum of_error error = check_requested_port(m);

    if (!error) {
        send_entries(c, m, MSG_PORT_DESC_REPLY, c->mgr->bridge->ports->n, put_port_desc);
    }
    return error;
}

static uint32_t
second_word(const struct of_msg *m)
{
    struct slice s = m->body;
    uint32_t x = 0;

    slice_pull(&s, 4);
    slice_get_be32(&s, &x);
    return x;
}

/* Every port has no queue to tell of. */
enum of_error
serve_queue_stats(struct ofconn *c, const struct of_msg *m)
{
    uint32_t port = OFPP_ANY;
    enum of_error error = port_number_decode(m, &port);

    if (error || (port != OFPP_ANY && port != OFPP_ALL && !bridge_port(c->mgr->bridge, port))) {
        return OFERR_OFPQOFC_BAD_PORT;
    }
    if (second_word(m) != OFPQ_ANY) {
        return OFERR_OFPQOFC_BAD_QUEUE;
    }
    send_entries(c, m, MSG_QUEUE_REPLY, 0, NULL);
    return OFERR_OK;
}

enum of_error
serve_queue_config(struct ofconn *c, const struct of_msg *m)
{
    uint32_t port = OFPP_ANY;
    enum of_error error = port_number_decode(m, &port);
    struct buf b = BUF_EMPTY;
    size_t start;

    if (error || (port != OFPP_ANY && !bridge_port(c->mgr->bridge, port))) {
        return OFERR_OFPQOFC_BAD_PORT;
    }
    if (m->row == MSG_QUEUE_DESC_REQUEST) {
        send_entries(c, m, MSG_QUEUE_DESC_REPLY, 0, NULL);
        return OFERR_OK;
    }
    start = of_msg_begin(&b, m->version == OF10 ? MSG_QUEUE_CONFIG_REPLY10 : MSG_QUEUE_CONFIG_REPLY11, m->version, m->xid);
    if (m->version == OF10) {
        buf_put_be16(&b, (uint16_t) port);
        buf_put_zeros(&b, 6);
    } else {
        buf_put_be32(&b, port);
        buf_put_zeros(&b, 4);
    }
    of_msg_end(&b, start);
    ofconn_send(c, &b);
    buf_free(&b);
    return OFERR_OK;
}

static enum of_error
nothing_there(struct ofconn *c, const struct of_msg *m, enum msg_row reply)
{
    send_entries(c, m, reply, 0, NULL);
    return OFERR_OK;
}

static uint32_t
first_word(const struct of_msg *m)
{
    struct slice s = m->body;
    uint32_t x = 0;

    slice_get_be32(&s, &x);
    return x;
}

#define METER_ALL UINT32_MAX

enum of_error
serve_group_stats(struct ofconn *c, const struct of_msg *m)
{
    return nothing_there(c, m, m->row == MSG_NX_GROUP_REQUEST ? MSG_NX_GROUP_REPLY : MSG_GROUP_REPLY);
}

enum of_error
serve_group_desc(struct ofconn *c, const struct of_msg *m)
{
    return nothing_there(c, m, m->row == MSG_NX_GROUP_DESC_REQUEST ? MSG_NX_GROUP_DESC_REPLY : MSG_GROUP_DESC_REPLY);
}

enum of_error
serve_meter_stats(struct ofconn *c, const struct of_msg *m)
{
    if (first_word(m) != METER_ALL) {
        return OFERR_OFPMMFC_UNKNOWN_METER;
    }
    return nothing_there(c, m, m->op == OP_METER_STATS ? MSG_METER_REPLY : MSG_METER_CONFIG_REPLY);
}

enum of_error
serve_group_features(struct ofconn *c, const struct of_msg *m)
{
    struct buf b = BUF_EMPTY;

    group_features_encode(m, &b);
    ofconn_send(c, &b);
    buf_free(&b);
    return OFERR_OK;
}

enum of_error
serve_meter_features(struct ofconn *c, const struct of_msg *m)
{
    struct buf b = BUF_EMPTY;

    meter_features_encode(m, &b);
    ofconn_send(c, &b);
    buf_free(&b);
    return OFERR_OK;
}

enum { MOD_ADD, MOD_MODIFY, MOD_DELETE };

/* A switch without room for groups. To delete what is not there is no error. */
enum of_error
serve_group_mod(struct ofconn *c, const struct of_msg *m)
{
    uint16_t command = (uint16_t) (first_word(m) >> 16);

    (void) c;
    switch (command) {
    case MOD_ADD:
        return OFERR_OFPGMFC_OUT_OF_GROUPS;
    case MOD_DELETE:
        return OFERR_OK;
    case MOD_MODIFY:
        return OFERR_OFPGMFC_UNKNOWN_GROUP;
    default:
        return m->version >= OF15 || m->row == MSG_NX_GROUP_MOD ? OFERR_OFPGMFC_UNKNOWN_GROUP : OFERR_OFPGMFC_BAD_COMMAND;
    }
}

enum of_error
serve_meter_mod(struct ofconn *c, const struct of_msg *m)
{
    uint16_t command = (uint16_t) (first_word(m) >> 16);

    (void) c;
    switch (command) {
    case MOD_ADD:
        return OFERR_OFPMMFC_OUT_OF_METERS;
    case MOD_DELETE:
        return OFERR_OK;
    case MOD_MODIFY:
        return OFERR_OFPMMFC_UNKNOWN_METER;
    default:
        return OFERR_OFPMMFC_BAD_COMMAND;
    }
}
