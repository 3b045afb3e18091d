// SPDX-License-Identifier: Apache-2.0
// Netlink sockets: transactions, batches, dumps and notifications, over libmnl. A socket belongs to one
// thread at a time; a pool lends sockets to threads that need one for the length of a call. Errors are
// -errno; the kernel's words (extended acknowledgement, NLMSGERR_ATTR_MSG) come along.
//
// The kernel answers a request inside sendmsg(), so that after it all the answers wait in the receive buffer.
// Hence a batch costs two system calls: only its last message asks for an acknowledgement; a message that
// fails is answered with its error whether it asked or not, so silence is success.
#ifndef LIB_NL_SOCK_H
#define LIB_NL_SOCK_H 1

#include "lib/nl/msg.h"

struct nl_sock;

/* 'protocol': NETLINK_GENERIC, NETLINK_ROUTE, NETLINK_NETFILTER. */
int nl_sock_open(int protocol, struct nl_sock **);
void nl_sock_close(struct nl_sock *); /* NULL is nothing. */
int nl_sock_fd(const struct nl_sock *);
uint32_t nl_sock_port(const struct nl_sock *); /* The port id ("pid") by which the kernel addresses it. */
int nl_sock_join(struct nl_sock *, unsigned group);
/* Asks for a receive buffer of that many bytes, beyond the system's limit where the process may. */
void nl_sock_receive_buffer(struct nl_sock *, int bytes);

#define NL_EXTACK_MAX 120

/* One request with its answer. 'reply' (may be NULL) gets the first answer message as a whole; it is the
 * caller's; only for requests that the kernel always answers, which then have no acknowledgement too. 'extack'
 * (may be NULL) gets NL_EXTACK_MAX bytes of text, "" if the kernel said nothing; it may speak on success too. */
int nl_transact(struct nl_sock *, const struct buf *request, struct buf *reply, char *extack);

/* Many requests. Zero it; add messages; run; read the results; clear (keeps memory) or free. */
struct nl_op {
    size_t offset; /* Of the message in 'msgs'. */
    bool want_ack; /* In: ask for an acknowledgement of its own, for the sake of a text on success. */
    int error;     /* Out: 0 or -errno. */
    char *extack;  /* In: NULL, or NL_EXTACK_MAX bytes. Out: the kernel's text. */
    void *aux;     /* The caller's. */
};
struct nl_batch {
    struct buf msgs;
    struct nl_op *ops;
    size_t n, allocated;
    bool answered; /* In: the last message is answered, and that ends the batch: it asks for no acknowledgement. */
};
#define NL_BATCH_BYTES 32768 /* A batch that has grown past this is better run. */

/* Between these the caller appends to batch->msgs one message by nl_msg_begin()/nl_msg_end(). */
struct nl_op *nl_batch_add(struct nl_batch *); /* Valid until the next add. */
/* Sends all and collects the results. 'reply' (may be NULL) is called for each answer that is not an
 * acknowledgement. 0, or -errno when the socket itself failed (then each op without an answer has that
 * error). */
int nl_batch_run(struct nl_sock *, struct nl_batch *,
                 void (*reply)(struct nl_op *, const struct nlmsghdr *, void *arg), void *arg);
void nl_batch_clear(struct nl_batch *);
void nl_batch_free(struct nl_batch *);

/* A dump. fn gets each message; false ends it (the rest is read and dropped). -EINTR: the table changed under
 * the dump, which may have missed or doubled entries: ask again. -EBUSY is waited out. */
int nl_dump(struct nl_sock *, const struct buf *request, bool (*fn)(const struct nlmsghdr *, void *arg),
            void *arg);
/* The same, asked again up to a few times while the kernel says that the dump was interrupted. 'restart' (may
 * be NULL) is called before each further try. */
int nl_dump_consistent(struct nl_sock *, const struct buf *request,
                       bool (*fn)(const struct nlmsghdr *, void *arg), void (*restart)(void *arg), void *arg);

/* Reads what waits, without blocking, and calls fn for each message. How many messages there were; -ENOBUFS:
 * some were lost, so what the caller knows must be read anew; or another -errno. */
int nl_sock_receive(struct nl_sock *, void (*fn)(const struct nlmsghdr *, void *arg), void *arg);

/* Sockets to lend. Any thread. */
struct nl_pool;
struct nl_pool *nl_pool_create(int protocol);
void nl_pool_destroy(struct nl_pool *);
int nl_pool_get(struct nl_pool *, struct nl_sock **); /* 0 or -errno (a new one could not be opened). */
void nl_pool_put(struct nl_pool *, struct nl_sock *);
/* Transactions on a socket of the pool. */
int nl_pool_transact(struct nl_pool *, const struct buf *request, struct buf *reply, char *extack);
int nl_pool_dump(struct nl_pool *, const struct buf *request, bool (*fn)(const struct nlmsghdr *, void *arg),
                 void *arg);
int nl_pool_run(struct nl_pool *, struct nl_batch *);

#endif
