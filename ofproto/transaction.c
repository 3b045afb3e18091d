// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "ofproto/transaction.h"

#include <stdlib.h>

#include "ofproto/learn_group.h"
#include "ofproto/private.h"

struct noted {
    struct rule_change change; /* With a reference to 'is', and the table's to 'was'. */
    struct ofconn *ofconn;     /* As in struct table_origin. */
    be32 xid;
};

struct transaction {
    struct cds_list_head node; /* In ofproto->transactions once it is committed. */
    struct bridge *bridge;
    struct ofproto *ofproto;
    uint32_t version;
    bool unread;               /* Atomic: no reader is left that began before the version. */
    struct noted *noted;
    size_t n, allocated;
};

struct transaction *
transaction_begin(struct bridge *br)
{
    struct transaction *t = xzalloc(sizeof *t);

    t->bridge = br;
    t->ofproto = br->ofproto;
    t->version = MAX(br->ofproto->version + 1, 1u); /* 0 is none. */
    return t;
}

uint32_t
transaction_version(const struct transaction *t)
{
    return t->version;
}

uint32_t
transaction_current_version(const struct bridge *br)
{
    return __atomic_load_n(&br->ofproto->version, __ATOMIC_ACQUIRE);
}

void
transaction_note(struct transaction *t, const struct rule_change *change, const struct table_origin *origin)
{
    if (t->n == t->allocated) {
        array_grow(&t->noted, &t->allocated, sizeof *t->noted);
    }
    t->noted[t->n++] = (struct noted){*change, origin->ofconn, origin->xid};
    if (change->is) {
        rule_ref(change->is);
    }
}

static void
transaction_free(struct transaction *t)
{
    free(t->noted);
    free(t);
}

static struct classifier *
classifier_of(const struct transaction *t, const struct rule *r)
{
    return t->bridge->tables[r->table_id].cls;
}

/* Backwards, so that a rule that was added and then changed goes last. */
void
transaction_abort(struct transaction *t)
{
    uint8_t table_id;
    uint64_t cookie;

    for (size_t i = t->n; i-- > 0;) {
        struct rule *was = t->noted[i].change.was, *is = t->noted[i].change.is;

        if (is) {
            classifier_remove(classifier_of(t, is), &is->cr);
            learn_groups_rule_left(t->bridge, is);
            rule_release(t->bridge, is);
            rule_unref(is);
        }
        if (was) {
            classifier_unhide(classifier_of(t, was), &was->cr);
            learn_groups_rule_came(t->bridge, was);
        }
    }
    while (learn_groups_take_orphans(t->bridge, &table_id, &cookie)) { /* Nothing was deleted: nothing goes with it. */
    }
    transaction_free(t);
}

static void
settle(struct transaction *t)
{
    bool any_left = false;

    for (size_t i = 0; i < t->n; i++) {
        struct rule *was = t->noted[i].change.was, *is = t->noted[i].change.is;

        if (is) {
            classifier_settle(&is->cr);
            rule_unref(is);
        }
        if (was) {
            classifier_remove(classifier_of(t, was), &was->cr);
            rule_release(t->bridge, was);
            any_left = true;
        }
    }
    if (any_left) {
        bridge_changed(t->bridge); /* Fewer bits of packets need be looked at. */
    }
}

void
transactions_settle(struct ofproto *o)
{
    struct transaction *t, *next;

    cds_list_for_each_entry_safe (t, next, &o->transactions, node) {
        if (!__atomic_load_n(&t->unread, __ATOMIC_ACQUIRE)) {
            break;
        }
        cds_list_del(&t->node);
        settle(t);
        transaction_free(t);
    }
}

static void
settle_posted(void *o)
{
    transactions_settle(o);
}

/* In the reclaim thread. The main thread may free the transaction as soon as it is marked. */
static void
no_reader_left(void *transaction)
{
    struct transaction *t = transaction;
    struct ofproto *o = t->ofproto;

    __atomic_store_n(&t->unread, true, __ATOMIC_RELEASE);
    loop_post(o->loop, settle_posted, o);
}

void
transaction_commit(struct transaction *t)
{
    __atomic_store_n(&t->ofproto->version, t->version, __ATOMIC_RELEASE);
    for (size_t i = 0; i < t->n; i++) {
        const struct noted *n = &t->noted[i];

        rule_changed(t->bridge, &n->change, &(struct table_origin){.ofconn = n->ofconn, .xid = n->xid});
    }
    bridge_changed(t->bridge);
    tables_delete_orphans(t->bridge);
    cds_list_add_tail(&t->node, &t->ofproto->transactions);
    rcu_postpone(no_reader_left, t);
}
