// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The eBPF datapath's programs: a packet that comes in by a port's device is parsed, looked up and sent on, or goes up to the daemon. Nothing of it
// ever reaches the host's own stack by that device.
//
// The lookup: the tuple that the packet's hash was found in last, else tuple by tuple in the daemon's order. What the programs do not understand (more
// extension headers than they walk over) they send up as if there were no flow: the daemon looks it up itself.
#include <config.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "lib/dp/ebpf_abi.h"
#include "lib/dp/meter.h"
#include "lib/dp/ebpf_maps.bpf.h"
#include "lib/dp/ebpf_parse.bpf.h"
#include "lib/dp/ebpf_police.bpf.h"
#include "lib/dp/ebpf_act.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static __always_inline uint32_t
key_hash(const struct scratch *s)
{
    const uint64_t *w = (const uint64_t *) &s->key;
    uint64_t h = 0;

    for (unsigned i = 0; i < EBPF_META_WORDS; i++) {
        h = (h ^ w[EBPF_META_FIRST + i]) * 0x9e3779b97f4a7c15ULL;
        h ^= h >> 29;
    }
    for (unsigned i = 0; i < EBPF_LAYER_WORDS; i++) {
        h = (h ^ w[EBPF_LAYER_FIRST + i]) * 0x9e3779b97f4a7c15ULL;
        h ^= h >> 29;
    }
    return (uint32_t) (h >> 32);
}

static __always_inline struct ebpf_flow_value *
find_in(struct scratch *s, uint32_t id)
{
    const uint64_t *w = (const uint64_t *) &s->key;
    struct ebpf_mask *m = bpf_map_lookup_elem(&masks, &id);

    if (!m) {
        return NULL;
    }
    for (unsigned i = 0; i < EBPF_META_WORDS; i++) {
        s->lookup.words[i] = w[EBPF_META_FIRST + i] & m->words[i];
    }
    for (unsigned i = 0; i < EBPF_LAYER_WORDS; i++) {
        s->lookup.words[EBPF_META_WORDS + i] = w[EBPF_LAYER_FIRST + i] & m->words[EBPF_META_WORDS + i];
    }
    s->lookup.mask = id;
    return bpf_map_lookup_elem(&flows, &s->lookup);
}

struct search {
    struct scratch *s;
    const struct ebpf_config *config;
    uint32_t found; /* Mask plus one. */
};

static long
try_mask(uint32_t i, struct search *x)
{
    uint32_t id = x->config->order[x->config->active & 1][i & (EBPF_MAX_MASKS - 1)];

    if (!find_in(x->s, id)) {
        return 0;
    }
    x->found = id + 1;
    return 1;
}

/* The flow of the packet whose key is in 's', or NULL. */
static __always_inline struct ebpf_flow_value *
find_flow(struct scratch *s, const struct ebpf_config *config)
{
    uint32_t cpu = bpf_get_smp_processor_id();
    struct ebpf_cache *cache = bpf_map_lookup_elem(&caches, &cpu);
    struct search x = {.s = s, .config = config};
    struct ebpf_flow_value *flow;
    uint64_t *hits, hash = key_hash(s);
    uint16_t *cached;

    if (!cache) {
        return NULL;
    }
    asm volatile("" : "+r"(hash)); /* The mask has to come last for the verifier of Linux 6.1. */
    cached = &cache->masks[hash & (EBPF_CACHE - 1)];
    if (*cached) {
        flow = find_in(s, *cached - 1u);
        if (flow) {
            count(EBPF_MASK_LOOKUPS, 1);
            return flow;
        }
    }
    count(EBPF_MASK_LOOKUPS, bpf_loop(config->n_masks[config->active & 1] & (2 * EBPF_MAX_MASKS - 1), try_mask, &x, 0));
    if (!x.found) {
        return NULL;
    }
    *cached = (uint16_t) x.found;
    x.found--;
    hits = bpf_map_lookup_elem(&mask_hits, &x.found);
    if (hits) {
        ++*hits;
    }
    return bpf_map_lookup_elem(&flows, &s->lookup); /* try_mask() left it there. */
}

static __always_inline void
credit(struct __sk_buff *skb, const struct scratch *s, uint32_t slot)
{
    struct ebpf_counter *c = bpf_map_lookup_elem(&counters, &slot);

    if (c) {
        c->packets++;
        c->bytes += frame_len(skb);
        c->used_ns = bpf_ktime_get_coarse_ns();
        c->tcp_flags |= bpf_ntohs(s->key.tcp_flags);
    }
    count(EBPF_HIT, 1);
}

/* The key's metadata is in 's'. */
static __always_inline int
forward(struct __sk_buff *skb, struct scratch *s)
{
    struct run r = {.skb = skb, .s = s};
    struct ebpf_flow_value *flow = NULL;
    uint32_t zero = 0;
    const struct ebpf_config *config = bpf_map_lookup_elem(&config_map, &zero);

    if (!config) {
        return TC_ACT_SHOT;
    }
    if (parse(skb, s)) {
        flow = find_flow(s, config);
    }
    if (!flow || flow->flags & EBPF_FLOW_SLOW) {
        upcall(skb, s, NULL, EBPF_MAX_PACKET);
        return TC_ACT_SHOT;
    }
    credit(skb, s, flow->slot);
    r.first = flow->first;
    s->skip = 0;
    bpf_loop(flow->n & (2 * EBPF_MAX_ACTS - 1), act_one, &r, 0);
    if (r.recirc_id) {
        s->key.recirc_id = r.recirc_id;
        bpf_tail_call(skb, &programs, 0);
        count(EBPF_FAILED, 1); /* Looked up too often. */
    }
    return r.redirect ? (int) bpf_redirect(r.redirect, 0) : TC_ACT_SHOT;
}

SEC("tc")
int
sluice_again(struct __sk_buff *skb)
{
    uint32_t zero = 0;
    struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);

    return s ? forward(skb, s) : TC_ACT_SHOT;
}

SEC("tc")
int
sluice_port(struct __sk_buff *skb)
{
    uint32_t zero = 0, ifindex = skb->ifindex;
    const uint32_t *number = bpf_map_lookup_elem(&ifindexes, &ifindex);
    struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);

    if (!number || !s) {
        return TC_ACT_UNSPEC; /* No port any more. */
    }
    if (*number & EBPF_POLICED && is_above_limit(*number & ~EBPF_POLICED, frame_len(skb), skb->gso_segs ? skb->gso_segs : 1)) {
        return TC_ACT_SHOT;
    }
    s->key.skb_priority = skb->priority;
    s->key.pkt_mark = skb->mark;
    s->key.dp_hash = 0;
    s->key.in_port = *number & ~EBPF_POLICED;
    s->key.recirc_id = 0;
    return forward(skb, s);
}
