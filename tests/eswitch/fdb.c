// SPDX-License-Identifier: GPL-2.0
/*
 * The forwarding table of a PF's eSwitch: chains by index, in a chain groups
 * of rules with the same priority and mask ordered by priority, in a group a
 * hash table by masked key. Two rules of the same key may be there while one
 * replaces the other; the newer wins.
 *
 * Counters are kept per CPU; the "firmware" adds them up now and then, and tc
 * is told only what it last added up.
 */
#include <linux/slab.h>

#include "eswemu.h"

struct esw_chain {
	struct rhash_head node;
	u32 index;
	struct list_head groups;
	struct rcu_head rcu;
};

struct esw_group {
	struct list_head list;
	struct esw_chain *chain;
	u32 prio;
	unsigned int words;		/* of the key that are looked at */
	struct esw_key mask;
	unsigned int n;
	struct rhashtable_params params;
	struct rhltable rules;
	struct rcu_work free_work;
};

static const struct rhashtable_params esw_chain_params = {
	.key_len	= sizeof_field(struct esw_chain, index),
	.key_offset	= offsetof(struct esw_chain, index),
	.head_offset	= offsetof(struct esw_chain, node),
	.automatic_shrinking = true,
};

static const struct rhashtable_params esw_cookie_params = {
	.key_len	= sizeof_field(struct esw_rule, id),
	.key_offset	= offsetof(struct esw_rule, id),
	.head_offset	= offsetof(struct esw_rule, cookie_node),
	.automatic_shrinking = true,
};

static const struct rhashtable_params esw_group_params = {
	.key_offset	= offsetof(struct esw_rule, key),
	.head_offset	= offsetof(struct esw_rule, node),
	.automatic_shrinking = true,
};

#define ESW_KEY_WORDS	(sizeof(struct esw_key) / sizeof(u64))

static void esw_key_mask(struct esw_key *out, const struct esw_key *key,
			 const struct esw_key *mask, unsigned int words)
{
	const u64 *k = (const u64 *)key, *m = (const u64 *)mask;
	u64 *o = (u64 *)out;

	while (words--)
		*o++ = *k++ & *m++;
}

static unsigned int esw_mask_words(const struct esw_key *mask)
{
	const u64 *m = (const u64 *)mask;
	unsigned int n = ESW_KEY_WORDS;

	while (n > 1 && !m[n - 1])
		n--;
	return n;
}

/* The rule for @key in @chain, or NULL. RCU held. */
struct esw_rule *esw_fdb_lookup(struct esw_fdb *fdb, u32 index,
				const struct esw_key *key)
{
	struct esw_chain *chain;
	struct esw_group *group;
	struct rhlist_head *pos, *list;
	struct esw_key masked;
	struct esw_rule *rule;

	chain = rhashtable_lookup(&fdb->chains, &index, esw_chain_params);
	if (!chain)
		return NULL;
	list_for_each_entry_rcu(group, &chain->groups, list) {
		esw_key_mask(&masked, key, &group->mask, group->words);
		list = rhltable_lookup(&group->rules, &masked, group->params);
		rhl_for_each_entry_rcu(rule, pos, list, node)
			if (!READ_ONCE(rule->forgotten))
				return rule;
	}
	return NULL;
}

void esw_rule_count(struct esw_rule *rule, const struct sk_buff *skb)
{
	struct esw_rule_counter *c = this_cpu_ptr(rule->cnt);

	u64_stats_update_begin(&c->syncp);
	c->packets += esw_skb_packets(skb);
	c->bytes += esw_skb_bytes(skb);
	u64_stats_update_end(&c->syncp);
}

struct esw_rule *esw_rule_alloc(unsigned int n_acts)
{
	struct esw_rule *rule;

	rule = kzalloc(struct_size(rule, acts, n_acts), GFP_KERNEL);
	if (!rule)
		return NULL;
	rule->cnt = netdev_alloc_pcpu_stats(struct esw_rule_counter);
	if (!rule->cnt) {
		kfree(rule);
		return NULL;
	}
	rule->lastused = jiffies;
	return rule;
}

void esw_rule_free(struct esw_rule *rule)
{
	esw_actions_release(rule);
	free_percpu(rule->cnt);
	kfree(rule);
}

static void esw_rule_free_work(struct work_struct *work)
{
	esw_rule_free(container_of(to_rcu_work(work), struct esw_rule,
				   free_work));
}

static void esw_group_free_work(struct work_struct *work)
{
	struct esw_group *group = container_of(to_rcu_work(work),
					       struct esw_group, free_work);

	rhltable_destroy(&group->rules);
	kfree(group);
}

static struct esw_chain *esw_chain_get(struct esw_fdb *fdb, u32 index)
{
	struct esw_chain *chain;

	chain = rhashtable_lookup_fast(&fdb->chains, &index, esw_chain_params);
	if (chain)
		return chain;
	chain = kzalloc(sizeof(*chain), GFP_KERNEL);
	if (!chain)
		return NULL;
	chain->index = index;
	INIT_LIST_HEAD(&chain->groups);
	if (rhashtable_insert_fast(&fdb->chains, &chain->node,
				   esw_chain_params)) {
		kfree(chain);
		return NULL;
	}
	return chain;
}

static void esw_chain_put(struct esw_fdb *fdb, struct esw_chain *chain)
{
	if (!list_empty(&chain->groups))
		return;
	rhashtable_remove_fast(&fdb->chains, &chain->node, esw_chain_params);
	kfree_rcu(chain, rcu);
}

static void esw_group_put(struct esw_fdb *fdb, struct esw_group *group)
{
	if (group->n)
		return;
	list_del_rcu(&group->list);
	esw_chain_put(fdb, group->chain);
	INIT_RCU_WORK(&group->free_work, esw_group_free_work);
	queue_rcu_work(esw_wq, &group->free_work);
}

static struct esw_group *esw_group_new(struct esw_chain *chain, u32 prio,
				       const struct esw_key *mask)
{
	struct esw_group *group = kzalloc(sizeof(*group), GFP_KERNEL);

	if (!group)
		return NULL;
	group->chain = chain;
	group->prio = prio;
	group->mask = *mask;
	group->words = esw_mask_words(mask);
	group->params = esw_group_params;
	group->params.key_len = group->words * sizeof(u64);
	if (rhltable_init(&group->rules, &group->params)) {
		kfree(group);
		return NULL;
	}
	return group;
}

static struct esw_group *esw_group_get(struct esw_fdb *fdb, u32 index,
				       u32 prio, const struct esw_key *mask)
{
	struct esw_chain *chain = esw_chain_get(fdb, index);
	struct esw_group *group, *pos;

	if (!chain)
		return NULL;
	list_for_each_entry(pos, &chain->groups, list) {
		if (pos->prio > prio)
			break;
		if (pos->prio == prio && !memcmp(&pos->mask, mask, sizeof(*mask)))
			return pos;
	}
	group = esw_group_new(chain, prio, mask);
	if (group)
		list_add_tail_rcu(&group->list, &pos->list);
	else
		esw_chain_put(fdb, chain);
	return group;
}

struct esw_rule *esw_fdb_find(struct esw_fdb *fdb, struct esw_port *port,
			      unsigned long cookie)
{
	struct {
		unsigned long cookie;
		struct esw_port *port;
	} id = { cookie, port };

	return rhashtable_lookup_fast(&fdb->by_cookie, &id, esw_cookie_params);
}

static int esw_rule_link(struct esw_fdb *fdb, struct esw_rule *rule,
			 const struct esw_key *mask)
{
	struct esw_group *group;
	struct esw_key key = rule->key;
	int err;

	err = rhashtable_lookup_insert_fast(&fdb->by_cookie,
					    &rule->cookie_node,
					    esw_cookie_params);
	if (err)
		return err;
	group = esw_group_get(fdb, rule->chain, rule->prio, mask);
	if (!group) {
		err = -ENOMEM;
		goto err_cookie;
	}
	rule->group = group;
	esw_key_mask(&rule->key, &key, mask, ESW_KEY_WORDS);
	err = rhltable_insert(&group->rules, &rule->node, group->params);
	if (err) {
		esw_group_put(fdb, group);
		goto err_cookie;
	}
	group->n++;
	list_add_tail(&rule->list, &fdb->rules);
	return 0;

err_cookie:
	rhashtable_remove_fast(&fdb->by_cookie, &rule->cookie_node,
			       esw_cookie_params);
	return err;
}

/* Take what @rule costs. A rule with no room is refused, as by firmware. */
static int esw_fdb_charge(struct esw_pf *pf, struct netlink_ext_ack *extack)
{
	if (!esw_resource_take(pf, ESW_RES_FLOWS))
		return esw_refuse(pf, extack, ESW_FULL);
	if (!esw_resource_take(pf, ESW_RES_COUNTERS)) {
		esw_resource_give(pf, ESW_RES_FLOWS);
		return esw_refuse(pf, extack, ESW_NO_COUNTER);
	}
	return 0;
}

static void esw_fdb_discharge(struct esw_pf *pf)
{
	esw_resource_give(pf, ESW_RES_COUNTERS);
	esw_resource_give(pf, ESW_RES_FLOWS);
}

/* The firmware takes so many commands at a time, and so long for each. */
void esw_fdb_command(struct esw_fdb *fdb)
{
	u32 us = READ_ONCE(fdb->latency_us);

	if (!us)
		return;
	down(&fdb->slots);
	usleep_range(us, us + us / 8 + 1);
	up(&fdb->slots);
}

/*
 * Put @rule, whose id, chain, prio, key and actions are set, into the table.
 * On success the table owns it.
 */
int esw_fdb_insert(struct esw_pf *pf, struct esw_rule *rule,
		   const struct esw_key *mask, struct netlink_ext_ack *extack)
{
	struct esw_fdb *fdb = &pf->fdb;
	int err;

	err = esw_fault_take(pf);
	if (err)
		return err;
	mutex_lock(&fdb->lock);
	if (READ_ONCE(pf->dead))
		err = -EIO;
	else if (fdb->blocked)
		err = esw_refuse(pf, extack, ESW_BUSY);
	else
		err = esw_fdb_charge(pf, extack);
	if (err)
		goto out;
	err = esw_rule_link(fdb, rule, mask);
	if (err)
		esw_fdb_discharge(pf);
out:
	mutex_unlock(&fdb->lock);
	return err;
}

static void esw_rule_unlink(struct esw_pf *pf, struct esw_rule *rule)
{
	struct esw_fdb *fdb = &pf->fdb;

	lockdep_assert_held(&fdb->lock);
	rhltable_remove(&rule->group->rules, &rule->node, rule->group->params);
	rhashtable_remove_fast(&fdb->by_cookie, &rule->cookie_node,
			       esw_cookie_params);
	list_del(&rule->list);
	rule->group->n--;
	esw_group_put(fdb, rule->group);
	esw_fdb_discharge(pf);
	INIT_RCU_WORK(&rule->free_work, esw_rule_free_work);
	queue_rcu_work(esw_wq, &rule->free_work);
}

int esw_fdb_remove(struct esw_pf *pf, struct esw_port *port,
		   unsigned long cookie)
{
	struct esw_rule *rule;

	mutex_lock(&pf->fdb.lock);
	rule = esw_fdb_find(&pf->fdb, port, cookie);
	if (rule)
		esw_rule_unlink(pf, rule);
	mutex_unlock(&pf->fdb.lock);
	return rule ? 0 : -ENOENT;
}

/* The table is empty after a reset, whatever tc believes. */
void esw_fdb_forget_all(struct esw_pf *pf)
{
	struct esw_rule *rule, *tmp;

	mutex_lock(&pf->fdb.lock);
	list_for_each_entry_safe(rule, tmp, &pf->fdb.rules, list)
		esw_rule_unlink(pf, rule);
	mutex_unlock(&pf->fdb.lock);
}

bool esw_port_has_rules(struct esw_port *port)
{
	struct esw_fdb *fdb = &port->pf->fdb;
	struct esw_rule *rule;
	bool found = false;

	mutex_lock(&fdb->lock);
	list_for_each_entry(rule, &fdb->rules, list) {
		found = rule->id.port == port;
		if (found)
			break;
	}
	mutex_unlock(&fdb->lock);
	return found;
}

static void esw_rule_snapshot(struct esw_rule *rule)
{
	u64 packets = 0, bytes = 0;
	unsigned int start;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct esw_rule_counter *c = per_cpu_ptr(rule->cnt, cpu);
		u64 p, b;

		do {
			start = u64_stats_fetch_begin_irq(&c->syncp);
			p = c->packets;
			b = c->bytes;
		} while (u64_stats_fetch_retry_irq(&c->syncp, start));
		packets += p;
		bytes += b;
	}
	if (packets == rule->packets)
		return;
	rule->packets = packets;
	rule->bytes = bytes;
	rule->lastused = jiffies;
}

static void esw_fdb_snapshot(struct work_struct *work)
{
	struct esw_fdb *fdb = container_of(to_delayed_work(work),
					   struct esw_fdb, snapshot);
	struct esw_pf *pf = container_of(fdb, struct esw_pf, fdb);
	struct esw_rule *rule;

	mutex_lock(&fdb->lock);
	if (!READ_ONCE(pf->faults.freeze_stats) && !READ_ONCE(pf->dead))
		list_for_each_entry(rule, &fdb->rules, list)
			esw_rule_snapshot(rule);
	mutex_unlock(&fdb->lock);
	queue_delayed_work(esw_wq, &fdb->snapshot,
			   msecs_to_jiffies(READ_ONCE(fdb->period_ms)));
}

int esw_fdb_init(struct esw_pf *pf)
{
	struct esw_fdb *fdb = &pf->fdb;
	int err;

	mutex_init(&fdb->lock);
	INIT_LIST_HEAD(&fdb->rules);
	INIT_DELAYED_WORK(&fdb->snapshot, esw_fdb_snapshot);
	fdb->n_slots = 1;
	sema_init(&fdb->slots, fdb->n_slots);
	fdb->period_ms = 1000;
	err = rhashtable_init(&fdb->chains, &esw_chain_params);
	if (err)
		return err;
	err = rhashtable_init(&fdb->by_cookie, &esw_cookie_params);
	if (err) {
		rhashtable_destroy(&fdb->chains);
		return err;
	}
	queue_delayed_work(esw_wq, &fdb->snapshot,
			   msecs_to_jiffies(fdb->period_ms));
	return 0;
}

void esw_fdb_exit(struct esw_pf *pf)
{
	cancel_delayed_work_sync(&pf->fdb.snapshot);
	esw_fdb_forget_all(pf);
	/* What waits for its grace period still names ports and meters. */
	rcu_barrier();
	flush_workqueue(esw_wq);
	rhashtable_destroy(&pf->fdb.by_cookie);
	rhashtable_destroy(&pf->fdb.chains);
}
