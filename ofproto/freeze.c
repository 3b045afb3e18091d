// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <pthread.h>
#include <stdlib.h>
#include "lib/base/counter.h"
#include "lib/base/hash.h"
#include "lib/base/rcu.h"
#include "ofproto/freeze.h"

COUNTER(freeze_new, "A state was frozen that no other translation had frozen yet.");
COUNTER(freeze_full, "A state could not be frozen: too many are in use.");

/* The content of a state as one block: the fixed part, then what its slices hold. */
struct stored {
    struct cds_lfht_node by_id, by_content;
    struct freeze freeze;  /* Slices point into 'bytes'. */
    uint32_t id;
    uint32_t hash;
    int64_t used_ms;       /* Atomic. */
    size_t size;
    uint8_t bytes[];
};

/* One store for the process, made by its first user; numbers are of all datapaths. */
static struct {
    pthread_once_t once;
    struct cds_lfht *by_id, *by_content;
    uint32_t last_id; /* Atomic. */
    size_t n;         /* Atomic. */
} store = {.once = PTHREAD_ONCE_INIT};

static void
create_store(void)
{
    store.by_id = cds_lfht_new_flavor(64, 64, 0, CDS_LFHT_AUTO_RESIZE, &urcu_qsbr_flavor, NULL);
    store.by_content = cds_lfht_new_flavor(64, 64, 0, CDS_LFHT_AUTO_RESIZE, &urcu_qsbr_flavor, NULL);
}

static size_t
content_size(const struct freeze *f)
{
    return f->ofacts.len + f->action_set.len + f->stack.len + f->userdata.len;
}

/* Copies 'from' to '*at', and moves that on. */
static struct slice
copy_slice(struct slice from, uint8_t **at)
{
    struct slice to = {*at, from.len};

    if (from.len) {
        memcpy(*at, from.data, from.len);
    }
    *at += from.len;
    return to;
}

static uint32_t
hash_of(const struct freeze *f)
{
    uint32_t h = flow_key_hash(&f->meta, f->bridge_id * 31 + f->table_id + ((uint32_t) f->in_action_set << 8 | (uint32_t) f->conntracked << 9));

    h = hash_bytes(f->ofacts.data, f->ofacts.len, h);
    h = hash_bytes(f->action_set.data, f->action_set.len, h);
    h = hash_bytes(f->stack.data, f->stack.len, h);
    return hash_bytes(f->userdata.data, f->userdata.len, h);
}

static bool
slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (!a.len || !memcmp(a.data, b.data, a.len));
}

static int
has_content(struct cds_lfht_node *node, const void *freeze)
{
    const struct freeze *a = &CONTAINER_OF(node, struct stored, by_content)->freeze, *b = freeze;

    return a->bridge_id == b->bridge_id && a->table_id == b->table_id && a->in_action_set == b->in_action_set
           && a->conntracked == b->conntracked && !memcmp(&a->meta, &b->meta, sizeof a->meta) && slice_equal(a->ofacts, b->ofacts)
           && slice_equal(a->action_set, b->action_set) && slice_equal(a->stack, b->stack) && slice_equal(a->userdata, b->userdata);
}

static struct stored *
stored_create(const struct freeze *f, uint32_t hash)
{
    size_t size = content_size(f);
    struct stored *s = xzalloc(sizeof *s + size);
    uint8_t *at = s->bytes;

    s->freeze = *f;
    s->size = size;
    s->hash = hash;
    s->used_ms = now_ms();
    s->freeze.ofacts = copy_slice(f->ofacts, &at);
    s->freeze.action_set = copy_slice(f->action_set, &at);
    s->freeze.stack = copy_slice(f->stack, &at);
    s->freeze.userdata = copy_slice(f->userdata, &at);
    do {
        s->id = __atomic_add_fetch(&store.last_id, 1, __ATOMIC_RELAXED);
    } while (!s->id);
    cds_lfht_node_init(&s->by_id);
    cds_lfht_node_init(&s->by_content);
    return s;
}

uint32_t
freeze_intern(const struct freeze *f)
{
    uint32_t hash = hash_of(f);
    struct cds_lfht_iter iter;
    struct cds_lfht_node *node;
    struct stored *s;

    pthread_once(&store.once, create_store);
    cds_lfht_lookup(store.by_content, hash, has_content, f, &iter);
    node = cds_lfht_iter_get_node(&iter);
    if (node) {
        s = CONTAINER_OF(node, struct stored, by_content);
        __atomic_store_n(&s->used_ms, now_ms(), __ATOMIC_RELAXED);
        return s->id;
    }
    if (__atomic_load_n(&store.n, __ATOMIC_RELAXED) >= FREEZE_MAX) {
        COUNTER_INC(freeze_full);
        return 0;
    }
    /* Readable by its number before it can be found by its content. */
    s = stored_create(f, hash);
    cds_lfht_add(store.by_id, hash_u64(s->id, 0), &s->by_id);
    node = cds_lfht_add_unique(store.by_content, hash, has_content, f, &s->by_content);
    if (node != &s->by_content) {
        cds_lfht_del(store.by_id, &s->by_id);
        rcu_postpone_free(s);
        return CONTAINER_OF(node, struct stored, by_content)->id;
    }
    __atomic_add_fetch(&store.n, 1, __ATOMIC_RELAXED);
    COUNTER_INC(freeze_new);
    return s->id;
}

static int
has_id(struct cds_lfht_node *node, const void *id)
{
    return CONTAINER_OF(node, struct stored, by_id)->id == *(const uint32_t *) id;
}

static struct stored *
find(uint32_t id)
{
    struct cds_lfht_iter iter;
    struct cds_lfht_node *node;

    pthread_once(&store.once, create_store);
    cds_lfht_lookup(store.by_id, hash_u64(id, 0), has_id, &id, &iter);
    node = cds_lfht_iter_get_node(&iter);
    return node ? CONTAINER_OF(node, struct stored, by_id) : NULL;
}

const struct freeze *
freeze_find(uint32_t id)
{
    struct stored *s = find(id);

    return s ? &s->freeze : NULL;
}

void
freeze_use(uint32_t id, int64_t when_ms)
{
    struct stored *s = find(id);

    if (s && when_ms > __atomic_load_n(&s->used_ms, __ATOMIC_RELAXED)) {
        __atomic_store_n(&s->used_ms, when_ms, __ATOMIC_RELAXED);
    }
}

void
freeze_sweep(int64_t when_ms, int64_t idle_ms)
{
    struct cds_lfht_iter iter;
    struct cds_lfht_node *node;

    pthread_once(&store.once, create_store);
    cds_lfht_for_each (store.by_content, &iter, node) {
        struct stored *s = CONTAINER_OF(node, struct stored, by_content);

        if (when_ms - __atomic_load_n(&s->used_ms, __ATOMIC_RELAXED) > idle_ms && !cds_lfht_del(store.by_content, &s->by_content)) {
            cds_lfht_del(store.by_id, &s->by_id);
            __atomic_sub_fetch(&store.n, 1, __ATOMIC_RELAXED);
            rcu_postpone_free(s);
        }
    }
}

size_t
freeze_count(void)
{
    return __atomic_load_n(&store.n, __ATOMIC_RELAXED);
}
