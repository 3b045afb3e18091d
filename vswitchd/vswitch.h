// SPDX-License-Identifier: Apache-2.0
// The daemon's heart: the database client, the running bridges, and what ties them: reconcile.c makes what runs as the database asks, status.c writes back what is
// true. Main thread.
#ifndef VSWITCHD_VSWITCH_H
#define VSWITCHD_VSWITCH_H 1

#include "lib/base/list.h"
#include "lib/dp/netdev.h"
#include "lib/ovsdb/ovsdb.h"
#include "ofproto/ofproto.h"

/* An interface that the database asks for: in the bridge, or waiting with the reason in 'error'. */
struct running_port {
    struct hnode node;           /* In running_bridge.ports, by name. */
    char *name, *type;
    char interface_uuid[37], port_uuid[37];
    uint64_t interface_seq, port_seq; /* What was reconciled; 0: look again. */
    struct port *port;           /* NULL: could not be added (yet). */
    uint32_t ofport;             /* The number that it has, or had last; 0: none yet. */
    char *error;                 /* Interface.error; NULL: none. */
    uint32_t mtu_request;        /* 0: none; one of type internal follows the others' then. */
    uint32_t mtu;                /* Of the device, as last looked at. */
    bool policed_by_tc;
    bool seen;                   /* In this pass. */
    bool status_dirty;           /* Its row wants to be written. */
    /* What the row was last told. */
    bool told_device, stats_of_device;
    struct netdev_info device;   /* With told_device. */
    struct netdev_stats stats;
};

/* Ports that ask for an OpenFlow number get theirs first, then those that had one, so that no other takes it from them. */
enum plug_turn { PLUG_REQUESTED, PLUG_KNOWN, PLUG_ANY };

struct running_bridge {
    struct hnode node;           /* In vswitch.bridges, by name. */
    char *name;
    char uuid[37];
    struct bridge *bridge;       /* NULL: could not be created. */
    char *error;                 /* Bridge.status:error; NULL: none. */
    struct eth_addr hwaddr, default_hwaddr;
    uint64_t datapath_id;
    struct htable ports;
    bool seen;
    bool status_dirty;
    bool ports_removed;          /* In this pass: its address may follow. */
    enum plug_turn turn;         /* In this pass: which ports are plugged in now. */
    bool deferred;               /* In this pass: some wait for a later turn. */
    uint32_t min_mtu;            /* Of the devices plugged in that are not internal; its internal ports follow. */
};

struct status_cache;

struct vswitch {
    struct loop *loop;
    struct ovsdb *db;
    struct netdevs *netdevs;
    struct ofproto *ofproto;
    struct htable bridges;
    struct status_cache *written;    /* What the database was last told. */
    struct loop_timer *stats_timer, *status_timer;
    int64_t next_cfg;                /* Reconciled up to here; -1: never. */
    uint64_t reconciled_seq;         /* Of the replica. */
    bool hw_offload;                 /* As reconciled last. */
    bool forwarding;                 /* ofproto_start_forwarding() was called. */
    bool said_contended;
    void (*ready)(void *arg);        /* Start-up is complete, in whatever way; called once. */
    void *ready_arg;
};

/* Connects to 'db_remotes' and goes on by itself. 0 or -errno with '*error' (the caller frees). */
int vswitch_create(struct loop *, const char *db_remotes, void (*ready)(void *arg), void *arg, struct vswitch **, char **error);
void vswitch_destroy(struct vswitch *, bool delete_datapath);

/* reconcile.c: makes what runs as the database asks. Cost follows what changed. */
void reconcile(struct vswitch *);
void reconcile_device_event(struct vswitch *, const struct netdev_info *, bool gone); /* A device came, changed or went. */
void reconcile_destroy_all(struct vswitch *, bool delete_ports);

/* status.c: tells the database what is true, and only what it does not know. */
struct status_cache *status_cache_create(void);
void status_cache_destroy(struct status_cache *);
void status_cache_forget(struct status_cache *);        /* After a reconnect: the rows may say anything. */
void status_write(struct vswitch *, bool with_stats);   /* What is dirty; with_stats: also all counters. */
int64_t status_stats_interval_ms(const struct vswitch *);

#endif
