// SPDX-License-Identifier: Apache-2.0
// The client's own insides, shared by client.c (connection) and txn.c (transactions).
#ifndef LIB_OVSDB_CLIENT_H
#define LIB_OVSDB_CLIENT_H 1

#include "lib/base/jsonrpc.h"
#include "lib/ovsdb/ovsdb.h"

enum client_state {
    CLIENT_BACKOFF,    /* Waiting for the timer to connect again. */
    CLIENT_CONNECTING,
    CLIENT_SCHEMA,     /* Asked for the schema. */
    CLIENT_MONITOR,    /* Asked for the contents. */
    CLIENT_TRACKING,   /* The replica is true. */
};

struct ovsdb {
    struct loop *loop;
    char **remotes;
    size_t n_remotes, remote;   /* 'remote' is the one in use, or tried next. */
    char *database;
    const struct ovsdb_table_spec *specs;
    size_t n_specs;
    const struct ovsdb_ops *ops;
    void *arg;

    enum client_state state;
    struct jsonrpc *rpc;
    struct loop_timer *timer;   /* Back-off, then the inactivity probe. */
    int64_t backoff_ms, probe_ms, last_heard_ms;
    bool probing;
    int64_t next_id, pending_id; /* 'pending_id': the request that CLIENT_SCHEMA or CLIENT_MONITOR waits for. */
    bool plain_monitor;         /* The server lacks monitor_cond_since. */
    char last_txn_id[37];       /* "" or where the replica stands in the server's history. */

    char *lock;
    int64_t lock_id;
    bool has_lock, contended;

    json_t *schema;
    struct ovsdb_replica replica;
    bool ready;
    struct cds_list_head txns;  /* Of struct ovsdb_txn: sent, not answered. */
};

struct ovsdb_txn {
    struct cds_list_head node;
    struct ovsdb *db;
    json_t *updates;            /* Row's UUID to its "update" operation. */
    json_t *mutations;
    int64_t id;
    void (*done)(int, const char *, void *);
    void *arg;
};

int64_t client_request(struct ovsdb *, const char *method, json_t *params); /* Steals 'params'; the request's id. */
bool client_schema_has(const struct ovsdb *, const char *table, const char *column); /* Monitored by us or not. */
bool txn_reply(struct ovsdb *, const struct jsonrpc_msg *);                  /* true: it answered a transaction. */
void txns_abandon(struct ovsdb *);

#endif
