// SPDX-License-Identifier: Apache-2.0
// Hashing, by xxHash. Values are for this process only: never on a wire or a disk.
#ifndef LIB_BASE_HASH_H
#define LIB_BASE_HASH_H 1

#include <xxhash.h>
#include "lib/base/util.h"

static inline uint32_t
hash_bytes(const void *data, size_t n, uint32_t basis)
{
    return (uint32_t) XXH3_64bits_withSeed(data, n, basis);
}

static inline uint32_t
hash_u64(uint64_t x, uint32_t basis)
{
    x = (x ^ basis) * UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 32;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t) (x ^ (x >> 32));
}

static inline uint32_t
hash_string(const char *s, uint32_t basis)
{
    return hash_bytes(s, strlen(s), basis);
}

static inline uint32_t
hash_pointer(const void *p, uint32_t basis)
{
    return hash_u64((uint64_t) (uintptr_t) p, basis);
}

#endif
