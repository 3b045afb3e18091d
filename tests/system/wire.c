// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "tests/system/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include "lib/flow/packet.h"
#include "lib/flow/wire.h"

void
run(const char *command)
{
    if (system(command)) {
        fail_msg("failed: %s", command);
    }
}

void
wires_make(void)
{
    run("for x in a b; do ip link add ${x}0 type veth peer name ${x}1 && "
        "sysctl -qw net.ipv6.conf.${x}0.disable_ipv6=1 net.ipv6.conf.${x}1.disable_ipv6=1; ip link set ${x}0 "
        "up; ip link set ${x}1 up || exit 1; done");
}

void
wires_remove(void)
{
    run("ip link del a0; ip link del b0");
}

int
wire_open(const char *device)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(0x0003), .sll_ifindex = (int) if_nametoindex(device)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;

    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof one), 0);
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one), 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof address), 0);
    return fd;
}

void
udp_key(uint32_t in_port, uint16_t port, struct flow_key *key, struct flow_key *mask)
{
    memset(key, 0, sizeof *key);
    memset(mask, 0, sizeof *mask);
    key->in_port = in_port;
    key->eth_type = htons(WIRE_ETH_IPV4);
    key->nw_proto = IPPROTO_UDP;
    key->nw_dst = htonl(0x0a000002);
    key->nw_src = htonl(0x0a000001);
    key->nw_ttl = 64;
    key->tp_src = htons(port);
    memcpy(key->eth_src.b, "\x02\0\0\0\0\x01", 6);
    memcpy(key->eth_dst.b, "\x02\0\0\0\0\x02", 6);
    mask->in_port = mask->recirc_id = UINT32_MAX;
    mask->eth_type = mask->vlan[0].tci = htons(0xffff);
    mask->nw_proto = mask->nw_frag = UINT8_MAX;
    mask->tp_src = htons(0xffff);
}

size_t
wire_send_udp(int wire, uint16_t port, size_t payload)
{
    struct flow_key key, mask;
    struct packet *p;
    size_t len;

    udp_key(0, port, &key, &mask);
    p = packet_compose(&key, payload);
    len = p->len;
    assert_int_equal(send(wire, p->data, len, 0), len);
    packet_free(p);
    return len;
}

size_t
wire_catch(int wire, uint8_t *frame, size_t size, int timeout_ms)
{
    struct pollfd fd = {.fd = wire, .events = POLLIN};
    ssize_t n = 0;

    if (poll(&fd, 1, timeout_ms) > 0) {
        n = recv(wire, frame, size, 0);
    }
    return n > 0 ? (size_t) n : 0;
}
