// SPDX-License-Identifier: Apache-2.0
// The masks of the eBPF datapath's flows: tuples, which the programs look up in the order of their hits.
#include <config.h>
#include <stdlib.h>

#include "lib/dp/ebpf.h"

/* The programs read one order while the other is written. */
void
ebpf_masks_publish(struct ebpf *e)
{
    uint32_t next = !e->config->active, n = 0;

    /* Sorted by insertion, those with most hits first: there are few. */
    for (unsigned i = 0; i < EBPF_MAX_MASKS; i++) {
        uint16_t *order = e->config->order[next];
        uint32_t at = n;

        if (e->masks[i].n_flows) {
            for (; at && e->masks[order[at - 1]].hits < e->masks[i].hits; at--) {
                order[at] = order[at - 1];
            }
            order[at] = (uint16_t) i;
            n++;
        }
    }
    e->config->n_masks[next] = n;
    __atomic_store_n(&e->config->active, next, __ATOMIC_RELEASE);
}

/* By the hits since the last time, and half of those before. */
void
ebpf_masks_sort(struct ebpf *e)
{
    for (uint32_t i = 0; i < EBPF_MAX_MASKS; i++) {
        struct ebpf_mask_user *m = &e->masks[i];

        if (m->n_flows) {
            uint64_t now = ebpf_mask_hits(e, i);

            m->hits = m->hits / 2 + (now - m->seen);
            m->seen = now;
        }
    }
    ebpf_masks_publish(e);
}

/* Two masks may differ in what no packet has that the programs see. Of those of an earlier daemon nobody knows that part: they are taken for any. */
static bool
is_mask(const struct ebpf *e, uint32_t id, const struct ebpf_mask *mask, const struct flow_key *whole)
{
    struct flow_key other;

    if (!e->masks[id].n_flows || memcmp(&e->table.masks[id], mask, sizeof *mask)) {
        return false;
    }
    if (e->masks[id].whole) {
        flow_sparse_expand(e->masks[id].whole, &other);
        return !memcmp(&other, whole, sizeof other);
    }
    return true;
}

/* EBPF_MAX_MASKS: none. */
static uint32_t
find_mask(const struct ebpf *e, const struct ebpf_mask *mask, const struct flow_key *whole)
{
    uint32_t i = 0;

    if (e->masks[e->last_mask].n_flows && !memcmp(&e->last_whole, whole, sizeof *whole)) {
        return e->last_mask;
    }
    while (i < EBPF_MAX_MASKS && !is_mask(e, i, mask, whole)) {
        i++;
    }
    return i;
}

/* A mask that no flow has any more is written over only after a grace period. */
int
ebpf_mask_get(struct ebpf *e, const struct ebpf_mask *mask, const struct flow_key *whole, uint16_t *id)
{
    uint32_t i = find_mask(e, mask, whole);

    if (i == EBPF_MAX_MASKS) {
        if (ebpf_space_get(&e->mask_ids, 1, &i)) {
            return -ENOSPC;
        }
        e->table.masks[i] = *mask;
        e->masks[i] = (struct ebpf_mask_user){.seen = ebpf_mask_hits(e, i)};
    }
    if (!e->masks[i].whole) {
        e->masks[i].whole = flow_sparse_from_key(whole);
    }
    if (!e->masks[i].n_flows++) {
        ebpf_masks_publish(e);
    }
    e->last_mask = i;
    e->last_whole = *whole;
    *id = (uint16_t) i;
    return 0;
}

void
ebpf_mask_whole(const struct ebpf *e, uint32_t id, struct flow_key *mask)
{
    if (e->masks[id].whole) {
        flow_sparse_expand(e->masks[id].whole, mask);
    } else {
        ebpf_decode_key(e->table.masks[id].words, &e->table.masks[id], mask);
        mask->packet_type = UINT32_MAX; /* They were Ethernet's. */
    }
}

void
ebpf_mask_put(struct ebpf *e, uint32_t id)
{
    if (!--e->masks[id].n_flows) {
        free(e->masks[id].whole);
        e->masks[id].whole = NULL;
        ebpf_masks_publish(e);
        ebpf_space_put(&e->mask_ids, id, 1);
    }
}
