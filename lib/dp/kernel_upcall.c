// SPDX-License-Identifier: Apache-2.0
// Packets that come up. Each handler has one socket, in either way of dispatching: the kernel chooses the
// socket by the processor it runs on, or by a hash of the packet among the ids given for a port.
#include <config.h>
#include "lib/dp/kernel.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/base/counter.h"
#include "lib/base/rcu.h"
#include "lib/nl/ovs_key.h"

COUNTER(upcall_received, "A packet came up from the kernel datapath.");
COUNTER(upcall_overflow, "The kernel dropped upcalls since a handler's receive buffer was full.");
COUNTER(upcall_malformed, "An upcall could not be understood.");

/* The longest frame and its attributes. */
#define KERNEL_SLOT (65536 + 4096)

int
kernel_handlers_open(struct kernel *k, unsigned n)
{
    k->handlers = xcalloc(n, sizeof *k->handlers);
    k->pids = xcalloc(n, sizeof *k->pids);
    for (unsigned i = 0; i < n; i++) {
        struct kernel_handler *h = &k->handlers[i];
        int error = nl_sock_open(NETLINK_GENERIC, &h->sock);

        if (error) {
            return error;
        }
        k->n_handlers = i + 1;
        h->in = xmalloc((size_t) KERNEL_N_RECEIVE * KERNEL_SLOT);
        k->pids[i] = nl_sock_port(h->sock);
        h->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (h->wake_fd < 0) {
            return -errno;
        }
    }
    return 0;
}

void
kernel_handlers_close(struct kernel *k)
{
    for (unsigned i = 0; i < k->n_handlers; i++) {
        struct kernel_handler *h = &k->handlers[i];

        nl_sock_close(h->sock);
        if (h->wake_fd >= 0) {
            close(h->wake_fd);
        }
        free(h->in);
    }
    free(k->handlers);
    free(k->pids);
    k->n_handlers = 0;
}

void
kernel_wake(struct dp *dp)
{
    struct kernel *k = kernel_cast(dp);

    for (unsigned i = 0; i < k->n_handlers; i++) {
        uint64_t one = 1;

        /* Fails only when the counter is full, and then the thread is as good as awake. */
        if (write(k->handlers[i].wake_fd, &one, sizeof one) < 0) {
            continue;
        }
    }
}

static int
upcall_decode(const struct kernel *k, const struct nlmsghdr *h, struct dp_upcall *u)
{
    struct nl_attr tb[OVS_PACKET_ATTR_MAX + 1], cookie;
    const struct genlmsghdr *g = (const void *) ((const uint8_t *) h + NLMSG_HDRLEN);
    int error;

    if (h->nlmsg_type != k->packet_family || kernel_parse(k, h, tb, ARRAY_SIZE(tb))) {
        return -EPROTO;
    }
    if ((g->cmd != OVS_PACKET_CMD_MISS && g->cmd != OVS_PACKET_CMD_ACTION) ||
        tb[OVS_PACKET_ATTR_PACKET].len < 14) {
        return -EPROTO;
    }
    memset(u, 0, sizeof *u);
    error = ovs_key_get_metadata(nl_attr_slice(tb[OVS_PACKET_ATTR_KEY]), &u->key);
    if (error) {
        return error;
    }
    cookie = tb[OVS_PACKET_ATTR_USERDATA];
    /* A cookie of another shape is that of a flow which another daemon left here: to us the packet is a miss,
     * and will be translated. */
    if (g->cmd == OVS_PACKET_CMD_ACTION && cookie.len == sizeof u->cookie) {
        u->action = true;
        memcpy(&u->cookie, cookie.data, sizeof u->cookie);
    }
    u->packet = packet_new(tb[OVS_PACKET_ATTR_PACKET].data, tb[OVS_PACKET_ATTR_PACKET].len);
    packet_extract(u->packet, &u->key);
    return 0;
}

/* What waits in the socket, without blocking. */
static unsigned
receive(struct kernel *k, struct kernel_handler *h, unsigned handler, struct dp_upcall *upcalls, unsigned max)
{
    struct mmsghdr messages[KERNEL_N_RECEIVE];
    struct iovec iov[KERNEL_N_RECEIVE];
    struct sockaddr_nl from[KERNEL_N_RECEIVE];
    unsigned want = MIN(max, KERNEL_N_RECEIVE), n_out = 0;
    int n;

    for (unsigned i = 0; i < want; i++) {
        iov[i] = (struct iovec){h->in + (size_t) i * KERNEL_SLOT, KERNEL_SLOT};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &iov[i], .msg_iovlen = 1};
    }
    n = recvmmsg(nl_sock_fd(h->sock), messages, want, MSG_DONTWAIT, NULL);
    if (n < 0 && errno == ENOBUFS) {
        COUNTER_INC(upcall_overflow);
    }
    for (int i = 0; i < n; i++) {
        const struct nlmsghdr *m = iov[i].iov_base;
        size_t len = messages[i].msg_len;

        if (from[i].nl_pid || len < NLMSG_HDRLEN || m->nlmsg_len < NLMSG_HDRLEN || m->nlmsg_len > len ||
            upcall_decode(k, m, &upcalls[n_out])) {
            COUNTER_INC(upcall_malformed);
            continue;
        }
        upcalls[n_out++].recv_handler = handler;
    }
    COUNTER_ADD(upcall_received, n_out);
    return n_out;
}

int
kernel_recv(struct dp *dp, unsigned handler, struct dp_upcall *upcalls, unsigned max, int timeout_ms)
{
    struct kernel *k = kernel_cast(dp);
    struct kernel_handler *h = &k->handlers[handler];
    struct pollfd fds[] = {{.fd = nl_sock_fd(h->sock), .events = POLLIN},
                           {.fd = h->wake_fd, .events = POLLIN}};
    unsigned n = receive(k, h, handler, upcalls, max);
    int ready;

    if (n) {
        return (int) n;
    }
    urcu_qsbr_thread_offline();
    ready = poll(fds, ARRAY_SIZE(fds), timeout_ms);
    urcu_qsbr_thread_online();
    if (ready < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    if (fds[1].revents) {
        uint64_t count;

        if (read(h->wake_fd, &count, sizeof count) < 0 && errno != EAGAIN) {
            return -errno;
        }
    }
    return fds[0].revents ? (int) receive(k, h, handler, upcalls, max) : 0;
}
