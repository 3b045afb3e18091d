// SPDX-License-Identifier: Apache-2.0
// The bytes of a packet's key and nothing else: this part of lib/flow/key.h needs no C library, so that the programs of the eBPF datapath
// (lib/dp/ebpf.bpf.c) have the very same layout. Who includes it has uint8_t to uint64_t, offsetof() and struct in6_addr already.
#ifndef LIB_FLOW_KEY_LAYOUT_H
#define LIB_FLOW_KEY_LAYOUT_H 1

typedef uint16_t be16; /* In network byte order. */
typedef uint32_t be32;
typedef uint64_t be64;

#define FLOW_N_REGS 16
#define FLOW_N_VLANS 2
#define FLOW_N_MPLS 3

struct eth_addr {
    uint8_t b[6];
};

struct flow_vlan {
    be16 tpid; /* 0: no tag here. */
    be16 tci;  /* With FLOW_VLAN_PRESENT set when there is a tag. */
};
#define FLOW_VLAN_PRESENT 0x1000 /* The CFI bit of tci, host order. */

/* nw_frag */
#define FLOW_FRAG_ANY 1   /* Any fragment. */
#define FLOW_FRAG_LATER 2 /* Not the first one: no L4 header. */

/* ct_state bits, ovs-fields(7) "Connection Tracking Fields". */
enum { CT_NEW = 1, CT_EST = 2, CT_REL = 4, CT_RPL = 8, CT_INV = 16, CT_TRK = 32, CT_SNAT = 64, CT_DNAT = 128 };

struct flow_key {
    /* Stage 0: metadata. */
    be64 tun_id;
    struct in6_addr tun_src6, tun_dst6;
    be32 tun_src, tun_dst;
    uint16_t tun_flags; /* FLOW_TNL_F_*. */
    uint8_t tun_tos, tun_ttl;
    be16 tun_gbp_id;
    uint8_t tun_gbp_flags, tun_pad[1];
    be16 tun_tp_src, tun_tp_dst;
    uint32_t tun_erspan; /* Reserved for ERSPAN: version, dir, hwid, index are not matched yet; 0. */
    be64 metadata;
    uint32_t regs[FLOW_N_REGS];
    uint32_t skb_priority, pkt_mark;
    uint32_t dp_hash;
    uint32_t in_port; /* In ofproto: the OpenFlow port (as 16 bits are used by OF1.0, 0xfffe and so on are kept as OFPP 32-bit values). In lib/dp: the datapath's port number. */
    uint32_t recirc_id;
    uint8_t ct_state, ct_nw_proto;
    uint16_t ct_zone;
    uint32_t ct_mark;
    be32 packet_type; /* (ns << 16 | type) in network order; 0: Ethernet. */
    uint8_t ct_label[16]; /* As a big-endian 128-bit number. */
    uint32_t conj_id;
    uint32_t actset_output;
    be32 ct_nw_src, ct_nw_dst;
    struct in6_addr ct_ipv6_src, ct_ipv6_dst;
    be16 ct_tp_src, ct_tp_dst;
    uint8_t meta_pad[4];

    /* Stage 1: L2. */
    struct eth_addr eth_dst, eth_src;
    be16 eth_type; /* 0x05ff (FLOW_ETH_TYPE_NONE) for 802.2 frames without SNAP Ethertype. */
    uint8_t l2_pad[2];
    struct flow_vlan vlan[FLOW_N_VLANS]; /* Outermost first. */
    be32 mpls[FLOW_N_MPLS];              /* Label stack entries, outermost first. */
    uint8_t mpls_pad[4];

    /* Stage 2: L3. */
    be32 nw_src, nw_dst; /* IPv4; ARP spa and tpa. */
    struct in6_addr ipv6_src, ipv6_dst;
    be32 ipv6_label; /* 20 bits. */
    uint8_t nw_frag, nw_tos /* DSCP and ECN */, nw_ttl, nw_proto /* or the low 8 bits of the ARP opcode */;

    /* Stage 3: L4, and what ARP and neighbour discovery carry. */
    struct in6_addr nd_target;
    struct eth_addr arp_sha; /* ARP; nd_sll. */
    struct eth_addr arp_tha; /* ARP; nd_tll. */
    be16 tcp_flags;
    uint8_t l3_pad[2];
    be16 tp_src, tp_dst; /* TCP, UDP, SCTP ports; ICMP type and code (as 16 bits). */
    be32 nd_reserved;
    uint8_t nd_options_type;
    uint8_t l4_pad[3];
    be32 igmp_group;
};

#define FLOW_ETH_TYPE_NONE 0x05ff
#define FLOW_TNL_F_OAM 1
#define FLOW_TNL_F_DF 2
#define FLOW_TNL_F_CSUM 4
#define FLOW_TNL_F_KEY 8

#define FLOW_KEY_WORDS (sizeof(struct flow_key) / 8)
/* First word after each stage; the last is FLOW_KEY_WORDS. */
#define FLOW_N_STAGES 4
#define FLOW_STAGE_END_0 (offsetof(struct flow_key, eth_dst) / 8)
#define FLOW_STAGE_END_1 (offsetof(struct flow_key, nw_src) / 8)
#define FLOW_STAGE_END_2 (offsetof(struct flow_key, nd_target) / 8)

_Static_assert(sizeof(struct flow_key) % 8 == 0, "a key is whole words");
_Static_assert(offsetof(struct flow_key, eth_dst) % 8 == 0 && offsetof(struct flow_key, nw_src) % 8 == 0
                   && offsetof(struct flow_key, nd_target) % 8 == 0, "a stage begins with a word");
_Static_assert(FLOW_KEY_WORDS <= 64, "a bitmap of words is one integer");

#endif
