// SPDX-License-Identifier: Apache-2.0
// Matches and keys as ovs-ofctl(8) dump-flows and ofproto/trace print them. The order of the fields and the
// short names of protocols are those of the installed tools, since scripts take such text apart.
#include <config.h>
#include "lib/flow/match_text.h"

/* A field, and the name it has in a match where that is not its own. */
struct item {
    enum field_id id;
    const char *label;
};

static const struct item before_protocol[] = {
    {FIELD_PKT_MARK},      {FIELD_RECIRC_ID}, {FIELD_DP_HASH},     {FIELD_CONJ_ID},     {FIELD_SKB_PRIORITY},
    {FIELD_ACTSET_OUTPUT}, {FIELD_CT_STATE},  {FIELD_CT_ZONE},     {FIELD_CT_MARK},     {FIELD_CT_LABEL},
    {FIELD_CT_NW_SRC},     {FIELD_CT_NW_DST}, {FIELD_CT_IPV6_SRC}, {FIELD_CT_IPV6_DST}, {FIELD_CT_NW_PROTO},
    {FIELD_CT_TP_SRC},     {FIELD_CT_TP_DST},
};
static const struct item tunnel[] = {
    {FIELD_TUN_ID},     {FIELD_TUN_SRC},       {FIELD_TUN_DST}, {FIELD_TUN_IPV6_SRC}, {FIELD_TUN_IPV6_DST},
    {FIELD_TUN_GBP_ID}, {FIELD_TUN_GBP_FLAGS}, {FIELD_TUN_TOS}, {FIELD_TUN_TTL},
};
static const struct item ethernet[] = {{FIELD_ETH_SRC, "dl_src"}, {FIELD_ETH_DST, "dl_dst"}};
static const struct item ip[] = {{FIELD_IP_SRC, "nw_src"}, {FIELD_IP_DST, "nw_dst"}};
static const struct item ipv6[] = {{FIELD_IPV6_SRC}, {FIELD_IPV6_DST}, {FIELD_IPV6_LABEL}};
static const struct item arp[] = {
    {FIELD_ARP_SPA}, {FIELD_ARP_TPA}, {FIELD_ARP_OP}, {FIELD_ARP_SHA}, {FIELD_ARP_THA}};
static const struct item ip_any[] = {{FIELD_NW_TOS}, {FIELD_NW_ECN}, {FIELD_NW_TTL}};
static const struct item mpls[] = {{FIELD_MPLS_LABEL}, {FIELD_MPLS_TC}, {FIELD_MPLS_TTL}, {FIELD_MPLS_BOS}};
static const struct item icmp[] = {{FIELD_ICMP_TYPE}, {FIELD_ICMP_CODE}};
static const struct item nd[] = {
    {FIELD_ND_TARGET}, {FIELD_ND_SLL}, {FIELD_ND_TLL}, {FIELD_ND_RESERVED}, {FIELD_ND_OPTIONS_TYPE}};
static const struct item ports[] = {{FIELD_TCP_SRC, "tp_src"}, {FIELD_TCP_DST, "tp_dst"}, {FIELD_TCP_FLAGS}};

/* What is printed, and where to. */
struct printing {
    const struct match *m;
    const struct port_names *names;
    struct buf *b;
    bool is_packet; /* Not a match, but all of a packet. */
};

/* How fields are printed that a match shows in another way than set_field does. */
static bool
put_special(const struct field *f, const union field_value *value, const union field_value *mask,
            bool is_megaflow, struct buf *b)
{
    unsigned x = (unsigned) value_load(value, f->n_bytes);

    switch (f->id) {
    case FIELD_RECIRC_ID:
        text_put_hex(b, x);
        return true;
    case FIELD_CT_ZONE:
        buf_putf(b, "%u", x);
        return true;
    case FIELD_TUN_TOS:
        buf_putf(b, "%x", x);
        return true;
    case FIELD_TUN_GBP_FLAGS:
        text_put_hex(b, x);
        return true;
    case FIELD_ICMP_TYPE:
    case FIELD_ICMP_CODE:
        if (is_megaflow) { /* Where they are bytes of 16-bit ports. */
            buf_putf(b, "0x%x/0x%x", x, (unsigned) value_load(mask, f->n_bytes));
        }
        return is_megaflow;
    case FIELD_TUN_FLAGS:
        text_put_flags_masked(b, x, (uint32_t) value_load(mask, f->n_bytes), tnl_flag_names);
        return true;
    case FIELD_IPV6_LABEL:
        buf_putf(b, "0x%05x", x);
        if (!field_mask_is_exact(f, mask)) {
            buf_putf(b, "/0x%05x", (unsigned) value_load(mask, f->n_bytes));
        }
        return true;
    default:
        break;
    }
    if (f->n_bytes == 2 && f->format == FF_DECIMAL && !field_mask_is_exact(f, mask)) {
        buf_putf(b, "0x%x/0x%x", x, (unsigned) value_load(mask, f->n_bytes));
        return true;
    }
    return false;
}

static void
put_field(const struct printing *p, enum field_id id, const char *label)
{
    const struct match *m = p->m;
    struct buf *b = p->b;
    const struct field *f = &field_table[id];
    union field_value value, mask;

    field_get_mask(f, &m->mask, &mask);
    if (!value_load(&mask, f->n_bytes)) {
        return;
    }
    field_get(f, &m->key, &value);
    buf_putf(b, "%s=", label ? label : f->name);
    if (!put_special(f, &value, &mask, m->mask.recirc_id && !p->is_packet, b)) {
        field_format_value(f, &value, f->maskable ? &mask : NULL, p->names, b);
    }
    buf_putc(b, ',');
}

static void
put_fields(const struct printing *p, const struct item *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_field(p, items[i].id, items[i].label);
    }
}
#define PUT(ITEMS) put_fields(p, ITEMS, ARRAY_SIZE(ITEMS))

static const struct protocol protocols[] = {
    {"icmp", 0x0800, 1},    {"tcp", 0x0800, 6},    {"udp", 0x0800, 17}, {"sctp", 0x0800, 132},
    {"ip", 0x0800, 0},      {"icmp6", 0x86dd, 58}, {"tcp6", 0x86dd, 6}, {"udp6", 0x86dd, 17},
    {"sctp6", 0x86dd, 132}, {"ipv6", 0x86dd, 0},   {"arp", 0x0806, 0},  {"rarp", 0x8035, 0},
    {"mpls", 0x8847, 0},    {"mplsm", 0x8848, 0},  {"ipv4", 0x0800, 0}, {"ip4", 0x0800, 0},
    {"ip6", 0x86dd, 0},
};

const struct protocol *
protocol_by_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        if (!strcmp(protocols[i].name, name)) {
            return &protocols[i];
        }
    }
    return NULL;
}

static const struct protocol *
protocol_of(const struct match *m)
{
    if (m->mask.eth_type != UINT16_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        const struct protocol *p = &protocols[i];

        if (ntohs(m->key.eth_type) == p->eth_type &&
            (!p->nw_proto || (m->mask.nw_proto == UINT8_MAX && m->key.nw_proto == p->nw_proto))) {
            return p;
        }
    }
    return NULL;
}

static bool
looks_at_frame(const struct match *m)
{
    const uint64_t *mask = flow_key_cwords(&m->mask);
    uint64_t any = m->mask.packet_type;

    for (size_t i = FLOW_STAGE_END_0; i < FLOW_KEY_WORDS; i++) {
        any |= mask[i];
    }
    return any != 0;
}

/* "eth" is said of megaflows only, which are known by their recirculation. */
static void
put_packet_type(const struct match *m, struct buf *b)
{
    uint32_t type = ntohl(m->key.packet_type);

    if (type) {
        buf_putf(b, "packet_type=(%u,%#x),", type >> 16, type & 0xffff);
    } else if (m->mask.recirc_id && looks_at_frame(m)) {
        buf_puts(b, "eth,");
    }
}

static void
put_vlan(const struct match *m, int i, struct buf *b)
{
    uint16_t tci = ntohs(m->key.vlan[i].tci), mask = ntohs(m->mask.vlan[i].tci);
    const uint16_t vid = 0x0fff, pcp = 0xe000;
    char index[2] = {i ? (char) ('0' + i) : '\0', '\0'};
    bool names_parts = tci & mask & FLOW_VLAN_PRESENT && mask & (vid | pcp) &&
                       (!(mask & vid) || (mask & vid) == vid) && (!(mask & pcp) || (mask & pcp) == pcp);

    if (!mask) {
        return;
    }
    if (!names_parts) {
        buf_putf(b, "vlan_tci%s=0x%04x", index, tci);
        if (mask != UINT16_MAX) {
            buf_putf(b, "/0x%04x", mask);
        }
        buf_putc(b, ',');
        return;
    }
    if (mask & vid) {
        buf_putf(b, "dl_vlan%s=%d,", index, tci & vid);
    }
    if (mask & pcp) {
        buf_putf(b, "dl_vlan_pcp%s=%d,", index, tci >> 13);
    }
}

static void
put_l4(const struct printing *p)
{
    const struct match *m = p->m;
    bool v4 = m->key.eth_type == htons(0x0800), v6 = m->key.eth_type == htons(0x86dd);

    if ((v4 && m->key.nw_proto == IPPROTO_ICMP) || (v6 && m->key.nw_proto == IPPROTO_ICMPV6)) {
        PUT(icmp);
        if (v6) {
            PUT(nd);
        }
    } else {
        PUT(ports);
    }
}

static void
put_l3(const struct printing *p, const struct protocol *protocol)
{
    const struct match *m = p->m;
    uint16_t type = ntohs(m->key.eth_type);

    if (type == 0x0806 || type == 0x8035) {
        PUT(arp);
        return;
    }
    if (type == 0x86dd) {
        PUT(ipv6);
    } else {
        PUT(ip);
    }
    if (m->mask.nw_proto && (!protocol || !protocol->nw_proto)) {
        put_field(p, FIELD_NW_PROTO, NULL);
    }
    PUT(ip_any);
    PUT(mpls);
    for (int i = 1; i < FLOW_N_MPLS; i++) {
        if (m->mask.mpls[i] == UINT32_MAX) {
            buf_putf(p->b, "mpls_lse%d=%u,", i, ntohl(m->key.mpls[i]));
        } else if (m->mask.mpls[i]) {
            buf_putf(p->b, "mpls_lse%d=0x%08x/0x%08x,", i, ntohl(m->key.mpls[i]), ntohl(m->mask.mpls[i]));
        }
    }
    put_field(p, FIELD_IP_FRAG, "nw_frag");
    put_l4(p);
}

static void
put_tunnel(const struct printing *p)
{
    PUT(tunnel);
    if (p->is_packet && p->m->mask.tun_flags) {
        /* What packets have of kinds of tunnels that are not matched on. */
        buf_puts(p->b, "tun_erspan_ver=0,gtpu_flags=0,gtpu_msgtype=0,tun_flags=");
        text_put_flags(p->b, p->m->key.tun_flags, tnl_flag_names);
        buf_putc(p->b, ',');
    } else {
        put_field(p, FIELD_TUN_FLAGS, NULL);
    }
}

static void
put_match(const struct printing *p)
{
    const struct match *m = p->m;
    const struct protocol *protocol = protocol_of(m);

    PUT(before_protocol);
    put_packet_type(m, p->b);
    if (protocol) {
        buf_putf(p->b, "%s,", protocol->name);
    }
    for (unsigned i = 0; i < FLOW_N_REGS; i++) {
        put_field(p, FIELD_REG0 + i, NULL);
    }
    put_tunnel(p);
    put_field(p, FIELD_METADATA, NULL);
    put_field(p, FIELD_IN_PORT_OXM, "in_port");
    for (int i = 0; i < FLOW_N_VLANS; i++) {
        put_vlan(m, i, p->b);
    }
    PUT(ethernet);
    if (m->mask.eth_type && !protocol) {
        buf_putf(p->b, "dl_type=0x%04x,", ntohs(m->key.eth_type));
    }
    put_l3(p, protocol);
}

void
match_format(const struct match *m, int priority, const struct port_names *names, struct buf *b)
{
    size_t start = b->len;

    if (priority >= 0 && priority != MATCH_DEFAULT_PRIORITY) {
        buf_putf(b, "priority=%d,", priority);
    }
    put_match(&(struct printing){m, names, b, false});
    if (b->len > start) {
        buf_chomp(b, ',');
    }
}

#define FILL(MEMBER) memset(&m->mask.MEMBER, 0xff, sizeof m->mask.MEMBER)
#define FILL_IF_SET(MEMBER)                                                                                  \
    (memcmp(&m->key.MEMBER, &nothing.MEMBER, sizeof m->key.MEMBER) ? (void) FILL(MEMBER) : (void) 0)

/* Metadata that is zero says nothing, and is left out. */
static void
show_metadata(struct match *m)
{
    static const struct flow_key nothing;

    FILL_IF_SET(recirc_id);
    FILL_IF_SET(dp_hash);
    FILL_IF_SET(skb_priority);
    FILL_IF_SET(pkt_mark);
    FILL_IF_SET(metadata);
    for (int i = 0; i < FLOW_N_REGS; i++) {
        FILL_IF_SET(regs[i]);
    }
    if (m->key.tun_dst || !IN6_IS_ADDR_UNSPECIFIED(&m->key.tun_dst6)) {
        FILL(tun_src);
        FILL(tun_dst);
        FILL(tun_src6);
        FILL(tun_dst6);
        FILL(tun_gbp_id);
        FILL(tun_gbp_flags);
        FILL(tun_tos);
        FILL(tun_ttl);
        FILL(tun_flags);
        if (m->key.tun_flags & FLOW_TNL_F_KEY) {
            FILL(tun_id);
        }
    } else {
        FILL_IF_SET(tun_id);
    }
    FILL_IF_SET(ct_state);
    FILL_IF_SET(ct_zone);
    FILL_IF_SET(ct_mark);
    FILL_IF_SET(ct_label);
    FILL(in_port);
}

static bool
is_nd(const struct flow_key *k)
{
    return k->eth_type == htons(0x86dd) && k->nw_proto == IPPROTO_ICMPV6 && !k->tp_dst &&
           (k->tp_src == htons(135) || k->tp_src == htons(136));
}

static void
show_ct_tuple(struct match *m)
{
    if (!m->key.ct_nw_proto || !flow_key_is_ip(&m->key)) {
        return;
    }
    if (m->key.eth_type == htons(0x0800)) {
        FILL(ct_nw_src);
        FILL(ct_nw_dst);
    } else if (!is_nd(&m->key)) {
        FILL(ct_ipv6_src);
        FILL(ct_ipv6_dst);
    }
    FILL(ct_nw_proto);
    FILL(ct_tp_src);
    FILL(ct_tp_dst);
}

static void
show_l2(struct match *m)
{
    FILL(eth_dst);
    FILL(eth_src);
    FILL(eth_type);
    for (int i = 0; i < FLOW_N_VLANS; i++) {
        FILL(vlan[i].tci);
        if (!m->key.vlan[i].tci) {
            break;
        }
    }
}

static void
show_l4(struct match *m)
{
    switch (m->key.nw_proto) {
    case IPPROTO_TCP:
        FILL(tcp_flags);
        break;
    case IPPROTO_ICMPV6:
        if (is_nd(&m->key)) {
            FILL(nd_target);
            FILL(arp_sha);
            FILL(arp_tha);
        }
        break;
    case IPPROTO_ICMP:
    case IPPROTO_IGMP:
    case IPPROTO_UDP:
    case IPPROTO_SCTP:
        break;
    default:
        return;
    }
    FILL(tp_src);
    FILL(tp_dst);
}

static void
show_l3(struct match *m)
{
    switch (ntohs(m->key.eth_type)) {
    case 0x0800:
        FILL(nw_src);
        FILL(nw_dst);
        break;
    case 0x86dd:
        FILL(ipv6_src);
        FILL(ipv6_dst);
        FILL(ipv6_label);
        break;
    case 0x0806:
    case 0x8035:
        FILL(nw_src);
        FILL(nw_dst);
        FILL(nw_proto);
        FILL(arp_sha);
        FILL(arp_tha);
        return;
    case 0x8847:
    case 0x8848:
        for (int i = 0; i < FLOW_N_MPLS; i++) {
            FILL(mpls[i]);
            if (m->key.mpls[i] & htonl(0x100)) { /* Bottom of stack. */
                break;
            }
        }
        return;
    default:
        return;
    }
    FILL(nw_frag);
    FILL(nw_tos);
    FILL(nw_ttl);
    FILL(nw_proto);
    if (!(m->key.nw_frag & FLOW_FRAG_LATER) ||
        (m->key.nw_proto == IPPROTO_ICMPV6 && m->key.eth_type == htons(0x86dd))) {
        show_l4(m);
    }
}

void
flow_key_format(const struct flow_key *key, const struct port_names *names, struct buf *b)
{
    struct match m = {.key = *key};

    show_metadata(&m);
    show_ct_tuple(&m);
    show_l2(&m);
    show_l3(&m);
    put_match(&(struct printing){&m, names, b, true});
    buf_chomp(b, ',');
}
