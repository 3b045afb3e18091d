// SPDX-License-Identifier: Apache-2.0
// The eBPF datapath's flows as others see them: dumps, and packets that the daemon has in hand.
#include <config.h>
#include <stdlib.h>

#include "lib/dp/ebpf.h"

#define BATCH 64

/* A flow, copied for callbacks, which run without the mutex. */
struct seen {
    struct dp_flow_dumped d;
    struct match match;
    struct user_actions *actions;
};

/* What a terse dump says of one in the maps. */
static void
glance(const struct ebpf *e, const struct ebpf_flow *f, struct dp_flow_dumped *d)
{
    *d = (struct dp_flow_dumped){.ufid = f->ufid, .has_ufid = true, .extack = ebpf_flow_why(f), .actions_unknown = f->deed->unknown};
    ebpf_flow_stats(e, f, &d->stats);
}

/* Of one in the maps. */
static void
see(const struct ebpf *e, const struct ebpf_flow *f, struct seen *s)
{
    uint32_t mask = e->table.flows[f->slot].mask;
    uint64_t words[EBPF_KEY_WORDS];

    glance(e, f, &s->d);
    ebpf_table_words(e, f->slot, words);
    ebpf_decode_key(words, &e->table.masks[mask], &s->match.key);
    ebpf_mask_whole(e, mask, &s->match.mask);
    s->actions = user_actions_copy(f->deed->actions.data, f->deed->actions.len);
    s->d.key = &s->match.key;
    s->d.mask = &s->match.mask;
    s->d.actions = s->actions->data;
    s->d.actions_len = s->actions->len;
}

/* A flow of the userspace datapath on its way to who asked for it. */
struct got {
    const char *why;
    void (*fn)(const struct dp_flow_dumped *, void *);
    void *arg;
};

static void
get_elsewhere(const struct dp_flow_dumped *flow, void *got)
{
    const struct got *g = got;
    struct dp_flow_dumped d = *flow;

    d.extack = g->why;
    g->fn(&d, g->arg);
}

int
ebpf_flow_get(struct dp *dp, const dp_ufid *ufid, void (*fn)(const struct dp_flow_dumped *, void *), void *arg)
{
    struct ebpf *e = ebpf_cast(dp);
    struct got elsewhere = {.fn = fn, .arg = arg};
    const struct ebpf_flow *f;
    bool in_maps = false;
    struct seen s;

    pthread_mutex_lock(&e->mutex);
    f = ebpf_flow_find(e, ufid);
    if (f) {
        in_maps = f->deed;
        elsewhere.why = ebpf_flow_why(f);
    }
    if (in_maps) {
        see(e, f, &s);
    }
    pthread_mutex_unlock(&e->mutex);
    if (!in_maps) {
        return f ? user_flow_get(dp, ufid, get_elsewhere, &elsewhere) : -ENOENT;
    }
    fn(&s.d, arg);
    free(s.actions);
    return 0;
}

/* A dump on its way to who asked for it, who may have had enough. */
struct dump {
    struct ebpf *e;
    bool (*fn)(const struct dp_flow_dumped *, void *);
    void *arg;
    bool go_on;
};

/* One of the userspace datapath, unless it has come into the maps meanwhile, where it is seen later. */
static bool
dump_elsewhere(const struct dp_flow_dumped *flow, void *dump)
{
    struct dump *d = dump;
    struct dp_flow_dumped seen = *flow;
    const struct ebpf_flow *f;
    bool is_elsewhere;

    pthread_mutex_lock(&d->e->mutex);
    f = ebpf_flow_find(d->e, &flow->ufid);
    is_elsewhere = f && !f->deed;
    seen.extack = is_elsewhere ? ebpf_flow_why(f) : NULL;
    pthread_mutex_unlock(&d->e->mutex);
    if (is_elsewhere) {
        d->go_on = d->fn(&seen, d->arg);
    }
    return d->go_on;
}

/* Those in some slots. */
static void
dump_glances(struct dump *d, uint32_t first, uint32_t end)
{
    struct dp_flow_dumped flows[BATCH];
    size_t n = 0;

    pthread_mutex_lock(&d->e->mutex);
    for (uint32_t slot = first; slot < end; slot++) {
        if (d->e->in_maps[slot].deed) {
            glance(d->e, &d->e->in_maps[slot], &flows[n++]);
        }
    }
    pthread_mutex_unlock(&d->e->mutex);
    for (size_t i = 0; i < n && d->go_on; i++) {
        d->go_on = d->fn(&flows[i], d->arg);
    }
}

/* The one in a slot. */
static void
dump_whole(struct dump *d, uint32_t slot)
{
    const struct ebpf_flow *f = &d->e->in_maps[slot];
    struct seen s;
    bool is_there;

    pthread_mutex_lock(&d->e->mutex);
    is_there = f->deed;
    if (is_there) {
        see(d->e, f, &s);
    }
    pthread_mutex_unlock(&d->e->mutex);
    if (is_there) {
        d->go_on = d->fn(&s.d, d->arg);
        free(s.actions);
    }
}

/* Handlers want the mutex, too: it is held for some flows at a time. Flows move from the userspace datapath into the maps, never back, so that none is left out.
 *
 * As often as somebody looks at all flows the masks are put in order, and what waits for room, what the programs counted and which devices take frames is looked
 * after. */
int
ebpf_flow_dump(struct dp *dp, bool terse, bool (*fn)(const struct dp_flow_dumped *, void *arg), void *arg)
{
    struct ebpf *e = ebpf_cast(dp);
    struct dump d = {e, fn, arg, true};
    uint32_t used;

    pthread_mutex_lock(&e->mutex);
    ebpf_flows_take_in(e);
    ebpf_masks_sort(e);
    pthread_mutex_unlock(&e->mutex);
    user_flow_dump(dp, terse, dump_elsewhere, &d);
    pthread_mutex_lock(&e->mutex);
    used = e->slots.used;
    pthread_mutex_unlock(&e->mutex);
    for (uint32_t slot = 0; slot < used && d.go_on; slot += terse ? BATCH : 1) {
        if (terse) {
            dump_glances(&d, slot, MIN(slot + BATCH, used));
        } else {
            dump_whole(&d, slot);
        }
    }
    ebpf_count_totals(e);
    ebpf_xdp_refresh(e, 1000); /* At last, and not each time: it waits while somebody sets up a device. */
    return 0;
}

static void
credit(struct ebpf_flow *f, const struct packet *p, const struct flow_key *key)
{
    const struct dp_stats one = {1, p->len, now_ms(), ntohs(key->tcp_flags)};

    if (!f->executed) {
        f->executed = xzalloc(sizeof *f->executed);
    }
    dp_stats_add(f->executed, &one);
}

/* A packet may come up although the programs have its flow: it was on its way when that came, the daemon has to execute it, or the daemon looks the packet up again. */
const struct user_actions *
ebpf_flow_execute(struct user_dp *u, const struct packet *p, const struct flow_key *key)
{
    struct ebpf *e = CONTAINER_OF(u, struct ebpf, user);
    const struct user_actions *actions = NULL;
    uint32_t slot;

    if (!ebpf_table_find(e, key, &slot)) {
        return NULL; /* As for nearly all. One that is being put is missed, and found to be there when it is put again. */
    }
    pthread_mutex_lock(&e->mutex);
    if (ebpf_table_find(e, key, &slot)) {
        struct ebpf_flow *f = &e->in_maps[slot];

        if (f->deed && !f->deed->unknown) {
            credit(f, p, key);
            actions = &f->deed->actions;
        }
    }
    pthread_mutex_unlock(&e->mutex);
    return actions;
}
