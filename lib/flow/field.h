// SPDX-License-Identifier: Apache-2.0
// The table of match fields: lib/flow/field.def has a row for each. OXM codec, text parser and printer walk it.
//
// FIELD(ID, NAME, ALIAS, PLACE, MEMBER, SHIFT, BYTES, BITS, MASKABLE, FORMAT, PREREQ, WRITABLE, HEADER...)
//   ID        enum field_id FIELD_ID                 NAME      as ovs-fields(7) names it;  ALIAS  its second name or NULL
//   PLACE     how the value lies in struct flow_key: enum field_place without FIELD_;  MEMBER  where;  SHIFT  its lowest bit there
//   BYTES     width on the wire;  BITS  significant low bits
//   MASKABLE  NO or ANY (any bits)                   FORMAT    enum field_format without FF_
//   PREREQ    enum field_prereq without FP_          WRITABLE  RW or RO (an action may set it)
//   HEADER    up to three, oldest version first: NXM_OF(NAME, NUMBER), NXM_NX(NAME, NUMBER), OXM_OF(NAME, NUMBER, OFxx) and so on;
//             NO_HEADER: the field exists in text only
//
// A TLV header of NXM or OXM is a uint64_t here: in the upper 32 bits the header as it stands on the wire (class 16, field 7, mask 1, length 8), in the
// lower 32 bits the experimenter that follows it when the class is 0xffff, else 0. Length counts the experimenter's 4 bytes then, as on the wire.
//
// How a field stands in openvswitch.ko's attributes and in flower is told in tables of those rooms, keyed by the same ID.
#ifndef LIB_FLOW_FIELD_H
#define LIB_FLOW_FIELD_H 1

#include "lib/base/buf.h"
#include "lib/flow/match.h"

enum field_format {
    FF_DECIMAL, FF_HEXADECIMAL, FF_ETHERNET, FF_IPV4, FF_IPV6, FF_OFP_PORT, FF_FRAG, FF_TCP_FLAGS, FF_CT_STATE, FF_TNL_FLAGS, FF_PACKET_TYPE
};

enum field_prereq {
    FP_NONE, FP_ETHERNET, FP_ARP, FP_VLAN_VID, FP_IPV4, FP_IPV6, FP_IP_ANY, FP_CT_VALID, FP_MPLS,
    FP_TCP, FP_UDP, FP_SCTP, FP_ICMPV4, FP_ICMPV6, FP_ND, FP_ND_SOLICIT, FP_ND_ADVERT
};

enum field_place {
    FIELD_BE,     /* BITS bits from SHIFT on of a big-endian member of up to 8 bytes. */
    FIELD_HOST,   /* The same of a member in host order. */
    FIELD_BYTES,  /* The bytes as they are. */
    FIELD_REGS,   /* BYTES / 4 registers, the first most significant. */
    FIELD_PORT16, /* in_port as 16 bits: OFPP_MAX and up of OpenFlow 1.0. */
    FIELD_VLAN,   /* Bits of a TCI that bring FLOW_VLAN_PRESENT with them. */
    FIELD_TOS,    /* DSCP in place, without ECN. */
};

enum field_id {
#define FIELD(ID, ...) FIELD_##ID,
#include "lib/flow/field.def"
#undef FIELD
    FIELD_N_IDS
};

/* A field's value or mask: n_bytes bytes, big-endian, at the START of 'b'; the rest is zero. */
union field_value {
    uint8_t b[16];
    be64 be64;
    be32 be32;
    be16 be16;
    uint8_t u8;
    struct eth_addr mac;
    struct in6_addr ipv6;
};

struct field_header {
    const char *name; /* "NXM_OF_IN_PORT" */
    uint64_t header;  /* Without length and mask bit. */
    uint8_t version;  /* First OpenFlow version (1.2 is 3) that uses it, 0 for NXM. */
};
#define FIELD_N_HEADERS 3

struct field {
    enum field_id id;
    const char *name, *alias;
    enum field_place place;
    uint16_t ofs;          /* Of the member in struct flow_key. */
    uint8_t size, shift;   /* Of the member, in bytes; of the value in it, in bits. */
    uint8_t n_bytes, n_bits;
    bool maskable, writable;
    enum field_format format;
    enum field_prereq prereq;
    uint64_t bits;         /* Those of a member of up to 8 bytes that are the field's. */
    struct field_header headers[FIELD_N_HEADERS]; /* Unused ones have no name. */
};

extern const struct field field_table[FIELD_N_IDS];
const struct field *field_by_name(const char *name, size_t len); /* NAME or ALIAS; NULL. */
const struct field *field_by_nxm_name(const char *name, size_t len); /* Any header's name; NULL. */
/* The field that a header of any version names, mask bit ignored; NULL if there is none. The length is not looked at: see field_wire_length(). */
const struct field *field_by_header(uint64_t header);
/* The header to encode 'f' with for an OpenFlow version (wire number; 0 for NXM); with length, 0 if the field has none at all. */
uint64_t field_header(const struct field *, unsigned of_version, bool masked);
#define FIELD_HEADER_EXPERIMENTER_CLASS 0xffff
static inline bool
field_header_has_experimenter(uint64_t header)
{
    return header >> 48 == FIELD_HEADER_EXPERIMENTER_CLASS;
}
static inline bool
field_header_is_masked(uint64_t header)
{
    return header >> 40 & 1;
}
static inline unsigned
field_header_length(uint64_t header) /* Of what follows the 4 header bytes, experimenter included. */
{
    return header >> 32 & 0xff;
}
/* The only length that a TLV of the field may have. */
static inline unsigned
field_wire_length(const struct field *f, uint64_t header)
{
    return f->n_bytes * (field_header_is_masked(header) ? 2u : 1u) + (field_header_has_experimenter(header) ? 4u : 0u);
}

/* Values are read from and written to keys and masks in wire (big-endian) form, whatever the member's order in struct flow_key. */
void field_get(const struct field *, const struct flow_key *, union field_value *);
void field_set(const struct field *, const union field_value *, struct flow_key *);
void field_get_mask(const struct field *, const struct flow_key *mask, union field_value *); /* As it would be set in a match. */
void field_set_mask(const struct field *, const union field_value *, struct flow_key *mask); /* Or-s bits into a mask. */
void field_unwildcard(const struct field *, struct flow_key *mask);                          /* All its bits. */
/* Match on value under mask (NULL: exact); replaces what the match said of this field. Bits of 'value' outside 'mask' are dropped. */
void field_match(const struct field *, const union field_value *value, const union field_value *mask, struct match *);
bool field_is_all_zeros(const struct field *, const struct flow_key *);
bool field_mask_is_exact(const struct field *, const union field_value *mask); /* All significant bits. */
/* Does the packet have this field?  And the bits looked at to know it, or-ed into 'mask' if it is not NULL. */
bool field_prereqs_ok(const struct field *, const struct flow_key *, struct flow_key *mask);
bool field_match_prereqs_ok(const struct field *, const struct match *);
bool field_value_valid(const struct field *, const union field_value *); /* No bit above BITS, VLAN and fragment values sane. */

/* A match taken apart, each thing said once and every field behind its prerequisites: what goes on the wire for an OpenFlow version (0 for NXM: VLAN as TCI,
 * 16-bit in_port, ToS in place). 'list' has FIELD_N_IDS slots; the number used. */
struct field_match {
    const struct field *field;
    union field_value value, mask;
    bool exact; /* 'mask' is all significant bits: no mask on the wire. */
};
size_t field_match_list(const struct match *, unsigned of_version, struct field_match *list);

/* Text as ovs-ofctl(8) prints and takes it. Parsing: NULL or an error text that names the field (the caller frees); 'mask' all significant bits without one. */
void field_format_value(const struct field *, const union field_value *, const union field_value *mask /* NULL: exact */,
                        const struct port_names *, struct buf *);
char *field_parse(const struct field *, const char *text, const struct port_names *, union field_value *value, union field_value *mask);

/* A subfield: bits [ofs, ofs + n_bits) of a field, 0 the least significant. */
struct subfield {
    const struct field *field;
    unsigned ofs, n_bits;
};
uint64_t subfield_get(const struct subfield *, const struct flow_key *);                 /* n_bits <= 64. */
void subfield_set(const struct subfield *, uint64_t, struct flow_key *);                 /* n_bits <= 64. */
void subfield_get_wide(const struct subfield *, const struct flow_key *, union field_value *); /* Right-aligned big-endian in 16 bytes. */
void subfield_set_wide(const struct subfield *, const union field_value *, struct flow_key *);
void subfield_move(const struct subfield *src, const struct subfield *dst, struct flow_key *);
void subfield_unwildcard(const struct subfield *, struct flow_key *mask);
void subfield_format(const struct subfield *, struct buf *); /* NXM name and [a..b], as ovs-actions(7). */
const char *field_nxm_name(const struct field *);            /* "NXM_OF_IN_PORT", "OXM_OF_..." as the installed tools print in move and load. */
#endif
