// SPDX-License-Identifier: Apache-2.0
// Megaflows and meters of the userspace datapath. Megaflows do not overlap, hence all have one priority.
#include <config.h>
#include "lib/dp/user.h"

#include <stdlib.h>

struct user_flow *
user_flow_find(const struct user_dp *u, const dp_ufid *ufid)
{
    struct hnode *node = htable_first_with_hash(&u->by_ufid, dp_ufid_hash(*ufid));

    for (; node; node = htable_next_with_hash(node)) {
        struct user_flow *f = CONTAINER_OF(node, struct user_flow, node);

        if (dp_ufid_equal(f->ufid, *ufid)) {
            return f;
        }
    }
    return NULL;
}

static void
get_stats(const struct user_flow *f, struct dp_stats *s)
{
    s->packets = __atomic_load_n(&f->stats.packets, __ATOMIC_RELAXED);
    s->bytes = __atomic_load_n(&f->stats.bytes, __ATOMIC_RELAXED);
    s->used_ms = __atomic_load_n(&f->stats.used_ms, __ATOMIC_RELAXED);
    s->tcp_flags = __atomic_load_n(&f->stats.tcp_flags, __ATOMIC_RELAXED);
}

static void
flow_free(void *flow)
{
    struct user_flow *f = flow;

    free(f->cls.match);
    free(f->actions);
    free(f);
}

struct user_actions *
user_actions_copy(const void *actions, size_t len)
{
    struct user_actions *a = xmalloc(sizeof *a + len);

    a->len = len;
    if (len) {
        memcpy(a->data, actions, len);
    }
    return a;
}

static int
flow_add(struct user_dp *u, const struct dp_flow_put *put)
{
    struct match m = {.mask = *put->mask};
    struct match_sparse *sparse;
    struct user_flow *f;

    flow_key_and(&m.key, put->key, put->mask);
    sparse = match_pack(&m);
    if (user_flow_find(u, &put->ufid) || classifier_find_exactly(u->flows, sparse, 0)) {
        free(sparse);
        return -EEXIST;
    }
    if (u->by_ufid.n >= USER_MAX_FLOWS) {
        free(sparse);
        return -ENOSPC;
    }
    f = xzalloc(sizeof *f);
    f->cls.match = sparse;
    f->ufid = put->ufid;
    f->actions = user_actions_copy(put->actions, put->actions_len);
    htable_insert(&u->by_ufid, &f->node, dp_ufid_hash(f->ufid));
    if (classifier_insert(u->flows, &f->cls, 0)) {
        abort(); /* Was looked for above. */
    }
    return 0;
}

static int
flow_modify(struct user_dp *u, struct dp_flow_put *put)
{
    struct user_flow *f = user_flow_find(u, &put->ufid);
    struct user_actions *was;

    if (!f) {
        return -ENOENT;
    }
    get_stats(f, &put->stats);
    was = f->actions;
    __atomic_store_n(&f->actions, user_actions_copy(put->actions, put->actions_len), __ATOMIC_RELEASE);
    rcu_postpone_free(was);
    return 0;
}

void
user_flow_put(struct dp *dp, struct dp_flow_put *puts, size_t n)
{
    struct user_dp *u = user_dp_cast(dp);

    pthread_mutex_lock(&u->mutex);
    for (size_t i = 0; i < n; i++) {
        puts[i].error = puts[i].modify ? flow_modify(u, &puts[i]) : flow_add(u, &puts[i]);
    }
    pthread_mutex_unlock(&u->mutex);
}

static void
flow_remove(struct user_dp *u, struct user_flow *f)
{
    htable_remove(&u->by_ufid, &f->node);
    classifier_remove(u->flows, &f->cls);
    rcu_postpone(flow_free, f);
}

/* Readers that are on their way may count a packet more after the last look at the counters, as in the kernel. */
void
user_flow_del(struct dp *dp, struct dp_flow_del *dels, size_t n)
{
    struct user_dp *u = user_dp_cast(dp);

    pthread_mutex_lock(&u->mutex);
    for (size_t i = 0; i < n; i++) {
        struct user_flow *f = user_flow_find(u, &dels[i].ufid);

        dels[i].error = f ? 0 : -ENOENT;
        if (f) {
            get_stats(f, &dels[i].stats);
            flow_remove(u, f);
        }
    }
    pthread_mutex_unlock(&u->mutex);
}

/* A copy of a flow for callbacks that run without the mutex. */
struct dumped {
    struct dp_flow_dumped d;
    struct match match;
    struct user_actions *actions;
};

/* false: there is none. */
static bool
copy_flow(struct user_dp *u, const dp_ufid *ufid, struct dumped *c)
{
    struct user_flow *f;

    pthread_mutex_lock(&u->mutex);
    f = user_flow_find(u, ufid);
    if (f) {
        *c = (struct dumped){.d = {.ufid = f->ufid, .has_ufid = true, .key = &c->match.key, .mask = &c->match.mask}};
        get_stats(f, &c->d.stats);
        match_unpack(f->cls.match, &c->match);
        c->actions = user_actions_copy(f->actions->data, f->actions->len);
        c->d.actions = c->actions->data;
        c->d.actions_len = c->actions->len;
    }
    pthread_mutex_unlock(&u->mutex);
    return f;
}

int
user_flow_get(struct dp *dp, const dp_ufid *ufid, void (*fn)(const struct dp_flow_dumped *, void *), void *arg)
{
    struct dumped c;

    if (!copy_flow(user_dp_cast(dp), ufid, &c)) {
        return -ENOENT;
    }
    fn(&c.d, arg);
    free(c.actions);
    return 0;
}

/* What a terse dump says of a flow: there may be many. */
struct glance {
    dp_ufid ufid;
    struct dp_stats stats;
};

static struct glance *
glance_at_all(struct user_dp *u, size_t *n)
{
    struct glance *all;

    *n = 0;
    pthread_mutex_lock(&u->mutex);
    all = xcalloc(u->by_ufid.n + 1, sizeof *all);
    for (struct hnode *node = NULL; (node = htable_next(&u->by_ufid, node)) != NULL;) {
        const struct user_flow *f = CONTAINER_OF(node, struct user_flow, node);

        all[*n].ufid = f->ufid;
        get_stats(f, &all[(*n)++].stats);
    }
    pthread_mutex_unlock(&u->mutex);
    return all;
}

/* Whole flows are copied one by one: those that go meanwhile are left out. */
int
user_flow_dump(struct dp *dp, bool terse, bool (*fn)(const struct dp_flow_dumped *, void *), void *arg)
{
    size_t n;
    struct glance *all = glance_at_all(user_dp_cast(dp), &n);
    bool go_on = true;

    for (size_t i = 0; i < n && go_on; i++) {
        struct dumped c;

        if (terse) {
            c.actions = NULL;
            c.d = (struct dp_flow_dumped){.ufid = all[i].ufid, .has_ufid = true, .stats = all[i].stats};
        } else if (!copy_flow(user_dp_cast(dp), &all[i].ufid, &c)) {
            continue;
        }
        go_on = fn(&c.d, arg);
        free(c.actions);
    }
    free(all);
    return 0;
}

int
user_flow_flush(struct dp *dp)
{
    struct user_dp *u = user_dp_cast(dp);

    pthread_mutex_lock(&u->mutex);
    for (struct hnode *node = htable_next(&u->by_ufid, NULL), *next; node; node = next) {
        next = htable_next(&u->by_ufid, node);
        flow_remove(u, CONTAINER_OF(node, struct user_flow, node));
    }
    pthread_mutex_unlock(&u->mutex);
    return 0;
}

/* Who meets it meanwhile lets all pass. */
static void
meter_write(struct meter *m, const struct dp_meter *config)
{
    METER_STORE(m->unit, METER_NONE);
    for (unsigned i = 0; i < config->n_bands; i++) {
        const struct dp_meter_band *from = &config->bands[i];
        struct meter_band *to = &m->bands[i];
        int64_t full = (int64_t) (from->burst ? from->burst : from->rate) * 1000000000 / from->rate;

        METER_STORE(to->rate, from->rate);
        METER_STORE(to->full_ns, full);
        METER_STORE(to->empty_ns, now_us() * 1000 - full);
    }
    if (!config->keep_stats) {
        m->met = (struct meter_counter){0, 0};
        for (unsigned i = 0; i < METER_BANDS; i++) {
            m->bands[i].dropped = (struct meter_counter){0, 0};
        }
    }
    METER_STORE(m->n_bands, config->n_bands);
    __atomic_store_n(&m->unit, config->pktps ? METER_PKTPS : METER_KBPS, __ATOMIC_RELEASE);
}

int
user_meter_set(struct dp *dp, const struct dp_meter *config)
{
    struct user_dp *u = user_dp_cast(dp);

    if (config->id >= u->n_meters) {
        return -EFBIG;
    }
    if (config->n_bands > METER_BANDS) {
        return -EINVAL;
    }
    for (unsigned i = 0; i < config->n_bands; i++) {
        if (!config->bands[i].rate) {
            return -EINVAL; /* As openvswitch.ko. */
        }
    }
    pthread_mutex_lock(&u->mutex);
    meter_write(&u->meters[config->id], config);
    pthread_mutex_unlock(&u->mutex);
    return 0;
}

int
user_meter_del(struct dp *dp, uint32_t id)
{
    struct user_dp *u = user_dp_cast(dp);

    return id < u->n_meters && __atomic_exchange_n(&u->meters[id].unit, METER_NONE, __ATOMIC_RELAXED) ? 0 : -ENOENT;
}

static void
counter_read(const struct meter_counter *c, struct dp_meter_counter *out)
{
    out->packets = METER_LOAD(c->packets);
    out->bytes = METER_LOAD(c->bytes);
}

int
user_meter_get(struct dp *dp, uint32_t id, struct dp_meter_stats *stats)
{
    const struct user_dp *u = user_dp_cast(dp);
    const struct meter *m = id < u->n_meters ? &u->meters[id] : NULL;

    if (!m || METER_LOAD(m->unit) == METER_NONE) {
        return -ENOENT;
    }
    counter_read(&m->met, &stats->met);
    for (unsigned i = 0; i < METER_BANDS; i++) {
        counter_read(&m->bands[i].dropped, &stats->dropped[i]);
    }
    return 0;
}
