// SPDX-License-Identifier: Apache-2.0
// The eBPF datapath on the running kernel, without a daemon: what its programs make of random packets is what lib/flow and lib/dp/execute make of them.
// Wants root; makes a network namespace of its own.
//
//     wire in0 <-> in1 [port 1] datapath [port 2] a1 <-> a0 wire
//                                        [port 3] b1 <-> b0 wire
//
// A packet that is sent into in0 has gone through the program when send() returns: all runs on one processor.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/base/rcu.h"
#include "lib/dp/capability.h"
#include "lib/dp/ebpf.h"
#include "lib/dp/ebpf.skel.h"
#include "lib/flow/wire.h"
#include "lib/nl/genl.h"
#include "tests/system/wire.h"

#define N_PACKETS 20000
#define N_EXECUTIONS 4000
#define N_WIRES 3
#define MAX_FRAME 2048

struct lab {
    struct loop *loop;
    struct dp *dp;
    int wires[N_WIRES];
    uint64_t random;
    uint32_t min_len; /* Of packets that actions are tried on. */
};

static uint32_t
rnd(struct lab *lab, uint32_t n)
{
    lab->random ^= lab->random << 13;
    lab->random ^= lab->random >> 7;
    lab->random ^= lab->random << 17;
    return (uint32_t) (lab->random >> 20) % n;
}

/* One frame that arrived at the wire, its outer tag in place again; 0: none. */
static size_t
wire_receive(int fd, uint8_t *frame)
{
    union {
        char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {frame, MAX_FRAME - WIRE_VLAN_LEN};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &msg, 0);

    for (struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL; c; c = CMSG_NXTHDR(&msg, c)) {
        struct tpacket_auxdata aux;

        memcpy(&aux, CMSG_DATA(c), sizeof aux);
        if (aux.tp_status & TP_STATUS_VLAN_VALID) {
            memmove(frame + 16, frame + 12, (size_t) n - 12);
            wire_put_be16(frame + 12, htons(aux.tp_vlan_tpid));
            wire_put_be16(frame + 14, htons(aux.tp_vlan_tci));
            n += WIRE_VLAN_LEN;
        }
    }
    return n > 0 ? (size_t) n : 0;
}

static const char *const names[N_WIRES] = {"in", "a", "b"};

static void
add_ports(struct lab *lab)
{
    for (unsigned i = 0; i < N_WIRES; i++) {
        char *name = xasprintf("%s1", names[i]), *why = NULL;
        uint32_t number = DP_PORT_NONE;

        assert_int_equal(dp_ebpf_ops.port_add(lab->dp, name, "system", &number, &why), 0);
        assert_int_equal(number, i + 1);
        free(name);
    }
    assert_int_equal(lab->dp->ops->recv(lab->dp, 0, NULL, 0, 0), 0); /* New ports woke the handler. */
}

static void
open_datapath(struct lab *lab)
{
    char *why = NULL;

    assert_int_equal(dp_ebpf_ops.open("sl-test", &(struct dp_settings){.n_handlers = 1}, lab->loop, &lab->dp, &why), 0);
    add_ports(lab);
}

static int
set_up(void **state)
{
    struct lab *lab = xzalloc(sizeof *lab);
    cpu_set_t one_cpu;
    char *why = NULL, *rundir;

    CPU_ZERO(&one_cpu);
    CPU_SET(0, &one_cpu);
    assert_int_equal(sched_setaffinity(0, sizeof one_cpu, &one_cpu), 0);
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    rcu_thread_register();
    rundir = xasprintf("/tmp/dp_ebpf-%d", (int) getpid()); /* Nothing is there; it names the pins. */
    setenv("OVS_RUNDIR", rundir, 1);
    free(rundir);
    run("for x in in a b; do ip link add ${x}0 type veth peer name ${x}1 && "
        "sysctl -qw net.ipv6.conf.${x}0.disable_ipv6=1 net.ipv6.conf.${x}1.disable_ipv6=1; ip link set ${x}0 up; ip link set ${x}1 up || "
        "exit 1; done");
    lab->loop = loop_create();
    lab->random = 88172645463325252u;
    if (dp_ebpf_ops.probe(&why)) {
        fail_msg("%s", why);
    }
    open_datapath(lab);
    for (unsigned i = 0; i < N_WIRES; i++) {
        char *wire = xasprintf("%s0", names[i]);

        lab->wires[i] = wire_open(wire);
        free(wire);
    }
    *state = lab;
    return 0;
}

static int
tear_down(void **state)
{
    struct lab *lab = *state;

    for (unsigned i = 0; i < N_WIRES; i++) {
        close(lab->wires[i]);
    }
    lab->dp->ops->close(lab->dp, true);
    loop_destroy(lab->loop);
    free(lab);
    return 0;
}

static void
random_bytes(struct lab *lab, void *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ((uint8_t *) p)[i] = (uint8_t) rnd(lab, 256);
    }
}

/* What the layers of 'k' look like; the rest is random. */
static void
random_layers(struct lab *lab, struct flow_key *k)
{
    static const uint16_t types[] = {0x0800, 0x0800, 0x0800, 0x86dd, 0x86dd, 0x86dd, 0x0806, 0x8847, 0x1234, FLOW_ETH_TYPE_NONE};
    static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP, IPPROTO_IGMP, IPPROTO_ICMPV6, 89};
    unsigned tags = rnd(lab, 4);

    k->eth_type = htons(types[rnd(lab, ARRAY_SIZE(types))]);
    memset(k->vlan, 0, sizeof k->vlan);
    for (unsigned i = 0; i < MIN(tags, 2); i++) {
        k->vlan[i].tpid = htons(rnd(lab, 2) ? WIRE_ETH_VLAN : WIRE_ETH_QINQ);
        k->vlan[i].tci = htons((uint16_t) (rnd(lab, 65536) | FLOW_VLAN_PRESENT));
    }
    k->ipv6_label &= htonl(0xfffff);
    k->nw_frag = rnd(lab, 8) ? 0 : rnd(lab, 2) ? FLOW_FRAG_ANY : FLOW_FRAG_ANY | FLOW_FRAG_LATER;
    if (flow_key_is_ip(k)) {
        k->nw_proto = protos[rnd(lab, ARRAY_SIZE(protos))];
    }
    k->tcp_flags &= htons(0xfff);
    if (k->nw_proto == IPPROTO_ICMP || k->nw_proto == IPPROTO_ICMPV6) {
        k->tp_src = htons(rnd(lab, 2) ? WIRE_ND_SOLICIT + (uint16_t) rnd(lab, 2) : (uint16_t) rnd(lab, 256));
        k->tp_dst = htons(rnd(lab, 4) ? 0 : (uint16_t) rnd(lab, 256));
        k->nd_options_type = (uint8_t) rnd(lab, 3);
    }
}

static struct packet *
any_packet(struct lab *lab, bool damaged)
{
    struct flow_key k;
    struct packet *p;

    random_bytes(lab, &k, sizeof k);
    random_layers(lab, &k);
    p = packet_compose(&k, rnd(lab, 200));
    if (damaged && rnd(lab, 2)) {
        for (unsigned n = rnd(lab, 4); n; n--) {
            p->data[12 + rnd(lab, MIN(p->len, 70) - 12)] /* Not the addresses. */ = (uint8_t) rnd(lab, rnd(lab, 2) ? 256 : 8);
        }
        p->len -= rnd(lab, 3) ? 0 : rnd(lab, p->len - WIRE_ETH_LEN + 1);
    }
    return p;
}

/* Would the kernel itself throw the frame away before any hook? One that is cut short behind its outer tag. */
static bool
is_void(const struct packet *p)
{
    return wire_is_vlan(wire_u16(p->data + 12)) && p->len < WIRE_ETH_LEN + WIRE_VLAN_LEN + 2;
}

/* A packet, if 'damaged' perhaps with some bytes that are not as they should be, perhaps cut short. */
static struct packet *
random_packet(struct lab *lab, bool damaged)
{
    struct packet *p = any_packet(lab, damaged);

    while (is_void(p)) {
        packet_free(p);
        p = any_packet(lab, damaged);
    }
    return p;
}

static void
send_packet(struct lab *lab, const struct packet *p)
{
    assert_int_equal(send(lab->wires[0], p->data, p->len, 0), p->len);
}

/* The key that the program made of the last packet. */
static void
key_of_program(struct lab *lab, struct flow_key *key)
{
    struct bpf_map *map = ebpf_cast(lab->dp)->programs->maps.scratches;
    size_t size = ROUND_UP(bpf_map__value_size(map), 8);
    uint8_t *values = xcalloc((size_t) libbpf_num_possible_cpus(), size);
    uint32_t zero = 0;

    assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(map), &zero, values), 0);
    memcpy(key, values, sizeof *key);
    free(values);
}

static void
print_packet(const struct packet *p)
{
    for (uint32_t i = 0; i < p->len; i++) {
        printf("%02x%s", p->data[i], i + 1 < p->len ? "" : "\n");
    }
}

static void
print_key(const char *what, const struct flow_key *key)
{
    struct buf text = BUF_EMPTY;

    flow_key_format(key, NULL, &text);
    printf("%s: %s\n", what, buf_text(&text));
    buf_free(&text);
}

static void
test_keys_are_those_of_lib_flow(void **state)
{
    struct lab *lab = *state;

    for (unsigned n = 0; n < N_PACKETS; n++) {
        struct packet *p = random_packet(lab, true);
        struct flow_key expected = {.in_port = 1}, got;
        struct dp_upcall up;

        packet_extract(p, &expected);
        send_packet(lab, p);
        assert_int_equal(lab->dp->ops->recv(lab->dp, 0, &up, 1, 1000), 1);
        key_of_program(lab, &got);
        if (memcmp(&got, &expected, sizeof got)) {
            print_key("expected", &expected);
            print_key("got", &got);
            print_packet(p);
            fail_msg("packet %u: keys differ", n);
        }
        assert_memory_equal(&up.key, &expected, sizeof expected);
        assert_int_equal(up.packet->len, p->len);
        assert_memory_equal(up.packet->data, p->data, p->len);
        assert_false(up.action);
        packet_free(up.packet);
        packet_free(p);
    }
}

/* What goes out, by port. */
struct outputs {
    struct lab *lab;
    struct buf frames[N_WIRES + 1]; /* Each: length as 32 bits, bytes. */
    const struct buf *again;        /* What a recirculated packet goes through. */
};

static void
add_frame(struct buf *b, const void *data, size_t len)
{
    uint32_t n = (uint32_t) len;

    buf_put(b, &n, sizeof n);
    buf_put(b, data, len);
}

static void
expect_output(uint32_t port, struct packet *p, const struct flow_key *key, void *outputs)
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

static void
parse_actions(const char *text, struct buf *b)
{
    char *error = action_parse(text, NULL, b);

    if (error) {
        fail_msg("%s: %s", text, error);
    }
}

static void
put_flow(struct lab *lab, uint32_t recirc_id, const struct buf *actions)
{
    struct flow_key key = {.in_port = 1, .recirc_id = recirc_id}, mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX};
    struct dp_flow_put put = {.ufid = {1, recirc_id}, .key = &key, .mask = &mask, .actions = actions->data, .actions_len = actions->len};

    lab->dp->ops->flow_put(lab->dp, &put, 1);
    assert_int_equal(put.error, 0);
}

static void
collect(struct lab *lab, struct outputs *o)
{
    uint8_t frame[MAX_FRAME];
    size_t n;

    for (unsigned i = 0; i < N_WIRES; i++) {
        while ((n = wire_receive(lab->wires[i], frame)) > 0) {
            add_frame(&o->frames[i + 1], frame, n);
        }
    }
}

static size_t
n_bytes(const struct outputs *o)
{
    size_t n = 0;

    for (unsigned i = 0; i <= N_WIRES; i++) {
        n += o->frames[i].len;
    }
    return n;
}

/* What is expected may be a moment on its way where the kernel puts work off. */
static void
collect_as_much(struct lab *lab, struct outputs *o, const struct outputs *expected)
{
    struct pollfd fds[N_WIRES];
    struct dp_upcall up;

    for (unsigned i = 0; i < N_WIRES; i++) {
        fds[i] = (struct pollfd){lab->wires[i], POLLIN, 0};
    }
    for (unsigned turns = 0; turns < 100; turns++) {
        assert_int_equal(lab->dp->ops->recv(lab->dp, 0, &up, 1, 0), 0);
        collect(lab, o);
        if (n_bytes(o) >= n_bytes(expected)) {
            break;
        }
        poll(fds, N_WIRES, 10);
    }
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
    {ANY, "trunc(40),2,push_vlan(vid=5,pcp=3),3", "output of a part"},
    {ANY, "sample(sample=100%,actions(3)),2", NULL},
    {ANY, "sample(sample=0%,actions(3)),2", NULL},
    {ANY, "3,sample(sample=100%,actions(sample(sample=0%,actions(3)),3)),2", NULL},
    {ANY, "2,sample(sample=100%,actions(push_vlan(vid=5,pcp=3),3,recirc(0x5)))", NULL},
    {ANY, "sample(sample=100%,actions(push_vlan(vid=5,pcp=3),3)),2", "a copy"},
    {ANY, "check_pkt_len(size=100,gt(2),le(3))", NULL},
    {ANY, "check_pkt_len(size=100,gt(2),le(3,3)),3", NULL},
    {ANY, "check_pkt_len(size=150,gt(push_vlan(vid=5,pcp=3),2),le(check_pkt_len(size=80,gt(3),le(pop_vlan,2))))", NULL},
    {ANY, "check_pkt_len(size=100,gt(push_vlan(vid=5,pcp=3),2),le(3)),2", "a copy"},
    {ANY, "meter(9),2,meter(9),3", NULL},
    {ANY, "clone(3),2", NULL},
    {ANY, "clone(push_vlan(vid=5,pcp=3),3),2", "a copy"},
    {ANY, "clone(push_vlan(vid=5,pcp=3),3,2)", NULL},
    {ANY, "recirc(0x5)", NULL},
    {ANY, "3,push_vlan(vid=5,pcp=3),recirc(0x5)", NULL},
    {ANY, "hash(l4(0)),recirc(0x5)", NULL},
    {ANY, "recirc(0x5),3", "after recirculation"},
    {ANY, "set(skb_mark(0x5/0xff)),2", NULL},
    {IPV4, "set(ipv4(src=1.2.3.4)),2", NULL},
    {IPV4, "set(ipv4(src=1.2.3.4/255.0.255.0,dst=5.6.7.8,tos=0x10/0xfc,ttl=64)),2", NULL},
    {IPV4, "2,push_vlan(vid=5,pcp=3),set(ipv4(ttl=3)),3", NULL},
    {IPV4, "pop_vlan,set(ipv4(dst=9.9.9.9,ttl=3)),3", NULL},
    {IPV6, "set(ipv6(src=::1,dst=fe80::5)),2", NULL},
    {IPV6, "set(ipv6(src=1::1,label=0x5/0xff,tclass=0x3/0x3,hlimit=3)),2,set(ipv6(hlimit=2)),3", NULL},
    {IPV6, "push_vlan(vid=5,pcp=3),set(ipv6(dst=::1,tclass=0x7)),3", NULL},
    {TCP_UDP, "set(tcp(src=5)),2", NULL},
    {TCP_UDP, "set(udp(src=5,dst=6/0xff)),2", NULL},
    {SCTP, "set(sctp(src=5)),2", NULL},
    {SCTP, "set(sctp(src=5/0xff,dst=1000)),2,set(sctp(dst=7)),push_vlan(vid=5,pcp=3),3", NULL},
    {ARP, "set(arp(sip=1.1.1.1,tip=2.0.0.0/255.0.0.0,op=1,sha=00:00:00:00:00:01,tha=00:00:00:00:00:02)),2", NULL},
    {ICMP4, "set(icmp(type=5,code=4)),2", NULL},
    {ND, "set(nd(target=::1)),2", NULL},
    {ND, "set(nd(target=::1,sll=00:00:00:00:00:01)),2", NULL},
    {ND, "set(nd(sll=00:00:00:00:00:01,tll=00:00:00:00:00:02)),2", NULL},
    {ANY, "push_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847),2", "MPLS"},
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
got_why(const struct dp_flow_dumped *f, void *why)
{
    *(const char **) why = f->extack;
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

/* One packet through the programs, or the daemon behind them, and through the executor. */
static void
execute_one(struct lab *lab, const struct execution *x, const struct buf *actions, const struct buf *again, struct packet *p)
{
    struct outputs expected = {.lab = lab, .again = again}, got = {.lab = lab};
    struct flow_key key = {.in_port = 1};
    struct packet *copy = packet_clone(p);

    packet_extract(copy, &key);
    execute_actions(copy, &key, actions->data, actions->len, &expectations, &expected);
    send_packet(lab, p);
    collect_as_much(lab, &got, &expected);
    for (unsigned i = 0; i <= N_WIRES; i++) {
        if (expected.frames[i].len != got.frames[i].len
            || (got.frames[i].len && memcmp(expected.frames[i].data, got.frames[i].data, got.frames[i].len))) {
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

static void
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

/* Flow 'i' of many: its destination port, in a tuple of its own sort, goes to port 2 or 3 or nowhere. */
#define N_MANY 3000
#define MANY_OUT(I, TURN) (((I) / 7 + (TURN)) % 3 + 1)

static void
put_many(struct lab *lab, uint32_t turn, bool modify)
{
    for (uint32_t i = turn % 2; i < N_MANY; i += modify ? 2 : 1) {
        struct flow_key key = {.in_port = 1, .eth_type = htons(0x0800), .nw_src = htonl(0x0a000001), .tp_dst = htons((uint16_t) i)};
        struct flow_key mask = {.in_port = UINT32_MAX, .eth_type = UINT16_MAX, .nw_src = htonl(UINT32_MAX << i % 16), .tp_dst = UINT16_MAX};
        struct dp_flow_put put = {.ufid = {2, i}, .key = &key, .mask = &mask, .modify = modify};
        struct buf actions = BUF_EMPTY;

        if (MANY_OUT(i, turn) > 1) {
            action_put_output(&actions, MANY_OUT(i, turn));
        }
        put.actions = actions.data;
        put.actions_len = actions.len;
        lab->dp->ops->flow_put(lab->dp, &put, 1);
        assert_int_equal(put.error, 0);
        buf_free(&actions);
    }
}

/* A packet for each, 'there' tells whether it has a flow. */
static void
send_many(struct lab *lab, uint32_t turn, bool (*there)(uint32_t i))
{
    for (uint32_t i = 0; i < N_MANY; i++) {
        struct flow_key key = {.eth_type = htons(0x0800), .nw_proto = IPPROTO_UDP, .nw_ttl = 64, .nw_src = htonl(0x0a000001), .tp_dst = htons((uint16_t) i)};
        struct packet *p = packet_compose(&key, 18);
        struct outputs got = {.lab = lab};
        struct dp_upcall up;
        unsigned n;

        send_packet(lab, p);
        n = lab->dp->ops->recv(lab->dp, 0, &up, 1, there(i) ? 0 : 1000);
        collect(lab, &got);
        for (uint32_t port = 1; port <= N_WIRES; port++) {
            bool here = there(i) && port > 1 && port == MANY_OUT(i, turn);

            if (n != !there(i) || got.frames[port].len != (here ? p->len + sizeof(uint32_t) : 0)) {
                fail_msg("turn %u, flow %u: %u misses, %zu bytes from port %u", turn, i, n, got.frames[port].len, port);
            }
            buf_free(&got.frames[port]);
        }
        if (n) {
            packet_free(up.packet);
        }
        packet_free(p);
    }
}

static bool
is_always(uint32_t i)
{
    return true;
}

static bool
is_odd(uint32_t i)
{
    return i % 2;
}

/* What the cache remembers of a flow goes with it, and the flow's place is another's soon. */
static void
test_each_of_many_flows_is_found(void **state)
{
    struct lab *lab = *state;

    lab->dp->ops->flow_flush(lab->dp);
    put_many(lab, 0, false);
    send_many(lab, 0, is_always);
    send_many(lab, 0, is_always); /* Out of the cache. */
    put_many(lab, 3, true);       /* The odd ones, as they are. */
    for (uint32_t i = 0; i < N_MANY; i += 2) {
        struct dp_flow_del del = {.ufid = {2, i}};

        lab->dp->ops->flow_del(lab->dp, &del, 1);
        assert_int_equal(del.error, 0);
        assert_int_equal(del.stats.packets, 2);
    }
    send_many(lab, 0, is_odd);
    lab->dp->ops->flow_flush(lab->dp);
    put_many(lab, 2, false);
    send_many(lab, 2, is_always);
    lab->dp->ops->flow_flush(lab->dp);
}

static void
count_one(const struct dp_flow_dumped *f, void *stats)
{
    *(struct dp_stats *) stats = f->stats;
}

static bool
count_dumped(const struct dp_flow_dumped *f, void *stats)
{
    struct dp_stats *s = stats;

    s->packets += f->stats.packets;
    s->bytes += f->stats.bytes;
    return true;
}

static void
test_counters_are_exact(void **state)
{
    struct lab *lab = *state;
    struct buf actions = BUF_EMPTY, slow = BUF_EMPTY;
    struct dp_stats stats, dumped = {.packets = 0};
    struct dp_flow_del del = {.ufid = {1, 0}};
    struct dp_upcall up;
    uint64_t bytes = 0;

    parse_actions("2", &actions);
    parse_actions("recirc(0x5),3", &slow);
    put_flow(lab, 0, &actions);
    for (unsigned n = 0; n < 100; n++) {
        struct packet *p = random_packet(lab, false);

        bytes += p->len;
        send_packet(lab, p);
        packet_free(p);
        if (n == 49) { /* Executed by the daemon from now on. */
            struct flow_key key = {.in_port = 1}, mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX};
            struct dp_flow_put put = {
                .ufid = {1, 0}, .key = &key, .mask = &mask, .actions = slow.data, .actions_len = slow.len, .modify = true};

            lab->dp->ops->flow_put(lab->dp, &put, 1);
            assert_int_equal(put.error, 0);
            assert_int_equal(put.stats.packets, 50);
        } else if (n > 49) {
            while (lab->dp->ops->recv(lab->dp, 0, &up, 1, 0)) { /* The recirculated ones have no flow. */
                packet_free(up.packet);
            }
        }
    }
    assert_int_equal(lab->dp->ops->flow_get(lab->dp, &del.ufid, count_one, &stats), 0);
    assert_int_equal(stats.packets, 100);
    assert_int_equal(stats.bytes, bytes);
    assert_int_equal(lab->dp->ops->flow_dump(lab->dp, true, count_dumped, &dumped), 0);
    assert_int_equal(dumped.packets, 100);
    lab->dp->ops->flow_del(lab->dp, &del, 1);
    assert_int_equal(del.error, 0);
    assert_int_equal(del.stats.packets, 100);
    assert_int_equal(del.stats.bytes, bytes);
    buf_free(&actions);
    buf_free(&slow);
}

/* What earlier tests left at the wires. */
static void
drain(struct lab *lab)
{
    struct outputs left = {.lab = lab};

    collect(lab, &left);
    for (unsigned i = 0; i <= N_WIRES; i++) {
        buf_free(&left.frames[i]);
    }
}

/* So many packets of 'len' bytes through a flow of 'text'; how many came out of port 'port'. What comes up is dropped. */
static unsigned
send_through(struct lab *lab, const char *text, uint32_t port, unsigned n, uint32_t len)
{
    struct packet *p = random_packet(lab, false), *padded;
    uint8_t bytes[MAX_FRAME] = {0};
    struct outputs got = {.lab = lab};
    struct buf actions = BUF_EMPTY;
    struct dp_upcall up;
    unsigned out = 0;

    memcpy(bytes, p->data, MIN(len, p->len));
    padded = packet_new(bytes, len);
    parse_actions(text, &actions);
    lab->dp->ops->flow_flush(lab->dp);
    put_flow(lab, 0, &actions);
    drain(lab);
    for (unsigned i = 0; i < n; i++) {
        send_packet(lab, padded);
        while (lab->dp->ops->recv(lab->dp, 0, &up, 1, 0)) {
            packet_free(up.packet);
        }
        collect(lab, &got);
    }
    for (size_t at = 0; at < got.frames[port].len; out++) {
        uint32_t size;

        memcpy(&size, got.frames[port].data + at, sizeof size);
        at += sizeof size + size;
    }
    for (unsigned i = 0; i <= N_WIRES; i++) {
        buf_free(&got.frames[i]);
    }
    buf_free(&actions);
    packet_free(p);
    packet_free(padded);
    return out;
}

/* The bucket of a meter is one, whether a program or the daemon takes from it. */
static void
test_meters(void **state)
{
    struct lab *lab = *state;
    const struct dp_ops *ops = lab->dp->ops;
    struct dp_meter packets = {.id = 5, .pktps = true, .n_bands = 1, .bands = {{1, 10}}};
    struct dp_meter bits = {.id = 6, .n_bands = 2, .bands = {{1, 8}, {100000, 0}}};
    struct dp_meter bad = {.id = 7, .n_bands = 1};
    struct dp_meter_stats stats;
    int64_t start = now_ms();
    unsigned n;

    assert_int_equal(ops->meter_set(lab->dp, &packets), 0);
    assert_int_equal(ops->meter_set(lab->dp, &bits), 0);
    assert_int_equal(ops->meter_set(lab->dp, &bad), -EINVAL);
    bad.id = EBPF_MAX_METERS;
    assert_int_equal(ops->meter_set(lab->dp, &bad), -EFBIG);
    n = send_through(lab, "meter(5),2", 2, 4, 100);
    assert_int_equal(n, 4);
    n += send_through(lab, "meter(5),trunc(40),3,push_vlan(vid=5,pcp=3),2", 2, 10, 100); /* By the daemon. */
    n += send_through(lab, "meter(5),2", 2, 4, 100);
    assert_in_range(n, 10, 11 + (now_ms() - start) / 1000);
    assert_int_equal(ops->meter_get(lab->dp, 5, &stats), 0);
    assert_int_equal(stats.met.packets, 18);
    assert_int_equal(stats.met.bytes, 1800);
    assert_int_equal(stats.dropped[0].packets, 18 - n);
    n = send_through(lab, "meter(6),2", 2, 10, 300);
    assert_in_range(n, 3, 3 + (now_ms() - start) * 1000 / 8 / 300);
    assert_int_equal(ops->meter_del(lab->dp, 5), 0);
    assert_int_equal(ops->meter_del(lab->dp, 5), -ENOENT);
    assert_int_equal(ops->meter_get(lab->dp, 5, &stats), -ENOENT);
    assert_int_equal(send_through(lab, "meter(5),2", 2, 20, 100), 20);
    ops->flow_flush(lab->dp);
}

static void
test_half_is_sampled(void **state)
{
    struct lab *lab = *state;

    assert_in_range(send_through(lab, "sample(sample=50%,actions(3)),2", 3, 1000, 100), 400, 600);
    assert_in_range(send_through(lab, "sample(sample=50%,actions(3))", 3, 1000, 100), 400, 600);
    assert_int_equal(send_through(lab, "sample(sample=50%,actions(3)),2", 2, 100, 100), 100);
    lab->dp->ops->flow_flush(lab->dp);
}

/* However much each port may have waiting, they do not fill the ring together. */
static void
test_ring_has_room_for_another_port(void **state)
{
    struct lab *lab = *state;
    struct packet *p = random_packet(lab, false);
    struct ebpf_config *config = ebpf_cast(lab->dp)->config;
    uint32_t was = config->queue_bytes;
    struct dp_upcall up;
    unsigned from[N_WIRES + 1] = {0};

    config->queue_bytes = EBPF_DEFAULT_RING_KB * 1024;
    for (unsigned i = 0; i < 40000; i++) {
        send_packet(lab, p);
        assert_int_equal(send(lab->wires[1], p->data, p->len, 0), p->len);
    }
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(send(lab->wires[2], p->data, p->len, 0), p->len);
    }
    while (lab->dp->ops->recv(lab->dp, 0, &up, 1, 0)) {
        from[up.key.in_port]++;
        packet_free(up.packet);
    }
    assert_in_range(from[1], 1000, 39999);
    assert_in_range(from[2], 1000, 39999);
    assert_int_equal(from[3], 1000);
    config->queue_bytes = was;
    packet_free(p);
}

/* A port that floods the daemon with misses has its bound; what is beyond is lost and counted, and its neighbours' packets come up. */
static void
test_queue_of_a_port_is_bounded(void **state)
{
    struct lab *lab = *state;
    struct packet *p = random_packet(lab, false), *last = random_packet(lab, false);
    struct dp_upcall up;
    uint64_t hit, missed, lost_before, lost, n_flows, mask_hits;
    uint32_t n_masks;
    unsigned n = 0, from_other = 0;

    lab->dp->ops->lookup_stats(lab->dp, &hit, &missed, &lost_before, &n_flows, &mask_hits, &n_masks);
    for (unsigned i = 0; i < 20000; i++) {
        send_packet(lab, p);
    }
    assert_int_equal(send(lab->wires[1], last->data, last->len, 0), last->len);
    while (lab->dp->ops->recv(lab->dp, 0, &up, 1, 0)) {
        n++;
        from_other += up.key.in_port == 2;
        packet_free(up.packet);
    }
    lab->dp->ops->lookup_stats(lab->dp, &hit, &missed, &lost, &n_flows, &mask_hits, &n_masks);
    assert_int_equal(n + lost - lost_before, 20001);
    assert_true(lost > lost_before);
    assert_int_equal(from_other, 1);
    packet_free(p);
    packet_free(last);
}

/* Sends a packet, which has to come out at port 2. */
static void
crosses(struct lab *lab)
{
    struct packet *p = random_packet(lab, false);
    struct outputs got = {.lab = lab};
    struct dp_upcall up;

    drain(lab);
    send_packet(lab, p);
    if (lab->dp) {
        assert_int_equal(lab->dp->ops->recv(lab->dp, 0, &up, 1, 0), 0);
    }
    collect(lab, &got);
    assert_int_equal(got.frames[2].len, sizeof(uint32_t) + p->len);
    assert_memory_equal(got.frames[2].data + sizeof(uint32_t), p->data, p->len);
    for (unsigned i = 0; i <= N_WIRES; i++) {
        buf_free(&got.frames[i]);
    }
    packet_free(p);
}

static void
test_next_daemon_adopts(void **state)
{
    struct lab *lab = *state;
    struct buf actions = BUF_EMPTY, slow = BUF_EMPTY;
    struct dp_stats stats;

    parse_actions("2", &actions);
    parse_actions("recirc(0x6),3", &slow);
    put_flow(lab, 0, &actions);
    put_flow(lab, 5, &slow);
    crosses(lab);
    lab->dp->ops->close(lab->dp, false);
    lab->dp = NULL;
    crosses(lab); /* There is no daemon. */
    open_datapath(lab);
    crosses(lab);
    assert_int_equal(lab->dp->ops->flow_get(lab->dp, &(dp_ufid){1, 0}, count_one, &stats), 0);
    assert_int_equal(stats.packets, 3);
    assert_int_equal(lab->dp->ops->flow_get(lab->dp, &(dp_ufid){1, 5}, count_one, &stats), -ENOENT); /* The daemon executed it. */
    lab->dp->ops->flow_flush(lab->dp);
    put_flow(lab, 0, &actions);
    crosses(lab);
    lab->dp->ops->flow_flush(lab->dp);
    buf_free(&actions);
    buf_free(&slow);
}

/* What sluicectl capabilities says that programs do is what becomes of such flows. */
static void
test_capabilities_are_true(void **state)
{
    struct lab *lab = *state;

    for (const char *const *action = capability_actions; *action; action++) {
        char why[CAPABILITY_WHY_MAX];
        const char *said = capability_of_action(CAPABILITY_EBPF, *action, NULL, why), *is = NULL;
        struct buf actions = BUF_EMPTY;

        parse_actions(*action, &actions);
        put_flow(lab, 0, &actions);
        assert_int_equal(lab->dp->ops->flow_get(lab->dp, &(dp_ufid){1, 0}, got_why, &is), 0);
        assert_int_equal(!said, !is);
        if (said) {
            assert_string_equal(said, is);
        }
        lab->dp->ops->flow_flush(lab->dp);
        buf_free(&actions);
    }
}

/* The way of kernels before 6.6. */
static void
test_clsact_does_as_well(void **state)
{
    struct lab *lab = *state;
    struct buf actions = BUF_EMPTY;

    for (uint32_t i = 1; i <= N_WIRES; i++) {
        assert_int_equal(lab->dp->ops->port_del(lab->dp, i), 0);
    }
    ebpf_cast(lab->dp)->tcx = false;
    add_ports(lab);
    assert_int_equal(system("tc filter show dev in1 ingress | grep -q sluice_port"), 0);
    parse_actions("2", &actions);
    put_flow(lab, 0, &actions);
    crosses(lab);
    lab->dp->ops->flow_flush(lab->dp);
    assert_int_equal(lab->dp->ops->port_del(lab->dp, 1), 0);
    assert_int_not_equal(system("tc qdisc show dev in1 | grep -q 'clsact\\|ingress'"), 0);
    buf_free(&actions);
}

/* All of the tests of packets again, at the other hook; what is not for it takes the way of before. */
static void
test_xdp_does_as_well(void **state)
{
    struct lab *lab = *state;
    const struct ebpf *e = ebpf_cast(lab->dp);
    struct buf actions = BUF_EMPTY;
    uint16_t family;
    bool takes_frames;
    uint64_t passed;

    lab->random = 88172645463325252u; /* The packets of the first test: with others, one may have the checksum that is for the device to complete. */
    lab->min_len = WIRE_ETH_LEN + 2 * WIRE_VLAN_LEN + 2; /* A shorter one may be void without its tag, and the wire's end throw it away. */
    run("ethtool -K a0 gro on && ethtool -K b0 gro on");
    assert_int_equal(lab->dp->ops->port_config(lab->dp, 1, "xdp", "native"), 0);
    assert_int_equal(system("ip -d link show dev in1 | grep -q 'prog/xdp.*sluice_xdp'"), 0);
    assert_int_equal(system("ethtool -k in0 | grep -q 'tx-vlan-offload: off'"), 0);
    takes_frames = !genl_family(e->genl, "netdev", &family); /* A kernel before 6.3 does not say so of a veth: all goes on to TC. */
    assert_int_equal(e->ports[2].takes_frames, takes_frames);
    test_keys_are_those_of_lib_flow(state);
    test_actions_are_those_of_the_executor(state);
    passed = ebpf_total(e, EBPF_XDP_PASSED);
    test_each_of_many_flows_is_found(state);
    passed = ebpf_total(e, EBPF_XDP_PASSED) - passed;
    assert_true(takes_frames ? passed <= N_MANY / 2 + N_MANY / 100 /* Half of one turn had no flow. */ : passed >= N_MANY);
    parse_actions("2", &actions);
    put_flow(lab, 0, &actions);
    passed = ebpf_total(e, EBPF_XDP_PASSED);
    run("ethtool -K a0 gro off");
    ebpf_xdp_refresh(ebpf_cast(lab->dp));
    crosses(lab); /* The device does not take frames any more. */
    assert_int_equal(ebpf_total(e, EBPF_XDP_PASSED) - passed, 1);
    lab->dp->ops->flow_flush(lab->dp);
    assert_int_equal(lab->dp->ops->port_config(lab->dp, 2, "xdp", "generic"), 0); /* There is no such thing: TC goes on. */
    lab->min_len = 0;
    ebpf_xdp_detach(ebpf_cast(lab->dp), 1);
    assert_int_not_equal(system("ip -d link show dev in1 | grep -q 'prog/xdp'"), 0);
    buf_free(&actions);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_are_those_of_lib_flow),
        cmocka_unit_test(test_actions_are_those_of_the_executor),
        cmocka_unit_test(test_each_of_many_flows_is_found),
        cmocka_unit_test(test_counters_are_exact),
        cmocka_unit_test(test_meters),
        cmocka_unit_test(test_half_is_sampled),
        cmocka_unit_test(test_queue_of_a_port_is_bounded),
        cmocka_unit_test(test_ring_has_room_for_another_port),
        cmocka_unit_test(test_next_daemon_adopts),
        cmocka_unit_test(test_capabilities_are_true),
        cmocka_unit_test(test_xdp_does_as_well),
        cmocka_unit_test(test_clsact_does_as_well),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
