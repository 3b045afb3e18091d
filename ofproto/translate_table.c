// SPDX-License-Identifier: Apache-2.0
// Which rule a packet meets in a table, and what a miss means.
#include <config.h>
#include "ofproto/translate_ctx.h"

/* OpenFlow 1.1 and 1.2's table configuration: what a miss in this table is. 0 is the version's default. */
enum { MISS_CONTINUE = 1, MISS_DROP = 2, MISS_MASK = 3 };

enum outcome { FOUND, MISS_TO_CONTROLLER = INTERNAL_MISS, MISS_SILENT = INTERNAL_DROP, FRAGMENT_DROPPED = INTERNAL_DROP_FRAGMENT };

/* A lookup in one table, as the fragment mode has it: outside of nx-match the transport ports of fragments count as zero. */
static struct rule *
look_up(struct xl *xl, uint8_t table, uint32_t in_port)
{
    uint16_t mode = __atomic_load_n(&xl->bridge->frag_mode, __ATOMIC_RELAXED);
    struct flow_key key = xl->key;
    struct rule *rule;
    struct effect *e;

    key.in_port = in_port;
    if (key.nw_frag & FLOW_FRAG_ANY && mode == 0) {
        key.tp_src = key.tp_dst = 0;
    }
    xl_depend(xl, DEP_TABLE, table);
    rule = table_lookup(xl->bridge, table, xl->version, &key, xl->mask);
    e = xl_effect(xl, EFFECT_TABLE);
    e->table.bridge = xl->bridge;
    e->table.id = table;
    e->table.matched = rule != NULL;
    return rule;
}

static bool
drops_fragment(const struct xl *xl)
{
    return xl->key.nw_frag & FLOW_FRAG_ANY && __atomic_load_n(&xl->bridge->frag_mode, __ATOMIC_RELAXED) == 1;
}

static enum outcome
miss(const struct xl *xl, uint8_t table, uint32_t in_port)
{
    const struct port *port = bridge_port(xl->bridge, in_port);

    if (port && port_settings(port)->of_config & OFPPC_NO_PACKET_IN) {
        return MISS_SILENT;
    }
    if ((xl->bridge->tables[table].miss_config & MISS_MASK) == MISS_DROP) {
        return MISS_SILENT;
    }
    return __atomic_load_n(&xl->bridge->miss_to_controller, __ATOMIC_RELAXED) ? MISS_TO_CONTROLLER : MISS_SILENT;
}

/* Finds the rule, going on to the next table where that is what a miss does. '*table' is the table of the outcome. */
static enum outcome
find(struct xl *xl, uint8_t *table, uint32_t in_port, bool honour_miss, struct rule **rule)
{
    if (drops_fragment(xl)) {
        return FRAGMENT_DROPPED;
    }
    for (;;) {
        *rule = look_up(xl, *table, in_port);
        if (*rule) {
            return FOUND;
        }
        if (!honour_miss) {
            return MISS_SILENT;
        }
        if ((xl->bridge->tables[*table].miss_config & MISS_MASK) != MISS_CONTINUE || *table + 1 >= TABLE_INTERNAL) {
            return miss(xl, *table, in_port);
        }
        ++*table;
    }
}

static void *
report_rule(struct xl *xl, uint8_t table, const struct rule *rule)
{
    struct buf text = BUF_EMPTY;
    struct match match;
    void *was;

    match_unpack(rule->cr.match, &match);
    match_format(&match, -1, NULL, &text);
    if (text.len) {
        buf_puts(&text, ", ");
    }
    buf_putf(&text, "priority %d", rule->cr.priority);
    if (rule->cookie) {
        buf_putf(&text, ", cookie %#" PRIx64, rule->cookie);
    }
    was = trace_enter(xl->in->trace, TRACE_TABLE, "%2u. %s", table, buf_text(&text));
    buf_free(&text);
    return was;
}

static void *
report(struct xl *xl, enum outcome outcome, uint8_t table, const struct rule *rule)
{
    static const char *const texts[] = {
        [MISS_SILENT] = "No match.",
        [MISS_TO_CONTROLLER] = "No match, and a \"packet-in\" is called for.",
        [FRAGMENT_DROPPED] = "Packets are IP fragments and the fragment handling mode is \"drop\".",
    };

    if (!xl->in->trace) {
        return NULL;
    }
    return outcome == FOUND ? report_rule(xl, table, rule) : trace_enter(xl->in->trace, TRACE_TABLE, "%2u. %s", table, texts[outcome]);
}

static void
credit(struct xl *xl, struct rule *rule)
{
    xl_effect(xl, EFFECT_RULE)->rule = rule;
}

/* What a miss runs: nothing, or a packet to the controller. */
static void
run_miss(struct xl *xl, enum outcome outcome)
{
    struct xl_packet_in in = {.max_len = UINT16_MAX, .reason = OFPR_NO_MATCH};
    struct rule *internal = xl->bridge->internal_rules[outcome];

    if (internal) {
        credit(xl, internal);
    }
    if (outcome == MISS_TO_CONTROLLER) {
        trace_add(xl->in->trace, TRACE_ACTION, "CONTROLLER:65535");
        xl_packet_in(xl, &in);
    } else {
        trace_add(xl->in->trace, TRACE_ACTION, "drop");
    }
}

const struct rule_actions *
xl_first_rule(struct xl *xl, uint8_t table)
{
    struct rule *rule = NULL;
    enum outcome outcome = find(xl, &table, xl->key.in_port, true, &rule);

    /* What the first rule does stands below it to the end of the translation. */
    report(xl, outcome, table, rule);
    xl->table_id = table;
    if (outcome != FOUND) {
        if (!xl->in->in_port || xl_may_receive(xl, xl->in->in_port)) {
            run_miss(xl, outcome);
        }
        return NULL;
    }
    credit(xl, rule);
    xl->rule = rule;
    xl->cookie = __atomic_load_n(&rule->cookie, __ATOMIC_RELAXED);
    return rcu_dereference(rule->actions);
}

/* The bounds of a pipeline that calls itself. */
static bool
within_bounds(struct xl *xl)
{
    if (xl->depth >= XL_MAX_DEPTH) {
        xl_fail(xl, TRANSLATE_TOO_DEEP, "over max translation depth %d", XL_MAX_DEPTH);
    } else if (xl->n_resubmits >= XL_MAX_RESUBMITS) {
        xl_fail(xl, TRANSLATE_TOO_MANY_RESUBMITS, "over %d resubmit actions", XL_MAX_RESUBMITS);
    } else if (!xl_actions_fit(xl)) {
        /* Not an error: what there is was meant. */
        trace_add(xl->in->trace, TRACE_ERROR, "resubmits yielded over 64 kB of actions");
        xl->exit = true;
        return false;
    } else if (xl->stack.len >= XL_MAX_STACK) {
        xl_fail(xl, TRANSLATE_STACK_TOO_DEEP, "resubmits yielded over 64 kB of stack");
    }
    return !xl->out->error;
}

/* Runs the rule that was found, the caller's rule being current again after it. */
static void
run_rule(struct xl *xl, enum outcome outcome, struct rule *rule, bool deepens, bool last, xl_run_fn *run)
{
    const struct rule *old_rule = xl->rule;
    uint64_t old_cookie = xl->cookie;

    xl->n_resubmits++;
    xl->depth += deepens;
    xl->rule = rule;
    if (outcome == FOUND) {
        const struct rule_actions *actions = rcu_dereference(rule->actions);

        credit(xl, rule);
        xl->cookie = __atomic_load_n(&rule->cookie, __ATOMIC_RELAXED);
        run(xl, actions->list, actions->size, last);
    } else {
        xl->cookie = 0;
        run_miss(xl, outcome);
    }
    xl->depth -= deepens;
    xl->rule = old_rule;
    xl->cookie = old_cookie;
}

void
xl_table(struct xl *xl, uint32_t in_port, uint8_t table, bool honour_miss, bool last, xl_run_fn *run)
{
    uint8_t old_table = xl->table_id;
    struct rule *rule = NULL;
    enum outcome outcome;
    void *was;

    if (xl->was_mpls) {
        xl_freeze_begin(xl);
        return;
    }
    if (!within_bounds(xl)) {
        return;
    }
    xl->table_id = table;
    outcome = find(xl, &xl->table_id, in_port, honour_miss, &rule);
    was = report(xl, outcome, xl->table_id, rule);
    run_rule(xl, outcome, rule, table <= old_table, last, run);
    trace_leave(xl->in->trace, was);
    xl->table_id = old_table;
}
