// SPDX-License-Identifier: Apache-2.0
// A field's value as an integer of up to 128 bits: for lib/flow's own use.
#ifndef LIB_FLOW_WIDE_H
#define LIB_FLOW_WIDE_H 1

#include "lib/flow/field.h"

typedef unsigned __int128 u128;

/* 'n' low bits, 0 <= n <= 128. */
static inline u128
low_bits128(unsigned n)
{
    return n >= 128 ? ~(u128) 0 : ((u128) 1 << n) - 1;
}

static inline u128
value_load(const union field_value *v, unsigned n_bytes)
{
    u128 x = 0;

    for (unsigned i = 0; i < n_bytes; i++) {
        x = x << 8 | v->b[i];
    }
    return x;
}

static inline void
value_store(u128 x, unsigned n_bytes, union field_value *v)
{
    memset(v, 0, sizeof *v);
    for (unsigned i = n_bytes; i-- > 0; x >>= 8) {
        v->b[i] = (uint8_t) x;
    }
}

#endif
