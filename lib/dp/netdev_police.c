// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/dp/netdev_private.h"
#include "lib/dp/tc.h"

static int
policing_off(struct netdevs *n, struct netdev *d)
{
    int error;

    if (d->info.untouched && !d->policed) {
        return 0;
    }
    error = tc_police_delete(n->pool, d->info.ifindex);
    d->policed = false;
    if (d->police_qdisc) {
        /* Somebody may have put filters there since; then it stays. */
        d->police_qdisc = false;
        tc_ingress_delete(n->pool, d->info.ifindex);
    }
    return error == -ENOENT ? 0 : error;
}

int
netdev_set_policing(struct netdevs *n, const char *name, const struct dp_police *limit)
{
    const struct netdev_info *info = netdev_by_name(n, name);
    struct netdev *d = info ? CONTAINER_OF(info, struct netdev, info) : NULL;
    struct tc_police_rate rate = {
        .bytes = limit->kbps * UINT64_C(1000) / 8,
        .bytes_burst = limit->kburst * UINT64_C(1000) / 8,
        .packets = limit->kpps * UINT64_C(1000),
        .packets_burst = limit->kpkts_burst * UINT64_C(1000),
    };
    bool made;
    int error;

    if (!d) {
        return -ENODEV;
    }
    if (!limit->kbps && !limit->kpps) {
        return policing_off(n, d);
    }
    error = tc_ingress_ensure(n->pool, d->info.ifindex, &made);
    if (error) {
        return error;
    }
    d->police_qdisc |= made;
    d->policed = true;
    return tc_police_set(n->pool, d->info.ifindex, &rate);
}
