// SPDX-License-Identifier: Apache-2.0
// The promoter: a thread that moves flows from the datapath to TC, a batch at a time, and back.
#include <config.h>
#include "lib/dp/place_private.h"

#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib/base/counter.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/base/rcu.h"

COUNTER(tc_promoted, "A flow moved from the datapath into TC.");
COUNTER(tc_compile_refused, "A flow has a match or an action that no TC filter is made for.");
COUNTER(tc_insert_refused, "The kernel or an adapter refused a filter, or did not take it into hardware.");
COUNTER(tc_shape_refused, "A flow was kept from TC since one of its shape was refused a moment ago.");
COUNTER(tc_backoff, "Promotion to a device paused since it ran out of something.");
COUNTER(tc_demoted, "A flow moved from TC back into the datapath.");

/* A flow on its way. */
struct job {
    struct place_flow *f;
    struct match match;
    struct tc_filter filter;
    struct tc_prio *prio;
    uint32_t shape, handle;
    int error;
    bool inserted, in_hw, again;
    int64_t retry_ms; /* As place_flow's. */
    char why[TC_WHY_MAX];
    char extack[NL_EXTACK_MAX];
};

struct promoter {
    struct place *p;
    enum place_policy policy;
    struct job jobs[PLACE_BATCH];
    struct place_flow *flows[PLACE_BATCH];
    struct nl_batch batch;
};

static void
deleted(struct nl_op *op, const struct nlmsghdr *h, void *place_)
{
    struct place *p = place_;
    struct place_flow *f = op->aux;
    struct tc_seen seen;

    if (f && !tc_seen_of(h, &seen)) {
        pthread_mutex_lock(&p->lock); /* Counters of busy records are read by dumps. */
        place_stats_of_seen(f, &seen, &f->tc);
        pthread_mutex_unlock(&p->lock);
    }
}

void
place_delete_filters(struct place *p, struct place_flow **flows, size_t n)
{
    struct nl_batch b = {.n = 0};
    struct nl_sock *s;

    if (!n || nl_pool_get(p->pool, &s)) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const struct tc_prio *prio = flows[i]->prio;

        nl_batch_add(&b)->aux = flows[i];
        tc_filter_del(&b.msgs, prio->ifindex, prio->protocol, prio->number, flows[i]->handle);
    }
    nl_batch_run(s, &b, deleted, p);
    nl_batch_free(&b);
    nl_pool_put(p->pool, s);
}

void
place_demote(struct place *p, struct place_flow **flows, size_t n, const char *why)
{
    struct match *matches = xcalloc(MAX(n, 1U), sizeof *matches);
    struct place_flow *moving[PLACE_BATCH];
    struct dp_flow_put puts[PLACE_BATCH];
    size_t n_moving = 0;

    for (size_t i = 0; i < n; i++) {
        if (flows[i] && flows[i]->prio) {
            struct place_flow *f = flows[i];

            match_unpack(f->match, &matches[n_moving]);
            puts[n_moving] = (struct dp_flow_put){.ufid = f->ufid,
                                                  .key = &matches[n_moving].key,
                                                  .mask = &matches[n_moving].mask,
                                                  .actions = f->actions,
                                                  .actions_len = f->actions_len};
            moving[n_moving++] = f;
        }
    }
    p->dp->ops->flow_put(p->dp, puts, n_moving);
    place_delete_filters(p, moving, n_moving);
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < n_moving; i++) {
        struct place_flow *f = moving[i];

        f->in_dp = !puts[i].error || puts[i].error == -EEXIST;
        f->demote = false;
        f->retry_ms = now_ms() + PLACE_REFUSED_MS;
        place_keep_counters(f);
        place_forget_filter(p, f);
        place_set_tier(p, f, PLACE_DP, why);
        p->n_demoted++;
        COUNTER_INC(tc_demoted);
    }
    pthread_mutex_unlock(&p->lock);
    free(matches);
}

/* What makes flows alike to an adapter: where they come from, what they look at and what they do. */
static uint32_t
shape_of(const struct job *j)
{
    uint32_t hash = hash_u64((uint64_t) j->filter.ifindex << 16 | j->filter.protocol, 0);

    hash = hash_bytes(&j->match.mask, sizeof j->match.mask, hash);
    return hash_bytes(j->f->actions ? j->f->actions : "", j->f->actions_len, hash);
}

/* With the lock. True: 'j' is of a shape that was refused lately. */
static bool
shape_is_refused(struct place *p, struct job *j)
{
    struct hnode *h = htable_first_with_hash(&p->shapes, j->shape);
    struct place_shape *s = h ? CONTAINER_OF(h, struct place_shape, node) : NULL;

    if (s && s->until_ms <= now_ms()) {
        htable_remove(&p->shapes, &s->node);
        free(s);
        s = NULL;
    }
    if (s) {
        memcpy(j->why, s->why, sizeof j->why);
        j->retry_ms = now_ms() + PLACE_REFUSED_MS;
    }
    return s != NULL;
}

static void
remember_shape(struct place *p, const struct job *j)
{
    struct hnode *h = htable_first_with_hash(&p->shapes, j->shape);
    struct place_shape *s = h ? CONTAINER_OF(h, struct place_shape, node) : xzalloc(sizeof *s);

    if (!h) {
        htable_insert(&p->shapes, &s->node, j->shape);
    }
    s->until_ms = now_ms() + PLACE_SHAPE_MS;
    memcpy(s->why, j->why, sizeof s->why);
}

/* Sees to the ingress hook and finds a place for the filter. False: 'j->why' or 'j->again' says why not. */
static bool
job_find_place(struct place *p, struct job *j)
{
    struct place_port *port;
    bool made = false, have;
    int error = 0;

    pthread_mutex_lock(&p->lock);
    port = place_port_by_ifindex(p, j->filter.ifindex);
    have = port && port->ingress;
    pthread_mutex_unlock(&p->lock);
    if (!have) {
        error = tc_ingress_ensure(p->pool, j->filter.ifindex, &made);
    }
    pthread_mutex_lock(&p->lock);
    port = place_port_by_ifindex(p, j->filter.ifindex);
    if (error || !port) {
        snprintf(j->why, sizeof j->why, "no ingress hook on its device (%s)",
                 errno_text(error ? error : -ENODEV));
        j->retry_ms = now_ms() + PLACE_REFUSED_MS;
    } else if (shape_is_refused(p, j)) {
        COUNTER_INC(tc_shape_refused);
    } else {
        port->ingress = true;
        port->ingress_ours |= made;
        j->prio = tc_prio_get(p->prios, j->filter.ifindex, j->filter.protocol, &j->match.mask);
        if (j->prio) {
            port->n_filters++;
            j->handle = ++j->prio->last_handle;
        } else {
            strcpy(j->why, "all priorities of its device are taken");
        }
    }
    pthread_mutex_unlock(&p->lock);
    return j->prio != NULL;
}

static uint32_t
policy_flags(enum place_policy policy)
{
    switch (policy) {
    case PLACE_POLICY_SKIP_SW:
        return TCA_CLS_FLAGS_SKIP_SW;
    case PLACE_POLICY_SKIP_HW:
        return TCA_CLS_FLAGS_SKIP_HW;
    case PLACE_POLICY_NONE:
        break;
    }
    return TCA_CLS_FLAGS_VERBOSE;
}

/* Adds the request that puts its filter to the batch. */
static void
job_ask(struct promoter *pr, struct job *j, enum place_policy policy)
{
    bool echo = policy == PLACE_POLICY_NONE;
    struct nl_op *op = nl_batch_add(&pr->batch);

    op->aux = j;
    op->extack = j->extack;
    op->want_ack = echo;
    tc_filter_put(&pr->batch.msgs, &j->filter, j->prio->number, j->handle, policy_flags(policy),
                  echo ? NLM_F_ECHO : 0);
}

static void
job_prepare(struct promoter *pr, struct job *j)
{
    struct tc_ports ports = place_tc_ports(pr->p);
    const struct place_flow *f = j->f;

    match_unpack(f->match, &j->match);
    if (tc_compile(&j->match.key, &j->match.mask, f->actions, f->actions_len, f->ufid, &ports,
                   pr->policy != PLACE_POLICY_NONE, &j->filter, j->why)) {
        COUNTER_INC(tc_compile_refused);
        return;
    }
    j->shape = shape_of(j);
    if (job_find_place(pr->p, j)) {
        job_ask(pr, j, pr->policy);
    }
}

static void
inserted(struct nl_op *op, const struct nlmsghdr *h, void *arg)
{
    struct job *j = op->aux;
    struct tc_seen seen;

    if (!tc_seen_of(h, &seen)) {
        j->in_hw = seen.in_hw;
    }
}

/* The kernel's answer to a filter that was put with 'policy'. */
static void
job_judge(struct job *j, enum place_policy policy, int error)
{
    const char *text = j->extack[0] ? j->extack : errno_text(error);

    j->error = error;
    j->inserted = !error;
    if (!error && policy == PLACE_POLICY_NONE && !j->in_hw) {
        snprintf(j->why, sizeof j->why, "not in hardware: %s",
                 j->extack[0] ? j->extack : "no device offloads");
    } else if (!error) {
        j->in_hw = policy != PLACE_POLICY_SKIP_HW;
        j->why[0] = '\0';
    } else if (error == -ENOSPC || error == -ENOMEM || error == -EAGAIN || error == -EBUSY) {
        j->again = true;
        snprintf(j->why, sizeof j->why, "waits for room in the device: %s", text);
    } else if (error == -EEXIST) {
        j->again = true; /* Its next handle will be another. */
        snprintf(j->why, sizeof j->why, "its place in TC was taken");
    } else {
        j->retry_ms = now_ms() + PLACE_REFUSED_MS;
        if (!j->why[0]) {
            snprintf(j->why, sizeof j->why, "%s", text);
        }
    }
}

static void
insert_all(struct promoter *pr, enum place_policy policy)
{
    struct nl_sock *s;
    int error;

    if (!pr->batch.n) {
        return;
    }
    error = nl_pool_get(pr->p->pool, &s);
    if (!error) {
        nl_batch_run(s, &pr->batch, inserted, NULL);
        nl_pool_put(pr->p->pool, s);
    }
    for (size_t i = 0; i < pr->batch.n; i++) {
        job_judge(pr->batch.ops[i].aux, policy, error ? error : pr->batch.ops[i].error);
    }
    nl_batch_clear(&pr->batch);
}

/* Filters that only TC's software took go again: the datapath is as good. Whether an adapter may take them some
 * other time its driver does not say in that case; asked for a filter for hardware alone it fails with an errno
 * that does. */
static void
ask_hardware(struct promoter *pr, size_t n)
{
    struct place_flow *out[PLACE_BATCH];
    size_t n_out = 0;

    for (size_t i = 0; i < n; i++) {
        struct job *j = &pr->jobs[i];

        if (j->inserted && j->why[0]) {
            /* Only so that place_delete_filters() finds it. The record is ours, it is busy. */
            j->f->prio = j->prio;
            j->f->handle = j->handle;
            out[n_out++] = j->f;
            job_ask(pr, j, PLACE_POLICY_SKIP_SW);
        }
    }
    place_delete_filters(pr->p, out, n_out);
    pthread_mutex_lock(&pr->p->lock);
    for (size_t i = 0; i < n_out; i++) {
        /* What it forwarded meanwhile counts. */
        place_keep_counters(out[i]);
        out[i]->prio = NULL;
    }
    pthread_mutex_unlock(&pr->p->lock);
    insert_all(pr, PLACE_POLICY_SKIP_SW);
}

/* A filter that stays: its flow leaves the datapath. */
static void
leave_datapath(struct promoter *pr, size_t n)
{
    struct dp_flow_del dels[PLACE_BATCH];
    struct place_flow *leaving[PLACE_BATCH];
    size_t n_leaving = 0;

    for (size_t i = 0; i < n; i++) {
        struct job *j = &pr->jobs[i];

        if (j->inserted) {
            j->f->prio = j->prio;
            j->f->handle = j->handle;
            dels[n_leaving] = (struct dp_flow_del){.ufid = j->f->ufid, .key = &j->match.key};
            leaving[n_leaving++] = j->f;
        }
    }
    if (n_leaving) {
        pr->p->dp->ops->flow_del(pr->p->dp, dels, n_leaving);
    }
    pthread_mutex_lock(&pr->p->lock);
    for (size_t i = 0; i < n_leaving; i++) {
        leaving[i]->in_dp = dels[i].error && dels[i].error != -ENOENT;
        dp_stats_add(&leaving[i]->base, &dels[i].stats);
    }
    pthread_mutex_unlock(&pr->p->lock);
}

/* With the lock: what became of it. */
static void
job_finish(struct promoter *pr, struct job *j)
{
    struct place *p = pr->p;
    struct place_flow *f = j->f;

    if (j->inserted) {
        place_set_tier(p, f, j->in_hw ? PLACE_HW : PLACE_TC, NULL);
        f->tc_seq = p->next_dump_seq;
        f->base.used_ms = MAX(f->base.used_ms, now_ms());
        f->hw_packets = 0;
        p->n_promoted++;
        COUNTER_INC(tc_promoted);
        return;
    }
    if (j->prio) {
        f->prio = j->prio;
        place_forget_place(p, f);
        COUNTER_INC(tc_insert_refused);
        if (!j->again) {
            remember_shape(p, j);
        }
    }
    f->retry_ms = j->again ? now_ms() : j->retry_ms;
    p->n_refused += !j->again;
    place_set_tier(p, f, PLACE_DP, j->why);
    log_dbg(LOG_tc, DP_UFID_FMT ": stays in the datapath: %s", DP_UFID_ARGS(f->ufid), j->why);
}

/* With the lock: devices that ran out of something are left alone for a while, each by itself. */
static void
note_pressure(struct place *p, const struct job *jobs, size_t n)
{
    int64_t now = now_ms();

    for (size_t i = 0; i < n; i++) {
        const struct job *j = &jobs[i];
        struct place_port *port = j->prio ? place_port_by_ifindex(p, j->filter.ifindex) : NULL;

        if (port && j->inserted) {
            port->pause_ms = 0;
        } else if (port && j->again && j->error != -EEXIST && (!port->pause_ms || port->full_ms < now)) {
            COUNTER_INC(tc_backoff);
            port->pause_ms = port->pause_ms ? MIN(2 * port->pause_ms, PLACE_BACKOFF_MAX_MS) : PLACE_BACKOFF_MS;
            port->full_ms = now;
            memcpy(port->full_why, j->why, sizeof port->full_why);
        }
    }
}

static void
work_off(struct promoter *pr, size_t n)
{
    struct place *p = pr->p;
    struct place_flow *demoted[PLACE_BATCH];
    size_t n_demoted = 0, n_jobs = 0;

    pr->policy = p->policy;
    for (size_t i = 0; i < n; i++) {
        struct place_flow *f = pr->flows[i];

        if (f->prio) {
            demoted[n_demoted++] = f;
        } else {
            struct job *j = &pr->jobs[n_jobs++];
            struct buf body = j->filter.body;

            memset(j, 0, sizeof *j);
            j->filter.body = body;
            j->f = f;
            job_prepare(pr, j);
        }
    }
    insert_all(pr, pr->policy);
    ask_hardware(pr, n_jobs);
    leave_datapath(pr, n_jobs);
    place_demote(p, demoted, n_demoted, "its filter was lost");
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < n_jobs; i++) {
        job_finish(pr, &pr->jobs[i]);
    }
    note_pressure(p, pr->jobs, n_jobs);
    p->n_promoting = 0;
    place_release(p, pr->flows, n);
    pthread_mutex_unlock(&p->lock);
}

/* With the lock. The hottest first. What comes from a device that is full says so; a dump queues it again
 * when the device may be asked. */
static size_t
take_batch(struct place *p, struct place_flow **flows)
{
    size_t n = 0;

    for (int heat = PLACE_N_HEATS - 1; heat >= 0; heat--) {
        while (n < PLACE_BATCH && !cds_list_empty(&p->queues[heat])) {
            struct place_flow *f = cds_list_first_entry(&p->queues[heat], struct place_flow, queue_node);
            const struct place_port *full = f->demote ? NULL : place_full_port(p, f);

            place_dequeue(p, f);
            if (full) {
                place_set_tier(p, f, PLACE_DP, full->full_why);
                f->retry_ms = now_ms();
            } else {
                f->busy = true;
                flows[n++] = f;
            }
        }
    }
    return n;
}

void
place_promoter_main(void *place_)
{
    struct place *p = place_;
    struct promoter *pr = xzalloc(sizeof *pr);

    pr->p = p;
    urcu_qsbr_thread_offline(); /* Nothing here is read under RCU. */
    pthread_mutex_lock(&p->lock);
    while (!p->stop) {
        size_t n = take_batch(p, pr->flows);

        if (!n) {
            pthread_cond_wait(&p->work, &p->lock);
            continue;
        }
        p->n_promoting = n;
        p->batch_number++;
        pthread_mutex_unlock(&p->lock);
        work_off(pr, n);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    urcu_qsbr_thread_online();
    for (size_t i = 0; i < PLACE_BATCH; i++) {
        tc_filter_free(&pr->jobs[i].filter);
    }
    nl_batch_free(&pr->batch);
    free(pr);
}
