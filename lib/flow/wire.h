// SPDX-License-Identifier: Apache-2.0
// Numbers and offsets of the protocol headers that packets are made of, and access to bytes at any alignment.
// Sources: IEEE 802.3 and 802.1Q; RFC 791 (IPv4), 826 (ARP), 792 (ICMP), 2236 (IGMP), 3032 (MPLS), 4861 (ND), 8200 (IPv6), 9260 (SCTP),
// 9293 (TCP), 768 (UDP).
#ifndef LIB_FLOW_WIRE_H
#define LIB_FLOW_WIRE_H 1

#include "lib/flow/key.h"

/* Ethertypes, host order. */
enum {
    WIRE_ETH_MIN = 0x0600, /* Below it, the field is a length (802.3). */
    WIRE_ETH_IPV4 = 0x0800,
    WIRE_ETH_ARP = 0x0806,
    WIRE_ETH_RARP = 0x8035,
    WIRE_ETH_VLAN = 0x8100,
    WIRE_ETH_IPV6 = 0x86dd,
    WIRE_ETH_MPLS = 0x8847,
    WIRE_ETH_MPLS_MULTICAST = 0x8848,
    WIRE_ETH_QINQ = 0x88a8,
};

/* Sizes of fixed headers. */
enum {
    WIRE_ETH_LEN = 14,
    WIRE_VLAN_LEN = 4,
    WIRE_SNAP_LEN = 8,
    WIRE_MPLS_LEN = 4,
    WIRE_ARP_LEN = 28,
    WIRE_IPV4_LEN = 20,
    WIRE_IPV6_LEN = 40,
    WIRE_IPV6_FRAGMENT_LEN = 8,
    WIRE_TCP_LEN = 20,
    WIRE_UDP_LEN = 8,
    WIRE_SCTP_LEN = 12,
    WIRE_ICMP_LEN = 8,
    WIRE_ICMPV6_LEN = 8,
    WIRE_IGMP_LEN = 8,
    WIRE_ND_LEN = 24,    /* Neighbour solicitation and advertisement, without options. */
    WIRE_ND_OPT_LEN = 8, /* A link-layer address option for Ethernet. */
};

/* Offsets in ARP for Ethernet and IPv4. */
enum { ARP_HRD = 0, ARP_PRO = 2, ARP_HLN = 4, ARP_PLN = 5, ARP_OP = 6, ARP_SHA = 8, ARP_SPA = 14, ARP_THA = 18, ARP_TPA = 24 };
/* Offsets in IPv4. */
enum { IP4_VER_IHL = 0, IP4_TOS = 1, IP4_TOTAL = 2, IP4_FRAG = 6, IP4_TTL = 8, IP4_PROTO = 9, IP4_CSUM = 10, IP4_SRC = 12, IP4_DST = 16 };
#define IP4_FRAG_OFFSET 0x1fff
#define IP4_FRAG_MORE 0x2000
/* Offsets in IPv6. */
enum { IP6_FLOW = 0, IP6_PAYLOAD = 4, IP6_NEXT = 6, IP6_HOPS = 7, IP6_SRC = 8, IP6_DST = 24 };
/* Transport: offsets of checksums and of what else is written. Ports are at 0 and 2. */
enum { TCP_FLAGS = 12, TCP_CSUM = 16, UDP_LENGTH = 4, UDP_CSUM = 6, SCTP_CSUM = 8, ICMP_CSUM = 2, IGMP_GROUP = 4 };
enum { ND_RESERVED = 4, ND_TARGET = 8, ND_OPTIONS = 24 };

#define WIRE_ND_SOLICIT 135
#define WIRE_ND_ADVERT 136
#define WIRE_ND_OPT_SLL 1
#define WIRE_ND_OPT_TLL 2

static inline bool
wire_is_vlan(uint16_t eth_type)
{
    return eth_type == WIRE_ETH_VLAN || eth_type == WIRE_ETH_QINQ;
}

static inline bool
wire_is_mpls(uint16_t eth_type)
{
    return eth_type == WIRE_ETH_MPLS || eth_type == WIRE_ETH_MPLS_MULTICAST;
}

/* Loads in the order of the wire (be16, be32) and in host order. */
static inline be16
wire_be16(const uint8_t *p)
{
    be16 x;

    memcpy(&x, p, sizeof x);
    return x;
}

static inline be32
wire_be32(const uint8_t *p)
{
    be32 x;

    memcpy(&x, p, sizeof x);
    return x;
}

static inline uint16_t
wire_u16(const uint8_t *p)
{
    return (uint16_t) (p[0] << 8 | p[1]);
}

static inline uint32_t
wire_u32(const uint8_t *p)
{
    return ntohl(wire_be32(p));
}

static inline void
wire_put_be16(uint8_t *p, be16 x)
{
    memcpy(p, &x, sizeof x);
}

static inline void
wire_put_be32(uint8_t *p, be32 x)
{
    memcpy(p, &x, sizeof x);
}

/* How many bytes a TCP header at 'l4' takes, of which 'len' bytes are there. SIZE_MAX if it says that it is shorter than it can be. */
static inline size_t
wire_tcp_header_len(const uint8_t *l4, size_t len)
{
    size_t header = len >= WIRE_TCP_LEN ? (size_t) (l4[TCP_FLAGS] >> 4) * 4 : 0;

    return header >= WIRE_TCP_LEN ? header : SIZE_MAX;
}

#endif
