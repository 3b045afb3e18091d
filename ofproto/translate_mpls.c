// SPDX-License-Identifier: Apache-2.0
// MPLS labels: pushing, popping, and the datapath actions that do so. Layout of an entry: RFC 3032, section 2.1.
#include <config.h>
#include "ofproto/translate_ctx.h"

#define LSE_BOS 0x100u

static be32
lse(uint32_t label, unsigned tc, bool bos, unsigned ttl)
{
    return htonl(label << 12 | (tc & 7) << 9 | (bos ? LSE_BOS : 0) | ttl);
}

/* Labels of the packet, as many as keys hold. 'mask' (or NULL) gets the bits that told it. */
static unsigned
count(const struct flow_key *key, struct flow_key *mask)
{
    unsigned n = 0;

    if (!xl_is_mpls(key->eth_type)) {
        return 0;
    }
    for (unsigned i = 0; i < FLOW_N_MPLS; i++) {
        if (mask) {
            mask->mpls[i] |= htonl(LSE_BOS);
        }
        if (key->mpls[i] & htonl(LSE_BOS)) {
            return i + 1;
        }
        n += key->mpls[i] != 0; /* A stack cut short has no bottom. */
    }
    return n;
}

/* What the lowest label hides. */
static void
forget_l3(struct flow_key *key)
{
    memset(&key->nw_src, 0, sizeof *key - offsetof(struct flow_key, nw_src));
    key->dp_hash = 0;
}

/* A new label over 'n': a copy of the top one, or one made of the network header. */
static void
push(struct flow_key *key, unsigned n, be16 eth_type, struct flow_key *mask, bool forget)
{
    if (n) {
        if (mask) {
            memset(mask->mpls, 0xff, n * sizeof mask->mpls[0]);
        }
        memmove(&key->mpls[1], &key->mpls[0], (FLOW_N_MPLS - 1) * sizeof key->mpls[0]);
        key->mpls[0] &= htonl(~LSE_BOS);
    } else {
        unsigned tc = 0, ttl = 64;

        if (flow_key_is_ip(key)) {
            tc = key->nw_tos >> 2;
            ttl = key->nw_ttl ? key->nw_ttl : ttl;
            if (mask) {
                mask->nw_tos |= 0xfc;
                mask->nw_ttl = UINT8_MAX;
            }
        }
        /* 0 and 2 are the explicit null labels of IPv4 and IPv6: RFC 3032, section 2.1. */
        key->mpls[0] = lse(key->eth_type == htons(0x86dd) ? 2 : 0, tc, true, ttl);
        if (forget) {
            forget_l3(key);
        }
    }
    key->eth_type = eth_type;
}

/* false: nothing to pop, or what comes up is not known. */
static bool
pop(struct flow_key *key, unsigned n, be16 eth_type, struct flow_key *mask)
{
    if (!n) {
        return false;
    }
    if (n == FLOW_N_MPLS) {
        if (mask) {
            mask->mpls[n - 1] |= htonl(LSE_BOS);
        }
        if (!(key->mpls[n - 1] & htonl(LSE_BOS))) {
            return false;
        }
    }
    if (mask) {
        memset(&mask->mpls[1], 0xff, (n - 1) * sizeof mask->mpls[0]);
    }
    memmove(&key->mpls[0], &key->mpls[1], (n - 1) * sizeof key->mpls[0]);
    key->mpls[n - 1] = 0;
    key->eth_type = eth_type;
    return true;
}

void
xl_push_mpls(struct xl *xl, be16 eth_type)
{
    unsigned n = count(&xl->key, xl->mask);

    if (!n) {
        xl_commit(xl); /* Changes to the headers below cannot be made once they are hidden. */
    } else if (n >= FLOW_N_MPLS) {
        xl_fail(xl, TRANSLATE_TOO_MANY_LABELS,
                "dropping packet on which an MPLS push action can't be performed as it would have more MPLS LSEs than the %d supported.",
                FLOW_N_MPLS);
        return;
    }
    push(&xl->key, n, eth_type, xl->mask, true);
}

void
xl_pop_mpls(struct xl *xl, be16 eth_type)
{
    unsigned n = count(&xl->key, xl->mask);

    if (pop(&xl->key, n, eth_type, xl->mask)) {
        if (!xl_is_mpls(eth_type)) {
            xl->was_mpls = true;
        }
    } else if (n >= FLOW_N_MPLS) {
        xl_fail(xl, TRANSLATE_TOO_MANY_LABELS,
                "dropping packet on which an MPLS pop action can't be performed as it has more MPLS LSEs than the %d supported.",
                FLOW_N_MPLS);
    }
}

bool
xl_dec_mpls_ttl(struct xl *xl)
{
    struct xl_packet_in in = {.max_len = UINT16_MAX, .reason = OFPR_INVALID_TTL};
    uint32_t top = ntohl(xl->key.mpls[0]);

    if (!xl_is_mpls(xl->key.eth_type)) {
        return true;
    }
    xl->mask->mpls[0] |= htonl(0xff);
    if ((top & 0xff) > 1) {
        xl->key.mpls[0] = htonl(top - 1);
        return false;
    }
    trace_add(xl->in->trace, TRACE_WARN, "MPLS decrement TTL exception");
    xl_packet_in(xl, &in);
    return true;
}

/* Equal entries at the bottom of both stacks. */
static unsigned
count_common(const struct flow_key *a, unsigned n_a, const struct flow_key *b, unsigned n_b)
{
    unsigned n = 0;

    while (n < MIN(n_a, n_b) && a->mpls[n_a - 1 - n] == b->mpls[n_b - 1 - n]) {
        n++;
    }
    return n;
}

static void
put_set(struct xl *xl, be32 top)
{
    struct action_set *set = action_put(&xl->out->actions, ACTION_SET, sizeof *set);

    set->group = SET_MPLS;
    set->key.mpls[0] = top;
    set->mask.mpls[0] = UINT32_MAX;
    xl->mask->mpls[0] = UINT32_MAX; /* The whole entry is written: packets that differ in any of it need flows of their own. */
    xl->base.mpls[0] = top;
}

static void
put_pop(struct xl *xl, unsigned n)
{
    struct action_pop_mpls *a = action_put(&xl->out->actions, ACTION_POP_MPLS, sizeof *a);

    /* More labels below: they must still be called MPLS. */
    a->eth_type = !xl_is_mpls(xl->key.eth_type) && n > 1 ? htons(0x8847) : xl->key.eth_type;
    pop(&xl->base, n, xl->key.eth_type, NULL);
}

static void
put_push(struct xl *xl, unsigned n, be32 entry)
{
    struct action_push_mpls *a = action_put(&xl->out->actions, ACTION_PUSH_MPLS, sizeof *a);

    a->eth_type = xl->key.eth_type;
    a->lse = entry;
    push(&xl->base, n, xl->key.eth_type, NULL, false);
    xl->base.mpls[0] = entry;
}

void
xl_mpls_to_base(struct xl *xl)
{
    unsigned n_base = count(&xl->base, NULL), n = count(&xl->key, NULL);
    unsigned common = count_common(&xl->key, n, &xl->base, n_base);

    while (n_base > common) {
        if (n_base - 1 == common && n > common) {
            put_set(xl, xl->key.mpls[n - n_base]);
            common++;
        } else {
            put_pop(xl, n_base--);
        }
    }
    for (; n_base < n; n_base++) {
        put_push(xl, n_base, xl->key.mpls[n - n_base - 1]);
    }
}
