// SPDX-License-Identifier: Apache-2.0
// The compiler of megaflows to flower filters: what it takes, what it refuses and in which words, and that a
// filter tells its flow again.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <linux/gen_stats.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include "lib/dp/tc.h"
#include "lib/flow/action.h"

#define PORT_INTERNAL 5
#define PORT_NOWHERE 9

static struct tc_port
port_by_number(uint32_t number, void *arg)
{
    return (struct tc_port){.number = number,
                            .ifindex = number == PORT_NOWHERE ? 0 : (int) number + 100,
                            .internal = number == PORT_INTERNAL};
}

static struct tc_port
port_by_ifindex(int ifindex, void *arg)
{
    return port_by_number((uint32_t) ifindex - 100, arg);
}

static const struct tc_ports ports = {port_by_number, port_by_ifindex, NULL};
static const dp_ufid ufid = {UINT64_C(0x1122334455667788), UINT64_C(0x99aabbccddeeff00)};

struct flow {
    struct flow_key key, mask;
    struct buf actions;
};

static void
flow_init(struct flow *f)
{
    memset(f, 0, sizeof *f);
    f->key.in_port = 1;
    f->key.eth_type = htons(0x0800);
    f->mask.in_port = f->mask.recirc_id = UINT32_MAX;
    f->mask.eth_type = f->mask.vlan[0].tci = htons(0xffff);
    f->mask.nw_frag = FLOW_FRAG_ANY | FLOW_FRAG_LATER;
    action_put_output(&f->actions, 2);
}

static void
take_proto(struct flow *f, uint8_t proto)
{
    f->key.nw_proto = proto;
    f->mask.nw_proto = UINT8_MAX;
}

/* The flow becomes a filter, and the kernel's message of such a filter the flow. */
static void
assert_taken(struct flow *f)
{
    struct flow_key key, mask;
    struct tc_filter filter = {.ifindex = 0};
    struct buf request = BUF_EMPTY, actions = BUF_EMPTY;
    struct tc_seen seen;
    char why[TC_WHY_MAX] = "";

    if (tc_compile(&f->key, &f->mask, f->actions.data, f->actions.len, ufid, &ports, true, &filter, why)) {
        fail_msg("refused: %s", why);
    }
    tc_filter_put(&request, &filter, 7, 8, 0, 0);
    assert_int_equal(tc_seen_of(nl_msg_at(&request, 0), &seen), 0);
    assert_true(seen.flower && seen.has_ufid && seen.complete);
    assert_true(dp_ufid_equal(seen.ufid, ufid));
    assert_int_equal(seen.prio, 7);
    assert_int_equal(seen.handle, 8);
    assert_int_equal(seen.ifindex, 101);
    assert_int_equal(tc_decode(&seen, &ports, &key, &mask, &actions), 0);
    flow_key_and(&f->key, &f->key, &f->mask);
    flow_key_and(&key, &key, &mask);
    assert_memory_equal(&key, &f->key, sizeof key);
    assert_int_equal(actions.len, f->actions.len);
    assert_memory_equal(actions.data, f->actions.data, actions.len);
    tc_filter_free(&filter);
    buf_free(&request);
    buf_free(&actions);
    buf_free(&f->actions);
}

static void
assert_refused(struct flow *f, const char *expected)
{
    struct tc_filter filter = {.ifindex = 0};
    char why[TC_WHY_MAX] = "";

    assert_int_equal(
        tc_compile(&f->key, &f->mask, f->actions.data, f->actions.len, ufid, &ports, false, &filter, why),
        -EOPNOTSUPP);
    assert_string_equal(why, expected);
    tc_filter_free(&filter);
    buf_free(&f->actions);
}

static void
addresses_and_ports(void **state)
{
    static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
    struct flow f;

    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        for (int v6 = 0; v6 < 2; v6++) {
            flow_init(&f);
            take_proto(&f, protocols[i]);
            f.key.eth_src.b[5] = 7;
            memset(&f.mask.eth_src, UINT8_MAX, 6);
            f.mask.eth_dst.b[0] = 1;
            if (v6) {
                f.key.eth_type = htons(0x86dd);
                memset(&f.key.ipv6_src, 0x20, 16);
                memset(&f.mask.ipv6_src, UINT8_MAX, 8);
            } else {
                f.key.nw_dst = htonl(0x0a000100);
                f.mask.nw_dst = htonl(0xffffff00);
            }
            f.key.nw_tos = 0xb8;
            f.mask.nw_tos = 0xfc;
            f.key.nw_ttl = 64;
            f.mask.nw_ttl = UINT8_MAX;
            f.key.tp_src = htons(1000);
            f.mask.tp_src = htons(0xfff8);
            f.key.tp_dst = htons(53);
            f.mask.tp_dst = htons(0xffff);
            if (protocols[i] == IPPROTO_TCP) {
                f.key.tcp_flags = htons(2);
                f.mask.tcp_flags = htons(0x17);
            }
            assert_taken(&f);
        }
    }
}

static void
fragments_icmp_and_arp(void **state)
{
    static const uint8_t frags[] = {0, FLOW_FRAG_ANY, FLOW_FRAG_ANY | FLOW_FRAG_LATER};
    struct flow f;

    for (size_t i = 0; i < ARRAY_SIZE(frags); i++) {
        flow_init(&f);
        f.key.nw_frag = frags[i];
        assert_taken(&f);
    }
    flow_init(&f);
    take_proto(&f, IPPROTO_ICMP);
    f.key.tp_src = htons(8);
    f.mask.tp_src = f.mask.tp_dst = htons(0xffff);
    assert_taken(&f);
    flow_init(&f);
    f.key.eth_type = htons(0x0806);
    f.mask.nw_frag = 0;
    take_proto(&f, 1);
    f.key.nw_dst = htonl(1);
    f.mask.nw_dst = UINT32_MAX;
    f.key.arp_sha.b[3] = 4;
    memset(&f.mask.arp_sha, UINT8_MAX, 6);
    assert_taken(&f);
}

static void
tags(void **state)
{
    struct action_push_vlan *push;
    struct flow f;

    flow_init(&f);
    f.key.vlan[0] = (struct flow_vlan){htons(0x8100), htons(FLOW_VLAN_PRESENT | 0x6064)};
    f.mask.vlan[0].tpid = f.mask.vlan[1].tci = htons(0xffff);
    buf_clear(&f.actions);
    action_put(&f.actions, ACTION_POP_VLAN, sizeof(struct action_empty));
    action_put_output(&f.actions, 2);
    push = action_put(&f.actions, ACTION_PUSH_VLAN, sizeof *push);
    push->tpid = htons(0x8100);
    push->tci = htons(FLOW_VLAN_PRESENT | 0xe007);
    action_put_output(&f.actions, PORT_INTERNAL);
    assert_taken(&f);
    flow_init(&f);
    f.key.vlan[0] = (struct flow_vlan){htons(0x8100), htons(FLOW_VLAN_PRESENT | 0x64)};
    f.mask.vlan[0] = (struct flow_vlan){htons(0xffff), htons(FLOW_VLAN_PRESENT)};
    buf_clear(&f.actions); /* Drop. */
    assert_taken(&f);
    flow_init(&f);
    f.key.vlan[0] = (struct flow_vlan){htons(0x8100), htons(FLOW_VLAN_PRESENT | 0x64)};
    f.mask.vlan[0].tci = htons(FLOW_VLAN_PRESENT | 0xff);
    assert_refused(&f, "match on a part of vlan_vid");
    flow_init(&f);
    f.key.vlan[0] = f.key.vlan[1] = (struct flow_vlan){htons(0x8100), htons(FLOW_VLAN_PRESENT | 0x64)};
    assert_refused(&f, "match on a second VLAN tag");
}

static void
refusals_name_the_cause(void **state)
{
    struct flow f;

    flow_init(&f);
    f.mask.ct_state = UINT8_MAX;
    assert_refused(&f, "match on ct_state");
    flow_init(&f);
    f.mask.pkt_mark = 1;
    assert_refused(&f, "match on pkt_mark");
    flow_init(&f);
    f.key.recirc_id = 3;
    assert_refused(&f, "match on recirc_id");
    flow_init(&f);
    f.key.eth_type = htons(0x86dd);
    f.mask.ipv6_label = htonl(0xfffff);
    assert_refused(&f, "match on ipv6_label");
    flow_init(&f);
    f.key.eth_type = htons(FLOW_ETH_TYPE_NONE);
    assert_refused(&f, "match on 802.2 frames");
    flow_init(&f);
    take_proto(&f, IPPROTO_UDP);
    f.mask.nw_proto = 0x0f;
    assert_refused(&f, "match on nw_proto");
    flow_init(&f);
    f.key.in_port = PORT_NOWHERE;
    assert_refused(&f, "in_port 9 has no device");
    flow_init(&f);
    f.key.in_port = PORT_INTERNAL;
    assert_refused(&f, "in_port 5 is an internal port");
    flow_init(&f);
    action_put_output(&f.actions, PORT_NOWHERE);
    assert_refused(&f, "output to port 9, which has no device");
    flow_init(&f);
    action_put(&f.actions, ACTION_CT, sizeof(struct action_ct));
    assert_refused(&f, "action ct");
}

static void
priorities_follow_shapes(void **state)
{
    struct tc_prios *p = tc_prios_create();
    struct flow_key wide = {.in_port = 1}, narrow = {.in_port = 1, .nw_dst = 1};
    struct tc_prio *a, *b, *c;

    tc_prio_reserve(p, 1, TC_PRIO_FIRST + 1);
    a = tc_prio_get(p, 1, htons(0x0800), &wide);
    assert_int_equal(a->number, TC_PRIO_FIRST);
    assert_ptr_equal(tc_prio_get(p, 1, htons(0x0800), &wide), a);
    b = tc_prio_get(p, 1, htons(0x0800), &narrow);
    assert_int_equal(b->number, TC_PRIO_FIRST + 2);
    assert_int_not_equal(tc_prio_get(p, 1, htons(0x86dd), &wide)->number, a->number);
    assert_int_equal(tc_prio_get(p, 2, htons(0x0800), &wide)->number, TC_PRIO_FIRST);
    tc_prio_put(p, a);
    tc_prio_put(p, a);
    c = tc_prio_adopt(p, 1, htons(0x0806), &wide, 1000, 17);
    assert_int_equal(c->number, 1000);
    assert_int_equal(c->last_handle, 17);
    assert_null(tc_prio_adopt(p, 1, htons(0x0806), &wide, 1001, 1));
    assert_null(tc_prio_adopt(p, 1, htons(0x0806), &narrow, 1000, 1));
    assert_int_equal(tc_prio_get(p, 1, htons(0x0801), &narrow)->number, TC_PRIO_FIRST);
    tc_prios_destroy(p);
}

/* struct gnet_stats_basic as the kernel writes it, with all 64 bits of packets behind it. */
static void
put_stats(struct buf *b, uint16_t type, uint64_t bytes, uint64_t packets)
{
    uint32_t basic[4] = {(uint32_t) bytes, (uint32_t) (bytes >> 32), (uint32_t) packets, 0};

    nl_put(b, type, basic, sizeof basic);
    if (packets > UINT32_MAX) {
        nl_put_u64(b, TCA_STATS_PKT64, packets);
    }
}

static void
seen_with_stats(struct tc_seen *seen, uint64_t packets, uint64_t hw_packets)
{
    struct buf b = BUF_EMPTY;
    size_t at = tc_filter_begin(&b, RTM_NEWTFILTER, 0, 101, 7, htons(0x0800), 8), nests[4];

    nl_put_string(&b, TCA_KIND, "flower");
    nests[0] = nl_nest_begin(&b, TCA_OPTIONS);
    nests[1] = nl_nest_begin(&b, TCA_FLOWER_ACT);
    nests[2] = nl_nest_begin(&b, 1);
    nests[3] = nl_nest_begin(&b, TCA_ACT_STATS);
    put_stats(&b, TCA_STATS_BASIC, packets * 100, packets);
    put_stats(&b, TCA_STATS_BASIC_HW, hw_packets * 100, hw_packets);
    for (size_t i = ARRAY_SIZE(nests); i-- > 0;) {
        nl_nest_end(&b, nests[i]);
    }
    nl_msg_end(&b, at);
    assert_int_equal(tc_seen_of(nl_msg_at(&b, 0), seen), 0);
    assert_int_equal(seen->bytes, packets * 100);
    assert_int_equal(seen->hw_bytes, hw_packets * 100);
    buf_free(&b);
}

static void
counters_of_more_than_32_bits(void **state)
{
    const uint64_t many = UINT64_C(0x100000005), more = UINT64_C(0x300000007);
    struct tc_seen seen;

    seen_with_stats(&seen, 5, 3);
    assert_true(seen.packets == 5 && seen.hw_packets == 3);
    seen_with_stats(&seen, many, 3);
    assert_true(seen.packets == many && seen.hw_packets == 3);
    seen_with_stats(&seen, more, many);
    assert_true(seen.packets == more && seen.hw_packets == many);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_and_ports),
        cmocka_unit_test(fragments_icmp_and_arp),
        cmocka_unit_test(tags),
        cmocka_unit_test(refusals_name_the_cause),
        cmocka_unit_test(priorities_follow_shapes),
        cmocka_unit_test(counters_of_more_than_32_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
