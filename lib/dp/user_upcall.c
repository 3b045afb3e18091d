// SPDX-License-Identifier: Apache-2.0
// Packets through the userspace datapath: in by a device or by hand, looked up, executed, or up to the handler that is receiving.
#include <config.h>
#include "lib/dp/user.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/counter.h"

COUNTER(user_queue_full, "The userspace datapath dropped a packet or an upcall because a handler was too far behind.");
COUNTER(user_recirc_limit, "The userspace datapath dropped a packet that was looked up too often.");
COUNTER(user_action_refused, "The userspace datapath met an action that it cannot execute.");

/* Packets that leave by the same port, one after the other: they are sent together. */
struct outbox {
    struct user_port *port;
    unsigned n;
    struct iovec frames[USER_MAX_BURST];
};

/* A packet on its way, and who carries it. */
struct carrier {
    struct user_dp *u;
    unsigned handler;
    bool receives; /* It is the handler that carries it, in user_recv(). */
    unsigned depth;
    struct outbox *outbox;       /* NULL: none. */
    const struct packet *lasting; /* Its bytes stay until the outbox is emptied. */
};

static void
add(uint64_t *counter, uint64_t n)
{
    __atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static void
item_free(struct user_item *item)
{
    packet_free(item->upcall.packet);
    if (item->request) {
        appctl_reply(item->request, NULL);
    }
    free(item);
}

static void
wake_handler(struct user_handler *h)
{
    uint64_t one = 1;

    /* Can fail only when the counter is about to overflow: then it is readable anyway. */
    ssize_t ignored __attribute__((unused)) = write(h->event_fd, &one, sizeof one);
}

bool
user_enqueue(struct user_dp *u, unsigned handler, struct user_item *item)
{
    struct user_handler *h = &u->handlers[handler];
    bool room, asleep;

    pthread_mutex_lock(&h->mutex);
    room = h->n_queued < USER_MAX_QUEUE;
    asleep = h->asleep;
    h->asleep = false;
    if (room) {
        cds_list_add_tail(&item->node, &h->queue);
        h->n_queued++;
    }
    pthread_mutex_unlock(&h->mutex);
    if (room && asleep) {
        wake_handler(h);
    } else if (!room) {
        COUNTER_INC(user_queue_full);
        add(&u->n_lost, 1);
        packet_free(item->upcall.packet);
        free(item);
    }
    return room;
}

static struct user_item *
dequeue(struct user_handler *h)
{
    struct user_item *item = NULL;

    pthread_mutex_lock(&h->mutex);
    if (!cds_list_empty(&h->queue)) {
        item = cds_list_first_entry(&h->queue, struct user_item, node);
        cds_list_del(&item->node);
        h->n_queued--;
    }
    pthread_mutex_unlock(&h->mutex);
    return item;
}

void
user_handlers_create(struct user_dp *u)
{
    u->handlers = xcalloc(u->n_handlers, sizeof *u->handlers);
    for (unsigned i = 0; i < u->n_handlers; i++) {
        struct user_handler *h = &u->handlers[i];

        pthread_mutex_init(&h->mutex, NULL);
        CDS_INIT_LIST_HEAD(&h->queue);
        h->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    }
}

void
user_handlers_destroy(struct user_dp *u)
{
    for (unsigned i = 0; i < u->n_handlers; i++) {
        struct user_handler *h = &u->handlers[i];

        for (struct user_item *item; (item = dequeue(h)) != NULL;) {
            item_free(item);
        }
        for (size_t d = 0; d < h->n_done; d++) {
            appctl_reply(h->done[d], NULL);
        }
        close(h->event_fd);
    }
    free(u->handlers);
}

static void
fill_upcall(struct dp_upcall *up, unsigned handler, struct packet *p, const struct flow_key *key, const struct upcall_cookie *cookie)
{
    up->packet = p;
    up->key = *key;
    up->has_ufid = false;
    up->action = cookie != NULL;
    up->cookie = cookie ? *cookie : (struct upcall_cookie){0};
    up->recv_handler = handler;
}

/* 'cookie' NULL: no flow matches. Takes the packet. */
static void
upcall(struct carrier *c, struct packet *p, const struct flow_key *key, const struct upcall_cookie *cookie)
{
    struct user_handler *h = &c->u->handlers[c->handler];

    if (c->receives && h->n_inbox < h->max_inbox) {
        fill_upcall(&h->inbox[h->n_inbox++], c->handler, p, key, cookie);
    } else {
        struct user_item *item = xzalloc(sizeof *item);

        item->is_upcall = true;
        fill_upcall(&item->upcall, c->handler, p, key, cookie);
        user_enqueue(c->u, c->handler, item);
    }
}

void
user_upcall(struct user_dp *u, unsigned handler, struct packet *p, const struct flow_key *key, const struct upcall_cookie *cookie)
{
    struct carrier c = {.u = u, .handler = handler, .receives = true};

    upcall(&c, p, key, cookie);
}

static void process(struct carrier *, struct packet *, struct flow_key *);

static void
empty_outbox(struct outbox *o)
{
    if (o->n) {
        user_port_send_burst(o->port, o->frames, o->n);
        o->n = 0;
    }
}

/* Packets leave in the order in which they were output. */
static void
execute_output(uint32_t port, struct packet *p, const struct flow_key *key, bool last, void *carrier)
{
    struct carrier *c = carrier;
    struct user_port *out = user_port_find(c->u, port);
    struct outbox *o = c->outbox;
    bool may_wait;

    if (!out) {
        return;
    }
    may_wait = o && last && p == c->lasting && user_port_takes_bursts(out);
    if (o && (!may_wait || o->port != out || o->n == ARRAY_SIZE(o->frames))) {
        empty_outbox(o);
    }
    if (may_wait) {
        o->port = out;
        o->frames[o->n++] = (struct iovec){p->data, p->len};
    } else {
        user_port_send(out, p);
    }
}

static void
execute_userspace(const struct action_userspace *a, struct packet *p, const struct flow_key *key, void *carrier)
{
    upcall(carrier, packet_clone(p), key, &a->cookie);
}

static void
execute_recirc(uint32_t id, struct packet *p, const struct flow_key *key, void *carrier)
{
    struct carrier *c = carrier, inner = *c;
    struct flow_key again = *key;

    if (++inner.depth > USER_MAX_RECIRC) {
        COUNTER_INC(user_recirc_limit);
        return;
    }
    process(&inner, packet_clone(p), &again);
}

static bool
execute_meter(uint32_t id, struct packet *p, void *carrier)
{
    const struct carrier *c = carrier;

    return id >= c->u->n_meters || meter_pass(&c->u->meters[id], p->len, now_us() * 1000);
}

static uint32_t
execute_random(void *carrier)
{
    static __thread uint64_t state;

    if (!state) {
        state = (uint64_t) now_us() | 1;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t) (state >> 32);
}

static const struct execute_ops user_execute_ops = {
    .output = execute_output,
    .userspace = execute_userspace,
    .recirc = execute_recirc,
    .meter = execute_meter,
    .random = execute_random,
};

static void
credit(struct user_flow *f, const struct packet *p, const struct flow_key *key)
{
    add(&f->stats.packets, 1);
    add(&f->stats.bytes, p->len);
    __atomic_store_n(&f->stats.used_ms, now_ms(), __ATOMIC_RELAXED);
    if (key->tcp_flags) {
        __atomic_fetch_or(&f->stats.tcp_flags, ntohs(key->tcp_flags), __ATOMIC_RELAXED);
    }
}

/* Those of the packet's flow, which is credited; NULL: it has none. */
static const struct user_actions *
find_actions(struct user_dp *u, const struct packet *p, const struct flow_key *key)
{
    struct cls_rule *rule = classifier_lookup(u->flows, 0, key, NULL);

    if (rule) {
        struct user_flow *f = CONTAINER_OF(rule, struct user_flow, cls);

        credit(f, p, key);
        return __atomic_load_n(&f->actions, __ATOMIC_CONSUME);
    }
    return u->source ? u->source->find(u, p, key) : NULL;
}

/* 'key' is extracted and has its metadata. Takes the packet. */
static void
process(struct carrier *c, struct packet *p, struct flow_key *key)
{
    const struct user_actions *actions = find_actions(c->u, p, key);

    if (actions) {
        add(&c->u->n_hit, 1);
        if (execute_actions(p, key, actions->data, actions->len, &user_execute_ops, c)) {
            COUNTER_INC(user_action_refused);
        }
        packet_free(p);
    } else {
        add(&c->u->n_missed, 1);
        upcall(c, p, key, NULL);
    }
}

void
user_process_extracted(struct user_dp *u, unsigned handler, struct packet *p, struct flow_key *key)
{
    struct carrier c = {.u = u, .handler = handler, .receives = true};
    struct user_port *in = user_port_find(u, key->in_port);

    if (in) {
        user_port_count_received(in, p);
    }
    process(&c, p, key);
}

void
user_process(struct user_dp *u, unsigned handler, struct packet *p, struct flow_key *metadata)
{
    packet_extract(p, metadata);
    user_process_extracted(u, handler, p, metadata);
}

void
user_execute(struct dp *dp, struct dp_execute *x, size_t n)
{
    struct outbox outbox = {.n = 0};
    struct carrier c = {.u = user_dp_cast(dp), .outbox = &outbox};

    for (size_t i = 0; i < n; i++) {
        c.handler = x[i].key->in_port % c.u->n_handlers;
        c.lasting = x[i].packet;
        x[i].error = execute_actions(x[i].packet, x[i].key, x[i].actions, x[i].actions_len, &user_execute_ops, &c);
    }
    empty_outbox(&outbox);
}

static void
request_done(void *request)
{
    appctl_reply(request, NULL);
}

/* A handler that receives again has worked off what it was given before. */
static void
answer_requests(struct user_dp *u, struct user_handler *h)
{
    for (size_t i = 0; i < h->n_done; i++) {
        loop_post(u->loop, request_done, h->done[i]);
    }
    h->n_done = 0;
}

/* Packets by hand are processed and upcalls put into the inbox, as long as that has room. */
static void
drain_queue(struct user_dp *u, unsigned handler)
{
    struct user_handler *h = &u->handlers[handler];
    struct user_item *item;

    while (h->n_inbox < h->max_inbox && h->n_done < ARRAY_SIZE(h->done) && (item = dequeue(h)) != NULL) {
        if (item->request) {
            h->done[h->n_done++] = item->request;
        }
        if (item->is_upcall) {
            h->inbox[h->n_inbox++] = item->upcall;
        } else {
            user_process(u, handler, item->upcall.packet, &item->upcall.key);
        }
        free(item);
    }
}

struct arrival {
    struct user_dp *u;
    unsigned handler;
    uint32_t in_port;
};

static void
arrive(struct packet *p, void *arrival)
{
    struct arrival *a = arrival;
    struct flow_key key = {.in_port = a->in_port};

    user_process(a->u, a->handler, p, &key);
}

/* The devices of a handler. A port may go while the handler sleeps: it is looked up again by its number. */
#define FIRST_PORT 2
struct watched {
    struct pollfd *fds; /* The first is the event, the second the source: from FIRST_PORT on, ports. */
    uint32_t *numbers;
    size_t n;
};

static void
watch_ports(struct user_dp *u, unsigned handler, struct watched *w)
{
    const struct user_port_vector *all = __atomic_load_n(&u->all_ports, __ATOMIC_CONSUME);

    w->fds = xcalloc(all->n + 2, sizeof *w->fds);
    w->numbers = xcalloc(all->n + 2, sizeof *w->numbers);
    w->fds[0] = (struct pollfd){u->handlers[handler].event_fd, POLLIN, 0};
    w->fds[1] = (struct pollfd){u->source ? u->source->fd(u, handler) : -1, POLLIN, 0};
    w->n = FIRST_PORT;
    for (size_t i = 0; i < all->n; i++) {
        const struct user_port *p = all->ports[i];

        if (p->fd >= 0 && p->kind != USER_PORT_SEND_ONLY && p->port.number % u->n_handlers == handler) {
            w->numbers[w->n] = p->port.number;
            w->fds[w->n++] = (struct pollfd){p->fd, POLLIN, 0};
        }
    }
}

static void
receive_ready(struct user_dp *u, unsigned handler, const struct watched *w)
{
    if (w->fds[1].revents) {
        u->source->ready(u, handler);
    }
    for (size_t i = FIRST_PORT; i < w->n; i++) {
        struct user_port *p = w->fds[i].revents ? user_port_find(u, w->numbers[i]) : NULL;
        struct arrival a = {u, handler, w->numbers[i]};

        if (p && p->fd == w->fds[i].fd) {
            user_port_receive(p, 64, arrive, &a);
        }
    }
}

/* false: it need not sleep, something is in the queue. */
static bool
set_asleep(struct user_handler *h, bool asleep)
{
    pthread_mutex_lock(&h->mutex);
    asleep = asleep && cds_list_empty(&h->queue);
    h->asleep = asleep;
    pthread_mutex_unlock(&h->mutex);
    return asleep;
}

static void
sleep_and_receive(struct user_dp *u, unsigned handler, int timeout_ms)
{
    struct watched w;
    uint64_t count;

    watch_ports(u, handler, &w);
    rcu_offline();
    poll(w.fds, w.n, set_asleep(&u->handlers[handler], true) ? timeout_ms : 0);
    set_asleep(&u->handlers[handler], false); /* What it puts into the queue itself needs no word. */
    rcu_online();
    if (w.fds[0].revents) {
        ssize_t ignored __attribute__((unused)) = read(w.fds[0].fd, &count, sizeof count);
    }
    receive_ready(u, handler, &w);
    free(w.fds);
    free(w.numbers);
}

int
user_recv(struct dp *dp, unsigned handler, struct dp_upcall *upcalls, unsigned max, int timeout_ms)
{
    struct user_dp *u = user_dp_cast(dp);
    struct user_handler *h = &u->handlers[handler];
    int64_t deadline = now_ms() + timeout_ms, left = -1;

    h->inbox = upcalls;
    h->n_inbox = 0;
    h->max_inbox = max;
    for (bool last = false;; last = !left) {
        answer_requests(u, h);
        drain_queue(u, handler);
        if (h->n_inbox || last || __atomic_exchange_n(&h->wake, false, __ATOMIC_ACQ_REL)) {
            return (int) h->n_inbox;
        }
        if (h->n_done) {
            continue; /* What was given by hand has gone its way without an upcall. */
        }
        left = timeout_ms < 0 ? -1 : MAX(deadline - now_ms(), 0);
        sleep_and_receive(u, handler, (int) left);
    }
}

void
user_wake(struct dp *dp)
{
    struct user_dp *u = user_dp_cast(dp);

    for (unsigned i = 0; i < u->n_handlers; i++) {
        __atomic_store_n(&u->handlers[i].wake, true, __ATOMIC_RELEASE);
        wake_handler(&u->handlers[i]);
    }
}
