// SPDX-License-Identifier: GPL-2.0
/*
 * The uplinks of a card under one bond. A rule that redirects to the bond
 * leaves by an uplink that the bond would use too: of those that may send, one
 * by the hash of the packet. The bond tells of each which that is. Reception
 * needs nothing here: the bond's filters are a block shared by its uplinks.
 */
#include "eswemu.h"

static int esw_lag_event(struct notifier_block *nb, unsigned long event,
			 void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct netdev_notifier_changelowerstate_info *lower = ptr;
	struct netdev_notifier_changeupper_info *upper = ptr;
	struct netdev_lag_lower_state_info *state;
	struct esw_netdev *nd = netdev_priv(dev);

	if (!esw_is_uplink(dev))
		return NOTIFY_DONE;
	if (event == NETDEV_CHANGEUPPER && !upper->linking) {
		WRITE_ONCE(nd->port->lag_idle, false);
	} else if (event == NETDEV_CHANGELOWERSTATE && lower->lower_state_info) {
		state = lower->lower_state_info;
		WRITE_ONCE(nd->port->lag_idle,
			   !state->link_up || !state->tx_enabled);
	}
	return NOTIFY_DONE;
}

static struct notifier_block esw_lag_notifier = {
	.notifier_call = esw_lag_event,
};

/* How many uplinks of @card are under @bond. Fills in @ports. */
unsigned int esw_lag_ports(struct esw_card *card, struct net_device *bond,
			   struct esw_port **ports)
{
	struct net_device *dev;
	unsigned int i, n = 0;

	if (!netif_is_lag_master(bond))
		return 0;
	rcu_read_lock();
	for (i = 0; i < card->n_pfs; i++) {
		dev = rcu_dereference(card->pfs[i].ports[0].rep);
		if (dev && esw_switchdev(&card->pfs[i]) &&
		    netdev_master_upper_dev_get_rcu(dev) == bond)
			ports[n++] = &card->pfs[i].ports[0];
	}
	rcu_read_unlock();
	return n;
}

/* The uplink by which @skb leaves, or NULL. RCU held, BH off. */
struct esw_port *esw_lag_pick(const struct esw_act *act, struct sk_buff *skb)
{
	struct esw_port *usable[ESW_MAX_PFS];
	struct net_device *dev;
	unsigned int i, n = 0;

	for (i = 0; i < act->lag.n; i++) {
		dev = rcu_dereference(act->lag.ports[i]->rep);
		if (dev && netif_carrier_ok(dev) &&
		    !READ_ONCE(act->lag.ports[i]->lag_idle))
			usable[n++] = act->lag.ports[i];
	}
	return n ? usable[reciprocal_scale(skb_get_hash(skb), n)] : NULL;
}

int esw_lag_init(void)
{
	return register_netdevice_notifier(&esw_lag_notifier);
}

void esw_lag_exit(void)
{
	unregister_netdevice_notifier(&esw_lag_notifier);
}
