// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The maps of the eBPF datapath's programs. Sizes that depend on the host are set by the daemon before it loads them.
#ifndef LIB_DP_EBPF_MAPS_BPF_H
#define LIB_DP_EBPF_MAPS_BPF_H 1

#define NOT_SAVED UINT32_MAX

/* What a packet on its way needs, one for each processor: nothing that runs in a receive softirq is interrupted by another of its kind. */
#define SCRATCH_PORT_BITS 3
struct scratch {
    struct flow_key key;
    uint32_t l3, l4;     /* Where they begin in the packet's data; 0: not there, or cut short. */
    uint32_t l4_len;
    uint32_t at;         /* The parser's. */
    uint32_t tags;       /* VLAN tags, that beside the packet included. */
    bool routed;         /* It is on its way to elsewhere by a routing header. */
    bool l4_whole;       /* The transport header is all there. */
    be16 l4_sum;         /* The checksum in it; of SCTP one word, which is 0 if that is. */
    uint32_t skip;       /* So many records of the flow. Not on the stack: before 6.7 the verifier takes what it is at a loop's first turn for what it always is. */
    union ebpf_todo todo; /* For the program that executes it. */
    /* Of copies (lib/dp/ebpf_copy.bpf.h). */
    uint32_t depth;      /* So many are begun. */
    int32_t pushed, lowest; /* Tags, less those popped; the least that was since the last was begun. */
    uint32_t relabelled; /* So many times labels came or went. */
    uint8_t head[64];    /* Where lib/dp/ebpf_mpls.bpf.h puts headers together. */
    uint32_t saved_end, saved_l4; /* Distances from the packet's end: of where what is saved ends (NOT_SAVED: nothing has to be), and of the saved transport header; 0: none. */
    uint32_t turn;       /* Of ways of the cache that are given up. */
    uint16_t last_ports[1 << SCRATCH_PORT_BITS]; /* By the low bits of the ifindex. */
    uint64_t ticks, now_ns; /* The clock when it was looked at last. */
    uint64_t front[EBPF_FRONT_WORDS]; /* Of the packet, if it is of that shape: */
    uint32_t front_at[2];             /* its places in 'fronts'. */
    bool has_front;
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, uint32_t);
    __type(value, struct scratch);
} scratches SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, uint32_t);
    __type(value, struct ebpf_config);
} config_map SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, EBPF_MAX_PORTS);
    __type(key, uint32_t);
    __type(value, uint32_t);
} ifindexes SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, EBPF_MAX_PORTS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, uint32_t);
    __type(value, struct ebpf_port_value);
} ports SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, EBPF_MAX_PORTS);
    __type(key, uint32_t);
    __type(value, struct ebpf_police);
} polices SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, EBPF_MAX_MASKS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, uint32_t);
    __type(value, struct ebpf_mask);
} masks SEC(".maps");

/* Lookups that went through the tuples and ended with that mask. */
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, EBPF_MAX_MASKS);
    __type(key, uint32_t);
    __type(value, uint64_t);
} mask_hits SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, uint32_t);
    __type(value, struct ebpf_flow_value);
} flows SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, uint32_t);
    __type(value, union ebpf_state);
} states SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, uint32_t);
    __type(value, struct ebpf_heads);
} heads SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, uint32_t);
    __type(value, struct ebpf_ufid);
} ufids SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, uint32_t);
    __type(value, struct ebpf_counter);
} counters SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, uint32_t);
    __type(value, struct ebpf_act);
} acts SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, EBPF_MAX_METERS);
    __uint(map_flags, BPF_F_MMAPABLE);
    __type(key, uint32_t);
    __type(value, struct meter);
} meters SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, EBPF_N_TOTALS);
    __type(key, uint32_t);
    __type(value, uint64_t);
} totals SEC(".maps");

/* One for each processor, to put an upcall together in. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, uint32_t);
    __type(value, struct ebpf_upcall_buffer);
} buffers SEC(".maps");

/* One for each processor. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, uint32_t);
    __type(value, struct ebpf_cache);
} caches SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __uint(map_flags, BPF_F_MMAPABLE); /* Which begins with a page: each is a cache line. */
    __type(key, uint32_t);
    __type(value, struct ebpf_front);
} fronts SEC(".maps");

struct ring {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 4096);
};

/* One for each handler. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, EBPF_MAX_HANDLERS);
    __type(key, uint32_t);
    __array(values, struct ring);
} rings SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, EBPF_N_PROGRAMS);
    __type(key, uint32_t);
    __type(value, uint32_t);
} programs SEC(".maps");

static __always_inline void
count(uint32_t which, uint64_t n)
{
    uint64_t *total = bpf_map_lookup_elem(&totals, &which);

    if (total) {
        *total += n;
    }
}

#endif
