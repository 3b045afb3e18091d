// SPDX-License-Identifier: Apache-2.0
// The userspace datapath: ports without a device, flows, upcalls, a handler thread beside the main thread, and packets that senders left unfinished.
#include <config.h>
#include <fcntl.h>
#include <linux/virtio_net.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/rcu.h"
#include "lib/dp/user.h"
#include "lib/flow/wire.h"

struct fixture {
    struct loop *loop;
    struct dp *dp;
    uint32_t p1, p2;
};

static int
set_up(void **state)
{
    struct fixture *f = xzalloc(sizeof *f);
    const struct dp_ops *ops;
    char *why;

    f->loop = loop_create();
    rcu_online();
    dp_enable_dummy(false);
    assert_int_equal(dp_select("dummy", &ops, &why), 0);
    assert_int_equal(ops->open("ovs-dummy", &(struct dp_settings){.n_handlers = 2}, f->loop, &f->dp, NULL), 0);
    f->p1 = f->p2 = DP_PORT_NONE;
    assert_int_equal(ops->port_add(f->dp, "p1", "dummy", &f->p1, NULL), 0);
    assert_int_equal(ops->port_add(f->dp, "p2", "dummy", &f->p2, NULL), 0);
    *state = f;
    return 0;
}

static void
stop(void *loop)
{
    loop_stop(loop, 0);
}

/* What was posted to the loop runs before it stops. */
static int
tear_down(void **state)
{
    struct fixture *f = *state;

    f->dp->ops->close(f->dp, true);
    rcu_drain();
    rcu_offline();
    loop_post(f->loop, stop, f->loop);
    loop_run(f->loop);
    loop_destroy(f->loop);
    free(f);
    return 0;
}

static void
count_ports(const struct dp_port *port, void *n)
{
    ++*(int *) n;
}

static void
test_ports_are_numbered_by_their_names(void **state)
{
    struct fixture *f = *state;
    const struct dp_ops *ops = f->dp->ops;
    uint32_t br0 = DP_PORT_NONE, again = DP_PORT_NONE, wish = 1;
    int n = 0;

    assert_int_equal(f->p1, 1);
    assert_int_equal(f->p2, 2);
    assert_int_equal(ops->port_add(f->dp, "br0", "internal", &br0, NULL), 0);
    assert_int_equal(br0, 100);
    assert_int_equal(ops->port_add(f->dp, "br0", "internal", &again, NULL), -EEXIST);
    assert_int_equal(ops->port_add(f->dp, "other", "internal", &wish, NULL), -EBUSY);
    assert_int_equal(ops->port_add(f->dp, "x", "vxlan", &again, NULL), -EAFNOSUPPORT);
    assert_int_equal(ops->port_dump(f->dp, count_ports, &n), 0);
    assert_int_equal(n, 3);
    assert_int_equal(ops->port_del(f->dp, br0), 0);
    assert_int_equal(ops->port_del(f->dp, br0), -ENODEV);
}

static const char tcp[] = "0200000000010200000000020800"
                          "450000280000000040060000" "0a0000010a000002" "00500051" "0000000000000000" "5002000000000000";

static void
receive(const char *port, const char *packet)
{
    const char *argv[] = {"netdev-dummy/receive", port, packet};
    bool failed;

    assert_null(appctl_run(3, argv, &failed)); /* Answered later. */
}

static struct dp_flow_put
flow_put(struct fixture *f, const struct flow_key *key, const struct flow_key *mask, const struct buf *actions, bool modify)
{
    struct dp_flow_put put = {dp_ufid_of(key, mask), key, mask, actions->data, actions->len, modify, {0, 0, 0, 0}, 0};

    f->dp->ops->flow_put(f->dp, &put, 1);
    return put;
}

static bool
count_flows(const struct dp_flow_dumped *d, void *n)
{
    assert_non_null(d->key);
    ++*(int *) n;
    return true;
}

static void
test_a_miss_a_flow_and_a_hit(void **state)
{
    struct fixture *f = *state;
    const struct dp_ops *ops = f->dp->ops;
    struct flow_key mask = {.in_port = UINT32_MAX, .eth_type = UINT16_MAX, .nw_frag = 3};
    struct buf actions = BUF_EMPTY;
    struct dp_port_stats stats;
    struct dp_upcall up;
    struct dp_flow_put put;
    int n = 0;

    receive("p1", tcp);
    assert_int_equal(ops->recv(f->dp, f->p1 % 2, &up, 1, 0), 1);
    assert_false(up.action);
    assert_int_equal(up.key.in_port, f->p1);
    assert_int_equal(ntohs(up.key.tp_dst), 0x51);
    packet_free(up.packet);

    action_put_output(&actions, f->p2);
    assert_int_equal(flow_put(f, &up.key, &mask, &actions, true).error, -ENOENT);
    assert_int_equal(flow_put(f, &up.key, &mask, &actions, false).error, 0);
    assert_int_equal(flow_put(f, &up.key, &mask, &actions, false).error, -EEXIST);
    assert_int_equal(ops->flow_dump(f->dp, false, count_flows, &n), 0);
    assert_int_equal(n, 1);

    receive("p1", tcp);
    assert_int_equal(ops->recv(f->dp, f->p1 % 2, &up, 1, 0), 0);
    assert_int_equal(ops->port_stats(f->dp, f->p2, &stats), 0);
    assert_int_equal(stats.tx_packets, 1);
    assert_int_equal(stats.tx_bytes, 54);

    put = flow_put(f, &up.key, &mask, &actions, true);
    assert_int_equal(put.stats.packets, 1);
    assert_int_equal(put.stats.bytes, 54);
    assert_int_equal(put.stats.tcp_flags, 2);
    struct dp_flow_del del = {.ufid = put.ufid};
    ops->flow_del(f->dp, &del, 1);
    assert_int_equal(del.error, 0);
    assert_int_equal(del.stats.packets, 1);
    ops->flow_del(f->dp, &del, 1);
    assert_int_equal(del.error, -ENOENT);
    buf_free(&actions);
    assert_int_equal(ops->recv(f->dp, f->p1 % 2, &up, 1, 0), 0);
}

static void
test_actions_bring_packets_up(void **state)
{
    struct fixture *f = *state;
    const struct dp_ops *ops = f->dp->ops;
    struct upcall_cookie cookie = {.reason = UPCALL_CONTROLLER, .controller_id = 9};
    struct flow_key key = {.in_port = f->p2, .eth_type = htons(0x0800), .nw_proto = 17};
    struct buf actions = BUF_EMPTY;
    struct dp_execute x = {.packet = packet_compose(&key, 0), .key = &key};
    struct dp_upcall up;

    action_put_userspace(&actions, UPCALL_PID_AUTO, &cookie);
    action_put_output(&actions, f->p1);
    x.actions = actions.data;
    x.actions_len = actions.len;
    ops->execute(f->dp, &x, 1);
    assert_int_equal(x.error, 0);
    assert_int_equal(ops->recv(f->dp, f->p2 % 2, &up, 1, 0), 1);
    assert_true(up.action);
    assert_int_equal(up.cookie.controller_id, 9);
    assert_int_equal(up.key.nw_proto, 17);
    packet_free(up.packet);
    packet_free(x.packet);
    buf_free(&actions);
}

/* One packet by hand can bring up more than the receiver has room for; the rest comes with the next call, in order. */
static void
test_what_finds_no_room_waits(void **state)
{
    struct fixture *f = *state;
    const struct dp_ops *ops = f->dp->ops;
    struct flow_key key = {.in_port = f->p1, .eth_type = htons(0x0800)}, mask = {.in_port = UINT32_MAX, .eth_type = UINT16_MAX};
    struct buf actions = BUF_EMPTY;
    struct dp_upcall up[2];
    uint32_t next = 1;

    for (uint32_t i = 1; i <= 5; i++) {
        const struct upcall_cookie cookie = {.reason = UPCALL_CONTROLLER, .controller_id = (uint16_t) i};

        action_put_userspace(&actions, UPCALL_PID_AUTO, &cookie);
    }
    assert_int_equal(flow_put(f, &key, &mask, &actions, false).error, 0);
    receive("p1", tcp);
    for (int n; (n = ops->recv(f->dp, f->p1 % 2, up, 2, 0)) > 0;) {
        assert_int_equal(n, next == 5 ? 1 : 2);
        for (int i = 0; i < n; i++) {
            assert_int_equal(up[i].cookie.controller_id, next++);
            packet_free(up[i].packet);
        }
    }
    assert_int_equal(next, 6);
    buf_free(&actions);
}

/* A port whose packet socket ends in '*far'. */
static uint32_t
add_wired(struct fixture *f, const char *name, uint32_t number, enum user_port_kind kind, int *far)
{
    struct user_port *p = user_port_create(name, "system");
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
    p->kind = kind;
    p->fd = fds[0];
    *far = fds[1];
    user_port_publish(user_dp_cast(f->dp), p, number);
    return number;
}

/* The next datagram is a header of nothing, of that length, and a packet that begins with that byte. */
static void
expect_packet(int far, size_t header_len, size_t len, uint8_t first)
{
    uint8_t bytes[256], header[USER_VNET_LEN] = {0};

    assert_int_equal(recv(far, bytes, sizeof bytes, 0), header_len + len);
    assert_memory_equal(bytes, header, header_len);
    assert_int_equal(bytes[header_len], first);
}

/* What is executed together is sent together: each port sees its packets in order, as they were when they were output. A socket that receives wants headers. */
static void
test_packets_leave_in_order(void **state)
{
    struct fixture *f = *state;
    const struct dp_ops *ops = f->dp->ops;
    int far1, far2;
    uint32_t w1 = add_wired(f, "w1", 11, USER_PORT_SEND_ONLY, &far1), w2 = add_wired(f, "w2", 12, USER_PORT_PACKET_SOCKET, &far2);
    struct buf actions[5] = {BUF_EMPTY, BUF_EMPTY, BUF_EMPTY, BUF_EMPTY, BUF_EMPTY};
    struct dp_execute x[5];
    struct flow_key key = {.in_port = f->p1, .eth_type = htons(0x1234)};
    struct dp_port_stats stats;

    action_put_output(&actions[0], w1);
    action_put_output(&actions[1], w1);
    ((struct action_push_vlan *) action_put(&actions[1], ACTION_PUSH_VLAN, sizeof(struct action_push_vlan)))->tpid = htons(0x8100);
    action_put_output(&actions[1], w2);
    action_put_output(&actions[2], w2);
    ((struct action_trunc *) action_put(&actions[3], ACTION_TRUNC, sizeof(struct action_trunc)))->max_len = 20;
    action_put_output(&actions[3], w1);
    action_put_output(&actions[4], w1);
    for (size_t i = 0; i < ARRAY_SIZE(x); i++) {
        x[i] = (struct dp_execute){.packet = packet_compose(&key, 46), .key = &key, .actions = actions[i].data, .actions_len = actions[i].len};
        x[i].packet->data[0] = (uint8_t) (2 * i);
    }
    ops->execute(f->dp, x, ARRAY_SIZE(x));
    expect_packet(far1, 0, 60, 0);
    expect_packet(far1, 0, 60, 2);
    expect_packet(far1, 0, 20, 6);
    expect_packet(far1, 0, 60, 8);
    assert_int_equal(recv(far1, &(char){0}, 1, 0), -1);
    expect_packet(far2, USER_VNET_LEN, 64, 2);
    expect_packet(far2, USER_VNET_LEN, 60, 4);
    assert_int_equal(recv(far2, &(char){0}, 1, 0), -1);

    close(far1); /* What is refused is counted, and does not keep others back. */
    for (size_t i = 0; i < ARRAY_SIZE(x); i++) {
        packet_free(x[i].packet);
        x[i].packet = packet_compose(&key, 46);
    }
    ops->execute(f->dp, x, ARRAY_SIZE(x));
    assert_int_equal(ops->port_stats(f->dp, w1, &stats), 0);
    assert_int_equal(stats.tx_packets, 4);
    assert_int_equal(stats.tx_bytes, 3 * 60 + 20);
    assert_int_equal(stats.tx_dropped, 4);
    assert_int_equal(ops->port_stats(f->dp, w2, &stats), 0);
    assert_int_equal(stats.tx_packets, 4);
    for (size_t i = 0; i < ARRAY_SIZE(x); i++) {
        packet_free(x[i].packet);
        buf_free(&actions[i]);
    }
    close(far2);
}

static void
test_bad_commands(void **state)
{
    static const char *const bad[][3] = {
        {"netdev-dummy/receive", "nobody", tcp}, {"netdev-dummy/receive", "p1", "0200"}, {"netdev-dummy/receive", "p1", "no_such_field(1)"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const char *argv[] = {bad[i][0], bad[i][1], bad[i][2]};
        bool failed = false;
        char *reply = appctl_run(3, argv, &failed);

        assert_true(failed);
        assert_string_equal(reply, i ? "bad packet or flow syntax" : "no such dummy netdev");
        free(reply);
    }
}

static void
test_capture_files(void **state)
{
    struct fixture *f = *state;
    const struct dp_ops *ops = f->dp->ops;
    char path[] = "/tmp/test_user.XXXXXX";
    struct flow_key key = {.in_port = f->p2, .eth_type = htons(0x88cc)};
    struct buf actions = BUF_EMPTY;
    struct dp_execute x = {.packet = packet_compose(&key, 46), .key = &key};
    uint32_t file[25];
    int fd = mkstemp(path);

    assert_int_equal(ops->port_config(f->dp, f->p1, "tx_pcap", path), 0);
    assert_int_equal(ops->port_config(f->dp, f->p1, "tx_pcap", "/nowhere/at/all"), -ENOENT);
    action_put_output(&actions, f->p1);
    x.actions = actions.data;
    x.actions_len = actions.len;
    ops->execute(f->dp, &x, 1);
    assert_int_equal(read(fd, file, sizeof file), 24 + 16 + 60);
    assert_int_equal(file[0], 0xa1b2c3d4);
    assert_int_equal(file[8], 60);
    close(fd);
    unlink(path);
    packet_free(x.packet);
    buf_free(&actions);
}

struct segments {
    size_t n, bytes;
    uint32_t next_seq;
};

static void
take_segment(struct packet *p, void *segments_)
{
    struct segments *s = segments_;
    struct flow_key key = {0};
    be32 pseudo[2];
    uint32_t n;

    packet_extract(p, &key);
    n = p->len - p->l4;
    pseudo[0] = htonl(n);
    pseudo[1] = htonl(IPPROTO_TCP);
    assert_int_equal(wire_u32(p->data + p->l4 + 4), s->next_seq);
    assert_int_equal(csum(p->data + p->l3, WIRE_IPV4_LEN), 0);
    assert_int_equal(csum_finish(csum_add(csum_add(csum_add(0, p->data + p->l3 + IP4_SRC, 8), pseudo, 8), p->data + p->l4, n)), 0);
    s->n++;
    s->bytes += n - WIRE_TCP_LEN;
    s->next_seq += n - WIRE_TCP_LEN;
    packet_free(p);
}

static void
test_large_packets_are_cut(void **state)
{
    struct flow_key key = {.eth_type = htons(0x0800), .nw_proto = 6, .nw_ttl = 3, .tp_dst = htons(80)};
    struct virtio_net_hdr h = {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 1000, .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM};
    struct packet *p = packet_compose(&key, 4500);
    struct segments s = {0, 0, 0};

    memcpy(packet_push(p, USER_VNET_LEN), &h, USER_VNET_LEN);
    user_gso_split(p->data, p->len, take_segment, &s);
    assert_int_equal(s.n, 5);
    assert_int_equal(s.bytes, 4500);
    packet_free(p);
}

static void
take_datagram(struct packet *p, void *n)
{
    struct flow_key key;

    packet_extract(p, &key);
    assert_int_equal(wire_u16(p->data + p->l4 + UDP_LENGTH), p->len - p->l4);
    assert_int_equal(key.tp_dst, htons(53));
    ++*(int *) n;
    packet_free(p);
}

static void
test_large_datagrams_are_split(void **state)
{
    struct flow_key key = {.eth_type = htons(0x0800), .nw_proto = IPPROTO_UDP, .nw_src = 1, .nw_dst = 2, .nw_ttl = 9, .tp_dst = htons(53)};
    struct virtio_net_hdr h = {.gso_type = 5 /* VIRTIO_NET_HDR_GSO_UDP_L4 */, .gso_size = 1000};
    struct packet *p = packet_compose(&key, 2500);
    int n = 0;

    memcpy(packet_push(p, USER_VNET_LEN), &h, USER_VNET_LEN);
    user_gso_split(p->data, p->len, take_datagram, &n);
    assert_int_equal(n, 3);
    packet_free(p);
}

struct hits {
    struct fixture *f;
    bool stop;
};

static void
handle(void *hits_)
{
    struct hits *h = hits_;
    struct dp_upcall up[8];

    while (!__atomic_load_n(&h->stop, __ATOMIC_ACQUIRE)) {
        int n = h->f->dp->ops->recv(h->f->dp, 1, up, ARRAY_SIZE(up), -1);

        for (int i = 0; i < n; i++) {
            packet_free(up[i].packet);
        }
        rcu_quiescent();
    }
}

/* Flows and ports come and go while a handler looks packets up. */
static void
test_a_handler_beside_the_main_thread(void **state)
{
    struct fixture *f = *state;
    const struct dp_ops *ops = f->dp->ops;
    struct hits hits = {.f = f};
    struct flow_key key = {.in_port = f->p1, .eth_type = htons(0x0800)}, mask = {.in_port = UINT32_MAX, .eth_type = UINT16_MAX};
    struct buf actions = BUF_EMPTY;
    pthread_t thread = rcu_thread_create("handler", handle, &hits);
    uint64_t hit = 0, missed = 0, lost, n_flows, mask_hits;
    uint32_t n_masks;

    action_put_output(&actions, 3);
    for (int i = 0; i < 300 || !hit || !missed; i++) {
        struct dp_flow_put put = flow_put(f, &key, &mask, &actions, false);
        struct dp_flow_del del = {.ufid = put.ufid};
        uint32_t p3 = 3;

        assert_int_equal(ops->port_add(f->dp, "p3", "dummy", &p3, NULL), 0);
        for (int n = 0; n < 5; n++) {
            const char *argv[] = {"netdev-dummy/receive", "p1", tcp, tcp};
            bool failed;

            free(appctl_run(4, argv, &failed));
        }
        if (i % 2) {
            flow_put(f, &key, &mask, &actions, true);
        }
        assert_int_equal(ops->port_del(f->dp, p3), 0);
        ops->flow_del(f->dp, &del, 1);
        ops->lookup_stats(f->dp, &hit, &missed, &lost, &n_flows, &mask_hits, &n_masks);
        rcu_quiescent();
    }
    __atomic_store_n(&hits.stop, true, __ATOMIC_RELEASE);
    ops->wake(f->dp);
    rcu_offline();
    pthread_join(thread, NULL);
    rcu_online();
    buf_free(&actions);
}

int
main(void)
{
#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_ports_are_numbered_by_their_names),
        TEST(test_a_miss_a_flow_and_a_hit),
        TEST(test_actions_bring_packets_up),
        TEST(test_what_finds_no_room_waits),
        TEST(test_packets_leave_in_order),
        TEST(test_bad_commands),
        TEST(test_capture_files),
        TEST(test_large_packets_are_cut),
        TEST(test_large_datagrams_are_split),
        TEST(test_a_handler_beside_the_main_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
