// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/flow/key.h"

#include <sys/random.h>

#include "lib/base/hash.h"

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
eth_addr_parse(const char *s, struct eth_addr *addr)
{
    struct eth_addr a;

    for (size_t i = 0; i < sizeof a.b; i++) {
        int hi = hex_digit(s[0]);
        int lo = hi < 0 ? -1 : hex_digit(s[1]);

        if (hi < 0 || lo < 0 || s[2] != (i < sizeof a.b - 1 ? ':' : '\0')) {
            return false;
        }
        a.b[i] = (uint8_t) (hi << 4 | lo);
        s += 3;
    }
    *addr = a;
    return true;
}

struct eth_addr
eth_addr_random(void)
{
    struct eth_addr a = {{0}};

    if (getrandom(&a, sizeof a, 0) != sizeof a) {
        memcpy(&a, &(uint64_t){(uint64_t) now_us()}, sizeof a);
    }
    a.b[0] = (uint8_t) ((a.b[0] & ~1) | 2);
    return a;
}

void
flow_key_and(struct flow_key *dst, const struct flow_key *key, const struct flow_key *mask)
{
    uint64_t *d = flow_key_words(dst);
    const uint64_t *k = flow_key_cwords(key), *m = flow_key_cwords(mask);

    for (size_t i = 0; i < FLOW_KEY_WORDS; i++) {
        d[i] = k[i] & m[i];
    }
}

void
flow_key_or(struct flow_key *dst, const struct flow_key *src)
{
    uint64_t *d = flow_key_words(dst);
    const uint64_t *s = flow_key_cwords(src);

    for (size_t i = 0; i < FLOW_KEY_WORDS; i++) {
        d[i] |= s[i];
    }
}

bool
flow_key_equal_in(const struct flow_key *a, const struct flow_key *b, const struct flow_key *mask)
{
    const uint64_t *x = flow_key_cwords(a), *y = flow_key_cwords(b), *m = flow_key_cwords(mask);

    for (size_t i = 0; i < FLOW_KEY_WORDS; i++) {
        if ((x[i] ^ y[i]) & m[i]) {
            return false;
        }
    }
    return true;
}

uint32_t
flow_key_hash(const struct flow_key *key, uint32_t basis)
{
    return hash_bytes(key, sizeof *key, basis);
}

struct flow_sparse *
flow_sparse_from_key(const struct flow_key *key)
{
    const uint64_t *k = flow_key_cwords(key);
    struct flow_sparse *s;
    uint64_t map = 0;
    size_t n = 0;

    for (size_t i = 0; i < FLOW_KEY_WORDS; i++) {
        map |= (uint64_t) (k[i] != 0) << i;
    }
    s = xmalloc(sizeof *s + 8 * (size_t) __builtin_popcountll(map));
    s->map = map;
    for (; map; map &= map - 1) {
        s->words[n++] = k[__builtin_ctzll(map)];
    }
    return s;
}

void
flow_sparse_expand(const struct flow_sparse *s, struct flow_key *key)
{
    uint64_t *k = flow_key_words(key);
    const uint64_t *w = s->words;

    memset(key, 0, sizeof *key);
    for (uint64_t map = s->map; map; map &= map - 1) {
        k[__builtin_ctzll(map)] = *w++;
    }
}

bool
flow_sparse_equal(const struct flow_sparse *a, const struct flow_sparse *b)
{
    return a->map == b->map && !memcmp(a->words, b->words, 8 * flow_sparse_n(a));
}

uint32_t
flow_sparse_hash(const struct flow_sparse *s, uint32_t basis)
{
    return hash_bytes(s, flow_sparse_size(s), basis);
}
