// SPDX-License-Identifier: Apache-2.0
// Messages as such: framing, headers of every kind, and the table that tells them apart. What stands in them: lib/of/body_*.
#ifndef LIB_OF_MSG_H
#define LIB_OF_MSG_H 1

#include "lib/of/of.h"

enum msg_row {
#define MSG(ROW, ...) MSG_##ROW,
#include "lib/of/msg.def"
#undef MSG
    MSG_N
};

/* What messages are about. Those of a switch to its controller are OP_REPLY: nothing to be handled here. */
enum msg_op {
    OP_REPLY, OP_HELLO, OP_ERROR, OP_ECHO_REQUEST, OP_ECHO_REPLY, OP_FEATURES, OP_GET_CONFIG, OP_SET_CONFIG, OP_PACKET_OUT, OP_FLOW_MOD, OP_GROUP_MOD,
    OP_PORT_MOD, OP_TABLE_MOD, OP_BARRIER, OP_QUEUE_CONFIG, OP_ROLE, OP_GET_ASYNC, OP_SET_ASYNC, OP_METER_MOD, OP_BUNDLE_CONTROL, OP_BUNDLE_ADD,
    OP_SET_FLOW_FORMAT, OP_FLOW_MOD_TABLE_ID, OP_SET_PACKET_IN_FORMAT, OP_FLOW_AGE, OP_SET_CONTROLLER_ID, OP_MONITOR_CANCEL, OP_TLV_TABLE_MOD,
    OP_TLV_TABLE, OP_RESUME, OP_CT_FLUSH_ZONE, OP_CT_FLUSH, OP_DESC, OP_FLOW_STATS, OP_AGGREGATE, OP_TABLE_STATS, OP_PORT_STATS, OP_QUEUE_STATS,
    OP_GROUP_STATS, OP_GROUP_DESC, OP_GROUP_FEATURES, OP_METER_STATS, OP_METER_CONFIG, OP_METER_FEATURES, OP_TABLE_FEATURES, OP_PORT_DESC,
    OP_TABLE_DESC, OP_FLOW_MONITOR, OP_N
};

#define OF_HEADER_LEN 8
#define OF_MSG_MAX UINT16_MAX

/* A message taken apart. 'body' is what follows all headers; both slices point into the bytes given. */
struct of_msg {
    enum of_version version;
    enum msg_row row;
    enum msg_op op;
    be32 xid;
    uint16_t stats_flags; /* Of a multipart message: OFPMPF_MORE. */
    struct slice whole, body;
};
#define OFPMPF_MORE 1

/* Bytes of the first message in 's': 0 while not even its header is there, -EPROTO when the header is nonsense. It may be more than s.len. */
int of_msg_length(struct slice s);
/* 'whole' is one message of just the length that its header says. */
enum of_error of_msg_parse(struct slice whole, struct of_msg *);
const char *of_msg_name(enum msg_row);
/* "OFPT_FLOW_MOD" of anything, for logs; "type N" when unknown. Text is static or in 'buf'. */
const char *of_msg_describe(struct slice whole, char buf[32]);

/* Appends the headers of a message; the offset of its start, for the end, which sets the length. A row that has several versions is said in 'version'. */
size_t of_msg_begin(struct buf *, enum msg_row, enum of_version, be32 xid);
void of_msg_end(struct buf *, size_t start);

/* A multipart reply that is cut into messages of at most 64 kB: entries are appended one by one, of_multipart_entry() before each. */
struct of_multipart {
    struct buf *out;
    enum msg_row row;
    enum of_version version;
    be32 xid;
    size_t start; /* Of the message being filled. */
    size_t entry; /* Of the entry being written. */
};
void of_multipart_begin(struct of_multipart *, struct buf *, enum msg_row, enum of_version, be32 xid);
void of_multipart_entry_begin(struct of_multipart *);
void of_multipart_entry_end(struct of_multipart *); /* May move the entry into a message of its own, or leave it out if it is longer than a message. */
void of_multipart_end(struct of_multipart *, bool more); /* 'more': the reply goes on in a later of_multipart_begin(). */

/* A be16 at an offset of a buffer, in host order: lengths that are known late. */
void of_patch16(struct buf *, size_t ofs, uint16_t host_value);

#endif
