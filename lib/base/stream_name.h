// SPDX-License-Identifier: Apache-2.0
// The spelling of connections, ovsdb(7) "Connection Methods": what stream.c and stream_listen.c share. Nobody else includes it.
#ifndef LIB_BASE_STREAM_NAME_H
#define LIB_BASE_STREAM_NAME_H 1

#include <sys/socket.h>
#include "lib/base/util.h"

enum stream_kind { STREAM_UNIX, STREAM_TCP, STREAM_TLS };

struct stream_target {
    enum stream_kind kind;
    char *path;    /* Of STREAM_UNIX, absolute. */
    char *host;    /* Of the others, without brackets; NULL for any address (passive only). */
    uint16_t port; /* 0: any (passive only). */
};

/* Takes 'name' apart. 0, or -EINVAL with '*error' (the caller frees). Free it with stream_target_clear(). */
int stream_target_parse(const char *name, bool passive, uint16_t default_port, struct stream_target *, char **error);
void stream_target_clear(struct stream_target *);

/* 'host' if it is a numeric address, as a socket address with 'port'; -EINVAL else. NULL is the wildcard. */
int stream_numeric_address(const char *host, uint16_t port, struct sockaddr_storage *, socklen_t *len);
/* "1.2.3.4:567" or "[::1]:567"; the caller frees. */
char *stream_address_text(const struct sockaddr *);

/* connect() or bind() of unix socket 'fd' to 'path', which may be longer than a sockaddr_un takes. 0 or -errno. */
int stream_unix_address(int fd, const char *path, int (*call)(int, const struct sockaddr *, socklen_t));

#endif
