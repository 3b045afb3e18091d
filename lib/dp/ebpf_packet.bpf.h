// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// A packet as the hook hands it over: with EBPF_XDP that of XDP, a frame that is all in one piece; else that of TC.
#ifndef LIB_DP_EBPF_PACKET_BPF_H
#define LIB_DP_EBPF_PACKET_BPF_H 1

#define MACS 12 /* Bytes of both addresses. */

/* Of a checksum: the sum of 16-bit words out of one of wider ones. */
static __always_inline uint16_t
fold(uint64_t sum)
{
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t) ((sum & 0xffff) + (sum >> 16));
}

#ifdef EBPF_XDP

typedef struct xdp_md packet_ctx;

/* A frame in pieces is not given to a program that has not said that it knows of them. */
static __always_inline uint32_t
packet_len(packet_ctx *p)
{
    return p->data_end - p->data;
}

/* With the tag beside it, which there is none of. */
static __always_inline uint32_t
frame_len(packet_ctx *p)
{
    return packet_len(p);
}

static __always_inline bool
packet_load(packet_ctx *p, uint32_t at, void *to, uint32_t n)
{
    return !bpf_xdp_load_bytes(p, at, to, n);
}

/* The tag that a device has put beside the packet is none of XDP's knowledge: lib/dp/ebpf_xdp.c sees to it that there is none. */
static __always_inline bool
packet_tag(packet_ctx *p, struct flow_vlan *tag)
{
    return false;
}

#else

typedef struct __sk_buff packet_ctx;

static __always_inline uint32_t
packet_len(packet_ctx *p)
{
    return p->len;
}

static __always_inline bool
packet_load(packet_ctx *p, uint32_t at, void *to, uint32_t n)
{
    return !bpf_skb_load_bytes(p, at, to, n);
}

/* With the tag beside it. */
static __always_inline uint32_t
frame_len(packet_ctx *p)
{
    return p->len + (p->vlan_present ? 4 : 0);
}

/* The tag beside the packet, if there is one. */
static __always_inline bool
packet_tag(packet_ctx *p, struct flow_vlan *tag)
{
    if (!p->vlan_present) {
        return false;
    }
    tag->tpid = (be16) p->vlan_proto;
    tag->tci = bpf_htons((uint16_t) p->vlan_tci | FLOW_VLAN_PRESENT);
    return true;
}

#endif

#endif
