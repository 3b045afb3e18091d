// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/counter.h"
#include "lib/base/log.h"
#include "lib/dp/ebpf.h"

COUNTER(ebpf_failed, "The eBPF programs dropped a packet: it was looked up too often, or could not be changed.");
COUNTER(ebpf_xdp_passed, "A packet went on from the XDP hook to the TC hook, since XDP could not forward it.");

/* Can this process make maps and load programs of the kind, with the youngest helper that ours call? */
static int
ebpf_probe(char **why)
{
    int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "sluice_probe", 4, 4, 1, NULL);

    if (fd < 0) {
        *why = fd == -EPERM ? xstrdup("the eBPF datapath needs CAP_BPF and CAP_NET_ADMIN (or CAP_SYS_ADMIN)")
                            : xasprintf("this kernel has no eBPF (%s)", errno_text(fd));
        return fd;
    }
    close(fd);
    if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SCHED_CLS, NULL) != 1) {
        *why = xstrdup("the eBPF datapath may load no programs for the TC hook: it needs CAP_NET_ADMIN, and a kernel with CONFIG_NET_CLS_ACT");
    } else if (libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) != 1) {
        *why = xstrdup("this kernel's eBPF has no ring buffers (Linux 5.8)");
    } else if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_loop, NULL) != 1) {
        *why = xstrdup("this kernel's eBPF has no bpf_loop() for TC programs (Linux 5.17)");
    } else {
        return 0;
    }
    return -EOPNOTSUPP;
}

static void
ebpf_free(struct ebpf *e, bool destroy)
{
    if (e->ports) {
        ebpf_ports_close(e, destroy);
    }
    ebpf_rings_close(e);
    if (e->user.meters == e->meters) {
        e->user.meters = NULL;
    }
    user_dp_uninit(&e->user);
    ebpf_flows_close(e);
    ebpf_xdp_unload(e);
    ebpf_unload(e, destroy);
    nl_pool_destroy(e->route);
    nl_pool_destroy(e->genl);
    free(e);
}

static struct dp_settings
with_defaults(const struct dp_settings *s)
{
    struct dp_settings d = {
        .n_handlers = s->n_handlers,
        .ebpf_flows = s->ebpf_flows ? MIN(s->ebpf_flows, EBPF_MAX_FLOWS) : EBPF_DEFAULT_FLOWS,
        .ebpf_actions = s->ebpf_actions ? s->ebpf_actions : EBPF_DEFAULT_ACTIONS,
        .ebpf_ring_kb = s->ebpf_ring_kb ? s->ebpf_ring_kb : EBPF_DEFAULT_RING_KB,
        .ebpf_queue_kb = s->ebpf_queue_kb ? s->ebpf_queue_kb : EBPF_DEFAULT_QUEUE_KB,
    };

    d.ebpf_ring_kb = ebpf_doubled(4, d.ebpf_ring_kb); /* The kernel takes powers of two. */
    return d;
}

/* Totals that are counters here. 'lost' of dpctl/show has another, and hits another. */
static const struct {
    enum ebpf_total total;
    struct counter *counter;
} counted[] = {
    {EBPF_FAILED, &counter_ebpf_failed},
    {EBPF_XDP_PASSED, &counter_ebpf_xdp_passed},
};

void
ebpf_count_totals(struct ebpf *e)
{
    for (size_t i = 0; i < ARRAY_SIZE(counted); i++) {
        uint64_t now = ebpf_total(e, counted[i].total);

        counter_add(counted[i].counter, now - __atomic_exchange_n(&e->totals[counted[i].total], now, __ATOMIC_RELAXED));
    }
}

/* What the programs did for an earlier daemon is none of this one's counters. */
static void
forget_totals(struct ebpf *e)
{
    for (size_t i = 0; i < ARRAY_SIZE(counted); i++) {
        e->totals[counted[i].total] = ebpf_total(e, counted[i].total);
    }
}

static int
ebpf_open(const char *name, const struct dp_settings *settings, struct loop *loop, struct dp **dpp, char **why)
{
    struct ebpf *e = xzalloc(sizeof *e);
    int error;

    user_dp_init(&e->user, &dp_ebpf_ops, name, settings->n_handlers, loop);
    e->settings = with_defaults(settings);
    pthread_mutex_init(&e->mutex, NULL);
    taps_init(&e->taps);
    htable_init(&e->flows);
    htable_init(&e->deeds);
    ebpf_space_init(&e->slots, e->settings.ebpf_flows);
    ebpf_space_init(&e->acts, e->settings.ebpf_actions);
    ebpf_space_init(&e->mask_ids, EBPF_MAX_MASKS);
    e->route = nl_pool_create(NETLINK_ROUTE);
    e->genl = nl_pool_create(NETLINK_GENERIC);
    error = ebpf_load(e, why);
    if (!error) {
        e->in_maps = xcalloc(e->table.n_slots, sizeof *e->in_maps);
        free(e->user.meters);
        e->user.meters = e->meters;
        e->user.n_meters = EBPF_MAX_METERS;
        forget_totals(e);
    }
    if (!error && e->adopted) {
        log_info(LOG_dp_ebpf, "%s: adopted %zu flows of an earlier daemon", name, ebpf_adopt(e));
    }
    error = error ? error : ebpf_rings_open(e);
    if (error) {
        ebpf_free(e, false);
        return error;
    }
    e->tcx = ebpf_hook_has_tcx();
    e->user.source = &ebpf_source;
    log_info(LOG_dp_ebpf, "%s: programs are attached by %s", name, e->tcx ? "tcx" : "clsact, since the kernel has no tcx");
    *dpp = &e->user.dp;
    return 0;
}

static void
ebpf_remark(const struct dp *dp, struct buf *text)
{
    if (!ebpf_cast(dp)->tcx) {
        buf_putf(text, "%sthis kernel has no tcx: the eBPF programs are attached by clsact", text->len ? "; " : "");
    }
    if (!ebpf_xdp_is_told(ebpf_cast(dp))) {
        buf_putf(text, "%sthis kernel does not say which devices take frames from XDP (Linux 6.3): no veth is given any", text->len ? "; " : "");
    }
}

static void
ebpf_close(struct dp *dp, bool destroy)
{
    struct ebpf *e = ebpf_cast(dp);

    __atomic_store_n(&e->config->n_handlers, 0, __ATOMIC_RELEASE);
    ebpf_free(e, destroy);
}

static const struct dp_features *
ebpf_features(const struct dp *dp)
{
    static const struct dp_features features = {
        .ufid = true,
        .masked_set = true,
        .recirc = true,
        .trunc = true,
        .clone = true,
        .sample = true,
        .check_pkt_len = true,
        .nd_extensions = true,
        .drop_action = true,
        .vlan_cvlan = true,
        .max_vlan_headers = FLOW_N_VLANS,
        .max_mpls_depth = FLOW_N_MPLS,
        .max_sample_nesting = 10,
    };

    return &features;
}

/* What programs found, and what the daemon behind them did. */
static void
ebpf_lookup_stats(struct dp *dp, uint64_t *hit, uint64_t *missed, uint64_t *lost, uint64_t *n_flows, uint64_t *mask_hits, uint32_t *n_masks)
{
    struct ebpf *e = ebpf_cast(dp);

    user_lookup_stats(dp, hit, missed, lost, n_flows, mask_hits, n_masks);
    pthread_mutex_lock(&e->mutex);
    *n_flows = e->flows.n;
    *n_masks += e->config->n_masks[e->config->active];
    pthread_mutex_unlock(&e->mutex);
    *hit += ebpf_total(e, EBPF_HIT);
    *lost += ebpf_total(e, EBPF_LOST);
    *mask_hits += ebpf_total(e, EBPF_MASK_LOOKUPS);
}

const struct dp_ops dp_ebpf_ops = {
    .type = "ebpf",
    .probe = ebpf_probe,
    .open = ebpf_open,
    .remark = ebpf_remark,
    .close = ebpf_close,
    .port_add = ebpf_port_add,
    .port_del = ebpf_port_del,
    .port_dump = ebpf_port_dump,
    .port_stats = ebpf_port_stats,
    .port_config = ebpf_port_config,
    .options_change = true,
    .port_remark = ebpf_port_remark,
    .port_police = ebpf_port_police,
    .port_ifindex = ebpf_port_ifindex,
    .let_tc_first = ebpf_let_tc_first,
    .port_watch = user_port_watch,
    .recv = user_recv,
    .wake = user_wake,
    .flow_put = ebpf_flow_put,
    .flow_del = ebpf_flow_del,
    .flow_get = ebpf_flow_get,
    .flow_dump = ebpf_flow_dump,
    .flow_flush = ebpf_flow_flush,
    .execute = user_execute,
    .meter_set = user_meter_set,
    .meter_del = user_meter_del,
    .meter_get = user_meter_get,
    .ct_flush = user_ct_flush,
    .features = ebpf_features,
    .kernel_memory = ebpf_kernel_memory,
    .lookup_stats = ebpf_lookup_stats,
};
