// SPDX-License-Identifier: Apache-2.0
// Limits on what comes in by a port. The programs keep to them themselves, on any kernel and at any hook; but where filters of TC see packets first, so must the
// limit, and it is a filter, too (lib/dp/tc_police.c).
#include <config.h>
#include <bpf/bpf.h>

#include "lib/dp/ebpf.h"

#define NS_PER_S UINT64_C(1000000000)

/* 'rate' and 'burst' in thousands a second, of which 'per' are one unit of what the programs count. */
static struct ebpf_limit
limit_of(uint32_t rate, uint32_t burst, unsigned per)
{
    struct ebpf_limit l = {.cost = 0};

    if (rate) {
        l.cost = per * (NS_PER_S / 1000 << 16) / rate;
        l.burst_ns = burst * NS_PER_S / rate;
    }
    return l;
}

int
ebpf_port_police(struct dp *dp, uint32_t number, const struct dp_police *limit)
{
    struct ebpf *e = ebpf_cast(dp);
    bool by_tc = e->tc_first && !e->ports[number].peer_ifindex;
    uint32_t kbps = by_tc ? 0 : limit->kbps, kpps = by_tc ? 0 : limit->kpps;
    struct ebpf_police p = {.bytes = limit_of(kbps, limit->kburst, 8), .packets = limit_of(kpps, limit->kpkts_burst, 1)};
    int error = bpf_map_update_elem(ebpf_map_polices(e), &number, &p, BPF_F_LOCK);

    __atomic_store_n(&e->ports[number].policed, !error && (kbps || kpps), __ATOMIC_RELEASE);
    return error ? error : by_tc ? -EOPNOTSUPP : 0;
}
