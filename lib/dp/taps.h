// SPDX-License-Identifier: Apache-2.0
// A tap device lives while somebody holds it, which is the datapath from adding its port to deleting it. Main thread.
#ifndef LIB_DP_TAPS_H
#define LIB_DP_TAPS_H 1

#include <stdint.h>
#include "lib/base/list.h"

struct taps {
    struct cds_list_head list;
};

void taps_init(struct taps *);
void taps_hold(struct taps *, uint32_t number /* Of its port. */, int fd /* Owned. */);
void taps_release(struct taps *, uint32_t number /* DP_PORT_NONE: all. */); /* Their devices go. */

#endif
