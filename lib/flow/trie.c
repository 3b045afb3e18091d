// SPDX-License-Identifier: Apache-2.0
// A path-compressed binary trie. A node holds up to 32 bits of prefix, the bit by which its parent chose it included; longer runs are chains of
// nodes. Indices instead of pointers and a pool instead of malloc() make a node a quarter of a cache line: an OpenFlow table of a million rules on
// exact addresses has some four million nodes.
#include <config.h>
#include "lib/flow/trie.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "lib/base/rcu.h"

/* All members are read by readers; writers store atomically, too, since a recycled node may have had readers before its grace period. */
struct node {
    uint32_t prefix; /* Left-aligned. Of a free node: the next free one. */
    uint32_t meta;   /* Prefixes that end here << 6 | number of bits of 'prefix', 0..32. */
    uint32_t child[2];
};

/* Chunk k has 64 << k nodes: nodes never move and large chunks cost no memory until touched. */
#define FIRST_CHUNK 64
#define N_CHUNKS 26
#define RETIRE_BATCH 255
#define HUGE_PAGE ((size_t) 2 << 20)

struct retired {
    struct trie_pool *pool;
    uint32_t n;
    uint32_t nodes[RETIRE_BATCH];
};

/* Prefixes in the order in which they came. What was written stays as it is; the log goes after a grace period when it is full and all of it is entered. */
#define LOG_ENTRIES 256
#define LOG_AHEAD 64 /* As many at most wait to be entered: lookups go through them. */
struct trie_log {
    uint32_t n_entered; /* Atomic, as the next. */
    uint32_t n;
    struct noted {
        struct trie *trie;
        unsigned n_bits;
        struct trie_value value;
    } entries[LOG_ENTRIES];
};

struct trie_pool {
    struct trie_log *log; /* RCU; NULL: none yet. */
    struct node *chunks[N_CHUNKS];
    uint32_t n_used;         /* Nodes 1 .. n_used were handed out at some time. */
    uint32_t free;           /* The writer's list. */
    uint32_t returned;       /* Atomic: a list that grows from the reclaim thread. */
    struct retired *retired; /* Waiting for a batch to be full. */
};

static unsigned
chunk_of(uint32_t i)
{
    return 31u - (unsigned) __builtin_clz(i + FIRST_CHUNK) - 6u;
}

static struct node *
node_at(const struct trie_pool *pool, uint32_t i)
{
    unsigned k = chunk_of(i);

    return &pool->chunks[k][i + FIRST_CHUNK - ((uint32_t) FIRST_CHUNK << k)];
}

static uint32_t
load(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_RELAXED);
}

static void
store(uint32_t *p, uint32_t x)
{
    __atomic_store_n(p, x, __ATOMIC_RELAXED);
}

static void
publish(uint32_t *edge, uint32_t node)
{
    __atomic_store_n(edge, node, __ATOMIC_RELEASE);
}

static unsigned
n_bits_of(uint32_t meta)
{
    return meta & 63;
}

static uint32_t
n_rules_of(uint32_t meta)
{
    return meta >> 6;
}

/* A walk is a chain of cache misses; large pages take the address translation out of it. The kernel may refuse them. */
static struct node *
chunk_new(size_t size)
{
    void *chunk;

    if (size < HUGE_PAGE) {
        return xmalloc(size);
    }
    if (posix_memalign(&chunk, HUGE_PAGE, size)) {
        fatal(EXIT_FAILURE, ENOMEM, "cannot allocate %zu bytes", size);
    }
    madvise(chunk, size, MADV_HUGEPAGE);
    return chunk;
}

static uint32_t
node_new(struct trie_pool *pool, uint32_t prefix, unsigned n_bits, uint32_t n_rules)
{
    struct node *n;
    uint32_t i;

    if (!pool->free) {
        pool->free = __atomic_exchange_n(&pool->returned, 0, __ATOMIC_ACQUIRE);
    }
    if (pool->free) {
        i = pool->free;
        pool->free = load(&node_at(pool, i)->prefix);
    } else {
        unsigned k;

        i = ++pool->n_used;
        k = chunk_of(i);
        if (!pool->chunks[k]) {
            pool->chunks[k] = chunk_new(((size_t) FIRST_CHUNK << k) * sizeof(struct node));
        }
    }
    n = node_at(pool, i);
    store(&n->prefix, prefix);
    store(&n->meta, n_rules << 6 | n_bits);
    store(&n->child[0], 0);
    store(&n->child[1], 0);
    return i;
}

/* In the reclaim thread. */
static void
return_nodes(void *retired_)
{
    struct retired *r = retired_;
    uint32_t head = load(&r->pool->returned);

    for (uint32_t i = 0; i + 1 < r->n; i++) {
        store(&node_at(r->pool, r->nodes[i])->prefix, r->nodes[i + 1]);
    }
    do {
        store(&node_at(r->pool, r->nodes[r->n - 1])->prefix, head);
    } while (!__atomic_compare_exchange_n(&r->pool->returned, &head, r->nodes[0], true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
    free(r);
}

static void
node_retire(struct trie_pool *pool, uint32_t node)
{
    struct retired *r = pool->retired;

    if (!r) {
        r = pool->retired = xmalloc(sizeof *r);
        r->pool = pool;
        r->n = 0;
    }
    r->nodes[r->n++] = node;
    if (r->n == RETIRE_BATCH) {
        pool->retired = NULL;
        rcu_postpone(return_nodes, r);
    }
}

struct trie_pool *
trie_pool_create(void)
{
    return xzalloc(sizeof(struct trie_pool));
}

static void
pool_free(void *pool_)
{
    struct trie_pool *pool = pool_;

    for (unsigned k = 0; k < N_CHUNKS; k++) {
        free(pool->chunks[k]);
    }
    free(pool->retired);
    free(pool->log);
    free(pool);
}

/* Batches of retired nodes that are on their way back come first: what is postponed runs in order. */
void
trie_pool_destroy(struct trie_pool *pool)
{
    rcu_postpone(pool_free, pool);
}

/* 'n' (1..32) bits from bit 'ofs' on, left-aligned. */
static uint32_t
bits_at(const struct trie_value *v, unsigned ofs, unsigned n)
{
    unsigned word = ofs / 32, shift = ofs % 32;
    uint32_t x = v->w[word] << shift;

    if (shift && word + 1 < ARRAY_SIZE(v->w)) {
        x |= v->w[word + 1] >> (32 - shift);
    }
    return n < 32 ? x & ~(UINT32_MAX >> n) : x;
}

static unsigned
bit_at(const struct trie_value *v, unsigned ofs)
{
    return v->w[ofs / 32] >> (31 - ofs % 32) & 1;
}

/* How many of the first 'n' (0..32) bits at 'ofs' agree with 'prefix'. */
static unsigned
equal_bits(uint32_t prefix, const struct trie_value *v, unsigned ofs, unsigned n)
{
    uint32_t diff = n ? prefix ^ bits_at(v, ofs, 32) : 0;

    return diff ? MIN((unsigned) __builtin_clz(diff), n) : n;
}

/* A chain of nodes for bits [ofs, end), with one rule at its end. */
static uint32_t
branch_new(struct trie_pool *pool, const struct trie_value *v, unsigned ofs, unsigned end)
{
    uint32_t below = 0;
    uint32_t n_rules = 1;

    for (unsigned last = (end - ofs - 1) / 32 + 1; last-- > 0;) {
        unsigned from = ofs + last * 32, n = MIN(32, end - from);
        uint32_t i = node_new(pool, bits_at(v, from, n), n, n_rules);

        if (below) {
            store(&node_at(pool, i)->child[bit_at(v, from + n)], below);
        }
        below = i;
        n_rules = 0;
    }
    return below;
}

/* Puts a node in for the first 'n_equal' bits of node 'i'. */
static void
split(struct trie_pool *pool, uint32_t *edge, uint32_t i, unsigned n_equal, const struct trie_value *v, unsigned ofs, unsigned end)
{
    const struct node *was = node_at(pool, i);
    unsigned n_bits = n_bits_of(load(&was->meta));
    uint32_t prefix = load(&was->prefix);
    bool ends_here = ofs + n_equal == end;
    uint32_t rest = node_new(pool, prefix << n_equal, n_bits - n_equal, n_rules_of(load(&was->meta)));
    uint32_t top = node_new(pool, n_equal ? prefix & ~(uint32_t) (UINT64_C(0xffffffff) >> n_equal) : 0, n_equal, ends_here);

    store(&node_at(pool, rest)->child[0], load(&was->child[0]));
    store(&node_at(pool, rest)->child[1], load(&was->child[1]));
    store(&node_at(pool, top)->child[prefix << n_equal >> 31], rest);
    if (!ends_here) {
        store(&node_at(pool, top)->child[bit_at(v, ofs + n_equal)], branch_new(pool, v, ofs + n_equal, end));
    }
    publish(edge, top);
    node_retire(pool, i);
}

static void
enter(struct trie_pool *pool, struct trie *trie, const struct trie_value *v, unsigned end)
{
    uint32_t *edge = &trie->root;
    unsigned ofs = 0;

    for (uint32_t i; (i = load(edge)) != 0;) {
        struct node *n = node_at(pool, i);
        uint32_t meta = load(&n->meta);
        unsigned n_bits = n_bits_of(meta);
        unsigned n_equal = equal_bits(load(&n->prefix), v, ofs, MIN(n_bits, end - ofs));

        if (n_equal < n_bits) {
            split(pool, edge, i, n_equal, v, ofs, end);
            return;
        }
        ofs += n_equal;
        if (ofs == end) {
            store(&n->meta, meta + (1 << 6));
            return;
        }
        edge = &n->child[bit_at(v, ofs)];
    }
    publish(edge, branch_new(pool, v, ofs, end));
}

bool
trie_is_behind(const struct trie_pool *pool)
{
    return pool->log && pool->log->n_entered < pool->log->n;
}

/* Readers find a prefix in the log until they find it in the trie. */
void
trie_catch_up(struct trie_pool *pool)
{
    struct trie_log *log = pool->log;

    while (trie_is_behind(pool)) {
        const struct noted *noted = &log->entries[log->n_entered];

        enter(pool, noted->trie, &noted->value, noted->n_bits);
        publish(&log->n_entered, log->n_entered + 1);
    }
}

void
trie_insert(struct trie_pool *pool, struct trie *trie, const struct trie_value *v, unsigned n_bits)
{
    struct trie_log *log = pool->log;

    if (log && log->n - log->n_entered == LOG_AHEAD) {
        trie_catch_up(pool);
    }
    if (!log || log->n == LOG_ENTRIES) {
        trie_catch_up(pool);
        if (log) {
            rcu_postpone_free(log);
        }
        log = xmalloc(sizeof *log);
        log->n = log->n_entered = 0;
        __atomic_store_n(&pool->log, log, __ATOMIC_RELEASE);
    }
    log->entries[log->n] = (struct noted){trie, n_bits, *v};
    publish(&log->n, log->n + 1);
}

/* Takes node '*edge' out if it has no rule and at most one child. True if nothing is left there, so that the parent may go, too. */
static bool
prune(struct trie_pool *pool, uint32_t *edge)
{
    uint32_t i = load(edge), child, joined;
    const struct node *n = node_at(pool, i), *c;
    unsigned n_bits, child_bits;

    if (n_rules_of(load(&n->meta)) || (load(&n->child[0]) && load(&n->child[1]))) {
        return false;
    }
    child = load(&n->child[0]) | load(&n->child[1]);
    if (!child) {
        publish(edge, 0);
        node_retire(pool, i);
        return true;
    }
    c = node_at(pool, child);
    n_bits = n_bits_of(load(&n->meta));
    child_bits = n_bits_of(load(&c->meta));
    if (n_bits + child_bits <= 32) {
        uint32_t tail = n_bits < 32 ? load(&c->prefix) >> n_bits : 0;

        joined = node_new(pool, load(&n->prefix) | tail, n_bits + child_bits, n_rules_of(load(&c->meta)));
        c = node_at(pool, child);
        store(&node_at(pool, joined)->child[0], load(&c->child[0]));
        store(&node_at(pool, joined)->child[1], load(&c->child[1]));
        publish(edge, joined);
        node_retire(pool, i);
        node_retire(pool, child);
    }
    return false;
}

void
trie_remove(struct trie_pool *pool, struct trie *trie, const struct trie_value *v, unsigned end)
{
    uint32_t *edges[TRIE_MAX_BITS + 2];
    unsigned depth = 0, ofs = 0;
    struct node *n;

    trie_catch_up(pool);
    edges[0] = &trie->root;
    for (;;) {
        n = node_at(pool, load(edges[depth]));
        ofs += n_bits_of(load(&n->meta));
        if (ofs >= end) {
            break;
        }
        edges[++depth] = &n->child[bit_at(v, ofs)];
    }
    store(&n->meta, load(&n->meta) - (1 << 6));
    while (prune(pool, edges[depth]) && depth) {
        depth--;
    }
}

static void
clear_from(struct trie_pool *pool, uint32_t i)
{
    if (i) {
        clear_from(pool, load(&node_at(pool, i)->child[0]));
        clear_from(pool, load(&node_at(pool, i)->child[1]));
        node_retire(pool, i);
    }
}

void
trie_clear(struct trie_pool *pool, struct trie *trie)
{
    uint32_t root;

    trie_catch_up(pool);
    root = trie->root;
    publish(&trie->root, 0);
    clear_from(pool, root);
}

/* How many of the first 'n' bits agree. */
static unsigned
equal_values(const struct trie_value *a, const struct trie_value *b, unsigned n)
{
    for (unsigned ofs = 0; ofs < n; ofs += 32) {
        unsigned len = MIN(n - ofs, 32), n_equal = equal_bits(a->w[ofs / 32], b, ofs, len);

        if (n_equal < len) {
            return ofs + n_equal;
        }
    }
    return n;
}

/* As trie_lookup(), among the prefixes that are not entered yet. */
static unsigned
look_up_log(const struct trie_log *log, const struct trie *trie, const struct trie_value *v, uint64_t plens[2])
{
    uint32_t i = __atomic_load_n(&log->n_entered, __ATOMIC_ACQUIRE), n = __atomic_load_n(&log->n, __ATOMIC_ACQUIRE);
    unsigned needed = 0;

    for (; i < n; i++) {
        const struct noted *noted = &log->entries[i];
        unsigned n_equal;

        if (noted->trie != trie) {
            continue;
        }
        n_equal = equal_values(&noted->value, v, noted->n_bits);
        if (n_equal == noted->n_bits) {
            plens[(n_equal - 1) / 64] |= UINT64_C(1) << ((n_equal - 1) % 64);
        } else {
            n_equal++; /* The first bit that differs tells. */
        }
        needed = MAX(needed, n_equal);
    }
    return needed;
}

static unsigned
look_up_nodes(const struct trie_pool *pool, const struct trie *trie, const struct trie_value *v, unsigned n_bits, uint64_t plens[2])
{
    uint32_t i = __atomic_load_n(&trie->root, __ATOMIC_ACQUIRE);
    unsigned ofs = 0;
    bool is_leaf = true;

    while (i) {
        const struct node *n = node_at(pool, i);
        uint32_t meta = load(&n->meta), children[2];
        unsigned n_equal = equal_bits(load(&n->prefix), v, ofs, n_bits_of(meta));

        ofs += n_equal;
        if (n_equal < n_bits_of(meta)) {
            return ofs + 1;
        }
        if (n_rules_of(meta)) {
            plens[(ofs - 1) / 64] |= UINT64_C(1) << ((ofs - 1) % 64);
        }
        if (ofs >= n_bits) {
            return n_bits;
        }
        children[0] = __atomic_load_n(&n->child[0], __ATOMIC_ACQUIRE);
        children[1] = __atomic_load_n(&n->child[1], __ATOMIC_ACQUIRE);
        is_leaf = !children[0] && !children[1];
        i = children[bit_at(v, ofs)];
    }
    return is_leaf ? ofs : ofs + 1; /* A branch not taken was told by its first bit. */
}

/* The log comes first: what leaves it meanwhile is in the trie. */
unsigned
trie_lookup(const struct trie_pool *pool, const struct trie *trie, const struct trie_value *v, unsigned n_bits, uint64_t plens[2])
{
    const struct trie_log *log = __atomic_load_n(&pool->log, __ATOMIC_ACQUIRE);
    unsigned noted = log ? look_up_log(log, trie, v, plens) : 0;

    return MAX(noted, look_up_nodes(pool, trie, v, n_bits, plens));
}
