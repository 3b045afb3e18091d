// SPDX-License-Identifier: Apache-2.0
// The inside of a classifier, shared by its writer (classifier.c), its readers (classifier_lookup.c) and cls_prefix.c.
#ifndef LIB_FLOW_CLASSIFIER_PRIVATE_H
#define LIB_FLOW_CLASSIFIER_PRIVATE_H 1

#include "lib/base/hash.h"
#include "lib/base/list.h"
#include "lib/flow/cls_table.h"
#include "lib/flow/field.h"
#include "lib/flow/trie.h"

/* A field whose prefixes can be tracked: where its bits are, and the Ethertype without which they mean something else (0: none). */
struct cls_prefix_field {
    enum field_id id;
    uint16_t offset, n_bits;
    uint16_t eth_type;
};
#define CLS_N_PREFIX_FIELDS 9
extern const struct cls_prefix_field cls_prefix_fields[CLS_N_PREFIX_FIELDS];

/* Rules with one mask. */
struct cls_subtable {
    struct hnode node;                /* In classifier.by_mask. */
    int32_t max_priority;             /* Of the rules. Main thread. */
    uint32_t n_rules;                 /* Main thread. */
    struct cls_priorities priorities; /* Main thread. */
    struct cls_table rules;
    struct cls_hash_set stages[FLOW_N_STAGES - 1]; /* Hashes of the rules' words up to the end of each stage but the last. */
    struct trie ports;                             /* tp_src and tp_dst of the rules, if the mask has bits of them. */
    uint32_t ports_mask;                           /* tp_src << 16 | tp_dst. */
    uint8_t ports_n_bits;                          /* Up to the last bit of 'ports_mask'. */
    uint8_t n_stages;                              /* At least 1. */
    uint8_t stage_end[FLOW_N_STAGES];              /* Of 'words', exclusive. */
    uint8_t plen[CLS_N_PREFIX_FIELDS];             /* Prefix length in the mask; 0 when it is not a prefix or is none. */
    uint8_t plen_stage[CLS_N_PREFIX_FIELDS];
    uint8_t n_words;
    uint64_t map;     /* As in match_sparse. */
    uint64_t words[]; /* The mask. */
};

/* The subtables by descending highest priority; replaced as a whole. */
struct cls_vector {
    size_t n;
    struct cls_vector_entry {
        struct cls_subtable *subtable;
        int32_t max_priority;
    } entries[];
};

struct classifier {
    struct cls_vector *vector; /* RCU. */
    struct trie_pool *pool;
    struct trie tries[CLS_N_PREFIX_FIELDS];
    uint32_t order; /* Atomic. The tracked fields, in the order in which they are asked: index + 1 in 4 bits each, lowest first, 0 ends. */

    /* Main thread. */
    uint32_t tracked; /* Bit i: tries[i] is kept up to date. */
    struct htable by_mask;
    size_t n_rules; /* That are not hidden. */
};

static inline bool
cls_rule_is_visible(const struct cls_rule *rule, uint32_t version)
{
    uint32_t since = __atomic_load_n(&rule->since, __ATOMIC_RELAXED), until = __atomic_load_n(&rule->until, __ATOMIC_RELAXED);

    return (!since || (int32_t) (version - since) >= 0) && (!until || (int32_t) (version - until) < 0); /* They may wrap around. */
}

/* The field's bits, as a trie takes them: of a whole key or mask, or of words kept sparse. */
void cls_prefix_value(const struct cls_prefix_field *, const struct flow_key *, struct trie_value *);
void cls_prefix_value_sparse(const struct cls_prefix_field *, uint64_t map, const uint64_t *words, struct trie_value *);
/* The length of the prefix that the mask has of a field; 0 if it has none of it or other bits. */
unsigned cls_prefix_len(const struct cls_prefix_field *, uint64_t map, const uint64_t *mask);

/* The hash goes on from the stage before. */
static inline uint32_t
cls_hash_word(uint64_t word, uint32_t hash)
{
    return hash_u64(word, hash);
}

#endif
