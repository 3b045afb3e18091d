// SPDX-License-Identifier: Apache-2.0
// The readers' side. What a lookup leaves in 'wild' decides how many packets share a megaflow; each return below says which bits prove it.
#include <config.h>
#include "lib/flow/classifier.h"
#include "lib/flow/classifier_private.h"

/* The tracked fields, looked up when first asked. */
struct prefixes {
    unsigned n;
    struct prefix {
        unsigned field;     /* Of cls_prefix_fields[]. */
        bool done;
        unsigned n_bits;    /* Bits that tell which prefixes match. */
        uint64_t plens[2];
    } p[8];
};

struct lookup {
    const struct classifier *cls;
    uint32_t version;
    const struct flow_key *key;
    struct flow_key *wild;
    struct prefixes prefixes;
};

static void
init_prefixes(struct lookup *l)
{
    uint32_t order = __atomic_load_n(&l->cls->order, __ATOMIC_ACQUIRE);

    l->prefixes.n = 0;
    for (; order; order >>= 4) {
        struct prefix *p = &l->prefixes.p[l->prefixes.n++];

        p->field = (order & 0xf) - 1;
        p->done = false;
    }
}

/* In a packet of another kind the field means something else: nothing can be told, no subtable is left out. */
static void
look_up_prefixes(const struct lookup *l, struct prefix *p)
{
    const struct cls_prefix_field *f = &cls_prefix_fields[p->field];
    struct trie_value v;

    p->done = true;
    p->plens[0] = p->plens[1] = 0;
    p->n_bits = 0;
    if (f->eth_type && l->key->eth_type != htons(f->eth_type)) {
        p->plens[0] = p->plens[1] = UINT64_MAX;
    } else {
        cls_prefix_value(f, l->key, &v);
        p->n_bits = trie_lookup(l->cls->pool, &l->cls->tries[p->field], &v, f->n_bits, p->plens);
    }
}

static uint8_t
prefix_byte(unsigned n_bits, unsigned at)
{
    unsigned n = n_bits > 8 * at ? MIN(n_bits - 8 * at, 8) : 0;

    return (uint8_t) (0xff00 >> n);
}

static bool
prefix_is_set(const struct flow_key *wild, const struct cls_prefix_field *f, unsigned n_bits)
{
    const uint8_t *p = (const uint8_t *) wild + f->offset;

    for (unsigned i = 0; 8 * i < n_bits; i++) {
        if (~p[i] & prefix_byte(n_bits, i)) {
            return false;
        }
    }
    return true;
}

static void
set_prefix(struct flow_key *wild, const struct cls_prefix_field *f, unsigned n_bits)
{
    uint8_t *p = (uint8_t *) wild + f->offset;

    for (unsigned i = 0; 8 * i < n_bits; i++) {
        p[i] |= prefix_byte(n_bits, i);
    }
}

/* Does a tracked field of this stage prove that no rule of the subtable matches, by no more bits than the subtable would look at itself (or than
 * were looked at already)? */
static bool
prefixes_exclude(struct lookup *l, const struct cls_subtable *st, unsigned stage)
{
    for (unsigned i = 0; i < l->prefixes.n; i++) {
        struct prefix *p = &l->prefixes.p[i];
        const struct cls_prefix_field *f = &cls_prefix_fields[p->field];
        unsigned plen = st->plen[p->field];

        if (!plen || st->plen_stage[p->field] != stage) {
            continue;
        }
        if (!p->done) {
            look_up_prefixes(l, p);
        }
        if (p->plens[(plen - 1) / 64] >> ((plen - 1) % 64) & 1) {
            continue;
        }
        if (p->n_bits <= plen) {
            set_prefix(l->wild, f, p->n_bits);
            return true;
        }
        if (prefix_is_set(l->wild, f, p->n_bits)) {
            return true;
        }
    }
    return false;
}

/* The first 'n' words of the subtable's mask were looked at. */
static void
fold(struct flow_key *wild, const struct cls_subtable *st, unsigned n)
{
    uint64_t *words = flow_key_words(wild), map = st->map;

    for (unsigned pos = 0; pos < n; pos++, map &= map - 1) {
        words[__builtin_ctzll(map)] |= st->words[pos];
    }
}

/* All stages were there, but not together. When ports are among them, a part of the ports' bits proves it, and only that is looked at. */
static void
fold_with_ports(const struct lookup *l, const struct cls_subtable *st)
{
    uint64_t plens[2] = {0, 0};
    struct trie_value v;
    uint32_t ports, proof;
    be16 src = l->wild->tp_src, dst = l->wild->tp_dst;

    fold(l->wild, st, st->n_words);
    if (!st->ports_n_bits) {
        return;
    }
    ports = ((uint32_t) ntohs(l->key->tp_src) << 16 | ntohs(l->key->tp_dst)) & st->ports_mask;
    v = (struct trie_value){{ports}};
    proof = st->ports_mask & ~(uint32_t) (UINT64_C(0xffffffff) >> trie_lookup(l->cls->pool, &st->ports, &v, 32, plens));
    l->wild->tp_src = src | htons((uint16_t) (proof >> 16));
    l->wild->tp_dst = dst | htons((uint16_t) proof);
}

/* The first of a chain that the version has. */
static struct cls_rule *
first_visible(struct cls_rule *rule, uint32_t version)
{
    while (rule && !cls_rule_is_visible(rule, version)) {
        rule = __atomic_load_n(&rule->next, __ATOMIC_ACQUIRE);
    }
    return rule;
}

/* Goes through the stages until one has no rule for the packet; 'stage' is that one, or the last. */
static struct cls_rule *
walk_stages(const struct lookup *l, const struct cls_subtable *st, unsigned *stage)
{
    const uint64_t *words = flow_key_cwords(l->key);
    uint64_t masked[FLOW_KEY_WORDS], map = st->map;
    uint32_t hash = 0;
    unsigned pos = 0;

    for (*stage = 0;; ++*stage) {
        for (; pos < st->stage_end[*stage]; pos++, map &= map - 1) {
            masked[pos] = words[__builtin_ctzll(map)] & st->words[pos];
            hash = cls_hash_word(masked[pos], hash);
        }
        if (*stage + 1 == st->n_stages) {
            return first_visible(cls_table_find(&st->rules, hash, masked, st->n_words), l->version);
        }
        if (!cls_hash_set_has(&st->stages[*stage], hash)) {
            return NULL;
        }
    }
}

/* The tries are asked only when there is no rule: they can but tell so by fewer bits. A trie that does so in a stage comes before that stage's own
 * bits. */
static struct cls_rule *
look_up_staged(struct lookup *l, const struct cls_subtable *st)
{
    unsigned last;
    struct cls_rule *rule = walk_stages(l, st, &last);

    if (rule) {
        fold(l->wild, st, st->n_words);
        return rule;
    }
    for (unsigned stage = 0; stage <= last; stage++) {
        if (prefixes_exclude(l, st, stage)) {
            fold(l->wild, st, stage ? st->stage_end[stage - 1] : 0);
            return NULL;
        }
    }
    if (last + 1 == st->n_stages) {
        fold_with_ports(l, st);
    } else {
        fold(l->wild, st, st->stage_end[last]);
    }
    return NULL;
}

static struct cls_rule *
look_up_plain(const struct lookup *l, const struct cls_subtable *st)
{
    const uint64_t *words = flow_key_cwords(l->key);
    uint64_t masked[FLOW_KEY_WORDS], map = st->map;
    uint32_t hash = 0;

    for (unsigned pos = 0; pos < st->n_words; pos++, map &= map - 1) {
        masked[pos] = words[__builtin_ctzll(map)] & st->words[pos];
        hash = cls_hash_word(masked[pos], hash);
    }
    return first_visible(cls_table_find(&st->rules, hash, masked, st->n_words), l->version);
}

struct cls_rule *
classifier_lookup(const struct classifier *cls, uint32_t version, const struct flow_key *key, struct flow_key *wild)
{
    const struct cls_vector *v = __atomic_load_n(&cls->vector, __ATOMIC_CONSUME);
    struct lookup l = {.cls = cls, .version = version, .key = key, .wild = wild};
    struct cls_rule *best = NULL;

    init_prefixes(&l);
    for (size_t i = 0; i < v->n && (!best || v->entries[i].max_priority > best->priority); i++) {
        struct cls_rule *rule = wild ? look_up_staged(&l, v->entries[i].subtable) : look_up_plain(&l, v->entries[i].subtable);

        if (rule && (!best || rule->priority > best->priority)) {
            best = rule;
        }
    }
    return best;
}

struct cls_rule *
classifier_lookup_exactly(const struct classifier *cls, uint32_t version, const struct match_sparse *m, int32_t priority)
{
    const struct cls_vector *v = __atomic_load_n(&cls->vector, __ATOMIC_CONSUME);
    unsigned n = match_sparse_n(m);
    struct cls_rule *rule = NULL;
    uint32_t hash = 0;

    for (unsigned i = 0; i < n; i++) {
        hash = cls_hash_word(m->words[i], hash);
    }
    for (size_t i = 0; i < v->n && !rule; i++) {
        const struct cls_subtable *st = v->entries[i].subtable;

        if (st->map == m->map && !memcmp(st->words, m->words + n, n * sizeof *st->words)) {
            rule = cls_table_find(&st->rules, hash, m->words, n);
        }
    }
    while (rule && (rule->priority > priority || (rule->priority == priority && !cls_rule_is_visible(rule, version)))) {
        rule = __atomic_load_n(&rule->next, __ATOMIC_ACQUIRE);
    }
    return rule && rule->priority == priority ? rule : NULL;
}
