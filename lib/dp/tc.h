// SPDX-License-Identifier: Apache-2.0
// Traffic control of Linux as a tier below the datapath: a megaflow as a flower filter on the ingress of its
// in_port's device. Formats: include/uapi/linux/{pkt_cls,pkt_sched,rtnetlink}.h. All our filters are on chain
// 0 of the ingress hook; each carries the flow's ufid as the cookie of its first action. Any thread; the pool
// is of NETLINK_ROUTE.
//
// Others use TC too. A qdisc that is there is used as it is; only what we put is ever deleted.
#ifndef LIB_DP_TC_H
#define LIB_DP_TC_H 1

#include "lib/dp/dp.h"
#include "lib/nl/sock.h"

/* Priorities: 1 is that of policing, which looks at a packet first. Flows follow. */
#define TC_PRIO_POLICE 1
#define TC_PRIO_FIRST 2
#define TC_PRIO_LAST 0xafff /* Behind it is the eBPF datapath. */

/* Sees to it that the device has an ingress hook. 0 (then '*made' tells whether it had none), or -errno. */
int tc_ingress_ensure(struct nl_pool *, int ifindex, bool *made);
/* Takes the hook away again. -EBUSY: it has filters, whosever they are. */
int tc_ingress_delete(struct nl_pool *, int ifindex);

/* Begins a request about a filter on the ingress hook: 'type' RTM_NEWTFILTER, RTM_DELTFILTER or
 * RTM_GETTFILTER. 'prio' and 'protocol' 0: any. */
size_t tc_filter_begin(struct buf *, uint16_t type, uint16_t flags, int ifindex, uint16_t prio, be16 protocol,
                       uint32_t handle);

/* A datapath port's device, for those who compile and decode. */
struct tc_port {
    uint32_t number; /* Of the datapath. */
    int ifindex;     /* 0: no such port. */
    bool internal;   /* Packets to it go up into this host's stack; packets from it cannot be caught here. */
};
struct tc_ports {
    struct tc_port (*by_number)(uint32_t number, void *arg);
    struct tc_port (*by_ifindex)(int ifindex, void *arg);
    void *arg;
};

#define TC_WHY_MAX 160

/* A megaflow as a filter: everything but its priority, handle and policy. Zero it first; free with
 * tc_filter_free(). */
struct tc_filter {
    int ifindex;     /* Of the device it looks at. */
    be16 protocol;   /* Ethertype of the frame, that of the tag if it has one. */
    struct buf body; /* Attributes of TCA_OPTIONS but the flags. */
};
void tc_filter_free(struct tc_filter *);

/* tc_flower.c. Pure but for looking up ports. 0 and '*f'; or -EOPNOTSUPP and one line in 'why' that names the
 * match or action that flower (or this compiler) cannot express. 'quick' asks for counters that are cheap to
 * make and dear to use: where the kernel will not see the packets. */
int tc_compile(const struct flow_key *key, const struct flow_key *mask, const void *actions,
               size_t actions_len, dp_ufid, const struct tc_ports *, bool quick, struct tc_filter *f,
               char why[TC_WHY_MAX]);
/* Appends the request that puts it; 'flags' are TCA_CLS_FLAGS_*, 'nl_flags' NLM_F_ECHO or 0. */
void tc_filter_put(struct buf *, const struct tc_filter *, uint16_t prio, uint32_t handle, uint32_t flags,
                   uint16_t nl_flags);
/* Appends the request that deletes one. It is answered by a last message with the counters. */
void tc_filter_del(struct buf *, int ifindex, be16 protocol, uint16_t prio, uint32_t handle);

/* tc_decode.c. What a message about a filter says. Counters are those of its first action. */
struct tc_seen {
    int ifindex;
    be16 protocol;
    uint16_t prio;
    uint32_t handle;
    bool flower, in_hw, has_ufid, complete; /* complete: it had options with keys (not terse). */
    dp_ufid ufid;
    uint64_t packets, bytes, hw_packets, hw_bytes;
    struct nl_attr options; /* TCA_OPTIONS of the message. */
};
/* 0; or -EPROTO: no message about a filter on an ingress hook. */
int tc_seen_of(const struct nlmsghdr *, struct tc_seen *);
/* The flow that a complete one stands for, as tc_compile() would make it: 0, with the actions appended; or
 * -EOPNOTSUPP: not one of ours. */
int tc_decode(const struct tc_seen *, const struct tc_ports *, struct flow_key *key, struct flow_key *mask,
              struct buf *actions);

/* tc_prio.c. Priorities: a flower instance of a priority has filters of one mask and Ethertype only, as
 * adapters like it and as lookups are fastest. Not thread-safe: the owner locks. */
struct tc_prios;
struct tc_prio {
    uint16_t number;
    be16 protocol;
    int ifindex;
    size_t n_filters;
    uint32_t last_handle;
};
struct tc_prios *tc_prios_create(void);
void tc_prios_destroy(struct tc_prios *);
/* The priority of filters of this shape on this device, counted as used once more; NULL: all are taken.
 * tc_prio_put() gives it back. */
struct tc_prio *tc_prio_get(struct tc_prios *, int ifindex, be16 protocol, const struct flow_key *mask);
void tc_prio_put(struct tc_prios *, struct tc_prio *);
/* A filter that is in the kernel already: the same with its number and handle given. NULL: that number is of
 * filters of another shape. */
struct tc_prio *tc_prio_adopt(struct tc_prios *, int ifindex, be16 protocol, const struct flow_key *mask,
                              uint16_t number, uint32_t handle);
/* The device has gone, or is none of ours any more; it has no filters of ours. */
void tc_prios_forget(struct tc_prios *, int ifindex);
/* Somebody else uses the number. */
void tc_prio_reserve(struct tc_prios *, int ifindex, uint16_t number);

/* tc_police.c. A limit on what the device receives: rate in bytes/s and burst in bytes, or packets; 0, 0:
 * none. */
struct tc_police_rate {
    uint64_t bytes, bytes_burst, packets, packets_burst;
};
int tc_police_set(struct nl_pool *, int ifindex, const struct tc_police_rate *);
int tc_police_delete(struct nl_pool *, int ifindex); /* -ENOENT: there was none. */

#endif
