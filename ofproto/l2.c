// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include "lib/base/counter.h"
#include "lib/base/hash.h"
#include "lib/base/list.h"
#include "lib/base/rcu.h"
#include "ofproto/bridge.h"
#include "ofproto/l2.h"

COUNTER(mac_learning_learned, "An address was seen for the first time, or again after it had left the table.");
COUNTER(mac_learning_moved, "An address was seen on another port than before.");
COUNTER(mac_learning_expired, "An address left the table: it was not seen for mac-aging-time.");
COUNTER(mac_learning_evicted, "An address left the table because mac-table-size was reached.");

#define DEFAULT_AGING_S 300
#define DEFAULT_MAX 8192
#define MIN_ENTRIES 10
#define SECOND_CHANCES 16

struct entry {
    struct cds_lfht_node node;      /* In l2->table. */
    struct cds_list_head in_port;   /* In entry_port.entries; under the mutex. */
    uint64_t id;                    /* MAC and VLAN. */
    struct port *port;              /* RCU. */
    uint32_t used_s;                /* Atomic: when it was last seen. */
    uint32_t queued_s;              /* What 'used_s' was when it went to the end of its list. Under the mutex. */
};

/* The entries of one port, those that were looked at longest ago first. Under the mutex. */
struct port_entries {
    struct cds_list_head node;      /* In l2->ports. */
    const struct port *port;
    struct cds_list_head entries;
    size_t n;
};

struct l2 {
    struct bridge *bridge;
    struct cds_lfht *table;         /* RCU: struct entry by id. */
    pthread_mutex_t mutex;          /* Guards the lists, the counts and every change of 'table'. */
    struct cds_list_head ports;
    size_t n;
    uint32_t aging_s, max;          /* Atomic. */
    uint64_t n_learned, n_expired, n_evicted, n_moved;
};

static uint64_t
id_of(struct eth_addr mac, uint16_t vlan)
{
    return (uint64_t) vlan << 48 | eth_addr_u64(mac);
}

static uint32_t
now_s(void)
{
    return (uint32_t) (now_ms() / 1000);
}

struct l2 *
l2_create(struct bridge *bridge)
{
    struct l2 *l2 = xzalloc(sizeof *l2);

    l2->bridge = bridge;
    l2->table = cds_lfht_new_flavor(64, 64, 0, CDS_LFHT_AUTO_RESIZE, &urcu_qsbr_flavor, NULL);
    pthread_mutex_init(&l2->mutex, NULL);
    CDS_INIT_LIST_HEAD(&l2->ports);
    l2->aging_s = DEFAULT_AGING_S;
    l2->max = DEFAULT_MAX;
    return l2;
}

void
l2_destroy(struct l2 *l2)
{
    l2_flush(l2);
    /* The table resizes itself in a thread that waits for grace periods; this one must not hold one up. */
    urcu_qsbr_thread_offline();
    cds_lfht_destroy(l2->table, NULL);
    urcu_qsbr_thread_online();
    pthread_mutex_destroy(&l2->mutex);
    free(l2);
}

static int
has_id(struct cds_lfht_node *node, const void *id)
{
    return CONTAINER_OF(node, struct entry, node)->id == *(const uint64_t *) id;
}

static struct entry *
find(struct l2 *l2, uint64_t id)
{
    struct cds_lfht_iter iter;
    struct cds_lfht_node *node;

    cds_lfht_lookup(l2->table, hash_u64(id, 0), has_id, &id, &iter);
    node = cds_lfht_iter_get_node(&iter);
    return node ? CONTAINER_OF(node, struct entry, node) : NULL;
}

static bool
is_expired(const struct l2 *l2, const struct entry *e, uint32_t now)
{
    return now - __atomic_load_n(&e->used_s, __ATOMIC_RELAXED) > __atomic_load_n(&l2->aging_s, __ATOMIC_RELAXED);
}

struct port *
l2_lookup(struct l2 *l2, struct eth_addr mac, uint16_t vlan)
{
    struct entry *e = find(l2, id_of(mac, vlan));

    return e ? rcu_dereference(e->port) : NULL;
}

bool
l2_needs_learning(struct l2 *l2, struct eth_addr mac, uint16_t vlan, const struct port *port)
{
    return !eth_addr_is_multicast(mac) && l2_lookup(l2, mac, vlan) != port;
}

static struct port_entries *
entries_of(struct l2 *l2, const struct port *port, bool create)
{
    struct port_entries *p;

    cds_list_for_each_entry (p, &l2->ports, node) {
        if (p->port == port) {
            return p;
        }
    }
    if (!create) {
        return NULL;
    }
    p = xzalloc(sizeof *p);
    p->port = port;
    CDS_INIT_LIST_HEAD(&p->entries);
    cds_list_add_tail(&p->node, &l2->ports);
    return p;
}

static void
list_entry(struct l2 *l2, struct entry *e)
{
    struct port_entries *p = entries_of(l2, e->port, true);

    e->queued_s = __atomic_load_n(&e->used_s, __ATOMIC_RELAXED);
    cds_list_add_tail(&e->in_port, &p->entries);
    p->n++;
}

static void
unlist_entry(struct l2 *l2, struct entry *e)
{
    struct port_entries *p = entries_of(l2, e->port, false);

    cds_list_del(&e->in_port);
    if (!--p->n) {
        cds_list_del(&p->node);
        free(p);
    }
}

static void
remove_entry(struct l2 *l2, struct entry *e)
{
    unlist_entry(l2, e);
    cds_lfht_del(l2->table, &e->node);
    l2->n--;
    rcu_postpone_free(e);
}

/* Makes room: an entry of the port that has most of them, of those at the front of its list one that was not seen since it got there. */
static void
evict(struct l2 *l2)
{
    struct port_entries *p, *most = NULL;
    struct entry *e = NULL;

    cds_list_for_each_entry (p, &l2->ports, node) {
        if (!most || p->n > most->n) {
            most = p;
        }
    }
    for (unsigned i = 0; i < SECOND_CHANCES; i++) {
        e = cds_list_first_entry(&most->entries, struct entry, in_port);
        if (__atomic_load_n(&e->used_s, __ATOMIC_RELAXED) == e->queued_s) {
            break;
        }
        cds_list_del(&e->in_port);
        e->queued_s = __atomic_load_n(&e->used_s, __ATOMIC_RELAXED);
        cds_list_add_tail(&e->in_port, &most->entries);
    }
    remove_entry(l2, e);
    l2->n_evicted++;
    COUNTER_INC(mac_learning_evicted);
}

static void
add_entry(struct l2 *l2, uint64_t id, struct port *port)
{
    struct entry *e;

    while (l2->n >= __atomic_load_n(&l2->max, __ATOMIC_RELAXED)) {
        evict(l2);
    }
    e = xzalloc(sizeof *e);
    e->id = id;
    e->port = port;
    e->used_s = now_s();
    cds_lfht_node_init(&e->node);
    cds_lfht_add(l2->table, hash_u64(id, 0), &e->node);
    list_entry(l2, e);
    l2->n++;
    l2->n_learned++;
    COUNTER_INC(mac_learning_learned);
}

static void
move_entry(struct l2 *l2, struct entry *e, struct port *port)
{
    unlist_entry(l2, e);
    rcu_assign_pointer(e->port, port);
    list_entry(l2, e);
    l2->n_moved++;
    COUNTER_INC(mac_learning_moved);
}

bool
l2_learn(struct l2 *l2, struct eth_addr mac, uint16_t vlan, struct port *port)
{
    uint64_t id = id_of(mac, vlan);
    struct entry *e = find(l2, id);
    bool changed = false;

    if (eth_addr_is_multicast(mac)) {
        return false;
    }
    if (e && rcu_dereference(e->port) == port) {
        __atomic_store_n(&e->used_s, now_s(), __ATOMIC_RELAXED);
        return false;
    }
    pthread_mutex_lock(&l2->mutex);
    if (!__atomic_load_n(&port->removed, __ATOMIC_ACQUIRE)) {
        e = find(l2, id);
        changed = !e || e->port != port;
        if (!e) {
            add_entry(l2, id, port);
        } else if (changed) {
            __atomic_store_n(&e->used_s, now_s(), __ATOMIC_RELAXED);
            move_entry(l2, e, port);
        }
    }
    pthread_mutex_unlock(&l2->mutex);
    return changed;
}

/* Takes out every entry for which 'leaves' says so; how many. */
static size_t
remove_if(struct l2 *l2, bool (*leaves)(const struct l2 *, const struct entry *, const void *arg), const void *arg)
{
    struct port_entries *p, *next_p;
    struct entry *e, *next;
    size_t n = 0;

    pthread_mutex_lock(&l2->mutex);
    cds_list_for_each_entry_safe (p, next_p, &l2->ports, node) {
        size_t left = p->n;

        cds_list_for_each_entry_safe (e, next, &p->entries, in_port) {
            left--;
            if (leaves(l2, e, arg)) {
                remove_entry(l2, e);
                n++;
            }
            if (!left) {
                break; /* 'p' may be gone with its last entry. */
            }
        }
    }
    pthread_mutex_unlock(&l2->mutex);
    return n;
}

static bool
always(const struct l2 *l2, const struct entry *e, const void *arg)
{
    return true;
}

static bool
is_on_port(const struct l2 *l2, const struct entry *e, const void *port)
{
    return e->port == port;
}

static bool
has_expired(const struct l2 *l2, const struct entry *e, const void *now)
{
    return is_expired(l2, e, *(const uint32_t *) now);
}

void
l2_flush(struct l2 *l2)
{
    remove_if(l2, always, NULL);
}

void
l2_forget_port(struct l2 *l2, const struct port *port)
{
    remove_if(l2, is_on_port, port);
}

bool
l2_age(struct l2 *l2)
{
    uint32_t now = now_s();
    size_t n = remove_if(l2, has_expired, &now);

    l2->n_expired += n;
    COUNTER_ADD(mac_learning_expired, n);
    return n > 0;
}

void
l2_configure(struct l2 *l2, uint32_t aging_s, uint32_t max_entries)
{
    __atomic_store_n(&l2->aging_s, aging_s, __ATOMIC_RELAXED);
    __atomic_store_n(&l2->max, MAX(max_entries, MIN_ENTRIES), __ATOMIC_RELAXED);
    pthread_mutex_lock(&l2->mutex);
    while (l2->n > l2->max) {
        evict(l2);
    }
    pthread_mutex_unlock(&l2->mutex);
}

static int
older_first(const void *a, const void *b)
{
    const struct entry *x = *(struct entry *const *) a, *y = *(struct entry *const *) b;

    uint32_t x_used_s = __atomic_load_n(&x->used_s, __ATOMIC_RELAXED), y_used_s = __atomic_load_n(&y->used_s, __ATOMIC_RELAXED);

    return x_used_s != y_used_s ? (x_used_s < y_used_s ? -1 : 1) : (x->id > y->id) - (x->id < y->id);
}

static void
format_entry(const struct entry *e, uint32_t now, struct buf *b)
{
    struct eth_addr mac = eth_addr_from_u64(e->id & UINT64_C(0xffffffffffff));
    struct buf port = BUF_EMPTY;

    of_port_format(e->port->ofp, NULL, &port);
    buf_putf(b, "%5s  %4u  " ETH_ADDR_FMT "  %3u\n", buf_text(&port), (unsigned) (e->id >> 48), ETH_ADDR_ARGS(mac),
              now - __atomic_load_n(&e->used_s, __ATOMIC_RELAXED));
    buf_free(&port);
}

void
l2_format(struct l2 *l2, struct buf *b)
{
    struct entry **sorted, *e;
    struct port_entries *p;
    uint32_t now = now_s();
    size_t n = 0;

    buf_puts(b, " port  VLAN  MAC                Age\n");
    pthread_mutex_lock(&l2->mutex);
    sorted = xcalloc(l2->n + 1, sizeof *sorted);
    cds_list_for_each_entry (p, &l2->ports, node) {
        cds_list_for_each_entry (e, &p->entries, in_port) {
            sorted[n++] = e;
        }
    }
    qsort(sorted, n, sizeof *sorted, older_first);
    for (size_t i = 0; i < n; i++) {
        format_entry(sorted[i], now, b);
    }
    pthread_mutex_unlock(&l2->mutex);
    free(sorted);
}

void
l2_format_stats(struct l2 *l2, struct buf *b)
{
    pthread_mutex_lock(&l2->mutex);
    buf_putf(b, "Statistics for bridge \"%s\":\n", l2->bridge->name);
    buf_putf(b, "  Current/maximum MAC entries in the table: %zu/%u\n", l2->n, l2->max);
    buf_puts(b, "  Current static MAC entries in the table : 0\n");
    buf_putf(b, "  Total number of learned MAC entries     : %" PRIu64 "\n", l2->n_learned);
    buf_putf(b, "  Total number of expired MAC entries     : %" PRIu64 "\n", l2->n_expired);
    buf_putf(b, "  Total number of evicted MAC entries     : %" PRIu64 "\n", l2->n_evicted);
    buf_putf(b, "  Total number of port moved MAC entries  : %" PRIu64 "\n", l2->n_moved);
    pthread_mutex_unlock(&l2->mutex);
}

void
l2_clear_stats(struct l2 *l2)
{
    pthread_mutex_lock(&l2->mutex);
    l2->n_learned = l2->n_expired = l2->n_evicted = l2->n_moved = 0;
    pthread_mutex_unlock(&l2->mutex);
}
