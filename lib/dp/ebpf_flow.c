// SPDX-License-Identifier: Apache-2.0
// Megaflows of the eBPF datapath: all are in the userspace datapath behind it; those that programs can look up are in the maps too, with records of their actions, or
// with the word that the daemon executes them. Where a map is full a flow stays with the daemon alone.
#include <config.h>
#include <stdlib.h>

#include "lib/base/counter.h"
#include "lib/base/log.h"
#include "lib/dp/ebpf.h"

COUNTER(ebpf_flow_slow, "A megaflow was put that the eBPF programs cannot execute.");
COUNTER(ebpf_map_full, "A map of the eBPF datapath was full: a megaflow stayed with the daemon.");
COUNTER(ebpf_map_room, "A megaflow that had stayed with the daemon for want of room came into the maps.");

static const char no_room[] = "a map of the eBPF programs is full";

static struct ebpf_flow *
find(const struct ebpf *e, const dp_ufid *ufid)
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
static void
sort_masks(struct ebpf *e)
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

/* A mask that no flow has any more is written over only after a grace period. */
static int
mask_get(struct ebpf *e, const struct ebpf_mask *mask, uint16_t *id)
{
    uint32_t new;

    for (uint32_t i = 0; i < EBPF_MAX_MASKS; i++) {
        if (e->masks[i].n_flows && !memcmp(&e->table.masks[i], mask, sizeof *mask)) {
            e->masks[i].n_flows++;
            *id = (uint16_t) i;
            return 0;
        }
    }
    if (ebpf_space_get(&e->mask_ids, 1, &new)) {
        return -ENOSPC;
    }
    e->table.masks[new] = *mask;
    e->masks[new] = (struct ebpf_mask_user){1, ebpf_mask_hits(e, new), 0};
    *id = (uint16_t) new;
    ebpf_masks_publish(e);
    return 0;
}

static void
mask_put(struct ebpf *e, uint32_t id)
{
    if (!--e->masks[id].n_flows) {
        ebpf_masks_publish(e);
        ebpf_space_put(&e->mask_ids, id, 1);
    }
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

static void
add_counters_of(const struct ebpf *e, const struct ebpf_flow *f, struct dp_stats *s)
{
    if (f->in_map) {
        ebpf_counters_add(e, f->slot, s);
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

/* The actions as records, in 'acts' of the maps where the programs can execute them. */
static int
encode(struct ebpf *e, struct ebpf_flow *f, const struct dp_flow_put *put, union ebpf_todo *todo)
{
    struct ebpf_act acts[EBPF_MAX_ACTS];
    uint32_t n, first;
    int error;

    f->why = ebpf_encode(put->actions, put->actions_len, acts, &n);
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
    if (encode(e, f, put, &todo)) {
        goto no_acts;
    }
    if (mask_get(e, &mask, &id)) {
        goto no_mask;
    }
    ebpf_counters_clear(e, f->slot);
    e->table.ufids[f->slot] = (struct ebpf_ufid){f->ufid.hi, f->ufid.lo};
    if (ebpf_table_add(e, f->slot, words, id, todo)) {
        goto no_room_in_chain;
    }
    f->in_map = true;
    return;

no_room_in_chain:
    mask_put(e, id);
no_mask:
    forget_acts(e, todo);
no_acts:
    ebpf_space_put(&e->slots, f->slot, 1);
full:
    COUNTER_INC(ebpf_map_full);
    f->why = no_room;
    e->crowded = true;
}

/* Out of the maps; its counters are added to 's'. */
static void
uninstall(struct ebpf *e, struct ebpf_flow *f, struct dp_stats *s)
{
    const struct ebpf_flow_value *v = &e->table.flows[f->slot];

    if (f->in_map) {
        ebpf_table_del(e, f->slot);
        ebpf_counters_add(e, f->slot, s);
        mask_put(e, v->mask);
        forget_acts(e, v->todo);
        ebpf_space_put(&e->slots, f->slot, 1);
        f->in_map = false;
        e->room = true;
    }
}

static void
modify(struct ebpf *e, struct ebpf_flow *f, struct dp_flow_put *put)
{
    union ebpf_todo was, todo;

    f->adopted = false;
    if (!f->in_map) {
        return;
    }
    add_counters_of(e, f, &put->stats);
    was = e->table.flows[f->slot].todo;
    if (!encode(e, f, put, &todo)) {
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

/* Flows that stayed with the daemon for want of room try again, now that others have left. */
static void
take_in(struct ebpf *e)
{
    struct hnode *h;

    e->crowded = e->room = false;
    for (h = htable_next(&e->flows, NULL); h && !e->crowded; h = htable_next(&e->flows, h)) {
        struct ebpf_flow *f = CONTAINER_OF(h, struct ebpf_flow, node);
        const struct user_flow *u = f->why == no_room ? user_flow_find(&e->user, &f->ufid) : NULL;
        struct dp_flow_put put = {.ufid = f->ufid};
        struct match m;

        if (!u) {
            continue;
        }
        match_unpack(u->cls.match, &m);
        put.key = &m.key;
        put.mask = &m.mask;
        put.actions = u->actions->data;
        put.actions_len = u->actions->len;
        if (f->in_map) {
            modify(e, f, &put);
        } else {
            install(e, f, &put);
        }
        COUNTER_ADD(ebpf_map_room, f->why != no_room);
    }
}

static void
put_one(struct ebpf *e, struct dp_flow_put *put)
{
    struct ebpf_flow *f;

    user_flow_put(&e->user.dp, put, 1);
    if (put->error) {
        return;
    }
    f = find(e, &put->ufid);
    if (put->modify && f) {
        modify(e, f, put);
    } else if (!f) {
        install(e, ebpf_flow_new(e, put->ufid), put);
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
flow_free(struct ebpf *e, struct ebpf_flow *f)
{
    htable_remove(&e->flows, &f->node);
    free(f);
}

static void
del_one(struct ebpf *e, struct dp_flow_del *del)
{
    struct ebpf_flow *f = find(e, &del->ufid);
    struct dp_stats stats = {.packets = 0};

    if (f) {
        uninstall(e, f, &stats);
        flow_free(e, f);
    }
    user_flow_del(&e->user.dp, del, 1);
    if (!del->error) {
        dp_stats_add(&del->stats, &stats);
    }
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

/* A dump of the userspace datapath on its way to who asked us. */
struct dump {
    struct ebpf *e;
    bool (*fn)(const struct dp_flow_dumped *, void *);
    void (*one)(const struct dp_flow_dumped *, void *);
    void *arg;
};

/* With what the programs know of the flow. */
static struct dp_flow_dumped
complete(struct dump *d, const struct dp_flow_dumped *flow)
{
    struct dp_flow_dumped out = *flow;
    const struct ebpf_flow *f;

    pthread_mutex_lock(&d->e->mutex);
    f = find(d->e, &flow->ufid);
    if (f) {
        out.extack = f->why;
        out.actions_unknown = f->adopted;
        add_counters_of(d->e, f, &out.stats);
    }
    pthread_mutex_unlock(&d->e->mutex);
    return out;
}

static bool
pass_dumped(const struct dp_flow_dumped *flow, void *dump)
{
    struct dump *d = dump;
    struct dp_flow_dumped out = complete(d, flow);

    return d->fn(&out, d->arg);
}

static void
pass_got(const struct dp_flow_dumped *flow, void *dump)
{
    struct dump *d = dump;
    struct dp_flow_dumped out = complete(d, flow);

    d->one(&out, d->arg);
}

int
ebpf_flow_get(struct dp *dp, const dp_ufid *ufid, void (*fn)(const struct dp_flow_dumped *, void *), void *arg)
{
    struct ebpf *e = ebpf_cast(dp);
    struct dump d = {.e = e, .one = fn, .arg = arg};

    return user_flow_get(dp, ufid, pass_got, &d);
}

/* As often as somebody looks at all flows the masks are put in order, and what waits for room and which devices take frames is looked after. */
int
ebpf_flow_dump(struct dp *dp, bool terse, bool (*fn)(const struct dp_flow_dumped *, void *), void *arg)
{
    struct ebpf *e = ebpf_cast(dp);
    struct dump d = {.e = e, .fn = fn, .arg = arg};

    pthread_mutex_lock(&e->mutex);
    if (e->crowded && e->room) {
        take_in(e);
    }
    sort_masks(e);
    pthread_mutex_unlock(&e->mutex);
    ebpf_xdp_refresh(e);
    return user_flow_dump(dp, terse, pass_dumped, &d);
}

static void
uninstall_all(struct ebpf *e)
{
    for (struct hnode *h = htable_next(&e->flows, NULL), *next; h; h = next) {
        struct ebpf_flow *f = CONTAINER_OF(h, struct ebpf_flow, node);
        struct dp_stats ignored = {.packets = 0};

        next = htable_next(&e->flows, h);
        uninstall(e, f, &ignored);
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
    htable_destroy(&e->flows);
    ebpf_space_destroy(&e->slots);
    ebpf_space_destroy(&e->acts);
    ebpf_space_destroy(&e->mask_ids);
}
