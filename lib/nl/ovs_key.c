// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/nl/ovs_key.h"

#include "lib/flow/field.h"

enum key_conv { CONV_SAME, CONV_STATE, CONV_FRAG, CONV_LOW8, CONV_OP16, CONV_LABEL };

struct key_row {
    uint8_t attr, conv, offset, bytes;
    uint16_t member; /* Offset in struct flow_key. */
};

/* The rows that stand in attributes, in the order of the table. */
static const struct key_row key_rows[] = {
#define OVS_ATTR(ATTR, SIZE)
#define OVS_FIELD(ID, ATTR, CONV, OFFSET, BYTES, MEMBER)                                                     \
    {OVS_KEY_ATTR_##ATTR, CONV_##CONV, OFFSET, BYTES, offsetof(struct flow_key, MEMBER)},
#define OVS_HOOK(ID)
#define OVS_SHARED(ID, WITH)
#define OVS_NONE(ID)
#include "lib/nl/ovs_key.def"
};

/* FIRST_<attr>: the index in key_rows of the attribute's first row. */
enum {
#define OVS_ATTR(ATTR, SIZE) FIRST_##ATTR, BEFORE_##ATTR = FIRST_##ATTR - 1,
#define OVS_FIELD(ID, ATTR, CONV, OFFSET, BYTES, MEMBER) ROW_##ATTR##_##ID,
#define OVS_HOOK(ID)
#define OVS_SHARED(ID, WITH)
#define OVS_NONE(ID)
#include "lib/nl/ovs_key.def"
    N_ROWS
};
_Static_assert(N_ROWS == ARRAY_SIZE(key_rows), "both walks of the table agree");

static const struct key_attr {
    uint8_t size, first;
} key_attrs[OVS_KEY_ATTR_MAX + 1] = {
#define OVS_ATTR(ATTR, SIZE) [OVS_KEY_ATTR_##ATTR] = {SIZE, FIRST_##ATTR},
#define OVS_FIELD(ID, ATTR, CONV, OFFSET, BYTES, MEMBER)
#define OVS_HOOK(ID)
#define OVS_SHARED(ID, WITH)
#define OVS_NONE(ID)
#include "lib/nl/ovs_key.def"
};

/* A field without a row is an error at compile time. */
#define LOW_BIT(ID) | (FIELD_##ID < 64 ? UINT64_C(1) << (FIELD_##ID % 64) : 0)
#define HIGH_BIT(ID) | (FIELD_##ID >= 64 ? UINT64_C(1) << (FIELD_##ID % 64) : 0)
_Static_assert(FIELD_N_IDS > 64 && FIELD_N_IDS < 128, "two words of bits");
_Static_assert((0
#define OVS_ATTR(ATTR, SIZE)
#define OVS_FIELD(ID, ATTR, CONV, OFFSET, BYTES, MEMBER) LOW_BIT(ID)
#define OVS_HOOK(ID) LOW_BIT(ID)
#define OVS_SHARED(ID, WITH) LOW_BIT(ID)
#define OVS_NONE(ID) LOW_BIT(ID)
#include "lib/nl/ovs_key.def"
                ) == UINT64_MAX,
               "a field has no row in ovs_key.def");
_Static_assert((0
#define OVS_ATTR(ATTR, SIZE)
#define OVS_FIELD(ID, ATTR, CONV, OFFSET, BYTES, MEMBER) HIGH_BIT(ID)
#define OVS_HOOK(ID) HIGH_BIT(ID)
#define OVS_SHARED(ID, WITH) HIGH_BIT(ID)
#define OVS_NONE(ID) HIGH_BIT(ID)
#include "lib/nl/ovs_key.def"
                ) == (UINT64_C(1) << (FIELD_N_IDS - 64)) - 1,
               "a field has no row in ovs_key.def");

static uint8_t
frag_to_kernel(uint8_t frag, bool is_mask)
{
    if (is_mask) {
        return frag ? UINT8_MAX : 0;
    }
    return frag & FLOW_FRAG_LATER ? OVS_FRAG_TYPE_LATER
           : frag & FLOW_FRAG_ANY ? OVS_FRAG_TYPE_FIRST
                                  : OVS_FRAG_TYPE_NONE;
}

static uint8_t
frag_from_kernel(uint8_t frag, bool is_mask)
{
    if (is_mask) {
        return frag ? FLOW_FRAG_ANY | FLOW_FRAG_LATER : 0;
    }
    return frag == OVS_FRAG_TYPE_NONE    ? 0
           : frag == OVS_FRAG_TYPE_FIRST ? FLOW_FRAG_ANY
                                         : FLOW_FRAG_ANY | FLOW_FRAG_LATER;
}

void
ovs_label_copy(uint8_t dst[16], const uint8_t src[16])
{
    for (size_t i = 0; i < 16; i++) {
        dst[i] = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? src[15 - i] : src[i];
    }
}

static void
row_to_kernel(const struct key_row *r, const struct flow_key *key, bool is_mask, uint8_t *out)
{
    const uint8_t *member = (const uint8_t *) key + r->member;
    uint32_t state = *member;
    uint8_t op[2] = {is_mask && *member == UINT8_MAX ? UINT8_MAX : 0, *member};

    switch ((enum key_conv) r->conv) {
    case CONV_SAME:
        memcpy(out, member, r->bytes);
        break;
    case CONV_STATE:
        memcpy(out, &state, sizeof state);
        break;
    case CONV_FRAG:
        *out = frag_to_kernel(*member, is_mask);
        break;
    case CONV_LOW8:
        *out = member[1];
        break;
    case CONV_OP16:
        memcpy(out, op, sizeof op);
        break;
    case CONV_LABEL:
        ovs_label_copy(out, member);
        break;
    }
}

static void
row_from_kernel(const struct key_row *r, const uint8_t *in, bool is_mask, struct flow_key *key)
{
    uint8_t *member = (uint8_t *) key + r->member;
    uint32_t state;

    switch ((enum key_conv) r->conv) {
    case CONV_SAME:
        memcpy(member, in, r->bytes);
        break;
    case CONV_STATE:
        memcpy(&state, in, sizeof state);
        *member = (uint8_t) state;
        break;
    case CONV_FRAG:
        *member = frag_from_kernel(*in, is_mask);
        break;
    case CONV_LOW8:
        member[0] = is_mask && *in == UINT8_MAX ? UINT8_MAX : 0;
        member[1] = *in;
        break;
    case CONV_OP16:
        /* An opcode above 255 is kept as 0, as packet_extract() does. */
        *member = is_mask || !in[0] ? in[1] : 0;
        break;
    case CONV_LABEL:
        ovs_label_copy(member, in);
        break;
    }
}

static void
fill_payload(uint16_t attr, const struct flow_key *key, bool is_mask, uint8_t *out)
{
    for (size_t i = key_attrs[attr].first; i < N_ROWS && key_rows[i].attr == attr; i++) {
        row_to_kernel(&key_rows[i], key, is_mask, out + key_rows[i].offset);
    }
}

size_t
ovs_key_payload(uint16_t attr, const struct flow_key *key, bool is_mask, uint8_t *out)
{
    size_t size = attr <= OVS_KEY_ATTR_MAX ? key_attrs[attr].size : 0;

    memset(out, 0, size);
    if (size) {
        fill_payload(attr, key, is_mask, out);
    }
    return size;
}

bool
ovs_key_from_payload(uint16_t attr, struct slice s, bool is_mask, struct flow_key *key)
{
    if (attr > OVS_KEY_ATTR_MAX || !key_attrs[attr].size || s.len != key_attrs[attr].size) {
        return false;
    }
    for (size_t i = key_attrs[attr].first; i < N_ROWS && key_rows[i].attr == attr; i++) {
        row_from_kernel(&key_rows[i], s.data + key_rows[i].offset, is_mask, key);
    }
    return true;
}

/* Does any row of the attribute hold a bit? */
static bool
attr_is_set(uint16_t attr, const struct flow_key *key)
{
    for (size_t i = key_attrs[attr].first; i < N_ROWS && key_rows[i].attr == attr; i++) {
        const struct key_row *r = &key_rows[i];
        const uint8_t *p = (const uint8_t *) key + r->member;
        size_t n = r->conv == CONV_LOW8 ? 2 : r->conv == CONV_STATE || r->conv == CONV_OP16 ? 1 : r->bytes;

        for (size_t j = 0; j < n; j++) {
            if (p[j]) {
                return true;
            }
        }
    }
    return false;
}

/* The first row of the attribute after that of row 'i'. */
static size_t
next_attr(size_t i)
{
    uint8_t attr = key_rows[i].attr;

    while (i < N_ROWS && key_rows[i].attr == attr) {
        i++;
    }
    return i;
}

#define ATTR_BIT(ATTR) (UINT64_C(1) << OVS_KEY_ATTR_##ATTR)

static uint64_t
l4_attrs(const struct flow_key *k)
{
    bool nd = k->tp_src == htons(135) ||
              k->tp_src == htons(136); /* RFC 4861: neighbour solicitation, advertisement. */

    switch (k->nw_proto) {
    case IPPROTO_TCP:
        return ATTR_BIT(TCP) | ATTR_BIT(TCP_FLAGS);
    case IPPROTO_UDP:
        return ATTR_BIT(UDP);
    case IPPROTO_SCTP:
        return ATTR_BIT(SCTP);
    case IPPROTO_ICMP:
        return k->eth_type == htons(0x0800) ? ATTR_BIT(ICMP) : 0;
    case IPPROTO_ICMPV6:
        return k->eth_type == htons(0x86dd) ? ATTR_BIT(ICMPV6) | (nd ? ATTR_BIT(ND) : 0) : 0;
    default:
        return 0;
    }
}

/* The attributes that the kernel expects of a packet of this layout, from Ethernet up, and without the tags.
 */
static uint64_t
layout_attrs(const struct flow_key *k)
{
    uint64_t attrs =
        ATTR_BIT(ETHERNET) | (k->eth_type != htons(FLOW_ETH_TYPE_NONE) ? ATTR_BIT(ETHERTYPE) : 0);

    switch (ntohs(k->eth_type)) {
    case 0x0800:
        attrs |= ATTR_BIT(IPV4);
        break;
    case 0x86dd:
        attrs |= ATTR_BIT(IPV6);
        break;
    case 0x0806:
    case 0x8035:
        return attrs | ATTR_BIT(ARP);
    default:
        return attrs;
    }
    return attrs | (k->nw_frag & FLOW_FRAG_LATER ? 0 : l4_attrs(k));
}

/* Metadata that is there or looked at. */
static uint64_t
metadata_attrs(const struct flow_key *key, const struct flow_key *mask)
{
    uint64_t attrs = key->in_port != UINT32_MAX ? ATTR_BIT(IN_PORT) : 0;

    for (size_t i = 0; i < FIRST_ETHERNET; i = next_attr(i)) {
        uint16_t attr = key_rows[i].attr;

        if (attr != OVS_KEY_ATTR_IN_PORT && (attr_is_set(attr, key) || (mask && attr_is_set(attr, mask)))) {
            attrs |= UINT64_C(1) << attr;
        }
    }
    /* The ports and protocol of the original direction stand in both tuples. */
    if (key->eth_type != htons(0x0800)) {
        attrs &= ~ATTR_BIT(CT_ORIG_TUPLE_IPV4);
    }
    if (key->eth_type != htons(0x86dd)) {
        attrs &= ~ATTR_BIT(CT_ORIG_TUPLE_IPV6);
    }
    return attrs;
}

static void
put_rows(struct buf *b, size_t from, size_t to, uint64_t attrs, const struct flow_key *key, bool is_mask)
{
    for (size_t i = from; i < to; i = next_attr(i)) {
        uint16_t attr = key_rows[i].attr;

        if (attrs & UINT64_C(1) << attr && (!is_mask || attr_is_set(attr, key))) {
            fill_payload(attr, key, is_mask, nl_put(b, attr, NULL, key_attrs[attr].size));
        }
    }
}

static bool
is_vlan_type(be16 type)
{
    return type == htons(0x8100) || type == htons(0x88a8);
}

/* Opens an ENCAP nest for each tag; how many. */
static unsigned
put_tags(struct buf *b, const struct flow_key *key, const struct flow_key *values, bool is_mask,
         size_t nests[FLOW_N_VLANS])
{
    unsigned n = 0;

    while (n < FLOW_N_VLANS && key->vlan[n].tci & htons(FLOW_VLAN_PRESENT)) {
        be16 tpid = is_mask ? htons(0xffff) : values->vlan[n].tpid ? values->vlan[n].tpid : htons(0x8100);

        nl_put_u16(b, OVS_KEY_ATTR_ETHERTYPE, tpid);
        nl_put_u16(b, OVS_KEY_ATTR_VLAN, values->vlan[n].tci | htons(FLOW_VLAN_PRESENT));
        nests[n++] = nl_nest_begin(b, OVS_KEY_ATTR_ENCAP);
    }
    return n;
}

static unsigned
mpls_depth(const struct flow_key *key)
{
    unsigned n = 0;

    while (n < FLOW_N_MPLS && key->mpls[n]) {
        if (key->mpls[n++] & htonl(0x100)) { /* Bottom of stack: RFC 3032, section 2.1. */
            break;
        }
    }
    return MAX(n, 1U);
}

static void
put_layers(struct buf *b, const struct flow_key *key, const struct flow_key *values, bool is_mask)
{
    size_t nests[FLOW_N_VLANS];
    uint64_t attrs = layout_attrs(key) | (is_mask ? ATTR_BIT(ETHERTYPE) : 0);
    unsigned n_tags;

    put_rows(b, FIRST_ETHERNET, FIRST_ETHERTYPE, attrs, values, is_mask);
    n_tags = put_tags(b, key, values, is_mask, nests);
    put_rows(b, FIRST_ETHERTYPE, N_ROWS, attrs, values, is_mask);
    if (is_vlan_type(key->eth_type) && !is_mask) {
        /* A tag that is cut off after its type. */
        nl_put_u16(b, OVS_KEY_ATTR_VLAN, 0);
        nl_nest_begin(b, OVS_KEY_ATTR_ENCAP);
    }
    if (key->eth_type == htons(0x8847) || key->eth_type == htons(0x8848)) {
        nl_put(b, OVS_KEY_ATTR_MPLS, values->mpls, mpls_depth(key) * sizeof values->mpls[0]);
    }
    while (n_tags) {
        nl_nest_end(b, nests[--n_tags]);
    }
}

static void
put_tunnel(struct buf *b, const struct flow_key *values, bool is_mask)
{
    size_t nest = nl_nest_begin(b, OVS_KEY_ATTR_TUNNEL);

    ovs_tunnel_put(b, values, is_mask);
    nl_nest_end(b, nest);
}

void
ovs_key_put(struct buf *b, const struct flow_key *key, const struct flow_key *mask)
{
    put_rows(b, 0, FIRST_ETHERNET, metadata_attrs(key, mask), key, false);
    if (ovs_tunnel_present(key)) {
        put_tunnel(b, key, false);
    }
    put_layers(b, key, key, false);
}

/* Makes the mask exact where the kernel wants it so. */
static void
mask_narrow(const struct flow_key *key, struct flow_key *mask)
{
    uint64_t attrs = layout_attrs(key);

    mask->eth_type = htons(0xffff);
    if (attrs & (ATTR_BIT(IPV4) | ATTR_BIT(IPV6)) && (mask->tp_src || mask->tp_dst || mask->tcp_flags)) {
        mask->nw_proto = UINT8_MAX;
    }
    if (attrs & ATTR_BIT(ND) && attr_is_set(OVS_KEY_ATTR_ND, mask)) {
        mask->nw_proto = UINT8_MAX;
        mask->tp_src = htons(0xffff);
    }
}

void
ovs_mask_put(struct buf *b, const struct flow_key *key, const struct flow_key *mask_)
{
    struct flow_key mask = *mask_;

    mask_narrow(key, &mask);
    put_rows(b, 0, FIRST_ETHERNET, metadata_attrs(key, &mask), &mask, true);
    if (ovs_tunnel_present(key) && ovs_tunnel_present(&mask)) {
        put_tunnel(b, &mask, true);
    }
    put_layers(b, key, &mask, true);
}

void
ovs_key_put_metadata(struct buf *b, const struct flow_key *key)
{
    put_rows(b, 0, FIRST_ETHERNET, metadata_attrs(key, NULL), key, false);
    if (ovs_tunnel_present(key)) {
        put_tunnel(b, key, false);
    }
}

static int
get_tag(struct flow_key *key, unsigned depth, struct nl_attr type, struct nl_attr tci)
{
    if (type.len != 2 || tci.len != 2 || depth >= FLOW_N_VLANS) {
        return -EINVAL;
    }
    key->vlan[depth].tpid = nl_attr_u16(type);
    key->vlan[depth].tci = nl_attr_u16(tci);
    return 0;
}

static int
get_mpls(struct nl_attr a, struct flow_key *key)
{
    if (a.len % sizeof key->mpls[0]) {
        return -EINVAL;
    }
    memcpy(key->mpls, a.data, MIN(a.len, sizeof key->mpls));
    return 0;
}

/* One level of attributes; the tags' nests are deeper levels. */
static int
get_level(struct slice s, bool is_mask, unsigned depth, struct flow_key *key)
{
    struct nl_attr tb[OVS_KEY_ATTR_MAX + 1];
    int error = nl_attrs_parse(s, tb, ARRAY_SIZE(tb), NULL);

    for (uint16_t attr = 1; !error && attr <= OVS_KEY_ATTR_MAX; attr++) {
        if (!tb[attr].data || (attr == OVS_KEY_ATTR_ETHERTYPE && tb[OVS_KEY_ATTR_ENCAP].len)) {
            continue;
        }
        if (attr == OVS_KEY_ATTR_TUNNEL) {
            error = ovs_tunnel_get(nl_attr_slice(tb[attr]), is_mask, key);
        } else if (attr == OVS_KEY_ATTR_MPLS) {
            error = get_mpls(tb[attr], key);
        } else if (key_attrs[attr].size &&
                   !ovs_key_from_payload(attr, nl_attr_slice(tb[attr]), is_mask, key)) {
            error = -EINVAL;
        }
    }
    if (!error && tb[OVS_KEY_ATTR_ENCAP].len) {
        error = get_tag(key, depth, tb[OVS_KEY_ATTR_ETHERTYPE], tb[OVS_KEY_ATTR_VLAN]);
        if (!error) {
            error = get_level(nl_attr_slice(tb[OVS_KEY_ATTR_ENCAP]), is_mask, depth + 1, key);
        }
    }
    return error;
}

int
ovs_key_get(struct slice s, struct flow_key *key)
{
    struct flow_key k = {.eth_type = htons(FLOW_ETH_TYPE_NONE), .in_port = UINT32_MAX};
    int error = get_level(s, false, 0, &k);

    if (!error) {
        *key = k;
    }
    return error;
}

int
ovs_key_get_metadata(struct slice s, struct flow_key *key)
{
    struct flow_key k;
    struct nl_attr a;
    int more;

    memset(&k, 0, offsetof(struct flow_key, eth_dst));
    k.in_port = UINT32_MAX;
    while ((more = nl_attr_next(&s, &a)) > 0) {
        if (a.type == OVS_KEY_ATTR_TUNNEL) {
            int error = ovs_tunnel_get(nl_attr_slice(a), false, &k);

            if (error) {
                return error;
            }
        } else if (a.type <= OVS_KEY_ATTR_MAX && key_attrs[a.type].size &&
                   key_attrs[a.type].first < FIRST_ETHERNET &&
                   !ovs_key_from_payload(a.type, nl_attr_slice(a), false, &k)) {
            return -EINVAL;
        }
    }
    if (!more) {
        memcpy(key, &k, offsetof(struct flow_key, eth_dst));
    }
    return more;
}

int
ovs_mask_get(struct slice s, const struct flow_key *key, struct flow_key *mask)
{
    struct flow_key m = {.in_port = 0};
    int error = get_level(s, true, 0, &m);

    if (error) {
        return error;
    }
    /* A packet without a tag is matched as such. */
    for (unsigned i = 0; i < FLOW_N_VLANS; i++) {
        if (!(key->vlan[i].tci & htons(FLOW_VLAN_PRESENT))) {
            m.vlan[i].tci = htons(0xffff);
            break;
        }
    }
    *mask = m;
    return 0;
}
