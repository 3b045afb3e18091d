// SPDX-License-Identifier: Apache-2.0
// The compiler of megaflows to flower filters. What is in the mask must be in the filter: bits that are
// expressed are taken off a copy of the mask, and any bit left over is the reason to refuse.
#include <config.h>
#include "lib/dp/tc_flower.h"

#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_gact.h>
#include <linux/tc_act/tc_mirred.h>
#include <linux/tc_act/tc_vlan.h>
#include <stdio.h>
#include "lib/dp/tc.h"
#include "lib/flow/field.h"

const struct flower_row flower_rows[] = {
#define FLOWER_FIELD(ID, LAYER, ATTR, MASK_ATTR, BYTES, CONV, MEMBER)                                        \
    {ATTR, MASK_ATTR, LAYER_##LAYER, BYTES, FLOWER_##CONV, offsetof(struct flow_key, MEMBER)},
#define FLOWER_HOOK(ID)
#define FLOWER_SHARED(ID, WITH)
#define FLOWER_NONE(ID)
#include "lib/nl/flower.def"
};
const unsigned flower_n_rows = ARRAY_SIZE(flower_rows);

/* Each field has one row. */
enum {
#define FLOWER_FIELD(ID, LAYER, ATTR, MASK_ATTR, BYTES, CONV, MEMBER) ROW_##ID,
#define FLOWER_HOOK(ID) ROW_##ID,
#define FLOWER_SHARED(ID, WITH) ROW_##ID,
#define FLOWER_NONE(ID) ROW_##ID,
#include "lib/nl/flower.def"
    N_ROWS
};
_Static_assert((int) N_ROWS == (int) FIELD_N_IDS, "a field has no row in flower.def, or two");

bool
flower_has_layer(const struct flow_key *k, enum flower_layer layer)
{
    bool v4 = k->eth_type == htons(ETH_P_IP), v6 = k->eth_type == htons(ETH_P_IPV6);
    bool first = !(k->nw_frag & FLOW_FRAG_LATER);

    switch (layer) {
    case LAYER_ANY:
        return true;
    case LAYER_IP:
        return v4 || v6;
    case LAYER_IPV4:
        return v4;
    case LAYER_IPV6:
        return v6;
    case LAYER_ARP:
        return k->eth_type == htons(ETH_P_ARP);
    case LAYER_TCP:
        return (v4 || v6) && first && k->nw_proto == IPPROTO_TCP;
    case LAYER_UDP:
        return (v4 || v6) && first && k->nw_proto == IPPROTO_UDP;
    case LAYER_SCTP:
        return (v4 || v6) && first && k->nw_proto == IPPROTO_SCTP;
    case LAYER_ICMP:
        return v4 && first && k->nw_proto == IPPROTO_ICMP;
    case LAYER_ICMPV6:
        return v6 && first && k->nw_proto == IPPROTO_ICMPV6;
    }
    return false;
}

struct compiler {
    const struct flow_key *key, *mask;
    struct flow_key left; /* Mask bits not yet expressed. */
    const struct tc_ports *ports;
    struct tc_filter *f;
    dp_ufid ufid;
    bool quick;
    unsigned n_actions;
    char *why;
};

static int PRINTF_LIKE(2, 3) refuse(struct compiler *c, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(c->why, TC_WHY_MAX, fmt, args);
    va_end(args);
    return -EOPNOTSUPP;
}

static bool
bytes_are(const uint8_t *p, size_t n, uint8_t value)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != value) {
            return false;
        }
    }
    return true;
}

static void
match_row(struct compiler *c, const struct flower_row *r)
{
    size_t width = r->conv == FLOWER_LOW8 ? 2 : r->bytes, skip = width - r->bytes;
    const uint8_t *key = (const uint8_t *) c->key + r->member, *mask = (const uint8_t *) c->mask + r->member;
    uint8_t *value;

    if (bytes_are(mask, width, 0) || !flower_has_layer(c->key, r->layer)) {
        return;
    }
    if (!r->mask_attr && !bytes_are(mask, width, UINT8_MAX)) {
        return;
    }
    value = nl_put(&c->f->body, r->attr, key + skip, r->bytes);
    for (size_t i = 0; i < r->bytes; i++) {
        value[i] &= mask[skip + i];
    }
    if (r->mask_attr) {
        nl_put(&c->f->body, r->mask_attr, mask + skip, r->bytes);
    }
    memset((uint8_t *) &c->left + r->member, 0, width);
}

/* The frame's Ethertype, and one tag. */
static int
match_ethernet(struct compiler *c)
{
    const struct flow_key *k = c->key;
    bool tagged = k->vlan[0].tci & htons(FLOW_VLAN_PRESENT);
    uint16_t tci = ntohs(k->vlan[0].tci), mask = ntohs(c->mask->vlan[0].tci);

    if (k->eth_type == htons(FLOW_ETH_TYPE_NONE)) {
        return refuse(c, "match on 802.2 frames");
    }
    if (tagged && k->vlan[1].tci & htons(FLOW_VLAN_PRESENT)) {
        return refuse(c, "match on a second VLAN tag");
    }
    c->f->protocol = !tagged ? k->eth_type : k->vlan[0].tpid ? k->vlan[0].tpid : htons(ETH_P_8021Q);
    nl_put_u16(&c->f->body, TCA_FLOWER_KEY_ETH_TYPE, c->f->protocol);
    if (tagged) {
        if ((mask & 0xfff) == 0xfff) {
            nl_put_u16(&c->f->body, TCA_FLOWER_KEY_VLAN_ID, tci & 0xfff);
        } else if (mask & 0xfff) {
            return refuse(c, "match on a part of vlan_vid");
        }
        if ((mask & 0xe000) == 0xe000) {
            nl_put_u8(&c->f->body, TCA_FLOWER_KEY_VLAN_PRIO, (uint8_t) (tci >> 13));
        } else if (mask & 0xe000) {
            return refuse(c, "match on a part of vlan_pcp");
        }
        nl_put_u16(&c->f->body, TCA_FLOWER_KEY_VLAN_ETH_TYPE, k->eth_type);
    }
    /* The Ethertype says that there is no further tag. */
    memset(c->left.vlan, 0, sizeof c->left.vlan);
    c->left.eth_type = 0;
    return 0;
}

static void
match_fragment(struct compiler *c)
{
    uint8_t frag = c->key->nw_frag;
    uint32_t value =
        (frag & FLOW_FRAG_ANY ? TCA_FLOWER_KEY_FLAGS_IS_FRAGMENT : 0) |
        (frag & FLOW_FRAG_ANY && !(frag & FLOW_FRAG_LATER) ? TCA_FLOWER_KEY_FLAGS_FRAG_IS_FIRST : 0);
    uint32_t mask =
        TCA_FLOWER_KEY_FLAGS_IS_FRAGMENT | (frag & FLOW_FRAG_ANY ? TCA_FLOWER_KEY_FLAGS_FRAG_IS_FIRST : 0);

    if (c->mask->nw_frag && flower_has_layer(c->key, LAYER_IP)) {
        nl_put_u32(&c->f->body, TCA_FLOWER_KEY_FLAGS, htonl(value));
        nl_put_u32(&c->f->body, TCA_FLOWER_KEY_FLAGS_MASK, htonl(mask));
        c->left.nw_frag = 0;
    }
}

static int
match_port(struct compiler *c)
{
    struct tc_port port = c->ports->by_number(c->key->in_port, c->ports->arg);

    if (c->key->recirc_id) {
        return refuse(c, "match on recirc_id");
    }
    if (c->mask->in_port != UINT32_MAX) {
        return refuse(c, "match on no in_port");
    }
    if (!port.ifindex) {
        return refuse(c, "in_port %u has no device", c->key->in_port);
    }
    if (port.internal) {
        return refuse(c, "in_port %u is an internal port", c->key->in_port);
    }
    c->f->ifindex = port.ifindex;
    c->left.recirc_id = c->left.in_port = 0;
    c->left.packet_type = 0;
    return 0;
}

/* Names a field of which bits are left; one that the packet has, if there is one. */
static int
refuse_left(struct compiler *c)
{
    const struct field *found = NULL;

    if (bytes_are((const uint8_t *) &c->left, sizeof c->left, 0)) {
        return 0;
    }
    for (int id = 0; id < FIELD_N_IDS; id++) {
        const struct field *f = &field_table[id];

        if (!field_is_all_zeros(f, &c->left)) {
            bool has = field_prereqs_ok(f, c->key, NULL);

            found = !found || has ? f : found;
            if (has) {
                break;
            }
        }
    }
    return refuse(c, "match on %s", found ? found->name : "reserved bits");
}

static int
compile_match(struct compiler *c)
{
    int error = match_port(c);

    error = error ? error : match_ethernet(c);
    if (error) {
        return error;
    }
    match_fragment(c);
    for (unsigned i = 0; i < flower_n_rows; i++) {
        match_row(c, &flower_rows[i]);
    }
    return refuse_left(c);
}

static size_t
action_begin(struct compiler *c, const char *kind, size_t *options)
{
    struct buf *b = &c->f->body;
    size_t nest = nl_nest_begin(b, (uint16_t) ++c->n_actions);

    nl_put_string(b, TCA_ACT_KIND, kind);
    if (c->n_actions == 1) {
        uint32_t cookie[4];

        dp_ufid_pack(c->ufid, cookie);
        nl_put(b, TCA_ACT_COOKIE, cookie, sizeof cookie);
    }
    if (c->quick) {
        struct nla_bitfield32 flags = {TCA_ACT_FLAGS_NO_PERCPU_STATS, TCA_ACT_FLAGS_NO_PERCPU_STATS};

        nl_put(b, TCA_ACT_FLAGS, &flags, sizeof flags);
    }
    *options = nl_nest_begin(b, TCA_ACT_OPTIONS | NLA_F_NESTED);
    return nest;
}

static void
action_end(struct compiler *c, size_t nest, size_t options)
{
    nl_nest_end(&c->f->body, options);
    nl_nest_end(&c->f->body, nest);
}

static void
put_drop(struct compiler *c)
{
    struct tc_gact parms = {.action = TC_ACT_SHOT};
    size_t options, nest = action_begin(c, "gact", &options);

    nl_put(&c->f->body, TCA_GACT_PARMS, &parms, sizeof parms);
    action_end(c, nest, options);
}

static int
put_output(struct compiler *c, uint32_t number, bool last)
{
    struct tc_port port = c->ports->by_number(number, c->ports->arg);
    struct tc_mirred parms = {.action = last ? TC_ACT_STOLEN : TC_ACT_PIPE,
                              .ifindex = (uint32_t) port.ifindex};
    size_t options, nest;

    if (!port.ifindex) {
        return refuse(c, "output to port %u, which has no device", number);
    }
    if (port.internal) {
        parms.eaction = last ? TCA_INGRESS_REDIR : TCA_INGRESS_MIRROR;
    } else {
        parms.eaction = last ? TCA_EGRESS_REDIR : TCA_EGRESS_MIRROR;
    }
    nest = action_begin(c, "mirred", &options);
    nl_put(&c->f->body, TCA_MIRRED_PARMS, &parms, sizeof parms);
    action_end(c, nest, options);
    return 0;
}

static void
put_vlan(struct compiler *c, const struct action_push_vlan *push)
{
    struct tc_vlan parms = {.action = TC_ACT_PIPE, .v_action = push ? TCA_VLAN_ACT_PUSH : TCA_VLAN_ACT_POP};
    size_t options, nest = action_begin(c, "vlan", &options);
    struct buf *b = &c->f->body;

    nl_put(b, TCA_VLAN_PARMS, &parms, sizeof parms);
    if (push) {
        uint16_t tci = ntohs(push->tci);

        nl_put_u16(b, TCA_VLAN_PUSH_VLAN_ID, tci & 0xfff);
        nl_put_u16(b, TCA_VLAN_PUSH_VLAN_PROTOCOL, push->tpid);
        nl_put_u8(b, TCA_VLAN_PUSH_VLAN_PRIORITY, (uint8_t) (tci >> 13));
    }
    action_end(c, nest, options);
}

static const char *
action_name(const struct action *a)
{
    static const char *const names[ACTION_N_KINDS] = {
#define ACTION(KIND, STRUCT, NAME) [ACTION_##KIND] = NAME,
#include "lib/flow/action.def"
#undef ACTION
    };

    return names[a->kind];
}

static int
compile_action(struct compiler *c, const struct action *a, bool last)
{
    if (c->n_actions >= TCA_ACT_MAX_PRIO) {
        return refuse(c, "more than %d actions", TCA_ACT_MAX_PRIO);
    }
    switch (a->kind) {
    case ACTION_OUTPUT:
        return put_output(c, ((const struct action_output *) a)->port, last);
    case ACTION_PUSH_VLAN:
        put_vlan(c, (const struct action_push_vlan *) a);
        return 0;
    case ACTION_POP_VLAN:
        put_vlan(c, NULL);
        return 0;
    case ACTION_DROP:
        return 0;
    default:
        return refuse(c, "action %s", action_name(a));
    }
}

static int
compile_actions(struct compiler *c, const void *list, size_t size)
{
    const uint8_t *end =
        (const uint8_t *) list; /* Behind the last output: what comes after it has no effect. */
    size_t nest = nl_nest_begin(&c->f->body, TCA_FLOWER_ACT);
    const struct action *a;

    ACTION_FOR_EACH(a, list, size)
    {
        if (a->kind != ACTION_PUSH_VLAN && a->kind != ACTION_POP_VLAN && a->kind != ACTION_DROP) {
            end = (const uint8_t *) action_next(a);
        }
    }
    ACTION_FOR_EACH(a, list, (size_t) (end - (const uint8_t *) list))
    {
        int error = compile_action(c, a, (const uint8_t *) action_next(a) == end);

        if (error) {
            return error;
        }
    }
    if (!c->n_actions) {
        put_drop(c);
    }
    nl_nest_end(&c->f->body, nest);
    return 0;
}

int
tc_compile(const struct flow_key *key, const struct flow_key *mask, const void *actions, size_t actions_len,
           dp_ufid ufid, const struct tc_ports *ports, bool quick, struct tc_filter *f, char why[TC_WHY_MAX])
{
    struct compiler c = {.key = key,
                         .mask = mask,
                         .left = *mask,
                         .ports = ports,
                         .f = f,
                         .ufid = ufid,
                         .quick = quick,
                         .why = why};
    int error;

    buf_clear(&f->body);
    error = compile_match(&c);
    return error ? error : compile_actions(&c, actions, actions_len);
}

void
tc_filter_free(struct tc_filter *f)
{
    buf_free(&f->body);
}

void
tc_filter_put(struct buf *b, const struct tc_filter *f, uint16_t prio, uint32_t handle, uint32_t flags,
              uint16_t nl_flags)
{
    size_t at = tc_filter_begin(b, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL | nl_flags, f->ifindex, prio,
                                f->protocol, handle);
    size_t options;

    nl_put_string(b, TCA_KIND, "flower");
    options = nl_nest_begin(b, TCA_OPTIONS);
    nl_put_u32(b, TCA_FLOWER_FLAGS, flags);
    buf_put(b, f->body.data, f->body.len);
    nl_nest_end(b, options);
    nl_msg_end(b, at);
}

void
tc_filter_del(struct buf *b, int ifindex, be16 protocol, uint16_t prio, uint32_t handle)
{
    size_t at = tc_filter_begin(b, RTM_DELTFILTER, NLM_F_ECHO, ifindex, prio, protocol, handle);

    nl_put_string(b, TCA_KIND, "flower");
    nl_msg_end(b, at);
}
