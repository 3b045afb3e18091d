// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "vswitchd/tables.h"

static const char *const open_vswitch_columns[] = {"bridges", "next_cfg", "other_config", "ssl", "system_type", "system_version", NULL};
static const char *const bridge_columns[] = {
    "name", "ports", "controller", "datapath_type", "fail_mode", "protocols", "other_config", "mirrors", "netflow", "sflow", "ipfix",
    "stp_enable", "rstp_enable", "mcast_snooping_enable", "flood_vlans", "flow_tables", NULL};
static const char *const port_columns[] = {"name",     "interfaces", "tag",       "trunks", "cvlans", "vlan_mode", "qos",
                                           "mac",      "protected",  "other_config", "bond_mode", "lacp", NULL};
static const char *const interface_columns[] = {
    "name", "type", "options", "ofport_request", "mtu_request", "mac", "ingress_policing_rate", "ingress_policing_burst",
    "ingress_policing_kpkts_rate", "ingress_policing_kpkts_burst", "other_config", NULL};
static const char *const interface_once[] = {"ofport", NULL}; /* What an earlier daemon gave: the port keeps it. */
static const char *const controller_columns[] = {
    "target", "max_backoff", "inactivity_probe", "connection_mode", "enable_async_messages", "controller_rate_limit",
    "controller_burst_limit", "controller_queue_size", "type", NULL};
static const char *const flow_table_columns[] = {"name", "flow_limit", "overflow_policy", "groups", "prefixes", NULL};
static const char *const ssl_columns[] = {"private_key", "certificate", "ca_cert", "bootstrap_ca_cert", NULL};

const struct ovsdb_table_spec vswitch_tables[] = {
    {"Open_vSwitch", open_vswitch_columns, NULL, "bridges", "Bridge"},
    {"Bridge", bridge_columns, NULL, "ports", "Port"},
    {"Port", port_columns, NULL, "interfaces", "Interface"},
    {"Interface", interface_columns, interface_once, NULL, NULL},
    {"Controller", controller_columns, NULL, NULL, NULL},
    {"SSL", ssl_columns, NULL, NULL, NULL},
    {"Flow_Table", flow_table_columns, NULL, NULL, NULL},
};
const size_t n_vswitch_tables = ARRAY_SIZE(vswitch_tables);
