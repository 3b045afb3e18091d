// SPDX-License-Identifier: Apache-2.0
// Counts of references to what readers find under RCU. Whoever finds a thing may find it after its last owner let go of it, while its memory waits for the end of
// the grace period: then it cannot be kept any more.
#ifndef LIB_BASE_REFS_H
#define LIB_BASE_REFS_H 1

#include <stdbool.h>
#include <stdint.h>

/* Takes a reference, unless the last one is gone. Any thread, in the read section in which the thing was found. */
static inline bool
refs_get(uint32_t *refs)
{
    uint32_t n = __atomic_load_n(refs, __ATOMIC_RELAXED);

    do {
        if (!n) {
            return false;
        }
    } while (!__atomic_compare_exchange_n(refs, &n, n + 1, true, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
    return true;
}

/* Gives a reference back. true: it was the last; the thing dies after a grace period. Any thread. */
static inline bool
refs_put(uint32_t *refs)
{
    return !__atomic_sub_fetch(refs, 1, __ATOMIC_ACQ_REL);
}

#endif
