// SPDX-License-Identifier: Apache-2.0
// Desired against running. A pass walks the rows in order; a port whose rows did not change since it was last reconciled costs two hash lookups. First what must go
// goes, then bridges and ports are created or changed in place. What fails is remembered with its reason and tried again when its row or its device changes.
#include <config.h>
#include "vswitchd/vswitch.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/base/log.h"
#include "vswitchd/desired.h"

#define DEFAULT_MTU 1500

static struct running_bridge *
running_bridge_find(const struct vswitch *vs, const char *name)
{
    for (struct hnode *n = htable_first_with_hash(&vs->bridges, hash_string(name, 0)); n; n = htable_next_with_hash(n)) {
        struct running_bridge *b = CONTAINER_OF(n, struct running_bridge, node);

        if (!strcmp(b->name, name)) {
            return b;
        }
    }
    return NULL;
}

static struct running_port *
running_port_find(const struct running_bridge *b, const char *name)
{
    for (struct hnode *n = htable_first_with_hash(&b->ports, hash_string(name, 0)); n; n = htable_next_with_hash(n)) {
        struct running_port *p = CONTAINER_OF(n, struct running_port, node);

        if (!strcmp(p->name, name)) {
            return p;
        }
    }
    return NULL;
}

static struct running_bridge *
running_bridge_next(const struct vswitch *vs, struct running_bridge *b)
{
    struct hnode *n = htable_next(&vs->bridges, b ? &b->node : NULL);

    return n ? CONTAINER_OF(n, struct running_bridge, node) : NULL;
}

static struct running_port *
running_port_next(const struct running_bridge *b, struct running_port *p)
{
    struct hnode *n = htable_next(&b->ports, p ? &p->node : NULL);

    return n ? CONTAINER_OF(n, struct running_port, node) : NULL;
}

static bool
is_internal(const struct running_port *p)
{
    return !strcmp(p->type, "internal");
}

static void
replace_text(char **p, const char *text)
{
    char *copy = text ? xstrdup(text) : NULL;

    free(*p);
    *p = copy;
}

static void
running_port_unplug(struct running_bridge *b, struct running_port *p, bool delete_device)
{
    if (p->port) {
        log_info(LOG_bridge, "bridge %s: deleted interface %s on port %u", b->name, p->name, port_ofport(p->port) & 0xffff);
        port_del(p->port, delete_device);
        p->port = NULL;
    }
}

static void
running_port_destroy(struct running_bridge *b, struct running_port *p, bool delete_device)
{
    running_port_unplug(b, p, delete_device);
    htable_remove(&b->ports, &p->node);
    free(p->name);
    free(p->type);
    free(p->error);
    free(p);
}

static void
running_bridge_destroy(struct vswitch *vs, struct running_bridge *b, bool delete_ports)
{
    for (struct running_port *p = running_port_next(b, NULL), *next; p; p = next) {
        next = running_port_next(b, p);
        if (delete_ports) {
            running_port_destroy(b, p, true);
        } else {
            p->port = NULL; /* bridge_destroy() lets go of it and leaves the device plugged in. */
            running_port_destroy(b, p, false);
        }
    }
    if (b->bridge) {
        bridge_destroy(b->bridge, delete_ports);
    }
    htable_destroy(&b->ports);
    htable_remove(&vs->bridges, &b->node);
    free(b->name);
    free(b->error);
    free(b);
}

void
reconcile_destroy_all(struct vswitch *vs, bool delete_ports)
{
    for (struct running_bridge *b = running_bridge_next(vs, NULL), *next; b; b = next) {
        next = running_bridge_next(vs, b);
        running_bridge_destroy(vs, b, delete_ports);
    }
}

/* The address of the local port: as asked, else the lowest one of the devices that are plugged in, else one that stays while the bridge lives. Addresses that
 * were made up here do not count: those of virtual machines' devices come and go, and the bridge's is to stay. */
static struct eth_addr
pick_hwaddr(const struct running_bridge *b, const struct desired_bridge *d)
{
    struct eth_addr best = b->default_hwaddr;
    bool found = false;

    if (d->has_hwaddr) {
        return d->config.hwaddr;
    }
    for (struct running_port *p = running_port_next(b, NULL); p; p = running_port_next(b, p)) {
        const struct netdev_info *dev = p->port && !is_internal(p) ? port_device(p->port) : NULL;

        if (dev && !eth_addr_is_multicast(dev->mac) && !eth_addr_is_local(dev->mac) && !eth_addr_is_zero(dev->mac)
            && (!found || eth_addr_u64(dev->mac) < eth_addr_u64(best))) {
            best = dev->mac;
            found = true;
        }
    }
    return best;
}

/* Gives the bridge its address and datapath id; they follow the devices that are plugged in. */
static void
bridge_set_identity(struct running_bridge *b, struct desired_bridge *d)
{
    struct eth_addr hwaddr = pick_hwaddr(b, d);
    uint64_t id = d->has_datapath_id ? d->config.datapath_id : eth_addr_u64(hwaddr);

    if (id != b->datapath_id) {
        log_info(LOG_bridge, "bridge %s: using datapath ID %016llx", b->name, (unsigned long long) id);
        b->status_dirty = true;
    }
    b->hwaddr = hwaddr;
    b->datapath_id = id;
    d->config.hwaddr = hwaddr;
    d->config.datapath_id = id;
}

/* A datapath of the kernel gives the local port's device an address of its own. */
static void
bridge_apply_hwaddr(const struct running_bridge *b)
{
    struct running_port *local = running_port_find(b, b->name);
    int error = 0;

    if (local && local->port) {
        error = port_set_mac(local->port, b->hwaddr);
        local->status_dirty = true;
    }

    if (error) {
        log_warn(LOG_bridge, "bridge %s: could not set its MAC (%s)", b->name, errno_text(error));
    }
}

/* ovs-vswitchd.conf.db(5), Interface.mtu_request: internal ports that ask for no MTU have the least one of the others, so that a host may not send what they
 * would drop. Later changes by hand stay until the least one changes. */
static void
bridge_follow_mtu(struct running_bridge *b)
{
    uint32_t least = 0;
    bool changed;

    for (struct running_port *p = running_port_next(b, NULL); p; p = running_port_next(b, p)) {
        const struct netdev_info *dev = p->port ? port_device(p->port) : NULL;

        p->mtu = dev ? dev->mtu : 0;
        if (p->mtu && !is_internal(p) && (!least || p->mtu < least)) {
            least = p->mtu;
        }
    }
    least = least ? least : DEFAULT_MTU;
    changed = least != b->min_mtu;
    b->min_mtu = least;
    for (struct running_port *p = running_port_next(b, NULL); p; p = running_port_next(b, p)) {
        int error = 0;

        if (p->port && is_internal(p) && !p->mtu_request && p->mtu && (changed || p->mtu > least)) {
            error = port_set_mtu(p->port, least);
            p->status_dirty = true;
        }
        if (error) {
            log_warn(LOG_bridge, "failed to set MTU for network device %s: %s", p->name, errno_text(error));
        }
    }
}

static void
bridge_refuse(struct running_bridge *b, char *why)
{
    if (!b->error || strcmp(b->error, why)) {
        log_err(LOG_bridge, "bridge %s: %s", b->name, why);
        b->status_dirty = true;
    }
    free(b->error);
    b->error = why;
}

static void
reconcile_bridge_itself(struct vswitch *vs, struct running_bridge *b, struct desired_bridge *d)
{
    char *why = NULL;
    int error;

    bridge_set_identity(b, d);
    if (b->bridge && !bridge_reconfigure(b->bridge, &d->config)) {
        for (struct running_port *p = running_port_next(b, NULL); p; p = running_port_next(b, p)) {
            running_port_unplug(b, p, true);
            p->port_seq = 0;
        }
        bridge_destroy(b->bridge, true);
        b->bridge = NULL;
    }
    if (!b->bridge) {
        error = bridge_create(vs->ofproto, &d->config, &b->bridge, &why);
        if (error) {
            bridge_refuse(b, why ? why : xstrdup(errno_text(error)));
            return;
        }
        if (bridge_remark(b->bridge)) {
            log_info(LOG_bridge, "bridge %s: %s", b->name, bridge_remark(b->bridge));
        }
        b->status_dirty = true;
    }
    if (d->unsupported) {
        bridge_refuse(b, xasprintf("column %s asks for what this switch does not have; ignored", d->unsupported));
    } else if (b->error) {
        replace_text(&b->error, NULL);
        b->status_dirty = true;
    }
}

/* Takes 'why'. */
static void
port_refuse(struct running_port *p, enum log_level level, char *why)
{
    if (!p->error || strcmp(p->error, why)) {
        log_write(LOG_bridge, level, "%s", why);
    }
    free(p->error);
    p->error = why;
    p->status_dirty = true;
}

/* By the datapath if it can, else by TC. */
static void
port_apply_police(struct vswitch *vs, struct running_port *p, const struct dp_police *limit)
{
    const struct netdev_info *dev = port_device(p->port);
    int error;

    if (!dev || !dev->ifindex) {
        return; /* Nothing that could be policed. */
    }
    error = port_police(p->port, limit);
    if (error == -EOPNOTSUPP) {
        error = netdev_set_policing(vs->netdevs, p->name, limit);
        p->policed_by_tc = true;
    } else if (!error && p->policed_by_tc) {
        error = netdev_set_policing(vs->netdevs, p->name, &(struct dp_police){.kbps = 0});
        p->policed_by_tc = false;
    }
    if (error) {
        log_warn(LOG_bridge, "%s: could not set ingress policing (%s)", p->name, errno_text(error));
    }
}

/* Device settings of Interface that are not the port's: MAC, MTU, policing. */
static void
port_apply_device(struct vswitch *vs, struct running_bridge *b, struct running_port *p, const struct desired_port *d)
{
    int error = d->has_mac && is_internal(p) ? port_set_mac(p->port, d->mac) : 0;

    if (error) {
        log_warn(LOG_bridge, "interface %s: could not set its MAC (%s)", p->name, errno_text(error));
    }
    error = d->mtu_request ? port_set_mtu(p->port, d->mtu_request) : 0;
    if (error) {
        log_warn(LOG_bridge, "failed to set MTU for network device %s: %s", p->name, errno_text(error));
    }
    if (p->mtu_request && !d->mtu_request) {
        b->min_mtu = 0; /* It follows the others again. */
    }
    p->mtu_request = d->mtu_request;
    p->status_dirty = true;
    port_apply_police(vs, p, &d->police);
}

/* One that was unplugged for a change, or whose device came back, has its number again if it is free. */
static void
port_plug(struct running_bridge *b, struct running_port *p, struct desired_port *d)
{
    char *why = NULL;
    int error;

    if (p->ofport) {
        d->config.ofport_before = p->ofport;
    }
    error = port_add(b->bridge, &d->config, &p->port, &why);
    if (error) {
        p->port = NULL;
        port_refuse(p, LOG_LEVEL_WARN, why ? why : xasprintf("could not add network device %s to ofproto (%s)", p->name, errno_text(error)));
        return;
    }
    p->ofport = port_ofport(p->port);
    log_info(LOG_bridge, "bridge %s: added interface %s on port %u", b->name, p->name, p->ofport & 0xffff);
    replace_text(&p->error, NULL);
    p->status_dirty = true;
}

static void
reconcile_port_itself(struct vswitch *vs, struct running_bridge *b, struct running_port *p, const struct ovsdb_row *port_row,
                      const struct ovsdb_row *interface_row)
{
    struct desired_port d;
    char *why = desired_port_init(&d, port_row, interface_row, b->name);

    if (why) {
        running_port_unplug(b, p, true);
        port_refuse(p, LOG_LEVEL_WARN, why);
        return;
    }
    replace_text(&p->type, d.config.type);
    if (p->port && !port_reconfigure(p->port, &d.config)) {
        running_port_unplug(b, p, true);
    }
    if (!p->port) {
        port_plug(b, p, &d);
    }
    if (p->port) {
        port_apply_device(vs, b, p, &d);
    }
}

static struct running_port *
running_port_create(struct running_bridge *b, const char *name)
{
    struct running_port *p = xzalloc(sizeof *p);

    p->name = xstrdup(name);
    p->type = xstrdup("");
    htable_insert(&b->ports, &p->node, hash_string(name, 0));
    return p;
}

static enum plug_turn
turn_of_port(const struct running_bridge *b, const struct ovsdb_row *interface_row)
{
    int64_t n;

    if (row_integer(interface_row, "ofport_request", &n)) {
        return PLUG_REQUESTED;
    }
    return row_integer(interface_row, "ofport", &n) && n > 0 && !bridge_has_ofport(b->bridge, (uint32_t) n) ? PLUG_KNOWN : PLUG_ANY;
}

/* Not this port's turn to be plugged in? */
static bool
defer_port(struct running_bridge *b, const struct running_port *p, const struct ovsdb_row *interface_row)
{
    if (p->port || !strcmp(p->name, b->name) || turn_of_port(b, interface_row) <= b->turn) {
        return false;
    }
    b->deferred = true;
    return true;
}

/* true if the port was touched. */
static bool
reconcile_port(struct vswitch *vs, struct running_bridge *b, const struct ovsdb_row *port_row, const struct ovsdb_row *interface_row)
{
    struct running_port *p = running_port_find(b, row_string(interface_row, "name"));

    if (p && p->seen) {
        return false; /* A second row of the same name: the first one counts. */
    }
    if (!p) {
        p = running_port_create(b, row_string(interface_row, "name"));
    }
    if (p->port_seq == port_row->seq && p->interface_seq == interface_row->seq) {
        p->seen = true;
        return false;
    }
    if (defer_port(b, p, interface_row)) {
        return false;
    }
    p->seen = true;
    p->port_seq = port_row->seq;
    p->interface_seq = interface_row->seq;
    memcpy(p->port_uuid, port_row->uuid, sizeof p->port_uuid);
    memcpy(p->interface_uuid, interface_row->uuid, sizeof p->interface_uuid);
    reconcile_port_itself(vs, b, p, port_row, interface_row);
    return true;
}

/* Calls fn for each interface of the bridge row. */
static bool
for_each_interface(struct vswitch *vs, struct running_bridge *b, const struct ovsdb_row *row,
                   bool (*fn)(struct vswitch *, struct running_bridge *, const struct ovsdb_row *, const struct ovsdb_row *))
{
    const struct ovsdb_table *ports = replica_table(ovsdb_replica(vs->db), "Port");
    const struct ovsdb_table *interfaces = replica_table(ovsdb_replica(vs->db), "Interface");
    bool any = false;

    for (size_t i = 0; i < row_count(row, "ports"); i++) {
        const struct ovsdb_row *port = row_ref(row, "ports", i, ports);

        for (size_t j = 0; port && j < row_count(port, "interfaces"); j++) {
            const struct ovsdb_row *interface = row_ref(port, "interfaces", j, interfaces);

            if (interface && row_string(interface, "name")) {
                any |= fn(vs, b, port, interface);
            }
        }
    }
    return any;
}

static bool
reconcile_ports(struct vswitch *vs, struct running_bridge *b, const struct ovsdb_row *row)
{
    bool changed = false;

    b->deferred = true;
    for (b->turn = PLUG_REQUESTED; b->deferred; b->turn++) {
        b->deferred = false;
        changed |= for_each_interface(vs, b, row, reconcile_port);
    }
    return changed;
}

static bool
mark_port_seen(struct vswitch *vs, struct running_bridge *b, const struct ovsdb_row *port, const struct ovsdb_row *interface)
{
    struct running_port *p = running_port_find(b, row_string(interface, "name"));

    /* By name: who deletes a port and adds it in one transaction, as many a script does to be sure, disturbs nothing. */
    if (p) {
        p->seen = true;
    }
    return false;
}

/* Takes out the ports that are asked for no more. */
static void
remove_unseen_ports(struct vswitch *vs, struct running_bridge *b, const struct ovsdb_row *row)
{
    for (struct running_port *p = running_port_next(b, NULL); p; p = running_port_next(b, p)) {
        p->seen = false;
    }
    for_each_interface(vs, b, row, mark_port_seen);
    for (struct running_port *p = running_port_next(b, NULL), *next; p; p = next) {
        next = running_port_next(b, p);
        if (!p->seen) {
            running_port_destroy(b, p, true);
            b->ports_removed = true;
        } else {
            p->seen = false; /* For the pass that adds and changes. */
        }
    }
}

static struct running_bridge *
running_bridge_create(struct vswitch *vs, const char *name)
{
    struct running_bridge *b = xzalloc(sizeof *b);

    b->name = xstrdup(name);
    b->default_hwaddr = eth_addr_random();
    htable_init(&b->ports);
    htable_insert(&vs->bridges, &b->node, hash_string(name, 0));
    return b;
}

static void
reconcile_bridge(struct vswitch *vs, struct running_bridge *b, const struct ovsdb_row *row)
{
    struct desired_bridge d;
    bool changed = b->ports_removed;

    b->ports_removed = false;
    memcpy(b->uuid, row->uuid, sizeof b->uuid);
    desired_bridge_init(&d, row, ovsdb_replica(vs->db));
    reconcile_bridge_itself(vs, b, &d);
    if (b->bridge) {
        changed |= reconcile_ports(vs, b, row);
        if (changed) {
            bridge_set_identity(b, &d);
            bridge_reconfigure(b->bridge, &d.config);
            bridge_follow_mtu(b);
        }
        bridge_apply_hwaddr(b);
    }
    desired_bridge_destroy(&d);
}

static void
reconcile_tls(struct vswitch *vs, const struct ovsdb_row *global)
{
    struct stream_tls tls;
    const struct ovsdb_row *ssl = row_ref(global, "ssl", 0, replica_table(ovsdb_replica(vs->db), "SSL"));
    char *why = NULL;

    if (!ssl) {
        return; /* Those of the command line, if any, stay. */
    }
    desired_tls(ssl, &tls);
    if (stream_tls_configure(&tls, &why)) {
        static struct log_limit limit = LOG_LIMIT(5, 5);

        log_err_rl(LOG_stream, &limit, "SSL: %s", why ? why : "bad configuration");
        free(why);
    }
}

/* The row's bridge as it runs. A name is a file name in RUNDIR too: one with a slash, or none, is no bridge. */
static struct running_bridge *
bridge_of_row(struct vswitch *vs, const struct ovsdb_row *row, bool create)
{
    static struct log_limit limit = LOG_LIMIT(5, 5);
    const char *name = row ? row_string(row, "name") : NULL;
    struct running_bridge *b;

    if (!name || !*name || strchr(name, '/')) {
        log_warn_rl(LOG_bridge, &limit, "ignoring bridge with invalid name '%s'", name ? name : "");
        return NULL;
    }
    b = running_bridge_find(vs, name);
    return b || !create ? b : running_bridge_create(vs, name);
}

/* What goes, goes first, from all bridges: its device may be asked for in another one. */
static void
remove_unseen(struct vswitch *vs, const struct ovsdb_row *global, const struct ovsdb_table *bridges)
{
    for (struct running_bridge *b = running_bridge_next(vs, NULL); b; b = running_bridge_next(vs, b)) {
        b->seen = false;
    }
    for (size_t i = 0; i < row_count(global, "bridges"); i++) {
        const struct ovsdb_row *row = row_ref(global, "bridges", i, bridges);
        struct running_bridge *b = bridge_of_row(vs, row, false);

        if (b) {
            b->seen = true;
            remove_unseen_ports(vs, b, row);
        }
    }
    for (struct running_bridge *b = running_bridge_next(vs, NULL), *next; b; b = next) {
        next = running_bridge_next(vs, b);
        if (!b->seen) {
            running_bridge_destroy(vs, b, true);
        }
    }
}

/* Who polices a port depends on whether TC comes first. */
static void
forget_ports(struct vswitch *vs)
{
    for (struct running_bridge *b = running_bridge_next(vs, NULL); b; b = running_bridge_next(vs, b)) {
        for (struct running_port *p = running_port_next(b, NULL); p; p = running_port_next(b, p)) {
            p->port_seq = 0;
        }
    }
}

static void
reconcile_bridges(struct vswitch *vs, const struct ovsdb_row *global)
{
    const struct ovsdb_table *bridges = replica_table(ovsdb_replica(vs->db), "Bridge");

    remove_unseen(vs, global, bridges);
    for (size_t i = 0; i < row_count(global, "bridges"); i++) {
        const struct ovsdb_row *row = row_ref(global, "bridges", i, bridges);
        struct running_bridge *b = bridge_of_row(vs, row, true);

        if (b) {
            reconcile_bridge(vs, b, row);
        }
    }
}

void
reconcile(struct vswitch *vs)
{
    const struct ovsdb_table *globals = replica_table(ovsdb_replica(vs->db), "Open_vSwitch");
    const struct ovsdb_row *global = replica_next(globals, NULL);
    struct ofproto_config config;
    int64_t next_cfg;

    if (!global) {
        reconcile_destroy_all(vs, true);
        return;
    }
    reconcile_tls(vs, global);
    desired_global(global, &config);
    ofproto_configure(vs->ofproto, &config);
    if (config.hw_offload != vs->hw_offload) {
        vs->hw_offload = config.hw_offload;
        forget_ports(vs);
    }
    reconcile_bridges(vs, global);
    if (!vs->forwarding && !row_map_bool(global, "other_config", "flow-restore-wait", false)) {
        ofproto_start_forwarding(vs->ofproto);
        vs->forwarding = true;
    }
    if (row_integer(global, "next_cfg", &next_cfg)) {
        vs->next_cfg = next_cfg;
    }
}

void
reconcile_device_event(struct vswitch *vs, const struct netdev_info *dev, bool gone)
{
    for (struct running_bridge *b = running_bridge_next(vs, NULL); b; b = running_bridge_next(vs, b)) {
        struct running_port *p = running_port_find(b, dev->name);

        if (!p) {
            continue;
        }
        p->status_dirty = true;
        if (p->port && gone && is_internal(p)) {
            port_device_changed(p->port); /* In another network namespace now, where it goes on as our port. */
        } else if (p->port && gone) {
            running_port_unplug(b, p, true); /* What is left of it in the datapath and TC goes too. */
            port_refuse(p, LOG_LEVEL_INFO, xasprintf("could not open network device %s (No such device)", p->name));
            p->port_seq = 0;
        } else if (p->port) {
            port_device_changed(p->port);
            if (dev->mtu != p->mtu) {
                bridge_follow_mtu(b);
            }
        } else if (!gone) {
            p->port_seq = 0;      /* The next pass tries it again. */
            vs->reconciled_seq = 0;
        }
    }
}
