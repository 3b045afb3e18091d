// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <pthread.h>
#include <stdlib.h>
#include "lib/nl/sock.h"

/* Idle sockets kept; a burst of threads beyond that opens and closes its own. */
#define POOL_KEEP 16

struct nl_pool {
    pthread_mutex_t mutex;
    int protocol;
    size_t n;
    struct nl_sock *idle[POOL_KEEP];
};

struct nl_pool *
nl_pool_create(int protocol)
{
    struct nl_pool *p = xzalloc(sizeof *p);

    pthread_mutex_init(&p->mutex, NULL);
    p->protocol = protocol;
    return p;
}

void
nl_pool_destroy(struct nl_pool *p)
{
    if (p) {
        while (p->n) {
            nl_sock_close(p->idle[--p->n]);
        }
        pthread_mutex_destroy(&p->mutex);
        free(p);
    }
}

int
nl_pool_get(struct nl_pool *p, struct nl_sock **s)
{
    struct nl_sock *found = NULL;

    pthread_mutex_lock(&p->mutex);
    if (p->n) {
        found = p->idle[--p->n];
    }
    pthread_mutex_unlock(&p->mutex);
    if (found) {
        *s = found;
        return 0;
    }
    return nl_sock_open(p->protocol, s);
}

void
nl_pool_put(struct nl_pool *p, struct nl_sock *s)
{
    pthread_mutex_lock(&p->mutex);
    if (p->n < POOL_KEEP) {
        p->idle[p->n++] = s;
        s = NULL;
    }
    pthread_mutex_unlock(&p->mutex);
    nl_sock_close(s);
}

/* A socket that failed is not lent again: answers of the failed call may still arrive on it. */
static void
pool_give_back(struct nl_pool *p, struct nl_sock *s, int socket_error)
{
    if (socket_error) {
        nl_sock_close(s);
    } else {
        nl_pool_put(p, s);
    }
}

int
nl_pool_transact(struct nl_pool *p, const struct buf *request, struct buf *reply, char *extack)
{
    struct nl_sock *s;
    int error = nl_pool_get(p, &s);

    if (!error) {
        error = nl_transact(s, request, reply, extack);
        nl_pool_put(p, s);
    }
    return error;
}

int
nl_pool_dump(struct nl_pool *p, const struct buf *request, bool (*fn)(const struct nlmsghdr *, void *),
             void *arg)
{
    struct nl_sock *s;
    int error = nl_pool_get(p, &s);

    if (!error) {
        error = nl_dump(s, request, fn, arg);
        pool_give_back(p, s, error);
    }
    return error;
}

int
nl_pool_run(struct nl_pool *p, struct nl_batch *b)
{
    struct nl_sock *s;
    int error = nl_pool_get(p, &s);

    if (error) {
        for (size_t i = 0; i < b->n; i++) {
            b->ops[i].error = error;
        }
        return error;
    }
    error = nl_batch_run(s, b, NULL, NULL);
    pool_give_back(p, s, error);
    return error;
}
