// SPDX-License-Identifier: Apache-2.0
// A match: a key and the mask that says which of its bits count. Bits of the key outside the mask are zero.
#ifndef LIB_FLOW_MATCH_H
#define LIB_FLOW_MATCH_H 1

#include "lib/base/buf.h"
#include "lib/flow/key.h"

/* Full form, for the stack. */
struct match {
    struct flow_key key;
    struct flow_key mask;
};

/* Kept form: one block; 'map' is that of the mask; values[i] and masks[i] belong together. Owned by who holds it. */
struct match_sparse {
    uint64_t map;
    uint64_t words[]; /* n key words, then n mask words. */
};

void match_init_any(struct match *);
bool match_equal(const struct match *, const struct match *);
bool match_covers(const struct match *, const struct flow_key *);        /* Does the packet match? */
bool match_is_subset(const struct match *narrow, const struct match *wide); /* Every packet of 'narrow' matches 'wide' (OpenFlow loose). */
bool match_overlaps(const struct match *, const struct match *);         /* Some packet matches both. */
struct match_sparse *match_pack(const struct match *);
void match_unpack(const struct match_sparse *, struct match *);
bool match_sparse_equal(const struct match_sparse *, const struct match_sparse *);
uint32_t match_sparse_hash(const struct match_sparse *, uint32_t basis);
unsigned match_sparse_n(const struct match_sparse *);
bool match_sparse_is_subset(const struct match_sparse *narrow, const struct match *wide);

/* Names of ports for text: OpenFlow numbers to names and back. Either may be NULL. */
struct port_names {
    const char *(*name)(uint32_t ofp_port, const void *aux);      /* NULL: print the number. */
    bool (*number)(const char *name, uint32_t *ofp_port, const void *aux);
    const void *aux;
};

/* A port as text: reserved ports by name (LOCAL, CONTROLLER ...), others by 'names' (quoted if need be) or number. */
void ofp_port_format(uint32_t port, const struct port_names *names, struct buf *);
bool ofp_port_parse(const char *, const struct port_names *names, uint32_t *port); /* In either case; 16-bit reserved numbers become 32-bit ones. */

/* Bits of ct_state: "new|trk" ("0" without any), and the bit of a name (0: there is none of that name). */
void ct_state_format(uint8_t state, struct buf *);
uint8_t ct_state_by_name(const char *);

/* The text of ovs-ofctl(8) "Flow Syntax": "tcp,in_port=1,nw_src=10.0.0.0/8". With 'priority' 32768 not printed; -1 never. */
void match_format(const struct match *, int priority, const struct port_names *, struct buf *);
/* NULL, or an error text (the caller frees). Takes shorthands (tcp, ip, arp, ...), field names, value/mask, "priority=" if 'priority' is not NULL. */
char *match_parse(const char *text, const struct port_names *, struct match *, unsigned *priority);
/* A packet's key, as "Flow: ..." of ofproto/trace prints it. */
void flow_key_format(const struct flow_key *, const struct port_names *, struct buf *);
/* One concrete key from text (ofproto/trace's FLOW argument in ovs-ofctl form). */
char *flow_key_parse(const char *text, const struct port_names *, struct flow_key *);

#endif
