// SPDX-License-Identifier: Apache-2.0
// Packets of which each is the first of its flow, for tests/bench/flows.py:
//
//     new_flows NETNS FROM OUT FIRST COUNT WINDOW
//
// COUNT datagrams, numbered from FIRST by their ports, leave by the device FROM, which is in the network namespace. No more than WINDOW are on their way to the
// device OUT of this one, so that none is lost and none meets a flow that is there. Prints how many arrived and the microseconds that they took.
#include <config.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/util.h"
#include "lib/flow/wire.h"
#include "tests/bench/frame.h"

#define A_TURN 64           /* Sent by one system call. */
#define NAP_US 20           /* Between two looks at the counter: to look all the time would take the processor, and the counter's cache line, from the switch. */
#define PATIENCE_US 1000000 /* What has not arrived after that is lost. */
#define PORTS_MIN 0x04000400 /* Both above those of protocols that a switch might look into. */

static int
open_counter(const char *device)
{
    char *path = xasprintf("/sys/class/net/%s/statistics/tx_packets", device);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        fatal(EXIT_FAILURE, errno, "%s", path);
    }
    free(path);
    return fd;
}

static uint64_t
read_counter(int fd)
{
    char text[32] = "";

    if (pread(fd, text, sizeof text - 1, 0) < 0) {
        fatal(EXIT_FAILURE, errno, "the counter of a device");
    }
    return strtoull(text, NULL, 10);
}

/* The process is in the namespace from then on. */
static int
open_sender(const char *netns, const char *device)
{
    char *path = xasprintf("/run/netns/%s", netns);
    int ns = open(path, O_RDONLY | O_CLOEXEC), fd = -1, one = 1;
    struct sockaddr_ll to = {.sll_family = AF_PACKET};

    if (ns >= 0 && !setns(ns, CLONE_NEWNET)) {
        to.sll_ifindex = (int) if_nametoindex(device);
        fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    }
    if (fd < 0 || !to.sll_ifindex || bind(fd, (struct sockaddr *) &to, sizeof to) || setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one)) {
        fatal(EXIT_FAILURE, errno, "%s in %s", device, netns);
    }
    close(ns);
    free(path);
    return fd;
}

struct sender {
    int fd;
    struct mmsghdr messages[A_TURN];
    struct iovec frames[A_TURN];
    struct packet *packets[A_TURN];
};

static void
sender_init(struct sender *s, const char *netns, const char *device)
{
    memset(s, 0, sizeof *s);
    s->fd = open_sender(netns, device);
    for (size_t i = 0; i < A_TURN; i++) {
        s->packets[i] = bench_frame();
        s->frames[i] = (struct iovec){s->packets[i]->data, s->packets[i]->len};
        s->messages[i].msg_hdr = (struct msghdr){.msg_iov = &s->frames[i], .msg_iovlen = 1};
    }
}

static void
sender_destroy(struct sender *s)
{
    for (size_t i = 0; i < A_TURN; i++) {
        packet_free(s->packets[i]);
    }
    close(s->fd);
}

static void
send_some(struct sender *s, uint64_t first, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        wire_put_be32(s->packets[i]->data + s->packets[i]->l4, htonl((uint32_t) (PORTS_MIN + first + i)));
    }
    if (sendmmsg(s->fd, s->messages, n, 0) != (int) n) {
        fatal(EXIT_FAILURE, errno, "datagrams");
    }
}

/* How many arrived; '*end_us' is when the last did. */
static uint64_t
send_all(struct sender *s, int counter, uint64_t first, uint64_t count, uint64_t window, int64_t *end_us)
{
    const struct timespec nap = {.tv_nsec = NAP_US * 1000};
    uint64_t base = read_counter(counter), sent = 0, arrived = 0;

    *end_us = now_us();
    while (arrived < count && now_us() - *end_us < PATIENCE_US) {
        uint64_t n = read_counter(counter) - base, room = MIN(window - (sent - n), count - sent);

        if (n > arrived) {
            arrived = n;
            *end_us = now_us();
        }
        if (room >= A_TURN || (room && sent + room == count)) {
            room = MIN(room, A_TURN);
            send_some(s, first + sent, (unsigned) room);
            sent += room;
        } else {
            nanosleep(&nap, NULL);
        }
    }
    return arrived;
}

static uint64_t
number_of(const char *argument)
{
    return strtoull(argument, NULL, 10);
}

int
main(int argc, char **argv)
{
    struct sender s;
    int64_t start, end;
    uint64_t arrived;
    int counter;

    if (argc != 7) {
        fatal(EXIT_FAILURE, 0, "usage: new_flows NETNS FROM OUT FIRST COUNT WINDOW");
    }
    counter = open_counter(argv[3]);
    sender_init(&s, argv[1], argv[2]);
    prctl(PR_SET_TIMERSLACK, 1000 /* ns */); /* By itself a nap may be 50 us longer. */
    start = now_us();
    arrived = send_all(&s, counter, number_of(argv[4]), number_of(argv[5]), MAX(number_of(argv[6]), 2 * A_TURN), &end);
    printf("%llu %lld\n", (unsigned long long) arrived, (long long) (end - start));
    sender_destroy(&s);
    close(counter);
    return 0;
}
