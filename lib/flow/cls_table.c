// SPDX-License-Identifier: Apache-2.0
// Positions follow the hash's high bits (hash * capacity >> 32), so that capacities need not be powers of two and a table that grows is filled from
// front to back. A byte of tags a slot, from the hash's low bits, keeps probing off the rules themselves.
#include <config.h>
#include "lib/flow/cls_table.h"

#include <stdlib.h>

#include "lib/base/rcu.h"

enum { TAG_EMPTY, TAG_REMOVED, TAG_FIRST };

struct cls_slots {
    uint32_t capacity;
    uint8_t *tags;
    struct cls_rule *rules[];
};

static uint8_t
tag_of(uint32_t hash)
{
    uint8_t tag = (uint8_t) hash;

    return tag < TAG_FIRST ? tag + TAG_FIRST : tag;
}

static uint32_t
place_of(uint32_t hash, uint32_t capacity)
{
    return (uint32_t) ((uint64_t) hash * capacity >> 32);
}

static uint32_t
next_place(uint32_t i, uint32_t capacity)
{
    return i + 1 < capacity ? i + 1 : 0;
}

static struct cls_slots *
slots_new(uint32_t capacity)
{
    struct cls_slots *s = xcalloc(1, sizeof *s + capacity * (sizeof s->rules[0] + 1));

    s->capacity = capacity;
    s->tags = (uint8_t *) &s->rules[capacity];
    return s;
}

/* The rule before the tag: who sees the tag finds the rule. */
static void
slots_put(struct cls_slots *s, struct cls_rule *rule)
{
    uint32_t i = place_of(rule->hash, s->capacity);

    while (__atomic_load_n(&s->tags[i], __ATOMIC_RELAXED) != TAG_EMPTY) {
        i = next_place(i, s->capacity);
    }
    __atomic_store_n(&s->rules[i], rule, __ATOMIC_RELEASE);
    __atomic_store_n(&s->tags[i], tag_of(rule->hash), __ATOMIC_RELEASE);
}

const struct cls_slots *
cls_table_slots(const struct cls_table *t)
{
    return __atomic_load_n(&t->slots, __ATOMIC_CONSUME);
}

struct cls_rule *
cls_slots_next(const struct cls_slots *s, uint32_t *cursor)
{
    while (s && *cursor < s->capacity) {
        uint32_t i = (*cursor)++;

        if (s->tags[i] >= TAG_FIRST) {
            if (i + 8 < s->capacity) {
                __builtin_prefetch(s->rules[i + 8]);
            }
            return s->rules[i];
        }
    }
    return NULL;
}

static void
table_resize(struct cls_table *t)
{
    struct cls_slots *was = t->slots;
    uint32_t capacity = t->n < 4 ? 6 : t->n + t->n / 2 + t->n / 4;
    struct cls_slots *is = slots_new(capacity);
    struct cls_rule *rule;
    uint32_t cursor = 0;

    while ((rule = cls_slots_next(was, &cursor)) != NULL) {
        slots_put(is, rule);
    }
    t->n_filled = t->n;
    __atomic_store_n(&t->slots, is, __ATOMIC_RELEASE);
    rcu_postpone_free(was);
}

/* A table that has become too large shrinks when rules come again, not while they go: who takes many out does so in the order of their hashes, and those that
 * are left would all want to be in one part of a smaller table. */
static bool
should_resize(const struct cls_table *t)
{
    uint32_t capacity = t->slots ? t->slots->capacity : 0;

    return !capacity || t->n_filled + 1 > capacity - capacity / 8 - 1 || (capacity > 64 && t->n < capacity / 8);
}

void
cls_table_insert(struct cls_table *t, struct cls_rule *head)
{
    if (should_resize(t)) {
        table_resize(t);
    }
    slots_put(t->slots, head);
    t->n++;
    t->n_filled++;
}

static uint32_t
slot_of(const struct cls_slots *s, const struct cls_rule *rule)
{
    uint32_t i = place_of(rule->hash, s->capacity);

    while (s->rules[i] != rule || s->tags[i] < TAG_FIRST) {
        i = next_place(i, s->capacity);
    }
    return i;
}

void
cls_table_replace(struct cls_table *t, struct cls_rule *was, struct cls_rule *is)
{
    __atomic_store_n(&t->slots->rules[slot_of(t->slots, was)], is, __ATOMIC_RELEASE);
}

void
cls_table_remove(struct cls_table *t, struct cls_rule *head)
{
    struct cls_slots *s = t->slots;
    uint32_t i = slot_of(s, head);

    __atomic_store_n(&s->tags[i], TAG_REMOVED, __ATOMIC_RELEASE);
    t->n--;
}

void
cls_table_destroy(struct cls_table *t)
{
    rcu_postpone_free(t->slots);
}

struct cls_rule *
cls_table_find(const struct cls_table *t, uint32_t hash, const uint64_t *words, unsigned n)
{
    const struct cls_slots *s = cls_table_slots(t);
    uint8_t tag, wanted = tag_of(hash);

    if (!s) {
        return NULL;
    }
    for (uint32_t i = place_of(hash, s->capacity); (tag = __atomic_load_n(&s->tags[i], __ATOMIC_ACQUIRE)) != TAG_EMPTY;
         i = next_place(i, s->capacity)) {
        if (tag == wanted) {
            struct cls_rule *rule = __atomic_load_n(&s->rules[i], __ATOMIC_ACQUIRE);

            if (rule->hash == hash && !memcmp(rule->match->words, words, n * sizeof *words)) {
                return rule;
            }
        }
    }
    return NULL;
}

void
cls_table_prefetch(const struct cls_table *t, uint32_t hash)
{
    const struct cls_slots *s = t->slots;

    if (s) {
        uint32_t i = place_of(hash, s->capacity);

        __builtin_prefetch(&s->tags[i], 1);
        __builtin_prefetch(&s->rules[i], 1);
    }
}

/* A slot is hash << 32 | count; 0 was never used. */
struct cls_hashes {
    uint32_t capacity;
    uint64_t slots[];
};

static uint32_t
not_zero(uint32_t hash)
{
    return hash ? hash : 1;
}

/* The slot with 'hash', or the one where it may go: one whose count fell to zero, else the empty one that ends the search. */
static uint64_t *
hashes_slot(struct cls_hashes *h, uint32_t hash)
{
    uint64_t *reusable = NULL;

    for (uint32_t i = place_of(hash, h->capacity);; i = next_place(i, h->capacity)) {
        uint64_t slot = h->slots[i];

        if (!slot) {
            return reusable ? reusable : &h->slots[i];
        } else if (slot >> 32 == hash) {
            return &h->slots[i];
        } else if (!reusable && !(uint32_t) slot) {
            reusable = &h->slots[i];
        }
    }
}

static void
hashes_resize(struct cls_hash_set *set)
{
    struct cls_hashes *was = set->hashes, *is;
    uint32_t n = 0, capacity;

    for (uint32_t i = 0; was && i < was->capacity; i++) {
        n += (uint32_t) was->slots[i] != 0;
    }
    capacity = n < 4 ? 6 : 2 * n;
    is = xcalloc(1, sizeof *is + capacity * sizeof is->slots[0]);
    is->capacity = capacity;
    for (uint32_t i = 0; was && i < was->capacity; i++) {
        if ((uint32_t) was->slots[i]) {
            *hashes_slot(is, (uint32_t) (was->slots[i] >> 32)) = was->slots[i];
        }
    }
    set->n_filled = n;
    __atomic_store_n(&set->hashes, is, __ATOMIC_RELEASE);
    rcu_postpone_free(was);
}

void
cls_hash_set_prefetch(const struct cls_hash_set *set, uint32_t hash)
{
    const struct cls_hashes *h = set->hashes;

    if (h) {
        __builtin_prefetch(&h->slots[place_of(not_zero(hash), h->capacity)], 1);
    }
}

void
cls_hash_set_add(struct cls_hash_set *set, uint32_t hash)
{
    uint64_t *slot;

    hash = not_zero(hash);
    if (!set->hashes || set->n_filled + 1 > set->hashes->capacity / 4 * 3) {
        hashes_resize(set);
    }
    slot = hashes_slot(set->hashes, hash);
    if (*slot >> 32 == hash) {
        __atomic_store_n(slot, *slot + 1, __ATOMIC_RELEASE);
    } else {
        set->n_filled += !*slot;
        __atomic_store_n(slot, (uint64_t) hash << 32 | 1, __ATOMIC_RELEASE);
    }
}

void
cls_hash_set_remove(struct cls_hash_set *set, uint32_t hash)
{
    uint64_t *slot = hashes_slot(set->hashes, not_zero(hash));

    __atomic_store_n(slot, *slot - 1, __ATOMIC_RELEASE);
}

bool
cls_hash_set_has(const struct cls_hash_set *set, uint32_t hash)
{
    const struct cls_hashes *h = __atomic_load_n(&set->hashes, __ATOMIC_CONSUME);
    uint64_t slot;

    hash = not_zero(hash);
    if (!h) {
        return false;
    }
    for (uint32_t i = place_of(hash, h->capacity); (slot = __atomic_load_n(&h->slots[i], __ATOMIC_ACQUIRE)) != 0;
         i = next_place(i, h->capacity)) {
        if (slot >> 32 == hash && (uint32_t) slot) {
            return true;
        }
    }
    return false;
}

void
cls_hash_set_destroy(struct cls_hash_set *set)
{
    rcu_postpone_free(set->hashes);
}
