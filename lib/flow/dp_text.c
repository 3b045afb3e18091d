// SPDX-License-Identifier: Apache-2.0
// A datapath flow's match as text, as ovs-dpctl(8) dump-flows prints it.
//
// Two orders are in use. Flows of openvswitch.ko stand in the order in which the kernel gives their
// attributes and say "eth()" of frames whose addresses are wild; flows that name their packet type stand in
// that of userspace. Both are parsed.
#include <config.h>
#include <stdlib.h>
#include "lib/flow/dp_text.h"

/* All that printing needs to know. */
struct dp_match {
    const struct flow_key *key, *mask;
    const struct dp_port_names *names;
    bool verbose, exact;
    struct buf *b;
};

static void
put_attr(const struct dp_match *m, enum dp_attr_id id)
{
    dp_attr_format(id, m->key, m->mask, m->verbose, m->b);
}

static void
put_ct_state(const struct dp_match *m)
{
    if (m->verbose) {
        buf_putf(m->b, "ct_state(%#x", m->key->ct_state);
        if (!m->exact) {
            buf_putf(m->b, "/%#x", m->mask->ct_state);
        }
        buf_puts(m->b, "),");
    } else if (m->mask->ct_state) {
        buf_puts(m->b, "ct_state(");
        text_put_flags_masked(m->b, m->key->ct_state, m->mask->ct_state, ct_state_names);
        buf_puts(m->b, "),");
    }
}

static void
put_ct(const struct dp_match *m)
{
    const struct flow_key *mask = m->mask;

    put_ct_state(m);
    put_attr(m, DP_CT_ZONE);
    put_attr(m, DP_CT_MARK);
    put_attr(m, DP_CT_LABEL);
    if (!m->key->ct_nw_proto ||
        (!m->verbose &&
         !(mask->ct_nw_src | mask->ct_nw_dst | mask->ct_nw_proto | mask->ct_tp_src | mask->ct_tp_dst) &&
         IN6_IS_ADDR_UNSPECIFIED(&mask->ct_ipv6_src) && IN6_IS_ADDR_UNSPECIFIED(&mask->ct_ipv6_dst))) {
        return;
    }
    put_attr(m, m->key->eth_type == htons(0x86dd) ? DP_CT_TUPLE6 : DP_CT_TUPLE4);
}

static void
put_tunnel(const struct dp_match *m)
{
    if (m->key->tun_dst || !IN6_IS_ADDR_UNSPECIFIED(&m->key->tun_dst6)) {
        dp_tunnel_format(m->key, m->mask, m->verbose, m->b);
    }
}

static void
put_in_port(const struct dp_match *m)
{
    const char *name = m->names && m->names->name ? m->names->name(m->key->in_port, m->names->aux) : NULL;

    if (!m->mask->in_port && !m->verbose) {
        return;
    }
    if (name) {
        buf_putf(m->b, "in_port(%s", name);
    } else {
        buf_putf(m->b, "in_port(%u", m->key->in_port);
    }
    if (m->mask->in_port != UINT32_MAX) {
        buf_putf(m->b, "/%#x", m->mask->in_port);
    }
    buf_puts(m->b, "),");
}

static void
put_metadata(const struct dp_match *m, bool kernel)
{
    if (kernel) {
        put_attr(m, DP_RECIRC_ID);
        put_attr(m, DP_DP_HASH);
        put_attr(m, DP_SKB_PRIORITY);
        put_tunnel(m);
        put_in_port(m);
        put_attr(m, DP_SKB_MARK);
        put_ct(m);
    } else {
        put_attr(m, DP_SKB_PRIORITY);
        put_tunnel(m);
        put_attr(m, DP_SKB_MARK);
        put_ct(m);
        put_attr(m, DP_RECIRC_ID);
        put_attr(m, DP_DP_HASH);
        put_in_port(m);
    }
}

static void
put_eth(const struct dp_match *m, bool kernel)
{
    uint32_t type = ntohl(m->key->packet_type);
    size_t start;

    if (!kernel) {
        buf_putf(m->b, "packet_type(ns=%u,id=%#x),", type >> 16, type & 0xffff);
    }
    if (type) {
        return;
    }
    start = m->b->len;
    put_attr(m, DP_ETH);
    if (m->b->len == start && kernel) {
        buf_puts(m->b, "eth(),");
    }
}

/* Ethertypes of frames that have none are not told. */
static void
put_eth_type(const struct dp_match *m, be16 type, be16 mask)
{
    if (type == htons(FLOW_ETH_TYPE_NONE) || (!mask && !m->verbose)) {
        return;
    }
    buf_putf(m->b, "eth_type(0x%04x", ntohs(type));
    if (mask != UINT16_MAX) {
        buf_putf(m->b, "/0x%04x", ntohs(mask));
    }
    buf_puts(m->b, "),");
}

static void
put_tcp_flags(const struct dp_match *m)
{
    uint16_t flags = ntohs(m->key->tcp_flags) & 0xfff, mask = ntohs(m->mask->tcp_flags) & 0xfff;

    if (!mask && !m->verbose) {
        return;
    }
    buf_puts(m->b, "tcp_flags(");
    if (!mask) {
        buf_putf(m->b, "%#x/0", flags);
    } else if (mask == 0xfff) {
        text_put_flags(m->b, flags, tcp_flag_names);
    } else {
        text_put_flags_masked(m->b, flags, mask, tcp_flag_names);
    }
    buf_puts(m->b, "),");
}

static void
put_icmpv6(const struct dp_match *m)
{
    const struct flow_key *k = m->key;

    put_attr(m, DP_ICMPV6);
    if (!k->tp_dst && (k->tp_src == htons(135) || k->tp_src == htons(136))) {
        put_attr(m, DP_ND);
        if (m->mask->nd_options_type || m->mask->nd_reserved) {
            put_attr(m, DP_ND_EXTENSIONS);
        }
    }
}

static void
put_l4(const struct dp_match *m)
{
    bool v6 = m->key->eth_type == htons(0x86dd);

    if (m->key->nw_frag & FLOW_FRAG_LATER) {
        return;
    }
    switch (m->key->nw_proto) {
    case IPPROTO_TCP:
        put_attr(m, DP_TCP);
        put_tcp_flags(m);
        break;
    case IPPROTO_UDP:
        put_attr(m, DP_UDP);
        break;
    case IPPROTO_SCTP:
        put_attr(m, DP_SCTP);
        break;
    case IPPROTO_ICMP:
        if (!v6) {
            put_attr(m, DP_ICMP);
        }
        break;
    case IPPROTO_ICMPV6:
        if (v6) {
            put_icmpv6(m);
        }
        break;
    default:
        break;
    }
}

static void
put_l3(const struct dp_match *m)
{
    switch (ntohs(m->key->eth_type)) {
    case 0x0800:
        put_attr(m, DP_IPV4);
        put_l4(m);
        break;
    case 0x86dd:
        put_attr(m, DP_IPV6);
        put_l4(m);
        break;
    case 0x0806:
    case 0x8035:
        put_attr(m, DP_ARP);
        break;
    case 0x8847:
    case 0x8848:
        dp_mpls_format(m->key, m->mask, m->verbose, m->b);
        break;
    default:
        break;
    }
}

void
dp_match_format(const struct flow_key *key, const struct flow_key *mask, const struct dp_port_names *names,
                bool verbose, struct buf *b)
{
    struct flow_key ones;
    struct dp_match m = {key, mask ? mask : &ones, names, verbose || !mask, !mask, b};
    bool kernel = !mask || !mask->packet_type;
    size_t start = b->len;
    int depth = 0;

    memset(&ones, 0xff, sizeof ones);
    put_metadata(&m, kernel);
    put_eth(&m, kernel);
    for (; depth < FLOW_N_VLANS && key->vlan[depth].tci & htons(FLOW_VLAN_PRESENT); depth++) {
        be16 tpid = key->vlan[depth].tpid ? key->vlan[depth].tpid : htons(0x8100);

        put_eth_type(&m, tpid, UINT16_MAX);
        if (m.mask->vlan[depth].tci || m.verbose) {
            buf_puts(b, "vlan(");
            dp_vlan_format(key->vlan[depth].tci, m.mask->vlan[depth].tci, m.verbose, b);
            buf_puts(b, "),");
        }
        buf_puts(b, "encap(");
    }
    put_eth_type(&m, key->eth_type, m.mask->eth_type);
    put_l3(&m);
    if (b->len > start) {
        buf_chomp(b, ',');
    }
    while (depth--) {
        buf_putc(b, ')');
    }
}

/* Where a parse stands: how many tags were taken, and which Ethertype is the last one read. */
struct dp_parse {
    const struct dp_port_names *names;
    struct flow_key key, mask;
    int depth;
    bool has_eth_type;
};

static int parse_attrs(struct dp_parse *, const char *text, char **error);

/* A number, with a mask or not, or a name. */
static int
parse_in_port(struct dp_parse *p, const char *s)
{
    size_t len = strcspn(s, "/");
    u128 number, mask = UINT32_MAX;
    uint32_t port;

    if (text_get_int(s, len, &number) && number <= UINT32_MAX) {
        if (s[len] && (!text_get_int(s + len + 1, strlen(s + len + 1), &mask) || mask > UINT32_MAX)) {
            return -EINVAL;
        }
        port = (uint32_t) number;
    } else if (!p->names || !p->names->number || !p->names->number(s, &port, p->names->aux)) {
        return -EINVAL;
    }
    p->key.in_port = port;
    p->mask.in_port = (uint32_t) mask;
    return 0;
}

static int
parse_flags(const char *s, const struct flag_name *names, uint32_t all, uint32_t *flags, uint32_t *mask)
{
    return text_get_flags(s, names, all, flags, mask) ? 0 : -EINVAL;
}

static int
parse_eth_type(struct dp_parse *p, const char *s)
{
    const struct field *f = &field_table[FIELD_ETH_TYPE];
    size_t len = strcspn(s, "/");
    u128 type, mask = UINT16_MAX;
    union field_value v;

    if (!text_get_int(s, len, &type) || type > UINT16_MAX ||
        (s[len] && (!text_get_int(s + len + 1, strlen(s + len + 1), &mask) || mask > UINT16_MAX))) {
        return -EINVAL;
    }
    value_store(type, 2, &v);
    field_set(f, &v, &p->key);
    p->mask.eth_type = htons((uint16_t) mask);
    p->has_eth_type = true;
    return 0;
}

/* The tag's TPID is the Ethertype that stands before it. */
static int
parse_vlan(struct dp_parse *p, const char *s)
{
    struct flow_vlan *key, *mask;
    int error;

    if (p->depth >= FLOW_N_VLANS || !p->has_eth_type) {
        return -EINVAL;
    }
    key = &p->key.vlan[p->depth];
    mask = &p->mask.vlan[p->depth];
    error = dp_vlan_parse(s, &key->tci, &mask->tci);
    if (!error) {
        key->tpid = p->key.eth_type;
        mask->tpid = p->mask.eth_type;
    }
    return error;
}

static int
parse_encap(struct dp_parse *p, const char *s, char **error)
{
    if (p->depth >= FLOW_N_VLANS || !p->has_eth_type) {
        return -EINVAL;
    }
    if (!p->key.vlan[p->depth].tpid) {
        /* A tag of which nothing was said but that it is there. */
        p->key.vlan[p->depth] = (struct flow_vlan){p->key.eth_type, htons(FLOW_VLAN_PRESENT)};
        p->mask.vlan[p->depth] = (struct flow_vlan){UINT16_MAX, htons(FLOW_VLAN_PRESENT)};
    }
    p->depth++;
    p->has_eth_type = false;
    return parse_attrs(p, s, error);
}

static int
parse_mpls(struct dp_parse *p, const char *s)
{
    for (int i = 0; i < FLOW_N_MPLS && *s; i++) {
        const char *next = strstr(s + 1, "label=");
        char *one = xstrndup(s, next ? (size_t) (next - s) : strlen(s));
        int error = dp_mpls_parse(one, &p->key.mpls[i], &p->mask.mpls[i]);

        free(one);
        if (error) {
            return error;
        }
        s = next ? next : "";
    }
    return *s ? -EINVAL : 0;
}

static int
parse_attr(struct dp_parse *p, const char *name, const char *s, char **error)
{
    uint32_t flags, mask;
    int retval;

    if (!strcmp(name, "in_port")) {
        return parse_in_port(p, s);
    } else if (!strcmp(name, "eth_type")) {
        return parse_eth_type(p, s);
    } else if (!strcmp(name, "vlan")) {
        return parse_vlan(p, s);
    } else if (!strcmp(name, "encap")) {
        return parse_encap(p, s, error);
    } else if (!strcmp(name, "mpls")) {
        return parse_mpls(p, s);
    } else if (!strcmp(name, "packet_type")) {
        p->mask.packet_type = UINT32_MAX;
        return dp_packet_type_parse(s, &p->key.packet_type);
    } else if (!strcmp(name, "ct_state")) {
        retval = parse_flags(s, ct_state_names, 0xff, &flags, &mask);
        if (!retval) {
            p->key.ct_state = (uint8_t) flags;
            p->mask.ct_state = (uint8_t) mask;
        }
        return retval;
    } else if (!strcmp(name, "tcp_flags")) {
        retval = parse_flags(s, tcp_flag_names, 0xfff, &flags, &mask);
        if (!retval) {
            p->key.tcp_flags = htons((uint16_t) flags);
            p->mask.tcp_flags = htons((uint16_t) (mask == 0xfff ? 0xffff : mask));
        }
        return retval;
    }
    return dp_attr_parse(name, s, &p->key, &p->mask);
}

/* Whether "name(", as attributes of a datapath's flow are written, comes next; OpenFlow's flows have "name=" or "name". */
static bool
is_attr(const char *text)
{
    text += strspn(text, ", \t\r\n");
    return text[strcspn(text, "=(, \t\r\n")] == '(';
}

static int
parse_attrs(struct dp_parse *p, const char *text, char **error)
{
    bool attr = is_attr(text);
    char *name, *value;
    int retval = 0;

    for (; !retval && text_next_pair(&text, &name, &value); attr = is_attr(text)) {
        /* A dump gives each flow its name first. */
        if (strncmp(name, "ufid:", 5)) {
            retval = attr ? parse_attr(p, name, value, error) : -EINVAL;
        }
        if (retval && !*error) {
            *error = retval == -ENOENT ? xasprintf("syntax error at %s", name)
                                       : xasprintf("syntax error at %s(%s)", name, value);
        }
        free(name);
        free(value);
    }
    return retval;
}

char *
dp_match_parse(const char *text, const struct dp_port_names *names, struct flow_key *key,
               struct flow_key *mask)
{
    struct dp_parse p = {.names = names};
    char *error = NULL;

    if (parse_attrs(&p, text, &error)) {
        return error;
    }
    if (!p.has_eth_type) {
        p.key.eth_type = htons(FLOW_ETH_TYPE_NONE);
        p.mask.eth_type = UINT16_MAX;
    }
    *key = p.key;
    *mask = p.mask;
    return NULL;
}
