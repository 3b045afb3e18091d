// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Labels of MPLS. No helper of Linux 6.1 puts four bytes into a packet of any Ethertype, or takes them out, and tells the kernel its new Ethertype; but those for VLAN
// tags do, since the tag beside the packet goes into it when another is pushed, and the kernel reads the Ethertype that a popped tag uncovers from the packet's
// data. So tags are pushed, the bytes behind them are written as they shall be in the end, and the tags are popped again.
//
// The sum that a device may have made of a packet (CHECKSUM_COMPLETE) is not kept right: such packets, and those that are to be segmented, are the daemon's (can_label()).
#ifndef LIB_DP_EBPF_MPLS_BPF_H
#define LIB_DP_EBPF_MPLS_BPF_H 1

#define LABEL 4
#define MAX_HEAD 32 /* Tags, Ethertype and SNAP header, and a label. */

static __always_inline bool
is_mpls(uint16_t type)
{
    return type == 0x8847 || type == 0x8848;
}

/* Can the labels of the packet be changed by a program? */
static __always_inline bool
can_label(struct __sk_buff *skb)
{
    return !skb->gso_size && bpf_csum_update(skb, 0) < 0;
}

/* How many tags are before the labels: the parser sees no more. */
static __always_inline uint32_t
tags_before(const struct scratch *s)
{
    return s->tags < FLOW_N_VLANS ? s->tags : FLOW_N_VLANS;
}

/* Where labels are or would be: behind the Ethertype, as the parser sees it. 0: the packet is too short. */
static __always_inline uint32_t
labels_at(struct __sk_buff *skb, const struct scratch *s, uint16_t *type)
{
    uint32_t inner = tags_before(s) - (skb->vlan_present ? 1 : 0);
    uint32_t at = 12 + 4 * inner;
    uint8_t h[10];

    if (inner > FLOW_N_VLANS || bpf_skb_load_bytes(skb, at, h, 2)) {
        return 0;
    }
    *type = u16_at(h);
    if (*type >= 0x600 || bpf_skb_load_bytes(skb, at, h, 10) || u16_at(h + 2) != 0xaaaa || h[4] != 3 || h[5] || h[6] || h[7]) {
        return at + 2;
    }
    *type = u16_at(h + 8);
    return at + 10;
}

/* Where the outermost label is; -1: there is none. */
static __noinline int
label_at(struct __sk_buff *skb, const struct scratch *s)
{
    uint16_t type = 0;
    uint32_t at = labels_at(skb, s, &type);

    return at && is_mpls(type) ? (int) at : -1;
}

/* EBPF_ACT_PUSH_MPLS and EBPF_ACT_POP_MPLS: the Ethertype, then the label, are in 'value'. */
static __noinline int
change_labels(struct __sk_buff *skb, struct scratch *s, const struct ebpf_act *a)
{
    bool push = a->kind == EBPF_ACT_PUSH_MPLS, untagged = !skb->vlan_present;
    uint8_t *head = s->head;
    uint16_t type = 0, tag[2];
    uint32_t at = labels_at(skb, s, &type), n = at - 12;
    int error;

    if (!at || n > MAX_HEAD - 2 * LABEL || n < 2 || (!push && (!is_mpls(type) || skb->len < at + LABEL))) {
        return 0;
    }
    asm volatile("" : "+r"(n));
    n = ((n - 1) & (MAX_HEAD - 1)) + 1;
    if (bpf_skb_load_bytes(skb, 12, head + LABEL, n)) {
        return -1;
    }
    head[(LABEL + n - 2) & (2 * MAX_HEAD - 1)] = a->value[0];
    head[(LABEL + n - 1) & (2 * MAX_HEAD - 1)] = a->value[1];
    error = untagged ? (int) bpf_skb_vlan_push(skb, bpf_htons(0x8100), 0) : 0;
    s->l3 = s->l4 = 0;
    s->relabelled++;
    if (push) {
        s->tags = tags_before(s); /* What is behind the label is no tag any more. */
        for (unsigned i = 0; i < LABEL; i++) {
            head[(LABEL + n + i) & (2 * MAX_HEAD - 1)] = a->value[2 + i];
        }
        /* Beside the packet and twice in it; the second of these is written over. */
        error |= (int) bpf_skb_vlan_push(skb, (uint16_t) skb->vlan_proto, (uint16_t) skb->vlan_tci);
        error |= (int) bpf_skb_vlan_push(skb, bpf_htons(0x8100), 0);
        error |= store_up_to(skb, 16, head + LABEL, n + LABEL, MAX_HEAD, 0);
    } else {
        tag[0] = (uint16_t) skb->vlan_proto;
        tag[1] = bpf_htons((uint16_t) skb->vlan_tci);
        __builtin_memcpy(head, tag, sizeof tag);
        /* What is in the packet now is written again behind itself, over the label. */
        error |= (int) bpf_skb_vlan_push(skb, bpf_htons(0x8100), 0);
        error |= store_up_to(skb, 16, head, n + LABEL, MAX_HEAD, 0);
        error |= (int) bpf_skb_vlan_pop(skb);
    }
    error |= (int) bpf_skb_vlan_pop(skb);
    return error | (untagged ? (int) bpf_skb_vlan_pop(skb) : 0);
}

#endif
