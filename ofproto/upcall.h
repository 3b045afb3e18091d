// SPDX-License-Identifier: Apache-2.0
// Handlers: threads that take what a datapath sends up: packets nobody knew, packets that rules send to controllers, packets that only the daemon can handle.
// A batch is received, translated, its flows installed by one batch, its packets executed by one batch.
#ifndef OFPROTO_UPCALL_H
#define OFPROTO_UPCALL_H 1

#include "lib/of/body.h"
#include "ofproto/bridge.h"

struct upcalls;
struct datapath;

struct upcalls *upcalls_create(struct datapath *, unsigned n_handlers); /* Starts the threads. */
void upcalls_destroy(struct upcalls *);                                 /* Stops them. */
unsigned upcalls_n_handlers(const struct upcalls *);

/* OFERR_OK, or what packet_out_execute() would say. */
enum of_error packet_out_check(const struct packet_out *);
/* Main thread: does the packet_out's actions on its packet. OFERR_OK, or what is wrong with it. */
enum of_error packet_out_execute(struct bridge *, const struct packet_out *);

#endif
