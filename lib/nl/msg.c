// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/nl/msg.h"

#include <linux/genetlink.h>

_Static_assert(NLA_HDRLEN == 4 && NLMSG_HDRLEN == 16, "headers are as netlink(7) says");

struct nlmsghdr *
nl_msg_at(const struct buf *b, size_t offset)
{
    return (struct nlmsghdr *) (void *) (b->data + offset);
}

size_t
nl_msg_begin(struct buf *b, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *h;
    size_t offset;

    buf_pad(b, NLMSG_ALIGNTO);
    offset = b->len;
    h = buf_put_zeros(b, sizeof *h);
    h->nlmsg_type = type;
    h->nlmsg_flags = flags | NLM_F_REQUEST;
    return offset;
}

void
nl_msg_end(struct buf *b, size_t offset)
{
    nl_msg_at(b, offset)->nlmsg_len = (uint32_t) (b->len - offset);
    buf_pad(b, NLMSG_ALIGNTO);
}

size_t
nl_genl_begin(struct buf *b, uint16_t family, uint8_t cmd, uint8_t version, uint16_t flags)
{
    size_t offset = nl_msg_begin(b, family, flags);
    struct genlmsghdr g = {.cmd = cmd, .version = version};

    buf_put(b, &g, sizeof g);
    return offset;
}

void *
nl_put(struct buf *b, uint16_t type, const void *data, size_t size)
{
    size_t padded = NLA_ALIGN(size);
    struct nlattr a = {.nla_len = (uint16_t) (NLA_HDRLEN + size), .nla_type = type};
    uint8_t *p;

    buf_reserve(b, NLA_HDRLEN + padded);
    buf_put(b, &a, sizeof a);
    p = buf_put_zeros(b, padded);
    if (data && size) {
        memcpy(p, data, size);
    }
    return p;
}

void
nl_put_flag(struct buf *b, uint16_t type)
{
    nl_put(b, type, NULL, 0);
}

void
nl_put_u8(struct buf *b, uint16_t type, uint8_t x)
{
    nl_put(b, type, &x, sizeof x);
}

void
nl_put_u16(struct buf *b, uint16_t type, uint16_t x)
{
    nl_put(b, type, &x, sizeof x);
}

void
nl_put_u32(struct buf *b, uint16_t type, uint32_t x)
{
    nl_put(b, type, &x, sizeof x);
}

void
nl_put_u64(struct buf *b, uint16_t type, uint64_t x)
{
    nl_put(b, type, &x, sizeof x);
}

void
nl_put_string(struct buf *b, uint16_t type, const char *s)
{
    nl_put(b, type, s, strlen(s) + 1);
}

size_t
nl_nest_begin(struct buf *b, uint16_t type)
{
    size_t offset = b->len;
    struct nlattr a = {.nla_len = NLA_HDRLEN, .nla_type = type};

    buf_put(b, &a, sizeof a);
    return offset;
}

void
nl_nest_end(struct buf *b, size_t offset)
{
    struct nlattr *a = (struct nlattr *) (void *) (b->data + offset);

    a->nla_len = (uint16_t) (b->len - offset);
}

void
nl_nest_cancel(struct buf *b, size_t offset)
{
    b->len = offset;
}

int
nl_attr_next(struct slice *s, struct nl_attr *a)
{
    struct nlattr h;

    if (s->len == 0) {
        return 0;
    }
    if (s->len < sizeof h) {
        return -EINVAL;
    }
    memcpy(&h, s->data, sizeof h);
    if (h.nla_len < sizeof h || h.nla_len > s->len) {
        return -EINVAL;
    }
    a->type = h.nla_type & NLA_TYPE_MASK;
    a->len = (uint16_t) (h.nla_len - sizeof h);
    a->data = s->data + sizeof h;
    /* The last attribute's padding may be left off. */
    slice_pull(s, MIN((size_t) NLA_ALIGN(h.nla_len), s->len));
    return 1;
}

int
nl_attrs_parse(struct slice s, struct nl_attr *tb, size_t n, const struct nl_policy *policy)
{
    struct nl_attr a;
    int more;

    memset(tb, 0, n * sizeof *tb);
    while ((more = nl_attr_next(&s, &a)) > 0) {
        if (a.type < n) {
            if (policy && a.len < policy[a.type].min_len) {
                return -EINVAL;
            }
            tb[a.type] = a;
        }
    }
    if (more < 0) {
        return more;
    }
    for (size_t i = 0; policy && i < n; i++) {
        if (policy[i].required && !tb[i].data) {
            return -EINVAL;
        }
    }
    return 0;
}

uint8_t
nl_attr_u8(struct nl_attr a)
{
    return a.len >= 1 ? a.data[0] : 0;
}

uint16_t
nl_attr_u16(struct nl_attr a)
{
    uint16_t x = 0;

    if (a.len >= sizeof x) {
        memcpy(&x, a.data, sizeof x);
    }
    return x;
}

uint32_t
nl_attr_u32(struct nl_attr a)
{
    uint32_t x = 0;

    if (a.len >= sizeof x) {
        memcpy(&x, a.data, sizeof x);
    }
    return x;
}

uint64_t
nl_attr_u64(struct nl_attr a)
{
    uint64_t x = 0;

    if (a.len >= sizeof x) {
        memcpy(&x, a.data, sizeof x);
    }
    return x;
}

void
nl_attr_string(struct nl_attr a, char *dst, size_t size)
{
    size_t n = a.data ? strnlen((const char *) a.data, a.len) : 0;

    n = MIN(n, size - 1);
    if (n) {
        memcpy(dst, a.data, n);
    }
    dst[n] = '\0';
}

struct slice
nl_msg_attrs(const struct nlmsghdr *h, size_t header_len)
{
    size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(header_len);

    if (h->nlmsg_len <= skip) {
        return slice_of(NULL, 0);
    }
    return slice_of((const uint8_t *) h + skip, h->nlmsg_len - skip);
}
