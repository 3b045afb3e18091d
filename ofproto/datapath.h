// SPDX-License-Identifier: Apache-2.0
// A datapath in use: shared by the bridges of one datapath_type, with its megaflows and the threads that serve it.
#ifndef OFPROTO_DATAPATH_H
#define OFPROTO_DATAPATH_H 1

#include "lib/base/list.h"
#include "lib/base/rcu.h"
#include "lib/dp/place.h"
#include "ofproto/bridge.h"

struct megaflows;
struct upcalls;
struct revalidators;

struct datapath {
    struct cds_list_head node;     /* In struct ofproto. */
    struct ofproto *ofproto;
    struct dp *dp;
    struct place *place;
    struct cds_lfht *ports;        /* RCU: struct port by dp_port. */
    struct megaflows *megaflows;
    struct upcalls *upcalls;
    struct revalidators *revalidators;
    unsigned n_bridges;
    uint64_t generation;           /* Atomic: moves whenever a translation may have become wrong. */
    bool forwarding;               /* Atomic: megaflows may be installed; false until the first configuration is in. */
};

/* The datapath that 'type' means, opened if need be; each get is undone by a put. 0, or -errno; '*why' (the caller
 * frees) says what is wrong, or on success what the datapath has to do without on this host, if anything. */
int datapath_get(struct ofproto *, const char *type, struct datapath **, char **why);
void datapath_put(struct datapath *, bool destroy);
/* Ends the threads: what is in the datapath stays as it is. Idempotent. */
void datapath_stop(struct datapath *);
struct datapath *datapath_by_name(struct ofproto *, const char *name); /* "system@ovs-system", "ovs-system". */
struct datapath *datapath_by_ops(const struct ofproto *, const struct dp_ops *); /* If it is open, else NULL. */
/* RCU read section. The port that has this number in the datapath, or NULL. */
struct port *datapath_port(const struct datapath *, uint32_t dp_port);
/* A key of the datapath as translation wants it: with OpenFlow's port number, and no more VLAN tags than other_config:vlan-limit allows. RCU read section; returns the
 * port, or NULL: no bridge has it. */
struct port *datapath_key_to_translate(const struct datapath *, const struct flow_key *dp_key, struct flow_key *key);
/* The mask of a translation of such a key as the datapath wants it. */
void datapath_mask_from_translate(const struct datapath *, const struct flow_key *dp_key, struct flow_key *mask);
void datapath_add_port(struct datapath *, struct port *);
void datapath_remove_port(struct datapath *, struct port *);
void datapath_start_forwarding(struct datapath *);
void datapath_changed(struct datapath *); /* Main thread or any: every translation is to be looked at again. */
void datapath_configure(struct datapath *);  /* After struct ofproto's config changed. */
/* Names of the datapath's ports for text; any thread in an RCU read section. */
struct dp_port_names datapath_port_names(const struct datapath *);

#endif
