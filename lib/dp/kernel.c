// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/dp/kernel.h"

#include <stdlib.h>
#include <unistd.h>
#include "lib/base/log.h"

size_t
kernel_begin(const struct kernel *k, struct buf *b, uint16_t family, uint8_t cmd, uint16_t flags)
{
    struct ovs_header h = {.dp_ifindex = k->ifindex};
    size_t at = nl_genl_begin(b, family, cmd, family == k->dp_family ? OVS_DATAPATH_VERSION : 1, flags);

    buf_put(b, &h, sizeof h);
    return at;
}

int
kernel_parse(const struct kernel *k, const struct nlmsghdr *n, struct nl_attr *tb, size_t n_tb)
{
    struct ovs_header h;

    if (n->nlmsg_len < NLMSG_HDRLEN + GENL_HDRLEN + sizeof h) {
        return -EPROTO;
    }
    memcpy(&h, (const uint8_t *) n + NLMSG_HDRLEN + GENL_HDRLEN, sizeof h);
    if (k->ifindex && h.dp_ifindex != k->ifindex) {
        return -EPROTO;
    }
    return nl_attrs_parse(nl_msg_attrs(n, GENL_HDRLEN + sizeof h), tb, n_tb, NULL) ? -EPROTO : 0;
}

uint32_t
kernel_upcall_pid(const struct kernel *k, uint32_t in_port)
{
    /* Where the kernel chooses itself it still refuses 0. */
    return k->per_cpu || !k->n_handlers ? UINT32_MAX : k->pids[in_port % k->n_handlers];
}

static int
kernel_host_probe(char **why)
{
    struct nl_pool *pool = nl_pool_create(NETLINK_GENERIC);
    uint16_t id;
    int error = genl_family(pool, OVS_DATAPATH_FAMILY, &id);

    if (error == -ENOENT) {
        *why = xstrdup("this kernel has no openvswitch module");
        error = -EOPNOTSUPP;
    } else if (error) {
        *why = xasprintf("generic netlink failed (%s)", errno_text(error));
    }
    nl_pool_destroy(pool);
    return error;
}

static int
open_families(struct kernel *k)
{
    const struct {
        const char *name;
        uint16_t *id;
    } families[] = {
        {OVS_DATAPATH_FAMILY, &k->dp_family},
        {OVS_VPORT_FAMILY, &k->vport_family},
        {OVS_FLOW_FAMILY, &k->flow_family},
        {OVS_PACKET_FAMILY, &k->packet_family},
    };

    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        int error = genl_family(k->pool, families[i].name, families[i].id);

        if (error) {
            return error;
        }
    }
    if (genl_family(k->pool, OVS_METER_FAMILY, &k->meter_family)) {
        k->meter_family = 0;
    }
    return 0;
}

/* The datapath request 'cmd', with the features we want and, if 'per_cpu', the handler of each processor. */
static int
dp_request(struct kernel *k, uint8_t cmd, bool per_cpu, struct buf *reply)
{
    struct buf b = BUF_EMPTY;
    size_t at = kernel_begin(k, &b, k->dp_family, cmd, NLM_F_ECHO);
    uint32_t features =
        OVS_DP_F_UNALIGNED | OVS_DP_F_VPORT_PIDS | (per_cpu ? OVS_DP_F_DISPATCH_UPCALL_PER_CPU : 0);
    long n_cpus = sysconf(_SC_NPROCESSORS_CONF);
    int error;

    nl_put_string(&b, OVS_DP_ATTR_NAME, k->dp.name);
    nl_put_u32(&b, OVS_DP_ATTR_UPCALL_PID, per_cpu || !k->n_handlers ? 0 : k->pids[0]);
    nl_put_u32(&b, OVS_DP_ATTR_USER_FEATURES, features);
    if (per_cpu && k->n_handlers) {
        size_t nest = nl_nest_begin(&b, OVS_DP_ATTR_PER_CPU_PIDS);

        for (long i = 0; i < MAX(n_cpus, 1); i++) {
            buf_put(&b, &k->pids[(unsigned long) i % k->n_handlers], sizeof k->pids[0]);
        }
        nl_nest_end(&b, nest);
    }
    nl_msg_end(&b, at);
    error = nl_pool_transact(k->pool, &b, reply, NULL);
    buf_free(&b);
    return error;
}

/* Makes the datapath, or takes over the one that is there. */
static int
dp_adopt_or_create(struct kernel *k)
{
    struct nl_attr tb[OVS_DP_ATTR_MAX + 1];
    struct buf reply = BUF_EMPTY;
    struct ovs_header h;
    int error = 0;

    for (int per_cpu = 1; per_cpu >= 0; per_cpu--) {
        error = dp_request(k, OVS_DP_CMD_SET, per_cpu, &reply);
        if (error == -ENODEV) {
            error = dp_request(k, OVS_DP_CMD_NEW, per_cpu, &reply);
        }
        k->per_cpu = per_cpu;
        if (error != -EOPNOTSUPP && error != -EINVAL) {
            break;
        }
    }
    if (!error && kernel_parse(k, nl_msg_at(&reply, 0), tb, ARRAY_SIZE(tb))) {
        error = -EPROTO;
    }
    if (!error) {
        memcpy(&h, reply.data + NLMSG_HDRLEN + GENL_HDRLEN, sizeof h);
        k->ifindex = h.dp_ifindex;
    }
    buf_free(&reply);
    return error;
}

static void
kernel_free(struct kernel *k)
{
    kernel_port_unwatch(k);
    taps_release(&k->taps, DP_PORT_NONE);
    kernel_handlers_close(k);
    nl_pool_destroy(k->pool);
    free(k->dp.name);
    free(k);
}

static int
kernel_open(const char *name, const struct dp_settings *settings, struct loop *loop, struct dp **dpp, char **why)
{
    struct kernel *k = xzalloc(sizeof *k);
    int error;

    k->dp.ops = &dp_kernel_ops;
    k->dp.name = xstrdup(name);
    k->loop = loop;
    taps_init(&k->taps);
    k->pool = nl_pool_create(NETLINK_GENERIC);
    error = open_families(k);
    error = error ? error : kernel_handlers_open(k, settings->n_handlers);
    error = error ? error : dp_adopt_or_create(k);
    if (!error && !k->per_cpu) {
        error = kernel_ports_direct_upcalls(k);
    }
    if (error) {
        kernel_free(k);
        return error;
    }
    log_info(LOG_dp_netlink, "Datapath dispatch mode: %s", k->per_cpu ? "per-cpu" : "per-vport");
    k->features.per_cpu_dispatch = k->per_cpu;
    kernel_probe(k);
    *dpp = &k->dp;
    return 0;
}

static void
kernel_close(struct dp *dp, bool destroy)
{
    struct kernel *k = kernel_cast(dp);

    if (destroy) {
        struct buf b = BUF_EMPTY;
        size_t at = kernel_begin(k, &b, k->dp_family, OVS_DP_CMD_DEL, 0);
        int error;

        nl_msg_end(&b, at);
        error = nl_pool_transact(k->pool, &b, NULL, NULL);
        if (error) {
            log_warn(LOG_dp_netlink, "%s: cannot delete the datapath (%s)", dp->name, errno_text(error));
        }
        buf_free(&b);
    }
    kernel_free(k);
}

static const struct dp_features *
kernel_features(const struct dp *dp)
{
    return &kernel_cast(dp)->features;
}

static void
kernel_lookup_stats(struct dp *dp, uint64_t *hit, uint64_t *missed, uint64_t *lost, uint64_t *n_flows,
                    uint64_t *mask_hits, uint32_t *n_masks)
{
    struct kernel *k = kernel_cast(dp);
    struct nl_attr tb[OVS_DP_ATTR_MAX + 1];
    struct ovs_dp_stats stats = {.n_hit = 0};
    struct ovs_dp_megaflow_stats masks = {.n_masks = 0};
    struct buf b = BUF_EMPTY, reply = BUF_EMPTY;
    size_t at = kernel_begin(k, &b, k->dp_family, OVS_DP_CMD_GET, 0);

    nl_msg_end(&b, at);
    if (!nl_pool_transact(k->pool, &b, &reply, NULL) && reply.len &&
        !kernel_parse(k, nl_msg_at(&reply, 0), tb, ARRAY_SIZE(tb))) {
        struct nl_attr s = tb[OVS_DP_ATTR_STATS], m = tb[OVS_DP_ATTR_MEGAFLOW_STATS];

        if (s.len >= sizeof stats) {
            memcpy(&stats, s.data, sizeof stats);
        }
        if (m.len >= sizeof masks) {
            memcpy(&masks, m.data, sizeof masks);
        }
    }
    *hit = stats.n_hit;
    *missed = stats.n_missed;
    *lost = stats.n_lost;
    *n_flows = stats.n_flows;
    *mask_hits = masks.n_mask_hit;
    *n_masks = masks.n_masks;
    buf_free(&b);
    buf_free(&reply);
}

const struct dp_ops dp_kernel_ops = {
    .type = "system",
    .probe = kernel_host_probe,
    .open = kernel_open,
    .close = kernel_close,
    .port_add = kernel_port_add,
    .port_del = kernel_port_del,
    .port_dump = kernel_port_dump,
    .port_stats = kernel_port_stats,
    .port_watch = kernel_port_watch,
    .recv = kernel_recv,
    .wake = kernel_wake,
    .flow_put = kernel_flow_put,
    .flow_del = kernel_flow_del,
    .flow_get = kernel_flow_get,
    .flow_dump = kernel_flow_dump,
    .flow_flush = kernel_flow_flush,
    .execute = kernel_execute,
    .meter_set = kernel_meter_set,
    .meter_del = kernel_meter_del,
    .meter_get = kernel_meter_get,
    .ct_flush = kernel_ct_flush,
    .version_file = "/sys/module/openvswitch/version",
    .features = kernel_features,
    .lookup_stats = kernel_lookup_stats,
};
