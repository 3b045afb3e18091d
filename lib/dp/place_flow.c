// SPDX-License-Identifier: Apache-2.0
// Puts, deletions and dumps of flows through the tiers.
#include <config.h>
#include "lib/dp/place_private.h"

#include <stdlib.h>

static bool
is_active(const struct place *p)
{
    return __atomic_load_n(&p->active, __ATOMIC_RELAXED);
}

/* After a put: the record says what the datapath has now. */
static void
put_finish_one(struct place *p, struct place_flow *f, struct dp_flow_put *put)
{
    struct match m;

    if (f) {
        if (put->modify) {
            dp_stats_add(&put->stats, &f->base);
            dp_stats_add(&put->stats, &f->tc);
        }
        if (f->prio) {
            place_keep_counters(f);
            place_forget_filter(p, f);
        }
        place_set_actions(f, put->actions, put->actions_len);
        f->in_dp = true;
        f->busy = false;
        place_set_tier(p, f, PLACE_DP, NULL);
    } else if (__atomic_load_n(&p->enabled, __ATOMIC_RELAXED) && !place_find(p, put->ufid)) {
        m.key = *put->key;
        m.mask = *put->mask;
        f = place_add(p, put->ufid, &m, put->actions, put->actions_len);
    }
    if (f && __atomic_load_n(&p->enabled, __ATOMIC_RELAXED)) {
        place_enqueue(p, f);
    }
}

/* Which of the batch go to the datapath, and in which guise: a flow that lives in a filter only is new there.
 */
static size_t
put_plan(struct dp_flow_put *puts, struct place_flow **flows, size_t n, struct dp_flow_put *down,
         size_t *which)
{
    size_t n_down = 0;

    for (size_t i = 0; i < n; i++) {
        const struct place_flow *f = flows[i];

        puts[i].error = 0;
        if (f && f->prio && !puts[i].modify) {
            puts[i].error = -EEXIST;
            continue;
        }
        down[n_down] = puts[i];
        down[n_down].modify = puts[i].modify && !(f && !f->in_dp);
        which[n_down++] = i;
    }
    return n_down;
}

static void
put_batch(struct place *p, struct dp_flow_put *puts, size_t n)
{
    struct place_flow *flows[PLACE_BATCH], *changed[PLACE_BATCH];
    struct dp_flow_put down[PLACE_BATCH];
    dp_ufid ufids[PLACE_BATCH];
    size_t which[PLACE_BATCH], n_down, n_changed = 0;

    for (size_t i = 0; i < n; i++) {
        ufids[i] = puts[i].ufid;
    }
    pthread_mutex_lock(&p->lock);
    place_seize(p, ufids, flows, n);
    pthread_mutex_unlock(&p->lock);

    n_down = put_plan(puts, flows, n, down, which);
    p->dp->ops->flow_put(p->dp, down, n_down);
    for (size_t i = 0; i < n_down; i++) {
        puts[which[i]].error = down[i].error;
        puts[which[i]].stats = down[i].stats;
        if (!down[i].error && flows[which[i]] && flows[which[i]]->prio) {
            changed[n_changed++] = flows[which[i]];
        }
    }
    /* The datapath forwards by the new actions as soon as the filter has gone. */
    place_delete_filters(p, changed, n_changed);

    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < n; i++) {
        if (!puts[i].error) {
            put_finish_one(p, flows[i], &puts[i]);
        } else if (flows[i] && flows[i]->tier == PLACE_DP) {
            flows[i]->retry_ms = now_ms(); /* It may have been taken off the queue. */
        }
    }
    place_release(p, flows, n);
    pthread_mutex_unlock(&p->lock);
}

void
place_flow_put(struct place *p, struct dp_flow_put *puts, size_t n)
{
    if (!is_active(p)) {
        p->dp->ops->flow_put(p->dp, puts, n);
        return;
    }
    for (size_t i = 0; i < n; i += PLACE_BATCH) {
        put_batch(p, puts + i, MIN(n - i, PLACE_BATCH));
    }
}

static void
del_batch(struct place *p, struct dp_flow_del *dels, size_t n)
{
    struct place_flow *flows[PLACE_BATCH], *filtered[PLACE_BATCH];
    dp_ufid ufids[PLACE_BATCH];
    size_t n_filtered = 0;

    for (size_t i = 0; i < n; i++) {
        ufids[i] = dels[i].ufid;
    }
    pthread_mutex_lock(&p->lock);
    place_seize(p, ufids, flows, n);
    pthread_mutex_unlock(&p->lock);

    for (size_t i = 0; i < n; i++) {
        if (flows[i] && flows[i]->prio) {
            filtered[n_filtered++] = flows[i];
        }
    }
    place_delete_filters(p, filtered, n_filtered);
    p->dp->ops->flow_del(p->dp, dels, n);

    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < n; i++) {
        struct place_flow *f = flows[i];

        if (f) {
            if (!f->in_dp && dels[i].error == -ENOENT) {
                dels[i].error = 0;
            }
            dp_stats_add(&dels[i].stats, &f->base);
            dp_stats_add(&dels[i].stats, &f->tc);
            place_remove(p, f);
        }
    }
    pthread_cond_broadcast(&p->not_busy);
    pthread_mutex_unlock(&p->lock);
}

void
place_flow_del(struct place *p, struct dp_flow_del *dels, size_t n)
{
    if (!is_active(p)) {
        p->dp->ops->flow_del(p->dp, dels, n);
        return;
    }
    for (size_t i = 0; i < n; i += PLACE_BATCH) {
        del_batch(p, dels + i, MIN(n - i, PLACE_BATCH));
    }
}

struct dump {
    struct place *p;
    uint64_t seq;
    bool terse, ended;
    bool (*fn)(const struct dp_flow_dumped *, const struct place_state *, void *arg);
    void *arg;
};

static void
state_of(const struct place *p, const struct place_flow *f, struct place_state *state)
{
    memset(state, 0, sizeof *state);
    state->tier = f ? f->tier : PLACE_DP;
    if (f && f->why) {
        memcpy(state->why, f->why->text, sizeof state->why);
    } else if (!__atomic_load_n(&p->enabled, __ATOMIC_RELAXED)) {
        strcpy(state->why, "offload is off");
    } else if (state->tier == PLACE_DP) {
        strcpy(state->why, "waits for promotion");
    }
}

/* How hot a flow is: packets since the last dump, in powers of two. What waits is sorted by it; what was left
 * out for lack of room gets another chance. */
static void
note_heat(struct place *p, struct place_flow *f, const struct dp_stats *now)
{
    uint64_t packets = now->packets - MIN(now->packets, f->reported.packets);
    unsigned heat = 0;

    while (packets && heat < PLACE_N_HEATS - 2) {
        heat++;
        packets >>= 1;
    }
    f->reported = *now;
    if (heat != f->heat && !f->busy && f->tier == PLACE_DP && f->queued) {
        place_dequeue(p, f);
        f->heat = (uint8_t) heat;
        place_enqueue(p, f);
    }
    f->heat = (uint8_t) heat;
    if (f->retry_ms && f->retry_ms <= now_ms() && __atomic_load_n(&p->enabled, __ATOMIC_RELAXED) &&
        !place_full_port(p, f)) {
        place_enqueue(p, f);
    }
}

static bool
dp_flow_seen(const struct dp_flow_dumped *seen, void *dump)
{
    struct dump *d = dump;
    struct place *p = d->p;
    struct dp_flow_dumped f = *seen;
    struct place_state state;
    struct place_flow *record;

    pthread_mutex_lock(&p->lock);
    record = seen->has_ufid ? place_find(p, seen->ufid) : NULL;
    if (record) {
        dp_stats_add(&f.stats, &record->base);
        dp_stats_add(&f.stats, &record->tc);
        note_heat(p, record, &f.stats);
        record->dump_seq = d->seq;
    }
    state_of(p, record, &state);
    f.in_hw = state.tier == PLACE_HW;
    pthread_mutex_unlock(&p->lock);
    d->ended = !d->fn(&f, &state, d->arg);
    return !d->ended;
}

/* With the lock: what there is to say of a flow that lives in a filter. */
static void
stats_of(const struct place_flow *f, struct dp_flow_dumped *out)
{
    out->ufid = f->ufid;
    out->has_ufid = true;
    out->stats = f->base;
    dp_stats_add(&out->stats, &f->tc);
    out->in_hw = f->tier == PLACE_HW;
}

/* With the lock: the same for match and actions, copied to 'm' and 'actions'. */
static void
content_of(const struct place_flow *f, struct dp_flow_dumped *out, struct match *m, struct buf *actions)
{
    match_unpack(f->match, m);
    buf_clear(actions);
    buf_put(actions, f->actions, f->actions_len);
    out->key = &m->key;
    out->mask = &m->mask;
    out->actions = actions->data;
    out->actions_len = actions->len;
}

/* A flow that lives in a filter, copied out of its record: fn is called without the lock. */
static bool
report_one(struct dump *d, dp_ufid ufid, struct buf *actions)
{
    struct place *p = d->p;
    struct dp_flow_dumped out = {.key = NULL};
    struct place_state state;
    struct place_flow *f;
    struct match m;

    pthread_mutex_lock(&p->lock);
    f = place_find(p, ufid);
    if (!f || f->dump_seq == d->seq) {
        pthread_mutex_unlock(&p->lock);
        return true;
    }
    f->dump_seq = d->seq;
    stats_of(f, &out);
    note_heat(p, f, &out.stats);
    if (out.in_hw && out.stats.used_ms) {
        out.stats.used_ms += PLACE_HW_LAG_MS;
    }
    state_of(p, f, &state);
    if (!d->terse) {
        content_of(f, &out, &m, actions);
    }
    pthread_mutex_unlock(&p->lock);
    out.extack = state.why[0] ? state.why : NULL;
    return d->fn(&out, &state, d->arg);
}

int
place_flow_get(struct place *p, const dp_ufid *ufid, void (*fn)(const struct dp_flow_dumped *, void *arg),
               void *arg)
{
    struct dp_flow_dumped out = {.key = NULL};
    struct buf actions = BUF_EMPTY;
    const struct place_flow *f;
    struct match m;

    pthread_mutex_lock(&p->lock);
    f = place_find(p, *ufid);
    if (f && !f->in_dp) {
        stats_of(f, &out);
        content_of(f, &out, &m, &actions);
    }
    pthread_mutex_unlock(&p->lock);
    if (!out.key) {
        return p->dp->ops->flow_get(p->dp, ufid, fn, arg);
    }
    fn(&out, arg);
    buf_free(&actions);
    return 0;
}

/* Those whom the datapath's dump did not show. */
static void
report_rest(struct dump *d)
{
    struct place *p = d->p;
    struct buf actions = BUF_EMPTY;
    dp_ufid *ufids;
    size_t n = 0;
    struct hnode *h;

    pthread_mutex_lock(&p->lock);
    ufids = xcalloc(MAX(p->flows.n, 1U), sizeof *ufids);
    for (h = htable_next(&p->flows, NULL); h; h = htable_next(&p->flows, h)) {
        const struct place_flow *f = CONTAINER_OF(h, struct place_flow, node);

        if (f->dump_seq != d->seq && (f->prio || f->busy)) {
            ufids[n++] = f->ufid;
        }
    }
    pthread_mutex_unlock(&p->lock);
    for (size_t i = 0; i < n && report_one(d, ufids[i], &actions); i++) {
        continue;
    }
    buf_free(&actions);
    free(ufids);
}

struct plain_dump {
    const struct place *p;
    bool (*fn)(const struct dp_flow_dumped *, const struct place_state *, void *arg);
    void *arg;
};

static bool
plain_seen(const struct dp_flow_dumped *f, void *dump)
{
    struct plain_dump *d = dump;
    struct place_state state;

    state_of(d->p, NULL, &state);
    if (f->extack) {
        snprintf(state.why, sizeof state.why, "the daemon executes it: %s", f->extack);
    }
    return d->fn(f, &state, d->arg);
}

int
place_flow_dump(struct place *p, bool terse,
                bool (*fn)(const struct dp_flow_dumped *, const struct place_state *, void *arg), void *arg)
{
    struct dump d = {.p = p, .terse = terse, .fn = fn, .arg = arg};
    int error;

    if (__atomic_load_n(&p->n_unclean, __ATOMIC_RELAXED)) {
        place_adopt(p);
    }
    if (!is_active(p)) {
        struct plain_dump plain = {p, fn, arg};

        return p->dp->ops->flow_dump(p->dp, terse, plain_seen, &plain);
    }
    pthread_mutex_lock(&p->lock);
    d.seq = ++p->next_dump_seq;
    pthread_mutex_unlock(&p->lock);
    place_read_counters(p, d.seq);
    error = p->dp->ops->flow_dump(p->dp, terse, dp_flow_seen, &d);
    if (!error && !d.ended) {
        report_rest(&d);
    }
    return error;
}

int
place_flow_flush(struct place *p)
{
    struct place_flow *batch[PLACE_BATCH], *filtered[PLACE_BATCH];
    dp_ufid ufids[PLACE_BATCH];
    size_t n = 0;
    int error = p->dp->ops->flow_flush(p->dp);

    if (!is_active(p)) {
        return error;
    }
    do {
        struct hnode *h;
        size_t n_filtered = 0;

        pthread_mutex_lock(&p->lock);
        h = htable_next(&p->flows, NULL);
        for (n = 0; h && n < PLACE_BATCH; h = htable_next(&p->flows, h)) {
            ufids[n++] = CONTAINER_OF(h, struct place_flow, node)->ufid;
        }
        place_seize(p, ufids, batch, n);
        pthread_mutex_unlock(&p->lock);
        for (size_t i = 0; i < n; i++) {
            if (batch[i] && batch[i]->prio) {
                filtered[n_filtered++] = batch[i];
            }
        }
        place_delete_filters(p, filtered, n_filtered);
        pthread_mutex_lock(&p->lock);
        for (size_t i = 0; i < n; i++) {
            if (batch[i]) {
                place_remove(p, batch[i]);
            }
        }
        pthread_cond_broadcast(&p->not_busy);
        pthread_mutex_unlock(&p->lock);
    } while (n);
    return error;
}
