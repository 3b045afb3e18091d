// SPDX-License-Identifier: Apache-2.0
// What an earlier daemon left: its maps are ours, by their pins, and their flows go on forwarding. What the daemon knew of them is made up from the maps again, but
// for their actions, which it compares anyway before it takes a flow over: they are put anew. Flows that the daemon executed go; their packets come up again.
// What makes no sense stays where it is, since what leads to it is not known, and sends its packets up.
#include <config.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/dp/ebpf.h"

struct adoption {
    struct ebpf *e;
    bool *slots, *acts, masks[EBPF_MAX_MASKS]; /* In use. */
    size_t n;
};

static bool
is_sound_mask(const struct ebpf_mask *m)
{
    bool ok = m->n <= EBPF_KEY_WORDS;

    for (uint32_t i = 0; ok && i < m->n; i++) {
        ok = m->at[i] < FLOW_KEY_WORDS;
    }
    return ok;
}

/* As they were lent. */
static uint32_t
n_acts(union ebpf_todo todo)
{
    uint32_t n = ebpf_todo_n_records(todo);

    return n ? ebpf_space_block(n) : 0;
}

static bool
is_sound(const struct ebpf *e, const struct ebpf_flow_value *v)
{
    return v->mask < EBPF_MAX_MASKS && is_sound_mask(&e->table.masks[v->mask])
           && (size_t) (v - e->table.flows) + ebpf_table_n_slots(&e->table.masks[v->mask]) <= e->table.n_slots
           && v->todo.first <= e->acts.size && e->acts.size - v->todo.first >= n_acts(v->todo);
}

static bool
adopt_one(struct adoption *a, uint32_t slot)
{
    struct ebpf *e = a->e;
    const struct ebpf_flow_value *v = &e->table.flows[slot];
    const dp_ufid ufid = {e->table.ufids[slot].hi, e->table.ufids[slot].lo};

    if (v->todo.flags & EBPF_FLOW_SLOW || !ebpf_table_has(e, slot) || ebpf_flow_find(e, &ufid)) {
        return false;
    }
    e->masks[v->mask].n_flows++;
    ebpf_flow_new(e, ufid, slot, ebpf_deed_adopt(e, v->todo));
    memset(&a->slots[slot], true, ebpf_table_n_slots(&e->table.masks[v->mask]));
    a->masks[v->mask] = true;
    memset(&a->acts[v->todo.first], true, n_acts(v->todo));
    return true;
}

size_t
ebpf_adopt(struct ebpf *e)
{
    struct adoption *a = xzalloc(sizeof *a);
    size_t n;

    a->e = e;
    a->slots = xcalloc(e->slots.size, sizeof *a->slots);
    a->acts = xcalloc(e->acts.size, sizeof *a->acts);
    for (uint32_t slot = 0; slot < e->table.n_slots; slot++) {
        const struct ebpf_flow_value *v = &e->table.flows[slot];

        if (!(v->life & 1)) {
            continue;
        }
        if (!is_sound(e, v)) {
            a->slots[slot] = true;
            ebpf_table_set_todo(e, slot, (union ebpf_todo){.flags = EBPF_FLOW_SLOW});
        } else if (adopt_one(a, slot)) {
            a->n++;
        } else {
            ebpf_table_del(e, slot);
        }
    }
    ebpf_space_adopt(&e->slots, a->slots);
    ebpf_space_adopt(&e->acts, a->acts);
    ebpf_space_adopt(&e->mask_ids, a->masks);
    ebpf_masks_publish(e);
    n = a->n;
    free(a->slots);
    free(a->acts);
    free(a);
    return n;
}
