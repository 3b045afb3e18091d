// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "lib/nl/sock.h"

#include <libmnl/libmnl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include "lib/base/counter.h"

COUNTER(netlink_sent, "Bursts of netlink requests sent to the kernel.");
COUNTER(netlink_received, "Netlink datagrams read.");
COUNTER(netlink_overflow, "The kernel dropped netlink messages since a receive buffer was full.");
COUNTER(netlink_dump_interrupted, "A netlink dump was asked for again because the table changed under it.");

/* Dumps come in datagrams of up to 32 kB, and a message of a packet may be 64 kB and its attributes. */
#define RECEIVE_BYTES (80 * 1024)
#define SOCKET_BUFFER (4 * 1024 * 1024)
#define DUMP_TRIES 10

struct nl_sock {
    struct mnl_socket *mnl;
    int fd;
    uint32_t port, seq;
    uint8_t *in; /* RECEIVE_BYTES. */
};

static void
sock_option(struct nl_sock *s, int option)
{
    int on = 1;

    /* Each is a comfort of newer kernels that is done without where absent. */
    (void) mnl_socket_setsockopt(s->mnl, option, &on, sizeof on);
}

int
nl_sock_open(int protocol, struct nl_sock **sockp)
{
    struct nl_sock *s;
    struct mnl_socket *mnl = mnl_socket_open2(protocol, SOCK_CLOEXEC);

    if (!mnl) {
        return -errno;
    }
    if (mnl_socket_bind(mnl, 0, MNL_SOCKET_AUTOPID) < 0) {
        int error = -errno;

        mnl_socket_close(mnl);
        return error;
    }
    s = xzalloc(sizeof *s);
    s->mnl = mnl;
    s->fd = mnl_socket_get_fd(mnl);
    s->port = mnl_socket_get_portid(mnl);
    s->seq = 1;
    s->in = xmalloc(RECEIVE_BYTES);
    sock_option(s, NETLINK_CAP_ACK);
    sock_option(s, NETLINK_EXT_ACK);
    nl_sock_receive_buffer(s, SOCKET_BUFFER);
    *sockp = s;
    return 0;
}

void
nl_sock_close(struct nl_sock *s)
{
    if (s) {
        mnl_socket_close(s->mnl);
        free(s->in);
        free(s);
    }
}

int
nl_sock_fd(const struct nl_sock *s)
{
    return s->fd;
}

uint32_t
nl_sock_port(const struct nl_sock *s)
{
    return s->port;
}

int
nl_sock_join(struct nl_sock *s, unsigned group)
{
    return mnl_socket_setsockopt(s->mnl, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0 ? -errno : 0;
}

void
nl_sock_receive_buffer(struct nl_sock *s, int bytes)
{
    if (setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes)) {
        (void) setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    }
}

/* Bytes of one datagram from the kernel (in s->in), or -errno. */
static ssize_t
sock_read(struct nl_sock *s, int flags)
{
    struct sockaddr_nl from;
    ssize_t n;

    for (;;) {
        socklen_t from_len = sizeof from;

        n = recvfrom(s->fd, s->in, RECEIVE_BYTES, flags | MSG_TRUNC, (struct sockaddr *) &from, &from_len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            if (errno == ENOBUFS) {
                COUNTER_INC(netlink_overflow);
            }
            return -errno;
        }
        COUNTER_INC(netlink_received);
        /* Any process may send to a netlink socket; only the kernel (port 0) is listened to. */
        if (from_len == sizeof from && from.nl_pid == 0) {
            return n > RECEIVE_BYTES ? -EMSGSIZE : n;
        }
    }
}

static int
sock_send(struct nl_sock *s, const struct buf *b)
{
    ssize_t n;

    do {
        n = send(s->fd, b->data, b->len, 0);
    } while (n < 0 && errno == EINTR);
    COUNTER_INC(netlink_sent);
    return n < 0 ? -errno : 0;
}

/* Error of an acknowledgement, and its text into 'extack' if that is not NULL. */
static int
ack_read(const struct nlmsghdr *h, char *extack)
{
    const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
    size_t skip = sizeof *e;

    if (mnl_nlmsg_get_payload_len(h) < sizeof *e) {
        return -EPROTO;
    }
    if (extack && h->nlmsg_flags & NLM_F_ACK_TLVS) {
        struct nl_attr tb[NLMSGERR_ATTR_MAX + 1];

        if (!(h->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len > NLMSG_HDRLEN) {
            skip += NLMSG_ALIGN(e->msg.nlmsg_len - NLMSG_HDRLEN);
        }
        if (!nl_attrs_parse(nl_msg_attrs(h, skip), tb, ARRAY_SIZE(tb), NULL)) {
            nl_attr_string(tb[NLMSGERR_ATTR_MSG], extack, NL_EXTACK_MAX);
        }
    }
    return e->error;
}

struct nl_op *
nl_batch_add(struct nl_batch *b)
{
    struct nl_op *op;

    if (b->n == b->allocated) {
        array_grow(&b->ops, &b->allocated, sizeof *b->ops);
    }
    op = &b->ops[b->n++];
    memset(op, 0, sizeof *op);
    buf_pad(&b->msgs, NLMSG_ALIGNTO);
    op->offset = b->msgs.len;
    return op;
}

void
nl_batch_clear(struct nl_batch *b)
{
    buf_clear(&b->msgs);
    b->n = 0;
}

void
nl_batch_free(struct nl_batch *b)
{
    buf_free(&b->msgs);
    free(b->ops);
    memset(b, 0, sizeof *b);
}

static void
batch_number(struct nl_sock *s, struct nl_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        struct nlmsghdr *h = nl_msg_at(&b->msgs, b->ops[i].offset);

        h->nlmsg_seq = s->seq + (uint32_t) i;
        h->nlmsg_pid = s->port;
        b->ops[i].error = 0;
        if (b->ops[i].extack) {
            b->ops[i].extack[0] = '\0';
        }
        if (b->ops[i].want_ack || (i == b->n - 1 && !b->answered)) {
            h->nlmsg_flags |= NLM_F_ACK;
        }
    }
}

static void
batch_fail_from(struct nl_batch *b, size_t first, int error)
{
    for (size_t i = first; i < b->n; i++) {
        b->ops[i].error = error;
    }
}

/* Reads the answers. The last message is acknowledged, or answered, in any case, and last: with that all is known. */
static int
batch_collect(struct nl_sock *s, struct nl_batch *b,
              void (*reply)(struct nl_op *, const struct nlmsghdr *, void *), void *arg)
{
    uint32_t base = s->seq;
    size_t answered = 0; /* Messages before this one are known to be done. */

    for (;;) {
        ssize_t n = sock_read(s, 0);
        const struct nlmsghdr *h = (const void *) s->in;
        int left = (int) n;

        if (n < 0) {
            batch_fail_from(b, answered, (int) n);
            return (int) n;
        }
        for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
            uint32_t i = h->nlmsg_seq - base;

            if (i >= b->n) {
                continue;
            }
            answered = MAX(answered, i);
            if (h->nlmsg_type != NLMSG_ERROR) {
                if (reply) {
                    reply(&b->ops[i], h, arg);
                }
                if (b->answered && i == b->n - 1) {
                    return 0;
                }
                continue;
            }
            b->ops[i].error = ack_read(h, b->ops[i].extack);
            answered = MAX(answered, i + 1);
            if (i == b->n - 1) {
                return 0;
            }
        }
    }
}

int
nl_batch_run(struct nl_sock *s, struct nl_batch *b,
             void (*reply)(struct nl_op *, const struct nlmsghdr *, void *), void *arg)
{
    int error;

    if (!b->n) {
        return 0;
    }
    batch_number(s, b);
    error = sock_send(s, &b->msgs);
    if (error) {
        batch_fail_from(b, 0, error);
    } else {
        error = batch_collect(s, b, reply, arg);
    }
    s->seq += (uint32_t) b->n;
    return error;
}

static void
keep_reply(struct nl_op *op, const struct nlmsghdr *h, void *arg)
{
    struct buf *reply = arg;

    if (reply && !reply->len) {
        buf_put(reply, h, h->nlmsg_len);
    }
}

int
nl_transact(struct nl_sock *s, const struct buf *request, struct buf *reply, char *extack)
{
    struct nl_op op = {.extack = extack};
    struct nl_batch b = {.msgs = *request, .ops = &op, .n = 1, .allocated = 1, .answered = reply && !extack};
    int error;

    if (reply) {
        buf_clear(reply);
    }
    error = nl_batch_run(s, &b, keep_reply, reply);
    return error ? error : op.error;
}

/* One pass of a dump: 0, or the error of its end; -EINTR when the kernel flagged it as inconsistent. */
static int
dump_collect(struct nl_sock *s, bool (*fn)(const struct nlmsghdr *, void *), void *arg)
{
    bool interrupted = false, more = true;

    for (;;) {
        ssize_t n = sock_read(s, 0);
        const struct nlmsghdr *h = (const void *) s->in;
        int left = (int) n;

        if (n < 0) {
            return (int) n;
        }
        for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
            if (h->nlmsg_seq != s->seq) {
                continue;
            }
            interrupted |= (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
            if (h->nlmsg_type == NLMSG_ERROR) {
                return ack_read(h, NULL);
            }
            if (h->nlmsg_type == NLMSG_DONE) {
                int32_t status = 0;

                if (mnl_nlmsg_get_payload_len(h) >= sizeof status) {
                    memcpy(&status, mnl_nlmsg_get_payload(h), sizeof status);
                }
                return status < 0 ? status : interrupted ? -EINTR : 0;
            }
            if (h->nlmsg_type != NLMSG_NOOP && more) {
                more = fn(h, arg);
            }
        }
    }
}

int
nl_dump(struct nl_sock *s, const struct buf *request, bool (*fn)(const struct nlmsghdr *, void *), void *arg)
{
    struct nlmsghdr *h = nl_msg_at(request, 0);
    int error;

    h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
    h->nlmsg_pid = s->port;
    for (int i = 0; i < DUMP_TRIES; i++) {
        h->nlmsg_seq = ++s->seq;
        error = sock_send(s, request);
        if (!error) {
            error = dump_collect(s, fn, arg);
        }
        if (error != -EBUSY) {
            break;
        }
        /* An earlier dump of this socket is being wound up by the kernel. */
        nanosleep(&(struct timespec){.tv_nsec = 1000 * 1000}, NULL);
    }
    s->seq++;
    return error;
}

int
nl_dump_consistent(struct nl_sock *s, const struct buf *request, bool (*fn)(const struct nlmsghdr *, void *),
                   void (*restart)(void *), void *arg)
{
    int error = nl_dump(s, request, fn, arg);

    for (int i = 1; error == -EINTR && i < DUMP_TRIES; i++) {
        COUNTER_INC(netlink_dump_interrupted);
        if (restart) {
            restart(arg);
        }
        error = nl_dump(s, request, fn, arg);
    }
    return error;
}

int
nl_sock_receive(struct nl_sock *s, void (*fn)(const struct nlmsghdr *, void *), void *arg)
{
    int count = 0;

    for (;;) {
        ssize_t n = sock_read(s, MSG_DONTWAIT);
        const struct nlmsghdr *h = (const void *) s->in;
        int left = (int) n;

        if (n < 0) {
            return n == -EAGAIN ? count : (int) n;
        }
        for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
            fn(h, arg);
            count++;
        }
    }
}
