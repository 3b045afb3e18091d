// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Where in a packet that has been parsed the fields and checksums are that actions are about.
#ifndef LIB_DP_EBPF_LAYER_BPF_H
#define LIB_DP_EBPF_LAYER_BPF_H 1

/* Where the transport checksum is; 0: there is none to repair. '*pseudo': it covers a pseudo header. */
static __always_inline uint32_t
transport_sum(const struct scratch *s, bool *pseudo)
{
    uint8_t proto = s->key.nw_proto;
    bool is_ipv6 = s->key.eth_type == bpf_htons(0x86dd);

    *pseudo = true;
    if (!s->l4) {
        return 0;
    }
    if (proto == IPPROTO_TCP) {
        return s->l4_len >= 20 ? s->l4 + 16 : 0;
    }
    if (proto == IPPROTO_UDP) {
        return s->l4_len >= 8 ? s->l4 + 6 : 0;
    }
    if (proto == IPPROTO_ICMPV6 && is_ipv6) {
        return s->l4_len >= 8 ? s->l4 + 2 : 0;
    }
    *pseudo = false;
    return proto == IPPROTO_ICMP && !is_ipv6 && s->l4_len >= 8 ? s->l4 + 2 : 0;
}

/* Where the layer begins that a write is about; -1: the packet has none. */
static __always_inline int
layer_of(const struct scratch *s, uint8_t layer)
{
    uint8_t proto = s->key.nw_proto;
    bool is_ipv4 = s->key.eth_type == bpf_htons(0x0800), is_ipv6 = s->key.eth_type == bpf_htons(0x86dd);
    bool nd = s->key.tp_dst == 0 && (s->key.tp_src == bpf_htons(135) || s->key.tp_src == bpf_htons(136));

    if (layer == EBPF_L2) {
        return 0;
    }
    if (!s->l3) {
        return -1;
    }
    if (layer == EBPF_IPV4 || layer == EBPF_IPV6 || layer == EBPF_ARP) {
        return (layer == EBPF_IPV4 ? is_ipv4 : layer == EBPF_IPV6 ? is_ipv6 : !is_ipv4 && !is_ipv6) ? (int) s->l3 : -1;
    }
    if (!s->l4 || !s->l4_whole) {
        return -1;
    }
    if (layer == EBPF_PORTS ? proto == IPPROTO_TCP || proto == IPPROTO_UDP
        : layer == EBPF_SCTP_PORTS ? proto == IPPROTO_SCTP
        : layer == EBPF_ICMP ? is_ipv4 && proto == IPPROTO_ICMP
                             : is_ipv6 && proto == IPPROTO_ICMPV6 && (layer == EBPF_ICMPV6 || (nd && s->l4_len >= 24))) {
        return (int) s->l4;
    }
    return -1;
}

#endif
