// SPDX-License-Identifier: Apache-2.0
// What an earlier daemon left: its maps are ours, by their pins, and their flows go on forwarding. What the daemon knew of them is made up from the maps again, but
// for their actions, which it compares anyway before it takes a flow over: they are put anew. Flows that the daemon executed go; their packets come up again.
#include <config.h>
#include <bpf/bpf.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/dp/ebpf.h"

struct adoption {
    struct ebpf *e;
    bool *slots, *acts; /* In use. */
    size_t n;
};

/* The opposite of ebpf_encode_key(). */
static void
expand(const uint64_t words[EBPF_KEY_WORDS], struct flow_key *key)
{
    memset(key, 0, sizeof *key);
    memcpy(flow_key_words(key) + EBPF_META_FIRST, words, EBPF_META_WORDS * sizeof *words);
    memcpy(flow_key_words(key) + EBPF_LAYER_FIRST, words + EBPF_META_WORDS, EBPF_LAYER_WORDS * sizeof *words);
}

static bool
is_sound(const struct adoption *a, const struct ebpf_lookup *key, const struct ebpf_flow_value *v)
{
    return !(v->flags & EBPF_FLOW_SLOW) && key->mask < EBPF_MAX_MASKS && v->slot < a->e->slots.size && !a->slots[v->slot]
           && v->n <= EBPF_MAX_ACTS && v->first < a->e->acts.size && v->first + ebpf_space_block(v->n) <= a->e->acts.size;
}

static bool
adopt_one(struct adoption *a, const struct ebpf_lookup *key, const struct ebpf_flow_value *v)
{
    struct ebpf_mask_user *m;
    struct flow_key k, mask;
    struct dp_flow_put put = {.ufid = {v->ufid_hi, v->ufid_lo}, .key = &k, .mask = &mask};
    struct ebpf_flow *f;

    if (!is_sound(a, key, v)) {
        return false;
    }
    m = &a->e->masks[key->mask];
    if (!m->n_flows && bpf_map_lookup_elem(ebpf_map_masks(a->e), &key->mask, &m->mask)) {
        return false;
    }
    expand(key->words, &k);
    expand(m->mask.words, &mask);
    mask.packet_type = UINT32_MAX;
    user_flow_put(&a->e->user.dp, &put, 1);
    if (put.error) {
        return false;
    }
    m->n_flows++;
    f = ebpf_flow_new(a->e, put.ufid);
    f->slot = v->slot;
    f->first = v->first;
    f->n = v->n;
    f->mask = (uint16_t) key->mask;
    f->in_map = f->adopted = true;
    a->slots[v->slot] = true;
    memset(&a->acts[v->first], true, ebpf_space_block(v->n));
    return true;
}

size_t
ebpf_adopt(struct ebpf *e)
{
    struct adoption *a = xzalloc(sizeof *a);
    struct ebpf_lookup key, next;
    struct ebpf_flow_value v;
    int flows = ebpf_map_flows(e);
    size_t n;

    a->e = e;
    a->slots = xcalloc(e->slots.size, sizeof *a->slots);
    a->acts = xcalloc(e->acts.size, sizeof *a->acts);
    for (bool more = !bpf_map_get_next_key(flows, NULL, &key); more; key = next) {
        more = !bpf_map_get_next_key(flows, &key, &next);
        if (!bpf_map_lookup_elem(flows, &key, &v)) {
            if (adopt_one(a, &key, &v)) {
                a->n++;
            } else {
                bpf_map_delete_elem(flows, &key);
            }
        }
    }
    ebpf_space_adopt(&e->slots, a->slots);
    ebpf_space_adopt(&e->acts, a->acts);
    ebpf_masks_publish(e);
    n = a->n;
    free(a->slots);
    free(a->acts);
    free(a);
    return n;
}
