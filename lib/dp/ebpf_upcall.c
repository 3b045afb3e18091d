// SPDX-License-Identifier: Apache-2.0
// What programs send up: records of the rings become packets that the userspace datapath behind them receives.
//
// A sender on this host may have left the transport checksum to the device. Programs cannot tell, but the packet does: its checksum is wrong, and the field has the
// sum of the pseudo header, where the device would have begun (Linux, Documentation/networking/checksum-offloads.rst). It is completed here, and a
// packet that is to be segmented is (lib/dp/user_gso.c).
#include <config.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/counter.h"
#include "lib/dp/ebpf.h"
#include "lib/flow/wire.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5 /* virtio 1.2; in headers since Linux 6.2. */
#endif

COUNTER(ebpf_upcall_bad, "A record of an eBPF ring was not what a program writes.");

#define BATCH 64 /* Records taken at a time: what is not taken waits in the ring, whose room is bounded by port. */

/* Where the transport checksum is, if the packet has one that is all there; else NULL. '*sum': of the pseudo header, folded. */
static uint8_t *
checksum_of(struct packet *p, const struct flow_key *key, uint32_t *sum, size_t *len)
{
    bool is_ipv6 = key->eth_type == htons(WIRE_ETH_IPV6);
    size_t at = key->nw_proto == IPPROTO_TCP ? TCP_CSUM : UDP_CSUM, ip_len;
    be32 pseudo[2];

    if (p->l4 == PACKET_NO_LAYER || key->nw_frag || (key->nw_proto != IPPROTO_TCP && key->nw_proto != IPPROTO_UDP)) {
        return NULL;
    }
    ip_len = is_ipv6 ? (size_t) wire_u16(p->data + p->l3 + IP6_PAYLOAD) + WIRE_IPV6_LEN : wire_u16(p->data + p->l3 + IP4_TOTAL);
    *len = p->l3 + ip_len - p->l4;
    if (*len < at + 2) {
        return NULL;
    }
    pseudo[0] = htonl((uint32_t) *len);
    pseudo[1] = htonl(key->nw_proto);
    *sum = is_ipv6 ? csum_add(0, p->data + p->l3 + IP6_SRC, 32) : csum_add(0, p->data + p->l3 + IP4_SRC, 8);
    *sum = csum_add(*sum, pseudo, sizeof pseudo);
    return p->data + p->l4 + at;
}

static void
complete_checksum(struct packet *p, const struct flow_key *key)
{
    uint32_t pseudo;
    size_t len;
    uint8_t *field = checksum_of(p, key, &pseudo, &len);

    if (field && (wire_be16(field) ^ csum_finish(pseudo)) == UINT16_MAX && csum_finish(csum_add(pseudo, p->data + p->l4, len))) {
        uint16_t sum;

        wire_put_be16(field, 0);
        sum = csum_finish(csum_add(pseudo, p->data + p->l4, len));
        wire_put_be16(field, sum ? sum : UINT16_MAX);
    }
}

struct arrival {
    struct ebpf_reader *reader;
    const struct ebpf_upcall *up;
};

static struct flow_key
metadata_of(const struct ebpf_upcall *up)
{
    return (struct flow_key){.in_port = up->in_port,
                             .recirc_id = up->recirc_id,
                             .dp_hash = up->dp_hash,
                             .pkt_mark = up->pkt_mark,
                             .skb_priority = up->skb_priority};
}

/* The packet and all of its key. Takes the packet. */
static void
arrive_extracted(struct packet *p, struct flow_key *key, const struct arrival *a)
{
    const struct ebpf_upcall *up = a->up;
    struct user_dp *u = &a->reader->e->user;

    if (up->vlan_tpid) {
        packet_push_vlan(p, up->vlan_tpid, up->vlan_tci);
        wire_put_be16(p->data + WIRE_ETH_LEN, up->vlan_tci); /* With its drop eligible bit, which pushing clears. */
        packet_extract(p, key);
    }
    if (up->kind == EBPF_UPCALL_LOOKUP) {
        user_process_extracted(u, a->reader->handler, p, key);
    } else if (up->kind == EBPF_UPCALL_OUTPUT) {
        struct user_port *port = user_port_find(u, up->port);

        if (port) {
            user_port_send(port, p);
        }
        packet_free(p);
    } else {
        struct upcall_cookie cookie;

        memcpy(&cookie, up->cookie, sizeof cookie);
        user_upcall(u, a->reader->handler, p, key, &cookie);
    }
}

static void
arrive(struct packet *p, void *arrival)
{
    const struct arrival *a = arrival;
    struct flow_key key = metadata_of(a->up);

    packet_extract(p, &key);
    arrive_extracted(p, &key, a);
}

/* Segments of a large packet; user_gso.c wants to be told as a packet socket tells it. */
static void
split(const struct ebpf_upcall *up, const uint8_t *data, struct arrival *a)
{
    struct virtio_net_hdr h = {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = (uint16_t) up->gso_size};
    uint8_t *bytes = xmalloc(sizeof h + up->len);
    struct packet *p = packet_new(data, up->len);
    struct flow_key key;

    packet_extract(p, &key);
    if (key.nw_proto == IPPROTO_UDP) {
        h.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4;
    }
    packet_free(p);
    memcpy(bytes, &h, sizeof h);
    memcpy(bytes + sizeof h, data, up->len);
    user_gso_split(bytes, sizeof h + up->len, arrive, a);
    free(bytes);
}

static int
take_record(void *reader, void *data, size_t size)
{
    const struct ebpf_upcall *up = data;
    struct ebpf_reader *r = reader;
    struct arrival a = {r, up};

    if (size < sizeof *up || size - sizeof *up < up->len || up->in_port >= EBPF_MAX_PORTS) {
        COUNTER_INC(ebpf_upcall_bad);
        return 0;
    }
    __atomic_fetch_add(&r->e->ports[up->in_port].taken_bytes, sizeof *up + up->len, __ATOMIC_RELAXED);
    if (up->gso_size) {
        split(up, (const uint8_t *) (up + 1), &a);
    } else {
        struct packet *p = packet_new(up + 1, up->len);
        struct flow_key key = metadata_of(up);

        packet_extract(p, &key);
        complete_checksum(p, &key);
        arrive_extracted(p, &key, &a);
    }
    return ++r->n < BATCH ? 0 : -EAGAIN; /* Ends the walk behind this record. */
}

static int
source_fd(struct user_dp *u, unsigned handler)
{
    const struct ebpf *e = CONTAINER_OF(u, struct ebpf, user);

    return e->ring_fds[handler];
}

/* libbpf keeps what it calls back with the ring: who reads, and how much it has, is in the place that 'readers' has for it. */
static void
source_ready(struct user_dp *u, unsigned handler)
{
    struct ebpf *e = CONTAINER_OF(u, struct ebpf, user);

    e->readers[handler].n = 0;
    ring_buffer__consume(e->rings[handler]);
}

const struct user_source ebpf_source = {source_fd, source_ready, ebpf_flow_execute};

static int
ring_open(struct ebpf *e, uint32_t handler)
{
    int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "sluice_ring", 0, 0, e->settings.ebpf_ring_kb * 1024, NULL);
    int error;

    if (fd < 0) {
        return fd;
    }
    e->ring_fds[handler] = fd;
    e->readers[handler] = (struct ebpf_reader){.e = e, .handler = handler};
    e->rings[handler] = ring_buffer__new(fd, take_record, &e->readers[handler], NULL);
    error = e->rings[handler] ? bpf_map_update_elem(ebpf_map_rings(e), &handler, &fd, BPF_ANY) : -errno;
    return error;
}

/* New ones for this daemon: what an earlier one did not read is gone. */
int
ebpf_rings_open(struct ebpf *e)
{
    int error = 0;

    e->n_rings = MIN(e->user.n_handlers, EBPF_MAX_HANDLERS);
    e->rings = xcalloc(e->user.n_handlers, sizeof(struct ring_buffer *));
    e->readers = xcalloc(e->user.n_handlers, sizeof *e->readers);
    e->ring_fds = xcalloc(e->user.n_handlers, sizeof *e->ring_fds);
    for (unsigned i = 0; i < e->user.n_handlers; i++) {
        e->ring_fds[i] = -1;
    }
    for (unsigned i = 0; i < e->n_rings && !error; i++) {
        error = ring_open(e, i);
    }
    for (unsigned i = 0; i < EBPF_MAX_PORTS; i++) {
        e->ports[i].taken_bytes = e->ports[i].queued_bytes;
    }
    e->config->queue_bytes = e->settings.ebpf_queue_kb * 1024;
    __atomic_store_n(&e->config->n_handlers, error ? 0 : e->n_rings, __ATOMIC_RELEASE);
    return error;
}

void
ebpf_rings_close(struct ebpf *e)
{
    for (unsigned i = 0; i < e->n_rings; i++) {
        ring_buffer__free(e->rings[i]);
        if (e->ring_fds[i] >= 0) {
            close(e->ring_fds[i]);
        }
    }
    free(e->rings);
    free(e->readers);
    free(e->ring_fds);
}
