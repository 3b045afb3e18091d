// SPDX-License-Identifier: Apache-2.0
// The MAC table: learning, moving, its bounds and who has to leave, and its text.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/base/rcu.h"
#include "ofproto/bridge.h"
#include "ofproto/l2.h"

struct world {
    struct bridge bridge;
    struct port a, b;
    struct l2 *l2;
};

static struct eth_addr
mac(unsigned n)
{
    return eth_addr_from_u64(n);
}

static int
setup(void **state)
{
    struct world *w = xzalloc(sizeof *w);

    w->bridge.name = xstrdup("br0");
    w->a.ofp = 1;
    w->b.ofp = OFPP_LOCAL;
    w->l2 = l2_create(&w->bridge);
    *state = w;
    return 0;
}

static int
teardown(void **state)
{
    struct world *w = *state;

    l2_destroy(w->l2);
    rcu_drain();
    free(w->bridge.name);
    free(w);
    return 0;
}

static void
test_learn_and_move(void **state)
{
    struct world *w = *state;

    assert_null(l2_lookup(w->l2, mac(1), 0));
    assert_true(l2_needs_learning(w->l2, mac(1), 0, &w->a));
    assert_true(l2_learn(w->l2, mac(1), 0, &w->a));
    assert_false(l2_needs_learning(w->l2, mac(1), 0, &w->a));
    assert_false(l2_learn(w->l2, mac(1), 0, &w->a));
    assert_ptr_equal(l2_lookup(w->l2, mac(1), 0), &w->a);
    assert_null(l2_lookup(w->l2, mac(1), 7));
    assert_true(l2_learn(w->l2, mac(1), 0, &w->b));
    assert_ptr_equal(l2_lookup(w->l2, mac(1), 0), &w->b);
}

static void
test_multicast_is_not_learned(void **state)
{
    struct world *w = *state;
    struct eth_addr multicast = eth_addr_from_u64(UINT64_C(0x01005e000001));

    assert_false(l2_needs_learning(w->l2, multicast, 0, &w->a));
    assert_false(l2_learn(w->l2, multicast, 0, &w->a));
    assert_null(l2_lookup(w->l2, multicast, 0));
}

static void
test_full_table_takes_from_the_greediest_port(void **state)
{
    struct world *w = *state;
    unsigned left = 0;

    l2_configure(w->l2, 300, 20);
    l2_learn(w->l2, mac(1000), 0, &w->b);
    for (unsigned i = 1; i <= 500; i++) {
        assert_true(l2_learn(w->l2, mac(i), 0, &w->a));
    }
    assert_ptr_equal(l2_lookup(w->l2, mac(1000), 0), &w->b);
    for (unsigned i = 1; i <= 500; i++) {
        left += l2_lookup(w->l2, mac(i), 0) != NULL;
    }
    assert_int_equal(left, 19);
    assert_ptr_equal(l2_lookup(w->l2, mac(500), 0), &w->a);
    l2_configure(w->l2, 300, 5); /* Ten is the least. */
    left = 0;
    for (unsigned i = 1; i <= 1000; i++) {
        left += l2_lookup(w->l2, mac(i), 0) != NULL;
    }
    assert_int_equal(left, 10);
}

static void
test_forget_port_and_flush(void **state)
{
    struct world *w = *state;

    for (unsigned i = 1; i <= 30; i++) {
        l2_learn(w->l2, mac(i), 3, i % 2 ? &w->a : &w->b);
    }
    l2_forget_port(w->l2, &w->a);
    assert_null(l2_lookup(w->l2, mac(1), 3));
    assert_ptr_equal(l2_lookup(w->l2, mac(2), 3), &w->b);
    w->a.removed = true;
    assert_false(l2_learn(w->l2, mac(1), 3, &w->a));
    l2_flush(w->l2);
    assert_null(l2_lookup(w->l2, mac(2), 3));
    assert_false(l2_age(w->l2));
}

static void
test_text(void **state)
{
    struct world *w = *state;
    struct buf b = BUF_EMPTY;

    l2_learn(w->l2, mac(1), 10, &w->a);
    l2_learn(w->l2, mac(2), 4095, &w->b);
    l2_format(w->l2, &b);
    assert_string_equal(buf_text(&b), " port  VLAN  MAC                Age\n"
                                      "    1    10  00:00:00:00:00:01    0\n"
                                      "LOCAL  4095  00:00:00:00:00:02    0\n");
    buf_clear(&b);
    l2_format_stats(w->l2, &b);
    assert_non_null(strstr(buf_text(&b), "Statistics for bridge \"br0\":\n  Current/maximum MAC entries in the table: 2/8192\n"));
    buf_free(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_learn_and_move, setup, teardown),
        cmocka_unit_test_setup_teardown(test_multicast_is_not_learned, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_table_takes_from_the_greediest_port, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forget_port_and_flush, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text, setup, teardown),
    };
    int failed;

    urcu_qsbr_register_thread();
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rcu_drain();
    urcu_qsbr_unregister_thread();
    return failed;
}
