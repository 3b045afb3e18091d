// SPDX-License-Identifier: Apache-2.0
// One device, asked for when it is needed: rtnetlink(7).
#include <config.h>
#include "lib/dp/netdev.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "lib/nl/msg.h"
#include "lib/nl/sock.h"

int
netdev_link_get(struct nl_pool *pool, const char *name, int ifindex, struct netdev_link *l)
{
    struct ifinfomsg m = {.ifi_family = AF_UNSPEC, .ifi_index = ifindex};
    struct nl_attr tb[IFLA_MAX + 1], info[IFLA_INFO_MAX + 1];
    struct buf b = BUF_EMPTY, reply = BUF_EMPTY;
    size_t at = nl_msg_begin(&b, RTM_GETLINK, 0);
    int error;

    buf_put(&b, &m, sizeof m);
    if (name) {
        nl_put_string(&b, IFLA_IFNAME, name);
    }
    nl_msg_end(&b, at);
    error = nl_pool_transact(pool, &b, &reply, NULL);
    if (!error && (!reply.len || nl_attrs_parse(nl_msg_attrs(nl_msg_at(&reply, 0), sizeof m), tb, ARRAY_SIZE(tb), NULL))) {
        error = -EPROTO;
    }
    if (!error) {
        memcpy(&m, (const uint8_t *) nl_msg_at(&reply, 0) + NLMSG_HDRLEN, sizeof m);
        *l = (struct netdev_link){.ifindex = m.ifi_index, .type = m.ifi_type, .flags = m.ifi_flags};
        nl_attr_string(tb[IFLA_IFNAME], l->name, sizeof l->name);
        if (!nl_attrs_parse(nl_attr_slice(tb[IFLA_LINKINFO]), info, ARRAY_SIZE(info), NULL)) {
            nl_attr_string(info[IFLA_INFO_KIND], l->kind, sizeof l->kind);
        }
        l->peer = strcmp(l->kind, "veth") || tb[IFLA_LINK_NETNSID].data ? 0 : (int) nl_attr_u32(tb[IFLA_LINK]);
    }
    buf_free(&b);
    buf_free(&reply);
    return error;
}
