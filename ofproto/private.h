// SPDX-License-Identifier: Apache-2.0
// The insides of struct ofproto, for the files of this folder.
#ifndef OFPROTO_PRIVATE_H
#define OFPROTO_PRIVATE_H 1

#include "ofproto/bridge.h"
#include "ofproto/datapath.h"

struct ofproto {
    struct loop *loop;
    struct netdevs *netdevs;
    struct cds_list_head bridges;
    struct cds_list_head datapaths;
    struct htable ports_by_name;       /* Of all bridges: a name is in one of them. Main thread. */
    struct ofproto_config config;
    bool forwarding;
    struct loop_timer *second_timer;   /* Ageing: rules, MAC entries. */
    uint32_t next_bridge_id;
    struct cds_lfht *bridges_by_id;    /* RCU: struct bridge by id, for upcalls. */
    uint32_t version;                  /* Atomic. Of the tables of all bridges, since a packet may pass through several: ofproto/transaction.h. */
    struct cds_list_head transactions; /* Committed and not yet settled. */
};

struct port *ofproto_port_by_name(const struct ofproto *, const char *name); /* Main thread. NULL: in no bridge. */
struct bridge *bridge_by_id(const struct ofproto *, uint32_t id); /* RCU read section. NULL: gone. */

#endif
