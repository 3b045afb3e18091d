// SPDX-License-Identifier: Apache-2.0
// Lists of actions: what the programs make of random packets with them is what lib/dp/execute makes of them.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib/flow/wire.h"
#include "tests/system/dp_ebpf_lab.h"

#define N_EXECUTIONS 4000
#define N_LISTS 400
#define PACKETS_A_LIST 8

static void
expect_output(uint32_t port, struct packet *p, const struct flow_key *key, bool last, void *outputs)
{
    add_frame(&((struct outputs *) outputs)->frames[port], p->data, p->len);
}

static void expect_again(uint32_t id, struct packet *, const struct flow_key *, void *outputs);

static const struct execute_ops expectations = {.output = expect_output, .recirc = expect_again};

static void
expect_again(uint32_t id, struct packet *p, const struct flow_key *key, void *outputs)
{
    const struct outputs *o = outputs;
    struct packet *copy = packet_clone(p);

    execute_actions(copy, key, o->again->data, o->again->len, &expectations, outputs);
    packet_free(copy);
}

struct execution {
    enum { ANY, IPV4, IPV6, TCP_UDP, SCTP, ARP, ICMP4, ICMP6, ND } of; /* Packets that such actions come for. */
    const char *actions;
    const char *why; /* Part of why programs cannot; NULL: they can. */
};

static const struct execution executions[] = {
    {ANY, "2", NULL},
    {ANY, "3,2", NULL},
    {ANY, "drop", NULL},
    {ANY, "2,2,3,2", NULL},
    {ANY, "push_vlan(vid=5,pcp=3),2", NULL},
    {ANY, "2,push_vlan(tpid=0x88a8,vid=5,pcp=3),3", NULL},
    {ANY, "push_vlan(vid=5,pcp=3),push_vlan(vid=6,pcp=1),2,pop_vlan,3", NULL},
    {ANY, "pop_vlan,2", NULL},
    {ANY, "pop_vlan,pop_vlan,2", NULL},
    {ANY, "pop_vlan,push_vlan(vid=9,pcp=0),2,pop_vlan,3", NULL},
    {ANY, "set(eth(src=00:01:02:03:04:05)),2", NULL},
    {ANY, "set(eth(src=00:01:02:03:04:05,dst=0a:00:00:00:00:01)),3", NULL},
    {ANY, "trunc(40),2", NULL},
    {ANY, "3,trunc(20),2", NULL},
    {ANY, "trunc(40),2,3", NULL},
    {ANY, "clone(trunc(40),3),2", NULL},
    {ANY, "trunc(40),2,push_vlan(vid=5,pcp=3),3", NULL},
    {ANY, "trunc(40),2,set(eth(src=00:01:02:03:04:05)),pop_vlan,3", NULL},
    {ANY, "trunc(60),2,trunc(40),3", NULL},
    {ANY, "push_vlan(vid=5,pcp=3),sample(sample=100%,actions(trunc(40),2)),pop_vlan,3", NULL},
    {ANY, "sample(sample=100%,actions(3)),2", NULL},
    {ANY, "sample(sample=0%,actions(3)),2", NULL},
    {ANY, "3,sample(sample=100%,actions(sample(sample=0%,actions(3)),3)),2", NULL},
    {ANY, "2,sample(sample=100%,actions(push_vlan(vid=5,pcp=3),3,recirc(0x5)))", NULL},
    {ANY, "sample(sample=100%,actions(push_vlan(vid=5,pcp=3),3)),2", NULL},
    {ANY, "sample(sample=0%,actions(push_vlan(vid=5,pcp=3),3)),2", NULL},
    {ANY, "check_pkt_len(size=100,gt(2),le(3))", NULL},
    {ANY, "check_pkt_len(size=100,gt(2),le(3,3)),3", NULL},
    {ANY, "check_pkt_len(size=150,gt(push_vlan(vid=5,pcp=3),2),le(check_pkt_len(size=80,gt(3),le(pop_vlan,2))))", NULL},
    {ANY, "check_pkt_len(size=100,gt(push_vlan(vid=5,pcp=3),2),le(3)),2", NULL},
    {ANY, "check_pkt_len(size=100,gt(pop_vlan,3),le(set(eth(src=00:01:02:03:04:05)),3)),2", NULL},
    {ANY, "meter(9),2,meter(9),3", NULL},
    {ANY, "clone(3),2", NULL},
    {ANY, "clone(push_vlan(vid=5,pcp=3),3),2", NULL},
    {ANY, "clone(pop_vlan,3),2", NULL},
    {ANY, "clone(pop_vlan,pop_vlan,push_vlan(tpid=0x88a8,vid=5,pcp=3),3),2", NULL},
    {ANY, "push_vlan(vid=7,pcp=1),clone(pop_vlan,pop_vlan,3),clone(push_vlan(vid=5,pcp=3),clone(pop_vlan,pop_vlan,3),3),2", NULL},
    {ANY, "clone(set(eth(src=00:01:02:03:04:05)),set(skb_mark(0x5)),3),2", NULL},
    {ANY, "clone(set(eth(src=00:01:02:03:04:05)),meter(9),clone(set(eth(src=00:01:02:03:04:06)),3),3),2,clone(recirc(0x5)),2", NULL},
    {ANY, "clone(push_vlan(vid=5,pcp=3),recirc(0x5)),2", NULL},
    {ANY, "clone(push_vlan(vid=5,pcp=3),3,2)", NULL},
    {ANY, "recirc(0x5)", NULL},
    {ANY, "3,push_vlan(vid=5,pcp=3),recirc(0x5)", NULL},
    {ANY, "hash(l4(0)),recirc(0x5)", NULL},
    {ANY, "recirc(0x5),3", NULL},
    {ANY, "pop_vlan,recirc(0x5),push_vlan(vid=5,pcp=3),recirc(0x5),2", NULL},
    {ANY, "hash(l4(0)),recirc(0x5),3", NULL},
    {ANY, "set(skb_mark(0x5/0xff)),2", NULL},
    {IPV4, "set(ipv4(src=1.2.3.4)),2", NULL},
    {IPV4, "set(ipv4(src=1.2.3.4/255.0.255.0,dst=5.6.7.8,tos=0x10/0xfc,ttl=64)),2", NULL},
    {IPV4, "2,push_vlan(vid=5,pcp=3),set(ipv4(ttl=3)),3", NULL},
    {IPV4, "pop_vlan,set(ipv4(dst=9.9.9.9,ttl=3)),3", NULL},
    {IPV4, "clone(set(ipv4(src=1.2.3.4,ttl=3)),push_vlan(vid=5,pcp=3),3),2", NULL},
    {IPV4, "clone(set(ipv4(dst=1.2.3.4,tos=4)),pop_vlan,3),clone(pop_vlan,set(ipv4(ttl=1)),3),recirc(0x5),2", NULL},
    {IPV6, "set(ipv6(src=::1,dst=fe80::5)),2", NULL},
    {IPV6, "clone(set(ipv6(src=::1,dst=fe80::5,hlimit=2)),3),clone(pop_vlan,set(ipv6(dst=fe80::6)),2),2", NULL},
    {IPV6, "set(ipv6(src=1::1,label=0x5/0xff,tclass=0x3/0x3,hlimit=3)),2,set(ipv6(hlimit=2)),3", NULL},
    {IPV6, "push_vlan(vid=5,pcp=3),set(ipv6(dst=::1,tclass=0x7)),3", NULL},
    {TCP_UDP, "set(tcp(src=5)),2", NULL},
    {TCP_UDP, "set(udp(src=5,dst=6/0xff)),2", NULL},
    {TCP_UDP, "clone(set(tcp(src=5)),3),2", NULL},
    {SCTP, "set(sctp(src=5)),2", NULL},
    {SCTP, "set(sctp(src=5/0xff,dst=1000)),2,set(sctp(dst=7)),push_vlan(vid=5,pcp=3),3", NULL},
    {SCTP, "clone(set(sctp(src=5,dst=6)),3),2", NULL},
    {ARP, "clone(set(arp(sip=1.1.1.1,tha=00:00:00:00:00:02)),3),2", NULL},
    {ARP, "set(arp(sip=1.1.1.1,tip=2.0.0.0/255.0.0.0,op=1,sha=00:00:00:00:00:01,tha=00:00:00:00:00:02)),2", NULL},
    {ICMP4, "set(icmp(type=5,code=4)),2", NULL},
    {ND, "set(nd(target=::1)),2", NULL},
    {ND, "set(nd(target=::1,sll=00:00:00:00:00:01)),2", NULL},
    {ND, "set(nd(sll=00:00:00:00:00:01,tll=00:00:00:00:00:02)),2", NULL},
    {ND, "clone(set(nd(target=::1,sll=00:00:00:00:00:01,tll=00:00:00:00:00:02)),3),2", NULL},
    {ANY, "push_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847),2", NULL},
    {ANY, "pop_mpls(eth_type=0x800),2", NULL},
    {ANY, "push_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847),3,pop_mpls(eth_type=0x800),2", NULL},
    {ANY, "push_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847),push_mpls(label=77777,tc=1,ttl=9,bos=0,eth_type=0x8848),2,pop_mpls(eth_type=0x8847),3", NULL},
    {ANY, "push_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847),pop_vlan,3,push_vlan(vid=5,pcp=3),2", NULL},
    {ANY, "pop_mpls(eth_type=0x8847),pop_vlan,2,pop_mpls(eth_type=0x800),recirc(0x5)", NULL},
    {ANY, "push_vlan(vid=5,pcp=3),push_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847),2,clone(pop_vlan,set(eth(src=00:01:02:03:04:05)),3),3", NULL},
    {ANY, "set(mpls(label=5)),2", NULL},
    {ANY, "set(mpls(label=5,ttl=3)),push_vlan(vid=5,pcp=3),3,set(mpls(tc=2)),2", NULL},
    {ANY, "clone(set(mpls(label=5)),3),2", NULL},
    {ANY, "clone(push_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847),3),2", NULL},
    {ANY, "clone(pop_mpls(eth_type=0x800),3),clone(pop_vlan,push_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847),3),2", NULL},
    {ANY, "clone(push_vlan(vid=5,pcp=3),push_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847),clone(pop_mpls(eth_type=0x86dd),pop_vlan,3),3),2", NULL},
    {ANY, "push_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847),clone(pop_mpls(eth_type=0x800),push_vlan(vid=5,pcp=3),3),pop_vlan,2", NULL},
    {ANY, "clone(push_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847),push_mpls(label=6,tc=1,ttl=4,bos=0,eth_type=0x8847),recirc(0x5)),2", NULL},
    {IPV4, "set(ipv4(ttl=3)),push_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847),3", NULL},
};

/* With a third tag the executor does not see what is behind it any more; translation sets no such fields. */
static bool
is_for(const struct flow_key *k, const struct execution *x)
{
    bool is_ipv4 = k->eth_type == htons(0x0800), is_ipv6 = k->eth_type == htons(0x86dd);

    if (x->of != ANY && k->vlan[1].tci && strstr(x->actions, "push_vlan")) {
        return false;
    }
    switch (x->of) {
    case IPV4:
        return is_ipv4;
    case IPV6:
        return is_ipv6;
    case TCP_UDP:
        return flow_key_is_ip(k) && (k->nw_proto == IPPROTO_TCP || k->nw_proto == IPPROTO_UDP);
    case SCTP:
        return flow_key_is_ip(k) && k->nw_proto == IPPROTO_SCTP;
    case ARP:
        return k->eth_type == htons(0x0806);
    case ICMP4:
        return is_ipv4 && k->nw_proto == IPPROTO_ICMP;
    case ICMP6:
        return is_ipv6 && k->nw_proto == IPPROTO_ICMPV6;
    case ND:
        return is_ipv6 && k->nw_proto == IPPROTO_ICMPV6 && !k->tp_dst && (k->tp_src == htons(135) || k->tp_src == htons(136));
    default:
        return true;
    }
}

static void
check_why(struct lab *lab, const struct execution *x)
{
    const char *why = NULL;

    assert_int_equal(lab->dp->ops->flow_get(lab->dp, &(dp_ufid){1, 0}, got_why, &why), 0);
    if (x->why ? !why || !strstr(why, x->why) : why != NULL) {
        fail_msg("%s: the daemon executes it because: %s", x->actions, why ? why : "(it does not)");
    }
}

/* Is each frame of one in the other, too? In which order a packet's copies leave by a port is nobody's promise. */
static bool
same_frames(const struct buf *a, const struct buf *b)
{
    bool *matched = xcalloc(b->len + 1, sizeof *matched), same = a->len == b->len;
    uint32_t n, m;

    for (size_t i = 0; same && i < a->len; i += sizeof n + n) {
        memcpy(&n, a->data + i, sizeof n);
        same = false;
        for (size_t j = 0; !same && j < b->len; j += sizeof m + m) {
            memcpy(&m, b->data + j, sizeof m);
            same = !matched[j] && n == m && !memcmp(a->data + i, b->data + j, sizeof n + n);
            matched[j] = matched[j] || same;
        }
    }
    free(matched);
    return same;
}

/* One packet through the programs, or the daemon behind them, and through the executor. */
static void
execute_one(struct lab *lab, const struct execution *x, const struct buf *actions, const struct buf *again, struct packet *p)
{
    struct outputs expected = {.lab = lab, .again = again}, got = {.lab = lab};
    struct flow_key key = {.in_port = 1};
    struct packet *copy = packet_clone(p);
    struct dp_upcall up;

    packet_extract(copy, &key);
    execute_actions(copy, &key, actions->data, actions->len, &expectations, &expected);
    send_packet(lab, p);
    assert_int_equal(lab->dp->ops->recv(lab->dp, 0, &up, 1, 0), 0); /* The daemon executes what programs leave to it. */
    collect(lab, &got);
    for (unsigned i = 0; i <= N_WIRES; i++) {
        if (!same_frames(&expected.frames[i], &got.frames[i])) {
            struct packet *was = packet_new(expected.frames[i].data, expected.frames[i].len);
            struct packet *is = packet_new(got.frames[i].data, got.frames[i].len);

            print_packet(p);
            print_packet(was);
            print_packet(is);
            fail_msg("%s: port %u sent something else", x->actions, i);
        }
        buf_free(&expected.frames[i]);
        buf_free(&got.frames[i]);
    }
    packet_free(copy);
}

void
test_actions_are_those_of_the_executor(void **state)
{
    struct lab *lab = *state;
    struct buf again = BUF_EMPTY;

    parse_actions("set(eth(dst=0a:00:00:00:00:09)),2,3", &again);
    for (size_t i = 0; i < ARRAY_SIZE(executions); i++) {
        const struct execution *x = &executions[i];
        struct buf actions = BUF_EMPTY;

        parse_actions(x->actions, &actions);
        lab->dp->ops->flow_flush(lab->dp);
        put_flow(lab, 0, &actions);
        put_flow(lab, 5, &again);
        check_why(lab, x);
        for (unsigned n = 0; n < N_EXECUTIONS / ARRAY_SIZE(executions);) {
            struct packet *p = random_packet(lab, n % 2);
            struct flow_key key;

            packet_extract(p, &key);
            /* What the daemon sends the kernel throws away if there is nothing behind its tag. */
            if (is_for(&key, x) && p->len >= lab->min_len && !(x->why && strstr(x->actions, "push_vlan") && p->len < WIRE_ETH_LEN + 2)) {
                execute_one(lab, x, &actions, &again, p);
                n++;
            }
            packet_free(p);
        }
        buf_free(&actions);
    }
    buf_free(&again);
    lab->dp->ops->flow_flush(lab->dp);
}

/* What is put into random lists, for packets of that kind. */
static const struct {
    int of;
    const char *set[3];
} settings[] = {
    {ANY, {"set(eth(src=00:01:02:03:04:05))", "set(skb_mark(0x5/0xff))", "push_vlan(tpid=0x88a8,vid=6,pcp=1)"}},
    {ANY, {"push_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847)", "pop_mpls(eth_type=0x800)", "set(mpls(label=6,tc=2))"}},
    {IPV4, {"set(ipv4(src=1.2.3.4,ttl=3))", "set(ipv4(dst=5.6.7.8,tos=4/0xfc))", "set(ipv4(ttl=9))"}},
    {IPV6, {"set(ipv6(src=::1,hlimit=3))", "set(ipv6(dst=fe80::5))", "set(ipv6(label=0x5/0xff,tclass=0x7))"}},
    {TCP_UDP, {"set(tcp(src=5))", "set(udp(dst=6/0xff))", "set(tcp(src=7,dst=8))"}},
    {SCTP, {"set(sctp(src=5))", "set(sctp(dst=7/0xff))", "set(sctp(src=9,dst=10))"}},
    {ARP, {"set(arp(sip=1.1.1.1))", "set(arp(tip=2.2.2.2,op=1))", "set(arp(sha=00:00:00:00:00:01))"}},
    {ND, {"set(nd(target=::1))", "set(nd(target=::2,sll=00:00:00:00:00:01))", "set(nd(tll=00:00:00:00:00:02))"}},
};

/* 'tagged': a tag was pushed; behind a third one the executor does not see what is to be set. */
static void
random_list(struct lab *lab, struct buf *b, const char *const set[3], unsigned depth, bool tagged)
{
    for (unsigned n = 1 + rnd(lab, 5); n; n--) {
        unsigned what = rnd(lab, depth ? 12 : 8);

        if (what < 3) {
            buf_putf(b, "%u", 2 + rnd(lab, 2));
        } else if (what == 3) {
            buf_putf(b, "%s", set[rnd(lab, 3)]);
        } else if (what == 4 && !tagged) {
            buf_putf(b, "push_vlan(vid=5,pcp=%u)", rnd(lab, 8));
            tagged = true;
        } else if (what == 5) {
            buf_putf(b, "trunc(%u),%u", 60 + rnd(lab, 60), 2 + rnd(lab, 2));
        } else if (what == 6) {
            buf_putf(b, "%s", rnd(lab, 2) ? "recirc(0x5)" : "hash(l4(0)),recirc(0x5)");
        } else if (what == 8 || what == 9) {
            buf_putf(b, "clone(");
            random_list(lab, b, set, depth - 1, tagged);
            buf_putf(b, ")");
        } else if (what == 10) {
            buf_putf(b, "sample(sample=%u%%,actions(", 100 * rnd(lab, 2));
            random_list(lab, b, set, depth - 1, tagged);
            buf_putf(b, "))");
        } else if (what == 11) {
            buf_putf(b, "check_pkt_len(size=%u,gt(", 60 + rnd(lab, 100));
            random_list(lab, b, set, depth - 1, tagged);
            buf_putf(b, "),le(");
            random_list(lab, b, set, depth - 1, tagged);
            buf_putf(b, "))");
        } else {
            buf_putf(b, rnd(lab, 2) ? "pop_vlan" : "meter(9)");
        }
        buf_putf(b, n > 1 ? "," : "");
    }
}

static unsigned
count_of(const char *text, const char *what)
{
    unsigned n = 0;

    while ((text = strstr(text, what))) {
        text += strlen(what);
        n++;
    }
    return n;
}

void
test_random_lists_are_those_of_the_executor(void **state)
{
    struct lab *lab = *state;
    struct buf plain = BUF_EMPTY, labels = BUF_EMPTY;

    parse_actions("set(eth(dst=0a:00:00:00:00:09)),2,pop_vlan,3", &plain);
    parse_actions("push_mpls(label=7,tc=1,ttl=4,bos=1,eth_type=0x8847),2,pop_vlan,3", &labels);
    for (unsigned i = 0; i < N_LISTS; i++) {
        const struct buf *again = rnd(lab, 2) ? &plain : &labels;
        unsigned kind = rnd(lab, ARRAY_SIZE(settings));
        struct buf text = BUF_EMPTY, actions = BUF_EMPTY;
        struct execution x = {.of = settings[kind].of};

        random_list(lab, &text, settings[kind].set, 3, false);
        x.actions = buf_text(&text);
        parse_actions(x.actions, &actions);
        lab->dp->ops->flow_flush(lab->dp);
        put_flow(lab, 0, &actions);
        put_flow(lab, 5, again);
        x.why = count_of(x.actions, "recirc(") > EBPF_MAX_AGAIN ? "too often" : NULL;
        check_why(lab, &x);
        for (unsigned n = 0; n < PACKETS_A_LIST;) {
            struct packet *p = random_packet(lab, false);
            struct flow_key key;

            packet_extract(p, &key);
            if (is_for(&key, &x)) {
                execute_one(lab, &x, &actions, again, p);
                n++;
            }
            packet_free(p);
        }
        buf_free(&actions);
        buf_free(&text);
    }
    buf_free(&plain);
    buf_free(&labels);
    lab->dp->ops->flow_flush(lab->dp);
}
