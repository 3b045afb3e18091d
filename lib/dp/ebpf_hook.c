// SPDX-License-Identifier: Apache-2.0
// The ingress hook of a device. Where the kernel has tcx (Linux 6.6) programs of several owners run one after the other; else a filter of clsact at a preference
// of its own, behind the filters of others at lower ones: a policer's, the flows' of the tier below. One of others at the same preference is in the way.
//
// Either stays when the daemon dies, and a daemon that comes finds it by the program's name and by the folder of pins that its maps tell: what an earlier one left
// is replaced, what another datapath has there is not.
#include <config.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/dp/ebpf.h"
#include "lib/dp/tc.h"

#define TCX_INGRESS 46 /* BPF_TCX_INGRESS of include/uapi/linux/bpf.h since 6.6. The calls' target is an ifindex there. */
#define MAX_CHAIN 64
#define MAX_MAPS 64 /* Of a program. */
#define PRIORITY 0xb000
#define HANDLE 1

_Static_assert(PRIORITY > TC_PRIO_LAST, "filters of flows come before the programs");

static const char program_name[] = "sluice_port";

bool
ebpf_hook_has_tcx(void)
{
    uint32_t ids[MAX_CHAIN], n = MAX_CHAIN;

    return !bpf_prog_query(1 /* lo */, (enum bpf_attach_type) TCX_INGRESS, 0, NULL, ids, &n);
}

/* What a program is to us. */
enum program_owner { FOREIGN, OURS, ANOTHERS /* Another datapath's of this kind. */ };

/* The configuration that a program reads: 0, or -errno. */
static int
config_of_map(uint32_t map_id, struct ebpf_config *config)
{
    struct bpf_map_info info = {.id = 0};
    uint32_t len = sizeof info, zero = 0;
    int fd = bpf_map_get_fd_by_id(map_id), error = -ENOENT;

    if (fd < 0) {
        return fd;
    }
    if (!bpf_obj_get_info_by_fd(fd, &info, &len) && !strcmp(info.name, "config_map") && info.value_size == sizeof *config) {
        error = bpf_map_lookup_elem(fd, &zero, config);
    }
    close(fd);
    return error;
}

/* A program whose maps are pinned nowhere any more is nobody's. */
static enum program_owner
owner_of_maps(const struct ebpf *e, const uint32_t *ids, uint32_t n, char *owner)
{
    struct ebpf_config config;

    for (uint32_t i = 0; i < n; i++) {
        if (!config_of_map(ids[i], &config)) {
            config.owner[sizeof config.owner - 1] = '\0';
            memcpy(owner, config.owner, sizeof config.owner);
            return !strcmp(owner, e->pins) || access(owner, F_OK) ? OURS : ANOTHERS;
        }
    }
    return OURS; /* Of another version. */
}

/* Looks at the program 'id'. With OURS '*fd' is its descriptor, with ANOTHERS 'owner' (EBPF_OWNER bytes) its datapath's folder of pins. Where the process may not
 * look (CAP_SYS_ADMIN) all are foreign. */
static enum program_owner
look_at(const struct ebpf *e, uint32_t id, int *fd, char *owner)
{
    uint32_t maps[MAX_MAPS];
    struct bpf_prog_info info = {.nr_map_ids = MAX_MAPS, .map_ids = (uintptr_t) maps};
    uint32_t len = sizeof info;
    enum program_owner who = FOREIGN;

    *fd = bpf_prog_get_fd_by_id(id);
    if (*fd >= 0 && !bpf_obj_get_info_by_fd(*fd, &info, &len) && !strcmp(info.name, program_name)) {
        who = owner_of_maps(e, maps, MIN(info.nr_map_ids, MAX_MAPS), owner);
    }
    if (*fd >= 0 && who != OURS) {
        close(*fd);
    }
    return who;
}

static char *
taken_by(const char *owner)
{
    return xasprintf("its ingress hook has the program of another datapath, whose pins are in %s", owner);
}

/* Takes our programs off, but for the one whose id is 'keep'. 'kept' tells whether that was there. -EBUSY: another datapath has the device. */
static int
tcx_clean(const struct ebpf *e, int ifindex, uint32_t keep, bool *kept, char **why)
{
    uint32_t ids[MAX_CHAIN], n = MAX_CHAIN;
    char owner[EBPF_OWNER];

    *kept = false;
    if (bpf_prog_query(ifindex, (enum bpf_attach_type) TCX_INGRESS, 0, NULL, ids, &n)) {
        return 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        int fd = -1;
        enum program_owner who = ids[i] == keep ? FOREIGN : look_at(e, ids[i], &fd, owner);

        *kept |= ids[i] == keep;
        if (who == OURS) {
            bpf_prog_detach2(fd, ifindex, (enum bpf_attach_type) TCX_INGRESS);
            close(fd);
        } else if (who == ANOTHERS) {
            *why = taken_by(owner);
            return -EBUSY;
        }
    }
    return 0;
}

static uint32_t
id_of(int fd)
{
    struct bpf_prog_info info = {.id = 0};
    uint32_t len = sizeof info;

    return bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

/* The new one is there before the old one goes: no packet gets through to the host's stack. */
static int
tcx_attach(const struct ebpf *e, int ifindex, char **why)
{
    int program = ebpf_program_fd(e), error = bpf_prog_attach(program, ifindex, (enum bpf_attach_type) TCX_INGRESS, 0);
    bool there;

    if (error && error != -EEXIST) {
        *why = xasprintf("its tcx hook takes no program (%s)", errno_text(error));
        return error;
    }
    error = tcx_clean(e, ifindex, id_of(program), &there, why);
    if (error) {
        bpf_prog_detach2(program, ifindex, (enum bpf_attach_type) TCX_INGRESS);
    }
    return error ? error : there ? 0 : -EIO;
}

static void
tcx_detach(const struct ebpf *e, int ifindex)
{
    bool none;
    char *why = NULL;

    bpf_prog_detach2(ebpf_program_fd(e), ifindex, (enum bpf_attach_type) TCX_INGRESS);
    tcx_clean(e, ifindex, 0, &none, &why);
    free(why);
}

/* What stands at our preference. */
struct at_preference {
    const struct ebpf *e;
    char *foreign; /* NULL: nothing but perhaps ours. */
};

static void
judge_program(struct at_preference *at, const struct nl_attr *tb)
{
    char owner[EBPF_OWNER], name[64];
    int fd = -1;

    switch (look_at(at->e, nl_attr_u32(tb[TCA_BPF_ID]), &fd, owner)) {
    case OURS:
        close(fd);
        break;
    case ANOTHERS:
        at->foreign = taken_by(owner);
        break;
    case FOREIGN:
        nl_attr_string(tb[TCA_BPF_NAME], name, sizeof name);
        at->foreign = xasprintf("its ingress hook is taken: the eBPF program \"%s\" of somebody else stands at preference %d", name, PRIORITY);
        break;
    }
}

static bool
judge_filter(const struct nlmsghdr *h, void *at_)
{
    struct at_preference *at = at_;
    struct nl_attr tb[TCA_MAX + 1], bpf[TCA_BPF_MAX + 1];
    const struct tcmsg *m = NLMSG_DATA(h);
    char kind[16];

    if (h->nlmsg_type != RTM_NEWTFILTER || h->nlmsg_len < NLMSG_LENGTH(sizeof *m) || TC_H_MAJ(m->tcm_info) >> 16 != PRIORITY || !m->tcm_handle
        || nl_attrs_parse(nl_msg_attrs(h, sizeof *m), tb, ARRAY_SIZE(tb), NULL)) {
        return true;
    }
    nl_attr_string(tb[TCA_KIND], kind, sizeof kind);
    if (strcmp(kind, "bpf") || nl_attrs_parse(nl_attr_slice(tb[TCA_OPTIONS]), bpf, ARRAY_SIZE(bpf), NULL)) {
        at->foreign = xasprintf("its ingress hook is taken: a %s filter of somebody else stands at preference %d", kind, PRIORITY);
    } else {
        judge_program(at, bpf);
    }
    return !at->foreign;
}

/* -EBUSY and '*why': our place in clsact is somebody else's. */
static int
clsact_check(const struct ebpf *e, int ifindex, char **why)
{
    struct at_preference at = {.e = e};
    struct buf b = BUF_EMPTY;
    size_t begin = tc_filter_begin(&b, RTM_GETTFILTER, NLM_F_DUMP, ifindex, PRIORITY, 0, 0);

    nl_msg_end(&b, begin);
    nl_pool_dump(e->route, &b, judge_filter, &at);
    buf_free(&b);
    if (at.foreign) {
        *why = at.foreign;
    }
    return at.foreign ? -EBUSY : 0;
}

static int
clsact_attach(const struct ebpf *e, struct ebpf_port_value *p, char **why)
{
    DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = ebpf_program_fd(e), .handle = HANDLE, .priority = PRIORITY, .flags = BPF_TC_F_REPLACE);
    DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int) p->ifindex, .attach_point = BPF_TC_INGRESS);
    bool made = false;
    int error = tc_ingress_ensure(e->route, (int) p->ifindex, &made);

    p->made_qdisc |= !error && made;
    if (!error) {
        error = clsact_check(e, (int) p->ifindex, why);
        if (error) {
            return error;
        }
        error = bpf_tc_attach(&hook, &opts);
    }
    if (error) {
        *why = xasprintf("its ingress hook takes no filter (%s)", errno_text(error));
    }
    return error;
}

static void
clsact_detach(const struct ebpf *e, struct ebpf_port_value *p)
{
    DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = PRIORITY);
    DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int) p->ifindex, .attach_point = BPF_TC_INGRESS);
    char *why = NULL;

    if (!clsact_check(e, (int) p->ifindex, &why)) {
        bpf_tc_detach(&hook, &opts);
    }
    free(why);
    if (p->made_qdisc) {
        tc_ingress_delete(e->route, (int) p->ifindex); /* It stays if somebody else has come to use it. */
        p->made_qdisc = false;
    }
}

int
ebpf_hook_attach(struct ebpf *e, struct ebpf_port_value *p, char **why)
{
    enum ebpf_hook was = (enum ebpf_hook) p->hook, wanted = e->tcx && !e->tc_first ? EBPF_HOOK_TCX : EBPF_HOOK_CLSACT;
    int error = wanted == EBPF_HOOK_TCX ? tcx_attach(e, (int) p->ifindex, why) : clsact_attach(e, p, why);

    if (error) {
        return error;
    }
    p->hook = wanted;
    if (was == EBPF_HOOK_CLSACT && wanted == EBPF_HOOK_TCX) {
        clsact_detach(e, p);
    } else if (e->tcx && wanted == EBPF_HOOK_CLSACT) {
        tcx_detach(e, (int) p->ifindex);
    }
    return 0;
}

void
ebpf_hook_detach(struct ebpf *e, struct ebpf_port_value *p)
{
    if (p->hook == EBPF_HOOK_CLSACT || p->made_qdisc) {
        clsact_detach(e, p);
    }
    if (p->hook == EBPF_HOOK_TCX) {
        tcx_detach(e, (int) p->ifindex);
    }
    p->hook = EBPF_HOOK_NONE;
}

int
ebpf_let_tc_first(struct dp *dp, bool first)
{
    struct ebpf *e = ebpf_cast(dp);
    int error = 0;

    e->tc_first = first;
    for (uint32_t i = 1; i < EBPF_MAX_PORTS && !error; i++) {
        char *why = NULL;

        if (!e->ports[i].ifindex || !user_port_find(&e->user, i)) {
            continue;
        }
        if (e->tcx) {
            error = ebpf_hook_attach(e, &e->ports[i], &why);
        }
        ebpf_xdp_apply(e, i);
        if (error) {
            log_warn(LOG_dp_ebpf, "%s: filters of TC cannot come first at port %s: %s", dp->name, e->ports[i].name, why ? why : errno_text(error));
        }
        free(why);
    }
    return error;
}
