// SPDX-License-Identifier: Apache-2.0
// How fast the eBPF datapath forwards: 64-byte UDP that comes in by one veth and goes out by another, on one processor, beside what is there without
// it: a program that does nothing but redirect, and the Linux bridge. Wants root; makes a network namespace of its own.
//
// The generator is the kernel's own for XDP programs (bpf_prog_test_run with live frames, Linux 5.18): a program that passes its frames to the stack of the
// device they are said to come from.
#include <config.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/base/rcu.h"
#include "lib/dp/ebpf.h"

#define N_PACKETS 1000000
#define N_ROUNDS 3
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

/* Writes a random destination port under 'port_mask' and passes the frame on. */
static int
generator(uint32_t port_mask)
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
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS),
        INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };

    return load_program(BPF_PROG_TYPE_XDP, insns, ARRAY_SIZE(insns));
}

static int
redirector(const char *device)
{
    const struct bpf_insn insns[] = {
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 1, 0, 0, (int32_t) if_nametoindex(device)),
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 0),
        INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect),
        INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };

    return load_program(BPF_PROG_TYPE_SCHED_CLS, insns, ARRAY_SIZE(insns));
}

static int
dropper(void)
{
    const struct bpf_insn insns[] = {
        INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 2 /* TC_ACT_SHOT */),
        INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };

    return load_program(BPF_PROG_TYPE_SCHED_CLS, insns, ARRAY_SIZE(insns));
}

static void
attach(int program, const char *device)
{
    int error = bpf_prog_attach(program, (int) if_nametoindex(device), (enum bpf_attach_type) TCX_INGRESS, 0);

    if (error) {
        fatal(EXIT_FAILURE, -error, "tcx on %s", device);
    }
}

static void
run(const char *command)
{
    if (system(command)) {
        fatal(EXIT_FAILURE, 0, "failed: %s", command);
    }
}

static struct packet *
frame(void)
{
    struct flow_key key = {.eth_type = htons(0x0800), .nw_proto = IPPROTO_UDP, .nw_ttl = 64, .nw_src = htonl(0x0a000001), .nw_dst = htonl(0x0a000002)};

    key.eth_src = eth_addr_from_u64(UINT64_C(0x020000000001));
    key.eth_dst = eth_addr_from_u64(UINT64_C(0x020000000002));
    return packet_compose(&key, 18);
}

/* Packets a second that come in by "in1" and that its hook, or the bridge, is done with; the best of some rounds. */
static double
measure(int program)
{
    struct packet *p = frame();
    struct xdp_md context = {.data_end = p->len, .ingress_ifindex = if_nametoindex("in1")};
    double best = 0;

    for (int i = 0; i < N_ROUNDS; i++) {
        DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p->data, .data_size_in = p->len, .ctx_in = &context, .ctx_size_in = sizeof context,
                            .repeat = N_PACKETS, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
        int64_t start = now_us();
        int error = bpf_prog_test_run_opts(program, &opts);

        if (error) {
            fatal(EXIT_FAILURE, -error, "the kernel's generator");
        }
        best = MAX(best, N_PACKETS * 1e6 / (double) (now_us() - start));
    }
    packet_free(p);
    return best;
}

static void
show(const char *what, double rate, double bare)
{
    printf("%-48s %9.0f packets/s  %5.1f %% of bare tc redirect\n", what, rate, 100 * rate / bare);
    fflush(stdout);
}

static double
bare_redirect(void)
{
    int program = redirector("a1"), pass = generator(0);
    double rate;

    attach(program, "in1");
    rate = measure(pass);
    bpf_prog_detach2(program, (int) if_nametoindex("in1"), (enum bpf_attach_type) TCX_INGRESS);
    close(program);
    close(pass);
    return rate;
}

static double
linux_bridge(void)
{
    int pass = generator(0);
    double rate;

    run("ip link add name lb type bridge && ip link set lb up && ip link set in1 master lb && ip link set a1 master lb && "
        "bridge fdb add 02:00:00:00:00:02 dev a1 master static");
    rate = measure(pass);
    run("ip link del lb");
    close(pass);
    return rate;
}

/* One for each destination port, in tuples that differ by how much of the source address they look at. */
static void
put_flows(struct dp *dp, uint32_t n, uint32_t n_tuples)
{
    struct buf actions = BUF_EMPTY;

    action_put_output(&actions, 2);
    for (uint32_t i = 0; i < n; i++) {
        struct flow_key key = {.in_port = 1, .eth_type = htons(0x0800), .nw_src = htonl(0x0a000001), .tp_dst = (be16) i};
        struct flow_key mask = {.in_port = UINT32_MAX, .eth_type = UINT16_MAX, .nw_src = htonl(UINT32_MAX << i % n_tuples), .tp_dst = UINT16_MAX};
        struct dp_flow_put put = {.ufid = {1, i}, .key = &key, .mask = &mask, .actions = actions.data, .actions_len = actions.len};

        dp->ops->flow_put(dp, &put, 1);
        if (put.error) {
            fatal(EXIT_FAILURE, -put.error, "flow %u", i);
        }
    }
    buf_free(&actions);
}

static double
datapath(struct dp *dp, uint32_t n, uint32_t n_tuples)
{
    int program = generator(n - 1);
    uint64_t hit, missed, lost, n_flows, mask_hits, before;
    uint32_t n_masks;
    double rate;

    put_flows(dp, n, n_tuples);
    dp->ops->lookup_stats(dp, &before, &missed, &lost, &n_flows, &mask_hits, &n_masks);
    rate = measure(program);
    dp->ops->lookup_stats(dp, &hit, &missed, &lost, &n_flows, &mask_hits, &n_masks);
    if (hit - before < N_ROUNDS * N_PACKETS) {
        fatal(EXIT_FAILURE, 0, "only %llu packets met a flow", (unsigned long long) (hit - before));
    }
    dp->ops->flow_flush(dp);
    close(program);
    return rate;
}

int
main(void)
{
    uint32_t in = DP_PORT_NONE, out = DP_PORT_NONE;
    struct loop *loop;
    cpu_set_t one_cpu;
    double bare;
    struct dp *dp;

    CPU_ZERO(&one_cpu);
    CPU_SET(1, &one_cpu);
    if (sched_setaffinity(0, sizeof one_cpu, &one_cpu) || unshare(CLONE_NEWNET)) {
        fatal(EXIT_FAILURE, errno, "a network namespace");
    }
    rcu_thread_register();
    run("for x in in a; do ip link add ${x}0 type veth peer name ${x}1 && sysctl -qw net.ipv6.conf.${x}0.disable_ipv6=1 "
        "net.ipv6.conf.${x}1.disable_ipv6=1; ip link set ${x}0 up; ip link set ${x}1 up || exit 1; done");
    attach(dropper(), "a0");
    bare = bare_redirect();
    show("bare tc redirect", bare, bare);
    show("Linux bridge", linux_bridge(), bare);
    setenv("OVS_RUNDIR", "/tmp/ebpf_speed", 1); /* Nothing is there; it names the pins. */
    loop = loop_create();
    if (dp_ebpf_ops.open("speed", &(struct dp_settings){.n_handlers = 1}, loop, &dp, &why) || dp->ops->port_add(dp, "in1", "system", &in, &why)
        || dp->ops->port_add(dp, "a1", "system", &out, &why)) {
        fatal(EXIT_FAILURE, 0, "the eBPF datapath does not open");
    }
    show("eBPF datapath, one flow", datapath(dp, 1, 1), bare);
    show("eBPF datapath, 16384 flows in one tuple", datapath(dp, N_PORTS, 1), bare);
    show("eBPF datapath, 16384 flows in 16 tuples", datapath(dp, N_PORTS, N_TUPLES), bare);
    show("bare tc redirect, again", bare_redirect(), bare);
    dp->ops->close(dp, true);
    loop_destroy(loop);
    return 0;
}
