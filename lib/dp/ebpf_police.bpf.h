// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// A limit on what comes in by a port, before anything else is done with it.
#ifndef LIB_DP_EBPF_POLICE_BPF_H
#define LIB_DP_EBPF_POLICE_BPF_H 1

/* When the bucket would be full again if this much left it; 0: it does not hold so much. */
static __always_inline uint64_t
bucket_after(const struct ebpf_limit *l, uint64_t now, uint32_t n)
{
    uint64_t from = l->free_at_ns > now ? l->free_at_ns : now;
    uint64_t until = from + (l->cost * n >> 16);

    return until - now > l->burst_ns ? 0 : until;
}

/* Is the packet above the limit of port 'number'? One that is above either limit takes from neither. */
static __always_inline bool
is_above_limit(uint32_t number, uint32_t bytes, uint32_t packets)
{
    struct ebpf_police *p = bpf_map_lookup_elem(&polices, &number);
    uint64_t now = bpf_ktime_get_ns(), bytes_until, packets_until;
    bool above;

    if (!p) {
        return false;
    }
    bpf_spin_lock(&p->lock);
    bytes_until = bucket_after(&p->bytes, now, bytes);
    packets_until = bucket_after(&p->packets, now, packets);
    above = (p->bytes.cost && !bytes_until) || (p->packets.cost && !packets_until);
    if (above) {
        p->dropped++;
    } else {
        p->bytes.free_at_ns = bytes_until;
        p->packets.free_at_ns = packets_until;
    }
    bpf_spin_unlock(&p->lock);
    return above;
}

#endif
