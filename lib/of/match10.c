// SPDX-License-Identifier: Apache-2.0
// The match structures of fixed size of OpenFlow 1.0 and 1.1: a list of what stands where, walked in both directions. VLANs are told apart by
// hand, for their reserved numbers.
#include <config.h>
#include "lib/of/oxm.h"

/* struct ofp_match of 1.0: a wildcard bit a field, and counts of ignored low bits for the addresses. */
struct place {
    uint8_t id;       /* enum field_id. */
    uint8_t ofs;      /* In the structure. */
    uint8_t wild_bit; /* Number of the wildcard bit, or NO_BIT. */
    uint8_t mask_ofs; /* Of the mask, ones for bits to ignore; 0: has none. */
};
#define NO_BIT 32

#define OF10_NW_SRC_SHIFT 8
#define OF10_NW_DST_SHIFT 14
#define OF10_DL_VLAN (1u << 1)
#define OF10_DL_VLAN_PCP (1u << 20)
#define OF10_WILD_ALL ((1u << 22) - 1)

static const struct place of10_places[] = {
    {FIELD_IN_PORT, 4, 0, 0}, {FIELD_ETH_SRC, 6, 2, 0}, {FIELD_ETH_DST, 12, 3, 0}, {FIELD_ETH_TYPE, 22, 4, 0},
    {FIELD_NW_TOS, 24, 21, 0}, {FIELD_NW_PROTO, 25, 5, 0},
};

#define OF11_DL_VLAN (1u << 1)
#define OF11_DL_VLAN_PCP (1u << 2)
#define OF11_WILD_ALL ((1u << 10) - 1)

static const struct place of11_places[] = {
    {FIELD_IN_PORT_OXM, 4, 0, 0},      {FIELD_ETH_SRC, 12, NO_BIT, 18},   {FIELD_ETH_DST, 24, NO_BIT, 30},
    {FIELD_ETH_TYPE, 40, 3, 0},        {FIELD_MPLS_LABEL, 64, 8, 0},      {FIELD_MPLS_TC, 68, 9, 0},
    {FIELD_IP_DSCP, 42, 4, 0},         {FIELD_NW_PROTO, 43, 5, 0},        {FIELD_METADATA, 72, NO_BIT, 80},
};

/* Transport ports are ICMP's type and code, too. The fields that the protocol of the match gives them. */
static bool
transport_fields(const struct match *m, enum field_id *src, enum field_id *dst)
{
    bool v4 = m->key.eth_type == htons(0x0800), v6 = m->key.eth_type == htons(0x86dd);

    if ((!v4 && !v6) || m->mask.nw_proto != UINT8_MAX) {
        return false;
    }
    switch (m->key.nw_proto) {
    case IPPROTO_TCP:
        *src = FIELD_TCP_SRC, *dst = FIELD_TCP_DST;
        return true;
    case IPPROTO_UDP:
        *src = FIELD_UDP_SRC, *dst = FIELD_UDP_DST;
        return true;
    case IPPROTO_SCTP:
        *src = FIELD_SCTP_SRC, *dst = FIELD_SCTP_DST;
        return true;
    case IPPROTO_ICMP:
        *src = FIELD_ICMP_TYPE, *dst = FIELD_ICMP_CODE;
        return v4;
    case IPPROTO_ICMPV6:
        *src = FIELD_ICMPV6_TYPE, *dst = FIELD_ICMPV6_CODE;
        return v6;
    default:
        return false;
    }
}

/* The addresses are ARP's, too. */
static bool
address_fields(const struct match *m, enum field_id *src, enum field_id *dst)
{
    bool arp = m->key.eth_type == htons(0x0806) || m->key.eth_type == htons(0x8035);

    *src = arp ? FIELD_ARP_SPA : FIELD_IP_SRC;
    *dst = arp ? FIELD_ARP_TPA : FIELD_IP_DST;
    return arp || m->key.eth_type == htons(0x0800);
}

static bool
is_arp_type(const struct match *m)
{
    return m->key.eth_type == htons(0x0806) || m->key.eth_type == htons(0x8035);
}

static uint32_t
get_u32(const uint8_t *p)
{
    be32 x;

    memcpy(&x, p, sizeof x);
    return ntohl(x);
}

static uint16_t
get_u16(const uint8_t *p)
{
    be16 x;

    memcpy(&x, p, sizeof x);
    return ntohs(x);
}

static void
put_u16(uint8_t *p, uint16_t host)
{
    be16 x = htons(host);

    memcpy(p, &x, sizeof x);
}

static void
put_u32(uint8_t *p, uint32_t host)
{
    be32 x = htonl(host);

    memcpy(p, &x, sizeof x);
}

/* Matches 'id' on the bytes at 'p', if its prerequisites hold. A mask of NULL is exact. */
static void
match_bytes(struct match *m, enum field_id id, const uint8_t *p, const uint8_t *ignore)
{
    const struct field *f = &field_table[id];
    union field_value value = {{0}}, mask = {{0}};

    if (!field_match_prereqs_ok(f, m)) {
        return;
    }
    memcpy(&value, p, f->n_bytes);
    for (unsigned i = 0; ignore && i < f->n_bytes; i++) {
        mask.b[i] = (uint8_t) ~ignore[i];
    }
    if (id == FIELD_NW_TOS) {
        value.u8 &= 0xfc;
    }
    field_match(f, &value, ignore ? &mask : NULL, m);
}

/* ICMP's one byte stands in the low half of a port. */
static void
match_transport(struct match *m, enum field_id id, const uint8_t *p)
{
    match_bytes(m, id, p + (field_table[id].n_bytes == 1), NULL);
}

static void
match_address10(struct match *m, enum field_id id, const uint8_t *p, uint32_t wild, unsigned shift)
{
    unsigned n_ignored = wild >> shift & 0x3f;
    uint8_t ignore[4];

    if (n_ignored < 32) {
        put_u32(ignore, (uint32_t) low_bits(n_ignored));
        match_bytes(m, id, p, ignore);
    }
}

static void
match_vlan(struct match *m, bool has_vid, uint16_t vid, bool has_pcp, uint8_t pcp)
{
    if (has_vid) {
        m->key.vlan[0].tci |= htons(FLOW_VLAN_PRESENT | (vid & 0xfff));
        m->mask.vlan[0].tci |= htons(FLOW_VLAN_PRESENT | 0xfff);
    }
    if (has_pcp) {
        m->key.vlan[0].tci |= htons((uint16_t) (FLOW_VLAN_PRESENT | (pcp & 7) << 13));
        m->mask.vlan[0].tci |= htons(FLOW_VLAN_PRESENT | 0xe000);
    }
}

#define VLAN_NONE 0xffff /* No tag. */
#define VLAN_ANY 0xfffe  /* Any tag; since 1.1. */

void
of10_match_decode(const uint8_t w[OF10_MATCH_LEN], struct match *m)
{
    uint32_t wild = get_u32(w);
    enum field_id src, dst;

    match_init_any(m);
    for (size_t i = 0; i < ARRAY_SIZE(of10_places); i++) {
        const struct place *p = &of10_places[i];

        if (wild & 1u << p->wild_bit) {
            continue;
        }
        if (p->id == FIELD_NW_PROTO && is_arp_type(m)) {
            /* The opcode: one byte here, two in its own field. */
            match_bytes(m, FIELD_ARP_OP, (const uint8_t[2]){0, w[p->ofs]}, NULL);
        } else {
            match_bytes(m, p->id, w + p->ofs, NULL);
        }
    }
    if (!(wild & OF10_DL_VLAN) && get_u16(w + 18) == VLAN_NONE) {
        m->mask.vlan[0].tci = UINT16_MAX;
    } else {
        match_vlan(m, !(wild & OF10_DL_VLAN), get_u16(w + 18), !(wild & OF10_DL_VLAN_PCP), w[20]);
    }
    if (address_fields(m, &src, &dst)) {
        match_address10(m, src, w + 28, wild, OF10_NW_SRC_SHIFT);
        match_address10(m, dst, w + 32, wild, OF10_NW_DST_SHIFT);
    }
    if (transport_fields(m, &src, &dst)) {
        if (!(wild & 1u << 6)) {
            match_transport(m, src, w + 36);
        }
        if (!(wild & 1u << 7)) {
            match_transport(m, dst, w + 38);
        }
    }
}

/* Value and mask of 'id' in the match; false when it is wild. */
static bool
get_field(const struct match *m, enum field_id id, union field_value *value, union field_value *mask)
{
    const struct field *f = &field_table[id];

    field_get_mask(f, &m->mask, mask);
    field_get(f, &m->key, value);
    for (unsigned i = 0; i < f->n_bytes; i++) {
        if (mask->b[i]) {
            return field_match_prereqs_ok(f, m);
        }
    }
    return false;
}

static bool
mask_is_exact(enum field_id id, const union field_value *mask)
{
    return field_mask_is_exact(&field_table[id], mask);
}

/* Number of low bits that an address ignores; 32 when the mask is no prefix, which 1.0 cannot say. */
static uint32_t
address10(const struct match *m, enum field_id id, uint8_t *p)
{
    union field_value value, mask;
    uint32_t bits;

    if (!get_field(m, id, &value, &mask)) {
        return 32;
    }
    bits = ~ntohl(mask.be32);
    if (bits & (bits + 1)) {
        return 32;
    }
    memcpy(p, &value, 4);
    return (uint32_t) __builtin_popcount(bits);
}

static void
put_transport(const struct match *m, enum field_id id, uint8_t *p, unsigned wild_bit, uint32_t *wild)
{
    union field_value value, mask;

    if (get_field(m, id, &value, &mask) && mask_is_exact(id, &mask)) {
        memcpy(p + (field_table[id].n_bytes == 1), &value, field_table[id].n_bytes);
        *wild &= ~(1u << wild_bit);
    }
}

static void
put_vlan(const struct match *m, uint8_t *vid, uint8_t *pcp, uint32_t vid_bit, uint32_t pcp_bit, uint32_t *wild, bool knows_any)
{
    uint16_t tci = ntohs(m->key.vlan[0].tci), mask = ntohs(m->mask.vlan[0].tci);

    if (!(mask & FLOW_VLAN_PRESENT)) {
        return;
    }
    if (!(tci & FLOW_VLAN_PRESENT)) {
        put_u16(vid, VLAN_NONE);
        *wild &= ~vid_bit;
        return;
    }
    if ((mask & 0xfff) == 0xfff) {
        put_u16(vid, tci & 0xfff);
        *wild &= ~vid_bit;
    } else if (knows_any) {
        put_u16(vid, VLAN_ANY);
        *wild &= ~vid_bit;
    }
    if ((mask & 0xe000) == 0xe000) {
        *pcp = (uint8_t) (tci >> 13);
        *wild &= ~pcp_bit;
    }
}

void
of10_match_encode(const struct match *m, uint8_t w[OF10_MATCH_LEN])
{
    uint32_t wild = OF10_WILD_ALL & ~(0x3fu << OF10_NW_SRC_SHIFT) & ~(0x3fu << OF10_NW_DST_SHIFT);
    uint32_t n_src = 32, n_dst = 32;
    union field_value value, mask;
    enum field_id src, dst;

    memset(w, 0, OF10_MATCH_LEN);
    for (size_t i = 0; i < ARRAY_SIZE(of10_places); i++) {
        const struct place *p = &of10_places[i];
        bool arp_op = p->id == FIELD_NW_PROTO && is_arp_type(m);
        enum field_id id = arp_op ? FIELD_ARP_OP : (enum field_id) p->id;

        if (get_field(m, id, &value, &mask) && mask_is_exact(id, &mask)) {
            memcpy(w + p->ofs, value.b + arp_op, field_table[p->id].n_bytes);
            wild &= ~(1u << p->wild_bit);
        }
    }
    put_vlan(m, w + 18, w + 20, OF10_DL_VLAN, OF10_DL_VLAN_PCP, &wild, false);
    if (address_fields(m, &src, &dst)) {
        n_src = address10(m, src, w + 28);
        n_dst = address10(m, dst, w + 32);
    }
    if (transport_fields(m, &src, &dst)) {
        put_transport(m, src, w + 36, 6, &wild);
        put_transport(m, dst, w + 38, 7, &wild);
    }
    put_u32(w, wild | n_src << OF10_NW_SRC_SHIFT | n_dst << OF10_NW_DST_SHIFT);
}

static enum of_error
decode_vlan11(const uint8_t *w, uint32_t wild, struct match *m)
{
    uint16_t vid = get_u16(w + 36);
    bool has_pcp = !(wild & OF11_DL_VLAN_PCP);

    if (wild & OF11_DL_VLAN) {
        return OFERR_OK;
    }
    if (vid == VLAN_NONE) {
        m->mask.vlan[0].tci = UINT16_MAX;
        return OFERR_OK;
    }
    if (vid != VLAN_ANY && vid > 0xfff) {
        return OFERR_OFPBMC_BAD_VALUE;
    }
    if (vid == VLAN_ANY) {
        m->key.vlan[0].tci |= htons(FLOW_VLAN_PRESENT);
        m->mask.vlan[0].tci |= htons(FLOW_VLAN_PRESENT);
    }
    match_vlan(m, vid != VLAN_ANY, vid, has_pcp, w[38]);
    return OFERR_OK;
}

static enum of_error
decode_places11(const uint8_t *w, uint32_t wild, struct match *m)
{
    for (size_t i = 0; i < ARRAY_SIZE(of11_places); i++) {
        const struct place *p = &of11_places[i];
        const struct field *f = &field_table[p->id];
        union field_value value = {{0}};
        uint8_t dscp;
        uint32_t port;

        if (p->wild_bit != NO_BIT && wild & 1u << p->wild_bit) {
            continue;
        }
        memcpy(&value, w + p->ofs, f->n_bytes);
        if (p->id == FIELD_IP_DSCP) {
            dscp = (uint8_t) (w[p->ofs] >> 2);
            match_bytes(m, FIELD_IP_DSCP, &dscp, NULL);
        } else if (p->id == FIELD_NW_PROTO && is_arp_type(m)) {
            match_bytes(m, FIELD_ARP_OP, (const uint8_t[2]){0, w[p->ofs]}, NULL);
        } else if (p->id == FIELD_IN_PORT_OXM && !of_port_from_wire32(value.be32, &port)) {
            return OFERR_OFPBMC_BAD_VALUE;
        } else if (!field_value_valid(f, &value)) {
            return OFERR_OFPBMC_BAD_VALUE;
        } else {
            match_bytes(m, p->id, w + p->ofs, p->mask_ofs ? w + p->mask_ofs : NULL);
        }
    }
    return OFERR_OK;
}

enum of_error
of11_match_decode(const uint8_t w[OF11_MATCH_LEN], struct match *m)
{
    uint32_t wild = get_u32(w + 8);
    enum field_id src, dst;
    enum of_error error;

    match_init_any(m);
    error = decode_places11(w, wild, m);
    if (!error) {
        error = decode_vlan11(w, wild, m);
    }
    if (error) {
        return error;
    }
    if (address_fields(m, &src, &dst)) {
        match_bytes(m, src, w + 44, w + 48);
        match_bytes(m, dst, w + 52, w + 56);
    }
    if (transport_fields(m, &src, &dst)) {
        if (!(wild & 1u << 6)) {
            match_transport(m, src, w + 60);
        }
        if (!(wild & 1u << 7)) {
            match_transport(m, dst, w + 62);
        }
    }
    return OFERR_OK;
}

/* A value with its mask, inverted on this wire. */
static void
put_masked(const struct match *m, enum field_id id, uint8_t *value_at, uint8_t *ignore_at)
{
    const struct field *f = &field_table[id];
    union field_value value, mask;

    if (!get_field(m, id, &value, &mask)) {
        memset(ignore_at, 0xff, f->n_bytes);
        return;
    }
    memcpy(value_at, &value, f->n_bytes);
    for (unsigned i = 0; i < f->n_bytes; i++) {
        ignore_at[i] = (uint8_t) ~mask.b[i];
    }
}

void
of11_match_encode(const struct match *m, uint8_t w[OF11_MATCH_LEN])
{
    uint32_t wild = OF11_WILD_ALL;
    union field_value value, mask;
    enum field_id src, dst;

    memset(w, 0, OF11_MATCH_LEN);
    put_u16(w + 2, OF11_MATCH_LEN);
    for (size_t i = 0; i < ARRAY_SIZE(of11_places); i++) {
        const struct place *p = &of11_places[i];
        bool arp_op = p->id == FIELD_NW_PROTO && is_arp_type(m);
        enum field_id id = arp_op ? FIELD_ARP_OP : (enum field_id) p->id;

        if (p->mask_ofs) {
            put_masked(m, id, w + p->ofs, w + p->mask_ofs);
        } else if (get_field(m, id, &value, &mask) && mask_is_exact(id, &mask)) {
            value.u8 = id == FIELD_IP_DSCP ? (uint8_t) (value.u8 << 2) : value.u8;
            memcpy(w + p->ofs, value.b + arp_op, field_table[p->id].n_bytes);
            wild &= ~(1u << p->wild_bit);
        }
    }
    put_vlan(m, w + 36, w + 38, OF11_DL_VLAN, OF11_DL_VLAN_PCP, &wild, true);
    if (address_fields(m, &src, &dst)) {
        put_masked(m, src, w + 44, w + 48);
        put_masked(m, dst, w + 52, w + 56);
    } else {
        memset(w + 48, 0xff, 4);
        memset(w + 56, 0xff, 4);
    }
    if (transport_fields(m, &src, &dst)) {
        put_transport(m, src, w + 60, 6, &wild);
        put_transport(m, dst, w + 62, 7, &wild);
    }
    put_u32(w + 8, wild);
}
