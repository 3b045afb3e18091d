// SPDX-License-Identifier: Apache-2.0
// The writer's side. A rule is published in this order: prefixes, stages, rule, order of the subtables. A reader that sees only the first of them
// misses the rule, as if it had looked a moment earlier; what it concluded is void anyway, because the table's generation changes afterwards.
#include <config.h>
#include "lib/flow/classifier.h"

#include <stdlib.h>

#include "lib/base/rcu.h"
#include "lib/flow/classifier_private.h"

#define DEFAULT_TRACKED 0x3
#define DEFAULT_ORDER 0x21
#define MAX_TRACKED 3

static uint32_t
ports_of(uint64_t map, const uint64_t *words)
{
    unsigned word = offsetof(struct flow_key, tp_src) / 8;
    uint32_t ports;

    if (!(map >> word & 1)) {
        return 0;
    }
    memcpy(&ports, (const uint8_t *) &words[__builtin_popcountll(map & low_bits(word))] + offsetof(struct flow_key, tp_src) % 8, sizeof ports);
    return ntohl(ports);
}

struct classifier *
classifier_create(void)
{
    struct classifier *cls = xzalloc(sizeof *cls);

    cls->vector = xzalloc(sizeof *cls->vector);
    cls->pool = trie_pool_create();
    cls->order = DEFAULT_ORDER;
    cls->tracked = DEFAULT_TRACKED;
    htable_init(&cls->by_mask);
    return cls;
}

size_t
classifier_n_rules(const struct classifier *cls)
{
    return cls->n_rules;
}

size_t
classifier_n_subtables(const struct classifier *cls)
{
    return cls->by_mask.n;
}

bool
classifier_is_behind(const struct classifier *cls)
{
    return trie_is_behind(cls->pool);
}

void
classifier_catch_up(struct classifier *cls)
{
    trie_catch_up(cls->pool);
}

/* Main thread: the vector changes only here. */
static struct cls_vector *
vector_copy(const struct cls_vector *was, size_t n)
{
    struct cls_vector *v = xmalloc(sizeof *v + n * sizeof v->entries[0]);

    memcpy(v->entries, was->entries, MIN(n, was->n) * sizeof v->entries[0]);
    v->n = n;
    return v;
}

/* Stable: who comes to a priority last is behind those who have it. */
static void
vector_publish(struct classifier *cls, struct cls_vector *v)
{
    struct cls_vector *was = cls->vector;

    for (size_t i = 1; i < v->n; i++) {
        struct cls_vector_entry e = v->entries[i];
        size_t at = i;

        while (at > 0 && v->entries[at - 1].max_priority < e.max_priority) {
            at--;
        }
        memmove(&v->entries[at + 1], &v->entries[at], (i - at) * sizeof e);
        v->entries[at] = e;
    }
    __atomic_store_n(&cls->vector, v, __ATOMIC_RELEASE);
    rcu_postpone_free(was);
}

static size_t
vector_find(const struct cls_vector *v, const struct cls_subtable *st)
{
    size_t i = 0;

    while (v->entries[i].subtable != st) {
        i++;
    }
    return i;
}

static void
vector_add(struct classifier *cls, struct cls_subtable *st)
{
    struct cls_vector *v = vector_copy(cls->vector, cls->vector->n + 1);

    v->entries[v->n - 1] = (struct cls_vector_entry){st, st->max_priority};
    vector_publish(cls, v);
}

static void
vector_remove(struct classifier *cls, struct cls_subtable *st)
{
    struct cls_vector *v = vector_copy(cls->vector, cls->vector->n);
    size_t i = vector_find(v, st);

    v->entries[i] = v->entries[--v->n];
    vector_publish(cls, v);
}

static void
set_max_priority(struct classifier *cls, struct cls_subtable *st, int32_t priority)
{
    if (st->max_priority != priority) {
        struct cls_vector *v = vector_copy(cls->vector, cls->vector->n);

        st->max_priority = priority;
        v->entries[vector_find(v, st)].max_priority = priority;
        vector_publish(cls, v);
    }
}

static uint32_t
mask_hash(uint64_t map, const uint64_t *words, unsigned n)
{
    return hash_bytes(words, n * sizeof *words, (uint32_t) hash_u64(map, 0));
}

static struct cls_subtable *
find_subtable(const struct classifier *cls, uint64_t map, const uint64_t *mask, uint32_t hash)
{
    unsigned n = (unsigned) __builtin_popcountll(map);

    for (struct hnode *node = htable_first_with_hash(&cls->by_mask, hash); node; node = htable_next_with_hash(node)) {
        struct cls_subtable *st = CONTAINER_OF(node, struct cls_subtable, node);

        if (st->map == map && !memcmp(st->words, mask, n * sizeof *mask)) {
            return st;
        }
    }
    return NULL;
}

static struct cls_subtable *
find_subtable_of(const struct classifier *cls, const struct match_sparse *m)
{
    const uint64_t *mask = m->words + match_sparse_n(m);

    return find_subtable(cls, m->map, mask, mask_hash(m->map, mask, match_sparse_n(m)));
}

/* A stage that adds no bits is left out; the last one that is left is asked by the table of rules itself. */
static void
init_stages(struct cls_subtable *st)
{
    static const unsigned ends[FLOW_N_STAGES] = {FLOW_STAGE_END_0, FLOW_STAGE_END_1, FLOW_STAGE_END_2, FLOW_KEY_WORDS};
    unsigned before = 0;

    for (unsigned i = 0; i < FLOW_N_STAGES; i++) {
        unsigned end = (unsigned) __builtin_popcountll(st->map & low_bits(ends[i]));

        if (end > before) {
            st->stage_end[st->n_stages++] = (uint8_t) end;
            before = end;
        }
    }
    st->n_stages += !st->n_stages; /* A match on nothing has one empty stage. */
}

static void
init_prefixes(struct cls_subtable *st)
{
    st->ports_mask = ports_of(st->map, st->words);
    st->ports_n_bits = (uint8_t) (st->ports_mask ? 32 - __builtin_ctz(st->ports_mask) : 0);
    for (unsigned i = 0; i < CLS_N_PREFIX_FIELDS; i++) {
        const struct cls_prefix_field *f = &cls_prefix_fields[i];
        unsigned at = (unsigned) __builtin_popcountll(st->map & low_bits(f->offset / 8));

        st->plen[i] = (uint8_t) cls_prefix_len(f, st->map, st->words);
        while (st->plen[i] && at >= st->stage_end[st->plen_stage[i]]) {
            st->plen_stage[i]++;
        }
    }
}

static struct cls_subtable *
subtable_create(struct classifier *cls, const struct match_sparse *m, int32_t priority)
{
    unsigned n = match_sparse_n(m);
    struct cls_subtable *st = xzalloc(sizeof *st + n * sizeof st->words[0]);

    st->map = m->map;
    st->n_words = (uint8_t) n;
    memcpy(st->words, m->words + n, n * sizeof st->words[0]);
    st->max_priority = priority;
    init_stages(st);
    init_prefixes(st);
    htable_insert(&cls->by_mask, &st->node, mask_hash(st->map, st->words, n));
    return st;
}

static void
subtable_release(struct classifier *cls, struct cls_subtable *st)
{
    htable_remove(&cls->by_mask, &st->node);
    trie_clear(cls->pool, &st->ports);
    cls_priorities_destroy(&st->priorities);
    cls_table_destroy(&st->rules);
    for (unsigned i = 0; i < ARRAY_SIZE(st->stages); i++) {
        cls_hash_set_destroy(&st->stages[i]);
    }
    rcu_postpone_free(st);
}

void
classifier_destroy(struct classifier *cls)
{
    if (!cls) {
        return;
    }
    for (size_t i = 0; i < cls->vector->n; i++) {
        subtable_release(cls, cls->vector->entries[i].subtable);
    }
    rcu_postpone_free(cls->vector);
    for (unsigned i = 0; i < CLS_N_PREFIX_FIELDS; i++) {
        trie_clear(cls->pool, &cls->tries[i]);
    }
    trie_pool_destroy(cls->pool);
    htable_destroy(&cls->by_mask);
    free(cls);
}

/* hashes[i]: up to the end of stage i. The last one is the rule's. */
static uint32_t
hash_stages(const struct cls_subtable *st, const uint64_t *words, uint32_t hashes[FLOW_N_STAGES])
{
    uint32_t hash = 0;
    unsigned pos = 0;

    for (unsigned stage = 0; stage < st->n_stages; stage++) {
        for (; pos < st->stage_end[stage]; pos++) {
            hash = cls_hash_word(words[pos], hash);
        }
        hashes[stage] = hash;
    }
    return hash;
}

static struct cls_rule *
find_head(const struct cls_subtable *st, const struct match_sparse *m)
{
    uint32_t hashes[FLOW_N_STAGES];

    return cls_table_find(&st->rules, hash_stages(st, m->words, hashes), m->words, st->n_words);
}

void
classifier_prefetch(const struct classifier *cls, const struct match_sparse *m, int32_t priority)
{
    const struct cls_subtable *st = find_subtable_of(cls, m);
    uint32_t hashes[FLOW_N_STAGES];

    if (st) {
        cls_table_prefetch(&st->rules, hash_stages(st, m->words, hashes));
        for (unsigned i = 0; i + 1 < st->n_stages; i++) {
            cls_hash_set_prefetch(&st->stages[i], hashes[i]);
        }
        cls_priorities_prefetch(&st->priorities, priority);
    }
}

typedef void trie_change_fn(struct trie_pool *, struct trie *, const struct trie_value *, unsigned n_bits);

/* Enters or removes a match that is the first or the last of its kind in the subtable. */
static void
change_prefixes(struct classifier *cls, struct cls_subtable *st, const struct match_sparse *m, uint32_t fields, trie_change_fn *change)
{
    struct trie_value v;

    for (unsigned i = 0; i < CLS_N_PREFIX_FIELDS; i++) {
        if (fields >> i & 1 && st->plen[i]) {
            cls_prefix_value_sparse(&cls_prefix_fields[i], m->map, m->words, &v);
            change(cls->pool, &cls->tries[i], &v, st->plen[i]);
        }
    }
}

static void
change_ports(struct classifier *cls, struct cls_subtable *st, const struct match_sparse *m, trie_change_fn *change)
{
    if (st->ports_n_bits) {
        struct trie_value v = {{ports_of(m->map, m->words)}};

        change(cls->pool, &st->ports, &v, st->ports_n_bits);
    }
}

static void
insert_head(struct classifier *cls, struct cls_subtable *st, struct cls_rule *rule)
{
    uint32_t hashes[FLOW_N_STAGES];

    rule->next = NULL;
    rule->hash = hash_stages(st, rule->match->words, hashes);
    change_prefixes(cls, st, rule->match, cls->tracked, trie_insert);
    change_ports(cls, st, rule->match, trie_insert);
    for (unsigned i = 0; i + 1 < st->n_stages; i++) {
        cls_hash_set_add(&st->stages[i], hashes[i]);
    }
    cls_table_insert(&st->rules, rule);
}

/* The rule of that priority, or NULL. Of several, at most the first one is not hidden. */
static struct cls_rule *
find_in_chain(struct cls_rule *rule, int32_t priority)
{
    while (rule && rule->priority > priority) {
        rule = rule->next;
    }
    return rule && rule->priority == priority && !rule->until ? rule : NULL;
}

/* Puts the rule into the chain of its match, by descending priority, the newest first. If 'was' is not NULL, in its place. */
static void
insert_in_chain(struct cls_subtable *st, struct cls_rule *head, struct cls_rule *rule, const struct cls_rule *was)
{
    struct cls_rule *before = NULL, *at = head;

    rule->hash = head->hash;
    while (at && at->priority > rule->priority) {
        before = at;
        at = at->next;
    }
    rule->next = was ? was->next : at;
    if (before) {
        __atomic_store_n(&before->next, rule, __ATOMIC_RELEASE);
    } else {
        cls_table_replace(&st->rules, head, rule);
    }
}

void
classifier_hide(struct classifier *cls, struct cls_rule *rule, uint32_t version)
{
    __atomic_store_n(&rule->until, version, __ATOMIC_RELAXED);
    cls->n_rules--;
}

void
classifier_unhide(struct classifier *cls, struct cls_rule *rule)
{
    __atomic_store_n(&rule->until, 0, __ATOMIC_RELAXED);
    cls->n_rules++;
}

void
classifier_settle(struct cls_rule *rule)
{
    __atomic_store_n(&rule->since, 0, __ATOMIC_RELAXED);
}

struct cls_rule *
classifier_insert(struct classifier *cls, struct cls_rule *rule, uint32_t version)
{
    struct cls_subtable *st = find_subtable_of(cls, rule->match);
    struct cls_rule *head, *replaced = NULL;
    bool is_new = !st;

    rule->since = version;
    rule->until = 0;
    if (is_new) {
        st = subtable_create(cls, rule->match, rule->priority);
    }
    head = find_head(st, rule->match);
    if (head) {
        replaced = find_in_chain(head, rule->priority);
        insert_in_chain(st, head, rule, version ? NULL : replaced);
    } else {
        insert_head(cls, st, rule);
    }
    if (replaced && version) {
        classifier_hide(cls, replaced, version);
    }
    if (!replaced || version) {
        cls->n_rules++;
        st->n_rules++;
        cls_priorities_add(&st->priorities, rule->priority);
    }
    if (is_new) {
        vector_add(cls, st);
    } else if (rule->priority > st->max_priority) {
        set_max_priority(cls, st, rule->priority);
    }
    return replaced;
}

static void
remove_head(struct classifier *cls, struct cls_subtable *st, struct cls_rule *rule)
{
    uint32_t hashes[FLOW_N_STAGES];

    if (rule->next) {
        cls_table_replace(&st->rules, rule, rule->next);
        return;
    }
    hash_stages(st, rule->match->words, hashes);
    cls_table_remove(&st->rules, rule);
    for (unsigned i = 0; i + 1 < st->n_stages; i++) {
        cls_hash_set_remove(&st->stages[i], hashes[i]);
    }
    change_prefixes(cls, st, rule->match, cls->tracked, trie_remove);
    change_ports(cls, st, rule->match, trie_remove);
}

void
classifier_remove(struct classifier *cls, struct cls_rule *rule)
{
    struct cls_subtable *st = find_subtable_of(cls, rule->match);
    struct cls_rule *head = find_head(st, rule->match);

    if (head == rule) {
        remove_head(cls, st, rule);
    } else {
        while (head->next != rule) {
            head = head->next;
        }
        __atomic_store_n(&head->next, rule->next, __ATOMIC_RELEASE);
    }
    cls->n_rules -= !rule->until;
    cls_priorities_remove(&st->priorities, rule->priority);
    if (!--st->n_rules) {
        vector_remove(cls, st);
        subtable_release(cls, st);
    } else if (rule->priority == st->max_priority) {
        set_max_priority(cls, st, cls_priorities_max(&st->priorities));
    }
}

struct cls_rule *
classifier_find_exactly(const struct classifier *cls, const struct match_sparse *m, int32_t priority)
{
    const struct cls_subtable *st = find_subtable_of(cls, m);

    return st ? find_in_chain(find_head(st, m), priority) : NULL;
}

/* Does each rule of the subtable match all the bits that 'wide' matches? */
static bool
subtable_covers_mask(const struct cls_subtable *st, const struct match *wide)
{
    const uint64_t *mask = flow_key_cwords(&wide->mask);
    unsigned pos = 0;

    for (unsigned i = 0; i < FLOW_KEY_WORDS; i++) {
        uint64_t own = st->map >> i & 1 ? st->words[pos++] : 0;

        if (mask[i] & ~own) {
            return false;
        }
    }
    return true;
}

/* Do the words of a rule agree with 'm' wherever both look? */
static bool
rule_overlaps(const struct cls_subtable *st, const struct cls_rule *rule, const struct match *m)
{
    const uint64_t *key = flow_key_cwords(&m->key), *mask = flow_key_cwords(&m->mask);
    unsigned pos = 0;

    for (uint64_t map = st->map; map; map &= map - 1, pos++) {
        unsigned i = (unsigned) __builtin_ctzll(map);

        if ((rule->match->words[pos] ^ key[i]) & st->words[pos] & mask[i]) {
            return false;
        }
    }
    return true;
}

bool
classifier_overlaps(const struct classifier *cls, const struct match *m, int32_t priority)
{
    for (size_t i = 0; i < cls->vector->n && cls->vector->entries[i].max_priority >= priority; i++) {
        const struct cls_subtable *st = cls->vector->entries[i].subtable;
        const struct cls_slots *slots = cls_table_slots(&st->rules);
        uint32_t cursor = 0;

        for (struct cls_rule *head; (head = cls_slots_next(slots, &cursor)) != NULL;) {
            struct cls_rule *rule = find_in_chain(head, priority);

            if (rule && rule_overlaps(st, rule, m)) {
                return true;
            }
        }
    }
    return false;
}

/* Visits the rules of a subtable that agree with 'loose'; false when the callback ended the visit. */
static bool
visit_subtable(const struct cls_subtable *st, const struct match *loose, bool (*fn)(struct cls_rule *, void *), void *arg)
{
    const struct cls_slots *slots = cls_table_slots(&st->rules);
    uint32_t cursor = 0;

    for (struct cls_rule *rule; (rule = cls_slots_next(slots, &cursor)) != NULL;) {
        bool wanted = !loose || rule_overlaps(st, rule, loose);

        for (struct cls_rule *next; wanted && rule; rule = next) {
            next = rule->next;
            if (!rule->until && !fn(rule, arg)) {
                return false;
            }
        }
    }
    return true;
}

/* The vector and the subtables that the callback makes obsolete stay until this thread is quiescent. */
void
classifier_for_each(struct classifier *cls, const struct match *loose, bool (*fn)(struct cls_rule *, void *), void *arg)
{
    const struct cls_vector *v = cls->vector;

    for (size_t i = 0; i < v->n; i++) {
        const struct cls_subtable *st = v->entries[i].subtable;

        if ((!loose || subtable_covers_mask(st, loose)) && !visit_subtable(st, loose, fn, arg)) {
            return;
        }
    }
}

/* A field that is new is complete before readers ask for it; one that is dropped goes after they were told. */
static void
track_fields(struct classifier *cls, uint32_t tracked, uint32_t order)
{
    uint32_t added = tracked & ~cls->tracked, dropped = cls->tracked & ~tracked;

    for (size_t i = 0; added && i < cls->vector->n; i++) {
        struct cls_subtable *st = cls->vector->entries[i].subtable;
        const struct cls_slots *slots = cls_table_slots(&st->rules);
        uint32_t cursor = 0;

        for (struct cls_rule *rule; (rule = cls_slots_next(slots, &cursor)) != NULL;) {
            change_prefixes(cls, st, rule->match, added, trie_insert);
        }
    }
    __atomic_store_n(&cls->order, order, __ATOMIC_RELEASE);
    cls->tracked = tracked;
    if (dropped) {
        urcu_qsbr_synchronize_rcu(); /* A reader that still asks must not find the trie empty. */
    }
    for (unsigned i = 0; i < CLS_N_PREFIX_FIELDS; i++) {
        if (dropped >> i & 1) {
            trie_clear(cls->pool, &cls->tries[i]);
        }
    }
}

bool
classifier_can_track_prefix(enum field_id id)
{
    for (unsigned i = 0; i < CLS_N_PREFIX_FIELDS; i++) {
        if (cls_prefix_fields[i].id == id) {
            return true;
        }
    }
    return false;
}

int
classifier_set_prefix_fields(struct classifier *cls, const enum field_id *ids, size_t n)
{
    uint32_t tracked = 0, order = 0;

    if (n > MAX_TRACKED) {
        return -EINVAL;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned at = 0;

        while (at < CLS_N_PREFIX_FIELDS && cls_prefix_fields[at].id != ids[i]) {
            at++;
        }
        if (at == CLS_N_PREFIX_FIELDS || tracked >> at & 1) {
            return -EINVAL;
        }
        tracked |= 1u << at;
        order |= (at + 1) << (4 * i);
    }
    if (order != cls->order) {
        track_fields(cls, tracked, order);
    }
    return 0;
}
