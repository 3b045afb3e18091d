// SPDX-License-Identifier: Apache-2.0
// What a sender on this host left to the device: checksums, and the cutting of a large packet of TCP or UDP into segments. A packet socket hands such packets out
// whole, with a header that says what is still to do (struct virtio_net_hdr, OASIS virtio 1.1, section 5.1.6). It is done here, once, so that nothing
// behind it has to know.
#include <config.h>
#include <linux/virtio_net.h>

#include "lib/base/counter.h"
#include "lib/dp/user.h"
#include "lib/flow/wire.h"

COUNTER(user_gso_refused, "The userspace datapath dropped a packet whose segmentation it cannot do.");

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5 /* virtio 1.2; in headers since Linux 6.2. */
#endif

#define TCP_FIN_PSH 0x09
#define TCP_CWR 0x80

static void
complete_checksum(uint8_t *data, size_t len, const struct virtio_net_hdr *h)
{
    size_t start = h->csum_start, at = start + h->csum_offset;

    if (at + 2 <= len) {
        uint16_t sum = csum(data + start, len - start);

        wire_put_be16(data + at, sum ? sum : UINT16_MAX);
    }
}

/* A packet of which segments are made. */
struct whole {
    const uint8_t *data;
    size_t len, l3, l4;
    size_t header; /* All headers. */
    size_t mss;
    bool is_ipv6, is_udp;
};

/* Lengths, IPv4's checksum and the transport's of one segment. */
static void
finish_segment(struct packet *p, const struct whole *w)
{
    uint8_t *ip = p->data + w->l3, *l4 = p->data + w->l4, *field = l4 + (w->is_udp ? UDP_CSUM : TCP_CSUM);
    size_t n = p->len - w->l4;
    be32 pseudo[2] = {htonl((uint32_t) n), htonl(w->is_udp ? IPPROTO_UDP : IPPROTO_TCP)};
    uint16_t whole;
    uint32_t sum;

    if (w->is_udp) {
        wire_put_be16(l4 + UDP_LENGTH, htons((uint16_t) n));
    }
    if (w->is_ipv6) {
        wire_put_be16(ip + IP6_PAYLOAD, htons((uint16_t) (p->len - w->l3 - WIRE_IPV6_LEN)));
        sum = csum_add(0, ip + IP6_SRC, 32);
    } else {
        size_t header = (ip[IP4_VER_IHL] & 0xfu) * 4;

        wire_put_be16(ip + IP4_TOTAL, htons((uint16_t) (p->len - w->l3)));
        wire_put_be16(ip + IP4_CSUM, 0);
        wire_put_be16(ip + IP4_CSUM, csum(ip, header));
        sum = csum_add(0, ip + IP4_SRC, 8);
    }
    wire_put_be16(field, 0);
    whole = csum_finish(csum_add(csum_add(sum, pseudo, sizeof pseudo), l4, n));
    wire_put_be16(field, whole || !w->is_udp ? whole : UINT16_MAX);
}

/* The segment whose payload begins at 'ofs' of the whole. */
static void
fit_tcp(uint8_t *tcp, const struct whole *w, size_t ofs, bool last)
{
    wire_put_be32(tcp + 4, htonl(wire_u32(w->data + w->l4 + 4) + (uint32_t) (ofs - w->header)));
    if (!last) {
        tcp[TCP_FLAGS + 1] &= (uint8_t) ~TCP_FIN_PSH;
    }
    if (ofs > w->header) {
        tcp[TCP_FLAGS + 1] &= (uint8_t) ~TCP_CWR;
    }
}

static void
split(const struct whole *w, void (*fn)(struct packet *, void *), void *arg)
{
    uint16_t id = wire_u16(w->data + w->l3 + 4);

    for (size_t ofs = w->header; ofs < w->len; ofs += w->mss) {
        size_t n = MIN(w->mss, w->len - ofs);
        struct packet *p = packet_new(w->data, w->header + n);

        memcpy(p->data + w->header, w->data + ofs, n);
        if (!w->is_udp) {
            fit_tcp(p->data + w->l4, w, ofs, ofs + n >= w->len);
        }
        if (!w->is_ipv6) {
            wire_put_be16(p->data + w->l3 + 4, htons(id++));
        }
        finish_segment(p, w);
        fn(p, arg);
    }
}

/* 'p' was extracted to 'key'. false: it is none that we can split. */
static bool
understand(const struct packet *p, const struct flow_key *key, const struct virtio_net_hdr *h, struct whole *w)
{
    uint8_t type = h->gso_type & (uint8_t) ~VIRTIO_NET_HDR_GSO_ECN;

    *w = (struct whole){.data = p->data, .len = p->len, .l3 = p->l3, .l4 = p->l4, .mss = h->gso_size};
    if (!h->gso_size || p->l4 == PACKET_NO_LAYER || key->nw_frag) {
        return false;
    }
    w->is_ipv6 = key->eth_type == htons(WIRE_ETH_IPV6);
    w->is_udp = type == VIRTIO_NET_HDR_GSO_UDP_L4;
    if (w->is_udp) {
        w->header = w->l4 + WIRE_UDP_LEN;
        return key->nw_proto == IPPROTO_UDP && w->len > w->header;
    }
    if ((type != VIRTIO_NET_HDR_GSO_TCPV4 && type != VIRTIO_NET_HDR_GSO_TCPV6) || key->nw_proto != IPPROTO_TCP
        || w->len < w->l4 + WIRE_TCP_LEN) {
        return false;
    }
    w->header = w->l4 + (size_t) (w->data[w->l4 + TCP_FLAGS] >> 4) * 4;
    return w->header >= w->l4 + WIRE_TCP_LEN && w->len > w->header;
}

void
user_gso_split(const uint8_t *bytes, size_t len, void (*fn)(struct packet *, void *), void *arg)
{
    struct virtio_net_hdr h;
    struct flow_key key;
    struct whole w;
    struct packet *p;

    if (len < sizeof h) {
        return;
    }
    memcpy(&h, bytes, sizeof h);
    bytes += sizeof h;
    len -= sizeof h;
    p = packet_new(bytes, len);
    if ((h.gso_type & (uint8_t) ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_NONE) {
        if (h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
            complete_checksum(p->data, p->len, &h);
        }
        fn(p, arg);
        return;
    }
    packet_extract(p, &key);
    if (understand(p, &key, &h, &w)) {
        split(&w, fn, arg);
    } else {
        COUNTER_INC(user_gso_refused);
    }
    packet_free(p);
}
