// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// Before the parser: the flow that a packet of the same bytes had last. A packet of the commonest shape (Ethernet II with no tag but that beside it, IPv4 without
// options that is no fragment, all of a TCP or UDP header) has a key in which all comes from a few words of it: they are what is compared here, as they are. A flow
// for them is one for any other packet with the same words, whatever its mask looks at, as long as it lives.
//
// What the parser asks of such a packet (lengths, TCP's offset) is asked here, too, of each: what is not for sure of the shape goes to the parser.
// Only flows are taken that do nothing but send the packet, or drop it: for others the key is needed anyway.
#ifndef LIB_DP_EBPF_FRONT_BPF_H
#define LIB_DP_EBPF_FRONT_BPF_H 1

/* Where things are in the packet. */
enum { FRONT_TYPE = 12, FRONT_IP = 14, FRONT_ADDRESSES = 26, FRONT_PORTS = 34, FRONT_UDP_END = 42, FRONT_TCP_END = 54 };

/* Packet data as it stands, wherever that is: programs are for processors that do not mind. */
typedef uint64_t __attribute__((may_alias)) any64;
typedef uint32_t __attribute__((may_alias)) any32;
typedef uint16_t __attribute__((may_alias)) any16;

struct front {
    uint64_t words[EBPF_FRONT_WORDS];
    uint32_t at[2];   /* Its places in 'fronts'. */
    be16 tcp_flags;
    bool for_device;  /* XDP: the checksum is left to a device, as leaves_checksum(). */
};

#ifdef EBPF_XDP

static __always_inline void
front_meta(packet_ctx *p, struct front *f, uint32_t in_port)
{
    f->words[4] = 0;
    f->words[5] = in_port;
}

/* The field has the sum of the pseudo header. */
static __always_inline bool
front_for_device(const uint8_t *h, uint32_t l4_len, uint16_t l4_sum)
{
    uint64_t sum = (uint64_t) *(const any32 *) (h + FRONT_ADDRESSES) + *(const any32 *) (h + FRONT_ADDRESSES + 4);

    return l4_sum == fold(sum + bpf_htons(h[FRONT_IP + 9]) + bpf_htons((uint16_t) l4_len));
}

#else

static __always_inline void
front_meta(packet_ctx *p, struct front *f, uint32_t in_port)
{
    f->words[4] = p->priority | (uint64_t) p->mark << 32;
    f->words[5] = in_port;
    if (p->vlan_present) {
        f->words[5] |= (uint64_t) (p->vlan_tci & 0xffff) << 32 | (uint64_t) p->vlan_proto << 48;
    }
}

static __always_inline bool
front_for_device(const uint8_t *h, uint32_t l4_len, uint16_t l4_sum)
{
    return false;
}

#endif

/* The words of a packet, if it is of the shape. */
static __always_inline bool
front_words(packet_ctx *p, struct front *f, uint32_t in_port)
{
    const uint8_t *h = (const uint8_t *) (long) p->data, *end = (const uint8_t *) (long) p->data_end;
    uint32_t total, offset, len = packet_len(p);
    uint64_t rest;

    if (h + FRONT_UDP_END > end || *(const any16 *) (h + FRONT_TYPE) != bpf_htons(0x0800) || h[FRONT_IP] != 0x45
        || *(const any16 *) (h + FRONT_IP + 6) & bpf_htons(0x3fff)) {
        return false;
    }
    total = bpf_ntohs(*(const any16 *) (h + FRONT_IP + 2));
    rest = *(const any32 *) (h + FRONT_PORTS) | (uint64_t) h[FRONT_IP + 1] << 32 | (uint64_t) h[FRONT_IP + 8] << 40;
    if (total > len - FRONT_IP || total < FRONT_UDP_END - FRONT_IP) {
        return false;
    }
    if (h[FRONT_IP + 9] == IPPROTO_UDP) {
        f->tcp_flags = 0;
        f->for_device = front_for_device(h, total - 20, *(const any16 *) (h + FRONT_PORTS + 6));
    } else if (h[FRONT_IP + 9] == IPPROTO_TCP && h + FRONT_TCP_END <= end && total >= FRONT_TCP_END - FRONT_IP) {
        offset = (h[FRONT_PORTS + 12] >> 4) * 4u;
        if (offset < 20 || offset > total - 20) {
            return false;
        }
        f->tcp_flags = *(const any16 *) (h + FRONT_PORTS + 12) & bpf_htons(0x0fff);
        f->for_device = front_for_device(h, total - 20, *(const any16 *) (h + FRONT_PORTS + 16));
        rest |= (uint64_t) (f->tcp_flags | bpf_htons(0x1000)) << 48; /* One of the offset's bits: TCP. */
    } else {
        return false;
    }
    f->words[0] = *(const any64 *) h;
    f->words[1] = *(const any64 *) (h + 6);
    f->words[2] = *(const any64 *) (h + FRONT_ADDRESSES);
    f->words[3] = rest;
    front_meta(p, f, in_port);
    return true;
}

/* Where it may be. */
static __always_inline void
front_places(struct front *f, const struct ebpf_config *config)
{
    uint32_t first = bpf_get_smp_processor_id() * config->n_fronts;
    uint64_t hash = 0;

    for (unsigned i = 0; i < EBPF_FRONT_WORDS; i++) {
        hash += f->words[i] * config->secrets[i];
    }
    hash = ebpf_digest_end(hash);
    f->at[0] = first + ((uint32_t) hash & (config->n_fronts - 1));
    f->at[1] = first + ((uint32_t) (hash >> 32) & (config->n_fronts - 1));
}

static __always_inline bool
front_is(const struct ebpf_front *e, const uint64_t *words)
{
    uint64_t differs = 0;

    for (unsigned i = 0; i < EBPF_FRONT_WORDS; i++) {
        differs |= e->words[i] ^ words[i];
    }
    return !differs;
}

/* What to do with a packet of the flow needs no key. */
static __always_inline bool
front_can(union ebpf_state state)
{
    return state.flags & EBPF_FLOW_OUTPUT || !(state.n || state.flags & EBPF_FLOW_SLOW);
}

/* The packet's flow, slot plus one, and what to do; 0: not known, or it has to be parsed. */
static __always_inline uint32_t
front_find(packet_ctx *p, struct scratch *s, const struct ebpf_config *config, struct front *f, union ebpf_state *state)
{
    const union ebpf_state *now;
    const struct ebpf_front *e;
    uint32_t slot;

    s->has_front = false;
    if (!front_words(p, f, s->key.in_port)) {
        return 0;
    }
    front_places(f, config);
    e = bpf_map_lookup_elem(&fronts, &f->at[0]);
    if (e && !front_is(e, f->words)) {
        e = bpf_map_lookup_elem(&fronts, &f->at[1]);
        if (e && !front_is(e, f->words)) {
            e = NULL;
        }
    }
    slot = e ? e->slot : UINT32_MAX;
    now = bpf_map_lookup_elem(&states, &slot); /* There is none of UINT32_MAX. */
    if (e && now) {
        state->whole = *(const volatile uint64_t *) &now->whole;
        if (state->life == e->life && e->life) {
            return front_can(*state) ? slot + 1 : 0;
        }
    }
    for (unsigned i = 0; i < EBPF_FRONT_WORDS; i++) {
        s->front[i] = f->words[i];
    }
    s->front_at[0] = f->at[0];
    s->front_at[1] = f->at[1];
    s->has_front = true;
    return 0;
}

/* The packet's flow has been found otherwise. Of two places that others have one is given up. */
static __always_inline void
front_remember(struct scratch *s, uint32_t slot)
{
    uint32_t at[2] = {s->front_at[0], s->front_at[1]};
    const union ebpf_state *now = bpf_map_lookup_elem(&states, &slot);
    struct ebpf_front *e, *other;
    union ebpf_state state;

    if (!s->has_front || !now) {
        return;
    }
    state.whole = *(const volatile uint64_t *) &now->whole;
    if (!(state.life & 1) || !front_can(state)) {
        return;
    }
    e = bpf_map_lookup_elem(&fronts, &at[0]);
    other = bpf_map_lookup_elem(&fronts, &at[1]);
    if (!e || !other) {
        return;
    }
    if (!front_is(e, s->front) && (front_is(other, s->front) || (e->life && (!other->life || s->turn++ & 1)))) {
        e = other;
    }
    for (unsigned i = 0; i < EBPF_FRONT_WORDS; i++) {
        e->words[i] = s->front[i];
    }
    e->slot = slot;
    e->life = state.life;
}

#endif
