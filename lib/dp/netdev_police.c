// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/dp/netdev_private.h"
#include "lib/dp/tc.h"

/* ovs-vswitchd.conf.db(5), ingress_policing_burst and ingress_policing_kpkts_burst: what 0 means. */
#define DEFAULT_KBURST 8000
#define DEFAULT_KPKTS_BURST 16

static int
policing_off(struct netdevs *n, struct netdev *d)
{
    int error = tc_police_delete(n->pool, d->info.ifindex);

    if (d->police_qdisc) {
        /* Somebody may have put filters there since; then it stays. */
        d->police_qdisc = false;
        tc_ingress_delete(n->pool, d->info.ifindex);
    }
    return error == -ENOENT ? 0 : error;
}

int
netdev_set_policing(struct netdevs *n, const char *name, uint32_t kbps, uint32_t kburst, uint32_t kpps,
                    uint32_t kpkts_burst)
{
    const struct netdev_info *info = netdev_by_name(n, name);
    struct netdev *d = info ? CONTAINER_OF(info, struct netdev, info) : NULL;
    struct tc_police_rate rate = {
        .bytes = kbps * UINT64_C(1000) / 8,
        .bytes_burst = (kburst ? kburst : DEFAULT_KBURST) * UINT64_C(1000) / 8,
        .packets = kpps * UINT64_C(1000),
        .packets_burst = (kpkts_burst ? kpkts_burst : DEFAULT_KPKTS_BURST) * UINT64_C(1000),
    };
    bool made;
    int error;

    if (!d) {
        return -ENODEV;
    }
    if (!kbps && !kpps) {
        return policing_off(n, d);
    }
    error = tc_ingress_ensure(n->pool, d->info.ifindex, &made);
    if (error) {
        return error;
    }
    d->police_qdisc |= made;
    return tc_police_set(n->pool, d->info.ifindex, &rate);
}
