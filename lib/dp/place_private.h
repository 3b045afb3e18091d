// SPDX-License-Identifier: Apache-2.0
// What the files of lib/dp/place*.c share.
//
// One lock guards the records. Nobody talks to the kernel under it: who wants to move, change or delete a
// flow marks its record busy, lets go of the lock, works, and comes back. A batch is marked as a whole or not
// at all, so that nobody holds some records and waits for others.
#ifndef LIB_DP_PLACE_PRIVATE_H
#define LIB_DP_PLACE_PRIVATE_H 1

#include <pthread.h>
#include "lib/base/list.h"
#include "lib/dp/place.h"
#include "lib/dp/tc.h"
#include "lib/flow/match.h"

#define PLACE_BATCH 64 /* Flows that a promoter takes at a time. */
#define PLACE_QUEUE_MAX                                                                                      \
    100000 /* Flows that wait; beyond that they are taken up again by dumps, when they turn out hot. */
#define PLACE_N_HEATS 16     /* Queues by packets a dump: the flow's rate in powers of two. */
#define PLACE_HEAT_NEW 4     /* Where a flow begins of which nothing is known yet. */
#define PLACE_BACKOFF_MS 500 /* First pause after a device ran out of something; doubles up to the next. */
#define PLACE_BACKOFF_MAX_MS 16000
#define PLACE_SHAPE_MS 10000 /* For so long a refused shape is refused without asking. */
#define PLACE_REFUSED_MS 60000 /* After so long a refused flow is tried again: drivers may change their mind. */
#define PLACE_ADOPT_TRIES 10 /* Dumps within which all ports of a datapath should be known. */
/* How late counters of adapters may be seen: drivers read them once a second, by work that a busy host comes
 * to later. Too long keeps an idle flow for so much longer; too short ends one that is in use. */
#define PLACE_HW_LAG_MS 2000
#define PLACE_SETTLE_MS 1000 /* So long after a flow moved, packets may be on their way that passed before. */

/* A reason, once for all flows that have it. */
struct place_reason {
    struct hnode node;
    uint64_t n_flows;
    char text[TC_WHY_MAX];
};

/* A shape of flow that a device refused. */
struct place_shape {
    struct hnode node;
    int64_t until_ms;
    char why[TC_WHY_MAX];
};

struct place_flow {
    struct hnode node; /* In place.flows, by ufid. */
    dp_ufid ufid;
    struct match_sparse *match;
    void *actions;
    uint32_t actions_len;
    enum place_tier tier;
    bool busy;   /* Somebody works on it. */
    bool queued; /* In one of place.queues. */
    bool in_dp;  /* The datapath has it. */
    bool demote; /* The filter is no good any more: back to the datapath. */
    uint8_t heat;
    uint8_t sw_extra; /* Bytes a packet that TC's software counters leave out: the Ethernet header, and the
                         tag. */
    int64_t since_ms; /* When it came to its tier. */
    int64_t retry_ms; /* What kept it out may pass: dumps queue it again from then on. 0: it may not. */
    struct cds_list_head queue_node;
    struct place_reason *why; /* NULL: none. */
    struct tc_prio *prio;     /* Of its filter; NULL: it has none. */
    uint32_t handle;
    uint32_t in_port;         /* Of the datapath. */
    struct dp_stats base;      /* Counters of homes it has left. */
    struct dp_stats tc;        /* Of its filter, when last looked at. */
    struct dp_stats reported;  /* Sum of the last dump. */
    uint64_t hw_packets;       /* Of tc.packets: those that the adapter forwarded. */
    uint64_t dump_seq, tc_seq; /* The dumps that reported it last and that saw its filter last. */
};

struct place_port {
    struct hnode by_number, by_ifindex;
    struct tc_port port;
    bool ingress;      /* We know that it has an ingress hook. */
    bool ingress_ours; /* And made it. */
    unsigned adopt; /* Dumps that shall still look for filters of a previous daemon; while not 0, it counts in
                       n_unclean. */
    bool unseen; /* Nobody looked at what others have there, since nothing is to be put there yet. */
    size_t n_filters;
    /* It ran out of something: for 'pause_ms' from 'full_ms' on it is not asked for more. 0: it has room. */
    int64_t full_ms, pause_ms;
    char full_why[TC_WHY_MAX];
};

struct place {
    struct dp *dp;
    struct nl_pool *pool; /* NETLINK_ROUTE. */
    bool enabled;         /* other_config:hw-offload. Atomic, relaxed; the main thread writes. */
    bool active;          /* It was enabled once: there may be records. Atomic, relaxed. */
    unsigned n_unclean;   /* Ports that may have filters of a previous daemon. Atomic, relaxed; changed under
                             the lock. */

    pthread_mutex_t lock;
    pthread_cond_t not_busy; /* Some records are not busy any more. */
    pthread_cond_t work;     /* Something is queued, or 'stop'. */
    enum place_policy policy;
    bool stop;
    bool promoter_running;
    size_t n_promoting;    /* Flows of the batch that the promoter is working on; 0: on none. */
    uint64_t batch_number; /* Of its batches. */
    pthread_t promoter;
    struct htable flows, ports_by_number, ports_by_ifindex, reasons, shapes;
    struct tc_prios *prios;
    struct cds_list_head queues[PLACE_N_HEATS];
    size_t n_queued;
    int64_t room_ms; /* When a filter left a device last. */
    uint64_t next_dump_seq;
    uint64_t n_tier[PLACE_HW + 1], n_promoted, n_refused, n_demoted;
};

/* place.c. All want the lock. */
struct place_flow *place_find(const struct place *, dp_ufid);
struct place_flow *place_add(struct place *, dp_ufid, const struct match *, const void *actions,
                             size_t actions_len);
void place_remove(struct place *, struct place_flow *); /* Frees it. Not busy by others, not queued. */
void place_set_tier(struct place *, struct place_flow *, enum place_tier,
                    const char *why /* NULL or "": none. */);
void place_set_actions(struct place_flow *, const void *actions, size_t actions_len);
/* What its filter counted counts for the flow when the filter goes. */
void place_keep_counters(struct place_flow *);
void place_enqueue(struct place *, struct place_flow *);
void place_dequeue(struct place *, struct place_flow *);
void place_forget_filter(struct place *, struct place_flow *);
/* The flow never got the filter for which it has a place. */
void place_forget_place(struct place *, struct place_flow *);
void place_release(struct place *, struct place_flow **, size_t n); /* Not busy any more. */
/* Waits until none of them is busy and marks all. Entries may be NULL. The lock is let go meanwhile, so the
 * records may have gone: they are looked up by 'ufids' again each time. */
void place_seize(struct place *, const dp_ufid *ufids, struct place_flow **, size_t n);

/* place_port.c. With the lock, but for the last three. */
/* The port that the flow comes from, if that shall not be asked for more now; else NULL. */
const struct place_port *place_full_port(const struct place *, const struct place_flow *);
struct place_port *place_port_by_ifindex(const struct place *, int ifindex);
struct tc_ports place_tc_ports(struct place *); /* For the compiler; lookups take the lock themselves. */
/* Main thread, without the lock. Makes the ingress hooks that are missing. */
void place_ports_prepare(struct place *);
/* The same: earlier daemons may have left filters on ports that nobody has looked at yet. */
void place_ports_look_at_unseen(struct place *);

/* place_promote.c. Without the lock. */
void place_promoter_main(void *place_);
/* Deletes the filters of busy records; their last counters go to flow->tc. */
void place_delete_filters(struct place *, struct place_flow **, size_t n);
/* Puts busy records back into the datapath, then deletes their filters. */
void place_demote(struct place *, struct place_flow **, size_t n, const char *why);

/* place_adopt.c. Without the lock. */
void place_adopt(struct place *);
void place_read_counters(struct place *, uint64_t seq); /* Of all filters, into flow->tc. */
void place_stats_of_seen(const struct place_flow *, const struct tc_seen *, struct dp_stats *);

#endif
