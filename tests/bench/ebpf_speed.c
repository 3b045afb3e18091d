// SPDX-License-Identifier: Apache-2.0
// How fast the eBPF datapath forwards: 64-byte UDP that comes in by one veth and goes out by another, on one processor, beside what is there without
// it: programs that do nothing but redirect, and the Linux bridge. Wants root; makes a network namespace of its own.
//
// The generator is the kernel's own for XDP programs (bpf_prog_test_run with live frames, Linux 5.18): for the TC hook a program that passes its frames to the
// stack of the device they are said to come from, for the XDP hook one that sends them into the other end of that device.
//
// All take turns, some rounds of them, as real-time processes, since machines are never quiet; what is printed is the median.
#include <config.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/base/rcu.h"
#include "lib/dp/ebpf.h"
#include "tests/bench/frame.h"

#define N_PACKETS 500000
#define N_ROUNDS 7
#define N_PORTS 16384 /* UDP destination ports: as many flows. */
#define N_TUPLES 16
#define TCX_INGRESS 46 /* BPF_TCX_INGRESS */
#define UDP_DST_AT 36  /* In the frame. */

#define INSN(CODE, DST, SRC, OFF, IMM) ((struct bpf_insn){.code = (CODE), .dst_reg = (DST), .src_reg = (SRC), .off = (OFF), .imm = (IMM)})

static int
load_program(enum bpf_prog_type type, const struct bpf_insn *insns, size_t n)
{
    int fd = bpf_prog_load(type, "speed", "GPL", insns, n, NULL);

    if (fd < 0) {
        fatal(EXIT_FAILURE, -fd, "a program of the benchmark does not load");
    }
    return fd;
}

enum hook { TC, XDP };

/* Writes a random destination port under 'port_mask' and sends the frame on to the hook. */
static int
generator(enum hook hook, uint32_t port_mask)
{
    const struct bpf_insn insns[] = {
        INSN(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0),
        INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_prandom_u32),
        INSN(BPF_ALU64 | BPF_AND | BPF_K, 0, 0, 0, (int32_t) port_mask),
        INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 6, offsetof(struct xdp_md, data), 0),
        INSN(BPF_LDX | BPF_MEM | BPF_W, 3, 6, offsetof(struct xdp_md, data_end), 0),
        INSN(BPF_ALU64 | BPF_MOV | BPF_X, 4, 2, 0, 0),
        INSN(BPF_ALU64 | BPF_ADD | BPF_K, 4, 0, 0, UDP_DST_AT + 2),
        INSN(BPF_JMP | BPF_JGT | BPF_X, 4, 3, 1, 0),
        INSN(BPF_STX | BPF_MEM | BPF_H, 2, 0, UDP_DST_AT, 0),
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, hook == TC ? XDP_PASS : XDP_TX),
        INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };

    return load_program(BPF_PROG_TYPE_XDP, insns, ARRAY_SIZE(insns));
}

/* Programs of the two hooks have the same calls and numbers here. */
static enum bpf_prog_type
type_of(enum hook hook)
{
    return hook == TC ? BPF_PROG_TYPE_SCHED_CLS : BPF_PROG_TYPE_XDP;
}

static int
redirector(enum hook hook, const char *device)
{
    const struct bpf_insn insns[] = {
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, (int32_t) if_nametoindex(device)),
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 0),
        INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect),
        INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };

    return load_program(type_of(hook), insns, ARRAY_SIZE(insns));
}

static int
dropper(enum hook hook)
{
    const struct bpf_insn insns[] = {
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, hook == TC ? 2 /* TC_ACT_SHOT */ : XDP_DROP),
        INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };

    return load_program(type_of(hook), insns, ARRAY_SIZE(insns));
}

static void
attach(enum hook hook, int program, const char *device)
{
    int ifindex = (int) if_nametoindex(device);
    int error = hook == TC ? bpf_prog_attach(program, ifindex, (enum bpf_attach_type) TCX_INGRESS, 0)
                           : bpf_xdp_attach(ifindex, program, XDP_FLAGS_DRV_MODE, NULL);

    if (error) {
        fatal(EXIT_FAILURE, -error, "a program on %s", device);
    }
}

static void
run(const char *command)
{
    if (system(command)) {
        fatal(EXIT_FAILURE, 0, "failed: %s", command);
    }
}

/* Packets a second that 'from' (at XDP its other end) is given and that the hook of its, or the bridge, is done with. */
static double
measure(int generator, const char *from)
{
    struct packet *p = bench_frame();
    struct xdp_md context = {.data_end = p->len, .ingress_ifindex = if_nametoindex(from)};
    DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p->data, .data_size_in = p->len, .ctx_in = &context, .ctx_size_in = sizeof context,
                        .repeat = N_PACKETS, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
    int64_t start = now_us();
    int error = bpf_prog_test_run_opts(generator, &opts);

    if (error) {
        fatal(EXIT_FAILURE, -error, "the kernel's generator");
    }
    packet_free(p);
    return N_PACKETS * 1e6 / (double) (now_us() - start);
}

/* One for each destination port, in tuples that differ by how much of the source address they look at. */
static void
put_flows(struct dp *dp, uint32_t in_port, uint32_t n, uint32_t n_tuples)
{
    struct buf actions = BUF_EMPTY;

    action_put_output(&actions, in_port + 1);
    for (uint32_t i = 0; i < n; i++) {
        struct flow_key key = {.in_port = in_port, .eth_type = htons(0x0800), .nw_src = htonl(0x0a000001), .tp_dst = (be16) i};
        struct flow_key mask = {.in_port = UINT32_MAX, .eth_type = UINT16_MAX, .nw_src = htonl(UINT32_MAX << i % n_tuples), .tp_dst = UINT16_MAX};
        struct dp_flow_put put = {.ufid = {1, i}, .key = &key, .mask = &mask, .actions = actions.data, .actions_len = actions.len};

        dp->ops->flow_put(dp, &put, 1);
        if (put.error) {
            fatal(EXIT_FAILURE, -put.error, "flow %u", i);
        }
    }
    buf_free(&actions);
}

static uint64_t
hits_of(struct dp *dp)
{
    uint64_t hit, missed, lost, n_flows, mask_hits;
    uint32_t n_masks;

    dp->ops->lookup_stats(dp, &hit, &missed, &lost, &n_flows, &mask_hits, &n_masks);
    return hit;
}

/* Who takes part. Each has a pair of devices of its own for packets to come in by and one to go out by. */
struct runner {
    const char *name;
    enum hook hook;
    const char *in;       /* Pair, whose end "1" is plugged. */
    uint32_t n_flows, n_tuples; /* 0: it is not the datapath. */
    double rates[N_ROUNDS];
    int generator;
};

static struct runner runners[] = {
    {.name = "bare tc redirect", .hook = TC, .in = "r"},
    {.name = "Linux bridge", .hook = TC, .in = "b"},
    {.name = "TC hook, one flow", .hook = TC, .in = "d", .n_flows = 1, .n_tuples = 1},
    {.name = "TC hook, 16384 flows in one tuple", .hook = TC, .in = "d", .n_flows = N_PORTS, .n_tuples = 1},
    {.name = "TC hook, 16384 flows in 16 tuples", .hook = TC, .in = "d", .n_flows = N_PORTS, .n_tuples = N_TUPLES},
    {.name = "bare XDP redirect", .hook = XDP, .in = "x"},
    {.name = "XDP hook, one flow", .hook = XDP, .in = "y", .n_flows = 1, .n_tuples = 1},
    {.name = "XDP hook, 16384 flows in one tuple", .hook = XDP, .in = "y", .n_flows = N_PORTS, .n_tuples = 1},
    {.name = "XDP hook, 16384 flows in 16 tuples", .hook = XDP, .in = "y", .n_flows = N_PORTS, .n_tuples = N_TUPLES},
};

static void
run_once(struct runner *r, unsigned round, struct dp *dp)
{
    char from[16];
    uint64_t before = 0;

    snprintf(from, sizeof from, "%s%d", r->in, r->hook == TC ? 1 : 0);
    if (r->n_flows) {
        put_flows(dp, r->hook == TC ? 1 : 3, r->n_flows, r->n_tuples);
        measure(r->generator, from); /* Caches are full of the flows before. */
        before = hits_of(dp);
    }
    r->rates[round] = measure(r->generator, from);
    if (r->n_flows) {
        if (hits_of(dp) - before < N_PACKETS) {
            fatal(EXIT_FAILURE, 0, "only %llu packets met a flow", (unsigned long long) (hits_of(dp) - before));
        }
        dp->ops->flow_flush(dp);
    }
}

static int
compare(const void *a, const void *b)
{
    return *(const double *) a < *(const double *) b ? -1 : 1;
}

static double
median(struct runner *r)
{
    qsort(r->rates, N_ROUNDS, sizeof *r->rates, compare);
    return r->rates[N_ROUNDS / 2];
}

static void
show(void)
{
    double bridge = median(&runners[1]), bare = 0;

    for (size_t i = 0; i < ARRAY_SIZE(runners); i++) {
        double rate = median(&runners[i]);

        bare = runners[i].n_flows || i == 1 ? bare : rate; /* It comes before those that are compared with it. */
        printf("%-48s %9.0f packets/s  %5.1f %% of bare %s redirect  %4.2f times the bridge\n", runners[i].name, rate, 100 * rate / bare,
               runners[i].hook == TC ? "tc" : "XDP", rate / bridge);
    }
}

static struct dp *
open_datapath(struct loop *loop)
{
    static const char *const plugged[] = {"d1", "do1", "y1", "yo1"}; /* Ports 1 to 4. */
    char *why = NULL;
    struct dp *dp;

    setenv("OVS_RUNDIR", "/tmp/ebpf_speed", 1); /* Nothing is there; it names the pins. */
    if (dp_ebpf_ops.open("speed", &(struct dp_settings){.n_handlers = 1}, loop, &dp, &why)) {
        fatal(EXIT_FAILURE, 0, "the eBPF datapath does not open: %s", why ? why : "no reason");
    }
    for (size_t i = 0; i < ARRAY_SIZE(plugged); i++) {
        uint32_t number = DP_PORT_NONE;

        if (dp->ops->port_add(dp, plugged[i], "system", &number, &why)) {
            fatal(EXIT_FAILURE, 0, "%s: %s", plugged[i], why ? why : "no reason");
        }
    }
    dp->ops->port_config(dp, 3, "xdp", "native");
    dp->ops->port_config(dp, 3, NULL, NULL);
    return dp;
}

/* Pairs, each with one for its way out, whose far end drops. */
static void
set_up(void)
{
    run("for x in r ro b bo d do x xo y yo; do ip link add ${x}0 type veth peer name ${x}1 && sysctl -qw net.ipv6.conf.${x}0.disable_ipv6=1 "
        "net.ipv6.conf.${x}1.disable_ipv6=1; ip link set ${x}0 up; ip link set ${x}1 up || exit 1; done");
    for (size_t i = 0; i < 3; i++) {
        attach(TC, dropper(TC), (const char *const[]){"ro0", "bo0", "do0"}[i]);
    }
    attach(XDP, dropper(XDP), "xo0");
    attach(XDP, dropper(XDP), "yo0");
    attach(TC, redirector(TC, "ro1"), "r1");
    attach(XDP, redirector(XDP, "xo1"), "x1");
    run("ip link add name lb type bridge && ip link set lb up && ip link set b1 master lb && ip link set bo1 master lb && "
        "bridge fdb add 02:00:00:00:00:02 dev bo1 master static");
}

/* With an argument: only those whose names have it in them. */
int
main(int argc, char **argv)
{
    struct loop *loop;
    cpu_set_t one_cpu;
    struct dp *dp;

    CPU_ZERO(&one_cpu);
    CPU_SET(1, &one_cpu);
    if (sched_setaffinity(0, sizeof one_cpu, &one_cpu) || sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1})) {
        fatal(EXIT_FAILURE, errno, "a processor for ourselves");
    }
    if (unshare(CLONE_NEWNET)) {
        fatal(EXIT_FAILURE, errno, "a network namespace");
    }
    rcu_thread_register();
    set_up();
    loop = loop_create();
    dp = open_datapath(loop);
    for (size_t i = 0; i < ARRAY_SIZE(runners); i++) {
        runners[i].generator = generator(runners[i].hook, MAX(runners[i].n_flows, 1) - 1);
    }
    for (unsigned round = 0; round < N_ROUNDS; round++) {
        for (size_t i = 0; i < ARRAY_SIZE(runners); i++) {
            if (argc < 2 || strstr(runners[i].name, argv[1])) {
                run_once(&runners[i], round, dp);
            }
        }
    }
    show();
    dp->ops->close(dp, true);
    loop_destroy(loop);
    return 0;
}
