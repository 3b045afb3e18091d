// SPDX-License-Identifier: Apache-2.0
// Placement over a datapath of this file: what is put, counted and reported where nothing can go lower. With
// TC it is tested in tests/system/dp_place.c.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <poll.h>
#include "lib/base/rcu.h"
#include "lib/dp/place.h"

#define N_FAKE 200

struct fake_flow {
    bool used;
    dp_ufid ufid;
    struct flow_key key, mask;
    struct dp_stats stats;
};

struct fake {
    struct dp dp;
    pthread_mutex_t lock;
    struct fake_flow flows[N_FAKE];
};

static struct fake_flow *
fake_find(struct fake *fake, dp_ufid ufid)
{
    for (size_t i = 0; i < N_FAKE; i++) {
        if (fake->flows[i].used && dp_ufid_equal(fake->flows[i].ufid, ufid)) {
            return &fake->flows[i];
        }
    }
    return NULL;
}

static void
fake_put(struct dp *dp, struct dp_flow_put *puts, size_t n)
{
    struct fake *fake = CONTAINER_OF(dp, struct fake, dp);

    pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < n; i++) {
        struct fake_flow *f = fake_find(fake, puts[i].ufid);

        if (puts[i].modify) {
            puts[i].error = f ? 0 : -ENOENT;
            puts[i].stats = f ? f->stats : puts[i].stats;
        } else {
            puts[i].error = f ? -EEXIST : 0;
            for (f = fake->flows; !puts[i].error && f->used; f++) {
                continue;
            }
            if (!puts[i].error) {
                *f = (struct fake_flow){
                    true, puts[i].ufid, *puts[i].key, *puts[i].mask, {.packets = 5, .bytes = 500}};
            }
        }
    }
    pthread_mutex_unlock(&fake->lock);
}

static void
fake_del(struct dp *dp, struct dp_flow_del *dels, size_t n)
{
    struct fake *fake = CONTAINER_OF(dp, struct fake, dp);

    pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < n; i++) {
        struct fake_flow *f = fake_find(fake, dels[i].ufid);

        dels[i].error = f ? 0 : -ENOENT;
        if (f) {
            dels[i].stats = f->stats;
            f->used = false;
        }
    }
    pthread_mutex_unlock(&fake->lock);
}

static int
fake_dump(struct dp *dp, bool terse, bool (*fn)(const struct dp_flow_dumped *, void *arg), void *arg)
{
    struct fake *fake = CONTAINER_OF(dp, struct fake, dp);

    for (size_t i = 0; i < N_FAKE; i++) {
        const struct fake_flow *f = &fake->flows[i];
        struct dp_flow_dumped d = {.ufid = f->ufid, .has_ufid = true, .stats = f->stats};

        if (!terse) {
            d.key = &f->key;
            d.mask = &f->mask;
        }
        if (f->used && !fn(&d, arg)) {
            break;
        }
    }
    return 0;
}

static int
fake_flush(struct dp *dp)
{
    struct fake *fake = CONTAINER_OF(dp, struct fake, dp);

    memset(fake->flows, 0, sizeof fake->flows);
    return 0;
}

static void
fake_lookup_stats(struct dp *dp, uint64_t *hit, uint64_t *missed, uint64_t *lost, uint64_t *n_flows,
                  uint64_t *mask_hits, uint32_t *n_masks)
{
    *hit = *missed = *lost = *mask_hits = *n_masks = 0;
    *n_flows = 42;
}

static const struct dp_ops fake_ops = {
    .type = "system",
    .flow_put = fake_put,
    .flow_del = fake_del,
    .flow_dump = fake_dump,
    .flow_flush = fake_flush,
    .lookup_stats = fake_lookup_stats,
};

static int
set_up(void **state)
{
    struct fake *fake = xzalloc(sizeof *fake);

    fake->dp.ops = &fake_ops;
    pthread_mutex_init(&fake->lock, NULL);
    *state = fake;
    return 0;
}

static int
tear_down(void **state)
{
    free(*state);
    return 0;
}

static int
put_one(struct place *p, uint64_t id, bool modify, struct dp_stats *stats)
{
    struct flow_key key = {.in_port = 1, .eth_type = htons(0x0800)};
    struct flow_key mask = {.in_port = UINT32_MAX, .eth_type = htons(0xffff)};
    struct dp_flow_put put = {.ufid = {id, id}, .key = &key, .mask = &mask, .modify = modify};

    place_flow_put(p, &put, 1);
    if (stats) {
        *stats = put.stats;
    }
    return put.error;
}

static int
del_one(struct place *p, uint64_t id, struct dp_stats *stats)
{
    struct dp_flow_del del = {.ufid = {id, id}};

    place_flow_del(p, &del, 1);
    *stats = del.stats;
    return del.error;
}

struct seen {
    size_t n;
    struct place_state last;
};

static bool
on_flow(const struct dp_flow_dumped *f, const struct place_state *state, void *arg)
{
    struct seen *seen = arg;

    seen->n++;
    seen->last = *state;
    return true;
}

static void
without_offload_it_is_not_there(void **state)
{
    struct fake *fake = *state;
    struct place *p = place_create(&fake->dp, NULL);
    struct place_counts counts;
    struct dp_stats stats;
    struct seen seen = {.n = 0};

    assert_int_equal(put_one(p, 1, false, NULL), 0);
    assert_int_equal(put_one(p, 1, false, NULL), -EEXIST);
    assert_int_equal(place_flow_dump(p, true, on_flow, &seen), 0);
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.last.tier, PLACE_DP);
    assert_string_equal(place_tier_name(p, seen.last.tier), "ovs");
    place_counts(p, &counts);
    assert_int_equal(counts.flows[PLACE_DP], 42);
    assert_int_equal(del_one(p, 1, &stats), 0);
    assert_int_equal(stats.packets, 5);
    place_destroy(p, false);
}

static void
on_reason(const char *why, uint64_t n_flows, void *arg)
{
    assert_string_equal(why, "in_port 1 has no device");
    *(uint64_t *) arg += n_flows;
}

static void
wait_refused(struct place *p, uint64_t n)
{
    struct place_counts counts;

    do {
        poll(NULL, 0, 1);
        place_counts(p, &counts);
    } while (counts.refused < n);
    assert_int_equal(counts.promoted, 0);
}

static void
what_cannot_go_lower_says_why(void **state)
{
    struct fake *fake = *state;
    struct place *p = place_create(&fake->dp, NULL);
    struct seen seen = {.n = 0};
    struct dp_stats stats;
    uint64_t n = 0;

    assert_int_equal(put_one(p, 1, false, NULL), 0);
    place_configure(p, true, PLACE_POLICY_SKIP_HW); /* Takes up what is there. */
    for (uint64_t id = 2; id <= 100; id++) {
        assert_int_equal(put_one(p, id, false, NULL), 0);
    }
    wait_refused(p, 100);
    place_reasons(p, on_reason, &n);
    assert_int_equal(n, 100);
    assert_int_equal(place_flow_dump(p, false, on_flow, &seen), 0);
    assert_int_equal(seen.n, 100);
    assert_string_equal(seen.last.why, "in_port 1 has no device");
    assert_int_equal(put_one(p, 7, true, &stats), 0);
    assert_int_equal(stats.packets, 5);
    wait_refused(p, 101);
    assert_int_equal(del_one(p, 7, &stats), 0);
    assert_int_equal(stats.bytes, 500);
    assert_int_equal(del_one(p, 7, &stats), -ENOENT);
    place_configure(p, false, PLACE_POLICY_NONE);
    assert_int_equal(place_flow_flush(p), 0);
    seen.n = 0;
    assert_int_equal(place_flow_dump(p, true, on_flow, &seen), 0);
    assert_int_equal(seen.n, 0);
    place_destroy(p, false);
}

struct churn {
    struct place *p;
    uint64_t first;
};

static void
churn_main(void *churn_)
{
    struct churn *c = churn_;
    struct dp_stats stats;

    for (int round = 0; round < 20; round++) {
        for (uint64_t id = c->first; id < c->first + 40; id++) {
            assert_int_equal(put_one(c->p, id, false, NULL), 0);
        }
        for (uint64_t id = c->first; id < c->first + 40; id++) {
            assert_int_equal(put_one(c->p, id, true, NULL), 0);
            assert_int_equal(del_one(c->p, id, &stats), 0);
            assert_int_equal(stats.packets, 5);
        }
    }
}

static void
threads_do_not_meet(void **state)
{
    struct fake *fake = *state;
    struct place *p = place_create(&fake->dp, NULL);
    struct churn churns[] = {{p, 1000}, {p, 2000}};
    pthread_t threads[ARRAY_SIZE(churns)];
    struct seen seen = {.n = 0};

    place_configure(p, true, PLACE_POLICY_NONE);
    for (size_t i = 0; i < ARRAY_SIZE(churns); i++) {
        threads[i] = rcu_thread_create("churn", churn_main, &churns[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(churns); i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(place_flow_dump(p, true, on_flow, &seen), 0);
    assert_int_equal(seen.n, 0);
    place_destroy(p, false);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_offload_it_is_not_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_go_lower_says_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(threads_do_not_meet, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
