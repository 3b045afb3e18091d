// SPDX-License-Identifier: Apache-2.0
// What the kernel says about filters, and which megaflow such a filter stands for: that of a previous daemon
// is taken over by it.
#include <config.h>
#include "lib/dp/tc.h"

#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_gact.h>
#include <linux/tc_act/tc_mirred.h>
#include <linux/tc_act/tc_vlan.h>
#include "lib/dp/tc_flower.h"
#include "lib/flow/action.h"

/* struct gnet_stats_basic has 12 bytes that matter: 64 bits of bytes, 32 of packets. */
static void
read_basic(struct nl_attr a, uint64_t *packets, uint64_t *bytes)
{
    uint32_t packets32;

    if (a.len >= 12) {
        memcpy(bytes, a.data, 8);
        memcpy(&packets32, a.data + 8, 4);
        *packets = packets32;
    }
}

/* Packets beyond 32 bits follow what they complete, of all and of the adapter (___gnet_stats_copy_basic() in
 * net/core/gen_stats.c). */
static void
read_stats(struct slice stats, struct tc_seen *seen)
{
    uint64_t *packets = NULL;
    struct nl_attr a;

    while (nl_attr_next(&stats, &a) > 0) {
        if (a.type == TCA_STATS_BASIC) {
            packets = &seen->packets;
            read_basic(a, packets, &seen->bytes);
        } else if (a.type == TCA_STATS_BASIC_HW) {
            packets = &seen->hw_packets;
            read_basic(a, packets, &seen->hw_bytes);
        } else if (a.type == TCA_STATS_PKT64 && a.len == 8 && packets) {
            *packets = nl_attr_u64(a);
        }
    }
}

static void
read_first_action(struct nl_attr actions, struct tc_seen *seen)
{
    struct slice s = nl_attr_slice(actions);
    struct nl_attr first, tb[TCA_ACT_MAX + 1];

    if (nl_attr_next(&s, &first) <= 0 || nl_attrs_parse(nl_attr_slice(first), tb, ARRAY_SIZE(tb), NULL)) {
        return;
    }
    if (tb[TCA_ACT_COOKIE].len == 16) {
        seen->has_ufid = true;
        seen->ufid = dp_ufid_unpack(tb[TCA_ACT_COOKIE].data);
    }
    read_stats(nl_attr_slice(tb[TCA_ACT_STATS]), seen);
}

int
tc_seen_of(const struct nlmsghdr *h, struct tc_seen *seen)
{
    struct nl_attr tb[TCA_MAX + 1], options[TCA_FLOWER_MAX + 1];
    char kind[16];
    struct tcmsg m;
    uint32_t flags;

    if ((h->nlmsg_type != RTM_NEWTFILTER && h->nlmsg_type != RTM_DELTFILTER) ||
        h->nlmsg_len < NLMSG_HDRLEN + sizeof m ||
        nl_attrs_parse(nl_msg_attrs(h, sizeof m), tb, ARRAY_SIZE(tb), NULL)) {
        return -EPROTO;
    }
    memcpy(&m, (const uint8_t *) h + NLMSG_HDRLEN, sizeof m);
    memset(seen, 0, sizeof *seen);
    seen->ifindex = m.tcm_ifindex;
    seen->prio = (uint16_t) (m.tcm_info >> 16);
    seen->protocol = (be16) m.tcm_info;
    seen->handle = m.tcm_handle;
    nl_attr_string(tb[TCA_KIND], kind, sizeof kind);
    seen->flower = !strcmp(kind, "flower") && !nl_attr_u32(tb[TCA_CHAIN]);
    seen->options = tb[TCA_OPTIONS];
    if (seen->flower && !nl_attrs_parse(nl_attr_slice(seen->options), options, ARRAY_SIZE(options), NULL)) {
        flags = nl_attr_u32(options[TCA_FLOWER_FLAGS]);
        seen->in_hw = (flags & TCA_CLS_FLAGS_IN_HW) != 0;
        seen->complete = options[TCA_FLOWER_KEY_ETH_TYPE].data != NULL;
        read_first_action(options[TCA_FLOWER_ACT], seen);
    }
    return 0;
}

static void
decode_row(const struct flower_row *r, const struct nl_attr *tb, struct flow_key *key, struct flow_key *mask)
{
    struct nl_attr value = tb[r->attr];
    size_t skip = r->conv == FLOWER_LOW8 ? 1 : 0;
    uint8_t *k = (uint8_t *) key + r->member, *m = (uint8_t *) mask + r->member;

    if (value.len != r->bytes || !flower_has_layer(key, r->layer)) {
        return;
    }
    memcpy(k + skip, value.data, r->bytes);
    if (!r->mask_attr) {
        memset(m + skip, UINT8_MAX, r->bytes);
    } else if (tb[r->mask_attr].len == r->bytes) {
        memcpy(m + skip, tb[r->mask_attr].data, r->bytes);
    }
    if (skip && m[skip] == UINT8_MAX) {
        m[0] = UINT8_MAX;
    }
}

static void
decode_tag(const struct tc_seen *seen, const struct nl_attr *tb, struct flow_key *key, struct flow_key *mask)
{
    uint16_t tci = FLOW_VLAN_PRESENT, tci_mask = FLOW_VLAN_PRESENT;

    mask->eth_type = htons(0xffff);
    if (!tb[TCA_FLOWER_KEY_VLAN_ETH_TYPE].data) {
        key->eth_type = seen->protocol;
        mask->vlan[0].tci = htons(0xffff);
        return;
    }
    if (tb[TCA_FLOWER_KEY_VLAN_ID].data) {
        tci |= nl_attr_u16(tb[TCA_FLOWER_KEY_VLAN_ID]) & 0xfff;
        tci_mask |= 0xfff;
    }
    if (tb[TCA_FLOWER_KEY_VLAN_PRIO].data) {
        tci |= (uint16_t) (nl_attr_u8(tb[TCA_FLOWER_KEY_VLAN_PRIO]) << 13);
        tci_mask |= 0xe000;
    }
    key->eth_type = nl_attr_u16(tb[TCA_FLOWER_KEY_VLAN_ETH_TYPE]);
    key->vlan[0] = (struct flow_vlan){seen->protocol, htons(tci)};
    mask->vlan[0] = (struct flow_vlan){htons(0xffff), htons(tci_mask)};
    mask->vlan[1].tci = htons(0xffff);
}

static void
decode_fragment(const struct nl_attr *tb, struct flow_key *key, struct flow_key *mask)
{
    uint32_t flags = ntohl(nl_attr_u32(tb[TCA_FLOWER_KEY_FLAGS])),
             flags_mask = ntohl(nl_attr_u32(tb[TCA_FLOWER_KEY_FLAGS_MASK]));

    if (flags_mask & TCA_FLOWER_KEY_FLAGS_IS_FRAGMENT) {
        mask->nw_frag = FLOW_FRAG_ANY | FLOW_FRAG_LATER;
        key->nw_frag = !(flags & TCA_FLOWER_KEY_FLAGS_IS_FRAGMENT)  ? 0
                       : flags & TCA_FLOWER_KEY_FLAGS_FRAG_IS_FIRST ? FLOW_FRAG_ANY
                                                                    : FLOW_FRAG_ANY | FLOW_FRAG_LATER;
    }
}

static int
decode_mirred(struct nl_attr *tb, const struct tc_ports *ports, struct buf *actions)
{
    struct tc_mirred m;
    struct tc_port port;

    if (tb[TCA_MIRRED_PARMS].len < sizeof m) {
        return -EOPNOTSUPP;
    }
    memcpy(&m, tb[TCA_MIRRED_PARMS].data, sizeof m);
    port = ports->by_ifindex((int) m.ifindex, ports->arg);
    if (!port.ifindex) {
        return -EOPNOTSUPP;
    }
    action_put_output(actions, port.number);
    return 0;
}

static int
decode_vlan(struct nl_attr *tb, struct buf *actions)
{
    struct action_push_vlan *push;
    struct tc_vlan v;

    if (tb[TCA_VLAN_PARMS].len < sizeof v) {
        return -EOPNOTSUPP;
    }
    memcpy(&v, tb[TCA_VLAN_PARMS].data, sizeof v);
    if (v.v_action == TCA_VLAN_ACT_POP) {
        action_put(actions, ACTION_POP_VLAN, sizeof(struct action_empty));
        return 0;
    }
    if (v.v_action != TCA_VLAN_ACT_PUSH) {
        return -EOPNOTSUPP;
    }
    push = action_put(actions, ACTION_PUSH_VLAN, sizeof *push);
    push->tpid = nl_attr_u16(tb[TCA_VLAN_PUSH_VLAN_PROTOCOL]);
    push->tci = htons((uint16_t) (FLOW_VLAN_PRESENT | (nl_attr_u16(tb[TCA_VLAN_PUSH_VLAN_ID]) & 0xfff) |
                                  nl_attr_u8(tb[TCA_VLAN_PUSH_VLAN_PRIORITY]) << 13));
    return 0;
}

static int
decode_action(struct nl_attr a, const struct tc_ports *ports, struct buf *actions)
{
    struct nl_attr tb[TCA_ACT_MAX + 1], options[16];
    char kind[16];

    if (nl_attrs_parse(nl_attr_slice(a), tb, ARRAY_SIZE(tb), NULL) ||
        nl_attrs_parse(nl_attr_slice(tb[TCA_ACT_OPTIONS]), options, ARRAY_SIZE(options), NULL)) {
        return -EOPNOTSUPP;
    }
    nl_attr_string(tb[TCA_ACT_KIND], kind, sizeof kind);
    if (!strcmp(kind, "mirred")) {
        return decode_mirred(options, ports, actions);
    }
    if (!strcmp(kind, "vlan")) {
        return decode_vlan(options, actions);
    }
    return strcmp(kind, "gact") ? -EOPNOTSUPP : 0;
}

int
tc_decode(const struct tc_seen *seen, const struct tc_ports *ports, struct flow_key *key,
          struct flow_key *mask, struct buf *actions)
{
    struct nl_attr tb[TCA_FLOWER_MAX + 1], a;
    struct tc_port port = ports->by_ifindex(seen->ifindex, ports->arg);
    size_t before = actions->len;
    struct slice s;

    if (!seen->flower || !seen->complete || !seen->has_ufid || !port.ifindex ||
        nl_attrs_parse(nl_attr_slice(seen->options), tb, ARRAY_SIZE(tb), NULL)) {
        return -EOPNOTSUPP;
    }
    memset(key, 0, sizeof *key);
    memset(mask, 0, sizeof *mask);
    key->in_port = port.number;
    mask->in_port = mask->recirc_id = UINT32_MAX;
    decode_tag(seen, tb, key, mask);
    decode_fragment(tb, key, mask);
    /* The rows of a layer follow those that tell whether it is there. */
    for (unsigned i = 0; i < flower_n_rows; i++) {
        decode_row(&flower_rows[i], tb, key, mask);
    }
    s = nl_attr_slice(tb[TCA_FLOWER_ACT]);
    while (nl_attr_next(&s, &a) > 0) {
        int error = decode_action(a, ports, actions);

        if (error) {
            actions->len = before;
            return error;
        }
    }
    return 0;
}
