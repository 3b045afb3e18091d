// SPDX-License-Identifier: Apache-2.0
// Which row names which as its own. Inside lib/ovsdb: replica.c tells of what it reads. A row may be named before it comes and after it went, and by several.
#ifndef LIB_OVSDB_OWNER_H
#define LIB_OVSDB_OWNER_H 1

#include "lib/ovsdb/replica.h"

/* 'uuids' is an array of strings. A row that is named from now on, or is not any more, has changed, and so has who names it. */
void owner_toggle(struct ovsdb_replica *, struct ovsdb_row *owner, const json_t *uuids); /* Names those that it did not, and drops those that it did. */
void owner_set(struct ovsdb_replica *, struct ovsdb_row *owner, const json_t *uuids);    /* Names these and no others. */
void owner_disown(struct ovsdb_row *owner);                                              /* Names none; nothing changes by that. */

/* replica.c: the row changed. */
void replica_touch(struct ovsdb_replica *, struct ovsdb_row *);

#endif
