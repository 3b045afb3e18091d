// SPDX-License-Identifier: GPL-2.0
/* Loading and unloading, in the order in which the parts need each other. */
#include <linux/module.h>

#include "eswemu.h"

struct workqueue_struct *esw_wq;

static int __init esw_init(void)
{
	int err;

	esw_wq = alloc_workqueue("eswemu", WQ_UNBOUND, 0);
	if (!esw_wq)
		return -ENOMEM;
	esw_match_init();
	esw_debugfs_init();
	err = esw_lag_init();
	if (err)
		goto err_debugfs;
	err = esw_bus_init();
	if (err)
		goto err_lag;
	return 0;

err_lag:
	esw_lag_exit();
err_debugfs:
	esw_debugfs_exit();
	destroy_workqueue(esw_wq);
	return err;
}

static void __exit esw_exit(void)
{
	esw_bus_exit();
	esw_lag_exit();
	esw_debugfs_exit();
	/* Rules are freed by rcu_work: first the callbacks, then the work. */
	rcu_barrier();
	destroy_workqueue(esw_wq);
}

module_init(esw_init);
module_exit(esw_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("An SR-IOV adapter with an eSwitch, in software");
