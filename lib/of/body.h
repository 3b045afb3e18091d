// SPDX-License-Identifier: Apache-2.0
// Decoded OpenFlow bodies: wire formats die at the edge, the rest of the house sees these. Integers are in host order unless typed beNN.
// What a decoder hands out beyond the struct itself (action lists, payload) lives in the struct buf or slice named in it.
#ifndef LIB_OF_BODY_H
#define LIB_OF_BODY_H 1

#include "lib/of/msg.h"
#include "lib/of/ofact.h"

enum of_flow_mod_command { OFPFC_ADD, OFPFC_MODIFY, OFPFC_MODIFY_STRICT, OFPFC_DELETE, OFPFC_DELETE_STRICT };
enum { OFPFF_SEND_FLOW_REM = 1, OFPFF_CHECK_OVERLAP = 2, OFPFF_RESET_COUNTS = 4, OFPFF_NO_PKT_COUNTS = 8, OFPFF_NO_BYT_COUNTS = 16, OFPFF_HIDDEN = 1 << 14, OFPFF_READONLY = 1 << 15 };

struct flow_mod {
    struct match match;
    uint16_t priority;
    uint16_t command;       /* enum of_flow_mod_command. */
    uint64_t cookie, cookie_mask, new_cookie;
    bool modify_cookie;     /* new_cookie replaces the rule's in a modify. */
    uint8_t table_id;       /* OFPTT_ALL: 1.0 without table extension, or any. */
    uint16_t idle_timeout, hard_timeout, importance, flags;
    uint32_t buffer_id, out_port, out_group;
    bool strict;            /* For ofact_check(). */
    struct buf actions;     /* Records of lib/of/ofact.h, not checked yet; the decoder's caller frees. */
};

struct flow_stats_request {
    bool aggregate;
    struct match match;
    uint64_t cookie, cookie_mask;
    uint32_t out_port, out_group;
    uint8_t table_id;
};

struct flow_stats {
    struct match match;
    uint64_t cookie;
    uint8_t table_id;
    uint16_t priority, idle_timeout, hard_timeout, importance, flags;
    uint32_t duration_sec, duration_nsec;
    int idle_age, hard_age; /* Seconds, -1 unknown. */
    uint64_t n_packets, n_bytes;
    const void *actions;
    size_t actions_len;
};

struct aggregate_stats { uint64_t n_packets, n_bytes; uint32_t n_flows; };

struct packet_out {
    uint32_t buffer_id;
    uint32_t in_port;
    struct match meta; /* 1.5 and NXT: metadata to start with. */
    struct buf actions;
    struct slice data;
};

enum packet_in_format { PACKET_IN_STD, PACKET_IN_NXT, PACKET_IN_NXT2 };
struct packet_in {
    struct slice data;      /* The whole frame. */
    uint16_t max_len;       /* What the action asked for. Frames are not buffered here, so that all of it is sent. */
    struct flow_key key;    /* Metadata fields are sent: in_port (OpenFlow number), metadata, registers, tunnel, ct. */
    uint8_t reason, table_id;
    uint64_t cookie;        /* UINT64_MAX where no rule matched. */
    struct slice userdata;
    struct slice continuation; /* NXT2 pause: opaque. */
};

struct flow_removed {
    struct match match;
    uint64_t cookie;
    uint16_t priority, idle_timeout, hard_timeout;
    uint8_t reason, table_id;
    uint32_t duration_sec, duration_nsec;
    uint64_t n_packets, n_bytes;
};

/* Port configuration and state, OpenFlow 1.1 numbering, with 1.0's extra bits above. */
enum { OFPPC_PORT_DOWN = 1, OFPPC_NO_STP = 2, OFPPC_NO_RECV = 4, OFPPC_NO_RECV_STP = 8, OFPPC_NO_FLOOD = 16, OFPPC_NO_FWD = 32, OFPPC_NO_PACKET_IN = 64 };
enum { OFPPS_LINK_DOWN = 1, OFPPS_BLOCKED = 2, OFPPS_LIVE = 4, OFPPS_STP_LISTEN = 0 };
struct of_port {
    uint32_t number;
    char name[64];
    struct eth_addr mac;
    uint32_t config, state;
    uint32_t curr, advertised, supported, peer; /* OFPPF_* of 1.1. */
    uint32_t curr_speed, max_speed;             /* kbit/s. */
};
struct of_port_mod { uint32_t port; struct eth_addr mac; uint32_t config, mask, advertise; };
struct of_port_stats {
    uint32_t number;
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped, rx_errors, tx_errors, rx_frame, rx_over, rx_crc, collisions; /* UINT64_MAX: not known. */
    uint32_t duration_sec, duration_nsec;
};
struct of_table_stats { uint8_t table_id; bool is_last; char name[32]; uint32_t config /* OFPTC11_TABLE_MISS_*. */, active, max_entries; uint64_t lookups, matched; };
struct of_switch_features { uint64_t datapath_id; uint32_t n_buffers, capabilities, ofp10_actions; uint8_t n_tables, auxiliary_id; };
struct of_switch_config { uint16_t frag; uint16_t miss_send_len; int8_t invalid_ttl_to_controller; /* -1: not said. */ };
enum of_role { OFPCR_NOCHANGE, OFPCR_EQUAL, OFPCR_MASTER, OFPCR_SLAVE };
struct of_role_request { enum of_role role; bool has_generation; uint64_t generation; };
/* Asynchronous messages that are wanted, [0] as master or equal, [1] as slave: bits by reason. */
struct of_async { uint32_t packet_in[2], port_status[2], flow_removed[2]; };

/* Codecs. Decoders return OFERR_OK or an error and then leave outputs untouched or empty; encoders append one message, or one entry of a multipart reply.
 * 'version' with 'row' decides the form. */
struct of_msg;
struct of_multipart;

/* body_flow.c. The table in the upper byte of a command is the flow_mod_table_id extension of 1.0. */
enum of_error flow_mod_decode(const struct of_msg *, bool table_id_in_command, struct flow_mod *);
void flow_mod_clear(struct flow_mod *);
enum of_error flow_stats_request_decode(const struct of_msg *, struct flow_stats_request *);
void flow_stats_encode(struct of_multipart *, const struct flow_stats *);
void aggregate_stats_encode(const struct aggregate_stats *, const struct of_msg *request, struct buf *);
void flow_removed_encode(const struct flow_removed *, enum of_version, bool nxm, struct buf *);

/* body_packet.c */
enum of_error packet_out_decode(const struct of_msg *, struct packet_out *); /* 'data' points into the message. */
void packet_out_clear(struct packet_out *);
uint8_t packet_in_wire_reason(uint8_t reason, enum of_version); /* Older versions know fewer. */
void packet_in_encode(const struct packet_in *, enum of_version, enum packet_in_format, struct buf *);

/* body_port.c */
void of_port_encode(const struct of_port *, enum of_version, struct buf *);
void port_status_encode(const struct of_port *, enum of_port_reason, enum of_version, struct buf *);
enum of_error port_mod_decode(const struct of_msg *, struct of_port_mod *);
enum of_error port_number_decode(const struct of_msg *, uint32_t *port); /* Of a request for statistics or descriptions: 16 or 32 bits at the front. */
void port_stats_encode(const struct of_port_stats *, enum of_version, struct buf *);

/* body_switch.c */
struct of_switch_desc { const char *mfr, *hw, *sw, *serial, *dp; };
void hello_encode(uint32_t versions, struct buf *); /* Bitmap of 1 << enum of_version. */
uint32_t hello_decode(struct slice whole);          /* The versions that the peer speaks. 0: malformed. */
void error_encode(enum of_error, enum of_version, be32 xid, struct slice request, struct buf *);
void empty_encode(enum msg_row, enum of_version, be32 xid, struct buf *); /* A message without a body. */
size_t switch_features_begin(const struct of_switch_features *, enum of_version, be32 xid, struct buf *); /* of_port_encode() and of_msg_end() follow. */
void switch_config_encode(const struct of_switch_config *, enum of_version, be32 xid, struct buf *);
enum of_error switch_config_decode(const struct of_msg *, struct of_switch_config *);
void switch_desc_encode(const struct of_switch_desc *, const struct of_msg *request, struct buf *);
enum of_error role_request_decode(const struct of_msg *, struct of_role_request *);
void role_reply_encode(const struct of_role_request *, const struct of_msg *request, struct buf *);
/* The ONF's extension of 1.3: another session took the master's role. */
void role_status_encode(const struct of_role_request *now, struct buf *);
enum of_error async_decode(const struct of_msg *, struct of_async *); /* In: what holds now; out: with what the message says. */
void async_reply_encode(const struct of_async *, const struct of_msg *request, struct buf *);

/* body_monitor.c. Flags are Nicira's numbers in all versions. */
enum { FLOW_MONITOR_INITIAL = 1, FLOW_MONITOR_ADD = 2, FLOW_MONITOR_DELETE = 4, FLOW_MONITOR_MODIFY = 8, FLOW_MONITOR_ACTIONS = 16, FLOW_MONITOR_OWN = 32 };
enum { FLOW_MONITOR_ADD_COMMAND, FLOW_MONITOR_MODIFY_COMMAND, FLOW_MONITOR_DELETE_COMMAND }; /* Of 1.4; else 0. */
struct flow_monitor_request { uint32_t id; uint16_t flags; uint8_t command; struct flow_stats_request select; };
enum flow_update_event { FLOW_UPDATE_ADDED, FLOW_UPDATE_DELETED, FLOW_UPDATE_MODIFIED, FLOW_UPDATE_INITIAL };
enum of_error flow_monitor_decode(const struct of_msg *, struct slice *body /* Moves on: there may be several. */, struct flow_monitor_request *);
enum msg_row flow_monitor_reply_row(enum of_version);
void flow_update_encode(struct of_multipart *, enum flow_update_event, uint8_t reason, const struct flow_stats *);
void flow_update_abbrev_encode(be32 cause /* xid of the session's own message */, enum of_version, struct buf *);
void flow_monitor_paused_encode(bool resumed, enum of_version, struct buf *);

/* body_table.c */
void table_stats_encode(const struct of_table_stats *, enum of_version, struct buf *);
void table_features_encode(const struct of_table_stats *, uint8_t n_tables, enum of_version, struct buf *);
void table_desc_encode(uint8_t table_id, struct buf *);
void group_features_encode(const struct of_msg *request, struct buf *); /* There are no groups, and no meters. */
void meter_features_encode(const struct of_msg *request, struct buf *);

#endif
