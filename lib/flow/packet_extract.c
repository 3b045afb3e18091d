// SPDX-License-Identifier: Apache-2.0
// From bytes to a key. A layer that is cut short or contradicts itself ends the walk: the layers before it are in the key and everything
// after it is zero. Where openvswitch.ko and ovs-vswitchd differ (trailing bytes, IP total length), ovs-vswitchd's reading is taken: it is the
// stricter one, and packets that the kernel brings up carry the kernel's key anyway.
#include <config.h>
#include "lib/flow/packet.h"

#include "lib/flow/wire.h"

/* What is left of the frame. */
struct cursor {
    const uint8_t *data;
    size_t len;
};

static const uint8_t *
take(struct cursor *c, size_t n)
{
    const uint8_t *p = c->data;

    if (n > c->len) {
        return NULL;
    }
    c->data += n;
    c->len -= n;
    return p;
}

static uint16_t
offset_of(const struct packet *p, const struct cursor *c)
{
    size_t offset = (size_t) (c->data - p->data);

    return offset < PACKET_NO_LAYER ? (uint16_t) offset : PACKET_NO_LAYER;
}

/* A tag is taken only if an Ethertype stands behind it. */
static void
parse_vlans(struct cursor *c, struct flow_key *key)
{
    for (unsigned i = 0; i < FLOW_N_VLANS && c->len >= WIRE_VLAN_LEN + 2 && wire_is_vlan(wire_u16(c->data)); i++) {
        key->vlan[i].tpid = wire_be16(c->data);
        key->vlan[i].tci = wire_be16(c->data + 2) | htons(FLOW_VLAN_PRESENT);
        take(c, WIRE_VLAN_LEN);
    }
}

/* Ethernet II, or 802.2 LLC with a SNAP header of organisation 0; any other 802.2 frame has no Ethertype. */
static uint16_t
parse_eth_type(struct cursor *c)
{
    static const uint8_t snap[6] = {0xaa, 0xaa, 0x03, 0, 0, 0};
    const uint8_t *p = take(c, 2);
    uint16_t type;

    if (!p) {
        return 0;
    }
    type = wire_u16(p);
    if (type >= WIRE_ETH_MIN) {
        return type;
    }
    if (c->len < WIRE_SNAP_LEN || memcmp(c->data, snap, sizeof snap)) {
        return FLOW_ETH_TYPE_NONE;
    }
    p = take(c, WIRE_SNAP_LEN);
    type = wire_u16(p + 6);
    return type >= WIRE_ETH_MIN ? type : FLOW_ETH_TYPE_NONE;
}

static void
parse_mpls(struct cursor *c, struct flow_key *key)
{
    const uint8_t *p;

    for (unsigned n = 0; (p = take(c, WIRE_MPLS_LEN)); n++) {
        if (n < FLOW_N_MPLS) {
            key->mpls[n] = wire_be32(p);
        }
        if (p[2] & 1) {
            break; /* Bottom of stack. */
        }
    }
}

static void
parse_arp(struct cursor *c, struct flow_key *key)
{
    const uint8_t *p = take(c, WIRE_ARP_LEN);
    uint16_t op;

    if (!p || wire_u16(p + ARP_HRD) != 1 || wire_u16(p + ARP_PRO) != WIRE_ETH_IPV4 || p[ARP_HLN] != 6 || p[ARP_PLN] != 4) {
        return;
    }
    op = wire_u16(p + ARP_OP);
    key->nw_proto = op <= UINT8_MAX ? (uint8_t) op : 0;
    key->nw_src = wire_be32(p + ARP_SPA);
    key->nw_dst = wire_be32(p + ARP_TPA);
    memcpy(&key->arp_sha, p + ARP_SHA, 6);
    memcpy(&key->arp_tha, p + ARP_THA, 6);
}

/* Leaves the cursor at the transport header, ending where the IP packet ends. */
static bool
parse_ipv4(struct cursor *c, struct flow_key *key)
{
    const uint8_t *p = c->data;
    size_t header, total;
    uint16_t frag;

    if (c->len < WIRE_IPV4_LEN) {
        return false;
    }
    header = (p[IP4_VER_IHL] & 0xfu) * 4;
    total = wire_u16(p + IP4_TOTAL);
    if (header < WIRE_IPV4_LEN || header > total || total > c->len || c->len - total > UINT16_MAX) {
        return false;
    }
    c->len = total;
    take(c, header);
    key->nw_src = wire_be32(p + IP4_SRC);
    key->nw_dst = wire_be32(p + IP4_DST);
    key->nw_tos = p[IP4_TOS];
    key->nw_ttl = p[IP4_TTL];
    key->nw_proto = p[IP4_PROTO];
    frag = wire_u16(p + IP4_FRAG);
    if (frag & (IP4_FRAG_OFFSET | IP4_FRAG_MORE)) {
        key->nw_frag = FLOW_FRAG_ANY | (frag & IP4_FRAG_OFFSET ? FLOW_FRAG_LATER : 0);
    }
    return true;
}

bool
packet_is_ipv6_extension(uint8_t next)
{
    return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS || next == IPPROTO_AH
           || next == IPPROTO_FRAGMENT;
}

/* Bytes of the extension header of kind 'kind' that starts with 'p'. RFC 8200 section 4; RFC 4302 section 2.2 for AH. */
size_t
packet_ipv6_extension_len(uint8_t kind, const uint8_t *p)
{
    return kind == IPPROTO_FRAGMENT ? WIRE_IPV6_FRAGMENT_LEN : kind == IPPROTO_AH ? (p[1] + 2u) * 4 : (p[1] + 1u) * 8;
}

/* Walks to the transport header; false when an extension header is cut short. */
static bool
parse_ipv6_extensions(struct cursor *c, uint8_t *proto, uint8_t *frag)
{
    while (packet_is_ipv6_extension(*proto)) {
        uint8_t kind = *proto;
        const uint8_t *p = c->data;

        if (c->len < 8 || !take(c, packet_ipv6_extension_len(kind, p))) {
            return false;
        }
        *proto = p[0];
        if (kind == IPPROTO_FRAGMENT && wire_u16(p + 2)) {
            *frag = FLOW_FRAG_ANY;
            if (wire_u16(p + 2) & 0xfff8) {
                *frag |= FLOW_FRAG_LATER;
                *proto = IPPROTO_FRAGMENT;
                return true;
            }
        }
    }
    return true;
}

static bool
parse_ipv6(struct cursor *c, struct flow_key *key)
{
    const uint8_t *p = c->data;
    uint8_t proto, frag = 0;
    size_t payload;

    if (c->len < WIRE_IPV6_LEN) {
        return false;
    }
    payload = wire_u16(p + IP6_PAYLOAD);
    if (payload > c->len - WIRE_IPV6_LEN || c->len - WIRE_IPV6_LEN - payload > UINT16_MAX) {
        return false;
    }
    take(c, WIRE_IPV6_LEN);
    c->len = payload;
    memcpy(&key->ipv6_src, p + IP6_SRC, 16);
    memcpy(&key->ipv6_dst, p + IP6_DST, 16);
    proto = p[IP6_NEXT];
    if (!parse_ipv6_extensions(c, &proto, &frag)) {
        return false;
    }
    key->ipv6_label = wire_be32(p + IP6_FLOW) & htonl(0xfffff);
    key->nw_tos = (uint8_t) (wire_u32(p + IP6_FLOW) >> 20);
    key->nw_ttl = p[IP6_HOPS];
    key->nw_proto = proto;
    key->nw_frag = frag;
    return true;
}

/* An option that is cut short, or of no length, ends the list. A link-layer address that stands there twice makes the whole message void: then
 * neither target nor addresses are in the key. */
static bool
parse_nd_options(struct cursor *c, struct flow_key *key)
{
    while (c->len >= 8) {
        const uint8_t *p = c->data;

        if (!p[1] || !take(c, p[1] * 8u)) {
            return true;
        }
        if ((p[0] == WIRE_ND_OPT_SLL || p[0] == WIRE_ND_OPT_TLL) && p[1] == 1) {
            struct eth_addr *mac = p[0] == WIRE_ND_OPT_SLL ? &key->arp_sha : &key->arp_tha;

            if (!eth_addr_is_zero(*mac)) {
                return false;
            }
            memcpy(mac, p + 2, 6);
            key->nd_options_type = p[0];
        }
    }
    return true;
}

static void
parse_icmpv6(struct cursor *c, struct flow_key *key)
{
    const uint8_t *p = take(c, WIRE_ICMPV6_LEN);
    const uint8_t *target;

    if (!p) {
        return;
    }
    key->tp_src = htons(p[0]);
    key->tp_dst = htons(p[1]);
    if (p[1] || (p[0] != WIRE_ND_SOLICIT && p[0] != WIRE_ND_ADVERT)) {
        return;
    }
    key->nd_reserved = wire_be32(p + ND_RESERVED);
    target = take(c, 16);
    if (!target) {
        return;
    }
    memcpy(&key->nd_target, target, 16);
    if (!parse_nd_options(c, key)) {
        memset(&key->nd_target, 0, sizeof key->nd_target);
        memset(&key->arp_sha, 0, sizeof key->arp_sha);
        memset(&key->arp_tha, 0, sizeof key->arp_tha);
    }
}

static void
parse_icmp_or_igmp(struct cursor *c, struct flow_key *key)
{
    const uint8_t *p = take(c, WIRE_ICMP_LEN);

    if (p) {
        key->tp_src = htons(p[0]);
        key->tp_dst = htons(p[1]);
        if (key->nw_proto == IPPROTO_IGMP) {
            key->igmp_group = wire_be32(p + IGMP_GROUP);
        }
    }
}

/* By protocol number alone: ICMP in IPv6 and the like have their type and code, as ovs-vswitchd has it. */
static void
parse_transport(struct cursor *c, struct flow_key *key)
{
    size_t least;

    switch (key->nw_proto) {
    case IPPROTO_TCP:
        least = wire_tcp_header_len(c->data, c->len); /* One that says it is longer than what is there has no ports either. */
        break;
    case IPPROTO_UDP:
        least = WIRE_UDP_LEN;
        break;
    case IPPROTO_SCTP:
        least = WIRE_SCTP_LEN;
        break;
    case IPPROTO_ICMP:
    case IPPROTO_IGMP:
        parse_icmp_or_igmp(c, key);
        return;
    case IPPROTO_ICMPV6:
        parse_icmpv6(c, key);
        return;
    default:
        return;
    }
    if (c->len >= least) {
        key->tp_src = wire_be16(c->data);
        key->tp_dst = wire_be16(c->data + 2);
        if (key->nw_proto == IPPROTO_TCP) {
            key->tcp_flags = wire_be16(c->data + TCP_FLAGS) & htons(0x0fff);
        }
    }
}

static void
parse_network(struct packet *p, struct cursor *c, struct flow_key *key)
{
    uint16_t type = ntohs(key->eth_type);

    p->l3 = offset_of(p, c);
    if (type == WIRE_ETH_ARP || type == WIRE_ETH_RARP) {
        parse_arp(c, key);
    } else if (type == WIRE_ETH_IPV4 ? parse_ipv4(c, key) : type == WIRE_ETH_IPV6 && parse_ipv6(c, key)) {
        if (!(key->nw_frag & FLOW_FRAG_LATER)) {
            p->l4 = offset_of(p, c);
            parse_transport(c, key);
        }
    }
}

void
packet_extract(struct packet *p, struct flow_key *key)
{
    struct cursor c = {p->data, p->len};

    p->l2_5 = p->l3 = p->l4 = PACKET_NO_LAYER;
    memset(&key->eth_dst, 0, sizeof *key - offsetof(struct flow_key, eth_dst));
    if (c.len < WIRE_ETH_LEN) {
        return;
    }
    memcpy(&key->eth_dst, take(&c, 6), 6);
    memcpy(&key->eth_src, take(&c, 6), 6);
    parse_vlans(&c, key);
    key->eth_type = htons(parse_eth_type(&c));
    if (wire_is_mpls(ntohs(key->eth_type))) {
        p->l2_5 = offset_of(p, &c);
        parse_mpls(&c, key);
        p->l3 = offset_of(p, &c);
    } else {
        parse_network(p, &c, key);
    }
}

void
packet_parse_mask(const struct flow_key *key, struct flow_key *mask)
{
    mask->packet_type = UINT32_MAX;
    mask->eth_type = UINT16_MAX;
    if (flow_key_is_ip(key)) {
        mask->nw_frag |= FLOW_FRAG_ANY | FLOW_FRAG_LATER;
    }
}

void
packet_key_limit_vlans(struct flow_key *key, unsigned limit)
{
    if (limit < FLOW_N_VLANS && key->vlan[limit].tpid) {
        struct flow_vlan kept[FLOW_N_VLANS] = {{0, 0}};
        be16 type = key->vlan[limit].tpid;

        memcpy(kept, key->vlan, limit * sizeof kept[0]);
        memset(&key->eth_type, 0, sizeof *key - offsetof(struct flow_key, eth_type));
        key->eth_type = type;
        memcpy(key->vlan, kept, sizeof kept);
    }
}

void
packet_mask_limit_vlans(const struct flow_key *key, struct flow_key *mask, unsigned limit)
{
    if (limit < FLOW_N_VLANS && key->vlan[limit].tpid) {
        struct flow_vlan kept[FLOW_N_VLANS] = {{0, 0}};

        memcpy(kept, mask->vlan, limit * sizeof kept[0]);
        kept[limit] = (struct flow_vlan){.tpid = UINT16_MAX, .tci = htons(FLOW_VLAN_PRESENT)};
        memset(&mask->eth_type, 0, sizeof *mask - offsetof(struct flow_key, eth_type));
        memcpy(mask->vlan, kept, sizeof kept);
        mask->eth_type = UINT16_MAX;
    }
}
