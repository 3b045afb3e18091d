// SPDX-License-Identifier: Apache-2.0
// What a translation came to, but for the packet's own bits: the mask, whom to credit, and what the datapath does. Many megaflows come to the same, which is kept
// once for all of them.
#ifndef OFPROTO_OUTCOME_H
#define OFPROTO_OUTCOME_H 1

#include "ofproto/effect.h"

struct outcomes;

struct outcome {
    const void *actions; /* The datapath's. */
    size_t actions_len;
    const struct effect *effects; /* Rules, ports and bridges are referenced. */
    size_t n_effects;
    uint64_t map; /* Bit i: word i of the mask is not zero. */
    const uint64_t *mask; /* Those words, lowest first. */
};

struct outcomes *outcomes_create(void);
void outcomes_destroy(struct outcomes *); /* All were put back. */

/* One that says just that: effects that point to what is going are left out of it. RCU read section; any thread, as the next. */
const struct outcome *outcome_get(struct outcomes *, const struct flow_key *mask, const struct effect *, size_t n_effects, const void *actions, size_t actions_len);
void outcome_put(const struct outcome *);

static inline unsigned
outcome_n_words(const struct outcome *o)
{
    return (unsigned) __builtin_popcountll(o->map);
}

#endif
