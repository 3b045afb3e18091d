// SPDX-License-Identifier: Apache-2.0
// Megaflows of the eBPF datapath: those that programs can look up are in the maps, with records of their actions or with the word that the daemon executes them. Others,
// and those for which a map has no room, stay with the daemon, in the userspace datapath behind it.
#include <config.h>
#include <stdlib.h>

#include "lib/base/counter.h"
#include "lib/base/log.h"
#include "lib/dp/ebpf.h"

COUNTER(ebpf_flow_slow, "A megaflow was put that the eBPF programs cannot execute.");
COUNTER(ebpf_map_full, "A map of the eBPF datapath was full: a megaflow stayed with the daemon.");
COUNTER(ebpf_map_room, "A megaflow that had stayed with the daemon for want of room came into the maps.");

static const char no_room[] = "a map of the eBPF programs is full";

struct ebpf_flow *
ebpf_flow_find(const struct ebpf *e, const dp_ufid *ufid)
{
    struct hnode *h = htable_first_with_hash(&e->flows, dp_ufid_hash(*ufid));

    for (; h; h = htable_next_with_hash(h)) {
        struct ebpf_flow *f = CONTAINER_OF(h, struct ebpf_flow, node);

        if (dp_ufid_equal(f->ufid, *ufid)) {
            return f;
        }
    }
    return NULL;
}

struct ebpf_flow *
ebpf_flow_new(struct ebpf *e, dp_ufid ufid)
{
    struct ebpf_flow *f = xzalloc(sizeof *f);

    f->ufid = ufid;
    htable_insert(&e->flows, &f->node, dp_ufid_hash(ufid));
    return f;
}

/* Lends and writes the records. */
static int
write_acts(struct ebpf *e, const struct ebpf_act *acts, uint32_t n, uint32_t *first)
{
    int error = ebpf_space_get(&e->acts, MAX(n, 1), first);

    if (!error) {
        memcpy(&e->table.acts[*first], acts, n * sizeof *acts);
    }
    return error;
}

void
ebpf_flow_stats(const struct ebpf *e, const struct ebpf_flow *f, struct dp_stats *s)
{
    ebpf_counters_add(e, f->slot, s);
    if (f->executed) {
        dp_stats_add(s, f->executed);
    }
}

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

/* Packets on their way go by the old ones. */
static void
set_actions(struct ebpf_flow *f, const void *actions, size_t len)
{
    struct user_actions *was = f->actions;

    __atomic_store_n(&f->actions, user_actions_copy(actions, len), __ATOMIC_RELEASE);
    rcu_postpone_free(was);
}

/* The actions as records, in 'acts' of the maps where the programs can execute them. */
static int
encode(struct ebpf *e, struct ebpf_flow *f, const void *actions, size_t len, union ebpf_todo *todo)
{
    struct ebpf_act acts[EBPF_MAX_ACTS];
    uint32_t n, first;
    int error;

    f->why = ebpf_encode(actions, len, acts, &n);
    if (f->why) {
        COUNTER_INC(ebpf_flow_slow);
    }
    error = write_acts(e, acts, n, &first);
    if (!error) {
        *todo = (union ebpf_todo){.first = first, .n = (uint8_t) n, .flags = f->why ? EBPF_FLOW_SLOW : 0};
        if (!f->why && is_for_frames(acts, n)) {
            todo->port = n ? (uint16_t) acts[n - 1].arg : 0;
            todo->flags |= EBPF_FLOW_XDP | (n == 1 ? EBPF_FLOW_OUTPUT : 0);
        }
    }
    return error;
}

static void
forget_acts(struct ebpf *e, union ebpf_todo todo)
{
    ebpf_space_put(&e->acts, todo.first, MAX(todo.n, 1U));
}

/* Into the maps; f->in_map says whether that went well. */
static void
install(struct ebpf *e, struct ebpf_flow *f, const struct dp_flow_put *put)
{
    uint64_t words[EBPF_KEY_WORDS];
    struct ebpf_mask mask;
    union ebpf_todo todo;
    uint16_t id;

    if (!ebpf_encode_key(put->key, put->mask, words, &mask)) {
        f->why = "only packets that the daemon looks up again can match";
        return;
    }
    if (ebpf_space_get(&e->slots, 1, &f->slot)) {
        goto full;
    }
    if (encode(e, f, put->actions, put->actions_len, &todo)) {
        goto no_acts;
    }
    if (ebpf_mask_get(e, &mask, put->mask, &id)) {
        goto no_mask;
    }
    ebpf_counters_clear(e, f->slot);
    e->table.ufids[f->slot] = (struct ebpf_ufid){f->ufid.hi, f->ufid.lo};
    if (ebpf_table_add(e, f->slot, words, id, todo)) {
        goto no_room_in_chain;
    }
    set_actions(f, put->actions, put->actions_len);
    f->in_map = true;
    return;

no_room_in_chain:
    ebpf_mask_put(e, id);
no_mask:
    forget_acts(e, todo);
no_acts:
    ebpf_space_put(&e->slots, f->slot, 1);
full:
    COUNTER_INC(ebpf_map_full);
    f->why = no_room;
    e->crowded = true;
}

/* Out of the maps. */
static void
uninstall(struct ebpf *e, struct ebpf_flow *f, struct dp_stats *last)
{
    const struct ebpf_flow_value *v = &e->table.flows[f->slot];

    ebpf_table_del(e, f->slot);
    ebpf_flow_stats(e, f, last);
    ebpf_mask_put(e, v->mask);
    forget_acts(e, v->todo);
    ebpf_space_put(&e->slots, f->slot, 1);
    f->in_map = false;
    e->room = true;
}

/* What the programs do from now on with a flow in the maps. */
static void
change(struct ebpf *e, struct ebpf_flow *f, const void *actions, size_t len)
{
    union ebpf_todo was = e->table.flows[f->slot].todo, todo;

    if (!encode(e, f, actions, len, &todo)) {
        ebpf_table_set_todo(e, f->slot, todo);
        forget_acts(e, was);
        return;
    }
    /* No room for the new actions: the programs must not go on with the old ones. */
    was.flags = EBPF_FLOW_SLOW;
    ebpf_table_set_todo(e, f->slot, was);
    f->why = no_room;
    e->crowded = true;
    COUNTER_INC(ebpf_map_full);
}

static void
modify(struct ebpf *e, struct ebpf_flow *f, struct dp_flow_put *put)
{
    if (!f->in_map) {
        user_flow_put(&e->user.dp, put, 1);
        return;
    }
    put->stats = (struct dp_stats){.packets = 0};
    ebpf_flow_stats(e, f, &put->stats);
    f->adopted = false;
    set_actions(f, put->actions, put->actions_len);
    change(e, f, put->actions, put->actions_len);
}

/* Out of the userspace datapath into the maps. */
static void
move(struct ebpf *e, struct ebpf_flow *f)
{
    const struct user_flow *u = user_flow_find(&e->user, &f->ufid);
    struct dp_flow_put put = {.ufid = f->ufid, .actions = u->actions->data, .actions_len = u->actions->len};
    struct dp_flow_del del = {.ufid = f->ufid};
    struct match m;

    match_unpack(u->cls.match, &m);
    put.key = &m.key;
    put.mask = &m.mask;
    install(e, f, &put);
    if (f->in_map) {
        user_flow_del(&e->user.dp, &del, 1);
        f->executed = xmemdup(&del.stats, sizeof del.stats);
    }
}

void
ebpf_flows_take_in(struct ebpf *e)
{
    if (!e->crowded || !e->room) {
        return;
    }
    e->crowded = e->room = false;
    for (struct hnode *h = htable_next(&e->flows, NULL); h && !e->crowded; h = htable_next(&e->flows, h)) {
        struct ebpf_flow *f = CONTAINER_OF(h, struct ebpf_flow, node);

        if (f->why != no_room) {
            continue;
        }
        if (f->in_map) {
            change(e, f, f->actions->data, f->actions->len);
        } else {
            move(e, f);
        }
        COUNTER_ADD(ebpf_map_room, f->why != no_room);
    }
}

static void
flow_free(struct ebpf *e, struct ebpf_flow *f)
{
    htable_remove(&e->flows, &f->node);
    rcu_postpone_free(f->actions);
    free(f->executed);
    free(f);
}

/* Where it is in no map the userspace datapath has it, if it takes it. */
static void
add(struct ebpf *e, struct dp_flow_put *put)
{
    struct ebpf_flow *f = ebpf_flow_new(e, put->ufid);

    install(e, f, put);
    if (!f->in_map) {
        user_flow_put(&e->user.dp, put, 1);
        if (put->error) {
            flow_free(e, f);
        }
    }
}

static void
put_one(struct ebpf *e, struct dp_flow_put *put)
{
    struct ebpf_flow *f = ebpf_flow_find(e, &put->ufid);

    put->error = put->modify && !f ? -ENOENT : !put->modify && f ? -EEXIST : 0;
    if (put->error) {
        return;
    }
    if (f) {
        modify(e, f, put);
    } else {
        add(e, put);
    }
}

void
ebpf_flow_put(struct dp *dp, struct dp_flow_put *puts, size_t n)
{
    struct ebpf *e = ebpf_cast(dp);

    pthread_mutex_lock(&e->mutex);
    for (size_t i = 0; i < n; i++) {
        put_one(e, &puts[i]);
    }
    pthread_mutex_unlock(&e->mutex);
}

static void
del_one(struct ebpf *e, struct dp_flow_del *del)
{
    struct ebpf_flow *f = ebpf_flow_find(e, &del->ufid);

    del->error = f ? 0 : -ENOENT;
    if (!f) {
        return;
    }
    if (f->in_map) {
        del->stats = (struct dp_stats){.packets = 0};
        uninstall(e, f, &del->stats);
    } else {
        user_flow_del(&e->user.dp, del, 1);
    }
    flow_free(e, f);
}

void
ebpf_flow_del(struct dp *dp, struct dp_flow_del *dels, size_t n)
{
    struct ebpf *e = ebpf_cast(dp);

    pthread_mutex_lock(&e->mutex);
    for (size_t i = 0; i < n; i++) {
        del_one(e, &dels[i]);
    }
    pthread_mutex_unlock(&e->mutex);
}

static void
uninstall_all(struct ebpf *e)
{
    for (struct hnode *h = htable_next(&e->flows, NULL), *next; h; h = next) {
        struct ebpf_flow *f = CONTAINER_OF(h, struct ebpf_flow, node);
        struct dp_stats ignored = {.packets = 0};

        next = htable_next(&e->flows, h);
        if (f->in_map) {
            uninstall(e, f, &ignored);
        }
        flow_free(e, f);
    }
}

int
ebpf_flow_flush(struct dp *dp)
{
    struct ebpf *e = ebpf_cast(dp);
    int error;

    pthread_mutex_lock(&e->mutex);
    uninstall_all(e);
    error = user_flow_flush(dp);
    pthread_mutex_unlock(&e->mutex);
    return error;
}

/* The maps are left as they are. */
void
ebpf_flows_close(struct ebpf *e)
{
    for (struct hnode *h = htable_next(&e->flows, NULL), *next; h; h = next) {
        next = htable_next(&e->flows, h);
        flow_free(e, CONTAINER_OF(h, struct ebpf_flow, node));
    }
    for (unsigned i = 0; i < EBPF_MAX_MASKS; i++) {
        free(e->masks[i].whole);
    }
    htable_destroy(&e->flows);
    ebpf_space_destroy(&e->slots);
    ebpf_space_destroy(&e->acts);
    ebpf_space_destroy(&e->mask_ids);
}
