// SPDX-License-Identifier: Apache-2.0
// Ports of the eBPF datapath: the table that programs read is the only one there is of them beside the userspace datapath's, so that a daemon that adopts it
// knows which ports there are.
#include <config.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/dp/ebpf.h"
#include "lib/dp/netdev.h"

#define PEER_PATTERN "slp%d" /* The kernel puts the first number that is free. */

/* 'type' is RTM_NEWLINK to set the flags that are in 'mask', or RTM_DELLINK. */
static int
link_change(struct ebpf *e, uint16_t type, int ifindex, unsigned flags, unsigned mask)
{
    struct ifinfomsg m = {.ifi_family = AF_UNSPEC, .ifi_index = ifindex, .ifi_flags = flags, .ifi_change = mask};
    struct buf b = BUF_EMPTY;
    size_t at = nl_msg_begin(&b, type, 0);
    int error;

    buf_put(&b, &m, sizeof m);
    nl_msg_end(&b, at);
    error = nl_pool_transact(e->route, &b, NULL, NULL);
    buf_free(&b);
    return error;
}

static int
link_set_flags(struct ebpf *e, int ifindex, unsigned flags, unsigned mask)
{
    return link_change(e, RTM_NEWLINK, ifindex, flags, mask);
}

static void
link_delete(struct ebpf *e, int ifindex)
{
    link_change(e, RTM_DELLINK, ifindex, 0, 0);
}

/* veth(4): the peer's message stands whole inside the attribute. */
static int
veth_create(struct ebpf *e, const char *name)
{
    struct ifinfomsg m = {.ifi_family = AF_UNSPEC};
    struct buf b = BUF_EMPTY;
    size_t at = nl_msg_begin(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL), info, data, peer;
    int error;

    buf_put(&b, &m, sizeof m);
    nl_put_string(&b, IFLA_IFNAME, name);
    info = nl_nest_begin(&b, IFLA_LINKINFO);
    nl_put_string(&b, IFLA_INFO_KIND, "veth");
    data = nl_nest_begin(&b, IFLA_INFO_DATA);
    peer = nl_nest_begin(&b, VETH_INFO_PEER);
    buf_put(&b, &m, sizeof m);
    nl_put_string(&b, IFLA_IFNAME, PEER_PATTERN);
    nl_nest_end(&b, peer);
    nl_nest_end(&b, data);
    nl_nest_end(&b, info);
    nl_msg_end(&b, at);
    error = nl_pool_transact(e->route, &b, NULL, NULL);
    buf_free(&b);
    return error;
}

/* The end of an internal port that is ours says nothing of its own: no addresses, no neighbour discovery. */
static void
silence(const char *name)
{
    char *path = xasprintf("/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        ssize_t ignored __attribute__((unused)) = write(fd, "1", 1);

        close(fd);
    }
    free(path);
}

static bool
is_peer_name(const char *name)
{
    return !strncmp(name, PEER_PATTERN, 3) && name[3] && !name[3 + strspn(name + 3, "0123456789")];
}

/* Makes the pair, or takes the one that an earlier daemon left. '*ours' is the end with the program, '*hosts' the other. */
static int
internal_open(struct ebpf *e, const char *name, struct netdev_link *ours, struct netdev_link *hosts)
{
    int error = netdev_link_get(e->route, name, 0, hosts);
    bool made = error == -ENODEV;

    if (made) {
        error = veth_create(e, name);
        error = error ? error : netdev_link_get(e->route, name, 0, hosts);
    }
    if (error || !hosts->peer) {
        return error ? error : -EEXIST;
    }
    error = netdev_link_get(e->route, NULL, hosts->peer, ours);
    if (!error && !is_peer_name(ours->name)) {
        return -EEXIST; /* Somebody else's pair. */
    }
    if (!error) {
        silence(ours->name);
        error = link_set_flags(e, ours->ifindex, IFF_UP | IFF_NOARP, IFF_UP | IFF_NOARP);
    }
    if (error && made) {
        link_delete(e, hosts->ifindex);
    }
    return error;
}

/* A device of the host. One whose packets have no Ethernet header is refused. */
static int
system_open(struct ebpf *e, const char *name, struct netdev_link *l)
{
    int error = netdev_link_get(e->route, name, 0, l);

    if (!error && (l->type != ARPHRD_ETHER || l->flags & IFF_LOOPBACK)) {
        error = -EINVAL;
    }
    return error ? error : link_set_flags(e, l->ifindex, IFF_PROMISC, IFF_PROMISC);
}

/* A socket that sends by the device and receives nothing. */
static int
sender_open(int ifindex, int *fdp)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = ifindex};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;

    if (fd < 0) {
        return -errno;
    }
    if (bind(fd, (const struct sockaddr *) &address, sizeof address)) {
        error = -errno;
        close(fd);
        return error;
    }
    *fdp = fd;
    return 0;
}

static uint32_t
number_of(const struct ebpf *e, const char *name)
{
    for (uint32_t i = 1; i < EBPF_MAX_PORTS; i++) {
        if (e->ports[i].ifindex && !strcmp(e->ports[i].name, name)) {
            return i;
        }
    }
    return DP_PORT_NONE;
}

static int
choose_number(const struct ebpf *e, uint32_t *number)
{
    if (*number != DP_PORT_NONE) {
        return *number >= EBPF_MAX_PORTS ? -EFBIG : e->ports[*number].ifindex ? -EBUSY : 0;
    }
    for (uint32_t i = 1; i < EBPF_MAX_PORTS; i++) {
        if (!e->ports[i].ifindex && !user_port_find(&e->user, i)) {
            *number = i;
            return 0;
        }
    }
    return -EFBIG;
}

static void
forget(struct ebpf *e, uint32_t number)
{
    struct ebpf_port_value *p = &e->ports[number];
    uint32_t ifindex = p->ifindex;

    bpf_map_delete_elem(ebpf_map_ifindexes(e), &ifindex);
    __atomic_store_n(&p->ifindex, 0, __ATOMIC_RELEASE);
    p->hook = EBPF_HOOK_NONE;
    p->made_qdisc = false;
    ebpf_xdp_forget(e, number);
}

/* The programs know the port before its device has one. */
static int
plug(struct ebpf *e, uint32_t number, const char *name, const char *type, const struct netdev_link *ours, const struct netdev_link *hosts, char **why)
{
    struct ebpf_port_value *p = &e->ports[number];
    uint32_t ifindex = (uint32_t) ours->ifindex;
    int error;

    snprintf(p->name, sizeof p->name, "%s", name);
    snprintf(p->type, sizeof p->type, "%s", type);
    p->peer_ifindex = hosts ? (uint32_t) hosts->ifindex : 0;
    p->policed = p->takes_frames = false;
    __atomic_store_n(&p->ifindex, ifindex, __ATOMIC_RELEASE);
    error = bpf_map_update_elem(ebpf_map_ifindexes(e), &ifindex, &number, BPF_ANY);
    if (!error) {
        error = ebpf_hook_attach(e, p, why);
    }
    if (error) {
        forget(e, number);
    }
    return error;
}

static int
publish(struct ebpf *e, uint32_t number, const char *name, const char *type, int ifindex)
{
    struct user_port *p = user_port_create(name, type);
    int error = p ? sender_open(ifindex, &p->fd) : -ENAMETOOLONG;

    if (error) {
        free(p);
        return error;
    }
    p->kind = USER_PORT_SEND_ONLY;
    user_port_publish(&e->user, p, number);
    return 0;
}

/* The device is there; the port gets its number. A port of that name that is in the table, but not one of this daemon's yet, is taken over. */
static int
add_device(struct ebpf *e, const char *name, const char *type, const struct netdev_link *ours, const struct netdev_link *hosts, uint32_t *number,
           char **why)
{
    uint32_t known = number_of(e, name), n = *number;
    int error;

    if (known != DP_PORT_NONE && user_port_find(&e->user, known)) {
        if (e->ports[known].ifindex == (uint32_t) ours->ifindex) {
            return -EEXIST;
        }
        ebpf_port_del(&e->user.dp, known); /* Its device went, and came again. */
        known = DP_PORT_NONE;
    }
    if (known != DP_PORT_NONE && e->ports[known].ifindex != (uint32_t) ours->ifindex) {
        forget(e, known);
    }
    if (known != DP_PORT_NONE) {
        n = known;
        error = 0;
    } else {
        error = choose_number(e, &n);
    }
    error = error ? error : plug(e, n, name, type, ours, hosts, why);
    if (!error) {
        error = publish(e, n, name, type, ours->ifindex);
        if (error) {
            ebpf_hook_detach(e, &e->ports[n]);
            forget(e, n);
        }
    }
    if (!error) {
        *number = n;
    }
    return error;
}

int
ebpf_port_add(struct dp *dp, const char *devname, const char *type, uint32_t *number, char **why)
{
    struct ebpf *e = ebpf_cast(dp);
    bool internal = !strcmp(type, "internal"), tap = !strcmp(type, "tap");
    struct netdev_link ours, hosts;
    int fd = -1, error;

    if (strlen(devname) >= sizeof ours.name) {
        return -ENAMETOOLONG;
    }
    if (!internal && !tap && strcmp(type, "system")) {
        return -EPFNOSUPPORT;
    }
    error = tap ? netdev_tap_open(devname, &fd) : 0;
    if (!error) {
        error = internal ? internal_open(e, devname, &ours, &hosts) : system_open(e, devname, &ours);
    }
    if (!error) {
        error = add_device(e, devname, type, &ours, internal ? &hosts : NULL, number, why);
        if (error && error != -EEXIST && internal) {
            link_delete(e, ours.ifindex);
        }
    }
    if (fd >= 0 && !error) {
        taps_hold(&e->taps, *number, fd);
    } else if (fd >= 0) {
        close(fd);
    }
    return error;
}

/* Takes the port out, its device too if it is internal. */
static void
unplug(struct ebpf *e, uint32_t number)
{
    struct ebpf_port_value *p = &e->ports[number];
    int ifindex = (int) p->ifindex;
    bool internal = p->peer_ifindex;
    struct netdev_link l;

    /* The device may have gone, and its index may be another's. */
    if (netdev_link_get(e->route, NULL, ifindex, &l) || (internal ? !is_peer_name(l.name) : false)) {
        forget(e, number);
        return;
    }
    if (!internal) {
        ebpf_hook_detach(e, p);
        ebpf_xdp_detach(e, number);
        link_set_flags(e, ifindex, 0, IFF_PROMISC);
    }
    forget(e, number);
    if (internal) {
        link_delete(e, ifindex);
    }
}

int
ebpf_port_del(struct dp *dp, uint32_t number)
{
    struct ebpf *e = ebpf_cast(dp);

    if (number >= EBPF_MAX_PORTS || !e->ports[number].ifindex) {
        return -ENODEV;
    }
    unplug(e, number);
    taps_release(&e->taps, number);
    if (user_port_find(&e->user, number)) {
        user_port_del(dp, number);
    }
    return 0;
}

int
ebpf_port_dump(struct dp *dp, void (*fn)(const struct dp_port *, void *arg), void *arg)
{
    struct ebpf *e = ebpf_cast(dp);

    for (uint32_t i = 1; i < EBPF_MAX_PORTS; i++) {
        const struct ebpf_port_value *p = &e->ports[i];

        if (p->ifindex) {
            struct dp_port port = {.number = i};

            memcpy(port.name, p->name, sizeof port.name);
            memcpy(port.type, p->type, sizeof port.type);
            fn(&port, arg);
        }
    }
    return 0;
}

int
ebpf_port_stats(struct dp *dp, uint32_t number, struct dp_port_stats *stats)
{
    struct ebpf *e = ebpf_cast(dp);
    struct netdev_stats s;
    int error;

    if (number >= EBPF_MAX_PORTS || !e->ports[number].ifindex) {
        return -ENODEV;
    }
    error = netdev_stats_by_index(e->route, (int) e->ports[number].ifindex, &s);
    if (!error) {
        *stats = (struct dp_port_stats){s.rx_packets, s.tx_packets, s.rx_bytes,   s.tx_bytes,
                                        s.rx_errors,  s.tx_errors,  s.rx_dropped, s.tx_dropped};
    }
    return error;
}

int
ebpf_port_ifindex(const struct dp *dp, uint32_t number)
{
    return number < EBPF_MAX_PORTS ? (int) ebpf_cast(dp)->ports[number].ifindex : 0;
}

void
ebpf_ports_close(struct ebpf *e, bool destroy)
{
    for (uint32_t i = 1; destroy && i < EBPF_MAX_PORTS; i++) {
        if (e->ports[i].ifindex) {
            unplug(e, i);
        }
    }
    taps_release(&e->taps, DP_PORT_NONE);
}
