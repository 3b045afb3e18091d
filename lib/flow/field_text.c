// SPDX-License-Identifier: Apache-2.0
// A field's value as text, by its format: what "set_field:VALUE->FIELD" says and what stands behind "FIELD="
// in a match.
#include <config.h>
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>
#include "lib/flow/text.h"

/* Reserved ports, by the lower 16 bits: OpenFlow 1.5.1, section 7.2.1.2; UNSET is the action set's when it
 * has no output. */
static const struct {
    uint16_t low;
    const char *name;
} reserved_ports[] = {
    {0xfff7, "UNSET"}, {0xfff8, "IN_PORT"},    {0xfff9, "TABLE"}, {0xfffa, "NORMAL"}, {0xfffb, "FLOOD"},
    {0xfffc, "ALL"},   {0xfffd, "CONTROLLER"}, {0xfffe, "LOCAL"}, {0xffff, "ANY"},    {0xffff, "NONE"},
};
#define RESERVED_UPPER 0xffff0000u

void
ofp_port_format(uint32_t port, const struct port_names *names, struct buf *b)
{
    const char *name = names && names->name ? names->name(port, names->aux) : NULL;

    if (port >= RESERVED_UPPER) {
        for (size_t i = 0; i < ARRAY_SIZE(reserved_ports); i++) {
            if (reserved_ports[i].low == (port & 0xffff)) {
                buf_puts(b, reserved_ports[i].name);
                return;
            }
        }
    }
    if (!name) {
        buf_putf(b, "%u", port);
        return;
    }
    /* A name that a parser would not take for one word is quoted. */
    for (const char *p = name; *p; p++) {
        if (!isalnum((unsigned char) *p) && !strchr("_-.", *p)) {
            buf_putf(b, "\"%s\"", name);
            return;
        }
    }
    if (!isalpha((unsigned char) name[0])) {
        buf_putf(b, "\"%s\"", name);
    } else {
        buf_puts(b, name);
    }
}

bool
ofp_port_parse(const char *s, const struct port_names *names, uint32_t *port)
{
    size_t len = strlen(s);
    uint32_t number;
    bool found;

    if (!parse_u32(s, &number)) {
        /* 16-bit reserved numbers are OpenFlow 1.0's names for the same ports. */
        if (number > 0xfeff && number < 0xffffff00 && (number < 0xfff7 || number > 0xffff)) {
            return false;
        }
        *port = number >= 0xfff7 && number <= 0xffff ? number | RESERVED_UPPER : number;
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(reserved_ports); i++) {
        if (!strcasecmp(reserved_ports[i].name, s)) {
            *port = reserved_ports[i].low | RESERVED_UPPER;
            return true;
        }
    }
    if (!names || !names->number) {
        return false;
    }
    if (len >= 2 && s[0] == '"' && s[len - 1] == '"') {
        char *bare = xstrndup(s + 1, len - 2);

        found = names->number(bare, port, names->aux);
        free(bare);
        return found;
    }
    return names->number(s, port, names->aux);
}

void
ct_state_format(uint8_t state, struct buf *b)
{
    text_put_flags(b, state, ct_state_names);
}

uint8_t
ct_state_by_name(const char *name)
{
    for (const struct flag_name *f = ct_state_names; f->name; f++) {
        if (!strcmp(f->name, name)) {
            return (uint8_t) f->bit;
        }
    }
    return 0;
}

static const struct {
    const char *name;
    uint8_t value, mask;
} frags[] = {
    {"no", 0, FLOW_FRAG_ANY | FLOW_FRAG_LATER},
    {"yes", FLOW_FRAG_ANY, FLOW_FRAG_ANY},
    {"first", FLOW_FRAG_ANY, FLOW_FRAG_ANY | FLOW_FRAG_LATER},
    {"later", FLOW_FRAG_ANY | FLOW_FRAG_LATER, FLOW_FRAG_ANY | FLOW_FRAG_LATER},
    {"not_later", 0, FLOW_FRAG_LATER},
    {"no", 0, FLOW_FRAG_ANY},
    {"later", FLOW_FRAG_LATER, FLOW_FRAG_LATER},
};

static void
format_frag(uint8_t value, uint8_t mask, struct buf *b)
{
    for (size_t i = 0; i < ARRAY_SIZE(frags); i++) {
        if (frags[i].value == (value & mask) && frags[i].mask == mask) {
            buf_puts(b, frags[i].name);
            return;
        }
    }
    buf_puts(b, "<error>");
}

static void
format_flags(const struct field *f, uint32_t value, uint32_t mask, struct buf *b)
{
    const struct flag_name *names = f->format == FF_CT_STATE    ? ct_state_names
                                    : f->format == FF_TCP_FLAGS ? tcp_flag_names
                                                                : tnl_flag_names;
    uint32_t all = f->format == FF_CT_STATE ? 0xff : (uint32_t) low_bits(f->n_bits);

    if ((mask & all) == all) {
        text_put_flags(b, value, names);
    } else {
        text_put_flags_masked(b, value, mask & all, names);
    }
}

/* A decimal is printed as such only when all its bits count. */
static void
format_int(const struct field *f, u128 value, u128 mask, bool exact, struct buf *b)
{
    if (f->format == FF_DECIMAL && exact) {
        buf_putf(b, "%llu", (unsigned long long) value);
    } else {
        text_put_hex(b, value);
        if (!exact) {
            buf_putc(b, '/');
            text_put_hex(b, mask);
        }
    }
}

void
field_format_value(const struct field *f, const union field_value *value, const union field_value *mask,
                   const struct port_names *names, struct buf *b)
{
    bool exact = !mask || field_mask_is_exact(f, mask);
    static const union field_value ones = {
        .b = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}};
    const union field_value *m = exact ? &ones : mask;
    u128 x = value_load(value, f->n_bytes);

    switch (f->format) {
    case FF_ETHERNET:
        text_put_eth(b, value->mac, m->mac);
        break;
    case FF_IPV4:
        text_put_ipv4(b, value->be32, m->be32);
        break;
    case FF_IPV6:
        text_put_ipv6(b, &value->ipv6, &m->ipv6);
        break;
    case FF_OFP_PORT:
        ofp_port_format(
            f->place == FIELD_PORT16 && x >= 0xff00 ? (uint32_t) x | RESERVED_UPPER : (uint32_t) x, names, b);
        break;
    case FF_FRAG:
        format_frag(value->u8, m->u8 & (FLOW_FRAG_ANY | FLOW_FRAG_LATER), b);
        break;
    case FF_CT_STATE:
    case FF_TCP_FLAGS:
    case FF_TNL_FLAGS:
        format_flags(f, (uint32_t) x, mask ? (uint32_t) value_load(mask, f->n_bytes) : UINT32_MAX, b);
        break;
    case FF_PACKET_TYPE:
        buf_putf(b, "(%u,%#x)", (unsigned) (x >> 16), (unsigned) (x & 0xffff));
        break;
    default:
        format_int(f, x, value_load(m, f->n_bytes), exact, b);
        break;
    }
}

static char *
parse_frag(const char *s, union field_value *value, union field_value *mask)
{
    for (size_t i = 0; i < ARRAY_SIZE(frags); i++) {
        if (!strcasecmp(frags[i].name, s)) {
            value_store(frags[i].value, 1, value);
            value_store(frags[i].mask, 1, mask);
            return NULL;
        }
    }
    return xasprintf(
        "%s: unknown fragment type (valid types are \"no\", \"yes\", \"first\", \"later\", \"not_later\")",
        s);
}

static char *
parse_flags(const struct field *f, const char *s, union field_value *value, union field_value *mask)
{
    bool ct = f->format == FF_CT_STATE, tcp = f->format == FF_TCP_FLAGS;
    uint32_t v, m;

    if (!text_get_flags(s,
                        ct    ? ct_state_names
                        : tcp ? tcp_flag_names
                              : tnl_flag_names,
                        ct ? 0xff : (uint32_t) low_bits(f->n_bits), &v, &m)) {
        return xasprintf("%s: unknown %s flag(s)", s, ct ? "ct_state" : tcp ? "TCP" : "tunnel");
    }
    value_store(v, f->n_bytes, value);
    value_store(m, f->n_bytes, mask);
    return NULL;
}

static char *
parse_int(const struct field *f, const char *s, union field_value *value, union field_value *mask)
{
    size_t len = strcspn(s, "/");
    u128 limit = low_bits128(8u * f->n_bytes), v, m = limit;

    if (!text_get_int(s, len, &v)) {
        return xasprintf("%s: bad syntax for %s value", s, f->name);
    }
    if (v > limit) {
        return xasprintf("%s: value too large for %u-byte field %s", s, f->n_bytes, f->name);
    }
    if (s[len] && (!text_get_int(s + len + 1, strlen(s + len + 1), &m) || m > limit)) {
        return xasprintf("%s: bad syntax for %s mask", s, f->name);
    }
    value_store(v, f->n_bytes, value);
    value_store(m, f->n_bytes, mask);
    return NULL;
}

/* "(ns,type)" */
static char *
parse_packet_type(const char *s, union field_value *value, union field_value *mask)
{
    size_t len = strlen(s), comma = strcspn(s, ",");
    u128 ns, type;

    /* text_next_pair() may have taken the parentheses off already. */
    if (len > 2 && s[0] == '(' && s[len - 1] == ')') {
        s++;
        len -= 2;
        comma--;
    }
    if (comma >= len || !text_get_int(s, comma, &ns) ||
        !text_get_int(s + comma + 1, len - comma - 1, &type) || ns > UINT16_MAX || type > UINT16_MAX) {
        return xasprintf("%s: bad syntax for packet type, (ns,type) is expected", s);
    }
    value_store(ns << 16 | type, 4, value);
    value_store(UINT32_MAX, 4, mask);
    return NULL;
}

static char *
parse_port(const struct field *f, const char *s, const struct port_names *names, union field_value *value,
           union field_value *mask)
{
    uint32_t port;

    if (!ofp_port_parse(s, names, &port)) {
        return xasprintf("%s: invalid or unknown port for %s", s, f->name);
    }
    value_store(f->place == FIELD_PORT16 ? port & 0xffff : port, f->n_bytes, value);
    value_store(low_bits128(8u * f->n_bytes), f->n_bytes, mask);
    return NULL;
}

static char *
parse_addr(const struct field *f, const char *s, union field_value *value, union field_value *mask)
{
    switch (f->format) {
    case FF_ETHERNET:
        return text_get_eth(s, &value->mac, &mask->mac) ? NULL : xasprintf("%s: invalid Ethernet address", s);
    case FF_IPV4:
        return text_get_ipv4(s, &value->be32, &mask->be32) ? NULL : xasprintf("%s: invalid IP address", s);
    default:
        return text_get_ipv6(s, &value->ipv6, &mask->ipv6) ? NULL : xasprintf("%s: invalid IPv6 address", s);
    }
}

static char *
parse_any(const struct field *f, const char *s, const struct port_names *names, union field_value *value,
          union field_value *mask)
{
    switch (f->format) {
    case FF_ETHERNET:
    case FF_IPV4:
    case FF_IPV6:
        return parse_addr(f, s, value, mask);
    case FF_OFP_PORT:
        return parse_port(f, s, names, value, mask);
    case FF_FRAG:
        return parse_frag(s, value, mask);
    case FF_CT_STATE:
    case FF_TCP_FLAGS:
    case FF_TNL_FLAGS:
        return parse_flags(f, s, value, mask);
    case FF_PACKET_TYPE:
        return parse_packet_type(s, value, mask);
    default:
        return parse_int(f, s, value, mask);
    }
}

char *
field_parse(const struct field *f, const char *text, const struct port_names *names, union field_value *value,
            union field_value *mask)
{
    union field_value v = {.b = {0}}, m = {.b = {0}};
    char *error = parse_any(f, text, names, &v, &m);

    if (error) {
        return error;
    }
    if (!f->maskable && value_load(&m, f->n_bytes) && !field_mask_is_exact(f, &m)) {
        return xasprintf("%s: invalid mask for field %s", text, f->name);
    }
    *value = v;
    *mask = m;
    return NULL;
}
