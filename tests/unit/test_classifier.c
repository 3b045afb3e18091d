// SPDX-License-Identifier: Apache-2.0
// The classifier against a linear search, its masks against packets that agree on them, and readers against a writer.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/base/rcu.h"
#include "lib/flow/classifier.h"
#include "lib/flow/cls_table.h"

struct rule {
    struct cls_rule cls;
    struct match match;
};

static uint32_t
next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t) (*state >> 32);
}

static bool
chance(uint64_t *state, unsigned one_in)
{
    return next_random(state) % one_in == 0;
}

/* Few values a field, so that rules and packets meet. */
static void
random_packet(uint64_t *state, struct flow_key *k)
{
    memset(k, 0, sizeof *k);
    k->in_port = next_random(state) % 3;
    k->eth_dst.b[5] = next_random(state) % 3;
    k->eth_type = htons(chance(state, 4) ? 0x86dd : chance(state, 4) ? 0x0806 : 0x0800);
    if (k->eth_type == htons(0x86dd)) {
        k->ipv6_src.s6_addr[0] = 0x20;
        k->ipv6_src.s6_addr[8] = next_random(state) % 4 * 0x40;
        k->ipv6_src.s6_addr[15] = next_random(state) % 4;
    } else {
        k->nw_src = htonl(0x0a000000 | (next_random(state) & 0x0f0f));
        k->nw_dst = htonl(0x0a000000 | (next_random(state) & 0x030003));
    }
    k->nw_proto = chance(state, 2) ? 6 : 17;
    k->tp_src = htons(next_random(state) % 4);
    k->tp_dst = htons(next_random(state) & 0x8003);
}

static unsigned
random_prefix(uint64_t *state, unsigned n_bits)
{
    static const unsigned lens[] = {0, 8, 16, 22, 24, 28, 31, 32, 33, 64, 66, 96, 126, 128};
    unsigned len = lens[next_random(state) % ARRAY_SIZE(lens)];

    return MIN(len, n_bits);
}

static void
random_match(uint64_t *state, struct match *m)
{
    match_init_any(m);
    random_packet(state, &m->key);
    m->mask.in_port = chance(state, 3) ? UINT32_MAX : 0;
    m->mask.eth_dst.b[5] = chance(state, 4) ? 0xff : 0;
    m->mask.eth_type = chance(state, 8) ? 0 : UINT16_MAX;
    if (m->mask.eth_type && m->key.eth_type == htons(0x86dd)) {
        for (unsigned i = 0, n = random_prefix(state, 128); i < n; i++) {
            m->mask.ipv6_src.s6_addr[i / 8] |= 0x80 >> i % 8;
        }
    } else if (m->mask.eth_type) {
        m->mask.nw_src = htonl((uint32_t) ~(UINT64_C(0xffffffff) >> random_prefix(state, 32)));
        m->mask.nw_dst = chance(state, 2) ? 0 : chance(state, 4) ? htonl(0x00ff00ff) : htonl((uint32_t) ~(UINT64_C(0xffffffff) >> random_prefix(state, 32)));
    }
    if (m->mask.eth_type && chance(state, 2)) {
        m->mask.nw_proto = 0xff;
        m->mask.tp_src = chance(state, 4) ? UINT16_MAX : 0;
        m->mask.tp_dst = chance(state, 2) ? UINT16_MAX : chance(state, 4) ? htons(0x8000) : 0;
    }
    flow_key_and(&m->key, &m->key, &m->mask);
}

static struct rule *
rule_create(const struct match *m, int32_t priority)
{
    struct rule *r = xzalloc(sizeof *r);

    r->match = *m;
    r->cls.match = match_pack(m);
    r->cls.priority = priority;
    return r;
}

static void
rule_free(void *rule_)
{
    struct rule *r = rule_;

    free(r->cls.match);
    free(r);
}

/* The rules of a test, apart from the classifier's own order. */
struct model {
    struct rule *rules[2048];
    size_t n;
};

static void
model_insert(struct model *model, struct classifier *cls, struct rule *r)
{
    struct cls_rule *replaced = classifier_insert(cls, &r->cls, 0);

    for (size_t i = 0; i < model->n; i++) {
        struct rule *old = model->rules[i];

        if (old->cls.priority == r->cls.priority && match_equal(&old->match, &r->match)) {
            assert_ptr_equal(replaced, &old->cls);
            rcu_postpone(rule_free, old);
            model->rules[i] = r;
            return;
        }
    }
    assert_null(replaced);
    model->rules[model->n++] = r;
}

static void
model_remove(struct model *model, struct classifier *cls, size_t i)
{
    classifier_remove(cls, &model->rules[i]->cls);
    rcu_postpone(rule_free, model->rules[i]);
    model->rules[i] = model->rules[--model->n];
}

static void
model_destroy(struct model *model, struct classifier *cls)
{
    while (model->n) {
        model_remove(model, cls, model->n - 1);
    }
    assert_int_equal(classifier_n_rules(cls), 0);
    assert_int_equal(classifier_n_subtables(cls), 0);
    classifier_destroy(cls);
    rcu_drain();
}

static int32_t
model_best(const struct model *model, const struct flow_key *key)
{
    int32_t best = -1;

    for (size_t i = 0; i < model->n; i++) {
        if (model->rules[i]->cls.priority > best && match_covers(&model->rules[i]->match, key)) {
            best = model->rules[i]->cls.priority;
        }
    }
    return best;
}

/* The packet finds what the linear search finds; so does any packet that agrees on the bits looked at. */
static void
check_lookup(const struct model *model, const struct classifier *cls, const struct flow_key *key, uint64_t *state)
{
    struct flow_key wild, other;
    struct cls_rule *got, *again;

    memset(&wild, 0, sizeof wild);
    got = classifier_lookup(cls, 0, key, &wild);
    assert_int_equal(got ? got->priority : -1, model_best(model, key));
    again = classifier_lookup(cls, 0, key, NULL);
    assert_int_equal(again ? again->priority : -1, model_best(model, key));
    wild.eth_type = UINT16_MAX; /* Every megaflow has it. */
    for (int i = 0; i < 20; i++) {
        random_packet(state, &other);
        for (unsigned w = 0; w < FLOW_KEY_WORDS; w++) {
            uint64_t mask = flow_key_cwords(&wild)[w];

            flow_key_words(&other)[w] = (flow_key_words(&other)[w] & ~mask) | (flow_key_cwords(key)[w] & mask);
        }
        assert_ptr_equal(classifier_lookup(cls, 0, &other, NULL), got);
    }
}

static int32_t
unused_priority(uint64_t *state, const struct model *model)
{
    for (;;) {
        int32_t priority = (int32_t) (next_random(state) % 65536);
        size_t i = 0;

        while (i < model->n && model->rules[i]->cls.priority != priority) {
            i++;
        }
        if (i == model->n) {
            return priority;
        }
    }
}

static void
test_lookup_equals_linear_search(void **unused)
{
    for (uint64_t seed = 0; seed < 60; seed++) {
        uint64_t state = seed;
        struct classifier *cls = classifier_create();
        static struct model model;

        for (int step = 0; step < 150; step++) {
            struct flow_key key;
            struct match m;

            if (model.n > seed * 2 || (model.n && chance(&state, 3))) {
                model_remove(&model, cls, next_random(&state) % model.n);
            } else {
                random_match(&state, &m);
                model_insert(&model, cls, rule_create(&m, unused_priority(&state, &model)));
            }
            assert_int_equal(classifier_n_rules(cls), model.n);
            random_packet(&state, &key);
            check_lookup(&model, cls, &key, &state);
        }
        model_destroy(&model, cls);
        rcu_quiescent();
    }
}

/* Prefixes can be tracked and forgotten while rules are there. */
static void
test_prefix_fields_change(void **unused)
{
    static const enum field_id sets[][3] = {{FIELD_IPV6_SRC, FIELD_IPV6_DST}, {FIELD_IP_SRC, FIELD_IPV6_SRC, FIELD_IP_DST}, {FIELD_IP_SRC}};
    static const size_t sizes[] = {2, 3, 0};
    static const enum field_id wrong[] = {FIELD_ETH_SRC}, twice[] = {FIELD_IP_SRC, FIELD_IP_SRC};
    struct classifier *cls = classifier_create();
    static struct model model;
    uint64_t state = 7;

    assert_int_equal(classifier_set_prefix_fields(cls, wrong, 1), -EINVAL);
    assert_int_equal(classifier_set_prefix_fields(cls, twice, 2), -EINVAL);
    for (int step = 0; step < 300; step++) {
        struct flow_key key;
        struct match m;

        random_match(&state, &m);
        model_insert(&model, cls, rule_create(&m, unused_priority(&state, &model)));
        if (step % 50 == 49) {
            assert_int_equal(classifier_set_prefix_fields(cls, sets[step / 50 % 3], sizes[step / 50 % 3]), 0);
        }
        random_packet(&state, &key);
        check_lookup(&model, cls, &key, &state);
        if (chance(&state, 3)) {
            model_remove(&model, cls, next_random(&state) % model.n);
        }
    }
    model_destroy(&model, cls);
}

static struct match
ipv4_match(uint32_t dst, unsigned plen)
{
    struct match m;

    match_init_any(&m);
    m.key.eth_type = htons(0x0800);
    m.mask.eth_type = UINT16_MAX;
    m.mask.nw_dst = htonl((uint32_t) ~(UINT64_C(0xffffffff) >> plen));
    m.key.nw_dst = htonl(dst) & m.mask.nw_dst;
    return m;
}

/* The masks below are those of the installed ovs-vswitchd for the same rules and packets. */
static void
test_masks_are_small(void **unused)
{
    struct classifier *cls = classifier_create();
    struct flow_key key = {.eth_type = htons(0x0800), .nw_dst = htonl(0x0b000000), .nw_proto = 6, .tp_dst = htons(0x1234)}, wild;
    static struct model model;
    struct match m = ipv4_match(0x0a000001, 32);

    model_insert(&model, cls, rule_create(&m, 100));
    m = ipv4_match(0x0a010000, 16);
    model_insert(&model, cls, rule_create(&m, 90));
    m = ipv4_match(0, 0);
    m.mask.nw_proto = 0xff;
    m.key.nw_proto = 6;
    m.mask.tp_dst = UINT16_MAX;
    m.key.tp_dst = htons(80);
    model_insert(&model, cls, rule_create(&m, 10));

    /* 11.0.0.0 is told from 10.0/15 by eight bits; 4660 from 80 by four. */
    memset(&wild, 0, sizeof wild);
    assert_null(classifier_lookup(cls, 0, &key, &wild));
    assert_int_equal(ntohl(wild.nw_dst), 0xff000000);
    assert_int_equal(ntohs(wild.tp_dst), 0xf000);
    assert_int_equal(wild.nw_proto, 0xff);
    assert_int_equal(wild.nw_src, 0);

    /* A hit on the highest priority looks no further. */
    key.nw_dst = htonl(0x0a000001);
    memset(&wild, 0, sizeof wild);
    assert_int_equal(classifier_lookup(cls, 0, &key, &wild)->priority, 100);
    assert_int_equal(wild.nw_proto, 0);
    assert_int_equal(ntohl(wild.nw_dst), 0xffffffff);

    /* A packet of another Ethertype leaves before the addresses. */
    key.eth_type = htons(0x0806);
    memset(&wild, 0, sizeof wild);
    assert_null(classifier_lookup(cls, 0, &key, &wild));
    assert_int_equal(wild.nw_dst, 0);
    assert_int_equal(wild.tp_dst, 0);
    model_destroy(&model, cls);
}

static void
test_same_match_in_many_priorities(void **unused)
{
    struct classifier *cls = classifier_create();
    struct match m = ipv4_match(0x0a000001, 32);
    struct flow_key key = m.key;
    static struct model model;
    uint64_t state = 9;

    for (int i = 0; i < 200; i++) {
        model_insert(&model, cls, rule_create(&m, (int32_t) (next_random(&state) % 150)));
        assert_int_equal(classifier_lookup(cls, 0, &key, NULL)->priority, model_best(&model, &key));
    }
    assert_int_equal(classifier_n_subtables(cls), 1);
    while (model.n > 1) {
        struct rule *r = model.rules[next_random(&state) % model.n];

        assert_ptr_equal(classifier_find_exactly(cls, r->cls.match, r->cls.priority), &r->cls);
        assert_null(classifier_find_exactly(cls, r->cls.match, 1000));
        model_remove(&model, cls, next_random(&state) % model.n);
        assert_int_equal(classifier_lookup(cls, 0, &key, NULL)->priority, model_best(&model, &key));
    }
    model_destroy(&model, cls);
}

struct visit {
    struct model *model;
    struct classifier *cls;
    const struct match *loose;
    size_t n;
};

static bool
visit_and_remove(struct cls_rule *cls_rule, void *visit_)
{
    struct rule *r = CONTAINER_OF(cls_rule, struct rule, cls);
    struct visit *v = visit_;
    size_t i = 0;

    assert_true(match_is_subset(&r->match, v->loose));
    while (v->model->rules[i] != r) {
        i++;
    }
    model_remove(v->model, v->cls, i);
    v->n++;
    return true;
}

static void
test_loose_visits_and_overlaps(void **unused)
{
    for (uint64_t seed = 100; seed < 130; seed++) {
        struct classifier *cls = classifier_create();
        static struct model model;
        struct match m, loose;
        uint64_t state = seed;
        size_t n_expected = 0;
        bool overlaps = false;

        for (int i = 0; i < 200; i++) {
            random_match(&state, &m);
            model_insert(&model, cls, rule_create(&m, (int32_t) (next_random(&state) % 5)));
        }
        random_match(&state, &loose);
        for (size_t i = 0; i < model.n; i++) {
            overlaps = overlaps || (model.rules[i]->cls.priority == 3 && match_overlaps(&model.rules[i]->match, &loose));
            n_expected += match_is_subset(&model.rules[i]->match, &loose);
        }
        assert_int_equal(classifier_overlaps(cls, &loose, 3), overlaps);
        struct visit v = {&model, cls, &loose, 0};
        classifier_for_each(cls, &loose, visit_and_remove, &v);
        assert_int_equal(v.n, n_expected);
        match_init_any(&loose);
        v.n = 0;
        n_expected = model.n;
        classifier_for_each(cls, NULL, visit_and_remove, &v);
        assert_int_equal(v.n, n_expected);
        model_destroy(&model, cls);
    }
}

/* Large enough for several resizes of every table, and back to nothing. */
static void
test_many_rules(void **unused)
{
    enum { N = 20000 };
    struct classifier *cls = classifier_create();
    struct rule **rules = xcalloc(N, sizeof *rules);
    uint64_t state = 11;

    for (size_t i = 0; i < N; i++) {
        struct match m = ipv4_match((uint32_t) i * 2654435761u, 32);

        rules[i] = rule_create(&m, (int32_t) (next_random(&state) % 65536));
        assert_null(classifier_insert(cls, &rules[i]->cls, 0));
    }
    for (size_t i = 0; i < N; i++) {
        struct flow_key wild = {0};

        assert_ptr_equal(classifier_lookup(cls, 0, &rules[i]->match.key, &wild), &rules[i]->cls);
    }
    for (size_t i = 0; i < N; i++) {
        classifier_remove(cls, &rules[i]->cls);
        assert_null(classifier_lookup(cls, 0, &rules[i]->match.key, NULL));
        if (i + 1 < N) {
            assert_ptr_equal(classifier_lookup(cls, 0, &rules[N - 1]->match.key, NULL), &rules[N - 1]->cls);
        }
        rcu_postpone(rule_free, rules[i]);
        rcu_quiescent();
    }
    classifier_destroy(cls);
    rcu_drain();
    free(rules);
}

/* What an insertion leaves to be done later is not seen. */
static void
test_behind_and_caught_up(void **unused)
{
    uint64_t state = 17;

    for (size_t turn = 0; turn < 300; turn++) {
        struct classifier *late = classifier_create(), *prompt = classifier_create();
        struct model model = {.n = 0}, same = {.n = 0};
        size_t n = next_random(&state) % 100;

        for (size_t i = 0; i < n; i++) {
            int32_t priority = (int32_t) (next_random(&state) % 3);
            struct match m;

            random_match(&state, &m);
            model_insert(&model, late, rule_create(&m, priority));
            model_insert(&same, prompt, rule_create(&m, priority));
            classifier_catch_up(prompt);
            assert_false(classifier_is_behind(prompt));
        }
        for (size_t i = 0; i < 50; i++) {
            struct flow_key key, wild = {0}, wild_of_same = {0};
            struct cls_rule *found, *found_too;

            random_packet(&state, &key);
            found = classifier_lookup(late, 0, &key, &wild);
            found_too = classifier_lookup(prompt, 0, &key, &wild_of_same);
            assert_int_equal(found != NULL, found_too != NULL);
            assert_memory_equal(&wild, &wild_of_same, sizeof wild);
        }
        model_destroy(&model, late);
        model_destroy(&same, prompt);
    }
}

struct race {
    struct classifier *cls;
    bool stop;
    uint64_t n_lookups;
};

/* Rules with an even address are always there; the others come and go. */
static void
read_rules(void *race_)
{
    struct race *race = race_;
    uint64_t state = 12;

    while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED)) {
        uint32_t i = next_random(&state) % 512;
        struct match m = ipv4_match(i * 2654435761u, 32);
        struct flow_key wild = {0};
        struct cls_rule *r = classifier_lookup(race->cls, 0, &m.key, &wild);

        assert_true(r ? r->priority >= 10 : i % 2 == 1);
        __atomic_fetch_add(&race->n_lookups, 1, __ATOMIC_RELAXED);
        rcu_quiescent();
    }
}

static void
test_readers_beside_a_writer(void **unused)
{
    struct race race = {.cls = classifier_create()};
    struct rule *rules[512] = {NULL};
    pthread_t reader;
    uint64_t state = 13;

    for (uint32_t i = 0; i < 512; i += 2) {
        struct match m = ipv4_match(i * 2654435761u, 32);

        rules[i] = rule_create(&m, 10);
        assert_null(classifier_insert(race.cls, &rules[i]->cls, 0));
    }
    reader = rcu_thread_create("reader", read_rules, &race);
    for (int n = 0; n < 60000 || __atomic_load_n(&race.n_lookups, __ATOMIC_RELAXED) < 1000; n++) {
        uint32_t i = next_random(&state) % 512 | 1;

        if (rules[i]) {
            classifier_remove(race.cls, &rules[i]->cls);
            rcu_postpone(rule_free, rules[i]);
            rules[i] = NULL;
        } else {
            struct match m = ipv4_match(i * 2654435761u, i % 8 == 1 ? 24 : 32);

            rules[i] = rule_create(&m, 20);
            if (classifier_find_exactly(race.cls, rules[i]->cls.match, 20)) {
                rule_free(rules[i]);
                rules[i] = NULL;
            } else {
                assert_null(classifier_insert(race.cls, &rules[i]->cls, 0));
            }
        }
        rcu_quiescent();
    }
    __atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
    rcu_offline();
    pthread_join(reader, NULL);
    rcu_online();
    for (uint32_t i = 0; i < 512; i++) {
        if (rules[i]) {
            classifier_remove(race.cls, &rules[i]->cls);
            rule_free(rules[i]);
        }
    }
    classifier_destroy(race.cls);
    rcu_drain();
}

/* Against plain counts: neighbours, wide gaps, and priorities above OpenFlow's. */
static void
check_priorities(uint32_t n_levels, int32_t distance)
{
    enum { N = 20000 };
    unsigned *counts = xcalloc(n_levels, sizeof *counts);
    uint32_t *levels = xcalloc(N, sizeof *levels), top;
    struct cls_priorities p = {NULL, 0, 0};
    uint64_t state = n_levels;

    for (int i = 0; i < 2 * N; i++) {
        if (i < N) {
            levels[i] = next_random(&state) % n_levels;
            counts[levels[i]]++;
            cls_priorities_prefetch(&p, (int32_t) levels[i] * distance);
            cls_priorities_add(&p, (int32_t) levels[i] * distance);
        } else {
            counts[levels[i - N]]--;
            cls_priorities_remove(&p, (int32_t) levels[i - N] * distance);
        }
        if (i % 97 == 0) {
            for (top = n_levels - 1; !counts[top]; top--) {
            }
            assert_int_equal(cls_priorities_max(&p), (int32_t) top * distance);
        }
    }
    assert_int_equal(p.n, 0);
    cls_priorities_destroy(&p);
    free(levels);
    free(counts);
}

static void
test_priorities(void **unused)
{
    check_priorities(65536, 1);
    check_priorities(200, 300);
    check_priorities(40, 50000);
    check_priorities(16, 1 << 24);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lookup_equals_linear_search),
        cmocka_unit_test(test_prefix_fields_change),
        cmocka_unit_test(test_masks_are_small),
        cmocka_unit_test(test_same_match_in_many_priorities),
        cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_loose_visits_and_overlaps),
        cmocka_unit_test(test_many_rules),
        cmocka_unit_test(test_behind_and_caught_up),
        cmocka_unit_test(test_readers_beside_a_writer),
    };
    int failed;

    rcu_thread_register();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_thread_unregister();
    return failed;
}
