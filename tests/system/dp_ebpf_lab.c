// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "tests/system/dp_ebpf_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/base/rcu.h"
#include "lib/flow/wire.h"
#include "tests/system/wire.h"

uint32_t
rnd(struct lab *lab, uint32_t n)
{
    lab->random ^= lab->random << 13;
    lab->random ^= lab->random >> 7;
    lab->random ^= lab->random << 17;
    return (uint32_t) (lab->random >> 20) % n;
}

size_t
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

void
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

void
open_datapath(struct lab *lab)
{
    char *why = NULL;

    assert_int_equal(dp_ebpf_ops.open("sl-test", &(struct dp_settings){.n_handlers = 1}, lab->loop, &lab->dp, &why), 0);
    add_ports(lab);
}

static int
open_marker(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &address, &len), 0);
    assert_int_equal(connect(fd, (struct sockaddr *) &address, len), 0);
    return fd;
}

int
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
    run("ip link set lo up");
    lab->marker = open_marker();
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

int
tear_down(void **state)
{
    struct lab *lab = *state;

    for (unsigned i = 0; i < N_WIRES; i++) {
        close(lab->wires[i]);
    }
    close(lab->marker);
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

/* Would the kernel itself throw the frame away before any hook, or behind it once a tag is popped? One that is cut short behind a tag. */
static bool
is_void(const struct packet *p)
{
    uint32_t at = WIRE_ETH_LEN - 2;

    while (at + 2 <= p->len && wire_is_vlan(wire_u16(p->data + at))) {
        at += WIRE_VLAN_LEN;
    }
    return at > WIRE_ETH_LEN - 2 && p->len < MAX(at + 2, WIRE_ETH_LEN + WIRE_VLAN_LEN + 2u);
}

struct packet *
random_packet(struct lab *lab, bool damaged)
{
    struct packet *p = any_packet(lab, damaged);

    while (is_void(p)) {
        packet_free(p);
        p = any_packet(lab, damaged);
    }
    return p;
}

void
send_packet(struct lab *lab, const struct packet *p)
{
    assert_int_equal(send(lab->wires[0], p->data, p->len, 0), p->len);
    settle(lab);
}

/* A processor takes packets that arrive at devices in their order. What left a port by the time that the first datagram came back has arrived at
 * its wire when the second one does. */
void
settle(struct lab *lab)
{
    struct pollfd fd = {lab->marker, POLLIN, 0};
    char c = 0;

    for (unsigned hop = 0; hop < 2; hop++) {
        assert_int_equal(send(lab->marker, &c, sizeof c, 0), sizeof c);
        assert_int_equal(poll(&fd, 1, 10000), 1);
        assert_int_equal(recv(lab->marker, &c, sizeof c, 0), sizeof c);
    }
}

void
print_packet(const struct packet *p)
{
    for (uint32_t i = 0; i < p->len; i++) {
        printf("%02x%s", p->data[i], i + 1 < p->len ? "" : "\n");
    }
}

void
add_frame(struct buf *b, const void *data, size_t len)
{
    uint32_t n = (uint32_t) len;

    buf_put(b, &n, sizeof n);
    buf_put(b, data, len);
}

void
parse_actions(const char *text, struct buf *b)
{
    char *error = action_parse(text, NULL, b);

    if (error) {
        fail_msg("%s: %s", text, error);
    }
}

void
put_flow(struct lab *lab, uint32_t recirc_id, const struct buf *actions)
{
    struct flow_key key = {.in_port = 1, .recirc_id = recirc_id}, mask = {.in_port = UINT32_MAX, .recirc_id = UINT32_MAX};
    struct dp_flow_put put = {.ufid = {1, recirc_id}, .key = &key, .mask = &mask, .actions = actions->data, .actions_len = actions->len};

    lab->dp->ops->flow_put(lab->dp, &put, 1);
    assert_int_equal(put.error, 0);
}

void
collect(struct lab *lab, struct outputs *o)
{
    uint8_t frame[MAX_FRAME];
    size_t n;

    settle(lab);
    for (unsigned i = 0; i < N_WIRES; i++) {
        while ((n = wire_receive(lab->wires[i], frame)) > 0) {
            add_frame(&o->frames[i + 1], frame, n);
        }
    }
}

void
got_why(const struct dp_flow_dumped *f, void *why)
{
    *(const char **) why = f->extack;
}

void
drain(struct lab *lab)
{
    struct outputs left = {.lab = lab};

    collect(lab, &left);
    for (unsigned i = 0; i <= N_WIRES; i++) {
        buf_free(&left.frames[i]);
    }
}

void
ask_for_xdp(struct lab *lab, uint32_t port, const char *kind)
{
    assert_int_equal(lab->dp->ops->port_config(lab->dp, port, "xdp", kind), 0);
    assert_int_equal(lab->dp->ops->port_config(lab->dp, port, NULL, NULL), 0);
}
