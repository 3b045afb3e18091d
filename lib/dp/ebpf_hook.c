// SPDX-License-Identifier: Apache-2.0
// The ingress hook of a device. Where the kernel has tcx (Linux 6.6) programs of several owners run one after the other; else a filter of clsact at a priority
// of its own, behind the filters of others.
//
// Either stays when the daemon dies, and a daemon that comes finds it by the program's name: what an earlier one left is replaced.
#include <config.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_sched.h>
#include <unistd.h>

#include "lib/dp/ebpf.h"
#include "lib/dp/tc.h"

#define TCX_INGRESS 46 /* BPF_TCX_INGRESS of include/uapi/linux/bpf.h since 6.6. The calls' target is an ifindex there. */
#define MAX_CHAIN 64
#define PRIORITY 0xb000
#define HANDLE 1

static const char program_name[] = "sluice_port";

bool
ebpf_hook_has_tcx(void)
{
    uint32_t ids[MAX_CHAIN], n = MAX_CHAIN;

    return !bpf_prog_query(1 /* lo */, (enum bpf_attach_type) TCX_INGRESS, 0, NULL, ids, &n);
}

/* A descriptor of the program 'id' if it is one of ours, even an earlier daemon's; else -1, also where the process may not look (CAP_SYS_ADMIN). */
static int
ours(uint32_t id)
{
    int fd = bpf_prog_get_fd_by_id(id);
    struct bpf_prog_info info = {.id = 0};
    uint32_t len = sizeof info;

    if (fd >= 0 && (bpf_obj_get_info_by_fd(fd, &info, &len) || strcmp(info.name, program_name))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* Takes our programs off, but for the one whose descriptor is 'keep'. 'kept' tells whether that was there. */
static void
tcx_clean(int ifindex, uint32_t keep, bool *kept)
{
    uint32_t ids[MAX_CHAIN], n = MAX_CHAIN;

    *kept = false;
    if (bpf_prog_query(ifindex, (enum bpf_attach_type) TCX_INGRESS, 0, NULL, ids, &n)) {
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        int fd = ids[i] == keep ? -1 : ours(ids[i]);

        *kept |= ids[i] == keep;
        if (fd >= 0) {
            bpf_prog_detach2(fd, ifindex, (enum bpf_attach_type) TCX_INGRESS);
            close(fd);
        }
    }
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
tcx_attach(int ifindex, int program)
{
    uint32_t id = id_of(program);
    bool there;
    int error;

    error = bpf_prog_attach(program, ifindex, (enum bpf_attach_type) TCX_INGRESS, 0);
    if (error && error != -EEXIST) {
        return error;
    }
    tcx_clean(ifindex, id, &there);
    return there ? 0 : -EIO;
}

static int
clsact_attach(struct ebpf *e, int ifindex, int program, char *what)
{
    DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = program, .handle = HANDLE, .priority = PRIORITY, .flags = BPF_TC_F_REPLACE);
    DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
    bool made;
    int error = tc_ingress_ensure(e->route, ifindex, &made);

    error = error ? error : bpf_tc_attach(&hook, &opts);
    if (error) {
        snprintf(what, 128, "its ingress hook is taken: a queueing discipline or filter stands at preference %d", PRIORITY);
    }
    return error;
}

int
ebpf_hook_attach(struct ebpf *e, int ifindex, char *what)
{
    int program = ebpf_program_fd(e), error;

    if (!e->tcx) {
        return clsact_attach(e, ifindex, program, what);
    }
    error = tcx_attach(ifindex, program);
    if (error) {
        snprintf(what, 128, "its tcx hook does not take a program");
    }
    return error;
}

void
ebpf_hook_detach(struct ebpf *e, int ifindex)
{
    if (e->tcx) {
        bool none;

        bpf_prog_detach2(ebpf_program_fd(e), ifindex, (enum bpf_attach_type) TCX_INGRESS);
        tcx_clean(ifindex, 0, &none);
    } else {
        DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = HANDLE, .priority = PRIORITY);
        DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);

        bpf_tc_detach(&hook, &opts);
        tc_ingress_delete(e->route, ifindex);
    }
}
