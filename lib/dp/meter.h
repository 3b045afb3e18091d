// SPDX-License-Identifier: Apache-2.0
// A meter: token buckets, of which a packet takes what it costs. One text for the daemon and for the programs of the eBPF datapath, which take from the same buckets,
// in memory that they share; hence no C library here, and no lock.
//
// A bucket is one number: the moment at which it was empty, had it only filled since. What it holds now is the time since then, as nanoseconds of its rate, and never
// more than it takes to fill it. Two processors that take at the same moment may both get the last tokens: the bucket owes them, and later packets pay. From a
// full bucket one of them may take for nothing.
#ifndef LIB_DP_METER_H
#define LIB_DP_METER_H 1

#define METER_BANDS 8 /* As struct dp_meter has. */

struct meter_counter {
    uint64_t packets, bytes;
};

struct meter_band {
    int64_t empty_ns; /* CLOCK_MONOTONIC. */
    int64_t full_ns;  /* How long it takes to fill. */
    uint64_t rate;    /* Of packets or kilobits a second; not 0. */
    struct meter_counter dropped;
};

enum meter_unit { METER_NONE /* There is no such meter: all pass. */, METER_KBPS, METER_PKTPS };
struct meter {
    uint32_t unit; /* METER_NONE while it is changed. */
    uint32_t n_bands;
    struct meter_counter met;
    struct meter_band bands[METER_BANDS];
};

/* Others write it meanwhile. The BPF target has no atomic loads; there they are of one piece anyway. */
#ifdef __bpf__
#define METER_LOAD(X) (*(volatile const __typeof__(X) *) &(X))
#define METER_STORE(X, V) (*(volatile __typeof__(X) *) &(X) = (V))
#else
#define METER_LOAD(X) __atomic_load_n(&(X), __ATOMIC_RELAXED)
#define METER_STORE(X, V) __atomic_store_n(&(X), (V), __ATOMIC_RELAXED)
#endif

static inline __attribute__((always_inline)) void
meter_count(struct meter_counter *c, uint32_t len)
{
    __sync_fetch_and_add(&c->packets, 1);
    __sync_fetch_and_add(&c->bytes, len);
}

/* false: it has not enough. */
static inline __attribute__((always_inline)) bool
meter_take(struct meter_band *b, int64_t cost_ns, int64_t now_ns)
{
    int64_t empty = METER_LOAD(b->empty_ns), full = now_ns - METER_LOAD(b->full_ns);

    if (empty < full) {
        if (full + cost_ns > now_ns) {
            return false;
        }
        METER_STORE(b->empty_ns, full + cost_ns);
        return true;
    }
    if (empty + cost_ns > now_ns) {
        return false;
    }
    __sync_fetch_and_add(&b->empty_ns, cost_ns);
    return true;
}

/* Of a packet of 'len' bytes at 'now_ns': does it pass? A band that has not enough for it drops it; the others have been paid then, too. */
static inline __attribute__((always_inline)) bool
meter_pass(struct meter *m, uint32_t len, int64_t now_ns)
{
    uint32_t n = METER_LOAD(m->n_bands), unit = METER_LOAD(m->unit);
    bool pass = true;

    if (unit == METER_NONE) {
        return true;
    }
    for (uint32_t i = 0; i < METER_BANDS && i < n; i++) {
        struct meter_band *b = &m->bands[i];
        uint64_t rate = METER_LOAD(b->rate);

        /* A kilobit a second is a bit a millisecond. */
        if (rate && !meter_take(b, (int64_t) ((unit == METER_PKTPS ? 1000000000ULL : len * 8000000ULL) / rate), now_ns)) {
            meter_count(&b->dropped, len);
            pass = false;
        }
    }
    meter_count(&m->met, len);
    return pass;
}

#endif
