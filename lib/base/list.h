// SPDX-License-Identifier: Apache-2.0
// Doubly linked lists and hash tables for one thread: liburcu's list and hash shapes under our words, without RCU.
// For structures that readers of other threads walk, use liburcu's cds_lfht and rculist directly.
#ifndef LIB_BASE_LIST_H
#define LIB_BASE_LIST_H 1

#include <urcu/list.h>
#include "lib/base/util.h"

/* The list itself is liburcu's: struct cds_list_head, CDS_INIT_LIST_HEAD, cds_list_add_tail, cds_list_for_each_entry. */

/* A chained hash table of one thread. Embed 'struct hnode' in the element. */
struct hnode {
    struct hnode *next;
    uint32_t hash;
};

struct htable {
    struct hnode **buckets;
    struct hnode *one; /* The bucket of an empty table: no memory until the second element. */
    size_t mask;
    size_t n;
};

void htable_init(struct htable *);
void htable_destroy(struct htable *); /* The elements are the caller's. */
void htable_insert(struct htable *, struct hnode *, uint32_t hash);
void htable_remove(struct htable *, struct hnode *);
struct hnode *htable_first_with_hash(const struct htable *, uint32_t hash);
struct hnode *htable_next_with_hash(const struct hnode *);
void htable_prefetch(const struct htable *, uint32_t hash); /* Somebody is about to look for it, or insert it. */
/* Iteration in no order: NULL starts and ends it. Removing the node that was returned is allowed if the next was fetched before. */
struct hnode *htable_next(const struct htable *, const struct hnode *);

#endif
