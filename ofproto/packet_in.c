// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include "ofproto/packet_in.h"

#include <stdlib.h>

#include "lib/base/counter.h"
#include "ofproto/freeze.h"
#include "ofproto/ofconn.h"
#include "ofproto/private.h"

COUNTER(packet_in_queued, "A packet was queued for controllers.");
COUNTER(packet_in_queue_full, "A packet for controllers was dropped: too many wait for the main thread.");

struct waiting {
    struct ofproto *ofproto;
    struct packet *packet;
    struct upcall_cookie cookie;
    struct flow_key key;
    struct buf userdata;
};

/* How many wait; one queue in the process. Atomic. */
static unsigned n_waiting;

static void
send_in_main(void *waiting)
{
    struct waiting *w = waiting;
    struct bridge *br = bridge_by_id(w->ofproto, w->cookie.bridge_id);

    __atomic_sub_fetch(&n_waiting, 1, __ATOMIC_RELAXED);
    if (br) {
        const struct packet_in pin = {.data = slice_of(w->packet->data, w->packet->len),
                                      .max_len = w->cookie.max_len,
                                      .key = w->key,
                                      .reason = w->cookie.of_reason,
                                      .table_id = w->cookie.table_id,
                                      .cookie = w->cookie.rule_cookie,
                                      .userdata = slice_of(w->userdata.data, w->userdata.len)};

        ofconns_send_packet_in(br->conns, &pin, w->cookie.controller_id);
    }
    packet_free(w->packet);
    buf_free(&w->userdata);
    free(w);
}

/* The packet's metadata as it was at the controller action: what the datapath knows, under what was frozen. */
static void
restore_metadata(struct waiting *w, const struct datapath *d)
{
    const struct freeze *f = w->cookie.recirc_id ? freeze_find(w->cookie.recirc_id) : NULL;
    const struct port *p = datapath_port(d, w->key.in_port);

    w->key.in_port = p ? p->ofp : OFPP_NONE;
    if (f) {
        w->key.in_port = f->meta.in_port;
        w->key.metadata = f->meta.metadata;
        memcpy(w->key.regs, f->meta.regs, sizeof w->key.regs);
        w->key.tun_id = f->meta.tun_id;
        buf_put(&w->userdata, f->userdata.data, f->userdata.len);
    }
}

void
packet_in_from_upcall(struct datapath *d, const struct dp_upcall *up)
{
    struct waiting *w;

    if (__atomic_fetch_add(&n_waiting, 1, __ATOMIC_RELAXED) >= PACKET_IN_MAX) {
        __atomic_sub_fetch(&n_waiting, 1, __ATOMIC_RELAXED);
        COUNTER_INC(packet_in_queue_full);
        return;
    }
    COUNTER_INC(packet_in_queued);
    w = xzalloc(sizeof *w);
    w->ofproto = d->ofproto;
    w->packet = packet_clone(up->packet);
    w->cookie = up->cookie;
    w->key = up->key;
    restore_metadata(w, d);
    loop_post(d->ofproto->loop, send_in_main, w);
}
