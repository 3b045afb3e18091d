// SPDX-License-Identifier: Apache-2.0
// Transactions on the tables of a bridge: readers beside them see all or nothing, what is taken back leaves no trace, counts go on.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "ofproto/private.h"
#include "ofproto/transaction.h"
#include "ofproto/translate.h"

struct fixture {
    struct loop *loop;
    struct ofproto *ofproto;
    struct bridge *bridge;
    char dir[64];
};

static int
set_up(void **state)
{
    const struct bridge_config config = {.name = "br0", .datapath_type = "dummy", .fail_secure = true, .mac_aging_s = 300, .mac_table_size = 100};
    struct fixture *f = xzalloc(sizeof *f);
    char *why = NULL;

    snprintf(f->dir, sizeof f->dir, "/tmp/sluice-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    setenv("OVS_RUNDIR", f->dir, 1);
    f->loop = loop_create();
    rcu_online();
    dp_enable_dummy(false);
    f->ofproto = ofproto_create(f->loop, NULL);
    assert_int_equal(bridge_create(f->ofproto, &config, &f->bridge, &why), 0);
    *state = f;
    return 0;
}

static void
stop(void *loop)
{
    loop_stop(loop, 0);
}

/* What was posted to the loop runs. */
static void
run_posted(struct fixture *f)
{
    rcu_offline();
    rcu_drain();
    loop_post(f->loop, stop, f->loop);
    loop_run(f->loop);
    rcu_online();
}

static int
tear_down(void **state)
{
    struct fixture *f = *state;

    ofproto_destroy(f->ofproto, true); /* What is posted for it is not run any more. */
    rcu_offline();
    loop_destroy(f->loop);
    rmdir(f->dir);
    free(f);
    return 0;
}

/* One flow_mod on all packets of a table. The cookie is what a rule is known by; a rule of table 0 goes on to table 1. */
static enum of_error
change(struct fixture *f, struct transaction *t, enum of_flow_mod_command command, uint8_t table, uint16_t priority, uint64_t cookie)
{
    struct flow_mod fm = {.command = command, .table_id = table, .priority = priority, .new_cookie = cookie, .modify_cookie = true, .buffer_id = OFP_NO_BUFFER,
                          .out_port = OFPP_ANY, .out_group = OFPG_ANY};
    enum of_error error;

    match_init_any(&fm.match);
    if (table == 0 && command < OFPFC_DELETE) {
        ((struct ofact_goto *) ofact_put(&fm.actions, OFACT_GOTO_TABLE, sizeof(struct ofact_goto)))->table_id = 1;
    }
    error = table_apply(f->bridge, &fm, &(struct table_origin){.transaction = t});
    flow_mod_clear(&fm);
    return error;
}

/* The rules that a packet meets, at most two; how many. */
static size_t
meets(struct bridge *br, struct translate_out *out, struct rule *rules[2])
{
    struct translate_in in = {.bridge = br, .key = {.in_port = 1}};
    size_t n = 0;

    translate(&in, out);
    for (size_t i = 0; i < out->n_effects; i++) {
        if (out->effects[i].kind == EFFECT_RULE && n < 2) {
            rules[n++] = out->effects[i].rule;
        }
    }
    return n;
}

static uint64_t
cookie_of(const struct rule *r)
{
    return __atomic_load_n(&r->cookie, __ATOMIC_RELAXED);
}

struct reader {
    struct bridge *bridge;
    bool stop;
    uint64_t n, n_torn, n_seen; /* Packets, those that saw parts of two states, and states seen. */
};

static void
read_rules(void *reader)
{
    struct reader *r = reader;
    struct translate_out out;
    struct rule *rules[2];
    uint64_t last = 0;

    translate_out_init(&out);
    while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
        bool is_whole = meets(r->bridge, &out, rules) == 2 && cookie_of(rules[0]) == cookie_of(rules[1]);

        r->n_torn += !is_whole;
        if (is_whole && cookie_of(rules[0]) != last) {
            last = cookie_of(rules[0]);
            r->n_seen++;
        }
        translate_apply(&out, 1, 60, now_ms());
        __atomic_fetch_add(&r->n, 1, __ATOMIC_RELAXED);
        rcu_quiescent();
    }
    translate_out_destroy(&out);
}

/* The steps by which one state becomes the next: in place, by other rules in the same places, and by rules in other places. */
static void
next_state(struct fixture *f, struct transaction *t, unsigned step, uint64_t cookie)
{
    uint16_t priority = (uint16_t) (cookie % 7 + 1);

    switch (step % 4) {
    case 0:
        assert_int_equal(change(f, t, OFPFC_MODIFY, 0, 0, cookie), OFERR_OK);
        assert_int_equal(change(f, t, OFPFC_MODIFY, 1, 0, cookie), OFERR_OK);
        break;
    case 1:
        assert_int_equal(change(f, t, OFPFC_DELETE, OFPTT_ALL, 0, 0), OFERR_OK);
        assert_int_equal(change(f, t, OFPFC_ADD, 0, priority, cookie), OFERR_OK);
        assert_int_equal(change(f, t, OFPFC_ADD, 1, priority, cookie), OFERR_OK);
        break;
    case 2:
        assert_int_equal(change(f, t, OFPFC_ADD, 1, 9, 1), OFERR_OK);
        assert_int_equal(change(f, t, OFPFC_DELETE_STRICT, 1, 9, 0), OFERR_OK);
        assert_int_equal(change(f, t, OFPFC_ADD, 1, 8, cookie), OFERR_OK);
        assert_int_equal(change(f, t, OFPFC_ADD, 0, 8, 2), OFERR_OK);
        assert_int_equal(change(f, t, OFPFC_ADD, 0, 8, cookie), OFERR_OK);
        break;
    default: /* Refused in the middle. */
        assert_int_equal(change(f, t, OFPFC_ADD, 0, 9, cookie), OFERR_OK);
        assert_int_equal(change(f, t, OFPFC_MODIFY, 1, 0, cookie), OFERR_OK);
        assert_int_equal(change(f, t, OFPFC_DELETE, 1, 0, 0), OFERR_OK);
        assert_int_not_equal(change(f, t, OFPFC_ADD, 255 - 1, 9, cookie), OFERR_OK);
        break;
    }
}

static void
test_readers_see_all_or_nothing(void **state)
{
    struct fixture *f = *state;
    struct reader reader = {.bridge = f->bridge};
    pthread_t thread;

    assert_int_equal(change(f, NULL, OFPFC_ADD, 0, 1, 1), OFERR_OK);
    assert_int_equal(change(f, NULL, OFPFC_ADD, 1, 1, 1), OFERR_OK);
    thread = rcu_thread_create("reader", read_rules, &reader);
    for (unsigned i = 0; i < 1000 || __atomic_load_n(&reader.n, __ATOMIC_RELAXED) < 20000; i++) {
        struct transaction *t = transaction_begin(f->bridge);

        next_state(f, t, i, i + 10);
        if (i % 4 == 3) {
            transaction_abort(t);
        } else {
            transaction_commit(t);
        }
        rcu_quiescent();
        if (i % 16 == 0) {
            run_posted(f);
        }
    }
    __atomic_store_n(&reader.stop, true, __ATOMIC_RELAXED);
    rcu_offline();
    pthread_join(thread, NULL);
    rcu_online();
    assert_int_equal(reader.n_torn, 0);
    assert_true(reader.n_seen > 10);
}

/* Without the bridge's own. */
static size_t
n_rules(const struct fixture *f)
{
    return tables_n_rules(f->bridge) - classifier_n_rules(f->bridge->tables[TABLE_INTERNAL].cls);
}

/* A rule that a reader has in hand goes on being credited; its packets are its heir's. */
static void
test_counts_go_on(void **state)
{
    struct fixture *f = *state;
    struct transaction *t = transaction_begin(f->bridge);
    struct translate_out out;
    struct rule *rules[2], *old;

    translate_out_init(&out);
    assert_int_equal(change(f, NULL, OFPFC_ADD, 0, 5, 1), OFERR_OK);
    assert_int_equal(change(f, NULL, OFPFC_ADD, 1, 5, 1), OFERR_OK);
    assert_int_equal(meets(f->bridge, &out, rules), 2);
    old = rules[0];
    assert_true(rule_ref(old));
    rule_credit(old, 3, 300, now_ms());

    assert_int_equal(change(f, t, OFPFC_MODIFY, 0, 0, 2), OFERR_OK);
    assert_int_equal(change(f, t, OFPFC_MODIFY, 0, 0, 3), OFERR_OK);
    assert_int_equal(meets(f->bridge, &out, rules), 2);
    assert_ptr_equal(rules[0], old);
    transaction_commit(t);
    rule_credit(old, 4, 400, now_ms());
    assert_int_equal(meets(f->bridge, &out, rules), 2);
    assert_ptr_not_equal(rules[0], old);
    assert_ptr_equal(rule_current(old), rules[0]);
    assert_int_equal(cookie_of(rules[0]), 3);
    assert_int_equal(rules[0]->n_packets, 3);
    assert_int_equal(n_rules(f), 2);
    rule_unref(old);
    run_posted(f);
    run_posted(f);
    assert_int_equal(meets(f->bridge, &out, rules), 2);
    assert_int_equal(rules[0]->n_packets, 7);
    assert_int_equal(rules[0]->n_bytes, 700);
    assert_int_equal(n_rules(f), 2);
    translate_out_destroy(&out);
}

static void
test_what_is_taken_back_leaves_no_trace(void **state)
{
    struct fixture *f = *state;
    struct translate_out out;
    struct rule *before[2], *after[2];

    translate_out_init(&out);
    assert_int_equal(change(f, NULL, OFPFC_ADD, 0, 5, 1), OFERR_OK);
    assert_int_equal(change(f, NULL, OFPFC_ADD, 1, 5, 1), OFERR_OK);
    assert_int_equal(meets(f->bridge, &out, before), 2);
    for (unsigned step = 0; step < 4; step++) {
        struct transaction *t = transaction_begin(f->bridge);

        next_state(f, t, step, 77);
        assert_int_equal(meets(f->bridge, &out, after), 2);
        assert_memory_equal(before, after, sizeof before);
        transaction_abort(t);
        assert_int_equal(meets(f->bridge, &out, after), 2);
        assert_memory_equal(before, after, sizeof before);
        assert_int_equal(n_rules(f), 2);
        assert_int_equal(classifier_n_subtables(f->bridge->tables[1].cls), 1);
    }
    translate_out_destroy(&out);
}

/* A bridge that goes while readers may still be about. */
static void
test_a_bridge_goes(void **state)
{
    struct fixture *f = *state;
    struct transaction *t = transaction_begin(f->bridge);

    assert_int_equal(change(f, NULL, OFPFC_ADD, 0, 5, 1), OFERR_OK);
    next_state(f, t, 1, 5);
    transaction_commit(t);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_readers_see_all_or_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_counts_go_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_taken_back_leaves_no_trace, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_bridge_goes, set_up, tear_down),
    };

    rcu_thread_register();
    rcu_offline();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
