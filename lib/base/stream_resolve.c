// SPDX-License-Identifier: Apache-2.0
// Names of hosts: getaddrinfo() blocks, so each lookup has a short-lived thread. It may outlive whoever
// asked, even the loop.
#include <config.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib/base/stream_private.h"

struct stream_lookup {
    struct loop *loop; /* Held. */
    char *host;
    char service[8];
    struct addrinfo *found;
    int error;
    void (*done)(struct addrinfo *, int, void *); /* NULL: cancelled. Main thread. */
    void *arg;
};

static void
lookup_free(void *l_)
{
    struct stream_lookup *l = l_;

    if (l->found) {
        freeaddrinfo(l->found);
    }
    free(l->host);
    free(l);
}

static void
lookup_done(void *l_)
{
    struct stream_lookup *l = l_;
    struct addrinfo *found = l->found;

    if (l->done) {
        l->found = NULL;
        l->done(found, l->error, l->arg);
    }
    lookup_free(l);
}

static void *
lookup_thread(void *l_)
{
    struct stream_lookup *l = l_;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG};
    struct loop *loop = l->loop;
    int error = getaddrinfo(l->host, l->service, &hints, &l->found);

    if (error) {
        l->found = NULL;
        l->error = error == EAI_SYSTEM ? -errno : -ENXIO;
    }
    if (!loop_post(loop, lookup_done, l)) {
        lookup_free(l);
    }
    loop_release(loop);
    return NULL;
}

struct stream_lookup *
stream_lookup_start(struct loop *loop, const char *host, uint16_t port,
                    void (*done)(struct addrinfo *, int, void *), void *arg)
{
    struct stream_lookup *l = xzalloc(sizeof *l);
    pthread_attr_t attr;
    pthread_t thread;
    int error;

    *l = (struct stream_lookup){.loop = loop, .host = xstrdup(host), .done = done, .arg = arg};
    snprintf(l->service, sizeof l->service, "%u", port);
    loop_hold(loop);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    error = pthread_create(&thread, &attr, lookup_thread, l);
    pthread_attr_destroy(&attr);
    if (error) {
        l->error = -error;
        loop_post(loop, lookup_done, l);
        loop_release(loop);
    }
    return l;
}

void
stream_lookup_cancel(struct stream_lookup *l)
{
    if (l) {
        l->done = NULL;
    }
}
