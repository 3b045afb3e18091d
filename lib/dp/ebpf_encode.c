// SPDX-License-Identifier: Apache-2.0
// Datapath actions as the records that the programs of the eBPF datapath execute. Pure.
#include <config.h>
#include "lib/dp/ebpf.h"
#include "lib/flow/wire.h"

_Static_assert(sizeof(struct upcall_cookie) == sizeof(((struct ebpf_upcall *) 0)->cookie)
                   && sizeof(struct upcall_cookie) == 2 * sizeof(((struct ebpf_act *) 0)->value),
               "a cookie takes the place of value and mask");

struct encoding {
    struct ebpf_act *acts;
    uint32_t n;
    uint32_t max_len; /* Of the next output; 0: all. */
    const char *why;
};

static struct ebpf_act *
put(struct encoding *e, enum ebpf_act_kind kind)
{
    static struct ebpf_act ignored;
    struct ebpf_act *a = e->n < EBPF_MAX_ACTS ? &e->acts[e->n++] : NULL;

    if (!a) {
        e->why = "it has too many actions";
        a = &ignored;
    }
    memset(a, 0, sizeof *a);
    a->kind = (uint8_t) kind;
    return a;
}

struct place_in_packet {
    enum ebpf_layer layer;
    uint8_t at, len, sums;
};

static void
put_write(struct encoding *e, struct place_in_packet p, const void *value, const void *mask)
{
    static const uint8_t zeros[16];
    struct ebpf_act *a;

    if (memcmp(mask, zeros, p.len)) {
        a = put(e, EBPF_ACT_WRITE);
        a->layer = (uint8_t) p.layer;
        a->at = p.at;
        a->len = p.len;
        a->sums = p.sums;
        memcpy(a->value, value, p.len);
        memcpy(a->mask, mask, p.len);
    }
}

static void
set_ipv4(struct encoding *e, const struct flow_key *k, const struct flow_key *m)
{
    const uint8_t tos[4] = {0, k->nw_tos}, tos_mask[4] = {0, m->nw_tos}, ttl[4] = {k->nw_ttl}, ttl_mask[4] = {m->nw_ttl};
    const be32 addresses[2] = {k->nw_src, k->nw_dst}, address_masks[2] = {m->nw_src, m->nw_dst};

    put_write(e, (struct place_in_packet){EBPF_IPV4, IP4_SRC, 8, EBPF_SUM_IP | EBPF_SUM_PSEUDO}, addresses, address_masks);
    put_write(e, (struct place_in_packet){EBPF_IPV4, IP4_VER_IHL, 4, EBPF_SUM_IP}, tos, tos_mask);
    put_write(e, (struct place_in_packet){EBPF_IPV4, IP4_TTL, 4, EBPF_SUM_IP}, ttl, ttl_mask);
}

static void
set_ipv6(struct encoding *e, const struct flow_key *k, const struct flow_key *m)
{
    const be32 flow = htonl((uint32_t) k->nw_tos << 20) | k->ipv6_label, flow_mask = htonl((uint32_t) m->nw_tos << 20) | m->ipv6_label;
    const uint8_t hops[4] = {0, 0, 0, k->nw_ttl}, hops_mask[4] = {0, 0, 0, m->nw_ttl};

    put_write(e, (struct place_in_packet){EBPF_IPV6, IP6_SRC, 16, EBPF_SUM_PSEUDO}, &k->ipv6_src, &m->ipv6_src);
    put_write(e, (struct place_in_packet){EBPF_IPV6, IP6_DST, 16, EBPF_SUM_PSEUDO | EBPF_SUM_IF_ROUTED}, &k->ipv6_dst, &m->ipv6_dst);
    put_write(e, (struct place_in_packet){EBPF_IPV6, IP6_FLOW, 4, 0}, &flow, &flow_mask);
    put_write(e, (struct place_in_packet){EBPF_IPV6, IP6_PAYLOAD, 4, 0}, hops, hops_mask);
}

static void
set_arp(struct encoding *e, const struct flow_key *k, const struct flow_key *m)
{
    const uint8_t op[2] = {0, k->nw_proto}, op_mask[2] = {m->nw_proto, m->nw_proto};

    put_write(e, (struct place_in_packet){EBPF_ARP, ARP_OP, 2, 0}, op, op_mask);
    put_write(e, (struct place_in_packet){EBPF_ARP, ARP_SHA, 6, 0}, &k->arp_sha, &m->arp_sha);
    put_write(e, (struct place_in_packet){EBPF_ARP, ARP_SPA, 4, 0}, &k->nw_src, &m->nw_src);
    put_write(e, (struct place_in_packet){EBPF_ARP, ARP_THA, 6, 0}, &k->arp_tha, &m->arp_tha);
    put_write(e, (struct place_in_packet){EBPF_ARP, ARP_TPA, 4, 0}, &k->nw_dst, &m->nw_dst);
}

static void
set_icmp(struct encoding *e, const struct flow_key *k, const struct flow_key *m)
{
    const uint8_t value[4] = {(uint8_t) ntohs(k->tp_src), (uint8_t) ntohs(k->tp_dst)};
    const uint8_t mask[4] = {(uint8_t) ntohs(m->tp_src), (uint8_t) ntohs(m->tp_dst)};

    put_write(e, (struct place_in_packet){EBPF_ICMP, 0, 4, EBPF_SUM_TRANSPORT}, value, mask);
    put_write(e, (struct place_in_packet){EBPF_ICMPV6, 0, 4, EBPF_SUM_TRANSPORT}, value, mask);
}

static void
set_nd(struct encoding *e, const struct flow_key *k, const struct flow_key *m)
{
    if (m->nd_reserved || m->nd_options_type || !eth_addr_is_zero(m->arp_sha) || !eth_addr_is_zero(m->arp_tha)) {
        e->why = "it sets an option of neighbour discovery";
        return;
    }
    put_write(e, (struct place_in_packet){EBPF_ND, ND_TARGET, 16, EBPF_SUM_TRANSPORT}, &k->nd_target, &m->nd_target);
}

static void
set_metadata(struct encoding *e, enum ebpf_act_kind kind, uint32_t value, uint32_t mask)
{
    struct ebpf_act *a = put(e, kind);

    a->arg = value & mask;
    a->max_len = mask;
}

static void
set(struct encoding *e, const struct action_set *a)
{
    const struct flow_key *k = &a->key, *m = &a->mask;
    const be16 ports[2] = {k->tp_src, k->tp_dst}, port_masks[2] = {m->tp_src, m->tp_dst};

    switch ((enum set_group) a->group) {
    case SET_ETH:
        put_write(e, (struct place_in_packet){EBPF_L2, 0, 12, 0}, &k->eth_dst, &m->eth_dst);
        break;
    case SET_IPV4:
        set_ipv4(e, k, m);
        break;
    case SET_IPV6:
        set_ipv6(e, k, m);
        break;
    case SET_TCP:
    case SET_UDP:
        put_write(e, (struct place_in_packet){EBPF_PORTS, 0, 4, EBPF_SUM_TRANSPORT}, ports, port_masks);
        break;
    case SET_ARP:
        set_arp(e, k, m);
        break;
    case SET_ICMP:
        set_icmp(e, k, m);
        break;
    case SET_ND:
        set_nd(e, k, m);
        break;
    case SET_SKB_PRIORITY:
        set_metadata(e, EBPF_ACT_PRIORITY, k->skb_priority, m->skb_priority);
        break;
    case SET_SKB_MARK:
        set_metadata(e, EBPF_ACT_MARK, k->pkt_mark, m->pkt_mark);
        break;
    case SET_SCTP:
        e->why = "it sets a port of SCTP, whose checksum programs cannot reckon";
        break;
    case SET_MPLS:
        e->why = "it sets a field of MPLS";
        break;
    case SET_TUNNEL:
        e->why = "it sets a tunnel";
        break;
    case SET_CT_MARK:
    case SET_VLAN:
    case SET_N_GROUPS:
        e->why = "it sets a field that programs do not know";
        break;
    }
}

/* Does the list leave the packet as it is for who comes after? */
static bool
changes_nothing(const void *list, size_t size)
{
    const struct action *a;

    ACTION_FOR_EACH (a, list, size) {
        size_t nested_size;
        const struct action *nested = a->kind == ACTION_CLONE ? action_nested(a, &nested_size) : NULL;

        if (nested ? !changes_nothing(nested, nested_size) : a->kind != ACTION_OUTPUT && a->kind != ACTION_USERSPACE) {
            return false;
        }
    }
    return true;
}

static void encode_list(struct encoding *, const void *list, size_t size);

static void
encode_clone(struct encoding *e, const struct action *a, bool last)
{
    size_t size;
    const struct action *nested = action_nested(a, &size);

    if (!last && !changes_nothing(nested, size)) {
        e->why = "it changes a copy and goes on with the packet";
        return;
    }
    encode_list(e, nested, size);
}

static void
encode_output(struct encoding *e, const struct action *a)
{
    struct ebpf_act *act;

    if (a->kind == ACTION_OUTPUT) {
        act = put(e, EBPF_ACT_OUTPUT);
        act->arg = ((const struct action_output *) a)->port;
    } else {
        act = put(e, EBPF_ACT_USERSPACE);
        memcpy(act->value, &((const struct action_userspace *) a)->cookie, sizeof act->value);
        memcpy(act->mask, (const uint8_t *) &((const struct action_userspace *) a)->cookie + sizeof act->value, sizeof act->mask);
    }
    act->max_len = e->max_len;
    e->max_len = 0;
}

static void
encode_one(struct encoding *e, const struct action *a, bool last)
{
    switch ((enum action_kind) a->kind) {
    case ACTION_OUTPUT:
    case ACTION_USERSPACE:
        encode_output(e, a);
        break;
    case ACTION_PUSH_VLAN: {
        const struct action_push_vlan *p = (const struct action_push_vlan *) a;

        put(e, EBPF_ACT_PUSH_VLAN)->arg = (uint32_t) ntohs(p->tpid) << 16 | (ntohs(p->tci) & ~FLOW_VLAN_PRESENT & 0xffff);
        break;
    }
    case ACTION_POP_VLAN:
        put(e, EBPF_ACT_POP_VLAN);
        break;
    case ACTION_SET:
        set(e, (const struct action_set *) a);
        break;
    case ACTION_RECIRC:
        put(e, EBPF_ACT_RECIRC)->arg = ((const struct action_recirc *) a)->id;
        e->why = last ? e->why : "it goes on after recirculation";
        break;
    case ACTION_HASH:
        put(e, EBPF_ACT_HASH)->arg = ((const struct action_hash *) a)->basis;
        break;
    case ACTION_TRUNC:
        e->max_len = ((const struct action_trunc *) a)->max_len;
        break;
    case ACTION_CLONE:
        encode_clone(e, a, last);
        break;
    case ACTION_METER:
        e->why = "it is metered";
        break;
    case ACTION_SAMPLE:
        e->why = "it is sampled";
        break;
    case ACTION_CHECK_LEN:
        e->why = "it depends on the packet's length";
        break;
    case ACTION_PUSH_MPLS:
    case ACTION_POP_MPLS:
        e->why = "it changes the stack of MPLS labels";
        break;
    case ACTION_CT:
    case ACTION_CT_CLEAR:
        e->why = "it tracks connections";
        break;
    case ACTION_DROP:
    case ACTION_N_KINDS:
        break;
    }
}

static void
encode_list(struct encoding *e, const void *list, size_t size)
{
    const uint8_t *end = (const uint8_t *) list + size;
    const struct action *a;

    ACTION_FOR_EACH (a, list, size) {
        encode_one(e, a, (const uint8_t *) action_next(a) >= end);
        if (e->why || a->kind == ACTION_DROP) {
            return;
        }
    }
}

const char *
ebpf_encode(const void *actions, size_t len, struct ebpf_act *acts, uint32_t *n)
{
    struct encoding e = {.acts = acts};

    encode_list(&e, actions, len);
    if (!e.why && e.n && acts[e.n - 1].kind == EBPF_ACT_OUTPUT) {
        acts[e.n - 1].last = true;
    }
    for (uint32_t i = 0; !e.why && i < e.n; i++) {
        if (acts[i].kind == EBPF_ACT_OUTPUT && acts[i].max_len && !acts[i].last) {
            e.why = "it goes on after the output of a part";
        }
    }
    *n = e.why ? 0 : e.n;
    return e.why;
}

bool
ebpf_encode_key(const struct flow_key *key, const struct flow_key *mask, struct ebpf_lookup *lookup, struct ebpf_mask *to)
{
    const uint64_t *k = flow_key_cwords(key), *m = flow_key_cwords(mask);
    bool possible = true;

    memset(lookup, 0, sizeof *lookup);
    for (size_t i = 0; i < FLOW_KEY_WORDS; i++) {
        size_t at = i < EBPF_META_FIRST + EBPF_META_WORDS ? i - EBPF_META_FIRST : i - EBPF_LAYER_FIRST + EBPF_META_WORDS;

        if (i < EBPF_META_FIRST || (i >= EBPF_META_FIRST + EBPF_META_WORDS && i < EBPF_LAYER_FIRST)) {
            possible = possible && !(k[i] & m[i]);
        } else {
            lookup->words[at] = k[i] & m[i];
            to->words[at] = m[i];
        }
    }
    /* Nobody tracks connections before the programs. */
    return possible && !(key->ct_state & mask->ct_state) && !(key->ct_zone & mask->ct_zone) && !(key->ct_nw_proto & mask->ct_nw_proto);
}
