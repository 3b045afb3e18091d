// SPDX-License-Identifier: Apache-2.0
// Who gets a flow, and why not: a megaflow lives in the datapath from its first packet and, where
// other_config:hw-offload asks for it, is promoted to the TC tier below it. Promotion runs in threads of its
// own, batched, with back-pressure, never in the way of a miss. Make before break: the filter forwards before
// the datapath's flow goes; the counters of both are summed.
#ifndef LIB_DP_PLACE_H
#define LIB_DP_PLACE_H 1

#include "lib/dp/dp.h"

enum place_tier {
    PLACE_NONE,
    PLACE_DP /* kernel, ebpf or user: by its dp_ops.type */,
    PLACE_TC /* in the kernel's TC, not in hardware */,
    PLACE_HW /* TC, in_hw */
};
enum place_policy { PLACE_POLICY_NONE, PLACE_POLICY_SKIP_SW, PLACE_POLICY_SKIP_HW };

/* Where a flow is and what keeps it from being lower. */
struct place_state {
    enum place_tier tier;
    char why[160]; /* "" when it is as low as it can be; else one line: the match or action or the kernel's or
                      driver's message that kept it out. */
};

struct place; /* One for each datapath. */

struct place *place_create(struct dp *, struct loop *);
void place_destroy(struct place *, bool keep_flows); /* keep_flows: filters stay for the next daemon. */
/* other_config:hw-offload, tc-policy, n-promoters. Main thread. Turning off takes the filters back into the
 * datapath. */
void place_configure(struct place *, bool hw_offload, enum place_policy);
/* A datapath port's device, for TC. Main thread. ifindex 0: gone. 'internal': the device is one of the datapath's own, whose
 * packets do not pass an ingress hook. 'untouched': no earlier daemon can have left filters there (struct netdev_info). */
void place_port_set(struct place *, uint32_t dp_port, int ifindex, bool internal, bool untouched);

/* The calls of struct dp_ops that concern flows, through the tiers: any thread. Flows put are in the datapath
 * on return and queued for promotion. */
void place_flow_put(struct place *, struct dp_flow_put *, size_t n);
void place_flow_del(struct place *, struct dp_flow_del *, size_t n);
/* fn also gets the state. Filters and datapath flow of one ufid are reported once, counters summed. What is in an
 * adapter counts as used for a while after it was: its counters lag, so that dp_stats.used_ms may be later than
 * now. */
int place_flow_dump(struct place *, bool terse,
                    bool (*fn)(const struct dp_flow_dumped *, const struct place_state *, void *arg),
                    void *arg);
/* A packet came up for which there is a flow. If that is in a filter, the adapter has lost it (its firmware was
 * reset, say): the flow goes back to the datapath. */
void place_flow_missed(struct place *, dp_ufid);
/* One flow with its content, wherever it lives; its counters may be those of the last dump. 0, or -errno
 * (-ENOENT). */
int place_flow_get(struct place *, const dp_ufid *, void (*fn)(const struct dp_flow_dumped *, void *arg),
                   void *arg);
int place_flow_flush(struct place *);

/* sluicectl offload: how many flows at each tier, how many promotions, refusals by reason. */
struct place_counts {
    uint64_t flows[PLACE_HW + 1];
    uint64_t promoted, refused, demoted;
    uint64_t queued; /* Flows that wait for promotion or are on their way. */
};
void place_counts(struct place *, struct place_counts *);
void place_reasons(struct place *, void (*fn)(const char *why, uint64_t n_flows, void *arg), void *arg);
const char *place_tier_name(const struct place *, enum place_tier); /* "ovs", "ebpf", "user"; "tc"; "hw". */

#endif
