// SPDX-License-Identifier: Apache-2.0
// OpenFlow tables and rules: table_apply() is the one way in, for controllers, for learn actions and for the hidden rules of the bridge.
//
// The main thread writes. Handlers and revalidators look up in RCU read sections and credit statistics with atomics. A rule that is gone stays readable
// for a grace period; who must keep one longer takes a reference.
#ifndef OFPROTO_TABLE_H
#define OFPROTO_TABLE_H 1

#include "lib/base/list.h"
#include "lib/flow/classifier.h"
#include "lib/of/body.h"

#define N_TABLES 255 /* 0 .. 253 for controllers, 254 is internal: hidden rules of the bridge. */
#define TABLE_INTERNAL 254
/* Rules of the internal table to which packets that met no other are credited: by register 0. */
enum internal_rule { INTERNAL_MISS = 1, INTERNAL_DROP, INTERNAL_DROP_FRAGMENT, N_INTERNAL_RULES };

struct bridge;
struct table_config;

/* An action list that rules share: interned, so that a million rules with one action keep one list. */
struct rule_actions {
    struct hnode node;        /* In bridge->rule_intern. */
    uint32_t n_users;         /* Main thread: rules that have it. */
    uint32_t size;            /* Bytes of 'list'. */
    bool has_learn;         /* One that ofproto/learn_group.h is about. */
    _Alignas(8) uint8_t list[]; /* struct ofact records. */
};

struct rule {
    struct cls_rule cr;
    struct rule_actions *actions;       /* RCU: replaced by a modify; immutable. */
    uint64_t cookie;                    /* Host order. Atomic: changed by a modify. */
    uint64_t n_packets, n_bytes;        /* Atomic. */
    int64_t created_ms, modified_ms;    /* Of now_ms(). */
    int64_t used_ms;                    /* Atomic: last packet, or created. */
    uint16_t idle_timeout, hard_timeout; /* Atomic: shortened by fin_timeout. */
    uint16_t importance, flags;
    uint8_t table_id;
    bool removed;                       /* Atomic: unlinked from its table. */
    uint32_t refs;                      /* Atomic: 1 for the table, more by rule_ref(). */
    union {
        struct cds_list_head expirable; /* In bridge's list if it has a timeout. */
        struct rule *heir;              /* Once it is removed: the rule that took its place, referenced, whose are its counts; or NULL. */
    };
};

struct table {
    struct classifier *cls;
    char *name;
    uint64_t n_lookups, n_matched;      /* Atomic. */
    uint32_t max_flows;                 /* UINT32_MAX: no limit. */
    uint8_t miss_config;                /* OFPTC11_TABLE_MISS_*; 0: controller (1.0 to 1.2) or drop (1.3). */
};

struct ofconn;
struct transaction;
/* For whom an operation is done. */
struct table_origin {
    struct ofconn *ofconn;           /* The session that asked, or NULL. */
    be32 xid;
    struct transaction *transaction; /* That it is a part of; NULL: readers see at once what it does. */
};

void tables_init(struct bridge *);
void tables_destroy(struct bridge *);
void tables_configure(struct bridge *, const struct table_config *, size_t n); /* As in struct bridge_config. */

/* Check, build, publish. OFERR_OK, or an error and nothing changed. Steals fm->actions when it succeeds. Main thread. */
enum of_error table_apply(struct bridge *, struct flow_mod *, const struct table_origin *);

/* The rule that a learn action asks for: it is added, changed, or if it is as it shall be, its hard timeout begins again. Where 'limit' rules of the table, unless
 * that is 0, have its cookie, only the last is done. fm->table_id is below N_TABLES. Main thread. */
void table_learn(struct bridge *, const struct flow_mod *, uint32_t limit);
/* Would table_learn() do it, as far as 'limit' is concerned? RCU read section, any thread. */
bool table_may_learn(const struct bridge *, uint32_t version, const struct flow_mod *, uint32_t limit);
/* Are the actions right for a rule of that match in that table (OFPTT_ALL: in some)? table_apply() asks this itself. */
enum of_error table_check_actions(const struct flow_mod *, uint8_t table_id);

/* RCU read section. The rule of table 'id' for the packet, bits looked at or-ed into 'wild' (NULL: not wanted). NULL: a miss. 'version' of
 * transaction_current_version(). */
struct rule *table_lookup(struct bridge *, uint8_t id, uint32_t version, const struct flow_key *key, struct flow_key *wild);
void rule_credit(struct rule *, uint64_t packets, uint64_t bytes, int64_t used_ms); /* Any thread. */
bool rule_ref(struct rule *);   /* Any thread, RCU section: false when it is going. */
void rule_unref(struct rule *); /* Any thread: releases after a grace period when last. */
struct rule *rule_current(struct rule *); /* Main thread: the rule, or what took its place, if that goes on with its counts. NULL: gone. */

/* Calls fn for every rule that the request selects; fn must not change tables. */
void table_collect(struct bridge *, const struct flow_stats_request *, void (*fn)(struct rule *, void *arg), void *arg);
void rule_to_stats(const struct rule *, struct flow_stats *); /* Pointers are the rule's. */
size_t tables_n_rules(const struct bridge *);
/* Deletes all but hidden rules; with 'normal', then adds what an empty standalone bridge without controllers has: a rule of priority 0 that does NORMAL. */
void tables_flush(struct bridge *, bool normal);
/* Deletes what was learned by rules that are gone and were to take it along. After changes of tables that are not table_apply()'s. */
void tables_delete_orphans(struct bridge *);
void tables_expire(struct bridge *);  /* Idle and hard timeouts; once a second or so. Statistics must have been collected before. */
/* Fail-open: a hidden rule above all others that does NORMAL, while no controller of a standalone bridge can be reached. */
void tables_set_standalone(struct bridge *, bool normal);
/* Shortens the rule's timeouts (action fin_timeout); 0 leaves one as it is. Main thread. */
void rule_reduce_timeouts(struct bridge *, struct rule *, uint16_t idle, uint16_t hard);

#endif
