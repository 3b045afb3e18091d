// SPDX-License-Identifier: Apache-2.0
// Masks are proved: packets that differ in bits that a mask leaves out must be translated alike.
#include <config.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib/base/hash.h"
#include "ofproto/translate.h"

static uint64_t
next_random(uint64_t *state)
{
    *state = hash_u64(*state, 1) | (uint64_t) hash_u64(*state, 2) << 32;
    return *state;
}

static void
fill(void *to, size_t n, uint64_t *state)
{
    uint8_t *bytes = to;

    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t) next_random(state);
    }
}

static void
randomise_network(struct flow_key *key, uint64_t *state)
{
    uint8_t frag = key->nw_frag;

    switch (ntohs(key->eth_type)) {
    case 0x0800:
    case 0x0806:
        fill(&key->nw_src, sizeof key->nw_src, state);
        fill(&key->nw_dst, sizeof key->nw_dst, state);
        break;
    case 0x86dd:
        fill(&key->ipv6_src, sizeof key->ipv6_src, state);
        fill(&key->ipv6_dst, sizeof key->ipv6_dst, state);
        key->ipv6_label = htonl((uint32_t) next_random(state) & 0xfffff);
        break;
    default:
        return;
    }
    key->nw_proto = (uint8_t) next_random(state);
    if (key->eth_type == htons(0x0806)) {
        fill(&key->arp_sha, sizeof key->arp_sha, state);
        fill(&key->arp_tha, sizeof key->arp_tha, state);
    } else {
        key->nw_tos = (uint8_t) next_random(state);
        key->nw_ttl = (uint8_t) next_random(state);
        key->nw_frag = frag;
        if (!(frag & FLOW_FRAG_LATER)) {
            fill(&key->tp_src, sizeof key->tp_src, state);
            fill(&key->tp_dst, sizeof key->tp_dst, state);
            key->tcp_flags = htons((uint16_t) next_random(state) & 0xfff);
        }
    }
}

/* Random bits wherever a packet with these headers may have others. */
static void
randomise(struct flow_key *key, uint64_t *state)
{
    fill(&key->eth_src, sizeof key->eth_src, state);
    fill(&key->eth_dst, sizeof key->eth_dst, state);
    fill(&key->pkt_mark, sizeof key->pkt_mark, state);
    fill(&key->skb_priority, sizeof key->skb_priority, state);
    for (unsigned i = 0; i < FLOW_N_VLANS; i++) {
        if (key->vlan[i].tci & htons(FLOW_VLAN_PRESENT)) {
            fill(&key->vlan[i].tci, sizeof key->vlan[i].tci, state);
            key->vlan[i].tci |= htons(FLOW_VLAN_PRESENT);
        }
    }
    randomise_network(key, state);
}

/* What a mask leaves out from 'other', the rest from 'key'. */
static void
merge(struct flow_key *out, const struct flow_key *key, const struct flow_key *other, const struct flow_key *mask)
{
    const uint64_t *k = flow_key_cwords(key), *o = flow_key_cwords(other), *m = flow_key_cwords(mask);
    uint64_t *to = flow_key_words(out);

    for (size_t i = 0; i < FLOW_KEY_WORDS; i++) {
        to[i] = (k[i] & m[i]) | (o[i] & ~m[i]);
    }
}

static bool
same(const struct translate_out *a, const struct translate_out *b)
{
    return a->error == b->error && a->slow == b->slow && a->actions.len == b->actions.len
           && (!a->actions.len || !memcmp(a->actions.data, b->actions.data, a->actions.len));
}

static void
report(const char *what, const struct flow_key *key, const struct translate_out *out)
{
    struct buf text = BUF_EMPTY;

    flow_key_format(key, NULL, &text);
    buf_puts(&text, " -> ");
    action_format(out->actions.data, out->actions.len, NULL, &text);
    fprintf(stderr, "%s: %s\n", what, buf_text(&text));
    buf_free(&text);
}

bool
translate_check_mask(const struct translate_in *in, const struct translate_out *out, unsigned rounds)
{
    uint64_t state = flow_key_hash(&in->key, rounds);
    struct translate_out again;
    bool ok = true;

    translate_out_init(&again);
    for (unsigned i = 0; ok && i < rounds; i++) {
        struct translate_in other = *in;
        struct flow_key key = in->key;

        randomise(&key, &state);
        merge(&other.key, &in->key, &key, &out->mask);
        other.trace = NULL;
        translate_unproved(&other, &again);
        if (!same(out, &again)) {
            struct translate_out now;

            /* Something that other threads may have changed meanwhile is no fault of the mask. */
            translate_out_init(&now);
            other.key = in->key;
            translate_unproved(&other, &now);
            ok = !same(out, &now);
            translate_out_destroy(&now);
            if (!ok) {
                merge(&other.key, &in->key, &key, &out->mask);
                report("translated", &in->key, out);
                report("the same under its mask, translated", &other.key, &again);
            }
        }
    }
    translate_out_destroy(&again);
    return ok;
}
