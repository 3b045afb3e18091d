// SPDX-License-Identifier: GPL-2.0
/* A VF bound to its driver: its own devlink instance and its netdev. */
#include <linux/rtnetlink.h>

#include "eswemu.h"

struct esw_vf {
	struct devlink_port dl_port;
	struct esw_port *port;
	struct net_device *netdev;
};

const struct devlink_ops esw_vf_devlink_ops = {};

static int esw_vf_start(struct devlink *devlink, struct esw_fn *fn)
{
	struct esw_vf *vf = devlink_priv(devlink);
	struct devlink_port_attrs attrs = {};
	int err;

	attrs.flavour = DEVLINK_PORT_FLAVOUR_VIRTUAL;
	devlink_port_attrs_set(&vf->dl_port, &attrs);
	err = devl_port_register(devlink, &vf->dl_port, 0);
	if (err)
		return err;
	vf->port = &fn->pf->ports[fn->vf + 1];
	vf->netdev = esw_vf_netdev_create(vf->port, &fn->dev, &vf->dl_port);
	if (IS_ERR(vf->netdev)) {
		devl_port_unregister(&vf->dl_port);
		return PTR_ERR(vf->netdev);
	}
	devlink_port_type_eth_set(&vf->dl_port, vf->netdev);
	return 0;
}

int esw_vf_probe(struct esw_fn *fn)
{
	struct devlink *devlink;
	int err;

	devlink = devlink_alloc(&esw_vf_devlink_ops, sizeof(struct esw_vf),
				&fn->dev);
	if (!devlink)
		return -ENOMEM;
	devl_lock(devlink);
	err = esw_vf_start(devlink, fn);
	devl_unlock(devlink);
	if (err) {
		devlink_free(devlink);
		return err;
	}
	dev_set_drvdata(&fn->dev, devlink);
	devlink_register(devlink);
	return 0;
}

void esw_vf_remove(struct esw_fn *fn)
{
	struct devlink *devlink = dev_get_drvdata(&fn->dev);
	struct esw_vf *vf = devlink_priv(devlink);

	devlink_unregister(devlink);
	devl_lock(devlink);
	devlink_port_type_clear(&vf->dl_port);
	RCU_INIT_POINTER(vf->port->nic, NULL);
	synchronize_net();
	esw_netdev_free(vf->netdev);
	devl_port_unregister(&vf->dl_port);
	devl_unlock(devlink);
	dev_set_drvdata(&fn->dev, NULL);
	devlink_free(devlink);
}

/* A function level reset: what is queued is lost, the link goes and comes. */
void esw_vf_reset(struct esw_fn *fn)
{
	struct devlink *devlink;
	struct esw_vf *vf;

	if (fn->vf < 0)
		return;
	devlink = dev_get_drvdata(&fn->dev);
	vf = devlink_priv(devlink);
	rtnl_lock();
	netif_carrier_off(vf->netdev);
	esw_qos_flush(vf->port);
	if (netif_running(vf->netdev)) {
		esw_netdev_stop(vf->netdev);
		esw_netdev_open(vf->netdev);
	}
	esw_link_update(vf->port);
	rtnl_unlock();
}
