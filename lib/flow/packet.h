// SPDX-License-Identifier: Apache-2.0
// A packet: bytes, and where its layers begin. Parsing reads any bytes safely: what is cut short ends the key there, as flow extraction of
// openvswitch.ko does.
#ifndef LIB_FLOW_PACKET_H
#define LIB_FLOW_PACKET_H 1

#include "lib/base/buf.h"
#include "lib/flow/key.h"

/* Bytes are owned, with head room for pushed headers. Offsets are from 'data'; PACKET_NO_LAYER where a layer is not there. */
struct packet {
    uint8_t *base;      /* 'room', or malloc'd where that became too small. */
    uint8_t *data;      /* First byte of the frame. */
    uint32_t len;
    uint32_t headroom;  /* data - base. */
    uint16_t l2_5, l3, l4; /* After packet_extract(): MPLS, network, transport header. */
    uint32_t cutlen;    /* Bytes that the next output leaves off (trunc). */
    uint8_t room[];
};
#define PACKET_NO_LAYER UINT16_MAX
#define PACKET_HEADROOM 128
#define PACKET_MAX_LEN 65535

struct packet *packet_new(const void *data, size_t len); /* Copies. */
struct packet *packet_clone(const struct packet *);
void packet_free(struct packet *);
void *packet_push(struct packet *, size_t n);  /* Room at the front; may move the bytes. */
void packet_pull(struct packet *, size_t n);   /* n <= len. */

/* Fills L2 to L4 of '*key' from the bytes, and the packet's layer offsets; metadata members of '*key' are left as they are. */
void packet_extract(struct packet *, struct flow_key *key);
/* Which mask bits parsing looked at to know the layout (packet_type, eth_type, of IP nw_frag): what every megaflow must match. Or-ed into 'mask'. */
void packet_parse_mask(const struct flow_key *key, struct flow_key *mask);
/* What the key would be, had only 'limit' VLAN tags been understood (other_config:vlan-limit of ovs-vswitchd.conf.db(5)): with more tags the next
 * one's TPID is the Ethertype and nothing behind it is known. */
void packet_key_limit_vlans(struct flow_key *key, unsigned limit);
/* 'mask' is of what 'key' is with that limit: makes it one for 'key' itself, to which all packets belong that look the same so far. The Ethertype
 * behind the tags stays in it: no datapath does without. */
void packet_mask_limit_vlans(const struct flow_key *key, struct flow_key *mask, unsigned limit);

/* Header edits, with checksum repair. Each does nothing when the packet has no such header. They need the layer offsets that
 * packet_extract() set and keep them true, but for packet_pop_mpls() of the last label: what is behind it must be extracted again. */
void packet_push_vlan(struct packet *, be16 tpid, be16 tci /* without FLOW_VLAN_PRESENT matters not */);
void packet_pop_vlan(struct packet *);
void packet_push_mpls(struct packet *, be16 eth_type, be32 lse);
void packet_pop_mpls(struct packet *, be16 eth_type);
/* Writes the masked L2..L4 fields of 'key' into the frame (the masked set of openvswitch.ko). */
void packet_set_fields(struct packet *, const struct flow_key *key, const struct flow_key *mask);

/* Checksums as they stand in the packet (network order), RFC 1071. csum(p, n) is csum_finish(csum_add(0, p, n)); pieces but the last are even. */
uint16_t csum(const void *, size_t n);
uint32_t csum_add(uint32_t sum, const void *, size_t n);
uint16_t csum_finish(uint32_t sum);
uint16_t csum_update16(uint16_t sum, be16 was, be16 is);       /* RFC 1624 equation 3. */
uint16_t csum_update32(uint16_t sum, be32 was, be32 is);

be32 packet_sctp_csum(const uint8_t *sctp, size_t n);          /* RFC 9260 section 6.8, of the SCTP packet; n >= 12. */

/* IPv6 extension headers (RFC 8200 section 4) that are walked over; the length of one of kind 'kind' whose first 8 bytes are at 'p'. */
bool packet_is_ipv6_extension(uint8_t next);
size_t packet_ipv6_extension_len(uint8_t kind, const uint8_t *p);

/* A frame that packet_extract() turns into 'key' again (as far as fields go), 'l4_payload' bytes after the headers: for trace and tests. */
struct packet *packet_compose(const struct flow_key *key, size_t l4_payload);

#endif
