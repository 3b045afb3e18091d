// SPDX-License-Identifier: Apache-2.0
// Does a packet, or whatever a match lets through, have a field? What ovs-fields(7) calls prerequisites.
#include <config.h>
#include "lib/flow/field.h"

#define TYPE_ND_SOLICIT 135 /* RFC 4861, section 4.3 and 4.4. */
#define TYPE_ND_ADVERT 136

static bool
eth_type_is(const struct flow_key *k, struct flow_key *mask, uint16_t a, uint16_t b)
{
    if (mask) {
        mask->eth_type = UINT16_MAX;
    }
    return k->eth_type == htons(a) || k->eth_type == htons(b);
}

static bool
is_ip(const struct flow_key *k, struct flow_key *mask)
{
    return eth_type_is(k, mask, 0x0800, 0x86dd);
}

static bool
proto_is(const struct flow_key *k, struct flow_key *mask, uint8_t proto)
{
    if (mask) {
        mask->nw_proto = UINT8_MAX;
    }
    return k->nw_proto == proto;
}

/* Transport headers are in the first fragment only. ICMP fields of later ones may be named, and are zero: so
 * ovs-ofctl(8) takes them. */
static bool
has_l4(const struct flow_key *k, struct flow_key *mask)
{
    if (mask) {
        mask->nw_frag |= FLOW_FRAG_ANY | FLOW_FRAG_LATER;
    }
    return !(k->nw_frag & FLOW_FRAG_LATER);
}

static bool
is_transport(const struct flow_key *k, struct flow_key *mask, uint8_t proto)
{
    return is_ip(k, mask) && proto_is(k, mask, proto) && has_l4(k, mask);
}

static bool
is_icmp6(const struct flow_key *k, struct flow_key *mask)
{
    return eth_type_is(k, mask, 0x86dd, 0x86dd) && proto_is(k, mask, IPPROTO_ICMPV6);
}

static bool
is_nd(const struct flow_key *k, struct flow_key *mask, uint16_t a, uint16_t b)
{
    if (!is_icmp6(k, mask)) {
        return false;
    }
    if (mask) {
        mask->tp_src = mask->tp_dst = UINT16_MAX;
    }
    return !k->tp_dst && (k->tp_src == htons(a) || k->tp_src == htons(b));
}

/* The original tuple exists for packets whose connection is known: new, established or in reply. */
static bool
ct_is_valid(const struct flow_key *k, struct flow_key *mask)
{
    const uint8_t bits = CT_NEW | CT_EST | CT_RPL;

    if (mask) {
        mask->ct_state |= bits;
    }
    return k->ct_state & bits;
}

bool
field_prereqs_ok(const struct field *f, const struct flow_key *k, struct flow_key *mask)
{
    switch (f->prereq) {
    case FP_NONE:
        return true;
    case FP_ETHERNET:
        if (mask) {
            mask->packet_type = UINT32_MAX;
        }
        return !k->packet_type;
    case FP_VLAN_VID:
        if (mask) {
            mask->vlan[0].tci |= htons(FLOW_VLAN_PRESENT);
        }
        return k->vlan[0].tci & htons(FLOW_VLAN_PRESENT);
    case FP_CT_VALID:
        return ct_is_valid(k, mask);
    case FP_ARP:
        return eth_type_is(k, mask, 0x0806, 0x8035);
    case FP_IPV4:
        return eth_type_is(k, mask, 0x0800, 0x0800);
    case FP_IPV6:
        return eth_type_is(k, mask, 0x86dd, 0x86dd);
    case FP_IP_ANY:
        return is_ip(k, mask);
    case FP_MPLS:
        return eth_type_is(k, mask, 0x8847, 0x8848);
    case FP_TCP:
        return is_transport(k, mask, IPPROTO_TCP);
    case FP_UDP:
        return is_transport(k, mask, IPPROTO_UDP);
    case FP_SCTP:
        return is_transport(k, mask, IPPROTO_SCTP);
    case FP_ICMPV4:
        return eth_type_is(k, mask, 0x0800, 0x0800) && proto_is(k, mask, IPPROTO_ICMP);
    case FP_ICMPV6:
        return is_icmp6(k, mask);
    case FP_ND:
        return is_nd(k, mask, TYPE_ND_SOLICIT, TYPE_ND_ADVERT);
    case FP_ND_SOLICIT:
        return is_nd(k, mask, TYPE_ND_SOLICIT, TYPE_ND_SOLICIT);
    case FP_ND_ADVERT:
        return is_nd(k, mask, TYPE_ND_ADVERT, TYPE_ND_ADVERT);
    }
    return false;
}

bool
field_match_prereqs_ok(const struct field *f, const struct match *m)
{
    if (f->prereq == FP_CT_VALID) {
        /* Any state that only a known connection has, or tracked and said to be not invalid. */
        const uint8_t known = CT_NEW | CT_EST | CT_REL | CT_RPL | CT_SNAT | CT_DNAT;

        return m->key.ct_state & known ||
               (m->key.ct_state & CT_TRK && m->mask.ct_state & CT_INV && !(m->key.ct_state & CT_INV));
    }
    return field_prereqs_ok(f, &m->key, NULL);
}
