// SPDX-License-Identifier: Apache-2.0
// The address of a bridge and the MTU of its internal ports follow the devices that are plugged in: the least of each, which the bridge keeps in a heap, so that a
// port comes and goes without a look at the others.
#include <config.h>
#include "lib/base/counter.h"
#include "lib/base/log.h"
#include "vswitchd/running.h"

#define DEFAULT_MTU 1500

COUNTER(internal_port_follows, "An internal port was looked at since the least MTU of its bridge changed.");

/* Addresses that were made up on this host do not count: those of virtual machines' devices come and go, and the bridge's is to stay. */
static uint64_t
mac_of(const struct netdev_info *dev)
{
    bool counts = dev && !eth_addr_is_multicast(dev->mac) && !eth_addr_is_local(dev->mac);

    return counts ? eth_addr_u64(dev->mac) : 0;
}

/* 0 is no value. True if it is another one than before. */
static bool
take(struct heap *h, struct heap_node *node, uint64_t value)
{
    uint64_t before = node->place ? node->value : 0;

    if (value) {
        heap_put(h, node, value);
    } else {
        heap_remove(h, node);
    }
    return value != before;
}

void
follow_port(struct running_port *p)
{
    const struct netdev_info *dev = p->port && !running_port_is_internal(p) ? port_device(p->port) : NULL;
    struct running_bridge *b = p->bridge;

    b->ports_changed |= take(&b->macs, &p->mac, mac_of(dev));
    b->ports_changed |= take(&b->mtus, &p->mtu, dev ? dev->mtu : 0);
}

uint64_t
follow_mac(const struct running_bridge *b)
{
    return heap_least(&b->macs) ? heap_least(&b->macs)->value : 0;
}

/* 'changed': it is to have what the others have; else it is not to have more. Later changes by hand stay until the least MTU changes. */
static void
set_mtu(struct running_port *p, bool changed)
{
    const struct netdev_info *dev = p->port ? port_device(p->port) : NULL;
    uint32_t least = p->bridge->min_mtu;
    int error = 0;

    if (dev && dev->mtu && running_port_is_internal(p) && !p->mtu_request && (changed ? dev->mtu != least : dev->mtu > least)) {
        error = port_set_mtu(p->port, least);
        running_port_changed(p);
    }
    if (error) {
        log_warn(LOG_bridge, "failed to set MTU for network device %s: %s", p->name, errno_text(error));
    }
}

/* ovs-vswitchd.conf.db(5), Interface.mtu_request: internal ports that ask for no MTU have the least one of the others, so that a host may not send what they
 * would drop. */
void
follow_mtu(struct running_bridge *b)
{
    uint32_t least = heap_least(&b->mtus) ? (uint32_t) heap_least(&b->mtus)->value : DEFAULT_MTU;
    struct running_port *p;

    if (least == b->min_mtu) {
        return;
    }
    b->min_mtu = least;
    cds_list_for_each_entry (p, &b->internal_ports, internal) {
        COUNTER_INC(internal_port_follows);
        set_mtu(p, true);
    }
}

void
follow_mtu_of(struct running_port *p)
{
    set_mtu(p, p->follow_mtu);
    p->follow_mtu = false;
}
