// SPDX-License-Identifier: Apache-2.0
// The eBPF datapath ("ebpf"): a kernel datapath for kernels without openvswitch.ko. Programs on the TC hook of the ports' devices hold the megaflows in maps
// (lib/dp/ebpf_abi.h) and forward by themselves. What they have no flow for, or a flow that they cannot execute, goes up through a ring buffer.
//
// Behind them stands the userspace datapath (lib/dp/user.h), which is part of this one: its executor is the slow path, and what goes up is a packet
// received by it. It has the flows that are not in the maps; for the others it asks here. So a flow is kept once, and a packet that the daemon executes,
// looks up again or refuses goes the same way with both.
//
// Ports. A device of the host is given one program at its ingress hook, which takes all that comes in: tcx where the kernel has it (6.6), which chains
// behind the programs of others, else a filter of clsact. What stands at tcx comes before all filters, so it is clsact, too, where filters of TC have to see
// packets first, those of the tier below. An internal port is a veth pair: the host has the end with the port's name, and may move it to a
// namespace of its own; the other end ("slp0", "slp1", ...), with the program, stays here. So the programs know one kind of port only,
// and internal ports live as long as they are wanted, not as long as the daemon.
//
// Programs and maps are not the daemon's: hooks hold the programs and those the maps, so that forwarding goes on without it. The maps are pinned in a
// folder of bpffs, and the next daemon loads its programs upon the same maps.
//
// Packets that the daemon sends leave by packet sockets, one a port. Their checksums are complete by then and large ones have been cut into segments, as
// openvswitch.ko does for packets that go up.
#ifndef LIB_DP_EBPF_H
#define LIB_DP_EBPF_H 1

#include "lib/dp/taps.h"
#include "lib/dp/user.h"
#include "lib/nl/sock.h"

#include "lib/dp/ebpf_abi.h" /* Wants the C library's types before it. */

extern const struct dp_ops dp_ebpf_ops;

/* What struct dp_settings means by 0. */
#define EBPF_DEFAULT_FLOWS 131072
#define EBPF_MAX_FLOWS (1u << EBPF_SLOT_BITS)
#define EBPF_DEFAULT_ACTIONS 65536
#define EBPF_DEFAULT_RING_KB 4096 /* A power of two. */
#define EBPF_DEFAULT_QUEUE_KB 1024

/* One in the maps is that of its slot among ebpf.in_maps, any other is malloc'd. */
struct ebpf_flow {
    struct hnode node; /* In ebpf.flows, by ufid. */
    dp_ufid ufid;
    uint32_t slot;
    bool crowded_out; /* Of the maps. */
    struct ebpf_deed *deed;    /* NULL: it is not in the maps but one of 'user', which has the rest; or, among 'in_maps', there is none. */
    struct dp_stats *executed; /* Of the packets that the daemon executed. NULL: none yet. */
};

/* What is done with packets: once for all flows that do the same. */
struct ebpf_deed {
    struct hnode node; /* In ebpf.deeds, unless there was no room for its records. */
    uint32_t n_flows;
    bool unknown;      /* Of an earlier daemon: nobody knows the actions. */
    union ebpf_todo todo;
    const char *why;   /* What keeps programs from executing it; NULL: nothing. */
    struct user_actions actions; /* Last: it is as long as they are. Readable for a grace period. */
};
extern const char ebpf_no_room[]; /* As 'why', of flows, too. */

/* A tuple. */
struct ebpf_mask_user {
    uint32_t n_flows; /* 0: free. */
    uint64_t seen, hits; /* Lookups counted by the programs; those of late. */
    struct flow_sparse *whole; /* With bits of words that no packet has. NULL: its flows were adopted, and nobody knows. */
};

/* Numbers of 0 .. size-1 lent in blocks of 1, 2, 4 ... 256. What is given back is lent again only after a grace period of the kernel's RCU, since a program may
 * still look at it: it waits until there is enough for one, and rests while that lasts. */
#define EBPF_SPACE_CLASSES 9
struct ebpf_space {
    uint32_t size, used; /* Never lent: from 'used' on. */
    struct ebpf_space_set { /* The lowest is lent first, so that what is used at the same time lies together. */
        uint64_t *bits;     /* By the first number of a block; NULL: there was none yet. */
        uint32_t n, at;     /* How many; no word before this one has any. */
    } free[EBPF_SPACE_CLASSES];
    struct ebpf_space_list {
        uint32_t *at;
        size_t n, allocated;
    } waiting[EBPF_SPACE_CLASSES], resting[EBPF_SPACE_CLASSES];
    size_t n_waiting;
    bool rests; /* Somebody sees a grace period out: until then nobody else begins one. */
};

/* Maps whose memory is the daemon's too: struct ebpf.table. */
struct ebpf_table {
    uint32_t n_slots, n_heads;
    struct ebpf_flow_value *flows; /* n_slots of each. */
    union ebpf_state *states;
    struct ebpf_ufid *ufids;
    struct ebpf_counter *counters; /* Once for each processor. */
    struct ebpf_heads *heads;      /* n_heads / EBPF_HEADS. */
    struct ebpf_mask *masks;       /* EBPF_MAX_MASKS */
    struct ebpf_act *acts;         /* Of all flows. */
};

/* What a port is to have beside the TC hook. */
struct ebpf_xdp_port {
    char *asked;  /* "native", "none", or what there is not; NULL: nobody asked. */
    char *remark; /* It has not what it was asked for, and why; NULL: it has. */
};

struct ebpf_bpf;
struct ebpf_xdp_bpf;
struct ring_buffer;

struct ebpf_reader {
    struct ebpf *e;
    unsigned handler;
    unsigned n; /* Records taken in this turn. */
};

struct ebpf {
    struct user_dp user; /* First. */
    struct ebpf_bpf *programs;
    struct dp_settings settings; /* With no 0 in it. */
    char *pins;    /* Folder of the maps' pins. */
    bool adopted;  /* The maps are those of an earlier daemon. */
    struct ebpf_config *config;    /* The programs' own memory. */
    struct ebpf_port_value *ports; /* EBPF_MAX_PORTS; the programs' own memory. */
    struct meter *meters;          /* EBPF_MAX_METERS; the programs' own memory. What the daemon executes takes from the same buckets. */
    struct ebpf_table table;       /* Written under 'mutex'. */
    unsigned n_cpus;
    bool tcx;      /* The kernel has it. */
    bool tc_first; /* Filters of TC come before the programs. */
    struct nl_pool *route, *genl;
    struct ebpf_xdp_bpf *xdp; /* NULL: no port has asked for the XDP hook. */
    uint32_t n_xdp;           /* How often one did; atomic. */
    struct ebpf_xdp_port xdp_ports[EBPF_MAX_PORTS]; /* Main thread. */
    uint64_t totals[EBPF_N_TOTALS]; /* Of the programs, as counted last; atomic. */
    int64_t xdp_asked_ms;     /* When the kernel was asked last which devices take frames; atomic. */
    struct taps taps; /* Main thread. */

    pthread_mutex_t mutex; /* Guards what follows, and is held by who changes the flows of 'user'. */
    struct htable flows, deeds;
    struct ebpf_flow *in_maps; /* By slot. */
    struct ebpf_deed *last_deed; /* And mask, that a flow was given: the next one often has the same. The deed NULL: it has gone. */
    uint32_t last_mask;
    struct flow_key last_whole; /* Of that mask. */
    struct ebpf_mask_user masks[EBPF_MAX_MASKS];
    struct ebpf_space slots, acts, mask_ids;
    bool crowded; /* Flows stay with the daemon for want of room. */
    bool room;    /* Others have left since somebody looked. */

    struct ring_buffer **rings; /* Of each handler. */
    struct ebpf_reader *readers; /* Of each handler; its own. */
    int *ring_fds;
    unsigned n_rings;
};

static inline struct ebpf *
ebpf_cast(const struct dp *dp)
{
    return CONTAINER_OF(dp, struct ebpf, user.dp);
}

/* ebpf.c. What the programs counted since the last time is added to counters of the daemon; any thread. */
void ebpf_count_totals(struct ebpf *);

/* ebpf_space.c */
void ebpf_space_init(struct ebpf_space *, uint32_t size);
void ebpf_space_destroy(struct ebpf_space *);
void ebpf_space_adopt(struct ebpf_space * /* New. */, const bool *in_use /* 'size' of them. */);
uint32_t ebpf_space_block(uint32_t n); /* How many are lent where 'n' are asked for. */
/* 0 or -ENOSPC. Where all is lent but for what waits it sees a grace period out, which takes milliseconds. */
int ebpf_space_get(struct ebpf_space *, uint32_t n /* 1 .. 256 */, uint32_t *first);
void ebpf_space_put(struct ebpf_space *, uint32_t first, uint32_t n);
/* For who has the time: if this is true of one or more spaces, a grace period, and for each the other. */
bool ebpf_space_rest(struct ebpf_space *);
void ebpf_space_wait(void); /* A grace period. */
void ebpf_space_rested(struct ebpf_space *);

/* 'n' doubled until it is 'least', which is no more than 2^31, or more. */
static inline uint32_t
ebpf_doubled(uint32_t n, uint32_t least)
{
    while (n < least) {
        n *= 2;
    }
    return n;
}

/* ebpf_encode.c. Actions as the programs' records, at most EBPF_MAX_ACTS. NULL, or why the programs cannot do it. */
const char *ebpf_encode(const void *actions, size_t len, struct ebpf_act *, uint32_t *n);
/* The mask as the programs have it, and the key's words under it; the rest is 0. false: no packet that the programs see can match. */
bool ebpf_encode_key(const struct flow_key *key, const struct flow_key *mask, uint64_t words[EBPF_KEY_WORDS], struct ebpf_mask *);
/* Has the key, under the mask, something in words that the programs see of no packet? */
bool ebpf_is_beyond(const struct flow_key *key, const struct flow_key *mask);
void ebpf_decode_key(const uint64_t words[EBPF_KEY_WORDS], const struct ebpf_mask *, struct flow_key *); /* The opposite, but for words that no packet has. */

/* ebpf_hook.c. The program on a port's device; main thread. 0, or -errno and '*why' (caller frees) says what stands in the way. Where it has been elsewhere on the
 * device it moves. */
bool ebpf_hook_has_tcx(void);
int ebpf_hook_attach(struct ebpf *, struct ebpf_port_value *, char **why);
void ebpf_hook_detach(struct ebpf *, struct ebpf_port_value *);
int ebpf_let_tc_first(struct dp *, bool);

/* ebpf_xdp.c. Main thread but for refresh. */
int ebpf_port_config(struct dp *, uint32_t number, const char *key, const char *value);
const char *ebpf_port_remark(const struct dp *, uint32_t number);
void ebpf_xdp_apply(struct ebpf *, uint32_t number);  /* Gives the port's device what it was asked for, or takes it off. */
void ebpf_xdp_forget(struct ebpf *, uint32_t number); /* What it was asked for. */
void ebpf_xdp_detach(struct ebpf *, uint32_t number); /* Only what is ours. */
void ebpf_xdp_refresh(struct ebpf *, int64_t age_ms); /* Any thread: asks the kernel which devices take frames, unless that was asked so lately. */
bool ebpf_xdp_is_told(const struct ebpf *);           /* Does the kernel say which devices take frames? */
void ebpf_xdp_unload(struct ebpf *);

/* ebpf_port.c. Main thread. */
int ebpf_port_add(struct dp *, const char *devname, const char *type, uint32_t *number, char **why);
int ebpf_port_del(struct dp *, uint32_t number);
int ebpf_port_dump(struct dp *, void (*fn)(const struct dp_port *, void *arg), void *arg);
int ebpf_port_stats(struct dp *, uint32_t number, struct dp_port_stats *);
int ebpf_port_ifindex(const struct dp *, uint32_t number);
int ebpf_port_police(struct dp *, uint32_t number, const struct dp_police *);
void ebpf_ports_close(struct ebpf *, bool destroy);

/* ebpf_table.c: flows where the programs find them. A flow has one slot, or two where its mask has many words. -ENOSPC: a chain is full, or has a flow of the
 * same digest. Under e->mutex. */
static inline uint32_t
ebpf_table_n_slots(const struct ebpf_mask *m)
{
    return m->n > EBPF_FLOW_WORDS ? 2 : 1;
}
int ebpf_table_add(struct ebpf *, uint32_t slot, const uint64_t words[EBPF_KEY_WORDS], uint16_t mask, union ebpf_todo);
void ebpf_table_del(struct ebpf *, uint32_t slot);
void ebpf_table_words(const struct ebpf *, uint32_t slot, uint64_t words[EBPF_KEY_WORDS]);
bool ebpf_table_has(const struct ebpf *, uint32_t slot); /* Would the programs find it? */
/* As the programs find it; false: they would not. Without the mutex, as for them, it may miss one that is coming or find one that has just gone. */
bool ebpf_table_find(const struct ebpf *, const struct flow_key *, uint32_t *slot);
void ebpf_table_set_todo(struct ebpf *, uint32_t slot, union ebpf_todo);
void ebpf_counters_clear(struct ebpf *, uint32_t slot);
void ebpf_counters_add(const struct ebpf *, uint32_t slot, struct dp_stats *); /* Of all processors. */

/* ebpf_mask.c. Under e->mutex. */
int ebpf_mask_get(struct ebpf *, const struct ebpf_mask *, const struct flow_key *whole, uint16_t *id); /* For one flow more. 0 or -ENOSPC. */
void ebpf_mask_put(struct ebpf *, uint32_t id);
void ebpf_mask_whole(const struct ebpf *, uint32_t id, struct flow_key *);
void ebpf_masks_sort(struct ebpf *);    /* By their hits. */
void ebpf_masks_publish(struct ebpf *); /* The programs look up tuples of e->masks from now on. */

/* ebpf_deed.c. Under e->mutex. For one flow more, and less. */
struct ebpf_deed *ebpf_deed_get(struct ebpf *, const void *actions, size_t len);
struct ebpf_deed *ebpf_deed_adopt(struct ebpf *, union ebpf_todo);
void ebpf_deed_put(struct ebpf *, struct ebpf_deed *);
uint32_t ebpf_todo_n_records(union ebpf_todo); /* In 'acts'. */

/* ebpf_flow.c */
void ebpf_flow_put(struct dp *, struct dp_flow_put *, size_t n);
void ebpf_flow_del(struct dp *, struct dp_flow_del *, size_t n);
int ebpf_flow_flush(struct dp *);
void ebpf_flows_close(struct ebpf *);
/* Under e->mutex. */
struct ebpf_flow *ebpf_flow_new(struct ebpf *, dp_ufid, uint32_t slot, struct ebpf_deed *); /* It is in the maps, and in e->flows from now on. */
struct ebpf_flow *ebpf_flow_find(const struct ebpf *, const dp_ufid *);
const char *ebpf_flow_why(const struct ebpf_flow *); /* It is not the programs that execute it. NULL: they do. */
void ebpf_flow_stats(const struct ebpf *, const struct ebpf_flow *, struct dp_stats *); /* Adds them; of one in the maps. */
void ebpf_flows_take_in(struct ebpf *); /* Those that stayed with the daemon for want of room, if others have left. */

/* ebpf_seen.c: flows as others see them. */
int ebpf_flow_get(struct dp *, const dp_ufid *, void (*fn)(const struct dp_flow_dumped *, void *arg), void *arg);
int ebpf_flow_dump(struct dp *, bool terse, bool (*fn)(const struct dp_flow_dumped *, void *arg), void *arg);
const struct user_actions *ebpf_flow_execute(struct user_dp *, const struct packet *, const struct flow_key *); /* As user_source.find. */

/* ebpf_adopt.c. Before there are threads. How many flows were adopted. */
size_t ebpf_adopt(struct ebpf *);

/* ebpf_upcall.c */
int ebpf_rings_open(struct ebpf *);
void ebpf_rings_close(struct ebpf *);
extern const struct user_source ebpf_source;

/* ebpf_map.c: file descriptors of the maps, and what is done with them. */
int ebpf_load(struct ebpf *, char **why /* As dp_ops.open. */);
void ebpf_unload(struct ebpf *, bool destroy /* Their pins go too. */);
int ebpf_program_fd(const struct ebpf *);
int ebpf_map_rings(const struct ebpf *);
int ebpf_map_ifindexes(const struct ebpf *);
int ebpf_map_polices(const struct ebpf *);
uint64_t ebpf_total(const struct ebpf *, enum ebpf_total);
uint64_t ebpf_kernel_memory(const struct dp *); /* Of all maps and rings. */
uint64_t ebpf_mask_hits(const struct ebpf *, uint32_t mask);

#endif
