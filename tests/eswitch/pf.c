// SPDX-License-Identifier: GPL-2.0
/*
 * A PF bound to its driver: devlink instance, netdevs, eSwitch mode. Load and
 * unload are what a devlink reload does and undoes; probe and remove are
 * around them.
 */
#include <linux/rtnetlink.h>
#include <uapi/linux/if_bridge.h>

#include "eswemu.h"

static void esw_uplink_attrs(struct esw_pf *pf)
{
	struct devlink_port_attrs attrs = {};

	attrs.flavour = DEVLINK_PORT_FLAVOUR_PHYSICAL;
	attrs.phys.port_number = pf->index;
	attrs.switch_id = pf->card->switch_id;
	devlink_port_attrs_set(&pf->ports[0].dl_port, &attrs);
}

static int esw_port_register(struct esw_port *port, unsigned int index)
{
	struct esw_pf *pf = port->pf;
	int err;

	memset(&port->dl_port, 0, sizeof(port->dl_port));
	if (esw_port_is_uplink(port)) {
		esw_uplink_attrs(pf);
	} else {
		port->dl_port.attrs.switch_id = pf->card->switch_id;
		devlink_port_attrs_pci_vf_set(&port->dl_port, 0, pf->index,
					      port->num - 1, false);
	}
	err = devl_port_register(pf->devlink, &port->dl_port,
				 (unsigned int)pf->index << 16 | index);
	port->dl_registered = !err;
	return err;
}

static void esw_port_unregister(struct esw_port *port)
{
	if (port->dl_registered)
		devl_port_unregister(&port->dl_port);
	port->dl_registered = false;
}

static int esw_vf_port_load(struct esw_port *port)
{
	int err;

	err = esw_port_register(port, port->num);
	if (err)
		return err;
	err = devl_rate_leaf_create(&port->dl_port, port);
	if (err)
		goto err_port;
	err = esw_rep_create(port);
	if (err)
		goto err_leaf;
	return 0;

err_leaf:
	devl_rate_leaf_destroy(&port->dl_port);
err_port:
	esw_port_unregister(port);
	return err;
}

static void esw_vf_port_unload(struct esw_port *port)
{
	if (!port->dl_registered)
		return;
	esw_rep_destroy(port);
	devl_rate_leaf_destroy(&port->dl_port);
	esw_leaf_set_node(port, NULL);
	esw_qos_set_max(port, 0);
	esw_qos_set_share(port, 0);
	esw_port_unregister(port);
}

/* Ports and representors of the first @n VFs; under devl_lock. */
int esw_pf_load_vf_ports(struct esw_pf *pf, u32 n)
{
	u32 i;
	int err;

	for (i = 1; i <= n; i++) {
		err = esw_vf_port_load(&pf->ports[i]);
		if (err) {
			esw_pf_unload_vf_ports(pf, i - 1);
			return err;
		}
	}
	return 0;
}

void esw_pf_unload_vf_ports(struct esw_pf *pf, u32 n)
{
	for (; n; n--)
		esw_vf_port_unload(&pf->ports[n]);
}

/* The port of VF number @vf, to which representors belong; under devl_lock. */
static struct esw_port *esw_pf_vf_port(struct esw_pf *pf, u64 vf)
{
	return esw_switchdev(pf) && vf < pf->num_vfs ? &pf->ports[vf + 1] :
						       NULL;
}

/* Faults: one devlink port goes with its representor while its VF stays, ... */
int esw_pf_lose_vf_port(struct esw_pf *pf, u64 vf)
{
	struct esw_port *port;
	int err = -ENOENT;

	devl_lock(pf->devlink);
	port = esw_pf_vf_port(pf, vf);
	if (port && port->dl_registered) {
		esw_vf_port_unload(port);
		err = 0;
	}
	devl_unlock(pf->devlink);
	return err;
}

/* ... and comes back, as new. */
int esw_pf_find_vf_port(struct esw_pf *pf, u64 vf)
{
	struct esw_port *port;
	int err = -ENOENT;

	devl_lock(pf->devlink);
	port = esw_pf_vf_port(pf, vf);
	if (port)
		err = port->dl_registered ? -EEXIST : esw_vf_port_load(port);
	devl_unlock(pf->devlink);
	return err;
}

/*
 * Change the eSwitch's mode; under devl_lock, with the FDB empty and blocked.
 * The mode changes first: a representor that is not there yet loses packets,
 * one that is there in the wrong mode would leak them.
 */
int esw_pf_set_mode(struct esw_pf *pf, u16 mode)
{
	u32 i;
	int err = 0;

	if (mode == pf->mode)
		return 0;
	WRITE_ONCE(pf->mode, mode);
	if (mode == DEVLINK_ESWITCH_MODE_SWITCHDEV) {
		err = esw_pf_load_vf_ports(pf, pf->num_vfs);
		if (err)
			WRITE_ONCE(pf->mode, DEVLINK_ESWITCH_MODE_LEGACY);
	} else {
		esw_pf_unload_vf_ports(pf, pf->num_vfs);
	}
	rtnl_lock();
	esw_uplink_mode_changed(pf);
	for (i = 1; i <= pf->num_vfs; i++)
		esw_link_update(&pf->ports[i]);
	rtnl_unlock();
	return err;
}

int esw_pf_load(struct esw_pf *pf)
{
	int err;

	err = esw_port_register(&pf->ports[0], ESW_UPLINK_INDEX);
	if (err)
		return err;
	err = esw_uplink_create(pf);
	if (err)
		goto err_port;
	WRITE_ONCE(pf->dead, false);
	return 0;

err_port:
	esw_port_unregister(&pf->ports[0]);
	return err;
}

/* Back to legacy mode with an empty FDB; VFs stay. Under devl_lock. */
void esw_pf_unload(struct esw_pf *pf)
{
	devl_rate_nodes_destroy(pf->devlink);
	esw_pf_set_mode(pf, DEVLINK_ESWITCH_MODE_LEGACY);
	esw_uplink_destroy(pf);
	esw_fdb_forget_all(pf);
	esw_port_unregister(&pf->ports[0]);
}

static int esw_pf_start(struct esw_pf *pf)
{
	int err;

	err = esw_resources_register(pf);
	if (err)
		return err;
	esw_qos_init(pf);
	if (!esw_cable_create(&pf->ports[0])) {
		err = -ENOMEM;
		goto err_qos;
	}
	err = esw_pf_load(pf);
	if (err)
		goto err_cable;
	return 0;

err_cable:
	esw_cable_destroy(&pf->ports[0]);
err_qos:
	esw_qos_exit(pf);
	devl_resources_unregister(pf->devlink);
	return err;
}

static void esw_pf_stop(struct esw_pf *pf)
{
	devl_lock(pf->devlink);
	/* A reload that failed half-way has already unloaded. */
	if (pf->netdev)
		esw_pf_unload(pf);
	esw_cable_destroy(&pf->ports[0]);
	esw_qos_exit(pf);
	devl_resources_unregister(pf->devlink);
	devl_unlock(pf->devlink);
}

int esw_pf_probe(struct esw_fn *fn)
{
	struct esw_pf *pf = fn->pf;
	struct devlink *devlink;
	int err;

	devlink = devlink_alloc(&esw_pf_devlink_ops, sizeof(pf), &fn->dev);
	if (!devlink)
		return -ENOMEM;
	*(struct esw_pf **)devlink_priv(devlink) = pf;
	pf->devlink = devlink;
	pf->fn = fn;
	pf->bridge_mode = BRIDGE_MODE_VEB;
	devl_lock(devlink);
	err = esw_pf_start(pf);
	devl_unlock(devlink);
	if (err)
		goto err_free;
	err = esw_params_register(pf);
	if (err)
		goto err_stop;
	err = esw_health_init(pf);
	if (err)
		goto err_params;
	err = esw_tc_register(pf);
	if (err)
		goto err_health;
	esw_debugfs_add(pf);
	dev_set_drvdata(&fn->dev, pf);
	devlink_set_features(devlink, DEVLINK_F_RELOAD);
	devlink_register(devlink);
	return 0;

err_health:
	esw_health_exit(pf);
err_params:
	esw_params_unregister(pf);
err_stop:
	esw_pf_stop(pf);
err_free:
	devlink_free(devlink);
	pf->devlink = NULL;
	return err;
}

void esw_pf_remove(struct esw_fn *fn)
{
	struct esw_pf *pf = fn->pf;
	struct devlink *devlink = pf->devlink;

	esw_sriov_disable(pf);
	dev_set_drvdata(&fn->dev, NULL);
	devlink_unregister(devlink);
	esw_debugfs_del(pf);
	esw_tc_unregister(pf);
	esw_health_exit(pf);
	esw_params_unregister(pf);
	esw_pf_stop(pf);
	devlink_free(devlink);
	pf->devlink = NULL;
}
