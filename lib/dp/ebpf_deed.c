// SPDX-License-Identifier: Apache-2.0
// What is done with the packets of the eBPF datapath's flows: many do the same, which has records in the maps and actions in the daemon once.
#include <config.h>
#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/dp/ebpf.h"

static bool
is_mere_output(const struct ebpf_act *a)
{
    return a->kind == EBPF_ACT_OUTPUT && a->last && !a->max_len && a->arg < EBPF_MAX_PORTS;
}

/* Can the program of the XDP hook do it? */
static bool
is_for_frames(const struct ebpf_act *acts, uint32_t n)
{
    for (uint32_t i = 0; i + 1 < n; i++) {
        bool simple = acts[i].layer <= EBPF_ND && !(acts[i].sums & EBPF_SUM_SCTP);

        if (acts[i].kind != EBPF_ACT_PUSH_VLAN && acts[i].kind != EBPF_ACT_POP_VLAN && !(acts[i].kind == EBPF_ACT_WRITE && simple)) {
            return false;
        }
    }
    return !n || is_mere_output(&acts[n - 1]);
}

static bool
changes_labels(const struct ebpf_act *acts, uint32_t n)
{
    bool found = false;

    for (uint32_t i = 0; i < n; i++) {
        found = found || acts[i].kind == EBPF_ACT_PUSH_MPLS || acts[i].kind == EBPF_ACT_POP_MPLS
                || (acts[i].kind == EBPF_ACT_WRITE && acts[i].layer == EBPF_MPLS);
    }
    return found;
}

uint32_t
ebpf_todo_n_records(union ebpf_todo todo)
{
    return todo.flags & EBPF_FLOW_OUTPUT ? 0 : todo.n;
}

/* Records in 'acts' of the maps, where there is something to say that 'todo' does not. */
static int
write_acts(struct ebpf *e, const struct ebpf_act *acts, union ebpf_todo *todo)
{
    uint32_t n = ebpf_todo_n_records(*todo), first = 0;
    int error = n ? ebpf_space_get(&e->acts, n, &first) : 0;

    if (!error && n) {
        memcpy(&e->table.acts[first], acts, n * sizeof *acts);
        todo->first = first;
    }
    return error;
}

/* Where there is no room for the records, the daemon does it. */
static void
encode(struct ebpf *e, struct ebpf_deed *d)
{
    struct ebpf_act acts[EBPF_MAX_ACTS];
    union ebpf_todo todo = {.whole = 0};
    uint32_t n;

    d->why = ebpf_encode(d->actions.data, d->actions.len, acts, &n);
    todo.n = (uint8_t) n;
    todo.flags = d->why ? EBPF_FLOW_SLOW : changes_labels(acts, n) ? EBPF_FLOW_LABELS : 0;
    if (!d->why && is_for_frames(acts, n)) {
        todo.port = n ? (uint16_t) acts[n - 1].arg : 0;
        todo.flags |= EBPF_FLOW_XDP | (n == 1 ? EBPF_FLOW_OUTPUT : 0);
    }
    if (write_acts(e, acts, &todo)) {
        d->why = ebpf_no_room;
        todo = (union ebpf_todo){.flags = EBPF_FLOW_SLOW};
    }
    d->todo = todo;
}

static struct ebpf_deed *
deed_new(const void *actions, size_t len)
{
    struct ebpf_deed *d = xzalloc(sizeof *d + len);

    d->n_flows = 1;
    d->actions.len = len;
    if (len) {
        memcpy(d->actions.data, actions, len);
    }
    return d;
}

static bool
is_deed(const struct ebpf_deed *d, const void *actions, size_t len)
{
    return !d->unknown && d->actions.len == len && (!len || !memcmp(d->actions.data, actions, len));
}

/* One that there is; NULL: none, and '*hash' is that of the actions. */
static struct ebpf_deed *
find(const struct ebpf *e, const void *actions, size_t len, uint32_t *hash)
{
    if (e->last_deed && is_deed(e->last_deed, actions, len)) {
        return e->last_deed;
    }
    *hash = hash_bytes(actions, len, 0);
    for (struct hnode *h = htable_first_with_hash(&e->deeds, *hash); h; h = htable_next_with_hash(h)) {
        struct ebpf_deed *d = CONTAINER_OF(h, struct ebpf_deed, node);

        if (is_deed(d, actions, len)) {
            return d;
        }
    }
    return NULL;
}

struct ebpf_deed *
ebpf_deed_get(struct ebpf *e, const void *actions, size_t len)
{
    uint32_t hash = 0;
    struct ebpf_deed *d = find(e, actions, len, &hash);

    if (d) {
        d->n_flows++;
    } else {
        d = deed_new(actions, len);
        encode(e, d);
        if (d->why == ebpf_no_room) { /* Who comes next may find room. */
            return d;
        }
        htable_insert(&e->deeds, &d->node, hash);
    }
    e->last_deed = d;
    return d;
}

struct ebpf_deed *
ebpf_deed_adopt(struct ebpf *e, union ebpf_todo todo)
{
    uint32_t hash = hash_u64(todo.whole, 0);
    struct ebpf_deed *d;

    for (struct hnode *h = htable_first_with_hash(&e->deeds, hash); h; h = htable_next_with_hash(h)) {
        d = CONTAINER_OF(h, struct ebpf_deed, node);
        if (d->unknown && d->todo.whole == todo.whole) {
            d->n_flows++;
            return d;
        }
    }
    d = deed_new(NULL, 0);
    d->unknown = true;
    d->todo = todo;
    htable_insert(&e->deeds, &d->node, hash);
    return d;
}

/* Packets that the daemon has in hand may be on their way by it. */
void
ebpf_deed_put(struct ebpf *e, struct ebpf_deed *d)
{
    uint32_t n = ebpf_todo_n_records(d->todo);

    if (--d->n_flows) {
        return;
    }
    if (d->why != ebpf_no_room) {
        htable_remove(&e->deeds, &d->node);
        e->last_deed = e->last_deed == d ? NULL : e->last_deed;
    }
    if (n) {
        ebpf_space_put(&e->acts, d->todo.first, n);
    }
    rcu_postpone_free(d);
}
