// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/ovsdb/replica.h"

#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/ovsdb/owner.h"

static void
table_add_columns(struct ovsdb_table *t, const json_t *schema_columns, const char *const *names, bool once)
{
    for (const char *const *c = names; c && *c; c++) {
        const json_t *column = json_object_get(schema_columns, *c);
        struct ovsdb_type type;

        if (!column || ovsdb_type_from_json(json_object_get(column, "type"), &type)) {
            continue; /* An older schema: the column reads as empty. */
        }
        t->columns = xrealloc(t->columns, (t->n_columns + 1) * sizeof *t->columns);
        t->columns[t->n_columns++] = (struct ovsdb_column){xstrdup(*c), once, type};
    }
}

static void
table_init(struct ovsdb_table *t, const json_t *schema_columns, const struct ovsdb_table_spec *spec)
{
    *t = (struct ovsdb_table){.name = xstrdup(spec->name)};
    htable_init(&t->rows);
    htable_init(&t->owner_names);
    CDS_INIT_LIST_HEAD(&t->by_seq);
    table_add_columns(t, schema_columns, spec->columns, false);
    table_add_columns(t, schema_columns, spec->once, true);
}

static const struct ovsdb_column *
table_column(const struct ovsdb_table *t, const char *name)
{
    for (size_t i = 0; i < t->n_columns; i++) {
        if (!strcmp(t->columns[i].name, name)) {
            return &t->columns[i];
        }
    }
    return NULL;
}

/* Once all tables are there. A column that the schema lacks owns nothing. */
static void
tables_tie(struct ovsdb_replica *r, const struct ovsdb_table_spec *specs, size_t n_specs)
{
    for (size_t i = 0; i < n_specs; i++) {
        struct ovsdb_table *t = replica_table(r, specs[i].name);

        if (t && specs[i].owns && table_column(t, specs[i].owns)) {
            t->owned = replica_table(r, specs[i].owned);
            t->owns = t->owned ? specs[i].owns : NULL;
        }
    }
}

int
replica_init(struct ovsdb_replica *r, const json_t *schema, const struct ovsdb_table_spec *specs, size_t n_specs)
{
    const json_t *tables = json_object_get(schema, "tables");

    if (!json_is_object(tables)) {
        return -EPROTO;
    }
    *r = (struct ovsdb_replica){.tables = xcalloc(n_specs, sizeof *r->tables), .seq = r->seq + 1, .began_seq = r->seq + 1};
    CDS_INIT_LIST_HEAD(&r->gone);
    for (size_t i = 0; i < n_specs; i++) {
        const json_t *columns = json_object_get(json_object_get(tables, specs[i].name), "columns");

        if (json_is_object(columns)) {
            table_init(&r->tables[r->n_tables++], columns, &specs[i]);
        }
    }
    tables_tie(r, specs, n_specs);
    return 0;
}

static void
row_free(struct ovsdb_row *row)
{
    cds_list_del(&row->by_seq);
    json_decref(row->columns);
    free(row);
}

static void
row_move_to(struct ovsdb_replica *r, struct ovsdb_row *row, struct cds_list_head *list)
{
    row->seq = ++r->seq;
    cds_list_del(&row->by_seq);
    cds_list_add_tail(&row->by_seq, list);
}

void
replica_touch(struct ovsdb_replica *r, struct ovsdb_row *row)
{
    row_move_to(r, row, &row->table->by_seq);
}

/* Out of its table: nobody finds it but who asks what went. */
static void
row_gone(struct ovsdb_replica *r, struct ovsdb_row *row)
{
    if (row->table->owns) {
        owner_set(r, row, NULL);
    }
    htable_remove(&row->table->rows, &row->node);
    row_move_to(r, row, &r->gone);
}

static struct ovsdb_row *
row_of(const struct cds_list_head *by_seq)
{
    return caa_container_of(by_seq, struct ovsdb_row, by_seq);
}

void
replica_forget_gone(struct ovsdb_replica *r)
{
    while (r->tables && !cds_list_empty(&r->gone)) {
        row_free(row_of(r->gone.next));
    }
}

void
replica_destroy(struct ovsdb_replica *r)
{
    replica_forget_gone(r);
    for (size_t i = 0; i < r->n_tables; i++) {
        for (struct ovsdb_row *row = replica_next(&r->tables[i], NULL), *next; row; row = next) {
            next = replica_next(&r->tables[i], row);
            owner_disown(row);
            htable_remove(&r->tables[i].rows, &row->node);
            row_free(row);
        }
    }
    for (size_t i = 0; i < r->n_tables; i++) {
        struct ovsdb_table *t = &r->tables[i];

        htable_destroy(&t->rows);
        htable_destroy(&t->owner_names);
        for (size_t c = 0; c < t->n_columns; c++) {
            free(t->columns[c].name);
        }
        free(t->columns);
        free(t->name);
    }
    free(r->tables);
    r->tables = NULL;
    r->n_tables = 0;
}

struct ovsdb_table *
replica_table(const struct ovsdb_replica *r, const char *name)
{
    for (size_t i = 0; i < r->n_tables; i++) {
        if (!strcmp(r->tables[i].name, name)) {
            return &r->tables[i];
        }
    }
    return NULL;
}

struct ovsdb_row *
replica_row(const struct ovsdb_table *t, const char *uuid)
{
    if (!t) {
        return NULL;
    }
    for (struct hnode *n = htable_first_with_hash(&t->rows, hash_string(uuid, 0)); n; n = htable_next_with_hash(n)) {
        struct ovsdb_row *row = CONTAINER_OF(n, struct ovsdb_row, node);

        if (!strcmp(row->uuid, uuid)) {
            return row;
        }
    }
    return NULL;
}

struct ovsdb_row *
replica_next(const struct ovsdb_table *t, const struct ovsdb_row *row)
{
    struct hnode *n = t ? htable_next(&t->rows, row ? &row->node : NULL) : NULL;

    return n ? CONTAINER_OF(n, struct ovsdb_row, node) : NULL;
}

/* Where the changes after 'since' begin in the list: before the first of them. */
static const struct cds_list_head *
changes_begin(const struct ovsdb_table *t, uint64_t since)
{
    const struct cds_list_head *at = &t->by_seq;

    while (at->prev != &t->by_seq && row_of(at->prev)->seq > since) {
        at = at->prev;
    }
    return at->prev;
}

struct ovsdb_row *
replica_next_changed(const struct ovsdb_table *t, const struct ovsdb_row *row, uint64_t since)
{
    const struct cds_list_head *next;

    if (!t) {
        return NULL;
    }
    next = row ? row->by_seq.next : changes_begin(t, since)->next;
    return next != &t->by_seq ? row_of(next) : NULL;
}

const struct ovsdb_row *
replica_next_gone(const struct ovsdb_replica *r, const struct ovsdb_row *row)
{
    const struct cds_list_head *next = row ? row->by_seq.next : r->tables ? r->gone.next : &r->gone;

    return next != &r->gone ? row_of(next) : NULL;
}

static struct ovsdb_row *
row_insert(struct ovsdb_table *t, const char *uuid)
{
    struct ovsdb_row *row = xzalloc(sizeof *row);

    row->table = t;
    CDS_INIT_LIST_HEAD(&row->owned);
    cds_list_add_tail(&row->by_seq, &t->by_seq);
    memcpy(row->uuid, uuid, sizeof row->uuid);
    row->columns = json_object();
    htable_insert(&t->rows, &row->node, hash_string(uuid, 0));
    return row;
}

/* The columns of wire row 'wire' in canonical form, starting from 'old' (or empty columns). NULL when malformed. */
static json_t *
columns_from_wire(const struct ovsdb_table *t, const json_t *old, json_t *wire, bool is_diff)
{
    json_t *columns = old ? json_copy((json_t *) old) : json_object();
    const char *name;
    json_t *value;

    json_object_foreach (wire, name, value) {
        const struct ovsdb_column *c = table_column(t, name);
        const json_t *had = old ? json_object_get(old, name) : NULL;
        json_t *empty = NULL, *datum;

        if (!c || (t->owns && !strcmp(name, t->owns))) {
            continue;
        }
        if (is_diff && !had) {
            had = empty = datum_default(c->type);
        }
        datum = is_diff ? datum_apply_diff(had, value, c->type) : datum_from_wire(value, c->type);
        json_decref(empty);
        if (!datum) {
            json_decref(columns);
            return NULL;
        }
        json_object_set_new(columns, name, datum);
    }
    return columns;
}

/* Gives the row the new columns (stolen); its sequence number moves if they differ. */
static void
row_take_columns(struct ovsdb_replica *r, struct ovsdb_row *row, json_t *columns)
{
    row->seen = true;
    if (row->seq && json_equal(row->columns, columns)) {
        json_decref(columns);
        return;
    }
    json_decref(row->columns);
    row->columns = columns;
    replica_touch(r, row);
}

/* What the wire row says of the names that it owns: 0, and '*names' an array or NULL for nothing, or -EPROTO. A whole row that leaves them out has none. */
static int
names_from_wire(const struct ovsdb_table *t, const json_t *wire, bool is_diff, json_t **names)
{
    const json_t *value = t->owns ? json_object_get(wire, t->owns) : NULL;

    *names = !t->owns ? NULL : value ? datum_from_wire(value, (struct ovsdb_type){.is_map = false}) : is_diff ? NULL : json_array();
    return value && !*names ? -EPROTO : 0;
}

static int
row_update(struct ovsdb_replica *r, struct ovsdb_table *t, const char *uuid, json_t *wire, bool is_diff)
{
    struct ovsdb_row *row = replica_row(t, uuid);
    json_t *columns, *names;

    if (!json_is_object(wire) || (is_diff && !row) || names_from_wire(t, wire, is_diff, &names)) {
        return -EPROTO;
    }
    columns = columns_from_wire(t, is_diff ? row->columns : NULL, wire, is_diff);
    if (!columns) {
        json_decref(names);
        return -EPROTO;
    }
    row = row ? row : row_insert(t, uuid);
    row_take_columns(r, row, columns);
    if (names && is_diff) {
        owner_toggle(r, row, names);
    } else if (names) {
        owner_set(r, row, names);
    }
    json_decref(names);
    return 0;
}

static void
row_delete(struct ovsdb_replica *r, struct ovsdb_table *t, const char *uuid)
{
    struct ovsdb_row *row = replica_row(t, uuid);

    if (row) {
        row_gone(r, row);
    }
}

static int
row_apply_update2(struct ovsdb_replica *r, struct ovsdb_table *t, const char *uuid, json_t *update)
{
    json_t *wire;

    if ((wire = json_object_get(update, "initial")) || (wire = json_object_get(update, "insert"))) {
        return row_update(r, t, uuid, wire, false);
    }
    if ((wire = json_object_get(update, "modify"))) {
        return row_update(r, t, uuid, wire, true);
    }
    if (json_object_get(update, "delete")) {
        row_delete(r, t, uuid);
        return 0;
    }
    return -EPROTO;
}

static int
row_apply_update(struct ovsdb_replica *r, struct ovsdb_table *t, const char *uuid, json_t *update)
{
    json_t *wire = json_object_get(update, "new");

    if (json_is_object(wire)) {
        return row_update(r, t, uuid, wire, false);
    }
    if (json_object_get(update, "old")) {
        row_delete(r, t, uuid);
        return 0;
    }
    return -EPROTO;
}

static int
replica_apply(struct ovsdb_replica *r, const json_t *updates,
              int (*apply)(struct ovsdb_replica *, struct ovsdb_table *, const char *uuid, json_t *))
{
    const char *name, *uuid;
    json_t *rows, *update;

    if (!json_is_object(updates)) {
        return -EPROTO;
    }
    json_object_foreach ((json_t *) updates, name, rows) {
        struct ovsdb_table *t = replica_table(r, name);

        if (!json_is_object(rows)) {
            return -EPROTO;
        }
        if (!t) {
            continue;
        }
        json_object_foreach (rows, uuid, update) {
            int error = uuid_is_valid(uuid) && json_is_object(update) ? apply(r, t, uuid, update) : -EPROTO;

            if (error) {
                return error;
            }
        }
    }
    return 0;
}

int
replica_apply_updates2(struct ovsdb_replica *r, const json_t *updates)
{
    return replica_apply(r, updates, row_apply_update2);
}

int
replica_apply_updates(struct ovsdb_replica *r, const json_t *updates)
{
    return replica_apply(r, updates, row_apply_update);
}

void
replica_snapshot_begin(struct ovsdb_replica *r)
{
    for (size_t i = 0; i < r->n_tables; i++) {
        for (struct ovsdb_row *row = replica_next(&r->tables[i], NULL); row; row = replica_next(&r->tables[i], row)) {
            row->seen = false;
        }
    }
}

void
replica_snapshot_end(struct ovsdb_replica *r)
{
    for (size_t i = 0; i < r->n_tables; i++) {
        for (struct ovsdb_row *row = replica_next(&r->tables[i], NULL), *next; row; row = next) {
            next = replica_next(&r->tables[i], row);
            if (!row->seen) {
                row_gone(r, row);
            }
        }
    }
}

const json_t *
row_datum(const struct ovsdb_row *row, const char *column)
{
    return json_object_get(row->columns, column);
}

const char *
row_string(const struct ovsdb_row *row, const char *column)
{
    return json_string_value(json_array_get(row_datum(row, column), 0));
}

bool
row_integer(const struct ovsdb_row *row, const char *column, int64_t *value)
{
    const json_t *atom = json_array_get(row_datum(row, column), 0);

    if (!json_is_integer(atom)) {
        return false;
    }
    *value = json_integer_value(atom);
    return true;
}

bool
row_bool(const struct ovsdb_row *row, const char *column, bool if_empty)
{
    const json_t *atom = json_array_get(row_datum(row, column), 0);

    return json_is_boolean(atom) ? json_is_true(atom) : if_empty;
}

const char *
row_map(const struct ovsdb_row *row, const char *column, const char *key)
{
    return json_string_value(json_object_get(row_datum(row, column), key));
}

bool
row_map_bool(const struct ovsdb_row *row, const char *column, const char *key, bool if_none)
{
    const char *text = row_map(row, column, key);

    if (!text) {
        return if_none;
    }
    return if_none ? strcasecmp(text, "false") != 0 : !strcasecmp(text, "true");
}

int64_t
row_map_integer(const struct ovsdb_row *row, const char *column, const char *key, int64_t min, int64_t max, int64_t if_none, bool *bad)
{
    const char *text = row_map(row, column, key);
    char *end;
    long long value;

    if (!text) {
        return if_none;
    }
    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max) {
        if (bad) {
            *bad = true;
        }
        return if_none;
    }
    return value;
}

size_t
row_count(const struct ovsdb_row *row, const char *column)
{
    return json_array_size(row_datum(row, column));
}

struct ovsdb_row *
row_ref(const struct ovsdb_row *row, const char *column, size_t i, const struct ovsdb_table *to)
{
    const char *uuid = json_string_value(json_array_get(row_datum(row, column), i));

    return uuid ? replica_row(to, uuid) : NULL;
}
