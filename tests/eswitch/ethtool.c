// SPDX-License-Identifier: GPL-2.0
#include <linux/ethtool.h>

#include "eswemu.h"

static void esw_get_drvinfo(struct net_device *dev,
			    struct ethtool_drvinfo *info)
{
	strscpy(info->driver, esw_is_rep(dev) ? "eswemu_rep" : "eswemu",
		sizeof(info->driver));
	strscpy(info->fw_version, "1.0", sizeof(info->fw_version));
	if (dev->dev.parent)
		strscpy(info->bus_info, dev_name(dev->dev.parent),
			sizeof(info->bus_info));
}

static int esw_get_link_ksettings(struct net_device *dev,
				  struct ethtool_link_ksettings *cmd)
{
	ethtool_link_ksettings_zero_link_mode(cmd, supported);
	ethtool_link_ksettings_zero_link_mode(cmd, advertising);
	cmd->base.speed = ESW_LINK_MBIT;
	cmd->base.duplex = DUPLEX_FULL;
	cmd->base.port = PORT_OTHER;
	cmd->base.autoneg = AUTONEG_DISABLE;
	return 0;
}

const struct ethtool_ops esw_ethtool_ops = {
	.get_drvinfo		= esw_get_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_link_ksettings	= esw_get_link_ksettings,
	.get_ts_info		= ethtool_op_get_ts_info,
};
