// SPDX-License-Identifier: Apache-2.0
// What each OpenFlow action does to a translation.
#include <config.h>
#include <stdlib.h>
#include "lib/of/body.h"
#include "ofproto/learned.h"
#include "ofproto/translate_ctx.h"

void
xl_report_action(struct xl *xl, const struct ofact *a)
{
    struct buf text = BUF_EMPTY;

    if (!xl->in->trace) {
        return;
    }
    ofact_format(a, a->size, NULL, &text);
    trace_add(xl->in->trace, TRACE_ACTION, "%s", buf_text(&text));
    buf_free(&text);
}

static void
do_resubmit(struct xl *xl, const struct ofact_resubmit *r, bool last)
{
    uint32_t in_port = r->in_port == OFPP_IN_PORT ? xl->key.in_port : r->in_port;
    uint8_t table = r->table_id == OFPTT_ALL ? xl->table_id : r->table_id;

    /* The internal table is the bridge's own: what it misses is a miss. */
    xl_table(xl, in_port, table, false, last, xl_run);
}

static void
do_metadata(struct xl *xl, const struct ofact_metadata *m)
{
    xl->mask->metadata |= m->mask;
    xl->key.metadata = (xl->key.metadata & ~m->mask) | (m->metadata & m->mask);
}

static void
do_pop_queue(struct xl *xl)
{
    xl->mask->skb_priority = UINT32_MAX;
    if (xl->key.skb_priority != xl->packet_priority) {
        xl->key.skb_priority = xl->packet_priority;
        trace_add(xl->in->trace, TRACE_DETAIL, "queue = %#" PRIx32, xl->key.skb_priority);
    }
}

static void
do_output_reg(struct xl *xl, const struct ofact_output_reg *o, bool last)
{
    uint64_t port = subfield_get(&o->src, &xl->key);

    trace_add(xl->in->trace, TRACE_DETAIL, "output port is %" PRIu64, port);
    /* However wide the field: its numbers are OpenFlow 1.0's, of 16 bits. */
    if (port <= UINT16_MAX) {
        port |= port >= OFP10_PORT_MAX ? 0xffff0000u : 0;
        subfield_unwildcard(&o->src, xl->mask);
        xl_output(xl, (uint32_t) port, o->max_len, last);
    }
}

static void
do_controller(struct xl *xl, const struct ofact_controller *c)
{
    if (c->pause) {
        xl->pause = c;
        xl_freeze_begin(xl);
    } else {
        xl_controller(xl, c);
    }
}

static void
do_check_len(struct xl *xl, const struct ofact_check_pkt_larger *c)
{
    subfield_unwildcard(&c->dst, xl->mask);
    xl->out->slow |= SLOW_ACTION;
    if (xl->in->packet) {
        subfield_set(&c->dst, xl->in->packet->len > c->len, &xl->key);
    }
}

/* A FIN or RST shortens what is left of the rule's life. Whether this packet has one must be seen for every packet. */
static void
do_fin_timeout(struct xl *xl, const struct ofact_fin_timeout *f)
{
    struct effect *e;

    xl->mask->tcp_flags |= htons(0x005);
    if (xl->rule && xl->in->packet && xl->key.tcp_flags & htons(0x005)) {
        e = xl_effect(xl, EFFECT_FIN_TIMEOUT);
        e->fin.bridge = xl->bridge;
        e->fin.rule = (struct rule *) (uintptr_t) xl->rule;
        e->fin.idle = f->idle;
        e->fin.hard = f->hard;
        xl->out->slow |= SLOW_ACTION;
    }
}

/* The learned rule's match and actions, from the packet as it is now. */
static void
learn_spec(struct xl *xl, const struct ofact_learn_spec *s, struct flow_mod *fm)
{
    union field_value value = s->imm;

    if (s->src_is_field) {
        subfield_get_wide(&s->src_sub, &xl->key, &value);
        subfield_unwildcard(&s->src_sub, xl->mask);
    }
    if (s->dst == 0) {
        subfield_set_wide(&s->dst_sub, &value, &fm->match.key);
        subfield_unwildcard(&s->dst_sub, &fm->match.mask);
    } else if (s->dst == 1) {
        struct ofact_set_field *set = ofact_put(&fm->actions, OFACT_SET_FIELD, sizeof *set);
        struct match m;

        match_init_any(&m);
        subfield_set_wide(&s->dst_sub, &value, &m.key);
        subfield_unwildcard(&s->dst_sub, &m.mask);
        set->field = s->dst_sub.field;
        set->a.raw = WIRE_REG_LOAD;
        field_get(set->field, &m.key, &set->value);
        field_get_mask(set->field, &m.mask, &set->mask);
    } else {
        struct ofact_output *o = ofact_put(&fm->actions, OFACT_OUTPUT, sizeof *o);

        o->port = (uint32_t) be64toh(*(const be64 *) (const void *) &value.b[8]);
    }
}

static void
report_learned(struct xl *xl, const struct flow_mod *fm)
{
    struct buf text = BUF_EMPTY;

    if (!xl->in->trace) {
        return;
    }
    buf_putf(&text, "table=%u ", fm->table_id);
    match_format(&fm->match, -1, NULL, &text);
    buf_putf(&text, " priority=%u", fm->priority);
    if (fm->new_cookie) {
        buf_putf(&text, " cookie=%#" PRIx64, fm->new_cookie);
    }
    if (fm->idle_timeout) {
        buf_putf(&text, " idle=%u", fm->idle_timeout);
    }
    if (fm->hard_timeout) {
        buf_putf(&text, " hard=%u", fm->hard_timeout);
    }
    buf_puts(&text, fm->flags & OFPFF_SEND_FLOW_REM ? " send_flow_rem" : "");
    buf_puts(&text, " actions=");
    ofact_format(fm->actions.data, fm->actions.len, NULL, &text);
    trace_add(xl->in->trace, TRACE_DETAIL, "%s", buf_text(&text));
    buf_free(&text);
}

/* The limit counts rules that are there: of packets that come before the first of theirs is, several may be told that their rules are learned. */
static void
do_learn(struct xl *xl, const struct ofact_learn *l)
{
    struct learned *learned = learned_create(xl->bridge);
    struct flow_mod *fm = &learned->fm;
    bool fits;

    fm->priority = l->priority;
    fm->new_cookie = l->cookie;
    fm->table_id = l->table_id;
    fm->idle_timeout = l->idle;
    fm->hard_timeout = l->hard;
    fm->flags = l->flags & LEARN_SEND_FLOW_REM ? OFPFF_SEND_FLOW_REM : 0;
    if (l->fin_idle || l->fin_hard) {
        struct ofact_fin_timeout *fin = ofact_put(&fm->actions, OFACT_FIN_TIMEOUT, sizeof *fin);

        fin->idle = l->fin_idle;
        fin->hard = l->fin_hard;
    }
    for (uint32_t i = 0; i < l->n_specs; i++) {
        learn_spec(xl, &l->specs[i], fm);
    }
    if (xl->in->trace && !xl_side_effects(xl)) {
        trace_add(xl->in->trace, TRACE_WARN, "suppressing side effects, so learn action ignored");
        learned_unref(learned);
        return;
    }
    report_learned(xl, fm);
    learned->limit = l->limit;
    fits = table_may_learn(xl->bridge, xl->version, fm, l->limit);
    if (l->has_result && field_prereqs_ok(l->result.field, &xl->key, xl->mask)) {
        subfield_unwildcard(&l->result, xl->mask);
        subfield_set(&l->result, fits, &xl->key);
        xl_report_subfield(xl, &l->result);
    }
    if (fits) {
        xl_effect(xl, EFFECT_FLOW_MOD)->learned = learned;
    } else {
        trace_add(xl->in->trace, TRACE_DETAIL, "Limit exceeded, learn failed");
        learned_unref(learned);
    }
}

/* Actions that are not done here are refused by ofact_check() when the rule comes; groups and meters have no rooms yet, so that a rule cannot name one. */
static void
run_other(struct xl *xl, const struct ofact *a, bool last)
{
    const void *p = a;

    switch ((enum ofact_kind) a->kind) {
    case OFACT_MULTIPATH:
        xl_multipath(xl, p);
        break;
    case OFACT_BUNDLE:
        xl_bundle(xl, p, last);
        break;
    case OFACT_CHECK_PKT_LARGER:
        do_check_len(xl, p);
        break;
    case OFACT_LEARN:
        do_learn(xl, p);
        break;
    case OFACT_FIN_TIMEOUT:
        do_fin_timeout(xl, p);
        break;
    case OFACT_CT:
        xl_ct(xl, p);
        break;
    case OFACT_CT_CLEAR:
        xl_ct_clear(xl);
        break;
    case OFACT_WRITE_ACTIONS: {
        size_t size;
        const struct ofact *nested = ofact_nested(a, &size);

        xl_set_write(xl, nested, size);
        break;
    }
    case OFACT_CLEAR_ACTIONS:
        xl_set_clear(xl);
        break;
    case OFACT_CLONE: {
        size_t size;
        const struct ofact *nested = ofact_nested(a, &size);

        xl_run_clone(xl, nested, size, last);
        break;
    }
    default: /* Notes and conjunctions do nothing to a packet. */
        break;
    }
}

/* Actions that send the packet somewhere, another table included. false: it is none of those. */
static bool
run_sending(struct xl *xl, const struct ofact *a, bool last)
{
    const void *p = a;

    switch ((enum ofact_kind) a->kind) {
    case OFACT_OUTPUT:
        xl_output(xl, ((const struct ofact_output *) p)->port, ((const struct ofact_output *) p)->max_len, last);
        return true;
    case OFACT_CONTROLLER:
        do_controller(xl, p);
        return true;
    case OFACT_OUTPUT_REG:
        do_output_reg(xl, p, last);
        return true;
    case OFACT_OUTPUT_TRUNC:
        xl_output_trunc(xl, ((const struct ofact_output_trunc *) p)->port, ((const struct ofact_output_trunc *) p)->max_len, last);
        return true;
    case OFACT_ENQUEUE:
        xl_enqueue(xl, ((const struct ofact_enqueue *) p)->port, ((const struct ofact_enqueue *) p)->queue, last);
        return true;
    case OFACT_RESUBMIT:
        do_resubmit(xl, p, last);
        return true;
    case OFACT_GOTO_TABLE:
        xl_table(xl, xl->key.in_port, ((const struct ofact_goto *) p)->table_id, true, last, xl_run);
        return true;
    default:
        return false;
    }
}

/* Actions that change the packet or what is known of it. '*stop': no further action of this list. false: it is none of those. */
static bool
run_changing(struct xl *xl, const struct ofact *a, bool *stop)
{
    const void *p = a;

    switch ((enum ofact_kind) a->kind) {
    case OFACT_SET_FIELD:
        xl_set_field(xl, p);
        return true;
    case OFACT_REG_MOVE:
        xl_move(xl, p);
        return true;
    case OFACT_STACK_PUSH:
        xl_stack_push(xl, &((const struct ofact_stack *) p)->sub);
        return true;
    case OFACT_STACK_POP:
        xl_stack_pop(xl, &((const struct ofact_stack *) p)->sub);
        return true;
    case OFACT_PUSH_VLAN:
        xl_push_vlan(xl, ((const struct ofact_push_vlan *) p)->ethertype);
        return true;
    case OFACT_STRIP_VLAN:
        xl_pop_vlan(xl);
        return true;
    case OFACT_PUSH_MPLS:
        xl_push_mpls(xl, ((const struct ofact_push_mpls *) p)->ethertype);
        return true;
    case OFACT_POP_MPLS:
        xl_pop_mpls(xl, ((const struct ofact_pop_mpls *) p)->ethertype);
        return true;
    case OFACT_DEC_MPLS_TTL:
        *stop = xl_dec_mpls_ttl(xl);
        return true;
    case OFACT_DEC_TTL:
        *stop = xl_dec_ttl(xl, p);
        return true;
    case OFACT_SET_QUEUE:
        xl_set_queue(xl, ((const struct ofact_queue *) p)->queue_id);
        return true;
    case OFACT_POP_QUEUE:
        do_pop_queue(xl);
        return true;
    case OFACT_METADATA:
        do_metadata(xl, p);
        return true;
    default:
        return false;
    }
}

void
xl_run(struct xl *xl, const void *list, size_t size, bool last)
{
    const uint8_t *end = (const uint8_t *) list + size;
    const struct ofact *a;

    if (!size) {
        trace_add(xl->in->trace, TRACE_ACTION, "drop");
        return;
    }
    OFACT_FOR_EACH (a, list, size) {
        bool is_last = last && (const uint8_t *) ofact_next(a) >= end && !xl->action_set.len;
        bool stop = false;

        if (xl->out->error) {
            return;
        }
        if (!xl->exit && xl_needs_recirculation(xl, a)) {
            xl_freeze_begin(xl);
        }
        if (xl->exit) {
            if (xl->freezing) {
                xl_freeze_rest(xl, a, (size_t) (end - (const uint8_t *) a));
            }
            return;
        }
        xl_report_action(xl, a);
        if (a->kind == OFACT_EXIT) {
            xl->exit = true;
        } else if (!run_sending(xl, a, is_last) && !run_changing(xl, a, &stop)) {
            run_other(xl, a, is_last);
        }
        if (stop) {
            return;
        }
    }
}

/* Is what these actions emit undone by further set actions? Else they need a clone action of the datapath's. */
static bool
is_reversible(const void *list, size_t size)
{
    const struct ofact *a;

    OFACT_FOR_EACH (a, list, size) {
        if (a->kind == OFACT_CT || a->kind == OFACT_NAT || a->kind == OFACT_METER || a->kind == OFACT_OUTPUT_TRUNC) {
            return false;
        }
    }
    return true;
}

/* Runs the actions with a datapath clone around what they emit, so that the packet after it is what it was before. */
static void
run_in_datapath_clone(struct xl *xl, const void *list, size_t size)
{
    bool was_mpls = xl->was_mpls;
    struct flow_key base;
    size_t at;

    xl_commit(xl);
    base = xl->base;
    at = action_nest_begin(&xl->out->actions, ACTION_CLONE, sizeof(struct action_clone));
    xl_run(xl, list, size, true);
    xl_end_pipeline(xl);
    if (xl->out->actions.len == at + sizeof(struct action_clone)) {
        xl->out->actions.len = at;
    } else {
        action_nest_end(&xl->out->actions, at);
    }
    xl->was_mpls = was_mpls;
    xl->base = base;
}

void
xl_run_clone(struct xl *xl, const void *list, size_t size, bool last)
{
    struct flow_key key = xl->key;
    struct buf action_set = xl->action_set, stack = BUF_EMPTY;

    buf_put(&stack, xl->stack.data, xl->stack.len);
    xl->action_set = BUF_EMPTY;
    buf_put(&xl->action_set, action_set.data, action_set.len);
    if (last || is_reversible(list, size)) {
        xl_run(xl, list, size, last);
        xl_end_pipeline(xl);
    } else {
        run_in_datapath_clone(xl, list, size);
    }
    buf_free(&xl->action_set);
    buf_free(&xl->stack);
    xl->action_set = action_set;
    xl->stack = stack;
    xl->key = key;
}
