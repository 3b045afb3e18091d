// SPDX-License-Identifier: Apache-2.0
// Netlink messages and the keys of openvswitch.ko. What needs a kernel with openvswitch is in tests/system.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <linux/rtnetlink.h>
#include "lib/flow/action.h"
#include "lib/nl/ovs_action.h"
#include "lib/nl/sock.h"

static void
attributes_come_back(void **state)
{
    struct buf b = BUF_EMPTY;
    size_t at = nl_msg_begin(&b, 77, NLM_F_ACK), nest;
    struct nl_attr tb[6], inner[3];
    char text[4];

    nl_put_u8(&b, 1, 200);
    nl_put_u64(&b, 2, UINT64_C(0x1122334455667788));
    nest = nl_nest_begin(&b, 3 | NLA_F_NESTED);
    nl_put_u16(&b, 1, 4660);
    nl_put_flag(&b, 2);
    nl_nest_end(&b, nest);
    nl_put_string(&b, 4, "abcdef");
    nest = nl_nest_begin(&b, 5);
    nl_put_u32(&b, 1, 1);
    nl_nest_cancel(&b, nest);
    nl_msg_end(&b, at);

    assert_int_equal(nl_msg_at(&b, at)->nlmsg_len, b.len);
    assert_int_equal(nl_attrs_parse(nl_msg_attrs(nl_msg_at(&b, at), 0), tb, ARRAY_SIZE(tb), NULL), 0);
    assert_int_equal(nl_attr_u8(tb[1]), 200);
    assert_true(nl_attr_u64(tb[2]) == UINT64_C(0x1122334455667788));
    assert_int_equal(nl_attrs_parse(nl_attr_slice(tb[3]), inner, ARRAY_SIZE(inner), NULL), 0);
    assert_int_equal(nl_attr_u16(inner[1]), 4660);
    assert_non_null(inner[2].data);
    nl_attr_string(tb[4], text, sizeof text);
    assert_string_equal(text, "abc");
    assert_null(tb[5].data);
    assert_int_equal(nl_attr_u32(tb[5]), 0);
    buf_free(&b);
}

static void
short_attributes_are_refused(void **state)
{
    static const struct nl_policy policy[3] = {[1] = {4, false}, [2] = {0, true}};
    struct nl_attr tb[3];
    struct buf b = BUF_EMPTY;

    nl_put_u16(&b, 1, 9);
    assert_int_equal(nl_attrs_parse(slice_of(b.data, b.len), tb, 3, policy), -EINVAL);
    buf_clear(&b);
    nl_put_u32(&b, 1, 9);
    assert_int_equal(nl_attrs_parse(slice_of(b.data, b.len), tb, 3, policy), -EINVAL);
    nl_put_flag(&b, 2);
    assert_int_equal(nl_attrs_parse(slice_of(b.data, b.len), tb, 3, policy), 0);
    for (size_t n = 1; n < b.len; n++) {
        int error = nl_attrs_parse(slice_of(b.data, n), tb, 3, NULL);

        assert_int_equal(error, n == 8 ? 0 : -EINVAL);
    }
    buf_free(&b);
}

/* A batch of requests of which one fails: each gets its own answer. Loopback exists in every namespace. */
static void
batch_keeps_errors_apart(void **state)
{
    struct nl_sock *s;
    struct nl_batch b = {.n = 0};
    static const int ifindexes[] = {1, INT32_MAX, 1};
    char extack[NL_EXTACK_MAX];

    assert_int_equal(nl_sock_open(NETLINK_ROUTE, &s), 0);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < ARRAY_SIZE(ifindexes); i++) {
            struct nl_op *op = nl_batch_add(&b);
            struct ifinfomsg info = {.ifi_index = ifindexes[i]};

            op->extack = extack;
            nl_msg_begin(&b.msgs, RTM_GETLINK, 0);
            buf_put(&b.msgs, &info, sizeof info);
            nl_msg_end(&b.msgs, op->offset);
        }
        assert_int_equal(nl_batch_run(s, &b, NULL, NULL), 0);
        assert_int_equal(b.ops[0].error, 0);
        assert_int_equal(b.ops[1].error, -ENODEV);
        assert_int_equal(b.ops[2].error, 0);
        nl_batch_clear(&b);
    }
    nl_batch_free(&b);
    nl_sock_close(s);
}

static struct flow_key
sample_key(uint16_t eth_type, uint8_t proto)
{
    struct flow_key k = {.in_port = 3,
                         .recirc_id = 9,
                         .ct_state = CT_TRK | CT_EST,
                         .ct_zone = 7,
                         .skb_priority = 0x10001,
                         .pkt_mark = 5};

    memcpy(k.eth_src.b, "\x02\0\0\0\0\x01", 6);
    memcpy(k.eth_dst.b, "\x02\0\0\0\0\x02", 6);
    memcpy(k.ct_label, "0123456789abcdef", 16);
    k.eth_type = htons(eth_type);
    k.nw_proto = proto;
    if (eth_type == 0x0800 || eth_type == 0x0806) {
        k.nw_src = htonl(0x0a000001);
        k.nw_dst = htonl(0x0a000002);
    }
    if (eth_type == 0x86dd) {
        memset(&k.ipv6_src, 0x20, 16);
        memset(&k.ipv6_dst, 0x30, 16);
        k.ipv6_label = htonl(0x12345);
    }
    if (eth_type == 0x0800 || eth_type == 0x86dd) {
        k.nw_tos = 0x2e;
        k.nw_ttl = 63;
    }
    return k;
}

/* Through the kernel's form and back, with an exact mask, which comes back with what the kernel can say of
 * it. */
static void
check_round_trip(const struct flow_key *key)
{
    struct flow_key all, back, mask;
    struct buf k = BUF_EMPTY, m = BUF_EMPTY;

    memset(&all, UINT8_MAX, sizeof all);
    ovs_key_put(&k, key, &all);
    ovs_mask_put(&m, key, &all);
    assert_int_equal(ovs_key_get(slice_of(k.data, k.len), &back), 0);
    assert_memory_equal(&back, key, sizeof back);
    assert_int_equal(ovs_mask_get(slice_of(m.data, m.len), &back, &mask), 0);
    /* Every bit that is set in the key is under the mask. */
    flow_key_and(&back, key, &mask);
    assert_memory_equal(&back, key, sizeof back);
    for (size_t n = 0; n < k.len; n++) {
        ovs_key_get(slice_of(k.data, n), &back);
    }
    buf_free(&k);
    buf_free(&m);
}

static void
keys_come_back(void **state)
{
    static const uint8_t protocols[] = {IPPROTO_TCP,  IPPROTO_UDP,    IPPROTO_SCTP,
                                        IPPROTO_ICMP, IPPROTO_ICMPV6, 99};

    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        for (int v6 = 0; v6 < 2; v6++) {
            struct flow_key k = sample_key(v6 ? 0x86dd : 0x0800, protocols[i]);
            bool icmp = protocols[i] == (v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

            if (icmp ||
                (protocols[i] != 99 && protocols[i] != IPPROTO_ICMP && protocols[i] != IPPROTO_ICMPV6)) {
                k.tp_src = htons(icmp ? 8 : 1234);
                k.tp_dst = htons(icmp ? 3 : 53);
            }
            k.tcp_flags = protocols[i] == IPPROTO_TCP ? htons(0x12) : 0;
            check_round_trip(&k);
            k.nw_frag = FLOW_FRAG_ANY;
            check_round_trip(&k);
            k.nw_frag = FLOW_FRAG_ANY | FLOW_FRAG_LATER;
            k.tp_src = k.tp_dst = k.tcp_flags = 0;
            check_round_trip(&k);
        }
    }
}

static void
odd_keys_come_back(void **state)
{
    struct flow_key k = sample_key(0x0806, 2);

    memcpy(k.arp_sha.b, "\x02\0\0\0\0\x07", 6);
    check_round_trip(&k);
    k.vlan[0] = (struct flow_vlan){htons(0x8100), htons(FLOW_VLAN_PRESENT | 0x2064)};
    check_round_trip(&k);
    k.vlan[0].tpid = htons(0x88a8);
    k.vlan[1] = (struct flow_vlan){htons(0x8100), htons(FLOW_VLAN_PRESENT | 5)};
    check_round_trip(&k);
    k = sample_key(FLOW_ETH_TYPE_NONE, 0);
    check_round_trip(&k);
    k = sample_key(0x8847, 0);
    k.mpls[0] = htonl(0x12345040);
    k.mpls[1] = htonl(0x12345140);
    check_round_trip(&k);
    k = sample_key(0x86dd, IPPROTO_ICMPV6);
    k.tp_src = htons(135);
    memset(&k.nd_target, 0x44, 16);
    memcpy(k.arp_sha.b, "\x02\0\0\0\0\x09", 6);
    check_round_trip(&k);
    k = sample_key(0x0800, 99);
    k.tun_dst = htonl(0x01020304);
    k.tun_src = htonl(0x01020305);
    k.tun_id = htonll(77);
    k.tun_flags = FLOW_TNL_F_KEY | FLOW_TNL_F_DF;
    k.tun_ttl = 64;
    k.tun_gbp_id = htons(9);
    check_round_trip(&k);
}

/* What was not looked at is not in the mask, but what the kernel insists on is. */
static void
masks_stay_wide(void **state)
{
    struct flow_key k = sample_key(0x0800, IPPROTO_TCP), wide = {.nw_dst = htonl(0xffffff00)}, back;
    struct buf m = BUF_EMPTY;

    ovs_mask_put(&m, &k, &wide);
    assert_int_equal(ovs_mask_get(slice_of(m.data, m.len), &k, &back), 0);
    assert_int_equal(back.eth_type, htons(0xffff));
    assert_int_equal(back.vlan[0].tci, htons(0xffff));
    back.eth_type = back.vlan[0].tci = 0;
    assert_memory_equal(&back, &wide, sizeof back);

    buf_clear(&m);
    wide.tp_dst = htons(0xffff);
    ovs_mask_put(&m, &k, &wide);
    assert_int_equal(ovs_mask_get(slice_of(m.data, m.len), &k, &back), 0);
    assert_int_equal(back.nw_proto, UINT8_MAX);
    buf_free(&m);
}

static void
actions_come_back(void **state)
{
    static const char *const lists[] = {
        "1,2",
        "push_vlan(vid=5,pcp=1),2,pop_vlan,3",
        "set(eth(src=02:00:00:00:00:01)),set(ipv4(dst=10.0.0.1,tos=0x8/0xfc)),set(tcp(dst=80)),1",
        "set(ipv6(src=2001:db8::1)),set(skb_mark(0x5)),set(skb_priority(0x7)),1",
        "ct(commit,zone=3,mark=0x1/0xff,label=0x1/0x1,nat(src=10.0.0.1-10.0.0.9:1000-2000,random)),recirc(0x5)",
        "ct(nat),recirc(0x5)",
        "ct_clear,trunc(100),4",
        "hash(l4(0)),recirc(0x9)",
        "sample(sample=50.0%,actions(1,2)),clone(push_vlan(vid=9,pcp=0),4),3",
        "check_pkt_len(size=100,gt(1),le(2,3))",
        "meter(3),1",
    };

    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        struct buf list = BUF_EMPTY, wire = BUF_EMPTY, back = BUF_EMPTY, text = BUF_EMPTY,
                   text_back = BUF_EMPTY;
        char *error = action_parse(lists[i], NULL, &list);

        if (error) {
            fail_msg("%s: %s", lists[i], error);
        }
        assert_int_equal(ovs_actions_put(&wire, list.data, list.len, 1), 0);
        assert_int_equal(ovs_actions_get(slice_of(wire.data, wire.len), &back), 0);
        action_format(list.data, list.len, NULL, &text);
        action_format(back.data, back.len, NULL, &text_back);
        assert_string_equal(buf_text(&text_back), buf_text(&text));
        for (size_t n = 0; n < wire.len; n++) {
            buf_clear(&back);
            ovs_actions_get(slice_of(wire.data, n), &back);
        }
        buf_free(&list);
        buf_free(&wire);
        buf_free(&back);
        buf_free(&text);
        buf_free(&text_back);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes_come_back),     cmocka_unit_test(short_attributes_are_refused),
        cmocka_unit_test(batch_keeps_errors_apart), cmocka_unit_test(keys_come_back),
        cmocka_unit_test(odd_keys_come_back),       cmocka_unit_test(masks_stay_wide),
        cmocka_unit_test(actions_come_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
