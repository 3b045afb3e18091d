// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <assert.h>
#include <stdlib.h>
#include "lib/base/list.h"

void
htable_init(struct htable *t)
{
    *t = (struct htable){NULL, NULL, 0, 0};
}

void
htable_destroy(struct htable *t)
{
    free(t->buckets);
    htable_init(t);
}

/* The head of the chain for 'hash'. 'buckets' is NULL while 'one' serves, so that a table may be moved in
 * memory. */
static struct hnode **
bucket_of(struct htable *t, uint32_t hash)
{
    return t->buckets ? &t->buckets[hash & t->mask] : &t->one;
}

static struct hnode *
chain_of(const struct htable *t, size_t bucket)
{
    return t->buckets ? t->buckets[bucket] : t->one;
}

/* Doubles the buckets. The table never shrinks: what was big once will be again. */
static void
grow(struct htable *t)
{
    struct htable bigger = {NULL, NULL, t->mask * 2 + 1, t->n};

    bigger.buckets = xcalloc(bigger.mask + 1, sizeof *bigger.buckets);
    for (size_t i = 0; i <= t->mask; i++) {
        struct hnode *next;

        for (struct hnode *node = chain_of(t, i); node; node = next) {
            struct hnode **head = bucket_of(&bigger, node->hash);

            next = node->next;
            node->next = *head;
            *head = node;
        }
    }
    free(t->buckets);
    *t = bigger;
}

void
htable_insert(struct htable *t, struct hnode *node, uint32_t hash)
{
    struct hnode **head;

    if (t->n > t->mask) {
        grow(t);
    }
    head = bucket_of(t, hash);
    node->hash = hash;
    node->next = *head;
    *head = node;
    t->n++;
}

void
htable_remove(struct htable *t, struct hnode *node)
{
    struct hnode **link = bucket_of(t, node->hash);

    while (*link != node) {
        assert(*link);
        link = &(*link)->next;
    }
    *link = node->next;
    t->n--;
}

static struct hnode *
first_match(struct hnode *node, uint32_t hash)
{
    while (node && node->hash != hash) {
        node = node->next;
    }
    return node;
}

struct hnode *
htable_first_with_hash(const struct htable *t, uint32_t hash)
{
    return first_match(chain_of(t, hash & t->mask), hash);
}

void
htable_prefetch(const struct htable *t, uint32_t hash)
{
    if (t->buckets) {
        __builtin_prefetch(&t->buckets[hash & t->mask]);
    }
}

struct hnode *
htable_next_with_hash(const struct hnode *node)
{
    return first_match(node->next, node->hash);
}

struct hnode *
htable_next(const struct htable *t, const struct hnode *node)
{
    size_t bucket = 0;

    if (node) {
        if (node->next) {
            return node->next;
        }
        bucket = (node->hash & t->mask) + 1;
    }
    for (; bucket <= t->mask; bucket++) {
        struct hnode *first = chain_of(t, bucket);

        if (first) {
            return first;
        }
    }
    return NULL;
}
