// SPDX-License-Identifier: Apache-2.0
// What a datapath is: ports, megaflows and packets, behind one table of operations. A new datapath is one file with one struct dp_ops.
//
// Keys here speak the datapath's port numbers in in_port and in output actions; ofproto translates.
//
// Threads: open, close and port operations belong to the main thread. recv() of handler i belongs to handler thread i. flow_*, execute and
// dump may be called by any thread, at the same time; each thread uses the channels of its own that the datapath keeps in thread-local
// or per-call state. Errors are -errno. Nothing here includes ofproto.
#ifndef LIB_DP_DP_H
#define LIB_DP_DP_H 1

#include "lib/base/loop.h"
#include "lib/flow/action.h"
#include "lib/flow/packet.h"

#define DP_PORT_NONE UINT32_MAX
#define DP_PORT_LOCAL 0 /* The datapath's own internal port (ovs-system). */

typedef struct {
    uint64_t hi, lo;
} dp_ufid; /* Unique flow id, 128 bits; also the TC action cookie. */
#define DP_UFID_FMT "ufid:%08x-%04x-%04x-%04x-%04x%08x"
#define DP_UFID_ARGS(U) (unsigned) ((U).hi >> 32), (unsigned) ((U).hi >> 16 & 0xffff), (unsigned) ((U).hi & 0xffff), \
        (unsigned) ((U).lo >> 48), (unsigned) ((U).lo >> 32 & 0xffff), (unsigned) ((U).lo & 0xffffffff)

struct dp_stats {
    uint64_t packets, bytes;
    int64_t used_ms;    /* now_ms() of the last packet; 0: never. */
    uint16_t tcp_flags; /* OR of all seen, host order. */
};

static inline void
dp_stats_add(struct dp_stats *sum, const struct dp_stats *s)
{
    sum->packets += s->packets;
    sum->bytes += s->bytes;
    sum->used_ms = MAX(sum->used_ms, s->used_ms);
    sum->tcp_flags |= s->tcp_flags;
}

/* Milliseconds since the last packet, of which there was one. */
static inline int64_t
dp_stats_idle_ms(const struct dp_stats *s)
{
    return MAX(now_ms() - s->used_ms, 0);
}

struct dp_port {
    uint32_t number;
    char name[16];
    char type[16]; /* "system", "internal", "tap", "vxlan", ... as Interface.type calls it. */
};

struct dp_port_stats {
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped;
};

/* A flow to put. The datapath copies. */
struct dp_flow_put {
    dp_ufid ufid;
    const struct flow_key *key, *mask;
    const void *actions;
    size_t actions_len;
    bool modify;           /* Replace the actions of an existing flow; else it must not exist (-EEXIST). */
    struct dp_stats stats; /* Out, with modify: counters before. */
    int error;             /* Out: 0 or -errno. */
};

struct dp_flow_del {
    dp_ufid ufid;
    const struct flow_key *key; /* For datapaths without UFIDs. May be NULL otherwise. */
    struct dp_stats stats;      /* Out: final counters. */
    int error;                  /* Out: 0 or -errno (-ENOENT: was not there). */
};

/* One flow of a dump. Pointers are valid until the callback returns. 'key' is NULL when the dump was terse. */
struct dp_flow_dumped {
    dp_ufid ufid;
    bool has_ufid;
    const struct flow_key *key, *mask;
    const void *actions;
    size_t actions_len;
    bool actions_unknown;   /* An earlier daemon's flow: 'actions' are none, whatever it does. They are known once it is put again. */
    struct dp_stats stats;
    const char *extack;     /* TC tier: the driver's answer; a datapath: why the daemon has to execute the flow. NULL none. */
    bool in_hw;             /* TC tier: at least one device has it. */
};

struct dp_execute {
    struct packet *packet;         /* Stays the caller's; may be changed. */
    const struct flow_key *key;    /* Metadata to start with: in_port, recirc_id, marks, tunnel. */
    const void *actions;
    size_t actions_len;
    bool probe;                    /* A probe: do not log a failure. */
    bool help;                     /* Some of the actions are not the datapath's, or are too many for it: they are done in the daemon. */
    int error;                     /* Out. */
};

/* A packet that came up. */
struct dp_upcall {
    struct packet *packet;       /* The receiver's to free. */
    struct flow_key key;         /* As the datapath extracted it (or as we did, where it cannot tell). */
    dp_ufid ufid;                /* As the datapath computes it for a miss; has_ufid false: the receiver computes (dp_ufid_of). */
    bool has_ufid;
    bool action;                 /* By a userspace action (then 'cookie' is set), else a miss. */
    struct upcall_cookie cookie;
    uint32_t recv_handler;
};

struct dp_meter_band { uint32_t rate, burst; };
struct dp_meter { uint32_t id; bool pktps; bool keep_stats; unsigned n_bands; struct dp_meter_band bands[8]; };
struct dp_meter_counter { uint64_t packets, bytes; };
struct dp_meter_stats { struct dp_meter_counter met, dropped[8] /* By each band. */; };

enum dp_port_event_type { DP_PORT_ADDED, DP_PORT_DELETED, DP_PORT_CHANGED };

/* What a datapath was found able to do, by probing at open. */
struct dp_features {
    bool ufid, masked_set, ct_state, ct_zone, ct_mark, ct_label, ct_orig_tuple, ct_orig_tuple6, ct_timeout, ct_eventmask, ct_state_nat, ct_zero_snat, ct_clear, recirc, trunc,
        clone, sample, check_pkt_len, per_cpu_dispatch, tc_recirc_sharing, nd_extensions, add_mpls, drop_action, vlan_cvlan, lb_output;
    unsigned max_vlan_headers, max_mpls_depth, max_hash_alg, max_sample_nesting;
};
/* Logs them at info in the words of the installed daemon ("system@ovs-system: Datapath supports recirculation", ...). */
struct dp;
void dp_features_log(const struct dp *);
struct buf;
void dp_features_format(const struct dp_features *, struct buf *); /* As dpif/show-dp-features of ovs-vswitchd(8). */

/* What a datapath is opened with. */
struct dp_settings {
    unsigned n_handlers; /* Threads that will receive. */
    /* Of type "ebpf"; 0: its default. */
    uint32_t ebpf_flows, ebpf_actions; /* Megaflows, and action records of all of them. */
    uint32_t ebpf_ring_kb, ebpf_queue_kb; /* Of packets on their way up: a handler's ring, and a port's share of it. */
};

/* A limit on what comes in by a port; a rate of 0: none. */
struct dp_police {
    uint32_t kbps, kburst /* kbit */, kpps, kpkts_burst;
};

struct dp_ops {
    const char *type;        /* As Bridge.datapath_type names it: "system", "ebpf"; "dummy" for tests. */
    const char *version_file; /* Of the system, with one line that says the version of a datapath that is none of this daemon's; NULL: it is its own. */
    int (*probe)(char **why); /* 0: this host has it. -errno and '*why' (caller frees): not. Cheap; no side effect that stays. */
    /* Opens (creating it if need be; adopting what a previous daemon left). 0; or -errno, and '*why' (caller frees) if there is more to say. */
    int (*open)(const char *name, const struct dp_settings *, struct loop *, struct dp **, char **why);
    /* What it has to do without on this host, one line; appends nothing if it has all. NULL: as if so. */
    void (*remark)(const struct dp *, struct buf *);
    /* 'destroy' false leaves ports and flows in place for the next daemon. */
    void (*close)(struct dp *, bool destroy);

    /* 0; or -errno, and '*why' (caller frees) if there is more to say. */
    int (*port_add)(struct dp *, const char *devname, const char *type, uint32_t *number /* In: wish or DP_PORT_NONE; out. */, char **why);
    int (*port_del)(struct dp *, uint32_t number);
    int (*port_dump)(struct dp *, void (*fn)(const struct dp_port *, void *arg), void *arg);
    int (*port_stats)(struct dp *, uint32_t number, struct dp_port_stats *);
    /* Whether a device of the host is behind the port. NULL: behind all. */
    bool (*port_has_device)(struct dp *, uint32_t number);
    /* One of Interface.options, each said once after port_add; then 'key' NULL: there are no others. Ignored where the datapath has no use for it. NULL: has none
     * for any. All may be said again after a remark. Where 'options_change' is set they may also change under a port that forwards: those that are not set any
     * more are said with a 'value' of NULL; elsewhere such a port is deleted and added. */
    int (*port_config)(struct dp *, uint32_t number, const char *key, const char *value);
    bool options_change;
    /* What of it the port has to do without, and why, though it forwards: one line, good until the port's next operation. NULL: nothing; the function: never. */
    const char *(*port_remark)(const struct dp *, uint32_t number);
    /* Limits what comes in by the port. -EOPNOTSUPP, or NULL: a filter of TC on its device is to do it. */
    int (*port_police)(struct dp *, uint32_t number, const struct dp_police *);
    /* The device on which TC sees what comes in by the port and through which TC sends to it. NULL: that with the port's name. */
    int (*port_ifindex)(const struct dp *, uint32_t number);
    /* Whether filters of TC have to see packets before the datapath does. 0 or -errno. NULL: they always do. */
    int (*let_tc_first)(struct dp *, bool);
    /* Calls fn in the main thread when a port comes, goes or its device changes. */
    void (*port_watch)(struct dp *, void (*fn)(enum dp_port_event_type, const struct dp_port *, void *arg), void *arg);

    /* Blocks up to 'timeout_ms' (-1: until dp_wake) for at most 'max' upcalls of handler 'handler'; how many came, 0 at time-out or wake. The calling
     * thread must be offline for RCU or must not hold anything: implementations go offline while they sleep. */
    int (*recv)(struct dp *, unsigned handler, struct dp_upcall *, unsigned max, int timeout_ms);
    void (*wake)(struct dp *); /* Any thread: makes all recv() return soon. */

    void (*flow_put)(struct dp *, struct dp_flow_put *, size_t n);  /* A batch; each has its own error. */
    void (*flow_del)(struct dp *, struct dp_flow_del *, size_t n);
    int (*flow_get)(struct dp *, const dp_ufid *, void (*fn)(const struct dp_flow_dumped *, void *arg), void *arg);
    /* All flows; 'terse' asks for ufid and counters only. fn false ends it. */
    int (*flow_dump)(struct dp *, bool terse, bool (*fn)(const struct dp_flow_dumped *, void *arg), void *arg);
    int (*flow_flush)(struct dp *);
    void (*execute)(struct dp *, struct dp_execute *, size_t n);    /* A batch. Packets leave in order. */

    int (*meter_set)(struct dp *, const struct dp_meter *);
    int (*meter_del)(struct dp *, uint32_t id);
    int (*meter_get)(struct dp *, uint32_t id, struct dp_meter_stats *); /* -ENOENT: there is none. */
    int (*ct_flush)(struct dp *, const uint16_t *zone /* NULL: all */);
    const struct dp_features *(*features)(const struct dp *);
    uint64_t (*kernel_memory)(const struct dp *); /* Bytes that it has the kernel hold. NULL: not known. */
    void (*lookup_stats)(struct dp *, uint64_t *hit, uint64_t *missed, uint64_t *lost, uint64_t *n_flows, uint64_t *mask_hits, uint32_t *n_masks);
};

/* First member of every implementation's struct. */
struct dp {
    const struct dp_ops *ops;
    char *name; /* "ovs-system". */
};

/* The table of datapaths of this build; NULL-terminated. */
extern const struct dp_ops *const dp_types[];
/* What Bridge.datapath_type 'type' ("" is "system") means on this host: 0 and '*ops', or -errno and '*why' (caller frees). "system" is that of
 * openvswitch.ko, or "ebpf" where the kernel lacks the module: '*why' then says so, too, else it stays. */
int dp_select(const char *type, const struct dp_ops **ops, char **why);
/* --enable-dummy: dp_select() also knows "dummy", the userspace datapath of tests; 'for_all' (=override): and answers it for every type. */
void dp_enable_dummy(bool for_all);
void dp_disable_system(void); /* --disable-system: "system" is unknown from now on. */
bool dp_dummy_is_enabled(void);
bool dp_dummy_is_for_all(void);
/* Bridge.datapath_version: the version, "<unknown>" when its file is not there, as for a module of the kernel's own tree, or "<built-in>". */
void dp_version(const struct dp_ops *, char *text, size_t size);
dp_ufid dp_ufid_of(const struct flow_key *key, const struct flow_key *mask);
static inline bool
dp_ufid_equal(dp_ufid a, dp_ufid b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

/* For tables of flows: a ufid is a hash already. */
static inline uint32_t
dp_ufid_hash(dp_ufid u)
{
    return (uint32_t) (u.lo ^ u.hi);
}

/* The 16 bytes of a ufid in the kernel: four 32-bit numbers in the host's order, as ovs-dpctl and tc cookies have them. */
static inline void
dp_ufid_pack(dp_ufid u, uint32_t raw[4])
{
    raw[0] = (uint32_t) (u.hi >> 32);
    raw[1] = (uint32_t) u.hi;
    raw[2] = (uint32_t) (u.lo >> 32);
    raw[3] = (uint32_t) u.lo;
}

static inline dp_ufid
dp_ufid_unpack(const void *bytes)
{
    uint32_t raw[4];

    memcpy(raw, bytes, sizeof raw);
    return (dp_ufid){(uint64_t) raw[0] << 32 | raw[1], (uint64_t) raw[2] << 32 | raw[3]};
}

#endif
