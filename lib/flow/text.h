// SPDX-License-Identifier: Apache-2.0
// Pieces of text that matches, datapath matches and actions have in common: for lib/flow's own use.
#ifndef LIB_FLOW_TEXT_H
#define LIB_FLOW_TEXT_H 1

#include "lib/flow/wide.h"

/* "0" or hexadecimal with 0x. */
void text_put_hex(struct buf *, u128);
/* "value", then "/mask" unless the mask is all ones. */
void text_put_eth(struct buf *, struct eth_addr value, struct eth_addr mask);
void text_put_ipv4(struct buf *, be32 value, be32 mask);
void text_put_ipv6(struct buf *, const struct in6_addr *value, const struct in6_addr *mask);

/* Named bits; a list ends with a NULL name. */
struct flag_name {
    uint32_t bit;
    const char *name;
};
extern const struct flag_name ct_state_names[], tcp_flag_names[], tnl_flag_names[];
void text_put_flags(struct buf *, uint32_t flags, const struct flag_name *); /* "syn|ack", "0" */
void text_put_flags_masked(struct buf *, uint32_t flags, uint32_t mask,
                           const struct flag_name *); /* "+syn-ack" */
/* "a|b", "+a-b", "0x12" or "0x12/0x13" with 'mask' all of 'all' when none is said; false if it is none of
 * these or names unknown bits. */
bool text_get_flags(const char *, const struct flag_name *, uint32_t all, uint32_t *flags, uint32_t *mask);

/* The whole of the string, with "/mask" or, for addresses, "/prefix length". false leaves the outputs as they
 * are. */
bool text_get_int(const char *, size_t len, u128 *); /* Decimal or 0x; up to 128 bits. */
bool text_get_eth(const char *, struct eth_addr *value, struct eth_addr *mask);
bool text_get_ipv4(const char *, be32 *value, be32 *mask);
bool text_get_ipv6(const char *, struct in6_addr *value, struct in6_addr *mask);

/* The next "key", "key=value" or "key(value)" of a list whose members stand apart by commas and white space.
 * The strings are the caller's to free. A value goes to the next such separator outside of parentheses and
 * brackets; without one it is "". false at the end. */
bool text_next_pair(const char **pos, char **key, char **value);

#endif
