// SPDX-License-Identifier: Apache-2.0
// Counts of priorities in groups of 256 neighbours: few groups even when priorities are random, and a new maximum without a look at the rules.
#include <config.h>
#include <stdlib.h>

#include "lib/flow/cls_table.h"

struct cls_priority_group {
    int32_t number; /* Priority >> 8. */
    uint32_t total;
    uint32_t first;  /* The only priority's low bits while 'counts' is NULL. */
    uint32_t *counts;
};

/* Position of the group, or where it belongs. Where there are many, there are mostly all of them, and the distance to the last one tells. */
static uint32_t
find_group(const struct cls_priorities *p, int32_t number)
{
    uint32_t low = 0, high = p->n;

    if (high && number >= p->groups[high - 1].number) {
        int64_t guess = (int64_t) high - 1 - ((int64_t) number - p->groups[high - 1].number);

        if (guess >= 0 && p->groups[guess].number == number) {
            return (uint32_t) guess;
        }
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (p->groups[middle].number > number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void
cls_priorities_prefetch(const struct cls_priorities *p, int32_t priority)
{
    uint32_t at = find_group(p, priority >> 8);

    if (at < p->n && p->groups[at].counts) {
        __builtin_prefetch(&p->groups[at].counts[priority & 0xff], 1);
    }
}

static void
insert_group(struct cls_priorities *p, uint32_t at, int32_t number, uint32_t low)
{
    if (p->n == p->allocated) {
        p->allocated = p->allocated ? 2 * p->allocated : 1;
        p->groups = xrealloc(p->groups, p->allocated * sizeof *p->groups);
    }
    memmove(&p->groups[at + 1], &p->groups[at], (p->n - at) * sizeof *p->groups);
    p->groups[at] = (struct cls_priority_group){number, 0, low, NULL};
    p->n++;
}

void
cls_priorities_add(struct cls_priorities *p, int32_t priority)
{
    int32_t number = priority >> 8;
    uint32_t low = (uint32_t) priority & 0xff, at = find_group(p, number);
    struct cls_priority_group *g;

    if (at == p->n || p->groups[at].number != number) {
        insert_group(p, at, number, low);
    }
    g = &p->groups[at];
    if (!g->counts && g->first != low) {
        g->counts = xcalloc(256, sizeof *g->counts);
        g->counts[g->first] = g->total;
    }
    g->total++;
    if (g->counts) {
        g->counts[low]++;
    }
}

void
cls_priorities_remove(struct cls_priorities *p, int32_t priority)
{
    uint32_t at = find_group(p, priority >> 8);
    struct cls_priority_group *g = &p->groups[at];

    if (g->counts) {
        g->counts[priority & 0xff]--;
    }
    if (!--g->total) {
        free(g->counts);
        p->n--;
        memmove(g, g + 1, (p->n - at) * sizeof *g);
    }
}

int32_t
cls_priorities_max(const struct cls_priorities *p)
{
    const struct cls_priority_group *g = &p->groups[0];
    uint32_t low = g->first;

    if (g->counts) {
        low = 255;
        while (!g->counts[low]) {
            low--;
        }
    }
    return (int32_t) ((uint32_t) g->number << 8 | low);
}

void
cls_priorities_destroy(struct cls_priorities *p)
{
    for (uint32_t i = 0; i < p->n; i++) {
        free(p->groups[i].counts);
    }
    free(p->groups);
    *p = (struct cls_priorities){NULL, 0, 0};
}
