// SPDX-License-Identifier: Apache-2.0
// struct flow_key and its mask <-> OVS_KEY_ATTR_* of openvswitch.ko, after lib/nl/ovs_key.def. in_port is the
// datapath's port number.
//
// The kernel wants masks in a certain shape (net/openvswitch/flow_netlink.c refuses others): the Ethertype
// exact, a tag's presence exact, an upper layer only under exact protocol fields. The encoder makes a mask
// narrower where that needs it, never wider.
#ifndef LIB_NL_OVS_KEY_H
#define LIB_NL_OVS_KEY_H 1

#include <linux/openvswitch.h>
#include "lib/flow/key.h"
#include "lib/nl/msg.h"

/* The attributes of a flow's key, and of its mask, appended side by side to 'key_buf' and 'mask_buf' (call
 * within a nest of each, one after the other). 'key' has whole fields or the masked bits only. */
void ovs_key_put(struct buf *, const struct flow_key *key, const struct flow_key *mask);
void ovs_mask_put(struct buf *, const struct flow_key *key, const struct flow_key *mask);
/* What the kernel cannot find in the packet itself: for OVS_PACKET_CMD_EXECUTE. */
void ovs_key_put_metadata(struct buf *, const struct flow_key *key);

/* The attributes of a key (or of a mask) into '*key'; fields without an attribute become zero, eth_type
 * FLOW_ETH_TYPE_NONE, in_port UINT32_MAX. 0, or -EINVAL on bytes that make no sense; then '*key' is
 * unchanged. */
int ovs_key_get(struct slice, struct flow_key *key);
/* Metadata only, into '*key', the other members of which are left as they are: for packets, which are parsed
 * anew. */
int ovs_key_get_metadata(struct slice, struct flow_key *key);
/* 'key' is what ovs_key_get() made of the flow's key. */
int ovs_mask_get(struct slice, const struct flow_key *key, struct flow_key *mask);

/* The payload of one attribute of fixed size, for set actions. 'out' has room for OVS_KEY_PAYLOAD_MAX bytes.
 * Its size; 0: no attribute of the table. */
#define OVS_KEY_PAYLOAD_MAX 64
size_t ovs_key_payload(uint16_t attr, const struct flow_key *, bool is_mask, uint8_t *out);
/* The other way; false: unknown attribute or wrong size. */
bool ovs_key_from_payload(uint16_t attr, struct slice, bool is_mask, struct flow_key *);

/* A connection label from our order (a big-endian number) to the kernel's (the host's order), or back. */
void ovs_label_copy(uint8_t dst[16], const uint8_t src[16]);

/* lib/nl/ovs_tunnel.c: the members of OVS_KEY_ATTR_TUNNEL. */
bool ovs_tunnel_present(const struct flow_key *);
void ovs_tunnel_put(struct buf *, const struct flow_key *key, bool is_mask); /* Within the nest. */
int ovs_tunnel_get(struct slice, bool is_mask, struct flow_key *);           /* 0 or -EINVAL. */

#endif
