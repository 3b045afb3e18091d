// SPDX-License-Identifier: Apache-2.0
// Ports of openvswitch.ko, called vports there. Main thread.
#include <config.h>
#include "lib/dp/kernel.h"

#include <stdlib.h>
#include <unistd.h>
#include "lib/base/counter.h"
#include "lib/base/log.h"
#include "lib/dp/netdev.h"

COUNTER(dp_port_events_lost, "Notifications of datapath ports were lost; all ports were read anew.");

/* Interface types and vport types. 'port' is the UDP port of a tunnel whose device's name does not end in
 * one. */
static const struct vport_type {
    const char *type;
    uint32_t vport;
    uint16_t port;
} vport_types[] = {
    {"system", OVS_VPORT_TYPE_NETDEV, 0},    {"internal", OVS_VPORT_TYPE_INTERNAL, 0},
    {"tap", OVS_VPORT_TYPE_NETDEV, 0},       {"vxlan", OVS_VPORT_TYPE_VXLAN, 4789},
    {"geneve", OVS_VPORT_TYPE_GENEVE, 6081}, {"gre", OVS_VPORT_TYPE_GRE, 0},
};

static const struct vport_type *
vport_type_by_name(const char *type)
{
    for (size_t i = 0; i < ARRAY_SIZE(vport_types); i++) {
        if (!strcmp(vport_types[i].type, type)) {
            return &vport_types[i];
        }
    }
    return NULL;
}

static const char *
vport_type_name(uint32_t vport)
{
    for (size_t i = 0; i < ARRAY_SIZE(vport_types); i++) {
        if (vport_types[i].vport == vport) {
            return vport_types[i].type;
        }
    }
    return "unknown";
}

/* The number after the last underscore, as in vxlan_sys_4789. */
static uint16_t
tunnel_port_of(const char *devname, uint16_t otherwise)
{
    const char *tail = strrchr(devname, '_');
    uint64_t port;

    return tail && !parse_u64(tail + 1, UINT16_MAX, &port) ? (uint16_t) port : otherwise;
}

static bool
port_decode(const struct kernel *k, const struct nlmsghdr *h, struct dp_port *port, struct nl_attr *tb)
{
    if (h->nlmsg_type != k->vport_family || kernel_parse(k, h, tb, OVS_VPORT_ATTR_MAX + 1) ||
        tb[OVS_VPORT_ATTR_PORT_NO].len < 4) {
        return false;
    }
    port->number = nl_attr_u32(tb[OVS_VPORT_ATTR_PORT_NO]);
    nl_attr_string(tb[OVS_VPORT_ATTR_NAME], port->name, sizeof port->name);
    strncpy(port->type, vport_type_name(nl_attr_u32(tb[OVS_VPORT_ATTR_TYPE])), sizeof port->type - 1);
    port->type[sizeof port->type - 1] = '\0';
    return true;
}

static void
put_upcall_pids(const struct kernel *k, struct buf *b)
{
    static const uint32_t none = 0;

    if (k->per_cpu || !k->n_handlers) {
        nl_put(b, OVS_VPORT_ATTR_UPCALL_PID, &none, sizeof none);
    } else {
        nl_put(b, OVS_VPORT_ATTR_UPCALL_PID, k->pids, k->n_handlers * sizeof *k->pids);
    }
}

/* A port that an earlier daemon left: it is taken over with its number, and its upcalls come to us. -EEXIST when it is of another type. */
static int
port_take_over(struct kernel *k, const char *devname, const char *type, uint32_t *number)
{
    struct nl_attr tb[OVS_VPORT_ATTR_MAX + 1];
    struct buf b = BUF_EMPTY, reply = BUF_EMPTY;
    struct dp_port port;
    size_t at = kernel_begin(k, &b, k->vport_family, OVS_VPORT_CMD_GET, 0);
    int error;

    nl_put_string(&b, OVS_VPORT_ATTR_NAME, devname);
    nl_msg_end(&b, at);
    error = nl_pool_transact(k->pool, &b, &reply, NULL);
    if (!error && (!reply.len || !port_decode(k, nl_msg_at(&reply, 0), &port, tb))) {
        error = -EPROTO;
    }
    if (!error && strcmp(port.type, type)) {
        error = -EEXIST;
    }
    buf_clear(&b);
    if (!error) {
        at = kernel_begin(k, &b, k->vport_family, OVS_VPORT_CMD_SET, 0);
        nl_put_u32(&b, OVS_VPORT_ATTR_PORT_NO, port.number);
        put_upcall_pids(k, &b);
        nl_msg_end(&b, at);
        error = nl_pool_transact(k->pool, &b, NULL, NULL);
    }
    if (!error) {
        *number = port.number;
    }
    buf_free(&b);
    buf_free(&reply);
    return error;
}

static int
vport_add(struct kernel *k, const char *devname, const char *type, uint32_t *number)
{
    const struct vport_type *t = vport_type_by_name(type);
    struct nl_attr tb[OVS_VPORT_ATTR_MAX + 1];
    struct buf b = BUF_EMPTY, reply = BUF_EMPTY;
    struct dp_port port;
    size_t at;
    int error;

    if (!t) {
        return -EPFNOSUPPORT;
    }
    at = kernel_begin(k, &b, k->vport_family, OVS_VPORT_CMD_NEW, NLM_F_ECHO);
    nl_put_u32(&b, OVS_VPORT_ATTR_TYPE, t->vport);
    nl_put_string(&b, OVS_VPORT_ATTR_NAME, devname);
    put_upcall_pids(k, &b);
    if (*number != DP_PORT_NONE) {
        nl_put_u32(&b, OVS_VPORT_ATTR_PORT_NO, *number);
    }
    if (t->port) {
        size_t nest = nl_nest_begin(&b, OVS_VPORT_ATTR_OPTIONS);

        nl_put_u16(&b, OVS_TUNNEL_ATTR_DST_PORT, tunnel_port_of(devname, t->port));
        nl_nest_end(&b, nest);
    }
    nl_msg_end(&b, at);
    error = nl_pool_transact(k->pool, &b, &reply, NULL);
    if (!error) {
        error = reply.len && port_decode(k, nl_msg_at(&reply, 0), &port, tb) ? 0 : -EPROTO;
    }
    if (!error) {
        *number = port.number;
    } else if (error == -EEXIST) {
        error = port_take_over(k, devname, type, number);
    }
    buf_free(&b);
    buf_free(&reply);
    return error;
}

int
kernel_port_add(struct dp *dp, const char *devname, const char *type, uint32_t *number, char **why)
{
    struct kernel *k = kernel_cast(dp);
    int fd = -1, error = strcmp(type, "tap") ? 0 : netdev_tap_open(devname, &fd);

    if (!error) {
        error = vport_add(k, devname, type, number);
    }
    if (fd >= 0 && !error) {
        taps_hold(&k->taps, *number, fd);
    } else if (fd >= 0) {
        close(fd);
    }
    return error;
}

int
kernel_port_del(struct dp *dp, uint32_t number)
{
    struct kernel *k = kernel_cast(dp);
    struct buf b = BUF_EMPTY;
    size_t at = kernel_begin(k, &b, k->vport_family, OVS_VPORT_CMD_DEL, 0);
    int error;

    nl_put_u32(&b, OVS_VPORT_ATTR_PORT_NO, number);
    nl_msg_end(&b, at);
    error = nl_pool_transact(k->pool, &b, NULL, NULL);
    buf_free(&b);
    taps_release(&k->taps, number);
    return error;
}

struct port_dump {
    const struct kernel *k;
    void (*fn)(const struct dp_port *, void *arg);
    void *arg;
};

static bool
port_dumped(const struct nlmsghdr *h, void *arg)
{
    struct nl_attr tb[OVS_VPORT_ATTR_MAX + 1];
    const struct port_dump *d = arg;
    struct dp_port port;

    if (port_decode(d->k, h, &port, tb)) {
        d->fn(&port, d->arg);
    }
    return true;
}

int
kernel_port_dump(struct dp *dp, void (*fn)(const struct dp_port *, void *arg), void *arg)
{
    struct kernel *k = kernel_cast(dp);
    struct port_dump d = {k, fn, arg};
    struct buf b = BUF_EMPTY;
    size_t at = kernel_begin(k, &b, k->vport_family, OVS_VPORT_CMD_GET, NLM_F_DUMP);
    int error;

    nl_msg_end(&b, at);
    error = nl_pool_dump(k->pool, &b, port_dumped, &d);
    buf_free(&b);
    return error == -EINTR ? 0 : error;
}

int
kernel_port_stats(struct dp *dp, uint32_t number, struct dp_port_stats *stats)
{
    struct kernel *k = kernel_cast(dp);
    struct nl_attr tb[OVS_VPORT_ATTR_MAX + 1];
    struct buf b = BUF_EMPTY, reply = BUF_EMPTY;
    struct ovs_vport_stats s;
    struct dp_port port;
    size_t at = kernel_begin(k, &b, k->vport_family, OVS_VPORT_CMD_GET, 0);
    int error;

    nl_put_u32(&b, OVS_VPORT_ATTR_PORT_NO, number);
    nl_msg_end(&b, at);
    error = nl_pool_transact(k->pool, &b, &reply, NULL);
    if (!error && (!reply.len || !port_decode(k, nl_msg_at(&reply, 0), &port, tb) ||
                   tb[OVS_VPORT_ATTR_STATS].len < sizeof s)) {
        error = -EPROTO;
    }
    if (!error) {
        memcpy(&s, tb[OVS_VPORT_ATTR_STATS].data, sizeof s);
        *stats = (struct dp_port_stats){s.rx_packets, s.tx_packets, s.rx_bytes,   s.tx_bytes,
                                        s.rx_errors,  s.tx_errors,  s.rx_dropped, s.tx_dropped};
    }
    buf_free(&b);
    buf_free(&reply);
    return error;
}

struct direct {
    const struct kernel *k;
    struct nl_batch batch;
};

static void
direct_one(const struct dp_port *port, void *arg)
{
    struct direct *d = arg;
    struct buf *b = &d->batch.msgs;
    size_t at;

    nl_batch_add(&d->batch);
    at = kernel_begin(d->k, b, d->k->vport_family, OVS_VPORT_CMD_SET, 0);
    nl_put_u32(b, OVS_VPORT_ATTR_PORT_NO, port->number);
    put_upcall_pids(d->k, b);
    nl_msg_end(b, at);
}

int
kernel_ports_direct_upcalls(struct kernel *k)
{
    struct direct d = {.k = k};
    int error = kernel_port_dump(&k->dp, direct_one, &d);

    if (!error && d.batch.n) {
        error = nl_pool_run(k->pool, &d.batch);
    }
    nl_batch_free(&d.batch);
    return error;
}

static void
port_event(const struct nlmsghdr *h, void *arg)
{
    struct nl_attr tb[OVS_VPORT_ATTR_MAX + 1];
    struct kernel *k = arg;
    const struct genlmsghdr *g = (const void *) ((const uint8_t *) h + NLMSG_HDRLEN);
    struct dp_port port;

    if (port_decode(k, h, &port, tb)) {
        k->watch_fn(g->cmd == OVS_VPORT_CMD_NEW   ? DP_PORT_ADDED
                    : g->cmd == OVS_VPORT_CMD_DEL ? DP_PORT_DELETED
                                                  : DP_PORT_CHANGED,
                    &port, k->watch_arg);
    }
}

static void
port_seen_again(const struct dp_port *port, void *arg)
{
    struct kernel *k = arg;

    k->watch_fn(DP_PORT_CHANGED, port, k->watch_arg);
}

static void
port_events_ready(short events, void *arg)
{
    struct kernel *k = arg;
    int n = nl_sock_receive(k->events, port_event, k);

    if (n == -ENOBUFS) {
        COUNTER_INC(dp_port_events_lost);
        kernel_port_dump(&k->dp, port_seen_again, k);
    }
}

void
kernel_port_watch(struct dp *dp, void (*fn)(enum dp_port_event_type, const struct dp_port *, void *arg),
                  void *arg)
{
    struct kernel *k = kernel_cast(dp);
    uint32_t group;
    int error;

    kernel_port_unwatch(k);
    k->watch_fn = fn;
    k->watch_arg = arg;
    error = genl_group(k->pool, OVS_VPORT_FAMILY, OVS_VPORT_MCGROUP, &group);
    error = error ? error : nl_sock_open(NETLINK_GENERIC, &k->events);
    error = error ? error : nl_sock_join(k->events, group);
    if (error) {
        log_warn(LOG_dp_netlink, "%s: cannot watch the datapath's ports (%s)", dp->name, errno_text(error));
        return;
    }
    k->events_fd = loop_fd_add(k->loop, nl_sock_fd(k->events), EV_READ, port_events_ready, k);
}

void
kernel_port_unwatch(struct kernel *k)
{
    if (k->events_fd) {
        loop_fd_del(k->events_fd);
        k->events_fd = NULL;
    }
    nl_sock_close(k->events);
    k->events = NULL;
}
