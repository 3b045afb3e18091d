// SPDX-License-Identifier: Apache-2.0
// Ports on the wire. 1.0 has 16-bit numbers and features of its own numbering, 1.1 has both wider, 1.4 has properties.
#include <config.h>
#include "lib/of/body.h"

#define PORT_NAME_LEN 16
#define CONFIG11 (OFPPC_PORT_DOWN | OFPPC_NO_RECV | OFPPC_NO_FWD | OFPPC_NO_PACKET_IN)
#define CONFIG10 0x7fu
#define STATE11 (OFPPS_LINK_DOWN | OFPPS_BLOCKED | OFPPS_LIVE)
#define PROP_ETHERNET 0

/* Rates up to 10 Gb/s have one number; 1.1 put three faster ones and "other" in front of media and pause. */
static uint32_t
features10(uint32_t f)
{
    return (f & 0x7f) | (f >> 4 & 0xf80);
}

static uint32_t
features_from10(uint32_t f)
{
    return (f & 0x7f) | (f & 0xf80) << 4;
}

static void
put_name(const char *name, struct buf *b)
{
    char text[PORT_NAME_LEN] = {0};

    memcpy(text, name, MIN(strlen(name), sizeof text - 1));
    buf_put(b, text, sizeof text);
}

static void
encode10(const struct of_port *p, struct buf *b)
{
    buf_put_be16(b, (uint16_t) p->number);
    buf_put(b, &p->mac, sizeof p->mac);
    put_name(p->name, b);
    buf_put_be32(b, p->config & CONFIG10);
    buf_put_be32(b, p->state & OFPPS_LINK_DOWN);
    buf_put_be32(b, features10(p->curr));
    buf_put_be32(b, features10(p->advertised));
    buf_put_be32(b, features10(p->supported));
    buf_put_be32(b, features10(p->peer));
}

static void
put_features11(const struct of_port *p, struct buf *b)
{
    buf_put_be32(b, p->curr);
    buf_put_be32(b, p->advertised);
    buf_put_be32(b, p->supported);
    buf_put_be32(b, p->peer);
    buf_put_be32(b, p->curr_speed);
    buf_put_be32(b, p->max_speed);
}

void
of_port_encode(const struct of_port *p, enum of_version version, struct buf *b)
{
    if (version == OF10) {
        encode10(p, b);
        return;
    }
    buf_put_be32(b, p->number);
    buf_put_be16(b, version >= OF14 ? 72 : 0);
    buf_put_zeros(b, 2);
    buf_put(b, &p->mac, sizeof p->mac);
    buf_put_zeros(b, 2);
    put_name(p->name, b);
    buf_put_be32(b, p->config & CONFIG11);
    buf_put_be32(b, p->state & STATE11);
    if (version >= OF14) {
        buf_put_be16(b, PROP_ETHERNET);
        buf_put_be16(b, 32);
        buf_put_zeros(b, 4);
    }
    put_features11(p, b);
}

void
port_status_encode(const struct of_port *p, enum of_port_reason reason, enum of_version version, struct buf *b)
{
    size_t start = of_msg_begin(b, MSG_PORT_STATUS, version, 0);

    buf_put_u8(b, (uint8_t) reason);
    buf_put_zeros(b, 7);
    of_port_encode(p, version, b);
    of_msg_end(b, start);
}

static enum of_error
decode_mod_props(struct slice s, struct of_port_mod *pm)
{
    while (s.len) {
        uint16_t type, len;
        struct slice peek = s;

        if (!slice_get_be16(&peek, &type) || !slice_get_be16(&peek, &len) || len < 4 || ROUND_UP((size_t) len, 8) > s.len) {
            return OFERR_OFPBPC_BAD_LEN;
        }
        if (type != PROP_ETHERNET) {
            return OFERR_OFPBPC_BAD_TYPE;
        }
        if (len != 8) {
            return OFERR_OFPBPC_BAD_LEN;
        }
        slice_get_be32(&peek, &pm->advertise);
        slice_pull(&s, 8);
    }
    return OFERR_OK;
}

static enum of_error
decode_mod11(const struct of_msg *m, struct of_port_mod *pm)
{
    struct slice s = m->body;
    be32 port = 0;

    slice_get(&s, &port, sizeof port);
    slice_pull(&s, 4);
    slice_get(&s, &pm->mac, sizeof pm->mac);
    slice_pull(&s, 2);
    slice_get_be32(&s, &pm->config);
    slice_get_be32(&s, &pm->mask);
    pm->config &= CONFIG11;
    pm->mask &= CONFIG11;
    if (!of_port_from_wire32(port, &pm->port)) {
        return OFERR_OFPPMFC_BAD_PORT;
    }
    if (m->version >= OF14) {
        return decode_mod_props(s, pm);
    }
    slice_get_be32(&s, &pm->advertise);
    return OFERR_OK;
}

enum of_error
port_mod_decode(const struct of_msg *m, struct of_port_mod *pm)
{
    struct slice s = m->body;
    uint32_t advertise = 0;
    be16 port = 0;

    memset(pm, 0, sizeof *pm);
    if (m->row != MSG_PORT_MOD10) {
        return decode_mod11(m, pm);
    }
    slice_get(&s, &port, sizeof port);
    slice_get(&s, &pm->mac, sizeof pm->mac);
    slice_get_be32(&s, &pm->config);
    slice_get_be32(&s, &pm->mask);
    slice_get_be32(&s, &advertise);
    pm->port = of_port_from_wire16(port);
    pm->config &= CONFIG10;
    pm->mask &= CONFIG10;
    pm->advertise = features_from10(advertise);
    return OFERR_OK;
}

enum of_error
port_number_decode(const struct of_msg *m, uint32_t *port)
{
    struct slice s = m->body;
    be16 port16 = 0;
    be32 port32 = 0;

    if (m->version == OF10) {
        slice_get(&s, &port16, sizeof port16);
        *port = of_port_from_wire16(port16);
        return OFERR_OK;
    }
    slice_get(&s, &port32, sizeof port32);
    return of_port_from_wire32(port32, port) ? OFERR_OK : OFERR_OFPBRC_BAD_PORT;
}

static void
put_counters(const struct of_port_stats *s, struct buf *b)
{
    const uint64_t counters[] = {
        s->rx_packets, s->tx_packets, s->rx_bytes, s->tx_bytes, s->rx_dropped, s->tx_dropped, s->rx_errors, s->tx_errors,
    };

    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        buf_put_be64(b, counters[i]);
    }
}

static void
put_ethernet_counters(const struct of_port_stats *s, struct buf *b)
{
    buf_put_be64(b, s->rx_frame);
    buf_put_be64(b, s->rx_over);
    buf_put_be64(b, s->rx_crc);
    buf_put_be64(b, s->collisions);
}

static void
encode_stats14(const struct of_port_stats *s, struct buf *b)
{
    buf_put_be16(b, 80 + 40);
    buf_put_zeros(b, 2);
    buf_put_be32(b, s->number);
    buf_put_be32(b, s->duration_sec);
    buf_put_be32(b, s->duration_nsec);
    put_counters(s, b);
    buf_put_be16(b, PROP_ETHERNET);
    buf_put_be16(b, 40);
    buf_put_zeros(b, 4);
    put_ethernet_counters(s, b);
}

void
port_stats_encode(const struct of_port_stats *s, enum of_version version, struct buf *b)
{
    if (version >= OF14) {
        encode_stats14(s, b);
        return;
    }
    if (version == OF10) {
        buf_put_be16(b, (uint16_t) s->number);
        buf_put_zeros(b, 6);
    } else {
        buf_put_be32(b, s->number);
        buf_put_zeros(b, 4);
    }
    put_counters(s, b);
    put_ethernet_counters(s, b);
    if (version == OF13) {
        buf_put_be32(b, s->duration_sec);
        buf_put_be32(b, s->duration_nsec);
    }
}
