// SPDX-License-Identifier: Apache-2.0
// Actions as text, as ovs-ofctl(8) dump-flows prints them and ovs-actions(7) spells them.
#include <config.h>
#include "lib/of/ofact_private.h"

struct printer {
    const struct port_names *names;
    struct buf *b;
};

static void print_list(const void *list, size_t size, struct printer *);

const char *
hash_fields_name(uint16_t fields)
{
    static const char *const names[] = {"eth_src", "symmetric_l4", "symmetric_l3l4", "symmetric_l3l4+udp", "nw_src", "nw_dst", "symmetric_l3"};

    return fields < ARRAY_SIZE(names) ? names[fields] : "unknown";
}

static const char *
packet_in_reason_name(uint8_t reason)
{
    static const char *const names[] = {"no_match", "action", "invalid_ttl", "action_set", "group", "packet_out", "", ""};

    return reason < ARRAY_SIZE(names) ? names[reason] : NULL;
}

static void
put_port(struct printer *p, uint32_t port)
{
    of_port_format(port, p->names, p->b);
}

static void
format_OUTPUT(const struct ofact_output *a, struct printer *p)
{
    if (a->port < OFPP_MAX) {
        buf_puts(p->b, "output:");
    }
    put_port(p, a->port);
    if (a->port == OFPP_CONTROLLER) {
        buf_putf(p->b, ":%u", a->max_len);
    }
}

static void
put_userdata(struct printer *p, const uint8_t *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_putf(p->b, "%s%02x", i ? "." : "", data[i]);
    }
}

static void
format_CONTROLLER(const struct ofact_controller *a, struct printer *p)
{
    const char *reason = packet_in_reason_name(a->reason);

    if (a->reason == OFPR_ACTION && !a->controller_id && !a->userdata_len && !a->pause && !a->meter_id) {
        buf_putf(p->b, "CONTROLLER:%u", a->max_len);
        return;
    }
    buf_puts(p->b, "controller(");
    if (a->reason != OFPR_ACTION && reason) {
        buf_putf(p->b, "reason=%s,", reason);
    } else if (a->reason != OFPR_ACTION) {
        buf_putf(p->b, "reason=%u,", a->reason);
    }
    if (a->max_len != UINT16_MAX) {
        buf_putf(p->b, "max_len=%u,", a->max_len);
    }
    if (a->controller_id) {
        buf_putf(p->b, "id=%u,", a->controller_id);
    }
    if (a->userdata_len) {
        buf_puts(p->b, "userdata=");
        put_userdata(p, a->userdata, a->userdata_len);
        buf_putc(p->b, ',');
    }
    if (a->pause) {
        buf_puts(p->b, "pause,");
    }
    if (a->meter_id) {
        buf_putf(p->b, "meter_id=%u,", a->meter_id);
    }
    buf_chomp(p->b, ',');
    buf_putc(p->b, ')');
}

static void
format_OUTPUT_REG(const struct ofact_output_reg *a, struct printer *p)
{
    buf_puts(p->b, "output:");
    subfield_format(&a->src, p->b);
}

static void
format_OUTPUT_TRUNC(const struct ofact_output_trunc *a, struct printer *p)
{
    buf_puts(p->b, "output(port=");
    put_port(p, a->port);
    buf_putf(p->b, ",max_len=%u)", a->max_len);
}

static void
format_ENQUEUE(const struct ofact_enqueue *a, struct printer *p)
{
    buf_puts(p->b, "enqueue:");
    put_port(p, a->port);
    buf_putf(p->b, ":%u", a->queue);
}

static void
format_GROUP(const struct ofact_group *a, struct printer *p)
{
    buf_putf(p->b, "group:%u", a->group_id);
}

static void
format_BUNDLE(const struct ofact_bundle *a, struct printer *p)
{
    buf_putf(p->b, "%s(%s,%u,%s,%s,", a->dst.field ? "bundle_load" : "bundle", hash_fields_name(a->fields), a->basis,
             a->algorithm ? "hrw" : "active_backup", "ofport");
    if (a->dst.field) {
        subfield_format(&a->dst, p->b);
        buf_putc(p->b, ',');
    }
    buf_puts(p->b, "members:");
    for (unsigned i = 0; i < a->n_members; i++) {
        buf_puts(p->b, i ? "," : "");
        put_port(p, a->members[i]);
    }
    buf_putc(p->b, ')');
}

/* A value in the words of an action older than set_field. */
static void
put_form_value(const struct ofact_set_field *a, const char *text, struct printer *p)
{
    union field_value value = a->value;

    if (a->field->id == FIELD_TUN_ID) {
        buf_putf(p->b, value.be64 ? "0x%llx" : "%llu", (unsigned long long) ntohll(value.be64));
    } else if (a->field->n_bytes == 1) {
        buf_putf(p->b, "%u", value.u8);
    } else if (a->field->n_bytes == 2) {
        buf_putf(p->b, "%u", ntohs(value.be16));
    } else if (a->field->id == FIELD_MPLS_LABEL) {
        buf_putf(p->b, "%u", ntohl(value.be32));
    } else {
        field_format_value(a->field, &value, NULL, p->names, p->b);
    }
    if (strchr(text, '(')) {
        buf_putc(p->b, ')');
    }
}

static void
put_loads(const struct ofact_set_field *a, struct printer *p)
{
    struct subfield s = {a->field, 0, 0};
    uint64_t value;
    bool first = true;

    while (set_field_next_segment(a, &s, &value)) {
        buf_putf(p->b, value ? "%sload:0x%llx->" : "%sload:%llu->", first ? "" : ",", (unsigned long long) value);
        subfield_format(&s, p->b);
        first = false;
    }
}

static void
format_SET_FIELD(const struct ofact_set_field *a, struct printer *p)
{
    const struct set_form *form = set_form_by_wire((enum ofact_wire) a->a.raw);

    if (form && (form->field == FIELD_DL_VLAN || form->field == FIELD_DL_VLAN_PCP) && !a->push_vlan_if_none) {
        buf_puts(p->b, "set_"); /* 1.1's form, which wants a tag to be there. */
        buf_puts(p->b, form->text + strlen("mod_"));
        put_form_value(a, form->text, p);
    } else if (form) {
        buf_puts(p->b, form->text);
        put_form_value(a, form->text, p);
    } else if (a->a.raw == WIRE_REG_LOAD) {
        put_loads(a, p);
    } else {
        buf_puts(p->b, "set_field:");
        field_format_value(a->field, &a->value, field_mask_is_exact(a->field, &a->mask) ? NULL : &a->mask, p->names, p->b);
        buf_putf(p->b, "->%s", a->field->name);
    }
}

static void
format_REG_MOVE(const struct ofact_reg_move *a, struct printer *p)
{
    buf_puts(p->b, "move:");
    subfield_format(&a->src, p->b);
    buf_puts(p->b, "->");
    subfield_format(&a->dst, p->b);
}

static void
format_PUSH_VLAN(const struct ofact_push_vlan *a, struct printer *p)
{
    buf_putf(p->b, "push_vlan:0x%04x", ntohs(a->ethertype));
}

static void
format_STRIP_VLAN(const struct ofact_empty *a, struct printer *p)
{
    buf_puts(p->b, a->a.raw == WIRE_POP_VLAN ? "pop_vlan" : "strip_vlan");
}

static void
format_PUSH_MPLS(const struct ofact_push_mpls *a, struct printer *p)
{
    buf_putf(p->b, "push_mpls:0x%04x", ntohs(a->ethertype));
}

static void
format_POP_MPLS(const struct ofact_pop_mpls *a, struct printer *p)
{
    buf_putf(p->b, "pop_mpls:0x%04x", ntohs(a->ethertype));
}

static void
format_DEC_TTL(const struct ofact_dec_ttl *a, struct printer *p)
{
    buf_puts(p->b, "dec_ttl");
    if (a->a.raw == WIRE_DEC_TTL_CNT_IDS) {
        for (uint16_t i = 0; i < a->n_controllers; i++) {
            buf_putf(p->b, "%c%u", i ? ',' : '(', a->ids[i]);
        }
        buf_puts(p->b, a->n_controllers ? ")" : "()");
    }
}

static void
format_DEC_MPLS_TTL(const struct ofact_empty *a, struct printer *p)
{
    (void) a;
    buf_puts(p->b, "dec_mpls_ttl");
}

static void
format_DEC_NSH_TTL(const struct ofact_empty *a, struct printer *p)
{
    (void) a;
    buf_puts(p->b, "dec_nsh_ttl");
}

static void
format_DELETE_FIELD(const struct ofact_delete_field *a, struct printer *p)
{
    buf_putf(p->b, "delete_field:%s", a->field->name);
}

static void
format_SET_QUEUE(const struct ofact_queue *a, struct printer *p)
{
    buf_putf(p->b, "set_queue:%u", a->queue_id);
}

static void
format_POP_QUEUE(const struct ofact_empty *a, struct printer *p)
{
    (void) a;
    buf_puts(p->b, "pop_queue");
}

static void
format_STACK_PUSH(const struct ofact_stack *a, struct printer *p)
{
    buf_puts(p->b, "push:");
    subfield_format(&a->sub, p->b);
}

static void
format_STACK_POP(const struct ofact_stack *a, struct printer *p)
{
    buf_puts(p->b, "pop:");
    subfield_format(&a->sub, p->b);
}

static void
format_MULTIPATH(const struct ofact_multipath *a, struct printer *p)
{
    static const char *const algorithms[] = {"modulo_n", "hash_threshold", "hrw", "iter_hash"};

    buf_putf(p->b, "multipath(%s,%u,%s,%u,%u,", hash_fields_name(a->fields), a->basis, algorithms[a->algorithm & 3], a->max_link + 1u, a->arg);
    subfield_format(&a->dst, p->b);
    buf_putc(p->b, ')');
}

static void
format_CHECK_PKT_LARGER(const struct ofact_check_pkt_larger *a, struct printer *p)
{
    buf_putf(p->b, "check_pkt_larger(%u)->", a->len);
    subfield_format(&a->dst, p->b);
}

static void
format_RESUBMIT(const struct ofact_resubmit *a, struct printer *p)
{
    if (a->in_port != OFPP_IN_PORT && a->table_id == 255 && !a->with_ct_orig) {
        buf_puts(p->b, "resubmit:");
        put_port(p, a->in_port);
        return;
    }
    buf_puts(p->b, "resubmit(");
    if (a->in_port != OFPP_IN_PORT) {
        put_port(p, a->in_port);
    }
    buf_putc(p->b, ',');
    if (a->table_id != 255) {
        buf_putf(p->b, "%u", a->table_id);
    }
    buf_puts(p->b, a->with_ct_orig ? ",ct)" : ")");
}

static void
put_immediate(const struct ofact_learn_spec *spec, struct printer *p)
{
    unsigned i = 16 - DIV_ROUND_UP(spec->n_bits, 8);

    while (i < 15 && !spec->imm.b[i]) {
        i++;
    }
    buf_putf(p->b, "0x%x", spec->imm.b[i]);
    while (++i < 16) {
        buf_putf(p->b, "%02x", spec->imm.b[i]);
    }
}

/* A match on a whole field by a constant looks like a match elsewhere. */
static void
put_learn_match(const struct ofact_learn_spec *spec, struct printer *p)
{
    const struct field *f = spec->dst_sub.field;
    bool whole = !spec->dst_sub.ofs && spec->dst_sub.n_bits == f->n_bits;

    if (!spec->src_is_field && whole) {
        union field_value value = {{0}};

        memcpy(&value, spec->imm.b + sizeof spec->imm - f->n_bytes, f->n_bytes);
        buf_putf(p->b, "%s=", f->name);
        field_format_value(f, &value, NULL, p->names, p->b);
        return;
    }
    subfield_format(&spec->dst_sub, p->b);
    if (!spec->src_is_field) {
        buf_putc(p->b, '=');
        put_immediate(spec, p);
    } else if (spec->src_sub.field != f || spec->src_sub.ofs != spec->dst_sub.ofs) {
        buf_putc(p->b, '=');
        subfield_format(&spec->src_sub, p->b);
    }
}

static void
put_learn_spec(const struct ofact_learn_spec *spec, struct printer *p)
{
    switch (spec->dst) {
    case 0:
        put_learn_match(spec, p);
        return;
    case 1:
        buf_puts(p->b, "load:");
        if (spec->src_is_field) {
            subfield_format(&spec->src_sub, p->b);
        } else {
            put_immediate(spec, p);
        }
        buf_puts(p->b, "->");
        subfield_format(&spec->dst_sub, p->b);
        return;
    default:
        buf_puts(p->b, "output:");
        subfield_format(&spec->src_sub, p->b);
    }
}

static void
put_number(struct printer *p, const char *name, unsigned value)
{
    if (value) {
        buf_putf(p->b, ",%s=%u", name, value);
    }
}

static void
format_LEARN(const struct ofact_learn *a, struct printer *p)
{
    buf_putf(p->b, "learn(table=%u", a->table_id);
    put_number(p, "idle_timeout", a->idle);
    put_number(p, "hard_timeout", a->hard);
    put_number(p, "fin_idle_timeout", a->fin_idle);
    put_number(p, "fin_hard_timeout", a->fin_hard);
    if (a->priority != OFP_DEFAULT_PRIORITY) {
        buf_putf(p->b, ",priority=%u", a->priority);
    }
    buf_puts(p->b, a->flags & 1 ? ",send_flow_rem" : "");
    buf_puts(p->b, a->flags & 2 ? ",delete_learned" : "");
    if (a->cookie) {
        buf_putf(p->b, ",cookie=0x%llx", (unsigned long long) a->cookie);
    }
    put_number(p, "limit", a->limit);
    if (a->has_result) {
        buf_puts(p->b, ",result_dst=");
        subfield_format(&a->result, p->b);
    }
    for (uint32_t i = 0; i < a->n_specs; i++) {
        buf_putc(p->b, ',');
        put_learn_spec(&a->specs[i], p);
    }
    buf_putc(p->b, ')');
}

static void
format_CONJUNCTION(const struct ofact_conjunction *a, struct printer *p)
{
    buf_putf(p->b, "conjunction(%u,%u/%u)", a->id, a->clause + 1u, a->n_clauses);
}

static void
format_FIN_TIMEOUT(const struct ofact_fin_timeout *a, struct printer *p)
{
    buf_puts(p->b, "fin_timeout(");
    if (a->idle) {
        buf_putf(p->b, "idle_timeout=%u,", a->idle);
    }
    if (a->hard) {
        buf_putf(p->b, "hard_timeout=%u,", a->hard);
    }
    buf_chomp(p->b, ',');
    buf_putc(p->b, ')');
}

static void
put_address(struct printer *p, int af, const struct in6_addr *address)
{
    char text[INET6_ADDRSTRLEN];

    inet_ntop(af, address, text, sizeof text);
    /* Ports follow after a colon. */
    buf_putf(p->b, af == AF_INET6 ? "[%s]" : "%s", text);
}

static void
put_nat_range(const struct ofact_nat *a, struct printer *p)
{
    static const struct in6_addr zero;
    bool brackets = a->range_af == AF_INET6 && a->port_min;
    char text[INET6_ADDRSTRLEN];

    if (a->range_af != AF_UNSPEC) {
        bool range = memcmp(&a->max, &zero, sizeof zero) && memcmp(&a->max, &a->min, sizeof zero);

        buf_putc(p->b, '=');
        if (brackets) {
            put_address(p, a->range_af, &a->min);
        } else {
            buf_puts(p->b, inet_ntop(a->range_af, &a->min, text, sizeof text));
        }
        if (range) {
            buf_putc(p->b, '-');
            if (brackets) {
                put_address(p, a->range_af, &a->max);
            } else {
                buf_puts(p->b, inet_ntop(a->range_af, &a->max, text, sizeof text));
            }
        }
    }
    if (a->port_min) {
        buf_putf(p->b, "%s%u", a->range_af == AF_UNSPEC ? "=:" : ":", a->port_min);
        if (a->port_max && a->port_max != a->port_min) {
            buf_putf(p->b, "-%u", a->port_max);
        }
    }
}

static void
format_NAT(const struct ofact_nat *a, struct printer *p)
{
    buf_puts(p->b, "nat");
    if (!(a->flags & 3)) {
        return;
    }
    buf_puts(p->b, a->flags & 1 ? "(src" : "(dst");
    put_nat_range(a, p);
    buf_puts(p->b, a->flags & 4 ? ",persistent" : "");
    buf_puts(p->b, a->flags & 8 ? ",hash" : "");
    buf_puts(p->b, a->flags & 16 ? ",random" : "");
    buf_putc(p->b, ')');
}

/* A leading nat stands outside of exec(). */
static void
put_ct_nested(const struct ofact_ct *ct, struct printer *p)
{
    size_t size;
    const struct ofact *nested = ofact_nested(&ct->a, &size);

    if (size && nested->kind == OFACT_NAT) {
        format_NAT((const void *) nested, p);
        buf_putc(p->b, ',');
        size -= nested->size;
        nested = ofact_next(nested);
    }
    if (size) {
        buf_puts(p->b, "exec(");
        print_list(nested, size, p);
        buf_puts(p->b, "),");
    }
}

#define PORT_FTP 21
#define PORT_TFTP 69

static void
format_CT(const struct ofact_ct *a, struct printer *p)
{
    buf_puts(p->b, "ct(");
    buf_puts(p->b, a->flags & 1 ? "commit," : "");
    buf_puts(p->b, a->flags & 2 ? "force," : "");
    if (a->recirc_table != 255) {
        buf_putf(p->b, "table=%u,", a->recirc_table);
    }
    if (a->zone_src.field) {
        buf_puts(p->b, "zone=");
        subfield_format(&a->zone_src, p->b);
        buf_putc(p->b, ',');
    } else if (a->zone_imm) {
        buf_putf(p->b, "zone=%u,", a->zone_imm);
    }
    put_ct_nested(a, p);
    if (a->alg == PORT_FTP || a->alg == PORT_TFTP) {
        buf_puts(p->b, a->alg == PORT_FTP ? "alg=ftp," : "alg=tftp,");
    } else if (a->alg) {
        buf_putf(p->b, "alg=%u,", a->alg);
    }
    buf_chomp(p->b, ',');
    buf_putc(p->b, ')');
}

static void
format_CT_CLEAR(const struct ofact_empty *a, struct printer *p)
{
    (void) a;
    buf_puts(p->b, "ct_clear");
}

static void
put_nest(const char *name, const struct ofact_nest *a, struct printer *p)
{
    size_t size;
    const struct ofact *nested = ofact_nested(&a->a, &size);

    buf_putf(p->b, "%s(", name);
    print_list(nested, size, p);
    buf_putc(p->b, ')');
}

static void
format_CLONE(const struct ofact_nest *a, struct printer *p)
{
    put_nest("clone", a, p);
}

static void
format_SAMPLE(const struct ofact_sample *a, struct printer *p)
{
    buf_putf(p->b, "sample(probability=%u,collector_set_id=%u,obs_domain_id=%u,obs_point_id=%u", a->probability, a->collector_set,
             a->obs_domain, a->obs_point);
    if (a->sampling_port != OFPP_NONE) {
        buf_puts(p->b, ",sampling_port=");
        put_port(p, a->sampling_port);
    }
    buf_puts(p->b, a->direction == 1 ? ",ingress" : a->direction == 2 ? ",egress" : "");
    buf_putc(p->b, ')');
}

static void
format_NOTE(const struct ofact_note *a, struct printer *p)
{
    buf_puts(p->b, "note:");
    put_userdata(p, a->data, a->length);
}

static void
format_EXIT(const struct ofact_empty *a, struct printer *p)
{
    (void) a;
    buf_puts(p->b, "exit");
}

static void
format_METER(const struct ofact_meter *a, struct printer *p)
{
    buf_putf(p->b, "meter:%u", a->meter_id);
}

static void
format_CLEAR_ACTIONS(const struct ofact_empty *a, struct printer *p)
{
    (void) a;
    buf_puts(p->b, "clear_actions");
}

static void
format_WRITE_ACTIONS(const struct ofact_nest *a, struct printer *p)
{
    put_nest("write_actions", a, p);
}

static void
format_METADATA(const struct ofact_metadata *a, struct printer *p)
{
    buf_putf(p->b, "write_metadata:0x%llx", (unsigned long long) ntohll(a->metadata));
    if (a->mask != UINT64_MAX) {
        buf_putf(p->b, "/0x%llx", (unsigned long long) ntohll(a->mask));
    }
}

static void
format_GOTO_TABLE(const struct ofact_goto *a, struct printer *p)
{
    buf_putf(p->b, "goto_table:%u", a->table_id);
}

static void
print_one(const struct ofact *a, struct printer *p)
{
    switch ((enum ofact_kind) a->kind) {
#define OFACT(KIND, STRUCT, SET, CHECK)                            \
    case OFACT_##KIND:                                             \
        format_##KIND((const struct STRUCT *) (const void *) a, p); \
        break;
#include "lib/of/ofact.def"
    case OFACT_N_KINDS:
        break;
    }
}

static void
print_list(const void *list, size_t size, struct printer *p)
{
    const struct ofact *a;

    if (!size) {
        buf_puts(p->b, "drop");
        return;
    }
    OFACT_FOR_EACH (a, list, size) {
        if (a != list) {
            buf_putc(p->b, ',');
        }
        print_one(a, p);
    }
}

void
ofact_format(const void *list, size_t size, const struct port_names *names, struct buf *b)
{
    struct printer p = {names, b};

    print_list(list, size, &p);
}
