// SPDX-License-Identifier: Apache-2.0
// A port of a bridge: one OpenFlow port over one device, or one end of a patch. Written by the main thread.
#ifndef OFPROTO_PORT_H
#define OFPROTO_PORT_H 1

#include "lib/of/body.h"
#include "lib/base/list.h"
#include "lib/base/rcu.h"
#include "ofproto/ofproto.h"

/* What translation looks at, immutable, published by RCU as a whole. */
struct port_settings {
    enum vlan_mode vlan_mode;
    int vlan_tag;                  /* -1: none. */
    bool all_trunks;
    unsigned long trunks[4096 / (8 * sizeof(unsigned long))];
    bool all_cvlans;
    unsigned long cvlans[4096 / (8 * sizeof(unsigned long))];
    bool protected_port;
    int priority_tags;
    uint16_t qinq_tpid;            /* Ethertype of the outer tag of dot1q-tunnel ports. */
    uint32_t of_config;            /* OFPPC_*. */
    uint32_t of_state;             /* OFPPS_*. */
    struct eth_addr mac;
};

struct port {
    struct cds_lfht_node dp_node;  /* In datapath->ports. */
    struct hnode name_node;        /* In ofproto->ports_by_name. */
    struct bridge *bridge;
    char *name;
    char *type;
    uint32_t ofp;                  /* OpenFlow number. */
    uint32_t dp_port;              /* In the datapath; DP_PORT_NONE for patch ports. */
    struct port_settings *settings; /* RCU; immutable once published. */
    struct port *peer;             /* RCU; of a patch port, NULL while the other end is not there. */
    char *peer_name;
    int ifindex;
    struct netdev_info *made_up;   /* For a port without a device of the host: what would be known of one. Main thread. NULL: it has one. */
    bool is_internal;
    int64_t created_ms;
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes; /* Atomic. Patch ports: credited by translation. */
    char **options;                /* name, value, ..., NULL. */
    struct of_port of;             /* As OpenFlow describes it; main thread. */
    struct of_port told;           /* The same as controllers were told of it last; main thread. */
    uint32_t refs;                 /* Atomic: 1 while it is in its bridge, more by port_ref(). */
    bool removed;                  /* Atomic: out of its bridge; 'bridge' is not to be followed then. */
};

static inline const struct port_settings *
port_settings(const struct port *p)
{
    return rcu_dereference(p->settings);
}
/* Keeps the struct, not the port, alive. Any thread, in an RCU read section; unref releases after a grace period when last. */
bool port_ref(struct port *); /* Any thread, RCU section: false when it is going. */
void port_unref(struct port *);
bool port_carries_vlan(const struct port_settings *, uint16_t vid); /* trunk, native or access VLAN. */
void port_credit(struct port *, bool rx, uint64_t packets, uint64_t bytes); /* Any thread. */
/* OpenFlow port_mod: changes configuration bits under 'mask'. */
void port_mod(struct port *, uint32_t config, uint32_t mask);
/* port_device.c: for one without a device of the host. */
void port_make_up_device(struct port *, bool patch);
int port_set_up(struct port *, bool up);
int port_fill_stats(const struct port *, struct of_port_stats *); /* 0 or -errno; the rest of the fields says "not known". */

#endif
