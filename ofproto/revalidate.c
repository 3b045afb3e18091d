// SPDX-License-Identifier: Apache-2.0
// One leader thread dumps; then the leader and its helpers each take a share of the megaflows (by ufid). Within a cycle a megaflow belongs to one thread.
//
// A megaflow that a whole dump did not report, though it was installed before the dump began, is gone from the datapath by somebody else's hand.
#include <config.h>
#include "ofproto/revalidate.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/base/counter.h"
#include "lib/base/log.h"
#include "ofproto/megaflow.h"
#include "ofproto/private.h"

COUNTER(revalidate_cycle, "A cycle over all megaflows was done.");
COUNTER(revalidate_translated, "A megaflow was translated again.");
COUNTER(revalidate_modified, "A megaflow's actions were changed in place.");
COUNTER(revalidate_deleted, "A megaflow was removed because its translation changed.");
COUNTER(revalidate_idle, "A megaflow was removed because it was idle.");
COUNTER(revalidate_vanished, "A megaflow was gone from the datapath by another hand.");
COUNTER(revalidate_adopted, "A flow that an earlier daemon left in the datapath was adopted.");
COUNTER(revalidate_foreign, "A flow in the datapath that we could not make out was removed.");

#define BATCH 64
#define COALESCE_MS 2          /* Changes that come in a burst share a cycle... */
#define COALESCE_MAX_MS 100    /* ...and cycles under a stream of changes take at most half of a core's time. */
#define CROWDED_IDLE_MS 100    /* Above flow-limit megaflows leave when idle this long. */
#define ADOPT_MAX 4096         /* Unknown flows handled in one cycle. */

struct waiter {
    struct waiter *next;
    uint64_t cycle;            /* Satisfied once this many cycles have begun and ended. */
    void (*done)(void *arg);
    void *arg;
};

struct revalidators {
    struct datapath *datapath;
    pthread_t thread;
    pthread_mutex_t mutex;     /* Guards what follows, up to the blank line; held for a moment only. */
    pthread_cond_t wake;
    bool stop, woken, purge;
    bool paused;               /* No cycles but those that purge. */
    struct waiter *waiters;
    uint64_t begun, ended;     /* Cycles. */

    uint64_t cycle;            /* Leader's: the number of this one. */
    uint64_t generation;       /* Leader's: what this cycle brings megaflows up to. */
    bool purging;
    bool dumped_whole;         /* Leader's: what this cycle's dump did not report is not there. */
    int64_t last_ms;           /* Atomic: how long the last cycle took. */
    uint32_t max_idle_ms, max_revalidator_ms, flow_limit; /* Atomic: of the configuration. */
    unsigned n_threads;        /* Atomic: wanted. */
    dp_ufid *adopt;
    size_t n_adopt;
};

/* A thread's work of one cycle: a share of the megaflows and the batches it fills. */
struct sweep {
    struct revalidators *rv;
    unsigned share, n_shares;
    uint32_t max_idle_ms;
    int64_t now;
    struct translate_out out;
    struct megaflow *gone[BATCH];
    struct dp_flow_del dels[BATCH];
    size_t n_dels;
    struct buf actions;
};

/* Credits what the datapath counted since the last time. */
static void
credit(struct megaflow *mf, const struct dp_stats *s)
{
    uint64_t packets = s->packets > mf->packets ? s->packets - mf->packets : 0;
    uint64_t bytes = s->bytes > mf->bytes ? s->bytes - mf->bytes : 0;

    if (packets) {
        effects_apply(mf->outcome->effects, mf->outcome->n_effects, packets, bytes, s->used_ms);
        effects_repeat(mf->outcome->effects, mf->outcome->n_effects, s->used_ms);
        mf->packets = s->packets;
        mf->bytes = s->bytes;
        __atomic_store_n(&mf->used_ms, s->used_ms, __ATOMIC_RELAXED);
    }
}

static void
flush_dels(struct sweep *sw)
{
    struct datapath *d = sw->rv->datapath;

    if (sw->n_dels) {
        place_flow_del(d->place, sw->dels, sw->n_dels);
    }
    for (size_t i = 0; i < sw->n_dels; i++) {
        if (!sw->dels[i].error) {
            credit(sw->gone[i], &sw->dels[i].stats);
        }
        free((void *) sw->dels[i].key);
        megaflows_remove(d->megaflows, sw->gone[i]);
    }
    sw->n_dels = 0;
}

static void
delete_flow(struct sweep *sw, struct megaflow *mf)
{
    struct flow_key *key = xmalloc(sizeof *key);

    megaflow_match(mf, key, NULL);
    sw->gone[sw->n_dels] = mf;
    sw->dels[sw->n_dels++] = (struct dp_flow_del){.ufid = mf->ufid, .key = key};
    if (sw->n_dels == BATCH) {
        flush_dels(sw);
    }
}

/* Puts the new actions in place of the old ones; false if the datapath would not have them. */
static bool
modify_flow(struct sweep *sw, const struct megaflow *mf, const struct flow_key *key, const struct flow_key *mask)
{
    struct dp_flow_put put = {.ufid = mf->ufid,
                              .key = key,
                              .mask = mask,
                              .actions = sw->actions.data,
                              .actions_len = sw->actions.len,
                              .modify = true};

    place_flow_put(sw->rv->datapath->place, &put, 1);
    return !put.error;
}

/* Bits that the new translation looks at must be looked at by the megaflow already: else it would cover packets it must not. */
static bool
mask_covers(const struct flow_key *have, const struct flow_key *need)
{
    const uint64_t *h = flow_key_cwords(have), *n = flow_key_cwords(need);

    for (size_t i = 0; i < FLOW_KEY_WORDS; i++) {
        if (n[i] & ~h[i]) {
            return false;
        }
    }
    return true;
}

/* Translates the megaflow again. true: it stays (perhaps with other actions). */
static bool
translate_again(struct sweep *sw, struct megaflow *mf)
{
    struct datapath *d = sw->rv->datapath;
    struct translate_in in = {0};
    struct flow_key dp_key, mask;
    bool same;

    COUNTER_INC(revalidate_translated);
    megaflow_match(mf, &dp_key, &mask);
    in.in_port = datapath_key_to_translate(d, &dp_key, &in.key);
    if (!in.in_port) {
        return false;
    }
    in.bridge = in.in_port->bridge;
    translate_out_clear(&sw->out);
    translate(&in, &sw->out);
    if (!sw->out.cacheable) {
        return false;
    }
    datapath_mask_from_translate(d, &dp_key, &sw->out.mask);
    if (!mask_covers(&mask, &sw->out.mask)) {
        return false;
    }
    buf_clear(&sw->actions);
    megaflow_datapath_actions(&sw->out, in.bridge->id, &sw->actions);
    same = sw->actions.len == mf->outcome->actions_len && (!sw->actions.len || !memcmp(sw->actions.data, mf->outcome->actions, sw->actions.len));
    if (!same) {
        COUNTER_INC(revalidate_modified);
        if (!modify_flow(sw, mf, &dp_key, &mask)) {
            return false;
        }
    }
    megaflow_retranslated(d->megaflows, mf, &sw->out, &sw->actions, sw->rv->generation);
    return true;
}

/* An adapter may not have told of any packet yet: for its flows, what the dump says was used allows for that, whether or not something was counted. */
static bool
is_idle(const struct sweep *sw, const struct megaflow *mf)
{
    int64_t used = MAX(MAX(__atomic_load_n(&mf->used_ms, __ATOMIC_RELAXED), mf->dumped.used_ms), mf->created_ms);

    return sw->now - used > sw->max_idle_ms;
}

static bool
sweep_one(struct megaflow *mf, void *sweep)
{
    struct sweep *sw = sweep;
    struct revalidators *rv = sw->rv;

    if (!__atomic_load_n(&mf->installed, __ATOMIC_ACQUIRE) || mf->ufid.hi % sw->n_shares != sw->share) {
        return true;
    }
    if (!mf->seen_cycle) {
        mf->seen_cycle = rv->cycle; /* Installed since the last cycle; perhaps after the dump went by. */
    }
    if (mf->seen_cycle != rv->cycle && !rv->purging) {
        if (rv->dumped_whole) {
            COUNTER_INC(revalidate_vanished);
            delete_flow(sw, mf); /* The tiers keep a record of it, whichever of them lost it. */
        }
        return true;
    }
    credit(mf, &mf->dumped);
    if (rv->purging) {
        delete_flow(sw, mf);
    } else if (is_idle(sw, mf)) {
        COUNTER_INC(revalidate_idle);
        delete_flow(sw, mf);
    } else if (mf->generation != rv->generation && !translate_again(sw, mf)) {
        COUNTER_INC(revalidate_deleted);
        delete_flow(sw, mf);
    }
    return true;
}

static void
sweep_share(struct revalidators *rv, unsigned share, unsigned n_shares)
{
    struct sweep *sw = xzalloc(sizeof *sw);
    size_t n = megaflows_n(rv->datapath->megaflows);
    bool crowded = n > __atomic_load_n(&rv->flow_limit, __ATOMIC_RELAXED);

    sw->rv = rv;
    sw->share = share;
    sw->n_shares = n_shares;
    sw->now = now_ms();
    sw->max_idle_ms = crowded ? CROWDED_IDLE_MS : __atomic_load_n(&rv->max_idle_ms, __ATOMIC_RELAXED);
    translate_out_init(&sw->out);
    megaflows_for_each(rv->datapath->megaflows, sweep_one, sw);
    flush_dels(sw);
    translate_out_destroy(&sw->out);
    buf_free(&sw->actions);
    free(sw);
}

struct helper {
    struct revalidators *rv;
    unsigned share, n_shares;
};

static void
helper_main(void *helper)
{
    struct helper *h = helper;

    sweep_share(h->rv, h->share, h->n_shares);
}

/* The leader and n_threads - 1 helpers, which live for one sweep: worth their making only for many flows. */
static void
sweep_all(struct revalidators *rv)
{
    unsigned n = megaflows_n(rv->datapath->megaflows) > 1000 ? __atomic_load_n(&rv->n_threads, __ATOMIC_RELAXED) : 1;
    struct helper *helpers = xcalloc(n, sizeof *helpers);
    pthread_t *threads = xcalloc(n, sizeof *threads);

    for (unsigned i = 1; i < n; i++) {
        char name[32];

        helpers[i] = (struct helper){rv, i, n};
        snprintf(name, sizeof name, "revalidator%u", i + 1);
        threads[i] = rcu_thread_create(name, helper_main, &helpers[i]);
    }
    sweep_share(rv, 0, n);
    urcu_qsbr_thread_offline();
    for (unsigned i = 1; i < n; i++) {
        pthread_join(threads[i], NULL);
    }
    urcu_qsbr_thread_online();
    free(threads);
    free(helpers);
}

static bool
note_dumped(const struct dp_flow_dumped *f, const struct place_state *state, void *rv_)
{
    struct revalidators *rv = rv_;
    struct megaflow *mf = f->has_ufid ? megaflows_find(rv->datapath->megaflows, f->ufid) : NULL;

    if (mf) {
        mf->seen_cycle = rv->cycle;
        mf->dumped = f->stats;
    } else if (f->has_ufid && rv->n_adopt < ADOPT_MAX) {
        rv->adopt[rv->n_adopt++] = f->ufid;
    }
    return true;
}

struct adoption {
    struct megaflows *megaflows;
    struct megaflow *mf; /* NULL: the datapath told too little of it. */
};

static void
adopt_flow(const struct dp_flow_dumped *f, void *adoption)
{
    struct adoption *a = adoption;

    if (f->key && f->mask && f->has_ufid) {
        a->mf = megaflow_adopt(a->megaflows, f);
    }
}

/* Flows that the datapath has and we do not know: left by an earlier daemon, or a handler is about to publish them (then the ufid is taken). */
static void
adopt_unknown(struct revalidators *rv)
{
    struct datapath *d = rv->datapath;

    for (size_t i = 0; i < rv->n_adopt; i++) {
        struct adoption a = {.megaflows = d->megaflows};
        struct dp_flow_del del = {.ufid = rv->adopt[i]};

        if (megaflows_find(d->megaflows, rv->adopt[i]) || place_flow_get(d->place, &rv->adopt[i], adopt_flow, &a)) {
            continue;
        }
        if (!a.mf) {
            COUNTER_INC(revalidate_foreign);
            place_flow_del(d->place, &del, 1);
        } else if (!megaflows_add(d->megaflows, a.mf)) {
            megaflow_free(a.mf);
        } else {
            COUNTER_INC(revalidate_adopted);
        }
    }
    rv->n_adopt = 0;
}

static void
run_cycle(struct revalidators *rv)
{
    int64_t start = now_ms();
    struct datapath *d = rv->datapath;

    rv->generation = __atomic_load_n(&d->generation, __ATOMIC_ACQUIRE);
    if (!__atomic_load_n(&d->forwarding, __ATOMIC_ACQUIRE)) {
        return; /* What an earlier daemon left goes on as it is until we know what is wanted. */
    }
    rv->dumped_whole = !place_flow_dump(d->place, true, note_dumped, rv);
    adopt_unknown(rv);
    sweep_all(rv);
    COUNTER_INC(revalidate_cycle);
    megaflows_note_cycle(d->megaflows);
    __atomic_store_n(&rv->last_ms, now_ms() - start, __ATOMIC_RELAXED);
}

/* Waits, the mutex held, until a cycle is due: something changed, there is to be a purge, or it is 'until'. */
static void
wait_until_due(struct revalidators *rv, const struct timespec *until)
{
    while (!rv->stop && !rv->purge && (rv->paused || !rv->woken)) {
        if (rv->paused) {
            pthread_cond_wait(&rv->wake, &rv->mutex);
        } else if (pthread_cond_timedwait(&rv->wake, &rv->mutex, until) && !rv->paused) {
            return;
        }
    }
}

/* Sleeps until there is a reason for a cycle. false: stop. */
static bool
wait_for_work(struct revalidators *rv)
{
    int64_t ms = __atomic_load_n(&rv->max_revalidator_ms, __ATOMIC_RELAXED);
    struct timespec until;
    bool go;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    urcu_qsbr_thread_offline();
    pthread_mutex_lock(&rv->mutex);
    do {
        wait_until_due(rv, &until);
        if (rv->woken && !rv->stop) {
            pthread_mutex_unlock(&rv->mutex);
            usleep((useconds_t) MAX(COALESCE_MS, MIN(revalidators_dump_ms(rv), COALESCE_MAX_MS)) * 1000);
            pthread_mutex_lock(&rv->mutex);
        }
    } while (rv->paused && !rv->purge && !rv->stop);
    __atomic_store_n(&rv->woken, false, __ATOMIC_RELAXED);
    rv->purging = rv->purge;
    rv->purge = false;
    rv->cycle = ++rv->begun;
    go = !rv->stop;
    pthread_mutex_unlock(&rv->mutex);
    urcu_qsbr_thread_online();
    return go;
}

/* Tells those who waited for a cycle such as this one. */
static void
tell_waiters(struct revalidators *rv)
{
    struct waiter *done = NULL, **p = &rv->waiters;

    pthread_mutex_lock(&rv->mutex);
    rv->ended = rv->begun;
    while (*p) {
        struct waiter *w = *p;

        if (w->cycle <= rv->cycle) {
            *p = w->next;
            w->next = done;
            done = w;
        } else {
            p = &w->next;
        }
    }
    pthread_mutex_unlock(&rv->mutex);
    while (done) {
        struct waiter *next = done->next;

        loop_post(rv->datapath->ofproto->loop, done->done, done->arg);
        free(done);
        done = next;
    }
}

static void
leader_main(void *rv_)
{
    struct revalidators *rv = rv_;

    while (wait_for_work(rv)) {
        run_cycle(rv);
        tell_waiters(rv);
        rcu_quiescent();
    }
    rv->cycle = UINT64_MAX;
    tell_waiters(rv);
}

struct revalidators *
revalidators_create(struct datapath *d)
{
    struct revalidators *rv = xzalloc(sizeof *rv);
    pthread_condattr_t attr;

    rv->datapath = d;
    rv->max_idle_ms = 10000;
    rv->max_revalidator_ms = 500;
    rv->flow_limit = 200000;
    rv->n_threads = 1;
    rv->adopt = xcalloc(ADOPT_MAX, sizeof *rv->adopt);
    pthread_mutex_init(&rv->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&rv->wake, &attr);
    pthread_condattr_destroy(&attr);
    rv->thread = rcu_thread_create("revalidator1", leader_main, rv);
    return rv;
}

void
revalidators_destroy(struct revalidators *rv)
{
    pthread_mutex_lock(&rv->mutex);
    rv->stop = true;
    pthread_cond_signal(&rv->wake);
    pthread_mutex_unlock(&rv->mutex);
    urcu_qsbr_thread_offline();
    pthread_join(rv->thread, NULL);
    urcu_qsbr_thread_online();
    pthread_cond_destroy(&rv->wake);
    pthread_mutex_destroy(&rv->mutex);
    free(rv->adopt);
    free(rv);
}

void
revalidators_configure(struct revalidators *rv, const struct ofproto_config *c)
{
    __atomic_store_n(&rv->max_idle_ms, c->max_idle_ms, __ATOMIC_RELAXED);
    __atomic_store_n(&rv->max_revalidator_ms, c->max_revalidator_ms, __ATOMIC_RELAXED);
    __atomic_store_n(&rv->flow_limit, c->flow_limit, __ATOMIC_RELAXED);
    __atomic_store_n(&rv->n_threads, MAX(c->n_revalidator_threads, 1), __ATOMIC_RELAXED);
}

void
revalidators_wake(struct revalidators *rv)
{
    /* Without megaflows there is nothing to look at: a million rules are added without a word to this thread. One that a handler is installing just
     * now carries the generation it was translated in, and the next cycle looks at it. */
    if (!rv || __atomic_load_n(&rv->woken, __ATOMIC_RELAXED) || !megaflows_n(rv->datapath->megaflows)) {
        return;
    }
    pthread_mutex_lock(&rv->mutex);
    __atomic_store_n(&rv->woken, true, __ATOMIC_RELAXED);
    pthread_cond_signal(&rv->wake);
    pthread_mutex_unlock(&rv->mutex);
}

/* Wakes the leader, the mutex held. */
static void
wake_leader(struct revalidators *rv)
{
    __atomic_store_n(&rv->woken, true, __ATOMIC_RELAXED);
    pthread_cond_signal(&rv->wake);
}

/* Calls done(arg) after the cycle of this number; the mutex is held. */
static void
add_waiter(struct revalidators *rv, uint64_t cycle, void (*done)(void *arg), void *arg)
{
    struct waiter *w = xzalloc(sizeof *w);

    *w = (struct waiter){rv->waiters, cycle, done, arg};
    rv->waiters = w;
}

void
revalidators_after_cycle(struct revalidators *rv, void (*done)(void *arg), void *arg)
{
    pthread_mutex_lock(&rv->mutex);
    add_waiter(rv, rv->begun + 1, done, arg);
    wake_leader(rv);
    pthread_mutex_unlock(&rv->mutex);
}

void
revalidators_purge(struct revalidators *rv, void (*done)(void *arg), void *arg)
{
    pthread_mutex_lock(&rv->mutex);
    rv->purge = true;
    add_waiter(rv, rv->begun + 1, done, arg);
    wake_leader(rv);
    pthread_mutex_unlock(&rv->mutex);
}

void
revalidators_pause(struct revalidators *rv, void (*done)(void *arg), void *arg)
{
    pthread_mutex_lock(&rv->mutex);
    rv->paused = true;
    pthread_cond_signal(&rv->wake); /* It may be waiting for the time of the next one. */
    if (rv->ended == rv->begun) {
        loop_post(rv->datapath->ofproto->loop, done, arg);
    } else {
        add_waiter(rv, rv->begun, done, arg);
    }
    pthread_mutex_unlock(&rv->mutex);
}

void
revalidators_resume(struct revalidators *rv, void (*done)(void *arg), void *arg)
{
    pthread_mutex_lock(&rv->mutex);
    rv->paused = false;
    wake_leader(rv);
    pthread_mutex_unlock(&rv->mutex);
    loop_post(rv->datapath->ofproto->loop, done, arg);
}

unsigned
revalidators_n(const struct revalidators *rv)
{
    return __atomic_load_n(&rv->n_threads, __ATOMIC_RELAXED);
}

void
revalidators_set_flow_limit(struct revalidators *rv, uint32_t limit)
{
    __atomic_store_n(&rv->flow_limit, limit, __ATOMIC_RELAXED);
}

uint32_t
revalidators_flow_limit(const struct revalidators *rv)
{
    return __atomic_load_n(&rv->flow_limit, __ATOMIC_RELAXED);
}

int64_t
revalidators_dump_ms(const struct revalidators *rv)
{
    return __atomic_load_n(&rv->last_ms, __ATOMIC_RELAXED);
}
