// SPDX-License-Identifier: GPL-2.0
/* The way of a packet through the adapter. RCU held, BH off, in all of it. */
#include "eswemu.h"

/* More chains than this in a row is a loop. */
#define ESW_MAX_HOPS	16

/* To whoever is at the function side: the VF, or the far end of the cable. */
void esw_to_function(struct esw_port *port, struct sk_buff *skb)
{
	struct net_device *nic = rcu_dereference(port->nic);

	if (!nic || !netif_carrier_ok(nic) || READ_ONCE(port->pf->dead)) {
		esw_count_rx_drop(port->cnt);
		kfree_skb(skb);
		return;
	}
	esw_netdev_receive(nic, skb, 0);
}

/* The slow path: to the representor, whose tc goes on in @chain. */
void esw_to_host(struct esw_port *port, struct sk_buff *skb, u32 chain)
{
	struct net_device *rep = rcu_dereference(port->rep);

	if (!rep) {
		esw_count_tx_drop(port->cnt);
		kfree_skb(skb);
		return;
	}
	esw_netdev_receive(rep, skb, chain);
}

static void esw_switch(struct esw_port *port, struct sk_buff *skb)
{
	struct esw_meter *police = rcu_dereference(port->police);
	struct esw_fdb *fdb = &port->pf->fdb;
	struct esw_rule *rule;
	struct esw_key key;
	u32 chain = 0;
	int hops;

	if (police && !esw_meter_pass(police, skb))
		goto drop;
	for (hops = 0; hops < ESW_MAX_HOPS; hops++) {
		esw_key_extract(skb, &key);
		key.port = port->num;
		rule = esw_fdb_lookup(fdb, chain, &key);
		if (!rule) {
			esw_to_host(port, skb, chain);
			return;
		}
		esw_rule_count(rule, skb);
		if (!esw_exec(rule, port, skb, &chain))
			return;
	}
drop:
	esw_count_tx_drop(port->cnt);
	kfree_skb(skb);
}

/* The function side of @port sends @skb. */
void esw_ingress(struct esw_port *port, struct sk_buff *skb)
{
	if (unlikely(READ_ONCE(port->pf->dead))) {
		esw_count_tx_drop(port->cnt);
		kfree_skb(skb);
		return;
	}
	/* A sum over the whole frame would have to follow each rewrite. */
	if (skb->ip_summed == CHECKSUM_COMPLETE)
		skb->ip_summed = CHECKSUM_NONE;
	esw_count_tx(port->cnt, skb);
	if (esw_switchdev(port->pf))
		esw_switch(port, skb);
	else if (esw_port_is_uplink(port))
		esw_legacy_from_wire(port, skb);
	else
		esw_legacy_from_vf(port, skb);
}
