// SPDX-License-Identifier: Apache-2.0
// What the kernel says over netlink, as any bytes: keys, masks and actions of openvswitch.ko, and TC filters.
// The first byte chooses.
#include <config.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include "lib/dp/tc.h"
#include "lib/nl/ovs_action.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tc_port
any_port(uint32_t number, void *arg)
{
    return (struct tc_port){.number = number, .ifindex = 1 + (int) (number & 0xffff)};
}

static struct tc_port
any_device(int ifindex, void *arg)
{
    return (struct tc_port){.number = (uint32_t) ifindex & 0xffff, .ifindex = ifindex};
}

/* What was understood can be said again. */
static void
try_key(struct slice s)
{
    struct flow_key key, mask;
    struct buf b = BUF_EMPTY;

    if (!ovs_key_get(s, &key)) {
        ovs_key_put(&b, &key, &key);
        ovs_mask_put(&b, &key, &key);
        ovs_key_put_metadata(&b, &key);
        if (!ovs_mask_get(s, &key, &mask)) {
            ovs_mask_put(&b, &key, &mask);
        }
    }
    ovs_key_get_metadata(s, &key);
    buf_free(&b);
}

static void
try_actions(struct slice s)
{
    struct buf list = BUF_EMPTY, b = BUF_EMPTY;

    if (!ovs_actions_get(s, &list)) {
        ovs_actions_put(&b, list.data, list.len, 1);
    }
    buf_free(&list);
    buf_free(&b);
}

static void
try_filter(struct slice s)
{
    static const struct tc_ports ports = {any_port, any_device, NULL};
    struct nlmsghdr *h = calloc(1, NLMSG_HDRLEN + s.len);
    struct tc_filter filter = {.ifindex = 0};
    struct buf actions = BUF_EMPTY;
    struct flow_key key, mask;
    struct tc_seen seen;
    char why[TC_WHY_MAX];

    h->nlmsg_type = RTM_NEWTFILTER;
    h->nlmsg_len = (uint32_t) (NLMSG_HDRLEN + s.len);
    if (s.len) {
        memcpy((uint8_t *) h + NLMSG_HDRLEN, s.data, s.len);
    }
    if (!tc_seen_of(h, &seen) && !tc_decode(&seen, &ports, &key, &mask, &actions)) {
        tc_compile(&key, &mask, actions.data, actions.len, seen.ufid, &ports, false, &filter, why);
    }
    tc_filter_free(&filter);
    buf_free(&actions);
    free(h);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice s = slice_of(data + 1, size ? size - 1 : 0);

    if (!size) {
        return 0;
    }
    switch (data[0] % 3) {
    case 0:
        try_key(s);
        break;
    case 1:
        try_actions(s);
        break;
    default:
        try_filter(s);
        break;
    }
    return 0;
}
