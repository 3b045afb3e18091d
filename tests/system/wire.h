// SPDX-License-Identifier: Apache-2.0
// Packet sockets at the far ends of a datapath's ports, and the packets that the programs in this folder send there. A failure ends the test.
#ifndef TESTS_SYSTEM_WIRE_H
#define TESTS_SYSTEM_WIRE_H 1

#include "lib/flow/key.h"

void run(const char *command); /* In a shell. */

/* Two pairs of devices, up and without IPv6: a0 - a1 and b0 - b1. */
void wires_make(void);
void wires_remove(void);
int wire_open(const char *device); /* A socket of the caller's that sees what arrives there. It does not block. */
/* Sends a packet as udp_key() has it, with so many bytes of payload. Returns the length of its frame. */
size_t wire_send_udp(int wire, uint16_t port, size_t payload);
/* The next frame within that time, without its tag; its length, or 0. */
size_t wire_catch(int wire, uint8_t *frame, size_t size, int timeout_ms);

/* UDP from that port, and a mask of the fields that tell it from others. */
void udp_key(uint32_t in_port, uint16_t port, struct flow_key *key, struct flow_key *mask);

#endif
