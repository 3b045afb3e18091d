// SPDX-License-Identifier: Apache-2.0
// The XDP hook of a port that asks for it (Interface.options:xdp=native, or other_config): the program stands before that of the TC hook, which stays, and takes what a frame can be
// forwarded with (lib/dp/ebpf_xdp.bpf.c). It is an object of its own upon the same maps, loaded when the first port asks.
//
// Only some devices take frames from XDP, and say so since Linux 6.3 (Documentation/netlink/specs/netdev.yaml, xdp-features). A veth does when
// its other end has a program at XDP or GRO, which may change at any time: whoever looks at all flows asks again. To others packets go by TC.
//
// A tag that the device keeps beside the packet is hidden from XDP: of a veth, what the other end does not write into the packet itself; of an adapter, what it
// takes out of it. Both are turned off by ethtool; a far end in another network namespace is not ours to change, which the log says.
#include <config.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/dp/ebpf.h"
#include "lib/dp/ebpf.skel.h"
#include "lib/dp/ebpf_xdp.skel.h"
#include "lib/dp/netdev.h"
#include "lib/nl/genl.h"


/* The family "netdev", since Linux 6.3. */
#define NETDEV_FAMILY "netdev"
#define NETDEV_DEV_GET 1
#define NETDEV_IFINDEX 1
#define NETDEV_XDP_FEATURES 3
#define NETDEV_TAKES_FRAMES 4

static const char program_name[] = "sluice_xdp";

/* Its maps are those of the TC programs. */
static int
load(struct ebpf *e)
{
    struct ebpf_xdp_bpf *x = ebpf_xdp_bpf__open();
    struct bpf_map *map;
    int error = x ? 0 : -errno;

    if (x) {
        bpf_object__for_each_map (map, x->obj) {
            const struct bpf_map *same = bpf_object__find_map_by_name(e->programs->obj, bpf_map__name(map));

            error = error || !same ? error : bpf_map__reuse_fd(map, bpf_map__fd(same));
        }
    }
    error = error ? error : ebpf_xdp_bpf__load(x);
    if (error) {
        ebpf_xdp_bpf__destroy(x);
        return error;
    }
    e->xdp = x;
    return 0;
}

void
ebpf_xdp_unload(struct ebpf *e)
{
    ebpf_xdp_bpf__destroy(e->xdp);
    e->xdp = NULL;
    for (uint32_t i = 0; i < EBPF_MAX_PORTS; i++) {
        ebpf_xdp_forget(e, i);
    }
}

/* The program at the device's XDP hook: a descriptor, if it is ours, even an earlier daemon's; -ENOENT: there is none; -EBUSY and '*why' (NULL: nobody asks):
 * another's. */
static int
there(int ifindex, char **why)
{
    DECLARE_LIBBPF_OPTS(bpf_xdp_query_opts, query);
    struct bpf_prog_info info = {.id = 0};
    uint32_t id, len = sizeof info;
    int fd;

    if (bpf_xdp_query(ifindex, 0, &query) || !(query.drv_prog_id || query.skb_prog_id)) {
        return -ENOENT;
    }
    id = query.drv_prog_id ? query.drv_prog_id : query.skb_prog_id;
    fd = bpf_prog_get_fd_by_id(id);
    if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) && query.drv_prog_id && !strcmp(info.name, program_name)) {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    if (why) {
        *why = xasprintf("its XDP hook has the program \"%s\" of somebody else (id %u)", info.name, id);
    }
    return -EBUSY;
}

/* Puts the program 'fd' (-1: none) at native XDP, instead of 'old' (-1: of none). 'extack': the kernel's words, NL_EXTACK_MAX of them. */
static int
change_hook(struct ebpf *e, int ifindex, int fd, int old, char *extack)
{
    struct ifinfomsg m = {.ifi_family = AF_UNSPEC, .ifi_index = ifindex};
    struct buf b = BUF_EMPTY;
    size_t at = nl_msg_begin(&b, RTM_SETLINK, 0), nest;
    int error;

    buf_put(&b, &m, sizeof m);
    nest = nl_nest_begin(&b, IFLA_XDP | NLA_F_NESTED);
    nl_put_u32(&b, IFLA_XDP_FD, (uint32_t) fd);
    nl_put_u32(&b, IFLA_XDP_FLAGS, XDP_FLAGS_DRV_MODE | (old >= 0 ? XDP_FLAGS_REPLACE : XDP_FLAGS_UPDATE_IF_NOEXIST));
    if (old >= 0) {
        nl_put_u32(&b, IFLA_XDP_EXPECTED_FD, (uint32_t) old);
    }
    nl_nest_end(&b, nest);
    nl_msg_end(&b, at);
    error = nl_pool_transact(e->route, &b, NULL, extack);
    buf_free(&b);
    return error;
}

/* NULL, or why not. */
static char *
attach(struct ebpf *e, int ifindex)
{
    char extack[NL_EXTACK_MAX] = "", *why = NULL;
    int old = there(ifindex, &why), error;

    if (old == -EBUSY) {
        return why;
    }
    error = change_hook(e, ifindex, bpf_program__fd(e->xdp->progs.sluice_xdp), old, extack);
    if (old >= 0) {
        close(old);
    }
    return error ? xasprintf("its XDP hook takes no program (%s)", *extack ? extack : errno_text(error)) : NULL;
}

void
ebpf_xdp_detach(struct ebpf *e, uint32_t number)
{
    int ifindex = (int) e->ports[number].ifindex, old = there(ifindex, NULL);

    if (old >= 0) {
        change_hook(e, ifindex, -1, old, NULL);
        close(old);
    }
}

/* No tags beside the packet. */
static int
show_tags(struct ebpf *e, const struct netdev_link *l)
{
    static const char *const received[] = {"rx-vlan-hw-parse", "rx-vlan-stag-hw-parse"};
    static const char *const sent[] = {"tx-vlan-hw-insert", "tx-vlan-stag-hw-insert"};
    struct netdev_link far;

    if (strcmp(l->kind, "veth")) {
        return netdev_turn_off(l->name, received, ARRAY_SIZE(received));
    }
    if (!l->peer || netdev_link_get(e->route, NULL, l->peer, &far)) {
        log_info(LOG_dp_ebpf, "%s: at XDP, VLAN tags are seen only where the other end, in another network namespace, does not offload them "
                 "(ethtool -K ... txvlan off tx-vlan-stag-hw-insert off)", l->name);
        return 0;
    }
    return netdev_turn_off(far.name, sent, ARRAY_SIZE(sent));
}

/* NULL, or why not. */
static char *
turn_on(struct ebpf *e, uint32_t number)
{
    struct netdev_link l;
    int error = netdev_link_get(e->route, NULL, (int) e->ports[number].ifindex, &l);
    char *why;

    if (error) {
        return xstrdup(errno_text(error));
    }
    if (e->tc_first) {
        return xstrdup("with hw-offload filters of TC have to see packets first");
    }
    error = e->xdp ? 0 : load(e);
    if (error) {
        return xasprintf("the kernel does not load the program: %s", errno_text(error));
    }
    if (show_tags(e, &l)) {
        return xstrdup("it takes VLAN tags out of packets, and does not leave it");
    }
    why = attach(e, l.ifindex);
    e->ports[number].takes_frames = !why && strcmp(l.kind, "veth"); /* Unless the kernel says something else. */
    return why;
}

void
ebpf_xdp_apply(struct ebpf *e, uint32_t number)
{
    struct ebpf_xdp_port *x = &e->xdp_ports[number];
    bool native = x->asked && !strcmp(x->asked, "native");
    char *why = NULL;

    if (native) {
        why = turn_on(e, number);
    } else if (x->asked && strcmp(x->asked, "none")) {
        why = xasprintf("xdp=%s: the only kinds are native and none", x->asked);
    }
    free(x->remark);
    x->remark = why ? xasprintf("no XDP hook (%s): its packets go by the TC hook", why) : NULL;
    if (!native || why) {
        ebpf_xdp_detach(e, number); /* Even what an earlier daemon was asked for. */
    } else {
        __atomic_store_n(&e->n_xdp, e->n_xdp + 1, __ATOMIC_RELAXED);
        ebpf_xdp_refresh(e, 0);
    }
    free(why);
}

void
ebpf_xdp_forget(struct ebpf *e, uint32_t number)
{
    struct ebpf_xdp_port *x = &e->xdp_ports[number];

    free(x->asked);
    free(x->remark);
    *x = (struct ebpf_xdp_port){0};
}

int
ebpf_port_config(struct dp *dp, uint32_t number, const char *key, const char *value)
{
    struct ebpf *e = ebpf_cast(dp);

    if (key && !strcmp(key, "xdp")) {
        free(e->xdp_ports[number].asked);
        e->xdp_ports[number].asked = value ? xstrdup(value) : NULL;
    } else if (!key) {
        ebpf_xdp_apply(e, number);
    }
    return 0;
}

const char *
ebpf_port_remark(const struct dp *dp, uint32_t number)
{
    return ebpf_cast(dp)->xdp_ports[number].remark;
}

bool
ebpf_xdp_is_told(const struct ebpf *e)
{
    uint16_t family;

    return !genl_family(e->genl, NETDEV_FAMILY, &family);
}

/* One device's answer. */
static bool
note_features(const struct nlmsghdr *msg, void *ebpf)
{
    struct ebpf *e = ebpf;
    struct nl_attr tb[NETDEV_XDP_FEATURES + 1];
    uint32_t ifindex, number;

    if (nl_attrs_parse(nl_msg_attrs(msg, GENL_HDRLEN), tb, ARRAY_SIZE(tb), NULL)) {
        return true;
    }
    ifindex = nl_attr_u32(tb[NETDEV_IFINDEX]);
    if (!bpf_map_lookup_elem(ebpf_map_ifindexes(e), &ifindex, &number) && number < EBPF_MAX_PORTS) {
        uint32_t takes = (nl_attr_u64(tb[NETDEV_XDP_FEATURES]) & NETDEV_TAKES_FRAMES) != 0;

        __atomic_store_n(&e->ports[number].takes_frames, takes, __ATOMIC_RELAXED);
    }
    return true;
}

void
ebpf_xdp_refresh(struct ebpf *e, int64_t age_ms)
{
    struct buf request = BUF_EMPTY;
    uint16_t family;

    if (!__atomic_load_n(&e->n_xdp, __ATOMIC_RELAXED) || now_ms() - __atomic_load_n(&e->xdp_asked_ms, __ATOMIC_RELAXED) < age_ms) {
        return;
    }
    __atomic_store_n(&e->xdp_asked_ms, now_ms(), __ATOMIC_RELAXED);
    if (!genl_family(e->genl, NETDEV_FAMILY, &family)) {
        size_t at = nl_genl_begin(&request, family, NETDEV_DEV_GET, 1, NLM_F_DUMP);

        nl_msg_end(&request, at);
        nl_pool_dump(e->genl, &request, note_features, e);
        buf_free(&request);
    }
}
