// SPDX-License-Identifier: GPL-2.0
/* What `ip link set PF vf N ...` asks of a VF. Under RTNL. */
#include <linux/rtnetlink.h>

#include "eswemu.h"

static struct esw_port *esw_vf_port(struct net_device *dev, int vf)
{
	struct esw_netdev *nd = netdev_priv(dev);
	struct esw_pf *pf = nd->port->pf;

	if (vf < 0 || vf >= READ_ONCE(pf->num_vfs))
		return NULL;
	return &pf->ports[vf + 1];
}

int esw_set_vf_mac(struct net_device *dev, int vf, u8 *mac)
{
	struct esw_port *port = esw_vf_port(dev, vf);

	if (!port || is_multicast_ether_addr(mac))
		return -EINVAL;
	ether_addr_copy(port->cfg.mac, mac);
	return 0;
}

int esw_set_vf_vlan(struct net_device *dev, int vf, u16 vlan, u8 qos,
		    __be16 proto)
{
	struct esw_port *port = esw_vf_port(dev, vf);

	if (!port || vlan > VLAN_VID_MASK || qos > 7)
		return -EINVAL;
	if (proto != htons(ETH_P_8021Q))
		return -EPROTONOSUPPORT;
	if (esw_switchdev(port->pf))
		return vlan || qos ? -EOPNOTSUPP : 0;
	port->cfg.qos = qos;
	port->cfg.vlan_proto = proto;
	WRITE_ONCE(port->cfg.vlan, vlan);
	return 0;
}

int esw_set_vf_rate(struct net_device *dev, int vf, int min, int max)
{
	struct esw_port *port = esw_vf_port(dev, vf);

	if (!port || min > ESW_LINK_MBIT || max > ESW_LINK_MBIT)
		return -EINVAL;
	esw_qos_set_share(port, (u64)min * 125000);
	esw_qos_set_max(port, (u64)max * 125000);
	return 0;
}

int esw_set_vf_spoofchk(struct net_device *dev, int vf, bool on)
{
	struct esw_port *port = esw_vf_port(dev, vf);

	if (!port)
		return -EINVAL;
	if (esw_switchdev(port->pf))
		return -EOPNOTSUPP;
	WRITE_ONCE(port->cfg.spoofchk, on);
	return 0;
}

int esw_set_vf_trust(struct net_device *dev, int vf, bool on)
{
	struct esw_port *port = esw_vf_port(dev, vf);

	if (!port)
		return -EINVAL;
	if (esw_switchdev(port->pf))
		return -EOPNOTSUPP;
	WRITE_ONCE(port->cfg.trusted, on);
	return 0;
}

int esw_set_vf_link_state(struct net_device *dev, int vf, int state)
{
	struct esw_port *port = esw_vf_port(dev, vf);

	if (!port || state < 0 || state > IFLA_VF_LINK_STATE_DISABLE)
		return -EINVAL;
	if (esw_switchdev(port->pf))
		return -EOPNOTSUPP;
	port->cfg.link_state = state;
	esw_link_update(port);
	return 0;
}

int esw_get_vf_config(struct net_device *dev, int vf, struct ifla_vf_info *ivi)
{
	struct esw_port *port = esw_vf_port(dev, vf);

	if (!port)
		return -EINVAL;
	memset(ivi, 0, sizeof(*ivi));
	ivi->vf = vf;
	ether_addr_copy(ivi->mac, port->cfg.mac);
	ivi->vlan = port->cfg.vlan;
	ivi->qos = port->cfg.qos;
	ivi->vlan_proto = port->cfg.vlan_proto;
	ivi->spoofchk = port->cfg.spoofchk;
	ivi->trusted = port->cfg.trusted;
	ivi->linkstate = port->cfg.link_state;
	ivi->min_tx_rate = div_u64(port->leaf.share, 125000);
	ivi->max_tx_rate = div_u64(port->leaf.max.rate, 125000);
	return 0;
}

int esw_get_vf_stats(struct net_device *dev, int vf, struct ifla_vf_stats *st)
{
	struct esw_port *port = esw_vf_port(dev, vf);
	struct rtnl_link_stats64 s = {};

	if (!port)
		return -EINVAL;
	memset(st, 0, sizeof(*st));
	esw_stats_fold(port->cnt, &s, false);
	st->rx_packets = s.rx_packets;
	st->tx_packets = s.tx_packets;
	st->rx_bytes = s.rx_bytes;
	st->tx_bytes = s.tx_bytes;
	st->rx_dropped = s.rx_dropped;
	st->tx_dropped = s.tx_dropped;
	return 0;
}
