// SPDX-License-Identifier: Apache-2.0
// What a sender on this host left to the device: checksums, and the cutting of a large TCP packet into segments. A packet socket hands such packets out
// whole, with a header that says what is still to do (struct virtio_net_hdr, OASIS virtio 1.1, section 5.1.6). It is done here, once, so that nothing
// behind it has to know.
#include <config.h>
#include <linux/virtio_net.h>

#include "lib/base/counter.h"
#include "lib/dp/user.h"
#include "lib/flow/wire.h"

COUNTER(user_gso_refused, "The userspace datapath dropped a packet whose segmentation it cannot do.");

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

/* Lengths, IPv4's checksum and TCP's of one segment. */
static void
finish_segment(struct packet *p, bool is_ipv6, size_t l3, size_t l4)
{
    uint8_t *ip = p->data + l3, *tcp = p->data + l4;
    size_t n = p->len - l4;
    be32 pseudo[2] = {htonl((uint32_t) n), htonl(IPPROTO_TCP)};
    uint32_t sum;

    if (is_ipv6) {
        wire_put_be16(ip + IP6_PAYLOAD, htons((uint16_t) (p->len - l3 - WIRE_IPV6_LEN)));
        sum = csum_add(0, ip + IP6_SRC, 32);
    } else {
        size_t header = (ip[IP4_VER_IHL] & 0xfu) * 4;

        wire_put_be16(ip + IP4_TOTAL, htons((uint16_t) (p->len - l3)));
        wire_put_be16(ip + IP4_CSUM, 0);
        wire_put_be16(ip + IP4_CSUM, csum(ip, header));
        sum = csum_add(0, ip + IP4_SRC, 8);
    }
    wire_put_be16(tcp + TCP_CSUM, 0);
    wire_put_be16(tcp + TCP_CSUM, csum_finish(csum_add(csum_add(sum, pseudo, sizeof pseudo), tcp, n)));
}

static void
split_tcp(const uint8_t *data, size_t len, size_t l3, size_t l4, size_t mss, void (*fn)(struct packet *, void *), void *arg)
{
    size_t header = l4 + (size_t) (data[l4 + TCP_FLAGS] >> 4) * 4;
    bool is_ipv6 = data[l3] >> 4 == 6;
    uint32_t seq = wire_u32(data + l4 + 4);
    uint16_t id = wire_u16(data + l3 + 4);

    for (size_t ofs = header; ofs < len; ofs += mss) {
        size_t n = MIN(mss, len - ofs);
        struct packet *p = packet_new(data, header + n);

        memcpy(p->data + header, data + ofs, n);
        wire_put_be32(p->data + l4 + 4, htonl(seq));
        if (ofs + n < len) {
            p->data[l4 + TCP_FLAGS + 1] &= (uint8_t) ~TCP_FIN_PSH;
        }
        if (ofs > header) {
            p->data[l4 + TCP_FLAGS + 1] &= (uint8_t) ~TCP_CWR;
        }
        if (!is_ipv6) {
            wire_put_be16(p->data + l3 + 4, htons(id++));
        }
        finish_segment(p, is_ipv6, l3, l4);
        seq += (uint32_t) n;
        fn(p, arg);
    }
}

void
user_gso_split(const uint8_t *bytes, size_t len, void (*fn)(struct packet *, void *), void *arg)
{
    struct virtio_net_hdr h;
    struct flow_key key;
    struct packet *p;
    uint8_t type;

    if (len < sizeof h) {
        return;
    }
    memcpy(&h, bytes, sizeof h);
    bytes += sizeof h;
    len -= sizeof h;
    type = h.gso_type & (uint8_t) ~VIRTIO_NET_HDR_GSO_ECN;
    p = packet_new(bytes, len);
    if (type == VIRTIO_NET_HDR_GSO_NONE) {
        if (h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
            complete_checksum(p->data, p->len, &h);
        }
        fn(p, arg);
        return;
    }
    packet_extract(p, &key);
    if ((type == VIRTIO_NET_HDR_GSO_TCPV4 || type == VIRTIO_NET_HDR_GSO_TCPV6) && h.gso_size && p->l4 != PACKET_NO_LAYER
        && key.nw_proto == IPPROTO_TCP && len >= p->l4 + (size_t) WIRE_TCP_LEN
        && len > p->l4 + (size_t) (p->data[p->l4 + TCP_FLAGS] >> 4) * 4) {
        split_tcp(p->data, p->len, p->l3, p->l4, h.gso_size, fn, arg);
    } else {
        COUNTER_INC(user_gso_refused);
    }
    packet_free(p);
}
