// SPDX-License-Identifier: Apache-2.0
// Network devices of this host, by rtnetlink: a cache kept true by notifications, and the changes we make.
// Main thread only.
#ifndef LIB_DP_NETDEV_H
#define LIB_DP_NETDEV_H 1

#include "lib/base/loop.h"
#include "lib/dp/dp.h"

struct netdev_info {
    int ifindex;
    char name[16];
    char kind[16]; /* IFLA_INFO_KIND: "veth", "openvswitch", ... or "". */
    struct eth_addr mac;
    uint32_t mtu, min_mtu, max_mtu;
    bool admin_up, carrier;
    uint64_t speed_bps; /* 0: not known. */
    int duplex;         /* 0 half, 1 full, -1 not known. */
    char driver[32], driver_version[32],
        firmware[32]; /* ethtool; "" if not known. Filled by netdev_get_driver(). */
    int master_ifindex;
    uint64_t link_resets; /* Carrier changes seen. */
    bool untouched;       /* It came under our eyes: no earlier daemon can have left anything in its TC. */
};
struct netdev_stats {
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped, tx_dropped,
        collisions, rx_crc, rx_frame, rx_over, rx_missed, multicast;
};

struct netdevs;
struct netdevs *netdevs_create(struct loop *, char **error);
void netdevs_destroy(struct netdevs *);
const struct netdev_info *
netdev_by_name(const struct netdevs *,
               const char *name); /* NULL: not there. Valid until control returns to the loop. */
const struct netdev_info *netdev_by_ifindex(const struct netdevs *, int ifindex);
/* fn runs when a device came, went (info->ifindex kept, 'gone' true) or changed. Several watchers may
 * register; they live as long as the cache. */
void netdevs_watch(struct netdevs *, void (*fn)(const struct netdev_info *, bool gone, void *arg), void *arg);

/* Another daemon may have had the devices that there are now. Those that come after the first call are 'untouched'. */
void netdevs_distrust(struct netdevs *);

int netdev_set_up(struct netdevs *, const char *name, bool up);
int netdev_set_mac(struct netdevs *, const char *name, struct eth_addr);
int netdev_set_mtu(struct netdevs *, const char *name, uint32_t mtu);
int netdev_get_stats(struct netdevs *, const char *name, struct netdev_stats *);
/* Between these netdev_get_stats() may answer from one look at all devices, if 'n' of them are to be asked and that is cheaper. */
void netdevs_stats_begin(struct netdevs *, size_t n);
void netdevs_stats_end(struct netdevs *);
struct nl_pool;
int netdev_stats_by_index(struct nl_pool * /* NETLINK_ROUTE */, int ifindex, struct netdev_stats *); /* Any thread. */
/* What rtnetlink says of one device, without the cache. */
struct netdev_link {
    int ifindex, peer; /* 'peer': of a veth, if it is in this namespace; else 0. */
    uint16_t type;     /* ARPHRD_*. */
    unsigned flags;
    char name[16], kind[16];
};
/* By its name, or with NULL by its index. 0 and '*link', or -errno. Any thread. */
int netdev_link_get(struct nl_pool * /* NETLINK_ROUTE */, const char *name, int ifindex, struct netdev_link *);
int netdev_get_driver(struct netdevs *, const char *name, struct netdev_info *);
/* Interface.ingress_policing_*, through tc police. Rates of 0 take it away. */
int netdev_set_policing(struct netdevs *, const char *name, const struct dp_police *);
/* Turns features of a device off, named as ethtool -k shows them; those that it does not know are off. -EOPNOTSUPP: one stays on. Any thread. */
int netdev_turn_off(const char *device, const char *const *features, size_t n);
int netdev_tap_open(const char *name, int *fd); /* Creates a tap device; it lives until 'fd' is closed. */

#endif
