// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/ovsdb/client.h"

#include <stdlib.h>

struct ovsdb_txn *
ovsdb_txn_create(struct ovsdb *db)
{
    struct ovsdb_txn *txn = xzalloc(sizeof *txn);

    txn->db = db;
    txn->updates = json_object();
    txn->mutations = json_array();
    return txn;
}

void
ovsdb_txn_update(struct ovsdb_txn *txn, const struct ovsdb_row *row, const char *column, json_t *wire)
{
    json_t *update = json_object_get(txn->updates, row->uuid);

    if (!client_schema_has(txn->db, row->table->name, column)) {
        json_decref(wire); /* An older schema: there is nowhere to write it. */
        return;
    }
    if (!update) {
        update = json_pack("{s:s, s:s, s:[[s, s, o]], s:{}}", "op", "update", "table", row->table->name, "where", "_uuid", "==",
                           wire_uuid(row->uuid), "row");
        json_object_set_new(txn->updates, row->uuid, update);
    }
    json_object_set_new(json_object_get(update, "row"), column, wire);
}

void
ovsdb_txn_mutate_map(struct ovsdb_txn *txn, const struct ovsdb_row *row, const char *column, json_t *wire)
{
    json_array_append_new(txn->mutations,
                          json_pack("{s:s, s:s, s:[[s, s, o]], s:[[s, s, o]]}", "op", "mutate", "table", row->table->name, "where",
                                    "_uuid", "==", wire_uuid(row->uuid), "mutations", column, "insert", wire));
}

bool
ovsdb_txn_is_empty(const struct ovsdb_txn *txn)
{
    return !json_object_size(txn->updates) && !json_array_size(txn->mutations);
}

void
ovsdb_txn_abort(struct ovsdb_txn *txn)
{
    json_decref(txn->updates);
    json_decref(txn->mutations);
    free(txn);
}

/* The parameters of "transact": the database, the assertion of our lock, the operations. */
static json_t *
txn_params(const struct ovsdb_txn *txn)
{
    json_t *params = json_pack("[s]", txn->db->database);
    const char *uuid;
    json_t *op;
    size_t i;

    if (txn->db->lock) {
        json_array_append_new(params, json_pack("{s:s, s:s}", "op", "assert", "lock", txn->db->lock));
    }
    json_object_foreach (txn->updates, uuid, op) {
        json_array_append(params, op);
    }
    json_array_foreach (txn->mutations, i, op) {
        json_array_append(params, op);
    }
    return params;
}

void
ovsdb_txn_commit(struct ovsdb_txn *txn, void (*done)(int error, const char *why, void *arg), void *arg)
{
    struct ovsdb *db = txn->db;

    if (!ovsdb_connected(db) || (db->lock && !db->has_lock)) {
        ovsdb_txn_abort(txn);
        if (done) {
            done(-EAGAIN, "no connection to the database, or not its lock", arg);
        }
        return;
    }
    txn->done = done;
    txn->arg = arg;
    txn->id = client_request(db, "transact", txn_params(txn));
    cds_list_add_tail(&txn->node, &db->txns);
}

static void
txn_finish(struct ovsdb_txn *txn, int error, const char *why)
{
    cds_list_del(&txn->node);
    if (txn->done) {
        txn->done(error, why, txn->arg);
    }
    ovsdb_txn_abort(txn);
}

/* The first operation's error among the results, or NULL. */
static const char *
first_error(const json_t *results)
{
    size_t i;
    json_t *result;

    json_array_foreach (results, i, result) {
        const char *error = json_string_value(json_object_get(result, "error"));
        const char *details = json_string_value(json_object_get(result, "details"));

        if (error) {
            return details ? details : error;
        }
    }
    return NULL;
}

bool
txn_reply(struct ovsdb *db, const struct jsonrpc_msg *msg)
{
    struct ovsdb_txn *txn;

    cds_list_for_each_entry (txn, &db->txns, node) {
        if (json_integer_value(msg->id) == txn->id) {
            const char *why = msg->type == JSONRPC_ERROR ? "the server refused the transaction" : first_error(msg->result);

            txn_finish(txn, why ? -EPROTO : 0, why);
            return true;
        }
    }
    return false;
}

void
txns_abandon(struct ovsdb *db)
{
    while (!cds_list_empty(&db->txns)) {
        txn_finish(cds_list_first_entry(&db->txns, struct ovsdb_txn, node), -EAGAIN, "the connection to the database was lost");
    }
}
