// SPDX-License-Identifier: Apache-2.0
// The cache of network devices. Notifications change it at once, whenever they are read; watchers are told
// from the event loop only, so that a caller who makes a change and looks at its effect is never called back
// in between.
#include <config.h>
#include "lib/dp/netdev_private.h"

#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/base/counter.h"
#include "lib/base/hash.h"
#include "lib/base/log.h"

COUNTER(netdev_changed, "A network device came, went or changed.");
COUNTER(netdev_resync, "Notifications of network devices were lost; all were read anew.");

static void deliver(void *netdevs_);

struct netdev *
netdev_find_ifindex(const struct netdevs *n, int ifindex)
{
    struct hnode *h = htable_first_with_hash(&n->by_ifindex, hash_u64((uint64_t) ifindex, 0));

    for (; h; h = htable_next_with_hash(h)) {
        struct netdev *d = CONTAINER_OF(h, struct netdev, by_ifindex);

        if (d->info.ifindex == ifindex) {
            return d;
        }
    }
    return NULL;
}

struct netdev *
netdev_find(const struct netdevs *n, const char *name)
{
    struct hnode *h = htable_first_with_hash(&n->by_name, hash_string(name, 0));

    for (; h; h = htable_next_with_hash(h)) {
        struct netdev *d = CONTAINER_OF(h, struct netdev, by_name);

        if (!strcmp(d->info.name, name)) {
            return d;
        }
    }
    return NULL;
}

static void
array_add(struct netdev ***array, size_t *n, size_t *allocated, struct netdev *d)
{
    if (*n == *allocated) {
        array_grow(array, allocated, sizeof **array);
    }
    (*array)[(*n)++] = d;
}

static void
note_change(struct netdevs *n, struct netdev *d)
{
    COUNTER_INC(netdev_changed);
    if (!d->queued) {
        d->queued = true;
        array_add(&n->changed, &n->n_changed, &n->allocated_changed, d);
    }
    loop_idle(n->loop, deliver, n);
}

/* Takes the device out of the cache. It is freed when the watchers have heard of it. */
static void
device_gone(struct netdevs *n, struct netdev *d)
{
    htable_remove(&n->by_ifindex, &d->by_ifindex);
    htable_remove(&n->by_name, &d->by_name);
    for (size_t i = 0; i < n->n_changed; i++) {
        if (n->changed[i] == d) {
            n->changed[i] = n->changed[--n->n_changed];
            break;
        }
    }
    array_add(&n->gone, &n->n_gone, &n->allocated_gone, d);
    COUNTER_INC(netdev_changed);
    loop_idle(n->loop, deliver, n);
}

static void
tell_watchers(struct netdevs *n, const struct netdev_info *info, bool gone)
{
    for (size_t i = 0; i < n->n_watchers; i++) {
        n->watchers[i].fn(info, gone, n->watchers[i].arg);
    }
}

static void
deliver(void *netdevs_)
{
    struct netdevs *n = netdevs_;

    while (n->n_gone || n->n_changed) {
        if (n->n_gone) {
            struct netdev *d = n->gone[--n->n_gone];

            tell_watchers(n, &d->info, true);
            free(d);
        } else {
            struct netdev *d = n->changed[--n->n_changed];

            d->queued = false;
            tell_watchers(n, &d->info, false);
        }
    }
}

static void
decode_link(const struct ifinfomsg *m, const struct nl_attr *tb, struct netdev_info *info)
{
    struct nl_attr kind[IFLA_INFO_MAX + 1];
    uint64_t resets = info->link_resets;
    bool had = info->ifindex != 0, carrier = info->carrier;

    info->ifindex = m->ifi_index;
    info->admin_up = (m->ifi_flags & IFF_UP) != 0;
    info->carrier = (m->ifi_flags & IFF_RUNNING) != 0; /* As ovs-vswitchd takes it: a device that is down has none. */
    info->link_resets = resets + (had && carrier != info->carrier);
    nl_attr_string(tb[IFLA_IFNAME], info->name, sizeof info->name);
    if (tb[IFLA_ADDRESS].len == sizeof info->mac) {
        memcpy(&info->mac, tb[IFLA_ADDRESS].data, sizeof info->mac);
    }
    info->mtu = nl_attr_u32(tb[IFLA_MTU]);
    info->min_mtu = nl_attr_u32(tb[IFLA_MIN_MTU]);
    info->max_mtu = nl_attr_u32(tb[IFLA_MAX_MTU]);
    info->master_ifindex = (int) nl_attr_u32(tb[IFLA_MASTER]);
    info->kind[0] = '\0';
    if (tb[IFLA_LINKINFO].data &&
        !nl_attrs_parse(nl_attr_slice(tb[IFLA_LINKINFO]), kind, ARRAY_SIZE(kind), NULL)) {
        nl_attr_string(kind[IFLA_INFO_KIND], info->kind, sizeof info->kind);
    }
}

static void
link_seen(struct netdevs *n, const struct ifinfomsg *m, const struct nl_attr *tb)
{
    struct netdev *d = netdev_find_ifindex(n, m->ifi_index);
    struct netdev_info before, after = {.duplex = -1};

    if (d) {
        after = d->info;
    }
    before = after;
    decode_link(m, tb, &after);
    if (d && !memcmp(&before, &after, sizeof after)) {
        d->seen = true;
        return;
    }
    if (!d) {
        d = xzalloc(sizeof *d);
        after.untouched = n->distrusted;
        htable_insert(&n->by_ifindex, &d->by_ifindex, hash_u64((uint64_t) m->ifi_index, 0));
        htable_insert(&n->by_name, &d->by_name, hash_string(after.name, 0));
    } else if (strcmp(before.name, after.name)) {
        htable_remove(&n->by_name, &d->by_name);
        htable_insert(&n->by_name, &d->by_name, hash_string(after.name, 0));
    }
    d->info = after;
    d->seen = d->link_settings_stale = true;
    note_change(n, d);
}

static void
on_message(const struct nlmsghdr *h, void *netdevs_)
{
    struct netdevs *n = netdevs_;
    struct nl_attr tb[IFLA_MAX + 1];
    struct ifinfomsg m;

    if ((h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK) ||
        h->nlmsg_len < NLMSG_HDRLEN + sizeof m) {
        return;
    }
    memcpy(&m, (const uint8_t *) h + NLMSG_HDRLEN, sizeof m);
    /* Bridges tell of their ports by messages of the same type and another family. */
    if (m.ifi_family != AF_UNSPEC || nl_attrs_parse(nl_msg_attrs(h, sizeof m), tb, ARRAY_SIZE(tb), NULL)) {
        return;
    }
    if (h->nlmsg_type == RTM_NEWLINK && tb[IFLA_IFNAME].len > 1) {
        link_seen(n, &m, tb);
    } else if (h->nlmsg_type == RTM_DELLINK) {
        struct netdev *d = netdev_find_ifindex(n, m.ifi_index);

        if (d) {
            device_gone(n, d);
        }
    }
}

static bool
on_dumped(const struct nlmsghdr *h, void *netdevs_)
{
    on_message(h, netdevs_);
    return true;
}

/* Reads all devices; those that are not there any more are gone. */
static int
resync(struct netdevs *n)
{
    struct buf b = BUF_EMPTY;
    struct ifinfomsg m = {.ifi_family = AF_UNSPEC};
    size_t at = nl_msg_begin(&b, RTM_GETLINK, NLM_F_DUMP);
    struct hnode *h, *next;
    struct nl_sock *s;
    int error;

    for (h = htable_next(&n->by_ifindex, NULL); h; h = htable_next(&n->by_ifindex, h)) {
        CONTAINER_OF(h, struct netdev, by_ifindex)->seen = false;
    }
    buf_put(&b, &m, sizeof m);
    nl_put_u32(&b, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    nl_msg_end(&b, at);
    error = nl_pool_get(n->pool, &s);
    if (!error) {
        error = nl_dump_consistent(s, &b, on_dumped, NULL, n);
        nl_pool_put(n->pool, s);
    }
    buf_free(&b);
    for (h = htable_next(&n->by_ifindex, NULL); !error && h; h = next) {
        struct netdev *d = CONTAINER_OF(h, struct netdev, by_ifindex);

        next = htable_next(&n->by_ifindex, h);
        if (!d->seen) {
            device_gone(n, d);
        }
    }
    return error;
}

void
netdevs_absorb(struct netdevs *n)
{
    int got = nl_sock_receive(n->events, on_message, n);

    if (got == -ENOBUFS) {
        COUNTER_INC(netdev_resync);
        resync(n);
    }
}

static void
events_ready(short events, void *netdevs_)
{
    netdevs_absorb(netdevs_);
}

struct netdevs *
netdevs_create(struct loop *loop, char **error_text)
{
    struct netdevs *n = xzalloc(sizeof *n);
    int error;

    n->loop = loop;
    n->pool = nl_pool_create(NETLINK_ROUTE);
    htable_init(&n->by_ifindex);
    htable_init(&n->by_name);
    n->ethtool_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    /* Joined before the dump: nothing falls between. */
    error = nl_sock_open(NETLINK_ROUTE, &n->events);
    error = error ? error : nl_sock_join(n->events, RTNLGRP_LINK);
    error = error ? error : resync(n);
    if (error) {
        *error_text = xasprintf("cannot read network devices (%s)", errno_text(error));
        netdevs_destroy(n);
        return NULL;
    }
    n->events_fd = loop_fd_add(loop, nl_sock_fd(n->events), EV_READ, events_ready, n);
    return n;
}

void
netdevs_destroy(struct netdevs *n)
{
    struct hnode *h, *next;

    if (!n) {
        return;
    }
    if (n->events_fd) {
        loop_fd_del(n->events_fd);
    }
    n->n_watchers = 0;
    deliver(n);
    for (h = htable_next(&n->by_ifindex, NULL); h; h = next) {
        next = htable_next(&n->by_ifindex, h);
        free(CONTAINER_OF(h, struct netdev, by_ifindex));
    }
    htable_destroy(&n->by_ifindex);
    htable_destroy(&n->by_name);
    nl_sock_close(n->events);
    nl_pool_destroy(n->pool);
    if (n->ethtool_fd >= 0) {
        close(n->ethtool_fd);
    }
    free(n->watchers);
    free(n->changed);
    free(n->gone);
    free(n);
}

static const struct netdev_info *
fresh_info(const struct netdevs *n, struct netdev *d)
{
    if (!d) {
        return NULL;
    }
    if (d->link_settings_stale) {
        d->link_settings_stale = false;
        netdev_read_link_settings(n->ethtool_fd, &d->info);
    }
    return &d->info;
}

void
netdevs_distrust(struct netdevs *n)
{
    n->distrusted = true;
    for (struct hnode *h = htable_next(&n->by_ifindex, NULL); h; h = htable_next(&n->by_ifindex, h)) {
        CONTAINER_OF(h, struct netdev, by_ifindex)->info.untouched = false;
    }
}

const struct netdev_info *
netdev_by_name(const struct netdevs *n, const char *name)
{
    struct netdev *d = netdev_find(n, name);

    if (!d) {
        /* It may have been made a moment ago, and the kernel's word of it not been read. The cache is the
         * same to callers before and after. */
        netdevs_absorb((struct netdevs *) n);
        d = netdev_find(n, name);
    }
    return fresh_info(n, d);
}

const struct netdev_info *
netdev_by_ifindex(const struct netdevs *n, int ifindex)
{
    return fresh_info(n, netdev_find_ifindex(n, ifindex));
}

void
netdevs_watch(struct netdevs *n, void (*fn)(const struct netdev_info *, bool gone, void *arg), void *arg)
{
    if (n->n_watchers == n->allocated_watchers) {
        array_grow(&n->watchers, &n->allocated_watchers, sizeof *n->watchers);
    }
    n->watchers[n->n_watchers++] = (struct netdev_watcher){fn, arg};
}
