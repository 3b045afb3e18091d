// SPDX-License-Identifier: GPL-2.0
/*
 * The PF's netdev: in legacy mode a function behind the VEB, in switchdev mode
 * the representor of the uplink.
 */
#include <linux/rtnetlink.h>
#include <net/netlink.h>
#include <uapi/linux/if_bridge.h>

#include "eswemu.h"

static netdev_tx_t esw_uplink_xmit(struct sk_buff *skb, struct net_device *dev)
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
	if (esw_switchdev(nd->port->pf))
		esw_to_function(nd->port, skb);
	else
		esw_legacy_from_pf(nd->port->pf, skb);
	rcu_read_unlock();
	return NETDEV_TX_OK;
}

static void esw_uplink_stats(struct net_device *dev,
			     struct rtnl_link_stats64 *stats)
{
	struct esw_netdev *nd = netdev_priv(dev);

	if (esw_switchdev(nd->port->pf))
		esw_stats_fold(nd->port->cnt, stats, true);
	else
		esw_stats_fold(nd->cnt, stats, false);
}

static void esw_uplink_set_rx_mode(struct net_device *dev)
{
}

static int esw_bridge_getlink(struct sk_buff *skb, u32 pid, u32 seq,
			      struct net_device *dev, u32 filter_mask,
			      int nlflags)
{
	struct esw_netdev *nd = netdev_priv(dev);
	struct esw_pf *pf = nd->port->pf;

	if (esw_switchdev(pf))
		return -EOPNOTSUPP;
	return ndo_dflt_bridge_getlink(skb, pid, seq, dev, pf->bridge_mode, 0,
				       0, nlflags, filter_mask, NULL);
}

static int esw_bridge_setlink(struct net_device *dev, struct nlmsghdr *nlh,
			      u16 flags, struct netlink_ext_ack *extack)
{
	struct esw_netdev *nd = netdev_priv(dev);
	struct esw_pf *pf = nd->port->pf;
	struct nlattr *spec, *attr;
	int rem;

	if (esw_switchdev(pf))
		return -EOPNOTSUPP;
	spec = nlmsg_find_attr(nlh, sizeof(struct ifinfomsg), IFLA_AF_SPEC);
	if (!spec)
		return -EINVAL;
	nla_for_each_nested(attr, spec, rem) {
		u16 mode;

		if (nla_type(attr) != IFLA_BRIDGE_MODE)
			continue;
		if (nla_len(attr) < sizeof(mode))
			return -EINVAL;
		mode = nla_get_u16(attr);
		if (mode > BRIDGE_MODE_VEPA)
			return -EINVAL;
		WRITE_ONCE(pf->bridge_mode, mode);
	}
	return 0;
}

static const struct net_device_ops esw_uplink_ops = {
	.ndo_open		= esw_netdev_open,
	.ndo_stop		= esw_netdev_stop,
	.ndo_start_xmit		= esw_uplink_xmit,
	.ndo_get_stats64	= esw_uplink_stats,
	.ndo_has_offload_stats	= esw_has_offload_stats,
	.ndo_get_offload_stats	= esw_get_offload_stats,
	.ndo_set_rx_mode	= esw_uplink_set_rx_mode,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_set_features	= esw_rep_set_features,
	.ndo_setup_tc		= esw_setup_tc,
	.ndo_bridge_getlink	= esw_bridge_getlink,
	.ndo_bridge_setlink	= esw_bridge_setlink,
	.ndo_set_vf_mac		= esw_set_vf_mac,
	.ndo_set_vf_vlan	= esw_set_vf_vlan,
	.ndo_set_vf_rate	= esw_set_vf_rate,
	.ndo_set_vf_spoofchk	= esw_set_vf_spoofchk,
	.ndo_set_vf_trust	= esw_set_vf_trust,
	.ndo_set_vf_link_state	= esw_set_vf_link_state,
	.ndo_get_vf_config	= esw_get_vf_config,
	.ndo_get_vf_stats	= esw_get_vf_stats,
	.ndo_get_devlink_port	= esw_netdev_devlink_port,
};

bool esw_is_uplink(const struct net_device *dev)
{
	return dev->netdev_ops == &esw_uplink_ops;
}

int esw_uplink_create(struct esw_pf *pf)
{
	struct esw_port *port = &pf->ports[0];
	struct net_device *dev;
	char name[32];
	int err;

	snprintf(name, sizeof(name), "card%upf%u", pf->card->id, pf->index);
	dev = esw_netdev_alloc(port, &esw_uplink_ops, &pf->fn->dev, true, name);
	if (!dev)
		return -ENOMEM;
	((struct esw_netdev *)netdev_priv(dev))->dl_port = &port->dl_port;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->features |= NETIF_F_HW_TC;
	dev->hw_features |= NETIF_F_HW_TC;
	/* The burnt-in address outlives a reload. */
	if (is_zero_ether_addr(port->cfg.mac))
		eth_random_addr(port->cfg.mac);
	eth_hw_addr_set(dev, port->cfg.mac);
	err = esw_netdev_register(dev);
	if (err) {
		esw_netdev_free(dev);
		return err;
	}
	devlink_port_type_eth_set(&port->dl_port, dev);
	pf->netdev = dev;
	rcu_assign_pointer(port->rep, dev);
	esw_link_update(port);
	return 0;
}

void esw_uplink_destroy(struct esw_pf *pf)
{
	struct esw_port *port = &pf->ports[0];
	struct net_device *dev = pf->netdev;

	RCU_INIT_POINTER(port->rep, NULL);
	synchronize_net();
	devlink_port_type_clear(&port->dl_port);
	pf->netdev = NULL;
	esw_netdev_free(dev);
	esw_link_update(port);
}

/* Under RTNL. The uplink of a switch stays with its representors. */
void esw_uplink_mode_changed(struct esw_pf *pf)
{
	if (esw_switchdev(pf))
		pf->netdev->features |= NETIF_F_NETNS_LOCAL;
	else
		pf->netdev->features &= ~NETIF_F_NETNS_LOCAL;
}
