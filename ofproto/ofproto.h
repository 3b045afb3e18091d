// SPDX-License-Identifier: Apache-2.0
// The face of ofproto: what vswitchd's reconciler may ask for. Main thread only.
//
// struct ofproto is the whole of it in one process: the datapaths in use, their threads, and the bridges. A bridge has ports (each with one interface here;
// a bond is a port with several), tables of rules, an L2 table, sessions with controllers.
#ifndef OFPROTO_OFPROTO_H
#define OFPROTO_OFPROTO_H 1

#include "lib/base/loop.h"
#include "lib/dp/dp.h"
#include "lib/dp/netdev.h"
#include "lib/dp/place.h"
#include "lib/flow/field.h"

struct ofproto;
struct bridge;
struct port;

struct ofproto *ofproto_create(struct loop *, struct netdevs *);
/* 'delete_datapath': ovs-appctl exit --cleanup; else ports and flows go on forwarding for the next daemon. */
void ofproto_destroy(struct ofproto *, bool delete_datapath);
/* Before an end that leaves ports and flows to the next daemon: nobody looks at megaflows any more, so that taking the bridges apart changes none. */
void ofproto_let_go(struct ofproto *);
void ofproto_register_commands(struct ofproto *); // The ovs-appctl commands of bridges, flows and datapaths.

/* other_config of table Open_vSwitch, with defaults filled in by the caller (ovs-vswitchd.conf.db(5)). */
struct ofproto_config {
    uint32_t flow_limit, max_idle_ms, max_revalidator_ms, min_revalidate_pps;
    unsigned n_handler_threads, n_revalidator_threads; /* 0: default by cores. */
    unsigned vlan_limit; /* From 1: tags that are looked at. */
    bool hw_offload;
    enum place_policy tc_policy;
    struct dp_settings datapath; /* For datapaths that are opened from now on; 'n_handlers' is of no account. */
};
void ofproto_configure(struct ofproto *, const struct ofproto_config *);
/* Called once the first configuration has been reconciled: stale datapath ports and flows left by an earlier daemon may go now, and flow installation
 * that waited for the configuration ("flow-restore-wait") begins. */
void ofproto_start_forwarding(struct ofproto *);

struct controller_config {
    const char *target;             /* "tcp:...", "punix:..."; */
    bool out_of_band;               /* connection_mode. */
    uint32_t max_backoff_s, inactivity_probe_s; /* Defaults 8 and 5 are filled in by the caller; probe 0: off. */
    bool enable_async;
    bool is_service;                /* <bridge>.mgmt and other_config controllers of type "service". */
    uint32_t rate_limit, burst_limit; /* 0: unlimited. */
    uint16_t controller_queue_size;
};

#define TABLE_MAX_PREFIXES 3

/* A row of Flow_Table. */
struct table_config {
    uint8_t id;
    const char *name;               /* NULL: none. */
    uint32_t max_flows;             /* UINT32_MAX: no limit. More are refused. */
    enum field_id prefixes[TABLE_MAX_PREFIXES]; /* As for classifier_set_prefix_fields(). */
    size_t n_prefixes;
};

struct bridge_config {
    const char *name;
    const char *datapath_type;      /* "" is "system". */
    uint64_t datapath_id;
    struct eth_addr hwaddr;         /* Of the local port. */
    bool fail_secure;
    uint32_t mac_aging_s, mac_table_size;
    bool forward_bpdu, disable_in_band;
    uint32_t versions;              /* Bitmap of enum of_version. */
    const char *mfr_desc, *hw_desc, *sw_desc, *serial_desc, *dp_desc; /* NULL: default. */
    const struct controller_config *controllers;
    size_t n_controllers;
    const struct table_config *tables; /* By ascending id; the others have the defaults. */
    size_t n_tables;
    const char *const *snoops;      /* Extra passive names; <bridge>.mgmt and .snoop are always there. */
    size_t n_snoops;
    bool mcast_snooping;            /* Refused by the caller where not supported. */
};

/* 0 and '*bridge', or -errno and '*why' (caller frees) for Bridge.status. */
int bridge_create(struct ofproto *, const struct bridge_config *, struct bridge **, char **why);
void bridge_destroy(struct bridge *, bool delete_ports);
/* Takes what can change while running. false: datapath_type changed, destroy and create again. */
bool bridge_reconfigure(struct bridge *, const struct bridge_config *);
struct bridge *bridge_by_name(const struct ofproto *, const char *name);
const char *bridge_name(const struct bridge *);
/* What the bridge's datapath has to do without on this host, or stands in for; NULL: nothing. */
const char *bridge_remark(const struct bridge *);
void bridge_datapath_version(const struct bridge *, char *text, size_t size); /* dp_version() of its datapath. */
bool bridge_has_ofport(const struct bridge *, uint32_t number); /* Some port has the number. */

enum vlan_mode { VLAN_ACCESS, VLAN_TRUNK, VLAN_NATIVE_TAGGED, VLAN_NATIVE_UNTAGGED, VLAN_DOT1Q_TUNNEL };

struct port_config {
    const char *name;               /* Of the interface; also of a single-interface Port. */
    const char *type;               /* "", "system", "internal", "tap", "patch", "dummy" (tests); others are refused with -EAFNOSUPPORT. */
    uint32_t ofport_request;        /* 0: none. */
    uint32_t ofport_before;         /* The number that it had under an earlier daemon, taken if it is free; 0: none. */
    const char *patch_peer;         /* options:peer. */
    enum vlan_mode vlan_mode;
    int vlan_tag;                   /* -1: none. */
    const unsigned long *trunks;    /* 4096-bit map, NULL: all. */
    const unsigned long *cvlans;    /* dot1q-tunnel. */
    bool protected_port;
    uint16_t qinq_tpid;             /* other_config:qinq-ethtype: Ethertype of the outer tag of dot1q-tunnel ports; 0: the default, 802.1ad. */
    enum { PRIORITY_TAGS_NEVER, PRIORITY_TAGS_IF_NONZERO, PRIORITY_TAGS_ALWAYS } priority_tags;
    const char *const (*options)[2]; /* Remaining Interface.options as name, value. */
    size_t n_options;
};

/* Plugs the device in. -ENODEV: no such device yet (call again when netdevs says it came). '*why' as for Interface.error. */
int port_add(struct bridge *, const struct port_config *, struct port **, char **why);
void port_del(struct port *, bool delete_device);
bool port_reconfigure(struct port *, const struct port_config *); /* false: destroy and add again. */
/* What of its options a port has to do without, and why, though it forwards; NULL: nothing. port_reconfigure() tries again. */
const char *port_remark(const struct port *);
uint32_t port_ofport(const struct port *);
/* Device state changed (link, MAC, MTU, admin): OpenFlow port_status goes out, translations that depended on it are done again. */
void port_device_changed(struct port *);
/* The device behind the port as its row shows it; a port that has none (patch ports, those of the userspace datapath) has one that is made up. NULL: it is
 * gone. Valid until control returns to the loop. */
const struct netdev_info *port_device(const struct port *);
int port_set_mac(struct port *, struct eth_addr); /* Interface.mac, or the bridge's address for its local port. */
int port_set_mtu(struct port *, uint32_t mtu);
/* Counters of Interface.statistics for ports without a device (patch); -EOPNOTSUPP for those with one (netdev_get_stats()). */
int port_get_stats(const struct port *, struct dp_port_stats *);
/* Interface.ingress_policing_*. -EOPNOTSUPP: a filter of TC on the device is to do it (netdev_set_policing()). */
int port_police(const struct port *, const struct dp_police *);

/* What Controller rows show. Called for each configured controller of a bridge. */
struct controller_status {
    const char *target;
    bool connected;
    const char *role;               /* "master", "slave", "other"; NULL: not connected. */
    const char *state;              /* "ACTIVE", "BACKOFF", ...; "" not known. */
    const char *last_error;         /* or NULL. */
    int64_t connected_s, disconnected_s; /* Seconds since; -1 never. */
};
void bridge_controller_status(const struct bridge *, void (*fn)(const struct controller_status *, void *arg), void *arg);
/* datapath_types, iface_types of table Open_vSwitch. */
void ofproto_types(void (*datapath)(const char *type, void *), void (*iface)(const char *type, void *), void *datapath_arg, void *iface_arg);

#endif
