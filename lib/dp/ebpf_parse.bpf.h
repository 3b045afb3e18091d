// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// From a packet to its key, as packet_extract() of lib/flow does it for the daemon: a test compares the two on random packets. Sources of the formats:
// lib/flow/wire.h.
#ifndef LIB_DP_EBPF_PARSE_BPF_H
#define LIB_DP_EBPF_PARSE_BPF_H 1

#define MAX_EXTENSIONS 8
#define MAX_ND_OPTIONS 8

/* What is left: from 'at' up to 'end'. */
struct rest {
    uint32_t at, end;
    bool beyond; /* There is more than we walk over. */
};

static __always_inline uint16_t
u16_at(const uint8_t *p)
{
    return (uint16_t) (p[0] << 8 | p[1]);
}

static __always_inline uint16_t
be16_at(const uint8_t *p)
{
    return bpf_htons(u16_at(p));
}

static __always_inline uint32_t
be32_at(const uint8_t *p)
{
    return bpf_htonl((uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3]);
}

static __always_inline bool
is_vlan(uint16_t type)
{
    return type == 0x8100 || type == 0x88a8;
}

/* 'n' bytes into 'to', if they are there. */
static __always_inline bool
look(packet_ctx *p, const struct rest *r, void *to, uint32_t n)
{
    return r->end - r->at >= n && packet_load(p, r->at, to, n);
}

/* Leaves 'r' at what the Ethertype, which it returns, is about. */
static __always_inline uint16_t
parse_ethernet(packet_ctx *p, struct scratch *s, struct rest *r)
{
    struct flow_key *k = &s->key;
    uint8_t h[14];
    uint16_t type;

    if (!look(p, r, h, 14)) {
        return 0;
    }
    __builtin_memcpy(&k->eth_dst, h, 6);
    __builtin_memcpy(&k->eth_src, h + 6, 6);
    type = u16_at(h + 12);
    r->at += 12;
    if (packet_tag(p, &k->vlan[0])) {
        s->tags = 1;
    }
    for (unsigned i = 0; i < FLOW_N_VLANS; i++) {
        if (s->tags >= FLOW_N_VLANS || !is_vlan(type) || !look(p, r, h, 6)) {
            break;
        }
        if (s->tags == 0) {
            k->vlan[0].tpid = be16_at(h);
            k->vlan[0].tci = be16_at(h + 2) | bpf_htons(FLOW_VLAN_PRESENT);
        } else {
            k->vlan[1].tpid = be16_at(h);
            k->vlan[1].tci = be16_at(h + 2) | bpf_htons(FLOW_VLAN_PRESENT);
        }
        s->tags++;
        type = u16_at(h + 4);
        r->at += 4;
    }
    r->at += 2;
    if (type >= 0x600) {
        return type;
    }
    if (!look(p, r, h, 8) || u16_at(h) != 0xaaaa || h[2] != 3 || h[3] || h[4] || h[5]) {
        return FLOW_ETH_TYPE_NONE;
    }
    r->at += 8;
    type = u16_at(h + 6);
    return type >= 0x600 ? type : FLOW_ETH_TYPE_NONE;
}

static __always_inline void
parse_mpls(packet_ctx *p, struct flow_key *k, struct rest *r)
{
    uint8_t h[4];

    for (unsigned i = 0; i < FLOW_N_MPLS; i++) {
        if (!look(p, r, h, 4)) {
            break;
        }
        k->mpls[i] = be32_at(h);
        if (h[2] & 1) {
            break;
        }
        r->at += 4;
    }
}

static __always_inline void
parse_arp(packet_ctx *p, struct scratch *s, const struct rest *r)
{
    struct flow_key *k = &s->key;
    uint8_t h[28];

    if (!look(p, r, h, 28) || u16_at(h) != 1 || u16_at(h + 2) != 0x0800 || h[4] != 6 || h[5] != 4) {
        return;
    }
    k->nw_proto = h[6] ? 0 : h[7];
    k->nw_src = be32_at(h + 14);
    k->nw_dst = be32_at(h + 24);
    __builtin_memcpy(&k->arp_sha, h + 8, 6);
    __builtin_memcpy(&k->arp_tha, h + 18, 6);
    s->l3 = r->at;
}

static __always_inline bool
parse_ipv4(packet_ctx *p, struct flow_key *k, struct rest *r)
{
    uint32_t header, total;
    uint16_t frag;
    uint8_t h[20];

    if (!look(p, r, h, 20)) {
        return false;
    }
    header = (h[0] & 0xfu) * 4;
    total = u16_at(h + 2);
    if (header < 20 || header > total || total > r->end - r->at) {
        return false;
    }
    r->end = r->at + total;
    r->at += header;
    k->nw_src = be32_at(h + 12);
    k->nw_dst = be32_at(h + 16);
    k->nw_tos = h[1];
    k->nw_ttl = h[8];
    k->nw_proto = h[9];
    frag = u16_at(h + 6);
    if (frag & 0x3fff) {
        k->nw_frag = FLOW_FRAG_ANY | (frag & 0x1fff ? FLOW_FRAG_LATER : 0);
    }
    return true;
}

static __always_inline bool
is_extension(uint8_t next)
{
    return next == 0 || next == 43 || next == 44 || next == 51 || next == 60;
}

/* Walks to the transport header; false when a header is cut short. */
static __always_inline bool
parse_extensions(packet_ctx *p, struct scratch *s, struct rest *r, uint8_t *proto, uint8_t *frag)
{
    uint8_t h[8];

    for (unsigned i = 0; i < MAX_EXTENSIONS; i++) {
        uint8_t kind = *proto;
        uint32_t len;

        if (!is_extension(kind)) {
            return true;
        }
        if (!look(p, r, h, 8)) {
            return false;
        }
        len = kind == 44 ? 8 : kind == 51 ? (h[1] + 2u) * 4 : (h[1] + 1u) * 8;
        if (r->end - r->at < len) {
            return false;
        }
        r->at += len;
        *proto = h[0];
        s->routed |= kind == 43 && h[3];
        if (kind == 44 && u16_at(h + 2)) {
            *frag = FLOW_FRAG_ANY;
            if (u16_at(h + 2) & 0xfff8) {
                *frag |= FLOW_FRAG_LATER;
                *proto = 44;
                return true;
            }
        }
    }
    r->beyond = is_extension(*proto);
    return true;
}

static __always_inline bool
parse_ipv6(packet_ctx *p, struct scratch *s, struct rest *r)
{
    struct flow_key *k = &s->key;
    uint8_t h[40], proto, frag = 0;

    if (!look(p, r, h, 40) || u16_at(h + 4) > r->end - r->at - 40) {
        return false;
    }
    r->at += 40;
    r->end = r->at + u16_at(h + 4);
    __builtin_memcpy(&k->ipv6_src, h + 8, 16);
    __builtin_memcpy(&k->ipv6_dst, h + 24, 16);
    proto = h[6];
    if (!parse_extensions(p, s, r, &proto, &frag)) {
        return false;
    }
    k->ipv6_label = be32_at(h) & bpf_htonl(0xfffff);
    k->nw_tos = (uint8_t) (u16_at(h) >> 4);
    k->nw_ttl = h[7];
    k->nw_proto = proto;
    k->nw_frag = frag;
    return true;
}

/* false: a link-layer address stands there twice, which makes the message void. */
static __always_inline bool
parse_nd_options(packet_ctx *p, struct flow_key *k, struct rest *r)
{
    bool sll = false, tll = false;
    uint8_t h[8];

    for (unsigned i = 0; i < MAX_ND_OPTIONS; i++) {
        if (!look(p, r, h, 8) || !h[1] || h[1] * 8u > r->end - r->at) {
            return true;
        }
        r->at += h[1] * 8u;
        if (h[1] == 1 && (h[0] == 1 || h[0] == 2)) {
            bool zero = !(h[2] | h[3] | h[4] | h[5] | h[6] | h[7]);

            if (h[0] == 1 ? sll : tll) {
                return false;
            }
            if (h[0] == 1) {
                __builtin_memcpy(&k->arp_sha, h + 2, 6);
                sll = !zero;
            } else {
                __builtin_memcpy(&k->arp_tha, h + 2, 6);
                tll = !zero;
            }
            k->nd_options_type = h[0];
        }
    }
    r->beyond = r->end - r->at >= 8;
    return true;
}

static __always_inline void
parse_icmpv6(packet_ctx *p, struct flow_key *k, struct rest *r)
{
    uint8_t h[8];

    if (!look(p, r, h, 8)) {
        return;
    }
    k->tp_src = bpf_htons(h[0]);
    k->tp_dst = bpf_htons(h[1]);
    if (h[1] || (h[0] != 135 && h[0] != 136)) {
        return;
    }
    k->nd_reserved = be32_at(h + 4);
    r->at += 8;
    if (!look(p, r, &k->nd_target, 16)) {
        return;
    }
    r->at += 16;
    if (!parse_nd_options(p, k, r)) {
        __builtin_memset(&k->nd_target, 0, sizeof k->nd_target);
        __builtin_memset(&k->arp_sha, 0, sizeof k->arp_sha);
        __builtin_memset(&k->arp_tha, 0, sizeof k->arp_tha);
    }
}

static __always_inline void
parse_transport(packet_ctx *p, struct scratch *s, struct rest *r)
{
    struct flow_key *k = &s->key;
    uint8_t proto = k->nw_proto, h[20];

    if (proto == IPPROTO_TCP) {
        if (!look(p, r, h, 20) || (h[12] >> 4) < 5 || (h[12] >> 4) * 4u > r->end - r->at) {
            return;
        }
        k->tcp_flags = be16_at(h + 12) & bpf_htons(0x0fff);
    } else if (proto == IPPROTO_UDP || proto == IPPROTO_ICMP || proto == IPPROTO_IGMP) {
        if (!look(p, r, h, 8)) {
            return;
        }
    } else if (proto == IPPROTO_SCTP) {
        if (!look(p, r, h, 12)) {
            return;
        }
    } else {
        if (proto == IPPROTO_ICMPV6) {
            s->l4_whole = r->end - r->at >= 8;
            parse_icmpv6(p, k, r);
        }
        return;
    }
    s->l4_whole = true;
    if (proto == IPPROTO_SCTP) {
        s->l4_sum = be16_at(h + 8) | be16_at(h + 10);
    } else {
        s->l4_sum = proto == IPPROTO_TCP ? be16_at(h + 16) : be16_at(h + 6);
    }
    if (proto == IPPROTO_ICMP || proto == IPPROTO_IGMP) {
        k->tp_src = bpf_htons(h[0]);
        k->tp_dst = bpf_htons(h[1]);
        if (proto == IPPROTO_IGMP) {
            k->igmp_group = be32_at(h + 4);
        }
    } else {
        k->tp_src = be16_at(h);
        k->tp_dst = be16_at(h + 2);
    }
}

/* The same number, but the verifier, which would go through all that follows for each number that it knows, has not seen it. */
static __always_inline uint32_t
unknown(uint32_t n, uint32_t *place /* In a map. */)
{
    *(volatile uint32_t *) place = n;
    return *(volatile uint32_t *) place;
}

/* Fills the layers of s->key. false: the daemon has to look at the packet, which is more than we understand. */
static __noinline bool
parse(packet_ctx *p, struct scratch *s)
{
    struct rest r = {.at = 0, .end = packet_len(p)};
    uint16_t type;

    __builtin_memset(&s->key.eth_dst, 0, sizeof s->key - offsetof(struct flow_key, eth_dst));
    s->l3 = s->l4 = s->l4_len = s->tags = 0;
    s->routed = s->l4_whole = false;
    type = (uint16_t) unknown(parse_ethernet(p, s, &r), &s->at);
    r.at = unknown(r.at, &s->at);
    s->key.eth_type = bpf_htons(type);
    if (type == 0x8847 || type == 0x8848) {
        parse_mpls(p, &s->key, &r);
    } else if (type == 0x0806 || type == 0x8035) {
        parse_arp(p, s, &r);
    } else if (type == 0x0800 || type == 0x86dd) {
        uint32_t l3 = r.at;

        if (type == 0x0800 ? parse_ipv4(p, &s->key, &r) : parse_ipv6(p, s, &r)) {
            s->l3 = l3;
            if (!(s->key.nw_frag & FLOW_FRAG_LATER)) {
                r.at = unknown(r.at, &s->l4);
                r.end = unknown(r.end, &s->at);
                s->l4_len = r.end - r.at;
                parse_transport(p, s, &r);
            }
        }
    }
    return !r.beyond;
}

#endif
