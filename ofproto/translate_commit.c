// SPDX-License-Identifier: Apache-2.0
// What pipeline steps changed becomes datapath actions, just before the packet goes somewhere. Changes are grouped as openvswitch.ko groups fields: a set
// action for each header that differs, with those of its fields that differ, under the bits that the mask of the megaflow has of them: bits that were
// neither read nor written stay the packet's own.
#include <config.h>
#include "lib/flow/wire.h"
#include "ofproto/translate_ctx.h"

/* A member of struct flow_key that a set action writes, and the bits of it that count. */
struct member {
    uint16_t ofs, size;
};
#define MEMBER(M) {offsetof(struct flow_key, M), sizeof(((struct flow_key *) 0)->M)}

static const struct member eth_members[] = {MEMBER(eth_src), MEMBER(eth_dst)};
static const struct member ipv4_members[] = {MEMBER(nw_src), MEMBER(nw_dst), MEMBER(nw_tos), MEMBER(nw_ttl)};
static const struct member ipv6_members[] = {MEMBER(ipv6_src), MEMBER(ipv6_dst), MEMBER(ipv6_label), MEMBER(nw_tos), MEMBER(nw_ttl)};
static const struct member arp_members[] = {MEMBER(nw_src), MEMBER(nw_dst), MEMBER(nw_proto), MEMBER(arp_sha), MEMBER(arp_tha)};
static const struct member nd_ext_members[] = {MEMBER(nd_reserved), MEMBER(nd_options_type)};
static const struct member nd_members[] = {MEMBER(nd_target), MEMBER(arp_sha), MEMBER(arp_tha)};
static const struct member port_members[] = {MEMBER(tp_src), MEMBER(tp_dst)};
static const struct member priority_members[] = {MEMBER(skb_priority)};
static const struct member mark_members[] = {MEMBER(pkt_mark)};

static void *
at(struct flow_key *key, const struct member *m)
{
    return (uint8_t *) key + m->ofs;
}

static const void *
at_const(const struct flow_key *key, const struct member *m)
{
    return (const uint8_t *) key + m->ofs;
}

/* Emits a set of the members that differ between 'key' and 'base', and makes them equal. 'whole': the header is written as a whole, so that all of it
 * must be known. true if something differed. */
static bool
commit_group(struct xl *xl, enum set_group group, const struct member *members, size_t n, bool whole)
{
    struct action_set *set = NULL;

    for (size_t i = 0; i < n; i++) {
        if (memcmp(at(&xl->key, &members[i]), at(&xl->base, &members[i]), members[i].size)) {
            set = action_put(&xl->out->actions, ACTION_SET, sizeof *set);
            break;
        }
    }
    if (!set) {
        return false;
    }
    set->group = group;
    set->masked = !whole;
    for (size_t i = 0; i < n; i++) {
        const struct member *m = &members[i];
        bool differs = memcmp(at(&xl->key, m), at(&xl->base, m), m->size);

        if (whole) {
            memset(at(xl->mask, m), 0xff, m->size);
        }
        if (differs || whole) {
            const uint8_t *mask = at_const(xl->mask, m), *value = at_const(&xl->key, m);
            uint8_t *to = at(&set->key, m);

            memcpy(at(&set->mask, m), mask, m->size);
            for (unsigned j = 0; j < m->size; j++) {
                to[j] = value[j] & mask[j];
            }
            memcpy(at(&xl->base, m), value, m->size);
        }
    }
    return true;
}
#define COMMIT(XL, GROUP, MEMBERS, WHOLE) commit_group(XL, GROUP, MEMBERS, ARRAY_SIZE(MEMBERS), WHOLE)

static bool
is_nd(const struct flow_key *key)
{
    return key->nw_proto == IPPROTO_ICMPV6 && !key->tp_dst && (key->tp_src == htons(135) || key->tp_src == htons(136));
}

/* Below labels, or where they were popped a moment ago, the headers are not known and were not changed. */
static bool
knows_headers(const struct xl *xl)
{
    return !xl->was_mpls && !xl_is_mpls(xl->key.eth_type);
}

static void
commit_network(struct xl *xl)
{
    /* What the megaflow does not tell apart by protocol is written for all of them. */
    if (!knows_headers(xl) || (!xl->key.nw_proto && xl->mask->nw_proto)) {
        return;
    }
    switch (ntohs(xl->base.eth_type)) {
    case WIRE_ETH_IPV4:
        COMMIT(xl, SET_IPV4, ipv4_members, false);
        break;
    case WIRE_ETH_IPV6:
        COMMIT(xl, SET_IPV6, ipv6_members, false);
        if (is_nd(&xl->key)) {
            bool extended = COMMIT(xl, SET_ND, nd_ext_members, true);

            if (COMMIT(xl, SET_ND, nd_members, false) || extended) {
                xl->out->slow |= SLOW_ACTION;
            }
        }
        break;
    case WIRE_ETH_ARP:
        /* No datapath writes ARP: the daemon does. */
        if (COMMIT(xl, SET_ARP, arp_members, false)) {
            xl->out->slow |= SLOW_ACTION;
        }
        break;
    default:
        break;
    }
}

static void
commit_transport(struct xl *xl)
{
    if (!knows_headers(xl) || !flow_key_is_ip(&xl->base)) {
        return;
    }
    switch (xl->key.nw_proto) {
    case IPPROTO_TCP:
        COMMIT(xl, SET_TCP, port_members, false);
        break;
    case IPPROTO_UDP:
        COMMIT(xl, SET_UDP, port_members, false);
        break;
    case IPPROTO_SCTP:
        COMMIT(xl, SET_SCTP, port_members, false);
        break;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
        if (COMMIT(xl, SET_ICMP, port_members, true)) {
            xl->out->slow |= SLOW_ACTION;
        }
        break;
    default:
        break;
    }
}

/* Tags that both have at the bottom stay; the rest of the old ones is popped, the rest of the new ones pushed. */
static void
commit_vlans(struct xl *xl)
{
    unsigned n_base = xl_n_vlans(&xl->base), n = xl_n_vlans(&xl->key);

    while (n_base && n && !memcmp(&xl->base.vlan[n_base - 1], &xl->key.vlan[n - 1], sizeof xl->key.vlan[0])) {
        n_base--;
        n--;
    }
    while (n_base--) {
        action_put(&xl->out->actions, ACTION_POP_VLAN, sizeof(struct action_empty));
        memset(&xl->mask->vlan[n_base], 0xff, sizeof xl->mask->vlan[0]);
    }
    while (n--) {
        struct action_push_vlan *push = action_put(&xl->out->actions, ACTION_PUSH_VLAN, sizeof *push);

        push->tpid = xl->key.vlan[n].tpid;
        push->tci = xl->key.vlan[n].tci;
    }
    memcpy(xl->base.vlan, xl->key.vlan, sizeof xl->base.vlan);
}

/* Of all that is committed. */
static bool
differs(const struct flow_key *a, const struct flow_key *b)
{
    const size_t headers = offsetof(struct flow_key, eth_dst);

    return a->skb_priority != b->skb_priority || a->pkt_mark != b->pkt_mark
           || memcmp((const uint8_t *) a + headers, (const uint8_t *) b + headers, sizeof *a - headers);
}

void
xl_commit(struct xl *xl)
{
    bool uncovers = xl_is_mpls(xl->base.eth_type) && !xl_is_mpls(xl->key.eth_type);

    if (!differs(&xl->key, &xl->base)) {
        return;
    }
    COMMIT(xl, SET_ETH, eth_members, false);
    if (uncovers) {
        xl_mpls_to_base(xl); /* First, since the headers below are written next. */
    }
    commit_network(xl);
    commit_transport(xl);
    if (!uncovers) {
        xl_mpls_to_base(xl);
    }
    commit_vlans(xl);
    COMMIT(xl, SET_SKB_PRIORITY, priority_members, true);
    COMMIT(xl, SET_SKB_MARK, mark_members, false);
}
