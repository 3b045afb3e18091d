// SPDX-License-Identifier: Apache-2.0
// Ports come and go in the main thread. What translation looks at of a port is replaced as a whole (struct port_settings); the bridge's list of ports likewise.
#include <config.h>
#include "ofproto/port.h"

#include <stdlib.h>

#include "lib/base/counter.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "lib/base/refs.h"
#include "ofproto/l2.h"
#include "ofproto/ofconn.h"
#include "ofproto/private.h"

COUNTER(port_add_failed, "A device could not be plugged into a datapath.");

static const char *const known_types[] = {"", "system", "internal", "tap", "patch", "dummy", "dummy-internal", "dummy-pmd"};

static bool
type_is_known(const char *type)
{
    for (size_t i = 0; i < ARRAY_SIZE(known_types); i++) {
        if (!strcmp(type, known_types[i])) {
            return true;
        }
    }
    return false;
}

static bool
is_patch(const struct port *p)
{
    return !strcmp(p->type, "patch");
}

static bool
in_bitmap(const unsigned long *map, uint16_t vid)
{
    const unsigned bits = 8 * sizeof *map;

    return map[vid / bits] & 1ul << (vid % bits);
}

bool
port_carries_vlan(const struct port_settings *s, uint16_t vid)
{
    if (s->vlan_mode == VLAN_ACCESS || s->vlan_mode == VLAN_DOT1Q_TUNNEL) {
        return vid == s->vlan_tag;
    }
    return s->all_trunks || in_bitmap(s->trunks, vid) || (s->vlan_mode != VLAN_TRUNK && vid == s->vlan_tag);
}

static void
set_bitmap(const unsigned long *from, unsigned long *to, size_t size, bool *all)
{
    *all = !from;
    if (from) {
        memcpy(to, from, size);
    }
}

/* The settings that 'c' asks for, with OpenFlow's configuration, state and the MAC carried over from 'old' (may be NULL). */
static struct port_settings *
settings_create(const struct port_config *c, const struct port_settings *old)
{
    struct port_settings *s = xzalloc(sizeof *s);

    s->vlan_mode = c->vlan_mode;
    s->vlan_tag = c->vlan_tag;
    set_bitmap(c->trunks, s->trunks, sizeof s->trunks, &s->all_trunks);
    set_bitmap(c->cvlans, s->cvlans, sizeof s->cvlans, &s->all_cvlans);
    s->protected_port = c->protected_port;
    s->priority_tags = c->priority_tags;
    s->qinq_tpid = c->qinq_tpid;
    if (old) {
        s->of_config = old->of_config;
        s->of_state = old->of_state;
        s->mac = old->mac;
    }
    return s;
}

/* Publishes 's' (taken) if it says anything new. */
static void
settings_publish(struct port *p, struct port_settings *s)
{
    struct port_settings *old = p->settings;

    if (old && !memcmp(old, s, sizeof *s)) {
        free(s);
        return;
    }
    rcu_assign_pointer(p->settings, s);
    if (old) {
        rcu_postpone_free(old);
        bridge_changed(p->bridge);
    }
}

/* The number asked for if it is free, else the one it had, else the lowest free one from next_ofp on, so that one that was given up is not given away at once;
 * 0: none left. */
static uint32_t
pick_number(struct bridge *br, const struct port_config *c)
{
    if (!strcmp(c->name, br->name)) {
        return OFPP_LOCAL;
    }
    if (c->ofport_request && c->ofport_request < OFP10_PORT_MAX && !bridge_port(br, c->ofport_request)) {
        return c->ofport_request;
    }
    if (c->ofport_before && c->ofport_before < OFP10_PORT_MAX && !bridge_port(br, c->ofport_before)) {
        br->next_ofp = MAX(br->next_ofp, c->ofport_before + 1 < OFP10_PORT_MAX ? c->ofport_before + 1 : 1);
        return c->ofport_before;
    }
    for (uint32_t tries = 0; tries < OFP10_PORT_MAX; tries++) {
        uint32_t n = br->next_ofp;

        br->next_ofp = n + 1 < OFP10_PORT_MAX ? n + 1 : 1;
        if (!bridge_port(br, n)) {
            return n;
        }
    }
    return 0;
}

struct port *
ofproto_port_by_name(const struct ofproto *o, const char *name)
{
    for (struct hnode *n = htable_first_with_hash(&o->ports_by_name, hash_string(name, 0)); n; n = htable_next_with_hash(n)) {
        struct port *p = CONTAINER_OF(n, struct port, name_node);

        if (!strcmp(p->name, name)) {
            return p;
        }
    }
    return NULL;
}

static void
publish_with(struct bridge *br, struct port *p)
{
    const struct bridge_ports *old = br->ports;
    struct bridge_ports *ports = xmalloc(sizeof *ports + (old->n + 1) * sizeof *ports->ports);
    size_t i = old->n;

    while (i > 0 && old->ports[i - 1]->ofp > p->ofp) { /* From the end: numbers are mostly given in ascending order. */
        i--;
    }
    memcpy(ports->ports, old->ports, i * sizeof *ports->ports);
    ports->ports[i] = p;
    memcpy(&ports->ports[i + 1], &old->ports[i], (old->n - i) * sizeof *ports->ports);
    ports->n = old->n + 1;
    bridge_set_ports(br, ports);
    htable_insert(&br->ofproto->ports_by_name, &p->name_node, hash_string(p->name, 0));
}

static void
publish_without(struct bridge *br, struct port *p)
{
    const struct bridge_ports *old = br->ports;
    struct bridge_ports *ports = xmalloc(sizeof *ports + old->n * sizeof *ports->ports);

    ports->n = 0;
    for (size_t i = 0; i < old->n; i++) {
        if (old->ports[i] != p) {
            ports->ports[ports->n++] = old->ports[i];
        }
    }
    bridge_set_ports(br, ports);
    htable_remove(&br->ofproto->ports_by_name, &p->name_node);
}

/* Ties both ends of a patch when each names the other. */
static void
connect_patch(struct port *p)
{
    struct port *peer = ofproto_port_by_name(p->bridge->ofproto, p->peer_name);

    if (peer && peer->bridge->datapath == p->bridge->datapath && is_patch(peer) && !strcmp(peer->peer_name, p->name)) {
        rcu_assign_pointer(p->peer, peer);
        rcu_assign_pointer(peer->peer, p);
    }
}

static void
disconnect_patch(struct port *p)
{
    if (p->peer) {
        rcu_assign_pointer(p->peer->peer, NULL);
        rcu_assign_pointer(p->peer, NULL);
    }
}

static uint32_t
link_state(const struct netdev_info *dev)
{
    return dev && (!dev->carrier || !dev->admin_up) ? OFPPS_LINK_DOWN : 0;
}

/* OpenFlow 1.1.0, section A.2.1: OFPPF_* of a speed at full and at half duplex, and the speeds themselves. */
static void
describe_speed(struct of_port *of, uint64_t bps, int duplex)
{
    static const struct {
        uint64_t mbps;
        uint32_t half, full;
    } speeds[] = {{10, 1, 2},        {100, 4, 8},       {1000, 16, 32},      {10000, 0, 64},
                  {40000, 0, 128},   {100000, 0, 256},  {1000000, 0, 512}};
    const uint32_t other = 1u << 10, copper = 1u << 11;

    if (!bps) {
        return;
    }
    of->curr = other;
    for (size_t i = 0; i < ARRAY_SIZE(speeds); i++) {
        if (bps == speeds[i].mbps * 1000000) {
            of->curr = (duplex == 0 ? speeds[i].half : speeds[i].full) | copper;
        }
    }
    of->curr_speed = of->max_speed = (uint32_t) MIN(bps / 1000, UINT32_MAX);
}

/* What OpenFlow says of the port, from its device. true if it changed. */
static bool
refresh_description(struct port *p)
{
    const struct netdev_info *dev = port_device(p);
    struct of_port of = {.number = p->ofp};
    struct port_settings *s = xmemdup(p->settings, sizeof *s);

    strncpy(of.name, p->name, sizeof of.name - 1);
    s->mac = dev ? dev->mac : p->settings->mac;
    s->of_state = link_state(dev) ? OFPPS_LINK_DOWN : OFPPS_LIVE;
    if (dev && !dev->admin_up) {
        s->of_config |= OFPPC_PORT_DOWN;
    } else if (dev) {
        s->of_config &= ~(uint32_t) OFPPC_PORT_DOWN;
    }
    of.mac = s->mac;
    of.config = s->of_config;
    of.state = s->of_state;
    describe_speed(&of, dev ? dev->speed_bps : 0, dev ? dev->duplex : -1);
    p->ifindex = dev ? dev->ifindex : 0;
    settings_publish(p, s);
    if (!memcmp(&of, &p->of, sizeof of)) {
        return false;
    }
    p->of = of;
    return true;
}

static void
free_options(char **options)
{
    for (char **o = options; o && *o; o++) {
        free(*o);
    }
    free(options);
}

static void
port_free(void *port)
{
    struct port *p = port;

    free(p->settings);
    free(p->made_up);
    free_options(p->options);
    free(p->peer_name);
    free(p->type);
    free(p->name);
    free(p);
}

bool
port_ref(struct port *p)
{
    return refs_get(&p->refs);
}

void
port_unref(struct port *p)
{
    if (refs_put(&p->refs)) {
        rcu_postpone(port_free, p);
    }
}

static void
copy_options(struct port *p, const struct port_config *c)
{
    p->options = xcalloc(2 * c->n_options + 1, sizeof *p->options);
    for (size_t i = 0; i < c->n_options; i++) {
        p->options[2 * i] = xstrdup(c->options[i][0]);
        p->options[2 * i + 1] = xstrdup(c->options[i][1] ? c->options[i][1] : "");
    }
}

static struct port *
port_create(struct bridge *br, const struct port_config *c)
{
    struct port *p = xzalloc(sizeof *p);

    p->bridge = br;
    p->refs = 1;
    p->name = xstrdup(c->name);
    p->type = xstrdup(c->type);
    p->peer_name = c->patch_peer ? xstrdup(c->patch_peer) : NULL;
    p->dp_port = DP_PORT_NONE;
    p->is_internal = !strcmp(c->type, "internal");
    p->created_ms = now_ms();
    p->settings = settings_create(c, NULL);
    copy_options(p, c);
    return p;
}

/* Tells the datapath what the port is asked for. */
static int
configure(const struct port *p)
{
    struct dp *dp = p->bridge->datapath->dp;
    int error = 0;

    for (char **o = p->options; !error && dp->ops->port_config && *o; o += 2) {
        error = dp->ops->port_config(dp, p->dp_port, o[0], o[1]);
    }
    return !error && dp->ops->port_config ? dp->ops->port_config(dp, p->dp_port, NULL, NULL) : error;
}

/* Into the datapath. 0, or -errno and the words of Interface.error. */
static int
plug(struct port *p, char **why)
{
    struct dp *dp = p->bridge->datapath->dp;
    char *detail = NULL;
    int error = dp->ops->port_add(dp, p->name, *p->type ? p->type : "system", &p->dp_port, &detail);

    error = error ? error : configure(p);
    if (error) {
        COUNTER_INC(port_add_failed);
        *why = error == -ENODEV ? xasprintf("could not open network device %s (%s)", p->name, errno_text(error))
                                : xasprintf("could not add network device %s to ofproto (%s)", p->name, detail ? detail : errno_text(error));
    } else if (dp->ops->port_has_device && !dp->ops->port_has_device(dp, p->dp_port)) {
        port_make_up_device(p, false);
    }
    free(detail);
    return error;
}

/* Tells the tier below which device is the port's. */
static void
tell_place(struct port *p)
{
    const struct dp *dp = p->bridge->datapath->dp;
    int ifindex = dp->ops->port_ifindex ? dp->ops->port_ifindex(dp, p->dp_port) : p->ifindex;
    const struct netdev_info *dev = netdev_by_ifindex(p->bridge->ofproto->netdevs, ifindex);

    place_port_set(p->bridge->datapath->place, p->dp_port, ifindex, dev && !strcmp(dev->kind, "openvswitch"), dev && dev->untouched);
}

static int
check_config(const struct bridge *br, const struct port_config *c, char **why)
{
    const struct port *other = ofproto_port_by_name(br->ofproto, c->name);

    if (!type_is_known(c->type)) {
        *why = xasprintf("could not open network device %s (interface type %s is not supported)", c->name, c->type);
        return -EAFNOSUPPORT;
    }
    if (other) {
        *why = xasprintf("could not add network device %s: it is in bridge %s already", c->name, other->bridge->name);
        return -EBUSY;
    }
    return 0;
}

static void
announce(struct port *p, enum of_port_reason reason)
{
    ofconns_send_port_status(p->bridge->conns, &p->of, reason == OFPPR_MODIFY ? &p->told : NULL, reason);
    p->told = p->of;
}

int
port_add(struct bridge *br, const struct port_config *c, struct port **portp, char **why)
{
    struct port *p;
    int error = check_config(br, c, why);

    if (error) {
        return error;
    }
    p = port_create(br, c);
    p->ofp = pick_number(br, c);
    if (!p->ofp) {
        *why = xasprintf("%s: bridge %s has no OpenFlow port number left", c->name, br->name);
        error = -ENOSPC;
    } else if (is_patch(p)) {
        port_make_up_device(p, true);
    } else {
        error = plug(p, why);
    }
    if (error) {
        port_free(p); /* Nobody saw it. */
        return error;
    }
    refresh_description(p);
    publish_with(br, p);
    if (is_patch(p)) {
        connect_patch(p);
    } else {
        datapath_add_port(br->datapath, p);
        tell_place(p);
    }
    announce(p, OFPPR_ADD);
    *portp = p;
    return 0;
}

void
port_del(struct port *p, bool delete_device)
{
    struct bridge *br = p->bridge;

    publish_without(br, p);
    announce(p, OFPPR_DELETE);
    disconnect_patch(p);
    __atomic_store_n(&p->removed, true, __ATOMIC_RELEASE);
    l2_forget_port(br->l2, p);
    if (p->dp_port != DP_PORT_NONE) {
        datapath_remove_port(br->datapath, p);
        if (delete_device) {
            place_port_set(br->datapath->place, p->dp_port, 0, false, false);
            br->datapath->dp->ops->port_del(br->datapath->dp, p->dp_port);
        }
    }
    bridge_changed(br);
    port_unref(p);
}

static bool
options_equal(char **a, const struct port_config *c)
{
    size_t n = 0;

    while (a[n]) {
        n++;
    }
    if (n != 2 * c->n_options) {
        return false;
    }
    for (size_t i = 0; i < n; i += 2) {
        if (strcmp(a[i], c->options[i / 2][0]) || strcmp(a[i + 1], c->options[i / 2][1] ? c->options[i / 2][1] : "")) {
            return false;
        }
    }
    return true;
}

static bool
has_option(const struct port *p, const char *key)
{
    for (char **o = p->options; *o; o += 2) {
        if (!strcmp(*o, key)) {
            return true;
        }
    }
    return false;
}

/* While the port forwards. false: its datapath cannot. */
static bool
change_options(struct port *p, const struct port_config *c)
{
    struct dp *dp = p->bridge->datapath->dp;
    char **was = p->options;
    int error = 0;

    if (!dp->ops->options_change || p->dp_port == DP_PORT_NONE) {
        return false;
    }
    copy_options(p, c);
    for (char **o = was; *o; o += 2) {
        if (!error && !has_option(p, *o)) {
            error = dp->ops->port_config(dp, p->dp_port, *o, NULL);
        }
    }
    free_options(was);
    return !error && !configure(p);
}

bool
port_reconfigure(struct port *p, const struct port_config *c)
{
    bool other_number = c->ofport_request && c->ofport_request != p->ofp && p->ofp != OFPP_LOCAL && !bridge_port(p->bridge, c->ofport_request);

    if (strcmp(p->type, c->type) || other_number || (!options_equal(p->options, c) && !change_options(p, c))) {
        return false;
    }
    settings_publish(p, settings_create(c, p->settings));
    if (port_remark(p)) {
        configure(p); /* What stood in the way may have gone. */
    }
    return true;
}

const char *
port_remark(const struct port *p)
{
    const struct dp *dp = p->bridge->datapath->dp;

    return dp->ops->port_remark && p->dp_port != DP_PORT_NONE ? dp->ops->port_remark(dp, p->dp_port) : NULL;
}

uint32_t
port_ofport(const struct port *p)
{
    return p->ofp;
}

void
port_device_changed(struct port *p)
{
    if (refresh_description(p)) {
        announce(p, OFPPR_MODIFY);
    }
    tell_place(p);
}

void
port_mod(struct port *p, uint32_t config, uint32_t mask)
{
    struct port_settings *s = xmemdup(p->settings, sizeof *s);
    uint32_t before = s->of_config;

    s->of_config = (before & ~mask) | (config & mask);
    if ((before ^ s->of_config) & OFPPC_PORT_DOWN) {
        int error = port_set_up(p, !(s->of_config & OFPPC_PORT_DOWN));

        if (error) {
            log_warn(LOG_ofproto, "%s: could not be set up or down (%s)", p->name, errno_text(error));
            s->of_config ^= OFPPC_PORT_DOWN;
        }
    }
    settings_publish(p, s);
    if (p->made_up) {
        port_device_changed(p); /* Nobody else tells. */
    } else if (before != p->settings->of_config) {
        p->of.config = p->settings->of_config;
        announce(p, OFPPR_MODIFY);
    }
}

void
port_credit(struct port *p, bool rx, uint64_t packets, uint64_t bytes)
{
    __atomic_fetch_add(rx ? &p->rx_packets : &p->tx_packets, packets, __ATOMIC_RELAXED);
    __atomic_fetch_add(rx ? &p->rx_bytes : &p->tx_bytes, bytes, __ATOMIC_RELAXED);
}

int
port_police(const struct port *p, const struct dp_police *limit)
{
    struct dp *dp = p->bridge->datapath->dp;

    return dp->ops->port_police && p->dp_port != DP_PORT_NONE ? dp->ops->port_police(dp, p->dp_port, limit) : -EOPNOTSUPP;
}

int
port_get_stats(const struct port *p, struct dp_port_stats *s)
{
    if (!p->made_up && netdev_by_name(p->bridge->ofproto->netdevs, p->name)) {
        return -EOPNOTSUPP;
    }
    if (!is_patch(p)) {
        return p->bridge->datapath->dp->ops->port_stats(p->bridge->datapath->dp, p->dp_port, s);
    }
    *s = (struct dp_port_stats){.rx_packets = __atomic_load_n(&p->rx_packets, __ATOMIC_RELAXED),
                                .rx_bytes = __atomic_load_n(&p->rx_bytes, __ATOMIC_RELAXED),
                                .tx_packets = __atomic_load_n(&p->tx_packets, __ATOMIC_RELAXED),
                                .tx_bytes = __atomic_load_n(&p->tx_bytes, __ATOMIC_RELAXED)};
    return 0;
}

static void
fill_from_device(const struct netdev_stats *d, struct of_port_stats *s)
{
    s->rx_packets = d->rx_packets;
    s->tx_packets = d->tx_packets;
    s->rx_bytes = d->rx_bytes;
    s->tx_bytes = d->tx_bytes;
    s->rx_dropped = d->rx_dropped;
    s->tx_dropped = d->tx_dropped;
    s->rx_errors = d->rx_errors;
    s->tx_errors = d->tx_errors;
    s->rx_frame = d->rx_frame;
    s->rx_over = d->rx_over;
    s->rx_crc = d->rx_crc;
    s->collisions = d->collisions;
}

int
port_fill_stats(const struct port *p, struct of_port_stats *s)
{
    int64_t age = now_ms() - p->created_ms;
    struct netdev_stats dev;
    struct dp_port_stats dp;
    int error;

    memset(s, 0xff, sizeof *s);
    s->number = p->ofp;
    s->duration_sec = (uint32_t) (age / 1000);
    s->duration_nsec = (uint32_t) (age % 1000) * 1000000;
    error = port_get_stats(p, &dp);
    if (!error) {
        s->rx_packets = dp.rx_packets;
        s->tx_packets = dp.tx_packets;
        s->rx_bytes = dp.rx_bytes;
        s->tx_bytes = dp.tx_bytes;
        return 0;
    }
    error = error == -EOPNOTSUPP ? netdev_get_stats(p->bridge->ofproto->netdevs, p->name, &dev) : error;
    if (!error) {
        fill_from_device(&dev, s);
    }
    return error;
}
