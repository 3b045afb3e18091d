// SPDX-License-Identifier: Apache-2.0
// Inside the codec of actions: what its files share.
#ifndef LIB_OF_OFACT_PRIVATE_H
#define LIB_OF_OFACT_PRIVATE_H 1

#include "lib/of/ofact.h"
#include "lib/of/oxm.h"

/* A form on the wire: a WIRE row of lib/of/ofact.def. */
struct wire_form {
    uint8_t kind, vendor, first, last;
    uint16_t type, min;
    bool variable;
};
enum wire_vendor { VENDOR_STD, VENDOR_NX, VENDOR_ONF };
extern const struct wire_form ofact_wires[WIRE_N];

/* One action being decoded. A decoder appends its record to 'out'; what stands in 'out' after an error is taken off again by the caller. */
struct ofact_decoder {
    enum of_version version;
    enum ofact_wire wire;
    struct slice body;  /* What follows the header, vendor and subtype included in the header. */
    size_t len;         /* Of the whole action. */
    unsigned depth;     /* Nesting. */
    struct buf *out;
};

/* An encoder appends to 'out' for 'version'. */
struct ofact_encoder {
    enum of_version version;
    struct buf *out;
};

#define OFACT(KIND, STRUCT, SET, CHECK)                          \
    enum of_error ofact_decode_##KIND(struct ofact_decoder *);   \
    void ofact_encode_##KIND(const struct STRUCT *, struct ofact_encoder *);
#include "lib/of/ofact.def"

/* A new record of the kind that 'wire' says, zeroed, marked with the form. */
void *ofact_decoder_put(struct ofact_decoder *, size_t size);
/* Nested actions into the record that begins at 'start' in d->out; its size is set. */
enum of_error ofact_decode_nested(struct ofact_decoder *, struct slice actions, size_t start);
enum of_error ofact_decode_list(struct slice, enum of_version, unsigned depth, struct buf *);
/* Must the rest be zero, as specifications ask of padding? */
bool slice_is_zero(struct slice);

/* Begins an action of the form; its offset. End pads to 8 bytes and writes the length. */
size_t ofact_encode_begin(struct ofact_encoder *, enum ofact_wire);
void ofact_encode_end(struct ofact_encoder *, size_t start);
void ofact_encode_empty(struct ofact_encoder *, enum ofact_wire);                /* An action that is only a header. */
void ofact_encode_record(const struct ofact *, struct ofact_encoder *);          /* Any record. */
void ofact_encode_list(const void *list, size_t size, struct ofact_encoder *);
/* In nested lists and in write_actions, instructions have no place. */
bool ofact_is_instruction(enum ofact_kind);

/* Bits of a field as actions say them. 'n_bits' 0: the whole field. */
enum of_error ofact_pull_subfield(struct slice *, unsigned ofs, unsigned n_bits, struct subfield *);
enum of_error subfield_check_src(const struct subfield *, const struct match *);
enum of_error subfield_check_dst(const struct subfield *, const struct match *);
static inline uint16_t
ofs_nbits_encode(const struct subfield *s)
{
    return (uint16_t) (s->ofs << 6 | (s->n_bits - 1));
}

/* Writes of a field that have a form of their own: mod_vlan_vid, set_tunnel and so on. */
struct set_form {
    enum ofact_wire wire;
    enum field_id field;
    const char *text;     /* "mod_vlan_vid:", or "set_mpls_ttl(" with a closing parenthesis. */
    uint8_t ofs;          /* Of the value behind the header. */
    uint8_t n_bytes;      /* There; aligned right in the field. */
};
const struct set_form *set_form_by_wire(enum ofact_wire);
/* Consecutive bits that are set in a mask, lowest first; false when there are no more. 's->field' is set; start with ofs and n_bits 0. Segments are
 * of at most 64 bits. */
bool set_field_next_segment(const struct ofact_set_field *, struct subfield *s, uint64_t *value);

/* Names of ovs-actions(7). */
const char *hash_fields_name(uint16_t fields);

#endif
