// SPDX-License-Identifier: Apache-2.0
// The userspace datapath: megaflows and ports inside the daemon. It exists for tests: the whole daemon runs natively and under sanitizers, on hosts
// without openvswitch.ko, and is compared with the installed daemon's dummy datapath. The eBPF datapath embeds it as its slow path (lib/dp/ebpf.h).
//
// Type "dummy" has internal ports without a device; type "netdev" makes TAP devices of them, so that a host can use the bridge. Both need
// --enable-dummy. Ports of type "system" are real devices behind packet sockets in both.
//
// Threads: handler i receives from the ports whose number is i modulo the number of handlers, looks packets up and executes them in recv(). Ports and
// flows are read under RCU; flows are written under user_dp.mutex, which stands for the classifier's "main thread".
#ifndef LIB_DP_USER_H
#define LIB_DP_USER_H 1

#include <pthread.h>
#include <sys/uio.h>

#include "lib/base/appctl.h"
#include "lib/base/list.h"
#include "lib/base/rcu.h"
#include "lib/dp/dp.h"
#include "lib/dp/execute.h"
#include "lib/dp/meter.h"
#include "lib/flow/classifier.h"

#define USER_MAX_PORTS 65536
#define USER_MAX_QUEUE 4096     /* Packets and upcalls that wait for one handler. */
#define USER_MAX_RECIRC 16      /* Times that one packet is looked up again. */
#define USER_MAX_METERS 4096
#define USER_MAX_FLOWS 200000

extern const struct dp_ops dp_dummy_ops, dp_netdev_ops;

/* A port's way to its device. */
enum user_port_kind { USER_PORT_NO_DEVICE, USER_PORT_PACKET_SOCKET, USER_PORT_TAP, USER_PORT_SEND_ONLY /* A packet socket, too. */ };

struct user_port {
    struct dp_port port;
    enum user_port_kind kind;
    int fd;                        /* -1 without a device. */
    struct dp_port_stats stats;    /* Atomic. */
    int rx_pcap, tx_pcap;          /* Atomic; file descriptors, or -1. Packets are appended by single write() calls. */
};

#define USER_MAX_BURST 64 /* Packets that a port is given at a time. */

/* All ports; replaced as a whole. */
struct user_port_vector {
    size_t n;
    struct user_port *ports[];
};

struct user_actions {
    size_t len;
    uint64_t data[]; /* struct action records. */
};

struct user_flow {
    struct cls_rule cls;
    struct hnode node; /* In user_dp.by_ufid. */
    dp_ufid ufid;
    struct user_actions *actions; /* RCU. */
    struct dp_stats stats;        /* Atomic. */
};

/* What waits for a handler: a packet that came into a port by hand, or an upcall. */
struct user_item {
    struct cds_list_head node;
    bool is_upcall;
    struct dp_upcall upcall;         /* The packet; and its key when it is an upcall, else the key's metadata. */
    struct appctl_request *request;  /* Answered when the handler is done with the packet; NULL none. */
};

struct user_dp;
struct user_handler {
    pthread_mutex_t mutex;
    struct cds_list_head queue; /* struct user_item. */
    size_t n_queued;
    bool asleep; /* Or about to be: who puts something into the queue wakes it. */
    int event_fd;
    bool wake; /* Atomic. */
    /* The handler's own. */
    struct appctl_request *done[64]; /* Given out by the last recv(). */
    size_t n_done;
    struct dp_upcall *inbox; /* While it receives: what goes up is put here and not into the queue, as long as there is room. */
    unsigned n_inbox, max_inbox;
};

/* Another source of packets than ports, for who has this datapath behind it: a descriptor for each handler, and what to do when it is readable; and flows that
 * are there alone. Handlers' threads; RCU read section. */
struct user_source {
    int (*fd)(struct user_dp *, unsigned handler);
    void (*ready)(struct user_dp *, unsigned handler);
    const struct user_actions *(*find)(struct user_dp *, const struct packet *, const struct flow_key *); /* And the flow is credited. NULL: it has none. */
};

struct user_dp {
    struct dp dp;
    struct loop *loop;
    unsigned n_handlers;
    struct user_handler *handlers;
    pthread_mutex_t mutex;
    struct user_port **ports;      /* RCU: USER_MAX_PORTS by number. Written by the main thread. */
    struct user_port_vector *all_ports; /* RCU. Written by the main thread. */
    struct classifier *flows;
    struct htable by_ufid;         /* Under 'mutex'. */
    struct meter *meters;          /* By id; atomic. Of who embeds this, if it has its own. */
    uint32_t n_meters;
    uint64_t n_hit, n_missed, n_lost; /* Atomic. */
    bool taps; /* Internal ports are TAP devices. */
    const struct user_source *source; /* NULL: none. */
};

static inline struct user_dp *
user_dp_cast(struct dp *dp)
{
    return CONTAINER_OF(dp, struct user_dp, dp);
}

/* user.c: for a datapath that has this one behind it and embeds it. Main thread. */
void user_dp_init(struct user_dp *, const struct dp_ops *, const char *name, unsigned n_handlers, struct loop *);
void user_dp_uninit(struct user_dp *); /* Handlers have stopped. */
void user_port_publish(struct user_dp *, struct user_port *, uint32_t number /* Free. */);
int user_port_del(struct dp *, uint32_t number);
/* Never: ports change only by port_add and port_del, and who asked for one watches its device. */
void user_port_watch(struct dp *, void (*fn)(enum dp_port_event_type, const struct dp_port *, void *arg), void *arg);
int user_ct_flush(struct dp *, const uint16_t *zone); /* It tracks no connections: there are none to forget. */
void user_lookup_stats(struct dp *, uint64_t *hit, uint64_t *missed, uint64_t *lost, uint64_t *n_flows, uint64_t *mask_hits, uint32_t *n_masks);

/* user_port.c. The first four: main thread. */
struct user_port *user_port_create(const char *devname, const char *type);    /* Without a device. NULL: a name is too long. */
int user_port_open(struct user_dp *, const char *devname, const char *type, struct user_port **);
void user_port_close(void *port);                                             /* After a grace period. */
int user_port_set_pcap(int *fd, const char *path);                            /* Opens a capture file and writes its header. */
struct user_port *user_port_find(const struct user_dp *, uint32_t number);    /* RCU read section. */
struct user_port *user_port_by_name(const struct user_dp *, const char *name); /* user.c. Main thread. */
void user_port_send(struct user_port *, const struct packet *);               /* RCU read section. */
/* Several at once, for a port that takes them so: 1 to USER_MAX_BURST frames. */
bool user_port_takes_bursts(const struct user_port *);
void user_port_send_burst(struct user_port *, const struct iovec *frames, unsigned n); /* RCU read section. */
void user_port_count_received(struct user_port *, const struct packet *);
/* Reads what the device has, up to 'max' packets of it (segments of one packet are not counted). */
unsigned user_port_receive(struct user_port *, unsigned max, void (*fn)(struct packet *, void *arg), void *arg);

/* user_gso.c: a packet with a virtio_net_hdr before it, as packet sockets give it: fn gets ordinary packets, each its own. */
#define USER_VNET_LEN 10
void user_gso_split(const uint8_t *bytes, size_t len, void (*fn)(struct packet *, void *arg), void *arg);

/* user_flow.c */
struct user_flow *user_flow_find(const struct user_dp *, const dp_ufid *); /* Under 'mutex', or by the only one who changes flows. */
struct user_actions *user_actions_copy(const void *actions, size_t len); /* malloc'd; one block. */
void user_flow_put(struct dp *, struct dp_flow_put *, size_t n);
void user_flow_del(struct dp *, struct dp_flow_del *, size_t n);
int user_flow_get(struct dp *, const dp_ufid *, void (*fn)(const struct dp_flow_dumped *, void *arg), void *arg);
int user_flow_dump(struct dp *, bool terse, bool (*fn)(const struct dp_flow_dumped *, void *arg), void *arg);
int user_flow_flush(struct dp *);
int user_meter_set(struct dp *, const struct dp_meter *);
int user_meter_del(struct dp *, uint32_t id);
int user_meter_get(struct dp *, uint32_t id, struct dp_meter_stats *);

/* user_upcall.c. The first two: the handler's thread, in user_recv(); they take the packet, which has come into the port that 'key' says. Of the key there is the
 * metadata, or all of it. */
void user_process(struct user_dp *, unsigned handler, struct packet *, struct flow_key *metadata);
void user_process_extracted(struct user_dp *, unsigned handler, struct packet *, struct flow_key *);
/* The same thread: a packet that an action sends up. Takes it. */
void user_upcall(struct user_dp *, unsigned handler, struct packet *, const struct flow_key *, const struct upcall_cookie *);
void user_execute(struct dp *, struct dp_execute *, size_t n);
int user_recv(struct dp *, unsigned handler, struct dp_upcall *, unsigned max, int timeout_ms);
void user_wake(struct dp *);
bool user_enqueue(struct user_dp *, unsigned handler, struct user_item *); /* Takes the item; false when it was dropped. */
void user_handlers_create(struct user_dp *);
void user_handlers_destroy(struct user_dp *);

/* user_appctl.c: netdev-dummy/receive. */
void user_register_commands(struct user_dp *); /* The datapath whose ports commands name; NULL: none. */

#endif
