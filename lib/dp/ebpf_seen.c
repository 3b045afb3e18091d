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
    bool elsewhere; /* As glance() says. */
};

/* Of one in the maps. */
static void
see_content(const struct ebpf *e, const struct ebpf_flow *f, struct seen *s)
{
    uint32_t mask = e->table.flows[f->slot].mask;
    uint64_t words[EBPF_KEY_WORDS];

    ebpf_table_words(e, f->slot, words);
    ebpf_decode_key(words, &e->table.masks[mask], &s->match.key);
    ebpf_mask_whole(e, mask, &s->match.mask);
    s->actions = user_actions_copy(f->deed->actions.data, f->deed->actions.len);
    s->d.key = &s->match.key;
    s->d.mask = &s->match.mask;
    s->d.actions = s->actions->data;
    s->d.actions_len = s->actions->len;
}

/* What a terse dump says. true: it is one of the userspace datapath, which is asked for the rest. */
static bool
glance(const struct ebpf *e, const struct ebpf_flow *f, struct dp_flow_dumped *d)
{
    *d = (struct dp_flow_dumped){.ufid = f->ufid, .has_ufid = true, .extack = ebpf_flow_why(f)};
    if (f->deed) {
        d->actions_unknown = f->deed->unknown;
        ebpf_flow_stats(e, f, &d->stats);
    }
    return !f->deed;
}

/* false: there is none. */
static bool
see(struct ebpf *e, const dp_ufid *ufid, struct seen *s)
{
    const struct ebpf_flow *f;

    s->actions = NULL;
    pthread_mutex_lock(&e->mutex);
    f = ebpf_flow_find(e, ufid);
    if (f) {
        s->elsewhere = glance(e, f, &s->d);
        if (!s->elsewhere) {
            see_content(e, f, s);
        }
    }
    pthread_mutex_unlock(&e->mutex);
    return f;
}

/* A flow of the userspace datapath on its way to who asked us. */
struct passing {
    const char *why;
    void (*one)(const struct dp_flow_dumped *, void *);
    bool (*fn)(const struct dp_flow_dumped *, void *);
    void *arg;
    bool go_on;
};

static void
pass(const struct dp_flow_dumped *flow, void *passing)
{
    struct passing *p = passing;
    struct dp_flow_dumped d = *flow;

    d.extack = p->why;
    if (p->one) {
        p->one(&d, p->arg);
    } else {
        p->go_on = p->fn(&d, p->arg);
    }
}

int
ebpf_flow_get(struct dp *dp, const dp_ufid *ufid, void (*fn)(const struct dp_flow_dumped *, void *), void *arg)
{
    struct seen s;

    if (!see(ebpf_cast(dp), ufid, &s)) {
        return -ENOENT;
    }
    if (s.elsewhere) {
        struct passing p = {.why = s.d.extack, .one = fn, .arg = arg};

        return user_flow_get(dp, ufid, pass, &p);
    }
    fn(&s.d, arg);
    free(s.actions);
    return 0;
}

/* The mutex held for as long as it takes to write them down: others change flows meanwhile. */
static dp_ufid *
list_all(struct ebpf *e, size_t *n)
{
    dp_ufid *all;

    *n = 0;
    pthread_mutex_lock(&e->mutex);
    all = xcalloc(e->flows.n + 1, sizeof *all);
    for (const struct hnode *h = NULL; (h = htable_next(&e->flows, h)) != NULL;) {
        all[(*n)++] = CONTAINER_OF(h, struct ebpf_flow, node)->ufid;
    }
    pthread_mutex_unlock(&e->mutex);
    return all;
}

static bool
pass_other(struct ebpf *e, const struct dp_flow_dumped *d, bool (*fn)(const struct dp_flow_dumped *, void *), void *arg)
{
    struct passing p = {.why = d->extack, .fn = fn, .arg = arg, .go_on = true};

    user_flow_get(&e->user.dp, &d->ufid, pass, &p);
    return p.go_on;
}

static bool
pass_one(struct ebpf *e, const dp_ufid *ufid, bool (*fn)(const struct dp_flow_dumped *, void *), void *arg)
{
    struct seen s;
    bool go_on;

    if (!see(e, ufid, &s)) {
        return true;
    }
    if (s.elsewhere) {
        return pass_other(e, &s.d, fn, arg);
    }
    go_on = fn(&s.d, arg);
    free(s.actions);
    return go_on;
}

/* Tersely, up to BATCH of them: handlers want the mutex, too. */
static bool
pass_terse(struct ebpf *e, const dp_ufid *ufids, size_t n, bool (*fn)(const struct dp_flow_dumped *, void *), void *arg)
{
    struct dp_flow_dumped flows[BATCH];
    bool elsewhere[BATCH], go_on = true;
    size_t n_seen = 0;

    pthread_mutex_lock(&e->mutex);
    for (size_t i = 0; i < n; i++) {
        const struct ebpf_flow *f = ebpf_flow_find(e, &ufids[i]);

        if (f) {
            elsewhere[n_seen] = glance(e, f, &flows[n_seen]);
            n_seen++;
        }
    }
    pthread_mutex_unlock(&e->mutex);
    for (size_t i = 0; i < n_seen && go_on; i++) {
        go_on = elsewhere[i] ? pass_other(e, &flows[i], fn, arg) : fn(&flows[i], arg);
    }
    return go_on;
}

/* As often as somebody looks at all flows the masks are put in order, and what waits for room, what the programs counted and which devices take frames is
 * looked after. */
int
ebpf_flow_dump(struct dp *dp, bool terse, bool (*fn)(const struct dp_flow_dumped *, void *arg), void *arg)
{
    struct ebpf *e = ebpf_cast(dp);
    bool go_on = true;
    dp_ufid *all;
    size_t n;

    pthread_mutex_lock(&e->mutex);
    ebpf_flows_take_in(e);
    ebpf_masks_sort(e);
    pthread_mutex_unlock(&e->mutex);
    all = list_all(e, &n);
    for (size_t i = 0; i < n && go_on; i += terse ? BATCH : 1) {
        go_on = terse ? pass_terse(e, &all[i], MIN(n - i, BATCH), fn, arg) : pass_one(e, &all[i], fn, arg);
    }
    free(all);
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
        const dp_ufid ufid = {e->table.ufids[slot].hi, e->table.ufids[slot].lo};
        struct ebpf_flow *f = ebpf_flow_find(e, &ufid);

        if (f && f->deed && !f->deed->unknown) {
            credit(f, p, key);
            actions = &f->deed->actions;
        }
    }
    pthread_mutex_unlock(&e->mutex);
    return actions;
}
