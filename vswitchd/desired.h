// SPDX-License-Identifier: Apache-2.0
// What the database asks for, as validated plain structs. Texts point into the replica's rows: they are good until the replica changes, so a desired struct
// lives no longer than one pass of the reconciler. A value that is out of range is reported once in the log and its default taken, as ovs-vswitchd does.
#ifndef VSWITCHD_DESIRED_H
#define VSWITCHD_DESIRED_H 1

#include "lib/base/stream.h"
#include "lib/ovsdb/replica.h"
#include "ofproto/ofproto.h"

#define VLAN_BITMAP_WORDS (4096 / (8 * sizeof(unsigned long)))
#define DESIRED_MAX_OPTIONS 64

struct desired_bridge {
    struct bridge_config config;            /* datapath_id, hwaddr: filled by the reconciler, which knows the devices. */
    struct controller_config *controllers;  /* Owned. */
    struct table_config *tables;            /* Owned. */
    bool has_datapath_id, has_hwaddr;
    const char *unsupported;                /* Names a column that asks for what we cannot do; NULL: none. */
};

struct desired_port {
    struct port_config config;
    unsigned long trunks[VLAN_BITMAP_WORDS], cvlans[VLAN_BITMAP_WORDS];
    const char *options[DESIRED_MAX_OPTIONS][2];
    bool has_mac;
    struct eth_addr mac;                    /* Interface.mac. */
    uint32_t mtu_request;                   /* 0: none. */
    struct dp_police police; /* With defaults of the bursts filled in. */
};

void desired_global(const struct ovsdb_row *open_vswitch, struct ofproto_config *);
void desired_tls(const struct ovsdb_row *ssl, struct stream_tls *); /* 'ssl' may be NULL. Strings are the row's. */
void desired_bridge_init(struct desired_bridge *, const struct ovsdb_row *bridge, const struct ovsdb_replica *);
void desired_bridge_destroy(struct desired_bridge *);
/* 'local_of': name of the bridge; its port of the same name is internal whatever its type. NULL, or why the row cannot be (the caller frees). */
char *desired_port_init(struct desired_port *, const struct ovsdb_row *port, const struct ovsdb_row *interface, const char *local_of);

#endif
