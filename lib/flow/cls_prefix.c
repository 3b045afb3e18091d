// SPDX-License-Identifier: Apache-2.0
// The fields whose prefixes can be tracked, and their bits as the tries take them.
#include <config.h>
#include "lib/flow/classifier_private.h"

#define PREFIX_FIELD(ID, MEMBER, BITS, ETH_TYPE) {FIELD_##ID, offsetof(struct flow_key, MEMBER), BITS, ETH_TYPE}
const struct cls_prefix_field cls_prefix_fields[CLS_N_PREFIX_FIELDS] = {
    PREFIX_FIELD(IP_DST, nw_dst, 32, 0x0800),
    PREFIX_FIELD(IP_SRC, nw_src, 32, 0x0800),
    PREFIX_FIELD(IPV6_DST, ipv6_dst, 128, 0x86dd),
    PREFIX_FIELD(IPV6_SRC, ipv6_src, 128, 0x86dd),
    PREFIX_FIELD(TUN_DST, tun_dst, 32, 0),
    PREFIX_FIELD(TUN_SRC, tun_src, 32, 0),
    PREFIX_FIELD(TUN_IPV6_DST, tun_dst6, 128, 0),
    PREFIX_FIELD(TUN_IPV6_SRC, tun_src6, 128, 0),
    PREFIX_FIELD(TUN_ID, tun_id, 64, 0),
};

void
cls_prefix_value_sparse(const struct cls_prefix_field *f, uint64_t map, const uint64_t *words, struct trie_value *v)
{
    memset(v, 0, sizeof *v);
    for (unsigned i = 0; i < f->n_bits / 32; i++) {
        unsigned offset = f->offset + 4 * i;

        if (map >> offset / 8 & 1) {
            const uint64_t *word = &words[__builtin_popcountll(map & low_bits(offset / 8))];
            uint32_t bits;

            memcpy(&bits, (const uint8_t *) word + offset % 8, sizeof bits);
            v->w[i] = ntohl(bits);
        }
    }
}

void
cls_prefix_value(const struct cls_prefix_field *f, const struct flow_key *key, struct trie_value *v)
{
    cls_prefix_value_sparse(f, UINT64_MAX, flow_key_cwords(key), v);
}

unsigned
cls_prefix_len(const struct cls_prefix_field *f, uint64_t map, const uint64_t *mask)
{
    struct trie_value v;
    unsigned len = 0;

    cls_prefix_value_sparse(f, map, mask, &v);
    while (len < f->n_bits && v.w[len / 32] >> (31 - len % 32) & 1) {
        len++;
    }
    for (unsigned i = len; i < f->n_bits; i++) {
        if (v.w[i / 32] >> (31 - i % 32) & 1) {
            return 0;
        }
    }
    return len;
}
