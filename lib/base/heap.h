// SPDX-License-Identifier: Apache-2.0
// The least of many values that come, change and go: a binary heap whose elements know where they stand. For one thread.
#ifndef LIB_BASE_HEAP_H
#define LIB_BASE_HEAP_H 1

#include "lib/base/util.h"

/* Embedded in the element; all zeros is one that is in no heap. */
struct heap_node {
    uint64_t value;
    size_t place; /* From 1; 0: in no heap. */
};

/* All zeros is an empty one. */
struct heap {
    struct heap_node **nodes;
    size_t n, allocated;
};

void heap_destroy(struct heap *); /* The elements are the caller's. */
/* Puts the node in, or moves it, with that value. */
void heap_put(struct heap *, struct heap_node *, uint64_t value);
void heap_remove(struct heap *, struct heap_node *); /* Does nothing to one that is in no heap. */
/* The node with the least value; NULL: empty. */
static inline struct heap_node *
heap_least(const struct heap *h)
{
    return h->n ? h->nodes[0] : NULL;
}

#endif
