// SPDX-License-Identifier: GPL-2.0
/*
 * VFs: the files of PCI's SR-IOV capability, and the functions they make.
 * The device_lock of the PF serialises changes of their number.
 */
#include <linux/slab.h>

#include "eswemu.h"

static void esw_vf_links(struct esw_pf *pf, struct esw_fn *fn, bool on)
{
	char name[16];

	snprintf(name, sizeof(name), "virtfn%d", fn->vf);
	if (!on) {
		sysfs_remove_link(&fn->dev.kobj, "physfn");
		sysfs_remove_link(&pf->fn->dev.kobj, name);
		return;
	}
	/* A missing link breaks a look-up by hand, not the adapter. */
	if (sysfs_create_link(&fn->dev.kobj, &pf->fn->dev.kobj, "physfn") ||
	    sysfs_create_link(&pf->fn->dev.kobj, &fn->dev.kobj, name))
		dev_warn(&fn->dev, "no physfn or virtfn link\n");
}

static void esw_vfs_remove(struct esw_pf *pf, u32 n)
{
	while (n-- > 0) {
		struct esw_fn *fn = pf->vfs[n];

		if (!fn)
			continue;
		pf->vfs[n] = NULL;
		esw_vf_links(pf, fn, false);
		esw_fn_del(fn);
	}
}

static int esw_vfs_add(struct esw_pf *pf, u32 n)
{
	struct esw_fn *fn;
	u32 i;

	for (i = 0; i < n; i++) {
		fn = esw_fn_add(pf, i);
		if (IS_ERR(fn)) {
			esw_vfs_remove(pf, i);
			return PTR_ERR(fn);
		}
		pf->vfs[i] = fn;
		esw_vf_links(pf, fn, true);
	}
	return 0;
}

static int esw_sriov_enable(struct esw_pf *pf, u32 n)
{
	u32 i;
	int err;

	devl_lock(pf->devlink);
	for (i = 1; i <= n; i++) {
		/* Rules that still point at a VF that was are void. */
		pf->ports[i].gen++;
		memset(&pf->ports[i].cfg, 0, sizeof(pf->ports[i].cfg));
		pf->ports[i].cfg.vlan_proto = htons(ETH_P_8021Q);
	}
	err = esw_switchdev(pf) ? esw_pf_load_vf_ports(pf, n) : 0;
	if (!err)
		WRITE_ONCE(pf->num_vfs, n);
	devl_unlock(pf->devlink);
	if (err)
		return err;
	err = esw_vfs_add(pf, n);
	if (err)
		esw_sriov_disable(pf);
	return err;
}

void esw_sriov_disable(struct esw_pf *pf)
{
	u32 n = pf->num_vfs;

	esw_vfs_remove(pf, n);
	devl_lock(pf->devlink);
	devl_rate_nodes_destroy(pf->devlink);
	esw_pf_unload_vf_ports(pf, n);
	WRITE_ONCE(pf->num_vfs, 0);
	devl_unlock(pf->devlink);
}

static int esw_sriov_set(struct esw_pf *pf, u32 n)
{
	if (n > pf->card->total_vfs)
		return -ERANGE;
	if (n == pf->num_vfs)
		return 0;
	if (n && pf->num_vfs) {
		dev_warn(&pf->fn->dev,
			 "%u VFs already enabled, disable them first\n",
			 pf->num_vfs);
		return -EBUSY;
	}
	if (n)
		return esw_sriov_enable(pf, n);
	esw_sriov_disable(pf);
	return 0;
}

static ssize_t sriov_numvfs_store(struct device *dev,
				  struct device_attribute *attr,
				  const char *buf, size_t count)
{
	struct esw_fn *fn = to_esw_fn(dev);
	u16 n;
	int err;

	err = kstrtou16(buf, 0, &n);
	if (err)
		return err;
	device_lock(dev);
	/* Not bound: PCI says the same. */
	err = dev_get_drvdata(dev) ? esw_sriov_set(fn->pf, n) : -ENOENT;
	device_unlock(dev);
	return err ?: count;
}

static ssize_t sriov_numvfs_show(struct device *dev,
				 struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", to_esw_fn(dev)->pf->num_vfs);
}
static DEVICE_ATTR_RW(sriov_numvfs);

static ssize_t sriov_totalvfs_show(struct device *dev,
				   struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", to_esw_fn(dev)->pf->card->total_vfs);
}
static DEVICE_ATTR_RO(sriov_totalvfs);

static ssize_t sriov_drivers_autoprobe_store(struct device *dev,
					     struct device_attribute *attr,
					     const char *buf, size_t count)
{
	bool on;

	if (kstrtobool(buf, &on))
		return -EINVAL;
	to_esw_fn(dev)->pf->autoprobe = on;
	return count;
}

static ssize_t sriov_drivers_autoprobe_show(struct device *dev,
					    struct device_attribute *attr,
					    char *buf)
{
	return sysfs_emit(buf, "%u\n", to_esw_fn(dev)->pf->autoprobe);
}
static DEVICE_ATTR_RW(sriov_drivers_autoprobe);

static ssize_t driver_override_store(struct device *dev,
				     struct device_attribute *attr,
				     const char *buf, size_t count)
{
	int err;

	err = driver_set_override(dev, &to_esw_fn(dev)->driver_override, buf,
				  count);
	return err ?: count;
}

static ssize_t driver_override_show(struct device *dev,
				    struct device_attribute *attr, char *buf)
{
	ssize_t len;

	device_lock(dev);
	len = sysfs_emit(buf, "%s\n", to_esw_fn(dev)->driver_override);
	device_unlock(dev);
	return len;
}
static DEVICE_ATTR_RW(driver_override);

static ssize_t reset_store(struct device *dev, struct device_attribute *attr,
			   const char *buf, size_t count)
{
	bool on;

	if (kstrtobool(buf, &on) || !on)
		return -EINVAL;
	device_lock(dev);
	if (dev_get_drvdata(dev))
		esw_vf_reset(to_esw_fn(dev));
	device_unlock(dev);
	return count;
}
static DEVICE_ATTR_WO(reset);

static struct attribute *esw_pf_attrs[] = {
	&dev_attr_sriov_numvfs.attr,
	&dev_attr_sriov_totalvfs.attr,
	&dev_attr_sriov_drivers_autoprobe.attr,
	&dev_attr_driver_override.attr,
	NULL
};

static const struct attribute_group esw_pf_attr_group = {
	.attrs = esw_pf_attrs,
};

const struct attribute_group *esw_pf_attr_groups[] = {
	&esw_pf_attr_group,
	NULL
};

static struct attribute *esw_vf_attrs[] = {
	&dev_attr_driver_override.attr,
	&dev_attr_reset.attr,
	NULL
};

static const struct attribute_group esw_vf_attr_group = {
	.attrs = esw_vf_attrs,
};

const struct attribute_group *esw_vf_attr_groups[] = {
	&esw_vf_attr_group,
	NULL
};
