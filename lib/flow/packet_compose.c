// SPDX-License-Identifier: Apache-2.0
// From a key to a frame: headers are appended front to back into a buffer; lengths and checksums, which depend on what follows, are filled in
// afterwards.
#include <config.h>
#include "lib/flow/packet.h"

#include "lib/flow/wire.h"

static void
put_mac(struct buf *b, struct eth_addr a)
{
    buf_put(b, a.b, sizeof a.b);
}

static void
put_be16(struct buf *b, be16 x)
{
    buf_put(b, &x, sizeof x);
}

static void
put_be32(struct buf *b, be32 x)
{
    buf_put(b, &x, sizeof x);
}

/* The length field of a frame without Ethertype is filled in at the end. */
static void
compose_ethernet(const struct flow_key *k, struct buf *b)
{
    put_mac(b, k->eth_dst);
    put_mac(b, k->eth_src);
    for (unsigned i = 0; i < FLOW_N_VLANS && k->vlan[i].tci & htons(FLOW_VLAN_PRESENT); i++) {
        put_be16(b, k->vlan[i].tpid ? k->vlan[i].tpid : htons(WIRE_ETH_VLAN));
        put_be16(b, k->vlan[i].tci & htons(~FLOW_VLAN_PRESENT & 0xffff));
    }
    put_be16(b, k->eth_type);
}

static void
compose_mpls(const struct flow_key *k, struct buf *b)
{
    for (unsigned i = 0; i < FLOW_N_MPLS; i++) {
        bool bottom = k->mpls[i] & htonl(0x100);

        put_be32(b, k->mpls[i] | (i == FLOW_N_MPLS - 1 ? htonl(0x100) : 0));
        if (bottom) {
            return;
        }
    }
}

static void
compose_arp(const struct flow_key *k, struct buf *b)
{
    buf_put_be16(b, 1);
    buf_put_be16(b, WIRE_ETH_IPV4);
    buf_put_u8(b, 6);
    buf_put_u8(b, 4);
    buf_put_be16(b, k->nw_proto);
    put_mac(b, k->arp_sha);
    put_be32(b, k->nw_src);
    put_mac(b, k->arp_tha);
    put_be32(b, k->nw_dst);
}

static bool
is_nd(const struct flow_key *k)
{
    return k->eth_type == htons(WIRE_ETH_IPV6) && k->nw_proto == IPPROTO_ICMPV6 && !k->tp_dst
           && (k->tp_src == htons(WIRE_ND_SOLICIT) || k->tp_src == htons(WIRE_ND_ADVERT)) && !(k->nw_frag & FLOW_FRAG_LATER);
}

/* Behind the ICMPv6 header's first 4 bytes. An option of the key's type stands there even if its address is zero. */
static void
compose_nd(const struct flow_key *k, struct buf *b)
{
    const struct eth_addr macs[] = {k->arp_sha, k->arp_tha};
    static const uint8_t types[] = {WIRE_ND_OPT_SLL, WIRE_ND_OPT_TLL};

    put_be32(b, k->nd_reserved);
    buf_put(b, &k->nd_target, 16);
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        if (!eth_addr_is_zero(macs[i]) || k->nd_options_type == types[i]) {
            buf_put_u8(b, types[i]);
            buf_put_u8(b, 1);
            put_mac(b, macs[i]);
        }
    }
}

static void
compose_transport(const struct flow_key *k, struct buf *b)
{
    bool is_ipv6 = k->eth_type == htons(WIRE_ETH_IPV6);
    uint8_t proto = k->nw_proto;

    if (proto == IPPROTO_TCP) {
        put_be16(b, k->tp_src);
        put_be16(b, k->tp_dst);
        buf_put_zeros(b, 8);
        put_be16(b, k->tcp_flags | htons(5 << 12));
        buf_put_zeros(b, 6);
    } else if (proto == IPPROTO_UDP || proto == IPPROTO_SCTP) {
        put_be16(b, k->tp_src);
        put_be16(b, k->tp_dst);
        buf_put_zeros(b, proto == IPPROTO_UDP ? 4 : 8);
    } else if (proto == (is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) || (proto == IPPROTO_IGMP && !is_ipv6)) {
        buf_put_u8(b, (uint8_t) ntohs(k->tp_src));
        buf_put_u8(b, (uint8_t) ntohs(k->tp_dst));
        buf_put_zeros(b, 2);
        if (is_nd(k)) {
            compose_nd(k, b);
        } else {
            put_be32(b, proto == IPPROTO_IGMP ? k->igmp_group : 0);
        }
    }
}

static void
finish_transport(const struct flow_key *k, uint8_t *l4, size_t n, uint32_t pseudo)
{
    uint16_t sum;

    if (k->nw_proto == IPPROTO_TCP) {
        wire_put_be16(l4 + TCP_CSUM, csum_finish(csum_add(pseudo, l4, n)));
    } else if (k->nw_proto == IPPROTO_UDP) {
        wire_put_be16(l4 + UDP_LENGTH, htons((uint16_t) n));
        sum = csum_finish(csum_add(pseudo, l4, n));
        wire_put_be16(l4 + UDP_CSUM, sum ? sum : UINT16_MAX);
    } else if (k->nw_proto == IPPROTO_SCTP) {
        wire_put_be32(l4 + SCTP_CSUM, packet_sctp_csum(l4, n));
    } else if (k->nw_proto == IPPROTO_ICMPV6 && k->eth_type == htons(WIRE_ETH_IPV6)) {
        wire_put_be16(l4 + ICMP_CSUM, csum_finish(csum_add(pseudo, l4, n)));
    } else if (k->eth_type == htons(WIRE_ETH_IPV4) && (k->nw_proto == IPPROTO_ICMP || k->nw_proto == IPPROTO_IGMP)) {
        wire_put_be16(l4 + ICMP_CSUM, csum(l4, n));
    }
}

/* RFC 768 and RFC 8200 section 8.1 have the pseudo headers. */
static uint32_t
pseudo_sum(const void *addresses, size_t n, uint8_t proto, size_t len)
{
    be32 rest[2] = {htonl((uint32_t) len), htonl(proto)};

    return csum_add(csum_add(0, addresses, n), rest, sizeof rest);
}

static size_t
compose_l4(const struct flow_key *k, size_t payload, struct buf *b)
{
    size_t start = b->len;

    if (!(k->nw_frag & FLOW_FRAG_LATER)) {
        compose_transport(k, b);
    }
    buf_put_zeros(b, payload);
    return b->len - start;
}

static void
compose_ipv4(const struct flow_key *k, size_t payload, struct buf *b)
{
    uint16_t frag = k->nw_frag & FLOW_FRAG_LATER ? 100 : k->nw_frag & FLOW_FRAG_ANY ? IP4_FRAG_MORE : 0;
    size_t l3 = b->len, n;
    uint8_t *p;

    buf_put_u8(b, 0x45);
    buf_put_u8(b, k->nw_tos);
    buf_put_zeros(b, 4); /* Length, identification. */
    buf_put_be16(b, frag);
    buf_put_u8(b, k->nw_ttl);
    buf_put_u8(b, k->nw_proto);
    buf_put_zeros(b, 2); /* Checksum. */
    put_be32(b, k->nw_src);
    put_be32(b, k->nw_dst);
    n = compose_l4(k, payload, b);
    p = b->data + l3;
    wire_put_be16(p + IP4_TOTAL, htons((uint16_t) (WIRE_IPV4_LEN + n)));
    wire_put_be16(p + IP4_CSUM, csum(p, WIRE_IPV4_LEN));
    if (!(k->nw_frag & FLOW_FRAG_LATER)) {
        finish_transport(k, p + WIRE_IPV4_LEN, n, pseudo_sum(p + IP4_SRC, 8, k->nw_proto, n));
    }
}

static void
compose_ipv6(const struct flow_key *k, size_t payload, struct buf *b)
{
    size_t l3 = b->len, extension = 0, n;
    uint8_t *p;

    put_be32(b, htonl(6u << 28 | (uint32_t) k->nw_tos << 20) | k->ipv6_label);
    buf_put_zeros(b, 2); /* Length. */
    buf_put_u8(b, k->nw_frag ? IPPROTO_FRAGMENT : k->nw_proto);
    buf_put_u8(b, k->nw_ttl);
    buf_put(b, &k->ipv6_src, 16);
    buf_put(b, &k->ipv6_dst, 16);
    if (k->nw_frag) {
        extension = WIRE_IPV6_FRAGMENT_LEN;
        buf_put_u8(b, k->nw_proto);
        buf_put_u8(b, 0);
        buf_put_be16(b, k->nw_frag & FLOW_FRAG_LATER ? 100 << 3 : 1);
        buf_put_zeros(b, 4);
    }
    n = compose_l4(k, payload, b);
    p = b->data + l3;
    wire_put_be16(p + IP6_PAYLOAD, htons((uint16_t) (extension + n)));
    if (!(k->nw_frag & FLOW_FRAG_LATER)) {
        finish_transport(k, p + WIRE_IPV6_LEN + extension, n, pseudo_sum(p + IP6_SRC, 32, k->nw_proto, n));
    }
}

/* 802.2 without SNAP: the length, and an LLC header that means nothing to anybody. */
static void
compose_llc(size_t payload, struct buf *b)
{
    static const uint8_t llc[3] = {0x42, 0x42, 0x03};
    size_t at = b->len - 2;

    buf_put(b, llc, sizeof llc);
    buf_put_zeros(b, MIN(payload, 1500 - sizeof llc));
    wire_put_be16(b->data + at, htons((uint16_t) (b->len - at - 2)));
}

struct packet *
packet_compose(const struct flow_key *k, size_t payload)
{
    struct buf b = BUF_EMPTY;
    struct flow_key ignored;
    struct packet *p;

    payload = MIN(payload, PACKET_MAX_LEN - 256);
    compose_ethernet(k, &b);
    switch (ntohs(k->eth_type)) {
    case WIRE_ETH_IPV4:
        compose_ipv4(k, payload, &b);
        break;
    case WIRE_ETH_IPV6:
        compose_ipv6(k, payload, &b);
        break;
    case WIRE_ETH_ARP:
    case WIRE_ETH_RARP:
        compose_arp(k, &b);
        break;
    case WIRE_ETH_MPLS:
    case WIRE_ETH_MPLS_MULTICAST:
        compose_mpls(k, &b);
        buf_put_zeros(&b, payload);
        break;
    case FLOW_ETH_TYPE_NONE:
        compose_llc(payload, &b);
        break;
    default:
        buf_put_zeros(&b, payload);
        break;
    }
    p = packet_new(b.data, b.len);
    buf_free(&b);
    packet_extract(p, &ignored);
    return p;
}
