// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "ofproto/learned.h"

#include <stdlib.h>

#include "lib/base/counter.h"
#include "lib/base/refs.h"
#include "ofproto/datapath.h"
#include "ofproto/private.h"

COUNTER(learned_again, "Packets passed in the datapath whose translation learns a rule: it was refreshed, or added again.");

#define ASK_EVERY_MS 1000 /* Timeouts are in seconds. */

struct learned *
learned_create(struct bridge *br)
{
    struct learned *l = xzalloc(sizeof *l);

    l->bridge = bridge_ref(br) ? br : NULL;
    l->refs = 1;
    l->fm.command = OFPFC_MODIFY_STRICT;
    l->fm.modify_cookie = true;
    l->fm.buffer_id = OFP_NO_BUFFER;
    l->fm.out_port = OFPP_ANY;
    l->fm.out_group = OFPG_ANY;
    return l;
}

void
learned_ref(struct learned *l)
{
    __atomic_fetch_add(&l->refs, 1, __ATOMIC_RELAXED);
}

void
learned_unref(struct learned *l)
{
    if (refs_put(&l->refs)) {
        if (l->bridge) {
            bridge_unref(l->bridge);
        }
        buf_free(&l->fm.actions);
        free(l);
    }
}

void
learned_apply(struct learned *l)
{
    if (l->bridge && !__atomic_load_n(&l->bridge->removed, __ATOMIC_ACQUIRE)) {
        table_learn(l->bridge, &l->fm, l->limit);
    }
}

static void
apply_posted(void *learned)
{
    struct learned *l = learned;

    __atomic_store_n(&l->pending, false, __ATOMIC_RELAXED);
    learned_apply(l);
    learned_unref(l);
}

void
learned_again(struct learned *l, int64_t used_ms)
{
    if (!l->bridge || used_ms - l->asked_ms < ASK_EVERY_MS || __atomic_exchange_n(&l->pending, true, __ATOMIC_RELAXED)) {
        return;
    }
    COUNTER_INC(learned_again);
    l->asked_ms = used_ms;
    learned_ref(l);
    loop_post(l->bridge->ofproto->loop, apply_posted, l);
}
