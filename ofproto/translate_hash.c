// SPDX-License-Identifier: Apache-2.0
// Choosing one of several by a hash of the packet: the actions multipath and bundle of ovs-actions(7).
#include <config.h>
#include "lib/base/hash.h"
#include "lib/of/body.h"
#include "ofproto/translate_ctx.h"

/* What is hashed: numbers of ovs-actions(7)'s names. */
enum { HASH_ETH_SRC, HASH_SYMMETRIC_L4, HASH_SYMMETRIC_L3L4, HASH_SYMMETRIC_L3L4_UDP, HASH_NW_SRC, HASH_NW_DST, HASH_SYMMETRIC_L3 };
enum { MULTIPATH_MODULO, MULTIPATH_THRESHOLD, MULTIPATH_HRW, MULTIPATH_ITER };
enum { BUNDLE_ACTIVE_BACKUP, BUNDLE_HRW };

static uint32_t
mix(uint32_t hash, const void *data, size_t size)
{
    return hash ^ hash_bytes(data, size, 0);
}

static uint32_t
hash_eth(struct xl *xl, bool both)
{
    uint32_t hash = mix(0, &xl->key.eth_src, sizeof xl->key.eth_src);

    memset(&xl->mask->eth_src, 0xff, sizeof xl->mask->eth_src);
    if (both) {
        hash = mix(hash, &xl->key.eth_dst, sizeof xl->key.eth_dst);
        memset(&xl->mask->eth_dst, 0xff, sizeof xl->mask->eth_dst);
    }
    return hash;
}

static uint32_t
hash_addresses(struct xl *xl, bool src, bool dst)
{
    bool is_v4 = xl->key.eth_type == htons(0x0800), is_v6 = xl->key.eth_type == htons(0x86dd);
    uint32_t hash = 0;

    if (src && is_v4) {
        hash = mix(hash, &xl->key.nw_src, 4);
        xl->mask->nw_src = UINT32_MAX;
    } else if (src && is_v6) {
        hash = mix(hash, &xl->key.ipv6_src, 16);
        memset(&xl->mask->ipv6_src, 0xff, 16);
    }
    if (dst && is_v4) {
        hash = mix(hash, &xl->key.nw_dst, 4);
        xl->mask->nw_dst = UINT32_MAX;
    } else if (dst && is_v6) {
        hash = mix(hash, &xl->key.ipv6_dst, 16);
        memset(&xl->mask->ipv6_dst, 0xff, 16);
    }
    return hash;
}

static uint32_t
hash_ports(struct xl *xl, bool udp)
{
    uint8_t proto = xl->key.nw_proto;

    if (!flow_key_is_ip(&xl->key)) {
        return 0;
    }
    xl->mask->nw_proto = UINT8_MAX;
    if (proto != IPPROTO_TCP && proto != IPPROTO_SCTP && !(udp && proto == IPPROTO_UDP)) {
        return proto;
    }
    xl->mask->tp_src = xl->mask->tp_dst = UINT16_MAX;
    return mix(mix(proto, &xl->key.tp_src, 2), &xl->key.tp_dst, 2);
}

static uint32_t
hash_fields(struct xl *xl, uint16_t fields, uint32_t basis)
{
    uint32_t hash = 0;

    switch (fields) {
    case HASH_ETH_SRC:
        hash = hash_eth(xl, false);
        break;
    case HASH_SYMMETRIC_L4:
        hash = hash_eth(xl, true) ^ hash_addresses(xl, true, true) ^ hash_ports(xl, false);
        break;
    case HASH_SYMMETRIC_L3L4:
        hash = hash_addresses(xl, true, true) ^ hash_ports(xl, false);
        break;
    case HASH_SYMMETRIC_L3L4_UDP:
        hash = hash_addresses(xl, true, true) ^ hash_ports(xl, true);
        break;
    case HASH_NW_SRC:
        hash = hash_addresses(xl, true, false);
        break;
    case HASH_NW_DST:
        hash = hash_addresses(xl, false, true);
        break;
    case HASH_SYMMETRIC_L3:
        hash = hash_addresses(xl, true, true);
        break;
    default:
        break;
    }
    return hash_u64(hash, basis);
}

/* Highest random weight: of 'n' links the one whose own hash with the packet's is highest. */
static unsigned
highest_weight(uint32_t hash, unsigned n, bool (*usable)(unsigned i, const void *arg), const void *arg)
{
    unsigned best = n;
    uint32_t best_weight = 0;

    for (unsigned i = 0; i < n; i++) {
        uint32_t weight = hash_u64(i, hash);

        if ((!usable || usable(i, arg)) && (best == n || weight > best_weight)) {
            best = i;
            best_weight = weight;
        }
    }
    return best;
}

static unsigned
choose_link(uint32_t hash, const struct ofact_multipath *m)
{
    unsigned n = m->max_link + 1u;

    switch (m->algorithm) {
    case MULTIPATH_MODULO:
        return hash % n;
    case MULTIPATH_THRESHOLD:
        return n == 1 ? 0 : (unsigned) (hash / (UINT32_MAX / n + 1));
    case MULTIPATH_HRW:
        return highest_weight(hash, n, NULL, NULL);
    default: {
        /* iter_hash: hash again until the number is below 'n', or the bound is reached. */
        unsigned modulus = (unsigned) m->arg ? (unsigned) m->arg : n, link = hash % modulus;

        for (unsigned i = 0; link >= n && i < 64; i++) {
            hash = hash_u64(hash, i + 1);
            link = hash % modulus;
        }
        return link % n;
    }
    }
}

void
xl_multipath(struct xl *xl, const struct ofact_multipath *m)
{
    uint32_t hash = hash_fields(xl, m->fields, m->basis);

    subfield_unwildcard(&m->dst, xl->mask);
    subfield_set(&m->dst, choose_link(hash, m), &xl->key);
    xl_report_subfield(xl, &m->dst);
}

struct members {
    struct xl *xl;
    const struct ofact_bundle *b;
};

static bool
is_usable(unsigned i, const void *members)
{
    const struct members *m = members;
    const struct port *port = bridge_port(m->xl->bridge, m->b->members[i]);

    return port && !(port_settings(port)->of_config & OFPPC_PORT_DOWN) && !(port_settings(port)->of_state & OFPPS_LINK_DOWN);
}

void
xl_bundle(struct xl *xl, const struct ofact_bundle *b, bool last)
{
    struct members m = {xl, b};
    unsigned n = b->n_members, i = 0;
    uint32_t port;

    if (b->algorithm == BUNDLE_HRW) {
        i = highest_weight(hash_fields(xl, b->fields, b->basis), n, is_usable, &m);
    } else {
        while (i < n && !is_usable(i, &m)) {
            i++;
        }
    }
    for (unsigned j = 0; j < n; j++) {
        xl_depend(xl, DEP_PORT, b->members[j]);
    }
    port = i < n ? b->members[i] : OFPP_NONE;
    if (b->dst.field) {
        subfield_unwildcard(&b->dst, xl->mask);
        subfield_set(&b->dst, b->dst.n_bits <= 16 ? ntohs(of_port_to_wire16(port)) : port, &xl->key);
        xl_report_subfield(xl, &b->dst);
    } else {
        xl_output(xl, port, 0, last);
    }
}
