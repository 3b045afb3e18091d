// SPDX-License-Identifier: Apache-2.0
// What the files of translation share: the state of one translate() call. Private to ofproto/translate*.c.
//
// Reading order: translate.c (the frame), translate_table.c (which rule), translate_actions.c (what each action does), translate_field.c (those that
// change the packet), translate_output.c (those that send it), translate_normal.c, translate_commit.c (changes become datapath actions),
// translate_freeze.c (what must go through the datapath once more).
#ifndef OFPROTO_TRANSLATE_CTX_H
#define OFPROTO_TRANSLATE_CTX_H 1

#include "ofproto/freeze.h"
#include <inttypes.h>
#include "ofproto/trace.h"
#include "ofproto/translate.h"

#define XL_MAX_DEPTH 64         /* Nested lookups that go back to the same table or an earlier one. */
#define XL_MAX_RESUBMITS 4096
#define XL_MAX_STACK 65536      /* Bytes. */

struct xl {
    const struct translate_in *in;
    struct translate_out *out;
    struct bridge *bridge;      /* Whose pipeline the packet is in: crossing a patch changes it. */
    uint32_t version;           /* Of the tables, of all bridges. */
    struct flow_key key;        /* The packet as it is now. */
    struct flow_key base;       /* The packet as the datapath's actions so far leave it. */
    struct flow_key *mask;      /* out->mask: bits of the packet as it came that were looked at. */
    const struct rule *rule;    /* Whose actions run; NULL: a packet-out's or none's. */
    uint64_t cookie;            /* Of 'rule', or what was frozen. */
    uint8_t table_id;
    unsigned depth, n_resubmits;
    size_t fitting;             /* As long as out->actions is no longer than this, its attributes surely fit: xl_actions_fit(). */
    uint32_t packet_priority;   /* skb_priority that pop_queue goes back to. */
    bool exit;                  /* No further actions of this pipeline. */
    bool freezing;              /* 'exit' is because the rest runs after recirculation: 'frozen' collects it. */
    bool was_mpls;              /* The last label was popped: what lies below is not known in this pass. */
    bool in_action_set;
    bool conntracked;           /* ct_state is of a tracker that this packet went through. */
    struct buf action_set;      /* struct ofact records in the order in which they were written. */
    struct buf stack;           /* 16-byte values, the top last. */
    struct buf frozen;          /* struct freeze_segment and its ofacts, repeated. */
    const struct ofact_controller *pause;
};

/* translate.c */
bool xl_actions_fit(struct xl *); /* Into a netlink attribute. */
void xl_fail(struct xl *, enum translate_error, const char *fmt, ...) PRINTF_LIKE(3, 4);
struct effect *xl_effect(struct xl *, enum effect_kind);
void xl_depend(struct xl *, enum dep_kind, uint64_t what); /* On something of the bridge that the packet is in. */
/* After the last action: the action set, and recirculation if it came to that. */
void xl_end_pipeline(struct xl *);
static inline bool
xl_side_effects(const struct xl *xl)
{
    return xl->in->packet != NULL;
}

/* translate_table.c */
/* Looks the packet up in 'table' as if it had come in on 'in_port' and runs what is found. 'honour_miss': a miss is what the table says of one. */
typedef void xl_run_fn(struct xl *, const void *list, size_t size, bool last);
void xl_table(struct xl *, uint32_t in_port, uint8_t table, bool honour_miss, bool last, xl_run_fn *);
/* The first lookup of a packet: finds the rule and makes it current. Its actions, or NULL for none. */
const struct rule_actions *xl_first_rule(struct xl *, uint8_t table);

/* translate_actions.c */
void xl_run(struct xl *, const void *list, size_t size, bool last);
void xl_run_clone(struct xl *, const void *list, size_t size, bool last); /* What they do to the packet ends with them. */

void xl_report_action(struct xl *, const struct ofact *);

/* translate_set.c */
void xl_set_write(struct xl *, const void *list, size_t size);
void xl_set_clear(struct xl *);
void xl_set_execute(struct xl *);

/* translate_ct.c */
void xl_ct(struct xl *, const struct ofact_ct *);
void xl_ct_clear(struct xl *);
void xl_ct_forget(struct xl *); /* The packet's connection is not known any more. */

/* translate_field.c: true: the packet must not be processed further in this table. */
void xl_set_field(struct xl *, const struct ofact_set_field *);
void xl_move(struct xl *, const struct ofact_reg_move *);
void xl_stack_push(struct xl *, const struct subfield *);
void xl_stack_pop(struct xl *, const struct subfield *);
void xl_push_vlan(struct xl *, be16 tpid);
void xl_pop_vlan(struct xl *);
bool xl_dec_ttl(struct xl *, const struct ofact_dec_ttl *);
void xl_set_queue(struct xl *, uint32_t queue);
bool xl_queue_to_priority(const struct xl *, uint32_t queue, uint32_t *priority);
void xl_report_subfield(struct xl *, const struct subfield *);
unsigned xl_n_vlans(const struct flow_key *);

/* translate_mpls.c */
void xl_push_mpls(struct xl *, be16 eth_type);
void xl_pop_mpls(struct xl *, be16 eth_type);
bool xl_dec_mpls_ttl(struct xl *);
void xl_mpls_to_base(struct xl *); /* Brings 'base' to the labels of 'key' by datapath actions. */
static inline bool
xl_is_mpls(be16 eth_type)
{
    return eth_type == htons(0x8847) || eth_type == htons(0x8848);
}

/* translate_output.c */
void xl_output(struct xl *, uint32_t port, uint16_t max_len, bool last);
void xl_output_to_port(struct xl *, uint32_t port, bool last);
void xl_output_trunc(struct xl *, uint32_t port, uint32_t max_len, bool last);
void xl_enqueue(struct xl *, uint32_t port, uint32_t queue, bool last);
void xl_controller(struct xl *, const struct ofact_controller *);
struct xl_packet_in {
    uint16_t max_len, controller_id;
    uint8_t reason;
    const void *userdata;
    uint16_t userdata_len;
};
void xl_packet_in(struct xl *, const struct xl_packet_in *);
bool xl_may_receive(const struct xl *, const struct port *);

/* translate_normal.c */
void xl_normal(struct xl *);

/* translate_commit.c */
void xl_commit(struct xl *); /* Appends the actions that make the packet of 'base' the packet of 'key'. */

/* translate_freeze.c */
void xl_freeze_begin(struct xl *);
void xl_freeze_rest(struct xl *, const void *list, size_t size); /* These remain to be done after recirculation. */
/* Commits, and recirculates. 'table' FREEZE_NO_TABLE: go on with the actions only. The number, or 0. */
uint32_t xl_freeze_end(struct xl *, uint8_t table);
bool xl_needs_recirculation(const struct xl *, const struct ofact *);
uint32_t xl_freeze_for_controller(struct xl *, const struct xl_packet_in *);
bool xl_thaw(struct xl *, const struct freeze **);               /* false: no such state. */

/* translate_hash.c */
void xl_multipath(struct xl *, const struct ofact_multipath *);
void xl_bundle(struct xl *, const struct ofact_bundle *, bool last);

#endif
