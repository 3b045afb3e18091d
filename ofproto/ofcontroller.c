// SPDX-License-Identifier: Apache-2.0
// The connections that the configuration asks for: active ones with back-off, passive ones, <bridge>.mgmt and <bridge>.snoop; and fail-open, when a standalone bridge
// has lost all its controllers.
#include <config.h>
#include <stdlib.h>

#include "lib/base/counter.h"
#include "lib/base/dirs.h"
#include "lib/base/log.h"
#include "ofproto/ofconn_private.h"
#include "ofproto/private.h"

COUNTER(controller_connected, "A session with a controller came up.");
COUNTER(controller_disconnected, "A session with a controller was lost or could not be made.");
COUNTER(snoop_dropped, "A copy for a snooping connection was dropped: it reads too slowly.");

static struct log_limit connect_limit = LOG_LIMIT(6, 3);

#define OPENFLOW_PORT 6653
#define SNOOP_BACKLOG_MAX (1024 * 1024)
#define SERVICE_CONNECTIONS_MAX 1024     /* Accepted at one passive target. */
#define FAIL_CHECK_MS 500
#define PROBES_BEFORE_FAIL_OPEN 3        /* ovs-vswitchd.conf.db(5), Bridge.fail_mode. */

/* A listener of <bridge>.snoop, or one connection accepted there. */
struct snoop {
    struct cds_list_head node;
    struct ofconns *mgr;
    char *target;
    struct stream_listener *listener;
    struct stream *stream;
    bool seen;
};

static void
remember_error(struct controller *c, int error)
{
    free(c->last_error);
    c->last_error = error ? xstrdup(errno_text(error)) : NULL;
}

void
controller_admitted(struct controller *c)
{
    COUNTER_INC(controller_connected);
    ofconns_update_miss(c->mgr);
    c->backoff_s = 0;
    c->connected_ms = now_ms();
    if (!c->passive) {
        log_info(LOG_rconn, "%s: connected", c->conn->name);
    }
}

static bool
is_primary(const struct controller *c)
{
    return !c->config.is_service;
}

static bool
is_connected(const struct controller *c)
{
    const struct ofconn *conn;

    cds_list_for_each_entry (conn, &c->mgr->all, node) {
        if (conn->controller == c && conn->state == OFCONN_ACTIVE) {
            return true;
        }
    }
    return false;
}

static void
controller_back_off(struct controller *c)
{
    c->backoff_s = MIN(c->backoff_s ? 2 * c->backoff_s : 1, MAX(c->config.max_backoff_s, 1));
    loop_timer_set(c->retry, (int64_t) c->backoff_s * 1000);
}

void
controller_lost(struct controller *c, struct ofconn *conn, int error)
{
    bool was_active = conn->state == OFCONN_ACTIVE;

    COUNTER_INC(controller_disconnected);
    if (!c->passive) {
        if (was_active) {
            log_info(LOG_rconn, "%s: connection closed by peer", conn->name);
            c->disconnected_ms = now_ms();
        } else {
            log_warn_rl(LOG_rconn, &connect_limit, "%s: connection failed (%s)", conn->name, errno_text(error));
        }
        c->conn = NULL;
        remember_error(c, error);
        controller_back_off(c);
    }
    ofconn_destroy(conn);
    ofconns_update_miss(c->mgr);
}

static void
controller_connect(void *controller)
{
    static const struct stream_ops none;
    struct controller *c = controller;
    struct stream *stream;
    char *why = NULL;
    int error = stream_connect(c->mgr->loop, c->target, OPENFLOW_PORT, &none, NULL, &stream, &why);

    if (error) {
        log_err_rl(LOG_rconn, &connect_limit, "%s: %s", c->target, why ? why : errno_text(error));
        free(why);
        remember_error(c, error);
        controller_back_off(c);
        return;
    }
    c->conn = ofconn_create(c, stream, false);
}

static void
accept_session(struct stream *stream, void *controller)
{
    struct controller *c = controller;
    const struct ofconn *conn;
    unsigned n = 0;

    cds_list_for_each_entry (conn, &c->mgr->all, node) {
        n += conn->controller == c;
    }
    if (n >= SERVICE_CONNECTIONS_MAX) {
        stream_close(stream);
        return;
    }
    ofconn_create(c, stream, true);
}

static void
controller_take_config(struct controller *c, const struct controller_config *config)
{
    c->config = *config;
    c->config.target = c->target;
}

static struct controller *
controller_create(struct ofconns *mgr, const struct controller_config *config)
{
    struct controller *c = xzalloc(sizeof *c);
    char *why = NULL;

    c->mgr = mgr;
    c->target = xstrdup(config->target);
    c->passive = stream_name_is_passive(config->target);
    c->retry = loop_timer_add(mgr->loop, controller_connect, c);
    controller_take_config(c, config);
    cds_list_add_tail(&c->node, &mgr->controllers);
    if (c->passive) {
        if (stream_listen(mgr->loop, c->target, OPENFLOW_PORT, accept_session, c, &c->listener, &why)) {
            log_err(LOG_connmgr, "failed to listen on %s: %s", c->target, why ? why : "unknown error");
            c->last_error = why ? xstrdup(why) : NULL;
            free(why);
        }
    } else if (stream_name_is_active(config->target)) {
        loop_timer_set(c->retry, 0);
    } else {
        log_err(LOG_connmgr, "%s: \"%s\" is no controller that this switch can reach", mgr->bridge->name, c->target);
        c->last_error = xstrdup("unsupported controller target");
    }
    return c;
}

static void
controller_destroy(struct controller *c)
{
    struct ofconn *conn, *next;

    cds_list_for_each_entry_safe (conn, next, &c->mgr->all, node) {
        if (conn->controller == c) {
            ofconn_destroy(conn);
        }
    }
    if (c->listener) {
        stream_listener_close(c->listener);
    }
    loop_timer_del(c->retry);
    cds_list_del(&c->node);
    free(c->last_error);
    free(c->target);
    free(c);
}

static void
snoop_destroy(struct snoop *s)
{
    if (s->listener) {
        stream_listener_close(s->listener);
    }
    if (s->stream) {
        stream_close(s->stream);
    }
    cds_list_del(&s->node);
    free(s->target);
    free(s);
}

static void
snoop_readable(struct stream *stream, void *snoop)
{
    stream_consume(stream, stream_peek(stream).len); /* It has nothing to say. */
}

static void
snoop_closed(struct stream *stream, int error, void *snoop)
{
    snoop_destroy(snoop);
}

static const struct stream_ops snoop_ops = {NULL, snoop_readable, NULL, snoop_closed};

static void
accept_snoop(struct stream *stream, void *listener)
{
    struct snoop *from = listener;
    struct snoop *s = xzalloc(sizeof *s);
    struct buf hello = BUF_EMPTY;

    s->mgr = from->mgr;
    s->stream = stream;
    stream_set_ops(stream, &snoop_ops, s);
    cds_list_add_tail(&s->node, &from->mgr->snoops);
    hello_encode(from->mgr->bridge->versions, &hello); /* Who listens waits for one, as on any connection. */
    stream_send(stream, hello.data, hello.len);
    buf_free(&hello);
}

static void
snoop_listen(struct ofconns *mgr, const char *target)
{
    struct snoop *s = xzalloc(sizeof *s);
    char *why = NULL;

    s->mgr = mgr;
    s->target = xstrdup(target);
    cds_list_add_tail(&s->node, &mgr->snoops);
    if (stream_listen(mgr->loop, target, OPENFLOW_PORT, accept_snoop, s, &s->listener, &why)) {
        log_err(LOG_connmgr, "failed to listen on %s: %s", target, why ? why : "unknown error");
        free(why);
    }
}

void
ofconns_snoop(struct ofconn *c, const void *bytes, size_t n)
{
    struct snoop *s;

    cds_list_for_each_entry (s, &c->mgr->snoops, node) {
        if (s->stream && stream_backlog(s->stream) + n <= SNOOP_BACKLOG_MAX) {
            stream_send(s->stream, bytes, n);
        } else if (s->stream) {
            COUNTER_INC(snoop_dropped);
        }
    }
}

/* How long all controllers may be silent before the bridge stands alone. */
static int64_t
fail_open_after_ms(const struct ofconns *mgr)
{
    const struct controller *c;
    int64_t probe_s = 0;

    cds_list_for_each_entry (c, &mgr->controllers, node) {
        if (is_primary(c) && c->config.inactivity_probe_s && (!probe_s || c->config.inactivity_probe_s < probe_s)) {
            probe_s = c->config.inactivity_probe_s;
        }
    }
    return PROBES_BEFORE_FAIL_OPEN * MAX(probe_s, 1) * 1000;
}

static void
check_fail_open(void *mgr_)
{
    struct ofconns *mgr = mgr_;
    const struct controller *c;
    bool any = false;

    cds_list_for_each_entry (c, &mgr->controllers, node) {
        any |= is_primary(c) && is_connected(c);
    }
    if (any || !mgr->has_primaries) {
        mgr->all_lost_ms = 0;
    } else if (!mgr->all_lost_ms) {
        mgr->all_lost_ms = now_ms();
    }
    bool lost = mgr->all_lost_ms && now_ms() - mgr->all_lost_ms >= fail_open_after_ms(mgr) && !mgr->bridge->fail_secure;

    if (lost != mgr->bridge->standalone_normal) {
        if (lost) {
            log_warn(LOG_connmgr, "%s: could not connect to controller (or switch failed controller's post-connection admission control policy) for %lld seconds, failing open",
                     mgr->bridge->name, (long long) (now_ms() - mgr->all_lost_ms) / 1000);
        } else {
            log_warn(LOG_connmgr, "%s: No longer in fail-open mode", mgr->bridge->name);
        }
        tables_set_standalone(mgr->bridge, lost);
    }
    loop_timer_set(mgr->fail_timer, FAIL_CHECK_MS);
}

struct ofconns *
ofconns_create(struct bridge *br, struct loop *loop)
{
    struct ofconns *mgr = xzalloc(sizeof *mgr);

    mgr->bridge = br;
    mgr->loop = loop;
    CDS_INIT_LIST_HEAD(&mgr->all);
    CDS_INIT_LIST_HEAD(&mgr->controllers);
    CDS_INIT_LIST_HEAD(&mgr->snoops);
    mgr->fail_timer = loop_timer_add(loop, check_fail_open, mgr);
    return mgr;
}

void
ofconns_destroy(struct ofconns *mgr)
{
    while (!cds_list_empty(&mgr->controllers)) {
        controller_destroy(cds_list_first_entry(&mgr->controllers, struct controller, node));
    }
    while (!cds_list_empty(&mgr->snoops)) {
        snoop_destroy(cds_list_first_entry(&mgr->snoops, struct snoop, node));
    }
    loop_timer_del(mgr->fail_timer);
    free(mgr);
}

static struct controller *
controller_find(struct ofconns *mgr, const char *target)
{
    struct controller *c;

    cds_list_for_each_entry (c, &mgr->controllers, node) {
        if (!strcmp(c->target, target)) {
            return c;
        }
    }
    return NULL;
}

static void
want_controller(struct ofconns *mgr, const struct controller_config *config)
{
    struct controller *c = controller_find(mgr, config->target);

    if (!c) {
        c = controller_create(mgr, config);
    } else if (!c->seen) {
        controller_take_config(c, config);
    }
    c->seen = true;
    mgr->has_primaries |= is_primary(c);
}

/* The names that are always served. */
static void
want_mgmt_and_snoop(struct ofconns *mgr)
{
    char *mgmt = xasprintf("punix:%s/%s.mgmt", dirs_run(), mgr->bridge->name);
    char *snoop = xasprintf("punix:%s/%s.snoop", dirs_run(), mgr->bridge->name);
    const struct controller_config config = {.target = mgmt, .is_service = true, .enable_async = true};

    want_controller(mgr, &config);
    controller_find(mgr, mgmt)->is_mgmt = true;
    if (!mgr->configured) {
        snoop_listen(mgr, snoop);
    }
    free(mgmt);
    free(snoop);
}

void
ofconns_configure(struct ofconns *mgr, const struct bridge_config *config)
{
    struct controller *c, *next;
    bool had_primaries = mgr->has_primaries, secure = config->fail_secure;

    mgr->has_primaries = false;
    cds_list_for_each_entry (c, &mgr->controllers, node) {
        c->seen = false;
    }
    want_mgmt_and_snoop(mgr);
    for (size_t i = 0; i < config->n_controllers; i++) {
        want_controller(mgr, &config->controllers[i]);
    }
    cds_list_for_each_entry_safe (c, next, &mgr->controllers, node) {
        if (!c->seen) {
            controller_destroy(c);
        }
    }
    if (!mgr->configured || had_primaries != mgr->has_primaries || (!mgr->has_primaries && secure != mgr->was_secure)) {
        /* Who programs the bridge changed: its tables start afresh. */
        tables_flush(mgr->bridge, !mgr->has_primaries && !secure);
    }
    mgr->configured = true;
    mgr->was_secure = secure;
    check_fail_open(mgr);
}

void
ofconns_reconnect(struct ofconns *mgr)
{
    struct ofconn *conn, *next;

    cds_list_for_each_entry_safe (conn, next, &mgr->all, node) {
        struct controller *c = conn->controller;

        if (c && !c->is_mgmt) {
            if (c->conn == conn) {
                c->conn = NULL;
                c->backoff_s = 0;
                loop_timer_set(c->retry, 0);
            }
            ofconn_destroy(conn);
        }
    }
    ofconns_update_miss(mgr);
}

static const char *
role_text(enum of_role role)
{
    return role == OFPCR_MASTER ? "master" : role == OFPCR_SLAVE ? "slave" : "other";
}

void
ofconns_status(const struct ofconns *mgr, void (*fn)(const struct controller_status *, void *arg), void *arg)
{
    const struct controller *c;
    int64_t now = now_ms();

    cds_list_for_each_entry (c, &mgr->controllers, node) {
        const struct ofconn *conn = c->conn;
        struct controller_status s = {.target = c->target, .connected = is_connected(c), .last_error = c->last_error};

        if (c->is_mgmt) {
            continue;
        }
        s.role = s.connected ? role_text(conn ? conn->role : OFPCR_EQUAL) : NULL;
        s.state = c->passive ? "" : !conn ? "BACKOFF" : conn->state != OFCONN_ACTIVE ? "CONNECTING" : conn->probing ? "IDLE" : "ACTIVE";
        s.connected_s = c->connected_ms ? (now - c->connected_ms) / 1000 : -1;
        s.disconnected_s = c->disconnected_ms ? (now - c->disconnected_ms) / 1000 : -1;
        fn(&s, arg);
    }
}
