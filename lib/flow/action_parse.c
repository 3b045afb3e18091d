// SPDX-License-Identifier: Apache-2.0
// Datapath actions from the text that action_format() prints.
#include <config.h>
#include <ctype.h>
#include <stdlib.h>
#include "lib/flow/action_text.h"

#define MAX_DEPTH 16 /* Of lists in lists. */

struct list_parse {
    const struct dp_port_names *names;
    struct buf *list;
    unsigned depth;
};

static int parse_list(struct list_parse *, const char *text);

static int
get_number(const char *s, uint64_t max, uint64_t *x)
{
    u128 v;

    if (!text_get_int(s, strlen(s), &v) || v > max) {
        return -EINVAL;
    }
    *x = (uint64_t) v;
    return 0;
}

/* Gives each "key=value" or "key(value)" of 'text' to 'fn', until it fails. */
static int
for_each_pair(const char *text, int (*fn)(const char *key, const char *value, void *arg), void *arg)
{
    char *key, *value;
    int error = 0;

    while (!error && text_next_pair(&text, &key, &value)) {
        error = fn(key, value, arg);
        free(key);
        free(value);
    }
    return error;
}

static int
controller_pair(const char *key, const char *value, void *cookie_)
{
    struct upcall_cookie *c = cookie_;
    uint64_t x;

    if (get_number(value, UINT64_MAX, &x)) {
        return -EINVAL;
    }
    if (!strcmp(key, "reason")) {
        c->of_reason = (uint8_t) x;
    } else if (!strcmp(key, "dont_send")) {
        c->flags |= x ? UPCALL_F_DONT_SEND : 0;
    } else if (!strcmp(key, "continuation")) {
        c->flags |= x ? UPCALL_F_CONTINUATION : 0;
    } else if (!strcmp(key, "recirc_id")) {
        c->recirc_id = (uint32_t) x;
    } else if (!strcmp(key, "rule_cookie")) {
        c->rule_cookie = x;
    } else if (!strcmp(key, "controller_id")) {
        c->controller_id = (uint16_t) x;
    } else if (!strcmp(key, "max_len")) {
        c->max_len = (uint16_t) x;
    } else {
        return -EINVAL;
    }
    return 0;
}

static int
userspace_pair(const char *key, const char *value, void *action)
{
    struct action_userspace *u = action;
    uint32_t all = 0, mask;
    uint64_t pid;

    if (!strcmp(key, "pid")) {
        if (get_number(value, UINT32_MAX, &pid)) {
            return -EINVAL;
        }
        u->pid = (uint32_t) pid;
    } else if (!strcmp(key, "controller")) {
        u->cookie.reason = UPCALL_CONTROLLER;
        return for_each_pair(value, controller_pair, &u->cookie);
    } else if (!strcmp(key, "slow_path")) {
        for (const struct flag_name *f = slow_reason_names; f->name; f++) {
            all |= f->bit;
        }
        u->cookie.reason = UPCALL_SLOW;
        return !*value || text_get_flags(value, slow_reason_names, all, &u->cookie.slow, &mask) ? 0 : -EINVAL;
    } else if (!strcmp(key, "sFlow")) {
        u->cookie.reason = UPCALL_SFLOW;
    } else if (!strcmp(key, "ipfix")) {
        u->cookie.reason = UPCALL_IPFIX;
    } else if (!strcmp(key, "flow_sample")) {
        u->cookie.reason = UPCALL_FLOW_SAMPLE;
    } else {
        return -EINVAL;
    }
    return 0;
}

static int
parse_userspace(struct list_parse *p, const char *text)
{
    struct action_userspace *u = action_put(p->list, ACTION_USERSPACE, sizeof *u);

    return for_each_pair(text, userspace_pair, u);
}

/* Text behind a first "name=NUMBER," of that text, and the number; NULL if it does not begin so. */
static const char *
take_number(const char *text, const char *name, uint64_t max, uint64_t *x)
{
    size_t n = strlen(name), len;
    u128 v;

    if (strncmp(text, name, n) || text[n] != '=') {
        return NULL;
    }
    text += n + 1;
    len = strcspn(text, ",");
    if (!text_get_int(text, len, &v) || v > max) {
        return NULL;
    }
    *x = (uint64_t) v;
    return text + len + (text[len] == ',');
}

static int
parse_push_vlan(struct list_parse *p, const char *text)
{
    struct action_push_vlan *v = action_put(p->list, ACTION_PUSH_VLAN, sizeof *v);
    uint64_t tpid = 0x8100;
    const char *rest = take_number(text, "tpid", UINT16_MAX, &tpid);
    be16 mask;

    v->tpid = htons((uint16_t) tpid);
    return dp_vlan_parse(rest ? rest : text, &v->tci, &mask);
}

static int
parse_push_mpls(struct list_parse *p, const char *text)
{
    struct action_push_mpls *m = action_put(p->list, ACTION_PUSH_MPLS, sizeof *m);
    const char *at = strstr(text, "eth_type=");
    uint64_t eth_type;
    char *lse;
    be32 mask;
    int error;

    if (!at || !take_number(at, "eth_type", UINT16_MAX, &eth_type)) {
        return -EINVAL;
    }
    lse = xstrndup(text, (size_t) (at - text));
    error = dp_mpls_parse(lse, &m->lse, &mask);
    free(lse);
    m->eth_type = htons((uint16_t) eth_type);
    return error;
}

static int
parse_pop_mpls(struct list_parse *p, const char *text)
{
    struct action_pop_mpls *m = action_put(p->list, ACTION_POP_MPLS, sizeof *m);
    uint64_t eth_type;

    if (!take_number(text, "eth_type", UINT16_MAX, &eth_type)) {
        return -EINVAL;
    }
    m->eth_type = htons((uint16_t) eth_type);
    return 0;
}

static int
set_pair(const char *name, const char *text, void *action)
{
    struct action_set *s = action;

    for (uint32_t group = 0; group < SET_N_GROUPS; group++) {
        if (strcmp(set_names[group].name, name) && (group != SET_ICMP || strcmp(name, "icmpv6"))) {
            continue;
        }
        s->group = group;
        if (group == SET_VLAN) {
            return dp_vlan_parse(text, &s->key.vlan[0].tci, &s->mask.vlan[0].tci);
        } else if (group == SET_MPLS) {
            return dp_mpls_parse(text, &s->key.mpls[0], &s->mask.mpls[0]);
        }
        s->masked = group != SET_TUNNEL;
        return dp_attr_parse(name, text, &s->key, &s->mask);
    }
    return -EINVAL;
}

static int
parse_set(struct list_parse *p, const char *text)
{
    struct action_set *s = action_put(p->list, ACTION_SET, sizeof *s);
    int error = for_each_pair(text, set_pair, s);

    flow_key_and(&s->key, &s->key, &s->mask);
    if (s->group == SET_ICMP && !strncmp(text, "icmpv6", 6)) {
        s->key.eth_type = htons(0x86dd); /* Which of the two it is. */
    }
    return error;
}

static int
parse_hash(struct list_parse *p, const char *text)
{
    struct action_hash *h = action_put(p->list, ACTION_HASH, sizeof *h);
    char *name, *value;
    uint64_t basis;
    int error;

    if (!text_next_pair(&text, &name, &value)) {
        return -EINVAL;
    }
    h->algorithm = !strcmp(name, "sym_l4");
    error = h->algorithm || !strcmp(name, "l4") ? get_number(value, UINT32_MAX, &basis) : -EINVAL;
    if (!error) {
        h->basis = (uint32_t) basis;
    }
    free(name);
    free(value);
    return error;
}

static int
parse_number(struct list_parse *p, enum action_kind kind, const char *text)
{
    uint64_t x;

    if (get_number(text, UINT32_MAX, &x)) {
        return -EINVAL;
    }
    /* Of all of these the number is what stands first. */
    *(uint32_t *) (void *) ((uint8_t *) action_put(p->list, kind, sizeof(struct action_recirc)) +
                            sizeof(struct action)) = (uint32_t) x;
    return 0;
}

static int
parse_nested(struct list_parse *p, const char *text)
{
    int error;

    if (p->depth >= MAX_DEPTH) {
        return -E2BIG;
    }
    p->depth++;
    error = parse_list(p, text);
    p->depth--;
    return error;
}

static int
parse_clone(struct list_parse *p, const char *text)
{
    size_t nest = action_nest_begin(p->list, ACTION_CLONE, sizeof(struct action_clone));
    int error = parse_nested(p, text);

    action_nest_end(p->list, nest);
    return error;
}

/* What stands in "sample=PERCENT%". */
static int
parse_percentage(const char *s, uint32_t *probability)
{
    char *end;
    double x = strtod(s, &end);

    if (end == s || strcmp(end, "%") || !(x >= 0 && x <= 100)) {
        return -EINVAL;
    }
    *probability = (uint32_t) (x / 100 * UINT32_MAX + 0.5);
    return 0;
}

static int
parse_sample(struct list_parse *p, const char *text)
{
    size_t nest = action_nest_begin(p->list, ACTION_SAMPLE, sizeof(struct action_sample));
    char *key, *value;
    int error = 0;

    while (!error && text_next_pair(&text, &key, &value)) {
        if (!strcmp(key, "sample")) {
            error = parse_percentage(
                value, &((struct action_sample *) (void *) (p->list->data + nest))->probability);
        } else {
            error = strcmp(key, "actions") ? -EINVAL : parse_nested(p, value);
        }
        free(key);
        free(value);
    }
    action_nest_end(p->list, nest);
    return error;
}

static int
parse_check_len(struct list_parse *p, const char *text)
{
    size_t nest = action_nest_begin(p->list, ACTION_CHECK_LEN, sizeof(struct action_check_len));
    char *key, *value;
    int error = 0;

    while (!error && text_next_pair(&text, &key, &value)) {
        uint64_t len;

        if (!strcmp(key, "size")) {
            error = get_number(value, UINT16_MAX, &len);
            if (!error) {
                ((struct action_check_len *) (void *) (p->list->data + nest))->len = (uint16_t) len;
            }
        } else if (!strcmp(key, "gt")) {
            error = parse_nested(p, value);
            action_nest_else(p->list, nest);
        } else {
            error = strcmp(key, "le") ? -EINVAL : parse_nested(p, value);
        }
        free(key);
        free(value);
    }
    action_nest_end(p->list, nest);
    return error;
}

/* An address, "[...]" around it or not, of 'len' bytes of text. */
static int
nat_addr(const char *s, size_t len, struct in6_addr *addr, uint8_t *is_ipv6)
{
    char text[INET6_ADDRSTRLEN];

    if (len >= 2 && s[0] == '[' && s[len - 1] == ']') {
        s++;
        len -= 2;
    }
    if (len >= sizeof text) {
        return -EINVAL;
    }
    memcpy(text, s, len);
    text[len] = '\0';
    *is_ipv6 = strchr(text, ':') != NULL;
    return inet_pton(*is_ipv6 ? AF_INET6 : AF_INET, text, addr) == 1 ? 0 : -EINVAL;
}

/* "MIN[-MAX][:PORT[-PORT]]" */
static int
nat_range(const char *s, struct action_ct *ct)
{
    const char *bracket = strrchr(s, ']'), *colon = bracket ? strchr(bracket, ':') : strchr(s, ':');
    size_t len = strlen(s), dash;
    uint64_t port;

    if (!bracket && colon && strchr(colon + 1, ':')) {
        colon = NULL; /* Colons of an IPv6 address without ports. */
    }
    if (colon) {
        const char *port_dash = strchr(colon, '-');
        char *first = port_dash ? xstrndup(colon + 1, (size_t) (port_dash - colon - 1)) : xstrdup(colon + 1);
        int error = get_number(first, UINT16_MAX, &port);

        free(first);
        if (error) {
            return error;
        }
        ct->nat_port_min = ct->nat_port_max = (uint16_t) port;
        if (port_dash) {
            if (get_number(port_dash + 1, UINT16_MAX, &port)) {
                return -EINVAL;
            }
            ct->nat_port_max = (uint16_t) port;
        }
        len = (size_t) (colon - s);
    }
    dash = strcspn(s, "-");
    if (dash >= len) {
        return nat_addr(s, len, &ct->nat_min, &ct->nat_ipv6);
    }
    return nat_addr(s, dash, &ct->nat_min, &ct->nat_ipv6) ||
                   nat_addr(s + dash + 1, len - dash - 1, &ct->nat_max, &ct->nat_ipv6)
               ? -EINVAL
               : 0;
}

static int
nat_pair(const char *key, const char *value, void *action)
{
    struct action_ct *ct = action;

    if (!strcmp(key, "src") || !strcmp(key, "dst")) {
        ct->nat = key[0] == 's' ? 2 : 3;
        return *value ? nat_range(value, ct) : 0;
    }
    for (const struct flag_name *f = nat_flag_names; f->name; f++) {
        if (!strcmp(f->name, key)) {
            ct->nat_flags |= (uint8_t) f->bit;
            return 0;
        }
    }
    return -EINVAL;
}

/* "VALUE[/MASK]" of up to 128 bits. */
static int
get_masked(const char *s, u128 max, u128 *value, u128 *mask)
{
    size_t len = strcspn(s, "/");

    *mask = max;
    if (!text_get_int(s, len, value) || *value > max ||
        (s[len] && !text_get_int(s + len + 1, strlen(s + len + 1), mask))) {
        return -EINVAL;
    }
    return *mask > max ? -EINVAL : 0;
}

/* A word, of what may stand in text without quotes. */
static int
get_name(const char *s, char *name, size_t size)
{
    if (!*s || strlen(s) >= size) {
        return -EINVAL;
    }
    for (const char *p = s; *p; p++) {
        if (!isalnum((unsigned char) *p) && !strchr("_-.", *p)) {
            return -EINVAL;
        }
    }
    memcpy(name, s, strlen(s));
    return 0;
}

static int
ct_metadata(const char *key, const char *text, struct action_ct *ct)
{
    bool is_mark = !strcmp(key, "mark");
    union field_value v;
    u128 value, mask;

    if (get_masked(text, is_mark ? UINT32_MAX : ~(u128) 0, &value, &mask)) {
        return -EINVAL;
    }
    if (is_mark) {
        ct->mark = (uint32_t) (value & mask);
        ct->mark_mask = (uint32_t) mask;
        return 0;
    }
    value_store(value & mask, sizeof v.b, &v);
    memcpy(ct->label, v.b, sizeof v.b);
    value_store(mask, sizeof v.b, &v);
    memcpy(ct->label_mask, v.b, sizeof v.b);
    return 0;
}

static int
ct_pair(const char *key, const char *value, void *action)
{
    struct action_ct *ct = action;
    uint64_t zone;

    if (!strcmp(key, "commit") || !strcmp(key, "force_commit")) {
        ct->commit = 1;
        ct->force = key[0] == 'f';
        return 0;
    } else if (!strcmp(key, "zone")) {
        if (get_number(value, UINT16_MAX, &zone)) {
            return -EINVAL;
        }
        ct->zone = (uint16_t) zone;
        return 0;
    } else if (!strcmp(key, "mark") || !strcmp(key, "label")) {
        return ct_metadata(key, value, ct);
    } else if (!strcmp(key, "helper")) {
        return get_name(value, ct->helper, sizeof ct->helper);
    } else if (!strcmp(key, "timeout")) {
        return get_name(value, ct->timeout, sizeof ct->timeout);
    } else if (!strcmp(key, "nat")) {
        ct->nat = 1;
        return for_each_pair(value, nat_pair, ct);
    }
    return -EINVAL;
}

static int
parse_ct(struct list_parse *p, const char *text)
{
    return for_each_pair(text, ct_pair, action_put(p->list, ACTION_CT, sizeof(struct action_ct)));
}

static int
parse_output(struct list_parse *p, const char *name)
{
    uint32_t port;

    if (parse_u32(name, &port) &&
        (!p->names || !p->names->number || !p->names->number(name, &port, p->names->aux))) {
        return -ENOENT;
    }
    action_put_output(p->list, port);
    return 0;
}

static int
parse_with_value(struct list_parse *p, enum action_kind kind, const char *name, const char *value)
{
    switch (kind) {
    case ACTION_USERSPACE:
        return parse_userspace(p, value);
    case ACTION_PUSH_VLAN:
        return parse_push_vlan(p, value);
    case ACTION_PUSH_MPLS:
        return parse_push_mpls(p, value);
    case ACTION_POP_MPLS:
        return parse_pop_mpls(p, value);
    case ACTION_SET:
        return parse_set(p, value);
    case ACTION_HASH:
        return parse_hash(p, value);
    case ACTION_RECIRC:
    case ACTION_TRUNC:
    case ACTION_METER:
        return parse_number(p, kind, value);
    case ACTION_SAMPLE:
        return parse_sample(p, value);
    case ACTION_CLONE:
        return parse_clone(p, value);
    case ACTION_CHECK_LEN:
        return parse_check_len(p, value);
    case ACTION_CT:
        return parse_ct(p, value);
    case ACTION_DROP:
        return 0; /* An empty list. */
    case ACTION_POP_VLAN:
    case ACTION_CT_CLEAR:
        action_put(p->list, kind, sizeof(struct action_empty));
        return 0;
    case ACTION_OUTPUT:
    case ACTION_N_KINDS:
        break;
    }
    return parse_output(p, name);
}

static enum action_kind
kind_by_name(const char *name)
{
    static const char *const names[] = {
#define ACTION(KIND, STRUCT, NAME) NAME,
#include "lib/flow/action.def"
#undef ACTION
    };

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (names[i][0] && !strcmp(names[i], name)) {
            return (enum action_kind) i;
        }
    }
    return ACTION_OUTPUT;
}

static int
parse_list(struct list_parse *p, const char *text)
{
    char *name, *value;
    int error = 0;

    while (!error && text_next_pair(&text, &name, &value)) {
        error = parse_with_value(p, kind_by_name(name), name, value);
        free(name);
        free(value);
    }
    return error;
}

char *
action_parse(const char *text, const struct dp_port_names *names, struct buf *list)
{
    struct list_parse p = {.names = names, .list = list};
    size_t before = list->len;
    int error = parse_list(&p, text);

    if (!error) {
        return NULL;
    }
    list->len = before;
    return xasprintf("%s: %s", text,
                     error == -E2BIG    ? "actions are nested too deep"
                     : error == -ENOENT ? "unknown action or port"
                                        : "bad actions");
}
