// SPDX-License-Identifier: Apache-2.0
// Byte streams by libevent's bufferevents: unix:FILE, tcp:HOST[:PORT], ssl:HOST[:PORT]; punix:FILE, ptcp:[PORT][:HOST], pssl:[PORT][:HOST]
// as ovs-vswitchd.conf.db(5) and ovsdb(7) "Connection Methods" spell them. IPv6 hosts stand in brackets. HOST is a numeric address
// or a name resolved without blocking. Main thread only.
#ifndef LIB_BASE_STREAM_H
#define LIB_BASE_STREAM_H 1

#include "lib/base/loop.h"
#include "lib/base/buf.h"

struct stream;

struct stream_ops {
    void (*connected)(struct stream *, void *arg);         /* Once, for active streams; for accepted ones it is not called. */
    void (*readable)(struct stream *, void *arg);          /* Bytes arrived: take them with stream_peek() and stream_consume(). */
    void (*drained)(struct stream *, void *arg);           /* The send queue fell to empty. May be NULL. */
    void (*closed)(struct stream *, int error, void *arg); /* Peer closed (0) or -errno. The stream is dead: call stream_close() (here or later). */
};

/* Starts to connect. 'default_port' is used when 'name' has none. 0 and '*streamp', or -EINVAL for a bad name ('*error' says why, without
 * the name; the caller frees). Whatever else fails comes by closed(), never from inside this call. */
int stream_connect(struct loop *, const char *name, uint16_t default_port, const struct stream_ops *, void *arg,
                   struct stream **streamp, char **error);
/* No callback comes after it. Of unsent bytes, what the socket takes at once is sent (but of TLS), so that a last error message arrives. */
void stream_close(struct stream *);
void stream_set_ops(struct stream *, const struct stream_ops *, void *arg);

void stream_send(struct stream *, const void *, size_t); /* Queues a copy. The caller bounds it by stream_backlog(). */
size_t stream_backlog(const struct stream *);            /* Bytes queued and not yet sent. */
struct slice stream_peek(struct stream *);               /* All received bytes, contiguous; valid until consumed. */
void stream_consume(struct stream *, size_t);
void stream_pause(struct stream *, bool paused);         /* Stops reading: back-pressure on the peer. */
/* readable() is called only with at least 'low' bytes there; reading stops with 'high' bytes waiting (0: no bound). */
void stream_watermarks(struct stream *, size_t low, size_t high);

const char *stream_name(const struct stream *);   /* As given, or for accepted streams "unix#3", "tcp:1.2.3.4:567". */
bool stream_is_local(const struct stream *);      /* A unix socket. */

struct stream_listener;
/* accept() is called with a new stream for which ops must be set at once. On -errno '*error' explains, without the name (the caller frees). A unix path that exists and
 * answers nobody is replaced. */
int stream_listen(struct loop *, const char *name, uint16_t default_port,
                  void (*accept)(struct stream *, void *arg), void *arg, struct stream_listener **, char **error);
void stream_listener_close(struct stream_listener *); /* Also removes a unix socket's file. */
uint16_t stream_listener_port(const struct stream_listener *); /* Of TCP: the port bound (for port 0). */

bool stream_name_is_active(const char *name);  /* Begins with unix:, tcp: or ssl:. */
bool stream_name_is_passive(const char *name); /* Begins with punix:, ptcp: or pssl:. */

/* Keys for ssl: and pssl:, as the SSL table and --private-key, --certificate, --ca-cert, --bootstrap-ca-cert say. Files are read again
 * when they change. NULL leaves a thing unset. */
struct stream_tls {
    char *private_key, *certificate, *ca_cert, *peer_ca_cert, *protocols, *ciphers;
    bool bootstrap_ca_cert;
};
int stream_tls_configure(const struct stream_tls *, char **error);

#endif
