// SPDX-License-Identifier: Apache-2.0
// Tables: table_apply() checks a flow_mod whole before it touches anything, then publishes rule by rule. Readers see each rule appear and go at once, unless it is
// done in a transaction; megaflows follow by bridge_changed().
#include <config.h>
#include "ofproto/table.h"

#include <stdlib.h>

#include "lib/base/counter.h"
#include "lib/base/log.h"
#include "lib/base/rcu.h"
#include "lib/flow/wire.h"
#include "ofproto/bridge.h"
#include "ofproto/learn_group.h"
#include "ofproto/ofconn.h"
#include "ofproto/private.h"
#include "ofproto/transaction.h"

COUNTER(rule_refused, "A flow_mod was refused.");

#define FAIL_OPEN_PRIORITY 0xf0f0f0 /* Above every priority of OpenFlow. */

static void
table_configure(struct table *t, const struct table_config *c)
{
    if (!t->name != !c->name || (t->name && strcmp(t->name, c->name))) {
        free(t->name);
        t->name = c->name ? xstrdup(c->name) : NULL;
    }
    t->max_flows = c->max_flows;
    if (classifier_set_prefix_fields(t->cls, c->prefixes, c->n_prefixes)) {
        abort(); /* Whoever read the configuration asked for what cannot be. */
    }
}

void
tables_configure(struct bridge *br, const struct table_config *configs, size_t n)
{
    static const struct table_config defaults = {.max_flows = UINT32_MAX, .prefixes = {FIELD_IP_DST, FIELD_IP_SRC}, .n_prefixes = 2};
    size_t next = 0;

    for (size_t i = 0; i < TABLE_INTERNAL; i++) {
        bool configured = next < n && configs[next].id == i;

        table_configure(&br->tables[i], configured ? &configs[next++] : &defaults);
    }
}

/* Calls fn for each rule of the tables that 'table_id' names (OFPTT_ALL: those a controller may see) within 'loose'. */
static void
visit_rules(struct bridge *br, uint8_t table_id, const struct match *loose, bool (*fn)(struct cls_rule *, void *), void *arg)
{
    size_t first = table_id == OFPTT_ALL ? 0 : table_id;
    size_t end = table_id == OFPTT_ALL ? TABLE_INTERNAL : MIN((size_t) table_id + 1, (size_t) N_TABLES);

    for (size_t i = first; i < end; i++) {
        if (classifier_n_rules(br->tables[i].cls)) {
            classifier_for_each(br->tables[i].cls, loose, fn, arg);
        }
    }
}

static struct rule *
rule_of(const struct cls_rule *cr)
{
    return CONTAINER_OF(cr, struct rule, cr);
}

/* A set of rules picked by a request, in a growing array. */
struct rule_set {
    struct rule **rules;
    size_t n, allocated;
    uint64_t cookie, cookie_mask;
    uint32_t out_port, out_group;
};

static bool
rule_selected(const struct rule_set *set, const struct rule *r)
{
    return !(r->flags & OFPFF_HIDDEN) && !((r->cookie ^ set->cookie) & set->cookie_mask)
           && (set->out_port == OFPP_ANY || ofact_outputs_to_port(r->actions->list, r->actions->size, set->out_port))
           && (set->out_group == OFPG_ANY || ofact_outputs_to_group(r->actions->list, r->actions->size, set->out_group));
}

static bool
rule_set_add(struct cls_rule *cr, void *set_)
{
    struct rule_set *set = set_;

    if (rule_selected(set, rule_of(cr))) {
        if (set->n >= set->allocated) {
            array_grow(&set->rules, &set->allocated, sizeof *set->rules);
        }
        set->rules[set->n++] = rule_of(cr);
    }
    return true;
}

/* The rules that 'fm' concerns; the caller frees set->rules. */
static void
rules_of_flow_mod(struct bridge *br, const struct flow_mod *fm, bool strict, struct rule_set *set)
{
    *set = (struct rule_set){.cookie = fm->cookie, .cookie_mask = fm->cookie_mask, .out_port = OFPP_ANY, .out_group = OFPG_ANY};
    if (fm->command == OFPFC_DELETE || fm->command == OFPFC_DELETE_STRICT) {
        set->out_port = fm->out_port;
        set->out_group = fm->out_group;
    }
    if (!strict) {
        visit_rules(br, fm->table_id, &fm->match, rule_set_add, set);
        return;
    }
    struct match_sparse *match = match_pack(&fm->match);
    size_t first = fm->table_id == OFPTT_ALL ? 0 : fm->table_id;
    size_t end = fm->table_id == OFPTT_ALL ? TABLE_INTERNAL : first + 1;

    for (size_t i = first; i < end; i++) {
        struct cls_rule *cr = classifier_find_exactly(br->tables[i].cls, match, fm->priority);

        if (cr) {
            rule_set_add(cr, set);
        }
    }
    free(match);
}

/* The tables have been changed so, for the transaction if it is a part of one. */
static void
change_made(struct bridge *br, const struct rule_change *change, const struct table_origin *origin)
{
    if (change->was) {
        learn_groups_rule_left(br, change->was);
    }
    if (change->is) {
        learn_groups_rule_came(br, change->is);
    }
    if (origin->transaction) {
        transaction_note(origin->transaction, change, origin);
        return;
    }
    rule_changed(br, change, origin);
    if (change->was) {
        rule_release(br, change->was);
    }
}

static uint32_t
version_of(const struct table_origin *origin)
{
    return origin->transaction ? transaction_version(origin->transaction) : 0;
}

static void
rule_remove(struct bridge *br, struct rule *r, uint8_t reason, const struct table_origin *origin)
{
    struct classifier *cls = br->tables[r->table_id].cls;

    if (origin->transaction) {
        classifier_hide(cls, &r->cr, version_of(origin));
    } else {
        classifier_remove(cls, &r->cr);
    }
    change_made(br, &(struct rule_change){.event = OFCONN_FLOW_DELETED, .was = r, .reason = reason}, origin);
}

/* Recirculations and hashes are numbered by the switch itself: what a rule of a controller's says of them would be about others' packets. */
static bool
looks_at_internals(const struct flow_mod *fm)
{
    return (fm->match.key.recirc_id || fm->match.mask.dp_hash) && !(fm->flags & OFPFF_HIDDEN);
}

static bool
replaces_rule(const struct table *t, const struct flow_mod *fm)
{
    struct match_sparse *match = match_pack(&fm->match);
    bool found = classifier_find_exactly(t->cls, match, fm->priority) != NULL;

    free(match);
    return found;
}

/* Is there a rule that OFPFF_CHECK_OVERLAP forbids to add another beside? One that would be replaced is none. */
static bool
table_overlaps(const struct table *t, const struct flow_mod *fm)
{
    return fm->flags & OFPFF_CHECK_OVERLAP && classifier_overlaps(t->cls, &fm->match, fm->priority) && !replaces_rule(t, fm);
}

/* What every added rule must satisfy. '*table_id' is where it goes. */
static enum of_error
check_add(struct bridge *br, const struct flow_mod *fm, uint8_t *table_id)
{
    const struct table *t;

    *table_id = fm->table_id == OFPTT_ALL ? 0 : fm->table_id;
    if (*table_id >= N_TABLES) {
        return OFERR_OFPBRC_BAD_TABLE_ID;
    }
    if (looks_at_internals(fm)) {
        return OFERR_OFPBRC_EPERM;
    }
    t = &br->tables[*table_id];
    if (table_overlaps(t, fm)) {
        return OFERR_OFPFMFC_OVERLAP;
    }
    if (!(fm->flags & OFPFF_HIDDEN) && classifier_n_rules(t->cls) >= t->max_flows && !replaces_rule(t, fm)) {
        return OFERR_OFPFMFC_TABLE_FULL;
    }
    return OFERR_OK;
}

/* The addresses of a connection are of the family that the match says the packet is of. */
static bool
ct_tuple_fits(const struct match *m)
{
    bool v4 = m->mask.ct_nw_src || m->mask.ct_nw_dst;
    bool v6 = !IN6_IS_ADDR_UNSPECIFIED(&m->mask.ct_ipv6_src) || !IN6_IS_ADDR_UNSPECIFIED(&m->mask.ct_ipv6_dst);

    return (!v4 || m->key.eth_type == htons(WIRE_ETH_IPV4)) && (!v6 || m->key.eth_type == htons(WIRE_ETH_IPV6));
}

enum of_error
table_check_actions(const struct flow_mod *fm, uint8_t table_id)
{
    const struct ofact_limits limits = {.max_ports = OFP10_PORT_MAX, .table_id = table_id, .n_tables = N_TABLES, .strict = fm->strict};

    if (!ct_tuple_fits(&fm->match)) {
        return OFERR_OFPBAC_MATCH_INCONSISTENT;
    }
    return fm->command < OFPFC_DELETE ? ofact_check(fm->actions.data, fm->actions.len, &fm->match, &limits) : OFERR_OK;
}

static void
catch_up(void *cls)
{
    classifier_catch_up(cls);
}

/* Adds a rule; one of the same match and priority is replaced, and its counters go on unless they are to be reset. */
static enum of_error
apply_add(struct bridge *br, struct flow_mod *fm, int32_t priority, const struct table_origin *origin)
{
    uint8_t table_id;
    enum of_error error = check_add(br, fm, &table_id);
    struct rule_change change = {.event = OFCONN_FLOW_ADDED, .keeps_counts = !(fm->flags & OFPFF_RESET_COUNTS)};
    struct cls_rule *replaced;

    if (!error) {
        error = table_check_actions(fm, table_id);
    }
    if (error) {
        return error;
    }
    change.is = rule_create(br, fm, table_id);
    change.is->cr.priority = priority;
    replaced = classifier_insert(br->tables[table_id].cls, &change.is->cr, version_of(origin));
    if (classifier_is_behind(br->tables[table_id].cls)) {
        loop_spare(br->ofproto->loop, catch_up, br->tables[table_id].cls);
    }
    change.was = replaced ? rule_of(replaced) : NULL;
    change_made(br, &change, origin);
    return OFERR_OK;
}

/* In place, but in a transaction: there the rule must stay as it is for readers of earlier versions. */
static void
rule_modify(struct bridge *br, struct rule *r, const struct flow_mod *fm, const struct table_origin *origin)
{
    struct rule_change change = {.event = OFCONN_FLOW_MODIFIED, .was = r, .keeps_counts = !(fm->flags & OFPFF_RESET_COUNTS)};

    if (!origin->transaction) {
        learn_groups_rule_left(br, r);
        rule_set(br, r, fm);
        learn_groups_rule_came(br, r);
        ofconns_flow_event(br->conns, OFCONN_FLOW_MODIFIED, r, 0, origin);
        return;
    }
    change.is = rule_copy(br, r);
    rule_set(br, change.is, fm);
    if (classifier_insert(br->tables[r->table_id].cls, &change.is->cr, version_of(origin)) != &r->cr) {
        abort(); /* It was found there just now. */
    }
    change_made(br, &change, origin);
}

/* Changes the actions of the rules concerned. None: adds one, where the version's rules say so (the decoder left new_cookie set then). */
static enum of_error
apply_modify(struct bridge *br, struct flow_mod *fm, bool strict, const struct table_origin *origin)
{
    struct rule_set set;
    enum of_error error = OFERR_OK;

    if (looks_at_internals(fm)) {
        return OFERR_OFPBRC_EPERM;
    }
    error = table_check_actions(fm, fm->table_id);
    if (error) {
        return error;
    }
    rules_of_flow_mod(br, fm, strict, &set);
    if (!set.n) {
        bool add = fm->cookie_mask == 0 && fm->new_cookie != UINT64_MAX;

        free(set.rules);
        return add ? apply_add(br, fm, fm->priority, origin) : OFERR_OK;
    }
    /* A goto_table that is right in one table may be wrong in another. */
    for (size_t i = 0; fm->table_id == OFPTT_ALL && i < set.n && !error; i++) {
        error = i && set.rules[i]->table_id == set.rules[i - 1]->table_id ? OFERR_OK : table_check_actions(fm, set.rules[i]->table_id);
    }
    for (size_t i = 0; i < set.n && !error; i++) {
        rule_modify(br, set.rules[i], fm, origin);
    }
    free(set.rules);
    return error;
}

static enum of_error
apply_delete(struct bridge *br, const struct flow_mod *fm, bool strict, const struct table_origin *origin)
{
    struct rule_set set;

    rules_of_flow_mod(br, fm, strict, &set);
    for (size_t i = 0; i < set.n; i++) {
        rule_remove(br, set.rules[i], OFPRR_DELETE, origin);
    }
    free(set.rules);
    return OFERR_OK;
}

void
tables_delete_orphans(struct bridge *br)
{
    struct flow_mod fm = {.cookie_mask = UINT64_MAX, .out_port = OFPP_ANY, .out_group = OFPG_ANY, .command = OFPFC_DELETE};

    match_init_any(&fm.match);
    while (learn_groups_take_orphans(br, &fm.table_id, &fm.cookie)) {
        apply_delete(br, &fm, false, &(struct table_origin){0});
        bridge_changed(br);
    }
}

enum of_error
table_apply(struct bridge *br, struct flow_mod *fm, const struct table_origin *origin)
{
    enum of_error error;

    if (fm->table_id != OFPTT_ALL && fm->table_id >= N_TABLES) {
        return OFERR_OFPBRC_BAD_TABLE_ID;
    }
    if (fm->table_id == TABLE_INTERNAL && !(fm->flags & OFPFF_HIDDEN)) {
        return OFERR_OFPBRC_EPERM;
    }
    switch (fm->command) {
    case OFPFC_ADD:
        error = apply_add(br, fm, fm->priority, origin);
        break;
    case OFPFC_MODIFY:
    case OFPFC_MODIFY_STRICT:
        error = apply_modify(br, fm, fm->command == OFPFC_MODIFY_STRICT, origin);
        break;
    case OFPFC_DELETE:
    case OFPFC_DELETE_STRICT:
        error = apply_delete(br, fm, fm->command == OFPFC_DELETE_STRICT, origin);
        break;
    default:
        error = OFERR_OFPFMFC_BAD_COMMAND;
        break;
    }
    if (error) {
        COUNTER_INC(rule_refused);
    } else {
        buf_free(&fm->actions);
        if (!origin->transaction) {
            tables_delete_orphans(br);
            bridge_changed(br);
        }
    }
    return error;
}

/* The rule is as the learn action wants it. Any thread. */
static bool
is_learned(const struct rule *r, const struct flow_mod *fm)
{
    const struct rule_actions *actions = rcu_dereference(r->actions);

    return __atomic_load_n(&r->cookie, __ATOMIC_RELAXED) == fm->new_cookie && __atomic_load_n(&r->idle_timeout, __ATOMIC_RELAXED) == fm->idle_timeout
           && __atomic_load_n(&r->hard_timeout, __ATOMIC_RELAXED) == fm->hard_timeout && r->flags == (fm->flags & RULE_FLAGS_KEPT)
           && ofact_list_equal(actions->list, actions->size, fm->actions.data, fm->actions.len);
}

/* RCU read section, any thread. The rule that the flow_mod would change, if the change changes nothing. */
static struct rule *
find_learned(const struct bridge *br, uint32_t version, const struct flow_mod *fm)
{
    struct match_sparse *match = match_pack(&fm->match);
    struct cls_rule *cr = classifier_lookup_exactly(br->tables[fm->table_id].cls, version, match, fm->priority);

    free(match);
    return cr && is_learned(rule_of(cr), fm) ? rule_of(cr) : NULL;
}

bool
table_may_learn(const struct bridge *br, uint32_t version, const struct flow_mod *fm, uint32_t limit)
{
    return !limit || learn_groups_count(br, fm->table_id, fm->new_cookie) < limit || find_learned(br, version, fm);
}

void
table_learn(struct bridge *br, const struct flow_mod *fm, uint32_t limit)
{
    uint32_t version = transaction_current_version(br);
    struct rule *r = find_learned(br, version, fm);
    struct flow_mod own = *fm;

    if (r) {
        r->modified_ms = now_ms(); /* Nothing else: megaflows that know it stay as they are. */
        return;
    }
    if (!table_may_learn(br, version, fm, limit)) {
        return;
    }
    own.actions = BUF_EMPTY;
    buf_put(&own.actions, fm->actions.data, fm->actions.len);
    table_apply(br, &own, &(struct table_origin){0});
    buf_free(&own.actions);
}

struct rule *
table_lookup(struct bridge *br, uint8_t id, uint32_t version, const struct flow_key *key, struct flow_key *wild)
{
    struct cls_rule *cr = classifier_lookup(br->tables[id].cls, version, key, wild);

    return cr ? rule_of(cr) : NULL;
}

struct collect {
    struct rule_set filter;
    void (*fn)(struct rule *, void *);
    void *arg;
};

static bool
collect_one(struct cls_rule *cr, void *collect_)
{
    struct collect *c = collect_;

    if (rule_selected(&c->filter, rule_of(cr))) {
        c->fn(rule_of(cr), c->arg);
    }
    return true;
}

void
table_collect(struct bridge *br, const struct flow_stats_request *request, void (*fn)(struct rule *, void *arg), void *arg)
{
    struct collect c = {.filter = {.cookie = request->cookie,
                                   .cookie_mask = request->cookie_mask,
                                   .out_port = request->out_port,
                                   .out_group = request->out_group},
                        .fn = fn,
                        .arg = arg};

    visit_rules(br, request->table_id, &request->match, collect_one, &c);
}

size_t
tables_n_rules(const struct bridge *br)
{
    size_t n = 0;

    for (size_t i = 0; i < N_TABLES; i++) {
        n += classifier_n_rules(br->tables[i].cls);
    }
    return n;
}

static void
tables_remove_all(struct bridge *br)
{
    struct rule_set set = {.out_port = OFPP_ANY, .out_group = OFPG_ANY};

    visit_rules(br, OFPTT_ALL, NULL, rule_set_add, &set);
    for (size_t i = 0; i < set.n; i++) {
        rule_remove(br, set.rules[i], OFPRR_DELETE, &(struct table_origin){0});
    }
    free(set.rules);
}

/* A rule of the bridge's own, of the actions in fm->actions, which it frees. */
static enum of_error
add_own(struct bridge *br, struct flow_mod *fm, int32_t priority)
{
    enum of_error error;

    fm->command = OFPFC_ADD;
    fm->out_port = OFPP_ANY;
    fm->out_group = OFPG_ANY;
    error = apply_add(br, fm, priority, &(struct table_origin){0});
    buf_free(&fm->actions);
    return error;
}

/* A rule that matches everything and does NORMAL. Only a limit of no rules at all can be in the way of one that is not hidden. */
static void
add_normal(struct bridge *br, int32_t priority, uint16_t flags)
{
    struct flow_mod fm = {.flags = flags};
    struct ofact_output *output = ofact_put(&fm.actions, OFACT_OUTPUT, sizeof *output);

    output->port = OFPP_NORMAL;
    match_init_any(&fm.match);
    if (add_own(br, &fm, priority)) {
        log_warn(LOG_ofproto, "%s: table 0 has no room for the rule that makes the bridge a plain switch", br->name);
    }
}

static bool
note_internal(struct cls_rule *cr, void *br)
{
    struct rule *r = rule_of(cr);
    struct match m;

    match_unpack(cr->match, &m);
    ((struct bridge *) br)->internal_rules[m.key.regs[0]] = r;
    return true;
}

/* What people find in the internal table. Packets that a controller sends there are dropped, unless they have been recirculated. */
static void
add_internal(struct bridge *br)
{
    struct flow_mod drop = {.table_id = TABLE_INTERNAL};

    for (uint32_t reg0 = INTERNAL_MISS; reg0 < N_INTERNAL_RULES; reg0++) {
        struct flow_mod fm = {.table_id = TABLE_INTERNAL};

        match_init_any(&fm.match);
        fm.match.key.regs[0] = reg0;
        fm.match.mask.regs[0] = UINT32_MAX;
        if (reg0 == INTERNAL_MISS) {
            struct ofact_controller *c = ofact_put(&fm.actions, OFACT_CONTROLLER, sizeof *c);

            c->max_len = UINT16_MAX;
            c->reason = OFPR_IMPLICIT_MISS;
        }
        add_own(br, &fm, 0);
    }
    classifier_for_each(br->tables[TABLE_INTERNAL].cls, NULL, note_internal, br);
    match_init_any(&drop.match);
    drop.match.mask.recirc_id = UINT32_MAX;
    add_own(br, &drop, 2);
}

void
tables_init(struct bridge *br)
{
    htable_init(&br->rule_intern);
    br->learn_groups = learn_groups_create();
    CDS_INIT_LIST_HEAD(&br->expirable);
    for (size_t i = 0; i < N_TABLES; i++) {
        br->tables[i] = (struct table){.cls = classifier_create(), .max_flows = UINT32_MAX};
    }
    add_internal(br);
}

void
tables_flush(struct bridge *br, bool normal)
{
    tables_remove_all(br);
    tables_delete_orphans(br);
    if (normal) {
        add_normal(br, 0, 0);
    }
    bridge_changed(br);
}

void
tables_set_standalone(struct bridge *br, bool normal)
{
    struct match any;
    struct match_sparse *sparse;
    struct cls_rule *cr;

    if (br->standalone_normal == normal) {
        return;
    }
    br->standalone_normal = normal;
    if (normal) {
        add_normal(br, FAIL_OPEN_PRIORITY, OFPFF_HIDDEN);
    } else {
        match_init_any(&any);
        sparse = match_pack(&any);
        cr = classifier_find_exactly(br->tables[0].cls, sparse, FAIL_OPEN_PRIORITY);
        free(sparse);
        if (cr) {
            rule_remove(br, rule_of(cr), OFPRR_DELETE, &(struct table_origin){0});
        }
    }
    bridge_changed(br);
}

void
tables_expire(struct bridge *br)
{
    int64_t now = now_ms();
    struct rule *r, *next;
    bool any = false;

    cds_list_for_each_entry_safe (r, next, &br->expirable, expirable) {
        int64_t idle = now - __atomic_load_n(&r->used_ms, __ATOMIC_RELAXED);

        if (r->hard_timeout && now - r->modified_ms >= (int64_t) r->hard_timeout * 1000) {
            rule_remove(br, r, OFPRR_HARD_TIMEOUT, &(struct table_origin){0});
            any = true;
        } else if (r->idle_timeout && idle >= (int64_t) r->idle_timeout * 1000) {
            rule_remove(br, r, OFPRR_IDLE_TIMEOUT, &(struct table_origin){0});
            any = true;
        }
    }
    if (any) {
        tables_delete_orphans(br);
        bridge_changed(br);
    }
}

/* The rule stays in its classifier, which goes as a whole. */
static bool
release_with_table(struct cls_rule *cr, void *br)
{
    rule_release_unread(br, rule_of(cr));
    return true;
}

/* Taking a million rules out one by one takes seconds, which a stop of the daemon does not have. So readers go first; then nobody minds that the classifiers
 * name rules that are gone. */
void
tables_destroy(struct bridge *br)
{
    rcu_drain();
    transactions_settle(br->ofproto);
    for (size_t i = 0; i < N_TABLES; i++) {
        classifier_for_each(br->tables[i].cls, NULL, release_with_table, br);
        loop_spare_forget(br->ofproto->loop, catch_up, br->tables[i].cls);
        classifier_destroy(br->tables[i].cls);
        free(br->tables[i].name);
    }
    htable_destroy(&br->rule_intern);
    learn_groups_destroy(br->learn_groups);
}
