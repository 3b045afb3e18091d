// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
// A program has one packet. To do something to a copy of it, it notes what the packet is like, does it to the packet itself, and puts back what was. The end of a packet
// is never changed, or only where nobody wants it any more: its headers are noted, and its tags.
//
// Where a copy is looked up again, or another program goes on with it, what is left to do with the packet waits until that has come to its end: whoever
// would let go of the packet looks here first (lib/dp/ebpf.bpf.c).
//
// Places are told by their distance from the packet's end, which stays as it is while headers come and go.
#ifndef LIB_DP_EBPF_COPY_BPF_H
#define LIB_DP_EBPF_COPY_BPF_H 1

#define SAVED_TAGS 4
#define MAX_TAGS 16 /* Of a packet whose labels change. */
#define SAVED_BYTES 128
#define SAVED_L4 64
#define MAX_WRITE 24 /* How far from where a field is written a checksum is written too. */

struct save {
    struct flow_key key;
    uint32_t l3, l4, l4_len, tags;
    bool routed, l4_whole;
    uint8_t macs[MACS], bytes[SAVED_BYTES], l4_bytes[SAVED_L4];
    uint32_t at, n_bytes;        /* Behind the last tag, where 'bytes' are from. */
    uint32_t n_l4_bytes;
    uint32_t n_tags, tag[SAVED_TAGS]; /* In the packet's data too: tpid << 16 | tci, the outermost first. */
    uint32_t saved_end, saved_l4;     /* These four as in struct scratch. */
    int32_t pushed, lowest;
    uint32_t relabelled;
    uint32_t bare_len; /* Of the packet without these tags. */
    uint8_t type[2];   /* Behind them. */
    union ebpf_todo rest;        /* From EBPF_ACT_RESTORE on: when nothing is left to do with the copy. */
};

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, EBPF_MAX_COPIES);
    __type(key, uint32_t);
    __type(value, struct save);
} saves SEC(".maps");

/* At most 'max', a power of two, bytes at 'at'; how many. */
static __always_inline uint32_t
load_up_to(struct __sk_buff *skb, uint32_t at, uint8_t *to, uint32_t max)
{
    uint64_t n = skb->len > at ? skb->len - at : 0;

    if (!n) {
        return 0;
    }
    n = n < max ? n - 1 : max - 1;
    asm volatile("" : "+r"(n)); /* So that the verifier, that of Linux 6.1 too, sees a number from 1 to the size of the room. */
    n = (n & (max - 1)) + 1;
    return bpf_skb_load_bytes(skb, at, to, (uint32_t) n) ? 0 : (uint32_t) n;
}

static __always_inline int
store_up_to(struct __sk_buff *skb, uint32_t at, const uint8_t *from, uint32_t len, uint32_t max, uint64_t flags)
{
    uint64_t n = len - 1;

    if (!len) {
        return 0;
    }
    asm volatile("" : "+r"(n)); /* As above. */
    n = (n & (max - 1)) + 1;
    return (int) bpf_skb_store_bytes(skb, at, from, (uint32_t) n, flags);
}

/* All tags, those that the parser does not look at too. */
static __always_inline void
save_tags(struct __sk_buff *skb, struct save *v)
{
    uint8_t h[4];

    v->n_tags = 0;
    v->at = MACS;
    if (skb->vlan_present) {
        v->tag[0] = (uint32_t) bpf_ntohs((uint16_t) skb->vlan_proto) << 16 | (uint16_t) skb->vlan_tci;
        v->n_tags = 1;
    }
    for (unsigned i = 0; i < SAVED_TAGS; i++) {
        if (v->n_tags >= SAVED_TAGS || bpf_skb_load_bytes(skb, v->at, h, sizeof h) || !is_vlan(u16_at(h))) {
            break;
        }
        v->tag[v->n_tags & (SAVED_TAGS - 1)] = (uint32_t) u16_at(h) << 16 | u16_at(h + 2);
        v->n_tags++;
        v->at += 4;
    }
    v->bare_len = skb->len - (v->at - MACS);
    v->at += 2;
}

static __always_inline void
save_bytes(struct __sk_buff *skb, struct scratch *s, struct save *v)
{
    uint32_t l4_end = s->l4 ? skb->len - s->l4 : 0, end;

    v->n_bytes = load_up_to(skb, v->at, v->bytes, SAVED_BYTES);
    v->n_l4_bytes = s->l4 ? load_up_to(skb, s->l4, v->l4_bytes, SAVED_L4) : 0;
    if (bpf_skb_load_bytes(skb, 0, v->macs, MACS)) {
        v->n_bytes = v->n_l4_bytes = 0;
    }
    end = v->n_bytes == SAVED_BYTES ? skb->len - v->at - SAVED_BYTES : 0;
    if (s->saved_end == NOT_SAVED) {
        s->saved_end = end;
        s->saved_l4 = l4_end;
    } else {
        s->saved_end = end > s->saved_end ? end : s->saved_end;
        s->saved_l4 = l4_end == s->saved_l4 ? l4_end : 0;
    }
}

/* May what is at 'at' be written, since it can be put back? */
static __always_inline bool
is_saved(struct __sk_buff *skb, const struct scratch *s, uint32_t at)
{
    uint32_t from_end = skb->len - at;

    return s->saved_end == NOT_SAVED || !s->saved_end || from_end >= s->saved_end + MAX_WRITE || at < MACS
           || (s->saved_l4 && from_end <= s->saved_l4 && s->saved_l4 - from_end <= SAVED_L4 - MAX_WRITE);
}

/* EBPF_ACT_SAVE */
static __noinline int
save(struct __sk_buff *skb, struct scratch *s, uint32_t what)
{
    uint32_t depth = s->depth;
    struct save *v = bpf_map_lookup_elem(&saves, &depth);

    if (!v) {
        return -1; /* Copies of copies of copies. */
    }
    v->l3 = s->l3;
    v->l4 = s->l4;
    v->l4_len = s->l4_len;
    v->tags = s->tags;
    v->routed = s->routed;
    v->l4_whole = s->l4_whole;
    v->lowest = s->lowest;
    v->pushed = s->pushed;
    v->saved_end = s->saved_end;
    v->saved_l4 = s->saved_l4;
    v->relabelled = s->relabelled;
    s->lowest = s->pushed;
    __builtin_memcpy((uint64_t *) &v->key + EBPF_META_FIRST, (uint64_t *) &s->key + EBPF_META_FIRST, EBPF_META_WORDS * 8);
    if (what & EBPF_SAVE_KEY) {
        __builtin_memcpy((uint64_t *) &v->key + EBPF_LAYER_FIRST, (uint64_t *) &s->key + EBPF_LAYER_FIRST, EBPF_LAYER_WORDS * 8);
    }
    if (what & (EBPF_SAVE_TAGS | EBPF_SAVE_BYTES)) {
        save_tags(skb, v);
    }
    if (what & EBPF_SAVE_BYTES) {
        save_bytes(skb, s, v);
    }
    if (what & EBPF_SAVE_LABELS && bpf_skb_load_bytes(skb, v->at - 2, v->type, sizeof v->type)) {
        return -1;
    }
    s->depth++;
    return 0;
}

/* The kernel takes the tag beside the packet off, then wants to put the next one there, and fails if that is cut short. The tag is off all the same. */
static __always_inline int
pop_tag(struct __sk_buff *skb)
{
    bool beside = skb->vlan_present;
    int error = (int) bpf_skb_vlan_pop(skb);

    return beside && !skb->vlan_present ? 0 : error;
}

/* The outermost 'n' of the noted tags. */
static __always_inline int
push_tags(struct __sk_buff *skb, const struct save *v, uint32_t n)
{
    for (unsigned i = SAVED_TAGS; i-- > 0;) {
        if (i < n && bpf_skb_vlan_push(skb, bpf_htons((uint16_t) (v->tag[i] >> 16)), (uint16_t) v->tag[i])) {
            return -1;
        }
    }
    return 0;
}

static __always_inline int
restore_tags(struct __sk_buff *skb, struct scratch *s, const struct save *v)
{
    uint32_t missing = (uint32_t) (v->pushed - s->lowest);

    for (unsigned i = 0; i < 2 * SAVED_TAGS && s->pushed > s->lowest; i++) {
        if (pop_tag(skb)) {
            return -1;
        }
        s->pushed--;
    }
    if (s->pushed != s->lowest || missing > v->n_tags) {
        return -1;
    }
    s->pushed = v->pushed;
    return push_tags(skb, v, missing);
}

/* Tags and labels, wherever among each other they came and went. Without tags the packet is too long or too short by what labels are. Where it is too long, what is too
 * much is made look like tags, and goes with them; where it is too short, tags are pushed. The kernel reads the Ethertype behind the last that is popped, and if that
 * is another tag's, of a packet that has more than are saved, takes it out too. What is behind is restore_bytes()'s. */
static __always_inline int
restore_head(struct __sk_buff *skb, const struct save *v)
{
    const uint8_t tag[4] = {0x81};
    uint32_t at = MACS + sizeof tag, too_long, too_short;

    for (unsigned i = 0; i < MAX_TAGS && skb->vlan_present; i++) {
        pop_tag(skb);
    }
    too_long = skb->len > v->bare_len ? (skb->len - v->bare_len) / sizeof tag : 0;
    too_short = skb->len < v->bare_len ? (v->bare_len - skb->len) / sizeof tag : 0;
    /* One beside the packet and one in it at least. */
    for (unsigned i = 0; i < 2 + EBPF_MAX_RELABELS; i++) {
        if (i < 2 + too_short && bpf_skb_vlan_push(skb, bpf_htons(0x8100), 0)) {
            return -1;
        }
    }
    for (unsigned i = 0; i < EBPF_MAX_RELABELS; i++) {
        if (i < too_long) {
            if (bpf_skb_store_bytes(skb, at, tag, sizeof tag, 0)) {
                return -1;
            }
            at += sizeof tag;
        }
    }
    if (bpf_skb_store_bytes(skb, at, v->type, sizeof v->type, 0)) {
        return -1;
    }
    for (unsigned i = 0; i < 2 + EBPF_MAX_RELABELS; i++) {
        if (i < 2 + too_long) {
            pop_tag(skb);
        }
    }
    if (skb->len + (skb->vlan_present ? sizeof tag : 0) != v->bare_len) {
        return -1;
    }
    return push_tags(skb, v, v->n_tags);
}

static __always_inline int
restore_bytes(struct __sk_buff *skb, const struct save *v)
{
    if (bpf_skb_store_bytes(skb, 0, v->macs, MACS, 0)) {
        return -1;
    }
    return store_up_to(skb, v->at, v->bytes, v->n_bytes, SAVED_BYTES, BPF_F_RECOMPUTE_CSUM)
           | store_up_to(skb, v->l4, v->l4_bytes, v->n_l4_bytes, SAVED_L4, BPF_F_RECOMPUTE_CSUM);
}

/* EBPF_ACT_RESTORE */
static __noinline int
restore(struct __sk_buff *skb, struct scratch *s, uint32_t what)
{
    uint32_t depth = s->depth - 1;
    struct save *v = bpf_map_lookup_elem(&saves, &depth);
    int error = 0;

    if (!v) {
        return -1;
    }
    if (what & EBPF_SAVE_LABELS && s->relabelled != v->relabelled) {
        error = restore_head(skb, v);
        s->pushed = s->lowest = v->pushed;
        s->relabelled = v->relabelled;
    } else if (what & EBPF_SAVE_TAGS) {
        error = restore_tags(skb, s, v);
    }
    if (error || (what & EBPF_SAVE_BYTES && restore_bytes(skb, v))) {
        return -1;
    }
    s->depth = depth;
    s->l3 = v->l3;
    s->l4 = v->l4;
    s->l4_len = v->l4_len;
    s->tags = v->tags;
    s->routed = v->routed;
    s->l4_whole = v->l4_whole;
    s->lowest = s->lowest < v->lowest ? s->lowest : v->lowest;
    s->saved_end = v->saved_end;
    s->saved_l4 = v->saved_l4;
    __builtin_memcpy((uint64_t *) &s->key + EBPF_META_FIRST, (uint64_t *) &v->key + EBPF_META_FIRST, EBPF_META_WORDS * 8);
    if (what & EBPF_SAVE_KEY) {
        __builtin_memcpy((uint64_t *) &s->key + EBPF_LAYER_FIRST, (uint64_t *) &v->key + EBPF_LAYER_FIRST, EBPF_LAYER_WORDS * 8);
    }
    skb->priority = s->key.skb_priority;
    skb->mark = s->key.pkt_mark;
    return 0;
}

/* Somebody else has the copy now: the records from 'first' on, 'n' of them, are for later. */
static __always_inline void
put_off(struct scratch *s, uint32_t first, uint32_t n)
{
    uint32_t depth = s->depth - 1;
    struct save *v = bpf_map_lookup_elem(&saves, &depth);

    if (v) {
        v->rest = (union ebpf_todo){.first = first, .n = (uint8_t) n};
    }
}

static __always_inline void
begin_without_copies(struct scratch *s)
{
    s->depth = 0;
    s->pushed = s->lowest = 0;
    s->saved_end = NOT_SAVED;
}

/* Whoever has the packet is done with it but for sending it to the device 'ifindex', if that is not 0. */
static __always_inline int
end_packet(struct __sk_buff *skb, struct scratch *s, uint32_t ifindex)
{
    uint32_t depth = s->depth - 1;
    struct save *v = bpf_map_lookup_elem(&saves, &depth);

    if (!v) { /* It is no copy. */
        return ifindex ? (int) bpf_redirect(ifindex, 0) : TC_ACT_SHOT;
    }
    if (ifindex) {
        bpf_clone_redirect(skb, ifindex, 0);
    }
    s->todo = v->rest;
    bpf_tail_call(skb, &programs, EBPF_PROGRAM_EXECUTE);
    count(EBPF_FAILED, 1);
    return TC_ACT_SHOT;
}

#endif
