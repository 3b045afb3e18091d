// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// The eBPF datapath's program of the XDP hook: the parser and lookup of the TC programs, on the same maps. It forwards what a frame can be forwarded with:
// to one port whose device takes frames, after tags and fields have been changed. All else passes on, unchanged and not counted for its flow, to
// the TC program of the same device: misses, what goes to several ports or to the daemon or is looked up again, what a limit is on, and packets whose checksum a sender on this host
// has left to the device, since a frame that is sent on has lost that.
#include <config.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define EBPF_XDP 1
#include "lib/dp/ebpf_abi.h"
#include "lib/dp/meter.h"
#include "lib/dp/ebpf_maps.bpf.h"
#include "lib/dp/ebpf_packet.bpf.h"
#include "lib/dp/ebpf_parse.bpf.h"
#include "lib/dp/ebpf_layer.bpf.h"
#include "lib/dp/ebpf_lookup.bpf.h"
#include "lib/dp/ebpf_front.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* A frame whose flow is being executed. */
struct run {
    struct xdp_md *frame;
    struct scratch *s;
    uint32_t first;
    bool failed;
};

/* Has the sender left the transport checksum to a device? Then the field has the sum of the pseudo header (Linux, Documentation/networking/
 * checksum-offloads.rst), or nothing in SCTP. A packet whose checksum happens to be the same goes the longer way, too. */
static __always_inline bool
leaves_checksum(const struct scratch *s)
{
    const struct flow_key *k = &s->key;
    const uint32_t *addresses = (const void *) &k->ipv6_src; /* And behind it ipv6_dst. */
    uint64_t sum = (uint64_t) k->nw_src + k->nw_dst + bpf_htons(k->nw_proto) + bpf_htons((uint16_t) s->l4_len);

    if (!s->l4_whole) {
        return false;
    }
    if (k->nw_proto == IPPROTO_SCTP) {
        return !s->l4_sum;
    }
    for (unsigned i = 0; i < 8; i++) {
        sum += addresses[i];
    }
    return (k->nw_proto == IPPROTO_TCP || k->nw_proto == IPPROTO_UDP) && (s->routed || s->l4_sum == fold(sum));
}

static __always_inline int
push_tag(struct run *r, uint32_t tag)
{
    uint8_t head[MACS + 4];

    if (bpf_xdp_load_bytes(r->frame, 0, head, MACS) || bpf_xdp_adjust_head(r->frame, -4)) {
        return -1;
    }
    tag = bpf_htonl(tag);
    __builtin_memcpy(head + MACS, &tag, sizeof tag);
    r->s->tags++;
    r->s->l3 += r->s->l3 ? 4 : 0;
    r->s->l4 += r->s->l4 ? 4 : 0;
    return (int) bpf_xdp_store_bytes(r->frame, 0, head, sizeof head);
}

static __always_inline int
pop_tag(struct run *r)
{
    uint8_t head[MACS];

    if (!r->s->tags) {
        return 0;
    }
    if (bpf_xdp_load_bytes(r->frame, 0, head, MACS) || bpf_xdp_adjust_head(r->frame, 4)) {
        return -1;
    }
    r->s->tags--;
    r->s->l3 -= r->s->l3 ? 4 : 0;
    r->s->l4 -= r->s->l4 ? 4 : 0;
    return (int) bpf_xdp_store_bytes(r->frame, 0, head, sizeof head);
}

/* RFC 1624: what is at 'at' after the words that it covers have changed by 'diff'. */
static __always_inline int
replace_sum(struct xdp_md *frame, uint32_t at, uint32_t diff, bool zero_is_none)
{
    uint16_t sum;

    if (bpf_xdp_load_bytes(frame, at, &sum, sizeof sum)) {
        return -1;
    }
    if (zero_is_none && !sum) {
        return 0;
    }
    sum = (uint16_t) ~fold((uint64_t) diff + (uint32_t) ~(uint32_t) sum);
    if (zero_is_none && !sum) {
        sum = 0xffff;
    }
    return (int) bpf_xdp_store_bytes(frame, at, &sum, sizeof sum);
}

static __always_inline int
repair_sums(struct xdp_md *frame, const struct scratch *s, uint8_t sums, uint32_t diff)
{
    bool covers_pseudo, is_udp = s->key.nw_proto == IPPROTO_UDP;
    uint32_t at = transport_sum(s, &covers_pseudo);
    int error = 0;

    if (sums & EBPF_SUM_IP) {
        error = replace_sum(frame, s->l3 + 10, diff, false);
    }
    if (at && (sums & EBPF_SUM_TRANSPORT
               || (sums & EBPF_SUM_PSEUDO && covers_pseudo && !(sums & EBPF_SUM_IF_ROUTED && s->routed)))) {
        error |= replace_sum(frame, at, diff, is_udp);
    }
    return error;
}

/* As write_field() of lib/dp/ebpf_act.bpf.h. */
static __noinline int
write_field(struct xdp_md *frame, struct scratch *s, const struct ebpf_act *a)
{
    uint32_t was[4] = {0}, is[4] = {0};
    const uint32_t *value = (const void *) a->value, *mask = (const void *) a->mask;
    uint64_t len = a->len - 1;
    int base = layer_of(s, a->layer);

    if (base < 0) {
        return 0;
    }
    asm volatile("" : "+r"(len)); /* So that the verifier, that of Linux 6.1 too, sees a number from 1 to the size of the room. */
    len = (len & 15) + 1;
    if (bpf_xdp_load_bytes(frame, (uint32_t) base + a->at, was, (uint32_t) len)) {
        return 0; /* Cut short. */
    }
    for (unsigned i = 0; i < 4; i++) {
        is[i] = (was[i] & ~mask[i]) | (value[i] & mask[i]);
    }
    if (is[0] == was[0] && is[1] == was[1] && is[2] == was[2] && is[3] == was[3]) {
        return 0;
    }
    if (bpf_xdp_store_bytes(frame, (uint32_t) base + a->at, is, (uint32_t) len)) {
        return -1;
    }
    return a->sums ? repair_sums(frame, s, a->sums, (uint32_t) bpf_csum_diff(was, sizeof was, is, sizeof is, 0)) : 0;
}

static long
act_one(uint32_t i, struct run *r)
{
    uint32_t at = r->first + i;
    const struct ebpf_act *a = bpf_map_lookup_elem(&acts, &at);
    int error = -1;

    if (!a) {
        r->failed = true;
        return 1;
    }
    switch (a->kind) {
    case EBPF_ACT_OUTPUT: /* The last; forward() does it. */
        error = 0;
        break;
    case EBPF_ACT_PUSH_VLAN:
        error = push_tag(r, a->arg);
        break;
    case EBPF_ACT_POP_VLAN:
        error = pop_tag(r);
        break;
    case EBPF_ACT_WRITE:
        error = write_field(r->frame, r->s, a);
        break;
    default:
        break;
    }
    r->failed = error;
    return error != 0;
}

/* The device that takes what the flow sends; 0: none does. */
static __always_inline uint32_t
target_of(uint32_t number)
{
    const struct ebpf_port_value *port = bpf_map_lookup_elem(&ports, &number);

    return port && port->takes_frames ? port->ifindex : 0;
}

static __always_inline int
forward(struct xdp_md *frame, struct scratch *s, const struct ebpf_config *config)
{
    struct run r = {.frame = frame, .s = s};
    const struct ebpf_flow_value *flow = NULL;
    union ebpf_todo todo = {.whole = 0};
    uint32_t slot = 0, target;

    if (parse(frame, s) && !leaves_checksum(s)) {
        slot = find_flow(s) - 1;
        flow = bpf_map_lookup_elem(&flows, &slot); /* There is none of UINT32_MAX. */
    }
    if (flow) {
        todo.whole = *(const volatile uint64_t *) &flow->todo.whole;
    }
    target = target_of(todo.port);
    if (!(todo.flags & EBPF_FLOW_XDP) || (todo.n && !target)) {
        count(EBPF_XDP_PASSED, 1);
        return XDP_PASS;
    }
    credit(s, config, slot, frame_len(frame), s->key.tcp_flags);
    front_remember(s, slot);
    if (!(todo.flags & EBPF_FLOW_OUTPUT)) {
        r.first = todo.first;
        bpf_loop(todo.n, act_one, &r, 0);
    }
    if (r.failed) {
        count(EBPF_FAILED, 1);
    }
    return todo.n && !r.failed ? (int) bpf_redirect(target, 0) : XDP_DROP;
}

SEC("xdp")
int
sluice_xdp(struct xdp_md *frame)
{
    uint32_t zero = 0;
    struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
    const struct ebpf_config *config = bpf_map_lookup_elem(&config_map, &zero);

    const struct ebpf_port_value *port = s ? find_port(s, frame->ingress_ifindex) : NULL;
    union ebpf_state state = {.whole = 0};
    struct front front;
    uint32_t found, target;

    if (!port || !config) {
        return XDP_PASS; /* No port any more. */
    }
    if (port->policed) { /* That is done at the other hook. */
        count(EBPF_XDP_PASSED, 1);
        return XDP_PASS;
    }
    found = front_find(frame, s, config, &front, &state);
    target = found ? target_of(state.port) : 0;
    if (found && !front.for_device && (target || !state.n)) {
        credit(s, config, found - 1, frame_len(frame), front.tcp_flags);
        return state.n ? (int) bpf_redirect(target, 0) : XDP_DROP;
    }
    s->key.skb_priority = 0;
    s->key.pkt_mark = 0;
    s->key.dp_hash = 0;
    s->key.recirc_id = 0;
    return forward(frame, s, config);
}
