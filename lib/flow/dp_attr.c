// SPDX-License-Identifier: Apache-2.0
// Text of one attribute of a datapath flow: "ipv4(src=10.0.0.1,dst=10.0.0.2,frag=no)". Most are tables of
// fields; VLAN, MPLS and tunnels are not.
#include <config.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib/flow/dp_text.h"

enum dp_format { DEC, HEX, HEX_0X /* 0x even before zero */, IPV4, IPV6, ETHER, FRAG, TOS };

struct dp_field {
    const char *name; /* "" for an attribute that is a single value. */
    enum field_id id;
    enum dp_format format;
};

static const struct dp_field eth[] = {{"src", FIELD_ETH_SRC, ETHER}, {"dst", FIELD_ETH_DST, ETHER}};
static const struct dp_field ipv4[] = {{"src", FIELD_IP_SRC, IPV4},    {"dst", FIELD_IP_DST, IPV4},
                                       {"proto", FIELD_NW_PROTO, DEC}, {"tos", FIELD_NW_TOS, TOS},
                                       {"ttl", FIELD_NW_TTL, DEC},     {"frag", FIELD_IP_FRAG, FRAG}};
static const struct dp_field ipv6[] = {{"src", FIELD_IPV6_SRC, IPV6},    {"dst", FIELD_IPV6_DST, IPV6},
                                       {"label", FIELD_IPV6_LABEL, HEX}, {"proto", FIELD_NW_PROTO, DEC},
                                       {"tclass", FIELD_NW_TOS, TOS},    {"hlimit", FIELD_NW_TTL, DEC},
                                       {"frag", FIELD_IP_FRAG, FRAG}};
static const struct dp_field ports[] = {{"src", FIELD_TCP_SRC, DEC}, {"dst", FIELD_TCP_DST, DEC}};
static const struct dp_field icmp[] = {{"type", FIELD_ICMP_TYPE, DEC}, {"code", FIELD_ICMP_CODE, DEC}};
static const struct dp_field arp[] = {{"sip", FIELD_ARP_SPA, IPV4},
                                      {"tip", FIELD_ARP_TPA, IPV4},
                                      {"op", FIELD_ARP_OP, DEC},
                                      {"sha", FIELD_ARP_SHA, ETHER},
                                      {"tha", FIELD_ARP_THA, ETHER}};
static const struct dp_field nd[] = {
    {"target", FIELD_ND_TARGET, IPV6}, {"sll", FIELD_ND_SLL, ETHER}, {"tll", FIELD_ND_TLL, ETHER}};
static const struct dp_field nd_extensions[] = {{"nd_reserved", FIELD_ND_RESERVED, HEX},
                                                {"nd_options_type", FIELD_ND_OPTIONS_TYPE, DEC}};
static const struct dp_field ct_tuple4[] = {{"src", FIELD_CT_NW_SRC, IPV4},
                                            {"dst", FIELD_CT_NW_DST, IPV4},
                                            {"proto", FIELD_CT_NW_PROTO, DEC},
                                            {"tp_src", FIELD_CT_TP_SRC, DEC},
                                            {"tp_dst", FIELD_CT_TP_DST, DEC}};
static const struct dp_field ct_tuple6[] = {{"src", FIELD_CT_IPV6_SRC, IPV6},
                                            {"dst", FIELD_CT_IPV6_DST, IPV6},
                                            {"proto", FIELD_CT_NW_PROTO, DEC},
                                            {"tp_src", FIELD_CT_TP_SRC, DEC},
                                            {"tp_dst", FIELD_CT_TP_DST, DEC}};
static const struct dp_field skb_priority[] = {{"", FIELD_SKB_PRIORITY, HEX}};
static const struct dp_field skb_mark[] = {{"", FIELD_PKT_MARK, HEX}};
static const struct dp_field ct_zone[] = {{"", FIELD_CT_ZONE, HEX}};
static const struct dp_field ct_mark[] = {{"", FIELD_CT_MARK, HEX}};
static const struct dp_field ct_label[] = {{"", FIELD_CT_LABEL, HEX}};
static const struct dp_field recirc_id[] = {{"", FIELD_RECIRC_ID, HEX}};
static const struct dp_field dp_hash[] = {{"", FIELD_DP_HASH, HEX}};

static const struct dp_attr {
    const char *name;
    const struct dp_field *fields;
    size_t n;
} attrs[DP_N_ATTRS] = {
#define ATTR(ID, NAME, FIELDS) [ID] = {NAME, FIELDS, ARRAY_SIZE(FIELDS)}
    ATTR(DP_ETH, "eth", eth),
    ATTR(DP_IPV4, "ipv4", ipv4),
    ATTR(DP_IPV6, "ipv6", ipv6),
    ATTR(DP_TCP, "tcp", ports),
    ATTR(DP_UDP, "udp", ports),
    ATTR(DP_SCTP, "sctp", ports),
    ATTR(DP_ICMP, "icmp", icmp),
    ATTR(DP_ICMPV6, "icmpv6", icmp),
    ATTR(DP_ARP, "arp", arp),
    ATTR(DP_ND, "nd", nd),
    ATTR(DP_ND_EXTENSIONS, "nd_extensions", nd_extensions),
    ATTR(DP_CT_TUPLE4, "ct_tuple4", ct_tuple4),
    ATTR(DP_CT_TUPLE6, "ct_tuple6", ct_tuple6),
    ATTR(DP_SKB_PRIORITY, "skb_priority", skb_priority),
    ATTR(DP_SKB_MARK, "skb_mark", skb_mark),
    ATTR(DP_CT_ZONE, "ct_zone", ct_zone),
    ATTR(DP_CT_MARK, "ct_mark", ct_mark),
    ATTR(DP_CT_LABEL, "ct_label", ct_label),
    ATTR(DP_RECIRC_ID, "recirc_id", recirc_id),
    ATTR(DP_DP_HASH, "dp_hash", dp_hash),
#undef ATTR
};

/* The field's value, with the whole byte for DSCP and ECN, which are one field here. */
static u128
load(const struct dp_field *df, const struct flow_key *key, bool mask)
{
    const struct field *f = &field_table[df->id];
    union field_value v;

    if (df->format == TOS) {
        return key->nw_tos;
    }
    if (mask) {
        field_get_mask(f, key, &v);
    } else {
        field_get(f, key, &v);
    }
    return value_load(&v, f->n_bytes);
}

static u128
full(const struct dp_field *df)
{
    return df->format == TOS ? 0xff : low_bits128(field_table[df->id].n_bits);
}

static void
put_addr(const struct dp_field *df, u128 x, struct buf *b)
{
    char s[INET6_ADDRSTRLEN];
    union field_value v;

    value_store(x, field_table[df->id].n_bytes, &v);
    if (df->format == ETHER) {
        buf_putf(b, ETH_ADDR_FMT, ETH_ADDR_ARGS(v.mac));
    } else {
        buf_puts(b, inet_ntop(df->format == IPV4 ? AF_INET : AF_INET6, &v, s, sizeof s));
    }
}

static void
put_frag(u128 x, struct buf *b)
{
    buf_puts(b, !(x & FLOW_FRAG_ANY) ? "no" : x & FLOW_FRAG_LATER ? "later" : "first");
}

static void
put_value(const struct dp_field *df, u128 x, u128 mask, struct buf *b)
{
    bool is_addr = df->format == IPV4 || df->format == IPV6 || df->format == ETHER;

    if (df->format == HEX_0X && !x) {
        buf_puts(b, "0x0");
    } else if (is_addr) {
        put_addr(df, x, b);
    } else if (df->format == FRAG) {
        put_frag(x, b);
    } else if (df->format == DEC) {
        buf_putf(b, "%llu", (unsigned long long) x);
    } else {
        text_put_hex(b, x);
    }
    if ((mask & full(df)) == full(df)) {
        return;
    }
    buf_putc(b, '/');
    if (is_addr) {
        put_addr(df, mask, b);
    } else {
        text_put_hex(b, mask);
    }
}

void
dp_attr_format(enum dp_attr_id id, const struct flow_key *key, const struct flow_key *mask, bool verbose,
               struct buf *b)
{
    const struct dp_attr *a = &attrs[id];
    size_t start = b->len;

    buf_putf(b, "%s(", a->name);
    for (const struct dp_field *df = a->fields; df < a->fields + a->n; df++) {
        u128 m = load(df, mask, true);

        if (m || verbose) {
            buf_putf(b, "%s%s", df->name, df->name[0] ? "=" : "");
            put_value(df, load(df, key, false), m, b);
            buf_putc(b, ',');
        }
    }
    if (b->data[b->len - 1] == '(') {
        b->len = start; /* All of it is wild. */
    } else {
        buf_chomp(b, ',');
        buf_puts(b, "),");
    }
}

void
dp_vlan_format(be16 tci_be, be16 mask_be, bool verbose, struct buf *b)
{
    uint16_t tci = ntohs(tci_be), mask = ntohs(mask_be), either = tci | mask;

    if (verbose || either & 0xfff) {
        buf_putf(b, "vid=%d", tci & 0xfff);
        if ((mask & 0xfff) != 0xfff) {
            buf_putf(b, "/0x%x", mask & 0xfff);
        }
        buf_putc(b, ',');
    }
    if (verbose || either >> 13) {
        buf_putf(b, "pcp=%d", tci >> 13);
        if (mask >> 13 != 7) {
            buf_putf(b, "/0x%x", mask >> 13);
        }
        buf_putc(b, ',');
    }
    if (!(tci & FLOW_VLAN_PRESENT)) {
        buf_puts(b, "cfi=0,");
    }
    buf_chomp(b, ',');
}

static void
put_lse(uint32_t lse, uint32_t mask, struct buf *b)
{
    unsigned label = lse >> 12, tc = lse >> 9 & 7, ttl = lse & 0xff, bos = lse >> 8 & 1;

    if (mask == UINT32_MAX) {
        buf_putf(b, "label=%u,tc=%u,ttl=%u,bos=%u,", label, tc, ttl, bos);
    } else {
        buf_putf(b, "label=%u/0x%x,tc=%u/%x,ttl=%u/0x%x,bos=%u/%x,", label, mask >> 12, tc, mask >> 9 & 7,
                 ttl, mask & 0xff, bos, mask >> 8 & 1);
    }
}

void
dp_mpls_format(const struct flow_key *key, const struct flow_key *mask, bool verbose, struct buf *b)
{
    if (!mask->mpls[0] && !verbose) {
        return;
    }
    buf_puts(b, "mpls(");
    for (int i = 0; i < FLOW_N_MPLS && (!i || mask->mpls[i]); i++) {
        put_lse(ntohl(key->mpls[i]), ntohl(mask->mpls[i]), b);
        if (key->mpls[i] & htonl(0x100)) {
            break;
        }
    }
    buf_chomp(b, ',');
    buf_puts(b, "),");
}

/* Fields of a tunnel that say nothing when they are zero, and then have no attribute. */
static const struct dp_field tunnel[] = {
    {"src", FIELD_TUN_SRC, IPV4},
    {"dst", FIELD_TUN_DST, IPV4},
    {"ipv6_src", FIELD_TUN_IPV6_SRC, IPV6},
    {"ipv6_dst", FIELD_TUN_IPV6_DST, IPV6},
    {"tos", FIELD_TUN_TOS, HEX},
};

static void
put_tunnel_field(const struct dp_field *df, const struct flow_key *key, const struct flow_key *mask,
                 bool verbose, struct buf *b)
{
    u128 x = load(df, key, false), m = load(df, mask, true);

    if (x && (m || verbose)) {
        buf_putf(b, "%s=", df->name);
        put_value(df, x, m, b);
        buf_putc(b, ',');
    }
}

static void
put_tunnel_port(const char *name, be16 port, be16 mask, bool verbose, struct buf *b)
{
    if (port && (mask || verbose)) {
        buf_putf(b, "%s=%u", name, ntohs(port));
        if (mask != UINT16_MAX) {
            buf_putf(b, "/%#x", ntohs(mask));
        }
        buf_putc(b, ',');
    }
}

static void
put_tunnel_flags(const struct flow_key *key, const struct flow_key *mask, struct buf *b)
{
    const uint32_t all = FLOW_TNL_F_OAM | FLOW_TNL_F_DF | FLOW_TNL_F_CSUM | FLOW_TNL_F_KEY;

    buf_puts(b, "flags(");
    if ((mask->tun_flags & all) != all) {
        text_put_flags_masked(b, key->tun_flags & all, mask->tun_flags & all, tnl_flag_names);
    } else if (key->tun_flags & all) {
        text_put_flags(b, key->tun_flags & all, tnl_flag_names);
    }
    buf_putc(b, ')');
}

void
dp_tunnel_format(const struct flow_key *key, const struct flow_key *mask, bool verbose, struct buf *b)
{
    static const struct dp_field id = {"tun_id", FIELD_TUN_ID, HEX_0X}, ttl = {"ttl", FIELD_TUN_TTL, DEC};

    buf_puts(b, "tunnel(");
    if (key->tun_flags & FLOW_TNL_F_KEY && (mask->tun_id || verbose)) {
        buf_puts(b, "tun_id=");
        put_value(&id, load(&id, key, false), load(&id, mask, true), b);
        buf_putc(b, ',');
    }
    for (size_t i = 0; i < ARRAY_SIZE(tunnel); i++) {
        put_tunnel_field(&tunnel[i], key, mask, verbose, b);
    }
    if (mask->tun_ttl || verbose) {
        buf_puts(b, "ttl=");
        put_value(&ttl, key->tun_ttl, mask->tun_ttl, b);
        buf_putc(b, ',');
    }
    put_tunnel_port("tp_src", key->tun_tp_src, mask->tun_tp_src, verbose, b);
    put_tunnel_port("tp_dst", key->tun_tp_dst, mask->tun_tp_dst, verbose, b);
    if (key->tun_gbp_id || key->tun_gbp_flags) {
        buf_putf(b, "vxlan(gbp(id=%u,flags=%#x)),", ntohs(key->tun_gbp_id), key->tun_gbp_flags);
    }
    put_tunnel_flags(key, mask, b);
    buf_puts(b, "),");
}

/* An integer and its mask, of up to 'max'. */
static int
parse_masked(const char *s, u128 max, u128 *value, u128 *mask)
{
    size_t len = strcspn(s, "/");
    u128 m = max;

    if (!text_get_int(s, len, value) || *value > max) {
        return -EINVAL;
    }
    if (s[len] && (!text_get_int(s + len + 1, strlen(s + len + 1), &m) || m > max)) {
        return -EINVAL;
    }
    *mask = m;
    return 0;
}

static int
parse_frag(const char *s, u128 *value, u128 *mask)
{
    static const struct {
        const char *name;
        uint8_t value;
    } frags[] = {{"no", 0}, {"first", FLOW_FRAG_ANY}, {"later", FLOW_FRAG_ANY | FLOW_FRAG_LATER}};
    const u128 all = FLOW_FRAG_ANY | FLOW_FRAG_LATER;
    size_t len = strcspn(s, "/");

    *mask = all;
    if (s[len] && (!text_get_int(s + len + 1, strlen(s + len + 1), mask) || *mask > all)) {
        return -EINVAL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(frags); i++) {
        if (strlen(frags[i].name) == len && !strncmp(frags[i].name, s, len)) {
            *value = frags[i].value;
            return 0;
        }
    }
    return -EINVAL;
}

static int
parse_value(const struct dp_field *df, const char *s, u128 *value, u128 *mask)
{
    const struct field *f = &field_table[df->id];
    union field_value v, m;
    bool ok;

    switch (df->format) {
    case IPV4:
        ok = text_get_ipv4(s, &v.be32, &m.be32);
        break;
    case IPV6:
        ok = text_get_ipv6(s, &v.ipv6, &m.ipv6);
        break;
    case ETHER:
        ok = text_get_eth(s, &v.mac, &m.mac);
        break;
    case FRAG:
        return parse_frag(s, value, mask);
    default:
        return parse_masked(s, full(df), value, mask);
    }
    if (!ok) {
        return -EINVAL;
    }
    *value = value_load(&v, f->n_bytes);
    *mask = value_load(&m, f->n_bytes);
    return 0;
}

/* 'mask' says which bits; others of the key are zeroed. */
static void
store(const struct dp_field *df, u128 value, u128 mask, struct flow_key *key, struct flow_key *mask_key)
{
    const struct field *f = &field_table[df->id];
    union field_value v;

    if (df->format == TOS) {
        key->nw_tos = (uint8_t) value;
        mask_key->nw_tos |= (uint8_t) mask;
        return;
    }
    value_store(value, f->n_bytes, &v);
    field_set(f, &v, key);
    value_store(mask, f->n_bytes, &v);
    field_set_mask(f, &v, mask_key);
}

static int
parse_fields(const struct dp_field *fields, size_t n, const char *text, struct flow_key *key,
             struct flow_key *mask)
{
    char *name, *s;
    int error = 0;

    while (!error && text_next_pair(&text, &name, &s)) {
        u128 value, m;

        error = -EINVAL;
        for (size_t i = 0; i < n && error; i++) {
            if (!strcmp(fields[i].name, name) && !parse_value(&fields[i], s, &value, &m)) {
                store(&fields[i], value, m, key, mask);
                error = 0;
            }
        }
        free(name);
        free(s);
    }
    return error;
}

static int
parse_tunnel_pair(const char *name, const char *s, struct flow_key *key, struct flow_key *mask)
{
    const uint32_t all = FLOW_TNL_F_OAM | FLOW_TNL_F_DF | FLOW_TNL_F_CSUM | FLOW_TNL_F_KEY;
    static const struct dp_field others[] = {{"tun_id", FIELD_TUN_ID, HEX}, {"ttl", FIELD_TUN_TTL, DEC}};
    static const struct dp_field gbp[] = {{"id", FIELD_TUN_GBP_ID, DEC}, {"flags", FIELD_TUN_GBP_FLAGS, HEX}};
    uint32_t flags, flag_mask;
    u128 value, m;
    char pair[128];

    if (!strcmp(name, "flags")) {
        if (*s && !text_get_flags(s, tnl_flag_names, all, &flags, &flag_mask)) {
            return -EINVAL;
        }
        key->tun_flags |= *s ? (uint16_t) flags : 0;
        mask->tun_flags |= *s ? (uint16_t) flag_mask : (uint16_t) all;
        return 0;
    }
    if (!strcmp(name, "tp_src") || !strcmp(name, "tp_dst")) {
        bool dst = name[3] == 'd';

        if (parse_masked(s, UINT16_MAX, &value, &m)) {
            return -EINVAL;
        }
        *(dst ? &key->tun_tp_dst : &key->tun_tp_src) = htons((uint16_t) value);
        *(dst ? &mask->tun_tp_dst : &mask->tun_tp_src) = htons((uint16_t) m);
        return 0;
    }
    if (!strcmp(name, "vxlan")) {
        size_t len = strlen(s);

        if (strncmp(s, "gbp(", 4) || len < 5 || len >= sizeof pair) {
            return -EINVAL;
        }
        memcpy(pair, s + 4, len - 5);
        pair[len - 5] = '\0';
        return parse_fields(gbp, ARRAY_SIZE(gbp), pair, key, mask);
    }
    if ((size_t) snprintf(pair, sizeof pair, "%s=%s", name, s) >= sizeof pair) {
        return -EINVAL;
    }
    return parse_fields(tunnel, ARRAY_SIZE(tunnel), pair, key, mask)
               ? parse_fields(others, ARRAY_SIZE(others), pair, key, mask)
               : 0;
}

static int
parse_tunnel(const char *text, struct flow_key *key, struct flow_key *mask)
{
    char *name, *s;
    int error = 0;

    while (!error && text_next_pair(&text, &name, &s)) {
        error = parse_tunnel_pair(name, s, key, mask);
        if (!error && !strcmp(name, "tun_id")) {
            key->tun_flags |= FLOW_TNL_F_KEY;
            mask->tun_flags |= FLOW_TNL_F_KEY;
        }
        free(name);
        free(s);
    }
    return error;
}

int
dp_attr_parse(const char *name, const char *text, struct flow_key *key, struct flow_key *mask)
{
    if (!strcmp(name, "tunnel")) {
        return parse_tunnel(text, key, mask);
    }
    for (const struct dp_attr *a = attrs; a < attrs + DP_N_ATTRS; a++) {
        u128 value, m;

        if (strcmp(a->name, name)) {
            continue;
        }
        if (a->fields[0].name[0]) {
            return parse_fields(a->fields, a->n, text, key, mask);
        }
        if (parse_value(&a->fields[0], text, &value, &m)) {
            return -EINVAL;
        }
        store(&a->fields[0], value, m, key, mask);
        return 0;
    }
    return -ENOENT;
}

/* A part of a TCI or label stack entry: 'n_bits' bits from 'shift' on. */
struct part {
    const char *name;
    unsigned shift, n_bits;
};

static int
parse_parts(const struct part *parts, size_t n, const char *text, uint32_t *x, uint32_t *mask)
{
    char *name, *s;
    int error = 0;

    while (!error && text_next_pair(&text, &name, &s)) {
        u128 value, m;

        error = -EINVAL;
        for (size_t i = 0; i < n; i++) {
            uint32_t max = (uint32_t) low_bits(parts[i].n_bits);

            if (!strcmp(parts[i].name, name) && !parse_masked(s, max, &value, &m)) {
                *x = (*x & ~(max << parts[i].shift)) | (uint32_t) value << parts[i].shift;
                *mask = (*mask & ~(max << parts[i].shift)) | (uint32_t) m << parts[i].shift;
                error = 0;
                break;
            }
        }
        free(name);
        free(s);
    }
    return error;
}

int
dp_vlan_parse(const char *text, be16 *tci, be16 *mask)
{
    static const struct part parts[] = {{"vid", 0, 12}, {"cfi", 12, 1}, {"pcp", 13, 3}, {"tci", 0, 16}};
    uint32_t x = FLOW_VLAN_PRESENT, m = FLOW_VLAN_PRESENT;
    int error = parse_parts(parts, ARRAY_SIZE(parts), text, &x, &m);

    if (!error) {
        *tci = htons((uint16_t) x);
        *mask = htons((uint16_t) m);
    }
    return error;
}

int
dp_mpls_parse(const char *text, be32 *lse, be32 *mask)
{
    static const struct part parts[] = {{"label", 12, 20}, {"tc", 9, 3}, {"bos", 8, 1}, {"ttl", 0, 8}};
    uint32_t x = 0, m = 0;
    int error = parse_parts(parts, ARRAY_SIZE(parts), text, &x, &m);

    if (!error) {
        *lse = htonl(x);
        *mask = htonl(m);
    }
    return error;
}

int
dp_packet_type_parse(const char *text, be32 *type)
{
    static const struct part parts[] = {{"ns", 16, 16}, {"id", 0, 16}};
    uint32_t x = 0, mask = 0;
    int error = parse_parts(parts, ARRAY_SIZE(parts), text, &x, &mask);

    if (!error) {
        *type = htonl(x);
    }
    return error;
}
