// SPDX-License-Identifier: GPL-2.0
/*
 * The actions of a filter: checked against the profile one by one, then as a
 * whole, and turned into what exec.c runs. One handler an action.
 */
#include <net/psample.h>
#include <linux/tc_act/tc_csum.h>

#include "eswemu.h"

struct esw_parse {
	struct esw_pf *pf;
	struct esw_port *port;
	struct netlink_ext_ack *extack;
	const struct flow_action *action;
	unsigned int at;		/* index of the entry being parsed */
	const struct esw_key *key, *mask;
	struct esw_rule *rule;
	struct esw_pedit_seen pedit;
	unsigned int outputs, pushes, pops;
	bool drop, host, trap, jump, ptype_host;
};

typedef int esw_handler(struct esw_parse *p,
			const struct flow_action_entry *act);

static int esw_no(struct esw_parse *p, enum esw_reason reason)
{
	return esw_refuse(p->pf, p->extack, reason);
}

static struct esw_act *esw_act_add(struct esw_parse *p, enum esw_act_kind kind)
{
	struct esw_act *act = &p->rule->acts[p->rule->n_acts++];

	act->kind = kind;
	return act;
}

static int esw_do_accept(struct esw_parse *p,
			 const struct flow_action_entry *act)
{
	p->host = true;
	esw_act_add(p, ESW_ACT_HOST);
	return 0;
}

static int esw_do_drop(struct esw_parse *p, const struct flow_action_entry *act)
{
	p->drop = true;
	return 0;
}

static int esw_do_trap(struct esw_parse *p, const struct flow_action_entry *act)
{
	if (!flow_offload_has_one_action(p->action))
		return esw_no(p, ESW_TRAP_ALONE);
	return esw_do_accept(p, act);
}

/* Out of a bond of the card's uplinks. */
static int esw_do_lag(struct esw_parse *p, struct net_device *bond)
{
	struct esw_port *ports[ESW_MAX_PFS];
	struct esw_act *to;
	unsigned int i, n;

	n = esw_lag_ports(p->pf->card, bond, ports);
	if (!n)
		return esw_no(p, ESW_OTHER_SWITCH);
	if (esw_port_is_uplink(p->port) && !READ_ONCE(p->pf->caps.hairpin))
		return esw_no(p, ESW_HAIRPIN);
	p->outputs++;
	to = esw_act_add(p, ESW_ACT_LAG);
	to->lag.n = n;
	for (i = 0; i < n; i++)
		to->lag.ports[i] = ports[i];
	return 0;
}

static int esw_do_output(struct esw_parse *p,
			 const struct flow_action_entry *act)
{
	struct esw_port *out = act->dev ? esw_port_by_netdev(act->dev) : NULL;
	struct esw_act *to;
	unsigned int i;

	if (!out && act->dev)
		return esw_do_lag(p, act->dev);
	if (!out || out->pf->card != p->pf->card || !esw_switchdev(out->pf))
		return esw_no(p, ESW_OTHER_SWITCH);
	if (p->outputs == ESW_MAX_OUTPUTS)
		return esw_no(p, ESW_MANY_OUTPUTS);
	for (i = 0; i < p->rule->n_acts; i++)
		if (p->rule->acts[i].kind == ESW_ACT_OUTPUT &&
		    p->rule->acts[i].out.port == out)
			return esw_no(p, ESW_TWICE);
	if (esw_port_is_uplink(p->port) && esw_port_is_uplink(out)) {
		if (!READ_ONCE(p->pf->caps.hairpin))
			return esw_no(p, ESW_HAIRPIN);
	} else if (out == p->port) {
		return esw_no(p, ESW_TO_ITSELF);
	}
	p->outputs++;
	to = esw_act_add(p, ESW_ACT_OUTPUT);
	to->out.port = out;
	to->out.gen = out->gen;
	return 0;
}

static int esw_do_ingress(struct esw_parse *p,
			  const struct flow_action_entry *act)
{
	return esw_no(p, ESW_INGRESS_DEV);
}

static int esw_do_vlan_set(struct esw_parse *p,
			   const struct flow_action_entry *act)
{
	struct esw_act *set;
	u8 prio = p->key->vlan.vlan_priority & p->mask->vlan.vlan_priority;

	if (!p->mask->vlan.vlan_tpid)
		return esw_no(p, ESW_VLAN_NO_KEY);
	if (act->vlan.prio != prio)
		return esw_no(p, ESW_VLAN_PRIO);
	set = esw_act_add(p, ESW_ACT_VLAN_SET);
	set->vlan.tci = act->vlan.vid;
	return 0;
}

static bool esw_next_is_push(const struct esw_parse *p)
{
	return p->at + 1 < p->action->num_entries &&
	       p->action->entries[p->at + 1].id == FLOW_ACTION_VLAN_PUSH;
}

static int esw_do_vlan_pop(struct esw_parse *p,
			   const struct flow_action_entry *act)
{
	/* A tag for a tag is a rewrite of its VID. */
	if (esw_next_is_push(p)) {
		p->at++;
		return esw_do_vlan_set(p, &p->action->entries[p->at]);
	}
	if (++p->pops > 2)
		return esw_no(p, ESW_VLAN_DEPTH);
	esw_act_add(p, ESW_ACT_VLAN_POP);
	return 0;
}

static int esw_do_vlan_push(struct esw_parse *p,
			    const struct flow_action_entry *act)
{
	struct esw_act *push;

	if (++p->pushes > 2)
		return esw_no(p, ESW_VLAN_DEPTH);
	push = esw_act_add(p, ESW_ACT_VLAN_PUSH);
	push->vlan.tci = act->vlan.vid | act->vlan.prio << VLAN_PRIO_SHIFT;
	push->vlan.proto = act->vlan.proto;
	return 0;
}

static int esw_do_pedit(struct esw_parse *p,
			const struct flow_action_entry *act)
{
	bool add = act->id == FLOW_ACTION_ADD;
	struct esw_act *set;
	int err;

	err = esw_pedit_check(p->pf, act, &p->pedit, p->extack);
	if (err)
		return err;
	set = esw_act_add(p, add ? ESW_ACT_ADD : ESW_ACT_SET);
	set->set.htype = act->mangle.htype;
	set->set.offset = act->mangle.offset;
	set->set.keep = act->mangle.mask;
	set->set.val = act->mangle.val;
	return 0;
}

/* The adapter mends checksums by itself whatever it rewrites. */
static int esw_do_csum(struct esw_parse *p, const struct flow_action_entry *act)
{
	const u32 can = TCA_CSUM_UPDATE_FLAG_IPV4HDR |
			TCA_CSUM_UPDATE_FLAG_TCP | TCA_CSUM_UPDATE_FLAG_UDP;

	if (!p->pedit.n)
		return esw_no(p, ESW_CSUM_ALONE);
	if (act->csum_flags & ~can)
		return esw_no(p, ESW_CSUM_PROTO);
	return 0;
}

static int esw_do_ptype(struct esw_parse *p,
			const struct flow_action_entry *act)
{
	if (act->ptype != PACKET_HOST)
		return esw_no(p, ESW_NO_PTYPE);
	p->ptype_host = true;
	return 0;
}

static int esw_do_goto(struct esw_parse *p, const struct flow_action_entry *act)
{
	if (!IS_ENABLED(CONFIG_NET_TC_SKB_EXT))
		return esw_no(p, ESW_NO_TC_SKB_EXT);
	if (act->chain_index > ESW_MAX_CHAIN)
		return esw_no(p, ESW_BAD_DEST);
	if (act->chain_index <= p->rule->chain)
		return esw_no(p, ESW_GOTO_LOWER);
	if (p->outputs)
		return esw_no(p, ESW_GOTO_MIRROR);
	p->jump = true;
	esw_act_add(p, ESW_ACT_GOTO)->chain = act->chain_index;
	return 0;
}

static int esw_do_police(struct esw_parse *p,
			 const struct flow_action_entry *act)
{
	struct esw_meter *meter;
	int err;

	err = esw_police_check(p->pf, p->action, act, p->extack);
	if (err)
		return err;
	meter = esw_meter_get(p->pf, act->hw_index, act);
	if (IS_ERR(meter))
		return esw_no(p, ESW_NO_METER);
	esw_act_add(p, ESW_ACT_METER)->meter = meter;
	return 0;
}

static int esw_do_sample(struct esw_parse *p,
			 const struct flow_action_entry *act)
{
	struct esw_act *sample;

	if (!IS_REACHABLE(CONFIG_PSAMPLE) || !act->sample.psample_group)
		return esw_no(p, ESW_NO_ACTION);
	psample_group_take(act->sample.psample_group);
	sample = esw_act_add(p, ESW_ACT_SAMPLE);
	sample->sample.group = act->sample.psample_group;
	sample->sample.rate = act->sample.rate ?: 1;
	sample->sample.size = act->sample.truncate ? act->sample.trunc_size :
						     U16_MAX;
	return 0;
}

static esw_handler *const esw_handlers[NUM_FLOW_ACTIONS] = {
	[FLOW_ACTION_ACCEPT]		= esw_do_accept,
	[FLOW_ACTION_DROP]		= esw_do_drop,
	[FLOW_ACTION_TRAP]		= esw_do_trap,
	[FLOW_ACTION_GOTO]		= esw_do_goto,
	[FLOW_ACTION_REDIRECT]		= esw_do_output,
	[FLOW_ACTION_MIRRED]		= esw_do_output,
	[FLOW_ACTION_REDIRECT_INGRESS]	= esw_do_ingress,
	[FLOW_ACTION_VLAN_PUSH]		= esw_do_vlan_push,
	[FLOW_ACTION_VLAN_POP]		= esw_do_vlan_pop,
	[FLOW_ACTION_VLAN_MANGLE]	= esw_do_vlan_set,
	[FLOW_ACTION_MANGLE]		= esw_do_pedit,
	[FLOW_ACTION_ADD]		= esw_do_pedit,
	[FLOW_ACTION_CSUM]		= esw_do_csum,
	[FLOW_ACTION_PTYPE]		= esw_do_ptype,
	[FLOW_ACTION_SAMPLE]		= esw_do_sample,
	[FLOW_ACTION_POLICE]		= esw_do_police,
};

/* What is wrong only with the actions taken together. */
static int esw_actions_whole(struct esw_parse *p)
{
	u8 proto = p->mask->basic.ip_proto ? p->key->basic.ip_proto : 0;

	if (p->drop && (p->outputs || p->host || p->jump))
		return esw_no(p, ESW_DROP_FORWARD);
	if (p->drop && p->pedit.n)
		return esw_no(p, ESW_DROP_PEDIT);
	if (!p->drop && !p->outputs && !p->host && !p->jump)
		return esw_no(p, ESW_NO_FORWARD);
	if (p->outputs && p->jump)
		return esw_no(p, ESW_GOTO_MIRROR);
	if (p->pedit.ip_header && proto != IPPROTO_TCP &&
	    proto != IPPROTO_UDP && proto != IPPROTO_ICMP)
		return esw_no(p, ESW_PEDIT_PROTO);
	return 0;
}

/* How many acts a rule for @action may need. */
int esw_actions_count(const struct flow_action *action)
{
	return action->num_entries;
}

/*
 * Fill in the acts of @rule, whose chain is set and which has room for
 * esw_actions_count() of them. After a failure they are still to be released.
 */
int esw_actions_parse(struct esw_port *port, struct flow_cls_offload *f,
		      const struct esw_key *key, const struct esw_key *mask,
		      struct esw_rule *rule)
{
	const struct flow_action *action = &f->rule->action;
	const struct flow_action_entry *act;
	struct esw_parse p = {
		.pf = port->pf, .port = port, .extack = f->common.extack,
		.action = action, .key = key, .mask = mask, .rule = rule,
	};
	int err;

	if (!flow_action_has_entries(action))
		return esw_no(&p, ESW_NO_ACTIONS);
	if (!flow_action_hw_stats_check(action, p.extack,
					FLOW_ACTION_HW_STATS_DELAYED_BIT))
		return esw_no(&p, ESW_HW_STATS);
	for (; p.at < action->num_entries; p.at++) {
		act = &action->entries[p.at];
		if (!(port->pf->profile->actions & BIT_ULL(act->id)) ||
		    !esw_handlers[act->id])
			return esw_no(&p, ESW_NO_ACTION);
		err = esw_handlers[act->id](&p, act);
		if (err)
			return err;
	}
	return esw_actions_whole(&p);
}

void esw_actions_release(struct esw_rule *rule)
{
	unsigned int i;

	for (i = 0; i < rule->n_acts; i++) {
		struct esw_act *act = &rule->acts[i];

		if (act->kind == ESW_ACT_METER)
			esw_meter_put(rule->id.port->pf, act->meter);
#if IS_REACHABLE(CONFIG_PSAMPLE)
		if (act->kind == ESW_ACT_SAMPLE)
			psample_group_put(act->sample.group);
#endif
	}
}
