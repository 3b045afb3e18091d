// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The eBPF datapath's programs: a packet that comes in by a port's device is parsed, looked up and sent on, or goes up to the daemon. Nothing of it
// ever reaches the host's own stack by that device.
#include <config.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "lib/dp/ebpf_abi.h"
#include "lib/dp/meter.h"
#include "lib/dp/ebpf_maps.bpf.h"
#include "lib/dp/ebpf_packet.bpf.h"
#include "lib/dp/ebpf_parse.bpf.h"
#include "lib/dp/ebpf_layer.bpf.h"
#include "lib/dp/ebpf_police.bpf.h"
#include "lib/dp/ebpf_lookup.bpf.h"
#include "lib/dp/ebpf_front.bpf.h"
#include "lib/dp/ebpf_copy.bpf.h"
#include "lib/dp/ebpf_mpls.bpf.h"
#include "lib/dp/ebpf_act.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* All that is done with the packet is to send it. */
static __always_inline int
send_to(struct __sk_buff *skb, struct scratch *s, uint32_t number, bool again)
{
    const struct ebpf_port_value *port = bpf_map_lookup_elem(&ports, &number);

    if (again) {
        return end_packet(skb, s, port ? port->ifindex : 0);
    }
    return port && port->ifindex ? (int) bpf_redirect(port->ifindex, 0) : TC_ACT_SHOT;
}

/* The key's metadata is in 's'. 'again': it has been looked up before, and may be a copy. What is more than sending is another program: the two together would be
 * too long for the verifier of Linux 6.1. */
static __always_inline int
forward(struct __sk_buff *skb, struct scratch *s, const struct ebpf_config *config, bool again)
{
    const struct ebpf_flow_value *flow = NULL;
    union ebpf_todo todo = {.whole = 0};
    uint32_t slot = 0;

    if (parse(skb, s)) {
        slot = find_flow(s) - 1;
        flow = bpf_map_lookup_elem(&flows, &slot); /* There is none of UINT32_MAX. */
    }
    if (flow) {
        todo.whole = *(const volatile uint64_t *) &flow->todo.whole;
    }
    if (!flow || todo.flags & EBPF_FLOW_SLOW || (todo.flags & EBPF_FLOW_LABELS && !can_label(skb))) {
        upcall(skb, s, NULL, EBPF_MAX_PACKET);
        return again ? end_packet(skb, s, 0) : TC_ACT_SHOT;
    }
    credit(s, config, slot, frame_len(skb), s->key.tcp_flags);
    front_remember(s, slot);
    if (todo.flags & EBPF_FLOW_OUTPUT) {
        return send_to(skb, s, todo.port, again);
    }
    s->todo = todo;
    bpf_tail_call(skb, &programs, EBPF_PROGRAM_EXECUTE);
    count(EBPF_FAILED, 1);
    return TC_ACT_SHOT;
}

/* The records of the packet's flow. */
SEC("tc")
int
sluice_execute(struct __sk_buff *skb)
{
    uint32_t zero = 0;
    struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
    struct run r = {.skb = skb, .s = s};

    if (!s) {
        return TC_ACT_SHOT;
    }
    r.first = s->todo.first;
    s->skip = 0;
    bpf_loop(s->todo.n, act_one, &r, 0);
    if (r.recirc_id) {
        s->key.recirc_id = r.recirc_id;
        bpf_tail_call(skb, &programs, EBPF_PROGRAM_AGAIN);
        count(EBPF_FAILED, 1); /* Looked up too often. */
    }
    return end_packet(skb, s, r.redirect);
}

SEC("tc")
int
sluice_again(struct __sk_buff *skb)
{
    uint32_t zero = 0;
    struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
    const struct ebpf_config *config = bpf_map_lookup_elem(&config_map, &zero);

    if (!s || !config) {
        return TC_ACT_SHOT;
    }
    s->has_front = false;
    return forward(skb, s, config, true);
}

SEC("tc")
int
sluice_port(struct __sk_buff *skb)
{
    uint32_t zero = 0;
    struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
    const struct ebpf_port_value *port = s ? find_port(s, skb->ifindex) : NULL;
    const struct ebpf_config *config = bpf_map_lookup_elem(&config_map, &zero);
    union ebpf_state state = {.whole = 0};
    struct front front;
    uint32_t found;

    if (!port || !config) {
        return TC_ACT_UNSPEC; /* No port any more. */
    }
    if (port->policed && is_above_limit(s->key.in_port, frame_len(skb), skb->gso_segs ? skb->gso_segs : 1)) {
        return TC_ACT_SHOT;
    }
    found = front_find(skb, s, config, &front, &state);
    if (found) {
        credit(s, config, found - 1, frame_len(skb), front.tcp_flags);
        return state.n ? send_to(skb, s, state.port, false) : TC_ACT_SHOT;
    }
    s->key.skb_priority = skb->priority;
    s->key.pkt_mark = skb->mark;
    s->key.dp_hash = 0;
    s->key.recirc_id = 0;
    begin_without_copies(s);
    return forward(skb, s, config, false);
}
