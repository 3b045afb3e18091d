// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/dp/user.h"

#include <ctype.h>
#include <stdlib.h>

static int
u_probe(char **why)
{
    if (!dp_dummy_is_enabled()) {
        *why = xstrdup("unknown datapath type: the userspace datapath is for tests (--enable-dummy)");
        return -EAFNOSUPPORT;
    }
    return 0;
}

void
user_dp_uninit(struct user_dp *u)
{
    user_flow_flush(&u->dp);
    user_handlers_destroy(u);
    rcu_drain();
    for (size_t i = 0; i < u->all_ports->n; i++) {
        user_port_close(u->all_ports->ports[i]);
    }
    free(u->all_ports);
    classifier_destroy(u->flows);
    htable_destroy(&u->by_ufid);
    free(u->meters);
    free(u->ports);
    free(u->dp.name);
}

static void
u_close(struct dp *dp, bool destroy)
{
    struct user_dp *u = user_dp_cast(dp);

    user_register_commands(NULL);
    user_dp_uninit(u);
    free(u);
}

void
user_dp_init(struct user_dp *u, const struct dp_ops *ops, const char *name, unsigned n_handlers, struct loop *loop)
{
    memset(u, 0, sizeof *u);
    u->dp.ops = ops;
    u->dp.name = xstrdup(name);
    u->loop = loop;
    u->n_handlers = MAX(n_handlers, 1);
    pthread_mutex_init(&u->mutex, NULL);
    u->ports = xcalloc(USER_MAX_PORTS, sizeof(struct user_port *));
    u->all_ports = xzalloc(sizeof *u->all_ports);
    u->flows = classifier_create();
    htable_init(&u->by_ufid);
    u->meters = xcalloc(USER_MAX_METERS, sizeof *u->meters);
    u->n_meters = USER_MAX_METERS;
    user_handlers_create(u);
}

static int
open_type(const struct dp_ops *ops, const char *name, const struct dp_settings *settings, struct loop *loop, struct dp **dpp)
{
    struct user_dp *u = xmalloc(sizeof *u);

    user_dp_init(u, ops, name, settings->n_handlers, loop);
    *dpp = &u->dp;
    return 0;
}

static int
dummy_open(const char *name, const struct dp_settings *settings, struct loop *loop, struct dp **dpp, char **why)
{
    int error = open_type(&dp_dummy_ops, name, settings, loop, dpp);

    user_register_commands(user_dp_cast(*dpp));
    return error;
}

static int
netdev_open(const char *name, const struct dp_settings *settings, struct loop *loop, struct dp **dpp, char **why)
{
    int error = open_type(&dp_netdev_ops, name, settings, loop, dpp);

    user_dp_cast(*dpp)->taps = true;
    return error;
}

/* As the installed daemon's dummy datapath numbers its ports: by the number in the name, from 100 on for names that begin with "br". Real ports
 * get the first number that is free. */
static uint32_t
choose_number(const struct user_dp *u, const char *name)
{
    unsigned long base = strncmp(name, "br", 2) ? 0 : 100;
    const char *digits = name;
    uint32_t number;

    while (*digits && !isdigit((unsigned char) *digits)) {
        digits++;
    }
    if (*digits && !u->taps) {
        unsigned long wish = base + strtoul(digits, NULL, 10);

        if (wish > 0 && wish < USER_MAX_PORTS && !u->ports[wish]) {
            return (uint32_t) wish;
        }
    }
    for (number = 1; number < USER_MAX_PORTS && u->ports[number]; number++) {
        continue;
    }
    return number;
}

struct user_port *
user_port_by_name(const struct user_dp *u, const char *name)
{
    for (size_t i = 0; i < u->all_ports->n; i++) {
        if (!strcmp(u->all_ports->ports[i]->port.name, name)) {
            return u->all_ports->ports[i];
        }
    }
    return NULL;
}

/* The ports without 'leaves' and with 'comes'; either may be NULL. The handlers watch their devices from now on. */
static void
replace_vector(struct user_dp *u, const struct user_port *leaves, struct user_port *comes)
{
    struct user_port_vector *was = u->all_ports;
    struct user_port_vector *is = xzalloc(sizeof *is + (was->n + 1) * sizeof is->ports[0]);

    for (size_t i = 0; i < was->n; i++) {
        if (was->ports[i] != leaves) {
            is->ports[is->n++] = was->ports[i];
        }
    }
    if (comes) {
        is->ports[is->n++] = comes;
    }
    __atomic_store_n(&u->all_ports, is, __ATOMIC_RELEASE);
    rcu_postpone_free(was);
    user_wake(&u->dp);
}

void
user_port_publish(struct user_dp *u, struct user_port *p, uint32_t number)
{
    p->port.number = number;
    __atomic_store_n(&u->ports[number], p, __ATOMIC_RELEASE);
    replace_vector(u, NULL, p);
}

static int
u_port_add(struct dp *dp, const char *devname, const char *type, uint32_t *number, char **why)
{
    struct user_dp *u = user_dp_cast(dp);
    uint32_t n = *number;
    struct user_port *p;
    int error;

    if (n == DP_PORT_NONE) {
        n = choose_number(u, devname);
    }
    if (n >= USER_MAX_PORTS) {
        return -EFBIG;
    }
    if (u->ports[n]) {
        return -EBUSY;
    }
    if (user_port_by_name(u, devname)) {
        return -EEXIST;
    }
    error = user_port_open(u, devname, type, &p);
    if (error) {
        return error;
    }
    *number = n;
    user_port_publish(u, p, n);
    return 0;
}

int
user_port_del(struct dp *dp, uint32_t number)
{
    struct user_dp *u = user_dp_cast(dp);
    struct user_port *p = user_port_find(u, number);

    if (!p) {
        return -ENODEV;
    }
    __atomic_store_n(&u->ports[number], NULL, __ATOMIC_RELEASE);
    replace_vector(u, p, NULL);
    rcu_postpone(user_port_close, p);
    return 0;
}

static int
u_port_dump(struct dp *dp, void (*fn)(const struct dp_port *, void *arg), void *arg)
{
    const struct user_port_vector *all = user_dp_cast(dp)->all_ports;

    for (size_t i = 0; i < all->n; i++) {
        fn(&all->ports[i]->port, arg);
    }
    return 0;
}

static int
u_port_stats(struct dp *dp, uint32_t number, struct dp_port_stats *stats)
{
    const struct user_port *p = user_port_find(user_dp_cast(dp), number);
    const uint64_t *from = p ? (const uint64_t *) &p->stats : NULL;
    uint64_t *to = (uint64_t *) stats;

    if (!p) {
        return -ENODEV;
    }
    for (size_t i = 0; i < sizeof *stats / sizeof *to; i++) {
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    }
    return 0;
}

static bool
u_port_has_device(struct dp *dp, uint32_t number)
{
    const struct user_port *p = user_port_find(user_dp_cast(dp), number);

    return p && p->kind != USER_PORT_NO_DEVICE;
}

/* options:pcap is one file for both directions. */
static int
u_port_config(struct dp *dp, uint32_t number, const char *key, const char *value)
{
    struct user_port *p = user_port_find(user_dp_cast(dp), number);
    int error = 0;

    if (!p) {
        return -ENODEV;
    }
    if (!key) {
        return 0;
    }
    if (!strcmp(key, "tx_pcap") || !strcmp(key, "pcap")) {
        error = user_port_set_pcap(&p->tx_pcap, value);
    } else if (!strcmp(key, "rxq_pcap")) {
        error = user_port_set_pcap(&p->rx_pcap, value);
    }
    if (!error && !strcmp(key, "pcap")) {
        __atomic_store_n(&p->rx_pcap, p->tx_pcap, __ATOMIC_RELEASE);
    }
    return error;
}

void
user_port_watch(struct dp *dp, void (*fn)(enum dp_port_event_type, const struct dp_port *, void *arg), void *arg)
{
}

int
user_ct_flush(struct dp *dp, const uint16_t *zone)
{
    return 0;
}

static const struct dp_features *
u_features(const struct dp *dp)
{
    static const struct dp_features features = {
        .ufid = true,
        .masked_set = true,
        .recirc = true,
        .trunc = true,
        .clone = true,
        .sample = true,
        .check_pkt_len = true,
        .ct_clear = true,
        .nd_extensions = true,
        .drop_action = true,
        .vlan_cvlan = true,
        .max_vlan_headers = FLOW_N_VLANS,
        .max_mpls_depth = FLOW_N_MPLS,
        .max_sample_nesting = 10,
    };

    return &features;
}

void
user_lookup_stats(struct dp *dp, uint64_t *hit, uint64_t *missed, uint64_t *lost, uint64_t *n_flows, uint64_t *mask_hits, uint32_t *n_masks)
{
    struct user_dp *u = user_dp_cast(dp);

    *hit = __atomic_load_n(&u->n_hit, __ATOMIC_RELAXED);
    *missed = __atomic_load_n(&u->n_missed, __ATOMIC_RELAXED);
    *lost = __atomic_load_n(&u->n_lost, __ATOMIC_RELAXED);
    *mask_hits = 0;
    pthread_mutex_lock(&u->mutex);
    *n_flows = u->by_ufid.n;
    *n_masks = (uint32_t) classifier_n_subtables(u->flows);
    pthread_mutex_unlock(&u->mutex);
}

#define USER_OPS(TYPE, OPEN) \
    { \
        .type = TYPE, .probe = u_probe, .open = OPEN, .close = u_close, .port_add = u_port_add, .port_del = user_port_del, .port_dump = u_port_dump, \
        .port_stats = u_port_stats, .port_has_device = u_port_has_device, .port_config = u_port_config, .port_watch = user_port_watch, .recv = user_recv, .wake = user_wake, \
        .flow_put = user_flow_put, .flow_del = user_flow_del, .flow_get = user_flow_get, .flow_dump = user_flow_dump, \
        .flow_flush = user_flow_flush, .execute = user_execute, .meter_set = user_meter_set, .meter_del = user_meter_del, .meter_get = user_meter_get, \
        .ct_flush = user_ct_flush, .features = u_features, .lookup_stats = user_lookup_stats, \
    }
const struct dp_ops dp_dummy_ops = USER_OPS("dummy", dummy_open);
const struct dp_ops dp_netdev_ops = USER_OPS("netdev", netdev_open);
