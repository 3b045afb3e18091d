// SPDX-License-Identifier: Apache-2.0
// Messages that nobody asked for just now: packets, removed flows, changed ports. Each session gets what it wants by its role and settings, and packets only while it
// keeps up.
#include <config.h>
#include "lib/base/counter.h"
#include "ofproto/ofconn_private.h"
#include "ofproto/private.h"

COUNTER(packet_in_sent, "A packet was sent to a controller.");
COUNTER(packet_in_unwanted, "A packet for controllers was wanted by none.");
COUNTER(packet_in_overflow, "A packet for a controller was dropped: the controller reads too slowly.");
COUNTER(packet_in_rate_limited, "A packet for a controller was dropped: controller_rate_limit.");

/* Service connections get nothing until they have asked by a miss_send_len; ovs-vswitchd's documentation of asynchronous messages. */
static bool
wants(const struct ofconn *c, const uint32_t masks[2], unsigned reason)
{
    bool listens = c->primary ? c->controller->config.enable_async : c->miss_send_len > 0;

    return c->state == OFCONN_ACTIVE && listens && masks[c->role == OFPCR_SLAVE] & 1u << reason;
}

/* One packet of controller_rate_limit a second, bursts of controller_burst_limit. */
static bool
within_rate(struct ofconn *c)
{
    const struct controller_config *config = &c->controller->config;
    int64_t now = now_ms(), burst = config->burst_limit ? config->burst_limit : config->rate_limit / 4;

    if (!config->rate_limit) {
        return true;
    }
    if (!c->tokens_at_ms) {
        c->tokens_milli = MAX(burst, 1) * 1000;
    } else {
        c->tokens_milli = MIN(c->tokens_milli + (now - c->tokens_at_ms) * config->rate_limit, MAX(burst, 1) * 1000);
    }
    c->tokens_at_ms = now;
    if (c->tokens_milli < 1000) {
        return false;
    }
    c->tokens_milli -= 1000;
    return true;
}

static void
send_packet_in(struct ofconn *c, const struct packet_in *pin)
{
    struct packet_in own = *pin;
    struct buf b = BUF_EMPTY;

    if (stream_backlog(c->stream) > OFCONN_ASYNC_MAX) {
        COUNTER_INC(packet_in_overflow);
        return;
    }
    if (!within_rate(c)) {
        COUNTER_INC(packet_in_rate_limited);
        return;
    }
    COUNTER_INC(packet_in_sent);
    packet_in_encode(&own, c->version, c->packet_in_format, &b);
    ofconn_send(c, &b);
    buf_free(&b);
}

/* OpenFlow before 1.3 tells a miss in a table without a miss rule as NO_MATCH, later versions not at all unless asked. */
static unsigned
wire_reason(const struct ofconn *c, uint8_t reason)
{
    return packet_in_wire_reason(reason, c->version);
}

void
ofconns_send_packet_in(struct ofconns *mgr, const struct packet_in *pin, uint16_t controller_id)
{
    struct ofconn *c;
    bool any = false;

    cds_list_for_each_entry (c, &mgr->all, node) {
        struct packet_in own = *pin;
        struct of_async defaults;

        own.reason = (uint8_t) wire_reason(c, pin->reason);
        if (pin->reason == OFPR_IMPLICIT_MISS && c->version >= OF13) {
            continue;
        }
        if (c->controller_id == controller_id && wants(c, ofconn_async(c, &defaults)->packet_in, own.reason)) {
            send_packet_in(c, &own);
            any = true;
        }
    }
    if (!any) {
        COUNTER_INC(packet_in_unwanted);
    }
}

void
ofconns_update_miss(struct ofconns *mgr)
{
    const struct ofconn *c;
    bool wanted = false;

    cds_list_for_each_entry (c, &mgr->all, node) {
        struct of_async defaults;

        wanted |= c->version < OF13 && !c->controller_id && wants(c, ofconn_async(c, &defaults)->packet_in, OFPR_NO_MATCH);
    }
    if (__atomic_exchange_n(&mgr->bridge->miss_to_controller, wanted, __ATOMIC_RELAXED) != wanted) {
        bridge_changed(mgr->bridge);
    }
}

void
ofconns_send_flow_removed(struct ofconns *mgr, const struct flow_removed *fr)
{
    struct ofconn *c;

    cds_list_for_each_entry (c, &mgr->all, node) {
        struct of_async defaults;

        if (wants(c, ofconn_async(c, &defaults)->flow_removed, fr->reason)) {
            struct buf b = BUF_EMPTY;

            flow_removed_encode(fr, c->version, c->flow_format_nxm, &b);
            ofconn_send(c, &b);
            buf_free(&b);
        }
    }
}

static bool
looks_the_same(const struct of_port *a, const struct of_port *b, enum of_version version)
{
    struct buf first = BUF_EMPTY, second = BUF_EMPTY;
    bool same;

    of_port_encode(a, version, &first);
    of_port_encode(b, version, &second);
    same = first.len == second.len && !memcmp(first.data, second.data, first.len);
    buf_free(&first);
    buf_free(&second);
    return same;
}

void
ofconns_send_port_status(struct ofconns *mgr, const struct of_port *port, const struct of_port *was, enum of_port_reason reason)
{
    struct ofconn *c;

    cds_list_for_each_entry (c, &mgr->all, node) {
        struct of_async defaults;

        if (wants(c, ofconn_async(c, &defaults)->port_status, reason) && !(was && looks_the_same(port, was, c->version))) {
            struct buf b = BUF_EMPTY;

            port_status_encode(port, reason, c->version, &b);
            ofconn_send(c, &b);
            buf_free(&b);
        }
    }
}
