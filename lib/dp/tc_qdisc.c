// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/dp/tc.h"

#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

static size_t
tcmsg_begin(struct buf *b, uint16_t type, uint16_t flags, const struct tcmsg *m)
{
    size_t at = nl_msg_begin(b, type, flags);

    buf_put(b, m, sizeof *m);
    return at;
}

int
tc_ingress_ensure(struct nl_pool *pool, int ifindex, bool *made)
{
    struct tcmsg m = {.tcm_family = AF_UNSPEC,
                      .tcm_ifindex = ifindex,
                      .tcm_handle = TC_H_MAKE(TC_H_INGRESS, 0),
                      .tcm_parent = TC_H_INGRESS};
    struct buf b = BUF_EMPTY;
    size_t at = tcmsg_begin(&b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, &m);
    int error;

    nl_put_string(&b, TCA_KIND, "ingress");
    nl_msg_end(&b, at);
    error = nl_pool_transact(pool, &b, NULL, NULL);
    buf_free(&b);
    if (!error || error == -EEXIST) {
        *made = !error;
        return 0;
    }
    return error;
}

static bool
found_filter(const struct nlmsghdr *h, void *found)
{
    *(bool *) found = true;
    return false;
}

int
tc_ingress_delete(struct nl_pool *pool, int ifindex)
{
    bool in_use = false;
    struct tcmsg m = {.tcm_family = AF_UNSPEC,
                      .tcm_ifindex = ifindex,
                      .tcm_handle = TC_H_MAKE(TC_H_INGRESS, 0),
                      .tcm_parent = TC_H_INGRESS};
    struct buf b = BUF_EMPTY;
    size_t at = tc_filter_begin(&b, RTM_GETTFILTER, NLM_F_DUMP, ifindex, 0, 0, 0);
    int error;

    nl_msg_end(&b, at);
    error = nl_pool_dump(pool, &b, found_filter, &in_use);
    buf_clear(&b);
    if (error || in_use) {
        buf_free(&b);
        return error ? error : -EBUSY;
    }
    at = tcmsg_begin(&b, RTM_DELQDISC, 0, &m);
    nl_msg_end(&b, at);
    error = nl_pool_transact(pool, &b, NULL, NULL);
    buf_free(&b);
    return error;
}

size_t
tc_filter_begin(struct buf *b, uint16_t type, uint16_t flags, int ifindex, uint16_t prio, be16 protocol,
                uint32_t handle)
{
    /* This parent means the ingress hook to either kind of qdisc that has one, "ingress" and "clsact". */
    struct tcmsg m = {
        .tcm_family = AF_UNSPEC,
        .tcm_ifindex = ifindex,
        .tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
        .tcm_info = TC_H_MAKE((uint32_t) prio << 16, protocol),
        .tcm_handle = handle,
    };

    return tcmsg_begin(b, type, flags, &m);
}
