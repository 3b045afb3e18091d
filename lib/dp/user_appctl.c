// SPDX-License-Identifier: Apache-2.0
// netdev-dummy/receive: packets into ports by hand, in hexadecimal or as a datapath flow. The reply says that the packet went its way, the daemon's
// handling of a miss included.
#include <config.h>
#include "lib/dp/user.h"

#include <stdlib.h>

/* The datapath that commands are about; there is one of the type at most. */
static struct user_dp *commanded;

static int
hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Pairs of digits with blanks between them at will. NULL if it is anything else or too short for a frame. */
static struct packet *
packet_from_hex(const char *s)
{
    struct buf b = BUF_EMPTY;
    struct packet *p = NULL;

    for (; *s; s++) {
        if (*s == ' ' || *s == '\n' || *s == '\t') {
            continue;
        }
        if (hex_digit(s[0]) < 0 || hex_digit(s[1]) < 0 || b.len == PACKET_MAX_LEN) {
            buf_free(&b);
            return NULL;
        }
        buf_put_u8(&b, (uint8_t) (hex_digit(s[0]) << 4 | hex_digit(s[1])));
        s++;
    }
    if (b.len >= 14) {
        p = packet_new(b.data, b.len);
    }
    buf_free(&b);
    return p;
}

/* 'len' of the whole frame, 0: as it comes. */
static struct packet *
packet_from_flow(const char *text, size_t len)
{
    struct flow_key key, mask;
    struct packet *p;
    char *error = dp_match_parse(text, NULL, &key, &mask);

    if (error) {
        free(error);
        return NULL;
    }
    p = packet_compose(&key, 0);
    if (len > p->len) {
        size_t payload = len - p->len;

        packet_free(p);
        p = packet_compose(&key, payload);
    }
    return p;
}

static void
receive(struct user_port *port, struct packet *p, struct appctl_request *request)
{
    struct user_item *item = xzalloc(sizeof *item);

    item->upcall.packet = p;
    item->upcall.key.in_port = port->port.number;
    item->request = request;
    if (!user_enqueue(commanded, port->port.number % commanded->n_handlers, item) && request) {
        appctl_error(request, "too many packets are waiting");
    }
}

static struct user_port *
find_port(const char *name)
{
    struct user_port *p = commanded ? user_port_by_name(commanded, name) : NULL;

    return p && p->fd < 0 ? p : NULL;
}

/* argv: name [--qid n] then packets, each with an optional [--len n] behind it. Queues make no difference here. */
static bool
parse_packets(int argc, const char *argv[], struct packet **packets, size_t *n)
{
    for (int i = 2; i < argc; i++) {
        uint64_t len = 0;

        if (!strcmp(argv[i], "--qid") && i + 1 < argc) {
            i++;
            continue;
        }
        if (i + 2 < argc && !strcmp(argv[i + 1], "--len") && parse_u64(argv[i + 2], PACKET_MAX_LEN, &len)) {
            return false;
        }
        packets[*n] = packet_from_hex(argv[i]);
        if (!packets[*n]) {
            packets[*n] = packet_from_flow(argv[i], (size_t) len);
        }
        if (!packets[*n]) {
            return false;
        }
        ++*n;
        i += i + 2 < argc && !strcmp(argv[i + 1], "--len") ? 2 : 0;
    }
    return true;
}

static void
cmd_receive(struct appctl_request *request, int argc, const char *argv[], void *aux)
{
    struct user_port *port = find_port(argv[1]);
    struct packet **packets;
    size_t n = 0;

    if (!port) {
        appctl_error(request, "no such dummy netdev");
        return;
    }
    packets = xcalloc((size_t) argc, sizeof(struct packet *));
    if (parse_packets(argc, argv, packets, &n) && n) {
        for (size_t i = 0; i < n; i++) {
            receive(port, packets[i], i + 1 < n ? NULL : request);
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            packet_free(packets[i]);
        }
        appctl_error(request, "bad packet or flow syntax");
    }
    free(packets);
}

void
user_register_commands(struct user_dp *u)
{
    static bool registered;

    commanded = u;
    if (!registered) {
        registered = true;
        appctl_register("netdev-dummy/receive", "name [--qid queue_id] packet|flow [--len packet_len]", 2, INT16_MAX, cmd_receive, NULL);
    }
}
