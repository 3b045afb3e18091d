// SPDX-License-Identifier: Apache-2.0
// What the tests of the eBPF datapath on the running kernel share: a namespace of its own, ports with wires at their far ends, random packets, and what comes out.
//
//     wire in0 <-> in1 [port 1] datapath [port 2] a1 <-> a0 wire
//                                        [port 3] b1 <-> b0 wire
//
// All runs on one processor. When send_packet() returns, the packet has gone through the programs, and what they put out is at the wires.
#ifndef TESTS_SYSTEM_DP_EBPF_LAB_H
#define TESTS_SYSTEM_DP_EBPF_LAB_H 1

#include "lib/dp/ebpf.h"

#define N_WIRES 3
#define MAX_FRAME 2048

struct lab {
    struct loop *loop;
    struct dp *dp;
    int wires[N_WIRES];
    int marker; /* A datagram that is sent into it comes back out of it, by the way of the loopback device. */
    uint64_t random;
    uint32_t min_len; /* Of packets that actions are tried on. */
};

/* What goes out, by port. */
struct outputs {
    struct lab *lab;
    struct buf frames[N_WIRES + 1]; /* Each: length as 32 bits, bytes. */
    const struct buf *again;        /* What a recirculated packet goes through. */
};

/* Of cmocka: '*state' is a struct lab. */
int set_up(void **state);
int tear_down(void **state);
void open_datapath(struct lab *);
void add_ports(struct lab *);
void ask_for_xdp(struct lab *, uint32_t port, const char *kind);

uint32_t rnd(struct lab *, uint32_t n); /* Less than 'n'. */
/* A packet, if 'damaged' perhaps with some bytes that are not as they should be, perhaps cut short. */
struct packet *random_packet(struct lab *, bool damaged);
void send_packet(struct lab *, const struct packet *); /* Into port 1, and settles. */
/* Returns when the kernel has done all that packets sent so far are in for: send() leaves that to another thread where much is to do. */
void settle(struct lab *);
void print_packet(const struct packet *);

void parse_actions(const char *text, struct buf *);
void put_flow(struct lab *, uint32_t recirc_id, const struct buf *actions); /* For all packets of port 1 with that id, which is its ufid's low half. */
void got_why(const struct dp_flow_dumped *, void *why);                     /* For flow_get: the reason that programs do not execute it. */

void add_frame(struct buf *, const void *data, size_t len);
/* One frame that arrived at the wire, its outer tag in place again, of MAX_FRAME bytes at most; 0: none. */
size_t wire_receive(int fd, uint8_t *frame);
void collect(struct lab *, struct outputs *); /* All that came out, after settling. */
void drain(struct lab *);                     /* What earlier tests left at the wires. */

/* dp_ebpf_actions.c */
void test_actions_are_those_of_the_executor(void **state);
void test_random_lists_are_those_of_the_executor(void **state);

#endif
