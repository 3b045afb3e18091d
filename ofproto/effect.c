// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "ofproto/effect.h"

#include "ofproto/datapath.h"
#include "ofproto/freeze.h"
#include "ofproto/l2.h"
#include "ofproto/learned.h"
#include "ofproto/rule.h"
#include "ofproto/table.h"

static bool
is_removed(const bool *removed)
{
    return __atomic_load_n(removed, __ATOMIC_ACQUIRE);
}

bool
effect_ref(const struct effect *e)
{
    switch (e->kind) {
    case EFFECT_RULE:
        return rule_ref(e->rule);
    case EFFECT_FIN_TIMEOUT:
        if (!rule_ref(e->fin.rule)) {
            return false;
        }
        if (!bridge_ref(e->fin.bridge)) {
            rule_unref(e->fin.rule);
            return false;
        }
        break;
    case EFFECT_PORT_RX:
    case EFFECT_PORT_TX:
        return port_ref(e->port);
    case EFFECT_L2_LEARN:
        if (!bridge_ref(e->learn.bridge)) {
            return false;
        }
        if (!port_ref(e->learn.port)) {
            bridge_unref(e->learn.bridge);
            return false;
        }
        break;
    case EFFECT_TABLE:
        return bridge_ref(e->table.bridge);
    case EFFECT_FLOW_MOD:
        learned_ref(e->learned);
        break;
    case EFFECT_FREEZE:
        break;
    }
    return true;
}

void
effect_unref(const struct effect *e)
{
    switch (e->kind) {
    case EFFECT_RULE:
        rule_unref(e->rule);
        break;
    case EFFECT_FIN_TIMEOUT:
        rule_unref(e->fin.rule);
        bridge_unref(e->fin.bridge);
        break;
    case EFFECT_PORT_RX:
    case EFFECT_PORT_TX:
        port_unref(e->port);
        break;
    case EFFECT_L2_LEARN:
        bridge_unref(e->learn.bridge);
        port_unref(e->learn.port);
        break;
    case EFFECT_TABLE:
        bridge_unref(e->table.bridge);
        break;
    case EFFECT_FLOW_MOD:
        learned_unref(e->learned);
        break;
    case EFFECT_FREEZE:
        break;
    }
}

static void
count_lookup(const struct effect *e, uint64_t packets)
{
    struct table *t = &e->table.bridge->tables[e->table.id];

    __atomic_fetch_add(&t->n_lookups, packets, __ATOMIC_RELAXED);
    if (e->table.matched) {
        __atomic_fetch_add(&t->n_matched, packets, __ATOMIC_RELAXED);
    }
}

/* A new or moved address may change where other packets go. */
static void
apply_learn(const struct effect *e)
{
    struct bridge *bridge = e->learn.bridge;

    if (!is_removed(&e->learn.port->removed) && !is_removed(&bridge->removed)
        && l2_learn(bridge->l2, e->learn.mac, e->learn.vlan, e->learn.port) && bridge->datapath) {
        datapath_changed(bridge->datapath);
    }
}

static void
apply_one(const struct effect *e, uint64_t packets, uint64_t bytes, int64_t used_ms)
{
    switch (e->kind) {
    case EFFECT_RULE:
        rule_credit(e->rule, packets, bytes, used_ms);
        break;
    case EFFECT_PORT_RX:
    case EFFECT_PORT_TX:
        if (!is_removed(&e->port->removed)) {
            port_credit(e->port, e->kind == EFFECT_PORT_RX, packets, bytes);
        }
        break;
    case EFFECT_L2_LEARN:
        apply_learn(e);
        break;
    case EFFECT_TABLE:
        if (!is_removed(&e->table.bridge->removed)) {
            count_lookup(e, packets);
        }
        break;
    case EFFECT_FREEZE:
        freeze_use(e->freeze, used_ms);
        break;
    case EFFECT_FLOW_MOD:
    case EFFECT_FIN_TIMEOUT:
        break;
    }
}

bool
effects_equal(const struct effect *a, size_t n_a, const struct effect *b, size_t n_b)
{
    return n_a == n_b && (!n_a || !memcmp(a, b, n_a * sizeof *a));
}

bool
effects_only_count(const struct effect *effects, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum effect_kind kind = effects[i].kind;

        if (kind != EFFECT_RULE && kind != EFFECT_TABLE && kind != EFFECT_PORT_RX && kind != EFFECT_PORT_TX) {
            return false;
        }
    }
    return true;
}

void
effects_apply(const struct effect *effects, size_t n, uint64_t packets, uint64_t bytes, int64_t used_ms)
{
    for (size_t i = 0; i < n; i++) {
        apply_one(&effects[i], packets, bytes, used_ms);
    }
}

void
effects_repeat(const struct effect *effects, size_t n, int64_t used_ms)
{
    for (size_t i = 0; i < n; i++) {
        if (effects[i].kind == EFFECT_FLOW_MOD) {
            learned_again(effects[i].learned, used_ms);
        }
    }
}

bool
effect_is_main(const struct effect *e)
{
    return e->kind == EFFECT_FLOW_MOD || e->kind == EFFECT_FIN_TIMEOUT;
}

void
effect_apply_main(const struct effect *e)
{
    if (e->kind == EFFECT_FLOW_MOD) {
        learned_apply(e->learned);
    } else if (e->kind == EFFECT_FIN_TIMEOUT && !is_removed(&e->fin.bridge->removed)) {
        rule_reduce_timeouts(e->fin.bridge, e->fin.rule, e->fin.idle, e->fin.hard); /* ovs-actions(7), fin_timeout. */
    }
}
