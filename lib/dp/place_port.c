// SPDX-License-Identifier: Apache-2.0
// The datapath's ports as TC knows them: by ifindex, with or without an ingress hook, with or without room.
#include <config.h>
#include "lib/dp/place_private.h"

#include <stdlib.h>
#include "lib/base/hash.h"
#include "lib/base/log.h"

static struct place_port *
port_by_number(const struct place *p, uint32_t number)
{
    struct hnode *h = htable_first_with_hash(&p->ports_by_number, hash_u64(number, 0));

    for (; h; h = htable_next_with_hash(h)) {
        struct place_port *port = CONTAINER_OF(h, struct place_port, by_number);

        if (port->port.number == number) {
            return port;
        }
    }
    return NULL;
}

const struct place_port *
place_full_port(const struct place *p, const struct place_flow *f)
{
    const struct place_port *port = port_by_number(p, f->in_port);
    int64_t pause;

    if (!port || !port->pause_ms) {
        return NULL;
    }
    /* Ports of one adapter share its table: what has left any of them may have made room. */
    pause = p->room_ms >= port->full_ms ? PLACE_BACKOFF_MS : port->pause_ms;
    return port->full_ms + pause > now_ms() ? port : NULL;
}

struct place_port *
place_port_by_ifindex(const struct place *p, int ifindex)
{
    struct hnode *h = htable_first_with_hash(&p->ports_by_ifindex, hash_u64((uint64_t) ifindex, 0));

    for (; h; h = htable_next_with_hash(h)) {
        struct place_port *port = CONTAINER_OF(h, struct place_port, by_ifindex);

        if (port->port.ifindex == ifindex) {
            return port;
        }
    }
    return NULL;
}

static struct tc_port
tc_port_by_number(uint32_t number, void *place_)
{
    struct place *p = place_;
    struct place_port *port;
    struct tc_port result = {.ifindex = 0};

    pthread_mutex_lock(&p->lock);
    port = port_by_number(p, number);
    if (port) {
        result = port->port;
    }
    pthread_mutex_unlock(&p->lock);
    return result;
}

static struct tc_port
tc_port_by_ifindex(int ifindex, void *place_)
{
    struct place *p = place_;
    struct place_port *port;
    struct tc_port result = {.ifindex = 0};

    pthread_mutex_lock(&p->lock);
    port = place_port_by_ifindex(p, ifindex);
    if (port) {
        result = port->port;
    }
    pthread_mutex_unlock(&p->lock);
    return result;
}

struct tc_ports
place_tc_ports(struct place *p)
{
    return (struct tc_ports){tc_port_by_number, tc_port_by_ifindex, p};
}

/* Busy records of flows that have a filter on the device; at most 'max'. */
static size_t
seize_filters_of(struct place *p, int ifindex, struct place_flow **flows, dp_ufid *ufids, size_t max)
{
    struct hnode *h;
    size_t n = 0;

    for (h = htable_next(&p->flows, NULL); h && n < max; h = htable_next(&p->flows, h)) {
        struct place_flow *f = CONTAINER_OF(h, struct place_flow, node);

        if (f->prio && f->prio->ifindex == ifindex) {
            ufids[n++] = f->ufid;
        }
    }
    place_seize(p, ufids, flows, n);
    return n;
}

/* With the lock, which is let go meanwhile. The port's filters go, whether or not their device is still
 * there. Their flows are in no home until somebody deletes or changes them. */
static void
port_gone(struct place *p, struct place_port *port)
{
    struct place_flow *flows[PLACE_BATCH];
    dp_ufid ufids[PLACE_BATCH];
    int ifindex = port->port.ifindex;
    uint64_t batch = p->batch_number;
    size_t n;

    __atomic_fetch_sub(&p->n_unclean, port->adopt != 0, __ATOMIC_RELAXED);
    htable_remove(&p->ports_by_number, &port->by_number);
    htable_remove(&p->ports_by_ifindex, &port->by_ifindex);
    /* What the promoter is about to put has found its place before; what it takes up next does not find the
     * port. */
    while (p->n_promoting && p->batch_number == batch) {
        pthread_cond_wait(&p->not_busy, &p->lock);
    }
    while ((n = seize_filters_of(p, ifindex, flows, ufids, PLACE_BATCH)) > 0) {
        size_t n_with = 0;
        struct place_flow *with[PLACE_BATCH];

        for (size_t i = 0; i < n; i++) {
            if (flows[i] && flows[i]->prio) {
                with[n_with++] = flows[i];
            }
        }
        pthread_mutex_unlock(&p->lock);
        place_delete_filters(p, with, n_with);
        pthread_mutex_lock(&p->lock);
        for (size_t i = 0; i < n_with; i++) {
            place_keep_counters(with[i]);
            place_forget_filter(p, with[i]);
            place_set_tier(p, with[i], PLACE_DP, "its port has gone");
        }
        place_release(p, flows, n);
    }
    if (port->ingress_ours) {
        tc_ingress_delete(p->pool, ifindex);
    }
    tc_prios_forget(p->prios, ifindex);
    free(port);
}

/* Makes the ingress hook of a port's device before there is traffic to it: while the kernel adds one, it
 * drops what the device is to send (dev_deactivate() in net/sched/sch_api.c). A device that takes none is
 * told of when a flow of it is to be promoted. */
static void
port_prepare(struct place *p, int ifindex)
{
    struct place_port *port;
    bool made = false;

    if (tc_ingress_ensure(p->pool, ifindex, &made)) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    port = place_port_by_ifindex(p, ifindex);
    if (port) {
        port->ingress = true;
        port->ingress_ours |= made;
    }
    pthread_mutex_unlock(&p->lock);
}

/* The main thread alone changes ports: it may walk them without the lock. */
void
place_ports_prepare(struct place *p)
{
    struct hnode *h;

    for (h = htable_next(&p->ports_by_number, NULL); h; h = htable_next(&p->ports_by_number, h)) {
        const struct place_port *port = CONTAINER_OF(h, struct place_port, by_number);

        if (!port->port.internal && !port->ingress) {
            port_prepare(p, port->port.ifindex);
        }
    }
}

/* With the lock. */
static void
expect_filters(struct place *p, struct place_port *port, bool expect)
{
    if (expect) {
        port->adopt = PLACE_ADOPT_TRIES;
        port->unseen = false;
        __atomic_fetch_add(&p->n_unclean, 1, __ATOMIC_RELAXED);
    }
}

void
place_ports_look_at_unseen(struct place *p)
{
    struct hnode *h;

    pthread_mutex_lock(&p->lock);
    for (h = htable_next(&p->ports_by_number, NULL); h; h = htable_next(&p->ports_by_number, h)) {
        struct place_port *port = CONTAINER_OF(h, struct place_port, by_number);

        expect_filters(p, port, port->unseen);
    }
    pthread_mutex_unlock(&p->lock);
}

void
place_port_set(struct place *p, uint32_t dp_port, int ifindex, bool internal, bool untouched)
{
    struct place_port *port;
    bool added = false;

    pthread_mutex_lock(&p->lock);
    port = port_by_number(p, dp_port);
    if (port && port->port.ifindex != ifindex) {
        port_gone(p, port);
        port = NULL;
    }
    if (!port && ifindex) {
        port = xzalloc(sizeof *port);
        port->port = (struct tc_port){.number = dp_port, .ifindex = ifindex, .internal = internal};
        port->unseen = !internal && untouched && !p->enabled;
        expect_filters(p, port, !internal && !port->unseen);
        htable_insert(&p->ports_by_number, &port->by_number, hash_u64(dp_port, 0));
        htable_insert(&p->ports_by_ifindex, &port->by_ifindex, hash_u64((uint64_t) ifindex, 0));
        added = true;
        log_dbg(LOG_place, "port %u has ifindex %d", dp_port, ifindex);
    }
    pthread_mutex_unlock(&p->lock);
    if (added && !internal && __atomic_load_n(&p->enabled, __ATOMIC_RELAXED)) {
        port_prepare(p, ifindex);
    }
}
