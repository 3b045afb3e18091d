// SPDX-License-Identifier: Apache-2.0
// Connection tracking: the datapath has the tracker; a ct action sends the packet through it, and with a table a copy of the packet comes back to that
// table with what the tracker knows.
#include <config.h>
#include "ofproto/translate_ctx.h"

void
xl_ct_forget(struct xl *xl)
{
    xl->conntracked = false;
    xl->key.ct_state = 0;
    xl->key.ct_zone = 0;
    xl->key.ct_mark = 0;
    memset(xl->key.ct_label, 0, sizeof xl->key.ct_label);
    xl->key.ct_nw_proto = 0;
    xl->key.ct_nw_src = xl->key.ct_nw_dst = 0;
    memset(&xl->key.ct_ipv6_src, 0, sizeof xl->key.ct_ipv6_src);
    memset(&xl->key.ct_ipv6_dst, 0, sizeof xl->key.ct_ipv6_dst);
    xl->key.ct_tp_src = xl->key.ct_tp_dst = 0;
}

void
xl_ct_clear(struct xl *xl)
{
    if (xl->conntracked) {
        xl_commit(xl);
        action_put(&xl->out->actions, ACTION_CT_CLEAR, sizeof(struct action_empty));
        xl_ct_forget(xl);
    }
}

static void
put_nat(struct action_ct *rec, const struct ofact_nat *nat)
{
    rec->nat = nat->flags & 1 ? 2 : nat->flags & 2 ? 3 : 1;
    rec->nat_flags = (uint8_t) (nat->flags >> 2);
    rec->nat_ipv6 = nat->range_af == 6;
    rec->nat_min = nat->min;
    rec->nat_max = nat->max;
    rec->nat_port_min = nat->port_min;
    rec->nat_port_max = nat->port_max;
}

static void
put_mark_or_label(struct action_ct *rec, const struct ofact_set_field *set)
{
    if (set->field->id == FIELD_CT_MARK) {
        rec->mark = ntohl(set->value.be32);
        rec->mark_mask = ntohl(set->mask.be32);
    } else {
        memcpy(rec->label, set->value.b, sizeof rec->label);
        memcpy(rec->label_mask, set->mask.b, sizeof rec->label_mask);
    }
}

static void
put_ct(struct xl *xl, const struct ofact_ct *ct)
{
    struct action_ct *rec = action_put(&xl->out->actions, ACTION_CT, sizeof *rec);
    const struct ofact *a;
    size_t size;
    const struct ofact *nested = ofact_nested(&ct->a, &size);

    rec->commit = ct->flags & 1;
    rec->force = ct->flags >> 1 & 1;
    rec->zone = ct->zone_imm;
    if (ct->zone_src.field) {
        subfield_unwildcard(&ct->zone_src, xl->mask);
        rec->zone = (uint16_t) subfield_get(&ct->zone_src, &xl->key);
    }
    if (!size) {
        trace_add(xl->in->trace, TRACE_ACTION, "drop");
    }
    OFACT_FOR_EACH (a, nested, size) {
        xl_report_action(xl, a);
        if (a->kind == OFACT_NAT) {
            put_nat(rec, (const struct ofact_nat *) (const void *) a);
        } else if (a->kind == OFACT_SET_FIELD) {
            put_mark_or_label(rec, (const struct ofact_set_field *) (const void *) a);
        }
    }
}

/* A copy of the packet goes through the datapath again and resumes in 'table'. */
static void
fork_to_table(struct xl *xl, uint8_t table)
{
    struct buf action_set = xl->action_set;
    uint32_t id;

    xl->action_set = BUF_EMPTY;
    buf_put(&xl->action_set, action_set.data, action_set.len);
    xl->conntracked = true;
    id = xl_freeze_end(xl, table);
    if (id) {
        trace_fork(xl->in->trace, id, &xl->key);
    }
    buf_free(&xl->action_set);
    xl->action_set = action_set;
    trace_add(xl->in->trace, TRACE_DETAIL, "A clone of the packet is forked to recirculate. The forked pipeline will be resumed at table %u.", table);
}

void
xl_ct(struct xl *xl, const struct ofact_ct *ct)
{
    xl_commit(xl);
    put_ct(xl, ct);
    if (ct->recirc_table != FREEZE_NO_TABLE) {
        fork_to_table(xl, ct->recirc_table);
    }
    xl_ct_forget(xl);
    trace_add(xl->in->trace, TRACE_DETAIL, "Sets the packet to an untracked state, and clears all the conntrack fields.");
}
