// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/flow/match.h"
#include "lib/base/hash.h"

void
match_init_any(struct match *m)
{
    memset(m, 0, sizeof *m);
}

bool
match_equal(const struct match *a, const struct match *b)
{
    return !memcmp(a, b, sizeof *a);
}

bool
match_covers(const struct match *m, const struct flow_key *key)
{
    return flow_key_equal_in(&m->key, key, &m->mask);
}

bool
match_is_subset(const struct match *narrow, const struct match *wide)
{
    const uint64_t *nk = flow_key_cwords(&narrow->key), *nm = flow_key_cwords(&narrow->mask);
    const uint64_t *wk = flow_key_cwords(&wide->key), *wm = flow_key_cwords(&wide->mask);

    for (size_t i = 0; i < FLOW_KEY_WORDS; i++) {
        if ((wm[i] & ~nm[i]) | ((nk[i] ^ wk[i]) & wm[i])) {
            return false;
        }
    }
    return true;
}

bool
match_overlaps(const struct match *a, const struct match *b)
{
    const uint64_t *ak = flow_key_cwords(&a->key), *am = flow_key_cwords(&a->mask);
    const uint64_t *bk = flow_key_cwords(&b->key), *bm = flow_key_cwords(&b->mask);

    for (size_t i = 0; i < FLOW_KEY_WORDS; i++) {
        if ((ak[i] ^ bk[i]) & am[i] & bm[i]) {
            return false;
        }
    }
    return true;
}

unsigned
match_sparse_n(const struct match_sparse *s)
{
    return (unsigned) __builtin_popcountll(s->map);
}

struct match_sparse *
match_pack(const struct match *m)
{
    const uint64_t *k = flow_key_cwords(&m->key), *mask = flow_key_cwords(&m->mask);
    struct match_sparse *s;
    uint64_t map = 0;
    size_t n, i = 0;

    for (size_t w = 0; w < FLOW_KEY_WORDS; w++) {
        map |= (uint64_t) (mask[w] != 0) << w;
    }
    n = (size_t) __builtin_popcountll(map);
    s = xmalloc(sizeof *s + 16 * n);
    s->map = map;
    for (; map; map &= map - 1) {
        int w = __builtin_ctzll(map);

        s->words[i] = k[w] & mask[w];
        s->words[n + i++] = mask[w];
    }
    return s;
}

void
match_unpack(const struct match_sparse *s, struct match *m)
{
    uint64_t *k = flow_key_words(&m->key), *mask = flow_key_words(&m->mask);
    size_t n = match_sparse_n(s), i = 0;

    memset(m, 0, sizeof *m);
    for (uint64_t map = s->map; map; map &= map - 1) {
        int w = __builtin_ctzll(map);

        k[w] = s->words[i];
        mask[w] = s->words[n + i++];
    }
}

bool
match_sparse_equal(const struct match_sparse *a, const struct match_sparse *b)
{
    return a->map == b->map && !memcmp(a->words, b->words, 16 * match_sparse_n(a));
}

uint32_t
match_sparse_hash(const struct match_sparse *s, uint32_t basis)
{
    return hash_bytes(s, sizeof *s + 16 * match_sparse_n(s), basis);
}

bool
match_sparse_is_subset(const struct match_sparse *narrow, const struct match *wide)
{
    const uint64_t *wk = flow_key_cwords(&wide->key), *wm = flow_key_cwords(&wide->mask);
    size_t n = match_sparse_n(narrow);
    uint64_t map = 0;

    for (size_t w = 0; w < FLOW_KEY_WORDS; w++) {
        map |= (uint64_t) (wm[w] != 0) << w;
    }
    if (map & ~narrow->map) {
        return false;
    }
    for (; map; map &= map - 1) {
        int w = __builtin_ctzll(map);
        size_t i = (size_t) __builtin_popcountll(narrow->map & ((UINT64_C(1) << w) - 1));

        if ((wm[w] & ~narrow->words[n + i]) | ((narrow->words[i] ^ wk[w]) & wm[w])) {
            return false;
        }
    }
    return true;
}
