// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/dp/taps.h"

#include <stdlib.h>
#include <unistd.h>

#include "lib/dp/dp.h"

struct tap {
    struct cds_list_head node; /* In taps.list. */
    uint32_t number;           /* Of its port. */
    int fd;
};

void
taps_init(struct taps *taps)
{
    CDS_INIT_LIST_HEAD(&taps->list);
}

void
taps_hold(struct taps *taps, uint32_t number, int fd)
{
    struct tap *tap = xzalloc(sizeof *tap);

    tap->number = number;
    tap->fd = fd;
    cds_list_add(&tap->node, &taps->list);
}

void
taps_release(struct taps *taps, uint32_t number)
{
    struct tap *tap, *next;

    cds_list_for_each_entry_safe (tap, next, &taps->list, node) {
        if (number == DP_PORT_NONE || tap->number == number) {
            cds_list_del(&tap->node);
            close(tap->fd);
            free(tap);
        }
    }
}
