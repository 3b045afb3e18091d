// SPDX-License-Identifier: Apache-2.0
// What stream.c shares with stream_in.c, stream_listen.c, stream_resolve.c and stream_tls.c. Nobody else includes it.
#ifndef LIB_BASE_STREAM_PRIVATE_H
#define LIB_BASE_STREAM_PRIVATE_H 1

#include <openssl/types.h>
#include "lib/base/stream.h"
#include "lib/base/stream_name.h"

/* A stream over the connected, non-blocking 'fd', which it takes over, as is 'name'. 0, or -errno when there are no keys for STREAM_TLS (then
 * 'fd' and 'name' stay the caller's). */
int stream_accepted(struct loop *, int fd, enum stream_kind, char *name, struct stream **);

/* What is received of a socket, and how promptly the peer goes on after an answer. All zeros is empty. */
struct stream_in {
    struct buf bytes;  /* Not taken yet, but for the first. Who receives bounds them. */
    size_t taken;      /* Of the front of 'bytes'. */
    unsigned n_prompt; /* Requests that soon followed an answer; late ones halve it. */
    bool answered;     /* Something was sent since something was received. */
    int64_t when;      /* It was, last; us. */
};
/* Appends what is there, without waiting. How many bytes, 0 at the end of the stream, or -errno. */
ssize_t stream_in_receive(struct stream_in *, int fd);
/* The same of a peer of whom nothing is known to be there: the next request of a prompt one that was answered is waited for a while. */
ssize_t stream_in_receive_next(struct stream_in *, int fd, struct loop *);
void stream_in_answered(struct stream_in *);
bool stream_in_is_prompt(const struct stream_in *);     /* Sends request after request and waits for each answer. */
struct slice stream_in_bytes(const struct stream_in *); /* Contiguous; valid until the next call but stream_in_answered(). */
void stream_in_take(struct stream_in *, size_t n);      /* Not more than there are. */
void stream_in_free(struct stream_in *);

/* Looks 'host' up in a thread of its own, then calls done() in the main thread with a list that done() frees by freeaddrinfo(), or NULL and
 * -errno. */
struct addrinfo;
struct stream_lookup;
struct stream_lookup *stream_lookup_start(struct loop *, const char *host, uint16_t port,
                                          void (*done)(struct addrinfo *, int error, void *arg), void *arg);
void stream_lookup_cancel(struct stream_lookup *); /* done() is not called. */

/* A new TLS session with the process's keys. 0 or -errno (logged). 'host': for server name indication, NULL for a server. */
int stream_tls_session(const char *host, SSL **);
/* After the handshake: 0, or -EPROTO when a CA certificate was taken from the peer and the connection must be made again. */
int stream_tls_bootstrap(SSL *, const char *name);
const char *stream_tls_error_text(unsigned long openssl_error);

#endif
