// SPDX-License-Identifier: Apache-2.0
// What the benchmarks' generators send.
#ifndef TESTS_BENCH_FRAME_H
#define TESTS_BENCH_FRAME_H 1

#include <netinet/in.h>

#include "lib/flow/packet.h"

/* A datagram of 64 bytes on the wire. Caller frees. */
static inline struct packet *
bench_frame(void)
{
    struct flow_key key = {.eth_type = htons(0x0800), .nw_proto = IPPROTO_UDP, .nw_ttl = 64, .nw_src = htonl(0x0a000001), .nw_dst = htonl(0x0a000002)};

    key.eth_src = eth_addr_from_u64(UINT64_C(0x020000000001));
    key.eth_dst = eth_addr_from_u64(UINT64_C(0x020000000002));
    return packet_compose(&key, 18);
}

#endif
