// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include "lib/base/rcu.h"
#include "lib/base/log.h"

struct postponed {
    struct rcu_head head;
    void (*fn)(void *);
    void *arg;
};

/* Posted and not yet run, in this process: a callback may postpone more, so that one barrier is not enough
 * for rcu_drain(). */
static unsigned long n_pending;

#ifdef RCU_TSAN
char rcu_tsan_grace_period;

/* What liburcu, which is not instrumented, allocates and frees itself. */
const char *__tsan_default_suppressions(void);

const char *
__tsan_default_suppressions(void)
{
    return "called_from_lib:liburcu-qsbr.so.8\ncalled_from_lib:liburcu-cds.so.8\n";
}
#endif

static void
run_postponed(struct rcu_head *head)
{
    struct postponed *p = CONTAINER_OF(head, struct postponed, head);

    RCU_TSAN_ACQUIRE();
    p->fn(p->arg);
    free(p);
    __atomic_fetch_sub(&n_pending, 1, __ATOMIC_RELEASE);
}

void
rcu_postpone(void (*fn)(void *), void *arg)
{
    struct postponed *p = xmalloc(sizeof *p);

    p->fn = fn;
    p->arg = arg;
    __atomic_fetch_add(&n_pending, 1, __ATOMIC_RELAXED);
    RCU_TSAN_RELEASE();
    urcu_qsbr_call_rcu(&p->head, run_postponed);
}

void
rcu_postpone_free(void *p)
{
    if (p) {
        rcu_postpone(free, p);
    }
}

void
rcu_drain(void)
{
    do {
        urcu_qsbr_barrier();
    } while (__atomic_load_n(&n_pending, __ATOMIC_ACQUIRE));
}

static __thread bool is_registered;

bool
rcu_thread_register(void)
{
    if (is_registered) {
        return false;
    }
    urcu_qsbr_register_thread();
    is_registered = true;
    return true;
}

void
rcu_thread_unregister(void)
{
    urcu_qsbr_unregister_thread();
    is_registered = false;
}

struct thread_start {
    char *name;
    void (*main_fn)(void *);
    void *arg;
};

static void *
thread_main(void *start_)
{
    struct thread_start start = *(struct thread_start *) start_;

    free(start_);
    rcu_thread_register();
    log_set_thread_name("%s", start.name);
    free(start.name);
    start.main_fn(start.arg);
    rcu_thread_unregister();
    return NULL;
}

pthread_t
rcu_thread_create(const char *name, void (*main_fn)(void *), void *arg)
{
    struct thread_start *start = xmalloc(sizeof *start);
    sigset_t all, old;
    pthread_t thread;
    int error;

    /* Signals are the main thread's: no system call of another is interrupted. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    *start = (struct thread_start){xstrdup(name), main_fn, arg};
    error = pthread_create(&thread, NULL, thread_main, start);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (error) {
        fatal(EXIT_FAILURE, error, "cannot start thread %s", name);
    }
    return thread;
}
