// SPDX-License-Identifier: Apache-2.0
// The way of a database update: any JSON as schema and updates, then every row through the desired structs. Input: lines; the first is the schema, each other one a
// set of updates of either form.
#include <config.h>
#include <stdlib.h>

#include "vswitchd/desired.h"
#include "vswitchd/tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
want_rows(const struct ovsdb_replica *r)
{
    const struct ovsdb_table *ports = replica_table(r, "Port");
    const struct ovsdb_table *bridges = replica_table(r, "Bridge"), *globals = replica_table(r, "Open_vSwitch");

    for (struct ovsdb_row *row = replica_next(globals, NULL); row; row = replica_next(globals, row)) {
        struct ofproto_config config;

        desired_global(row, &config);
    }
    for (struct ovsdb_row *row = replica_next(bridges, NULL); row; row = replica_next(bridges, row)) {
        struct desired_bridge d;

        if (row_string(row, "name")) {
            desired_bridge_init(&d, row, r);
            desired_bridge_destroy(&d);
        }
    }
    for (struct ovsdb_row *row = replica_next(ports, NULL); row; row = replica_next(ports, row)) {
        struct ovsdb_row *interface = row_next_owned(row, NULL);
        struct desired_port d;

        if (interface && row_string(interface, "name")) {
            free(desired_port_init(&d, row, interface, "br0"));
        }
    }
}

static json_t *
next_line(struct slice *rest)
{
    const uint8_t *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
    size_t n = end ? (size_t) (end - rest->data) : rest->len;
    json_t *value = json_loadb((const char *) rest->data, n, JSON_DECODE_ANY, NULL);

    slice_pull(rest, end ? n + 1 : n);
    return value;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice rest = slice_of(data, size);
    struct ovsdb_replica r = {0};
    json_t *schema = next_line(&rest);

    if (!replica_init(&r, schema, vswitch_tables, n_vswitch_tables)) {
        while (rest.len) {
            json_t *updates = next_line(&rest);

            if (replica_apply_updates2(&r, updates)) {
                replica_apply_updates(&r, updates);
            }
            json_decref(updates);
            want_rows(&r);
        }
        replica_destroy(&r);
    }
    json_decref(schema);
    return 0;
}
