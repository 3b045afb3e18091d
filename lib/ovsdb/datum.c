// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/ovsdb/datum.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

bool
uuid_is_valid(const char *s)
{
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? s[i] != '-' : !isxdigit((unsigned char) s[i])) {
            return false;
        }
    }
    return !s[36];
}

int
ovsdb_type_from_json(const json_t *type, struct ovsdb_type *out)
{
    if (json_is_string(type)) {
        *out = (struct ovsdb_type){.is_map = false, .single = true};
        return 0;
    }
    if (!json_is_object(type) || !json_object_get(type, "key")) {
        return -EPROTO;
    }
    const json_t *max = json_object_get(type, "max");
    bool is_map = json_object_get(type, "value") != NULL;

    *out = (struct ovsdb_type){.is_map = is_map, .single = !is_map && (!max || json_integer_value(max) == 1)};
    return 0;
}

/* "tag" of a two-element array ["tag", x], or NULL. */
static const char *
tag_of(const json_t *wire)
{
    return json_is_array(wire) && json_array_size(wire) == 2 ? json_string_value(json_array_get(wire, 0)) : NULL;
}

static json_t *
atom_from_wire(const json_t *wire)
{
    const char *tag = tag_of(wire);

    if (tag) {
        const char *text = json_string_value(json_array_get(wire, 1));
        bool is_uuid = !strcmp(tag, "uuid") && text && uuid_is_valid(text);

        return is_uuid ? json_string(text) : NULL;
    }
    if (json_is_array(wire) || json_is_object(wire) || json_is_null(wire) || !wire) {
        return NULL;
    }
    return json_incref((json_t *) wire); /* Nobody changes an atom. */
}

/* The text by which a map's key is looked up. False when the atom cannot be a key. */
static bool
key_text(const json_t *atom, char *buffer, size_t size, const char **text)
{
    if (json_is_string(atom)) {
        *text = json_string_value(atom);
        return true;
    }
    if (json_is_integer(atom)) {
        snprintf(buffer, size, "%" JSON_INTEGER_FORMAT, json_integer_value(atom));
        *text = buffer;
        return true;
    }
    return false;
}

static bool
map_add_pair(json_t *map, const json_t *pair)
{
    char buffer[32];
    const char *text;
    json_t *key = json_array_size(pair) == 2 ? atom_from_wire(json_array_get(pair, 0)) : NULL;
    json_t *value = key ? atom_from_wire(json_array_get(pair, 1)) : NULL;
    bool ok = key && value && key_text(key, buffer, sizeof buffer, &text);

    if (ok) {
        json_object_set(map, text, value);
    }
    json_decref(key);
    json_decref(value);
    return ok;
}

static json_t *
map_from_wire(const json_t *wire)
{
    const char *tag = tag_of(wire);
    const json_t *pairs = tag && !strcmp(tag, "map") ? json_array_get(wire, 1) : NULL;
    json_t *map;
    size_t i;
    json_t *pair;

    if (!json_is_array(pairs)) {
        return NULL;
    }
    map = json_object();
    json_array_foreach (pairs, i, pair) {
        if (!map_add_pair(map, pair)) {
            json_decref(map);
            return NULL;
        }
    }
    return map;
}

json_t *
datum_from_wire(const json_t *wire, struct ovsdb_type type)
{
    const char *tag = tag_of(wire);
    const json_t *atoms = tag && !strcmp(tag, "set") ? json_array_get(wire, 1) : NULL;
    json_t *array;
    size_t i;
    json_t *element;

    if (type.is_map) {
        return map_from_wire(wire);
    }
    if (tag && !strcmp(tag, "set") && !json_is_array(atoms)) {
        return NULL;
    }
    array = json_array();
    if (!atoms) {
        json_t *atom = atom_from_wire(wire);

        if (!atom || json_array_append_new(array, atom)) {
            json_decref(array);
            return NULL;
        }
        return array;
    }
    json_array_foreach (atoms, i, element) {
        json_t *atom = atom_from_wire(element);

        if (!atom || json_array_append_new(array, atom)) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

json_t *
datum_default(struct ovsdb_type type)
{
    return type.is_map ? json_object() : json_array();
}

static json_t *
map_apply_diff(const json_t *old, json_t *diff)
{
    json_t *map = json_copy((json_t *) old);
    const char *key;
    json_t *value;

    json_object_foreach (diff, key, value) {
        json_t *had = json_object_get(map, key);

        if (had && json_equal(had, value)) {
            json_object_del(map, key);
        } else {
            json_object_set(map, key, value);
        }
    }
    return map;
}

/* What names an atom in an index; '*owned' is the caller's to free. */
static const char *
atom_text(const json_t *atom, char **owned)
{
    *owned = json_is_string(atom) ? NULL : json_dumps(atom, JSON_ENCODE_ANY);
    return *owned ? *owned : json_string_value(atom);
}

/* Appends to 'set' what of 'atoms' is in 'index', or is not; what is in it goes from there. */
static void
append_by_index(json_t *set, const json_t *atoms, json_t *index, bool if_there)
{
    size_t i;
    json_t *atom;

    json_array_foreach (atoms, i, atom) {
        char *owned;

        if ((json_object_del(index, atom_text(atom, &owned)) == 0) == if_there) {
            json_array_append(set, atom);
        }
        free(owned);
    }
}

/* Elements of one of both, not of both. An index of the diff keeps this linear for sets of thousands of ports. */
static json_t *
set_apply_diff(const json_t *old, const json_t *diff)
{
    json_t *index = json_object();
    json_t *set = json_array();
    size_t i;
    json_t *atom;

    json_array_foreach (diff, i, atom) {
        char *owned;

        json_object_set(index, atom_text(atom, &owned), atom);
        free(owned);
    }
    append_by_index(set, old, index, false);
    append_by_index(set, diff, index, true);
    json_decref(index);
    return set;
}

json_t *
datum_apply_diff(const json_t *old, const json_t *diff, struct ovsdb_type type)
{
    json_t *canonical = datum_from_wire(diff, type);
    json_t *result;

    if (!canonical || type.single) {
        return canonical;
    }
    result = type.is_map ? map_apply_diff(old, canonical) : set_apply_diff(old, canonical);
    json_decref(canonical);
    return result;
}

json_t *
wire_set(const json_t *atoms)
{
    return json_pack("[s, O]", "set", atoms);
}

json_t *
wire_map(const json_t *object)
{
    json_t *pairs = json_array();
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *) object, key, value) {
        json_array_append_new(pairs, json_pack("[s, O]", key, value));
    }
    return json_pack("[s, o]", "map", pairs);
}

json_t *
wire_uuid(const char *uuid)
{
    return json_pack("[s, s]", "uuid", uuid);
}
