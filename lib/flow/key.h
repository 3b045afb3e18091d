// SPDX-License-Identifier: Apache-2.0
// What a packet looks like: every field that a match can look at, in one flat value. A mask has the same shape: a one bit says "looked at".
//
// The order of the members is the order in which the classifier stages its lookups: metadata, L2, L3, L4. Fields of packets are in network
// byte order, metadata in host byte order, as lib/flow/field.def says for each. The struct has no padding: it is hashed and compared as words.
#ifndef LIB_FLOW_KEY_H
#define LIB_FLOW_KEY_H 1

#include <netinet/in.h>
#include "lib/base/util.h"
#include "lib/flow/key_layout.h"

static inline uint64_t *
flow_key_words(struct flow_key *k)
{
    return (uint64_t *) (void *) k;
}

static inline const uint64_t *
flow_key_cwords(const struct flow_key *k)
{
    return (const uint64_t *) (const void *) k;
}

static inline bool
eth_addr_is_multicast(struct eth_addr a)
{
    return a.b[0] & 1;
}

/* Made up by whoever uses it, not given by a maker of adapters: IEEE 802-2014, section 8.4. */
static inline bool
eth_addr_is_local(struct eth_addr a)
{
    return a.b[0] & 2;
}

struct eth_addr eth_addr_random(void); /* Unicast and local. */

static inline uint64_t
eth_addr_u64(struct eth_addr a)
{
    return (uint64_t) a.b[0] << 40 | (uint64_t) a.b[1] << 32 | (uint32_t) a.b[2] << 24 | a.b[3] << 16 | a.b[4] << 8 | a.b[5];
}

static inline struct eth_addr
eth_addr_from_u64(uint64_t x)
{
    return (struct eth_addr){{(uint8_t) (x >> 40), (uint8_t) (x >> 32), (uint8_t) (x >> 24), (uint8_t) (x >> 16), (uint8_t) (x >> 8), (uint8_t) x}};
}

static inline bool
eth_addr_equals(struct eth_addr a, struct eth_addr b)
{
    return !memcmp(&a, &b, sizeof a);
}

static inline bool
eth_addr_is_zero(struct eth_addr a)
{
    return !eth_addr_u64(a);
}
#define ETH_ADDR_FMT "%02x:%02x:%02x:%02x:%02x:%02x"
#define ETH_ADDR_ARGS(A) (A).b[0], (A).b[1], (A).b[2], (A).b[3], (A).b[4], (A).b[5]
bool eth_addr_parse(const char *s, struct eth_addr *); /* xx:xx:xx:xx:xx:xx, the whole of 's'. */

static inline bool
flow_key_is_ip(const struct flow_key *k)
{
    return k->eth_type == htons(0x0800) || k->eth_type == htons(0x86dd);
}

/* The key with all bits outside 'mask' cleared. */
void flow_key_and(struct flow_key *dst, const struct flow_key *key, const struct flow_key *mask);
void flow_key_or(struct flow_key *dst, const struct flow_key *src); /* Unites masks. */
bool flow_key_equal_in(const struct flow_key *a, const struct flow_key *b, const struct flow_key *mask);
uint32_t flow_key_hash(const struct flow_key *, uint32_t basis);

/* Sparse form for what is kept: a bitmap of the words present and the words. One malloc'd block, owned by who holds it. */
struct flow_sparse {
    uint64_t map;     /* Bit i: word i of struct flow_key is present. */
    uint64_t words[]; /* As many as 'map' has ones, lowest first. */
};

static inline unsigned
flow_sparse_n(const struct flow_sparse *s)
{
    return (unsigned) __builtin_popcountll(s->map);
}
static inline size_t
flow_sparse_size(const struct flow_sparse *s)
{
    return sizeof *s + 8 * flow_sparse_n(s);
}
struct flow_sparse *flow_sparse_from_key(const struct flow_key *); /* Words that are not zero. */
void flow_sparse_expand(const struct flow_sparse *, struct flow_key *);
bool flow_sparse_equal(const struct flow_sparse *, const struct flow_sparse *);
uint32_t flow_sparse_hash(const struct flow_sparse *, uint32_t basis);

#endif
