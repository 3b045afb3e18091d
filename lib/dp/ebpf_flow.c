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

const char ebpf_no_room[] = "a map of the eBPF programs is full";

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
ebpf_flow_new(struct ebpf *e, dp_ufid ufid, uint32_t slot, struct ebpf_deed *deed)
{
    struct ebpf_flow *f = &e->in_maps[slot];

    f->ufid = ufid;
    f->slot = slot;
    f->deed = deed;
    htable_insert(&e->flows, &f->node, dp_ufid_hash(ufid));
    return f;
}

/* It is in no map. */
static void
keep_elsewhere(struct ebpf *e, dp_ufid ufid, bool crowded_out)
{
    struct ebpf_flow *f = xzalloc(sizeof *f);

    f->ufid = ufid;
    f->crowded_out = crowded_out;
    htable_insert(&e->flows, &f->node, dp_ufid_hash(ufid));
}

static void
forget(struct ebpf *e, struct ebpf_flow *f)
{
    htable_remove(&e->flows, &f->node);
    free(f->executed);
    if (f == &e->in_maps[f->slot]) {
        memset(f, 0, sizeof *f);
    } else {
        free(f);
    }
}

void
ebpf_flow_stats(const struct ebpf *e, const struct ebpf_flow *f, struct dp_stats *s)
{
    ebpf_counters_add(e, f->slot, s);
    if (f->executed) {
        dp_stats_add(s, f->executed);
    }
}

/* What is counted of a put, for what the programs cannot do. */
static void
note_why(struct ebpf *e, const struct ebpf_deed *d)
{
    if (d->why == ebpf_no_room) {
        COUNTER_INC(ebpf_map_full);
        e->crowded = true;
    } else if (d->why) {
        COUNTER_INC(ebpf_flow_slow);
    }
}

const char *
ebpf_flow_why(const struct ebpf_flow *f)
{
    return f->deed ? f->deed->why : f->crowded_out ? ebpf_no_room : "only packets that the daemon looks up again can match";
}

/* Into the maps. NULL: it cannot be, or, if '*crowded_out' is true now, they have no room for it. */
static struct ebpf_flow *
install(struct ebpf *e, const struct dp_flow_put *put, bool *crowded_out)
{
    uint64_t words[EBPF_KEY_WORDS];
    struct ebpf_mask mask;
    struct ebpf_deed *deed;
    uint32_t n_slots, slot;
    uint16_t id;

    if (!ebpf_encode_key(put->key, put->mask, words, &mask)) {
        return NULL;
    }
    n_slots = ebpf_table_n_slots(&mask);
    if (ebpf_space_get(&e->slots, n_slots, &slot)) {
        goto full;
    }
    if (ebpf_mask_get(e, &mask, put->mask, &id)) {
        goto no_mask;
    }
    deed = ebpf_deed_get(e, put->actions, put->actions_len);
    ebpf_counters_clear(e, slot);
    e->table.ufids[slot] = (struct ebpf_ufid){put->ufid.hi, put->ufid.lo};
    if (ebpf_table_add(e, slot, words, id, deed->todo)) {
        goto no_room_in_chain;
    }
    note_why(e, deed);
    return ebpf_flow_new(e, put->ufid, slot, deed);

no_room_in_chain:
    ebpf_deed_put(e, deed);
    ebpf_mask_put(e, id);
no_mask:
    ebpf_space_put(&e->slots, slot, n_slots);
full:
    COUNTER_INC(ebpf_map_full);
    *crowded_out = e->crowded = true;
    return NULL;
}

/* Out of the maps; it has gone then. */
static void
uninstall(struct ebpf *e, struct ebpf_flow *f, struct dp_stats *last)
{
    uint32_t mask = e->table.flows[f->slot].mask;

    ebpf_table_del(e, f->slot);
    ebpf_flow_stats(e, f, last);
    ebpf_space_put(&e->slots, f->slot, ebpf_table_n_slots(&e->table.masks[mask]));
    ebpf_mask_put(e, mask);
    ebpf_deed_put(e, f->deed);
    forget(e, f);
    e->room = true;
}

/* What is done from now on with packets of a flow in the maps. */
static void
change(struct ebpf *e, struct ebpf_flow *f, const void *actions, size_t len)
{
    struct ebpf_deed *was = f->deed;

    f->deed = ebpf_deed_get(e, actions, len);
    ebpf_table_set_todo(e, f->slot, f->deed->todo);
    note_why(e, f->deed);
    ebpf_deed_put(e, was);
}

static void
modify(struct ebpf *e, struct ebpf_flow *f, struct dp_flow_put *put)
{
    if (!f->deed) {
        user_flow_put(&e->user.dp, put, 1);
        return;
    }
    put->stats = (struct dp_stats){.packets = 0};
    ebpf_flow_stats(e, f, &put->stats);
    change(e, f, put->actions, put->actions_len);
}

/* Out of the userspace datapath into the maps. false: there it stays. */
static bool
move(struct ebpf *e, struct ebpf_flow *f)
{
    const struct user_flow *u = user_flow_find(&e->user, &f->ufid);
    struct dp_flow_put put = {.ufid = f->ufid, .actions = u->actions->data, .actions_len = u->actions->len};
    struct dp_flow_del del = {.ufid = f->ufid};
    struct ebpf_flow *moved;
    bool crowded_out = false;
    struct match m;

    match_unpack(u->cls.match, &m);
    put.key = &m.key;
    put.mask = &m.mask;
    htable_remove(&e->flows, &f->node); /* First, so that the table does not grow while somebody walks through it. */
    moved = install(e, &put, &crowded_out);
    if (!moved) {
        htable_insert(&e->flows, &f->node, dp_ufid_hash(f->ufid));
        return false;
    }
    free(f);
    user_flow_del(&e->user.dp, &del, 1);
    moved->executed = xmemdup(&del.stats, sizeof del.stats);
    return true;
}

void
ebpf_flows_take_in(struct ebpf *e)
{
    if (!e->crowded || !e->room) {
        return;
    }
    e->crowded = e->room = false;
    for (struct hnode *h = htable_next(&e->flows, NULL), *next; h && !e->crowded; h = next) {
        struct ebpf_flow *f = CONTAINER_OF(h, struct ebpf_flow, node);

        next = htable_next(&e->flows, h);
        if (ebpf_flow_why(f) != ebpf_no_room) {
            continue;
        }
        if (!f->deed) {
            COUNTER_ADD(ebpf_map_room, move(e, f));
        } else {
            change(e, f, f->deed->actions.data, f->deed->actions.len);
            COUNTER_ADD(ebpf_map_room, ebpf_flow_why(f) != ebpf_no_room);
        }
    }
}

/* Where it is in no map the userspace datapath has it, if it takes it. */
static void
add(struct ebpf *e, struct dp_flow_put *put)
{
    bool crowded_out = false;

    if (!install(e, put, &crowded_out)) {
        user_flow_put(&e->user.dp, put, 1);
        if (!put->error) {
            keep_elsewhere(e, put->ufid, crowded_out);
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
        htable_prefetch(&e->flows, dp_ufid_hash(puts[i].ufid));
    }
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
    if (f->deed) {
        del->stats = (struct dp_stats){.packets = 0};
        uninstall(e, f, &del->stats);
    } else {
        user_flow_del(&e->user.dp, del, 1);
        forget(e, f);
    }
}

/* Who deletes sees grace periods out, so that who puts, with a packet in hand, need not. */
static void
ripen(struct ebpf *e)
{
    struct ebpf_space *const spaces[] = {&e->slots, &e->acts, &e->mask_ids};
    bool rests[ARRAY_SIZE(spaces)], any = false;

    pthread_mutex_lock(&e->mutex);
    for (size_t i = 0; i < ARRAY_SIZE(spaces); i++) {
        rests[i] = ebpf_space_rest(spaces[i]);
        any = any || rests[i];
    }
    pthread_mutex_unlock(&e->mutex);
    if (!any) {
        return;
    }
    ebpf_space_wait();
    pthread_mutex_lock(&e->mutex);
    for (size_t i = 0; i < ARRAY_SIZE(spaces); i++) {
        if (rests[i]) {
            ebpf_space_rested(spaces[i]);
        }
    }
    pthread_mutex_unlock(&e->mutex);
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
    ripen(e);
}

static void
uninstall_all(struct ebpf *e)
{
    for (struct hnode *h = htable_next(&e->flows, NULL), *next; h; h = next) {
        struct ebpf_flow *f = CONTAINER_OF(h, struct ebpf_flow, node);
        struct dp_stats ignored = {.packets = 0};

        next = htable_next(&e->flows, h);
        if (f->deed) {
            uninstall(e, f, &ignored);
        } else {
            forget(e, f);
        }
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
    ripen(e);
    return error;
}

/* The maps are left as they are. */
void
ebpf_flows_close(struct ebpf *e)
{
    for (struct hnode *h = htable_next(&e->flows, NULL), *next; h; h = next) {
        struct ebpf_flow *f = CONTAINER_OF(h, struct ebpf_flow, node);

        next = htable_next(&e->flows, h);
        if (f->deed) {
            ebpf_deed_put(e, f->deed);
        }
        forget(e, f);
    }
    htable_destroy(&e->deeds);
    for (unsigned i = 0; i < EBPF_MAX_MASKS; i++) {
        free(e->masks[i].whole);
    }
    htable_destroy(&e->flows);
    free(e->in_maps);
    ebpf_space_destroy(&e->slots);
    ebpf_space_destroy(&e->acts);
    ebpf_space_destroy(&e->mask_ids);
}
