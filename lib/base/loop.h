// SPDX-License-Identifier: Apache-2.0
// The main thread's event loop: libevent under a small face. Everything here belongs to the main thread, but loop_post().
// The thread is offline for RCU while the loop sleeps.
#ifndef LIB_BASE_LOOP_H
#define LIB_BASE_LOOP_H 1

#include <event2/event.h>
#include "lib/base/util.h"

struct loop;
typedef void loop_fn(void *arg);

struct loop *loop_create(void);
void loop_destroy(struct loop *);
struct event_base *loop_base(struct loop *); /* For lib/base/stream only. */
/* Around code that libevent calls without loop.c in between (lib/base/stream only): online for RCU in it. They nest. */
void loop_enter(struct loop *);
void loop_leave(struct loop *);
int loop_run(struct loop *);                 /* Until loop_stop(); the status given there. */
void loop_stop(struct loop *, int status);

/* A file descriptor that is watched. 'events': EV_READ, EV_WRITE. fn gets EV_* that happened. The fd stays the caller's. */
struct loop_fd;
struct loop_fd *loop_fd_add(struct loop *, int fd, short events, void (*fn)(short events, void *arg), void *arg);
void loop_fd_set(struct loop_fd *, short events);
void loop_fd_del(struct loop_fd *);

/* A timer: armed by loop_timer_set(), one shot; may be set again from its own callback. */
struct loop_timer;
struct loop_timer *loop_timer_add(struct loop *, loop_fn *, void *arg);
void loop_timer_set(struct loop_timer *, int64_t ms); /* From now; 0: as soon as possible. */
void loop_timer_stop(struct loop_timer *);
bool loop_timer_armed(const struct loop_timer *);
void loop_timer_del(struct loop_timer *);

void loop_signal(struct loop *, int signo, loop_fn *, void *arg); /* fn runs in the loop; lives as long as the loop. */

/* Runs fn(arg) once before the loop sleeps next: dirty marks are worked off here. Posting the same (fn, arg) again while it is
 * pending does nothing. Main thread. */
void loop_idle(struct loop *, loop_fn *, void *arg);

/* As loop_idle(), but it may run within other callbacks too, while they wait for a peer: for work that could be done at once and touches nothing but its own.
 * 'arg' must live until then, or loop_spare_forget() it. */
void loop_spare(struct loop *, loop_fn *, void *arg);
void loop_spare_forget(struct loop *, loop_fn *, void *arg);
void loop_run_spare(struct loop *); /* Whoever has time to spare. */

/* Any thread: runs fn(arg) in the main thread soon. Never blocks, never drops; order of one poster is kept. False when the loop was
 * destroyed meanwhile, which only those see who hold it. */
bool loop_post(struct loop *, loop_fn *, void *arg);
/* Any thread: keeps loop_post() callable after loop_destroy(), for threads that cannot be waited for. */
void loop_hold(struct loop *);
void loop_release(struct loop *);

#endif
