// SPDX-License-Identifier: Apache-2.0
// What runs of what the database asks for: bridges and ports, also those that could not be made (yet). Main thread.
#ifndef VSWITCHD_RUNNING_H
#define VSWITCHD_RUNNING_H 1

#include "lib/base/heap.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/dp/netdev.h"
#include "ofproto/ofproto.h"

struct vswitch;

/* An interface that the database asks for: in the bridge, or waiting with the reason in 'error'. */
struct running_port {
    struct hnode node;             /* In vswitch.ports, by name: the schema has each name once. */
    struct cds_list_head in_bridge;
    struct cds_list_head internal; /* In running_bridge.internal_ports; else empty. */
    struct cds_list_head dirty;    /* In vswitch.dirty_ports: its row wants to be written. Else empty. */
    struct cds_list_head uncounted; /* In vswitch.uncounted_ports: its row has no statistics yet. Else empty. */
    struct cds_list_head again;    /* In vswitch.ports_again: to be looked at though its rows did not change. Else empty. */
    struct running_bridge *bridge;
    char *name, *type;
    char interface_uuid[37];
    uint64_t interface_seq, port_seq; /* Of the rows, when it was reconciled; 0: look again. */
    uint64_t pass;                 /* The last one that looked at it. */
    struct port *port;             /* NULL: could not be added (yet). */
    uint32_t ofport;               /* The number that it has, or had last; 0: none yet. */
    char *error;                   /* Interface.error; NULL: none. */
    uint32_t mtu_request;          /* 0: none; one of type internal follows the others' then. */
    bool follow_mtu;               /* It gave up its mtu_request. */
    bool policed_by_tc;
    struct heap_node mac, mtu;     /* What the bridge takes into account of it (follow.c). */
    /* What the row was last told. */
    bool told_device, told_stats, stats_of_device;
    struct netdev_info device;     /* With told_device. */
    struct netdev_stats stats;     /* With told_stats. */
};

struct running_bridge {
    struct hnode node;           /* In vswitch.bridges, by name. */
    struct vswitch *vs;
    char *name;
    char uuid[37];
    struct bridge *bridge;       /* NULL: could not be created. */
    char *error;                 /* Bridge.status:error; NULL: none. */
    struct eth_addr hwaddr, default_hwaddr;
    uint64_t datapath_id;
    struct cds_list_head ports;
    struct cds_list_head internal_ports; /* Those of them. */
    struct heap macs, mtus;      /* Of the devices plugged in that are not internal. */
    uint32_t min_mtu;            /* What its internal ports follow. */
    bool due;                    /* Its row is to be looked at in this pass. */
    bool ports_changed;          /* Its address and MTU may follow. */
    bool status_dirty;           /* Its row wants to be written. */
};

struct running_bridge *running_bridge_find(const struct vswitch *, const char *name);
struct running_bridge *running_bridge_next(const struct vswitch *, struct running_bridge *); /* NULL starts and ends. */
struct running_bridge *running_bridge_create(struct vswitch *, const char *name);
void running_bridge_destroy(struct running_bridge *, bool delete_ports);
/* Remembers why it is not as asked for. Takes 'why'; NULL: all is well. */
void running_bridge_refuse(struct running_bridge *, char *why);

struct running_port *running_port_find(const struct vswitch *, const char *name);
struct running_port *running_port_create(struct running_bridge *, const char *name);
void running_port_unplug(struct running_port *, bool delete_device);
void running_port_destroy(struct running_port *, bool delete_device);
void running_port_refuse(struct running_port *, enum log_level, char *why); /* Takes 'why'. */
bool running_port_is_internal(const struct running_port *);
void running_port_set_type(struct running_port *, const char *type);
void running_port_changed(struct running_port *);    /* Its row wants to be written. */
void running_port_uncounted(struct running_port *);  /* Its row has no statistics. */
void running_port_look_again(struct running_port *); /* The next pass does. */
void running_all_changed(struct vswitch *);          /* All rows want to be written. */

/* follow.c: what a bridge takes from its ports. */
void follow_port(struct running_port *);  /* The port, its device or what these have changed: the bridge is told. */
uint64_t follow_mac(const struct running_bridge *); /* The lowest address of its ports that counts; 0: none. */
void follow_mtu(struct running_bridge *);     /* Has its internal ports follow the least MTU, if that changed. */
void follow_mtu_of(struct running_port *);    /* Has this one follow, if it is internal and asks for no MTU. */

#endif
