// SPDX-License-Identifier: Apache-2.0
// What stream.c shares with stream_listen.c, stream_resolve.c and stream_tls.c. Nobody else includes it.
#ifndef LIB_BASE_STREAM_PRIVATE_H
#define LIB_BASE_STREAM_PRIVATE_H 1

#include <openssl/types.h>
#include "lib/base/stream.h"
#include "lib/base/stream_name.h"

/* A stream over the connected, non-blocking 'fd', which it takes over, as is 'name'. 0, or -errno when there are no keys for STREAM_TLS (then
 * 'fd' and 'name' stay the caller's). */
int stream_accepted(struct loop *, int fd, enum stream_kind, char *name, struct stream **);

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
