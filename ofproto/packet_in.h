// SPDX-License-Identifier: Apache-2.0
// Packets on their way from a handler to the controllers: a bounded queue to the main thread.
#ifndef OFPROTO_PACKET_IN_H
#define OFPROTO_PACKET_IN_H 1

#include "ofproto/datapath.h"

/* A packet that came up by a userspace action for controllers. Any thread; copies. Beyond PACKET_IN_MAX waiting ones it is dropped and counted. */
void packet_in_from_upcall(struct datapath *, const struct dp_upcall *);
#define PACKET_IN_MAX 1024

#endif
