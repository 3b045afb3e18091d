// SPDX-License-Identifier: Apache-2.0
// A replica of the columns we monitor: tables of rows, kept true by update notifications. Unknown tables and columns are ignored; a malformed update is refused
// as a whole before anything changes in the row it concerns. Main thread.
//
// Who follows it pays for what changed alone: each table keeps its rows in the order of their last change, rows that went wait in a list until they are forgotten, and
// which row names which ("Bridge.ports", thousands of UUIDs, of which a transaction changes one) is kept by the UUID, not as a value that would be read as a whole.
#ifndef LIB_OVSDB_REPLICA_H
#define LIB_OVSDB_REPLICA_H 1

#include "lib/base/list.h"
#include "lib/ovsdb/datum.h"

struct ovsdb_table;

struct ovsdb_row {
    struct hnode node;
    struct cds_list_head by_seq; /* In its table's, or in the replica's 'gone'. */
    struct ovsdb_table *table;
    char uuid[37];
    json_t *columns;     /* Object: column name to canonical datum (lib/ovsdb/datum.h). */
    uint64_t seq;        /* Grows whenever the row changes, or who names it; unique over all rows. */
    bool seen;           /* Of the snapshot that is being read. */
    struct cds_list_head owned; /* The names of what it owns: struct owner_name. */
    size_t n_owned;
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
    struct cds_list_head by_seq; /* The rows, the one that changed last at the end. */
    const char *owns;            /* The column that names rows of 'owned'; NULL: none. */
    struct ovsdb_table *owned;
    struct htable owner_names;   /* Of rows of this table: struct owner_name. */
};

struct ovsdb_replica {
    struct ovsdb_table *tables;
    size_t n_tables;
    uint64_t seq;        /* The highest of all rows; also moves when a row goes. */
    uint64_t began_seq;  /* All rows are from after it: what was there before went without a word. */
    struct cds_list_head gone; /* Rows that went, until replica_forget_gone(). */
};

/* What to monitor: 'columns' ends with NULL, and so does 'once' (NULL: none), whose later changes are of no interest. 'owns' (NULL: none) is the one of 'columns' that
 * names rows of table 'owned'; it is read by row_owner() and row_next_owned() only. */
struct ovsdb_table_spec {
    const char *name;
    const char *const *columns;
    const char *const *once;
    const char *owns, *owned;
};

/* Takes the columns of 'specs' that 'schema' (the result of get_schema) has. 0, or -EPROTO for a schema that is none. There are no rows then: a replica that had
 * some is destroyed before; its 'seq' goes on. */
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
/* Rows with a 'seq' above 'since' by the order of their changes; NULL starts and ends; 'table' may be NULL. */
struct ovsdb_row *replica_next_changed(const struct ovsdb_table *, const struct ovsdb_row *, uint64_t since);
/* Rows that went, as they were; NULL starts and ends. */
const struct ovsdb_row *replica_next_gone(const struct ovsdb_replica *, const struct ovsdb_row *);
void replica_forget_gone(struct ovsdb_replica *);

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
struct ovsdb_row *row_owner(const struct ovsdb_row *); /* Who names it as its own; NULL: nobody. */
struct ovsdb_row *row_next_owned(const struct ovsdb_row *owner, const struct ovsdb_row *); /* NULL starts and ends. Skips what dangles. */

#endif
