// SPDX-License-Identifier: GPL-2.0
/* Running the actions of a rule on a packet. RCU held, BH off. */
#include <net/psample.h>

#include "eswemu.h"

static void esw_output(const struct esw_act *act, struct sk_buff *skb)
{
	struct esw_port *port = act->out.port;

	if (act->kind == ESW_ACT_LAG) {
		port = esw_lag_pick(act, skb);
		if (port)
			esw_to_function(port, skb);
		else
			kfree_skb(skb);
		return;
	}

	/* The VF that was meant is gone; another may have its number. */
	if (READ_ONCE(port->gen) != act->out.gen) {
		esw_count_rx_drop(port->cnt);
		kfree_skb(skb);
		return;
	}
	esw_to_function(port, skb);
}

static int esw_vlan_set(struct sk_buff *skb, u16 vid)
{
	__be16 proto;
	u16 tci;
	int err;

	if (skb_vlan_tag_present(skb)) {
		tci = (skb_vlan_tag_get(skb) & ~VLAN_VID_MASK) | vid;
		__vlan_hwaccel_put_tag(skb, skb->vlan_proto, tci);
		return 0;
	}
	err = __vlan_get_tag(skb, &tci);
	if (err)
		return err;
	proto = eth_hdr(skb)->h_proto;
	err = skb_vlan_pop(skb);
	if (err)
		return err;
	return skb_vlan_push(skb, proto, (tci & ~VLAN_VID_MASK) | vid);
}

static void esw_sample(const struct esw_act *act, struct esw_port *in,
		       struct sk_buff *skb)
{
#if IS_REACHABLE(CONFIG_PSAMPLE)
	struct net_device *rep = rcu_dereference(in->rep);
	struct psample_metadata md = {};

	if (prandom_u32_max(act->sample.rate))
		return;
	md.trunc_size = min_t(u32, skb->len, act->sample.size);
	md.in_ifindex = rep ? rep->ifindex : 0;
	psample_sample_packet(act->sample.group, skb, act->sample.rate, &md);
#endif
}

/* An action that changes or judges the packet; not 0: it is lost. */
static int esw_act_on(const struct esw_act *act, struct esw_port *in,
		      struct sk_buff *skb)
{
	switch (act->kind) {
	case ESW_ACT_VLAN_PUSH:
		return skb_vlan_push(skb, act->vlan.proto, act->vlan.tci);
	case ESW_ACT_VLAN_POP:
		return skb_vlan_pop(skb);
	case ESW_ACT_VLAN_SET:
		return esw_vlan_set(skb, act->vlan.tci);
	case ESW_ACT_SET:
	case ESW_ACT_ADD:
		esw_pedit_apply(act, skb);
		return 0;
	case ESW_ACT_METER:
		return esw_meter_pass(act->meter, skb) ? 0 : -EBUSY;
	case ESW_ACT_SAMPLE:
		esw_sample(act, in, skb);
		return 0;
	default:
		return 0;
	}
}

/*
 * Run @rule on @skb, which came in at @in. True: look up again in *@chain.
 * False: the packet is gone.
 */
bool esw_exec(const struct esw_rule *rule, struct esw_port *in,
	      struct sk_buff *skb, u32 *chain)
{
	unsigned int i;

	for (i = 0; i < rule->n_acts; i++) {
		const struct esw_act *act = &rule->acts[i];
		struct sk_buff *copy;

		if (act->kind == ESW_ACT_GOTO) {
			*chain = act->chain;
			return true;
		}
		if (act->kind == ESW_ACT_HOST) {
			esw_to_host(in, skb, 0);
			return false;
		}
		if (act->kind != ESW_ACT_OUTPUT && act->kind != ESW_ACT_LAG) {
			if (esw_act_on(act, in, skb))
				break;
		} else if (i == rule->n_acts - 1) {
			esw_output(act, skb);
			return false;
		} else {
			copy = skb_clone(skb, GFP_ATOMIC);
			if (copy)
				esw_output(act, copy);
		}
	}
	kfree_skb(skb);
	return false;
}
