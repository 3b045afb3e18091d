// SPDX-License-Identifier: GPL-2.0
/*
 * The bus on which the functions sit, with the manners of PCI. Cards come and
 * go by its new_device and del_device files:
 *
 *	echo "ID [PFS [VFS_A_PF [FLOWS_A_PF]]]" > /sys/bus/eswemu/new_device
 *	echo "ID" > /sys/bus/eswemu/del_device
 */
#include <linux/module.h>
#include <linux/slab.h>

#include "eswemu.h"

static LIST_HEAD(esw_cards);
static DEFINE_MUTEX(esw_cards_lock);
static bool esw_closed;		/* the module goes: no more cards */

static struct esw_card *esw_card_find(unsigned int id)
{
	struct esw_card *card;

	list_for_each_entry(card, &esw_cards, node)
		if (card->id == id)
			return card;
	return NULL;
}

static void esw_card_unplug(struct esw_card *card)
{
	int i;

	list_del(&card->node);
	for (i = card->n_pfs - 1; i >= 0; i--)
		if (card->pfs[i].fn)
			esw_fn_del(card->pfs[i].fn);
	esw_card_free(card);
}

static int esw_card_plug(unsigned int id, unsigned int pfs, u32 vfs, u32 flows)
{
	struct esw_card *card;
	struct esw_fn *fn;
	unsigned int i;

	if (esw_card_find(id))
		return -EEXIST;
	card = esw_card_new(id, pfs, vfs, flows);
	if (IS_ERR(card))
		return PTR_ERR(card);
	list_add_tail(&card->node, &esw_cards);
	for (i = 0; i < pfs; i++) {
		fn = esw_fn_add(&card->pfs[i], -1);
		if (IS_ERR(fn)) {
			esw_card_unplug(card);
			return PTR_ERR(fn);
		}
		card->pfs[i].fn = fn;
	}
	return 0;
}

static ssize_t new_device_store(struct bus_type *bus, const char *buf,
				size_t count)
{
	unsigned int id, pfs = 1, vfs = 8, flows = 65536;
	int err;

	if (sscanf(buf, "%u %u %u %u", &id, &pfs, &vfs, &flows) < 1) {
		pr_err("eswemu: new_device takes \"ID [PFS [VFS [FLOWS]]]\"\n");
		return -EINVAL;
	}
	if (id > 9999 || !pfs || pfs > ESW_MAX_PFS || vfs > ESW_MAX_VFS ||
	    !flows || flows > INT_MAX)
		return -EINVAL;
	mutex_lock(&esw_cards_lock);
	err = esw_closed ? -ENODEV : esw_card_plug(id, pfs, vfs, flows);
	mutex_unlock(&esw_cards_lock);
	return err ?: count;
}
static BUS_ATTR_WO(new_device);

static ssize_t del_device_store(struct bus_type *bus, const char *buf,
				size_t count)
{
	struct esw_card *card;
	unsigned int id;

	if (kstrtouint(buf, 0, &id))
		return -EINVAL;
	mutex_lock(&esw_cards_lock);
	card = esw_card_find(id);
	if (card)
		esw_card_unplug(card);
	mutex_unlock(&esw_cards_lock);
	return card ? count : -ENOENT;
}
static BUS_ATTR_WO(del_device);

static struct attribute *esw_bus_attrs[] = {
	&bus_attr_new_device.attr,
	&bus_attr_del_device.attr,
	NULL
};
ATTRIBUTE_GROUPS(esw_bus);

/* As PCI does, an override names the only driver that may bind. */
static int esw_bus_match(struct device *dev, struct device_driver *drv)
{
	struct esw_fn *fn = to_esw_fn(dev);

	if (fn->driver_override)
		return !strcmp(fn->driver_override, drv->name);
	return 1;
}

static int esw_bus_probe(struct device *dev)
{
	struct esw_fn *fn = to_esw_fn(dev);

	if (fn->vf < 0)
		return esw_pf_probe(fn);
	if (!fn->pf->autoprobe && !fn->driver_override)
		return -ENODEV;
	return esw_vf_probe(fn);
}

static void esw_bus_remove(struct device *dev)
{
	struct esw_fn *fn = to_esw_fn(dev);

	if (fn->vf < 0)
		esw_pf_remove(fn);
	else
		esw_vf_remove(fn);
}

static int esw_bus_num_vf(struct device *dev)
{
	struct esw_fn *fn = to_esw_fn(dev);

	return fn->vf < 0 ? READ_ONCE(fn->pf->num_vfs) : 0;
}

struct bus_type esw_bus = {
	.name		= "eswemu",
	.bus_groups	= esw_bus_groups,
	.match		= esw_bus_match,
	.probe		= esw_bus_probe,
	.remove		= esw_bus_remove,
	.num_vf		= esw_bus_num_vf,
};

static struct device_driver esw_driver = {
	.name	= "eswemu",
	.bus	= &esw_bus,
	.owner	= THIS_MODULE,
};

static void esw_fn_release(struct device *dev)
{
	struct esw_fn *fn = to_esw_fn(dev);

	kfree(fn->driver_override);
	kfree(fn);
}

static const struct device_type esw_pf_type = {
	.groups		= esw_pf_attr_groups,
	.release	= esw_fn_release,
};

static const struct device_type esw_vf_type = {
	.groups		= esw_vf_attr_groups,
	.release	= esw_fn_release,
};

struct esw_fn *esw_fn_add(struct esw_pf *pf, int vf)
{
	struct esw_fn *fn = kzalloc(sizeof(*fn), GFP_KERNEL);
	int err;

	if (!fn)
		return ERR_PTR(-ENOMEM);
	fn->pf = pf;
	fn->vf = vf;
	fn->dev.bus = &esw_bus;
	fn->dev.parent = pf->card->root;
	fn->dev.type = vf < 0 ? &esw_pf_type : &esw_vf_type;
	device_initialize(&fn->dev);
	if (vf < 0)
		err = dev_set_name(&fn->dev, "card%u.%u", pf->card->id,
				   pf->index);
	else
		err = dev_set_name(&fn->dev, "card%u.%uv%d", pf->card->id,
				   pf->index, vf);
	if (!err)
		err = device_add(&fn->dev);
	if (err) {
		put_device(&fn->dev);
		return ERR_PTR(err);
	}
	return fn;
}

void esw_fn_del(struct esw_fn *fn)
{
	device_unregister(&fn->dev);
}

int esw_bus_init(void)
{
	int err;

	err = bus_register(&esw_bus);
	if (err)
		return err;
	err = driver_register(&esw_driver);
	if (err)
		bus_unregister(&esw_bus);
	return err;
}

void esw_bus_exit(void)
{
	struct esw_card *card, *tmp;

	mutex_lock(&esw_cards_lock);
	esw_closed = true;
	list_for_each_entry_safe(card, tmp, &esw_cards, node)
		esw_card_unplug(card);
	mutex_unlock(&esw_cards_lock);
	driver_unregister(&esw_driver);
	bus_unregister(&esw_bus);
}
