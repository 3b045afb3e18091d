// SPDX-License-Identifier: Apache-2.0
// What table.c needs of a rule beside the public face in ofproto/table.h. Main thread, but where said.
#ifndef OFPROTO_RULE_H
#define OFPROTO_RULE_H 1

#include "ofproto/table.h"

/* Flags of a flow_mod that stay with the rule. */
#define RULE_FLAGS_KEPT (OFPFF_SEND_FLOW_REM | OFPFF_NO_PKT_COUNTS | OFPFF_NO_BYT_COUNTS | OFPFF_RESET_COUNTS | OFPFF_CHECK_OVERLAP | OFPFF_HIDDEN)

struct rule *rule_create(struct bridge *, const struct flow_mod *, uint8_t table_id); /* One reference, the caller's. */
/* A shared list equal to 'list'; rule_actions_release() gives it back, after which readers may see it for a grace period. */
struct rule_actions *rule_actions_intern(struct bridge *, const void *list, size_t size);
void rule_actions_release(struct bridge *, struct rule_actions *);
void rule_unref_unread(struct rule *); /* rule_unref() for a rule that no reader can have found: releases at once when last. */
void rule_watch_timeouts(struct bridge *, struct rule *);  /* Puts it among the expirable ones if it has a timeout. */
void rule_to_removed(const struct rule *, uint8_t reason, struct flow_removed *);

#endif
