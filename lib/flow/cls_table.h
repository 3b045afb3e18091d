// SPDX-License-Identifier: Apache-2.0
// The hash tables inside a subtable of a classifier: rules by the hash of their match, and the set of hashes that a stage of a lookup asks.
//
// Both are open-addressed arrays that one writer changes under the eyes of readers in RCU read sections: entries never move inside an array; an array
// that is full is replaced by another one and released after a grace period.
#ifndef LIB_FLOW_CLS_TABLE_H
#define LIB_FLOW_CLS_TABLE_H 1

#include "lib/flow/classifier.h"

/* All zeros is an empty table. An entry is the head of a chain of rules with one match, linked by cls_rule.next. */
struct cls_slots;
struct cls_table {
    struct cls_slots *slots; /* RCU. */
    uint32_t n, n_filled;    /* Heads; slots that are not empty any more. */
};

/* The memory that a find or an insert of that hash will want is asked for. */
void cls_table_prefetch(const struct cls_table *, uint32_t hash);
void cls_table_insert(struct cls_table *, struct cls_rule *head); /* No head of the same match may be there. */
void cls_table_replace(struct cls_table *, struct cls_rule *was, struct cls_rule *is);
void cls_table_remove(struct cls_table *, struct cls_rule *head);
void cls_table_destroy(struct cls_table *); /* Readers may be there until a grace period; '*t' is left as it is for them. */
/* RCU read section. The head whose match has this hash and these 'n' key words. */
struct cls_rule *cls_table_find(const struct cls_table *, uint32_t hash, const uint64_t *words, unsigned n);
/* The heads, in no order: '*cursor' starts at 0. NULL ends. Heads may be removed on the way, if it goes on with the same 'slots'. */
const struct cls_slots *cls_table_slots(const struct cls_table *);
struct cls_rule *cls_slots_next(const struct cls_slots *, uint32_t *cursor);

/* A set of counted hashes. All zeros is an empty set. */
struct cls_hashes;
struct cls_hash_set {
    struct cls_hashes *hashes; /* RCU. */
    uint32_t n_filled;
};
void cls_hash_set_prefetch(const struct cls_hash_set *, uint32_t hash); /* As cls_table_prefetch(). */
void cls_hash_set_add(struct cls_hash_set *, uint32_t hash);
void cls_hash_set_remove(struct cls_hash_set *, uint32_t hash);
bool cls_hash_set_has(const struct cls_hash_set *, uint32_t hash); /* RCU read section. */
void cls_hash_set_destroy(struct cls_hash_set *); /* As cls_table_destroy(). */

/* How many rules of each priority: for the highest one that is left when the highest has gone. Main thread. All zeros is empty. */
struct cls_priorities {
    struct cls_priority_group *groups; /* Sorted by descending number. */
    uint32_t n, allocated;
};
void cls_priorities_prefetch(const struct cls_priorities *, int32_t priority); /* As cls_table_prefetch(). */
void cls_priorities_add(struct cls_priorities *, int32_t priority);
void cls_priorities_remove(struct cls_priorities *, int32_t priority);
int32_t cls_priorities_max(const struct cls_priorities *); /* Must not be empty. */
void cls_priorities_destroy(struct cls_priorities *);

#endif
