// SPDX-License-Identifier: GPL-2.0
/* What devlink asks of a PF; each operation under devl_lock. */
#include "eswemu.h"

static int esw_mode_get(struct devlink *devlink, u16 *mode)
{
	*mode = esw_pf_of_devlink(devlink)->mode;
	return 0;
}

/* Keep new rules out; -EBUSY while there are any. */
static int esw_fdb_block(struct esw_pf *pf, struct netlink_ext_ack *extack)
{
	int err = 0;

	mutex_lock(&pf->fdb.lock);
	if (list_empty(&pf->fdb.rules)) {
		pf->fdb.blocked = true;
	} else {
		NL_SET_ERR_MSG_MOD(extack, "Can't change mode, E-Switch is busy");
		err = -EBUSY;
	}
	mutex_unlock(&pf->fdb.lock);
	return err;
}

static void esw_fdb_unblock(struct esw_pf *pf)
{
	mutex_lock(&pf->fdb.lock);
	pf->fdb.blocked = false;
	mutex_unlock(&pf->fdb.lock);
}

static int esw_mode_set(struct devlink *devlink, u16 mode,
			struct netlink_ext_ack *extack)
{
	struct esw_pf *pf = esw_pf_of_devlink(devlink);
	int err;

	if (mode != DEVLINK_ESWITCH_MODE_LEGACY &&
	    mode != DEVLINK_ESWITCH_MODE_SWITCHDEV) {
		NL_SET_ERR_MSG_MOD(extack, "Unknown eswitch mode");
		return -EINVAL;
	}
	if (mode == pf->mode)
		return 0;
	if (!pf->netdev)
		return -EIO;
	if (pf->num_vfs && (pf->profile->flags & ESW_P_MODE_NO_VFS)) {
		NL_SET_ERR_MSG_MOD(extack, "Changing eswitch mode is allowed only if there is no VFs created");
		return -EOPNOTSUPP;
	}
	err = esw_fdb_block(pf, extack);
	if (err)
		return err;
	err = esw_pf_set_mode(pf, mode);
	esw_fdb_unblock(pf);
	return err;
}

static int esw_inline_mode_get(struct devlink *devlink, u8 *mode)
{
	*mode = DEVLINK_ESWITCH_INLINE_MODE_NONE;
	return 0;
}

static int esw_encap_mode_get(struct devlink *devlink,
			      enum devlink_eswitch_encap_mode *mode)
{
	*mode = DEVLINK_ESWITCH_ENCAP_MODE_NONE;
	return 0;
}

static int esw_info_get(struct devlink *devlink, struct devlink_info_req *req,
			struct netlink_ext_ack *extack)
{
	struct esw_pf *pf = esw_pf_of_devlink(devlink);
	char serial[24];
	int err;

	snprintf(serial, sizeof(serial), "%8phN", pf->card->switch_id.id);
	err = devlink_info_driver_name_put(req, "eswemu");
	if (!err)
		err = devlink_info_serial_number_put(req, serial);
	if (!err)
		err = devlink_info_version_running_put(req, "fw.version", "1.0");
	return err;
}

static int esw_reload_down(struct devlink *devlink, bool netns_change,
			   enum devlink_reload_action action,
			   enum devlink_reload_limit limit,
			   struct netlink_ext_ack *extack)
{
	struct esw_pf *pf = esw_pf_of_devlink(devlink);

	if (netns_change) {
		NL_SET_ERR_MSG_MOD(extack, "The adapter does not move between namespaces");
		return -EOPNOTSUPP;
	}
	if (pf->num_vfs)
		NL_SET_ERR_MSG_MOD(extack, "reload while VFs are present is unfavorable");
	if (pf->netdev)
		esw_pf_unload(pf);
	return 0;
}

static int esw_reload_up(struct devlink *devlink,
			 enum devlink_reload_action action,
			 enum devlink_reload_limit limit, u32 *performed,
			 struct netlink_ext_ack *extack)
{
	struct esw_pf *pf = esw_pf_of_devlink(devlink);

	esw_resources_reload(pf);
	*performed = BIT(DEVLINK_RELOAD_ACTION_DRIVER_REINIT);
	return esw_pf_load(pf);
}

static struct esw_port *esw_port_of(struct devlink_port *dl_port)
{
	return container_of(dl_port, struct esw_port, dl_port);
}

static int esw_hw_addr_get(struct devlink_port *dl_port, u8 *addr, int *len,
			   struct netlink_ext_ack *extack)
{
	struct esw_port *port = esw_port_of(dl_port);

	if (esw_port_is_uplink(port))
		return -EOPNOTSUPP;
	ether_addr_copy(addr, port->cfg.mac);
	*len = ETH_ALEN;
	return 0;
}

static int esw_hw_addr_set(struct devlink_port *dl_port, const u8 *addr,
			   int len, struct netlink_ext_ack *extack)
{
	struct esw_port *port = esw_port_of(dl_port);

	if (esw_port_is_uplink(port)) {
		NL_SET_ERR_MSG_MOD(extack, "Port doesn't support set hw_addr");
		return -EOPNOTSUPP;
	}
	if (len != ETH_ALEN || is_multicast_ether_addr(addr)) {
		NL_SET_ERR_MSG_MOD(extack, "Not a unicast MAC address");
		return -EINVAL;
	}
	ether_addr_copy(port->cfg.mac, addr);
	return 0;
}

static int esw_leaf_tx_share(struct devlink_rate *rate, void *priv, u64 share,
			     struct netlink_ext_ack *extack)
{
	int err = esw_rate_check(share, extack);

	if (!err)
		esw_qos_set_share(priv, share);
	return err;
}

static int esw_leaf_tx_max(struct devlink_rate *rate, void *priv, u64 max,
			   struct netlink_ext_ack *extack)
{
	int err = esw_rate_check(max, extack);

	if (!err)
		esw_qos_set_max(priv, max);
	return err;
}

static int esw_node_tx_max(struct devlink_rate *rate, void *priv, u64 max,
			   struct netlink_ext_ack *extack)
{
	int err = esw_rate_check(max, extack);

	if (!err)
		esw_node_set_max(priv, max);
	return err;
}

static int esw_rate_node_new(struct devlink_rate *rate, void **priv,
			     struct netlink_ext_ack *extack)
{
	struct esw_pf *pf = esw_pf_of_devlink(rate->devlink);
	struct esw_node *node;

	if (!esw_switchdev(pf)) {
		NL_SET_ERR_MSG_MOD(extack, "Rate node creation supported only in switchdev mode");
		return -EOPNOTSUPP;
	}
	node = esw_node_new(pf);
	if (!node)
		return -ENOMEM;
	*priv = node;
	return 0;
}

static int esw_rate_node_del(struct devlink_rate *rate, void *priv,
			     struct netlink_ext_ack *extack)
{
	esw_node_del(priv);
	return 0;
}

static int esw_leaf_parent(struct devlink_rate *child,
			   struct devlink_rate *parent, void *priv_child,
			   void *priv_parent, struct netlink_ext_ack *extack)
{
	esw_leaf_set_node(priv_child, priv_parent);
	return 0;
}

const struct devlink_ops esw_pf_devlink_ops = {
	.reload_actions		= BIT(DEVLINK_RELOAD_ACTION_DRIVER_REINIT),
	.reload_down		= esw_reload_down,
	.reload_up		= esw_reload_up,
	.eswitch_mode_get	= esw_mode_get,
	.eswitch_mode_set	= esw_mode_set,
	.eswitch_inline_mode_get = esw_inline_mode_get,
	.eswitch_encap_mode_get	= esw_encap_mode_get,
	.info_get		= esw_info_get,
	.port_function_hw_addr_get = esw_hw_addr_get,
	.port_function_hw_addr_set = esw_hw_addr_set,
	.rate_leaf_tx_share_set	= esw_leaf_tx_share,
	.rate_leaf_tx_max_set	= esw_leaf_tx_max,
	.rate_node_tx_max_set	= esw_node_tx_max,
	.rate_node_new		= esw_rate_node_new,
	.rate_node_del		= esw_rate_node_del,
	.rate_leaf_parent_set	= esw_leaf_parent,
};
