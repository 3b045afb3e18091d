// SPDX-License-Identifier: Apache-2.0
// OpenFlow actions and instructions as typed values, the same for every version: what rules keep and translation walks. A list is one block of
// variable-length records, 8-byte aligned. lib/of/ofact.def has a row for each kind: record, place in an action set, check, and its forms on the wire in
// every version.
#ifndef LIB_OF_OFACT_H
#define LIB_OF_OFACT_H 1

#include "lib/flow/field.h"
#include "lib/of/of.h"

enum ofact_kind {
#define OFACT(KIND, ...) OFACT_##KIND,
#include "lib/of/ofact.def"
    OFACT_N_KINDS
};

/* Forms on the wire; 0 is none in particular. */
enum ofact_wire {
    WIRE_ANY,
#define WIRE(ID, ...) WIRE_##ID,
#include "lib/of/ofact.def"
    WIRE_N
};

struct ofact {
    uint16_t kind;
    uint16_t raw;  /* enum ofact_wire that it came in, so that it goes out the same way (mod_dl_src against set_field); 0: any. */
    uint32_t size; /* Of the whole record with padding, a multiple of 8. */
};

struct ofact_empty { struct ofact a; };               /* STRIP_VLAN, POP_QUEUE, EXIT, CT_CLEAR, CLEAR_ACTIONS, DEC_MPLS_TTL, DEC_NSH_TTL. */
struct ofact_output { struct ofact a; uint32_t port; uint16_t max_len; uint16_t pad; };
struct ofact_controller {
    struct ofact a;
    uint16_t max_len, controller_id;
    uint8_t reason;
    bool pause;
    uint16_t userdata_len;
    uint32_t meter_id; /* 0: none. */
    uint32_t pad;
    uint8_t userdata[];
};
struct ofact_output_reg { struct ofact a; struct subfield src; uint16_t max_len; };
struct ofact_output_trunc { struct ofact a; uint32_t port; uint32_t max_len; };
struct ofact_enqueue { struct ofact a; uint32_t port, queue; };
struct ofact_group { struct ofact a; uint32_t group_id; uint32_t pad; };
/* Every action that writes a field: set_field, mod_*, load, set_tunnel, set_mpls_*. Value and mask in wire form. */
struct ofact_set_field {
    struct ofact a;
    const struct field *field;
    bool has_vlan;          /* VLAN writes: the packet has a tag for sure (checked at decode). */
    bool push_vlan_if_none; /* OpenFlow 1.0's mod_vlan_vid and mod_vlan_pcp. */
    union field_value value, mask;
};
struct ofact_push_vlan { struct ofact a; be16 ethertype; uint16_t pad[3]; };
struct ofact_push_mpls { struct ofact a; be16 ethertype; uint16_t pad[3]; };
struct ofact_pop_mpls { struct ofact a; be16 ethertype; uint16_t pad[3]; };
struct ofact_dec_ttl { struct ofact a; uint16_t n_controllers; uint16_t ids[]; };
struct ofact_queue { struct ofact a; uint32_t queue_id; uint32_t pad; };
struct ofact_fin_timeout { struct ofact a; uint16_t idle, hard; uint32_t pad; };
struct ofact_reg_move { struct ofact a; struct subfield src, dst; };
struct ofact_stack { struct ofact a; struct subfield sub; };   /* STACK_PUSH, STACK_POP. */
struct ofact_resubmit { struct ofact a; uint32_t in_port; /* OFPP_IN_PORT: keep. */ uint8_t table_id; /* 255: current. */ bool with_ct_orig; uint16_t pad; };
struct ofact_note { struct ofact a; uint32_t length; uint8_t data[]; };
struct ofact_sample { struct ofact a; uint16_t probability; uint16_t pad; uint32_t collector_set, obs_domain, obs_point, sampling_port; uint8_t direction; };
struct ofact_conjunction { struct ofact a; uint8_t clause, n_clauses; uint16_t pad; uint32_t id; };
struct ofact_learn_spec { bool src_is_field; uint8_t dst; /* 0 match, 1 load, 2 output */ uint16_t n_bits; struct subfield src_sub, dst_sub; union field_value imm; };
enum { LEARN_SEND_FLOW_REM = 1, LEARN_DELETE_LEARNED = 2, LEARN_WRITE_RESULT = 4 };
struct ofact_learn {
    struct ofact a;
    uint16_t idle, hard, priority, fin_idle, fin_hard, flags; /* LEARN_*. */
    uint8_t table_id, pad[3];
    uint64_t cookie; /* Host order. */
    uint32_t limit;
    bool has_result;
    struct subfield result;
    uint32_t n_specs;
    struct ofact_learn_spec specs[];
};
struct ofact_multipath { struct ofact a; uint16_t fields, basis, algorithm, max_link; uint32_t arg; struct subfield dst; };
struct ofact_bundle { struct ofact a; uint16_t fields, basis, algorithm, n_members; struct subfield dst; /* dst.field NULL: output. */ uint32_t members[]; };
struct ofact_check_pkt_larger { struct ofact a; struct subfield dst; uint16_t len; };
struct ofact_nest { struct ofact a; /* struct ofact actions[] */ };  /* CLONE, WRITE_ACTIONS; CT has its own. */
struct ofact_ct {
    struct ofact a;
    uint16_t flags; /* 1 commit, 2 force. */
    uint16_t zone_imm, alg;
    uint8_t recirc_table; /* 255: none. */
    uint8_t pad;
    struct subfield zone_src; /* field NULL: zone_imm. */
    /* struct ofact actions[]: NAT, set_field of ct_mark and ct_label. */
};
struct ofact_nat { struct ofact a; uint16_t flags; uint8_t range_af; uint8_t pad; uint16_t port_min, port_max; struct in6_addr min, max; };
struct ofact_meter { struct ofact a; uint32_t meter_id; uint32_t pad; };
struct ofact_metadata { struct ofact a; be64 metadata, mask; };
struct ofact_goto { struct ofact a; uint8_t table_id; uint8_t pad[7]; };
struct ofact_delete_field { struct ofact a; const struct field *field; };

static inline const struct ofact *
ofact_next(const struct ofact *a)
{
    return (const struct ofact *) (const void *) ((const uint8_t *) a + a->size);
}
#define OFACT_FOR_EACH(A, LIST, SIZE) \
    for ((A) = (const struct ofact *) (const void *) (LIST); (uintptr_t) (A) < (uintptr_t) (LIST) + (SIZE); (A) = ofact_next(A))
void *ofact_put(struct buf *, enum ofact_kind, size_t size); /* Zeroed; pointer valid until the next append. */
const struct ofact *ofact_nested(const struct ofact *, size_t *size); /* Of CLONE, WRITE_ACTIONS, CT. */
bool ofact_has_nested(const struct ofact *);
/* Where an action of an action set is carried out, 1 first; 0: it is not for action sets. OpenFlow section "Action Set". */
unsigned ofact_set_position(const struct ofact *);

/* Decoding of 'len' wire bytes. '*list' gets the records appended; on error nothing. */
enum of_error ofact_decode_actions(struct slice wire, enum of_version, struct buf *list);
enum of_error ofact_decode_instructions(struct slice wire, enum of_version, struct buf *list); /* 1.1 and later. */
void ofact_encode_actions(const void *list, size_t size, enum of_version, struct buf *wire);
void ofact_encode_instructions(const void *list, size_t size, enum of_version, struct buf *wire);

/* Are these actions right for packets of this match, in this table, of a switch with these bounds? Also marks has_vlan and the like. */
struct ofact_limits {
    uint32_t max_ports;
    uint8_t table_id, n_tables;
    bool strict; /* Also the actions of OpenFlow 1.0 need a match that says that packets have what they change; else they do nothing to others. */
};
enum of_error ofact_check(void *list, size_t size, const struct match *, const struct ofact_limits *);

bool ofact_list_equal(const void *a, size_t a_size, const void *b, size_t b_size);
bool ofact_outputs_to_port(const void *list, size_t size, uint32_t port);
bool ofact_outputs_to_group(const void *list, size_t size, uint32_t group);
/* The text of ovs-ofctl(8) dump-flows: "output:2", "mod_vlan_vid:9,NORMAL", "goto_table:1"; "drop" when empty. */
void ofact_format(const void *list, size_t size, const struct port_names *, struct buf *);

#endif
