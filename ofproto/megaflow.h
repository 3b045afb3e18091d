// SPDX-License-Identifier: Apache-2.0
// Megaflows: what translation yielded and a datapath keeps, so that the next packet need not come up. A handler makes one and installs it; from then on its life belongs
// to the revalidators: they read its counters, credit rules and ports, translate it again when something changed, and take it out.
//
// The table is liburcu's lock-free hash table by ufid. A megaflow that was taken out is readable for a grace period.
#ifndef OFPROTO_MEGAFLOW_H
#define OFPROTO_MEGAFLOW_H 1

#include "lib/base/rcu.h"
#include "lib/dp/place.h"
#include "ofproto/outcome.h"
#include "ofproto/translate.h"

struct datapath;
struct megaflows;

struct megaflow {
    struct cds_lfht_node node;
    dp_ufid ufid;
    const struct outcome *outcome;   /* In the datapath's terms: in_port is its port number. Once it is installed, the revalidator's. */
    uint64_t generation;             /* Of the datapath when it was translated. */
    uint64_t packets, bytes;         /* Counters of the datapath that were credited already. Atomic. */
    int64_t created_ms;
    int64_t used_ms;                 /* Of the last packet; 0: none yet. Atomic. */
    uint64_t seen_cycle;             /* The last dump that reported it; the one it was installed in before that. */
    struct dp_stats dumped;          /* What that dump said. */
    bool installed;                  /* Atomic: the handler is done with it. */
    uint64_t key[];                  /* Those words that the mask has, lowest first, masked. */
};

struct megaflows *megaflows_create(void);
void megaflows_destroy(struct megaflows *);
size_t megaflows_n(const struct megaflows *);
size_t megaflows_max(const struct megaflows *);     /* Since the start. */
size_t megaflows_average(const struct megaflows *); /* Moving, over cycles. */
/* Revalidator, between two cycles and outside of any RCU read section: moves the average, and gives the table as many buckets as there are megaflows. */
void megaflows_note_cycle(struct megaflows *);

/* A megaflow out of a translation, with the datapath's ufid, key, mask (in the translation) and actions. Not in the table yet. RCU read section (rules are
 * referenced). */
struct megaflow *megaflow_create(struct megaflows *, dp_ufid, const struct flow_key *key, const struct translate_out *, const struct buf *actions,
                                 uint64_t generation);
/* An adopted one: what an earlier daemon left in the datapath; it wants translation at once. */
struct megaflow *megaflow_adopt(struct megaflows *, const struct dp_flow_dumped *);
void megaflow_match(const struct megaflow *, struct flow_key *key, struct flow_key *mask); /* Either may be NULL. */
void megaflow_free(struct megaflow *);                       /* One that nobody else can see. */
bool megaflows_add(struct megaflows *, struct megaflow *);   /* RCU read section. false: its ufid is there already. */
void megaflows_remove(struct megaflows *, struct megaflow *); /* Unpublishes; released after a grace period. */
struct megaflow *megaflows_find(const struct megaflows *, dp_ufid); /* RCU read section. */
/* RCU read section. fn false ends it. */
void megaflows_for_each(const struct megaflows *, bool (*fn)(struct megaflow *, void *arg), void *arg);
/* Takes over the effects and actions of a new translation; the mask stays. Revalidator; RCU read section. */
void megaflow_retranslated(struct megaflows *, struct megaflow *, const struct translate_out *, const struct buf *actions, uint64_t generation);
/* What the datapath is given for a translation: its actions, or a userspace action that brings slow packets up. Appends to 'list'. */
void megaflow_datapath_actions(const struct translate_out *, uint32_t bridge_id, struct buf *list);

#endif
