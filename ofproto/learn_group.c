// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "ofproto/learn_group.h"

#include <stdlib.h>

#include "lib/base/hash.h"

struct learn_group {
    struct cds_lfht_node node;
    uint64_t cookie;
    uint8_t table_id;
    uint32_t n_rules;            /* Atomic. */
    uint32_t n_users;            /* Learn actions that name it. */
    uint32_t n_deleters;         /* Those of them with delete_learned. */
    struct cds_list_head orphan; /* In learn_groups.orphans since it lost its last deleter, else empty. */
};

struct learn_groups {
    struct cds_lfht *groups; /* RCU. */
    size_t n;
    struct cds_list_head orphans;
};

struct learn_groups *
learn_groups_create(void)
{
    struct learn_groups *gs = xzalloc(sizeof *gs);

    gs->groups = cds_lfht_new_flavor(1, 1, 0, CDS_LFHT_AUTO_RESIZE, &urcu_qsbr_flavor, NULL);
    CDS_INIT_LIST_HEAD(&gs->orphans);
    return gs;
}

static uint32_t
hash_of(uint8_t table_id, uint64_t cookie)
{
    return (uint32_t) hash_u64(cookie, table_id);
}

static int
is_same(struct cds_lfht_node *node, const void *like_)
{
    const struct learn_group *g = caa_container_of(node, struct learn_group, node), *like = like_;

    return g->cookie == like->cookie && g->table_id == like->table_id;
}

static struct learn_group *
find(const struct learn_groups *gs, uint8_t table_id, uint64_t cookie)
{
    const struct learn_group like = {.table_id = table_id, .cookie = cookie};
    struct cds_lfht_iter iter;
    struct cds_lfht_node *node;

    cds_lfht_lookup(gs->groups, hash_of(table_id, cookie), is_same, &like, &iter);
    node = cds_lfht_iter_get_node(&iter);
    return node ? caa_container_of(node, struct learn_group, node) : NULL;
}

static void
group_remove(struct learn_groups *gs, struct learn_group *g)
{
    cds_lfht_del(gs->groups, &g->node);
    gs->n--;
    rcu_postpone_free(g);
}

void
learn_groups_destroy(struct learn_groups *gs)
{
    struct cds_lfht_iter iter;
    struct learn_group *g;

    cds_lfht_for_each_entry (gs->groups, &iter, g, node) {
        group_remove(gs, g);
    }
    cds_lfht_destroy(gs->groups, NULL);
    free(gs);
}

static bool
count_rule(struct cls_rule *cr, void *group)
{
    struct learn_group *g = group;

    g->n_rules += CONTAINER_OF(cr, struct rule, cr)->cookie == g->cookie;
    return true;
}

static struct learn_group *
group_add(struct bridge *br, uint8_t table_id, uint64_t cookie)
{
    struct learn_group *g = xzalloc(sizeof *g);

    g->table_id = table_id;
    g->cookie = cookie;
    CDS_INIT_LIST_HEAD(&g->orphan);
    classifier_for_each(br->tables[table_id].cls, NULL, count_rule, g);
    cds_lfht_node_init(&g->node);
    cds_lfht_add(br->learn_groups->groups, hash_of(table_id, cookie), &g->node);
    br->learn_groups->n++;
    return g;
}

/* Limits hold anywhere, but only learn actions that stand in no other action take what they learned along. */
static bool
is_deleter(const struct ofact_learn *l, bool is_nested)
{
    return l->flags & LEARN_DELETE_LEARNED && !is_nested;
}

static void
learn_came(struct bridge *br, const struct ofact_learn *l, bool is_nested)
{
    struct learn_group *g = find(br->learn_groups, l->table_id, l->cookie);

    g = g ? g : group_add(br, l->table_id, l->cookie);
    g->n_users++;
    g->n_deleters += is_deleter(l, is_nested);
}

static void
learn_left(struct bridge *br, const struct ofact_learn *l, bool is_nested)
{
    struct learn_groups *gs = br->learn_groups;
    struct learn_group *g = find(gs, l->table_id, l->cookie);

    g->n_users--;
    if (is_deleter(l, is_nested) && !--g->n_deleters && cds_list_empty(&g->orphan)) {
        cds_list_add_tail(&g->orphan, &gs->orphans);
    } else if (!g->n_users && cds_list_empty(&g->orphan)) {
        group_remove(gs, g);
    }
}

/* Calls fn for each learn action that names a group; fn NULL: none. How many there are. */
static size_t
each_learn(const void *list, size_t size, bool is_nested, void (*fn)(struct bridge *, const struct ofact_learn *, bool is_nested), struct bridge *br)
{
    const struct ofact *a;
    size_t n = 0;

    OFACT_FOR_EACH (a, list, size) {
        const struct ofact_learn *l = (const void *) a;

        if (ofact_has_nested(a)) {
            size_t nested_size;
            const struct ofact *nested = ofact_nested(a, &nested_size);

            n += each_learn(nested, nested_size, true, fn, br);
        } else if (a->kind == OFACT_LEARN && (l->limit || is_deleter(l, is_nested))) {
            n++;
            if (fn) {
                fn(br, l, is_nested);
            }
        }
    }
    return n;
}

bool
learn_groups_concern(const void *list, size_t size)
{
    return each_learn(list, size, false, NULL, NULL) > 0;
}

static void
count_itself(struct bridge *br, const struct rule *r, uint32_t n)
{
    struct learn_group *g = br->learn_groups->n ? find(br->learn_groups, r->table_id, r->cookie) : NULL;

    if (g) {
        __atomic_fetch_add(&g->n_rules, n, __ATOMIC_RELAXED);
    }
}

void
learn_groups_rule_came(struct bridge *br, const struct rule *r)
{
    count_itself(br, r, 1);
    if (r->actions->has_learn) {
        each_learn(r->actions->list, r->actions->size, false, learn_came, br);
    }
}

void
learn_groups_rule_left(struct bridge *br, const struct rule *r)
{
    count_itself(br, r, UINT32_MAX); /* One less. */
    if (r->actions->has_learn) {
        each_learn(r->actions->list, r->actions->size, false, learn_left, br);
    }
}

bool
learn_groups_take_orphans(struct bridge *br, uint8_t *table_id, uint64_t *cookie)
{
    struct learn_groups *gs = br->learn_groups;
    struct learn_group *g, *next;

    cds_list_for_each_entry_safe (g, next, &gs->orphans, orphan) {
        bool is_orphan = !g->n_deleters; /* Else another rule took the place. */

        cds_list_del_init(&g->orphan);
        *table_id = g->table_id;
        *cookie = g->cookie;
        if (!g->n_users) {
            group_remove(gs, g);
        }
        if (is_orphan) {
            return true;
        }
    }
    return false;
}

uint32_t
learn_groups_count(const struct bridge *br, uint8_t table_id, uint64_t cookie)
{
    const struct learn_group *g = find(br->learn_groups, table_id, cookie);

    return g ? __atomic_load_n(&g->n_rules, __ATOMIC_RELAXED) : 0;
}
