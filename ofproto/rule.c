// SPDX-License-Identifier: Apache-2.0
// The life of one rule: made, credited, referenced, let go. Interned action lists belong to the main thread; what readers may still see of them dies after a grace
// period.
#include <config.h>
#include "ofproto/rule.h"

#include <stdlib.h>

#include "lib/base/counter.h"
#include "lib/base/hash.h"
#include "lib/base/rcu.h"
#include "lib/base/refs.h"
#include "ofproto/bridge.h"
#include "ofproto/learn_group.h"

COUNTER(rule_added, "A rule was added to a table.");
COUNTER(rule_removed, "A rule left a table.");

struct rule_actions *
rule_actions_intern(struct bridge *br, const void *list, size_t size)
{
    uint32_t hash = hash_bytes(list, size, 0);
    struct rule_actions *a;

    for (struct hnode *n = htable_first_with_hash(&br->rule_intern, hash); n; n = htable_next_with_hash(n)) {
        a = CONTAINER_OF(n, struct rule_actions, node);
        if (a->size == size && (!size || !memcmp(a->list, list, size))) {
            a->n_users++;
            return a;
        }
    }
    a = xzalloc(sizeof *a + size);
    a->n_users = 1;
    a->size = (uint32_t) size;
    a->has_learn = learn_groups_concern(list, size);
    if (size) { /* Actions that drop may come without a list. */
        memcpy(a->list, list, size);
    }
    htable_insert(&br->rule_intern, &a->node, hash);
    return a;
}

void
rule_actions_release(struct bridge *br, struct rule_actions *a)
{
    if (!--a->n_users) {
        htable_remove(&br->rule_intern, &a->node);
        rcu_postpone_free(a);
    }
}

struct rule *
rule_create(struct bridge *br, const struct flow_mod *fm, uint8_t table_id)
{
    struct match_sparse *match = match_pack(&fm->match);
    struct rule *r;

    classifier_prefetch(br->tables[table_id].cls, match, fm->priority); /* Where it will be inserted soon. */
    r = xzalloc(sizeof *r);
    r->cr.match = match;
    r->cr.priority = fm->priority;
    r->actions = rule_actions_intern(br, fm->actions.data, fm->actions.len);
    r->cookie = fm->new_cookie == UINT64_MAX ? 0 : fm->new_cookie;
    r->created_ms = r->modified_ms = r->used_ms = now_ms();
    r->idle_timeout = fm->idle_timeout;
    r->hard_timeout = fm->hard_timeout;
    r->importance = fm->importance;
    r->flags = fm->flags & RULE_FLAGS_KEPT;
    r->table_id = table_id;
    r->refs = 1;
    CDS_INIT_LIST_HEAD(&r->expirable);
    return r;
}

struct rule *
rule_copy(struct bridge *br, const struct rule *from)
{
    const struct match_sparse *match = from->cr.match;
    struct rule *r = xzalloc(sizeof *r);

    r->cr.match = xmemdup(match, sizeof *match + 2 * match_sparse_n(match) * sizeof match->words[0]);
    r->cr.priority = from->cr.priority;
    r->actions = rule_actions_intern(br, from->actions->list, from->actions->size);
    r->cookie = from->cookie;
    r->created_ms = from->created_ms;
    r->modified_ms = from->modified_ms;
    r->used_ms = __atomic_load_n(&from->used_ms, __ATOMIC_RELAXED);
    r->idle_timeout = from->idle_timeout;
    r->hard_timeout = from->hard_timeout;
    r->importance = from->importance;
    r->flags = from->flags;
    r->table_id = from->table_id;
    r->refs = 1;
    CDS_INIT_LIST_HEAD(&r->expirable);
    return r;
}

void
rule_set(struct bridge *br, struct rule *r, const struct flow_mod *fm)
{
    struct rule_actions *old = r->actions;

    rcu_assign_pointer(r->actions, rule_actions_intern(br, fm->actions.data, fm->actions.len));
    rule_actions_release(br, old);
    r->modified_ms = now_ms();
    if (fm->modify_cookie && fm->new_cookie != UINT64_MAX) {
        __atomic_store_n(&r->cookie, fm->new_cookie, __ATOMIC_RELAXED);
    }
    if (fm->flags & OFPFF_RESET_COUNTS) {
        __atomic_store_n(&r->n_packets, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&r->n_bytes, 0, __ATOMIC_RELAXED);
    }
}

/* What was counted goes to the heir. Megaflows credit a rule for a while after it was removed: that follows when the last one has let go of it. */
static void
hand_over(struct rule *r)
{
    rule_credit(r->heir, __atomic_exchange_n(&r->n_packets, 0, __ATOMIC_RELAXED), __atomic_exchange_n(&r->n_bytes, 0, __ATOMIC_RELAXED),
                __atomic_load_n(&r->used_ms, __ATOMIC_RELAXED));
}

static void
rule_free(void *rule)
{
    struct rule *r = rule;

    if (__atomic_load_n(&r->removed, __ATOMIC_ACQUIRE) && r->heir) {
        hand_over(r);
        rule_unref(r->heir);
    }
    free(r->cr.match);
    free(r);
}

bool
rule_ref(struct rule *r)
{
    return refs_get(&r->refs);
}

void
rule_unref(struct rule *r)
{
    if (refs_put(&r->refs)) {
        rcu_postpone(rule_free, r);
    }
}

struct rule *
rule_current(struct rule *r)
{
    while (r && r->removed) {
        r = r->heir;
    }
    return r;
}

void
rule_credit(struct rule *r, uint64_t packets, uint64_t bytes, int64_t used_ms)
{
    __atomic_fetch_add(&r->n_packets, packets, __ATOMIC_RELAXED);
    __atomic_fetch_add(&r->n_bytes, bytes, __ATOMIC_RELAXED);
    if (used_ms > __atomic_load_n(&r->used_ms, __ATOMIC_RELAXED)) {
        __atomic_store_n(&r->used_ms, used_ms, __ATOMIC_RELAXED); /* Two racing credits are milliseconds apart: either will do. */
    }
}

static void
split_duration(int64_t ms, uint32_t *sec, uint32_t *nsec)
{
    *sec = (uint32_t) (ms / 1000);
    *nsec = (uint32_t) (ms % 1000) * 1000000;
}

void
rule_to_stats(const struct rule *r, struct flow_stats *fs)
{
    int64_t now = now_ms();

    match_unpack(r->cr.match, &fs->match);
    fs->cookie = __atomic_load_n(&r->cookie, __ATOMIC_RELAXED);
    fs->table_id = r->table_id;
    fs->priority = (uint16_t) MIN(r->cr.priority, UINT16_MAX);
    fs->idle_timeout = r->idle_timeout;
    fs->hard_timeout = r->hard_timeout;
    fs->importance = r->importance;
    fs->flags = r->flags & ~OFPFF_HIDDEN;
    split_duration(now - r->created_ms, &fs->duration_sec, &fs->duration_nsec);
    fs->idle_age = (int) ((now - __atomic_load_n(&r->used_ms, __ATOMIC_RELAXED)) / 1000);
    fs->hard_age = (int) ((now - r->modified_ms) / 1000);
    fs->n_packets = __atomic_load_n(&r->n_packets, __ATOMIC_RELAXED);
    fs->n_bytes = __atomic_load_n(&r->n_bytes, __ATOMIC_RELAXED);
    fs->actions = rcu_dereference(r->actions)->list;
    fs->actions_len = rcu_dereference(r->actions)->size;
}

static void
rule_to_removed(const struct rule *r, uint8_t reason, struct flow_removed *fr)
{
    match_unpack(r->cr.match, &fr->match);
    fr->cookie = __atomic_load_n(&r->cookie, __ATOMIC_RELAXED);
    fr->priority = (uint16_t) MIN(r->cr.priority, UINT16_MAX);
    fr->idle_timeout = r->idle_timeout;
    fr->hard_timeout = r->hard_timeout;
    fr->reason = reason;
    fr->table_id = r->table_id;
    split_duration(now_ms() - r->created_ms, &fr->duration_sec, &fr->duration_nsec);
    fr->n_packets = __atomic_load_n(&r->n_packets, __ATOMIC_RELAXED);
    fr->n_bytes = __atomic_load_n(&r->n_bytes, __ATOMIC_RELAXED);
}

/* Puts it among the expirable ones if it has a timeout. */
static void
rule_watch_timeouts(struct bridge *br, struct rule *r)
{
    if ((r->idle_timeout || r->hard_timeout) && cds_list_empty(&r->expirable)) {
        cds_list_add_tail(&r->expirable, &br->expirable);
    }
}

void
rule_reduce_timeouts(struct bridge *br, struct rule *r, uint16_t idle, uint16_t hard)
{
    r = rule_current(r);
    if (!r) {
        return;
    }
    if (idle && (!r->idle_timeout || idle < r->idle_timeout)) {
        __atomic_store_n(&r->idle_timeout, idle, __ATOMIC_RELAXED);
    }
    if (hard && (!r->hard_timeout || hard < r->hard_timeout)) {
        __atomic_store_n(&r->hard_timeout, hard, __ATOMIC_RELAXED);
    }
    rule_watch_timeouts(br, r);
}

static void
tell_deleted(struct bridge *br, struct rule *r, uint8_t reason, const struct table_origin *origin)
{
    struct flow_removed fr;

    if (r->flags & OFPFF_SEND_FLOW_REM) {
        rule_to_removed(r, reason, &fr);
        ofconns_send_flow_removed(br->conns, &fr);
    }
    if (!(r->flags & OFPFF_HIDDEN)) {
        ofconns_flow_event(br->conns, OFCONN_FLOW_DELETED, r, reason, origin);
    }
}

static void
rule_retire(struct rule *r, struct rule *heir)
{
    cds_list_del(&r->expirable);
    r->heir = heir && rule_ref(heir) ? heir : NULL;
    if (r->heir) {
        hand_over(r);
    }
    __atomic_store_n(&r->removed, true, __ATOMIC_RELEASE);
}

void
rule_changed(struct bridge *br, const struct rule_change *c, const struct table_origin *origin)
{
    COUNTER_ADD(rule_added, c->event == OFCONN_FLOW_ADDED);
    if (c->was) {
        COUNTER_ADD(rule_removed, c->event != OFCONN_FLOW_MODIFIED);
        if (!c->is) {
            tell_deleted(br, c->was, c->reason, origin);
        }
        rule_retire(c->was, c->keeps_counts ? c->is : NULL);
    }
    if (c->is) {
        rule_watch_timeouts(br, c->is);
        if (!(c->is->flags & OFPFF_HIDDEN)) {
            ofconns_flow_event(br->conns, c->event, c->is, 0, origin);
        }
    }
}

void
rule_release(struct bridge *br, struct rule *r)
{
    rule_actions_release(br, r->actions);
    rule_unref(r);
}

void
rule_release_unread(struct bridge *br, struct rule *r)
{
    COUNTER_INC(rule_removed);
    rule_retire(r, NULL);
    rule_actions_release(br, r->actions);
    if (refs_put(&r->refs)) {
        rule_free(r);
    }
}
