// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/dp/place_private.h"

#include <stdlib.h>
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/base/rcu.h"

struct place_flow *
place_find(const struct place *p, dp_ufid ufid)
{
    struct hnode *h = htable_first_with_hash(&p->flows, dp_ufid_hash(ufid));

    for (; h; h = htable_next_with_hash(h)) {
        struct place_flow *f = CONTAINER_OF(h, struct place_flow, node);

        if (dp_ufid_equal(f->ufid, ufid)) {
            return f;
        }
    }
    return NULL;
}

static struct place_reason *
reason_get(struct place *p, const char *text)
{
    uint32_t hash = hash_string(text, 0);
    struct hnode *h = htable_first_with_hash(&p->reasons, hash);
    struct place_reason *r;

    for (; h; h = htable_next_with_hash(h)) {
        r = CONTAINER_OF(h, struct place_reason, node);
        if (!strcmp(r->text, text)) {
            r->n_flows++;
            return r;
        }
    }
    r = xzalloc(sizeof *r);
    memcpy(r->text, text, MIN(strlen(text), sizeof r->text - 1));
    r->n_flows = 1;
    htable_insert(&p->reasons, &r->node, hash);
    return r;
}

static void
reason_put(struct place *p, struct place_reason *r)
{
    if (r && !--r->n_flows) {
        htable_remove(&p->reasons, &r->node);
        free(r);
    }
}

void
place_set_tier(struct place *p, struct place_flow *f, enum place_tier tier, const char *why)
{
    struct place_reason *old = f->why;

    f->why = why && *why ? reason_get(p, why) : NULL;
    reason_put(p, old);
    p->n_tier[f->tier]--;
    f->since_ms = f->tier == tier ? f->since_ms : now_ms();
    f->tier = tier;
    p->n_tier[f->tier]++;
}

void
place_set_actions(struct place_flow *f, const void *actions, size_t actions_len)
{
    free(f->actions);
    f->actions = actions_len ? xmemdup(actions, actions_len) : NULL;
    f->actions_len = (uint32_t) actions_len;
}

void
place_keep_counters(struct place_flow *f)
{
    dp_stats_add(&f->base, &f->tc);
    memset(&f->tc, 0, sizeof f->tc);
}

struct place_flow *
place_add(struct place *p, dp_ufid ufid, const struct match *match, const void *actions, size_t actions_len)
{
    struct place_flow *f = xzalloc(sizeof *f);

    f->ufid = ufid;
    f->match = match_pack(match);
    f->sw_extra = match->key.vlan[0].tci & htons(FLOW_VLAN_PRESENT) ? 18 : 14;
    f->tier = PLACE_DP;
    f->in_dp = true;
    f->heat = PLACE_HEAT_NEW;
    f->in_port = match->key.in_port;
    p->n_tier[PLACE_DP]++;
    place_set_actions(f, actions, actions_len);
    htable_insert(&p->flows, &f->node, dp_ufid_hash(ufid));
    return f;
}

void
place_remove(struct place *p, struct place_flow *f)
{
    place_dequeue(p, f);
    place_forget_filter(p, f);
    reason_put(p, f->why);
    p->n_tier[f->tier]--;
    htable_remove(&p->flows, &f->node);
    free(f->match);
    free(f->actions);
    free(f);
}

void
place_forget_place(struct place *p, struct place_flow *f)
{
    struct place_port *port = place_port_by_ifindex(p, f->prio->ifindex);

    if (port) {
        port->n_filters--;
    }
    tc_prio_put(p->prios, f->prio);
    f->prio = NULL;
}

void
place_forget_filter(struct place *p, struct place_flow *f)
{
    if (f->prio) {
        place_forget_place(p, f);
        p->room_ms = now_ms();
    }
}

void
place_enqueue(struct place *p, struct place_flow *f)
{
    if (f->queued || f->busy) {
        return;
    }
    f->retry_ms = 0;
    if (p->n_queued >= PLACE_QUEUE_MAX && !f->demote) {
        place_set_tier(p, f, f->tier, "too many flows wait for promotion");
        f->retry_ms = now_ms();
        return;
    }
    cds_list_add_tail(&f->queue_node, &p->queues[f->demote ? PLACE_N_HEATS - 1 : f->heat]);
    f->queued = true;
    p->n_queued++;
    pthread_cond_signal(&p->work);
}

void
place_dequeue(struct place *p, struct place_flow *f)
{
    if (f->queued) {
        cds_list_del(&f->queue_node);
        f->queued = false;
        p->n_queued--;
    }
}

void
place_seize(struct place *p, const dp_ufid *ufids, struct place_flow **flows, size_t n)
{
    bool wait;

    do {
        wait = false;
        for (size_t i = 0; i < n && !wait; i++) {
            flows[i] = place_find(p, ufids[i]);
            wait = flows[i] && flows[i]->busy;
        }
        if (wait) {
            pthread_cond_wait(&p->not_busy, &p->lock);
        }
    } while (wait);
    for (size_t i = 0; i < n; i++) {
        if (flows[i] && flows[i]->busy) {
            flows[i] = NULL; /* The same flow twice in one batch. */
        } else if (flows[i]) {
            place_dequeue(p, flows[i]);
            flows[i]->busy = true;
        }
    }
}

void
place_release(struct place *p, struct place_flow **flows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (flows[i]) {
            flows[i]->busy = false;
        }
    }
    pthread_cond_broadcast(&p->not_busy);
}

struct place *
place_create(struct dp *dp, struct loop *loop)
{
    struct place *p = xzalloc(sizeof *p);

    p->dp = dp;
    p->pool = nl_pool_create(NETLINK_ROUTE);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->not_busy, NULL);
    pthread_cond_init(&p->work, NULL);
    htable_init(&p->flows);
    htable_init(&p->ports_by_number);
    htable_init(&p->ports_by_ifindex);
    htable_init(&p->reasons);
    htable_init(&p->shapes);
    for (size_t i = 0; i < PLACE_N_HEATS; i++) {
        CDS_INIT_LIST_HEAD(&p->queues[i]);
    }
    p->prios = tc_prios_create();
    return p;
}

static void
promoter_start(struct place *p)
{
    p->stop = false;
    p->promoter_running = true;
    p->promoter = rcu_thread_create("promoter", place_promoter_main, p);
}

static void
promoter_stop(struct place *p)
{
    if (p->promoter_running) {
        pthread_mutex_lock(&p->lock);
        p->stop = true;
        pthread_cond_broadcast(&p->work);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->promoter, NULL);
        p->promoter_running = false;
    }
}

/* Takes all filters back into the datapath, a batch at a time. */
static void
demote_all(struct place *p, const char *why)
{
    struct place_flow *batch[PLACE_BATCH];
    dp_ufid ufids[PLACE_BATCH];
    size_t n;

    do {
        struct hnode *h;

        n = 0;
        pthread_mutex_lock(&p->lock);
        for (h = htable_next(&p->flows, NULL); h && n < PLACE_BATCH; h = htable_next(&p->flows, h)) {
            struct place_flow *f = CONTAINER_OF(h, struct place_flow, node);

            if (f->prio) {
                ufids[n++] = f->ufid;
            }
        }
        place_seize(p, ufids, batch, n);
        pthread_mutex_unlock(&p->lock);
        place_demote(p, batch, n, why);
        pthread_mutex_lock(&p->lock);
        place_release(p, batch, n);
        pthread_mutex_unlock(&p->lock);
    } while (n);
}

static void
forget_shapes(struct place *p)
{
    struct hnode *h, *next;

    for (h = htable_next(&p->shapes, NULL); h; h = next) {
        next = htable_next(&p->shapes, h);
        htable_remove(&p->shapes, h);
        free(CONTAINER_OF(h, struct place_shape, node));
    }
}

void
place_destroy(struct place *p, bool keep_flows)
{
    struct hnode *h, *next;

    promoter_stop(p);
    if (!keep_flows && p->enabled) {
        demote_all(p, NULL);
    }
    for (h = htable_next(&p->flows, NULL); h; h = next) {
        next = htable_next(&p->flows, h);
        place_remove(p, CONTAINER_OF(h, struct place_flow, node));
    }
    forget_shapes(p);
    for (h = htable_next(&p->ports_by_number, NULL); h; h = next) {
        struct place_port *port = CONTAINER_OF(h, struct place_port, by_number);

        next = htable_next(&p->ports_by_number, h);
        if (!keep_flows && port->ingress_ours) {
            tc_ingress_delete(p->pool, port->port.ifindex);
        }
        free(port);
    }
    tc_prios_destroy(p->prios);
    htable_destroy(&p->flows);
    htable_destroy(&p->ports_by_number);
    htable_destroy(&p->ports_by_ifindex);
    htable_destroy(&p->reasons);
    htable_destroy(&p->shapes);
    nl_pool_destroy(p->pool);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->not_busy);
    pthread_cond_destroy(&p->work);
    free(p);
}

static bool
take_up(const struct dp_flow_dumped *f, void *place_)
{
    struct place *p = place_;
    struct match m;

    if (f->has_ufid && f->key && !f->actions_unknown) {
        m.key = *f->key;
        m.mask = *f->mask;
        pthread_mutex_lock(&p->lock);
        if (!place_find(p, f->ufid)) {
            place_enqueue(p, place_add(p, f->ufid, &m, f->actions, f->actions_len));
        }
        pthread_mutex_unlock(&p->lock);
    }
    return true;
}

/* All flows known wait for promotion, or none does. */
static void
queue_all(struct place *p, bool queue)
{
    struct hnode *h;

    pthread_mutex_lock(&p->lock);
    for (h = htable_next(&p->flows, NULL); h; h = htable_next(&p->flows, h)) {
        struct place_flow *f = CONTAINER_OF(h, struct place_flow, node);

        place_dequeue(p, f);
        if (queue) {
            place_enqueue(p, f);
        }
    }
    pthread_mutex_unlock(&p->lock);
}

void
place_configure(struct place *p, bool hw_offload, enum place_policy policy)
{
    if (hw_offload == p->enabled && (!hw_offload || policy == p->policy)) {
        return;
    }
    promoter_stop(p);
    if (p->enabled) {
        /* Records stay: they hold the counters of the homes that flows had. */
        demote_all(p, "offload is off");
    }
    if (hw_offload != p->enabled && p->dp->ops->let_tc_first) {
        p->dp->ops->let_tc_first(p->dp, hw_offload); /* It says itself of which ports TC sees nothing. */
    }
    forget_shapes(p);
    p->policy = policy;
    __atomic_store_n(&p->enabled, hw_offload, __ATOMIC_RELAXED);
    if (hw_offload) {
        __atomic_store_n(&p->active, true, __ATOMIC_RELAXED);
        place_ports_prepare(p);
        place_ports_look_at_unseen(p);
        p->dp->ops->flow_dump(p->dp, false, take_up, p);
        promoter_start(p);
    }
    queue_all(p, hw_offload);
}

void
place_counts(struct place *p, struct place_counts *c)
{
    pthread_mutex_lock(&p->lock);
    *c = (struct place_counts){
        .promoted = p->n_promoted, .refused = p->n_refused, .demoted = p->n_demoted, .queued = p->n_queued + p->n_promoting};
    memcpy(c->flows, p->n_tier, sizeof c->flows);
    pthread_mutex_unlock(&p->lock);
    if (!p->enabled && p->dp->ops->lookup_stats) {
        uint64_t skip;
        uint32_t skip32;

        p->dp->ops->lookup_stats(p->dp, &skip, &skip, &skip, &c->flows[PLACE_DP], &skip, &skip32);
    }
}

void
place_reasons(struct place *p, void (*fn)(const char *why, uint64_t n_flows, void *arg), void *arg)
{
    struct hnode *h;

    pthread_mutex_lock(&p->lock);
    for (h = htable_next(&p->reasons, NULL); h; h = htable_next(&p->reasons, h)) {
        const struct place_reason *r = CONTAINER_OF(h, struct place_reason, node);

        fn(r->text, r->n_flows, arg);
    }
    pthread_mutex_unlock(&p->lock);
}

const char *
place_tier_name(const struct place *p, enum place_tier tier)
{
    switch (tier) {
    case PLACE_DP:
        return !strcmp(p->dp->ops->type, "system") ? "ovs"
               : !strcmp(p->dp->ops->type, "ebpf") ? "ebpf"
                                                   : "user";
    case PLACE_TC:
        return "tc";
    case PLACE_HW:
        return "hw";
    case PLACE_NONE:
        break;
    }
    return "none";
}
