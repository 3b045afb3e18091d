// SPDX-License-Identifier: Apache-2.0
// A bridge inside ofproto: its ports, tables, L2 table and sessions. Written by the main thread; what other threads read is published by RCU
// and marked so. The bridge is released a grace period after it was taken out of its datapath.
#ifndef OFPROTO_BRIDGE_H
#define OFPROTO_BRIDGE_H 1

#include "lib/base/list.h"
#include "lib/base/rcu.h"
#include "ofproto/ofproto.h"
#include "ofproto/port.h"
#include "ofproto/table.h"

struct l2;
struct ofconns;
struct datapath;

/* The ports of a bridge as readers see them: immutable, replaced as a whole. */
struct bridge_ports {
    size_t n;
    struct port *ports[]; /* By ascending OpenFlow number; the local port is last. */
};

struct bridge {
    struct cds_list_head node;      /* In struct ofproto. */
    struct cds_lfht_node id_node;   /* In ofproto->bridges_by_id. */
    struct ofproto *ofproto;
    struct datapath *datapath;
    uint32_t id;                    /* Unique while the daemon runs; in upcall cookies. */
    char *name;
    char *datapath_type;
    char *remark;                   /* Of its datapath; NULL: none. */
    uint64_t datapath_id;
    struct eth_addr hwaddr;
    bool fail_secure, forward_bpdu, disable_in_band;   /* forward_bpdu is read by translation: atomic. */
    uint32_t versions;
    char *mfr_desc, *hw_desc, *sw_desc, *serial_desc, *dp_desc;
    uint16_t frag_mode;             /* OFPC_FRAG_*: 0 normal, 1 drop, 3 nx-match. Read by translation. */
    uint16_t miss_send_len;         /* Default of sessions that said nothing. */
    bool miss_to_controller;        /* Some session wants packets that no rule matched (OpenFlow before 1.3). Read by translation: atomic. */
    bool standalone_normal;         /* Fail-open is in force: the hidden NORMAL rule is in table 0. */
    struct bridge_ports *ports;     /* RCU. */
    struct table tables[N_TABLES];
    struct rule *internal_rules[N_INTERNAL_RULES]; /* The first is none. They live as long as the tables. */
    struct l2 *l2;
    struct ofconns *conns;
    uint32_t next_ofp;              /* Where the search for a free OpenFlow number goes on. */
    struct learn_groups *learn_groups; /* ofproto/learn_group.h. */
    struct htable rule_intern;      /* Action lists shared by rules; main thread. */
    uint32_t refs;                  /* Atomic: 1 while it is there, more by bridge_ref(). */
    bool removed;                   /* Atomic: only the struct itself is left. */
    struct cds_list_head expirable; /* Rules with a timeout; main thread. */
};

/* Keeps the struct, not the bridge, alive. Any thread, in an RCU read section; unref releases after a grace period when last. */
bool bridge_ref(struct bridge *); /* Any thread, RCU section: false when it is going. */
void bridge_unref(struct bridge *);

struct port *bridge_port(const struct bridge *, uint32_t ofp_port); /* RCU read section. NULL: no such port. */
struct port *bridge_port_by_name(const struct bridge *, const char *name); /* Main thread. NULL: no such port. */
/* Main thread: something that translations depend on changed: a rule, port, VLAN... All megaflows are looked at again soon. */
void bridge_changed(struct bridge *);
struct port_names bridge_port_names(const struct bridge *); /* For text; valid while the bridge is, in an RCU read section. */
void bridge_set_ports(struct bridge *, struct bridge_ports *); /* Publishes; takes 'ports'. */

#endif
