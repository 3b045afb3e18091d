// SPDX-License-Identifier: Apache-2.0
// Netlink messages: building them in a growable buffer, and reading attributes out of bytes that may be
// anything. Formats: netlink(7), "Message format"; attributes as include/uapi/linux/netlink.h declares them.
#ifndef LIB_NL_MSG_H
#define LIB_NL_MSG_H 1

#include <linux/netlink.h>
#include "lib/base/buf.h"

/* Messages are appended to a buffer; 'begin' returns the offset that 'end' needs. A buffer may hold many
 * messages, one after the other. */
size_t nl_msg_begin(struct buf *, uint16_t type, uint16_t flags);
void nl_msg_end(struct buf *, size_t offset); /* Sets the length and pads. */
size_t nl_genl_begin(struct buf *, uint16_t family, uint8_t cmd, uint8_t version, uint16_t flags);
struct nlmsghdr *nl_msg_at(const struct buf *, size_t offset);

void *nl_put(struct buf *, uint16_t type, const void *data,
             size_t size); /* 'data' NULL: zeros. The payload, valid until the next append. */
void nl_put_flag(struct buf *, uint16_t type);
void nl_put_u8(struct buf *, uint16_t type, uint8_t);
void nl_put_u16(struct buf *, uint16_t type,
                uint16_t); /* As they are: the caller swaps for big-endian attributes. */
void nl_put_u32(struct buf *, uint16_t type, uint32_t);
void nl_put_u64(struct buf *, uint16_t type, uint64_t);
void nl_put_string(struct buf *, uint16_t type, const char *);
size_t nl_nest_begin(struct buf *, uint16_t type);
void nl_nest_end(struct buf *, size_t offset);
void nl_nest_cancel(struct buf *, size_t offset); /* Takes off the nest and all that was put in it. */

/* One attribute of received bytes. Payloads are aligned to 4 bytes only: read integers by nl_attr_u64() and
 * so on. */
struct nl_attr {
    uint16_t type; /* Without the nested and byte order bits. */
    uint16_t len;  /* Of the payload. */
    const uint8_t *data;
};

/* Takes the next attribute off 's'. 1: '*a' is it; 0: none left; -EINVAL: what is left is no attribute. */
int nl_attr_next(struct slice *s, struct nl_attr *a);

/* What a parser demands of an attribute of a type. */
struct nl_policy {
    uint16_t min_len;
    bool required;
};
/* Fills tb[0 .. n) by type; absent ones get data NULL. Types of n and above are skipped; of duplicates the
 * last counts. -EINVAL when an attribute is cut off or shorter than its policy, or a required one is absent.
 * 'policy' has n entries or is NULL. */
int nl_attrs_parse(struct slice, struct nl_attr *tb, size_t n, const struct nl_policy *policy);

static inline struct slice
nl_attr_slice(struct nl_attr a)
{
    return slice_of(a.data, a.len);
}
/* The integer that stands first in the payload; 0 when the payload is too short (or absent). */
uint8_t nl_attr_u8(struct nl_attr);
uint16_t nl_attr_u16(struct nl_attr);
uint32_t nl_attr_u32(struct nl_attr);
uint64_t nl_attr_u64(struct nl_attr);
void nl_attr_string(struct nl_attr, char *dst,
                    size_t size); /* Copies as much as fits; always NUL-terminated; size > 0. */

/* The payload of a message after 'header_len' bytes of family header; empty if there is none. */
struct slice nl_msg_attrs(const struct nlmsghdr *, size_t header_len);

#endif
