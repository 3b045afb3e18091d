// SPDX-License-Identifier: Apache-2.0
// A set of bit prefixes, each counted: which lengths of prefixes does a value match, and how many of its bits tell so?
//
// Tries of one classifier share a pool of nodes of 16 bytes, named by index. One writer (the main thread), any number of readers in RCU read
// sections: a node's prefix never changes once it is published; a changed node is a new one, and the old one returns to the pool after a grace
// period.
//
// To enter a prefix is to wait for memory once a node: four microseconds in a trie of a million. So prefixes that come are noted in a log, which lookups
// read beside the trie: trie_catch_up() enters them when there is time, and whoever needs them in place does so before.
#ifndef LIB_FLOW_TRIE_H
#define LIB_FLOW_TRIE_H 1

#include "lib/base/util.h"

#define TRIE_MAX_BITS 128

struct trie_pool;
struct trie {
    uint32_t root; /* RCU: a node, 0 when empty. */
};

/* Prefixes and values: words in host order, the first bit is the highest of the first word. */
struct trie_value {
    uint32_t w[TRIE_MAX_BITS / 32];
};

struct trie_pool *trie_pool_create(void);
void trie_pool_destroy(struct trie_pool *); /* Readers and tries must be gone. */

void trie_insert(struct trie_pool *, struct trie *, const struct trie_value *, unsigned n_bits); /* 1 <= n_bits <= 128. */
void trie_remove(struct trie_pool *, struct trie *, const struct trie_value *, unsigned n_bits); /* Must have been inserted. */
void trie_clear(struct trie_pool *, struct trie *);
bool trie_is_behind(const struct trie_pool *); /* There is something to catch up with. */
void trie_catch_up(struct trie_pool *);

/* RCU read section. How many bits of 'value' (of 'n_bits') had to be looked at; bit n - 1 of plens[(n - 1) / 64] is set when a prefix of n bits is
 * in the set and matches. 'plens' is or-ed into. */
unsigned trie_lookup(const struct trie_pool *, const struct trie *, const struct trie_value *, unsigned n_bits, uint64_t plens[2]);

#endif
