// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/counter.h"
#include "lib/base/log.h"
#include "lib/base/stream_private.h"

COUNTER(stream_accept_failed, "A connection could not be accepted, for want of descriptors, memory or keys.");

#define BACKLOG 64
#define ACCEPTS_A_TURN 16 /* So that a crowd of connecting peers leaves the others their turn. */
#define PAUSE_MS 100      /* After descriptors ran out: the socket stays readable and would spin the loop. */

struct stream_listener {
    struct loop *loop;
    struct stream_target target;
    int fd;
    uint16_t port;
    unsigned n_accepted;
    struct loop_fd *watch;
    struct loop_timer *resume;
    void (*accept)(struct stream *, void *arg);
    void *arg;
    bool *closed; /* Set by stream_listener_close() while accept() is called. */
};

static char *
name_of_peer(struct stream_listener *l, const struct sockaddr *peer)
{
    char *address, *name;

    if (l->target.kind == STREAM_UNIX) {
        return xasprintf("unix#%u", l->n_accepted);
    }
    address = stream_address_text(peer);
    name = xasprintf("%s:%s", l->target.kind == STREAM_TLS ? "ssl" : "tcp", address);
    free(address);
    return name;
}

/* Accepts one connection. False when there is none to accept now, or the listener is gone. */
static bool
accept_one(struct stream_listener *l)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    struct stream *stream;
    bool closed = false;
    char *name;
    int fd = accept4(l->fd, (struct sockaddr *) &peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
            static struct log_limit limit = LOG_LIMIT(1, 5);

            COUNTER_INC(stream_accept_failed);
            log_warn_rl(LOG_stream, &limit, "accept: %s", errno_text(errno));
            loop_fd_set(l->watch, 0);
            loop_timer_set(l->resume, PAUSE_MS);
        }
        return errno == EINTR || errno == ECONNABORTED;
    }
    name = name_of_peer(l, (struct sockaddr *) &peer);
    l->n_accepted++;
    if (stream_accepted(l->loop, fd, l->target.kind, name, &stream)) {
        COUNTER_INC(stream_accept_failed);
        close(fd);
        free(name);
        return true;
    }
    l->closed = &closed;
    l->accept(stream, l->arg);
    if (!closed) {
        l->closed = NULL;
    }
    return !closed;
}

static void
on_connection(short events, void *l_)
{
    for (int i = 0; i < ACCEPTS_A_TURN && accept_one(l_); i++) {
    }
}

static void
resume(void *l_)
{
    struct stream_listener *l = l_;

    loop_fd_set(l->watch, EV_READ);
}

/* Whether somebody answers on the unix socket at 'path'. */
static bool
is_answered(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0) {
        return true;
    }
    error = stream_unix_address(fd, path, connect);
    close(fd);
    return !error || error == -EAGAIN || error == -EINPROGRESS;
}

/* Binds to the path, out of which an abandoned socket is put. */
static int
bind_unix(int fd, const char *path)
{
    struct stat st;

    /* Who may connect: user and group, less the umask. The socket's file inherits the mode of the descriptor
     * (unix(7)). */
    fchmod(fd, 0770);
    if (!lstat(path, &st)) {
        if (!S_ISSOCK(st.st_mode)) {
            return -EEXIST;
        }
        if (is_answered(path)) {
            return -EADDRINUSE;
        }
        unlink(path);
    }
    return stream_unix_address(fd, path, bind);
}

static int
bind_inet(int fd, const struct sockaddr_storage *address, socklen_t len, uint16_t *port)
{
    struct sockaddr_storage bound;
    socklen_t bound_len = sizeof bound;
    int on = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *) address, len) ||
        getsockname(fd, (struct sockaddr *) &bound, &bound_len)) {
        return -errno;
    }
    *port = ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *) &bound)->sin6_port
                                              : ((struct sockaddr_in *) &bound)->sin_port);
    return 0;
}

/* A listening socket for 't', or -errno. '*port' is set for TCP. */
static int
open_socket(const struct stream_target *t, uint16_t *port)
{
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    socklen_t len = 0;
    int fd, error;

    if (t->kind != STREAM_UNIX) {
        error = stream_numeric_address(t->host, t->port, &address, &len);
        if (error) {
            return error;
        }
    }
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    error = t->kind == STREAM_UNIX ? bind_unix(fd, t->path) : bind_inet(fd, &address, len, port);
    if (!error && listen(fd, BACKLOG)) {
        error = -errno;
    }
    if (error) {
        close(fd);
        return error;
    }
    return fd;
}

int
stream_listen(struct loop *loop, const char *name, uint16_t default_port,
              void (*accept)(struct stream *, void *), void *arg, struct stream_listener **listenerp,
              char **errorp)
{
    struct stream_target target;
    struct stream_listener *l;
    uint16_t port = 0;
    int fd = stream_target_parse(name, true, default_port, &target, errorp);

    if (fd) {
        return fd;
    }
    fd = open_socket(&target, &port);
    if (fd < 0) {
        *errorp = xstrdup(errno_text(fd));
        stream_target_clear(&target);
        return fd;
    }
    l = xzalloc(sizeof *l);
    *l = (struct stream_listener){
        .loop = loop, .target = target, .fd = fd, .port = port, .accept = accept, .arg = arg};
    l->watch = loop_fd_add(loop, fd, EV_READ, on_connection, l);
    l->resume = loop_timer_add(loop, resume, l);
    *listenerp = l;
    return 0;
}

void
stream_listener_close(struct stream_listener *l)
{
    if (!l) {
        return;
    }
    if (l->closed) {
        *l->closed = true;
    }
    loop_fd_del(l->watch);
    loop_timer_del(l->resume);
    if (l->target.kind == STREAM_UNIX) {
        unlink(l->target.path);
    }
    close(l->fd);
    stream_target_clear(&l->target);
    free(l);
}

uint16_t
stream_listener_port(const struct stream_listener *l)
{
    return l->port;
}
