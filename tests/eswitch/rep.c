// SPDX-License-Identifier: GPL-2.0
/*
 * Representors of VFs. What the eSwitch has no rule for arrives here; what is
 * sent here the VF receives. The usual statistics are the VF's, turned round;
 * what took the slow path is in the CPU_HIT offload statistics.
 */
#include <linux/rtnetlink.h>

#include "eswemu.h"

static netdev_tx_t esw_rep_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct esw_netdev *nd = netdev_priv(dev);

	if (!pskb_may_pull(skb, ETH_HLEN)) {
		esw_count_tx_drop(nd->cnt);
		kfree_skb(skb);
		return NETDEV_TX_OK;
	}
	skb_tx_timestamp(skb);
	rcu_read_lock();
	esw_count_tx(nd->cnt, skb);
	esw_to_function(nd->port, skb);
	rcu_read_unlock();
	return NETDEV_TX_OK;
}

static void esw_rep_stats(struct net_device *dev,
			  struct rtnl_link_stats64 *stats)
{
	struct esw_netdev *nd = netdev_priv(dev);

	esw_stats_fold(nd->port->cnt, stats, true);
}

bool esw_has_offload_stats(const struct net_device *dev, int id)
{
	struct esw_netdev *nd = netdev_priv(dev);

	return id == IFLA_OFFLOAD_XSTATS_CPU_HIT && esw_switchdev(nd->port->pf);
}

int esw_get_offload_stats(int id, const struct net_device *dev, void *sp)
{
	struct esw_netdev *nd = netdev_priv(dev);

	if (id != IFLA_OFFLOAD_XSTATS_CPU_HIT)
		return -EINVAL;
	memset(sp, 0, sizeof(struct rtnl_link_stats64));
	esw_stats_fold(nd->cnt, sp, false);
	return 0;
}

/* Off only while nothing is offloaded: real drivers refuse it as well. */
int esw_rep_set_features(struct net_device *dev, netdev_features_t features)
{
	struct esw_netdev *nd = netdev_priv(dev);

	if ((dev->features & NETIF_F_HW_TC) && !(features & NETIF_F_HW_TC) &&
	    esw_port_has_rules(nd->port)) {
		netdev_err(dev, "Active offloaded tc filters, can't turn hw_tc_offload off\n");
		return -EINVAL;
	}
	return 0;
}

static const struct net_device_ops esw_rep_ops = {
	.ndo_open		= esw_netdev_open,
	.ndo_stop		= esw_netdev_stop,
	.ndo_start_xmit		= esw_rep_xmit,
	.ndo_get_stats64	= esw_rep_stats,
	.ndo_has_offload_stats	= esw_has_offload_stats,
	.ndo_get_offload_stats	= esw_get_offload_stats,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_set_features	= esw_rep_set_features,
	.ndo_setup_tc		= esw_setup_tc,
	.ndo_get_devlink_port	= esw_netdev_devlink_port,
};

bool esw_is_rep(const struct net_device *dev)
{
	return dev->netdev_ops == &esw_rep_ops;
}

/* The representor of @port, whose devlink port is registered. */
int esw_rep_create(struct esw_port *port)
{
	struct esw_pf *pf = port->pf;
	struct net_device *dev;
	char name[32];
	int err;

	snprintf(name, sizeof(name), "card%upf%urep%u", pf->card->id,
		 pf->index, port->num - 1);
	dev = esw_netdev_alloc(port, &esw_rep_ops, &pf->fn->dev, true, name);
	if (!dev)
		return -ENOMEM;
	((struct esw_netdev *)netdev_priv(dev))->dl_port = &port->dl_port;
	eth_hw_addr_random(dev);
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->features |= NETIF_F_HW_TC | NETIF_F_NETNS_LOCAL;
	dev->hw_features |= NETIF_F_HW_TC;
	err = esw_netdev_register(dev);
	if (err) {
		esw_netdev_free(dev);
		return err;
	}
	devlink_port_type_eth_set(&port->dl_port, dev);
	rcu_assign_pointer(port->rep, dev);
	esw_link_update(port);
	return 0;
}

void esw_rep_destroy(struct esw_port *port)
{
	struct net_device *dev = rcu_dereference_protected(port->rep, 1);

	if (!dev)
		return;
	RCU_INIT_POINTER(port->rep, NULL);
	synchronize_net();
	devlink_port_type_clear(&port->dl_port);
	esw_netdev_free(dev);
	esw_link_update(port);
}
