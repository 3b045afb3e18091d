// SPDX-License-Identifier: Apache-2.0
// What is behind a port: a device of this host, or for a port without one (patch ports, ports of the userspace datapath) one that is made up, so that their
// descriptions and rows say as much as others do. Main thread.
#include <config.h>
#include <stdlib.h>

#include "ofproto/private.h"

#define MIN_MTU 68       /* RFC 791, section 3.2: what every host can take. */
#define MAX_MTU 65535

void
port_make_up_device(struct port *p, bool patch)
{
    struct netdev_info *dev = xzalloc(sizeof *dev);

    dev->mac = eth_addr_random();
    dev->admin_up = dev->carrier = true;
    dev->duplex = -1;
    dev->mtu = patch ? 0 : 1500; /* 0: it has none. */
    p->made_up = dev;
}

const struct netdev_info *
port_device(const struct port *p)
{
    return p->made_up ? p->made_up : netdev_by_name(p->bridge->ofproto->netdevs, p->name);
}

int
port_set_mac(struct port *p, struct eth_addr mac)
{
    const struct netdev_info *dev = port_device(p);

    if (!dev || eth_addr_equals(dev->mac, mac)) {
        return 0;
    }
    if (!p->made_up) {
        return netdev_set_mac(p->bridge->ofproto->netdevs, p->name, mac);
    }
    p->made_up->mac = mac;
    port_device_changed(p);
    return 0;
}

int
port_set_mtu(struct port *p, uint32_t mtu)
{
    const struct netdev_info *dev = port_device(p);

    if (!dev || dev->mtu == mtu) {
        return 0;
    }
    if (!p->made_up) {
        return netdev_set_mtu(p->bridge->ofproto->netdevs, p->name, mtu);
    }
    if (!dev->mtu) {
        return -EOPNOTSUPP;
    }
    if (mtu < MIN_MTU || mtu > MAX_MTU) {
        return -EINVAL;
    }
    p->made_up->mtu = mtu;
    return 0;
}

int
port_set_up(struct port *p, bool up)
{
    if (!p->made_up) {
        return netdev_set_up(p->bridge->ofproto->netdevs, p->name, up);
    }
    if (p->peer_name) {
        return -EOPNOTSUPP; /* A patch is always up. */
    }
    p->made_up->admin_up = p->made_up->carrier = up;
    return 0;
}
