// SPDX-License-Identifier: Apache-2.0
// Matches on the wire: TLVs of NXM and OXM, and the fixed structures of OpenFlow 1.0 and 1.1. All of it walks the table of lib/flow/field.def.
// Sources: OpenFlow Switch Specification 1.0.2 section 5.2.3, 1.1.0 appendix A.2.3, 1.5.1 section 7.2.3; ovs-fields(7).
#ifndef LIB_OF_OXM_H
#define LIB_OF_OXM_H 1

#include "lib/flow/field.h"
#include "lib/of/of.h"

/* The pseudo-field NXM_NX_COOKIE of Nicira's flow messages. Host order. */
struct oxm_cookie {
    uint64_t value, mask;
};

/* A bare sequence of TLVs. 'strict': an unknown field is an error, else it is passed over. 'cookie' NULL: that pseudo-field is unknown.
 * On an error '*match' is unspecified. */
enum of_error oxm_decode(struct slice tlvs, bool strict, struct match *, struct oxm_cookie *cookie);
/* Appends the TLVs of 'match' as a version says them (0: NXM). */
void oxm_encode(const struct match *, unsigned of_version, struct buf *);
void oxm_encode_cookie(const struct oxm_cookie *, struct buf *); /* Nothing for a mask of 0. */

/* One TLV header, experimenter included. OFPBMC_BAD_LEN: cut short. OFPBMC_BAD_FIELD: unknown field ('*field' is NULL), or one that cannot be as long as that;
 * '*wire' is set nevertheless. */
enum of_error oxm_pull_header(struct slice *, const struct field **, uint64_t *wire);
/* Header, value and mask (all significant bits without one). */
enum of_error oxm_pull_entry(struct slice *, const struct field **, union field_value *value, union field_value *mask, bool *masked);
/* Is this a mask that the field may have? One that takes no mask may be said to be matched whole, or not at all. */
bool oxm_mask_ok(const struct field *, const union field_value *mask);
void oxm_put_header(const struct field *, unsigned of_version, bool masked, struct buf *); /* 4 bytes, or 8. */
void oxm_put_entry(const struct field *, unsigned of_version, const union field_value *value, const union field_value *mask /* NULL: exact */,
                   struct buf *);

/* struct ofp_match of a version, with padding: off the front of '*s', or appended. */
enum of_error of_match_pull(struct slice *s, enum of_version, bool strict, struct match *);
void of_match_put(const struct match *, enum of_version, struct buf *);
void of_match_put_oxm(const struct match *, enum of_version, struct buf *); /* TLVs, also where 1.1 has a structure of fixed size that says less. */
#define OF10_MATCH_LEN 40
#define OF11_MATCH_LEN 88
void of10_match_decode(const uint8_t wire[OF10_MATCH_LEN], struct match *); /* What the prerequisites do not allow is left out. */
void of10_match_encode(const struct match *, uint8_t wire[OF10_MATCH_LEN]);
enum of_error of11_match_decode(const uint8_t wire[OF11_MATCH_LEN], struct match *);
void of11_match_encode(const struct match *, uint8_t wire[OF11_MATCH_LEN]);

#endif
