// SPDX-License-Identifier: Apache-2.0
// What is in TC: counters of our filters, and filters that a previous daemon left. Those it left are adopted
// (their flow is as good as if we had put it there) or, when nothing shall be in TC, deleted: traffic must
// not be forwarded by a policy that nobody holds any more.
#include <config.h>
#include "lib/dp/place_private.h"

#include <linux/rtnetlink.h>
#include <stdlib.h>
#include "lib/base/counter.h"
#include "lib/base/log.h"

COUNTER(tc_adopted, "A filter of a previous daemon was adopted.");
COUNTER(tc_orphan_deleted, "A filter of a previous daemon was deleted.");
COUNTER(tc_lost, "A filter of ours has gone, or left the hardware, without our doing.");

void
place_stats_of_seen(const struct place_flow *f, const struct tc_seen *seen, struct dp_stats *stats)
{
    struct dp_stats s = {
        .packets = seen->packets,
        .bytes = seen->bytes + (seen->packets - MIN(seen->packets, seen->hw_packets)) * f->sw_extra,
        .used_ms = f->tc.used_ms,
    };

    /* TC tells when a filter was last used by terse dumps only in counters that have moved. */
    if (s.packets != f->tc.packets) {
        s.used_ms = now_ms();
    }
    *stats = s;
}

/* Does the adapter hand up what it should forward itself, though the kernel says that it has the filter?
 * Then TC's software counts, while the adapter's own counter stands still. */
static bool
is_handed_up(const struct place_flow *f, const struct tc_seen *seen)
{
    uint64_t hw = MIN(seen->packets, seen->hw_packets), hw_before = MIN(f->tc.packets, f->hw_packets);

    return hw == hw_before && seen->packets - hw > f->tc.packets - hw_before &&
           now_ms() - f->since_ms > PLACE_SETTLE_MS;
}

struct reading {
    struct place *p;
    uint64_t seq;
};

static bool
counter_seen(const struct nlmsghdr *h, void *reading)
{
    struct reading *r = reading;
    struct place *p = r->p;
    struct place_flow *f;
    struct tc_seen seen;

    if (tc_seen_of(h, &seen) || !seen.flower || !seen.has_ufid) {
        return true;
    }
    pthread_mutex_lock(&p->lock);
    f = place_find(p, seen.ufid);
    if (f && !f->busy && f->prio && f->prio->ifindex == seen.ifindex && f->prio->number == seen.prio &&
        f->handle == seen.handle) {
        bool lost = f->tier == PLACE_HW && p->policy == PLACE_POLICY_NONE &&
                    (!seen.in_hw || is_handed_up(f, &seen));

        place_stats_of_seen(f, &seen, &f->tc);
        f->hw_packets = seen.hw_packets;
        f->tc_seq = lost ? 0 : MAX(f->tc_seq, r->seq);
    }
    pthread_mutex_unlock(&p->lock);
    return true;
}

static int
dump_filters(struct place *p, int ifindex, bool terse, bool (*fn)(const struct nlmsghdr *, void *), void *arg)
{
    struct nla_bitfield32 flags = {TCA_DUMP_FLAGS_TERSE, TCA_DUMP_FLAGS_TERSE};
    struct buf b = BUF_EMPTY;
    size_t at = tc_filter_begin(&b, RTM_GETTFILTER, NLM_F_DUMP, ifindex, 0, 0, 0);
    int error;

    if (terse) {
        nl_put(&b, TCA_DUMP_FLAGS, &flags, sizeof flags);
    }
    nl_msg_end(&b, at);
    error = nl_pool_dump(p->pool, &b, fn, arg);
    buf_free(&b);
    return error == -EINTR ? 0 : error;
}

/* Indexes of the ports' devices that 'wanted' is true of; the caller frees. */
static int *
list_ports(struct place *p, bool (*wanted)(const struct place_port *), size_t *n)
{
    struct hnode *h;
    int *ifindexes;

    *n = 0;
    pthread_mutex_lock(&p->lock);
    ifindexes = xcalloc(MAX(p->ports_by_number.n, 1U), sizeof *ifindexes);
    for (h = htable_next(&p->ports_by_number, NULL); h; h = htable_next(&p->ports_by_number, h)) {
        const struct place_port *port = CONTAINER_OF(h, struct place_port, by_number);

        if (wanted(port)) {
            ifindexes[(*n)++] = port->port.ifindex;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return ifindexes;
}

static bool
has_filters(const struct place_port *port)
{
    return port->n_filters > 0;
}

static bool
is_unclean(const struct place_port *port)
{
    return port->adopt > 0;
}

/* Flows whose filter was not seen go back to the datapath. */
static void
find_lost(struct place *p, uint64_t seq)
{
    struct hnode *h;

    pthread_mutex_lock(&p->lock);
    for (h = htable_next(&p->flows, NULL); h; h = htable_next(&p->flows, h)) {
        struct place_flow *f = CONTAINER_OF(h, struct place_flow, node);

        if (!f->busy && f->prio && !f->demote && f->tc_seq < seq) {
            COUNTER_INC(tc_lost);
            f->demote = true;
            place_enqueue(p, f);
        }
    }
    pthread_mutex_unlock(&p->lock);
}

/* Of the filters of one device. Only flower tells in short what its filters have counted: a dump that comes to another's, say a policer,
 * ends there (tcf_fill_node() in net/sched/cls_api.c). */
static int
read_counters_of(struct place *p, int ifindex, struct reading *r)
{
    int error = dump_filters(p, ifindex, true, counter_seen, r);

    return error == -EMSGSIZE ? dump_filters(p, ifindex, false, counter_seen, r) : error;
}

void
place_read_counters(struct place *p, uint64_t seq)
{
    struct reading r = {p, seq};
    size_t n;
    int *ifindexes = list_ports(p, has_filters, &n);
    bool all = true;

    for (size_t i = 0; i < n; i++) {
        all &= !read_counters_of(p, ifindexes[i], &r);
    }
    free(ifindexes);
    if (all) {
        find_lost(p, seq);
    }
}

void
place_flow_missed(struct place *p, dp_ufid ufid)
{
    struct place_flow *f;

    if (!__atomic_load_n(&p->active, __ATOMIC_RELAXED)) {
        return;
    }
    pthread_mutex_lock(&p->lock);
    f = place_find(p, ufid);
    /* It may have waited to come up since before the flow moved. */
    if (f && f->prio && !f->busy && !f->demote && now_ms() - f->since_ms > PLACE_SETTLE_MS) {
        COUNTER_INC(tc_lost);
        f->demote = true;
        place_enqueue(p, f);
    }
    pthread_mutex_unlock(&p->lock);
}

struct adoption {
    struct place *p;
    struct buf deletions; /* Requests. */
    size_t n_unknown;     /* Filters that could not be understood yet. */
};

/* With the lock. */
static void
adopt_known(struct place *p, const struct tc_seen *seen, const struct match *m, const struct buf *actions)
{
    struct tc_prio *prio =
        tc_prio_adopt(p->prios, seen->ifindex, seen->protocol, &m->mask, seen->prio, seen->handle);
    struct place_port *port = place_port_by_ifindex(p, seen->ifindex);
    struct place_flow *f;

    if (!prio || !port) {
        return;
    }
    f = place_add(p, seen->ufid, m, actions->data, actions->len);
    f->in_dp = false;
    f->prio = prio;
    f->handle = seen->handle;
    f->tc_seq = p->next_dump_seq;
    port->n_filters++;
    place_stats_of_seen(f, seen, &f->tc);
    f->hw_packets = seen->hw_packets;
    place_set_tier(p, f, seen->in_hw ? PLACE_HW : PLACE_TC, NULL);
    f->demote = !seen->in_hw && p->policy == PLACE_POLICY_NONE;
    if (f->demote) {
        place_enqueue(p, f);
    }
    COUNTER_INC(tc_adopted);
}

static bool
filter_seen(const struct nlmsghdr *h, void *adoption)
{
    struct adoption *a = adoption;
    struct place *p = a->p;
    struct tc_ports ports = place_tc_ports(p);
    struct buf actions = BUF_EMPTY;
    const struct place_flow *f;
    struct tc_seen seen;
    struct match m;
    bool known;

    if (tc_seen_of(h, &seen) || !seen.handle) {
        return true;
    }
    if (!seen.flower || !seen.has_ufid) {
        pthread_mutex_lock(&p->lock);
        tc_prio_reserve(p->prios, seen.ifindex, seen.prio);
        pthread_mutex_unlock(&p->lock);
        return true;
    }
    known = !tc_decode(&seen, &ports, &m.key, &m.mask, &actions);
    pthread_mutex_lock(&p->lock);
    f = place_find(p, seen.ufid);
    if (!p->enabled || (f && !f->busy && !f->prio)) {
        /* Nothing shall be in TC, or its flow has come to life in the datapath already. */
        tc_filter_del(&a->deletions, seen.ifindex, seen.protocol, seen.prio, seen.handle);
        COUNTER_INC(tc_orphan_deleted);
    } else if (!f && known) {
        adopt_known(p, &seen, &m, &actions);
    } else if (!f) {
        a->n_unknown++;
    }
    pthread_mutex_unlock(&p->lock);
    buf_free(&actions);
    return true;
}

/* One at a time: this happens once, after a crash or a change of configuration. */
static void
delete_orphans(struct place *p, const struct buf *deletions)
{
    size_t at = 0;

    while (at < deletions->len) {
        struct buf one = {.data = deletions->data + at};

        one.len = nl_msg_at(deletions, at)->nlmsg_len;
        nl_pool_transact(p->pool, &one, NULL, NULL);
        at += NLMSG_ALIGN(one.len);
    }
}

void
place_adopt(struct place *p)
{
    size_t n;
    int *ifindexes = list_ports(p, is_unclean, &n);

    for (size_t i = 0; i < n; i++) {
        struct adoption a = {.p = p};
        struct place_port *port;

        dump_filters(p, ifindexes[i], false, filter_seen, &a);
        delete_orphans(p, &a.deletions);
        buf_free(&a.deletions);
        pthread_mutex_lock(&p->lock);
        port = place_port_by_ifindex(p, ifindexes[i]);
        if (port && port->adopt) {
            port->adopt = a.n_unknown ? port->adopt - 1 : 0;
            __atomic_fetch_sub(&p->n_unclean, !port->adopt, __ATOMIC_RELAXED);
        }
        pthread_mutex_unlock(&p->lock);
    }
    free(ifindexes);
}
