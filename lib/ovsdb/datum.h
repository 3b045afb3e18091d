// SPDX-License-Identifier: Apache-2.0
// OVSDB values in one canonical form. RFC 7047 section 5.1 writes a set of one as a bare atom and a map as pairs; here a column that is not a map is always
// a JSON array of atoms, a map is always a JSON object keyed by the text of its keys, and a UUID is a JSON string.
#ifndef LIB_OVSDB_DATUM_H
#define LIB_OVSDB_DATUM_H 1

#include <jansson.h>
#include "lib/base/util.h"

/* What the schema says of a column, as far as a replica needs it (RFC 7047 section 3.2, <column-type>). */
struct ovsdb_type {
    bool is_map;
    bool single;      /* At most one element: a difference of it is its new value. */
};

/* Reads the "type" member of a column's schema; -EPROTO when it is none. */
int ovsdb_type_from_json(const json_t *type, struct ovsdb_type *);

/* The canonical form of wire value 'wire', a new reference; NULL when it is malformed. */
json_t *datum_from_wire(const json_t *wire, struct ovsdb_type);
json_t *datum_default(struct ovsdb_type); /* Empty. */
/* 'old' changed by the wire difference 'diff' of an "update2" notification (ovsdb-server(7), section 4.1.14): a new reference, or NULL when malformed. */
json_t *datum_apply_diff(const json_t *old, const json_t *diff, struct ovsdb_type);

/* Builders of wire values for transactions; new references. The array and object they are given are not stolen. */
json_t *wire_set(const json_t *atoms);            /* ["set", [...]]. */
json_t *wire_map(const json_t *object);           /* ["map", [[k, v], ...]]. */
json_t *wire_uuid(const char *uuid);              /* ["uuid", "..."]. */

bool uuid_is_valid(const char *s); /* 36 characters of the usual form. */

#endif
