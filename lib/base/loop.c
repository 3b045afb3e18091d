// SPDX-License-Identifier: Apache-2.0
// Each turn: what was set aside by loop_idle() runs, then libevent sleeps until something happens and runs
// the callbacks. libevent has no hook around its sleep, so the main thread is offline for RCU unless it is
// inside a callback: every callback runs between loop_enter() and loop_leave().
#include <config.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include "lib/base/loop.h"
#include "lib/base/list.h"
#include "lib/base/rcu.h"

/* A call to make: idle work or a post of another thread. */
struct call {
    struct cds_list_head node;
    loop_fn *fn;
    void *arg;
};

struct loop_signal {
    struct cds_list_head node; /* In 'signals'. */
    struct loop *loop;
    struct event *event;
    loop_fn *fn;
    void *arg;
};

struct loop {
    struct event_base *base;
    unsigned inside; /* Depth of loop_enter(). */
    bool stop;
    int status;
    bool registered_rcu; /* The thread was not registered before. */
    struct cds_list_head idle, spare, signals;

    pthread_mutex_t post_lock;
    struct cds_list_head posts; /* Under 'post_lock', as the next two. */
    unsigned n_holders;         /* loop_hold(), and one until loop_destroy(). */
    bool destroyed;
    int post_fd; /* eventfd, written when 'posts' stops being empty. */
    struct event *post_event;
};

void
loop_enter(struct loop *loop)
{
    if (loop->inside++ == 0) {
        rcu_online();
    }
}

void
loop_leave(struct loop *loop)
{
    if (--loop->inside == 0) {
        rcu_offline();
    }
}

struct event_base *
loop_base(struct loop *loop)
{
    return loop->base;
}

static struct call *
call_create(loop_fn *fn, void *arg)
{
    struct call *call = xmalloc(sizeof *call);

    call->fn = fn;
    call->arg = arg;
    return call;
}

/* Runs and frees every call of 'calls', which nobody else knows. */
static void
calls_run(struct cds_list_head *calls)
{
    struct call *call, *next;

    cds_list_for_each_entry_safe (call, next, calls, node) {
        struct call now = *call;

        free(call);
        now.fn(now.arg);
    }
}

static void
calls_free(struct cds_list_head *calls)
{
    struct call *call, *next;

    cds_list_for_each_entry_safe (call, next, calls, node) {
        free(call);
    }
}

/* Moves what is in 'from' to the empty 'to'. */
static void
calls_take(struct cds_list_head *from, struct cds_list_head *to)
{
    cds_list_splice(from, to);
    CDS_INIT_LIST_HEAD(from);
}

static void
run_posts(evutil_socket_t fd, short events, void *loop_)
{
    struct loop *loop = loop_;
    CDS_LIST_HEAD(calls);
    uint64_t n;

    if (read(fd, &n, sizeof n) < 0) {
        return; /* Nothing was posted after all. */
    }
    pthread_mutex_lock(&loop->post_lock);
    calls_take(&loop->posts, &calls);
    pthread_mutex_unlock(&loop->post_lock);

    loop_enter(loop);
    calls_run(&calls);
    loop_leave(loop);
}

bool
loop_post(struct loop *loop, loop_fn *fn, void *arg)
{
    struct call *call = call_create(fn, arg);
    bool was_empty;

    pthread_mutex_lock(&loop->post_lock);
    if (loop->destroyed) {
        pthread_mutex_unlock(&loop->post_lock);
        free(call);
        return false;
    }
    was_empty = cds_list_empty(&loop->posts);
    cds_list_add_tail(&call->node, &loop->posts);
    if (was_empty) {
        uint64_t one = 1;

        /* Cannot fill up: the reader takes the whole count at once. */
        while (write(loop->post_fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
    }
    pthread_mutex_unlock(&loop->post_lock);
    return true;
}

void
loop_hold(struct loop *loop)
{
    pthread_mutex_lock(&loop->post_lock);
    loop->n_holders++;
    pthread_mutex_unlock(&loop->post_lock);
}

void
loop_release(struct loop *loop)
{
    bool last;

    pthread_mutex_lock(&loop->post_lock);
    last = --loop->n_holders == 0;
    pthread_mutex_unlock(&loop->post_lock);
    if (last) {
        pthread_mutex_destroy(&loop->post_lock);
        free(loop);
    }
}

struct loop *
loop_create(void)
{
    struct loop *loop = xzalloc(sizeof *loop);
    struct event_config *config = event_config_new();

    /* Timers count from now, not from when the round of callbacks began. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NO_CACHE_TIME);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    loop->post_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!loop->base || loop->post_fd < 0) {
        fatal(EXIT_FAILURE, errno, "cannot create the event loop");
    }
    CDS_INIT_LIST_HEAD(&loop->idle);
    CDS_INIT_LIST_HEAD(&loop->spare);
    CDS_INIT_LIST_HEAD(&loop->signals);
    CDS_INIT_LIST_HEAD(&loop->posts);
    pthread_mutex_init(&loop->post_lock, NULL);
    loop->n_holders = 1;
    loop->post_event = event_new(loop->base, loop->post_fd, EV_READ | EV_PERSIST, run_posts, loop);
    event_add(loop->post_event, NULL);

    loop->registered_rcu = rcu_thread_register();
    loop->inside = 1; /* Whoever sets up the loop is online. */
    return loop;
}

static void
signal_free(struct loop_signal *s)
{
    event_free(s->event);
    free(s);
}

void
loop_destroy(struct loop *loop)
{
    struct loop_signal *s, *next;

    if (!loop) {
        return;
    }
    cds_list_for_each_entry_safe (s, next, &loop->signals, node) {
        signal_free(s);
    }
    calls_free(&loop->idle);
    calls_free(&loop->spare);
    event_free(loop->post_event);
    event_base_free(loop->base);
    if (loop->registered_rcu) {
        rcu_thread_unregister();
    }
    pthread_mutex_lock(&loop->post_lock);
    loop->destroyed = true;
    calls_free(&loop->posts);
    close(loop->post_fd);
    pthread_mutex_unlock(&loop->post_lock);
    loop_release(loop);
}

void
loop_run_spare(struct loop *loop)
{
    CDS_LIST_HEAD(calls);

    calls_take(&loop->spare, &calls);
    calls_run(&calls);
}

static void
run_idle(struct loop *loop)
{
    CDS_LIST_HEAD(calls);

    calls_take(&loop->idle, &calls);
    loop_enter(loop);
    calls_run(&calls);
    loop_run_spare(loop);
    loop_leave(loop);
}

int
loop_run(struct loop *loop)
{
    loop->stop = false;
    loop_leave(loop);
    while (!loop->stop) {
        run_idle(loop);
        if (!loop->stop) {
            /* Idle work that asked for more idle work waits for a round of events, but does not let the loop
             * sleep. */
            event_base_loop(loop->base, EVLOOP_ONCE | (cds_list_empty(&loop->idle) ? 0 : EVLOOP_NONBLOCK));
        }
    }
    loop_enter(loop);
    return loop->status;
}

void
loop_stop(struct loop *loop, int status)
{
    loop->stop = true;
    loop->status = status;
    event_base_loopbreak(loop->base);
}

static struct call *
call_find(const struct cds_list_head *calls, loop_fn *fn, const void *arg)
{
    struct call *call;

    cds_list_for_each_entry (call, calls, node) {
        if (call->fn == fn && call->arg == arg) {
            return call;
        }
    }
    return NULL;
}

static void
call_once(struct cds_list_head *calls, loop_fn *fn, void *arg)
{
    if (!call_find(calls, fn, arg)) {
        cds_list_add_tail(&call_create(fn, arg)->node, calls);
    }
}

void
loop_idle(struct loop *loop, loop_fn *fn, void *arg)
{
    call_once(&loop->idle, fn, arg);
}

void
loop_spare(struct loop *loop, loop_fn *fn, void *arg)
{
    call_once(&loop->spare, fn, arg);
}

void
loop_spare_forget(struct loop *loop, loop_fn *fn, void *arg)
{
    struct call *call = call_find(&loop->spare, fn, arg);

    if (call) {
        cds_list_del(&call->node);
        free(call);
    }
}

struct loop_fd {
    struct loop *loop;
    struct event *event;
    void (*fn)(short events, void *arg);
    void *arg;
};

static void
fd_ready(evutil_socket_t fd, short events, void *lfd_)
{
    struct loop_fd *lfd = lfd_;
    struct loop *loop = lfd->loop; /* 'lfd' may be deleted inside. */

    loop_enter(loop);
    lfd->fn(events & (EV_READ | EV_WRITE), lfd->arg);
    loop_leave(loop);
}

struct loop_fd *
loop_fd_add(struct loop *loop, int fd, short events, void (*fn)(short, void *), void *arg)
{
    struct loop_fd *lfd = xmalloc(sizeof *lfd);

    *lfd = (struct loop_fd){loop, NULL, fn, arg};
    lfd->event = event_new(loop->base, fd, events | EV_PERSIST, fd_ready, lfd);
    if (events) {
        event_add(lfd->event, NULL);
    }
    return lfd;
}

void
loop_fd_set(struct loop_fd *lfd, short events)
{
    evutil_socket_t fd = event_get_fd(lfd->event);

    if ((event_get_events(lfd->event) & (EV_READ | EV_WRITE)) == events &&
        event_pending(lfd->event, events, NULL)) {
        return;
    }
    event_del(lfd->event);
    event_assign(lfd->event, lfd->loop->base, fd, events | EV_PERSIST, fd_ready, lfd);
    if (events) {
        event_add(lfd->event, NULL);
    }
}

void
loop_fd_del(struct loop_fd *lfd)
{
    if (lfd) {
        event_free(lfd->event);
        free(lfd);
    }
}

struct loop_timer {
    struct loop *loop;
    struct event *event;
    loop_fn *fn;
    void *arg;
};

static void
timer_fired(evutil_socket_t fd, short events, void *timer_)
{
    struct loop_timer *timer = timer_;
    struct loop *loop = timer->loop;

    loop_enter(loop);
    timer->fn(timer->arg);
    loop_leave(loop);
}

struct loop_timer *
loop_timer_add(struct loop *loop, loop_fn *fn, void *arg)
{
    struct loop_timer *timer = xmalloc(sizeof *timer);

    *timer = (struct loop_timer){loop, NULL, fn, arg};
    timer->event = event_new(loop->base, -1, 0, timer_fired, timer);
    return timer;
}

void
loop_timer_set(struct loop_timer *timer, int64_t ms)
{
    struct timeval when;

    ms = MAX(ms, (int64_t) 0);
    when.tv_sec = ms / 1000;
    when.tv_usec = ms % 1000 * 1000;
    event_add(timer->event, &when);
}

void
loop_timer_stop(struct loop_timer *timer)
{
    event_del(timer->event);
}

bool
loop_timer_armed(const struct loop_timer *timer)
{
    return event_pending(timer->event, EV_TIMEOUT, NULL);
}

void
loop_timer_del(struct loop_timer *timer)
{
    if (timer) {
        event_free(timer->event);
        free(timer);
    }
}

static void
signal_caught(evutil_socket_t signo, short events, void *s_)
{
    struct loop_signal *s = s_;

    loop_enter(s->loop);
    s->fn(s->arg);
    loop_leave(s->loop);
}

void
loop_signal(struct loop *loop, int signo, loop_fn *fn, void *arg)
{
    struct loop_signal *s = xmalloc(sizeof *s);

    *s = (struct loop_signal){.loop = loop, .fn = fn, .arg = arg};
    s->event = evsignal_new(loop->base, signo, signal_caught, s);
    event_add(s->event, NULL);
    cds_list_add_tail(&s->node, &loop->signals);
}
