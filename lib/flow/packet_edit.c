// SPDX-License-Identifier: Apache-2.0
// Changes to a packet's headers. Checksums are repaired by the difference (RFC 1624), so that a packet that came with a wrong checksum leaves with a
// wrong one: its receiver shall notice, not we.
#include <config.h>
#include "lib/flow/packet.h"

#include "lib/flow/wire.h"

/* A packet that is being rewritten: what it says now and what it shall say. */
struct edit {
    struct packet *p;
    struct flow_key was, is;
    uint8_t *l3, *l4;
    size_t l4_len;   /* Up to the end of the IP packet. */
    bool is_ipv6;
};

static void
shift_layers(struct packet *p, int n)
{
    uint16_t *layers[] = {&p->l2_5, &p->l3, &p->l4};

    for (unsigned i = 0; i < ARRAY_SIZE(layers); i++) {
        if (*layers[i] != PACKET_NO_LAYER) {
            *layers[i] = (uint16_t) (*layers[i] + n);
        }
    }
}

void
packet_push_vlan(struct packet *p, be16 tpid, be16 tci)
{
    uint8_t *data;

    if (p->len < WIRE_ETH_LEN) {
        return;
    }
    data = packet_push(p, WIRE_VLAN_LEN);
    memmove(data, data + WIRE_VLAN_LEN, 12);
    wire_put_be16(data + 12, tpid);
    wire_put_be16(data + 14, tci & htons(~FLOW_VLAN_PRESENT & 0xffff));
    shift_layers(p, WIRE_VLAN_LEN);
}

void
packet_pop_vlan(struct packet *p)
{
    if (p->len < WIRE_ETH_LEN + WIRE_VLAN_LEN || !wire_is_vlan(wire_u16(p->data + 12))) {
        return;
    }
    memmove(p->data + WIRE_VLAN_LEN, p->data, 12);
    packet_pull(p, WIRE_VLAN_LEN);
    shift_layers(p, -WIRE_VLAN_LEN);
}

/* The label goes behind the VLAN tags, before labels that are there. */
void
packet_push_mpls(struct packet *p, be16 eth_type, be32 lse)
{
    uint16_t at = p->l2_5 != PACKET_NO_LAYER ? p->l2_5 : p->l3;
    uint8_t *data;

    if (at == PACKET_NO_LAYER) {
        return;
    }
    data = packet_push(p, WIRE_MPLS_LEN);
    memmove(data, data + WIRE_MPLS_LEN, at);
    wire_put_be16(data + at - 2, eth_type);
    wire_put_be32(data + at, lse);
    p->l2_5 = PACKET_NO_LAYER;
    shift_layers(p, WIRE_MPLS_LEN);
    p->l2_5 = at;
}

void
packet_pop_mpls(struct packet *p, be16 eth_type)
{
    uint16_t at = p->l2_5;
    bool bottom;

    if (at == PACKET_NO_LAYER || p->len < (uint32_t) at + WIRE_MPLS_LEN) {
        return;
    }
    bottom = p->data[at + 2] & 1;
    wire_put_be16(p->data + at - 2, eth_type);
    memmove(p->data + WIRE_MPLS_LEN, p->data, at);
    packet_pull(p, WIRE_MPLS_LEN);
    p->l2_5 = PACKET_NO_LAYER;
    shift_layers(p, -WIRE_MPLS_LEN);
    p->l2_5 = bottom ? PACKET_NO_LAYER : at;
}

/* Feeds bytes to the CRC32c of RFC 9260 appendix A, bit by bit: SCTP ports are rarely rewritten, and only in the slow path. */
static uint32_t
crc32c_add(uint32_t crc, const uint8_t *data, size_t n)
{
    while (n--) {
        crc ^= *data++;
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
        }
    }
    return crc;
}

be32
packet_sctp_csum(const uint8_t *sctp, size_t n)
{
    static const uint8_t zeros[4];
    uint32_t crc = crc32c_add(UINT32_MAX, sctp, SCTP_CSUM);

    crc = crc32c_add(crc, zeros, sizeof zeros); /* The field itself counts as zeros. */
    crc = crc32c_add(crc, sctp + WIRE_SCTP_LEN, n - WIRE_SCTP_LEN);
    return htole32(~crc);
}

/* Where the transport checksum is that covers a pseudo header; NULL if there is none to repair. A UDP checksum of 0 says "none" (RFC 768). */
static uint8_t *
pseudo_csum_at(const struct edit *e)
{
    if (!e->l4) {
        return NULL;
    }
    switch (e->was.nw_proto) {
    case IPPROTO_TCP:
        return e->l4_len >= WIRE_TCP_LEN ? e->l4 + TCP_CSUM : NULL;
    case IPPROTO_UDP:
        return e->l4_len >= WIRE_UDP_LEN && wire_be16(e->l4 + UDP_CSUM) ? e->l4 + UDP_CSUM : NULL;
    case IPPROTO_ICMPV6:
        return e->is_ipv6 && e->l4_len >= WIRE_ICMPV6_LEN ? e->l4 + ICMP_CSUM : NULL;
    default:
        return NULL;
    }
}

static uint8_t *
transport_csum_at(const struct edit *e)
{
    if (e->l4 && !e->is_ipv6 && e->was.nw_proto == IPPROTO_ICMP) {
        return e->l4_len >= WIRE_ICMP_LEN ? e->l4 + ICMP_CSUM : NULL;
    }
    return pseudo_csum_at(e);
}

/* Writes 'n' (even) bytes at 'p' and repairs the checksum at 'sum', which may be NULL. 'p' is at an even distance from the start of what is summed. */
static void
write_summed(const struct edit *e, uint8_t *p, const void *value, size_t n, uint8_t *sum)
{
    bool is_udp = sum && e->l4 && e->was.nw_proto == IPPROTO_UDP && sum == e->l4 + UDP_CSUM;

    if (!memcmp(p, value, n)) {
        return; /* The difference of nothing would turn the sum's 0xffff into its other zero. */
    }
    if (sum) {
        uint16_t c = wire_be16(sum);

        for (size_t i = 0; i < n; i += 2) {
            c = csum_update16(c, wire_be16(p + i), wire_be16((const uint8_t *) value + i));
        }
        wire_put_be16(sum, is_udp && !c ? UINT16_MAX : c);
    }
    memcpy(p, value, n);
}

static void
set_ethernet(struct edit *e)
{
    memcpy(e->p->data, &e->is.eth_dst, 6);
    memcpy(e->p->data + 6, &e->is.eth_src, 6);
}

static void
set_ipv4_address(struct edit *e, unsigned at, be32 is)
{
    be32 was = wire_be32(e->l3 + at);
    uint16_t sum = wire_be16(e->l3 + IP4_CSUM);

    if (was != is) {
        wire_put_be16(e->l3 + IP4_CSUM, csum_update32(sum, was, is));
        write_summed(e, e->l3 + at, &is, sizeof is, pseudo_csum_at(e));
    }
}

static void
set_ipv4(struct edit *e)
{
    uint8_t tos[2] = {e->l3[IP4_VER_IHL], e->is.nw_tos};
    uint8_t ttl[2] = {e->is.nw_ttl, e->l3[IP4_PROTO]};

    set_ipv4_address(e, IP4_SRC, e->is.nw_src);
    set_ipv4_address(e, IP4_DST, e->is.nw_dst);
    write_summed(e, e->l3 + IP4_VER_IHL, tos, sizeof tos, e->l3 + IP4_CSUM);
    write_summed(e, e->l3 + IP4_TTL, ttl, sizeof ttl, e->l3 + IP4_CSUM);
}

/* With segments left in a routing header the checksum covers the final destination (RFC 8200 section 8.1), not the address in the header. */
static bool
has_segments_left(const struct edit *e)
{
    const uint8_t *p = e->l3 + WIRE_IPV6_LEN;
    uint8_t kind = e->l3[IP6_NEXT];

    while (e->l4 && p < e->l4 && packet_is_ipv6_extension(kind)) {
        if (kind == IPPROTO_ROUTING && p[3]) {
            return true;
        }
        size_t len = packet_ipv6_extension_len(kind, p);

        kind = p[0];
        p += len;
    }
    return false;
}

static void
set_ipv6(struct edit *e)
{
    uint32_t version = wire_u32(e->l3 + IP6_FLOW) & UINT32_C(0xf0000000);
    be32 flow = htonl(version | (uint32_t) e->is.nw_tos << 20 | ntohl(e->is.ipv6_label));

    if (memcmp(&e->was.ipv6_src, &e->is.ipv6_src, 16)) {
        write_summed(e, e->l3 + IP6_SRC, &e->is.ipv6_src, 16, pseudo_csum_at(e));
    }
    if (memcmp(&e->was.ipv6_dst, &e->is.ipv6_dst, 16)) {
        write_summed(e, e->l3 + IP6_DST, &e->is.ipv6_dst, 16, has_segments_left(e) ? NULL : pseudo_csum_at(e));
    }
    wire_put_be32(e->l3 + IP6_FLOW, flow);
    e->l3[IP6_HOPS] = e->is.nw_ttl;
}

static void
set_ports(struct edit *e)
{
    be16 ports[2] = {e->is.tp_src, e->is.tp_dst};

    if (e->is.tp_src == e->was.tp_src && e->is.tp_dst == e->was.tp_dst) {
        return; /* Of a header that contradicts itself the key has zeros instead of ports. */
    }
    if (e->was.nw_proto != IPPROTO_SCTP) {
        write_summed(e, e->l4, ports, sizeof ports, transport_csum_at(e));
    } else {
        be32 right = packet_sctp_csum(e->l4, e->l4_len);
        be32 error = wire_be32(e->l4 + SCTP_CSUM) ^ right;

        memcpy(e->l4, ports, sizeof ports);
        wire_put_be32(e->l4 + SCTP_CSUM, packet_sctp_csum(e->l4, e->l4_len) ^ error);
    }
}

static void
set_nd_option(struct edit *e, uint8_t wanted, struct eth_addr was, struct eth_addr is)
{
    uint8_t *end = e->l4 + e->l4_len;

    for (uint8_t *p = e->l4 + ND_OPTIONS; end - p >= 8 && p[1] && end - p >= p[1] * 8; p += p[1] * 8) {
        if (p[0] == wanted && p[1] == 1) {
            uint8_t type[2] = {e->is.nd_options_type, 1};

            if (!eth_addr_equals(was, is)) {
                write_summed(e, p + 2, &is, 6, e->l4 + ICMP_CSUM);
            }
            if (e->was.nd_options_type != e->is.nd_options_type) {
                write_summed(e, p, type, 2, e->l4 + ICMP_CSUM);
            }
            return;
        }
    }
}

static void
set_nd(struct edit *e, uint8_t type)
{
    write_summed(e, e->l4 + ND_RESERVED, &e->is.nd_reserved, 4, e->l4 + ICMP_CSUM);
    if (e->l4_len < WIRE_ND_LEN) {
        return;
    }
    if (memcmp(&e->was.nd_target, &e->is.nd_target, 16)) {
        write_summed(e, e->l4 + ND_TARGET, &e->is.nd_target, 16, e->l4 + ICMP_CSUM);
    }
    if (type == WIRE_ND_SOLICIT) {
        set_nd_option(e, WIRE_ND_OPT_SLL, e->was.arp_sha, e->is.arp_sha);
    } else {
        set_nd_option(e, WIRE_ND_OPT_TLL, e->was.arp_tha, e->is.arp_tha);
    }
}

static void
set_icmp(struct edit *e)
{
    uint8_t type_code[2] = {(uint8_t) ntohs(e->is.tp_src), (uint8_t) ntohs(e->is.tp_dst)};
    uint8_t type = e->l4[0];
    bool is_nd = e->is_ipv6 && !e->l4[1] && (type == WIRE_ND_SOLICIT || type == WIRE_ND_ADVERT);

    write_summed(e, e->l4, type_code, sizeof type_code, e->l4 + ICMP_CSUM);
    if (is_nd) {
        set_nd(e, type);
    }
}

static void
set_transport(struct edit *e)
{
    uint8_t proto = e->was.nw_proto;

    if ((proto == IPPROTO_TCP && e->l4_len >= wire_tcp_header_len(e->l4, e->l4_len)) || (proto == IPPROTO_UDP && e->l4_len >= WIRE_UDP_LEN)
        || (proto == IPPROTO_SCTP && e->l4_len >= WIRE_SCTP_LEN)) {
        set_ports(e);
    } else if (proto == (e->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP) && e->l4_len >= WIRE_ICMP_LEN) {
        set_icmp(e);
    }
}

static void
set_arp(struct edit *e)
{
    uint8_t *p = e->l3;

    if (e->p->len - e->p->l3 < WIRE_ARP_LEN || wire_u16(p) != 1 || wire_u16(p + ARP_PRO) != WIRE_ETH_IPV4 || p[ARP_HLN] != 6
        || p[ARP_PLN] != 4) {
        return;
    }
    if (e->is.nw_proto != e->was.nw_proto) {
        wire_put_be16(p + ARP_OP, htons(e->is.nw_proto));
    }
    memcpy(p + ARP_SHA, &e->is.arp_sha, 6);
    memcpy(p + ARP_THA, &e->is.arp_tha, 6);
    wire_put_be32(p + ARP_SPA, e->is.nw_src);
    wire_put_be32(p + ARP_TPA, e->is.nw_dst);
}

static void
set_ip(struct edit *e)
{
    struct packet *p = e->p;

    e->is_ipv6 = e->was.eth_type == htons(WIRE_ETH_IPV6);
    if (p->l4 != PACKET_NO_LAYER) {
        size_t ip_len = e->is_ipv6 ? wire_u16(e->l3 + IP6_PAYLOAD) + WIRE_IPV6_LEN : wire_u16(e->l3 + IP4_TOTAL);

        e->l4 = p->data + p->l4;
        e->l4_len = p->l3 + ip_len - p->l4;
    }
    if (e->is_ipv6) {
        set_ipv6(e);
    } else {
        set_ipv4(e);
    }
    if (e->l4) {
        set_transport(e);
    }
}

void
packet_set_fields(struct packet *p, const struct flow_key *key, const struct flow_key *mask)
{
    struct edit e = {.p = p};
    const uint64_t *k = flow_key_cwords(key), *m = flow_key_cwords(mask), *was = flow_key_cwords(&e.was);

    packet_extract(p, &e.was);
    if (p->len < WIRE_ETH_LEN) {
        return;
    }
    for (unsigned i = 0; i < FLOW_KEY_WORDS; i++) {
        flow_key_words(&e.is)[i] = (was[i] & ~m[i]) | (k[i] & m[i]);
    }
    set_ethernet(&e);
    if (p->l2_5 != PACKET_NO_LAYER) {
        if (e.is.mpls[0] != e.was.mpls[0] && p->len >= (uint32_t) p->l2_5 + WIRE_MPLS_LEN) {
            wire_put_be32(p->data + p->l2_5, e.is.mpls[0]);
        }
        return;
    }
    if (p->l3 == PACKET_NO_LAYER) {
        return;
    }
    e.l3 = p->data + p->l3;
    if (e.was.eth_type == htons(WIRE_ETH_ARP) || e.was.eth_type == htons(WIRE_ETH_RARP)) {
        set_arp(&e);
    } else if (flow_key_is_ip(&e.was) && (p->l4 != PACKET_NO_LAYER || e.was.nw_frag)) {
        set_ip(&e);
    }
}
