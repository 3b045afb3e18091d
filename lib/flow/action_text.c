// SPDX-License-Identifier: Apache-2.0
// Datapath actions as ovs-dpctl(8) dump-flows and ofproto/trace print them.
#include <config.h>
#include "lib/flow/action_text.h"

const struct flag_name slow_reason_names[] = {{SLOW_CFM, "cfm"},
                                              {SLOW_BFD, "bfd"},
                                              {SLOW_LACP, "lacp"},
                                              {SLOW_STP, "stp"},
                                              {SLOW_CONTROLLER, "controller"},
                                              {SLOW_ACTION, "action"},
                                              {SLOW_MATCH, "match"},
                                              {0, NULL}};
const struct flag_name nat_flag_names[] = {
    {NAT_PERSISTENT, "persistent"}, {NAT_HASH, "hash"}, {NAT_RANDOM, "random"}, {0, NULL}};

const struct set_name set_names[SET_N_GROUPS] = {
    [SET_ETH] = {"eth", DP_ETH},
    [SET_VLAN] = {"vlan", DP_N_ATTRS},
    [SET_MPLS] = {"mpls", DP_N_ATTRS},
    [SET_IPV4] = {"ipv4", DP_IPV4},
    [SET_IPV6] = {"ipv6", DP_IPV6},
    [SET_TCP] = {"tcp", DP_TCP},
    [SET_UDP] = {"udp", DP_UDP},
    [SET_SCTP] = {"sctp", DP_SCTP},
    [SET_ARP] = {"arp", DP_ARP},
    [SET_ND] = {"nd", DP_ND},
    [SET_ICMP] = {"icmp", DP_ICMP},
    [SET_TUNNEL] = {"tunnel", DP_N_ATTRS},
    [SET_SKB_PRIORITY] = {"skb_priority", DP_SKB_PRIORITY},
    [SET_SKB_MARK] = {"skb_mark", DP_SKB_MARK},
    [SET_CT_MARK] = {"ct_mark", DP_CT_MARK},
};

static void
put_port(uint32_t port, const struct dp_port_names *names, struct buf *b)
{
    const char *name = names && names->name ? names->name(port, names->aux) : NULL;

    if (name) {
        buf_puts(b, name);
    } else {
        buf_putf(b, "%u", port);
    }
}

static void
put_controller(const struct upcall_cookie *c, struct buf *b)
{
    buf_putf(b,
             ",controller(reason=%u,dont_send=%d,continuation=%d,recirc_id=%u,rule_cookie=%#llx,controller_"
             "id=%u,max_len=%u)",
             c->of_reason, !!(c->flags & UPCALL_F_DONT_SEND), !!(c->flags & UPCALL_F_CONTINUATION),
             c->recirc_id, (unsigned long long) c->rule_cookie, c->controller_id, c->max_len);
}

static void
put_userspace(const struct action_userspace *u, struct buf *b)
{
    buf_putf(b, "userspace(pid=%u", u->pid);
    switch ((enum upcall_reason) u->cookie.reason) {
    case UPCALL_SLOW:
        buf_puts(b, ",slow_path(");
        text_put_flags(b, u->cookie.slow, slow_reason_names);
        buf_putc(b, ')');
        break;
    case UPCALL_CONTROLLER:
        put_controller(&u->cookie, b);
        break;
    case UPCALL_SFLOW:
        buf_puts(b, ",sFlow(vid=0,pcp=0,output=0)");
        break;
    case UPCALL_IPFIX:
        buf_puts(b, ",ipfix(output_port=0)");
        break;
    case UPCALL_FLOW_SAMPLE:
        buf_puts(
            b, ",flow_sample(probability=0,collector_set_id=0,obs_domain_id=0,obs_point_id=0,output_port=0)");
        break;
    case UPCALL_MISS:
        break;
    }
    buf_putc(b, ')');
}

static void
put_push_vlan(const struct action_push_vlan *v, struct buf *b)
{
    buf_puts(b, "push_vlan(");
    if (v->tpid != htons(0x8100)) {
        buf_putf(b, "tpid=0x%04x,", ntohs(v->tpid));
    }
    dp_vlan_format(v->tci | htons(FLOW_VLAN_PRESENT), UINT16_MAX, true, b);
    buf_putc(b, ')');
}

static void
put_push_mpls(const struct action_push_mpls *m, struct buf *b)
{
    uint32_t lse = ntohl(m->lse);

    buf_putf(b, "push_mpls(label=%u,tc=%u,ttl=%u,bos=%u,eth_type=0x%x)", lse >> 12, lse >> 9 & 7, lse & 0xff,
             lse >> 8 & 1, ntohs(m->eth_type));
}

static void
put_set(const struct action_set *s, struct buf *b)
{
    enum dp_attr_id attr = set_names[s->group].attr;

    buf_puts(b, "set(");
    if (s->group == SET_VLAN) {
        buf_puts(b, "vlan(");
        dp_vlan_format(s->key.vlan[0].tci, s->mask.vlan[0].tci, true, b);
        buf_putc(b, ')');
    } else if (s->group == SET_MPLS) {
        dp_mpls_format(&s->key, &s->mask, false, b);
    } else if (s->group == SET_TUNNEL) {
        struct flow_key ones;

        memset(&ones, 0xff, sizeof ones);
        dp_tunnel_format(&s->key, &ones, false, b);
    } else {
        attr = attr == DP_ICMP && s->key.eth_type == htons(0x86dd) ? DP_ICMPV6 : attr;
        dp_attr_format(attr, &s->key, &s->mask, false, b);
    }
    buf_chomp(b, ',');
    buf_putc(b, ')');
}

/* One end of a range of addresses; IPv6 ones are bracketed when ports follow. */
static void
put_nat_addr(const struct action_ct *ct, const struct in6_addr *addr, struct buf *b)
{
    bool brackets = ct->nat_ipv6 && ct->nat_port_min;
    char s[INET6_ADDRSTRLEN];

    buf_putf(b, "%s%s%s", brackets ? "[" : "",
             inet_ntop(ct->nat_ipv6 ? AF_INET6 : AF_INET, addr, s, sizeof s), brackets ? "]" : "");
}

static void
put_nat(const struct action_ct *ct, struct buf *b)
{
    static const struct in6_addr none;
    bool has_addr = memcmp(&ct->nat_min, &none, sizeof none) || memcmp(&ct->nat_max, &none, sizeof none);

    buf_puts(b, "nat");
    if (ct->nat < 2) {
        return;
    }
    buf_puts(b, ct->nat == 2 ? "(src" : "(dst");
    if (has_addr || ct->nat_port_min) {
        buf_putc(b, '=');
        put_nat_addr(ct, &ct->nat_min, b);
        if (memcmp(&ct->nat_max, &none, sizeof none) && memcmp(&ct->nat_min, &ct->nat_max, sizeof none)) {
            buf_putc(b, '-');
            put_nat_addr(ct, &ct->nat_max, b);
        }
        if (ct->nat_port_min) {
            buf_putf(b, ":%u", ct->nat_port_min);
            if (ct->nat_port_max && ct->nat_port_max != ct->nat_port_min) {
                buf_putf(b, "-%u", ct->nat_port_max);
            }
        }
    }
    for (const struct flag_name *f = nat_flag_names; f->name; f++) {
        if (ct->nat_flags & f->bit) {
            buf_putf(b, ",%s", f->name);
        }
    }
    buf_putc(b, ')');
}

static u128
label_int(const uint8_t label[16])
{
    union field_value v;

    memcpy(v.b, label, sizeof v.b);
    return value_load(&v, sizeof v.b);
}

static void
put_ct(const struct action_ct *ct, struct buf *b)
{
    u128 label_mask = label_int(ct->label_mask);

    buf_puts(b, "ct(");
    if (ct->commit) {
        buf_puts(b, ct->force ? "force_commit," : "commit,");
    }
    if (ct->zone) {
        buf_putf(b, "zone=%u,", ct->zone);
    }
    if (ct->mark_mask) {
        buf_putf(b, "mark=%#x/%#x,", ct->mark, ct->mark_mask);
    }
    if (label_mask) {
        buf_puts(b, "label=");
        text_put_hex(b, label_int(ct->label));
        if (~label_mask) {
            buf_putc(b, '/');
            text_put_hex(b, label_mask);
        }
        buf_putc(b, ',');
    }
    if (ct->helper[0]) {
        buf_putf(b, "helper=%.*s,", (int) sizeof ct->helper, ct->helper);
    }
    if (ct->timeout[0]) {
        buf_putf(b, "timeout=%.*s,", (int) sizeof ct->timeout, ct->timeout);
    }
    if (ct->nat) {
        put_nat(ct, b);
    }
    buf_chomp(b, ',');
    if (b->data[b->len - 1] == '(') {
        buf_chomp(b, '(');
    } else {
        buf_putc(b, ')');
    }
}

static void
put_check_len(const struct action_check_len *c, const struct dp_port_names *names, struct buf *b)
{
    const uint8_t *greater = (const uint8_t *) (c + 1);

    buf_putf(b, "check_pkt_len(size=%u,gt(", c->len);
    action_format(greater, c->greater_size, names, b);
    buf_puts(b, "),le(");
    action_format(greater + c->greater_size, c->a.size - sizeof *c - c->greater_size, names, b);
    buf_puts(b, "))");
}

static void
put_sample(const struct action_sample *s, const struct dp_port_names *names, struct buf *b)
{
    buf_putf(b, "sample(sample=%.1f%%,actions(", 100.0 * s->probability / UINT32_MAX);
    action_format(s + 1, s->nested_size, names, b);
    buf_puts(b, "))");
}

static void
put_clone(const struct action_clone *c, const struct dp_port_names *names, struct buf *b)
{
    buf_puts(b, "clone(");
    action_format(c + 1, c->nested_size, names, b);
    buf_putc(b, ')');
}

static void
put_hash(const struct action_hash *h, struct buf *b)
{
    buf_putf(b, "hash(%s(%u))", h->algorithm ? "sym_l4" : "l4", h->basis);
}

static void
put_action(const struct action *a, const struct dp_port_names *names, struct buf *b)
{
    static const char *const kind_names[] = {
#define ACTION(KIND, STRUCT, NAME) NAME,
#include "lib/flow/action.def"
#undef ACTION
    };
    const void *p = a;

    switch ((enum action_kind) a->kind) {
    case ACTION_OUTPUT:
        put_port(((const struct action_output *) p)->port, names, b);
        break;
    case ACTION_USERSPACE:
        put_userspace(p, b);
        break;
    case ACTION_PUSH_VLAN:
        put_push_vlan(p, b);
        break;
    case ACTION_PUSH_MPLS:
        put_push_mpls(p, b);
        break;
    case ACTION_POP_MPLS:
        buf_putf(b, "pop_mpls(eth_type=0x%x)", ntohs(((const struct action_pop_mpls *) p)->eth_type));
        break;
    case ACTION_SET:
        put_set(p, b);
        break;
    case ACTION_RECIRC:
        buf_putf(b, "recirc(%#x)", ((const struct action_recirc *) p)->id);
        break;
    case ACTION_HASH:
        put_hash(p, b);
        break;
    case ACTION_TRUNC:
        buf_putf(b, "trunc(%u)", ((const struct action_trunc *) p)->max_len);
        break;
    case ACTION_METER:
        buf_putf(b, "meter(%u)", ((const struct action_meter *) p)->id);
        break;
    case ACTION_SAMPLE:
        put_sample(p, names, b);
        break;
    case ACTION_CLONE:
        put_clone(p, names, b);
        break;
    case ACTION_CHECK_LEN:
        put_check_len(p, names, b);
        break;
    case ACTION_CT:
        put_ct(p, b);
        break;
    case ACTION_POP_VLAN:
    case ACTION_CT_CLEAR:
    case ACTION_DROP:
    case ACTION_N_KINDS:
        buf_puts(b, kind_names[a->kind]);
        break;
    }
}

void
action_format(const void *list, size_t size, const struct dp_port_names *names, struct buf *b)
{
    const struct action *a;

    if (!size) {
        buf_puts(b, "drop");
        return;
    }
    ACTION_FOR_EACH(a, list, size)
    {
        put_action(a, names, b);
        buf_putc(b, ',');
    }
    buf_chomp(b, ',');
}
