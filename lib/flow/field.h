// SPDX-License-Identifier: Apache-2.0
// The table of match fields: lib/flow/field.def has a row for each, in the order in which matches are printed. OXM codec, text parser and
// printer, kernel codec and flower compiler walk it.
//
// FIELD(ID, NAME, ALIAS, MEMBER, BYTES, BITS, MASKABLE, FORMAT, PREREQ, WRITABLE, NXM, OXM, OF_VERSION, TEXT)
//   ID        enum field_id FIELD_ID                NAME      as ovs-fields(7) names it;  ALIAS  its OXM-style second name or NULL
//   MEMBER    place in struct flow_key              BYTES     width there and on the wire (of OXM);  BITS  significant low bits
//   MASKABLE  NONE, FULLY (any bits), CIDR is FULLY FORMAT    DECIMAL, HEXADECIMAL, ETHERNET, IPV4, IPV6, OFP_PORT, FRAG, TCP_FLAGS, CT_STATE, TNL_FLAGS, PACKET_TYPE
//   PREREQ    enum field_prereq                     WRITABLE  true/false
//   NXM, OXM  32-bit header without hasmask, or 0   OF_VERSION first OpenFlow version that has the OXM (0x04 = 1.3 ...), 0 none
// Pseudo-fields whose place is not a plain member (vlan_vid, vlan_pcp, vlan_tci, ip_dscp, ip_ecn ..., xreg, xxreg) name hooks.
// How a field stands in openvswitch.ko's attributes and in flower is a second table, keyed by the same ID (lib/nl/ovs_key.def, lib/nl/flower.def),
// with a static assertion that no ID is forgotten.
#ifndef LIB_FLOW_FIELD_H
#define LIB_FLOW_FIELD_H 1

#include "lib/base/buf.h"
#include "lib/flow/match.h"

enum field_format { FF_DECIMAL, FF_HEXADECIMAL, FF_ETHERNET, FF_IPV4, FF_IPV6, FF_OFP_PORT, FF_FRAG, FF_TCP_FLAGS, FF_CT_STATE, FF_TNL_FLAGS, FF_PACKET_TYPE };

enum field_prereq {
    FP_NONE, FP_ETHERNET, FP_ARP, FP_VLAN_VID, FP_IPV4, FP_IPV6, FP_IP_ANY, FP_CT_VALID, FP_MPLS, FP_NSH,
    FP_TCP, FP_UDP, FP_SCTP, FP_ICMPV4, FP_ICMPV6, FP_ND, FP_ND_SOLICIT, FP_ND_ADVERT
};

enum field_id {
#define FIELD(ID, ...) FIELD_##ID,
#include "lib/flow/field.def"
#undef FIELD
    FIELD_N_IDS
};

/* A field's value or mask: BYTES bytes, big-endian, at the END of 'b' for widths below 16 is awkward to read: they stand at the START. */
union field_value {
    uint8_t b[16];
    be64 be64;
    be32 be32;
    be16 be16;
    uint8_t u8;
    struct eth_addr mac;
    struct in6_addr ipv6;
};

struct field {
    enum field_id id;
    const char *name, *alias;
    unsigned n_bytes, n_bits;
    bool maskable, writable;
    enum field_format format;
    enum field_prereq prereq;
    uint32_t nxm, oxm; /* Headers with length, without the mask bit; 0: none. */
    uint8_t oxm_version;
};

extern const struct field field_table[FIELD_N_IDS];
const struct field *field_by_name(const char *name, size_t len); /* NAME or ALIAS; NULL. */
const struct field *field_by_header(uint32_t nxm_or_oxm_header); /* Any of both, mask bit ignored (length for unmasked); NULL. */

/* Values are read from and written to keys and masks in wire (big-endian) form, whatever the member's order in struct flow_key. */
void field_get(const struct field *, const struct flow_key *, union field_value *);
void field_set(const struct field *, const union field_value *, struct flow_key *);
void field_get_mask(const struct field *, const struct flow_key *mask, union field_value *); /* As it would be set in a match. */
void field_set_mask(const struct field *, const union field_value *, struct flow_key *mask); /* Or-s bits into a mask. */
void field_unwildcard(const struct field *, struct flow_key *mask);                          /* All its bits. */
/* Match on value under mask (NULL: exact); replaces what the match said of this field. */
void field_match(const struct field *, const union field_value *, const union field_value *mask, struct match *);
bool field_is_all_zeros(const struct field *, const struct flow_key *);
/* Does the packet have this field?  And the bits looked at to know it, or-ed into 'mask' if it is not NULL. */
bool field_prereqs_ok(const struct field *, const struct flow_key *, struct flow_key *mask);
bool field_match_prereqs_ok(const struct field *, const struct match *);
bool field_value_valid(const struct field *, const union field_value *); /* No bit above BITS, VLAN and fragment values sane. */

/* Text as ovs-ofctl(8) prints and takes it. Parsing: NULL or an error text that names the field (the caller frees). */
void field_format_value(const struct field *, const union field_value *, const union field_value *mask, struct buf *);
char *field_parse(const struct field *, const char *text, union field_value *value, union field_value *mask);

/* A subfield: bits [ofs, ofs + n_bits) of a field. */
struct subfield {
    const struct field *field;
    unsigned ofs, n_bits;
};
uint64_t subfield_get(const struct subfield *, const struct flow_key *);                 /* n_bits <= 64. */
void subfield_set(const struct subfield *, uint64_t, struct flow_key *);                 /* n_bits <= 64. */
void subfield_get_wide(const struct subfield *, const struct flow_key *, union field_value *); /* Right-aligned big-endian in 16 bytes. */
void subfield_set_wide(const struct subfield *, const union field_value *, struct flow_key *);
void subfield_unwildcard(const struct subfield *, struct flow_key *mask);
void subfield_format(const struct subfield *, struct buf *); /* NXM name and [a..b], as ovs-actions(7). */
const char *field_nxm_name(const struct field *);            /* "NXM_OF_IN_PORT", "OXM_OF_..." as the installed tools print in move and load. */
#endif
