// SPDX-License-Identifier: GPL-2.0
/*
 * Faults on request and a look inside: /sys/kernel/debug/eswemu/<PF>/
 *
 * fail_nth, fail_errno	the n-th insertion from now fails with that errno
 * forget		write N: the adapter loses its N-th rule (from 0, in the
 *			order of insertion); tc goes on saying in_hw
 * freeze_stats		counters are not published any more
 * lose_rep, find_rep	write N: the devlink port and representor of VF N go and
 *			come back, the VF stays
 * crash		write 1: the firmware dies, see devlink health
 * table		the rules, one a line
 * refused		how often what was refused: count, errno, words
 * costs		what commands took of the emulator's own time, see cost.c
 * caps/		what this firmware can
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "eswemu.h"

static struct dentry *esw_ddir;

/* The errno the next insertion fails with, or 0. */
int esw_fault_take(struct esw_pf *pf)
{
	if (!atomic_read(&pf->faults.fail_nth) ||
	    atomic_dec_if_positive(&pf->faults.fail_nth) != 0)
		return 0;
	return -(int)READ_ONCE(pf->faults.fail_errno);
}

static int esw_forget_set(void *data, u64 nth)
{
	struct esw_pf *pf = data;
	struct esw_rule *rule;
	int err = -ENOENT;

	mutex_lock(&pf->fdb.lock);
	list_for_each_entry(rule, &pf->fdb.rules, list) {
		if (nth--)
			continue;
		WRITE_ONCE(rule->forgotten, true);
		err = 0;
		break;
	}
	mutex_unlock(&pf->fdb.lock);
	return err;
}
DEFINE_DEBUGFS_ATTRIBUTE(esw_forget_fops, NULL, esw_forget_set, "%llu\n");

static int esw_crash_set(void *data, u64 on)
{
	return on ? esw_health_crash(data) : -EINVAL;
}
DEFINE_DEBUGFS_ATTRIBUTE(esw_crash_fops, NULL, esw_crash_set, "%llu\n");

static int esw_lose_rep_set(void *data, u64 vf)
{
	return esw_pf_lose_vf_port(data, vf);
}
DEFINE_DEBUGFS_ATTRIBUTE(esw_lose_rep_fops, NULL, esw_lose_rep_set, "%llu\n");

static int esw_find_rep_set(void *data, u64 vf)
{
	return esw_pf_find_vf_port(data, vf);
}
DEFINE_DEBUGFS_ATTRIBUTE(esw_find_rep_fops, NULL, esw_find_rep_set, "%llu\n");

static void esw_table_rule(struct seq_file *m, const struct esw_rule *rule)
{
	static const char *const kinds[] = {
		[ESW_ACT_OUTPUT] = "output", [ESW_ACT_LAG] = "lag",
		[ESW_ACT_HOST] = "host",
		[ESW_ACT_VLAN_PUSH] = "vlan_push",
		[ESW_ACT_VLAN_POP] = "vlan_pop",
		[ESW_ACT_VLAN_SET] = "vlan_set", [ESW_ACT_SET] = "set",
		[ESW_ACT_ADD] = "add", [ESW_ACT_METER] = "meter",
		[ESW_ACT_SAMPLE] = "sample", [ESW_ACT_GOTO] = "goto",
	};
	unsigned int i;

	seq_printf(m, "port %u chain %u prio %u packets %llu bytes %llu%s actions",
		   rule->id.port->num, rule->chain, rule->prio, rule->packets,
		   rule->bytes, rule->forgotten ? " forgotten" : "");
	for (i = 0; i < rule->n_acts; i++) {
		const struct esw_act *act = &rule->acts[i];

		seq_printf(m, " %s", kinds[act->kind]);
		if (act->kind == ESW_ACT_OUTPUT)
			seq_printf(m, ":%u", act->out.port->num);
		else if (act->kind == ESW_ACT_GOTO)
			seq_printf(m, ":%u", act->chain);
	}
	seq_puts(m, rule->n_acts ? "\n" : " drop\n");
}

static int esw_table_show(struct seq_file *m, void *v)
{
	struct esw_pf *pf = m->private;
	struct esw_rule *rule;

	mutex_lock(&pf->fdb.lock);
	list_for_each_entry(rule, &pf->fdb.rules, list)
		esw_table_rule(m, rule);
	mutex_unlock(&pf->fdb.lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(esw_table);

static int esw_refused_show(struct seq_file *m, void *v)
{
	struct esw_pf *pf = m->private;
	const struct esw_reason_text *text;
	int i, n;

	for (i = 0; i < ESW_N_REASONS; i++) {
		n = atomic_read(&pf->refused[i]);
		text = esw_reason_text(pf, i);
		if (n)
			seq_printf(m, "%d %d %s\n", n, -text->err, text->text);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(esw_refused);

void esw_debugfs_add(struct esw_pf *pf)
{
	struct dentry *dir, *caps;

	dir = debugfs_create_dir(dev_name(&pf->fn->dev), esw_ddir);
	pf->ddir = dir;
	debugfs_create_atomic_t("fail_nth", 0600, dir, &pf->faults.fail_nth);
	debugfs_create_u32("fail_errno", 0600, dir, &pf->faults.fail_errno);
	debugfs_create_bool("freeze_stats", 0600, dir,
			    &pf->faults.freeze_stats);
	debugfs_create_file_unsafe("forget", 0200, dir, pf, &esw_forget_fops);
	debugfs_create_file_unsafe("crash", 0200, dir, pf, &esw_crash_fops);
	debugfs_create_file_unsafe("lose_rep", 0200, dir, pf,
				   &esw_lose_rep_fops);
	debugfs_create_file_unsafe("find_rep", 0200, dir, pf,
				   &esw_find_rep_fops);
	debugfs_create_file("costs", 0600, dir, pf, &esw_costs_fops);
	debugfs_create_file("table", 0400, dir, pf, &esw_table_fops);
	debugfs_create_file("refused", 0400, dir, pf, &esw_refused_fops);
	caps = debugfs_create_dir("caps", dir);
	debugfs_create_bool("cvlan", 0600, caps, &pf->caps.cvlan);
	debugfs_create_bool("pcp", 0600, caps, &pf->caps.pcp);
	debugfs_create_bool("ttl", 0600, caps, &pf->caps.ttl);
	debugfs_create_bool("icmp", 0600, caps, &pf->caps.icmp);
	debugfs_create_bool("hairpin", 0600, caps, &pf->caps.hairpin);
}

void esw_debugfs_del(struct esw_pf *pf)
{
	debugfs_remove_recursive(pf->ddir);
	pf->ddir = NULL;
}

void esw_debugfs_init(void)
{
	esw_ddir = debugfs_create_dir("eswemu", NULL);
}

void esw_debugfs_exit(void)
{
	debugfs_remove_recursive(esw_ddir);
}
