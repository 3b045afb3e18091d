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

/* Widths are 1 to 8 and 16 bytes: a value is one or two big-endian words, of which the first may be cut. */
static inline u128
value_load(const union field_value *v, unsigned n_bytes)
{
    uint64_t w[2];

    memcpy(w, v->b, sizeof w);
    return n_bytes <= 8 ? ntohll(w[0]) >> (64 - 8 * n_bytes) : (u128) ntohll(w[0]) << 64 | ntohll(w[1]);
}

static inline void
value_store(u128 x, unsigned n_bytes, union field_value *v)
{
    uint64_t w[2] = {n_bytes <= 8 ? htonll((uint64_t) x << (64 - 8 * n_bytes)) : htonll((uint64_t) (x >> 64)),
                     n_bytes <= 8 ? 0 : htonll((uint64_t) x)};

    memcpy(v->b, w, sizeof w);
}

void field_or_mask(const struct field *, u128 bits, struct flow_key *mask); /* Looks at these bits of the field, too. */

#endif
