// SPDX-License-Identifier: GPL-2.0
/*
 * What all netdevs here share: counters and reception through a ring and NAPI,
 * so that a packet is never handed on by recursion. And the netdevs of the
 * function side: VFs and the far end of the cable.
 */
#include <linux/rtnetlink.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/pkt_cls.h>

#include "eswemu.h"

#define ESW_FEATURES (NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HW_CSUM | \
		      NETIF_F_RXCSUM | NETIF_F_HIGHDMA | NETIF_F_SCTP_CRC | \
		      NETIF_F_GSO_SOFTWARE | NETIF_F_GSO_ENCAP_ALL | \
		      NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_STAG_TX | \
		      NETIF_F_HW_VLAN_CTAG_RX | NETIF_F_HW_VLAN_STAG_RX)

/* Frames on the wire that @skb stands for. */
unsigned int esw_skb_packets(const struct sk_buff *skb)
{
	return skb_is_gso(skb) ? max_t(u16, skb_shinfo(skb)->gso_segs, 1) : 1;
}

/* Their bytes, each with its own headers; skb->data at the MAC header. */
unsigned int esw_skb_bytes(const struct sk_buff *skb)
{
	unsigned int n = esw_skb_packets(skb), headers;

	if (n == 1 || !skb_transport_header_was_set(skb))
		return skb->len;
	headers = skb_transport_header(skb) - skb_mac_header(skb);
	if (skb_is_gso_tcp(skb))
		headers += tcp_hdrlen(skb);
	else
		headers += sizeof(struct udphdr);
	return skb->len + (n - 1) * headers;
}

void esw_count_rx(struct esw_counters __percpu *cnt, struct sk_buff *skb)
{
	struct esw_counters *c = this_cpu_ptr(cnt);

	u64_stats_update_begin(&c->syncp);
	c->rx_packets += esw_skb_packets(skb);
	c->rx_bytes += esw_skb_bytes(skb);
	u64_stats_update_end(&c->syncp);
}

void esw_count_tx(struct esw_counters __percpu *cnt, struct sk_buff *skb)
{
	struct esw_counters *c = this_cpu_ptr(cnt);

	u64_stats_update_begin(&c->syncp);
	c->tx_packets += esw_skb_packets(skb);
	c->tx_bytes += esw_skb_bytes(skb);
	u64_stats_update_end(&c->syncp);
}

void esw_count_rx_drop(struct esw_counters __percpu *cnt)
{
	struct esw_counters *c = this_cpu_ptr(cnt);

	u64_stats_update_begin(&c->syncp);
	c->rx_dropped++;
	u64_stats_update_end(&c->syncp);
}

void esw_count_tx_drop(struct esw_counters __percpu *cnt)
{
	struct esw_counters *c = this_cpu_ptr(cnt);

	u64_stats_update_begin(&c->syncp);
	c->tx_dropped++;
	u64_stats_update_end(&c->syncp);
}

/* Add up @cnt; @turned shows it from the other side of the port. */
void esw_stats_fold(struct esw_counters __percpu *cnt,
		    struct rtnl_link_stats64 *stats, bool turned)
{
	struct esw_counters one, *c;
	unsigned int start;
	int cpu;

	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(cnt, cpu);
		do {
			start = u64_stats_fetch_begin_irq(&c->syncp);
			one = *c;
		} while (u64_stats_fetch_retry_irq(&c->syncp, start));
		stats->rx_packets += turned ? one.tx_packets : one.rx_packets;
		stats->rx_bytes += turned ? one.tx_bytes : one.rx_bytes;
		stats->tx_packets += turned ? one.rx_packets : one.tx_packets;
		stats->tx_bytes += turned ? one.rx_bytes : one.tx_bytes;
		stats->rx_dropped += turned ? one.tx_dropped : one.rx_dropped;
		stats->tx_dropped += turned ? one.rx_dropped : one.tx_dropped;
	}
}

/*
 * Hand @skb, MAC header at skb->data, to the stack of @dev. A @chain other
 * than 0 tells tc where to go on. RCU held, BH off; eats @skb.
 */
void esw_netdev_receive(struct net_device *dev, struct sk_buff *skb, u32 chain)
{
	struct esw_netdev *nd = netdev_priv(dev);

	if (!netif_running(dev) || !is_skb_forwardable(dev, skb))
		goto drop;
	skb_orphan(skb);
	skb_scrub_packet(skb, true);
	skb_set_queue_mapping(skb, 0);
#if IS_ENABLED(CONFIG_NET_TC_SKB_EXT)
	if (chain) {
		struct tc_skb_ext *ext = tc_skb_ext_alloc(skb);

		if (!ext)
			goto drop;
		ext->chain = chain;
	}
#endif
	esw_count_rx(nd->cnt, skb);
	skb->protocol = eth_type_trans(skb, dev);
	skb_postpull_rcsum(skb, eth_hdr(skb), ETH_HLEN);
	if (ptr_ring_produce(&nd->ring, skb))
		goto drop;
	napi_schedule(&nd->napi);
	return;
drop:
	esw_count_rx_drop(nd->cnt);
	kfree_skb(skb);
}

static int esw_poll(struct napi_struct *napi, int budget)
{
	struct esw_netdev *nd = container_of(napi, struct esw_netdev, napi);
	struct sk_buff *skb;
	int done;

	for (done = 0; done < budget; done++) {
		skb = __ptr_ring_consume(&nd->ring);
		if (!skb)
			break;
		netif_receive_skb(skb);
	}
	if (done < budget)
		napi_complete_done(napi, done);
	return done;
}

int esw_netdev_open(struct net_device *dev)
{
	struct esw_netdev *nd = netdev_priv(dev);

	napi_enable(&nd->napi);
	netif_start_queue(dev);
	if (nd->port)
		esw_link_update(nd->port);
	return 0;
}

int esw_netdev_stop(struct net_device *dev)
{
	struct esw_netdev *nd = netdev_priv(dev);
	struct sk_buff *skb;

	netif_stop_queue(dev);
	napi_disable(&nd->napi);
	while ((skb = ptr_ring_consume_bh(&nd->ring)))
		kfree_skb(skb);
	if (nd->port)
		esw_link_update(nd->port);
	return 0;
}

static void esw_carrier(struct net_device *dev, bool on)
{
	if (!dev)
		return;
	if (on)
		netif_carrier_on(dev);
	else
		netif_carrier_off(dev);
}

/* Bring the links at both ends of @port in line with what is up. */
void esw_link_update(struct esw_port *port)
{
	struct net_device *nic, *rep;
	bool rep_up;

	rcu_read_lock();
	nic = rcu_dereference(port->nic);
	rep = rcu_dereference(port->rep);
	rep_up = rep && netif_running(rep);
	if (esw_port_is_uplink(port)) {
		esw_carrier(nic, rep_up);
		esw_carrier(rep, nic && netif_running(nic));
	} else if (esw_switchdev(port->pf)) {
		esw_carrier(nic, rep_up);
		esw_carrier(rep, rep_up);
	} else {
		esw_carrier(nic, port->cfg.link_state !=
				 IFLA_VF_LINK_STATE_DISABLE);
	}
	rcu_read_unlock();
}

struct devlink_port *esw_netdev_devlink_port(struct net_device *dev)
{
	struct esw_netdev *nd = netdev_priv(dev);

	return nd->dl_port;
}

/*
 * A netdev on @port, not registered yet. Its counters are the port's or, with
 * @own_counters, its own. A taken @name gives way to a numbered one.
 */
struct net_device *esw_netdev_alloc(struct esw_port *port,
				    const struct net_device_ops *ops,
				    struct device *parent, bool own_counters,
				    const char *name)
{
	struct esw_netdev *nd;
	struct net_device *dev;

	dev = alloc_etherdev(sizeof(*nd));
	if (!dev)
		return NULL;
	nd = netdev_priv(dev);
	nd->dev = dev;
	nd->port = port;
	nd->own_cnt = own_counters;
	nd->cnt = own_counters ? netdev_alloc_pcpu_stats(struct esw_counters) :
				 port->cnt;
	if (!nd->cnt)
		goto err_free;
	if (ptr_ring_init(&nd->ring, ESW_RING_SIZE, GFP_KERNEL))
		goto err_counters;
	strscpy(dev->name, name, sizeof(dev->name));
	netif_napi_add(dev, &nd->napi, esw_poll);
	if (parent)
		SET_NETDEV_DEV(dev, parent);
	dev->netdev_ops = ops;
	dev->ethtool_ops = &esw_ethtool_ops;
	dev->features = ESW_FEATURES | NETIF_F_LLTX;
	dev->hw_features = ESW_FEATURES;
	dev->hw_enc_features = ESW_FEATURES;
	dev->vlan_features = ESW_FEATURES & ~(NETIF_F_HW_VLAN_CTAG_TX |
					      NETIF_F_HW_VLAN_STAG_TX |
					      NETIF_F_HW_VLAN_CTAG_RX |
					      NETIF_F_HW_VLAN_STAG_RX);
	dev->max_mtu = 9978;
	netif_carrier_off(dev);
	return dev;

err_counters:
	if (own_counters)
		free_percpu(nd->cnt);
err_free:
	free_netdev(dev);
	return NULL;
}

int esw_netdev_register(struct net_device *dev)
{
	int err;

	rtnl_lock();
	if (__dev_get_by_name(dev_net(dev), dev->name))
		strscpy(dev->name, "eth%d", sizeof(dev->name));
	err = register_netdevice(dev);
	rtnl_unlock();
	return err;
}

static bool esw_tx_ok(struct sk_buff *skb, struct esw_port *port)
{
	if (likely(pskb_may_pull(skb, ETH_HLEN)))
		return true;
	esw_count_tx_drop(port->cnt);
	kfree_skb(skb);
	return false;
}

static netdev_tx_t esw_vf_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct esw_netdev *nd = netdev_priv(dev);

	if (!esw_tx_ok(skb, nd->port))
		return NETDEV_TX_OK;
	skb_tx_timestamp(skb);
	rcu_read_lock();
	esw_qos_xmit(nd->port, skb);
	rcu_read_unlock();
	return NETDEV_TX_OK;
}

static netdev_tx_t esw_cable_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct esw_netdev *nd = netdev_priv(dev);

	if (!esw_tx_ok(skb, nd->port))
		return NETDEV_TX_OK;
	skb_tx_timestamp(skb);
	rcu_read_lock();
	esw_ingress(nd->port, skb);
	rcu_read_unlock();
	return NETDEV_TX_OK;
}

static void esw_function_stats(struct net_device *dev,
			       struct rtnl_link_stats64 *stats)
{
	struct esw_netdev *nd = netdev_priv(dev);

	esw_stats_fold(nd->port->cnt, stats, false);
}

/* Address filters: the eSwitch looks at the netdev's own lists. */
static void esw_set_rx_mode(struct net_device *dev)
{
}

static const struct net_device_ops esw_vf_ops = {
	.ndo_open		= esw_netdev_open,
	.ndo_stop		= esw_netdev_stop,
	.ndo_start_xmit		= esw_vf_xmit,
	.ndo_get_stats64	= esw_function_stats,
	.ndo_set_rx_mode	= esw_set_rx_mode,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_get_devlink_port	= esw_netdev_devlink_port,
};

static const struct net_device_ops esw_cable_ops = {
	.ndo_open		= esw_netdev_open,
	.ndo_stop		= esw_netdev_stop,
	.ndo_start_xmit		= esw_cable_xmit,
	.ndo_get_stats64	= esw_function_stats,
	.ndo_set_rx_mode	= esw_set_rx_mode,
	.ndo_set_mac_address	= eth_mac_addr,
	.ndo_validate_addr	= eth_validate_addr,
};

static void esw_skb_free(void *skb)
{
	kfree_skb(skb);
}

/*
 * Undo alloc and, when done, register. No port may point at @dev any more,
 * and a grace period must have passed since.
 */
void esw_netdev_free(struct net_device *dev)
{
	struct esw_netdev *nd = netdev_priv(dev);

	if (dev->reg_state == NETREG_REGISTERED)
		unregister_netdev(dev);
	if (dev->netdev_ops == &esw_vf_ops) {
		/* What waits for its rate, or just waited, points at @dev. */
		esw_qos_flush(nd->port);
		synchronize_net();
	}
	ptr_ring_cleanup(&nd->ring, esw_skb_free);
	if (nd->own_cnt)
		free_percpu(nd->cnt);
	free_netdev(dev);
}

static int esw_nic_publish(struct esw_port *port, struct net_device *dev)
{
	int err = esw_netdev_register(dev);

	if (err)
		return err;
	rcu_assign_pointer(port->nic, dev);
	esw_link_update(port);
	return 0;
}

struct net_device *esw_vf_netdev_create(struct esw_port *port,
					struct device *parent,
					struct devlink_port *dl_port)
{
	struct net_device *dev;
	char name[32];
	int err;

	snprintf(name, sizeof(name), "card%upf%uvf%u", port->pf->card->id,
		 port->pf->index, port->num - 1);
	dev = esw_netdev_alloc(port, &esw_vf_ops, parent, false, name);
	if (!dev)
		return ERR_PTR(-ENOMEM);
	((struct esw_netdev *)netdev_priv(dev))->dl_port = dl_port;
	if (is_zero_ether_addr(port->cfg.mac))
		eth_hw_addr_random(dev);
	else
		eth_hw_addr_set(dev, port->cfg.mac);
	err = esw_nic_publish(port, dev);
	if (err) {
		esw_netdev_free(dev);
		return ERR_PTR(err);
	}
	return dev;
}

struct net_device *esw_cable_create(struct esw_port *port)
{
	struct net_device *dev;
	char name[32];

	snprintf(name, sizeof(name), "card%ucable%u", port->pf->card->id,
		 port->pf->index);
	dev = esw_netdev_alloc(port, &esw_cable_ops, NULL, false, name);
	if (!dev)
		return NULL;
	dev->priv_flags |= IFF_NO_QUEUE;
	eth_hw_addr_random(dev);
	if (esw_nic_publish(port, dev)) {
		esw_netdev_free(dev);
		return NULL;
	}
	return dev;
}

void esw_cable_destroy(struct esw_port *port)
{
	struct net_device *dev = rcu_dereference_protected(port->nic, 1);

	RCU_INIT_POINTER(port->nic, NULL);
	synchronize_net();
	esw_netdev_free(dev);
}
