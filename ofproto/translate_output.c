// SPDX-License-Identifier: Apache-2.0
// Actions that send the packet: to ports, through patches into the next bridge, to controllers.
#include <config.h>
#include "ofproto/translate_ctx.h"

/* Ports whose configuration says protected do not talk to each other. */
static bool
between_protected(const struct xl *xl, const struct port *out)
{
    const struct port *in = bridge_port(xl->bridge, xl->key.in_port);

    return in && port_settings(in)->protected_port && port_settings(out)->protected_port;
}

static bool
may_send(struct xl *xl, const struct port *port)
{
    if (!port) {
        trace_add(xl->in->trace, TRACE_WARN, "Nonexistent output port");
        return false;
    }
    if (port_settings(port)->of_config & OFPPC_NO_FWD) {
        trace_add(xl->in->trace, TRACE_DETAIL, "OFPPC_NO_FWD set, skipping output");
        return false;
    }
    if (between_protected(xl, port)) {
        trace_add(xl->in->trace, TRACE_WARN, "Flow is between protected ports, skipping output.");
        return false;
    }
    return true;
}

/* What OpenFlow knows of a packet ends at the bridge. */
static void
forget_metadata(struct xl *xl)
{
    xl->key.metadata = 0;
    memset(xl->key.regs, 0, sizeof xl->key.regs);
    xl->key.tun_id = 0;
    xl->key.tun_src = xl->key.tun_dst = 0;
    memset(&xl->key.tun_src6, 0, sizeof xl->key.tun_src6);
    memset(&xl->key.tun_dst6, 0, sizeof xl->key.tun_dst6);
    xl->key.tun_flags = 0;
    xl->key.tun_tos = xl->key.tun_ttl = 0;
    xl->key.tun_gbp_id = 0;
    xl->key.tun_gbp_flags = 0;
    xl->key.actset_output = OFPP_UNSET;
    xl_ct_forget(xl);
}

/* The other end of a patch receives the packet within the same translation. Nothing that its bridge does to the packet comes back. */
static void
cross_patch(struct xl *xl, struct port *from, struct port *to, bool last)
{
    struct xl saved = *xl;
    void *was;

    xl_effect(xl, EFFECT_PORT_TX)->port = from;
    xl_effect(xl, EFFECT_PORT_RX)->port = to;
    was = trace_enter(xl->in->trace, TRACE_BRIDGE, "bridge(\"%s\")", to->bridge->name);
    xl->bridge = to->bridge;
    xl->key.in_port = to->ofp;
    forget_metadata(xl);
    xl->action_set = xl->stack = BUF_EMPTY;
    xl_depend(xl, DEP_BRIDGE, 0);
    xl_depend(xl, DEP_PORT, to->ofp);
    if (xl_may_receive(xl, to)) {
        xl_table(xl, xl->key.in_port, 0, true, last, xl_run_clone);
        xl_end_pipeline(xl);
    }
    buf_free(&xl->action_set);
    buf_free(&xl->stack);
    xl->action_set = saved.action_set;
    xl->stack = saved.stack;
    xl->bridge = saved.bridge;
    xl->key = saved.key;
    xl->was_mpls = saved.was_mpls;
    xl->conntracked = saved.conntracked;
    xl->table_id = saved.table_id;
    xl->exit = false;
    trace_leave(xl->in->trace, was);
    xl->out->error = TRANSLATE_OK; /* That the other bridge fails does not undo what this one does. */
}

static void
output_to(struct xl *xl, struct port *port, bool last)
{
    struct port *peer;

    if (!may_send(xl, port)) {
        return;
    }
    if (port->peer_name) {
        peer = rcu_dereference(port->peer);
        if (peer) {
            cross_patch(xl, port, peer, last);
        }
    } else if (port->dp_port != DP_PORT_NONE) {
        xl_commit(xl);
        action_put_output(&xl->out->actions, port->dp_port);
    }
}

void
xl_output_to_port(struct xl *xl, uint32_t port, bool last)
{
    xl_depend(xl, DEP_PORT, port);
    output_to(xl, bridge_port(xl->bridge, port), last);
}

/* FLOOD leaves out ports that say so, ALL does not; none goes back where the packet came from. */
static void
flood(struct xl *xl, bool all, bool last)
{
    const struct bridge_ports *ports = rcu_dereference(xl->bridge->ports);

    xl_depend(xl, DEP_BRIDGE, 0);
    for (size_t i = 0; i < ports->n; i++) {
        struct port *port = ports->ports[i];

        if (port->ofp != xl->key.in_port && (all || !(port_settings(port)->of_config & OFPPC_NO_FLOOD))) {
            output_to(xl, port, last && i + 1 == ports->n);
        }
    }
}

/* Output to the controller with OpenFlow's output action; the reason says from where. */
static void
output_to_controller(struct xl *xl, uint16_t max_len)
{
    struct xl_packet_in in = {.max_len = max_len, .reason = OFPR_ACTION};

    if (xl->in->ofacts) {
        in.reason = OFPR_PACKET_OUT;
    } else if (xl->in_action_set) {
        in.reason = OFPR_ACTION_SET;
    }
    xl_packet_in(xl, &in);
}

void
xl_output(struct xl *xl, uint32_t port, uint16_t max_len, bool last)
{
    switch (port) {
    case OFPP_IN_PORT:
        xl_output_to_port(xl, xl->key.in_port, last);
        break;
    case OFPP_TABLE:
        xl_table(xl, xl->key.in_port, 0, true, last, xl_run);
        break;
    case OFPP_NORMAL:
        xl_normal(xl);
        break;
    case OFPP_FLOOD:
        flood(xl, false, last);
        break;
    case OFPP_ALL:
        flood(xl, true, last);
        break;
    case OFPP_CONTROLLER:
        output_to_controller(xl, max_len);
        break;
    case OFPP_NONE:
        break;
    default:
        if (port == xl->key.in_port) {
            trace_add(xl->in->trace, TRACE_WARN, "skipping output to input port");
        } else {
            xl_output_to_port(xl, port, last);
        }
        break;
    }
}

void
xl_output_trunc(struct xl *xl, uint32_t number, uint32_t max_len, bool last)
{
    const struct port *port = bridge_port(xl->bridge, number);

    if (number == xl->key.in_port) {
        trace_add(xl->in->trace, TRACE_WARN, "skipping output to input port");
    } else if (number >= OFPP_MAX && number != OFPP_LOCAL && number != OFPP_IN_PORT) {
        struct buf name = BUF_EMPTY;

        of_port_format(number, NULL, &name);
        trace_add(xl->in->trace, TRACE_WARN, "output_trunc does not support port: %s", buf_text(&name));
        buf_free(&name);
    } else if (!port || port->dp_port == DP_PORT_NONE) {
        trace_add(xl->in->trace, TRACE_ERROR, "output_trunc does not support patch port %" PRIu32, number);
    } else {
        size_t at = xl->out->actions.len, after;
        struct action_trunc *trunc = action_put(&xl->out->actions, ACTION_TRUNC, sizeof *trunc);

        trunc->max_len = max_len;
        after = xl->out->actions.len;
        xl_output(xl, number, 0, last);
        if (xl->out->actions.len == after) {
            xl->out->actions.len = at; /* Nothing was sent: the next output is not to be cut short for it. */
        }
    }
}

void
xl_enqueue(struct xl *xl, uint32_t port, uint32_t queue, bool last)
{
    uint32_t was = xl->key.skb_priority;

    xl->mask->skb_priority = UINT32_MAX;
    if (!xl_queue_to_priority(xl, queue, &xl->key.skb_priority)) {
        xl_output(xl, port, 0, last);
        return;
    }
    if (port == OFPP_IN_PORT) {
        xl_output_to_port(xl, xl->key.in_port, last);
    } else if (port != xl->key.in_port) {
        xl_output_to_port(xl, port, last);
    }
    xl->key.skb_priority = was;
}

/* A rule that matches everything at the lowest priority is a table's entry for misses: OpenFlow Switch Specification 1.3, section 5.4. */
static bool
is_table_miss(const struct rule *rule)
{
    return rule && !rule->cr.priority && !match_sparse_n(rule->cr.match);
}

void
xl_packet_in(struct xl *xl, const struct xl_packet_in *in)
{
    struct upcall_cookie cookie = {
        .reason = UPCALL_CONTROLLER,
        .of_reason = in->reason,
        .table_id = xl->table_id,
        .bridge_id = xl->bridge->id,
        .rule_cookie = xl->cookie,
        .controller_id = in->controller_id,
        .max_len = in->max_len,
    };

    xl_commit(xl);
    if (in->reason == OFPR_ACTION && is_table_miss(xl->rule)) {
        cookie.of_reason = OFPR_EXPLICIT_MISS;
    }
    if (xl->in->trace && !xl_side_effects(xl)) {
        cookie.flags |= UPCALL_F_DONT_SEND;
    }
    cookie.recirc_id = xl_freeze_for_controller(xl, in);
    if (cookie.recirc_id) {
        action_put_userspace(&xl->out->actions, UPCALL_PID_AUTO, &cookie);
    }
}

void
xl_controller(struct xl *xl, const struct ofact_controller *c)
{
    struct xl_packet_in in = {
        .max_len = c->max_len,
        .controller_id = c->controller_id,
        .reason = c->reason,
        .userdata = c->userdata,
        .userdata_len = c->userdata_len,
    };

    xl_packet_in(xl, &in);
}
