// SPDX-License-Identifier: Apache-2.0
// The connection: connect, ask for the schema, ask for the contents, then follow updates. Any step that fails closes the connection, and the back-off timer
// starts over with the next remote.
#include <config.h>
#include "lib/ovsdb/client.h"

#include <stdlib.h>

#include "lib/base/counter.h"
#include "lib/base/log.h"

COUNTER(ovsdb_reconnect, "The connection to the database was lost or could not be made.");
COUNTER(ovsdb_bad_update, "The database server sent an update that could not be understood.");

#define OVSDB_PORT 6640              /* RFC 7047, section 8. */
#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS 8000
#define PROBE_DEFAULT_MS 5000
#define MAX_MESSAGE (256u << 20)     /* One update of the whole database may be this large in bytes. */
#define ECHO_ID "echo"
#define MONITOR_ID "sluice"

static void
client_notify_changed(struct ovsdb *db)
{
    db->ops->changed(db->arg);
}

int64_t
client_request(struct ovsdb *db, const char *method, json_t *params)
{
    int64_t id = db->next_id++;

    jsonrpc_request(db->rpc, method, params, json_integer(id));
    return id;
}

bool
client_schema_has(const struct ovsdb *db, const char *table, const char *column)
{
    const json_t *t = json_object_get(json_object_get(db->schema, "tables"), table);

    return json_object_get(json_object_get(t, "columns"), column) != NULL;
}

/* Drops the connection, if any, and arms the timer for the next try. */
static void
client_disconnect(struct ovsdb *db)
{
    bool was_tracking = db->state == CLIENT_TRACKING;

    COUNTER_INC(ovsdb_reconnect);
    if (db->rpc) {
        jsonrpc_close(db->rpc);
        db->rpc = NULL;
    }
    db->state = CLIENT_BACKOFF;
    db->has_lock = db->contended = db->probing = false;
    txns_abandon(db);
    db->backoff_ms = was_tracking ? BACKOFF_MIN_MS : MIN(MAX(2 * db->backoff_ms, BACKOFF_MIN_MS), BACKOFF_MAX_MS);
    db->remote = (db->remote + 1) % db->n_remotes;
    loop_timer_set(db->timer, db->backoff_ms);
    if (was_tracking) {
        client_notify_changed(db);
    }
}

static void
client_fail(struct ovsdb *db, const char *why)
{
    static struct log_limit limit = LOG_LIMIT(6, 6);

    log_warn_rl(LOG_ovsdb, &limit, "%s: %s", db->remotes[db->remote], why);
    client_disconnect(db);
}

static void
rpc_connected(struct jsonrpc *rpc, void *db_)
{
    struct ovsdb *db = db_;

    log_info(LOG_reconnect, "%s: connected", db->remotes[db->remote]);
    db->state = CLIENT_SCHEMA;
    db->last_heard_ms = now_ms();
    client_request(db, "set_db_change_aware", json_pack("[b]", 1)); /* ovsdb-server(7) 4.1.17; an older one refuses it, no harm. */
    db->pending_id = client_request(db, "get_schema", json_pack("[s]", db->database));
    if (db->lock) {
        db->lock_id = client_request(db, "lock", json_pack("[s]", db->lock));
    }
    if (db->probe_ms) {
        loop_timer_set(db->timer, db->probe_ms);
    }
}

static json_t *
monitor_requests(const struct ovsdb *db)
{
    json_t *requests = json_object();

    for (size_t i = 0; i < db->replica.n_tables; i++) {
        const struct ovsdb_table *t = &db->replica.tables[i];
        json_t *columns = json_array(), *once = json_array();
        json_t *request = json_pack("[{s:o}]", "columns", columns);

        for (size_t c = 0; c < t->n_columns; c++) {
            json_array_append_new(t->columns[c].once ? once : columns, json_string(t->columns[c].name));
        }
        if (json_array_size(once)) { /* RFC 7047, section 4.1.5. */
            json_array_append_new(request, json_pack("{s:O, s:{s:b, s:b, s:b, s:b}}", "columns", once, "select", "initial", 1, "insert", 0,
                                                     "delete", 0, "modify", 0));
        }
        json_decref(once);
        json_object_set_new(requests, t->name, request);
    }
    return requests;
}

static void
client_monitor(struct ovsdb *db)
{
    static const char zero_id[] = "00000000-0000-0000-0000-000000000000";
    json_t *params = json_pack("[s, s, o]", db->database, MONITOR_ID, monitor_requests(db));

    if (!db->plain_monitor) {
        json_array_append_new(params, json_string(db->last_txn_id[0] ? db->last_txn_id : zero_id));
    }
    db->state = CLIENT_MONITOR;
    db->pending_id = client_request(db, db->plain_monitor ? "monitor" : "monitor_cond_since", params);
}

/* A schema that changed under us makes the replica's columns void; the same one leaves what we know in place. */
static void
client_got_schema(struct ovsdb *db, json_t *schema)
{
    if (!db->schema || !json_equal(db->schema, schema)) {
        replica_destroy(&db->replica);
        db->last_txn_id[0] = '\0';
        if (replica_init(&db->replica, schema, db->specs, db->n_specs)) {
            client_fail(db, "the schema it sent is none");
            return;
        }
        json_decref(db->schema);
        db->schema = json_incref(schema);
    }
    client_monitor(db);
}

static void
remember_txn_id(struct ovsdb *db, const json_t *id)
{
    const char *text = json_string_value(id);

    if (text && uuid_is_valid(text)) {
        memcpy(db->last_txn_id, text, sizeof db->last_txn_id);
    }
}

/* The reply to monitor_cond_since: [found, last transaction, updates]; to monitor: updates. */
static void
client_got_contents(struct ovsdb *db, json_t *result)
{
    bool found = !db->plain_monitor && json_is_true(json_array_get(result, 0));
    json_t *updates = db->plain_monitor ? result : json_array_get(result, 2);
    int error;

    if (!found) {
        replica_snapshot_begin(&db->replica);
    }
    error = db->plain_monitor ? replica_apply_updates(&db->replica, updates) : replica_apply_updates2(&db->replica, updates);
    if (error) {
        COUNTER_INC(ovsdb_bad_update);
        db->last_txn_id[0] = '\0';
        client_fail(db, "the contents it sent could not be understood");
        return;
    }
    if (!found) {
        replica_snapshot_end(&db->replica);
    }
    if (!db->plain_monitor) {
        remember_txn_id(db, json_array_get(result, 1));
    }
    db->state = CLIENT_TRACKING;
    db->ready = true;
    db->backoff_ms = 0;
    client_notify_changed(db);
}

static void
client_got_update(struct ovsdb *db, const struct jsonrpc_msg *msg)
{
    bool since = !strcmp(msg->method, "update3");
    json_t *updates = json_array_get(msg->params, since ? 2 : 1);
    int error = since ? replica_apply_updates2(&db->replica, updates) : replica_apply_updates(&db->replica, updates);

    if (error || db->state != CLIENT_TRACKING) {
        COUNTER_INC(ovsdb_bad_update);
        db->last_txn_id[0] = '\0'; /* The next snapshot mends what this one may have half done. */
        client_fail(db, "an update it sent could not be understood");
        return;
    }
    if (since) {
        remember_txn_id(db, json_array_get(msg->params, 1));
    }
    client_notify_changed(db);
}

static void
client_got_lock(struct ovsdb *db, bool has)
{
    db->has_lock = has;
    db->contended = !has;
    client_notify_changed(db);
}

static void
client_got_notify(struct ovsdb *db, const struct jsonrpc_msg *msg)
{
    bool ours = db->lock && json_is_string(json_array_get(msg->params, 0))
                && !strcmp(json_string_value(json_array_get(msg->params, 0)), db->lock);

    if (!strcmp(msg->method, "update3") || !strcmp(msg->method, "update")) {
        client_got_update(db, msg);
    } else if (!strcmp(msg->method, "locked") && ours) {
        client_got_lock(db, true);
    } else if (!strcmp(msg->method, "stolen") && ours) {
        client_got_lock(db, false);
    } else if (!strcmp(msg->method, "monitor_canceled")) {
        client_fail(db, "the server cancelled our monitor");
    }
}

static void
client_got_reply(struct ovsdb *db, struct jsonrpc_msg *msg)
{
    int64_t id = json_is_integer(msg->id) ? json_integer_value(msg->id) : -1;
    bool failed = msg->type == JSONRPC_ERROR;

    if (id == db->lock_id && db->lock) {
        client_got_lock(db, !failed && json_is_true(json_object_get(msg->result, "locked")));
    } else if (id == db->pending_id && db->state == CLIENT_SCHEMA) {
        if (failed) {
            client_fail(db, "it has no database of the name we need");
        } else {
            client_got_schema(db, msg->result);
        }
    } else if (id == db->pending_id && db->state == CLIENT_MONITOR) {
        if (!failed) {
            client_got_contents(db, msg->result);
        } else if (!db->plain_monitor) {
            db->plain_monitor = true;
            client_monitor(db);
        } else {
            client_fail(db, "it refused to be monitored");
        }
    } else {
        txn_reply(db, msg);
    }
}

static void
rpc_received(struct jsonrpc *rpc, struct jsonrpc_msg *msg, void *db_)
{
    struct ovsdb *db = db_;

    db->last_heard_ms = now_ms();
    db->probing = false;
    switch (msg->type) {
    case JSONRPC_NOTIFY:
        client_got_notify(db, msg);
        break;
    case JSONRPC_REPLY:
    case JSONRPC_ERROR:
        client_got_reply(db, msg);
        break;
    case JSONRPC_REQUEST: /* Other than "echo", which is answered below us: servers send none. */
        jsonrpc_error(rpc, json_string("unknown method"), json_incref(msg->id));
        break;
    }
}

static void
rpc_closed(struct jsonrpc *rpc, int error, void *db_)
{
    struct ovsdb *db = db_;

    if (db->state == CLIENT_CONNECTING) {
        static struct log_limit limit = LOG_LIMIT(1, 2);

        log_info_rl(LOG_reconnect, &limit, "%s: connection attempt failed (%s)", db->remotes[db->remote], errno_text(error));
    } else {
        log_info(LOG_reconnect, "%s: connection closed by peer%s%s", db->remotes[db->remote], error ? ": " : "",
                 error ? errno_text(error) : "");
    }
    client_disconnect(db);
}

static const struct jsonrpc_ops rpc_ops = {rpc_connected, rpc_received, rpc_closed};
static const struct stream_ops no_ops;

static void
client_connect(struct ovsdb *db)
{
    struct stream *stream;
    char *why = NULL;
    int error;

    log_dbg(LOG_reconnect, "%s: connecting...", db->remotes[db->remote]);
    db->state = CLIENT_CONNECTING;
    error = stream_connect(db->loop, db->remotes[db->remote], OVSDB_PORT, &no_ops, NULL, &stream, &why);
    if (error) {
        client_fail(db, why ? why : errno_text(error));
        free(why);
        return;
    }
    db->rpc = jsonrpc_create(stream, MAX_MESSAGE, &rpc_ops, db);
}

/* Time to connect again, or to see whether the server is still there. */
static void
client_timer(void *db_)
{
    struct ovsdb *db = db_;
    int64_t idle;

    if (db->state == CLIENT_BACKOFF) {
        client_connect(db);
        return;
    }
    if (!db->probe_ms || !db->rpc) {
        return;
    }
    idle = now_ms() - db->last_heard_ms;
    if (idle >= db->probe_ms && db->probing) {
        client_fail(db, "no response to inactivity probe, disconnecting");
        return;
    }
    if (idle >= db->probe_ms) {
        db->probing = true;
        jsonrpc_request(db->rpc, "echo", json_array(), json_string(ECHO_ID));
        db->last_heard_ms = now_ms();
    }
    loop_timer_set(db->timer, MAX(db->probe_ms - (now_ms() - db->last_heard_ms), 1));
}

/* Splits "a,b,c" into db->remotes; false when there is none or one that is not active. */
static bool
parse_remotes(struct ovsdb *db, const char *remotes, char **error)
{
    char *copy = xstrdup(remotes), *save = NULL;
    size_t allocated = 0;
    bool ok = true;

    for (char *r = strtok_r(copy, ",", &save); r && ok; r = strtok_r(NULL, ",", &save)) {
        ok = stream_name_is_active(r);
        if (!ok) {
            *error = xasprintf("%s: not a remote to connect to (unix:, tcp: or ssl:)", r);
            break;
        }
        if (db->n_remotes >= allocated) {
            array_grow(&db->remotes, &allocated, sizeof *db->remotes);
        }
        db->remotes[db->n_remotes++] = xstrdup(r);
    }
    if (ok && !db->n_remotes) {
        *error = xstrdup("no database remote given");
        ok = false;
    }
    free(copy);
    return ok;
}

int
ovsdb_create(struct loop *loop, const char *remotes, const char *database, const struct ovsdb_table_spec *specs, size_t n_specs,
             const char *lock, const struct ovsdb_ops *ops, void *arg, struct ovsdb **dbp, char **error)
{
    struct ovsdb *db = xzalloc(sizeof *db);

    db->loop = loop;
    db->database = xstrdup(database);
    db->specs = specs;
    db->n_specs = n_specs;
    db->lock = lock ? xstrdup(lock) : NULL;
    db->ops = ops;
    db->arg = arg;
    db->probe_ms = PROBE_DEFAULT_MS;
    CDS_INIT_LIST_HEAD(&db->txns);
    if (!parse_remotes(db, remotes, error)) {
        ovsdb_destroy(db);
        return -EINVAL;
    }
    db->timer = loop_timer_add(loop, client_timer, db);
    loop_timer_set(db->timer, 0);
    *dbp = db;
    return 0;
}

void
ovsdb_destroy(struct ovsdb *db)
{
    if (!db) {
        return;
    }
    txns_abandon(db);
    if (db->rpc) {
        jsonrpc_close(db->rpc);
    }
    if (db->timer) {
        loop_timer_del(db->timer);
    }
    replica_destroy(&db->replica);
    json_decref(db->schema);
    for (size_t i = 0; i < db->n_remotes; i++) {
        free(db->remotes[i]);
    }
    free(db->remotes);
    free(db->database);
    free(db->lock);
    free(db);
}

const struct ovsdb_replica *
ovsdb_replica(const struct ovsdb *db)
{
    return &db->replica;
}

void
ovsdb_forget_gone(struct ovsdb *db)
{
    replica_forget_gone(&db->replica);
}

bool
ovsdb_ready(const struct ovsdb *db)
{
    return db->ready;
}

bool
ovsdb_connected(const struct ovsdb *db)
{
    return db->state == CLIENT_TRACKING;
}

bool
ovsdb_has_lock(const struct ovsdb *db)
{
    return !db->lock || db->has_lock;
}

bool
ovsdb_lock_contended(const struct ovsdb *db)
{
    return db->lock && db->contended;
}

void
ovsdb_set_probe_interval(struct ovsdb *db, int64_t ms)
{
    db->probe_ms = ms;
    if (db->rpc) {
        db->last_heard_ms = now_ms();
        loop_timer_set(db->timer, ms ? ms : 0);
    }
}
