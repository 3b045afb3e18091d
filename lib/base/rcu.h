// SPDX-License-Identifier: Apache-2.0
// RCU is liburcu's QSBR flavour. A reader thread registers, is inside a read section all the time, and says rcu_quiescent() when it
// holds no RCU pointer (handlers: after each batch). A thread that sleeps goes offline (rcu_offline, rcu_online).
// The main thread is online while it runs callbacks and offline while it sleeps (lib/base/loop.c does that).
// A thing dies in three steps: unpublish, grace period, release: unlink it, then rcu_postpone(release, it).
#ifndef LIB_BASE_RCU_H
#define LIB_BASE_RCU_H 1

#include <urcu/urcu-qsbr.h>
#include <urcu/rculfhash.h>
#include "lib/base/util.h"

/* Calls fn(arg) after a grace period, in the reclaim thread (registered for RCU; must not block on the main thread). */
void rcu_postpone(void (*fn)(void *), void *arg);
void rcu_postpone_free(void *p); /* free(p) after a grace period. */
void rcu_drain(void);            /* Waits until everything postponed so far has run. Not from a read section. For exit and tests. */

/* Registers the calling thread and puts it online; false when it was registered already. rcu_thread_create() and loop_create() do it. */
bool rcu_thread_register(void);
void rcu_thread_unregister(void);

/* Starts a thread registered with RCU and named 'name'; it is online from its first line. Aborts on failure. */
pthread_t rcu_thread_create(const char *name, void (*main_fn)(void *), void *arg);

/* liburcu synchronises in a way that ThreadSanitizer does not see: a thread tells it that what it read may go, rcu_postpone() that it goes. */
#if defined __SANITIZE_THREAD__
#define RCU_TSAN 1
#elif defined __has_feature
#if __has_feature(thread_sanitizer)
#define RCU_TSAN 1
#endif
#endif
#ifdef RCU_TSAN
#include <sanitizer/tsan_interface.h>
extern char rcu_tsan_grace_period;
#define RCU_TSAN_RELEASE() __tsan_release(&rcu_tsan_grace_period)
#define RCU_TSAN_ACQUIRE() __tsan_acquire(&rcu_tsan_grace_period)
#else
#define RCU_TSAN_RELEASE() ((void) 0)
#define RCU_TSAN_ACQUIRE() ((void) 0)
#endif

static inline void
rcu_quiescent(void)
{
    RCU_TSAN_RELEASE();
    urcu_qsbr_quiescent_state();
}

/* Around a sleep: the thread holds no RCU pointer between the two. */
static inline void
rcu_offline(void)
{
    RCU_TSAN_RELEASE();
    urcu_qsbr_thread_offline();
}

static inline void
rcu_online(void)
{
    urcu_qsbr_thread_online();
}

#endif
