// SPDX-License-Identifier: GPL-2.0
/*
 * The firmware may crash (debugfs: crash). From then on the adapter forwards
 * nothing and refuses commands, until devlink health recovers it as a reload
 * would: VFs stay, the mode is legacy, the rules are gone.
 */
#include "eswemu.h"

static int esw_health_recover(struct devlink_health_reporter *reporter,
			      void *ctx, struct netlink_ext_ack *extack)
{
	struct esw_pf *pf = devlink_health_reporter_priv(reporter);

	if (pf->netdev)
		esw_pf_unload(pf);
	return esw_pf_load(pf);
}

static int esw_health_diagnose(struct devlink_health_reporter *reporter,
			       struct devlink_fmsg *fmsg,
			       struct netlink_ext_ack *extack)
{
	struct esw_pf *pf = devlink_health_reporter_priv(reporter);

	return devlink_fmsg_string_pair_put(fmsg, "firmware",
					    pf->dead ? "crashed" : "running");
}

static const struct devlink_health_reporter_ops esw_health_ops = {
	.name		= "fw",
	.recover	= esw_health_recover,
	.diagnose	= esw_health_diagnose,
};

int esw_health_crash(struct esw_pf *pf)
{
	WRITE_ONCE(pf->dead, true);
	return devlink_health_report(pf->reporter, "the firmware crashed", pf);
}

int esw_health_init(struct esw_pf *pf)
{
	struct devlink_health_reporter *reporter;

	reporter = devlink_health_reporter_create(pf->devlink, &esw_health_ops,
						  0, pf);
	if (IS_ERR(reporter))
		return PTR_ERR(reporter);
	pf->reporter = reporter;
	return 0;
}

void esw_health_exit(struct esw_pf *pf)
{
	devlink_health_reporter_destroy(pf->reporter);
	pf->reporter = NULL;
}
