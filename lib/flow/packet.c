// SPDX-License-Identifier: Apache-2.0
// A packet's bytes, and the Internet checksum.
#include <config.h>
#include "lib/flow/packet.h"

#include <stdlib.h>

#include "lib/flow/wire.h"

static struct packet *
packet_alloc(size_t len)
{
    struct packet *p = xmalloc(sizeof *p + PACKET_HEADROOM + len);

    *p = (struct packet){.base = p->room,
                         .data = p->room + PACKET_HEADROOM,
                         .len = (uint32_t) len,
                         .headroom = PACKET_HEADROOM,
                         .l2_5 = PACKET_NO_LAYER,
                         .l3 = PACKET_NO_LAYER,
                         .l4 = PACKET_NO_LAYER};
    return p;
}

struct packet *
packet_new(const void *data, size_t len)
{
    struct packet *p = packet_alloc(len);

    if (len) {
        memcpy(p->data, data, len);
    }
    return p;
}

struct packet *
packet_clone(const struct packet *src)
{
    struct packet *p = packet_new(src->data, src->len);

    p->l2_5 = src->l2_5;
    p->l3 = src->l3;
    p->l4 = src->l4;
    p->cutlen = src->cutlen;
    return p;
}

static void
free_base(struct packet *p)
{
    if (p->base != p->room) {
        free(p->base);
    }
}

void
packet_free(struct packet *p)
{
    if (p) {
        free_base(p);
        free(p);
    }
}

void *
packet_push(struct packet *p, size_t n)
{
    if (n > p->headroom) {
        size_t room = n + PACKET_HEADROOM;
        uint8_t *base = xmalloc(room + p->len);

        memcpy(base + room, p->data, p->len);
        free_base(p);
        p->base = base;
        p->headroom = (uint32_t) room;
    }
    p->headroom -= (uint32_t) n;
    p->len += (uint32_t) n;
    p->data = p->base + p->headroom;
    return p->data;
}

void
packet_pull(struct packet *p, size_t n)
{
    p->data += n;
    p->headroom += (uint32_t) n;
    p->len -= (uint32_t) n;
}

uint16_t
csum_finish(uint32_t sum)
{
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t) ~sum;
}

uint32_t
csum_add(uint32_t sum, const void *data, size_t n)
{
    const uint8_t *p = data;

    for (; n >= 2; p += 2, n -= 2) {
        sum += wire_be16(p);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    if (n) {
        sum += htons((uint16_t) (*p << 8));
    }
    return (sum & 0xffff) + (sum >> 16);
}

uint16_t
csum(const void *data, size_t n)
{
    return csum_finish(csum_add(0, data, n));
}

uint16_t
csum_update16(uint16_t sum, be16 was, be16 is)
{
    return csum_finish((uint32_t) (uint16_t) ~sum + (uint16_t) ~was + is);
}

uint16_t
csum_update32(uint16_t sum, be32 was, be32 is)
{
    return csum_update16(csum_update16(sum, (be16) was, (be16) is), (be16) (was >> 16), (be16) (is >> 16));
}
