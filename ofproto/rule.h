// SPDX-License-Identifier: Apache-2.0
// What table.c needs of a rule beside the public face in ofproto/table.h. Main thread, but where said.
#ifndef OFPROTO_RULE_H
#define OFPROTO_RULE_H 1

#include "ofproto/ofconn.h"

/* Flags of a flow_mod that stay with the rule. */
#define RULE_FLAGS_KEPT (OFPFF_SEND_FLOW_REM | OFPFF_NO_PKT_COUNTS | OFPFF_NO_BYT_COUNTS | OFPFF_RESET_COUNTS | OFPFF_CHECK_OVERLAP | OFPFF_HIDDEN)

/* What became of one rule. */
struct rule_change {
    enum ofconn_flow_event event;
    struct rule *was, *is;  /* NULL: it was added; deleted. */
    bool keeps_counts;      /* 'is' goes on counting where 'was' stopped. */
    uint8_t reason;         /* OFPRR_* of a deletion. */
};

struct rule *rule_create(struct bridge *, const struct flow_mod *, uint8_t table_id); /* One reference, the caller's. */
struct rule *rule_copy(struct bridge *, const struct rule *); /* As rule_create(). It has no counts yet. */
/* Gives it the actions of the flow_mod, and what else a modify changes. */
void rule_set(struct bridge *, struct rule *, const struct flow_mod *);
/* Readers see it now: who wants to know is told, counts are handed over, 'is' may time out. */
void rule_changed(struct bridge *, const struct rule_change *, const struct table_origin *);
void rule_release(struct bridge *, struct rule *);  /* It is out of its classifier: the table's reference goes. */
/* rule_changed() and rule_release() of a rule that no reader can have found and nobody is told of: releases at once when last. */
void rule_release_unread(struct bridge *, struct rule *);
/* A shared list equal to 'list'; rule_actions_release() gives it back, after which readers may see it for a grace period. */
struct rule_actions *rule_actions_intern(struct bridge *, const void *list, size_t size);
void rule_actions_release(struct bridge *, struct rule_actions *);

#endif
