// SPDX-License-Identifier: Apache-2.0
// Event counters, declared at the top of the file that counts, each with a sentence: together they say how a thing fails.
// ovs-appctl coverage/show prints those that moved; sluicectl counters prints all with their sentences.
#ifndef LIB_BASE_COUNTER_H
#define LIB_BASE_COUNTER_H 1

#include "lib/base/util.h"

struct counter {
    const char *name;
    const char *help;
    uint64_t total; /* Atomic, relaxed. */
    uint64_t last_total;
    uint32_t minutes[60]; /* Main thread: events of each of the last 60 minutes, ring. */
    uint32_t seconds[12]; /* Main thread: events of each of the last 12 five-second slots, ring. */
};

/* At file scope: COUNTER(flow_refused, "A datapath refused a flow."); then COUNTER_INC(flow_refused). The linker collects them. */
#define COUNTER(NAME, HELP) \
    static struct counter counter_##NAME __attribute__((section("sluice_counters"), used, aligned(8))) = {#NAME, HELP, 0, 0, {0}, {0}}
#define COUNTER_INC(NAME) counter_add(&counter_##NAME, 1)
#define COUNTER_ADD(NAME, N) counter_add(&counter_##NAME, N)

static inline void
counter_add(struct counter *c, uint64_t n)
{
    __atomic_fetch_add(&c->total, n, __ATOMIC_RELAXED);
}

uint64_t counter_read(const struct counter *);
const struct counter *counter_find(const char *name); /* NULL if none is called so. */
/* Walks all: pass NULL to start; NULL ends. */
const struct counter *counter_next(const struct counter *);
void counter_tick(void);              /* Main thread, about every 5 s: rolls the averages. */
void counter_register_commands(void); /* coverage/show, coverage/read-counter. */

#endif
