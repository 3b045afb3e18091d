// SPDX-License-Identifier: Apache-2.0
// A name is in two places: in the list of its owner, and by its UUID in a table of the rows that are named. So an owner's name is added, dropped and followed in
// either direction without a look at the others.
#include <config.h>
#include "lib/ovsdb/owner.h"

#include <stdlib.h>

#include "lib/base/hash.h"

struct owner_name {
    struct hnode by_uuid;      /* In the named row's table, in 'owner_names'. */
    struct cds_list_head node; /* In owner->owned. */
    struct ovsdb_row *owner;
    char uuid[37];
    bool seen;                 /* By the owner_set() that is going on. */
};

/* A name of the row by 'owner', or with NULL by anybody; NULL: none. */
static struct owner_name *
name_find(const struct ovsdb_table *named, const char *uuid, const struct ovsdb_row *owner)
{
    for (struct hnode *n = htable_first_with_hash(&named->owner_names, hash_string(uuid, 0)); n; n = htable_next_with_hash(n)) {
        struct owner_name *name = CONTAINER_OF(n, struct owner_name, by_uuid);

        if (!strcmp(name->uuid, uuid) && (!owner || name->owner == owner)) {
            return name;
        }
    }
    return NULL;
}

static struct owner_name *
name_add(struct ovsdb_row *owner, const char *uuid)
{
    struct owner_name *name = xzalloc(sizeof *name);

    name->owner = owner;
    memcpy(name->uuid, uuid, sizeof name->uuid);
    htable_insert(&owner->table->owned->owner_names, &name->by_uuid, hash_string(uuid, 0));
    cds_list_add_tail(&name->node, &owner->owned);
    owner->n_owned++;
    return name;
}

static void
name_drop(struct owner_name *name)
{
    htable_remove(&name->owner->table->owned->owner_names, &name->by_uuid);
    cds_list_del(&name->node);
    name->owner->n_owned--;
    free(name);
}

static void
touch_both(struct ovsdb_replica *r, struct ovsdb_row *owner, const char *uuid)
{
    struct ovsdb_row *named = replica_row(owner->table->owned, uuid);

    if (named) {
        replica_touch(r, named);
    }
    replica_touch(r, owner);
}

/* The UUID at 'i', or NULL for what cannot be one. */
static const char *
uuid_at(const json_t *uuids, size_t i)
{
    const char *uuid = json_string_value(json_array_get(uuids, i));

    return uuid && uuid_is_valid(uuid) ? uuid : NULL;
}

void
owner_toggle(struct ovsdb_replica *r, struct ovsdb_row *owner, const json_t *uuids)
{
    for (size_t i = 0; i < json_array_size(uuids); i++) {
        const char *uuid = uuid_at(uuids, i);
        struct owner_name *name = uuid ? name_find(owner->table->owned, uuid, owner) : NULL;

        if (name) {
            name_drop(name);
        } else if (uuid) {
            name_add(owner, uuid);
        }
        if (uuid) {
            touch_both(r, owner, uuid);
        }
    }
}

void
owner_set(struct ovsdb_replica *r, struct ovsdb_row *owner, const json_t *uuids)
{
    struct owner_name *name, *next;

    cds_list_for_each_entry (name, &owner->owned, node) {
        name->seen = false;
    }
    for (size_t i = 0; i < json_array_size(uuids); i++) {
        const char *uuid = uuid_at(uuids, i);

        name = uuid ? name_find(owner->table->owned, uuid, owner) : NULL;
        if (uuid && !name) {
            name = name_add(owner, uuid);
            touch_both(r, owner, uuid);
        }
        if (name) {
            name->seen = true;
        }
    }
    cds_list_for_each_entry_safe (name, next, &owner->owned, node) {
        if (!name->seen) {
            touch_both(r, owner, name->uuid);
            name_drop(name);
        }
    }
}

void
owner_disown(struct ovsdb_row *owner)
{
    struct owner_name *name, *next;

    cds_list_for_each_entry_safe (name, next, &owner->owned, node) {
        name_drop(name);
    }
}

struct ovsdb_row *
row_owner(const struct ovsdb_row *row)
{
    const struct owner_name *name = name_find(row->table, row->uuid, NULL);

    return name ? name->owner : NULL;
}

struct ovsdb_row *
row_next_owned(const struct ovsdb_row *owner, const struct ovsdb_row *row)
{
    const struct owner_name *name = row ? name_find(owner->table->owned, row->uuid, owner) : NULL;
    const struct cds_list_head *at = row ? &name->node : &owner->owned;

    for (at = at->next; at != &owner->owned; at = at->next) {
        struct ovsdb_row *next = replica_row(owner->table->owned, caa_container_of(at, struct owner_name, node)->uuid);

        if (next) {
            return next;
        }
    }
    return NULL;
}
