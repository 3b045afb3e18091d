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
    uint32_t n_again; /* Recirculations. */
    bool labels;      /* Labels were pushed or popped: programs do not know the headers below them any more. */
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
    if (m->nd_reserved || m->nd_options_type) {
        e->why = "it sets the flags of neighbour discovery, or the type of an option";
        return;
    }
    put_write(e, (struct place_in_packet){EBPF_ND, ND_TARGET, 16, EBPF_SUM_TRANSPORT}, &k->nd_target, &m->nd_target);
    put_write(e, (struct place_in_packet){EBPF_ND_SLL, 2, 6, EBPF_SUM_TRANSPORT}, &k->arp_sha, &m->arp_sha);
    put_write(e, (struct place_in_packet){EBPF_ND_TLL, 2, 6, EBPF_SUM_TRANSPORT}, &k->arp_tha, &m->arp_tha);
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

    if (e->labels && a->group >= SET_IPV4 && a->group <= SET_ICMP) {
        e->why = "it changes labels, and then what is below them";
        return;
    }
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
        put_write(e, (struct place_in_packet){EBPF_SCTP_PORTS, 0, 4, EBPF_SUM_SCTP}, ports, port_masks);
        break;
    case SET_MPLS:
        put_write(e, (struct place_in_packet){EBPF_MPLS, 0, 4, 0}, &k->mpls[0], &m->mpls[0]);
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

/* Records that are not executed when the one at 'from' says so: all from there to the end. */
static void
skip_to_end(struct encoding *e, uint32_t from)
{
    if (from < e->n) {
        e->acts[from].skip = (uint16_t) (e->n - from - 1);
    }
}

/* What the list changes in the packet for who comes after: EBPF_SAVE_* bits. Lists within, and recirculation, see to it themselves that it is nothing. */
static uint32_t
changes_of(const void *list, size_t size)
{
    const struct action *a;
    uint32_t changes = 0;

    ACTION_FOR_EACH (a, list, size) {
        const struct action_set *s = (const struct action_set *) a;

        switch ((enum action_kind) a->kind) {
        case ACTION_PUSH_VLAN:
        case ACTION_POP_VLAN:
            changes |= EBPF_SAVE_TAGS;
            break;
        case ACTION_SET:
            changes |= s->group == SET_SKB_PRIORITY || s->group == SET_SKB_MARK ? EBPF_SAVE_META : EBPF_SAVE_BYTES;
            break;
        case ACTION_HASH:
            changes |= EBPF_SAVE_META;
            break;
        case ACTION_PUSH_MPLS:
        case ACTION_POP_MPLS:
            changes |= EBPF_SAVE_TAGS | EBPF_SAVE_BYTES | EBPF_SAVE_LABELS;
            break;
        default:
            break;
        }
    }
    return changes;
}

/* How many labels the list pushes and pops, lists within aside. */
static unsigned
n_relabels(const void *list, size_t size)
{
    const struct action *a;
    unsigned n = 0;

    ACTION_FOR_EACH (a, list, size) {
        n += a->kind == ACTION_PUSH_MPLS || a->kind == ACTION_POP_MPLS;
    }
    return n;
}

/* Does a list send a part of the packet? Then the rest is gone. */
static bool
cuts(const void *list, size_t size)
{
    const struct action *a;
    bool trunc = false;

    ACTION_FOR_EACH (a, list, size) {
        const struct action_check_len *check = (const struct action_check_len *) a;
        size_t nested_size = 0;
        const void *nested = NULL;

        if (a->kind == ACTION_CLONE || a->kind == ACTION_SAMPLE) {
            nested = action_nested(a, &nested_size);
        } else if (a->kind == ACTION_CHECK_LEN) {
            nested = check + 1;
            nested_size = a->size - sizeof *check;
        }
        if ((trunc && a->kind == ACTION_OUTPUT) || (nested && cuts(nested, nested_size))) {
            return true;
        }
        trunc = a->kind == ACTION_TRUNC || (trunc && a->kind != ACTION_USERSPACE);
    }
    return false;
}

static void encode_list(struct encoding *, const void *list, size_t size, bool last);

/* A list of its own: what it does to the packet stays inside. Programs have one packet: it is put back as it was, but where nobody comes after. */
static void
encode_apart(struct encoding *e, const void *list, size_t size, bool last)
{
    uint32_t max_len = e->max_len, changes = last ? 0 : changes_of(list, size);
    bool labels = e->labels;

    if (changes & EBPF_SAVE_LABELS && n_relabels(list, size) > EBPF_MAX_RELABELS) {
        e->why = "it changes more labels of a copy than can be put back";
        return;
    }
    if (changes) {
        put(e, EBPF_ACT_SAVE)->arg = changes;
    }
    encode_list(e, list, size, last);
    if (changes) {
        put(e, EBPF_ACT_RESTORE)->arg = changes;
    }
    e->max_len = max_len;
    e->labels = labels;
}

static void
encode_recirc(struct encoding *e, uint32_t id, bool last)
{
    const uint32_t all = EBPF_SAVE_META | EBPF_SAVE_TAGS | EBPF_SAVE_BYTES | EBPF_SAVE_KEY | EBPF_SAVE_LABELS;
    struct ebpf_act *act;

    if (!last) {
        put(e, EBPF_ACT_SAVE)->arg = all;
    }
    if (++e->n_again > EBPF_MAX_AGAIN) {
        e->why = "it is recirculated too often";
    }
    act = put(e, EBPF_ACT_RECIRC);
    act->arg = id;
    act->last = last;
    if (!last) {
        put(e, EBPF_ACT_RESTORE)->arg = all;
    }
}

static void
encode_sample(struct encoding *e, const struct action_sample *a, bool last)
{
    uint32_t at = e->n;

    put(e, EBPF_ACT_SAMPLE)->arg = a->probability;
    encode_apart(e, a + 1, a->nested_size, last);
    skip_to_end(e, at);
}

static void
encode_check_len(struct encoding *e, const struct action_check_len *a, bool last)
{
    const uint8_t *lists = (const uint8_t *) (a + 1);
    uint32_t at = e->n, middle;

    put(e, EBPF_ACT_IF_LONGER)->arg = a->len;
    encode_apart(e, lists, a->greater_size, last);
    middle = e->n;
    put(e, EBPF_ACT_SKIP);
    skip_to_end(e, at);
    if (!e->why) {
        encode_apart(e, lists + a->greater_size, a->a.size - sizeof *a - a->greater_size, last);
        skip_to_end(e, middle);
    }
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
encode_labels(struct encoding *e, const struct action *a)
{
    const struct action_push_mpls *push = (const struct action_push_mpls *) a;
    struct ebpf_act *act = put(e, a->kind == ACTION_PUSH_MPLS ? EBPF_ACT_PUSH_MPLS : EBPF_ACT_POP_MPLS);

    if (a->kind == ACTION_PUSH_MPLS) {
        memcpy(act->value, &push->eth_type, sizeof push->eth_type);
        memcpy(act->value + sizeof push->eth_type, &push->lse, sizeof push->lse);
    } else {
        memcpy(act->value, &((const struct action_pop_mpls *) a)->eth_type, sizeof push->eth_type);
    }
    e->labels = true;
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
        encode_recirc(e, ((const struct action_recirc *) a)->id, last);
        break;
    case ACTION_HASH:
        put(e, EBPF_ACT_HASH)->arg = ((const struct action_hash *) a)->basis;
        break;
    case ACTION_TRUNC:
        e->max_len = ((const struct action_trunc *) a)->max_len;
        break;
    case ACTION_CLONE:
        encode_apart(e, (const struct action_clone *) a + 1, ((const struct action_clone *) a)->nested_size, last);
        break;
    case ACTION_METER:
        put(e, EBPF_ACT_METER)->arg = ((const struct action_meter *) a)->id;
        break;
    case ACTION_SAMPLE:
        encode_sample(e, (const struct action_sample *) a, last);
        break;
    case ACTION_CHECK_LEN:
        encode_check_len(e, (const struct action_check_len *) a, last);
        break;
    case ACTION_PUSH_MPLS:
    case ACTION_POP_MPLS:
        encode_labels(e, a);
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

/* A meter that drops the packet ends the list that it stands in. */
static void
end_at_meters(struct encoding *e, uint32_t first)
{
    for (uint32_t i = first; i < e->n; i++) {
        if (e->acts[i].kind == EBPF_ACT_METER && !e->acts[i].last) {
            e->acts[i].last = true; /* Of an inner list: those around it need not look again. */
            skip_to_end(e, i);
        }
    }
}

/* What sends a part of the packet comes last, where the end of the packet is wanted no more. */
static void
encode_late(struct encoding *e, const struct action *a, size_t rest)
{
    uint32_t max_len = e->max_len;

    e->max_len = a->kind == ACTION_OUTPUT ? 0 : max_len;
    encode_apart(e, action_next(a), rest, false);
    e->max_len = max_len;
    encode_one(e, a, true);
}

/* 'last': nothing comes after the list. */
static void
encode_list(struct encoding *e, const void *list, size_t size, bool last)
{
    const uint8_t *end = (const uint8_t *) list + size;
    uint32_t first = e->n;
    const struct action *a;

    ACTION_FOR_EACH (a, list, size) {
        size_t rest = (size_t) (end - (const uint8_t *) action_next(a));

        if (last && rest && ((e->max_len && a->kind == ACTION_OUTPUT) || cuts(a, a->size))) {
            encode_late(e, a, rest);
            break;
        }
        encode_one(e, a, last && !rest);
        if (e->why || a->kind == ACTION_DROP) {
            break;
        }
    }
    end_at_meters(e, first);
}

/* Does nothing come after the record 'i' where that is executed? */
static bool
is_last(const struct ebpf_act *acts, uint32_t n, uint32_t i)
{
    for (i++; i < n && acts[i].kind == EBPF_ACT_SKIP; i += acts[i].skip + 1u) {
        continue;
    }
    return i >= n;
}

const char *
ebpf_encode(const void *actions, size_t len, struct ebpf_act *acts, uint32_t *n)
{
    struct encoding e = {.acts = acts};

    encode_list(&e, actions, len, true);
    for (uint32_t i = 0; !e.why && i < e.n; i++) {
        if (acts[i].kind == EBPF_ACT_OUTPUT) {
            acts[i].last = is_last(acts, e.n, i);
        }
    }
    *n = e.why ? 0 : e.n;
    return e.why;
}

bool
ebpf_is_beyond(const struct flow_key *key, const struct flow_key *mask)
{
    const uint64_t *k = flow_key_cwords(key), *m = flow_key_cwords(mask);
    uint64_t others = 0;

    for (size_t i = 0; i < EBPF_META_FIRST; i++) {
        others |= k[i] & m[i];
    }
    for (size_t i = EBPF_META_FIRST + EBPF_META_WORDS; i < EBPF_LAYER_FIRST; i++) {
        others |= k[i] & m[i];
    }
    return others;
}

static void
encode_words(const struct flow_key *key, const struct flow_key *mask, size_t first, size_t n, uint64_t *words, struct ebpf_mask *to)
{
    const uint64_t *k = flow_key_cwords(key), *m = flow_key_cwords(mask);

    for (size_t i = first; i < first + n; i++) {
        if (m[i]) {
            words[to->n] = k[i] & m[i];
            to->words[to->n] = m[i];
            to->at[to->n++] = (uint8_t) i;
        }
    }
}

bool
ebpf_encode_key(const struct flow_key *key, const struct flow_key *mask, uint64_t words[EBPF_KEY_WORDS], struct ebpf_mask *to)
{
    memset(words, 0, EBPF_KEY_WORDS * sizeof *words);
    memset(to, 0, sizeof *to);
    encode_words(key, mask, EBPF_META_FIRST, EBPF_META_WORDS, words, to);
    encode_words(key, mask, EBPF_LAYER_FIRST, EBPF_LAYER_WORDS, words, to);
    /* Nobody tracks connections before the programs. */
    return !ebpf_is_beyond(key, mask) && !(key->ct_state & mask->ct_state) && !(key->ct_zone & mask->ct_zone) && !(key->ct_nw_proto & mask->ct_nw_proto);
}

void
ebpf_decode_key(const uint64_t words[EBPF_KEY_WORDS], const struct ebpf_mask *mask, struct flow_key *key)
{
    memset(key, 0, sizeof *key);
    for (uint32_t i = 0; i < mask->n; i++) {
        flow_key_words(key)[mask->at[i]] = words[i];
    }
}
