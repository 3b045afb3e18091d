// SPDX-License-Identifier: Apache-2.0
// Writing back. Every value goes through status_put(), which remembers what the database was told last, so that a pass writes only what changed, in one transaction:
// who waits for cur_cfg finds ofport there. When many ports came at once, what else there is to tell of them follows in a second one, as soon as the first is
// answered. A pass looks at the rows that somebody said have changed, every few seconds at the counters of all.
#include <config.h>
#include "vswitchd/vswitch.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "lib/base/counter.h"
#include "lib/base/dirs.h"
#include "lib/base/log.h"
#include "lib/base/version.h"
#include "vswitchd/running.h"

#define STATS_INTERVAL_DEFAULT_MS 5000 /* ovs-vswitchd.conf.db(5), other_config:stats-update-interval; also the least. */

COUNTER(status_interface, "A row of Interface was looked at for what the database is to be told, beside its statistics.");

/* Of more ports than this what ovs-vsctl waits for comes first, without the state of their devices and their statistics, which are most of what there is to tell of
 * a port. */
#define MANY_PORTS 16

struct status_cache {
    json_t *rows;        /* UUID to {column: wire value}. */
};

struct status_cache *
status_cache_create(void)
{
    struct status_cache *c = xzalloc(sizeof *c);

    c->rows = json_object();
    return c;
}

void
status_cache_destroy(struct status_cache *c)
{
    json_decref(c->rows);
    free(c);
}

void
status_cache_forget_row(struct status_cache *c, const char *uuid)
{
    json_object_del(c->rows, uuid);
}

void
status_forget(struct vswitch *vs)
{
    json_object_clear(vs->written->rows);
    vs->told_cfg = -1;
    running_all_changed(vs);
}

/* Steals 'wire'. */
static void
status_put(struct vswitch *vs, struct ovsdb_txn *txn, const struct ovsdb_row *row, const char *column, json_t *wire)
{
    json_t *known = json_object_get(vs->written->rows, row->uuid);

    if (!known) {
        known = json_object();
        json_object_set_new(vs->written->rows, row->uuid, known);
    }
    if (json_equal(json_object_get(known, column), wire)) {
        json_decref(wire);
        return;
    }
    json_object_set(known, column, wire);
    ovsdb_txn_update(txn, row, column, wire);
}

static json_t *
optional_string(const char *text)
{
    return text && *text ? json_string(text) : json_pack("[s, []]", "set");
}

static json_t *
optional_integer(bool known, int64_t value)
{
    return known ? json_integer(value) : json_pack("[s, []]", "set");
}

static json_t *
map_of(json_t *object)
{
    json_t *wire = wire_map(object);

    json_decref(object);
    return wire;
}

static void
map_add_text(json_t *object, const char *key, const char *text)
{
    if (text && *text) {
        json_object_set_new(object, key, json_string(text));
    }
}

static void
put_device(struct vswitch *vs, struct ovsdb_txn *txn, const struct ovsdb_row *row, const struct netdev_info *dev)
{
    char mac[18] = "";

    if (dev) {
        snprintf(mac, sizeof mac, ETH_ADDR_FMT, ETH_ADDR_ARGS(dev->mac));
    }
    status_put(vs, txn, row, "ifindex", optional_integer(dev != NULL, dev ? dev->ifindex : 0));
    status_put(vs, txn, row, "mac_in_use", optional_string(mac));
    status_put(vs, txn, row, "admin_state", optional_string(dev ? dev->admin_up ? "up" : "down" : NULL));
    status_put(vs, txn, row, "link_state", optional_string(dev ? dev->carrier ? "up" : "down" : NULL));
    status_put(vs, txn, row, "link_speed", optional_integer(dev && dev->speed_bps, dev ? (int64_t) dev->speed_bps : 0));
    status_put(vs, txn, row, "duplex", optional_string(dev && dev->duplex >= 0 ? dev->duplex ? "full" : "half" : NULL));
    status_put(vs, txn, row, "mtu", optional_integer(dev && dev->mtu, dev ? dev->mtu : 0));
    status_put(vs, txn, row, "link_resets", optional_integer(dev != NULL, dev ? (int64_t) dev->link_resets : 0));
}

static void
put_driver(struct vswitch *vs, struct ovsdb_txn *txn, const struct ovsdb_row *row, const struct running_port *p)
{
    const struct netdev_info *dev = p->port ? port_device(p->port) : NULL;
    struct netdev_info info = {0};
    json_t *status = json_object();

    if (dev && dev->ifindex && !netdev_get_driver(vs->netdevs, p->name, &info)) {
        json_object_set_new(status, "driver_name", json_string(info.driver));
        json_object_set_new(status, "driver_version", json_string(info.driver_version));
        json_object_set_new(status, "firmware_version", json_string(info.firmware));
    }
    status_put(vs, txn, row, "status", map_of(status));
}

/* What came of the port. Interface.ofport stays what it is for a port that waits for its device, but becomes -1 for one that failed at once. */
static void
put_outcome(struct vswitch *vs, struct ovsdb_txn *txn, const struct running_port *p, const struct ovsdb_row *row)
{
    status_put(vs, txn, row, "ofport", json_integer(p->port ? (json_int_t) (port_ofport(p->port) & 0xffff) : -1));
    status_put(vs, txn, row, "error", optional_string(p->error));
}

static void
put_interface(struct vswitch *vs, struct ovsdb_txn *txn, struct running_port *p, const struct ovsdb_row *row)
{
    const struct netdev_info *dev = p->port ? port_device(p->port) : NULL;

    put_outcome(vs, txn, p, row);
    put_device(vs, txn, row, dev);
    p->told_device = dev != NULL;
    if (dev) {
        p->device = *dev;
    }
    put_driver(vs, txn, row, p);
}

static json_t *
statistics_of_device(const struct netdev_stats *s)
{
    const struct {
        const char *name;
        uint64_t value;
    } all[] = {{"rx_packets", s->rx_packets}, {"tx_packets", s->tx_packets},   {"rx_bytes", s->rx_bytes},     {"tx_bytes", s->tx_bytes},
               {"rx_errors", s->rx_errors},   {"tx_errors", s->tx_errors},     {"rx_dropped", s->rx_dropped}, {"tx_dropped", s->tx_dropped},
               {"collisions", s->collisions}, {"rx_crc_err", s->rx_crc},       {"rx_frame_err", s->rx_frame}, {"rx_over_err", s->rx_over},
               {"rx_missed_errors", s->rx_missed}, {"rx_multicast_packets", s->multicast}};
    json_t *object = json_object();

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        json_object_set_new(object, all[i].name, json_integer((json_int_t) all[i].value));
    }
    return map_of(object);
}

/* Not all changes of a device come as events. */
static bool
is_device_told(const struct running_port *p)
{
    const struct netdev_info *dev = p->port ? port_device(p->port) : NULL;

    return dev ? p->told_device && !memcmp(dev, &p->device, sizeof *dev) : !p->told_device;
}

static json_t *
statistics_of_datapath(const struct netdev_stats *s)
{
    return map_of(json_pack("{s:I, s:I, s:I, s:I}", "rx_packets", (json_int_t) s->rx_packets, "rx_bytes", (json_int_t) s->rx_bytes,
                            "tx_packets", (json_int_t) s->tx_packets, "tx_bytes", (json_int_t) s->tx_bytes));
}

/* Of hundreds of ports most are quiet: their counters are compared, not made into JSON and compared then. */
static void
put_statistics(struct vswitch *vs, struct ovsdb_txn *txn, struct running_port *p, const struct ovsdb_row *row)
{
    struct netdev_stats now = {0};
    struct dp_port_stats s;
    bool of_device;

    if (!p->port) {
        return;
    }
    of_device = port_get_stats(p->port, &s) != 0;
    if (!of_device) {
        now = (struct netdev_stats){.rx_packets = s.rx_packets, .rx_bytes = s.rx_bytes, .tx_packets = s.tx_packets, .tx_bytes = s.tx_bytes};
    } else if (netdev_get_stats(vs->netdevs, p->name, &now)) {
        return;
    }
    if (p->told_stats && of_device == p->stats_of_device && !memcmp(&now, &p->stats, sizeof now)) {
        return;
    }
    p->told_stats = true;
    p->stats_of_device = of_device;
    p->stats = now;
    status_put(vs, txn, row, "statistics", of_device ? statistics_of_device(&now) : statistics_of_datapath(&now));
}

struct controller_pass {
    struct vswitch *vs;
    struct ovsdb_txn *txn;
    const struct ovsdb_row *bridge;
    bool with_stats;
};

static void
put_controller(const struct controller_status *s, void *pass_)
{
    struct controller_pass *pass = pass_;
    const struct ovsdb_table *controllers = replica_table(ovsdb_replica(pass->vs->db), "Controller");
    json_t *status = json_object();
    char text[24];

    map_add_text(status, "state", s->state);
    map_add_text(status, "last_error", s->last_error);
    if (s->connected_s >= 0 && pass->with_stats) {
        snprintf(text, sizeof text, "%lld", (long long) s->connected_s);
        map_add_text(status, "sec_since_connect", text);
    }
    if (s->disconnected_s >= 0 && pass->with_stats) {
        snprintf(text, sizeof text, "%lld", (long long) s->disconnected_s);
        map_add_text(status, "sec_since_disconnect", text);
    }
    for (size_t i = 0; i < row_count(pass->bridge, "controller"); i++) {
        const struct ovsdb_row *row = row_ref(pass->bridge, "controller", i, controllers);

        if (row && row_string(row, "target") && !strcmp(row_string(row, "target"), s->target)) {
            const json_t *known = json_object_get(pass->vs->written->rows, row->uuid);
            bool changed = json_is_true(json_object_get(known, "is_connected")) != s->connected;

            status_put(pass->vs, pass->txn, row, "is_connected", json_boolean(s->connected));
            status_put(pass->vs, pass->txn, row, "role", optional_string(s->role));
            if (pass->with_stats || changed || !json_object_get(known, "status")) {
                status_put(pass->vs, pass->txn, row, "status", wire_map(status));
            }
        }
    }
    json_decref(status);
}

static void
put_bridge(struct vswitch *vs, struct ovsdb_txn *txn, struct running_bridge *b, const struct ovsdb_row *row)
{
    char id[17], version[64] = "<unknown>";
    json_t *status = json_object();

    snprintf(id, sizeof id, "%016llx", (unsigned long long) b->datapath_id);
    status_put(vs, txn, row, "datapath_id", optional_string(b->bridge ? id : NULL));
    if (b->bridge) {
        bridge_datapath_version(b->bridge, version, sizeof version);
    }
    status_put(vs, txn, row, "datapath_version", json_string(version));
    map_add_text(status, "error", b->error);
    map_add_text(status, "datapath", b->bridge ? bridge_remark(b->bridge) : NULL);
    status_put(vs, txn, row, "status", map_of(status));
    b->status_dirty = false;
}

static void
put_bridge_and_controllers(struct vswitch *vs, struct ovsdb_txn *txn, struct running_bridge *b, bool with_stats)
{
    const struct ovsdb_row *row = replica_row(replica_table(ovsdb_replica(vs->db), "Bridge"), b->uuid);

    if (row && b->status_dirty) {
        put_bridge(vs, txn, b, row);
    }
    if (row && b->bridge) {
        struct controller_pass pass = {vs, txn, row, with_stats};

        bridge_controller_status(b->bridge, put_controller, &pass);
    }
}

static size_t
count(const struct cds_list_head *list)
{
    const struct cds_list_head *at;
    size_t n = 0;

    cds_list_for_each (at, list) {
        n++;
    }
    return n;
}

/* They stay dirty: the rest of their rows comes later. */
static void
put_outcomes(struct vswitch *vs, struct ovsdb_txn *txn, const struct ovsdb_table *interfaces)
{
    struct running_port *p;

    cds_list_for_each_entry (p, &vs->dirty_ports, dirty) {
        const struct ovsdb_row *row = replica_row(interfaces, p->interface_uuid);

        if (row) {
            put_outcome(vs, txn, p, row);
        }
    }
}

static void
put_dirty_ports(struct vswitch *vs, struct ovsdb_txn *txn, const struct ovsdb_table *interfaces)
{
    struct running_port *p, *next;

    cds_list_for_each_entry_safe (p, next, &vs->dirty_ports, dirty) {
        const struct ovsdb_row *row = replica_row(interfaces, p->interface_uuid);

        cds_list_del_init(&p->dirty);
        if (row) {
            COUNTER_INC(status_interface);
            put_interface(vs, txn, p, row);
        }
    }
}

/* Those that have none in their rows. */
static void
put_first_statistics(struct vswitch *vs, struct ovsdb_txn *txn, const struct ovsdb_table *interfaces)
{
    struct running_port *p, *next;

    netdevs_stats_begin(vs->netdevs, count(&vs->uncounted_ports));
    cds_list_for_each_entry_safe (p, next, &vs->uncounted_ports, uncounted) {
        const struct ovsdb_row *row = replica_row(interfaces, p->interface_uuid);

        cds_list_del_init(&p->uncounted);
        if (row) {
            put_statistics(vs, txn, p, row);
        }
    }
    netdevs_stats_end(vs->netdevs);
}

static void
put_all_statistics(struct vswitch *vs, struct ovsdb_txn *txn, const struct ovsdb_table *interfaces)
{
    netdevs_stats_begin(vs->netdevs, vs->ports.n);
    for (struct running_bridge *b = running_bridge_next(vs, NULL); b; b = running_bridge_next(vs, b)) {
        struct running_port *p;

        cds_list_for_each_entry (p, &b->ports, in_bridge) {
            const struct ovsdb_row *row = replica_row(interfaces, p->interface_uuid);

            if (row) {
                put_statistics(vs, txn, p, row);
            }
            if (!is_device_told(p)) {
                running_port_changed(p);
            }
            if (p->port && p->error) {
                running_port_look_again(p); /* What it lacks may be had now: nobody says when. */
            }
        }
    }
    netdevs_stats_end(vs->netdevs);
}

static void
add_type(const char *type, void *array)
{
    json_array_append_new(array, json_string(type));
}

static json_t *
set_of(json_t *array)
{
    json_t *wire = wire_set(array);

    json_decref(array);
    return wire;
}

/* Values that hold as long as the process does. */
static void
put_global(struct vswitch *vs, struct ovsdb_txn *txn, const struct ovsdb_row *row)
{
    json_t *datapaths = json_array(), *interfaces = json_array();
    struct utsname os;

    ofproto_types(add_type, add_type, datapaths, interfaces);
    status_put(vs, txn, row, "ovs_version", json_string(OVS_COMPATIBLE_VERSION));
    status_put(vs, txn, row, "dpdk_initialized", json_false());
    status_put(vs, txn, row, "dpdk_version", json_string("none"));
    status_put(vs, txn, row, "datapath_types", set_of(datapaths));
    status_put(vs, txn, row, "iface_types", set_of(interfaces));
    if (!uname(&os)) { /* ovs-ctl knows the distribution better: only where nobody said anything. */
        if (!row_string(row, "system_type")) {
            status_put(vs, txn, row, "system_type", json_string(os.sysname));
        }
        if (!row_string(row, "system_version")) {
            status_put(vs, txn, row, "system_version", json_string(os.release));
        }
    }
}

static void
written(int error, const char *why, void *vs_)
{
    struct vswitch *vs = vs_;
    static struct log_limit limit = LOG_LIMIT(6, 6);

    vs->rows_follow = false;
    if (error) {
        if (error != -EAGAIN) {
            log_warn_rl(LOG_bridge, &limit, "could not write status to the database: %s", why);
        }
        status_forget(vs);
    } else if (!cds_list_empty(&vs->dirty_ports) || !cds_list_empty(&vs->uncounted_ports)) {
        status_write(vs, false);
    }
}

static void
put_ports(struct vswitch *vs, struct ovsdb_txn *txn, bool with_stats)
{
    const struct ovsdb_table *interfaces = replica_table(ovsdb_replica(vs->db), "Interface");

    if (vs->told_cfg != vs->next_cfg && count(&vs->dirty_ports) > MANY_PORTS) {
        vs->rows_follow = true;
        put_outcomes(vs, txn, interfaces);
    }
    if (vs->rows_follow) {
        return;
    }
    if (with_stats) {
        put_all_statistics(vs, txn, interfaces);
    }
    put_dirty_ports(vs, txn, interfaces);
    put_first_statistics(vs, txn, interfaces);
}

void
status_write(struct vswitch *vs, bool with_stats)
{
    const struct ovsdb_row *global = replica_next(replica_table(ovsdb_replica(vs->db), "Open_vSwitch"), NULL);
    struct ovsdb_txn *txn;

    if (!global) {
        return;
    }
    txn = ovsdb_txn_create(vs->db);
    if (!json_object_get(vs->written->rows, global->uuid)) {
        put_global(vs, txn, global);
    }
    for (struct running_bridge *b = running_bridge_next(vs, NULL); b; b = running_bridge_next(vs, b)) {
        put_bridge_and_controllers(vs, txn, b, with_stats);
    }
    put_ports(vs, txn, with_stats);
    if (vs->next_cfg >= 0) {
        status_put(vs, txn, global, "cur_cfg", json_integer(vs->next_cfg));
        vs->told_cfg = vs->next_cfg;
    }
    if (ovsdb_txn_is_empty(txn)) {
        ovsdb_txn_abort(txn);
    } else {
        ovsdb_txn_commit(txn, written, vs);
    }
}

int64_t
status_stats_interval_ms(const struct vswitch *vs)
{
    const struct ovsdb_row *global = replica_next(replica_table(ovsdb_replica(vs->db), "Open_vSwitch"), NULL);

    if (!global) {
        return STATS_INTERVAL_DEFAULT_MS;
    }
    return row_map_integer(global, "other_config", "stats-update-interval", STATS_INTERVAL_DEFAULT_MS, INT32_MAX, STATS_INTERVAL_DEFAULT_MS,
                           NULL);
}
