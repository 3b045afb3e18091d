// SPDX-License-Identifier: Apache-2.0
// What the files of lib/dp/netdev*.c share.
#ifndef LIB_DP_NETDEV_PRIVATE_H
#define LIB_DP_NETDEV_PRIVATE_H 1

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include "lib/base/list.h"
#include "lib/dp/netdev.h"
#include "lib/nl/sock.h"

struct netdev {
    struct hnode by_ifindex, by_name;
    struct netdev_info info;
    bool link_settings_stale; /* speed_bps and duplex are asked for when somebody wants them. */
    bool seen;                /* By the dump that is going on. */
    bool queued;              /* In netdevs.changed. */
    bool police_qdisc;        /* We made the ingress qdisc, for policing. */
    bool policed;             /* We police it. */
    bool counted;             /* 'stats' are of the last look at all, which is good while netdevs.stats_held. */
    struct netdev_stats stats;
};

struct netdev_watcher {
    void (*fn)(const struct netdev_info *, bool gone, void *arg);
    void *arg;
};

struct netdevs {
    struct loop *loop;
    struct nl_pool *pool;
    struct nl_sock *events;
    struct loop_fd *events_fd;
    bool stats_held; /* netdevs_stats_begin() read the counters of all. */
    bool distrusted; /* netdevs_distrust() was called: who comes is untouched. */
    int ethtool_fd; /* Any socket: ethtool asks by ioctl. */
    struct htable by_ifindex, by_name;
    struct netdev_watcher *watchers;
    size_t n_watchers, allocated_watchers;
    /* What watchers have not been told yet. */
    struct netdev **changed;
    size_t n_changed, allocated_changed;
    struct netdev **gone;
    size_t n_gone, allocated_gone;
};

struct netdev *netdev_find(const struct netdevs *, const char *name);
struct netdev *netdev_find_ifindex(const struct netdevs *, int ifindex);
/* Takes in what the kernel said meanwhile; watchers hear of it from the loop. */
void netdevs_absorb(struct netdevs *);
/* A request about one device: 'flags' and attributes are added by the caller between begin and
 * netdev_request_run(). */
size_t netdev_request_begin(struct buf *, uint16_t type, int ifindex, uint32_t flags, uint32_t change);
int netdev_request_run(struct netdevs *, struct buf *, size_t at);

/* netdev_ethtool.c */
/* Asks by one of the structs of linux/ethtool.h, which has the answer then. 'fd': any socket. 0, or -errno. */
int netdev_ethtool(int fd, const char *device, void *command);
void netdev_read_link_settings(int fd, struct netdev_info *);

#endif
