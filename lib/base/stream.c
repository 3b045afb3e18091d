// SPDX-License-Identifier: Apache-2.0
// A stream's life: (look the name up) -> connect -> (TLS handshake) -> open -> dead. Until it is open what is
// sent waits in 'early'. Who waits for whom: 'lookup', then 'connecting' watches the socket, then 'bev' owns
// it. What is not TLS is received past the bufferevent, in fewer system calls: a tool sends a request and waits, so that
// each counts.
#include <config.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/base/counter.h"
#include "lib/base/log.h"
#include "lib/base/stream_private.h"

COUNTER(stream_open, "A stream began to connect or was accepted.");
COUNTER(stream_connect_failed, "A stream's peer could not be reached.");
COUNTER(stream_handshake_timeout, "A TLS peer did not complete its handshake in time.");
COUNTER(stream_tls_failed, "A TLS peer's handshake or record was refused.");

#define HANDSHAKE_MS 15000
#define RECEIVE_TIMES 16          /* Of one stream in one turn of the loop. */
#define PROMPT_TIMES 64           /* Of a prompt one: about a millisecond in which others wait, and a way through the loop is spared. */
#define SEND_BUFFER (2 << 20)     /* Of a unix socket: whoever reads a long answer finds more of it while the daemon does something else. */

struct stream {
    struct loop *loop;
    char *name;
    const struct stream_ops *ops;
    void *arg;
    struct stream_target target; /* Of an active stream. */
    enum stream_kind kind;
    bool accepted, open, dead, paused;
    bool *gone; /* Set by stream_close(), for a caller of readable(). */
    size_t low, high;

    struct stream_lookup *lookup;
    struct addrinfo *found, *next; /* What the lookup brought; the next address to try. */
    int fd;                        /* While connecting; -1 else. */
    struct loop_fd *connecting;
    struct loop_timer *timer; /* Hands over an early failure; bounds the handshake. */
    int error;                /* What the timer hands over. */
    struct evbuffer *early;
    struct bufferevent *bev;
    struct loop_fd *reading; /* Into 'in', unless it is TLS, when the bufferevent reads. */
    struct stream_in in;
    struct loop_timer *again; /* A prompt peer is looked for again after the others had their turn. */
};

static void try_next_address(struct stream *);

static struct stream *
stream_create(struct loop *loop, char *name, enum stream_kind kind)
{
    struct stream *s = xzalloc(sizeof *s);

    s->loop = loop;
    s->name = name;
    s->kind = kind;
    s->fd = -1;
    COUNTER_INC(stream_open);
    return s;
}

/* Lets go of all that talks to the peer. */
static void
shut(struct stream *s)
{
    stream_lookup_cancel(s->lookup);
    s->lookup = NULL;
    loop_fd_del(s->connecting);
    s->connecting = NULL;
    loop_timer_del(s->timer);
    s->timer = NULL;
    if (s->found) {
        freeaddrinfo(s->found);
        s->found = NULL;
    }
    if (s->fd >= 0) {
        close(s->fd);
        s->fd = -1;
    }
    if (s->early) {
        evbuffer_free(s->early);
        s->early = NULL;
    }
    loop_fd_del(s->reading);
    s->reading = NULL;
    loop_timer_del(s->again);
    s->again = NULL;
    stream_in_free(&s->in);
    if (s->bev) {
        SSL *ssl = s->kind == STREAM_TLS ? bufferevent_openssl_get_ssl(s->bev) : NULL;

        if (ssl && s->open) {
            SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN); /* So that our close_notify goes out without waiting
                                                             for the peer's. */
            SSL_shutdown(ssl);
        }
        bufferevent_setcb(s->bev, NULL, NULL, NULL, NULL);
        bufferevent_free(s->bev);
        s->bev = NULL;
    }
}

/* Writes what the socket takes at once. Not for TLS, whose records are libevent's to retry. */
static void
flush(struct stream *s)
{
    if (s->open && s->kind != STREAM_TLS && evbuffer_get_length(bufferevent_get_output(s->bev))) {
        struct evbuffer *output = bufferevent_get_output(s->bev);

        evbuffer_unfreeze(output, 1); /* libevent keeps the front for itself between writes. */
        while (evbuffer_get_length(output) && evbuffer_write(output, bufferevent_getfd(s->bev)) > 0) {
        }
        evbuffer_freeze(output, 1);
    }
}

void
stream_close(struct stream *s)
{
    if (s) {
        if (s->gone) {
            *s->gone = true;
        }
        flush(s);
        shut(s);
        stream_target_clear(&s->target);
        free(s->name);
        free(s);
    }
}

/* The end of the stream. The caller touches 's' no more. What was received and not read is lost, as is what
 * was not sent. */
static void
die(struct stream *s, int error)
{
    if (!s->dead) {
        s->dead = true;
        s->open = false;
        shut(s);
        s->ops->closed(s, error, s->arg);
    }
}

/* May more be received? */
static bool
has_room(const struct stream *s)
{
    return !s->paused && (!s->high || stream_in_bytes(&s->in).len < s->high);
}

static void
watch_input(struct stream *s)
{
    if (s->reading) {
        loop_fd_set(s->reading, has_room(s) ? EV_READ : 0);
    }
}

/* Hands over what was received. False when the stream is gone or dead. */
static bool
deliver(struct stream *s)
{
    bool gone = false;

    if (stream_in_bytes(&s->in).len >= s->low) {
        s->gone = &gone;
        s->ops->readable(s, s->arg);
        if (gone) {
            return false;
        }
        s->gone = NULL;
    }
    return !s->dead;
}

/* A peer that got no answer is likely to have sent more meanwhile: it is looked for before the loop sleeps. 'events' is 0 when nothing is known to be there. */
static void
receive_all(short events, void *s_)
{
    struct stream *s = s_;
    struct stream_in *in = &s->in;
    int fd = bufferevent_getfd(s->bev);

    loop_timer_stop(s->again);
    for (unsigned i = 0; i < (stream_in_is_prompt(in) ? PROMPT_TIMES : RECEIVE_TIMES) && has_room(s); i++) {
        ssize_t n = i || !events ? stream_in_receive_next(in, fd, s->loop) : stream_in_receive(in, fd);

        if (n <= 0) {
            if (n != -EAGAIN && n != -EINTR) {
                die(s, (int) n);
            }
            return;
        }
        if (!deliver(s) || (in->answered && !stream_in_is_prompt(in))) {
            return;
        }
    }
    watch_input(s);
    if (in->answered && has_room(s)) {
        loop_timer_set(s->again, 0);
    }
}

static void
receive_again(void *s)
{
    receive_all(0, s);
}

static void
on_readable(struct bufferevent *bev, void *s_)
{
    struct stream *s = s_;
    struct loop *loop = s->loop;

    loop_enter(loop);
    s->ops->readable(s, s->arg);
    loop_leave(loop);
}

static void
on_drained(struct bufferevent *bev, void *s_)
{
    struct stream *s = s_;
    struct loop *loop = s->loop;

    if (s->ops->drained) {
        loop_enter(loop);
        s->ops->drained(s, s->arg);
        loop_leave(loop);
    }
}

/* Bytes may flow. */
static void
opened(struct stream *s)
{
    s->open = true;
    loop_timer_del(s->timer);
    s->timer = NULL;
    if (s->early) {
        bufferevent_write_buffer(s->bev, s->early);
        evbuffer_free(s->early);
        s->early = NULL;
    }
    if (!s->accepted) {
        s->ops->connected(s, s->arg);
    }
}

/* The reason why libevent ended the stream; logs what OpenSSL says. */
static int
tls_error(struct stream *s, int error)
{
    static struct log_limit limit = LOG_LIMIT(10, 25);
    unsigned long code = bufferevent_get_openssl_error(s->bev);

    if (!code) {
        return error ? -error : -EPROTO;
    }
    COUNTER_INC(stream_tls_failed);
    log_warn_rl(LOG_stream_tls, &limit, "%s: %s", s->name, stream_tls_error_text(code));
    return -EPROTO;
}

static void
handle_event(struct stream *s, short what)
{
    int error = EVUTIL_SOCKET_ERROR();

    if (what & BEV_EVENT_CONNECTED) {
        int bootstrap = stream_tls_bootstrap(bufferevent_openssl_get_ssl(s->bev), s->name);

        if (bootstrap) {
            die(s, bootstrap);
        } else {
            opened(s);
        }
    } else if (what & BEV_EVENT_EOF) {
        die(s, s->open ? 0 : -EPROTO);
    } else if (what & BEV_EVENT_ERROR) {
        die(s, s->kind == STREAM_TLS ? tls_error(s, error) : error ? -error : -EIO);
    }
}

static void
on_event(struct bufferevent *bev, short what, void *s_)
{
    struct stream *s = s_;
    struct loop *loop = s->loop;

    loop_enter(loop);
    handle_event(s, what);
    loop_leave(loop);
}

static void
handshake_late(void *s_)
{
    struct stream *s = s_;

    COUNTER_INC(stream_handshake_timeout);
    die(s, -ETIMEDOUT);
}

/* The first way wants CAP_NET_ADMIN, the second gives what net.core.wmem_max allows. */
static void
enlarge_send_buffer(int fd)
{
    int size = SEND_BUFFER;

    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size)) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
}

/* Makes the bufferevent over the connected 'fd' and takes it over. 0, or -errno when there are no keys. */
static int
adopt(struct stream *s, int fd)
{
    struct event_base *base = loop_base(s->loop);

    if (s->kind == STREAM_TLS) {
        SSL *ssl;
        int error = stream_tls_session(s->accepted ? NULL : s->target.host, &ssl);

        if (error) {
            return error;
        }
        s->bev = bufferevent_openssl_socket_new(
            base, fd, ssl, s->accepted ? BUFFEREVENT_SSL_ACCEPTING : BUFFEREVENT_SSL_CONNECTING,
            BEV_OPT_CLOSE_ON_FREE);
        bufferevent_openssl_set_allow_dirty_shutdown(
            s->bev, 1); /* Peers that just close are common, and lengths are framed above. */
        s->timer = loop_timer_add(s->loop, handshake_late, s);
        loop_timer_set(s->timer, HANDSHAKE_MS);
    } else {
        s->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
        s->again = loop_timer_add(s->loop, receive_again, s);
        s->reading = loop_fd_add(s->loop, fd, has_room(s) ? EV_READ : 0, receive_all, s);
    }
    if (s->kind == STREAM_UNIX) {
        enlarge_send_buffer(fd);
    } else {
        int on = 1;

        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    bufferevent_setwatermark(s->bev, EV_READ, s->low, s->high);
    bufferevent_setcb(s->bev, on_readable, on_drained, on_event, s);
    bufferevent_enable(s->bev, s->paused || s->reading ? EV_WRITE : EV_READ | EV_WRITE);
    return 0;
}

int
stream_accepted(struct loop *loop, int fd, enum stream_kind kind, char *name, struct stream **streamp)
{
    struct stream *s = stream_create(loop, name, kind);
    int error;

    s->accepted = true;
    error = adopt(s, fd);
    if (error) {
        s->name = NULL;
        stream_close(s);
        return error;
    }
    s->open = kind != STREAM_TLS;
    *streamp = s;
    return 0;
}

/* The socket is connected, or cannot be. */
static void
connect_ended(short events, void *s_)
{
    struct stream *s = s_;
    int error = 0, fd = s->fd;
    socklen_t len = sizeof error;

    loop_fd_del(s->connecting);
    s->connecting = NULL;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        close(fd);
        s->fd = -1;
        s->error = -error;
        try_next_address(s);
        return;
    }
    error = adopt(s, fd);
    if (error) {
        die(s, error);
        return;
    }
    s->fd = -1;
    if (s->kind != STREAM_TLS) {
        opened(s);
    }
}

/* Starts to connect to one address. 0 or -errno. */
static int
connect_address(struct stream *s, const struct sockaddr *sa, socklen_t len)
{
    int fd = socket(sa ? sa->sa_family : AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0) {
        return -errno;
    }
    error = sa ? (connect(fd, sa, len) ? -errno : 0) : stream_unix_address(fd, s->target.path, connect);
    if (error && error != -EINPROGRESS) {
        close(fd);
        return error;
    }
    s->fd = fd;
    s->connecting = loop_fd_add(s->loop, fd, EV_WRITE, connect_ended, s);
    return 0;
}

static void
try_next_address(struct stream *s)
{
    while (s->next) {
        struct addrinfo *ai = s->next;
        int error;

        s->next = ai->ai_next;
        error = connect_address(s, ai->ai_addr, ai->ai_addrlen);
        if (!error) {
            return;
        }
        s->error = error;
    }
    COUNTER_INC(stream_connect_failed);
    die(s, s->error);
}

static void
looked_up(struct addrinfo *found, int error, void *s_)
{
    struct stream *s = s_;

    s->lookup = NULL;
    s->found = s->next = found;
    s->error = error ? error : -ENXIO;
    try_next_address(s);
}

static void
failed_at_once(void *s_)
{
    struct stream *s = s_;

    COUNTER_INC(stream_connect_failed);
    die(s, s->error);
}

/* What goes wrong, now or later, ends the stream by closed(). */
static void
start_connecting(struct stream *s)
{
    struct sockaddr_storage address;
    socklen_t len;

    if (s->kind == STREAM_UNIX) {
        s->error = connect_address(s, NULL, 0);
    } else if (!stream_numeric_address(s->target.host, s->target.port, &address, &len)) {
        s->error = connect_address(s, (struct sockaddr *) &address, len);
    } else {
        s->lookup = stream_lookup_start(s->loop, s->target.host, s->target.port, looked_up, s);
    }
    if (s->error) {
        s->timer = loop_timer_add(s->loop, failed_at_once, s);
        loop_timer_set(s->timer, 0);
    }
}

int
stream_connect(struct loop *loop, const char *name, uint16_t default_port, const struct stream_ops *ops,
               void *arg, struct stream **streamp, char **errorp)
{
    struct stream_target target;
    struct stream *s;
    int error = stream_target_parse(name, false, default_port, &target, errorp);

    if (error) {
        return error;
    }
    s = stream_create(loop, xstrdup(name), target.kind);
    s->target = target;
    stream_set_ops(s, ops, arg);
    start_connecting(s);
    *streamp = s;
    return 0;
}

void
stream_set_ops(struct stream *s, const struct stream_ops *ops, void *arg)
{
    s->ops = ops;
    s->arg = arg;
}

/* Hands the socket what it takes at once, while nothing waits before it: most answers go out without a turn of the loop. How many bytes it took; errors are
 * left to libevent to find again. */
static size_t
send_at_once(struct stream *s, const void *data, size_t n)
{
    ssize_t sent;

    if (s->kind == STREAM_TLS || evbuffer_get_length(bufferevent_get_output(s->bev))) {
        return 0;
    }
    sent = send(bufferevent_getfd(s->bev), data, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent > 0 ? (size_t) sent : 0;
}

void
stream_send(struct stream *s, const void *data, size_t n)
{
    if (s->dead) {
        return;
    }
    if (s->open) {
        size_t sent = send_at_once(s, data, n);

        if (sent < n) {
            bufferevent_write(s->bev, (const uint8_t *) data + sent, n - sent);
        }
    } else {
        if (!s->early) {
            s->early = evbuffer_new();
        }
        evbuffer_add(s->early, data, n);
    }
    stream_in_answered(&s->in);
}

size_t
stream_backlog(const struct stream *s)
{
    return (s->bev ? evbuffer_get_length(bufferevent_get_output(s->bev)) : 0) +
           (s->early ? evbuffer_get_length(s->early) : 0);
}

struct slice
stream_peek(struct stream *s)
{
    struct evbuffer *input;
    size_t len;

    if (s->kind != STREAM_TLS || !s->bev) {
        return stream_in_bytes(&s->in);
    }
    input = bufferevent_get_input(s->bev);
    len = evbuffer_get_length(input);
    return slice_of(len ? evbuffer_pullup(input, (ev_ssize_t) len) : NULL, len);
}

void
stream_consume(struct stream *s, size_t n)
{
    if (s->reading) {
        bool had_room = has_room(s);

        stream_in_take(&s->in, n);
        if (!had_room) {
            watch_input(s);
        }
    } else if (s->bev) {
        evbuffer_drain(bufferevent_get_input(s->bev), n);
    }
}

void
stream_pause(struct stream *s, bool paused)
{
    s->paused = paused;
    if (s->reading) {
        watch_input(s);
    } else if (s->bev && paused) {
        bufferevent_disable(s->bev, EV_READ);
    } else if (s->bev) {
        bufferevent_enable(s->bev, EV_READ);
    }
}

void
stream_watermarks(struct stream *s, size_t low, size_t high)
{
    s->low = low;
    s->high = high;
    if (s->bev) {
        bufferevent_setwatermark(s->bev, EV_READ, low, high);
    }
    watch_input(s);
}

const char *
stream_name(const struct stream *s)
{
    return s->name;
}

bool
stream_is_local(const struct stream *s)
{
    return s->kind == STREAM_UNIX;
}
