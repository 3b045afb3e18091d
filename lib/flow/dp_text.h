// SPDX-License-Identifier: Apache-2.0
// The parts of a datapath flow's match, which are also what a set action writes: for lib/flow's own use.
#ifndef LIB_FLOW_DP_TEXT_H
#define LIB_FLOW_DP_TEXT_H 1

#include "lib/flow/action.h"
#include "lib/flow/text.h"

enum dp_attr_id {
    DP_ETH,
    DP_IPV4,
    DP_IPV6,
    DP_TCP,
    DP_UDP,
    DP_SCTP,
    DP_ICMP,
    DP_ICMPV6,
    DP_ARP,
    DP_ND,
    DP_ND_EXTENSIONS,
    DP_CT_TUPLE4,
    DP_CT_TUPLE6,
    DP_SKB_PRIORITY,
    DP_SKB_MARK,
    DP_CT_ZONE,
    DP_CT_MARK,
    DP_CT_LABEL,
    DP_RECIRC_ID,
    DP_DP_HASH,
    DP_N_ATTRS
};

/* "name(...)" and a comma; nothing for a wild one unless 'verbose'. */
void dp_attr_format(enum dp_attr_id, const struct flow_key *, const struct flow_key *mask, bool verbose,
                    struct buf *);
void dp_mpls_format(const struct flow_key *, const struct flow_key *mask, bool verbose, struct buf *);
void dp_vlan_format(be16 tci, be16 mask, bool verbose, struct buf *); /* "vid=1,pcp=2", no comma behind it. */
void dp_tunnel_format(const struct flow_key *, const struct flow_key *mask, bool verbose, struct buf *);

/* "name(text)" into the key, with all bits of what it names, or those it says, or-ed into the mask. -ENOENT:
 * not an attribute; -EINVAL: bad text. */
int dp_attr_parse(const char *name, const char *text, struct flow_key *key, struct flow_key *mask);
int dp_vlan_parse(const char *text, be16 *tci, be16 *mask);
int dp_mpls_parse(const char *text, be32 *lse,
                  be32 *mask); /* One label stack entry; "label", "tc", "ttl", "bos". */
int dp_packet_type_parse(const char *text, be32 *type); /* "ns=0,id=0" */

#endif
