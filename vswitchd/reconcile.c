// SPDX-License-Identifier: Apache-2.0
// Desired against running. A pass looks at rows that changed since the last one, at those that went, and at ports that wait for another reason (a device that came):
// a change costs the same in a bridge of ten ports and of thousands. First what must go goes, from all bridges, since its device may be asked for in another one;
// then bridges and ports are created or changed in place; then each bridge that this touched takes its address and MTU from its ports. What fails is remembered
// with its reason and tried again when its row or its device changes.
#include <config.h>
#include "vswitchd/vswitch.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/counter.h"
#include "lib/base/log.h"
#include "vswitchd/desired.h"
#include "vswitchd/running.h"

COUNTER(reconcile_pass, "What runs was compared with what the database asks for.");
COUNTER(reconcile_bridge, "A row of Bridge was looked at in such a pass.");
COUNTER(reconcile_interface, "A row of Interface was looked at in such a pass.");

/* Ports that ask for an OpenFlow number get theirs first, then those that had one, so that no other takes it from them. */
enum plug_turn { PLUG_REQUESTED, PLUG_KNOWN, PLUG_ANY };

/* A port to be looked at in this pass. */
struct visit {
    struct running_port *port;
    const struct ovsdb_row *port_row, *interface_row;
    bool done;
};

struct pass {
    struct vswitch *vs;
    const struct ovsdb_table *bridges, *ports, *interfaces;
    uint64_t since;              /* Of the replica: what changed later is looked at. */
    struct visit *visits;
    size_t n, allocated;
};

void
reconcile_destroy_all(struct vswitch *vs, bool delete_ports)
{
    for (struct running_bridge *b = running_bridge_next(vs, NULL), *next; b; b = next) {
        next = running_bridge_next(vs, b);
        running_bridge_destroy(b, delete_ports);
    }
}

/* Gives the bridge its address and datapath id: as asked, else from the lowest address of the devices that are plugged in, else from one that stays while the bridge
 * lives. True if they are others than before. */
static bool
bridge_set_identity(struct running_bridge *b, struct desired_bridge *d)
{
    uint64_t of_ports = follow_mac(b);
    struct eth_addr hwaddr = d->has_hwaddr ? d->config.hwaddr : of_ports ? eth_addr_from_u64(of_ports) : b->default_hwaddr;
    uint64_t id = d->has_datapath_id ? d->config.datapath_id : eth_addr_u64(hwaddr);
    bool changed = id != b->datapath_id || !eth_addr_equals(hwaddr, b->hwaddr);

    if (id != b->datapath_id) {
        log_info(LOG_bridge, "bridge %s: using datapath ID %016llx", b->name, (unsigned long long) id);
        b->status_dirty = true;
    }
    b->hwaddr = hwaddr;
    b->datapath_id = id;
    d->config.hwaddr = hwaddr;
    d->config.datapath_id = id;
    return changed;
}

/* A datapath of the kernel gives the local port's device an address of its own. */
static void
bridge_apply_hwaddr(const struct running_bridge *b)
{
    struct running_port *local = running_port_find(b->vs, b->name);
    const struct netdev_info *dev = local && local->port ? port_device(local->port) : NULL;
    int error;

    if (!dev || eth_addr_equals(dev->mac, b->hwaddr)) {
        return;
    }
    error = port_set_mac(local->port, b->hwaddr);
    running_port_changed(local);
    if (error) {
        log_warn(LOG_bridge, "bridge %s: could not set its MAC (%s)", b->name, errno_text(error));
    }
}

static void
bridge_unplug_all(struct running_bridge *b)
{
    struct running_port *p;

    cds_list_for_each_entry (p, &b->ports, in_bridge) {
        running_port_unplug(p, true);
        running_port_changed(p);
        p->port_seq = 0;
    }
}

/* True if all its ports are to be plugged in: it did not run before, or ran on another datapath. */
static bool
reconcile_bridge_itself(struct running_bridge *b, struct desired_bridge *d)
{
    bool created = false;
    char *why = NULL;

    bridge_set_identity(b, d);
    if (b->bridge && !bridge_reconfigure(b->bridge, &d->config)) {
        bridge_unplug_all(b);
        bridge_destroy(b->bridge, true);
        b->bridge = NULL;
    }
    if (!b->bridge) {
        int error = bridge_create(b->vs->ofproto, &d->config, &b->bridge, &why);

        if (error) {
            running_bridge_refuse(b, why ? why : xstrdup(errno_text(error)));
            return false;
        }
        if (bridge_remark(b->bridge)) {
            log_info(LOG_bridge, "bridge %s: %s", b->name, bridge_remark(b->bridge));
        }
        b->status_dirty = created = true;
    }
    running_bridge_refuse(b, d->unsupported ? xasprintf("column %s asks for what this switch does not have; ignored", d->unsupported) : NULL);
    return created;
}

/* By the datapath if it can, else by TC. */
static void
port_apply_police(struct running_port *p, const struct dp_police *limit)
{
    struct netdevs *netdevs = p->bridge->vs->netdevs;
    const struct netdev_info *dev = port_device(p->port);
    int error;

    if (!dev || !dev->ifindex) {
        return; /* Nothing that could be policed. */
    }
    error = port_police(p->port, limit);
    if (error == -EOPNOTSUPP) {
        error = netdev_set_policing(netdevs, p->name, limit);
        p->policed_by_tc = true;
    } else if (!error && p->policed_by_tc) {
        error = netdev_set_policing(netdevs, p->name, &(struct dp_police){.kbps = 0});
        p->policed_by_tc = false;
    }
    if (error) {
        log_warn(LOG_bridge, "%s: could not set ingress policing (%s)", p->name, errno_text(error));
    }
}

/* Device settings of Interface that are not the port's: MAC, MTU, policing. */
static void
port_apply_device(struct running_port *p, const struct desired_port *d)
{
    int error = d->has_mac && running_port_is_internal(p) ? port_set_mac(p->port, d->mac) : 0;

    if (error) {
        log_warn(LOG_bridge, "interface %s: could not set its MAC (%s)", p->name, errno_text(error));
    }
    error = d->mtu_request ? port_set_mtu(p->port, d->mtu_request) : 0;
    if (error) {
        log_warn(LOG_bridge, "failed to set MTU for network device %s: %s", p->name, errno_text(error));
    }
    p->follow_mtu = p->mtu_request && !d->mtu_request;
    p->mtu_request = d->mtu_request;
    port_apply_police(p, &d->police);
}

/* One that was unplugged for a change, or whose device came back, has its number again if it is free. */
static void
port_plug(struct running_port *p, struct desired_port *d)
{
    char *why = NULL;
    int error;

    if (p->ofport) {
        d->config.ofport_before = p->ofport;
    }
    error = port_add(p->bridge->bridge, &d->config, &p->port, &why);
    if (error) {
        p->port = NULL;
        running_port_refuse(p, LOG_LEVEL_WARN,
                            why ? why : xasprintf("could not add network device %s to ofproto (%s)", p->name, errno_text(error)));
        return;
    }
    p->ofport = port_ofport(p->port);
    log_info(LOG_bridge, "bridge %s: added interface %s on port %u", p->bridge->name, p->name, p->ofport & 0xffff);
}

/* Interface.error of a port that is there: it may lack something that it was asked for. */
static void
port_note_remark(struct running_port *p)
{
    const char *why = port_remark(p->port);

    if (why) {
        running_port_refuse(p, LOG_LEVEL_WARN, xasprintf("%s: %s", p->name, why));
    } else {
        free(p->error);
        p->error = NULL;
    }
}

static void
reconcile_port(struct running_port *p, const struct ovsdb_row *port_row, const struct ovsdb_row *interface_row)
{
    struct desired_port d;
    char *why = desired_port_init(&d, port_row, interface_row, p->bridge->name);

    p->port_seq = port_row->seq;
    p->interface_seq = interface_row->seq;
    running_port_changed(p);
    if (why) {
        running_port_unplug(p, true);
        running_port_refuse(p, LOG_LEVEL_WARN, why);
        return;
    }
    running_port_set_type(p, d.config.type);
    if (p->port && !port_reconfigure(p->port, &d.config)) {
        running_port_unplug(p, true);
    }
    if (!p->port) {
        port_plug(p, &d);
    }
    if (p->port) {
        port_note_remark(p);
        port_apply_device(p, &d);
    }
    if (p->port && !p->told_stats) {
        running_port_uncounted(p);
    }
    follow_port(p);
}

/* The bridge that asks for the interface, as it runs, and the Port row between; NULL: none. */
static struct running_bridge *
bridge_of_interface(const struct vswitch *vs, const struct ovsdb_row *interface, const struct ovsdb_row **port)
{
    const struct ovsdb_row *bridge;
    const char *name;

    *port = row_owner(interface);
    bridge = *port ? row_owner(*port) : NULL;
    name = bridge && row_owner(bridge) ? row_string(bridge, "name") : NULL;
    return name ? running_bridge_find(vs, name) : NULL;
}

/* Of an interface that changed or came: the port of its name is its own from now on, also if that of another row runs, since who deletes a port and adds it in one
 * transaction, as many a script does to be sure, disturbs nothing. One that is asked for elsewhere goes. */
static void
claim_port(struct pass *pass, const struct ovsdb_row *interface)
{
    const char *name = row_string(interface, "name");
    struct running_port *p = name ? running_port_find(pass->vs, name) : NULL;
    const struct ovsdb_row *port;

    if (p && bridge_of_interface(pass->vs, interface, &port) != p->bridge) {
        running_port_destroy(p, true);
    } else if (p && strcmp(p->interface_uuid, interface->uuid)) {
        memcpy(p->interface_uuid, interface->uuid, sizeof p->interface_uuid);
        running_port_uncounted(p);
        running_port_changed(p);
    }
}

static void
claim_bridge(struct pass *pass, const struct ovsdb_row *row)
{
    const char *name = row_string(row, "name");
    struct running_bridge *b = name ? running_bridge_find(pass->vs, name) : NULL;

    if (b && !row_owner(row)) {
        running_bridge_destroy(b, true);
    } else if (b && strcmp(b->uuid, row->uuid)) {
        memcpy(b->uuid, row->uuid, sizeof b->uuid);
        b->status_dirty = true;
    }
}

/* Calls fn for each interface that changed, or whose port did: some of them twice. */
static void
for_each_changed_interface(struct pass *pass, void (*fn)(struct pass *, const struct ovsdb_row *interface))
{
    const struct ovsdb_row *row = NULL, *interface;

    while ((row = replica_next_changed(pass->ports, row, pass->since))) {
        for (interface = row_next_owned(row, NULL); interface; interface = row_next_owned(row, interface)) {
            fn(pass, interface);
        }
    }
    while ((row = replica_next_changed(pass->interfaces, row, pass->since))) {
        fn(pass, row);
    }
}

/* A row is gone, and nobody claimed what ran for it. */
static void
remove_of_row(struct vswitch *vs, const struct ovsdb_row *row)
{
    const char *name = row_string(row, "name");
    struct running_bridge *b = name && !strcmp(row->table->name, "Bridge") ? running_bridge_find(vs, name) : NULL;
    struct running_port *p = name && !strcmp(row->table->name, "Interface") ? running_port_find(vs, name) : NULL;

    if (b && !strcmp(b->uuid, row->uuid)) {
        running_bridge_destroy(b, true);
    }
    if (p && !strcmp(p->interface_uuid, row->uuid)) {
        running_port_destroy(p, true);
    }
    status_cache_forget_row(vs->written, row->uuid);
}

/* After a time of which nothing is known: all that runs without a row goes. */
static void
remove_without_row(struct pass *pass)
{
    for (struct running_bridge *b = running_bridge_next(pass->vs, NULL), *next; b; b = next) {
        struct running_port *p, *next_port;

        next = running_bridge_next(pass->vs, b);
        cds_list_for_each_entry_safe (p, next_port, &b->ports, in_bridge) {
            if (!replica_row(pass->interfaces, p->interface_uuid)) {
                running_port_destroy(p, true);
            }
        }
        if (!replica_row(pass->bridges, b->uuid)) {
            running_bridge_destroy(b, true);
        }
    }
}

static void
remove_unwanted(struct pass *pass)
{
    const struct ovsdb_replica *r = ovsdb_replica(pass->vs->db);
    const struct ovsdb_row *row = NULL;

    while ((row = replica_next_changed(pass->bridges, row, pass->since))) {
        claim_bridge(pass, row);
    }
    for_each_changed_interface(pass, claim_port);
    while ((row = replica_next_gone(r, row))) {
        remove_of_row(pass->vs, row);
    }
    if (pass->since < r->began_seq) {
        remove_without_row(pass);
    }
}

/* Notes an interface for this pass: once, and if there is something to be done. */
static void
note_visit(struct pass *pass, const struct ovsdb_row *interface)
{
    const char *name = row_string(interface, "name");
    const struct ovsdb_row *port;
    struct running_bridge *b = bridge_of_interface(pass->vs, interface, &port);
    struct running_port *p;

    if (!b || !b->bridge || !name) {
        return;
    }
    p = running_port_find(pass->vs, name);
    p = p ? p : running_port_create(b, name);
    if (p->pass == pass->vs->pass || (p->port_seq == port->seq && p->interface_seq == interface->seq)) {
        return;
    }
    COUNTER_INC(reconcile_interface);
    p->pass = pass->vs->pass;
    memcpy(p->interface_uuid, interface->uuid, sizeof p->interface_uuid);
    if (pass->n == pass->allocated) {
        array_grow(&pass->visits, &pass->allocated, sizeof *pass->visits);
    }
    pass->visits[pass->n++] = (struct visit){p, port, interface, false};
}

static void
note_bridge(struct pass *pass, const struct ovsdb_row *row)
{
    for (const struct ovsdb_row *port = row_next_owned(row, NULL); port; port = row_next_owned(row, port)) {
        for (const struct ovsdb_row *i = row_next_owned(port, NULL); i; i = row_next_owned(port, i)) {
            note_visit(pass, i);
        }
    }
}

static void
note_ports_again(struct pass *pass)
{
    struct running_port *p, *next;

    cds_list_for_each_entry_safe (p, next, &pass->vs->ports_again, again) {
        const struct ovsdb_row *row = replica_row(pass->interfaces, p->interface_uuid);

        cds_list_del_init(&p->again);
        if (row) {
            note_visit(pass, row);
        }
    }
}

static enum plug_turn
turn_of(const struct visit *v)
{
    const struct bridge *b = v->port->bridge->bridge;
    int64_t n;

    if (v->port->port || !strcmp(v->port->name, v->port->bridge->name) || row_integer(v->interface_row, "ofport_request", &n)) {
        return PLUG_REQUESTED;
    }
    return row_integer(v->interface_row, "ofport", &n) && n > 0 && !bridge_has_ofport(b, (uint32_t) n) ? PLUG_KNOWN : PLUG_ANY;
}

static void
reconcile_ports(struct pass *pass)
{
    note_ports_again(pass);
    for_each_changed_interface(pass, note_visit);
    for (enum plug_turn turn = PLUG_REQUESTED; turn <= PLUG_ANY; turn++) {
        for (size_t i = 0; i < pass->n; i++) {
            struct visit *v = &pass->visits[i];

            if (!v->done && turn_of(v) <= turn) {
                v->done = true;
                reconcile_port(v->port, v->port_row, v->interface_row);
            }
        }
    }
}

/* Bridges that ports of this pass touched take their address and MTU from them, and ports of this pass those of their bridges. */
static void
settle(struct pass *pass)
{
    for (struct running_bridge *b = running_bridge_next(pass->vs, NULL); b; b = running_bridge_next(pass->vs, b)) {
        const struct ovsdb_row *row = b->bridge && (b->ports_changed || b->due) ? replica_row(pass->bridges, b->uuid) : NULL;
        struct desired_bridge d;

        b->ports_changed = b->due = false;
        if (!row) {
            continue;
        }
        desired_bridge_init(&d, row, ovsdb_replica(pass->vs->db));
        if (bridge_set_identity(b, &d)) {
            bridge_reconfigure(b->bridge, &d.config);
        }
        desired_bridge_destroy(&d);
        follow_mtu(b);
    }
    for (size_t i = 0; i < pass->n; i++) {
        struct running_port *p = pass->visits[i].port;

        follow_mtu_of(p);
    }
    for (struct running_bridge *b = running_bridge_next(pass->vs, NULL); b; b = running_bridge_next(pass->vs, b)) {
        bridge_apply_hwaddr(b);
    }
}

/* A name is a file name in RUNDIR too: one with a slash, or none, is no bridge. */
static struct running_bridge *
bridge_of_row(struct vswitch *vs, const struct ovsdb_row *row)
{
    static struct log_limit limit = LOG_LIMIT(5, 5);
    const char *name = row_string(row, "name");
    struct running_bridge *b;

    if (!name || !*name || strchr(name, '/')) {
        log_warn_rl(LOG_bridge, &limit, "ignoring bridge with invalid name '%s'", name ? name : "");
        return NULL;
    }
    b = running_bridge_find(vs, name);
    return b ? b : running_bridge_create(vs, name);
}

/* Something of the table changed, came or went. */
static bool
table_changed(const struct pass *pass, const char *name)
{
    const struct ovsdb_replica *r = ovsdb_replica(pass->vs->db);
    const struct ovsdb_row *row = NULL;

    if (replica_next_changed(replica_table(r, name), NULL, pass->since)) {
        return true;
    }
    while ((row = replica_next_gone(r, row))) {
        if (!strcmp(row->table->name, name)) {
            return true;
        }
    }
    return false;
}

/* Rows of other tables say something of all bridges, which are few. One that could not be created is tried each time. */
static void
reconcile_bridges(struct pass *pass)
{
    bool all = table_changed(pass, "Controller") || table_changed(pass, "Flow_Table");
    const struct ovsdb_row *row = NULL;

    while ((row = replica_next_changed(pass->bridges, row, pass->since))) {
        struct running_bridge *b = row_owner(row) ? bridge_of_row(pass->vs, row) : NULL;

        if (b) {
            memcpy(b->uuid, row->uuid, sizeof b->uuid);
            b->due = true;
        }
    }
    for (struct running_bridge *b = running_bridge_next(pass->vs, NULL); b; b = running_bridge_next(pass->vs, b)) {
        struct desired_bridge d;

        b->due |= all || !b->bridge;
        row = b->due ? replica_row(pass->bridges, b->uuid) : NULL;
        if (row) {
            COUNTER_INC(reconcile_bridge);
            desired_bridge_init(&d, row, ovsdb_replica(pass->vs->db));
            if (reconcile_bridge_itself(b, &d)) {
                note_bridge(pass, row);
            }
            desired_bridge_destroy(&d);
        }
    }
}

/* Who polices a port depends on whether TC comes first. */
static void
look_at_all_ports(struct vswitch *vs)
{
    for (struct running_bridge *b = running_bridge_next(vs, NULL); b; b = running_bridge_next(vs, b)) {
        struct running_port *p;

        cds_list_for_each_entry (p, &b->ports, in_bridge) {
            running_port_look_again(p);
        }
    }
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

void
reconcile(struct vswitch *vs, uint64_t since)
{
    const struct ovsdb_replica *r = ovsdb_replica(vs->db);
    const struct ovsdb_row *global = replica_next(replica_table(r, "Open_vSwitch"), NULL);
    struct pass pass = {.vs = vs,
                        .since = since,
                        .bridges = replica_table(r, "Bridge"),
                        .ports = replica_table(r, "Port"),
                        .interfaces = replica_table(r, "Interface")};
    struct ofproto_config config;
    int64_t next_cfg;

    COUNTER_INC(reconcile_pass);
    vs->pass++;
    if (!global) {
        reconcile_destroy_all(vs, true);
        return;
    }
    reconcile_tls(vs, global);
    desired_global(global, &config);
    ofproto_configure(vs->ofproto, &config);
    if (config.hw_offload != vs->hw_offload) {
        vs->hw_offload = config.hw_offload;
        look_at_all_ports(vs);
    }
    remove_unwanted(&pass);
    reconcile_bridges(&pass);
    reconcile_ports(&pass);
    settle(&pass);
    free(pass.visits);
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
    struct running_port *p = running_port_find(vs, dev->name);

    if (!p) {
        return;
    }
    running_port_changed(p);
    if (p->port && (!gone || running_port_is_internal(p))) {
        port_device_changed(p->port); /* An internal one that is gone is in another network namespace now, where it goes on as our port. */
        follow_port(p);
        follow_mtu_of(p);
    } else if (p->port) {
        running_port_unplug(p, true); /* What is left of it in the datapath and TC goes too. */
        running_port_refuse(p, LOG_LEVEL_INFO, xasprintf("could not open network device %s (No such device)", p->name));
        p->port_seq = 0;
    } else if (!gone) {
        running_port_look_again(p);
    }
    vs->look_again |= p->bridge->ports_changed;
}
