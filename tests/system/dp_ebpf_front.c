// SPDX-License-Identifier: Apache-2.0
// What the programs of the eBPF datapath remember of packets before they parse them (lib/dp/ebpf_front.bpf.h): it never says anything else than parser and lookup would.
// Each packet has a flow of all that its key says, and comes again and again, with one byte of it changed at a time.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/socket.h>
#include "lib/dp/ebpf.h"
#include "lib/flow/wire.h"
#include "tests/system/dp_ebpf_lab.h"

#define N_SHAPES 400
#define HEADERS 70 /* Bytes that are changed. */
#define IP_LENGTH_AT 16 /* Without tags. */
#define UDP_SUM_AT 40

/* A flow for the very key. */
static void
put_exact(struct lab *lab, uint64_t ufid, const struct flow_key *key, uint32_t output)
{
    struct flow_key mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX, .skb_priority = UINT32_MAX, .pkt_mark = UINT32_MAX};
    struct dp_flow_put put = {.ufid = {3, ufid}, .key = key, .mask = &mask};
    struct buf actions = BUF_EMPTY;

    memset(&mask.eth_dst, 0xff, sizeof mask - offsetof(struct flow_key, eth_dst));
    action_put_output(&actions, output);
    put.actions = actions.data;
    put.actions_len = actions.len;
    lab->dp->ops->flow_put(lab->dp, &put, 1);
    assert_int_equal(put.error, 0);
    buf_free(&actions);
}

/* Returns the flow's packets. */
static uint64_t
del_exact(struct lab *lab, uint64_t ufid)
{
    struct dp_flow_del del = {.ufid = {3, ufid}};

    lab->dp->ops->flow_del(lab->dp, &del, 1);
    assert_int_equal(del.error, 0);
    return del.stats.packets;
}

/* Sends the packet, which comes out of 'port'; 0: it comes up, since no flow is its. */
static void
expect(struct lab *lab, const struct packet *p, uint32_t port, const char *what)
{
    uint8_t frame[MAX_FRAME];
    struct dp_upcall up;
    size_t n;

    send_packet(lab, p);
    n = port ? wire_receive(lab->wires[port - 1], frame) : p->len;
    if (lab->dp->ops->recv(lab->dp, 0, &up, 1, port ? 0 : 1000) != !port || n != p->len || (port && memcmp(frame, p->data, n))) {
        print_packet(p);
        fail_msg("%s: not for port %u", what, port);
    }
    if (!port) {
        packet_free(up.packet);
    }
}

static void
set_mark(struct lab *lab, uint32_t mark)
{
    assert_int_equal(setsockopt(lab->wires[0], SOL_SOCKET, SO_MARK, &mark, sizeof mark), 0);
}

static struct flow_key
key_of(const struct packet *p, uint32_t mark)
{
    struct flow_key key = {.in_port = 1, .pkt_mark = mark};
    struct packet *copy = packet_clone(p);

    packet_extract(copy, &key);
    packet_free(copy);
    return key;
}

/* Another packet than that of the only flow, which 'key' is of. Now and then it has a flow for a while. */
static void
try_other(struct lab *lab, const struct packet *p, const struct flow_key *key, const struct packet *other)
{
    struct flow_key its = key_of(other, key->pkt_mark);

    if (!memcmp(&its, key, sizeof its)) {
        expect(lab, other, 2, "the same key");
        return;
    }
    expect(lab, other, 0, "another key");
    if (!rnd(lab, 16)) {
        put_exact(lab, 1, &its, 3);
        expect(lab, other, 3, "a new flow");
        expect(lab, other, 3, "a new flow again");
        expect(lab, p, 2, "beside a new flow");
        assert_int_equal(del_exact(lab, 1), 2);
        expect(lab, other, 0, "after its flow");
    }
}

static bool
is_fit(const struct lab *lab, const struct packet *p)
{
    return p->len >= lab->min_len && !(wire_is_vlan(wire_u16(p->data + 12)) && p->len < WIRE_ETH_LEN + WIRE_VLAN_LEN + 2);
}

/* One byte at a time, and lengths. */
static void
try_neighbours(struct lab *lab, const struct packet *p, const struct flow_key *key)
{
    for (uint32_t at = 12 /* Not the addresses: it may become a multicast, or one that a device does not send. */; at < MIN(p->len, HEADERS); at++) {
        struct packet *other = packet_clone(p);

        other->data[at] ^= (uint8_t) (rnd(lab, 2) ? 1u << rnd(lab, 8) : 1 + rnd(lab, 255));
        if (is_fit(lab, other)) {
            try_other(lab, p, key, other);
        }
        packet_free(other);
        if (!rnd(lab, 8)) {
            expect(lab, p, 2, "as before");
        }
    }
    for (uint32_t cut = 1; cut <= 24 && p->len - cut > WIRE_ETH_LEN + 2 * WIRE_VLAN_LEN; cut++) {
        struct packet *other = packet_clone(p);

        other->len -= cut;
        if (is_fit(lab, other)) {
            try_other(lab, p, key, other);
        }
        packet_free(other);
    }
}

/* The mark, the port and the addresses belong to it, too. */
static void
try_beside(struct lab *lab, const struct packet *p, const struct flow_key *key, bool marks)
{
    for (uint32_t at = 1; at < 12; at++) {
        struct packet *other = packet_clone(p);

        other->data[at] ^= (uint8_t) (1u << rnd(lab, 8));
        if (!(other->data[6] & 1)) {
            try_other(lab, p, key, other);
        }
        packet_free(other);
    }
    if (marks) {
        set_mark(lab, key->pkt_mark ^ 1u << rnd(lab, 32));
        expect(lab, p, 0, "another mark");
        set_mark(lab, key->pkt_mark);
    }
}

static struct packet *
shape(struct lab *lab)
{
    struct packet *p = random_packet(lab, false);
    struct flow_key key = key_of(p, 0);

    /* Half of them those that are remembered. */
    while (p->len < lab->min_len || (rnd(lab, 2) && (key.eth_type != htons(0x0800) || (key.nw_proto != IPPROTO_TCP && key.nw_proto != IPPROTO_UDP)))) {
        packet_free(p);
        p = random_packet(lab, false);
        key = key_of(p, 0);
    }
    return p;
}

static void
try_all(struct lab *lab, bool marks)
{
    drain(lab);
    lab->dp->ops->flow_flush(lab->dp);
    for (unsigned n = 0; n < N_SHAPES; n++) {
        struct packet *p = shape(lab);
        struct flow_key key = key_of(p, marks ? rnd(lab, 3) * 0x10001 : 0);

        set_mark(lab, key.pkt_mark);
        expect(lab, p, 0, "before its flow");
        put_exact(lab, 0, &key, 2);
        for (unsigned i = 0; i < 3; i++) {
            expect(lab, p, 2, "its flow");
        }
        try_neighbours(lab, p, &key);
        try_beside(lab, p, &key, marks);
        expect(lab, p, 2, "after all");
        assert_true(del_exact(lab, 0) > 3);
        expect(lab, p, 0, "after its flow");
        packet_free(p);
    }
    set_mark(lab, 0);
}

static void
test_neighbours_are_told_apart(void **state)
{
    try_all(*state, true);
}

/* Without a tag where 'tpid' is 0. */
static struct packet *
ipv4(uint16_t tpid, uint8_t proto, uint16_t port)
{
    struct flow_key key = {.eth_type = htons(0x0800), .nw_proto = proto, .nw_ttl = 64, .nw_src = htonl(0x0a000001), .nw_dst = htonl(0x0a000002),
                           .tp_dst = htons(port)};

    if (tpid) {
        key.vlan[0] = (struct flow_vlan){htons(tpid), htons(5 | FLOW_VLAN_PRESENT)};
    }

    key.eth_src = eth_addr_from_u64(UINT64_C(0x020000000001));
    key.eth_dst = eth_addr_from_u64(UINT64_C(0x020000000002));
    return packet_compose(&key, 40);
}

static struct packet *
udp(uint16_t port)
{
    return ipv4(0, IPPROTO_UDP, port);
}

/* More than one byte apart, or in what else would be the same. */
static void
test_twins_are_told_apart(void **state)
{
    struct lab *lab = *state;
    struct packet *packets[] = {ipv4(0, IPPROTO_UDP, 7), ipv4(0, IPPROTO_TCP, 7) /* Without flags. */, ipv4(WIRE_ETH_VLAN, IPPROTO_TCP, 7),
                                ipv4(WIRE_ETH_QINQ, IPPROTO_TCP, 7), ipv4(WIRE_ETH_VLAN, IPPROTO_UDP, 7)};

    drain(lab);
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        struct flow_key key = key_of(packets[i], 0);

        put_exact(lab, 0, &key, 2);
        for (size_t other = 0; other < 2 * ARRAY_SIZE(packets); other++) {
            expect(lab, packets[i], 2, "its flow");
            try_other(lab, packets[i], &key, packets[other % ARRAY_SIZE(packets)]);
        }
        del_exact(lab, 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
        packet_free(packets[i]);
    }
}

/* What is done with a flow's packets changes: of the next packet on, whatever was remembered. */
static void
test_changes_are_seen_at_once(void **state)
{
    static const char *const actions[] = {"2", "3", "push_vlan(vid=5,pcp=0),3", "drop", "3,2", "2"};
    static const uint32_t sent[] = {2, 3, 3, 0, 5, 2}; /* Numbers of ports, together. */
    struct lab *lab = *state;
    struct packet *p = udp(7);
    struct flow_key key = key_of(p, 0), mask = {.in_port = UINT32_MAX, .eth_type = UINT16_MAX};

    drain(lab);
    lab->dp->ops->flow_flush(lab->dp);
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        struct dp_flow_put put = {.ufid = {3, 0}, .key = &key, .mask = &mask, .modify = i > 0};
        struct buf a = BUF_EMPTY;

        parse_actions(actions[i], &a);
        put.actions = a.data;
        put.actions_len = a.len;
        lab->dp->ops->flow_put(lab->dp, &put, 1);
        assert_int_equal(put.error, 0);
        for (unsigned n = 0; n < 3; n++) {
            uint8_t frame[MAX_FRAME];
            uint32_t got = 0;

            send_packet(lab, p);
            for (uint32_t port = 2; port <= N_WIRES; port++) {
                got += wire_receive(lab->wires[port - 1], frame) ? port : 0;
            }
            assert_int_equal(got, sent[i]);
        }
        buf_free(&a);
    }
    assert_int_equal(del_exact(lab, 0), 3 * ARRAY_SIZE(actions));
    packet_free(p);
}

/* More than there is room for, all at once and again: each has its own. */
static void
test_many_do_not_mix(void **state)
{
    struct lab *lab = *state;
    struct ebpf_config *config = ebpf_cast(lab->dp)->config;
    uint32_t was = config->n_fronts;

    config->n_fronts = 64;
    for (uint32_t turn = 0; turn < 6; turn++) {
        for (uint16_t port = 0; port < 200; port++) {
            struct packet *p = udp(port);
            struct flow_key key = key_of(p, 0);

            if (turn == 0) {
                put_exact(lab, port, &key, 2 + port % 2);
            } else if (turn == 5) {
                assert_int_equal(del_exact(lab, port), 4);
            } else {
                expect(lab, p, 2 + port % 2, "one of many");
            }
            packet_free(p);
        }
    }
    config->n_fronts = was;
}

/* A checksum that is for a device to complete is not for frames, however well known the packet is. */
static void
try_checksum(struct lab *lab)
{
    struct packet *p = udp(9), *left = packet_clone(p);
    struct flow_key key = key_of(p, 0);
    uint32_t sum = (0x0a000001 >> 16) + 1 + (0x0a000002 >> 16) + 2 + IPPROTO_UDP + (p->len - WIRE_ETH_LEN - 20);
    uint64_t passed;

    assert_int_equal(wire_u16(p->data + IP_LENGTH_AT), p->len - WIRE_ETH_LEN);
    wire_put_be16(left->data + UDP_SUM_AT, htons((uint16_t) sum));
    put_exact(lab, 0, &key, 2);
    for (unsigned i = 0; i < 3; i++) {
        passed = ebpf_total(ebpf_cast(lab->dp), EBPF_XDP_PASSED);
        expect(lab, p, 2, "a checksum");
        assert_int_equal(ebpf_total(ebpf_cast(lab->dp), EBPF_XDP_PASSED), passed + !ebpf_cast(lab->dp)->ports[2].takes_frames);
        passed = ebpf_total(ebpf_cast(lab->dp), EBPF_XDP_PASSED);
        expect(lab, left, 2, "a checksum left to a device");
        assert_int_equal(ebpf_total(ebpf_cast(lab->dp), EBPF_XDP_PASSED), passed + 1);
    }
    assert_int_equal(del_exact(lab, 0), 6);
    packet_free(p);
    packet_free(left);
}

static void
test_xdp_does_as_well(void **state)
{
    struct lab *lab = *state;

    lab->min_len = WIRE_ETH_LEN + 2 * WIRE_VLAN_LEN + 2;
    assert_int_equal(system("ethtool -K a0 gro on && ethtool -K b0 gro on"), 0);
    ask_for_xdp(lab, 1, "native");
    assert_null(lab->dp->ops->port_remark(lab->dp, 1));
    try_all(lab, false);
    try_checksum(lab);
    test_twins_are_told_apart(state);
    test_changes_are_seen_at_once(state);
    test_many_do_not_mix(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours_are_told_apart),
        cmocka_unit_test(test_twins_are_told_apart),
        cmocka_unit_test(test_changes_are_seen_at_once),
        cmocka_unit_test(test_many_do_not_mix),
        cmocka_unit_test(test_xdp_does_as_well),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
