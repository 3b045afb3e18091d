// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <stdlib.h>
#include "lib/base/hash.h"
#include "lib/base/list.h"
#include "lib/dp/tc.h"

/* A shape and its priority. */
struct prio {
    struct tc_prio tp;
    struct hnode node; /* In tc_prios.shapes. */
    struct flow_sparse *mask;
};

/* The priorities of a device that are in use, by us or others. */
struct device {
    struct hnode node; /* In tc_prios.devices, by ifindex. */
    int ifindex;
    uint16_t hint; /* Below it there is probably none left. */
    uint64_t used[65536 / 64];
};

struct tc_prios {
    struct htable shapes, devices;
};

struct tc_prios *
tc_prios_create(void)
{
    struct tc_prios *p = xzalloc(sizeof *p);

    htable_init(&p->shapes);
    htable_init(&p->devices);
    return p;
}

void
tc_prios_destroy(struct tc_prios *p)
{
    struct hnode *h, *next;

    for (h = htable_next(&p->shapes, NULL); h; h = next) {
        struct prio *prio = CONTAINER_OF(h, struct prio, node);

        next = htable_next(&p->shapes, h);
        free(prio->mask);
        free(prio);
    }
    for (h = htable_next(&p->devices, NULL); h; h = next) {
        next = htable_next(&p->devices, h);
        free(CONTAINER_OF(h, struct device, node));
    }
    htable_destroy(&p->shapes);
    htable_destroy(&p->devices);
    free(p);
}

static struct device *
device_of(struct tc_prios *p, int ifindex)
{
    uint32_t hash = hash_u64((uint64_t) ifindex, 0);
    struct hnode *h = htable_first_with_hash(&p->devices, hash);
    struct device *d;

    for (; h; h = htable_next_with_hash(h)) {
        d = CONTAINER_OF(h, struct device, node);
        if (d->ifindex == ifindex) {
            return d;
        }
    }
    d = xzalloc(sizeof *d);
    d->ifindex = ifindex;
    d->hint = TC_PRIO_FIRST;
    htable_insert(&p->devices, &d->node, hash);
    return d;
}

static bool
is_used(const struct device *d, uint16_t number)
{
    return d->used[number / 64] >> (number % 64) & 1;
}

static void
set_used(struct device *d, uint16_t number, bool used)
{
    uint64_t bit = UINT64_C(1) << (number % 64);

    d->used[number / 64] = used ? d->used[number / 64] | bit : d->used[number / 64] & ~bit;
    if (!used && number < d->hint) {
        d->hint = number;
    }
}

static uint32_t
shape_hash(int ifindex, be16 protocol, const struct flow_sparse *mask)
{
    return flow_sparse_hash(mask, hash_u64((uint64_t) ifindex << 16 | protocol, 0));
}

static struct prio *
find_shape(struct tc_prios *p, int ifindex, be16 protocol, const struct flow_sparse *mask, uint32_t hash)
{
    struct hnode *h = htable_first_with_hash(&p->shapes, hash);

    for (; h; h = htable_next_with_hash(h)) {
        struct prio *prio = CONTAINER_OF(h, struct prio, node);

        if (prio->tp.ifindex == ifindex && prio->tp.protocol == protocol &&
            flow_sparse_equal(prio->mask, mask)) {
            return prio;
        }
    }
    return NULL;
}

/* Takes over 'mask'. */
static struct prio *
new_shape(struct tc_prios *p, struct device *d, be16 protocol, struct flow_sparse *mask, uint32_t hash,
          uint16_t number)
{
    struct prio *prio = xzalloc(sizeof *prio);

    prio->tp = (struct tc_prio){.number = number, .protocol = protocol, .ifindex = d->ifindex};
    prio->mask = mask;
    set_used(d, number, true);
    htable_insert(&p->shapes, &prio->node, hash);
    return prio;
}

struct tc_prio *
tc_prio_get(struct tc_prios *p, int ifindex, be16 protocol, const struct flow_key *mask)
{
    struct flow_sparse *sparse = flow_sparse_from_key(mask);
    uint32_t hash = shape_hash(ifindex, protocol, sparse);
    struct prio *prio = find_shape(p, ifindex, protocol, sparse, hash);

    if (prio) {
        free(sparse);
    } else {
        struct device *d = device_of(p, ifindex);

        while (d->hint <= TC_PRIO_LAST && is_used(d, d->hint)) {
            d->hint++;
        }
        if (d->hint > TC_PRIO_LAST) {
            free(sparse);
            return NULL;
        }
        prio = new_shape(p, d, protocol, sparse, hash, d->hint);
    }
    prio->tp.n_filters++;
    return &prio->tp;
}

struct tc_prio *
tc_prio_adopt(struct tc_prios *p, int ifindex, be16 protocol, const struct flow_key *mask, uint16_t number,
              uint32_t handle)
{
    struct flow_sparse *sparse = flow_sparse_from_key(mask);
    uint32_t hash = shape_hash(ifindex, protocol, sparse);
    struct prio *prio = find_shape(p, ifindex, protocol, sparse, hash);

    if (prio) {
        free(sparse);
        if (prio->tp.number != number) {
            return NULL;
        }
    } else {
        struct device *d = device_of(p, ifindex);

        if (is_used(d, number)) {
            free(sparse);
            return NULL;
        }
        prio = new_shape(p, d, protocol, sparse, hash, number);
    }
    prio->tp.n_filters++;
    prio->tp.last_handle = MAX(prio->tp.last_handle, handle);
    return &prio->tp;
}

void
tc_prio_put(struct tc_prios *p, struct tc_prio *tp)
{
    struct prio *prio = CONTAINER_OF(tp, struct prio, tp);

    if (!--tp->n_filters) {
        set_used(device_of(p, tp->ifindex), tp->number, false);
        htable_remove(&p->shapes, &prio->node);
        free(prio->mask);
        free(prio);
    }
}

void
tc_prios_forget(struct tc_prios *p, int ifindex)
{
    struct device *d = device_of(p, ifindex);

    htable_remove(&p->devices, &d->node);
    free(d);
}

void
tc_prio_reserve(struct tc_prios *p, int ifindex, uint16_t number)
{
    set_used(device_of(p, ifindex), number, true);
}
