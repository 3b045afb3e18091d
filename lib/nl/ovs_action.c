// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/nl/ovs_action.h"

#include <linux/openvswitch.h>

const uint16_t ovs_set_attrs[SET_N_GROUPS] = {
    [SET_ETH] = OVS_KEY_ATTR_ETHERNET,
    [SET_MPLS] = OVS_KEY_ATTR_MPLS,
    [SET_IPV4] = OVS_KEY_ATTR_IPV4,
    [SET_IPV6] = OVS_KEY_ATTR_IPV6,
    [SET_TCP] = OVS_KEY_ATTR_TCP,
    [SET_UDP] = OVS_KEY_ATTR_UDP,
    [SET_SCTP] = OVS_KEY_ATTR_SCTP,
    [SET_ARP] = OVS_KEY_ATTR_ARP,
    [SET_ND] = OVS_KEY_ATTR_ND,
    [SET_ICMP] = OVS_KEY_ATTR_ICMP,
    [SET_TUNNEL] = OVS_KEY_ATTR_TUNNEL,
    [SET_SKB_PRIORITY] = OVS_KEY_ATTR_PRIORITY,
    [SET_SKB_MARK] = OVS_KEY_ATTR_SKB_MARK,
    [SET_CT_MARK] = OVS_KEY_ATTR_CT_MARK,
};

const uint16_t ovs_nat_flag_attrs[OVS_N_NAT_FLAGS] = {
    OVS_NAT_ATTR_PERSISTENT,
    OVS_NAT_ATTR_PROTO_HASH,
    OVS_NAT_ATTR_PROTO_RANDOM,
};

static int put_list(struct buf *, const void *list, size_t size, uint32_t pid);

static void
put_userspace(struct buf *b, const struct action_userspace *u, uint32_t pid)
{
    size_t nest = nl_nest_begin(b, OVS_ACTION_ATTR_USERSPACE);

    nl_put_u32(b, OVS_USERSPACE_ATTR_PID, u->pid == UPCALL_PID_AUTO ? pid : u->pid);
    nl_put(b, OVS_USERSPACE_ATTR_USERDATA, &u->cookie, sizeof u->cookie);
    nl_nest_end(b, nest);
}

static int
put_set(struct buf *b, const struct action_set *s)
{
    uint8_t payload[2 * OVS_KEY_PAYLOAD_MAX];
    uint16_t attr = s->group < SET_N_GROUPS ? ovs_set_attrs[s->group] : 0;
    bool masked = s->masked && s->group != SET_TUNNEL;
    size_t n, nest;

    if (!attr) {
        return -EOPNOTSUPP;
    }
    nest = nl_nest_begin(b, masked ? OVS_ACTION_ATTR_SET_MASKED : OVS_ACTION_ATTR_SET);
    if (s->group == SET_TUNNEL) {
        size_t inner = nl_nest_begin(b, attr);

        ovs_tunnel_put(b, &s->key, false);
        nl_nest_end(b, inner);
    } else {
        if (s->group == SET_MPLS) {
            n = sizeof s->key.mpls[0];
            memcpy(payload, &s->key.mpls[0], n);
            memcpy(payload + n, &s->mask.mpls[0], n);
        } else {
            n = ovs_key_payload(attr, &s->key, false, payload);
            ovs_key_payload(attr, &s->mask, true, payload + n);
        }
        nl_put(b, attr, payload, masked ? 2 * n : n);
    }
    nl_nest_end(b, nest);
    return 0;
}

static void
put_nat(struct buf *b, const struct action_ct *c)
{
    size_t nest = nl_nest_begin(b, OVS_CT_ATTR_NAT);
    size_t address = c->nat_ipv6 ? 16 : 4;
    static const struct in6_addr none;

    if (c->nat > 1) {
        nl_put_flag(b, c->nat == 2 ? OVS_NAT_ATTR_SRC : OVS_NAT_ATTR_DST);
        if (memcmp(&c->nat_min, &none, address)) {
            nl_put(b, OVS_NAT_ATTR_IP_MIN, &c->nat_min, address);
            if (memcmp(&c->nat_max, &none, address)) {
                nl_put(b, OVS_NAT_ATTR_IP_MAX, &c->nat_max, address);
            }
        }
        if (c->nat_port_min) {
            nl_put_u16(b, OVS_NAT_ATTR_PROTO_MIN, c->nat_port_min);
            nl_put_u16(b, OVS_NAT_ATTR_PROTO_MAX, c->nat_port_max ? c->nat_port_max : c->nat_port_min);
        }
        for (size_t i = 0; i < OVS_N_NAT_FLAGS; i++) {
            if (c->nat_flags & 1u << i) {
                nl_put_flag(b, ovs_nat_flag_attrs[i]);
            }
        }
    }
    nl_nest_end(b, nest);
}

static void
put_ct(struct buf *b, const struct action_ct *c)
{
    static const uint8_t no_label[16];
    size_t nest = nl_nest_begin(b, OVS_ACTION_ATTR_CT);

    if (c->commit || c->force) {
        nl_put_flag(b, c->force ? OVS_CT_ATTR_FORCE_COMMIT : OVS_CT_ATTR_COMMIT);
    }
    if (c->zone) {
        nl_put_u16(b, OVS_CT_ATTR_ZONE, c->zone);
    }
    if (c->mark_mask) {
        uint32_t mark[2] = {c->mark, c->mark_mask};

        nl_put(b, OVS_CT_ATTR_MARK, mark, sizeof mark);
    }
    if (memcmp(c->label_mask, no_label, sizeof no_label)) {
        uint8_t *p = nl_put(b, OVS_CT_ATTR_LABELS, NULL, 32);

        ovs_label_copy(p, c->label);
        ovs_label_copy(p + 16, c->label_mask);
    }
    if (c->helper[0]) {
        nl_put_string(b, OVS_CT_ATTR_HELPER, c->helper);
    }
    if (c->timeout[0]) {
        nl_put_string(b, OVS_CT_ATTR_TIMEOUT, c->timeout);
    }
    if (c->nat) {
        put_nat(b, c);
    }
    nl_nest_end(b, nest);
}

static int
put_sample(struct buf *b, const struct action_sample *s, uint32_t pid)
{
    size_t nest = nl_nest_begin(b, OVS_ACTION_ATTR_SAMPLE), inner;
    int error;

    nl_put_u32(b, OVS_SAMPLE_ATTR_PROBABILITY, s->probability);
    inner = nl_nest_begin(b, OVS_SAMPLE_ATTR_ACTIONS);
    error = put_list(b, s + 1, s->nested_size, pid);
    nl_nest_end(b, inner);
    nl_nest_end(b, nest);
    return error;
}

static int
put_check_len(struct buf *b, const struct action_check_len *c, uint32_t pid)
{
    const uint8_t *lists = (const uint8_t *) (c + 1);
    size_t total = c->a.size - sizeof *c;
    size_t nest = nl_nest_begin(b, OVS_ACTION_ATTR_CHECK_PKT_LEN), inner;
    int error;

    nl_put_u16(b, OVS_CHECK_PKT_LEN_ATTR_PKT_LEN, c->len);
    inner = nl_nest_begin(b, OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_GREATER);
    error = put_list(b, lists, c->greater_size, pid);
    nl_nest_end(b, inner);
    inner = nl_nest_begin(b, OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL);
    error = error ? error : put_list(b, lists + c->greater_size, total - c->greater_size, pid);
    nl_nest_end(b, inner);
    nl_nest_end(b, nest);
    return error;
}

/* Actions whose record holds other records or many attributes. */
static int
put_compound(struct buf *b, const struct action *a, uint32_t pid)
{
    const struct action_clone *clone = (const void *) a;
    size_t nest;
    int error;

    switch (a->kind) {
    case ACTION_SET:
        return put_set(b, (const void *) a);
    case ACTION_SAMPLE:
        return put_sample(b, (const void *) a, pid);
    case ACTION_CHECK_LEN:
        return put_check_len(b, (const void *) a, pid);
    case ACTION_CLONE:
        nest = nl_nest_begin(b, OVS_ACTION_ATTR_CLONE);
        error = put_list(b, clone + 1, clone->nested_size, pid);
        nl_nest_end(b, nest);
        return error;
    case ACTION_CT:
        put_ct(b, (const void *) a);
        return 0;
    case ACTION_USERSPACE:
        put_userspace(b, (const void *) a, pid);
        return 0;
    case ACTION_DROP:
        return 0; /* A list that outputs nowhere drops. */
    default:
        return -EOPNOTSUPP;
    }
}

static int
put_one(struct buf *b, const struct action *a, uint32_t pid)
{
    const struct action_output *output = (const void *) a;
    const struct action_push_vlan *vlan = (const void *) a;
    const struct action_push_mpls *mpls = (const void *) a;
    const struct action_pop_mpls *pop = (const void *) a;
    const struct action_hash *hash = (const void *) a;

    switch (a->kind) {
    case ACTION_OUTPUT:
        nl_put_u32(b, OVS_ACTION_ATTR_OUTPUT, output->port);
        return 0;
    case ACTION_PUSH_VLAN: {
        struct ovs_action_push_vlan v = {vlan->tpid, vlan->tci | htons(FLOW_VLAN_PRESENT)};

        nl_put(b, OVS_ACTION_ATTR_PUSH_VLAN, &v, sizeof v);
        return 0;
    }
    case ACTION_POP_VLAN:
        nl_put_flag(b, OVS_ACTION_ATTR_POP_VLAN);
        return 0;
    case ACTION_PUSH_MPLS: {
        struct ovs_action_push_mpls m = {mpls->lse, mpls->eth_type};

        nl_put(b, OVS_ACTION_ATTR_PUSH_MPLS, &m, sizeof m);
        return 0;
    }
    case ACTION_POP_MPLS:
        nl_put_u16(b, OVS_ACTION_ATTR_POP_MPLS, pop->eth_type);
        return 0;
    case ACTION_RECIRC:
        nl_put_u32(b, OVS_ACTION_ATTR_RECIRC, ((const struct action_recirc *) a)->id);
        return 0;
    case ACTION_HASH: {
        struct ovs_action_hash h = {hash->algorithm, hash->basis};

        nl_put(b, OVS_ACTION_ATTR_HASH, &h, sizeof h);
        return 0;
    }
    case ACTION_TRUNC:
        nl_put_u32(b, OVS_ACTION_ATTR_TRUNC, ((const struct action_trunc *) a)->max_len);
        return 0;
    case ACTION_METER:
        nl_put_u32(b, OVS_ACTION_ATTR_METER, ((const struct action_meter *) a)->id);
        return 0;
    case ACTION_CT_CLEAR:
        nl_put_flag(b, OVS_ACTION_ATTR_CT_CLEAR);
        return 0;
    default:
        return put_compound(b, a, pid);
    }
}

static int
put_list(struct buf *b, const void *list, size_t size, uint32_t pid)
{
    const struct action *a;

    ACTION_FOR_EACH(a, list, size)
    {
        int error = put_one(b, a, pid);

        if (error) {
            return error;
        }
    }
    return 0;
}

int
ovs_actions_put(struct buf *b, const void *list, size_t size, uint32_t upcall_pid)
{
    return put_list(b, list, size, upcall_pid);
}

size_t
ovs_actions_size(const void *list, size_t size)
{
    struct buf b = BUF_EMPTY;
    size_t n;

    ovs_actions_put(&b, list, size, 0);
    n = b.len;
    buf_free(&b);
    return n;
}
