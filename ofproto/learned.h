// SPDX-License-Identifier: Apache-2.0
// A rule that a learn action asks for. Packets that pass in the datapath, unseen by us, count as asking again: what they learn does not time out while they
// come, and is there again when somebody removed it.
#ifndef OFPROTO_LEARNED_H
#define OFPROTO_LEARNED_H 1

#include "ofproto/bridge.h"

struct learned {
    struct bridge *bridge;  /* Referenced; NULL: it was going when this was learned. */
    uint32_t limit;         /* Of rules with this table and cookie; 0: none. */
    struct flow_mod fm;     /* Immutable once the translation is done. */
    uint32_t refs;          /* Atomic. */
    bool pending;           /* Atomic: the main thread has been asked. */
    int64_t asked_ms;       /* When it was asked last; of the one thread that owns the megaflow. */
};

/* RCU read section. A flow_mod that adds or changes a rule, with one reference; the caller fills in the rest. */
struct learned *learned_create(struct bridge *);
void learned_ref(struct learned *);   /* Any thread. */
void learned_unref(struct learned *); /* Any thread. */
void learned_apply(struct learned *); /* Main thread. Nothing if the bridge is gone. */
/* Who owns the megaflow, in an RCU read section: packets that learn this passed at 'used_ms'. Asks the main thread, about once a second. */
void learned_again(struct learned *, int64_t used_ms);

#endif
