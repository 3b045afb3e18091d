// SPDX-License-Identifier: Apache-2.0
// Are actions right for a match? The walk keeps a key of what packets look like at each action, so that what push_vlan brings in can be written by what
// follows. Errors as in the section "Error Message" of the specifications and as the installed daemon gives them.
#include <config.h>
#include "lib/of/ofact_private.h"

/* Where the walk is. */
struct checker {
    const struct ofact_limits *limits;
    struct match match; /* Of packets at this point. */
    bool in_ct;
};

/* 1.0 lets an action of its own be that does nothing; later versions refuse it. Extensions that name a field are refused in every version. */
static enum of_error
inconsistent(const struct checker *c)
{
    return c->limits->strict ? OFERR_OFPBAC_MATCH_INCONSISTENT : OFERR_OK;
}

static enum of_error
check_range(const struct subfield *s)
{
    if (s->ofs >= s->field->n_bits) {
        return OFERR_OFPBAC_BAD_SET_LEN;
    }
    return s->ofs + s->n_bits > s->field->n_bits ? OFERR_OFPBAC_BAD_SET_LEN : OFERR_OK;
}

enum of_error
subfield_check_src(const struct subfield *s, const struct match *m)
{
    enum of_error error = check_range(s);

    if (error) {
        return error;
    }
    return m && !field_match_prereqs_ok(s->field, m) ? OFERR_OFPBAC_MATCH_INCONSISTENT : OFERR_OK;
}

enum of_error
subfield_check_dst(const struct subfield *s, const struct match *m)
{
    enum of_error error = subfield_check_src(s, m);

    return error ? error : s->field->writable ? OFERR_OK : OFERR_OFPBAC_BAD_SET_ARGUMENT;
}

static enum of_error
check_src(const struct subfield *s, const struct checker *c)
{
    return subfield_check_src(s, &c->match);
}

static enum of_error
check_dst(const struct subfield *s, const struct checker *c)
{
    return subfield_check_dst(s, &c->match);
}

static enum of_error
check_port(uint32_t port, const struct checker *c)
{
    switch (port) {
    case OFPP_IN_PORT:
    case OFPP_TABLE:
    case OFPP_NORMAL:
    case OFPP_FLOOD:
    case OFPP_ALL:
    case OFPP_CONTROLLER:
    case OFPP_LOCAL:
        return OFERR_OK;
    default:
        return port < c->limits->max_ports ? OFERR_OK : OFERR_OFPBAC_BAD_OUT_PORT;
    }
}

static enum of_error
check_none(struct ofact *a, struct checker *c)
{
    (void) a;
    (void) c;
    return OFERR_OK;
}

/* Decoded, so that it is refused by its name, but carried out by no part of the switch. */
static enum of_error
check_unsupported(struct ofact *a, struct checker *c)
{
    (void) a;
    (void) c;
    return OFERR_OFPBAC_BAD_TYPE;
}

static enum of_error
check_output(struct ofact *a, struct checker *c)
{
    return check_port(((struct ofact_output *) (void *) a)->port, c);
}

static enum of_error
check_output_reg(struct ofact *a, struct checker *c)
{
    return check_src(&((struct ofact_output_reg *) (void *) a)->src, c);
}

/* Truncated packets go to ports proper. */
static enum of_error
check_output_trunc(struct ofact *a, struct checker *c)
{
    uint32_t port = ((struct ofact_output_trunc *) (void *) a)->port;

    if (((struct ofact_output_trunc *) (void *) a)->max_len < 14) {
        return OFERR_OFPBAC_BAD_ARGUMENT;
    }
    if (port == OFPP_NORMAL || port == OFPP_FLOOD || port == OFPP_ALL || port == OFPP_TABLE || port == OFPP_CONTROLLER) {
        return OFERR_OFPBAC_BAD_OUT_PORT;
    }
    return check_port(port, c);
}

static enum of_error
check_enqueue(struct ofact *a, struct checker *c)
{
    uint32_t port = ((struct ofact_enqueue *) (void *) a)->port;

    return port < c->limits->max_ports || port == OFPP_IN_PORT || port == OFPP_LOCAL ? OFERR_OK : OFERR_OFPBAC_BAD_OUT_PORT;
}

/* There are no groups and no meters to name. */
static enum of_error
check_group(struct ofact *a, struct checker *c)
{
    (void) a;
    (void) c;
    return OFERR_OFPBAC_BAD_OUT_GROUP;
}

static enum of_error
check_meter(struct ofact *a, struct checker *c)
{
    (void) a;
    (void) c;
    return OFERR_OFPMMFC_INVALID_METER;
}

static enum of_error
check_bundle(struct ofact *a, struct checker *c)
{
    struct ofact_bundle *b = (void *) a;

    for (unsigned i = 0; i < b->n_members; i++) {
        uint32_t port = b->members[i];
        enum of_error error = OFERR_OK;

        if (port == OFPP_IN_PORT || port == OFPP_FLOOD || port == OFPP_ALL || port == OFPP_TABLE || port == OFPP_NORMAL) {
            error = OFERR_OFPBAC_BAD_OUT_PORT;
        } else if (port != OFPP_NONE) {
            error = check_port(port, c);
        }
        if (error) {
            return error;
        }
    }
    return b->dst.field ? check_dst(&b->dst, c) : OFERR_OK;
}

/* The match does not say that packets have the field that is written. */
static enum of_error
set_inconsistent(const struct ofact_set_field *a, const struct checker *c)
{
    bool names_field = a->a.raw == WIRE_REG_LOAD || a->a.raw == WIRE_REG_LOAD2 || a->a.raw == WIRE_SET_FIELD;

    return names_field ? OFERR_OFPBAC_MATCH_INCONSISTENT : inconsistent(c);
}

static bool
has_vlan(const struct checker *c)
{
    return c->match.key.vlan[0].tci & htons(FLOW_VLAN_PRESENT);
}

static void
assume_vlan(struct checker *c)
{
    c->match.key.vlan[0].tci |= htons(FLOW_VLAN_PRESENT);
    c->match.mask.vlan[0].tci |= htons(FLOW_VLAN_PRESENT);
}

static enum of_error
check_vlan_write(struct ofact_set_field *a, struct checker *c)
{
    enum of_error error = OFERR_OK;

    a->has_vlan = has_vlan(c);
    if (a->field->id == FIELD_DL_VLAN || a->field->id == FIELD_DL_VLAN_PCP) {
        if (!a->has_vlan && !a->push_vlan_if_none) {
            error = set_inconsistent(a, c);
        }
        assume_vlan(c);
    } else if ((a->field->id == FIELD_VLAN_VID || a->field->id == FIELD_VLAN_PCP) && !a->has_vlan) {
        error = set_inconsistent(a, c);
    } else if (a->field->id == FIELD_VLAN_TCI) {
        /* It says itself whether there is a tag. */
        c->match.key.vlan[0].tci &= htons(~FLOW_VLAN_PRESENT & 0xffff);
        if (a->mask.be16 & a->value.be16 & htons(FLOW_VLAN_PRESENT)) {
            assume_vlan(c);
        }
    }
    return error;
}

/* mod_tp_src and mod_tp_dst write the port of whatever transport the match says. */
static void
choose_transport(struct ofact_set_field *a, const struct checker *c)
{
    bool src = a->a.raw == WIRE_SET_TP_SRC;

    if (c->match.key.nw_proto == IPPROTO_UDP) {
        a->field = &field_table[src ? FIELD_UDP_SRC : FIELD_UDP_DST];
    } else if (c->match.key.nw_proto == IPPROTO_SCTP) {
        a->field = &field_table[src ? FIELD_SCTP_SRC : FIELD_SCTP_DST];
    } else {
        a->field = &field_table[src ? FIELD_TCP_SRC : FIELD_TCP_DST];
    }
}

static enum of_error
check_set_field(struct ofact *record, struct checker *c)
{
    struct ofact_set_field *a = (void *) record;

    if (!c->in_ct && (a->field->id == FIELD_CT_MARK || a->field->id == FIELD_CT_LABEL)) {
        return OFERR_OFPBAC_BAD_SET_ARGUMENT;
    }
    if (!a->field->writable) {
        return OFERR_OFPBAC_BAD_SET_ARGUMENT;
    }
    if (a->a.raw == WIRE_SET_TP_SRC || a->a.raw == WIRE_SET_TP_DST) {
        choose_transport(a, c);
    }
    if (a->field->ofs == offsetof(struct flow_key, vlan[0].tci)) {
        return check_vlan_write(a, c);
    }
    return field_match_prereqs_ok(a->field, &c->match) ? OFERR_OK : set_inconsistent(a, c);
}

static enum of_error
check_reg_move(struct ofact *record, struct checker *c)
{
    struct ofact_reg_move *a = (void *) record;
    enum of_error error = subfield_check_src(&a->src, &c->match);

    if (!c->in_ct && (a->dst.field->id == FIELD_CT_MARK || a->dst.field->id == FIELD_CT_LABEL)) {
        return OFERR_OFPBAC_BAD_SET_ARGUMENT;
    }
    return error ? error : subfield_check_dst(&a->dst, &c->match);
}

static enum of_error
check_push_vlan(struct ofact *a, struct checker *c)
{
    (void) a;
    if (c->match.key.vlan[FLOW_N_VLANS - 1].tci & htons(FLOW_VLAN_PRESENT)) {
        return OFERR_OFPBAC_BAD_TAG;
    }
    memmove(&c->match.key.vlan[1], &c->match.key.vlan[0], (FLOW_N_VLANS - 1) * sizeof c->match.key.vlan[0]);
    memmove(&c->match.mask.vlan[1], &c->match.mask.vlan[0], (FLOW_N_VLANS - 1) * sizeof c->match.mask.vlan[0]);
    assume_vlan(c);
    return OFERR_OK;
}

static enum of_error
check_strip_vlan(struct ofact *a, struct checker *c)
{
    struct flow_vlan *tags = c->match.key.vlan, *masks = c->match.mask.vlan;
    bool had = has_vlan(c);

    (void) a;
    memmove(&tags[0], &tags[1], (FLOW_N_VLANS - 1) * sizeof tags[0]);
    memmove(&masks[0], &masks[1], (FLOW_N_VLANS - 1) * sizeof masks[0]);
    memset(&tags[FLOW_N_VLANS - 1], 0, sizeof tags[0]);
    memset(&masks[FLOW_N_VLANS - 1], 0, sizeof masks[0]);
    return had ? OFERR_OK : inconsistent(c);
}

static bool
is_mpls(const struct checker *c)
{
    return c->match.key.eth_type == htons(0x8847) || c->match.key.eth_type == htons(0x8848);
}

/* Behind a label nothing is known of the packet. */
static enum of_error
check_push_mpls(struct ofact *record, struct checker *c)
{
    struct ofact_push_mpls *a = (void *) record;

    c->match.key.eth_type = a->ethertype;
    c->match.mask.eth_type = UINT16_MAX;
    c->match.key.nw_proto = c->match.mask.nw_proto = 0;
    return OFERR_OK;
}

static enum of_error
check_pop_mpls(struct ofact *record, struct checker *c)
{
    struct ofact_pop_mpls *a = (void *) record;

    if (!is_mpls(c)) {
        return inconsistent(c);
    }
    c->match.key.eth_type = a->ethertype;
    return OFERR_OK;
}

static enum of_error
check_mpls(struct ofact *a, struct checker *c)
{
    (void) a;
    return is_mpls(c) ? OFERR_OK : inconsistent(c);
}

static enum of_error
check_ip(struct ofact *a, struct checker *c)
{
    (void) a;
    return flow_key_is_ip(&c->match.key) ? OFERR_OK : inconsistent(c);
}

static enum of_error
check_tcp(struct ofact *a, struct checker *c)
{
    (void) a;
    return flow_key_is_ip(&c->match.key) && c->match.key.nw_proto == IPPROTO_TCP ? OFERR_OK : inconsistent(c);
}

static enum of_error
check_stack_push(struct ofact *a, struct checker *c)
{
    return check_src(&((struct ofact_stack *) (void *) a)->sub, c);
}

static enum of_error
check_stack_pop(struct ofact *a, struct checker *c)
{
    return check_dst(&((struct ofact_stack *) (void *) a)->sub, c);
}

static enum of_error
check_multipath(struct ofact *a, struct checker *c)
{
    return check_dst(&((struct ofact_multipath *) (void *) a)->dst, c);
}

static enum of_error
check_check_pkt_larger(struct ofact *a, struct checker *c)
{
    return check_dst(&((struct ofact_check_pkt_larger *) (void *) a)->dst, c);
}

static enum of_error
check_resubmit(struct ofact *record, struct checker *c)
{
    struct ofact_resubmit *a = (void *) record;

    return !a->with_ct_orig || field_match_prereqs_ok(&field_table[FIELD_CT_NW_PROTO], &c->match) ? OFERR_OK : OFERR_OFPBAC_MATCH_INCONSISTENT;
}

/* The match that learned flows will have gains prerequisites as its specifications are read. */
static enum of_error
check_learn(struct ofact *record, struct checker *c)
{
    const struct ofact_learn *a = (const void *) record;
    struct match learned;

    match_init_any(&learned);
    for (uint32_t i = 0; i < a->n_specs; i++) {
        const struct ofact_learn_spec *spec = &a->specs[i];
        enum of_error error = spec->src_is_field ? check_src(&spec->src_sub, c) : OFERR_OK;

        if (!error && spec->dst == 0) {
            error = subfield_check_src(&spec->dst_sub, &learned);
            if (!spec->src_is_field && spec->dst_sub.ofs == 0 && spec->n_bits == spec->dst_sub.field->n_bits) {
                union field_value value = {{0}};

                memcpy(&value, spec->imm.b + sizeof spec->imm - spec->dst_sub.field->n_bytes, spec->dst_sub.field->n_bytes);
                field_match(spec->dst_sub.field, &value, NULL, &learned);
            }
        } else if (!error && spec->dst == 1) {
            error = subfield_check_dst(&spec->dst_sub, &learned);
        }
        if (error) {
            return error;
        }
    }
    return OFERR_OK; /* Packets that do not have what the result goes to are let pass: it is not written then. */
}

static enum of_error check_list(void *list, size_t size, struct checker *);

static enum of_error
check_ct(struct ofact *record, struct checker *c)
{
    struct ofact_ct *a = (void *) record;
    size_t size;
    const struct ofact *nested = ofact_nested(record, &size);
    enum of_error error;

    if (!flow_key_is_ip(&c->match.key) || (a->flags & 2 && !(a->flags & 1))) {
        return OFERR_OFPBAC_MATCH_INCONSISTENT;
    }
    error = a->zone_src.field ? check_src(&a->zone_src, c) : OFERR_OK;
    if (error) {
        return error;
    }
    c->in_ct = true;
    error = check_list((void *) (uintptr_t) nested, size, c);
    c->in_ct = false;
    return error;
}

static enum of_error
check_nat(struct ofact *record, struct checker *c)
{
    const struct ofact_nat *a = (const void *) record;

    if (!c->in_ct) {
        return OFERR_OFPBAC_BAD_SET_ARGUMENT;
    }
    if ((a->range_af == AF_INET && c->match.key.eth_type != htons(0x0800))
        || (a->range_af == AF_INET6 && c->match.key.eth_type != htons(0x86dd))) {
        return inconsistent(c);
    }
    return OFERR_OK;
}

static enum of_error
check_clone(struct ofact *record, struct checker *c)
{
    struct checker inner = *c;
    size_t size;
    const struct ofact *nested = ofact_nested(record, &size);

    return check_list((void *) (uintptr_t) nested, size, &inner);
}

/* What packets look like when the set is executed is not known here: prerequisites are not held against it. */
static enum of_error
check_write_actions(struct ofact *record, struct checker *c)
{
    struct ofact_limits lenient = *c->limits;
    struct checker inner = *c;
    size_t size;
    const struct ofact *a, *nested = ofact_nested(record, &size);

    OFACT_FOR_EACH (a, nested, size) {
        if (!ofact_set_position(a)) {
            return OFERR_OFPBAC_BAD_TYPE;
        }
    }
    lenient.strict = false;
    inner.limits = &lenient;
    return check_list((void *) (uintptr_t) nested, size, &inner);
}

static enum of_error
check_goto_table(struct ofact *record, struct checker *c)
{
    uint8_t to = ((struct ofact_goto *) (void *) record)->table_id;
    const struct ofact_limits *l = c->limits;

    return (l->table_id != OFPTT_ALL && to <= l->table_id) || to >= l->n_tables ? OFERR_OFPBIC_BAD_TABLE_ID : OFERR_OK;
}

static enum of_error
check_list(void *list, size_t size, struct checker *c)
{
    static enum of_error (*const checks[])(struct ofact *, struct checker *) = {
#define OFACT(KIND, STRUCT, SET, CHECK) [OFACT_##KIND] = check_##CHECK,
#include "lib/of/ofact.def"
    };
    const struct ofact *a;

    OFACT_FOR_EACH (a, list, size) {
        enum of_error error = checks[a->kind]((struct ofact *) (uintptr_t) a, c);

        if (error) {
            return error;
        }
    }
    return OFERR_OK;
}

enum of_error
ofact_check(void *list, size_t size, const struct match *match, const struct ofact_limits *limits)
{
    struct checker c;

    if (!size) {
        return OFERR_OK;
    }
    c = (struct checker){.limits = limits, .match = *match};
    return check_list(list, size, &c);
}
