// SPDX-License-Identifier: Apache-2.0
// Megaflows of the eBPF datapath: all are in the userspace datapath behind it; those that programs can look up are in the maps too, with records of their actions, or
// with the word that the daemon executes them. Where a map is full a flow stays with the daemon alone.
#include <config.h>
#include <bpf/bpf.h>
#include <stdlib.h>

#include "lib/base/counter.h"
#include "lib/base/log.h"
#include "lib/dp/ebpf.h"

COUNTER(ebpf_flow_slow, "A megaflow was put that the eBPF programs cannot execute.");
COUNTER(ebpf_map_full, "A map of the eBPF datapath was full: a megaflow stayed with the daemon.");
COUNTER(ebpf_map_room, "A megaflow that had stayed with the daemon for want of room came into the maps.");

#define COUNTER_BATCH 1024

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

static int
mask_get(struct ebpf *e, const struct ebpf_mask *mask, uint16_t *id)
{
    uint32_t free_one = EBPF_MAX_MASKS;

    for (uint32_t i = 0; i < EBPF_MAX_MASKS; i++) {
        struct ebpf_mask_user *m = &e->masks[i];

        if (m->n_flows && !memcmp(&m->mask, mask, sizeof *mask)) {
            m->n_flows++;
            *id = (uint16_t) i;
            return 0;
        }
        free_one = !m->n_flows && free_one == EBPF_MAX_MASKS ? i : free_one;
    }
    if (free_one == EBPF_MAX_MASKS || bpf_map_update_elem(ebpf_map_masks(e), &free_one, mask, BPF_ANY)) {
        return -ENOSPC;
    }
    e->masks[free_one] = (struct ebpf_mask_user){1, *mask, ebpf_mask_hits(e, free_one), 0};
    *id = (uint16_t) free_one;
    ebpf_masks_publish(e);
    return 0;
}

static void
mask_put(struct ebpf *e, uint16_t id)
{
    if (!--e->masks[id].n_flows) {
        ebpf_masks_publish(e);
    }
}

/* Lends and writes the records. */
static int
write_acts(struct ebpf *e, const struct ebpf_act *acts, uint32_t n, uint32_t *first)
{
    int error = ebpf_space_get(&e->acts, MAX(n, 1), first);

    for (uint32_t i = 0; i < n && !error; i++) {
        uint32_t at = *first + i;

        error = bpf_map_update_elem(ebpf_map_acts(e), &at, &acts[i], BPF_ANY);
        if (error) {
            ebpf_space_put(&e->acts, *first, MAX(n, 1));
        }
    }
    return error;
}

static int
clear_counters(const struct ebpf *e, uint32_t slot)
{
    struct ebpf_counter *zeros = xcalloc(e->n_cpus, sizeof *zeros);
    int error = bpf_map_update_elem(ebpf_map_counters(e), &slot, zeros, BPF_ANY);

    free(zeros);
    return error;
}

static void
add_counters(const struct ebpf *e, const struct ebpf_counter *c, struct dp_stats *s)
{
    for (unsigned i = 0; i < e->n_cpus; i++) {
        s->packets += c[i].packets;
        s->bytes += c[i].bytes;
        s->used_ms = MAX(s->used_ms, (int64_t) (c[i].used_ns / 1000000));
        s->tcp_flags |= (uint16_t) c[i].tcp_flags;
    }
}

static void
add_counters_of(const struct ebpf *e, const struct ebpf_flow *f, struct dp_stats *s)
{
    struct ebpf_counter *c = f->in_map ? xcalloc(e->n_cpus, sizeof *c) : NULL;

    if (c && !bpf_map_lookup_elem(ebpf_map_counters(e), &f->slot, c)) {
        add_counters(e, c, s);
    }
    free(c);
}

/* The flow's entry, as it is now or is to be. */
static int
write_flow(struct ebpf *e, const struct ebpf_flow *f, const struct ebpf_lookup *key, uint64_t flag)
{
    struct ebpf_flow_value value = {
        .ufid_hi = f->ufid.hi,
        .ufid_lo = f->ufid.lo,
        .slot = f->slot,
        .first = f->first,
        .n = f->n,
        .flags = f->why ? EBPF_FLOW_SLOW : 0,
    };

    return bpf_map_update_elem(ebpf_map_flows(e), key, &value, flag);
}

/* Into the maps; f->in_map says whether that went well. */
static void
install(struct ebpf *e, struct ebpf_flow *f, const struct dp_flow_put *put)
{
    struct ebpf_act acts[EBPF_MAX_ACTS];
    struct ebpf_mask mask;
    struct ebpf_lookup key;

    f->why = ebpf_encode(put->actions, put->actions_len, acts, &f->n);
    if (f->why) {
        COUNTER_INC(ebpf_flow_slow);
    }
    if (!ebpf_encode_key(put->key, put->mask, &key, &mask)) {
        f->why = "only packets that the daemon looks up again can match";
        return;
    }
    if (ebpf_space_get(&e->slots, 1, &f->slot)) {
        goto full;
    }
    if (clear_counters(e, f->slot) || write_acts(e, acts, f->n, &f->first)) {
        goto no_acts;
    }
    if (mask_get(e, &mask, &f->mask)) {
        goto no_mask;
    }
    key.mask = f->mask;
    if (write_flow(e, f, &key, BPF_ANY)) {
        goto no_flow;
    }
    f->in_map = true;
    return;

no_flow:
    mask_put(e, f->mask);
no_mask:
    ebpf_space_put(&e->acts, f->first, MAX(f->n, 1));
no_acts:
    ebpf_space_put(&e->slots, f->slot, 1);
full:
    COUNTER_INC(ebpf_map_full);
    f->why = no_room;
    e->crowded = true;
}

/* As the programs have it. */
static bool
lookup_key(const struct ebpf *e, const struct ebpf_flow *f, struct ebpf_lookup *key)
{
    const struct user_flow *u = user_flow_find(&e->user, &f->ufid);
    struct ebpf_mask mask;
    struct match m;

    if (!u) {
        return false;
    }
    match_unpack(u->cls.match, &m);
    ebpf_encode_key(&m.key, &m.mask, key, &mask);
    key->mask = f->mask;
    return true;
}

/* Out of the maps; its counters are added to 's'. */
static void
uninstall(struct ebpf *e, struct ebpf_flow *f, struct dp_stats *s)
{
    struct ebpf_lookup key;

    if (f->in_map) {
        if (lookup_key(e, f, &key)) {
            bpf_map_delete_elem(ebpf_map_flows(e), &key);
        }
        add_counters_of(e, f, s);
        mask_put(e, f->mask);
        ebpf_space_put(&e->acts, f->first, MAX(f->n, 1));
        ebpf_space_put(&e->slots, f->slot, 1);
        f->in_map = false;
        e->room = true;
    }
}

static void
modify(struct ebpf *e, struct ebpf_flow *f, struct dp_flow_put *put)
{
    struct ebpf_act acts[EBPF_MAX_ACTS];
    struct ebpf_flow was = *f;
    struct ebpf_lookup key;

    f->adopted = false;
    if (!f->in_map) {
        return;
    }
    add_counters_of(e, f, &put->stats);
    f->why = ebpf_encode(put->actions, put->actions_len, acts, &f->n);
    if (lookup_key(e, f, &key) && !write_acts(e, acts, f->n, &f->first)) {
        if (!write_flow(e, f, &key, BPF_EXIST)) {
            ebpf_space_put(&e->acts, was.first, MAX(was.n, 1));
            return;
        }
        ebpf_space_put(&e->acts, f->first, MAX(f->n, 1));
    }
    /* No room for the new actions: the programs must not go on with the old ones. */
    f->first = was.first;
    f->n = was.n;
    f->why = no_room;
    e->crowded = true;
    COUNTER_INC(ebpf_map_full);
    if (write_flow(e, f, &key, BPF_EXIST)) {
        bpf_map_delete_elem(ebpf_map_flows(e), &key);
    }
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
    struct dp_stats *kernel; /* By slot; of the first 'n' slots. NULL: of a single flow, counters are read then. */
    uint32_t n;
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
    }
    if (f && !d->kernel) {
        add_counters_of(d->e, f, &out.stats);
    } else if (f && f->in_map && f->slot < d->n) {
        dp_stats_add(&out.stats, &d->kernel[f->slot]);
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

/* Of the slots in use, by few system calls. As often as somebody looks at all flows the masks are put in order and what waits for room is looked after. */
static void
read_counters(struct ebpf *e, struct dump *d)
{
    struct ebpf_counter *c = xcalloc((size_t) COUNTER_BATCH * e->n_cpus, sizeof *c);
    uint32_t keys[COUNTER_BATCH], position, *in = NULL;

    pthread_mutex_lock(&e->mutex);
    if (e->crowded && e->room) {
        take_in(e);
    }
    d->n = e->slots.used;
    sort_masks(e);
    pthread_mutex_unlock(&e->mutex);
    d->kernel = xcalloc(MAX(d->n, 1U), sizeof *d->kernel);
    for (uint32_t done = 0; done < d->n;) {
        uint32_t n = MIN(d->n - done, COUNTER_BATCH);

        if (bpf_map_lookup_batch(ebpf_map_counters(e), in, &position, keys, c, &n, NULL) && !n) {
            break;
        }
        for (uint32_t i = 0; i < n; i++) {
            if (keys[i] < d->n) {
                add_counters(e, c + (size_t) i * e->n_cpus, &d->kernel[keys[i]]);
            }
        }
        done += n;
        in = &position;
    }
    free(c);
}

int
ebpf_flow_get(struct dp *dp, const dp_ufid *ufid, void (*fn)(const struct dp_flow_dumped *, void *), void *arg)
{
    struct ebpf *e = ebpf_cast(dp);
    struct dump d = {.e = e, .one = fn, .arg = arg};

    return user_flow_get(dp, ufid, pass_got, &d);
}

int
ebpf_flow_dump(struct dp *dp, bool terse, bool (*fn)(const struct dp_flow_dumped *, void *), void *arg)
{
    struct ebpf *e = ebpf_cast(dp);
    struct dump d = {.e = e, .fn = fn, .arg = arg};
    int error;

    read_counters(e, &d);
    error = user_flow_dump(dp, terse, pass_dumped, &d);
    free(d.kernel);
    return error;
}

static void
uninstall_all(struct ebpf *e)
{
    struct hnode *h;

    while ((h = htable_next(&e->flows, NULL)) != NULL) {
        struct ebpf_flow *f = CONTAINER_OF(h, struct ebpf_flow, node);
        struct dp_stats ignored = {.packets = 0};

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
    struct hnode *h;

    while ((h = htable_next(&e->flows, NULL)) != NULL) {
        flow_free(e, CONTAINER_OF(h, struct ebpf_flow, node));
    }
    htable_destroy(&e->flows);
    ebpf_space_destroy(&e->slots);
    ebpf_space_destroy(&e->acts);
}
