// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "ofproto/outcome.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/hash.h"
#include "lib/base/list.h"

struct outcomes {
    pthread_mutex_t mutex; /* Held for a moment only. */
    struct htable all;     /* struct shared, by what is in it. */
    struct shared *last;   /* That somebody got: the next one often wants the same. NULL: it has gone. */
    struct flow_key last_mask; /* Of that, whole. */
};

struct shared {
    struct outcome o; /* First. */
    struct hnode node;
    struct outcomes *owner;
    uint32_t refs; /* Under the mutex. */
    uint64_t data[];
};

struct outcomes *
outcomes_create(void)
{
    struct outcomes *os = xzalloc(sizeof *os);

    pthread_mutex_init(&os->mutex, NULL);
    htable_init(&os->all);
    return os;
}

void
outcomes_destroy(struct outcomes *os)
{
    htable_destroy(&os->all);
    pthread_mutex_destroy(&os->mutex);
    free(os);
}

static uint32_t
hash_of(const struct outcome *o)
{
    uint32_t hash = hash_bytes(o->mask, outcome_n_words(o) * sizeof *o->mask, (uint32_t) hash_u64(o->map, 0));

    hash = hash_bytes(o->effects, o->n_effects * sizeof *o->effects, hash);
    return hash_bytes(o->actions, o->actions_len, hash);
}

static bool
is_same(const void *a, const void *b, size_t size)
{
    return !size || !memcmp(a, b, size);
}

/* But for their masks. What effects_equal() does not see to be the same is kept twice. */
static bool
does_same(const struct outcome *a, const struct outcome *b)
{
    return a->actions_len == b->actions_len && effects_equal(a->effects, a->n_effects, b->effects, b->n_effects)
           && is_same(a->actions, b->actions, a->actions_len);
}

static bool
equal(const struct outcome *a, const struct outcome *b)
{
    return a->map == b->map && is_same(a->mask, b->mask, outcome_n_words(a) * sizeof *a->mask) && does_same(a, b);
}

/* NULL: there is none, and '*hash' is that of the wanted one. */
static struct shared *
find(const struct outcomes *os, const struct outcome *wanted, uint32_t *hash)
{
    *hash = hash_of(wanted);
    for (struct hnode *h = htable_first_with_hash(&os->all, *hash); h; h = htable_next_with_hash(h)) {
        struct shared *s = CONTAINER_OF(h, struct shared, node);

        if (equal(&s->o, wanted)) {
            return s;
        }
    }
    return NULL;
}

/* Nobody has it yet. */
static struct shared *
make(struct outcomes *os, const struct outcome *from)
{
    unsigned n_words = outcome_n_words(from);
    struct shared *s = xmalloc(sizeof *s + n_words * sizeof s->data[0] + from->n_effects * sizeof from->effects[0] + from->actions_len);
    struct effect *effects = (struct effect *) (s->data + n_words);
    size_t n = 0;

    memcpy(s->data, from->mask, n_words * sizeof s->data[0]);
    for (size_t i = 0; i < from->n_effects; i++) {
        if (effect_ref(&from->effects[i])) {
            memcpy(&effects[n++], &from->effects[i], sizeof effects[0]);
        }
    }
    if (from->actions_len) {
        memcpy(&effects[n], from->actions, from->actions_len);
    }
    s->o = (struct outcome){.actions = &effects[n], .actions_len = from->actions_len, .effects = effects, .n_effects = n, .map = from->map, .mask = s->data};
    s->owner = os;
    s->refs = 0;
    return s;
}

/* One for the mask, which is not the last one's, or does something else. */
static struct shared *
find_or_make(struct outcomes *os, const struct flow_key *mask, struct outcome *wanted)
{
    const uint64_t *m = flow_key_cwords(mask);
    uint64_t words[FLOW_KEY_WORDS];
    struct shared *s;
    unsigned n = 0;
    uint32_t hash;

    wanted->mask = words;
    for (unsigned i = 0; i < FLOW_KEY_WORDS; i++) {
        if (m[i]) {
            wanted->map |= UINT64_C(1) << i;
            words[n++] = m[i];
        }
    }
    s = find(os, wanted, &hash);
    if (!s) {
        s = make(os, wanted);
        htable_insert(&os->all, &s->node, s->o.n_effects == wanted->n_effects ? hash : hash_of(&s->o));
    }
    os->last = s;
    os->last_mask = *mask;
    return s;
}

const struct outcome *
outcome_get(struct outcomes *os, const struct flow_key *mask, const struct effect *effects, size_t n_effects, const void *actions, size_t actions_len)
{
    struct outcome wanted = {.actions = actions, .actions_len = actions_len, .effects = effects, .n_effects = n_effects};
    struct shared *s;

    pthread_mutex_lock(&os->mutex);
    s = os->last;
    if (!s || memcmp(&os->last_mask, mask, sizeof *mask) || !does_same(&s->o, &wanted)) {
        s = find_or_make(os, mask, &wanted);
    }
    s->refs++;
    pthread_mutex_unlock(&os->mutex);
    return &s->o;
}

void
outcome_put(const struct outcome *o)
{
    struct shared *s = CONTAINER_OF(o, struct shared, o);
    struct outcomes *os = s->owner;
    bool last;

    pthread_mutex_lock(&os->mutex);
    last = !--s->refs;
    if (last) {
        htable_remove(&os->all, &s->node);
        os->last = os->last == s ? NULL : os->last;
    }
    pthread_mutex_unlock(&os->mutex);
    if (last) {
        for (size_t i = 0; i < o->n_effects; i++) {
            effect_unref(&o->effects[i]);
        }
        free(s);
    }
}
