// SPDX-License-Identifier: Apache-2.0
// The daemon's heart: the database client, the running bridges, and what ties them: reconcile.c makes what runs as the database asks, status.c writes back what is
// true. Main thread.
#ifndef VSWITCHD_VSWITCH_H
#define VSWITCHD_VSWITCH_H 1

#include "lib/base/list.h"
#include "lib/dp/netdev.h"
#include "lib/ovsdb/ovsdb.h"
#include "ofproto/ofproto.h"

struct status_cache;

struct vswitch {
    struct loop *loop;
    struct ovsdb *db;
    struct netdevs *netdevs;
    struct ofproto *ofproto;
    struct htable bridges, ports;    /* What runs, by name (running.h). */
    struct cds_list_head dirty_ports; /* Their rows want to be written. */
    struct cds_list_head uncounted_ports; /* The same of their statistics. */
    struct cds_list_head ports_again; /* The next pass looks at them. */
    uint64_t pass;                   /* Of the reconciler; counts. */
    struct status_cache *written;    /* What the database was last told. */
    struct loop_timer *stats_timer, *status_timer;
    int64_t next_cfg;                /* Reconciled up to here; -1: never. */
    int64_t told_cfg;                /* What the database was told of it. */
    bool rows_follow;                /* It is being told, and what came of the ports; the rest of their rows comes after the answer. */
    uint64_t reconciled_seq;         /* Of the replica; 0: all of it is to be looked at. */
    bool look_again;                 /* There is something to reconcile though no row changed. */
    bool hw_offload;                 /* As reconciled last. */
    bool forwarding;                 /* ofproto_start_forwarding() was called. */
    bool said_contended;
    bool following;                  /* Connected, with the lock: nobody else changes what we run. */
    void (*ready)(void *arg);        /* Start-up is complete, in whatever way; called once. */
    void *ready_arg;
};

/* Connects to 'db_remotes' and goes on by itself. 0 or -errno with '*error' (the caller frees). */
int vswitch_create(struct loop *, const char *db_remotes, void (*ready)(void *arg), void *arg, struct vswitch **, char **error);
void vswitch_destroy(struct vswitch *, bool delete_datapath);

/* reconcile.c: makes what runs as the database asks. Cost follows what changed after 'since', of which the replica still has what went. */
void reconcile(struct vswitch *, uint64_t since);
void reconcile_device_event(struct vswitch *, const struct netdev_info *, bool gone); /* A device came, changed or went. */
void reconcile_destroy_all(struct vswitch *, bool delete_ports);

/* status.c: tells the database what is true, and only what it does not know. */
struct status_cache *status_cache_create(void);
void status_cache_destroy(struct status_cache *);
void status_cache_forget_row(struct status_cache *, const char *uuid); /* It is gone. */
void status_forget(struct vswitch *);                   /* The rows may say anything: all are written anew. */
void status_write(struct vswitch *, bool with_stats);   /* What is dirty; with_stats: also all counters. */
int64_t status_stats_interval_ms(const struct vswitch *);

#endif
