// SPDX-License-Identifier: Apache-2.0
// What the programs of the eBPF datapath and the daemon say to each other: the shapes of map keys and values, in the host's byte order. Included by
// both sides; hence no C library here.
//
// A flow of the programs is looked up by the words of struct flow_key that a packet can fill: those of the datapath's own metadata, from skb_priority
// on, and those of its layers, from eth_dst on. All the other words are zero for a packet that comes in by a device.
//
// Most maps are arrays whose memory is the daemon's too. A flow is a place ("slot") in one of them. It is found by a digest of the masked words, which only
// names it: the words themselves are compared in any case. The digest is keyed (struct ebpf_config), so that no sender can choose packets
// whose flows have the same. A place is reused only after a grace period of the kernel's RCU.
#ifndef LIB_DP_EBPF_ABI_H
#define LIB_DP_EBPF_ABI_H 1

#include <linux/bpf.h>

#include "lib/flow/key_layout.h"

#define EBPF_ABI 10 /* Changes with this file: what another version left is not adopted. */

#define EBPF_META_FIRST (offsetof(struct flow_key, skb_priority) / 8)
#define EBPF_META_WORDS 3
#define EBPF_LAYER_FIRST FLOW_STAGE_END_0
#define EBPF_LAYER_WORDS (FLOW_KEY_WORDS - EBPF_LAYER_FIRST)
#define EBPF_KEY_WORDS (EBPF_META_WORDS + EBPF_LAYER_WORDS)
_Static_assert(offsetof(struct flow_key, skb_priority) % 8 == 0
                   && offsetof(struct flow_key, recirc_id) / 8 == EBPF_META_FIRST + EBPF_META_WORDS - 1,
               "the datapath's metadata is whole words");

#define EBPF_MAX_PORTS 4096
#define EBPF_MAX_MASKS 256
#define EBPF_MAX_HANDLERS 64
#define EBPF_MAX_ACTS 255 /* Of one flow. */
#define EBPF_MAX_AGAIN 8 /* Recirculations of one flow: a program calls but 33 others for a packet, three for each. */
#define EBPF_MAX_METERS 1024
#define EBPF_MAX_COPIES 8 /* Of copies, at once. */
#define EBPF_MAX_PACKET 65535

/* masks: the words of a key that are looked at, and their bits. */
struct ebpf_mask {
    uint32_t n;
    uint32_t pad;
    uint8_t at[(EBPF_KEY_WORDS + 7) / 8 * 8]; /* Of struct flow_key. */
    uint64_t words[EBPF_KEY_WORDS];
};

/* What is done with a packet of a flow: changed and read at once. */
union ebpf_todo {
    struct {
        uint32_t first; /* Of its records in 'acts'. */
        uint16_t port;  /* That of the last output, with EBPF_FLOW_OUTPUT or EBPF_FLOW_XDP. */
        uint8_t n;      /* Records. */
        uint8_t flags;
    };
    uint64_t whole;
};
#define EBPF_FLOW_SLOW 1   /* The daemon executes it, and counts. */
#define EBPF_FLOW_OUTPUT 2 /* All that is done is to send the packet to 'port'. */
#define EBPF_FLOW_XDP 4    /* The program of the XDP hook can do it: it ends with the only output, or there is nothing to do. */
#define EBPF_FLOW_LABELS 8 /* It changes labels of MPLS, which programs cannot do to each packet: the daemon executes it for others. */

/* flows, by slot. One whose mask has more words than a slot has room for has the others in the slot behind its own, where no flow is. */
#define EBPF_FLOW_WORDS 13
struct ebpf_flow_value {
    uint32_t life;   /* Odd: there is a flow. It changes with each that comes and goes. */
    uint32_t next;   /* Slot plus one of the next in its chain; 0: none. */
    uint32_t digest; /* Different in all flows of a chain. */
    uint32_t mask;
    union ebpf_todo todo;
    uint64_t words[EBPF_FLOW_WORDS]; /* Those that the mask has, masked. */
} __attribute__((aligned(64)));      /* A cache line. */
_Static_assert(sizeof(struct ebpf_flow_value) == 128 && EBPF_KEY_WORDS <= 2 * EBPF_FLOW_WORDS, "two cache lines, and two slots for the longest");

/* states, by slot: all that has to be known of a flow that is remembered in 'fronts', changed and read at once. Many are in one cache line. */
union ebpf_state {
    struct {
        uint32_t life; /* That of the flow. */
        uint16_t port; /* As in what is done. */
        uint8_t n, flags;
    };
    uint64_t whole;
};

/* ufids, by slot: for who adopts the flows. */
struct ebpf_ufid {
    uint64_t hi, lo;
};

/* heads: where chains of flows begin, slots plus one; 0: an empty one. As many in one element as a cache line has. */
#define EBPF_HEADS 16
struct ebpf_heads {
    uint32_t first[EBPF_HEADS];
};
#define EBPF_MAX_CHAIN 16

/* caches, one for each processor: by the hash of a packet's whole key, where its flow was last; only a hint. A way is the flow's life, a tag out of the
 * hash, and the slot. */
#define EBPF_CACHE_SETS 4096
#define EBPF_CACHE_WAYS 8
#define EBPF_SLOT_BITS 22
#define EBPF_TAG_BITS 10
struct ebpf_cache {
    uint64_t ways[EBPF_CACHE_SETS][EBPF_CACHE_WAYS];
};

/* fronts: those of the first processor, then those of the next. Packets of the commonest shape (lib/dp/ebpf_front.bpf.h) before they are parsed: the words of the
 * packet that all of its key comes from, and where the flow was last. Of two places, by the hash of the words, each has one. */
#define EBPF_FRONT_WORDS 6
#define EBPF_MAX_FRONTS 32768 /* Of one processor. */
struct ebpf_front {
    uint64_t words[EBPF_FRONT_WORDS];
    uint32_t life, slot; /* Life 0: empty. */
    uint64_t pad;
};

/* counters: those of the first processor by slot, then those of the next. */
struct ebpf_counter {
    uint64_t packets, bytes, used_ns /* CLOCK_MONOTONIC */, tcp_flags;
};

/* acts: what a program can do, one thing a record. */
enum ebpf_act_kind {
    EBPF_ACT_OUTPUT = 1,  /* To port 'arg', at most 'max_len' bytes if not 0. With 'last' nothing follows. */
    EBPF_ACT_USERSPACE,   /* The cookie is in 'value' and 'mask'. */
    EBPF_ACT_PUSH_VLAN,   /* arg: tpid << 16 | tci, host order. */
    EBPF_ACT_POP_VLAN,
    EBPF_ACT_PUSH_MPLS,   /* In 'value' the Ethertype, then the label, as on the wire. */
    EBPF_ACT_POP_MPLS,    /* In 'value' the Ethertype. */
    EBPF_ACT_WRITE,       /* The masked 'len' bytes at 'at' of 'layer'. */
    EBPF_ACT_PRIORITY,    /* skb_priority and skb_mark: arg, under max_len as the mask. */
    EBPF_ACT_MARK,
    EBPF_ACT_HASH,        /* arg: basis. */
    EBPF_ACT_RECIRC,      /* arg: the new recirc_id. With 'last' nothing follows, else EBPF_ACT_RESTORE. */
    EBPF_ACT_SAVE,        /* What follows up to EBPF_ACT_RESTORE is done to a copy. arg: EBPF_SAVE_* of what that changes. */
    EBPF_ACT_RESTORE,     /* arg: as EBPF_ACT_SAVE has it. */
    /* Each of these may leave out the 'skip' records behind it. */
    EBPF_ACT_SKIP,        /* Always. */
    EBPF_ACT_METER,       /* arg: its number. If the meter drops the packet. */
    EBPF_ACT_SAMPLE,      /* arg: of 2^32, how many are sampled; UINT32_MAX all. If it is not. */
    EBPF_ACT_IF_LONGER,   /* arg: bytes. If the packet, or each segment that it is to be cut into, is not longer. */
};
#define EBPF_SAVE_META 1  /* Metadata; that is always saved. */
#define EBPF_SAVE_TAGS 2
#define EBPF_SAVE_BYTES 4 /* Of headers. */
#define EBPF_SAVE_KEY 8   /* The key, since the copy is looked up again. */
#define EBPF_SAVE_LABELS 16 /* Of MPLS; with EBPF_SAVE_TAGS and EBPF_SAVE_BYTES. */
#define EBPF_MAX_RELABELS 8 /* How many labels fewer or more a copy may have. One that is looked up again until it has more is dropped, and counted. */
enum ebpf_layer { EBPF_L2, EBPF_ARP, EBPF_IPV4, EBPF_IPV6, EBPF_PORTS, EBPF_SCTP_PORTS, EBPF_ICMP, EBPF_ICMPV6, EBPF_ND, EBPF_ND_SLL, EBPF_ND_TLL, EBPF_MPLS };
/* Checksums that a write has to repair. */
#define EBPF_SUM_IP 1        /* IPv4's own. */
#define EBPF_SUM_PSEUDO 2    /* Of the transport layer, since the pseudo header changes. */
#define EBPF_SUM_TRANSPORT 4 /* Of the transport layer, since that changes. */
#define EBPF_SUM_IF_ROUTED 8 /* With EBPF_SUM_PSEUDO: not in a packet that a routing header sends elsewhere. */
#define EBPF_SUM_SCTP 16     /* Of SCTP, whose ports are written. */
struct ebpf_act {
    uint8_t kind, layer, at, len;
    uint8_t sums, last;
    uint16_t skip;
    uint32_t arg, max_len;
    uint8_t value[16], mask[16];
};

/* meters, by number: struct meter of lib/dp/meter.h; their memory is the daemon's too. */

/* polices, by port. A bucket of tokens counted in time: what conforms delays 'free_at_ns', which may be 'burst_ns' ahead of now at most. */
struct ebpf_limit {
    uint64_t cost; /* Of one byte or packet: nanoseconds, 16 bits of them fraction; 0: no limit. */
    uint64_t burst_ns, free_at_ns;
};
struct ebpf_police {
    struct bpf_spin_lock lock;
    uint32_t pad;
    struct ebpf_limit bytes, packets;
    uint64_t dropped;
};

/* ports, by number. ifindexes: the number of an ifindex's port. */
enum ebpf_hook { EBPF_HOOK_NONE, EBPF_HOOK_TCX, EBPF_HOOK_CLSACT };
struct ebpf_port_value {
    uint32_t ifindex; /* 0: no such port. */
    uint32_t hook;    /* Where its program is: enum ebpf_hook. */
    uint32_t takes_frames; /* Of XDP, from the hook of another port. */
    uint32_t policed; /* There is a limit on it in 'polices'. */
    uint32_t made_qdisc; /* clsact: its queueing discipline was not there before. */
    uint32_t peer_ifindex; /* The host's end of an internal port, whose other end 'ifindex' is; else 0. */
    char name[16], type[16];
    uint64_t queued_bytes, taken_bytes; /* Of upcalls: written by programs, by the daemon. */
};

/* config, one value; its memory is the daemon's too. */
#define EBPF_OWNER 256
struct ebpf_config {
    uint32_t abi;
    char owner[EBPF_OWNER]; /* Folder of the pins, so that the programs of one datapath are known from another's. */
    uint32_t n_handlers;
    uint32_t queue_bytes;  /* Of upcalls, that a port may have waiting. */
    uint32_t active;       /* Which of 'order' is in force. */
    uint32_t n_masks[2];
    uint16_t order[2][EBPF_MAX_MASKS]; /* Indexes of masks, those first that are hit most. */
    uint32_t n_slots;
    uint32_t n_heads;      /* Of chains; a power of two. */
    uint32_t n_fronts;     /* Of one processor; a power of two. */
    uint64_t secrets[EBPF_KEY_WORDS + 1]; /* Random. */
};

/* Digests and hashes: one step for each word (NH of UMAC, RFC 4418 section 5.2, each product of two words' halves), then the end. */
static inline uint64_t
ebpf_digest_word(uint64_t sum, uint64_t word, uint64_t secret)
{
    return sum + (uint64_t) ((uint32_t) word + (uint32_t) secret) * ((uint32_t) (word >> 32) + (uint32_t) (secret >> 32));
}

static inline uint64_t
ebpf_digest_end(uint64_t sum)
{
    sum = (sum ^ sum >> 32) * 0x9e3779b97f4a7c15ULL;
    return sum ^ sum >> 29;
}

/* programs: those that others go on with. */
enum ebpf_program { EBPF_PROGRAM_AGAIN, EBPF_PROGRAM_EXECUTE, EBPF_N_PROGRAMS };

/* totals, per CPU, by index. */
enum ebpf_total { EBPF_HIT, EBPF_MASK_LOOKUPS, EBPF_LOST, EBPF_FAILED, EBPF_XDP_PASSED, EBPF_N_TOTALS };

/* What comes up through a ring: this, then 'len' bytes of the packet. */
enum ebpf_upcall_kind {
    EBPF_UPCALL_LOOKUP, /* No flow, or one for the daemon. */
    EBPF_UPCALL_ACTION,
    EBPF_UPCALL_OUTPUT, /* For the daemon to send; the port is in the cookie. */
};
struct ebpf_upcall {
    uint32_t kind, len;
    uint32_t in_port, recirc_id, dp_hash, pkt_mark, skb_priority;
    uint32_t gso_size;          /* 0: one packet. */
    uint16_t vlan_tpid, vlan_tci; /* Network order; of the tag beside the packet; tpid 0: none. */
    uint32_t pad;
    union {
        uint8_t cookie[32];
        uint32_t port;
    };
};
struct ebpf_upcall_buffer {
    struct ebpf_upcall header;
    uint8_t data[EBPF_MAX_PACKET + 1];
};

#endif
