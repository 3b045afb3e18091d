// SPDX-License-Identifier: Apache-2.0
// The decoding half of lib/nl/ovs_action.h: what the kernel (or whoever put the flow there) says, back into
// records.
#include <config.h>
#include "lib/nl/ovs_action.h"

#include <linux/openvswitch.h>

#define NEST_MAX 16 /* The kernel itself takes 16 levels at most (OVS_COPY_ACTIONS_MAX_DEPTH). */

static int get_list(struct slice, unsigned depth, struct buf *list);

static int
get_userspace(struct slice s, struct buf *list)
{
    struct nl_attr tb[OVS_USERSPACE_ATTR_MAX + 1];
    struct action_userspace *u;
    int error = nl_attrs_parse(s, tb, ARRAY_SIZE(tb), NULL);

    if (error) {
        return error;
    }
    u = action_put(list, ACTION_USERSPACE, sizeof *u);
    u->pid = nl_attr_u32(tb[OVS_USERSPACE_ATTR_PID]);
    /* A cookie of another size is another daemon's: its flow is shown, its upcalls are not ours. */
    if (tb[OVS_USERSPACE_ATTR_USERDATA].len == sizeof u->cookie) {
        memcpy(&u->cookie, tb[OVS_USERSPACE_ATTR_USERDATA].data, sizeof u->cookie);
    }
    return 0;
}

static unsigned
set_group_of(uint16_t attr)
{
    for (unsigned group = 0; group < SET_N_GROUPS; group++) {
        if (ovs_set_attrs[group] && ovs_set_attrs[group] == attr) {
            return group;
        }
    }
    return SET_N_GROUPS;
}

static bool
set_value(uint16_t attr, struct slice s, bool is_mask, struct flow_key *key)
{
    if (attr == OVS_KEY_ATTR_TUNNEL) {
        return !ovs_tunnel_get(s, is_mask, key);
    }
    if (attr == OVS_KEY_ATTR_MPLS) {
        return slice_get(&s, &key->mpls[0], sizeof key->mpls[0]);
    }
    return ovs_key_from_payload(attr, s, is_mask, key);
}

/* An unmasked set writes the whole header: its mask is all ones in what the attribute carries. */
static bool
set_whole_mask(uint16_t attr, size_t size, struct flow_key *mask)
{
    uint8_t ones[OVS_KEY_PAYLOAD_MAX];

    if (attr == OVS_KEY_ATTR_TUNNEL) {
        return true;
    }
    memset(ones, UINT8_MAX, sizeof ones);
    return size <= sizeof ones && set_value(attr, slice_of(ones, size), true, mask);
}

static int
get_set(struct slice s, bool masked, struct buf *list)
{
    size_t before = list->len;
    struct action_set *set;
    struct nl_attr a;
    struct slice value, mask;
    bool ok;

    if (nl_attr_next(&s, &a) <= 0) {
        return -EINVAL;
    }
    if (set_group_of(a.type) == SET_N_GROUPS) {
        return -EOPNOTSUPP;
    }
    if (masked && a.len % 2) {
        return -EINVAL;
    }
    value = slice_of(a.data, masked ? a.len / 2 : a.len);
    mask = slice_of(a.data + value.len, a.len - value.len);
    set = action_put(list, ACTION_SET, sizeof *set);
    set->group = set_group_of(a.type);
    set->masked = masked;
    ok = set_value(a.type, value, false, &set->key);
    ok = ok &&
         (masked ? set_value(a.type, mask, true, &set->mask) : set_whole_mask(a.type, value.len, &set->mask));
    if (!ok) {
        list->len = before;
        return -EINVAL;
    }
    return 0;
}

static int
get_nat(struct slice s, struct action_ct *c)
{
    struct nl_attr tb[OVS_NAT_ATTR_MAX + 1], low, high;
    int error = nl_attrs_parse(s, tb, ARRAY_SIZE(tb), NULL);

    if (error) {
        return error;
    }
    low = tb[OVS_NAT_ATTR_IP_MIN];
    high = tb[OVS_NAT_ATTR_IP_MAX];
    c->nat = tb[OVS_NAT_ATTR_SRC].data ? 2 : tb[OVS_NAT_ATTR_DST].data ? 3 : 1;
    if (low.len > sizeof c->nat_min || high.len > sizeof c->nat_max) {
        return -EINVAL;
    }
    c->nat_ipv6 = low.len == sizeof c->nat_min;
    memcpy(&c->nat_min, low.data ? low.data : (const uint8_t *) "", low.len);
    memcpy(&c->nat_max, high.data ? high.data : (const uint8_t *) "", high.len);
    c->nat_port_min = nl_attr_u16(tb[OVS_NAT_ATTR_PROTO_MIN]);
    c->nat_port_max = nl_attr_u16(tb[OVS_NAT_ATTR_PROTO_MAX]);
    for (size_t i = 0; i < OVS_N_NAT_FLAGS; i++) {
        c->nat_flags |= (uint8_t) (tb[ovs_nat_flag_attrs[i]].data ? 1u << i : 0);
    }
    return 0;
}

static int
get_ct(struct slice s, struct buf *list)
{
    struct nl_attr tb[OVS_CT_ATTR_MAX + 1];
    struct action_ct c = {.zone = 0};
    struct action_ct *record;
    int error = nl_attrs_parse(s, tb, ARRAY_SIZE(tb), NULL);

    if (error) {
        return error;
    }
    c.force = tb[OVS_CT_ATTR_FORCE_COMMIT].data != NULL;
    c.commit = c.force || tb[OVS_CT_ATTR_COMMIT].data;
    c.zone = nl_attr_u16(tb[OVS_CT_ATTR_ZONE]);
    if (tb[OVS_CT_ATTR_MARK].len >= 8) {
        memcpy(&c.mark, tb[OVS_CT_ATTR_MARK].data, 4);
        memcpy(&c.mark_mask, tb[OVS_CT_ATTR_MARK].data + 4, 4);
    }
    if (tb[OVS_CT_ATTR_LABELS].len >= 32) {
        ovs_label_copy(c.label, tb[OVS_CT_ATTR_LABELS].data);
        ovs_label_copy(c.label_mask, tb[OVS_CT_ATTR_LABELS].data + 16);
    }
    nl_attr_string(tb[OVS_CT_ATTR_HELPER], c.helper, sizeof c.helper);
    nl_attr_string(tb[OVS_CT_ATTR_TIMEOUT], c.timeout, sizeof c.timeout);
    if (tb[OVS_CT_ATTR_NAT].data) {
        error = get_nat(nl_attr_slice(tb[OVS_CT_ATTR_NAT]), &c);
    }
    if (!error) {
        record = action_put(list, ACTION_CT, sizeof *record);
        c.a = record->a;
        *record = c;
    }
    return error;
}

static int
get_sample(struct slice s, unsigned depth, struct buf *list)
{
    struct nl_attr tb[OVS_SAMPLE_ATTR_MAX + 1];
    size_t nest;
    int error = nl_attrs_parse(s, tb, ARRAY_SIZE(tb), NULL);

    if (error) {
        return error;
    }
    nest = action_nest_begin(list, ACTION_SAMPLE, sizeof(struct action_sample));
    ((struct action_sample *) (void *) (list->data + nest))->probability =
        nl_attr_u32(tb[OVS_SAMPLE_ATTR_PROBABILITY]);
    error = get_list(nl_attr_slice(tb[OVS_SAMPLE_ATTR_ACTIONS]), depth + 1, list);
    action_nest_end(list, nest);
    return error;
}

static int
get_clone(struct slice s, unsigned depth, struct buf *list)
{
    size_t nest = action_nest_begin(list, ACTION_CLONE, sizeof(struct action_clone));
    int error = get_list(s, depth + 1, list);

    action_nest_end(list, nest);
    return error;
}

static int
get_check_len(struct slice s, unsigned depth, struct buf *list)
{
    struct nl_attr tb[OVS_CHECK_PKT_LEN_ATTR_MAX + 1];
    struct action_check_len *c;
    size_t at = list->len, greater;
    int error = nl_attrs_parse(s, tb, ARRAY_SIZE(tb), NULL);

    if (error) {
        return error;
    }
    action_put(list, ACTION_CHECK_LEN, sizeof *c);
    error = get_list(nl_attr_slice(tb[OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_GREATER]), depth + 1, list);
    greater = list->len - at - sizeof *c;
    if (!error) {
        error = get_list(nl_attr_slice(tb[OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL]), depth + 1, list);
    }
    c = (struct action_check_len *) (void *) (list->data + at);
    c->len = nl_attr_u16(tb[OVS_CHECK_PKT_LEN_ATTR_PKT_LEN]);
    c->greater_size = (uint32_t) greater;
    c->a.size = (uint32_t) (list->len - at);
    return error;
}

/* Actions that are one value. */
static int
get_value(struct nl_attr a, struct buf *list)
{
    union {
        struct ovs_action_push_vlan vlan;
        struct ovs_action_push_mpls mpls;
        struct ovs_action_hash hash;
    } v;
    struct slice s = nl_attr_slice(a);
    struct action_push_vlan *vlan;
    struct action_push_mpls *mpls;
    struct action_hash *hash;

    switch (a.type) {
    case OVS_ACTION_ATTR_PUSH_VLAN:
        if (!slice_get(&s, &v.vlan, sizeof v.vlan)) {
            return -EINVAL;
        }
        vlan = action_put(list, ACTION_PUSH_VLAN, sizeof *vlan);
        vlan->tpid = v.vlan.vlan_tpid;
        vlan->tci = v.vlan.vlan_tci;
        return 0;
    case OVS_ACTION_ATTR_PUSH_MPLS:
        if (!slice_get(&s, &v.mpls, sizeof v.mpls)) {
            return -EINVAL;
        }
        mpls = action_put(list, ACTION_PUSH_MPLS, sizeof *mpls);
        mpls->lse = v.mpls.mpls_lse;
        mpls->eth_type = v.mpls.mpls_ethertype;
        return 0;
    case OVS_ACTION_ATTR_HASH:
        if (!slice_get(&s, &v.hash, sizeof v.hash)) {
            return -EINVAL;
        }
        hash = action_put(list, ACTION_HASH, sizeof *hash);
        hash->algorithm = v.hash.hash_alg;
        hash->basis = v.hash.hash_basis;
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

/* Actions that are one integer or nothing. */
static int
get_scalar(struct nl_attr a, struct buf *list)
{
    switch (a.type) {
    case OVS_ACTION_ATTR_OUTPUT:
        action_put_output(list, nl_attr_u32(a));
        return a.len == 4 ? 0 : -EINVAL;
    case OVS_ACTION_ATTR_RECIRC:
        ((struct action_recirc *) action_put(list, ACTION_RECIRC, sizeof(struct action_recirc)))->id =
            nl_attr_u32(a);
        return a.len == 4 ? 0 : -EINVAL;
    case OVS_ACTION_ATTR_TRUNC:
        ((struct action_trunc *) action_put(list, ACTION_TRUNC, sizeof(struct action_trunc)))->max_len =
            nl_attr_u32(a);
        return a.len == 4 ? 0 : -EINVAL;
    case OVS_ACTION_ATTR_METER:
        ((struct action_meter *) action_put(list, ACTION_METER, sizeof(struct action_meter)))->id =
            nl_attr_u32(a);
        return a.len == 4 ? 0 : -EINVAL;
    case OVS_ACTION_ATTR_POP_MPLS:
        ((struct action_pop_mpls *) action_put(list, ACTION_POP_MPLS, sizeof(struct action_pop_mpls)))
            ->eth_type = nl_attr_u16(a);
        return a.len == 2 ? 0 : -EINVAL;
    case OVS_ACTION_ATTR_POP_VLAN:
        action_put(list, ACTION_POP_VLAN, sizeof(struct action_empty));
        return 0;
    case OVS_ACTION_ATTR_CT_CLEAR:
        action_put(list, ACTION_CT_CLEAR, sizeof(struct action_empty));
        return 0;
    default:
        return get_value(a, list);
    }
}

static int
get_one(struct nl_attr a, unsigned depth, struct buf *list)
{
    switch (a.type) {
    case OVS_ACTION_ATTR_USERSPACE:
        return get_userspace(nl_attr_slice(a), list);
    case OVS_ACTION_ATTR_SET:
        return get_set(nl_attr_slice(a), false, list);
    case OVS_ACTION_ATTR_SET_MASKED:
        return get_set(nl_attr_slice(a), true, list);
    case OVS_ACTION_ATTR_SAMPLE:
        return get_sample(nl_attr_slice(a), depth, list);
    case OVS_ACTION_ATTR_CLONE:
        return get_clone(nl_attr_slice(a), depth, list);
    case OVS_ACTION_ATTR_CHECK_PKT_LEN:
        return get_check_len(nl_attr_slice(a), depth, list);
    case OVS_ACTION_ATTR_CT:
        return get_ct(nl_attr_slice(a), list);
    default:
        return get_scalar(a, list);
    }
}

static int
get_list(struct slice s, unsigned depth, struct buf *list)
{
    struct nl_attr a;
    int more;

    if (depth > NEST_MAX) {
        return -E2BIG;
    }
    while ((more = nl_attr_next(&s, &a)) > 0) {
        int error = get_one(a, depth, list);

        if (error) {
            return error;
        }
    }
    return more;
}

int
ovs_actions_get(struct slice s, struct buf *list)
{
    size_t before = list->len;
    int error = get_list(s, 0, list);

    if (error) {
        list->len = before;
    }
    return error;
}
