// SPDX-License-Identifier: Apache-2.0
// Traffic control of Linux as a tier below the datapath: a megaflow as a flower filter on the ingress of its in_port's device.
// Formats: include/uapi/linux/{pkt_cls,pkt_sched,rtnetlink}.h. All our filters are on chain 0 of the ingress hook; each carries the flow's ufid as the
// cookie of its first action. Any thread; the pool is of NETLINK_ROUTE.
//
// Others use TC too. A qdisc that is there is used as it is; only what we put is ever deleted.
#ifndef LIB_DP_TC_H
#define LIB_DP_TC_H 1

#include "lib/dp/dp.h"
#include "lib/nl/sock.h"

/* Priorities: 1 is that of policing, which looks at a packet first. Flows follow. */
#define TC_PRIO_POLICE 1
#define TC_PRIO_FIRST 2
#define TC_PRIO_LAST 0xfff0

/* Sees to it that the device has an ingress hook. 0 (then '*made' tells whether it had none), or -errno. */
int tc_ingress_ensure(struct nl_pool *, int ifindex, bool *made);
/* Takes the hook away again. -EBUSY: it has filters, whosever they are. */
int tc_ingress_delete(struct nl_pool *, int ifindex);

/* Begins a request about a filter on the ingress hook: 'type' RTM_NEWTFILTER, RTM_DELTFILTER or RTM_GETTFILTER. 'prio' and 'protocol' 0: any. */
size_t tc_filter_begin(struct buf *, uint16_t type, uint16_t flags, int ifindex, uint16_t prio, be16 protocol, uint32_t handle);

/* tc_police.c. A limit on what the device receives: rate in bytes/s and burst in bytes, or packets; 0, 0: none. */
struct tc_police_rate {
    uint64_t bytes, bytes_burst, packets, packets_burst;
};
int tc_police_set(struct nl_pool *, int ifindex, const struct tc_police_rate *);
int tc_police_delete(struct nl_pool *, int ifindex); /* -ENOENT: there was none. */

#endif
