// SPDX-License-Identifier: GPL-2.0
/* Cards with their PFs and ports: memory that lives as long as the card. */
#include <linux/slab.h>

#include "eswemu.h"

static void esw_ports_free(struct esw_pf *pf)
{
	u32 i;

	for (i = 0; pf->ports && i <= pf->card->total_vfs; i++)
		free_percpu(pf->ports[i].cnt);
	kvfree(pf->ports);
	kfree(pf->vfs);
}

static int esw_ports_alloc(struct esw_pf *pf)
{
	u32 i, n = pf->card->total_vfs;

	pf->vfs = kcalloc(n ?: 1, sizeof(*pf->vfs), GFP_KERNEL);
	pf->ports = kvcalloc(n + 1, sizeof(*pf->ports), GFP_KERNEL);
	if (!pf->vfs || !pf->ports)
		return -ENOMEM;
	for (i = 0; i <= n; i++) {
		struct esw_port *port = &pf->ports[i];

		port->pf = pf;
		port->num = i;
		skb_queue_head_init(&port->leaf.queue);
		INIT_LIST_HEAD(&port->leaf.active);
		port->cnt = netdev_alloc_pcpu_stats(struct esw_counters);
		if (!port->cnt)
			return -ENOMEM;
	}
	return 0;
}

static int esw_pf_init(struct esw_card *card, unsigned int index)
{
	struct esw_pf *pf = &card->pfs[index];
	int err;

	pf->card = card;
	pf->index = index;
	pf->autoprobe = true;
	pf->mode = DEVLINK_ESWITCH_MODE_LEGACY;
	pf->profile = esw_profile_by_name("mlx5");
	pf->caps = (struct esw_caps){
		.cvlan = true, .pcp = true, .ttl = true, .icmp = true,
	};
	pf->res[ESW_RES_FLOWS].size = card->capacity;
	pf->res[ESW_RES_COUNTERS].size = (u64)card->capacity * 2;
	pf->res[ESW_RES_CT].size = card->capacity;
	pf->res[ESW_RES_ENCAPS].size = 4096;
	pf->res[ESW_RES_METERS].size = 1024;
	mutex_init(&pf->meters_lock);
	INIT_LIST_HEAD(&pf->meters);
	spin_lock_init(&pf->qos_lock);
	err = esw_ports_alloc(pf);
	if (!err)
		err = esw_fdb_init(pf);
	if (err)
		esw_ports_free(pf);
	return err;
}

static void esw_pf_exit(struct esw_pf *pf)
{
	esw_fdb_exit(pf);
	esw_ports_free(pf);
}

struct esw_card *esw_card_new(unsigned int id, unsigned int n_pfs, u32 vfs,
			      u32 capacity)
{
	struct esw_card *card = kzalloc(sizeof(*card), GFP_KERNEL);
	char name[16];
	int err;

	if (!card)
		return ERR_PTR(-ENOMEM);
	card->id = id;
	card->total_vfs = vfs;
	card->capacity = capacity;
	card->switch_id.id_len = 8;
	get_random_bytes(card->switch_id.id, 8);
	snprintf(name, sizeof(name), "card%u", id);
	card->root = root_device_register(name);
	if (IS_ERR(card->root)) {
		err = PTR_ERR(card->root);
		kfree(card);
		return ERR_PTR(err);
	}
	for (; card->n_pfs < n_pfs; card->n_pfs++) {
		err = esw_pf_init(card, card->n_pfs);
		if (err) {
			esw_card_free(card);
			return ERR_PTR(err);
		}
	}
	return card;
}

void esw_card_free(struct esw_card *card)
{
	unsigned int i;

	for (i = 0; i < card->n_pfs; i++)
		esw_pf_exit(&card->pfs[i]);
	root_device_unregister(card->root);
	kfree(card);
}

/*
 * The port that @dev is the host side of, or NULL when @dev is no netdev of a
 * switch. Under RTNL or RCU.
 */
struct esw_port *esw_port_by_netdev(const struct net_device *dev)
{
	struct esw_netdev *nd = netdev_priv(dev);

	if (!esw_is_rep(dev) && !esw_is_uplink(dev))
		return NULL;
	return nd->port;
}
