// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "ofproto/megaflow.h"

#include <stdlib.h>

#include "lib/base/hash.h"
#include "ofproto/datapath.h"

struct megaflows {
    struct cds_lfht *table;
    size_t n, max, average; /* Atomic. */
};

struct megaflows *
megaflows_create(void)
{
    struct megaflows *mfs = xzalloc(sizeof *mfs);

    mfs->table = cds_lfht_new_flavor(1024, 1024, 0, CDS_LFHT_AUTO_RESIZE, &urcu_qsbr_flavor, NULL);
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
    __atomic_store_n(&mfs->average, (megaflows_average(mfs) + megaflows_n(mfs)) / 2, __ATOMIC_RELAXED);
}

static void
take_effects(struct megaflow *mf, const struct translate_out *out)
{
    struct effect *effects = xcalloc(out->n_effects ? out->n_effects : 1, sizeof *effects);
    size_t n = 0;

    for (size_t i = 0; i < out->n_effects; i++) {
        if (effect_ref(&out->effects[i])) {
            effects[n++] = out->effects[i];
        }
    }
    mf->effects = effects;
    mf->n_effects = n;
}

static void
drop_effects(struct effect *effects, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        effect_unref(&effects[i]);
    }
    free(effects);
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

struct megaflow *
megaflow_create(const struct flow_key *key, const struct flow_key *mask, const struct translate_out *out, uint64_t generation)
{
    struct megaflow *mf = xzalloc(sizeof *mf);
    struct flow_key masked;

    flow_key_and(&masked, key, mask);
    cds_lfht_node_init(&mf->node);
    mf->ufid = dp_ufid_of(&masked, mask);
    mf->key = flow_sparse_from_key(&masked);
    mf->mask = flow_sparse_from_key(mask);
    mf->generation = generation;
    mf->created_ms = now_ms();
    mf->slow = out->slow;
    take_effects(mf, out);
    return mf;
}

struct megaflow *
megaflow_adopt(const struct dp_flow_dumped *f)
{
    struct megaflow *mf = xzalloc(sizeof *mf);
    struct flow_key mask = *f->mask;

    /* All ports are Ethernet's: what looks at the packet type needs no match on it in the datapath. */
    mask.packet_type = UINT32_MAX;
    cds_lfht_node_init(&mf->node);
    mf->ufid = f->ufid;
    mf->key = flow_sparse_from_key(f->key);
    mf->mask = flow_sparse_from_key(&mask);
    mf->actions = f->actions_len ? xmemdup(f->actions, f->actions_len) : xzalloc(1);
    mf->actions_len = f->actions_len;
    mf->created_ms = now_ms();
    mf->packets = f->stats.packets; /* Credited by the daemon before us, or lost with it. */
    mf->bytes = f->stats.bytes;
    mf->used_ms = f->stats.used_ms;
    mf->installed = true;
    return mf;
}

void
megaflow_free(struct megaflow *mf)
{
    drop_effects(mf->effects, mf->n_effects);
    free(mf->actions);
    free(mf->key);
    free(mf->mask);
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
megaflow_retranslated(struct megaflow *mf, const struct translate_out *out, uint64_t generation)
{
    drop_effects(mf->effects, mf->n_effects);
    take_effects(mf, out);
    mf->slow = out->slow;
    mf->generation = generation;
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
    free(mfs);
}
