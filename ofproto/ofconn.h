// SPDX-License-Identifier: Apache-2.0
// Sessions: the OpenFlow connections of a bridge, active and passive, their roles, asynchronous messages and bounds. Main thread.
#ifndef OFPROTO_OFCONN_H
#define OFPROTO_OFCONN_H 1

#include "lib/of/body.h"
#include "ofproto/bridge.h"

struct ofconns;
struct ofconn;

struct ofconns *ofconns_create(struct bridge *, struct loop *);
void ofconns_destroy(struct ofconns *);
/* <bridge>.mgmt and .snoop are always served. What stays the same keeps its connection. */
void ofconns_configure(struct ofconns *, const struct bridge_config *);
void ofconns_reconnect(struct ofconns *); /* Drops all sessions but those at <bridge>.mgmt; active ones are made again. */
void ofconns_status(const struct ofconns *, void (*fn)(const struct controller_status *, void *arg), void *arg);

/* Each goes to the sessions that want it. */
void ofconns_send_packet_in(struct ofconns *, const struct packet_in *, uint16_t controller_id);
void ofconns_send_flow_removed(struct ofconns *, const struct flow_removed *);
/* 'was': what was told before, NULL for nothing. Who is told no difference in his version is told nothing. */
void ofconns_send_port_status(struct ofconns *, const struct of_port *, const struct of_port *was, enum of_port_reason);
/* Flow monitors (NXST_FLOW_MONITOR): a rule came, changed or went. 'origin' as in table_apply(). */
enum ofconn_flow_event { OFCONN_FLOW_ADDED, OFCONN_FLOW_MODIFIED, OFCONN_FLOW_DELETED };
void ofconns_flow_event(struct ofconns *, enum ofconn_flow_event, const struct rule *, uint8_t reason, const struct table_origin *);

#endif
