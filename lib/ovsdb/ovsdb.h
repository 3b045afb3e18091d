// SPDX-License-Identifier: Apache-2.0
// The OVSDB client: one connection to ovsdb-server, a replica of what we monitor, a lock, transactions. RFC 7047; "monitor_cond_since" where the server has
// it (ovsdb-server(7) section 4.1.15), else "monitor". A lost connection leaves the replica as it was; a new one brings it up to date by difference where
// the server can, so that what runs from it is not disturbed. Main thread.
#ifndef LIB_OVSDB_OVSDB_H
#define LIB_OVSDB_OVSDB_H 1

#include "lib/base/loop.h"
#include "lib/ovsdb/replica.h"

struct ovsdb;
struct ovsdb_txn;

struct ovsdb_ops {
    void (*changed)(void *arg); /* The replica changed, or the lock came or went, or the connection did: look again. */
};

/* 'remotes': one remote, or several divided by commas, tried in turn. 'lock' NULL: none. 0, or -EINVAL and '*error' (the caller frees). The specs and
 * their texts must outlive the client. */
int ovsdb_create(struct loop *, const char *remotes, const char *database, const struct ovsdb_table_spec *, size_t n_specs,
                 const char *lock, const struct ovsdb_ops *, void *arg, struct ovsdb **, char **error);
void ovsdb_destroy(struct ovsdb *);
const struct ovsdb_replica *ovsdb_replica(const struct ovsdb *);
void ovsdb_forget_gone(struct ovsdb *);     /* replica_forget_gone(): who is told of changes calls it each time, or memory grows. */
bool ovsdb_ready(const struct ovsdb *);     /* The replica has been complete at least once. */
bool ovsdb_connected(const struct ovsdb *); /* And is true now. */
bool ovsdb_has_lock(const struct ovsdb *);
bool ovsdb_lock_contended(const struct ovsdb *); /* Somebody else has it. */
void ovsdb_set_probe_interval(struct ovsdb *, int64_t ms); /* Echo requests on an idle connection; 0: none. */

/* A transaction is built, then committed; it asserts our lock. Columns take wire values (lib/ovsdb/datum.h), whose references are stolen. */
struct ovsdb_txn *ovsdb_txn_create(struct ovsdb *);
void ovsdb_txn_update(struct ovsdb_txn *, const struct ovsdb_row *, const char *column, json_t *wire);
void ovsdb_txn_mutate_map(struct ovsdb_txn *, const struct ovsdb_row *, const char *column, json_t *wire_map_to_insert);
bool ovsdb_txn_is_empty(const struct ovsdb_txn *);
/* Sends it and releases it. done() (may be NULL) gets 0, -EAGAIN (connection or lock lost: nothing is known to have happened), or -EPROTO with the
 * server's words. Without a connection or the lock done(-EAGAIN) comes at once. */
void ovsdb_txn_commit(struct ovsdb_txn *, void (*done)(int error, const char *why, void *arg), void *arg);
void ovsdb_txn_abort(struct ovsdb_txn *);

#endif
