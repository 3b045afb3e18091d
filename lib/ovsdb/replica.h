// SPDX-License-Identifier: Apache-2.0
// A replica of the columns we monitor: tables of rows, kept true by update notifications. Unknown tables and columns are ignored; a malformed update is refused
// as a whole before anything changes in the row it concerns. Main thread.
#ifndef LIB_OVSDB_REPLICA_H
#define LIB_OVSDB_REPLICA_H 1

#include "lib/base/list.h"
#include "lib/ovsdb/datum.h"

struct ovsdb_table;

struct ovsdb_row {
    struct hnode node;
    struct ovsdb_table *table;
    char uuid[37];
    json_t *columns;     /* Object: column name to canonical datum (lib/ovsdb/datum.h). */
    uint64_t seq;        /* Grows whenever the row changes; unique over all rows. */
    bool seen;           /* Of the snapshot that is being read. */
};

struct ovsdb_column {
    char *name;
    bool once;           /* Only as it is when the row first comes: what we write ourselves. */
    struct ovsdb_type type;
};

struct ovsdb_table {
    char *name;
    struct ovsdb_column *columns;
    size_t n_columns;
    struct htable rows;
};

struct ovsdb_replica {
    struct ovsdb_table *tables;
    size_t n_tables;
    uint64_t seq;        /* The highest of all rows; also moves when a row goes. */
};

/* What to monitor: 'columns' ends with NULL, and so does 'once' (NULL: none), whose later changes are of no interest. */
struct ovsdb_table_spec {
    const char *name;
    const char *const *columns;
    const char *const *once;
};

/* Takes the columns of 'specs' that 'schema' (the result of get_schema) has. 0, or -EPROTO for a schema that is none. Drops all rows. */
int replica_init(struct ovsdb_replica *, const json_t *schema, const struct ovsdb_table_spec *, size_t n_specs);
void replica_destroy(struct ovsdb_replica *);

/* <table-updates2> of RFC 7047's successor methods, or <table-updates> of RFC 7047 section 4.1.6. 0 or -EPROTO. */
int replica_apply_updates2(struct ovsdb_replica *, const json_t *updates);
int replica_apply_updates(struct ovsdb_replica *, const json_t *updates);
/* Around a full snapshot: rows that it did not name are gone after it. */
void replica_snapshot_begin(struct ovsdb_replica *);
void replica_snapshot_end(struct ovsdb_replica *);

struct ovsdb_table *replica_table(const struct ovsdb_replica *, const char *name);
struct ovsdb_row *replica_row(const struct ovsdb_table *, const char *uuid); /* NULL: none; 'table' may be NULL. */
struct ovsdb_row *replica_next(const struct ovsdb_table *, const struct ovsdb_row *); /* NULL starts and ends; 'table' may be NULL. */

/* Reading. A column that is not there reads as empty. Strings are the row's. */
const json_t *row_datum(const struct ovsdb_row *, const char *column);
const char *row_string(const struct ovsdb_row *, const char *column);              /* NULL: empty. */
bool row_integer(const struct ovsdb_row *, const char *column, int64_t *);         /* false: empty. */
bool row_bool(const struct ovsdb_row *, const char *column, bool if_empty);
const char *row_map(const struct ovsdb_row *, const char *column, const char *key); /* NULL: not there. */
bool row_map_bool(const struct ovsdb_row *, const char *column, const char *key, bool if_none);
/* A number within [min, max], else 'if_none' (and, if the text is there but wrong, '*bad' is set when not NULL). */
int64_t row_map_integer(const struct ovsdb_row *, const char *column, const char *key, int64_t min, int64_t max, int64_t if_none, bool *bad);
size_t row_count(const struct ovsdb_row *, const char *column);
struct ovsdb_row *row_ref(const struct ovsdb_row *, const char *column, size_t i, const struct ovsdb_table *to); /* NULL: dangling. */

#endif
