// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "vswitchd/desired.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/daemon.h"
#include "lib/base/dirs.h"
#include "lib/base/log.h"
#include "lib/base/stream.h"
#include "lib/flow/classifier.h"
#include "lib/of/of.h"

static struct log_limit bad_value_limit = LOG_LIMIT(10, 10);

/* A number of other_config, or the default; a bad text is said in the log. */
static int64_t
map_number(const struct ovsdb_row *row, const char *key, int64_t min, int64_t max, int64_t if_none)
{
    bool bad = false;
    int64_t value = row_map_integer(row, "other_config", key, min, max, if_none, &bad);

    if (bad) {
        log_warn_rl(LOG_bridge, &bad_value_limit, "%s: other_config:%s=%s is not a number from %lld to %lld, using %lld", row->table->name,
                    key, row_map(row, "other_config", key), (long long) min, (long long) max, (long long) if_none);
    }
    return value;
}

/* The same, but a number that is out of range is brought into it. */
static uint32_t
clamped_number(const struct ovsdb_row *row, const char *key, uint32_t min, uint32_t max, uint32_t if_none)
{
    int64_t value = map_number(row, key, INT32_MIN, INT64_MAX, if_none);

    return (uint32_t) MIN(MAX(value, (int64_t) min), (int64_t) max);
}

static int64_t
column_number(const struct ovsdb_row *row, const char *column, int64_t if_none)
{
    int64_t value;

    return row_integer(row, column, &value) ? value : if_none;
}

static enum place_policy
tc_policy_of(const char *text)
{
    static const struct {
        const char *name;
        enum place_policy policy;
    } policies[] = {{"none", PLACE_POLICY_NONE}, {"skip_sw", PLACE_POLICY_SKIP_SW}, {"skip_hw", PLACE_POLICY_SKIP_HW}};

    for (size_t i = 0; text && i < ARRAY_SIZE(policies); i++) {
        if (!strcmp(text, policies[i].name)) {
            return policies[i].policy;
        }
    }
    if (text) {
        log_warn_rl(LOG_bridge, &bad_value_limit, "other_config:tc-policy=%s is none of none, skip_sw, skip_hw: using none", text);
    }
    return PLACE_POLICY_NONE;
}

/* Sizes of the eBPF datapath's maps: sluice-vswitchd(8). */
static struct dp_settings
desired_datapath(const struct ovsdb_row *row)
{
    return (struct dp_settings){
        .ebpf_flows = (uint32_t) map_number(row, "ebpf-max-flows", 16, 1 << 22, 0),
        .ebpf_actions = (uint32_t) map_number(row, "ebpf-max-actions", 64, 1 << 24, 0),
        .ebpf_ring_kb = (uint32_t) map_number(row, "ebpf-ring-kb", 128, 1 << 18, 0),
        .ebpf_queue_kb = (uint32_t) map_number(row, "ebpf-queue-kb", 64, 1 << 18, 0),
    };
}

/* Defaults and ranges: ovs-vswitchd.conf.db(5), table Open_vSwitch. */
void
desired_global(const struct ovsdb_row *row, struct ofproto_config *c)
{
    unsigned vlan_limit = (unsigned) map_number(row, "vlan-limit", 0, UINT32_MAX, 1);

    *c = (struct ofproto_config){
        .flow_limit = (uint32_t) map_number(row, "flow-limit", 0, UINT32_MAX, 200000),
        .max_idle_ms = (uint32_t) map_number(row, "max-idle", 500, UINT32_MAX, 10000),
        .max_revalidator_ms = (uint32_t) map_number(row, "max-revalidator", 100, UINT32_MAX, 500),
        .min_revalidate_pps = (uint32_t) map_number(row, "min-revalidate-pps", 0, UINT32_MAX, 5),
        .n_handler_threads = (unsigned) map_number(row, "n-handler-threads", 1, 256, 0),
        .n_revalidator_threads = (unsigned) map_number(row, "n-revalidator-threads", 1, 256, 0),
        .vlan_limit = vlan_limit ? vlan_limit : FLOW_N_VLANS,
        .hw_offload = row_map_bool(row, "other_config", "hw-offload", false),
        .tc_policy = tc_policy_of(row_map(row, "other_config", "tc-policy")),
        .datapath = desired_datapath(row),
    };
}

void
desired_tls(const struct ovsdb_row *ssl, struct stream_tls *tls)
{
    *tls = (struct stream_tls){0};
    if (ssl) {
        tls->private_key = (char *) row_string(ssl, "private_key");
        tls->certificate = (char *) row_string(ssl, "certificate");
        tls->ca_cert = (char *) row_string(ssl, "ca_cert");
        tls->bootstrap_ca_cert = row_bool(ssl, "bootstrap_ca_cert", false);
    }
}

static void
desired_controller(const struct ovsdb_row *row, struct controller_config *c)
{
    const char *mode = row_string(row, "connection_mode");
    const char *type = row_string(row, "type"), *target = row_string(row, "target");
    int64_t probe_ms = column_number(row, "inactivity_probe", 5000);

    *c = (struct controller_config){
        .target = target,
        .out_of_band = mode && !strcmp(mode, "out-of-band"),
        .max_backoff_s = (uint32_t) MAX(column_number(row, "max_backoff", 8000) / 1000, 1),
        .inactivity_probe_s = (uint32_t) DIV_ROUND_UP(MAX(probe_ms, 0), 1000),
        .enable_async = row_bool(row, "enable_async_messages", true),
        /* Who connects to us serves the administrator, if nothing else is said. */
        .is_service = type && *type ? !strcmp(type, "service") : stream_name_is_passive(target),
        .rate_limit = (uint32_t) column_number(row, "controller_rate_limit", 0),
        .burst_limit = (uint32_t) column_number(row, "controller_burst_limit", 0),
        .controller_queue_size = (uint16_t) column_number(row, "controller_queue_size", 0),
    };
}

/* Whether 'path' is a file directly or below in the run directory. */
static bool
is_in_rundir(const char *path)
{
    size_t len = strlen(dirs_run());

    return path[0] != '/' ? !strstr(path, "..") : !strncmp(path, dirs_run(), len) && path[len] == '/' && !strstr(path + len, "..");
}

/* A controller on a unix socket: whoever may write the database must not reach every socket of this host, or put sockets in the place of
 * files. Says why not. */
static bool
may_use(const char *bridge, const char *target)
{
    static struct log_limit limit = LOG_LIMIT(1, 5);
    bool ok = true;

    if (daemon_confined() && !strncmp(target, "unix:", 5)) {
        ok = is_in_rundir(target + 5);
    } else if (daemon_confined() && !strncmp(target, "punix:", 6)) {
        char *allowed = xasprintf("%s/%s.controller", dirs_run(), bridge);
        char *path = dirs_file_in(dirs_run(), target + 6);

        ok = !strcmp(path, allowed);
        free(path);
        free(allowed);
    }
    if (!ok) {
        log_err_rl(LOG_bridge, &limit,
                   "bridge %s: controller \"%s\" is not used: its socket is not in %s, or to listen on not %s/%s.controller; "
                   "unix:%s/%s.mgmt is always there",
                   bridge, target, dirs_run(), dirs_run(), bridge, dirs_run(), bridge);
    }
    return ok;
}

static uint32_t
versions_of(const struct ovsdb_row *row)
{
    const json_t *protocols = row_datum(row, "protocols");
    uint32_t versions = 0;
    size_t i;
    json_t *p;

    json_array_foreach (protocols, i, p) {
        enum of_version v = of_version_by_name(json_string_value(p) ? json_string_value(p) : "");

        if (v != OF_NONE) {
            versions |= 1u << v;
        }
    }
    return versions ? versions : OF_VERSIONS_ALL;
}

/* Columns of Bridge that ask for what is not built: the first that is set. */
static const char *
unsupported_column(const struct ovsdb_row *row)
{
    static const char *const references[] = {"mirrors", "netflow", "sflow", "ipfix"};
    static const char *const switches[] = {"stp_enable", "rstp_enable", "mcast_snooping_enable"};

    for (size_t i = 0; i < ARRAY_SIZE(references); i++) {
        if (row_count(row, references[i])) {
            return references[i];
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
        if (row_bool(row, switches[i], false)) {
            return switches[i];
        }
    }
    return NULL;
}

/* other_config:datapath-id is exactly 16 hex digits, perhaps after "0x". */
static bool
parse_datapath_id(const char *text, uint64_t *id)
{
    if (text && !strncasecmp(text, "0x", 2)) {
        text += 2;
    }
    if (!text || strlen(text) != 16 || strspn(text, "0123456789abcdefABCDEF") != 16) {
        return false;
    }
    *id = strtoull(text, NULL, 16);
    return *id != 0;
}

static void
desired_hwaddr(struct desired_bridge *d, const struct ovsdb_row *row)
{
    const char *text = row_map(row, "other_config", "hwaddr");
    struct eth_addr mac;

    if (!text || !eth_addr_parse(text, &mac)) {
        return;
    }
    if (eth_addr_is_multicast(mac)) {
        log_err_rl(LOG_bridge, &bad_value_limit, "bridge %s: cannot set MAC address to multicast address %s", d->config.name, text);
    } else if (eth_addr_is_zero(mac)) {
        log_err_rl(LOG_bridge, &bad_value_limit, "bridge %s: cannot set MAC address to zero", d->config.name);
    } else {
        d->config.hwaddr = mac;
        d->has_hwaddr = true;
    }
}

/* A field has more than one name. */
static bool
has_prefix(const struct table_config *t, enum field_id id)
{
    for (size_t i = 0; i < t->n_prefixes; i++) {
        if (t->prefixes[i] == id) {
            return true;
        }
    }
    return false;
}

static void
desired_prefixes(struct table_config *t, const struct ovsdb_row *row, const char *bridge)
{
    const json_t *names = row_datum(row, "prefixes");
    size_t i;
    json_t *name;

    json_array_foreach (names, i, name) {
        const char *text = json_string_value(name) ? json_string_value(name) : "";
        const struct field *f = field_by_name(text, strlen(text));

        if (!f || !classifier_can_track_prefix(f->id)) {
            log_warn_rl(LOG_bridge, &bad_value_limit, "bridge %s: 'prefixes' with %s field: %s", bridge, f ? "unsupported" : "unknown", text);
        } else if (t->n_prefixes < TABLE_MAX_PREFIXES && !has_prefix(t, f->id)) {
            t->prefixes[t->n_prefixes++] = f->id;
        }
    }
}

/* Flow_Table.groups says whom an eviction would spare: there are none. */
static void
desired_table(struct table_config *t, const struct ovsdb_row *row, const char *bridge)
{
    const char *policy = row_string(row, "overflow_policy");

    t->name = row_string(row, "name");
    t->max_flows = (uint32_t) MIN(MAX(column_number(row, "flow_limit", UINT32_MAX), 0), (int64_t) UINT32_MAX);
    if (policy && !strcmp(policy, "evict")) {
        log_warn_rl(LOG_bridge, &bad_value_limit, "bridge %s: table %u: overflow_policy evict is not supported, flows above the limit are refused",
                    bridge, t->id);
    }
    if (row_count(row, "prefixes")) {
        desired_prefixes(t, row, bridge);
    } else {
        t->prefixes[t->n_prefixes++] = FIELD_IP_DST;
        t->prefixes[t->n_prefixes++] = FIELD_IP_SRC;
    }
}

static void
desired_tables(struct desired_bridge *d, const struct ovsdb_row *bridge, const struct ovsdb_table *rows)
{
    const json_t *tables = row_datum(bridge, "flow_tables");

    d->config.tables = d->tables = xcalloc(json_object_size(tables) + 1, sizeof *d->tables);
    for (unsigned id = 0; json_object_size(tables) && id < 254; id++) {
        char key[4];
        const char *uuid;
        const struct ovsdb_row *row;

        snprintf(key, sizeof key, "%u", id);
        uuid = json_string_value(json_object_get(tables, key));
        row = uuid ? replica_row(rows, uuid) : NULL;
        if (row) {
            d->tables[d->config.n_tables].id = (uint8_t) id;
            desired_table(&d->tables[d->config.n_tables++], row, d->config.name);
        }
    }
}

void
desired_bridge_init(struct desired_bridge *d, const struct ovsdb_row *row, const struct ovsdb_replica *replica)
{
    const struct ovsdb_table *controllers = replica_table(replica, "Controller");
    const char *type = row_string(row, "datapath_type");
    const char *fail_mode = row_string(row, "fail_mode");
    size_t n = row_count(row, "controller");

    *d = (struct desired_bridge){.unsupported = unsupported_column(row)};
    d->controllers = xcalloc(n ? n : 1, sizeof *d->controllers);
    d->config = (struct bridge_config){
        .name = row_string(row, "name"),
        .datapath_type = type ? type : "",
        .fail_secure = fail_mode && !strcmp(fail_mode, "secure"),
        .mac_aging_s = clamped_number(row, "mac-aging-time", 15, 3600, 300),
        .mac_table_size = clamped_number(row, "mac-table-size", 10, 1000000, 8192),
        .forward_bpdu = row_map_bool(row, "other_config", "forward-bpdu", false),
        .disable_in_band = row_map_bool(row, "other_config", "disable-in-band", false),
        .versions = versions_of(row),
        .dp_desc = row_map(row, "other_config", "dp-desc"),
        .serial_desc = row_map(row, "other_config", "dp-sn"),
        .controllers = d->controllers,
    };
    d->has_datapath_id = parse_datapath_id(row_map(row, "other_config", "datapath-id"), &d->config.datapath_id);
    desired_hwaddr(d, row);
    for (size_t i = 0; i < n; i++) {
        struct ovsdb_row *controller = row_ref(row, "controller", i, controllers);

        if (controller && row_string(controller, "target") && may_use(d->config.name, row_string(controller, "target"))) {
            desired_controller(controller, &d->controllers[d->config.n_controllers++]);
        }
    }
    desired_tables(d, row, replica_table(replica, "Flow_Table"));
}

void
desired_bridge_destroy(struct desired_bridge *d)
{
    free(d->tables);
    free(d->controllers);
}

/* The set of VLAN numbers in 'column' as a bitmap; NULL when it is empty. */
static const unsigned long *
vlan_bitmap(const struct ovsdb_row *row, const char *column, unsigned long *map)
{
    const json_t *vlans = row_datum(row, column);
    const unsigned bits = 8 * sizeof *map;
    bool any = false;
    size_t i;
    json_t *v;

    json_array_foreach (vlans, i, v) {
        json_int_t vid = json_integer_value(v);

        if (vid >= 0 && vid < 4096) {
            map[vid / bits] |= 1ul << (vid % bits);
            any = true;
        }
    }
    return any ? map : NULL;
}

static enum vlan_mode
vlan_mode_of(const struct ovsdb_row *port, int tag)
{
    static const struct {
        const char *name;
        enum vlan_mode mode;
    } modes[] = {{"access", VLAN_ACCESS},
                 {"trunk", VLAN_TRUNK},
                 {"native-tagged", VLAN_NATIVE_TAGGED},
                 {"native-untagged", VLAN_NATIVE_UNTAGGED},
                 {"dot1q-tunnel", VLAN_DOT1Q_TUNNEL}};
    const char *text = row_string(port, "vlan_mode");

    for (size_t i = 0; text && i < ARRAY_SIZE(modes); i++) {
        if (!strcmp(text, modes[i].name)) {
            return modes[i].mode;
        }
    }
    return tag >= 0 ? VLAN_ACCESS : VLAN_TRUNK;
}

static void
desired_vlans(struct desired_port *d, const struct ovsdb_row *port)
{
    struct port_config *c = &d->config;
    const char *tags = row_map(port, "other_config", "priority-tags");
    const char *qinq = row_map(port, "other_config", "qinq-ethtype");
    int64_t tag = column_number(port, "tag", -1);

    c->vlan_tag = tag >= 0 && tag < 4096 ? (int) tag : -1;
    c->vlan_mode = vlan_mode_of(port, c->vlan_tag);
    if (c->vlan_mode != VLAN_TRUNK && c->vlan_tag < 0) {
        c->vlan_tag = 0; /* A mode that needs a tag and has none: VLAN 0, as ovs-vswitchd takes it. */
    }
    c->trunks = vlan_bitmap(port, "trunks", d->trunks);
    if (c->trunks && c->vlan_mode == VLAN_ACCESS) {
        log_warn_rl(LOG_bridge, &bad_value_limit, "port %s: ignoring trunks in favor of implicit vlan", row_string(port, "name"));
    }
    c->cvlans = vlan_bitmap(port, "cvlans", d->cvlans);
    c->protected_port = row_bool(port, "protected", false);
    if (tags && !strcmp(tags, "always")) {
        c->priority_tags = PRIORITY_TAGS_ALWAYS;
    } else if (tags && (!strcmp(tags, "true") || !strcmp(tags, "if-nonzero"))) {
        c->priority_tags = PRIORITY_TAGS_IF_NONZERO;
    }
    c->qinq_tpid = qinq && !strcmp(qinq, "802.1q") ? 0x8100 : 0x88a8;
}

static void
add_option(struct desired_port *d, const char *key, const char *value)
{
    if (d->config.n_options < DESIRED_MAX_OPTIONS) {
        d->options[d->config.n_options][0] = key;
        d->options[d->config.n_options++][1] = value;
    }
}

/* xdp may stand in other_config as well, since not all who write rows may write options. */
static void
desired_options(struct desired_port *d, const struct ovsdb_row *interface)
{
    const char *key, *xdp = row_map(interface, "other_config", "xdp");
    json_t *value;

    json_object_foreach ((json_t *) row_datum(interface, "options"), key, value) {
        add_option(d, key, json_string_value(value));
    }
    if (xdp && !row_map(interface, "options", "xdp")) {
        add_option(d, "xdp", xdp);
    }
    d->config.options = (const char *const(*)[2]) d->options;
    d->config.patch_peer = row_map(interface, "options", "peer");
}

static uint32_t
ofport_number(const struct ovsdb_row *interface, const char *column)
{
    int64_t n = column_number(interface, column, 0);

    return n > 0 && n < (int64_t) OFP10_PORT_MAX ? (uint32_t) n : 0;
}

/* Interface.mac. */
static void
desired_mac(struct desired_port *d, const struct ovsdb_row *interface, const char *local_of)
{
    const char *name = row_string(interface, "name");
    const char *mac = row_string(interface, "mac");

    if (!mac || !eth_addr_parse(mac, &d->mac)) {
        return;
    }
    if (!strcmp(name, local_of)) {
        log_err_rl(LOG_bridge, &bad_value_limit, "interface %s: ignoring mac in Interface record (use Bridge record to set local port's mac)", name);
    } else if (eth_addr_is_multicast(d->mac)) {
        log_err_rl(LOG_bridge, &bad_value_limit, "interface %s: cannot set MAC to multicast address", name);
    } else {
        d->has_mac = true;
    }
}

/* Sets what a patch port needs; NULL, or what is wrong. */
static char *
desired_patch(struct desired_port *d)
{
    if (!d->config.patch_peer) {
        return xasprintf("%s: patch type requires valid 'peer' argument", d->config.name);
    }
    if (!strcmp(d->config.patch_peer, d->config.name)) {
        return xasprintf("%s: patch peer must not be self", d->config.name);
    }
    return NULL;
}

/* ovs-vswitchd.conf.db(5), Interface.ingress_policing_*: a burst of 0 is a default. */
static struct dp_police
desired_police(const struct ovsdb_row *interface)
{
    uint32_t kburst = (uint32_t) column_number(interface, "ingress_policing_burst", 0);
    uint32_t kpkts_burst = (uint32_t) column_number(interface, "ingress_policing_kpkts_burst", 0);

    return (struct dp_police){
        .kbps = (uint32_t) column_number(interface, "ingress_policing_rate", 0),
        .kburst = kburst ? kburst : 8000,
        .kpps = (uint32_t) column_number(interface, "ingress_policing_kpkts_rate", 0),
        .kpkts_burst = kpkts_burst ? kpkts_burst : 16,
    };
}

char *
desired_port_init(struct desired_port *d, const struct ovsdb_row *port, const struct ovsdb_row *interface, const char *local_of)
{
    const char *name = row_string(interface, "name");
    const char *type = row_string(interface, "type");
    char *why = NULL;

    *d = (struct desired_port){0};
    if (port->n_owned > 1) {
        return xasprintf("port %s has %zu interfaces: bonding is not supported", row_string(port, "name"), port->n_owned);
    }
    if (!strcmp(name, local_of)) {
        type = "internal";
    }
    d->config.name = name;
    d->config.type = type ? type : "";
    d->config.ofport_request = ofport_number(interface, "ofport_request");
    d->config.ofport_before = ofport_number(interface, "ofport");
    desired_vlans(d, port);
    desired_options(d, interface);
    if (!strcmp(d->config.type, "patch")) {
        why = desired_patch(d);
    }
    desired_mac(d, interface, local_of);
    d->mtu_request = (uint32_t) column_number(interface, "mtu_request", 0);
    d->police = desired_police(interface);
    return why;
}
