// SPDX-License-Identifier: Apache-2.0
// Rules of one table and cookie, as learn actions make them: learn(limit=...) counts them, and they go with the last learn(delete_learned) that names them
// (ovs-actions(7), "The learn action"). Only what a learn action of some rule so names is kept.
//
// Main thread, but where said.
#ifndef OFPROTO_LEARN_GROUP_H
#define OFPROTO_LEARN_GROUP_H 1

#include "ofproto/bridge.h"

struct learn_groups *learn_groups_create(void);
void learn_groups_destroy(struct learn_groups *); /* Readers must be gone. */

/* The rule has come into its table, or has left it: it is counted, and what its learn actions name is. Of a rule that takes another's place the other leaves first. */
void learn_groups_rule_came(struct bridge *, const struct rule *);
void learn_groups_rule_left(struct bridge *, const struct rule *);
/* Rules that are to be deleted, since the last learn(delete_learned) is gone that named them. Told once. false: there are none. */
bool learn_groups_take_orphans(struct bridge *, uint8_t *table_id, uint64_t *cookie);

/* Does an action list have a learn action that the above are about? */
bool learn_groups_concern(const void *list, size_t size);
/* RCU read section, any thread: the rules of the table with the cookie, if a learn action with a limit names them, else 0. */
uint32_t learn_groups_count(const struct bridge *, uint8_t table_id, uint64_t cookie);

#endif
