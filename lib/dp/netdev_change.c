// SPDX-License-Identifier: Apache-2.0
// Changes to network devices, and their counters: rtnetlink(7).
#include <config.h>
#include "lib/dp/netdev_private.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* In a dump a device's counters cost a fraction of what they do alone: it pays for so many, and if they are so large a part of all. */
#define DUMP_FROM 8
#define DUMP_SHARE 8

size_t
netdev_request_begin(struct buf *b, uint16_t type, int ifindex, uint32_t flags, uint32_t change)
{
    struct ifinfomsg m = {
        .ifi_family = AF_UNSPEC, .ifi_index = ifindex, .ifi_flags = flags, .ifi_change = change};
    size_t at = nl_msg_begin(b, type, 0);

    buf_put(b, &m, sizeof m);
    return at;
}

int
netdev_request_run(struct netdevs *n, struct buf *b, size_t at)
{
    int error;

    nl_msg_end(b, at);
    error = nl_pool_transact(n->pool, b, NULL, NULL);
    buf_free(b);
    netdevs_absorb(n);
    return error;
}

/* The device's index; 0: not there. */
static int
ifindex_of(const struct netdevs *n, const char *name)
{
    const struct netdev_info *info = netdev_by_name(n, name);

    return info ? info->ifindex : 0;
}

int
netdev_set_up(struct netdevs *n, const char *name, bool up)
{
    int ifindex = ifindex_of(n, name);
    struct buf b = BUF_EMPTY;
    size_t at;

    if (!ifindex) {
        return -ENODEV;
    }
    at = netdev_request_begin(&b, RTM_NEWLINK, ifindex, up ? IFF_UP : 0, IFF_UP);
    return netdev_request_run(n, &b, at);
}

int
netdev_set_mac(struct netdevs *n, const char *name, struct eth_addr mac)
{
    int ifindex = ifindex_of(n, name);
    struct buf b = BUF_EMPTY;
    size_t at;

    if (!ifindex) {
        return -ENODEV;
    }
    at = netdev_request_begin(&b, RTM_NEWLINK, ifindex, 0, 0);
    nl_put(&b, IFLA_ADDRESS, &mac, sizeof mac);
    return netdev_request_run(n, &b, at);
}

int
netdev_set_mtu(struct netdevs *n, const char *name, uint32_t mtu)
{
    int ifindex = ifindex_of(n, name);
    struct buf b = BUF_EMPTY;
    size_t at;

    if (!ifindex) {
        return -ENODEV;
    }
    at = netdev_request_begin(&b, RTM_NEWLINK, ifindex, 0, 0);
    nl_put_u32(&b, IFLA_MTU, mtu);
    return netdev_request_run(n, &b, at);
}

/* include/uapi/linux/if_link.h: RTM_GETSTATS answers with what the filter asks for and nothing else. */
static void
stats_request(struct buf *b, int ifindex, uint16_t flags)
{
    struct if_stats_msg m = {.family = AF_UNSPEC,
                             .ifindex = (uint32_t) ifindex,
                             .filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64)};
    size_t at = nl_msg_begin(b, RTM_GETSTATS, flags);

    buf_put(b, &m, sizeof m);
    nl_msg_end(b, at);
}

static bool
stats_decode(const struct nlmsghdr *h, int *ifindex, struct netdev_stats *stats)
{
    struct nl_attr tb[IFLA_STATS_MAX + 1], a;
    struct rtnl_link_stats64 s = {.rx_packets = 0};
    struct if_stats_msg m;

    if (h->nlmsg_type != RTM_NEWSTATS || h->nlmsg_len < NLMSG_HDRLEN + sizeof m ||
        nl_attrs_parse(nl_msg_attrs(h, sizeof m), tb, ARRAY_SIZE(tb), NULL)) {
        return false;
    }
    memcpy(&m, (const uint8_t *) h + NLMSG_HDRLEN, sizeof m);
    a = tb[IFLA_STATS_LINK_64];
    if (!a.data) {
        return false;
    }
    /* Newer kernels append members, older ones lack the last. */
    memcpy(&s, a.data, MIN(sizeof s, a.len));
    *ifindex = (int) m.ifindex;
    *stats = (struct netdev_stats){
        .rx_packets = s.rx_packets,
        .tx_packets = s.tx_packets,
        .rx_bytes = s.rx_bytes,
        .tx_bytes = s.tx_bytes,
        .rx_errors = s.rx_errors,
        .tx_errors = s.tx_errors,
        .rx_dropped = s.rx_dropped,
        .tx_dropped = s.tx_dropped,
        .collisions = s.collisions,
        .rx_crc = s.rx_crc_errors,
        .rx_frame = s.rx_frame_errors,
        .rx_over = s.rx_over_errors,
        .rx_missed = s.rx_missed_errors,
        .multicast = s.multicast,
    };
    return true;
}

int
netdev_stats_by_index(struct nl_pool *pool, int ifindex, struct netdev_stats *stats)
{
    struct buf b = BUF_EMPTY, reply = BUF_EMPTY;
    int error, answered;

    stats_request(&b, ifindex, 0);
    error = nl_pool_transact(pool, &b, &reply, NULL);
    if (!error && (!reply.len || !stats_decode(nl_msg_at(&reply, 0), &answered, stats))) {
        error = -EPROTO;
    }
    buf_free(&b);
    buf_free(&reply);
    return error;
}

int
netdev_get_stats(struct netdevs *n, const char *name, struct netdev_stats *stats)
{
    const struct netdev_info *info = netdev_by_name(n, name);
    const struct netdev *d = info ? CONTAINER_OF(info, struct netdev, info) : NULL;

    if (d && n->stats_held && d->counted) {
        *stats = d->stats;
        return 0;
    }
    return d ? netdev_stats_by_index(n->pool, d->info.ifindex, stats) : -ENODEV;
}

static bool
stats_dumped(const struct nlmsghdr *h, void *netdevs)
{
    struct netdev_stats stats;
    struct netdev *d;
    int ifindex;

    if (stats_decode(h, &ifindex, &stats) && (d = netdev_find_ifindex(netdevs, ifindex))) {
        d->stats = stats;
        d->counted = true;
    }
    return true;
}

void
netdevs_stats_begin(struct netdevs *n, size_t wanted)
{
    struct buf b = BUF_EMPTY;

    if (wanted < DUMP_FROM || wanted * DUMP_SHARE < n->by_ifindex.n) {
        return;
    }
    for (struct hnode *h = htable_next(&n->by_ifindex, NULL); h; h = htable_next(&n->by_ifindex, h)) {
        CONTAINER_OF(h, struct netdev, by_ifindex)->counted = false;
    }
    stats_request(&b, 0, NLM_F_DUMP);
    nl_pool_dump(n->pool, &b, stats_dumped, n); /* Whom it does not tell of, or if it fails, is asked one by one. */
    buf_free(&b);
    n->stats_held = true;
}

void
netdevs_stats_end(struct netdevs *n)
{
    n->stats_held = false;
}

/* Linux, Documentation/networking/tuntap.rst. */
int
netdev_tap_open(const char *name, int *fdp)
{
    struct ifreq request;
    int fd, error;

    memset(&request, 0, sizeof request);
    if (strlen(name) >= sizeof request.ifr_name) {
        return -ENAMETOOLONG;
    }
    fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    memcpy(request.ifr_name, name, strlen(name));
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    *fdp = fd;
    return 0;
}
