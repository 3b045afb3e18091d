// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <stdlib.h>
#include "lib/flow/text.h"

const struct flag_name ct_state_names[] = {{CT_NEW, "new"},   {CT_EST, "est"},   {CT_REL, "rel"},
                                           {CT_RPL, "rpl"},   {CT_INV, "inv"},   {CT_TRK, "trk"},
                                           {CT_SNAT, "snat"}, {CT_DNAT, "dnat"}, {0, NULL}};
const struct flag_name tcp_flag_names[] = {{1, "fin"},  {2, "syn"},  {4, "rst"},   {8, "psh"},  {16, "ack"},
                                           {32, "urg"}, {64, "ece"}, {128, "cwr"}, {256, "ns"}, {0, NULL}};
const struct flag_name tnl_flag_names[] = {{FLOW_TNL_F_OAM, "oam"},
                                           {FLOW_TNL_F_DF, "df"},
                                           {FLOW_TNL_F_CSUM, "csum"},
                                           {FLOW_TNL_F_KEY, "key"},
                                           {0, NULL}};

void
text_put_hex(struct buf *b, u128 x)
{
    if (x >> 64) {
        buf_putf(b, "0x%llx%016llx", (unsigned long long) (x >> 64), (unsigned long long) x);
    } else {
        buf_putf(b, "%#llx", (unsigned long long) x);
    }
}

void
text_put_eth(struct buf *b, struct eth_addr value, struct eth_addr mask)
{
    buf_putf(b, ETH_ADDR_FMT, ETH_ADDR_ARGS(value));
    if (eth_addr_u64(mask) != low_bits(48)) {
        buf_putf(b, "/" ETH_ADDR_FMT, ETH_ADDR_ARGS(mask));
    }
}

/* The length of the prefix that 'mask' is, out of 'n' bits; -1 if it is none. */
static int
prefix_len(u128 mask, unsigned n)
{
    u128 wild = ~mask & low_bits128(n);
    int len = (int) n;

    if (wild & (wild + 1)) {
        return -1;
    }
    for (; wild; wild >>= 1) {
        len--;
    }
    return len;
}

void
text_put_ipv4(struct buf *b, be32 value, be32 mask)
{
    char s[INET_ADDRSTRLEN];
    int len = prefix_len(ntohl(mask), 32);

    buf_puts(b, inet_ntop(AF_INET, &value, s, sizeof s));
    if (len < 0) {
        buf_putf(b, "/%s", inet_ntop(AF_INET, &mask, s, sizeof s));
    } else if (len < 32) {
        buf_putf(b, "/%d", len);
    }
}

static u128
ipv6_int(const struct in6_addr *a)
{
    union field_value v = {.ipv6 = *a};

    return value_load(&v, sizeof v.b);
}

void
text_put_ipv6(struct buf *b, const struct in6_addr *value, const struct in6_addr *mask)
{
    char s[INET6_ADDRSTRLEN];
    int len = prefix_len(ipv6_int(mask), 128);

    buf_puts(b, inet_ntop(AF_INET6, value, s, sizeof s));
    if (len < 0) {
        buf_putf(b, "/%s", inet_ntop(AF_INET6, mask, s, sizeof s));
    } else if (len < 128) {
        buf_putf(b, "/%d", len);
    }
}

static void
put_flag(struct buf *b, uint32_t bit, const struct flag_name *names)
{
    for (; names->name; names++) {
        if (names->bit == bit) {
            buf_puts(b, names->name);
            return;
        }
    }
    buf_putf(b, "[%x]", bit);
}

void
text_put_flags(struct buf *b, uint32_t flags, const struct flag_name *names)
{
    if (!flags) {
        buf_putc(b, '0');
    }
    for (; flags; flags &= flags - 1) {
        put_flag(b, flags & -flags, names);
        if (flags & (flags - 1)) {
            buf_putc(b, '|');
        }
    }
}

void
text_put_flags_masked(struct buf *b, uint32_t flags, uint32_t mask, const struct flag_name *names)
{
    for (; mask; mask &= mask - 1) {
        uint32_t bit = mask & -mask;

        buf_putc(b, flags & bit ? '+' : '-');
        put_flag(b, bit, names);
    }
}

static uint32_t
find_flag(const char *s, size_t len, const struct flag_name *names)
{
    u128 x;

    for (; names->name; names++) {
        if (!strncmp(names->name, s, len) && !names->name[len]) {
            return names->bit;
        }
    }
    /* "[200]", as unnamed bits are printed. */
    if (len > 2 && len < 8 && s[0] == '[' && s[len - 1] == ']') {
        char hex[10] = "0x";

        memcpy(hex + 2, s + 1, len - 2);
        if (text_get_int(hex, len, &x)) {
            return (uint32_t) x;
        }
    }
    return 0;
}

/* "+a-b" */
static bool
get_signed_flags(const char *s, const struct flag_name *names, uint32_t all, uint32_t *flags, uint32_t *mask)
{
    uint32_t f = 0, m = 0;

    while (*s) {
        size_t len = strcspn(s + 1, "+-");
        uint32_t bit = find_flag(s + 1, len, names);

        if (!bit || bit & ~all || m & bit) {
            return false;
        }
        m |= bit;
        f |= *s == '+' ? bit : 0;
        s += 1 + len;
    }
    *flags = f;
    *mask = m;
    return true;
}

/* "a|b" */
static bool
get_named_flags(const char *s, const struct flag_name *names, uint32_t all, uint32_t *flags)
{
    uint32_t f = 0;

    for (;;) {
        size_t len = strcspn(s, "|");
        uint32_t bit = find_flag(s, len, names);

        if (!bit || bit & ~all) {
            return false;
        }
        f |= bit;
        if (!s[len]) {
            *flags = f;
            return true;
        }
        s += len + 1;
    }
}

bool
text_get_flags(const char *s, const struct flag_name *names, uint32_t all, uint32_t *flags, uint32_t *mask)
{
    size_t len = strcspn(s, "/");
    u128 f, m = all;

    if (*s == '+' || *s == '-') {
        return get_signed_flags(s, names, all, flags, mask);
    }
    if (*s < '0' || *s > '9') {
        if (!get_named_flags(s, names, all, flags)) {
            return false;
        }
    } else if (text_get_int(s, len, &f) && !(f & ~(u128) all) &&
               (!s[len] || (text_get_int(s + len + 1, strlen(s + len + 1), &m) && m <= UINT32_MAX))) {
        *flags = (uint32_t) f;
    } else {
        return false;
    }
    *mask = (uint32_t) m & all;
    return true;
}

static int
digit(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : 16;
}

bool
text_get_int(const char *s, size_t len, u128 *value)
{
    unsigned base = len > 2 && s[0] == '0' && (s[1] | 0x20) == 'x' ? 16 : 10;
    size_t i = base == 16 ? 2 : 0;
    u128 x = 0;

    if (i >= len) {
        return false;
    }
    for (; i < len; i++) {
        unsigned d = (unsigned) digit(s[i]);

        if (d >= base || x > (~(u128) 0 - d) / base) {
            return false;
        }
        x = x * base + d;
    }
    *value = x;
    return true;
}

/* Groups of one or two digits, as ether_aton(3) takes them; how far it got, or NULL. */
static const char *
get_eth(const char *s, struct eth_addr *addr)
{
    for (int i = 0; i < 6; i++) {
        int hi = digit(*s), lo;

        if (hi > 15) {
            return NULL;
        }
        lo = digit(*++s);
        addr->b[i] = (uint8_t) (lo > 15 ? hi : hi << 4 | lo);
        s += lo <= 15;
        if (i < 5 && *s++ != ':') {
            return NULL;
        }
    }
    return s;
}

bool
text_get_eth(const char *s, struct eth_addr *value, struct eth_addr *mask)
{
    struct eth_addr v, m = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

    s = get_eth(s, &v);
    if (s && *s == '/') {
        s = get_eth(s + 1, &m);
    }
    if (!s || *s) {
        return false;
    }
    *value = v;
    *mask = m;
    return true;
}

/* An address of a family, and what follows a slash: a mask of the same family or the length of a prefix. */
static bool
get_addr(const char *s, int family, unsigned n_bits, union field_value *value, union field_value *mask)
{
    char addr[INET6_ADDRSTRLEN];
    size_t len = strcspn(s, "/");
    u128 prefix = n_bits;

    memset(value, 0, sizeof *value);
    memset(mask, 0, sizeof *mask);
    if (len >= sizeof addr) {
        return false;
    }
    memcpy(addr, s, len);
    addr[len] = '\0';
    if (inet_pton(family, addr, value) != 1) {
        return false;
    }
    if (s[len]) {
        s += len + 1;
        if (inet_pton(family, s, mask) == 1) {
            return true;
        }
        if (!text_get_int(s, strlen(s), &prefix) || prefix > n_bits) {
            return false;
        }
    }
    value_store(low_bits128((unsigned) prefix) << (n_bits - (unsigned) prefix) % 128, n_bits / 8, mask);
    return true;
}

bool
text_get_ipv4(const char *s, be32 *value, be32 *mask)
{
    union field_value v, m;

    if (!get_addr(s, AF_INET, 32, &v, &m)) {
        return false;
    }
    *value = v.be32;
    *mask = m.be32;
    return true;
}

bool
text_get_ipv6(const char *s, struct in6_addr *value, struct in6_addr *mask)
{
    union field_value v, m;

    if (!get_addr(s, AF_INET6, 128, &v, &m)) {
        return false;
    }
    *value = v.ipv6;
    *mask = m.ipv6;
    return true;
}

/* Up to the ')' or separator that ends a value that begins at 's'. */
static size_t
value_len(const char *s, bool in_parens)
{
    int depth = in_parens;
    size_t i;

    for (i = 0; s[i]; i++) {
        if (s[i] == '(' || s[i] == '[' || s[i] == '{') {
            depth++;
        } else if (s[i] == ')' || s[i] == ']' || s[i] == '}') {
            if (!--depth && in_parens) {
                break;
            }
        } else if (depth <= 0 && strchr(", \t\r\n", s[i])) {
            break;
        }
    }
    return i;
}

bool
text_next_pair(const char **pos, char **key, char **value)
{
    const char *s = *pos + strspn(*pos, ", \t\r\n");
    size_t len = strcspn(s, "=(, \t\r\n");

    if (!*s) {
        *pos = s;
        return false;
    }
    *key = xstrndup(s, len);
    s += len;
    if (*s == '=' || *s == '(') {
        bool in_parens = *s == '(';

        len = value_len(++s, in_parens);
        *value = xstrndup(s, len);
        s += len;
        s += in_parens && *s == ')';
    } else {
        *value = xstrdup("");
    }
    *pos = s;
    return true;
}
