// SPDX-License-Identifier: Apache-2.0
// What ethtool tells of a device: include/uapi/linux/ethtool.h.
#include <config.h>
#include "lib/dp/netdev_private.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>

int
netdev_ethtool(int fd, const char *device, void *command)
{
    struct ifreq request;

    memset(&request, 0, sizeof request);
    memcpy(request.ifr_name, device, MIN(strlen(device), sizeof request.ifr_name - 1));
    request.ifr_data = command;
    return ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
}

void
netdev_read_link_settings(int fd, struct netdev_info *info)
{
    union {
        struct ethtool_link_settings settings;
        uint32_t room[sizeof(struct ethtool_link_settings) / 4 +
                      3 * 127]; /* Behind it: three masks of up to 127 words. */
    } s = {.settings = {.cmd = ETHTOOL_GLINKSETTINGS}};

    info->speed_bps = 0;
    info->duplex = -1;
    /* The first call answers with how many words the masks have, negated. */
    if (netdev_ethtool(fd, info->name, &s) || s.settings.link_mode_masks_nwords >= 0) {
        return;
    }
    s.settings.cmd = ETHTOOL_GLINKSETTINGS;
    s.settings.link_mode_masks_nwords = (int8_t) -s.settings.link_mode_masks_nwords;
    if (netdev_ethtool(fd, info->name, &s)) {
        return;
    }
    if (s.settings.speed && s.settings.speed != (uint32_t) SPEED_UNKNOWN) {
        info->speed_bps = (uint64_t) s.settings.speed * 1000000;
    }
    info->duplex = s.settings.duplex == DUPLEX_FULL ? 1 : s.settings.duplex == DUPLEX_HALF ? 0 : -1;
}

int
netdev_get_driver(struct netdevs *n, const char *name, struct netdev_info *info)
{
    struct ethtool_drvinfo d = {.cmd = ETHTOOL_GDRVINFO};
    int error = netdev_ethtool(n->ethtool_fd, name, &d);

    if (error) {
        return error;
    }
    nl_attr_string((struct nl_attr){.data = (const uint8_t *) d.driver, .len = sizeof d.driver}, info->driver,
                   sizeof info->driver);
    nl_attr_string((struct nl_attr){.data = (const uint8_t *) d.version, .len = sizeof d.version},
                   info->driver_version, sizeof info->driver_version);
    nl_attr_string((struct nl_attr){.data = (const uint8_t *) d.fw_version, .len = sizeof d.fw_version},
                   info->firmware, sizeof info->firmware);
    return 0;
}
