// SPDX-License-Identifier: Apache-2.0
// The XDP hook of a port that asks for it (Interface.options:xdp=native): the program stands before that of the TC hook, which stays, and takes what a frame can be
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
#include <unistd.h>

#include "lib/base/counter.h"
#include "lib/base/log.h"
#include "lib/dp/ebpf.h"
#include "lib/dp/ebpf.skel.h"
#include "lib/dp/ebpf_xdp.skel.h"
#include "lib/dp/netdev.h"
#include "lib/nl/genl.h"

COUNTER(ebpf_xdp_passed, "A packet went on from the XDP hook to the TC hook, since XDP could not forward it.");

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
}

/* The program at the device's native XDP: a descriptor, if it is ours, even an earlier daemon's; -1: there is none; -EBUSY: another's. */
static int
there(int ifindex)
{
    struct bpf_prog_info info = {.id = 0};
    uint32_t id = 0, len = sizeof info;
    int fd;

    if (bpf_xdp_query_id(ifindex, XDP_FLAGS_DRV_MODE, &id) || !id) {
        return -1;
    }
    fd = bpf_prog_get_fd_by_id(id);
    if (fd < 0) {
        return -EBUSY;
    }
    if (bpf_obj_get_info_by_fd(fd, &info, &len) || strcmp(info.name, program_name)) {
        close(fd);
        return -EBUSY;
    }
    return fd;
}

static int
attach(struct ebpf *e, int ifindex)
{
    DECLARE_LIBBPF_OPTS(bpf_xdp_attach_opts, opts);
    uint32_t flags = XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST;
    int old = there(ifindex), error;

    if (old == -EBUSY) {
        return -EBUSY;
    }
    if (old >= 0) {
        flags = XDP_FLAGS_DRV_MODE | XDP_FLAGS_REPLACE;
        opts.old_prog_fd = old;
    }
    error = bpf_xdp_attach(ifindex, bpf_program__fd(e->xdp->progs.sluice_xdp), flags, &opts);
    if (old >= 0) {
        close(old);
    }
    return error;
}

void
ebpf_xdp_detach(struct ebpf *e, uint32_t number)
{
    int ifindex = (int) e->ports[number].ifindex, old = there(ifindex);

    if (old >= 0) {
        DECLARE_LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = old);

        bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE | XDP_FLAGS_REPLACE, &opts);
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

/* Why not; NULL: it is done. */
static const char *
turn_on(struct ebpf *e, uint32_t number)
{
    struct netdev_link l;
    int error = netdev_link_get(e->route, NULL, (int) e->ports[number].ifindex, &l);

    if (error) {
        return errno_text(error);
    }
    if (e->tc_first) {
        return "with hw-offload filters of TC have to see packets first";
    }
    if (!e->xdp && load(e)) {
        return "the kernel does not load the program";
    }
    if (show_tags(e, &l)) {
        return "it takes VLAN tags out of packets, and does not leave it";
    }
    error = attach(e, l.ifindex);
    e->ports[number].takes_frames = !error && strcmp(l.kind, "veth"); /* Unless the kernel says something else. */
    return !error ? NULL : error == -EBUSY ? "another program is at its XDP hook" : error == -EOPNOTSUPP ? "it has no native XDP" : errno_text(error);
}

int
ebpf_port_config(struct dp *dp, uint32_t number, const char *key, const char *value)
{
    struct ebpf *e = ebpf_cast(dp);
    const char *why;

    if (!key && e->xdp_port != number) {
        ebpf_xdp_detach(e, number); /* What an earlier daemon was asked for. */
    }
    if (!key || strcmp(key, "xdp") || !strcmp(value, "none")) {
        return 0;
    }
    why = strcmp(value, "native") ? "the only kinds are native and none" : turn_on(e, number);
    if (why) {
        log_warn(LOG_dp_ebpf, "%s: %s: no XDP hook (%s): its packets go by the TC hook", e->user.dp.name, e->ports[number].name, why);
        return 0;
    }
    e->xdp_port = number;
    __atomic_store_n(&e->n_xdp, e->n_xdp + 1, __ATOMIC_RELAXED);
    ebpf_xdp_refresh(e);
    return 0;
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
ebpf_xdp_refresh(struct ebpf *e)
{
    struct buf request = BUF_EMPTY;
    uint64_t passed;
    uint16_t family;

    if (!__atomic_load_n(&e->n_xdp, __ATOMIC_RELAXED)) {
        return;
    }
    if (!genl_family(e->genl, NETDEV_FAMILY, &family)) {
        size_t at = nl_genl_begin(&request, family, NETDEV_DEV_GET, 1, NLM_F_DUMP);

        nl_msg_end(&request, at);
        nl_pool_dump(e->genl, &request, note_features, e);
        buf_free(&request);
    }
    passed = ebpf_total(e, EBPF_XDP_PASSED);
    COUNTER_ADD(ebpf_xdp_passed, passed - __atomic_exchange_n(&e->xdp_passed, passed, __ATOMIC_RELAXED));
}
