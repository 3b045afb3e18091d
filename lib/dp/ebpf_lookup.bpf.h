// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// From a packet's key to its flow: that which a packet of the same hash had last, if it is one for this packet too; else tuple by tuple in the daemon's order.
// A flow is taken only after its masked words have been compared with the packet's.
//
// Functions that are not static the verifier looks at once, not for all that their callers know: before Linux 6.3 the programs would be too long for it.
// (They cannot be given the packet: for that the kernel would have to have BTF of its own types.)
#ifndef LIB_DP_EBPF_LOOKUP_BPF_H
#define LIB_DP_EBPF_LOOKUP_BPF_H 1

/* The port that the device is, whose number goes into the key; mostly it is as before. NULL: none. */
static __always_inline const struct ebpf_port_value *
find_port(struct scratch *s, uint32_t ifindex)
{
    uint16_t *last = &s->last_ports[ifindex & ((1 << SCRATCH_PORT_BITS) - 1)];
    uint32_t number = *last;
    const struct ebpf_port_value *port = bpf_map_lookup_elem(&ports, &number);
    const uint32_t *found;

    s->key.in_port = number;
    if (port && port->ifindex == ifindex) {
        return port;
    }
    found = bpf_map_lookup_elem(&ifindexes, &ifindex);
    if (!found) {
        return NULL;
    }
    number = *found;
    *last = (uint16_t) number;
    s->key.in_port = number;
    return bpf_map_lookup_elem(&ports, &number);
}

static __always_inline uint64_t
key_hash(const struct scratch *s, const struct ebpf_config *config)
{
    const uint64_t *w = (const uint64_t *) &s->key;
    uint64_t sum = 0;

    for (unsigned i = 0; i < EBPF_META_WORDS; i++) {
        sum = ebpf_digest_word(sum, w[EBPF_META_FIRST + i], config->secrets[i]);
    }
    for (unsigned i = 0; i < EBPF_LAYER_WORDS; i++) {
        sum = ebpf_digest_word(sum, w[EBPF_LAYER_FIRST + i], config->secrets[EBPF_META_WORDS + i]);
    }
    return ebpf_digest_end(sum);
}

/* Of the words from the first that a slot has no room for. */
static __always_inline bool
matches_behind(const struct scratch *s, const struct ebpf_mask *m, uint32_t slot)
{
    const struct ebpf_flow_value *behind = bpf_map_lookup_elem(&flows, &slot);
    const uint64_t *w = (const uint64_t *) &s->key;

    for (unsigned i = EBPF_FLOW_WORDS; behind && i < EBPF_KEY_WORDS && i < m->n; i++) {
        uint32_t at = m->at[i];

        if (at >= FLOW_KEY_WORDS || (w[at] & m->words[i]) != behind->words[i - EBPF_FLOW_WORDS]) {
            return false;
        }
    }
    return behind;
}

static __always_inline bool
matches(const struct scratch *s, const struct ebpf_mask *m, const struct ebpf_flow_value *flow, uint32_t slot)
{
    const uint64_t *w = (const uint64_t *) &s->key;

    for (unsigned i = 0; i < EBPF_FLOW_WORDS && i < m->n; i++) {
        uint32_t at = m->at[i];

        if (at >= FLOW_KEY_WORDS || (w[at] & m->words[i]) != flow->words[i]) {
            return false;
        }
    }
    return m->n <= EBPF_FLOW_WORDS || matches_behind(s, m, slot + 1);
}

static __always_inline uint64_t
masked_digest(const struct scratch *s, const struct ebpf_config *config, const struct ebpf_mask *m, uint32_t id)
{
    const uint64_t *w = (const uint64_t *) &s->key;
    uint64_t sum = ebpf_digest_word(0, id, config->secrets[EBPF_KEY_WORDS]);

    for (unsigned i = 0; i < EBPF_KEY_WORDS && i < m->n; i++) {
        uint32_t at = m->at[i];

        if (at < FLOW_KEY_WORDS) {
            sum = ebpf_digest_word(sum, w[at] & m->words[i], config->secrets[i]);
        }
    }
    return ebpf_digest_end(sum);
}

/* The packet's flow in the tuple 'id': slot plus one, or 0. */
__noinline uint32_t
find_in(struct scratch *s, uint32_t id)
{
    const struct ebpf_mask *m = bpf_map_lookup_elem(&masks, &id);
    const struct ebpf_flow_value *flow = NULL;
    uint32_t zero = 0, number, group, next;
    const struct ebpf_config *config = bpf_map_lookup_elem(&config_map, &zero);
    const struct ebpf_heads *h;
    uint64_t digest;

    if (!s || !m || !config) {
        return 0;
    }
    digest = masked_digest(s, config, m, id);
    number = (uint32_t) digest & (config->n_heads - 1);
    group = number / EBPF_HEADS;
    h = bpf_map_lookup_elem(&heads, &group);
    if (!h) {
        return 0;
    }
    next = h->first[number % EBPF_HEADS];
    for (unsigned i = 0; i < EBPF_MAX_CHAIN && next; i++) {
        uint32_t slot = next - 1;

        flow = bpf_map_lookup_elem(&flows, &slot);
        if (!flow) {
            return 0;
        }
        if (flow->digest == (uint32_t) (digest >> 32) && flow->mask == id) {
            break;
        }
        next = flow->next;
    }
    return next && flow && matches(s, m, flow, next - 1) ? next : 0;
}

struct search {
    struct scratch *s;
    const struct ebpf_config *config;
    uint32_t active; /* Order of masks. */
    uint32_t mask;
    uint32_t found;  /* Slot plus one. */
};

static long
try_mask(uint32_t i, struct search *x)
{
    x->mask = x->config->order[x->active & 1][i & (EBPF_MAX_MASKS - 1)];
    x->found = find_in(x->s, x->mask);
    return x->found != 0;
}

/* Slot plus one, or 0. */
static __always_inline uint32_t
find_in_tuples(struct scratch *s, const struct ebpf_config *config)
{
    struct search x = {.s = s, .config = config, .active = config->active};
    uint64_t *hits;

    count(EBPF_MASK_LOOKUPS, bpf_loop(config->n_masks[x.active & 1] & (2 * EBPF_MAX_MASKS - 1), try_mask, &x, 0));
    hits = x.found ? bpf_map_lookup_elem(&mask_hits, &x.mask) : NULL;
    if (hits) {
        ++*hits;
    }
    return x.found;
}

/* The flow that the way names, if it lives and is the packet's: slot plus one, or 0. */
static __always_inline uint32_t
find_by_way(const struct scratch *s, uint64_t way)
{
    uint32_t slot = way & ((1u << EBPF_SLOT_BITS) - 1), mask;
    const struct ebpf_flow_value *flow = bpf_map_lookup_elem(&flows, &slot);
    const struct ebpf_mask *m;

    if (!flow || !way || flow->life != way >> 32) {
        return 0;
    }
    mask = flow->mask;
    m = bpf_map_lookup_elem(&masks, &mask);
    return m && matches(s, m, flow, slot) ? slot + 1 : 0;
}

/* Which of the ways has the tag, reckoned without a branch; 'otherwise' if none has. */
static __always_inline uint32_t
way_with(const uint64_t *ways, uint32_t tag, uint32_t otherwise)
{
    uint32_t at = otherwise;

    for (uint32_t i = 0; i < EBPF_CACHE_WAYS; i++) {
        uint32_t differs = ((uint32_t) ways[i] ^ tag) >> EBPF_SLOT_BITS; /* Less than 2^31. */

        at ^= (at ^ i) & -((differs - 1) >> 31);
    }
    return at & (EBPF_CACHE_WAYS - 1);
}

/* The flow of the packet whose key is in 's': slot plus one, or 0. */
__noinline uint32_t
find_flow(struct scratch *s)
{
    uint32_t zero = 0, cpu = bpf_get_smp_processor_id(), tag, found, slot;
    const struct ebpf_config *config = bpf_map_lookup_elem(&config_map, &zero);
    struct ebpf_cache *cache = bpf_map_lookup_elem(&caches, &cpu);
    const struct ebpf_flow_value *flow;
    uint64_t *ways, *way, hash;

    if (!s || !config || !cache) {
        return 0;
    }
    hash = key_hash(s, config);
    tag = (uint32_t) (hash >> (64 - EBPF_TAG_BITS)) << EBPF_SLOT_BITS;
    asm volatile("" : "+r"(hash)); /* The mask has to come last for the verifier of Linux 6.1. */
    ways = cache->ways[hash & (EBPF_CACHE_SETS - 1)];
    way = &ways[way_with(ways, tag, s->turn++)];
    found = find_by_way(s, *way);
    if (found) {
        return found;
    }
    found = find_in_tuples(s, config);
    slot = found - 1;
    flow = found ? bpf_map_lookup_elem(&flows, &slot) : NULL;
    if (flow && flow->life & 1) {
        *way = (uint64_t) flow->life << 32 | tag | slot;
    }
    return found;
}

/* The coarse clock goes by ticks, which are cheaper to ask for. */
static __always_inline uint64_t
now_ns(struct scratch *s)
{
    uint64_t ticks = bpf_jiffies64();

    if (ticks != s->ticks) {
        s->ticks = ticks;
        s->now_ns = bpf_ktime_get_coarse_ns();
    }
    return s->now_ns;
}

static __always_inline void
credit(struct scratch *s, const struct ebpf_config *config, uint32_t slot, uint32_t len, be16 tcp_flags)
{
    uint32_t at = bpf_get_smp_processor_id() * config->n_slots + slot;
    struct ebpf_counter *c = bpf_map_lookup_elem(&counters, &at);

    if (c) {
        c->packets++;
        c->bytes += len;
        c->used_ns = now_ns(s);
        c->tcp_flags |= bpf_ntohs(tcp_flags);
    }
    count(EBPF_HIT, 1);
}

#endif
