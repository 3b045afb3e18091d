// SPDX-License-Identifier: GPL-2.0
/*
 * Meters: police actions in rules, shared by index; police actions offloaded
 * on their own; and the policer of a matchall filter on a representor.
 */
#include <linux/slab.h>
#include <net/pkt_cls.h>

#include "eswemu.h"

struct esw_meter {
	struct list_head node;
	u32 index;
	unsigned int refs;		/* under meters_lock */
	spinlock_t lock;
	bool standalone;		/* tc offloaded it by itself */
	bool packets;			/* counts packets, not bytes */
	u64 rate, burst;		/* a second; units */
	s64 tokens;			/* may go below 0 by one packet */
	u64 stamp_ns;
	u64 passed_packets, passed_bytes, dropped;
	u64 told_packets, told_bytes, told_dropped;
	struct rcu_head rcu;
};

/* A packet passes while there is credit; the last one may overdraw it. */
bool esw_meter_pass(struct esw_meter *meter, const struct sk_buff *skb)
{
	unsigned int packets = esw_skb_packets(skb);
	unsigned int bytes = esw_skb_bytes(skb);
	u64 now = ktime_get_ns(), gain;
	bool pass;

	spin_lock(&meter->lock);
	/* Ten seconds fill any bucket, and more could overflow. */
	gain = min_t(u64, now - meter->stamp_ns, 10ULL * NSEC_PER_SEC);
	gain = mul_u64_u64_div_u64(gain, meter->rate, NSEC_PER_SEC);
	if (gain) {
		meter->tokens = min_t(s64, meter->tokens + gain, meter->burst);
		meter->stamp_ns = now;
	}
	pass = meter->tokens > 0;
	if (pass) {
		meter->tokens -= meter->packets ? packets : bytes;
		meter->passed_packets += packets;
		meter->passed_bytes += bytes;
	} else {
		meter->dropped += packets;
	}
	spin_unlock(&meter->lock);
	return pass;
}

static void esw_meter_set(struct esw_meter *meter,
			  const struct flow_action_entry *act)
{
	spin_lock_bh(&meter->lock);
	meter->packets = !act->police.rate_bytes_ps;
	if (meter->packets) {
		meter->rate = act->police.rate_pkt_ps;
		meter->burst = max_t(u64, act->police.burst_pkt, 1);
	} else {
		meter->rate = act->police.rate_bytes_ps;
		meter->burst = max_t(u64, act->police.burst, 1);
	}
	meter->tokens = meter->burst;
	meter->stamp_ns = ktime_get_ns();
	spin_unlock_bh(&meter->lock);
}

static struct esw_meter *esw_meter_find(struct esw_pf *pf, u32 index)
{
	struct esw_meter *meter;

	list_for_each_entry(meter, &pf->meters, node)
		if (meter->index == index)
			return meter;
	return NULL;
}

static struct esw_meter *esw_meter_new(struct esw_pf *pf, u32 index,
				       const struct flow_action_entry *act)
{
	struct esw_meter *meter;

	if (!esw_resource_take(pf, ESW_RES_METERS))
		return ERR_PTR(-ENOSPC);
	meter = kzalloc(sizeof(*meter), GFP_KERNEL);
	if (!meter) {
		esw_resource_give(pf, ESW_RES_METERS);
		return ERR_PTR(-ENOMEM);
	}
	spin_lock_init(&meter->lock);
	meter->index = index;
	esw_meter_set(meter, act);
	list_add(&meter->node, &pf->meters);
	return meter;
}

/* A reference to the meter of @index, made from @police when there is none. */
struct esw_meter *esw_meter_get(struct esw_pf *pf, u32 index,
				const struct flow_action_entry *police)
{
	struct esw_meter *meter;

	mutex_lock(&pf->meters_lock);
	meter = esw_meter_find(pf, index);
	if (!meter)
		meter = esw_meter_new(pf, index, police);
	if (!IS_ERR(meter))
		meter->refs++;
	mutex_unlock(&pf->meters_lock);
	return meter;
}

static void esw_meter_unref(struct esw_pf *pf, struct esw_meter *meter)
{
	lockdep_assert_held(&pf->meters_lock);
	if (--meter->refs)
		return;
	list_del(&meter->node);
	esw_resource_give(pf, ESW_RES_METERS);
	kfree_rcu(meter, rcu);
}

void esw_meter_put(struct esw_pf *pf, struct esw_meter *meter)
{
	mutex_lock(&pf->meters_lock);
	esw_meter_unref(pf, meter);
	mutex_unlock(&pf->meters_lock);
}

static bool esw_is_last(const struct flow_action *action,
			const struct flow_action_entry *act)
{
	return flow_action_is_last_entry(action, act);
}

int esw_police_check(struct esw_pf *pf, const struct flow_action *action,
		     const struct flow_action_entry *act,
		     struct netlink_ext_ack *extack)
{
	enum flow_action_id ok = act->police.notexceed.act_id;

	if (act->police.exceed.act_id != FLOW_ACTION_DROP)
		return esw_refuse(pf, extack, ESW_POLICE_EXCEED);
	if (ok != FLOW_ACTION_PIPE && ok != FLOW_ACTION_ACCEPT)
		return esw_refuse(pf, extack, ESW_POLICE_CONFORM);
	if (ok == FLOW_ACTION_ACCEPT && !esw_is_last(action, act))
		return esw_refuse(pf, extack, ESW_POLICE_LAST);
	if (act->police.peakrate_bytes_ps || act->police.avrate ||
	    act->police.overhead)
		return esw_refuse(pf, extack, ESW_POLICE_PEAK);
	if (!act->police.rate_bytes_ps && !act->police.rate_pkt_ps)
		return -EOPNOTSUPP;
	return 0;
}

static void esw_meter_stats(struct esw_meter *meter, struct flow_stats *stats)
{
	u64 packets, bytes, dropped;

	spin_lock_bh(&meter->lock);
	packets = meter->passed_packets - meter->told_packets;
	bytes = meter->passed_bytes - meter->told_bytes;
	dropped = meter->dropped - meter->told_dropped;
	meter->told_packets = meter->passed_packets;
	meter->told_bytes = meter->passed_bytes;
	meter->told_dropped = meter->dropped;
	spin_unlock_bh(&meter->lock);
	flow_stats_update(stats, bytes, packets + dropped, dropped, jiffies,
			  FLOW_ACTION_HW_STATS_DELAYED);
}

static int esw_act_replace(struct esw_pf *pf, struct flow_offload_action *fl)
{
	const struct flow_action_entry *act = &fl->action.entries[0];
	struct esw_meter *meter;
	int err;

	if (act->id != FLOW_ACTION_POLICE)
		return -EOPNOTSUPP;
	err = esw_police_check(pf, &fl->action, act, fl->extack);
	if (err)
		return err;
	mutex_lock(&pf->meters_lock);
	meter = esw_meter_find(pf, fl->index);
	if (meter)
		esw_meter_set(meter, act);
	else
		meter = esw_meter_new(pf, fl->index, act);
	if (!IS_ERR(meter) && !meter->standalone) {
		meter->standalone = true;
		meter->refs++;
	}
	mutex_unlock(&pf->meters_lock);
	return PTR_ERR_OR_ZERO(meter);
}

/* TC_SETUP_ACT: a police action offloaded on its own. */
int esw_meter_act(struct esw_pf *pf, struct flow_offload_action *fl)
{
	struct esw_meter *meter;

	if (fl->command == FLOW_ACT_REPLACE)
		return esw_act_replace(pf, fl);
	if (fl->id != FLOW_ACTION_POLICE)
		return -EOPNOTSUPP;
	mutex_lock(&pf->meters_lock);
	meter = esw_meter_find(pf, fl->index);
	if (meter && !meter->standalone)
		meter = NULL;
	if (meter && fl->command == FLOW_ACT_STATS) {
		esw_meter_stats(meter, &fl->stats);
	} else if (meter) {
		meter->standalone = false;
		esw_meter_unref(pf, meter);
	}
	mutex_unlock(&pf->meters_lock);
	return meter ? 0 : -ENOENT;
}

/* Standalone meters that tc did not take back before the PF goes. */
void esw_meters_flush(struct esw_pf *pf)
{
	struct esw_meter *meter, *tmp;

	mutex_lock(&pf->meters_lock);
	list_for_each_entry_safe(meter, tmp, &pf->meters, node) {
		if (!meter->standalone)
			continue;
		meter->standalone = false;
		esw_meter_unref(pf, meter);
	}
	mutex_unlock(&pf->meters_lock);
}

static int esw_matchall_check(struct esw_port *port,
			      struct tc_cls_matchall_offload *ma)
{
	struct flow_action *action = &ma->rule->action;
	struct netlink_ext_ack *extack = ma->common.extack;
	const struct flow_action_entry *act;
	struct esw_pf *pf = port->pf;

	if (esw_port_is_uplink(port))
		return esw_refuse(pf, extack, ESW_MATCHALL_UPLINK);
	if (ma->common.prio != 1)
		return esw_refuse(pf, extack, ESW_MATCHALL_PRIO);
	if (!flow_offload_has_one_action(action))
		return esw_refuse(pf, extack, ESW_MATCHALL_ONE);
	act = &action->entries[0];
	if (act->id != FLOW_ACTION_POLICE)
		return esw_refuse(pf, extack, ESW_MATCHALL_POLICE);
	if (act->police.exceed.act_id != FLOW_ACTION_DROP)
		return esw_refuse(pf, extack, ESW_POLICE_EXCEED);
	if (act->police.notexceed.act_id != FLOW_ACTION_CONTINUE)
		return esw_refuse(pf, extack, ESW_MATCHALL_CONFORM);
	if (act->police.rate_pkt_ps)
		return esw_refuse(pf, extack, ESW_POLICE_PKTS);
	if (!flow_action_basic_hw_stats_check(action, extack))
		return esw_refuse(pf, extack, ESW_HW_STATS);
	return 0;
}

static int esw_matchall_replace(struct esw_port *port,
				struct tc_cls_matchall_offload *ma)
{
	struct esw_meter *old, *meter;
	int err;

	err = esw_matchall_check(port, ma);
	if (err)
		return err;
	meter = kzalloc(sizeof(*meter), GFP_KERNEL);
	if (!meter)
		return -ENOMEM;
	spin_lock_init(&meter->lock);
	esw_meter_set(meter, &ma->rule->action.entries[0]);
	old = rcu_replace_pointer(port->police, meter, true);
	port->police_cookie = ma->cookie;
	if (old)
		kfree_rcu(old, rcu);
	return 0;
}

static int esw_matchall_destroy(struct esw_port *port,
				struct tc_cls_matchall_offload *ma)
{
	struct esw_meter *old;

	if (port->police_cookie != ma->cookie)
		return -ENOENT;
	old = rcu_replace_pointer(port->police, NULL, true);
	port->police_cookie = 0;
	if (old)
		kfree_rcu(old, rcu);
	return 0;
}

/* matchall on a representor; tc holds RTNL over it. */
int esw_matchall(struct esw_port *port, void *type_data)
{
	struct tc_cls_matchall_offload *ma = type_data;
	struct esw_meter *meter;

	switch (ma->command) {
	case TC_CLSMATCHALL_REPLACE:
		return esw_matchall_replace(port, ma);
	case TC_CLSMATCHALL_DESTROY:
		return esw_matchall_destroy(port, ma);
	case TC_CLSMATCHALL_STATS:
		meter = rcu_dereference_protected(port->police, true);
		if (meter)
			esw_meter_stats(meter, &ma->stats);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}
