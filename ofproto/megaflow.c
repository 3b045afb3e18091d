// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "ofproto/megaflow.h"

#include <stdlib.h>

#include "lib/base/hash.h"
#include "ofproto/datapath.h"

#define N_BUCKETS 32768

struct megaflows {
    struct cds_lfht *table;
    struct outcomes *outcomes;
    size_t n, max, average; /* Atomic. */
    size_t n_buckets;       /* Of the table. Revalidator. */
};

struct megaflows *
megaflows_create(void)
{
    struct megaflows *mfs = xzalloc(sizeof *mfs);

    /* It does not grow by itself, which would be at eight elements a bucket, or by chains that are long until it has grown, and then many times larger than it need
     * be. Megaflows come faster than it is looked after: hence it is not small to begin with, 512 kB. */
    mfs->n_buckets = N_BUCKETS;
    mfs->table = cds_lfht_new_flavor(N_BUCKETS, N_BUCKETS, 0, 0, &urcu_qsbr_flavor, NULL);
    mfs->outcomes = outcomes_create();
    return mfs;
}

size_t
megaflows_n(const struct megaflows *mfs)
{
    return __atomic_load_n(&mfs->n, __ATOMIC_RELAXED);
}

size_t
megaflows_max(const struct megaflows *mfs)
{
    return __atomic_load_n(&mfs->max, __ATOMIC_RELAXED);
}

size_t
megaflows_average(const struct megaflows *mfs)
{
    return __atomic_load_n(&mfs->average, __ATOMIC_RELAXED);
}

void
megaflows_note_cycle(struct megaflows *mfs)
{
    size_t n = megaflows_n(mfs);

    __atomic_store_n(&mfs->average, (megaflows_average(mfs) + n) / 2, __ATOMIC_RELAXED);
    if (n > mfs->n_buckets) {
        while (n > mfs->n_buckets) {
            mfs->n_buckets *= 2;
        }
        cds_lfht_resize(mfs->table, mfs->n_buckets);
    }
}

void
megaflow_datapath_actions(const struct translate_out *out, uint32_t bridge_id, struct buf *list)
{
    if (out->slow) {
        const struct upcall_cookie cookie = {.reason = UPCALL_SLOW, .slow = out->slow, .bridge_id = bridge_id};

        action_put_userspace(list, UPCALL_PID_AUTO, &cookie);
    } else {
        buf_put(list, out->actions.data, out->actions.len);
    }
}

/* Takes the outcome. */
static struct megaflow *
create(dp_ufid ufid, const struct flow_key *key, const struct outcome *o)
{
    struct megaflow *mf = xmalloc(sizeof *mf + outcome_n_words(o) * sizeof mf->key[0]);
    const uint64_t *words = flow_key_cwords(key);
    unsigned n = 0;

    *mf = (struct megaflow){.ufid = ufid, .outcome = o, .created_ms = now_ms()};
    cds_lfht_node_init(&mf->node);
    for (uint64_t map = o->map; map; map &= map - 1, n++) {
        mf->key[n] = words[__builtin_ctzll(map)] & o->mask[n];
    }
    return mf;
}

struct megaflow *
megaflow_create(struct megaflows *mfs, dp_ufid ufid, const struct flow_key *key, const struct translate_out *out, const struct buf *actions, uint64_t generation)
{
    const struct outcome *o = outcome_get(mfs->outcomes, &out->mask, out->effects, out->n_effects, actions->data, actions->len);
    struct megaflow *mf = create(ufid, key, o);

    mf->generation = generation;
    return mf;
}

struct megaflow *
megaflow_adopt(struct megaflows *mfs, const struct dp_flow_dumped *f)
{
    struct flow_key mask = *f->mask;
    struct megaflow *mf;

    /* All ports are Ethernet's: what looks at the packet type needs no match on it in the datapath. */
    mask.packet_type = UINT32_MAX;
    mf = create(f->ufid, f->key, outcome_get(mfs->outcomes, &mask, NULL, 0, f->actions, f->actions_len));
    mf->packets = f->stats.packets; /* Credited by the daemon before us, or lost with it. */
    mf->bytes = f->stats.bytes;
    mf->used_ms = f->stats.used_ms;
    mf->installed = true;
    return mf;
}

void
megaflow_match(const struct megaflow *mf, struct flow_key *key, struct flow_key *mask)
{
    uint64_t keys[FLOW_KEY_WORDS] = {0}, masks[FLOW_KEY_WORDS] = {0};
    unsigned n = 0;

    for (uint64_t map = mf->outcome->map; map; map &= map - 1, n++) {
        unsigned i = (unsigned) __builtin_ctzll(map);

        keys[i] = mf->key[n];
        masks[i] = mf->outcome->mask[n];
    }
    if (key) {
        memcpy(key, keys, sizeof *key);
    }
    if (mask) {
        memcpy(mask, masks, sizeof *mask);
    }
}

void
megaflow_free(struct megaflow *mf)
{
    outcome_put(mf->outcome);
    free(mf);
}

static void
megaflow_release(void *mf)
{
    megaflow_free(mf);
}

static int
ufid_matches(struct cds_lfht_node *node, const void *ufid)
{
    return dp_ufid_equal(caa_container_of(node, struct megaflow, node)->ufid, *(const dp_ufid *) ufid);
}

bool
megaflows_add(struct megaflows *mfs, struct megaflow *mf)
{
    /* Whoever comes by it in the table reads this first, and so has all of it. The table says as much, but not to ThreadSanitizer. */
    __atomic_store_n(&mf->installed, mf->installed, __ATOMIC_RELEASE);
    if (cds_lfht_add_unique(mfs->table, dp_ufid_hash(mf->ufid), ufid_matches, &mf->ufid, &mf->node) != &mf->node) {
        return false;
    }
    size_t n = __atomic_add_fetch(&mfs->n, 1, __ATOMIC_RELAXED);

    if (n > __atomic_load_n(&mfs->max, __ATOMIC_RELAXED)) {
        __atomic_store_n(&mfs->max, n, __ATOMIC_RELAXED); /* Two racing maxima differ by one: either will do. */
    }
    return true;
}

void
megaflows_remove(struct megaflows *mfs, struct megaflow *mf)
{
    if (!cds_lfht_del(mfs->table, &mf->node)) {
        __atomic_fetch_sub(&mfs->n, 1, __ATOMIC_RELAXED);
        rcu_postpone(megaflow_release, mf);
    }
}

struct megaflow *
megaflows_find(const struct megaflows *mfs, dp_ufid ufid)
{
    struct cds_lfht_iter iter;
    struct cds_lfht_node *node;

    cds_lfht_lookup(mfs->table, dp_ufid_hash(ufid), ufid_matches, &ufid, &iter);
    node = cds_lfht_iter_get_node(&iter);
    return node ? caa_container_of(node, struct megaflow, node) : NULL;
}

void
megaflows_for_each(const struct megaflows *mfs, bool (*fn)(struct megaflow *, void *arg), void *arg)
{
    struct cds_lfht_iter iter;
    struct megaflow *mf;

    cds_lfht_for_each_entry (mfs->table, &iter, mf, node) {
        if (!fn(mf, arg)) {
            return;
        }
    }
}

void
megaflow_retranslated(struct megaflows *mfs, struct megaflow *mf, const struct translate_out *out, const struct buf *actions, uint64_t generation)
{
    const struct outcome *was = mf->outcome;
    struct flow_key mask;

    megaflow_match(mf, NULL, &mask);
    mf->outcome = outcome_get(mfs->outcomes, &mask, out->effects, out->n_effects, actions->data, actions->len);
    mf->generation = generation;
    outcome_put(was);
}

void
megaflows_destroy(struct megaflows *mfs)
{
    struct cds_lfht_iter iter;
    struct megaflow *mf;

    cds_lfht_for_each_entry (mfs->table, &iter, mf, node) {
        megaflows_remove(mfs, mf);
    }
    rcu_drain();
    cds_lfht_destroy(mfs->table, NULL);
    outcomes_destroy(mfs->outcomes);
    free(mfs);
}
