// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/base/dirs.h"
#include "lib/base/stream.h"
#include "lib/base/stream_name.h"

/* The methods; a passive name has a 'p' in front. */
static const struct {
    const char *prefix;
    enum stream_kind kind;
} methods[] = {{"unix:", STREAM_UNIX}, {"tcp:", STREAM_TCP}, {"ssl:", STREAM_TLS}};

/* What follows the method in 'name', NULL if it is none that we know. */
static const char *
skip_method(const char *name, bool passive, enum stream_kind *kind)
{
    if (passive) {
        if (name[0] != 'p') {
            return NULL;
        }
        name++;
    }
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        size_t len = strlen(methods[i].prefix);

        if (!strncmp(name, methods[i].prefix, len)) {
            *kind = methods[i].kind;
            return name + len;
        }
    }
    return NULL;
}

bool
stream_name_is_active(const char *name)
{
    enum stream_kind kind;

    return skip_method(name, false, &kind) != NULL;
}

bool
stream_name_is_passive(const char *name)
{
    enum stream_kind kind;

    return skip_method(name, true, &kind) != NULL;
}

/* Takes "HOST" or "[HOST]" off the front of 's'; what follows it, NULL when a bracket is missing. */
static const char *
take_host(const char *s, char **host)
{
    if (s[0] == '[') {
        const char *end = strchr(s, ']');

        if (!end) {
            return NULL;
        }
        *host = xstrndup(s + 1, (size_t) (end - s - 1));
        return end + 1;
    }
    *host = xstrndup(s, strcspn(s, ":"));
    return s + strlen(*host);
}

static bool
take_port(const char *s, uint16_t *port)
{
    uint64_t value;

    if (s[0] == '0' && s[1] == 'x') {
        return false;
    }
    if (parse_u64(s, UINT16_MAX, &value)) {
        return false;
    }
    *port = (uint16_t) value;
    return true;
}

/* HOST[:PORT] */
static bool
parse_active(const char *s, struct stream_target *t)
{
    s = take_host(s, &t->host);
    return s && t->host[0] && (!s[0] || (s[0] == ':' && take_port(s + 1, &t->port))) && t->port;
}

/* [PORT][:HOST] */
static bool
parse_passive(const char *s, struct stream_target *t)
{
    size_t len = strcspn(s, ":");

    if (len) {
        char *port = xstrndup(s, len);
        bool ok = take_port(port, &t->port);

        free(port);
        if (!ok) {
            return false;
        }
    }
    s += len;
    if (s[0]) {
        s = take_host(s + 1, &t->host);
        if (s && !t->host[0]) {
            free(t->host);
            t->host = NULL;
        }
    }
    return s && !s[0];
}

int
stream_target_parse(const char *name, bool passive, uint16_t default_port, struct stream_target *tp,
                    char **error)
{
    struct stream_target t = {.port = default_port};
    const char *rest = skip_method(name, passive, &t.kind);
    bool ok = rest != NULL;

    if (ok && t.kind == STREAM_UNIX) {
        ok = rest[0] != '\0';
        t.path = ok ? dirs_file_in(dirs_run(), rest) : NULL;
    } else if (ok) {
        ok = passive ? parse_passive(rest, &t) : parse_active(rest, &t);
    }
    if (!ok) {
        stream_target_clear(&t);
        *error = xstrdup(rest      ? "bad name of a connection"
                         : passive ? "not punix:, ptcp: or pssl:"
                                   : "not unix:, tcp: or ssl:");
        return -EINVAL;
    }
    *tp = t;
    return 0;
}

void
stream_target_clear(struct stream_target *t)
{
    free(t->path);
    free(t->host);
    *t = (struct stream_target){0};
}

int
stream_numeric_address(const char *host, uint16_t port, struct sockaddr_storage *ss, socklen_t *len)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    char service[8];

    snprintf(service, sizeof service, "%u", port);
    if (!host) {
        hints.ai_family = AF_INET; /* As ovsdb(7): without HOST, IPv4. */
    }
    if (getaddrinfo(host, service, &hints, &found)) {
        return -EINVAL;
    }
    memcpy(ss, found->ai_addr, found->ai_addrlen);
    *len = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

char *
stream_address_text(const struct sockaddr *sa)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    socklen_t len = sa->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);

    if (getnameinfo(sa, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV)) {
        return xstrdup("?");
    }
    return xasprintf(sa->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

int
stream_unix_address(int fd, const char *path, int (*call)(int, const struct sockaddr *, socklen_t))
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int dir_fd = -1, error;

    if (strlen(path) < sizeof address.sun_path) {
        strcpy(address.sun_path, path);
    } else {
        /* Through /proc the directory is short, however deep it lies (proc(5), /proc/PID/fd). */
        const char *base = strrchr(path, '/') + 1;
        char *dir = xstrndup(path, (size_t) (base - path));
        int n;

        dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        error = dir_fd < 0 ? -errno : 0;
        free(dir);
        if (error) {
            return error;
        }
        n = snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir_fd, base);
        if (n < 0 || (size_t) n >= sizeof address.sun_path) {
            close(dir_fd);
            return -ENAMETOOLONG;
        }
    }
    error = call(fd, (struct sockaddr *) &address, sizeof address) ? -errno : 0;
    if (dir_fd >= 0) {
        close(dir_fd);
    }
    return error;
}
