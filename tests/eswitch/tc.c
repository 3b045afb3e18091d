// SPDX-License-Identifier: GPL-2.0
/*
 * What tc tells the representors: blocks, flower and matchall filters; and the
 * actions it offloads on their own, which come without a netdev.
 */
#include <net/pkt_cls.h>

#include "eswemu.h"

static LIST_HEAD(esw_block_cbs);	/* under RTNL or the block's lock */

static int esw_flower_check(struct esw_port *port, struct flow_cls_offload *f)
{
	struct net_device *rep = rcu_dereference_protected(port->rep, true);
	struct netlink_ext_ack *extack = f->common.extack;
	struct esw_pf *pf = port->pf;

	if (!rep || !tc_can_offload(rep))
		return esw_refuse(pf, extack, ESW_NO_HWTC);
	if (!esw_switchdev(pf))
		return esw_refuse(pf, extack, ESW_NOT_SWITCHDEV);
	if (f->common.chain_index && !(pf->profile->flags & ESW_P_CHAINS))
		return esw_refuse(pf, extack, ESW_NO_CHAIN);
	if (f->common.chain_index > ESW_MAX_CHAIN)
		return esw_refuse(pf, extack, ESW_BAD_CHAIN);
	return 0;
}

/* The firmware's latency is none of our own time. */
static void esw_flower_command(struct esw_port *port, struct esw_watch *watch)
{
	esw_watch_stop(watch);
	esw_fdb_command(&port->pf->fdb);
	esw_watch_start(watch);
}

static int esw_flower_replace(struct esw_port *port, struct flow_cls_offload *f,
			      struct esw_watch *watch)
{
	struct flow_rule *flow = flow_cls_offload_flow_rule(f);
	struct esw_rule *rule;
	struct esw_key mask;
	int err;

	err = esw_flower_check(port, f);
	if (err)
		return err;
	rule = esw_rule_alloc(esw_actions_count(&flow->action));
	if (!rule)
		return -ENOMEM;
	rule->id.cookie = f->cookie;
	rule->id.port = port;
	rule->chain = f->common.chain_index;
	rule->prio = f->common.prio;
	err = esw_match_parse(port, f, &rule->key, &mask);
	if (!err)
		err = esw_actions_parse(port, f, &rule->key, &mask, rule);
	if (!err) {
		esw_flower_command(port, watch);
		err = esw_fdb_insert(port->pf, rule, &mask, f->common.extack);
	}
	if (err)
		esw_rule_free(rule);
	return err;
}

static int esw_flower_stats(struct esw_port *port, struct flow_cls_offload *f)
{
	struct esw_fdb *fdb = &port->pf->fdb;
	struct esw_rule *rule;

	if (!(port->pf->profile->flags & ESW_P_STATS))
		return -EOPNOTSUPP;
	mutex_lock(&fdb->lock);
	rule = esw_fdb_find(fdb, port, f->cookie);
	if (rule) {
		flow_stats_update(&f->stats, rule->bytes - rule->told_bytes,
				  rule->packets - rule->told_packets, 0,
				  rule->lastused,
				  FLOW_ACTION_HW_STATS_DELAYED);
		rule->told_bytes = rule->bytes;
		rule->told_packets = rule->packets;
	}
	mutex_unlock(&fdb->lock);
	return rule ? 0 : -ENOENT;
}

static int esw_flower(struct esw_port *port, struct flow_cls_offload *f)
{
	struct esw_watch watch = {};
	enum esw_command cmd;
	int err;

	esw_watch_start(&watch);
	switch (f->command) {
	case FLOW_CLS_REPLACE:
		cmd = ESW_CMD_INSERT;
		err = esw_flower_replace(port, f, &watch);
		break;
	case FLOW_CLS_DESTROY:
		cmd = ESW_CMD_REMOVE;
		esw_flower_command(port, &watch);
		err = esw_fdb_remove(port->pf, port, f->cookie);
		break;
	case FLOW_CLS_STATS:
		cmd = ESW_CMD_STATS;
		err = esw_flower_stats(port, f);
		break;
	default:
		/* Templates are hints. */
		return -EOPNOTSUPP;
	}
	esw_watch_stop(&watch);
	esw_cost_note(port->pf, cmd, &watch);
	return err;
}

static int esw_block_cb(enum tc_setup_type type, void *type_data, void *priv)
{
	struct esw_port *port = priv;

	switch (type) {
	case TC_SETUP_CLSFLOWER:
		return esw_flower(port, type_data);
	case TC_SETUP_CLSMATCHALL:
		return esw_matchall(port, type_data);
	default:
		return -EOPNOTSUPP;
	}
}

/* ndo_setup_tc of representors and uplinks. */
int esw_setup_tc(struct net_device *dev, enum tc_setup_type type, void *data)
{
	struct esw_netdev *nd = netdev_priv(dev);
	struct flow_block_offload *f = data;

	if (type != TC_SETUP_BLOCK)
		return -EOPNOTSUPP;
	f->unlocked_driver_cb = true;
	return flow_block_cb_setup_simple(f, &esw_block_cbs, esw_block_cb,
					  nd->port, nd->port, true);
}

static int esw_indr_cb(struct net_device *dev, struct Qdisc *sch, void *priv,
		       enum tc_setup_type type, void *type_data, void *data,
		       void (*cleanup)(struct flow_block_cb *block_cb))
{
	/* Indirect devices (tunnels, bonds) are not offloaded yet. */
	if (dev || type != TC_SETUP_ACT)
		return -EOPNOTSUPP;
	return esw_meter_act(priv, data);
}

static void esw_indr_release(void *priv)
{
}

int esw_tc_register(struct esw_pf *pf)
{
	return flow_indr_dev_register(esw_indr_cb, pf);
}

void esw_tc_unregister(struct esw_pf *pf)
{
	flow_indr_dev_unregister(esw_indr_cb, pf, esw_indr_release);
	esw_meters_flush(pf);
}
