// SPDX-License-Identifier: Apache-2.0
// Datapath flows and actions as text. The strings are what ovs-dpctl(8) 3.1 prints.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib/flow/action.h"

/* Text to actions to text. */
static void
check_actions(const char *in, const char *expected)
{
    struct buf list = BUF_EMPTY, b = BUF_EMPTY;
    char *error = action_parse(in, NULL, &list);

    if (error) {
        buf_puts(&b, error);
        free(error);
    } else {
        action_format(list.data, list.len, NULL, &b);
    }
    assert_string_equal(buf_text(&b), expected);
    buf_free(&b);
    buf_free(&list);
}

static void
test_actions(void **state)
{
    static const char *const list[] = {
        "drop",
        "2,3",
        "4294967295",
        "ct",
        "ct(commit,zone=1,mark=0x5/0xff,label=0x5/0xffff,helper=ftp,timeout=foo,nat(src=1.1.1.1))",
        "ct(commit,mark=0x5/0xffffffff,label=0x77)",
        "ct(commit,nat(src=1.1.1.1-1.1.1.4:5-8,hash))",
        "ct(force_commit,nat(dst=1.1.1.1:5))",
        "ct(commit,nat(src=1.1.1.1-1.1.1.3,persistent,random))",
        "ct(commit,nat(src))",
        "ct(commit,nat(src=0.0.0.0:5))",
        "ct(commit,nat(src=[::1]:5))",
        "ct(commit,nat(dst=::1-::5))",
        "ct(commit,nat(dst=[::1]-[::5]:5-6))",
        "ct(zone=5)",
        "ct(nat)",
        "ct_clear",
        "recirc(0x5)",
        "push_vlan(tpid=0x88a8,vid=5,pcp=3)",
        "push_vlan(vid=5,pcp=3),2,pop_vlan,3",
        "push_mpls(label=5,tc=1,ttl=64,bos=1,eth_type=0x8847),1,pop_mpls(eth_type=0x800)",
        "hash(l4(5)),hash(sym_l4(0)),recirc(0x1)",
        "trunc(100),2",
        "meter(5)",
        "sample(sample=50.0%,actions(2,3))",
        "sample(sample=0.1%,actions(drop))",
        "clone(2,set(tcp(src=5)))",
        "check_pkt_len(size=200,gt(drop),le(2))",
        "check_pkt_len(size=200,gt(2,3),le(clone(4),5))",
        "userspace(pid=5)",
        "userspace(pid=5,slow_path(controller))",
        "userspace(pid=0,slow_path(0))",
        "userspace(pid=0,controller(reason=1,dont_send=0,continuation=1,recirc_id=5,rule_cookie=0x55,controller_id=1,max_len=5))",
        "userspace(pid=0,controller(reason=1,dont_send=1,continuation=0,recirc_id=1,rule_cookie=0,controller_id=0,max_len=65535))",
        "set(eth(src=00:00:00:00:00:01))",
        "set(eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:05))",
        "set(ipv4(src=1.1.1.1,dst=2.2.2.2,proto=6,tos=0,ttl=64,frag=no))",
        "set(ipv4(tos=0x10/0xfc,ttl=64))",
        "set(ipv4(src=1.0.0.0/255.0.0.0))",
        "set(ipv6(src=::1,dst=::2,label=0x5,tclass=0x3,hlimit=3))",
        "set(ipv6(label=0x5/0xff,tclass=0x3/0x3))",
        "set(tcp(src=5/0xff))",
        "set(udp(src=5,dst=6))",
        "set(sctp(src=5))",
        "set(icmp(type=5,code=4))",
        "set(icmpv6(type=5,code=4))",
        "set(nd(target=::1,sll=00:00:00:00:00:01))",
        "set(nd(tll=00:00:00:00:00:01))",
        "set(mpls(label=5,tc=1,ttl=4,bos=1))",
        "set(mpls(label=5/0xff,tc=0/0,ttl=0/0x0,bos=0/0))",
        "set(tunnel(tun_id=0x5,dst=2.2.2.2,ttl=64,tp_dst=4789,flags(df|csum|key)))",
        "set(tunnel(tun_id=0x5,ipv6_dst=::1,ttl=64,vxlan(gbp(id=1,flags=0x2)),flags(key)))",
        "set(skb_priority(0x5)),set(skb_mark(0x5/0xff))",
        "set(arp(sip=1.1.1.1,tip=2.0.0.0/255.0.0.0,op=1,sha=00:00:00:00:00:01,tha=00:00:00:00:00:02))",
        "set(vlan(vid=5,pcp=3))",
    };

    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        check_actions(list[i], list[i]);
    }
}

static void
test_bad_actions(void **state)
{
    static const char *const list[] = {
        "set(foo(src=1))", "push_vlan(vid=4096)", "foo", "ct(foo)", "ct(nat(src=1.1.1))", "clone(foo)", "hash(l3(0))", "recirc(x)", "sample(sample=101%)",
        "userspace(pid=0,controller(reason=1)),bar(", "set(ipv4(src=1.1.1.1/33))", "check_pkt_len(size=70000)", "ct(timeout=0123456789012345678901234567890123456789)",
    };
    char deep[512];

    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        struct buf b = BUF_EMPTY;
        char *error = action_parse(list[i], NULL, &b);

        assert_non_null(error);
        assert_int_equal(b.len, 0);
        free(error);
        buf_free(&b);
    }
    deep[0] = '\0';
    for (int i = 0; i < 40; i++) {
        strcat(deep, "clone(");
    }
    {
        struct buf b = BUF_EMPTY;
        char *error = action_parse(deep, NULL, &b);

        assert_non_null(strstr(error, "nested too deep"));
        free(error);
        buf_free(&b);
    }
}

static void
check_match(const char *in, const char *terse, const char *verbose)
{
    struct flow_key key, mask;
    struct buf b = BUF_EMPTY;
    char *error = dp_match_parse(in, NULL, &key, &mask);

    if (error) {
        assert_string_equal(error, terse);
        free(error);
        return;
    }
    dp_match_format(&key, &mask, NULL, false, &b);
    assert_string_equal(buf_text(&b), terse);
    if (verbose) {
        buf_clear(&b);
        dp_match_format(&key, &mask, NULL, true, &b);
        assert_string_equal(buf_text(&b), verbose);
    }
    buf_free(&b);
}

#define B "recirc_id(0),in_port(1),packet_type(ns=0,id=0),"
#define E "eth(src=00:00:00:00:00:01/00:00:00:00:00:00,dst=00:00:00:00:00:02/ff:00:00:00:00:00),"
#define TERSE_E "eth(dst=00:00:00:00:00:02/ff:00:00:00:00:00),"
#define WILD_CT "ct_zone(0/0),ct_mark(0/0),ct_label(0/0),"
#define V "recirc_id(0),dp_hash(0/0),in_port(1),packet_type(ns=0,id=0),"

/* As flows of the userspace datapath, which say their packet type, are printed. */
static void
test_matches(void **state)
{
    check_match("ct_state(0x21/0x23)," B E "eth_type(0x800),ipv4(src=1.1.1.1,dst=1.1.1.0/255.255.255.0,proto=6/0xff,tos=0/0,ttl=64,frag=first),"
                "tcp(src=5/0xff,dst=6/0),tcp_flags(+syn-ack)",
                "ct_state(+new-est+trk)," B TERSE_E "eth_type(0x0800),ipv4(src=1.1.1.1,dst=1.1.1.0/255.255.255.0,proto=6,ttl=64,frag=first),"
                "tcp(src=5/0xff),tcp_flags(+syn-ack)",
                "skb_priority(0/0),skb_mark(0/0),ct_state(0x21/0x23)," WILD_CT V E "eth_type(0x0800),"
                "ipv4(src=1.1.1.1,dst=1.1.1.0/255.255.255.0,proto=6,tos=0/0,ttl=64,frag=first),tcp(src=5/0xff,dst=6/0),tcp_flags(+syn-ack)");
    check_match(B "eth_type(0x800),ipv4(proto=6,frag=no),tcp_flags(0x12)", B "eth_type(0x0800),ipv4(proto=6,frag=no),tcp_flags(syn|ack)", NULL);
    check_match("ct_state(0x21),ct_zone(0x5),ct_mark(0x5/0xff),ct_label(0x5/0xff),ct_tuple4(src=1.1.1.1,dst=2.2.2.2,proto=6,tp_src=4,tp_dst=5)," B E
                "eth_type(0x800),ipv4(frag=no)",
                "ct_state(+new-est-rel-rpl-inv+trk-snat-dnat),ct_zone(0x5),ct_mark(0x5/0xff),ct_label(0x5/0xff),"
                "ct_tuple4(src=1.1.1.1,dst=2.2.2.2,proto=6,tp_src=4,tp_dst=5)," B TERSE_E "eth_type(0x0800),ipv4(frag=no)",
                "skb_priority(0/0),skb_mark(0/0),ct_state(0x21/0xff),ct_zone(0x5),ct_mark(0x5/0xff),ct_label(0x5/0xff),"
                "ct_tuple4(src=1.1.1.1,dst=2.2.2.2,proto=6,tp_src=4,tp_dst=5)," V E
                "eth_type(0x0800),ipv4(src=0.0.0.0/0.0.0.0,dst=0.0.0.0/0.0.0.0,proto=0/0,tos=0/0,ttl=0/0,frag=no)");
    check_match(B E "eth_type(0x8100),vlan(vid=5,pcp=1,cfi=1),encap(eth_type(0x86dd),ipv6(src=::1,dst=::/ffff::,label=0x5/0xff,proto=58,tclass=0x3,"
                "hlimit=4,frag=no),icmpv6(type=136,code=0),nd(target=::1,sll=00:00:00:00:00:00,tll=00:00:00:00:00:01))",
                B TERSE_E "eth_type(0x8100),vlan(vid=5,pcp=1),encap(eth_type(0x86dd),ipv6(src=::1,dst=::/ffff::,label=0x5/0xff,proto=58,tclass=0x3,"
                "hlimit=4,frag=no),icmpv6(type=136,code=0),nd(target=::1,sll=00:00:00:00:00:00,tll=00:00:00:00:00:01))",
                NULL);
    check_match(B "eth_type(0x8100),vlan(vid=5/0xff,pcp=1/0x0),encap(eth_type(0x0806),arp(sip=1.1.1.1,tip=2.2.2.2/255.0.0.0,op=1))",
                B "eth_type(0x8100),vlan(vid=5/0xff,pcp=1/0x0),encap(eth_type(0x0806),arp(sip=1.1.1.1,tip=2.2.2.2/255.0.0.0,op=1))", NULL);
    check_match(B "eth_type(0x8847),mpls(label=5,tc=0/0,ttl=4,bos=1)", B "eth_type(0x8847),mpls(label=5/0xfffff,tc=0/0,ttl=4/0xff,bos=1/1)", NULL);
    check_match("tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,tos=0,ttl=64,flags(df|key))," B "eth_type(0x86dd),ipv6(proto=132,frag=no),sctp(src=5,dst=4/0)",
                "tunnel(tun_id=0x5,src=1.1.1.1,dst=2.2.2.2,ttl=64,flags(df|key))," B "eth_type(0x86dd),ipv6(proto=132,frag=no),sctp(src=5)", NULL);
    check_match(B "eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02)", B "eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02)", NULL);
    check_match("skb_priority(0x5/0xf),skb_mark(0x7),recirc_id(0x5),dp_hash(0x5/0xf),in_port(1),packet_type(ns=1,id=0x800),eth_type(0x800),"
                "ipv4(proto=1,frag=no),icmp(type=5,code=3/0)",
                "skb_priority(0x5/0xf),skb_mark(0x7),recirc_id(0x5),dp_hash(0x5/0xf),in_port(1),packet_type(ns=1,id=0x800),eth_type(0x0800),"
                "ipv4(proto=1,frag=no),icmp(type=5)",
                NULL);
    check_match("in_port(1),foo(3)", "syntax error at foo", NULL);
    check_match("in_port(1),ct_state(foo)", "syntax error at ct_state(foo)", NULL);
    check_match("in_port(1),eth_type(0x8100),encap(ipv4(src=x))", "syntax error at ipv4(src=x)", NULL);
    check_match("in_port(1),encap(encap(encap(encap())))", "syntax error at encap(encap(encap(encap())))", NULL);
}

/* As openvswitch.ko's are. */
static void
test_kernel_matches(void **state)
{
    check_match("in_port(2),recirc_id(0),eth_type(0x0800),ipv4(frag=no)", "recirc_id(0),in_port(2),eth(),eth_type(0x0800),ipv4(frag=no)",
                "recirc_id(0),dp_hash(0/0),skb_priority(0/0),in_port(2),skb_mark(0/0),ct_state(0/0),ct_zone(0/0),ct_mark(0/0),ct_label(0/0),"
                "eth(src=00:00:00:00:00:00/00:00:00:00:00:00,dst=00:00:00:00:00:00/00:00:00:00:00:00),eth_type(0x0800),"
                "ipv4(src=0.0.0.0/0.0.0.0,dst=0.0.0.0/0.0.0.0,proto=0/0,tos=0/0,ttl=0/0,frag=no)");
}

static const char *
port_name(uint32_t port, const void *aux)
{
    return port == 2 ? "eth0" : NULL;
}

static bool
port_number(const char *name, uint32_t *port, const void *aux)
{
    *port = 2;
    return !strcmp(name, "eth0");
}

static void
test_port_names(void **state)
{
    const struct dp_port_names names = {port_name, port_number, NULL};
    struct buf list = BUF_EMPTY, b = BUF_EMPTY;
    struct flow_key key, mask;

    assert_null(action_parse("eth0,3", &names, &list));
    action_format(list.data, list.len, &names, &b);
    buf_putc(&b, ' ');
    assert_null(dp_match_parse("recirc_id(0),in_port(eth0),eth_type(0x1234)", &names, &key, &mask));
    dp_match_format(&key, &mask, &names, false, &b);
    assert_string_equal(buf_text(&b), "eth0,3 recirc_id(0),in_port(eth0),eth(),eth_type(0x1234)");
    buf_free(&b);
    buf_free(&list);
}

static void
test_nested_lists(void **state)
{
    struct buf list = BUF_EMPTY;
    const struct action *a;
    size_t size;

    assert_null(action_parse("clone(1,2),check_pkt_len(size=9,gt(3),le(4,5)),sample(sample=100.0%,actions(6)),7", NULL, &list));
    a = (const struct action *) (const void *) list.data;
    assert_ptr_equal(action_nested(a, &size), (const struct action_clone *) (const void *) a + 1);
    assert_int_equal(size, 2 * sizeof(struct action_output));
    a = action_next(a);
    action_nested(a, &size);
    assert_int_equal(size, sizeof(struct action_output));
    assert_int_equal(a->size, sizeof(struct action_check_len) + 3 * sizeof(struct action_output));
    a = action_next(a);
    assert_int_equal(((const struct action_sample *) (const void *) a)->probability, UINT32_MAX);
    action_nested(a, &size);
    assert_int_equal(size, sizeof(struct action_output));
    a = action_next(a);
    assert_null(action_nested(a, &size));
    assert_ptr_equal(action_next(a), list.data + list.len);
    buf_free(&list);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_actions),        cmocka_unit_test(test_bad_actions), cmocka_unit_test(test_matches),
        cmocka_unit_test(test_kernel_matches), cmocka_unit_test(test_port_names),  cmocka_unit_test(test_nested_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
