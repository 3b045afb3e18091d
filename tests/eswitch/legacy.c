// SPDX-License-Identifier: GPL-2.0
/*
 * Legacy mode: a switch by MAC and VLAN (VEB), or all out of the cable (VEPA).
 * It does not learn: it knows its functions' addresses, the rest is outside.
 */
#include <uapi/linux/if_bridge.h>

#include "eswemu.h"

/* Where a frame came from: a VF's port number, or one of these. */
#define ESW_FROM_PF	0
#define ESW_FROM_WIRE	(-1)

static u16 esw_frame_vid(const struct sk_buff *skb)
{
	u16 tci;

	if (skb_vlan_tag_present(skb))
		return skb_vlan_tag_get_id(skb);
	if (__vlan_get_tag(skb, &tci))
		return 0;
	return tci & VLAN_VID_MASK;
}

static bool esw_is_member(const struct esw_port *port, u16 vid)
{
	return !port->cfg.vlan || port->cfg.vlan == vid;
}

static void esw_veb_deliver(struct esw_port *port, struct sk_buff *skb)
{
	if (esw_port_is_uplink(port)) {
		esw_to_host(port, skb, 0);
		return;
	}
	/* The administrator's VLAN is invisible to the VF. */
	if (port->cfg.vlan && skb_vlan_pop(skb)) {
		esw_count_rx_drop(port->cnt);
		kfree_skb(skb);
		return;
	}
	esw_to_function(port, skb);
}

static void esw_veb_copy(struct esw_port *port, struct sk_buff *skb)
{
	struct sk_buff *copy = skb_clone(skb, GFP_ATOMIC);

	if (copy)
		esw_veb_deliver(port, copy);
}

static struct net_device *esw_function_netdev(struct esw_port *port)
{
	return esw_port_is_uplink(port) ? rcu_dereference(port->rep) :
					  rcu_dereference(port->nic);
}

static struct esw_port *esw_veb_find(struct esw_pf *pf, const u8 *mac)
{
	struct net_device *dev;
	u32 i;

	for (i = 0; i <= pf->num_vfs; i++) {
		dev = esw_function_netdev(&pf->ports[i]);
		if (dev && ether_addr_equal(dev->dev_addr, mac))
			return &pf->ports[i];
	}
	return NULL;
}

static bool esw_wants_all(struct esw_port *port)
{
	struct net_device *dev = esw_function_netdev(port);

	return dev && (dev->flags & IFF_PROMISC) &&
	       (esw_port_is_uplink(port) || port->cfg.trusted);
}

/* To every function but the sender: all of them, or those in promiscuity. */
static void esw_veb_flood(struct esw_pf *pf, int from, struct sk_buff *skb,
			  u16 vid, bool all)
{
	u32 i;

	for (i = 0; i <= pf->num_vfs; i++) {
		struct esw_port *port = &pf->ports[i];

		if (from == (int)i || !esw_is_member(port, vid))
			continue;
		if (all || esw_wants_all(port))
			esw_veb_copy(port, skb);
	}
}

static void esw_veb(struct esw_pf *pf, int from, struct sk_buff *skb)
{
	const u8 *mac = eth_hdr(skb)->h_dest;
	u16 vid = esw_frame_vid(skb);
	struct esw_port *port;

	if (is_multicast_ether_addr(mac)) {
		esw_veb_flood(pf, from, skb, vid, true);
	} else {
		port = esw_veb_find(pf, mac);
		if (port) {
			if (port->num != from && esw_is_member(port, vid))
				esw_veb_deliver(port, skb);
			else
				kfree_skb(skb);
			return;
		}
		esw_veb_flood(pf, from, skb, vid, false);
	}
	if (from == ESW_FROM_WIRE)
		consume_skb(skb);
	else
		esw_to_function(&pf->ports[0], skb);
}

static void esw_from_function(struct esw_pf *pf, int from, struct sk_buff *skb)
{
	if (READ_ONCE(pf->bridge_mode) == BRIDGE_MODE_VEPA)
		esw_to_function(&pf->ports[0], skb);
	else
		esw_veb(pf, from, skb);
}

void esw_legacy_from_pf(struct esw_pf *pf, struct sk_buff *skb)
{
	esw_from_function(pf, ESW_FROM_PF, skb);
}

static bool esw_spoofed(struct esw_port *port, const struct sk_buff *skb)
{
	struct net_device *nic = rcu_dereference(port->nic);
	const u8 *mac = port->cfg.mac;

	if (!port->cfg.spoofchk)
		return false;
	if (is_zero_ether_addr(mac)) {
		if (!nic)
			return true;
		mac = nic->dev_addr;
	}
	return !ether_addr_equal(eth_hdr(skb)->h_source, mac);
}

void esw_legacy_from_vf(struct esw_port *port, struct sk_buff *skb)
{
	if (esw_spoofed(port, skb))
		goto drop;
	if (port->cfg.vlan) {
		u16 tci = port->cfg.vlan | port->cfg.qos << VLAN_PRIO_SHIFT;

		/* Of two tags a frame may have, the VF may not choose one. */
		if (esw_frame_vid(skb))
			goto drop;
		__vlan_hwaccel_put_tag(skb, port->cfg.vlan_proto, tci);
	}
	esw_from_function(port->pf, port->num, skb);
	return;
drop:
	esw_count_tx_drop(port->cnt);
	kfree_skb(skb);
}

/*
 * In VEPA the neighbour sends multicast back to us, its sender too: what
 * bears the address of one of our functions was sent by us.
 */
void esw_legacy_from_wire(struct esw_port *port, struct sk_buff *skb)
{
	struct esw_pf *pf = port->pf;
	struct esw_port *sender = NULL;

	if (READ_ONCE(pf->bridge_mode) == BRIDGE_MODE_VEPA)
		sender = esw_veb_find(pf, eth_hdr(skb)->h_source);
	if (sender && is_multicast_ether_addr(eth_hdr(skb)->h_dest)) {
		esw_veb_flood(pf, sender->num, skb, esw_frame_vid(skb), true);
		consume_skb(skb);
		return;
	}
	esw_veb(pf, ESW_FROM_WIRE, skb);
}
