// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/dp/capability.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/dp/execute.h"
#ifdef HAVE_EBPF
#include "lib/dp/ebpf.h"
#endif
#include "lib/dp/kernel.h"
#include "lib/dp/tc.h"
#include "lib/flow/wire.h"

/* No packet has it, so that none meets a flow that is put only to see whether it can be. */
#define PROBE_RECIRC_ID 0xfffffffd
#define PORT 1
#define OTHER_PORT 2

struct probe {
    struct flow_key key, mask;
    struct buf actions;
};

const char *const capability_actions[] = {
    "2",
    "2,2",
    "drop",
    "push_vlan(vid=5,pcp=3),2",
    "pop_vlan,2",
    "push_mpls(label=5,tc=1,ttl=4,bos=1,eth_type=0x8847),2",
    "pop_mpls(eth_type=0x800),2",
    "set(eth(src=00:01:02:03:04:05)),2",
    "set(ipv4(src=1.2.3.4)),2",
    "set(ipv6(src=::1)),2",
    "set(arp(sip=1.1.1.1)),2",
    "set(tcp(src=5)),2",
    "set(udp(src=5)),2",
    "set(sctp(src=5)),2",
    "set(icmp(type=5,code=4)),2",
    "set(nd(target=::1)),2",
    "set(nd(sll=00:00:00:00:00:01)),2",
    "set(mpls(label=5)),2",
    "set(skb_mark(0x5/0xff)),2",
    "set(skb_priority(0x5)),2",
    "trunc(40),2",
    "clone(push_vlan(vid=5,pcp=3),2),2",
    "sample(sample=50.0%,actions(2)),2",
    "check_pkt_len(size=200,gt(2),le(drop))",
    "meter(1),2",
    "hash(l4(0)),recirc(0x5)",
    "recirc(0x5)",
    "ct(commit),2",
    "ct_clear,2",
    NULL,
};

const char *
capability_tier_name(enum capability_tier tier)
{
    static const char *const names[CAPABILITY_N_TIERS] = {
        [CAPABILITY_KERNEL] = "kernel", [CAPABILITY_EBPF] = "ebpf", [CAPABILITY_TC] = "tc", [CAPABILITY_DAEMON] = "daemon"};

    return names[tier];
}

int
capability_tier_probe(enum capability_tier tier, char **why)
{
    if (tier == CAPABILITY_KERNEL) {
        return dp_kernel_ops.probe(why);
    }
    if (tier == CAPABILITY_EBPF) {
#ifdef HAVE_EBPF
        return dp_ebpf_ops.probe(why);
#else
        *why = xstrdup("this build has no eBPF datapath");
        return -EOPNOTSUPP;
#endif
    }
    return 0;
}

bool
capability_field_is_of_packets(const struct field *f)
{
    switch (f->id) {
    case FIELD_METADATA:
    case FIELD_CONJ_ID:
    case FIELD_ACTSET_OUTPUT:
        return false;
    default:
        return f->ofs < offsetof(struct flow_key, regs) || f->ofs >= offsetof(struct flow_key, regs) + sizeof ((struct flow_key *) 0)->regs;
    }
}

/* A packet that has such fields. */
static void
meet_prerequisite(struct flow_key *k, enum field_prereq prereq)
{
    static const struct {
        uint16_t eth_type;
        uint8_t proto, icmp_type;
    } shapes[] = {
        [FP_NONE] = {WIRE_ETH_IPV4, IPPROTO_UDP, 0},
        [FP_ARP] = {WIRE_ETH_ARP, 1, 0},
        [FP_IPV6] = {WIRE_ETH_IPV6, IPPROTO_UDP, 0},
        [FP_MPLS] = {WIRE_ETH_MPLS, 0, 0},
        [FP_TCP] = {WIRE_ETH_IPV4, IPPROTO_TCP, 0},
        [FP_SCTP] = {WIRE_ETH_IPV4, IPPROTO_SCTP, 0},
        [FP_ICMPV4] = {WIRE_ETH_IPV4, IPPROTO_ICMP, 0},
        [FP_ICMPV6] = {WIRE_ETH_IPV6, IPPROTO_ICMPV6, 0},
        [FP_ND] = {WIRE_ETH_IPV6, IPPROTO_ICMPV6, 135},
        [FP_ND_SOLICIT] = {WIRE_ETH_IPV6, IPPROTO_ICMPV6, 135},
        [FP_ND_ADVERT] = {WIRE_ETH_IPV6, IPPROTO_ICMPV6, 136},
    };
    unsigned which = prereq < ARRAY_SIZE(shapes) && shapes[prereq].eth_type ? (unsigned) prereq : (unsigned) FP_NONE;

    k->eth_type = htons(shapes[which].eth_type);
    k->nw_proto = shapes[which].proto;
    k->tp_src = htons(shapes[which].icmp_type);
    if (prereq == FP_VLAN_VID) {
        k->vlan[0] = (struct flow_vlan){htons(WIRE_ETH_VLAN), htons(FLOW_VLAN_PRESENT)};
    }
    if (prereq == FP_CT_VALID) {
        k->ct_state = CT_TRK;
        k->ct_nw_proto = IPPROTO_UDP;
    }
}

static void
probe_init(struct probe *p, enum field_prereq prereq, uint32_t recirc_id)
{
    *p = (struct probe){.actions = BUF_EMPTY};
    p->key.in_port = PORT;
    p->key.recirc_id = recirc_id;
    p->mask.in_port = p->mask.recirc_id = UINT32_MAX;
    p->mask.eth_type = UINT16_MAX;
    meet_prerequisite(&p->key, prereq);
    if (flow_key_is_ip(&p->key)) {
        p->mask.nw_proto = UINT8_MAX;
    }
}

/* A flow that matches on the field: its lowest bit is set where nothing else makes more sense. */
static void
probe_field(struct probe *p, const struct field *f)
{
    union field_value value;
    struct match m;

    memset(&value, 0, sizeof value);
    if (f->id == FIELD_IN_PORT || f->id == FIELD_IN_PORT_OXM || f->id == FIELD_RECIRC_ID || f->id == FIELD_PACKET_TYPE) {
        return; /* Each flow matches on them. */
    }
    field_get(f, &p->key, &value);
    if (f->id == FIELD_ETH_TYPE) {
        value.be16 = htons(0x1234);
        p->key.nw_proto = p->mask.nw_proto = 0;
    } else if (f->id == FIELD_VLAN_TCI) {
        value.be16 = htons(FLOW_VLAN_PRESENT | 1);
    } else if (f->id == FIELD_CT_STATE) {
        value.be32 = htonl(CT_TRK);
    } else {
        value.b[f->n_bytes - 1] |= 1;
    }
    m.key = p->key;
    m.mask = p->mask;
    field_match(f, &value, NULL, &m);
    p->key = m.key;
    p->mask = m.mask;
    if (p->key.vlan[0].tci && !p->key.vlan[0].tpid) {
        p->key.vlan[0].tpid = htons(WIRE_ETH_VLAN);
    }
}

static struct tc_port
port_by_number(uint32_t number, void *arg)
{
    return (struct tc_port){.number = number, .ifindex = number == PORT || number == OTHER_PORT ? (int) number : 0};
}

static const char *
ask_tc(const struct probe *p, char *why)
{
    const struct tc_ports ports = {.by_number = port_by_number};
    struct tc_filter f = {.body = BUF_EMPTY};
    int error = tc_compile(&p->key, &p->mask, p->actions.data, p->actions.len, (dp_ufid){0, 0}, &ports, false, &f, why);

    tc_filter_free(&f);
    return error ? why : NULL;
}

static const char *
ask_ebpf(const struct probe *p, char *why)
{
#ifdef HAVE_EBPF
    struct ebpf_act acts[EBPF_MAX_ACTS];
    uint64_t words[EBPF_KEY_WORDS];
    struct ebpf_mask mask;
    uint32_t n;
    const char *reason = ebpf_encode_key(&p->key, &p->mask, words, &mask) ? ebpf_encode(p->actions.data, p->actions.len, acts, &n)
                                                                           : "no packet that programs see has it";

    if (reason) {
        snprintf(why, CAPABILITY_WHY_MAX, "%s", reason);
    }
    return reason ? why : NULL;
#else
    snprintf(why, CAPABILITY_WHY_MAX, "this build has no eBPF datapath");
    return why;
#endif
}

static const char *
ask_kernel(const struct probe *p, struct dp *kernel, char *why)
{
    struct dp_flow_put put = {.ufid = dp_ufid_of(&p->key, &p->mask),
                              .key = &p->key,
                              .mask = &p->mask,
                              .actions = p->actions.data,
                              .actions_len = p->actions.len};
    struct dp_flow_del del = {.ufid = put.ufid, .key = &p->key};

    if (!kernel) {
        snprintf(why, CAPABILITY_WHY_MAX, "not known: no bridge uses it");
        return why;
    }
    kernel->ops->flow_put(kernel, &put, 1);
    if (put.error) {
        snprintf(why, CAPABILITY_WHY_MAX, "openvswitch.ko refuses it (%s)", errno_text(put.error));
        return why;
    }
    kernel->ops->flow_del(kernel, &del, 1);
    return NULL;
}

static void
ignore_output(uint32_t port, struct packet *packet, const struct flow_key *key, bool last, void *arg)
{
}

static void
ignore_recirc(uint32_t id, struct packet *packet, const struct flow_key *key, void *arg)
{
}

/* The executor is asked with a packet; it matches on whatever a key has. */
static const char *
ask_daemon(const struct probe *p, char *why)
{
    static const struct execute_ops ops = {.output = ignore_output, .recirc = ignore_recirc};
    struct packet *packet = packet_compose(&p->key, 100);
    int error = execute_actions(packet, &p->key, p->actions.data, p->actions.len, &ops, NULL);

    packet_free(packet);
    if (error) {
        snprintf(why, CAPABILITY_WHY_MAX, "the daemon has no executor for it (%s)", errno_text(error));
    }
    return error ? why : NULL;
}

static const char *
ask(enum capability_tier tier, const struct probe *p, struct dp *kernel, char *why)
{
    return tier == CAPABILITY_KERNEL ? ask_kernel(p, kernel, why)
           : tier == CAPABILITY_EBPF ? ask_ebpf(p, why)
           : tier == CAPABILITY_TC   ? ask_tc(p, why)
                                     : ask_daemon(p, why);
}

/* TC and the programs do not know packets that are looked up again by an id that nobody gave. */
static uint32_t
recirc_id_for(enum capability_tier tier)
{
    return tier == CAPABILITY_KERNEL ? PROBE_RECIRC_ID : 0;
}

/* Fields for which openvswitch.ko has no key attribute (lib/nl/ovs_key.def): a flow without them is what it would take. */
static bool
kernel_has_key(enum field_id id)
{
    static const bool has_none[FIELD_N_IDS] = {
#define OVS_ATTR(ATTR, SIZE)
#define OVS_FIELD(ID, ATTR, CONV, OFFSET, BYTES, MEMBER)
#define OVS_HOOK(ID)
#define OVS_SHARED(ID, WITH)
#define OVS_NONE(ID) [FIELD_##ID] = true,
#include "lib/nl/ovs_key.def"
    };

    return !has_none[id] || id == FIELD_PACKET_TYPE; /* That all packets have. */
}

const char *
capability_of_field(enum capability_tier tier, const struct field *f, struct dp *kernel, char why[CAPABILITY_WHY_MAX])
{
    struct probe p;

    if (tier == CAPABILITY_DAEMON) {
        return NULL;
    }
    if (tier == CAPABILITY_KERNEL && !kernel_has_key(f->id)) {
        snprintf(why, CAPABILITY_WHY_MAX, "openvswitch.ko has no key attribute for it");
        return why;
    }
    probe_init(&p, f->prereq, f->id == FIELD_RECIRC_ID ? PROBE_RECIRC_ID : recirc_id_for(tier));
    probe_field(&p, f);
    return ask(tier, &p, kernel, why);
}

/* The packets for which such an action comes. */
static enum field_prereq
prereq_of_action(const char *action)
{
    static const struct {
        const char *text;
        enum field_prereq prereq;
    } of[] = {{"ipv6(", FP_IPV6}, {"arp(", FP_ARP},     {"tcp(", FP_TCP},   {"sctp(", FP_SCTP}, {"icmp(", FP_ICMPV4},
              {"nd(", FP_ND},     {"pop_mpls", FP_MPLS}, {"mpls(l", FP_MPLS}, {"pop_vlan", FP_VLAN_VID}};

    for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
        if (strstr(action, of[i].text) && strncmp(action, "push_", 5)) {
            return of[i].prereq;
        }
    }
    return FP_NONE;
}

const char *
capability_of_action(enum capability_tier tier, const char *action, struct dp *kernel, char why[CAPABILITY_WHY_MAX])
{
    struct probe p;
    const char *answer;
    char *error;

    probe_init(&p, prereq_of_action(action), recirc_id_for(tier));
    error = action_parse(action, NULL, &p.actions);
    if (error) {
        snprintf(why, CAPABILITY_WHY_MAX, "%s", error);
        free(error);
        answer = why;
    } else {
        answer = ask(tier, &p, kernel, why);
    }
    buf_free(&p.actions);
    return answer;
}
