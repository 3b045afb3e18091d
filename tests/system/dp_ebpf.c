// SPDX-License-Identifier: Apache-2.0
// The eBPF datapath on the running kernel, without a daemon: what its programs make of random packets is what lib/flow and lib/dp/execute make of them.
// Wants root; makes a network namespace of its own (dp_ebpf_lab.h).
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>
#include "lib/base/counter.h"
#include "lib/dp/capability.h"
#include "lib/dp/ebpf.skel.h"
#include "lib/flow/wire.h"
#include "lib/nl/genl.h"
#include "tests/system/dp_ebpf_lab.h"
#include "tests/system/wire.h"

#define N_PACKETS 20000
#define EXECUTED_BY_DAEMON "set(tunnel(tun_id=0x5,dst=2.2.2.2,ttl=64,flags(key))),2" /* What programs cannot do. */

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
    parse_actions(EXECUTED_BY_DAEMON, &slow);
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
            assert_int_equal(lab->dp->ops->recv(lab->dp, 0, &up, 1, 0), 0);
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

/* A packet that is looked up again without end is dropped, and that is counted. */
static void
test_a_loop_ends(void **state)
{
    struct lab *lab = *state;
    const struct counter *failed = counter_find("ebpf_failed");
    struct packet *p = random_packet(lab, false);
    struct dp_stats dumped = {.packets = 0};
    struct buf actions = BUF_EMPTY;
    uint64_t before;

    lab->dp->ops->flow_dump(lab->dp, true, count_dumped, &dumped);
    before = counter_read(failed);
    parse_actions("recirc(0x5)", &actions);
    put_flow(lab, 0, &actions);
    put_flow(lab, 5, &actions);
    send_packet(lab, p);
    lab->dp->ops->flow_dump(lab->dp, true, count_dumped, &dumped);
    assert_int_equal(counter_read(failed), before + 1);
    lab->dp->ops->flow_flush(lab->dp);
    packet_free(p);
    buf_free(&actions);
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
    n += send_through(lab, "meter(5)," EXECUTED_BY_DAEMON, 2, 10, 100); /* By the daemon. */
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

/* A packet into a wire, one of so many that they are waited for only where the wire's socket has no room for another. */
static void
flood(struct lab *lab, unsigned wire, const struct packet *p)
{
    ssize_t sent = send(lab->wires[wire], p->data, p->len, 0);

    if (sent < 0) {
        settle(lab);
        sent = send(lab->wires[wire], p->data, p->len, 0);
    }
    assert_int_equal(sent, p->len);
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
        flood(lab, 0, p);
        flood(lab, 1, p);
    }
    for (unsigned i = 0; i < 1000; i++) {
        flood(lab, 2, p);
    }
    settle(lab);
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
        flood(lab, 0, p);
    }
    flood(lab, 1, last);
    settle(lab);
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
    parse_actions(EXECUTED_BY_DAEMON, &slow);
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
    ask_for_xdp(lab, 1, "native");
    assert_null(lab->dp->ops->port_remark(lab->dp, 1));
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
    ebpf_xdp_refresh(ebpf_cast(lab->dp), 0);
    crosses(lab); /* The device does not take frames any more. */
    assert_int_equal(ebpf_total(e, EBPF_XDP_PASSED) - passed, 1);
    lab->dp->ops->flow_flush(lab->dp);
    ask_for_xdp(lab, 2, "generic"); /* There is no such thing: TC goes on. */
    assert_non_null(strstr(lab->dp->ops->port_remark(lab->dp, 2), "xdp=generic"));
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
        cmocka_unit_test(test_random_lists_are_those_of_the_executor),
        cmocka_unit_test(test_each_of_many_flows_is_found),
        cmocka_unit_test(test_counters_are_exact),
        cmocka_unit_test(test_a_loop_ends),
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
