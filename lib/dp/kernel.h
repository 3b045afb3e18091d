// SPDX-License-Identifier: Apache-2.0
// The datapath of openvswitch.ko ("system"), over generic netlink: include/uapi/linux/openvswitch.h. What its
// files share; users see struct dp_ops only.
//
// A restarting daemon adopts the datapath: open() only re-points the upcalls at its own sockets, so that
// packets that miss while no handler runs yet wait in them. Ports and flows stay until somebody deletes them.
#ifndef LIB_DP_KERNEL_H
#define LIB_DP_KERNEL_H 1

#include <linux/openvswitch.h>
#include "lib/base/list.h"
#include "lib/dp/dp.h"
#include "lib/dp/taps.h"
#include "lib/nl/genl.h"

extern const struct dp_ops dp_kernel_ops;

#define KERNEL_N_RECEIVE 64 /* Upcalls read by one system call. */

/* One handler's end of the upcalls. Its thread's. */
struct kernel_handler {
    struct nl_sock *sock;
    int wake_fd; /* eventfd. */
    uint8_t *in; /* KERNEL_N_RECEIVE slots of KERNEL_SLOT bytes, of which untouched pages cost nothing. */
};

struct kernel {
    struct dp dp;
    int ifindex; /* The datapath's id in requests. */
    uint16_t dp_family, vport_family, flow_family, packet_family, meter_family; /* meter_family 0: none. */
    struct nl_pool *pool;
    bool per_cpu; /* Upcalls are sorted to handlers by the processor they happen on; else by a hash of the
                     packet. */
    unsigned n_handlers;
    struct kernel_handler *handlers;
    uint32_t *pids; /* Port ids of the handlers' sockets. */
    struct dp_features features;
    struct taps taps; /* Main thread. */

    struct loop *loop;
    struct nl_sock *events; /* Vport notifications. Main thread. */
    struct loop_fd *events_fd;
    void (*watch_fn)(enum dp_port_event_type, const struct dp_port *, void *arg);
    void *watch_arg;
};

static inline struct kernel *
kernel_cast(const struct dp *dp)
{
    return CONTAINER_OF(dp, struct kernel, dp);
}

/* A request to a family of the datapath, appended to 'b'; finished by nl_msg_end(). */
size_t kernel_begin(const struct kernel *, struct buf *b, uint16_t family, uint8_t cmd, uint16_t flags);
/* Attributes of an answer of such a family: 0 and 'tb'; -EPROTO if it is none or of another datapath. */
int kernel_parse(const struct kernel *, const struct nlmsghdr *, struct nl_attr *tb, size_t n);
/* Where userspace actions of flows from this port go, when the datapath is not told to choose. */
uint32_t kernel_upcall_pid(const struct kernel *, uint32_t in_port);

/* kernel_port.c */
int kernel_port_add(struct dp *, const char *devname, const char *type, uint32_t *number, char **why);
int kernel_port_del(struct dp *, uint32_t number);
int kernel_port_dump(struct dp *, void (*fn)(const struct dp_port *, void *arg), void *arg);
int kernel_port_stats(struct dp *, uint32_t number, struct dp_port_stats *);
void kernel_port_watch(struct dp *, void (*fn)(enum dp_port_event_type, const struct dp_port *, void *arg),
                       void *arg);
void kernel_port_unwatch(struct kernel *);
int
kernel_ports_direct_upcalls(struct kernel *); /* Points the upcalls of ports that are there at our sockets. */

/* kernel_flow.c */
void kernel_flow_put(struct dp *, struct dp_flow_put *, size_t n);
void kernel_flow_del(struct dp *, struct dp_flow_del *, size_t n);
int kernel_flow_get(struct dp *, const dp_ufid *, void (*fn)(const struct dp_flow_dumped *, void *arg),
                    void *arg);
int kernel_flow_dump(struct dp *, bool terse, bool (*fn)(const struct dp_flow_dumped *, void *arg),
                     void *arg);
int kernel_flow_flush(struct dp *);
void kernel_execute(struct dp *, struct dp_execute *, size_t n);

/* kernel_help.c: 0, or -errno of the first action that failed. */
int kernel_execute_helped(struct dp *, const struct dp_execute *);

/* kernel_upcall.c */
int kernel_handlers_open(struct kernel *, unsigned n);
void kernel_handlers_close(struct kernel *);
int kernel_recv(struct dp *, unsigned handler, struct dp_upcall *, unsigned max, int timeout_ms);
void kernel_wake(struct dp *);

/* kernel_meter.c */
int kernel_meter_set(struct dp *, const struct dp_meter *);
int kernel_meter_del(struct dp *, uint32_t id);
int kernel_meter_get(struct dp *, uint32_t id, struct dp_meter_stats *);
int kernel_ct_flush(struct dp *, const uint16_t *zone);

/* kernel_probe.c: finds what this kernel can do, by flows and packets that leave nothing behind. */
void kernel_probe(struct kernel *);

#endif
