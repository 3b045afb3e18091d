// SPDX-License-Identifier: Apache-2.0
// The MAC learning table of a bridge: a lock-free hash table that any thread reads, and refreshes. New, moved and leaving entries take the table's mutex,
// so that its bounds hold: when it is full the port with the most entries loses one that was not seen for long.
#ifndef OFPROTO_L2_H
#define OFPROTO_L2_H 1

#include "lib/base/buf.h"
#include "lib/flow/key.h"

struct bridge;
struct ofproto;
struct port;
struct l2;

struct l2 *l2_create(struct bridge *);
void l2_destroy(struct l2 *);                               /* After a grace period without readers. */
void l2_configure(struct l2 *, uint32_t aging_s, uint32_t max_entries);
struct port *l2_lookup(struct l2 *, struct eth_addr, uint16_t vlan);      /* RCU read section. NULL: unknown. */
/* Any thread, RCU read section. true: the table changed in a way that translations may depend on (new, or moved). Multicast is not learned. */
bool l2_learn(struct l2 *, struct eth_addr, uint16_t vlan, struct port *);
/* Would l2_learn() change anything? So that translation without side effects can tell. */
bool l2_needs_learning(struct l2 *, struct eth_addr, uint16_t vlan, const struct port *);
void l2_forget_port(struct l2 *, const struct port *);     /* Main thread, after port->removed was set, before the port dies. */
void l2_flush(struct l2 *);                                 /* Main thread. */
bool l2_age(struct l2 *);                                   /* Main thread, about once a second: true if an entry left. */

/* Main thread: the text of fdb/show and fdb/stats-show. */
void l2_format(struct l2 *, struct buf *);
void l2_format_stats(struct l2 *, struct buf *);
void l2_clear_stats(struct l2 *);
void l2_register_commands(struct ofproto *); /* fdb/show, fdb/flush, fdb/stats-show, fdb/stats-clear. */

#endif
