// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/nl/genl.h"

static int
genl_ask(struct nl_pool *pool, const char *name, struct buf *reply, struct nl_attr *tb, size_t n)
{
    struct buf request = BUF_EMPTY;
    size_t at = nl_genl_begin(&request, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, 0);
    int error;

    nl_put_string(&request, CTRL_ATTR_FAMILY_NAME, name);
    nl_msg_end(&request, at);
    error = nl_pool_transact(pool, &request, reply, NULL);
    buf_free(&request);
    if (!error && reply->len < NLMSG_HDRLEN + GENL_HDRLEN) {
        error = -EPROTO;
    }
    return error ? error : nl_attrs_parse(nl_msg_attrs(nl_msg_at(reply, 0), GENL_HDRLEN), tb, n, NULL);
}

int
genl_family(struct nl_pool *pool, const char *name, uint16_t *id)
{
    struct nl_attr tb[CTRL_ATTR_MAX + 1];
    struct buf reply = BUF_EMPTY;
    int error = genl_ask(pool, name, &reply, tb, ARRAY_SIZE(tb));

    if (!error && tb[CTRL_ATTR_FAMILY_ID].len < 2) {
        error = -EPROTO;
    }
    if (!error) {
        *id = nl_attr_u16(tb[CTRL_ATTR_FAMILY_ID]);
    }
    buf_free(&reply);
    return error;
}

static int
genl_find_group(struct nl_attr groups, const char *group, uint32_t *id)
{
    struct slice s = nl_attr_slice(groups);
    struct nl_attr one;

    while (nl_attr_next(&s, &one) > 0) {
        struct nl_attr tb[CTRL_ATTR_MCAST_GRP_MAX + 1];
        char name[GENL_NAMSIZ];

        if (!nl_attrs_parse(nl_attr_slice(one), tb, ARRAY_SIZE(tb), NULL)) {
            nl_attr_string(tb[CTRL_ATTR_MCAST_GRP_NAME], name, sizeof name);
            if (!strcmp(name, group) && tb[CTRL_ATTR_MCAST_GRP_ID].len >= 4) {
                *id = nl_attr_u32(tb[CTRL_ATTR_MCAST_GRP_ID]);
                return 0;
            }
        }
    }
    return -ENOENT;
}

int
genl_group(struct nl_pool *pool, const char *name, const char *group, uint32_t *id)
{
    struct nl_attr tb[CTRL_ATTR_MAX + 1];
    struct buf reply = BUF_EMPTY;
    int error = genl_ask(pool, name, &reply, tb, ARRAY_SIZE(tb));

    if (!error) {
        error = genl_find_group(tb[CTRL_ATTR_MCAST_GROUPS], group, id);
    }
    buf_free(&reply);
    return error;
}
