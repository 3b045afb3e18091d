// SPDX-License-Identifier: Apache-2.0
// Matches and keys from text.
#include <config.h>
#include <stdlib.h>
#include "lib/flow/match_text.h"

static void
match_int(enum field_id id, uint64_t x, struct match *m)
{
    union field_value v;

    value_store(x, field_table[id].n_bytes, &v);
    field_match(&field_table[id], &v, NULL, m);
}

static void
match_protocol(const struct protocol *p, struct match *m)
{
    match_int(FIELD_ETH_TYPE, p->eth_type, m);
    if (p->nw_proto) {
        match_int(FIELD_NW_PROTO, p->nw_proto, m);
    }
}

/* Names that mean another field by what the rest of the match says: the third is for ARP or ICMP, the second
 * for the field of the name. */
static const struct field *
by_context(const struct field *f, const struct match *m)
{
    uint16_t type = ntohs(m->key.eth_type);
    bool is_arp = type == 0x0806 || type == 0x8035;

    switch (f->id) {
    case FIELD_IP_SRC:
        return is_arp ? &field_table[FIELD_ARP_SPA] : f;
    case FIELD_IP_DST:
        return is_arp ? &field_table[FIELD_ARP_TPA] : f;
    case FIELD_NW_PROTO:
        return is_arp ? &field_table[FIELD_ARP_OP] : f;
    case FIELD_ICMP_TYPE:
        return type == 0x86dd ? &field_table[FIELD_ICMPV6_TYPE] : f;
    case FIELD_ICMP_CODE:
        return type == 0x86dd ? &field_table[FIELD_ICMPV6_CODE] : f;
    default:
        return f;
    }
}

/* tp_src and tp_dst, that is tcp_src and tcp_dst by their second names, are any transport protocol's. */
static const struct field *
port_by_context(const struct field *f, const char *name, const struct match *m)
{
    unsigned dst = f->id == FIELD_TCP_DST;

    if (name[0] != 't' || name[1] != 'p') {
        return f;
    }
    switch (m->key.nw_proto) {
    case IPPROTO_UDP:
        return &field_table[FIELD_UDP_SRC + dst];
    case IPPROTO_SCTP:
        return &field_table[FIELD_SCTP_SRC + dst];
    case IPPROTO_ICMP:
        return &field_table[FIELD_ICMP_TYPE + dst];
    case IPPROTO_ICMPV6:
        return &field_table[FIELD_ICMPV6_TYPE + dst];
    default:
        return f;
    }
}

static const struct field *
find_field(const char *name, const struct match *m)
{
    const struct field *f = field_by_name(name, strlen(name));

    if (!f) {
        return NULL;
    }
    return f->id == FIELD_TCP_SRC || f->id == FIELD_TCP_DST ? port_by_context(f, name, m) : by_context(f, m);
}

static char *
parse_priority(const char *s, unsigned *priority)
{
    uint64_t x;

    if (parse_u64(s, UINT16_MAX, &x)) {
        return xasprintf("invalid priority \"%s\"", s);
    }
    *priority = (unsigned) x;
    return NULL;
}

/* Values that the installed tools cut to the field's width without a word. */
static void
trim_value(const struct field *f, union field_value *v)
{
    u128 x = value_load(v, f->n_bytes);

    if (f->id != FIELD_DL_VLAN || x != UINT16_MAX) {
        x &= f->place == FIELD_TOS ? 0xfc : f->id == FIELD_VLAN_VID ? 0x1fff : low_bits128(f->n_bits);
    }
    value_store(x, f->n_bytes, v);
}

static char *
parse_pair(const char *key, const char *text, const struct port_names *names, struct match *m)
{
    const struct protocol *p = protocol_by_name(key);
    union field_value value, mask;
    const struct field *f;
    char *error;

    if (p) {
        match_protocol(p, m);
        return NULL;
    }
    if (!strcmp(key, "eth")) {
        match_int(FIELD_PACKET_TYPE, 0, m);
        return NULL;
    }
    f = find_field(key, m);
    if (!f) {
        return xasprintf("unknown keyword %s", key);
    }
    error = field_parse(f, text, names, &value, &mask);
    if (!error && value_load(&mask, f->n_bytes)) {
        trim_value(f, &value);
        field_match(f, &value, f->maskable ? &mask : NULL, m);
    }
    return error;
}

/* Takes out what the match, as a whole, has no header for. */
static void
normalize(struct match *m)
{
    struct match out;

    match_init_any(&out);
    for (const struct field *f = field_table; f < &field_table[FIELD_N_IDS]; f++) {
        union field_value value, mask;

        field_get_mask(f, &m->mask, &mask);
        if (value_load(&mask, f->n_bytes) && field_match_prereqs_ok(f, m) && f->place != FIELD_VLAN) {
            field_get(f, &m->key, &value);
            field_match(f, &value, &mask, &out);
        }
    }
    *m = out;
}

/* Two rounds: protocols and what names them first, so that the order of the words does not matter. */
static char *
parse_round(const char *text, const struct port_names *names, bool protocols, struct match *m,
            unsigned *priority)
{
    char *key, *value, *error = NULL;

    while (!error && text_next_pair(&text, &key, &value)) {
        const struct field *f = field_by_name(key, strlen(key));
        bool names_protocol =
            protocol_by_name(key) || (f && (f->id == FIELD_ETH_TYPE || f->id == FIELD_NW_PROTO));

        if (priority && !strcmp(key, "priority")) {
            error = parse_priority(value, priority);
        } else if (names_protocol == protocols) {
            error = parse_pair(key, value, names, m);
        }
        free(key);
        free(value);
    }
    return error;
}

char *
match_parse(const char *text, const struct port_names *names, struct match *match, unsigned *priority)
{
    unsigned prio = MATCH_DEFAULT_PRIORITY;
    struct match m;
    char *error;

    match_init_any(&m);
    error = parse_round(text, names, true, &m, priority ? &prio : NULL);
    if (!error) {
        error = parse_round(text, names, false, &m, priority ? &prio : NULL);
    }
    if (error) {
        return error;
    }
    normalize(&m);
    *match = m;
    if (priority) {
        *priority = prio;
    }
    return NULL;
}

/* One member of a packet's description. What is set already, by this or another name, is not set again. */
static char *
parse_key_pair(const char *key, const char *text, const struct port_names *names, struct match *m)
{
    const struct protocol *p = protocol_by_name(key);
    union field_value value, mask;
    const struct field *f;
    char *reason, *error;

    if (p) {
        match_protocol(p, m);
        return NULL;
    }
    f = find_field(key, m);
    if (!f) {
        return xasprintf("unknown field %s", key);
    }
    if (!field_prereqs_ok(f, &m->key, NULL)) {
        return xasprintf("prerequisites not met for setting %s", key);
    }
    if (!field_is_all_zeros(f, &m->key)) {
        return xasprintf("field %s set multiple times", key);
    }
    reason = field_parse(f, text, names, &value, &mask);
    if (!reason && f->id != FIELD_CT_STATE && !field_mask_is_exact(f, &mask)) {
        reason = xasprintf("%s: wildcards not allowed here", text);
    } else if (!reason && f->id == FIELD_CT_STATE && mask.b[3] != 0xff) {
        reason = xasprintf("%s: wildcards not allowed here", text);
    }
    if (reason) {
        error = xasprintf("bad value for %s (%s)", key, reason);
        free(reason);
        return error;
    }
    trim_value(f, &value);
    field_set(f, &value, &m->key);
    return NULL;
}

char *
flow_key_parse(const char *text, const struct port_names *names, struct flow_key *flow)
{
    char *key, *value, *error = NULL;
    struct match m;

    match_init_any(&m);
    while (!error && text_next_pair(&text, &key, &value)) {
        error = parse_key_pair(key, value, names, &m);
        free(key);
        free(value);
    }
    if (!error) {
        *flow = m.key;
        if (!flow->in_port) {
            flow->in_port = UINT32_MAX; /* From nowhere: OFPP_ANY. */
        }
    }
    return error;
}
