// SPDX-License-Identifier: Apache-2.0
// Ports of the userspace datapath: devices behind packet sockets or TAP descriptors, ports without a device, and capture files of what crosses them.
#include <config.h>
#include "lib/dp/user.h"

#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/base/counter.h"
#include "lib/dp/netdev.h"
#include "lib/flow/wire.h"

COUNTER(user_send_failed, "A device refused a packet that the userspace datapath sent.");

#define MAX_FRAME (PACKET_MAX_LEN + USER_VNET_LEN)

static void
count(uint64_t *counter, uint64_t n)
{
    __atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/* A raw socket for what the device receives, not for what we or others send through it. Tags and offloaded work come beside the packet. */
static int
open_packet_socket(const char *devname, int *fdp)
{
    int one = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), error = 0;
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    struct packet_mreq mreq = {.mr_type = PACKET_MR_PROMISC};

    if (fd < 0) {
        return -errno;
    }
    address.sll_ifindex = mreq.mr_ifindex = (int) if_nametoindex(devname);
    if (!address.sll_ifindex) {
        error = -ENODEV;
    } else if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one)
               || setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof one)
               || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one)
               || setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mreq, sizeof mreq)
               || bind(fd, (const struct sockaddr *) &address, sizeof address)) {
        error = -errno;
    }
    if (error) {
        close(fd);
        return error;
    }
    *fdp = fd;
    return 0;
}

static int
open_device(struct user_dp *u, struct user_port *p)
{
    const char *type = p->port.type;

    if (!strcmp(type, "system") && !dp_dummy_is_for_all()) {
        p->kind = USER_PORT_PACKET_SOCKET;
        return open_packet_socket(p->port.name, &p->fd);
    }
    if (!strcmp(type, "tap") || (!strcmp(type, "internal") && u->taps)) {
        int error = netdev_tap_open(p->port.name, &p->fd);

        p->kind = USER_PORT_TAP;
        if (!error && fcntl(p->fd, F_SETFL, O_NONBLOCK) < 0) {
            error = -errno;
            close(p->fd);
        }
        return error;
    }
    p->kind = USER_PORT_NO_DEVICE;
    return !strcmp(type, "system") || !strcmp(type, "internal") || !strncmp(type, "dummy", 5) ? 0 : -EAFNOSUPPORT;
}

struct user_port *
user_port_create(const char *devname, const char *type)
{
    struct user_port *p;

    if (strlen(devname) >= sizeof p->port.name || strlen(type) >= sizeof p->port.type) {
        return NULL;
    }
    p = xzalloc(sizeof *p);
    strcpy(p->port.name, devname);
    strcpy(p->port.type, type);
    p->fd = p->rx_pcap = p->tx_pcap = -1;
    return p;
}

int
user_port_open(struct user_dp *u, const char *devname, const char *type, struct user_port **portp)
{
    struct user_port *p = user_port_create(devname, type);
    int error;

    if (!p) {
        return -ENAMETOOLONG;
    }
    error = open_device(u, p);
    if (error) {
        free(p);
        return error;
    }
    *portp = p;
    return 0;
}

void
user_port_close(void *port)
{
    struct user_port *p = port;
    int fds[] = {p->fd, p->rx_pcap, p->tx_pcap == p->rx_pcap ? -1 : p->tx_pcap};

    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    free(p);
}

/* The file format of libpcap, version 2.4, in the host's order: pcap-savefile(5). */
int
user_port_set_pcap(int *fdp, const char *path)
{
    static const struct {
        uint32_t magic;
        uint16_t major, minor;
        uint32_t zone, accuracy, max_len, link_type;
    } header = {0xa1b2c3d4, 2, 4, 0, 0, PACKET_MAX_LEN, 1};
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (fd < 0) {
        return -errno;
    }
    if (write(fd, &header, sizeof header) != sizeof header) {
        close(fd);
        return -EIO;
    }
    __atomic_store_n(fdp, fd, __ATOMIC_RELEASE);
    return 0;
}

/* One writev() appends a whole record, so that threads need no lock. */
static void
append_record(int fd, const struct packet *p)
{
    int64_t now = wall_ms();
    uint32_t record[4] = {(uint32_t) (now / 1000), (uint32_t) (now % 1000 * 1000), p->len, p->len};
    struct iovec iov[2] = {{record, sizeof record}, {p->data, p->len}};

    if (writev(fd, iov, 2) < 0) {
        COUNTER_INC(user_send_failed);
    }
}

static void
capture(const int *fdp, const struct packet *p)
{
    int fd = __atomic_load_n(fdp, __ATOMIC_ACQUIRE);

    if (fd >= 0) {
        append_record(fd, p);
    }
}

struct user_port *
user_port_find(const struct user_dp *u, uint32_t number)
{
    return number < USER_MAX_PORTS ? __atomic_load_n(&u->ports[number], __ATOMIC_CONSUME) : NULL;
}

/* Its socket, which receives packets that are to be segmented, wants a header before each. */
static bool
wants_header(const struct user_port *port)
{
    return port->kind == USER_PORT_PACKET_SOCKET;
}

void
user_port_send(struct user_port *port, const struct packet *p)
{
    uint8_t vnet[USER_VNET_LEN] = {0};
    struct iovec iov[2] = {{vnet, sizeof vnet}, {p->data, p->len}};
    bool has_header = wants_header(port);

    if (port->fd >= 0 && writev(port->fd, has_header ? iov : iov + 1, has_header ? 2 : 1) < 0) {
        count(&port->stats.tx_dropped, 1);
        COUNTER_INC(user_send_failed);
        return;
    }
    count(&port->stats.tx_packets, 1);
    count(&port->stats.tx_bytes, p->len);
    capture(&port->tx_pcap, p);
}

/* What cannot be sent is skipped. */
static void
send_messages(struct user_port *port, struct mmsghdr *messages, unsigned n)
{
    for (unsigned i = 0; i < n;) {
        int sent = sendmmsg(port->fd, messages + i, n - i, 0);

        if (sent <= 0) {
            count(&port->stats.tx_dropped, 1);
            COUNTER_INC(user_send_failed);
            i++;
            continue;
        }
        uint64_t bytes = 0;

        for (int j = 0; j < sent; j++, i++) {
            bytes += messages[i].msg_hdr.msg_iov[messages[i].msg_hdr.msg_iovlen - 1].iov_len;
        }
        count(&port->stats.tx_packets, (uint64_t) sent);
        count(&port->stats.tx_bytes, bytes);
    }
}

bool
user_port_takes_bursts(const struct user_port *port)
{
    return (port->kind == USER_PORT_PACKET_SOCKET || port->kind == USER_PORT_SEND_ONLY) && port->fd >= 0 && __atomic_load_n(&port->tx_pcap, __ATOMIC_RELAXED) < 0;
}

void
user_port_send_burst(struct user_port *port, const struct iovec *frames, unsigned n)
{
    static uint8_t no_offload[USER_VNET_LEN];
    struct mmsghdr messages[USER_MAX_BURST];
    struct iovec parts[USER_MAX_BURST][2];
    unsigned first = wants_header(port) ? 0 : 1;

    for (unsigned i = 0; i < n; i++) {
        parts[i][0] = (struct iovec){no_offload, sizeof no_offload};
        parts[i][1] = frames[i];
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i][first], .msg_iovlen = 2 - first}};
    }
    send_messages(port, messages, n);
}

void
user_port_count_received(struct user_port *port, const struct packet *p)
{
    count(&port->stats.rx_packets, 1);
    count(&port->stats.rx_bytes, p->len);
    capture(&port->rx_pcap, p);
}

/* The kernel takes the outer tag off and says it beside the packet. */
static bool
stripped_tag(struct msghdr *msg, be16 *tpid, be16 *tci)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
            struct tpacket_auxdata aux;

            memcpy(&aux, CMSG_DATA(c), sizeof aux);
            *tpid = htons(aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : WIRE_ETH_VLAN);
            *tci = htons(aux.tp_vlan_tci);
            return aux.tp_status & TP_STATUS_VLAN_VALID;
        }
    }
    return false;
}

struct tagger {
    be16 tpid, tci;
    void (*fn)(struct packet *, void *);
    void *arg;
};

static void
put_tag_back(struct packet *p, void *tagger)
{
    struct tagger *t = tagger;

    packet_push_vlan(p, t->tpid, t->tci);
    wire_put_be16(p->data + WIRE_ETH_LEN, t->tci); /* With its drop eligible bit, which pushing clears. */
    t->fn(p, t->arg);
}

static ssize_t
receive_one(struct user_port *port, uint8_t *bytes, void (*fn)(struct packet *, void *), void *arg)
{
    union {
        char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {bytes, MAX_FRAME};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct tagger tagger = {.fn = fn, .arg = arg};
    ssize_t n;

    if (port->kind == USER_PORT_TAP) {
        n = read(port->fd, bytes, PACKET_MAX_LEN);
        if (n > 0) {
            fn(packet_new(bytes, (size_t) n), arg);
        }
        return n;
    }
    n = recvmsg(port->fd, &msg, MSG_DONTWAIT);
    if (n > 0 && !(msg.msg_flags & MSG_TRUNC)) {
        bool tagged = stripped_tag(&msg, &tagger.tpid, &tagger.tci);

        user_gso_split(bytes, (size_t) n, tagged ? put_tag_back : fn, tagged ? (void *) &tagger : arg);
    }
    return n;
}

unsigned
user_port_receive(struct user_port *port, unsigned max, void (*fn)(struct packet *, void *), void *arg)
{
    uint8_t *bytes = xmalloc(MAX_FRAME);
    unsigned n = 0;

    while (n < max && receive_one(port, bytes, fn, arg) > 0) {
        n++;
    }
    free(bytes);
    return n;
}
