// SPDX-License-Identifier: GPL-2.0
/*
 * What the emulator itself takes for each command that tc gives it, without
 * the latency that its firmware pretends: what is left of the time that a
 * filter takes is the kernel's. debugfs: costs, a line a command:
 *
 *	insert count 3 ns 69632 below 16384:1 32768:2
 *
 * three inserts took 69632 ns together, one less than 16384 ns and two less
 * than 32768 ns. Writing to it begins anew.
 */
#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>

#include "eswemu.h"

/* The first bucket is of what took less than 1 << ESW_COST_SHIFT ns. */
#define ESW_COST_SHIFT	10

void esw_watch_start(struct esw_watch *watch)
{
	watch->since = ktime_get_ns();
}

void esw_watch_stop(struct esw_watch *watch)
{
	watch->ns += ktime_get_ns() - watch->since;
}

void esw_cost_note(struct esw_pf *pf, enum esw_command cmd,
		   const struct esw_watch *watch)
{
	struct esw_cost *cost = &pf->costs[cmd];
	int i = fls64(watch->ns >> ESW_COST_SHIFT);

	atomic64_inc(&cost->n);
	atomic64_add(watch->ns, &cost->ns);
	atomic_inc(&cost->below[min(i, ESW_COST_BUCKETS - 1)]);
}

static void esw_costs_clear(struct esw_pf *pf)
{
	struct esw_cost *cost;
	int i;

	for (cost = pf->costs; cost < pf->costs + ESW_N_CMDS; cost++) {
		atomic64_set(&cost->n, 0);
		atomic64_set(&cost->ns, 0);
		for (i = 0; i < ESW_COST_BUCKETS; i++)
			atomic_set(&cost->below[i], 0);
	}
}

static int esw_costs_show(struct seq_file *m, void *v)
{
	static const char *const names[ESW_N_CMDS] = {
		[ESW_CMD_INSERT] = "insert", [ESW_CMD_REMOVE] = "remove",
		[ESW_CMD_STATS] = "stats",
	};
	struct esw_pf *pf = m->private;
	int cmd, i, n;

	for (cmd = 0; cmd < ESW_N_CMDS; cmd++) {
		struct esw_cost *cost = &pf->costs[cmd];

		seq_printf(m, "%s count %lld ns %lld below", names[cmd],
			   atomic64_read(&cost->n), atomic64_read(&cost->ns));
		for (i = 0; i < ESW_COST_BUCKETS; i++) {
			n = atomic_read(&cost->below[i]);
			if (n)
				seq_printf(m, " %llu:%d",
					   1ULL << (ESW_COST_SHIFT + i), n);
		}
		seq_putc(m, '\n');
	}
	return 0;
}

static int esw_costs_open(struct inode *inode, struct file *file)
{
	return single_open(file, esw_costs_show, inode->i_private);
}

static ssize_t esw_costs_write(struct file *file, const char __user *text,
			       size_t size, loff_t *at)
{
	esw_costs_clear(file_inode(file)->i_private);
	return size;
}

const struct file_operations esw_costs_fops = {
	.owner		= THIS_MODULE,
	.open		= esw_costs_open,
	.read		= seq_read,
	.write		= esw_costs_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};
