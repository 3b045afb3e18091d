// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// What programs do to a packet, one record of 'acts' at a time, and how it goes up to the daemon.
#ifndef LIB_DP_EBPF_ACT_BPF_H
#define LIB_DP_EBPF_ACT_BPF_H 1

/* A packet whose flow is being executed. */
struct run {
    struct __sk_buff *skb;
    struct scratch *s;
    uint32_t first;
    uint32_t redirect;  /* The device that gets the packet itself; 0: none. */
    uint32_t recirc_id; /* Not 0: is to be looked up again. */
};

/* Has the port as much waiting as it may? No more than is configured, and no more than half of what the ring has free: however many ports flood it, there is
 * room for one that begins. The daemon may have taken a record before it is counted: what waits may be below zero. */
static __always_inline bool
is_queue_full(const struct ebpf_port_value *port, void *ring, const struct ebpf_config *config)
{
    int64_t waits = (int64_t) (port->queued_bytes - port->taken_bytes);
    uint64_t free = bpf_ringbuf_query(ring, BPF_RB_RING_SIZE) - bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA);

    return waits > (int64_t) config->queue_bytes || waits > (int64_t) (free / 2);
}

/* The packet, at most 'max_len' bytes of it, into the ring of a handler; 'cookie' NULL: for a lookup. */
static __noinline int
upcall(struct __sk_buff *skb, struct scratch *s, const struct ebpf_act *a, uint32_t max_len)
{
    uint32_t cpu = bpf_get_smp_processor_id(), zero = 0, number = s->key.in_port, len = skb->len, handler;
    struct ebpf_upcall_buffer *b = bpf_map_lookup_elem(&buffers, &cpu);
    struct ebpf_port_value *port = bpf_map_lookup_elem(&ports, &number);
    const struct ebpf_config *config = bpf_map_lookup_elem(&config_map, &zero);
    uint64_t bytes;
    void *ring;

    if (!b || !port || !config || !config->n_handlers) {
        return 0;
    }
    handler = cpu % config->n_handlers;
    ring = bpf_map_lookup_elem(&rings, &handler);
    if (len > EBPF_MAX_PACKET || !ring || is_queue_full(port, ring, config)) {
        count(EBPF_LOST, 1);
        return 0;
    }
    b->header = (struct ebpf_upcall){
        .kind = !a ? EBPF_UPCALL_LOOKUP : a->kind == EBPF_ACT_OUTPUT ? EBPF_UPCALL_OUTPUT : EBPF_UPCALL_ACTION,
        .in_port = number,
        .recirc_id = s->key.recirc_id,
        .dp_hash = s->key.dp_hash,
        .pkt_mark = s->key.pkt_mark,
        .skb_priority = s->key.skb_priority,
        .gso_size = skb->gso_size,
    };
    if (skb->vlan_present) {
        b->header.vlan_tpid = (uint16_t) skb->vlan_proto;
        b->header.vlan_tci = bpf_htons((uint16_t) skb->vlan_tci);
        max_len -= max_len > 4 ? 4 : 0;
    }
    if (a && a->kind == EBPF_ACT_OUTPUT) {
        b->header.port = a->arg;
    } else if (a) {
        __builtin_memcpy(b->header.cookie, a->value, sizeof b->header.cookie);
    }
    if (len > max_len) {
        len = max_len;
    }
    b->header.len = len;
    bytes = len - 1;
    asm volatile("" : "+r"(bytes)); /* So that the verifier, that of Linux 6.1 too, sees a number from 1 to the size of the room. */
    bytes = (bytes & EBPF_MAX_PACKET) + 1;
    if (bpf_skb_load_bytes(skb, 0, b->data, (uint32_t) bytes) || bpf_ringbuf_output(ring, b, sizeof b->header + bytes, 0)) {
        count(EBPF_LOST, 1);
        return 0;
    }
    __sync_fetch_and_add(&port->queued_bytes, sizeof b->header + bytes);
    return 0;
}

/* The layers begin behind the tags in the packet's data, whose number changes. */
static __always_inline void
move_layers(struct scratch *s, uint32_t tags_were, uint32_t tags_are)
{
    s->l3 += s->l3 ? (tags_are - tags_were) * 4 : 0;
    s->l4 += s->l4 ? (tags_are - tags_were) * 4 : 0;
}

static __always_inline uint32_t
inner_tags(const struct scratch *s, struct __sk_buff *skb)
{
    return s->tags - (skb->vlan_present ? 1 : 0);
}

static __always_inline int
change_tags(struct __sk_buff *skb, struct scratch *s, const struct ebpf_act *a)
{
    uint32_t were = inner_tags(s, skb);
    int error;

    if (a->kind == EBPF_ACT_PUSH_VLAN) {
        error = (int) bpf_skb_vlan_push(skb, bpf_htons((uint16_t) (a->arg >> 16)), (uint16_t) a->arg);
        s->tags += !error;
        s->pushed += !error;
    } else if (s->tags) {
        error = pop_tag(skb);
        s->tags -= !error;
        s->pushed -= !error;
        s->lowest = s->pushed < s->lowest ? s->pushed : s->lowest;
    } else {
        return 0;
    }
    move_layers(s, were, inner_tags(s, skb));
    return error;
}

/* The option of neighbour discovery with the address that solicitations have (or advertisements: 'target'), as layer_of(). */
static __noinline int
nd_option_at(struct __sk_buff *skb, const struct scratch *s, bool target)
{
    uint32_t at = s->l4 + 24, end = s->l4 + s->l4_len;
    uint8_t h[2];

    if (layer_of(s, EBPF_ND) < 0 || s->key.tp_src != bpf_htons(target ? 136 : 135)) {
        return -1;
    }
    for (unsigned i = 0; i < MAX_ND_OPTIONS; i++) {
        if (at >= end || end - at < 8 || bpf_skb_load_bytes(skb, at, h, 2) || !h[1] || end - at < h[1] * 8u) {
            return -1;
        }
        if (h[0] == (target ? 2 : 1) && h[1] == 1) {
            return (int) at;
        }
        at += h[1] * 8u;
    }
    return -1;
}

static __always_inline int
repair_sums(struct __sk_buff *skb, const struct scratch *s, uint8_t sums, int64_t diff)
{
    uint64_t flags = s->key.nw_proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
    bool covers_pseudo;
    uint32_t at = transport_sum(s, &covers_pseudo);
    int error = 0;

    if (sums & EBPF_SUM_IP) {
        error = (int) bpf_l3_csum_replace(skb, s->l3 + 10, 0, (uint64_t) diff, 0);
    }
    if (sums & EBPF_SUM_PSEUDO && at && covers_pseudo && !(sums & EBPF_SUM_IF_ROUTED && s->routed)) {
        error |= (int) bpf_l4_csum_replace(skb, at, 0, (uint64_t) diff, flags | BPF_F_PSEUDO_HDR);
    }
    if (sums & EBPF_SUM_TRANSPORT && at) {
        error |= (int) bpf_l4_csum_replace(skb, at, 0, (uint64_t) diff, flags);
    }
    return error;
}

/* The product of two polynomials over GF(2) modulo that of CRC32c, in whose notation the highest bit is the constant. */
static __always_inline uint32_t
crc_times(uint32_t a, uint32_t b)
{
    uint32_t product = 0;

    for (unsigned i = 0; i < 32; i++) {
        product ^= b & -(a >> 31);
        a <<= 1;
        b = b >> 1 ^ (0x82f63b78 & -(b & 1));
    }
    return product;
}

/* A CRC is linear: how it changes depends on what changes in the packet and how far from its end that is, not on what is between. 'diff': of the four bytes that begin
 * 'len' bytes before the end (RFC 9260 appendix A; as there, the first byte is the lowest). */
static __noinline uint32_t
crc_diff(uint32_t diff, uint32_t len)
{
    uint32_t power = 1u << 23 /* x^8: a byte. */, times;

    for (unsigned i = 0; i < 16; i++) {
        times = -(len >> i & 1);
        diff = (crc_times(diff, power) & times) | (diff & ~times);
        power = crc_times(power, power);
    }
    return diff;
}

static __always_inline uint32_t
little_endian(uint32_t x)
{
    return __builtin_bswap32(bpf_htonl(x));
}

/* SCTP's checksum is right after the ports changed if it was before, and as wrong as it was if not. */
static __always_inline int
repair_sctp(struct __sk_buff *skb, const struct scratch *s, uint32_t was, uint32_t is)
{
    uint32_t sum;

    if (bpf_skb_load_bytes(skb, s->l4 + 8, &sum, 4)) {
        return -1;
    }
    sum ^= little_endian(crc_diff(little_endian(was ^ is), s->l4_len));
    return (int) bpf_skb_store_bytes(skb, s->l4 + 8, &sum, 4, BPF_F_RECOMPUTE_CSUM);
}

/* Fields are written as whole 32-bit words where a checksum covers them, since that is how differences of checksums are reckoned. */
static __noinline int
write_field(struct __sk_buff *skb, struct scratch *s, const struct ebpf_act *a)
{
    uint32_t was[4] = {0}, is[4] = {0};
    const uint32_t *value = (const void *) a->value, *mask = (const void *) a->mask;
    uint64_t len = a->len - 1;
    int base = a->layer == EBPF_MPLS     ? label_at(skb, s)
               : a->layer >= EBPF_ND_SLL ? nd_option_at(skb, s, a->layer == EBPF_ND_TLL)
                                         : layer_of(s, a->layer);
    uint64_t flags = a->layer == EBPF_L2 || a->sums & (EBPF_SUM_IP | EBPF_SUM_TRANSPORT) ? 0 : BPF_F_RECOMPUTE_CSUM;

    if (base < 0) {
        return 0;
    }
    asm volatile("" : "+r"(len)); /* As in upcall(). */
    len = (len & 15) + 1;
    if (bpf_skb_load_bytes(skb, (uint32_t) base + a->at, was, (uint32_t) len)) {
        return 0; /* Cut short. */
    }
    for (unsigned i = 0; i < 4; i++) {
        is[i] = (was[i] & ~mask[i]) | (value[i] & mask[i]);
    }
    if (is[0] == was[0] && is[1] == was[1] && is[2] == was[2] && is[3] == was[3]) {
        return 0;
    }
    if (!is_saved(skb, s, (uint32_t) base + a->at)) {
        return -1;
    }
    /* First the bytes: the checksum may be among them, as it was. */
    if (bpf_skb_store_bytes(skb, (uint32_t) base + a->at, is, (uint32_t) len, flags)) {
        return -1;
    }
    if (a->sums & EBPF_SUM_SCTP) {
        return repair_sctp(skb, s, was[0], is[0]);
    }
    return a->sums ? repair_sums(skb, s, a->sums, bpf_csum_diff(was, sizeof was, is, sizeof is, 0)) : 0;
}

static __always_inline int
output(struct run *r, const struct ebpf_act *a)
{
    uint32_t number = a->arg, max_len = a->max_len;
    const struct ebpf_port_value *port = bpf_map_lookup_elem(&ports, &number);

    if (!port || !port->ifindex) {
        return 0;
    }
    if (max_len) {
        max_len -= r->skb->vlan_present && max_len > 4 ? 4 : 0;
        /* What is cut off does not come back, and the kernel does not cut within headers. */
        if (max_len < r->skb->len && (!a->last || r->s->depth || bpf_skb_change_tail(r->skb, max_len, 0))) {
            upcall(r->skb, r->s, a, a->max_len);
            return 0;
        }
    }
    if (!a->last) {
        return (int) bpf_clone_redirect(r->skb, port->ifindex, 0);
    }
    r->redirect = port->ifindex;
    return 0;
}

/* Only that packets of one transport flow agree matters. */
static __always_inline uint32_t
hash_l4(const struct flow_key *k, uint32_t basis)
{
    const uint64_t *src = (const void *) &k->ipv6_src, *dst = (const void *) &k->ipv6_dst;
    uint64_t h = basis ^ ((uint64_t) k->nw_src << 32 | k->nw_dst);

    h = (h ^ src[0]) * 0x9e3779b97f4a7c15ULL;
    h = (h ^ src[1] ^ h >> 31) * 0x9e3779b97f4a7c15ULL;
    h = (h ^ dst[0] ^ h >> 31) * 0x9e3779b97f4a7c15ULL;
    h = (h ^ dst[1] ^ h >> 31) * 0x9e3779b97f4a7c15ULL;
    h = (h ^ ((uint64_t) k->nw_proto << 32 | (uint32_t) k->tp_src << 16 | k->tp_dst) ^ h >> 31) * 0x9e3779b97f4a7c15ULL;
    return (uint32_t) (h >> 32) ? (uint32_t) (h >> 32) : 1;
}

static __noinline bool
passes_meter(struct __sk_buff *skb, uint32_t id)
{
    struct meter *m = bpf_map_lookup_elem(&meters, &id);

    return !m || meter_pass(m, frame_len(skb), (int64_t) bpf_ktime_get_ns());
}

/* Is the packet, or each of the segments that will be made of it, longer? */
static __always_inline bool
is_longer(struct __sk_buff *skb, const struct scratch *s, uint32_t than)
{
    uint32_t header = 8; /* UDP's. */
    uint8_t offset;

    if (!skb->gso_size || !s->l4) {
        return frame_len(skb) > than;
    }
    if (s->key.nw_proto == IPPROTO_TCP) {
        header = bpf_skb_load_bytes(skb, s->l4 + 12, &offset, 1) ? 20 : (offset >> 4) * 4u;
    }
    return s->l4 + header + skb->gso_size + frame_len(skb) - skb->len > than;
}

static __always_inline bool
takes(struct run *r, const struct ebpf_act *a)
{
    switch (a->kind) {
    case EBPF_ACT_METER:
        return passes_meter(r->skb, a->arg);
    case EBPF_ACT_SAMPLE:
        return a->arg == UINT32_MAX || bpf_get_prandom_u32() < a->arg;
    case EBPF_ACT_IF_LONGER:
        return is_longer(r->skb, r->s, a->arg);
    default:
        return false;
    }
}

static long
act_one(uint32_t i, struct run *r)
{
    uint32_t at = r->first + i;
    const struct ebpf_act *a;
    struct flow_key *k = &r->s->key;
    int error = 0;

    if (r->s->skip) {
        r->s->skip--;
        return 0;
    }
    a = bpf_map_lookup_elem(&acts, &at);
    if (!a) {
        return 1;
    }
    switch (a->kind) {
    case EBPF_ACT_OUTPUT:
        error = output(r, a);
        break;
    case EBPF_ACT_USERSPACE:
        upcall(r->skb, r->s, a, a->max_len ? a->max_len : EBPF_MAX_PACKET);
        break;
    case EBPF_ACT_PUSH_VLAN:
    case EBPF_ACT_POP_VLAN:
        error = change_tags(r->skb, r->s, a);
        break;
    case EBPF_ACT_PUSH_MPLS:
    case EBPF_ACT_POP_MPLS:
        error = change_labels(r->skb, r->s, a);
        break;
    case EBPF_ACT_WRITE:
        error = write_field(r->skb, r->s, a);
        break;
    case EBPF_ACT_PRIORITY:
        k->skb_priority = (k->skb_priority & ~a->max_len) | a->arg;
        r->skb->priority = k->skb_priority;
        break;
    case EBPF_ACT_MARK:
        k->pkt_mark = (k->pkt_mark & ~a->max_len) | a->arg;
        r->skb->mark = k->pkt_mark;
        break;
    case EBPF_ACT_HASH:
        k->dp_hash = hash_l4(k, a->arg);
        break;
    case EBPF_ACT_RECIRC:
        r->recirc_id = a->arg;
        if (!a->last) {
            put_off(r->s, at + 1, r->s->todo.n - i - 1);
        }
        return 1;
    case EBPF_ACT_SAVE:
        error = save(r->skb, r->s, a->arg);
        break;
    case EBPF_ACT_RESTORE:
        error = restore(r->skb, r->s, a->arg);
        break;
    case EBPF_ACT_SKIP:
    case EBPF_ACT_METER:
    case EBPF_ACT_SAMPLE:
    case EBPF_ACT_IF_LONGER:
        r->s->skip = takes(r, a) ? 0 : a->skip;
        break;
    default:
        return 1;
    }
    if (error) {
        count(EBPF_FAILED, 1);
        if (a->kind == EBPF_ACT_OUTPUT) {
            return 0; /* No reason not to send others. */
        }
        r->s->depth = 0; /* A packet that is half changed is not sent, nor what it is a copy of. */
        return 1;
    }
    return 0;
}

#endif
