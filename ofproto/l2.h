// SPDX-License-Identifier: Apache-2.0
// The MAC learning table of a bridge: a lock-free hash table that any thread reads and learns into; ageing and eviction are the main thread's.
#ifndef OFPROTO_L2_H
#define OFPROTO_L2_H 1

#include "lib/flow/key.h"

struct bridge;
struct port;
struct l2;

struct l2 *l2_create(struct bridge *);
void l2_destroy(struct l2 *);                               /* After a grace period without readers. */
void l2_configure(struct l2 *, uint32_t aging_s, uint32_t max_entries);
struct port *l2_lookup(struct l2 *, struct eth_addr, uint16_t vlan);      /* RCU read section. NULL: unknown. */
/* Any thread, RCU read section. true: the table changed in a way that translations may depend on (new, or moved). */
bool l2_learn(struct l2 *, struct eth_addr, uint16_t vlan, struct port *, bool is_gratuitous_arp);
/* Would l2_learn() change anything? So that translation without side effects can tell. */
bool l2_needs_learning(struct l2 *, struct eth_addr, uint16_t vlan, const struct port *);
void l2_forget_port(struct l2 *, const struct port *);     /* Main thread, before the port dies. */
void l2_flush(struct l2 *);                                 /* Main thread. */
bool l2_age(struct l2 *);                                   /* Main thread, about once a second: true if an entry left. */

#endif
