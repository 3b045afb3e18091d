// SPDX-License-Identifier: Apache-2.0
// Keys and matches: their algebra, and the sparse forms.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib/flow/match.h"

static struct match
tcp_to(uint32_t dst, unsigned prefix, uint16_t port)
{
    struct match m;

    match_init_any(&m);
    m.key.eth_type = htons(0x0800);
    m.mask.eth_type = UINT16_MAX;
    m.mask.nw_dst = htonl((uint32_t) (low_bits(prefix) << (32 - prefix)));
    m.key.nw_dst = htonl(dst) & m.mask.nw_dst;
    m.key.nw_proto = 6;
    m.mask.nw_proto = 0xff;
    if (port) {
        m.key.tp_dst = htons(port);
        m.mask.tp_dst = UINT16_MAX;
    }
    return m;
}

static void
test_algebra(void **state)
{
    struct match wide = tcp_to(0x0a000000, 8, 0), narrow = tcp_to(0x0a010000, 16, 80),
                 other = tcp_to(0x0b000000, 8, 0), any;

    match_init_any(&any);
    assert_true(match_is_subset(&narrow, &wide));
    assert_false(match_is_subset(&wide, &narrow));
    assert_true(match_is_subset(&wide, &any));
    assert_true(match_overlaps(&narrow, &wide));
    assert_false(match_overlaps(&narrow, &other));
    assert_true(match_covers(&wide, &narrow.key));
    assert_false(match_covers(&narrow, &wide.key));
    assert_true(match_equal(&wide, &wide));
    assert_false(match_equal(&wide, &other));
}

static void
test_sparse_match(void **state)
{
    struct match list[] = {
        tcp_to(0x0a000000, 8, 0), tcp_to(0x0a010000, 16, 80), tcp_to(0x0b000000, 8, 0), {.mask.regs[3] = 1}};

    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        struct match_sparse *a = match_pack(&list[i]);
        struct match back;

        match_unpack(a, &back);
        assert_true(match_equal(&list[i], &back));
        for (size_t j = 0; j < ARRAY_SIZE(list); j++) {
            struct match_sparse *b = match_pack(&list[j]);

            assert_int_equal(match_sparse_equal(a, b), i == j);
            assert_int_equal(match_sparse_is_subset(a, &list[j]), match_is_subset(&list[i], &list[j]));
            if (i == j) {
                assert_int_equal(match_sparse_hash(a, 7), match_sparse_hash(b, 7));
            }
            free(b);
        }
        free(a);
    }
}

static void
test_sparse_key(void **state)
{
    struct flow_key key = {.in_port = 3, .nw_dst = htonl(0x0a000001), .igmp_group = 1}, back;
    struct flow_sparse *a = flow_sparse_from_key(&key), *b;

    assert_int_equal(flow_sparse_n(a), 3);
    flow_sparse_expand(a, &back);
    assert_memory_equal(&key, &back, sizeof key);
    key.metadata = 1;
    b = flow_sparse_from_key(&key);
    assert_false(flow_sparse_equal(a, b));
    assert_true(flow_sparse_equal(a, a));
    assert_int_not_equal(flow_sparse_hash(a, 0), flow_sparse_hash(b, 0));
    free(a);
    free(b);
}

static void
test_keys(void **state)
{
    struct flow_key a = {.in_port = 3, .tp_dst = 7}, b = {.in_port = 3, .tp_dst = 8},
                    mask = {.in_port = UINT32_MAX}, c;

    assert_true(flow_key_equal_in(&a, &b, &mask));
    flow_key_and(&c, &a, &mask);
    assert_int_equal(c.in_port, 3);
    assert_int_equal(c.tp_dst, 0);
    c.tp_dst = 0xffff;
    flow_key_or(&mask, &c);
    assert_false(flow_key_equal_in(&a, &b, &mask));
    assert_int_not_equal(flow_key_hash(&a, 0), flow_key_hash(&b, 0));
}

static void
test_eth_addr(void **state)
{
    struct eth_addr a;

    assert_true(eth_addr_parse("00:1A:2b:3c:4d:5e", &a));
    assert_int_equal(eth_addr_u64(a), 0x001a2b3c4d5e);
    assert_false(eth_addr_parse("00:1A:2b:3c:4d:5", &a));
    assert_false(eth_addr_parse("00:1A:2b:3c:4d:5e:", &a));
    assert_false(eth_addr_parse("00:1A:2b:3c:4d", &a));
    assert_false(eth_addr_parse("", &a));
    assert_int_equal(eth_addr_u64(a), 0x001a2b3c4d5e);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_algebra),    cmocka_unit_test(test_sparse_match),
        cmocka_unit_test(test_sparse_key), cmocka_unit_test(test_keys),
        cmocka_unit_test(test_eth_addr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
