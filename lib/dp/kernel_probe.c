// SPDX-License-Identifier: Apache-2.0
// What can this openvswitch.ko do? Each question is a flow which the kernel takes or refuses, followed by its
// deletion; all go down in one batch. The flows match a recirculation id that nobody hands out, so that no
// packet meets one in between.
#include <config.h>
#include "lib/dp/kernel.h"

#include <stdlib.h>
#include "lib/flow/wire.h"
#include "lib/nl/ovs_action.h"

#define PROBE_RECIRC_ID 0xfffffffe
#define SAMPLE_NESTING 10
#define PROBE_UFID_HI UINT64_C(0x736c756963650000)

struct probe_flow {
    struct flow_key key, mask;
    struct buf actions; /* Attributes. */
};

static void
match_ip(struct probe_flow *f, uint16_t eth_type)
{
    f->key.eth_type = htons(eth_type);
    f->key.nw_proto = IPPROTO_UDP;
    f->mask.nw_proto = UINT8_MAX;
}

static void
nothing(struct probe_flow *f)
{
}

static void
two_tags(struct probe_flow *f)
{
    for (unsigned i = 0; i < 2; i++) {
        f->key.vlan[i] = (struct flow_vlan){htons(i ? 0x8100 : 0x88a8), htons(FLOW_VLAN_PRESENT | 1)};
        f->mask.vlan[i].tci = htons(0xffff);
    }
}

static void
three_labels(struct probe_flow *f)
{
    f->key.eth_type = htons(WIRE_ETH_MPLS);
    for (unsigned i = 0; i < 3; i++) {
        f->key.mpls[i] = htonl(0x10040 | (i == 2 ? 0x100 : 0));
        f->mask.mpls[i] = UINT32_MAX;
    }
}

static void
with_ct_state(struct probe_flow *f)
{
    f->key.ct_state = f->mask.ct_state = CT_TRK;
}

static void
with_ct_state_nat(struct probe_flow *f)
{
    f->key.ct_state = f->mask.ct_state = CT_TRK | CT_SNAT;
}

static void
with_ct_zone(struct probe_flow *f)
{
    f->key.ct_zone = f->mask.ct_zone = 1;
}

static void
with_ct_mark(struct probe_flow *f)
{
    f->key.ct_mark = f->mask.ct_mark = 1;
}

static void
with_ct_label(struct probe_flow *f)
{
    f->key.ct_label[15] = f->mask.ct_label[15] = 1;
}

static void
with_orig_tuple(struct probe_flow *f)
{
    match_ip(f, WIRE_ETH_IPV4);
    f->key.ct_nw_proto = IPPROTO_UDP;
    f->mask.ct_nw_proto = UINT8_MAX;
    f->key.ct_nw_src = f->mask.ct_nw_src = htonl(1);
}

static void
with_orig_tuple6(struct probe_flow *f)
{
    match_ip(f, WIRE_ETH_IPV6);
    f->key.ct_nw_proto = IPPROTO_UDP;
    f->mask.ct_nw_proto = UINT8_MAX;
    f->key.ct_ipv6_src.s6_addr[15] = f->mask.ct_ipv6_src.s6_addr[15] = 1;
}

static void
do_masked_set(struct probe_flow *f)
{
    struct ovs_key_ethernet e[2] = {{.eth_src = {0}}, {.eth_src = {UINT8_MAX}}};
    size_t nest = nl_nest_begin(&f->actions, OVS_ACTION_ATTR_SET_MASKED);

    nl_put(&f->actions, OVS_KEY_ATTR_ETHERNET, e, sizeof e);
    nl_nest_end(&f->actions, nest);
}

static void
do_trunc(struct probe_flow *f)
{
    nl_put_u32(&f->actions, OVS_ACTION_ATTR_TRUNC, 64);
}

static void
do_clone(struct probe_flow *f)
{
    size_t nest = nl_nest_begin(&f->actions, OVS_ACTION_ATTR_CLONE);

    nl_nest_end(&f->actions, nest);
}

static void
do_sample(struct probe_flow *f)
{
    struct buf *b = &f->actions;
    size_t nest = nl_nest_begin(b, OVS_ACTION_ATTR_SAMPLE), inner;

    nl_put_u32(b, OVS_SAMPLE_ATTR_PROBABILITY, UINT32_MAX);
    inner = nl_nest_begin(b, OVS_SAMPLE_ATTR_ACTIONS);
    nl_nest_end(b, inner);
    nl_nest_end(b, nest);
}

static void
do_check_len(struct probe_flow *f)
{
    struct buf *b = &f->actions;
    size_t nest = nl_nest_begin(b, OVS_ACTION_ATTR_CHECK_PKT_LEN), inner;

    nl_put_u16(b, OVS_CHECK_PKT_LEN_ATTR_PKT_LEN, 100);
    inner = nl_nest_begin(b, OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_GREATER);
    nl_nest_end(b, inner);
    inner = nl_nest_begin(b, OVS_CHECK_PKT_LEN_ATTR_ACTIONS_IF_LESS_EQUAL);
    nl_nest_end(b, inner);
    nl_nest_end(b, nest);
}

static void
do_ct_clear(struct probe_flow *f)
{
    nl_put_flag(&f->actions, OVS_ACTION_ATTR_CT_CLEAR);
}

static void
do_ct_eventmask(struct probe_flow *f)
{
    size_t nest;

    match_ip(f, WIRE_ETH_IPV4);
    nest = nl_nest_begin(&f->actions, OVS_ACTION_ATTR_CT);
    nl_put_flag(&f->actions, OVS_CT_ATTR_COMMIT);
    nl_put_u32(&f->actions, OVS_CT_ATTR_EVENTMASK, 0x0c);
    nl_nest_end(&f->actions, nest);
}

/* The policy need not exist: a kernel that knows the attribute takes the flow. */
static void
do_ct_timeout(struct probe_flow *f)
{
    size_t nest;

    match_ip(f, WIRE_ETH_IPV4);
    nest = nl_nest_begin(&f->actions, OVS_ACTION_ATTR_CT);
    nl_put_flag(&f->actions, OVS_CT_ATTR_COMMIT);
    nl_put_string(&f->actions, OVS_CT_ATTR_TIMEOUT, "sluice_probe");
    nl_nest_end(&f->actions, nest);
}

static void
do_zero_snat(struct probe_flow *f)
{
    size_t nest, nat;

    match_ip(f, WIRE_ETH_IPV4);
    nest = nl_nest_begin(&f->actions, OVS_ACTION_ATTR_CT);
    nl_put_flag(&f->actions, OVS_CT_ATTR_COMMIT);
    nat = nl_nest_begin(&f->actions, OVS_CT_ATTR_NAT);
    nl_put_flag(&f->actions, OVS_NAT_ATTR_SRC);
    nl_put_u32(&f->actions, OVS_NAT_ATTR_IP_MIN, 0);
    nl_nest_end(&f->actions, nat);
    nl_nest_end(&f->actions, nest);
}

static void
do_add_mpls(struct probe_flow *f)
{
    struct ovs_action_add_mpls a = {.mpls_lse = htonl(0x10140),
                                    .mpls_ethertype = htons(WIRE_ETH_MPLS),
                                    .tun_flags = OVS_MPLS_L3_TUNNEL_FLAG_MASK};

    match_ip(f, WIRE_ETH_IPV4);
    nl_put(&f->actions, OVS_ACTION_ATTR_ADD_MPLS, &a, sizeof a);
}

static const struct probe {
    void (*build)(struct probe_flow *);
    size_t offset; /* Of the answer, in struct dp_features. */
} probes[] = {
#define PROBE(MEMBER, BUILD)                                                                                 \
    {                                                                                                        \
        BUILD, offsetof(struct dp_features, MEMBER)                                                          \
    }
    PROBE(recirc, nothing),
    PROBE(vlan_cvlan, two_tags),
    PROBE(masked_set, do_masked_set),
    PROBE(trunc, do_trunc),
    PROBE(clone, do_clone),
    PROBE(sample, do_sample),
    PROBE(check_pkt_len, do_check_len),
    PROBE(ct_clear, do_ct_clear),
    PROBE(ct_eventmask, do_ct_eventmask),
    PROBE(ct_timeout, do_ct_timeout),
    PROBE(ct_zero_snat, do_zero_snat),
    PROBE(add_mpls, do_add_mpls),
    PROBE(ct_state, with_ct_state),
    PROBE(ct_state_nat, with_ct_state_nat),
    PROBE(ct_zone, with_ct_zone),
    PROBE(ct_mark, with_ct_mark),
    PROBE(ct_label, with_ct_label),
    PROBE(ct_orig_tuple, with_orig_tuple),
    PROBE(ct_orig_tuple6, with_orig_tuple6),
#undef PROBE
};

static void
add_messages(struct kernel *k, struct nl_batch *batch, const struct probe_flow *f, unsigned number)
{
    uint32_t ufid[4];
    struct buf *b = &batch->msgs;
    size_t at, nest;

    dp_ufid_pack((dp_ufid){PROBE_UFID_HI, number}, ufid);
    nl_batch_add(batch);
    at = kernel_begin(k, b, k->flow_family, OVS_FLOW_CMD_NEW, NLM_F_CREATE);
    nl_put(b, OVS_FLOW_ATTR_UFID, ufid, sizeof ufid);
    nl_put_flag(b, OVS_FLOW_ATTR_PROBE);
    nest = nl_nest_begin(b, OVS_FLOW_ATTR_KEY);
    ovs_key_put(b, &f->key, &f->mask);
    nl_nest_end(b, nest);
    nest = nl_nest_begin(b, OVS_FLOW_ATTR_MASK);
    ovs_mask_put(b, &f->key, &f->mask);
    nl_nest_end(b, nest);
    nl_put(b, OVS_FLOW_ATTR_ACTIONS, f->actions.data, f->actions.len);
    nl_msg_end(b, at);

    nl_batch_add(batch);
    at = kernel_begin(k, b, k->flow_family, OVS_FLOW_CMD_DEL, 0);
    nl_put(b, OVS_FLOW_ATTR_UFID, ufid, sizeof ufid);
    nl_put_flag(b, OVS_FLOW_ATTR_PROBE);
    nl_msg_end(b, at);
}

static void
add_probe(struct kernel *k, struct nl_batch *batch, void (*build)(struct probe_flow *), unsigned number)
{
    struct probe_flow f = {.actions = BUF_EMPTY};

    f.key.in_port = DP_PORT_LOCAL;
    f.key.recirc_id = PROBE_RECIRC_ID;
    f.key.eth_type = htons(0x1234);
    f.mask.recirc_id = f.mask.in_port = UINT32_MAX;
    f.mask.eth_type = htons(0xffff);
    build(&f);
    add_messages(k, batch, &f, number);
    buf_free(&f.actions);
}

/* A sample in a sample in a sample: how deep? */
static void
add_nested_samples(struct kernel *k, struct nl_batch *batch, unsigned depth, unsigned number)
{
    struct probe_flow f = {.key = {.recirc_id = PROBE_RECIRC_ID, .eth_type = htons(0x1234)},
                           .mask = {.recirc_id = UINT32_MAX, .in_port = UINT32_MAX}};
    size_t nests[2 * SAMPLE_NESTING];

    for (unsigned i = 0; i < depth; i++) {
        nests[2 * i] = nl_nest_begin(&f.actions, OVS_ACTION_ATTR_SAMPLE);
        nl_put_u32(&f.actions, OVS_SAMPLE_ATTR_PROBABILITY, UINT32_MAX);
        nests[2 * i + 1] = nl_nest_begin(&f.actions, OVS_SAMPLE_ATTR_ACTIONS);
    }
    for (unsigned i = 2 * depth; i > 0; i--) {
        nl_nest_end(&f.actions, nests[i - 1]);
    }
    add_messages(k, batch, &f, number);
    buf_free(&f.actions);
}

void
kernel_probe(struct kernel *k)
{
    struct dp_features *f = &k->features;
    struct nl_batch batch = {.n = 0};
    unsigned n = 0, mpls;

    for (; n < ARRAY_SIZE(probes); n++) {
        add_probe(k, &batch, probes[n].build, n);
    }
    mpls = n++;
    add_probe(k, &batch, three_labels, mpls);
    for (unsigned depth = 1; depth <= SAMPLE_NESTING; depth++) {
        add_nested_samples(k, &batch, depth, n++);
    }
    nl_pool_run(k->pool, &batch);
    for (unsigned i = 0; i < ARRAY_SIZE(probes); i++) {
        *(bool *) ((char *) f + probes[i].offset) = !batch.ops[2 * i].error;
    }
    f->ufid = !batch.ops[1].error;
    f->max_vlan_headers = f->vlan_cvlan ? 2 : 1;
    f->max_mpls_depth = batch.ops[2 * mpls].error ? 1 : 3;
    for (unsigned depth = 1; depth <= SAMPLE_NESTING && !batch.ops[2 * (mpls + depth)].error; depth++) {
        f->max_sample_nesting = depth;
    }
    nl_batch_free(&batch);
}
