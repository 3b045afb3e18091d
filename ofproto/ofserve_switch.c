// SPDX-License-Identifier: Apache-2.0
// Requests about the switch and the session itself.
#include <config.h>
#include "lib/base/log.h"
#include "ofproto/datapath.h"
#include "ofproto/ofserve_private.h"

/* Capabilities, section "Features"; ARP_MATCH_IP is of 1.0 and 1.1. */
enum { CAP_FLOW_STATS = 1, CAP_TABLE_STATS = 2, CAP_PORT_STATS = 4, CAP_QUEUE_STATS = 64, CAP_ARP_MATCH_IP = 128, CAP_BUNDLES = 512 };
#define OF10_ACTIONS_ALL 0xfff /* Output to enqueue: bits by action type. */

enum of_error
serve_features(struct ofconn *c, const struct of_msg *m)
{
    const struct bridge *br = c->mgr->bridge;
    const struct of_switch_features features = {
        .datapath_id = br->datapath_id,
        .n_tables = SERVED_TABLES,
        .capabilities = CAP_FLOW_STATS | CAP_TABLE_STATS | CAP_PORT_STATS | CAP_QUEUE_STATS | (m->version <= OF11 ? CAP_ARP_MATCH_IP : 0)
                        | (m->version >= OF14 ? CAP_BUNDLES : 0),
        .ofp10_actions = OF10_ACTIONS_ALL,
    };
    struct buf b = BUF_EMPTY;
    size_t start = switch_features_begin(&features, m->version, m->xid, &b);

    /* Ports are told here before 1.3, as many as fit; all of them by a request of their own. */
    for (size_t i = 0; m->version < OF13 && i < br->ports->n && b.len - start + 64 <= OF_MSG_MAX; i++) {
        of_port_encode(&br->ports->ports[i]->of, m->version, &b);
    }
    of_msg_end(&b, start);
    ofconn_send(c, &b);
    buf_free(&b);
    return OFERR_OK;
}

enum of_error
serve_get_config(struct ofconn *c, const struct of_msg *m)
{
    const struct of_switch_config config = {
        .frag = c->mgr->bridge->frag_mode,
        .miss_send_len = c->miss_send_len,
        .invalid_ttl_to_controller = c->invalid_ttl_to_controller,
    };
    struct buf b = BUF_EMPTY;

    switch_config_encode(&config, m->version, m->xid, &b);
    ofconn_send(c, &b);
    buf_free(&b);
    return OFERR_OK;
}

#define FRAG_REASSEMBLE 2 /* Not done here: the mode stays as it was. */

enum of_error
serve_set_config(struct ofconn *c, const struct of_msg *m)
{
    struct bridge *br = c->mgr->bridge;
    struct of_switch_config config;
    enum of_error error = switch_config_decode(m, &config);

    if (error) {
        return error;
    }
    if (c->role != OFPCR_SLAVE && config.frag != br->frag_mode && config.frag != FRAG_REASSEMBLE) {
        br->frag_mode = config.frag;
        bridge_changed(br);
    }
    if (config.invalid_ttl_to_controller >= 0) {
        c->invalid_ttl_to_controller = config.invalid_ttl_to_controller;
    }
    c->miss_send_len = config.miss_send_len;
    ofconns_update_miss(c->mgr);
    return OFERR_OK;
}

enum of_error
serve_barrier(struct ofconn *c, const struct of_msg *m)
{
    struct buf b = BUF_EMPTY;

    empty_encode(m->version == OF10 ? MSG_BARRIER_REPLY10 : MSG_BARRIER_REPLY11, m->version, m->xid, &b);
    ofconn_send(c, &b);
    buf_free(&b);
    return OFERR_OK;
}

enum of_error
ofserve_apply_port_mod(struct ofconn *c, const struct of_port_mod *pm, bool check_only)
{
    struct port *p = bridge_port(c->mgr->bridge, pm->port);

    if (!p) {
        return OFERR_OFPPMFC_BAD_PORT;
    }
    if (!eth_addr_equals(p->of.mac, pm->mac) && !eth_addr_is_zero(pm->mac)) {
        return OFERR_OFPPMFC_BAD_HW_ADDR;
    }
    if (!check_only) {
        port_mod(p, pm->config, pm->mask);
    }
    return OFERR_OK;
}

enum of_error
serve_port_mod(struct ofconn *c, const struct of_msg *m)
{
    struct of_port_mod pm;
    enum of_error error = port_mod_decode(m, &pm);

    return error ? error : ofserve_apply_port_mod(c, &pm, false);
}

#define TABLE_MISS_MASK 3

/* What a miss does is said by this message in 1.1 and 1.2; later the bits mean nothing, or ask for evictions, which there are none of. */
enum of_error
serve_table_mod(struct ofconn *c, const struct of_msg *m)
{
    struct bridge *br = c->mgr->bridge;
    struct slice s = m->body;
    uint8_t table_id = 0;
    uint32_t config = 0;

    slice_get_u8(&s, &table_id);
    slice_pull(&s, 3);
    slice_get_be32(&s, &config);
    if (table_id == TABLE_INTERNAL) {
        return OFERR_OFPTMFC_EPERM;
    }
    if (m->version >= OF14) {
        return config ? OFERR_OFPTMFC_BAD_CONFIG : OFERR_OK;
    }
    if (config & ~(uint32_t) TABLE_MISS_MASK || (config & TABLE_MISS_MASK) == TABLE_MISS_MASK) {
        return OFERR_OFPTMFC_BAD_CONFIG;
    }
    for (unsigned i = 0; i < SERVED_TABLES; i++) {
        if (table_id == OFPTT_ALL || table_id == i) {
            __atomic_store_n(&br->tables[i].miss_config, (uint8_t) config, __ATOMIC_RELAXED);
        }
    }
    bridge_changed(br);
    return OFERR_OK;
}

enum of_error
serve_role(struct ofconn *c, const struct of_msg *m)
{
    struct of_role_request r;
    enum of_error error = role_request_decode(m, &r);
    struct buf b = BUF_EMPTY;

    error = error ? error : ofconn_set_role(c, &r);
    if (error) {
        return error;
    }
    ofconns_update_miss(c->mgr);
    r = (struct of_role_request){
        .role = c->role, .has_generation = c->mgr->role_generation_set, .generation = c->mgr->role_generation};
    role_reply_encode(&r, m, &b);
    ofconn_send(c, &b);
    buf_free(&b);
    return OFERR_OK;
}

enum of_error
serve_get_async(struct ofconn *c, const struct of_msg *m)
{
    struct of_async defaults;
    struct buf b = BUF_EMPTY;

    async_reply_encode(ofconn_async(c, &defaults), m, &b);
    ofconn_send(c, &b);
    buf_free(&b);
    return OFERR_OK;
}

enum of_error
serve_set_async(struct ofconn *c, const struct of_msg *m)
{
    struct of_async defaults, async = *ofconn_async(c, &defaults);
    enum of_error error = async_decode(m, &async);

    if (error) {
        return error;
    }
    c->async = async;
    c->async_set = true;
    /* A service connection that asks wants whole packets, unless it said otherwise. */
    if (!c->primary && !c->miss_send_len) {
        c->miss_send_len = c->mgr->bridge->miss_send_len;
    }
    ofconns_update_miss(c->mgr);
    return OFERR_OK;
}

static uint32_t
first_word(const struct of_msg *m)
{
    struct slice s = m->body;
    uint32_t x = 0;

    slice_get_be32(&s, &x);
    return x;
}

/* Nicira's numbers of flow formats: 0 is 1.0's, 2 is NXM. */
enum of_error
serve_set_flow_format(struct ofconn *c, const struct of_msg *m)
{
    uint32_t format = first_word(m);

    if (format != 0 && format != 2) {
        return OFERR_OFPBRC_EPERM;
    }
    c->flow_format_nxm = format == 2;
    return OFERR_OK;
}

enum of_error
serve_flow_mod_table_id(struct ofconn *c, const struct of_msg *m)
{
    c->flow_mod_table_id = first_word(m) >> 24;
    return OFERR_OK;
}

enum of_error
serve_set_packet_in_format(struct ofconn *c, const struct of_msg *m)
{
    uint32_t format = first_word(m);

    /* 0: the version's own, 1: NXT_PACKET_IN, 2: NXT_PACKET_IN2. */
    if (format > PACKET_IN_NXT2) {
        return OFERR_OFPBRC_EPERM;
    }
    c->packet_in_format = (enum packet_in_format) format;
    return OFERR_OK;
}

enum of_error
serve_set_controller_id(struct ofconn *c, const struct of_msg *m)
{
    struct slice s = m->body;

    slice_pull(&s, 6);
    slice_get_be16(&s, &c->controller_id);
    ofconns_update_miss(c->mgr);
    return OFERR_OK;
}

enum of_error
serve_accept(struct ofconn *c, const struct of_msg *m)
{
    (void) c;
    (void) m;
    return OFERR_OK;
}

/* Tunnel options are matched by none of our tables: there is no room for them. */
enum of_error
serve_tlv_table(struct ofconn *c, const struct of_msg *m)
{
    struct buf b = BUF_EMPTY;
    size_t start = of_msg_begin(&b, MSG_NX_TLV_TABLE_REPLY, m->version, m->xid);

    buf_put_zeros(&b, 16);
    of_msg_end(&b, start);
    ofconn_send(c, &b);
    buf_free(&b);
    return OFERR_OK;
}

enum of_error
serve_tlv_table_mod(struct ofconn *c, const struct of_msg *m)
{
    enum { TLV_ADD, TLV_DELETE, TLV_CLEAR };
    uint16_t command = (uint16_t) (first_word(m) >> 16);

    (void) c;
    return command == TLV_CLEAR ? OFERR_OK : command > TLV_CLEAR ? OFERR_NXTTMFC_BAD_COMMAND
           : command == TLV_DELETE ? OFERR_NXTTMFC_INVALID_TLV_DEL : OFERR_NXTTMFC_TABLE_FULL;
}

static enum of_error
flush_connections(struct ofconn *c, const uint16_t *zone)
{
    struct dp *dp = c->mgr->bridge->datapath->dp;
    int error = dp->ops->ct_flush(dp, zone);

    /* A datapath without connection tracking has nothing to forget. */
    return error && error != -EOPNOTSUPP ? OFERR_OFPBRC_EPERM : OFERR_OK;
}

enum of_error
serve_ct_flush_zone(struct ofconn *c, const struct of_msg *m)
{
    struct slice s = m->body;
    uint16_t zone = 0;

    if (first_word(m)) {
        return OFERR_NXBRC_MUST_BE_ZERO;
    }
    slice_pull(&s, 6);
    slice_get_be16(&s, &zone);
    return flush_connections(c, &zone);
}

/* After protocol, family and padding come properties: type and length, then what they say. Datapaths forget all connections, or those of a zone, but no
 * single ones. */
enum of_error
serve_ct_flush(struct ofconn *c, const struct of_msg *m)
{
    enum { CT_FLUSH_ZONE = 2, CT_FLUSH_ZONE_LEN = 6 };
    struct slice s = m->body;
    bool one_protocol = first_word(m) >> 16, has_zone = false;
    uint16_t zone = 0;

    slice_pull(&s, 8);
    while (s.len) {
        uint16_t type, len;
        struct slice property = s;

        if (!slice_get_be16(&property, &type) || !slice_get_be16(&property, &len) || len < 4 || !slice_pull(&s, ROUND_UP((size_t) len, 8))) {
            return OFERR_OFPBPC_BAD_LEN;
        }
        if (type != CT_FLUSH_ZONE) {
            return OFERR_OFPBPC_BAD_TYPE;
        }
        if (len < CT_FLUSH_ZONE_LEN) {
            return OFERR_OFPBPC_BAD_LEN;
        }
        has_zone = slice_get_be16(&property, &zone);
    }
    return one_protocol ? OFERR_OFPBPC_BAD_TYPE : flush_connections(c, has_zone ? &zone : NULL);
}

/* Translation is never paused here, hence there is nothing to resume. */
enum of_error
serve_resume(struct ofconn *c, const struct of_msg *m)
{
    (void) c;
    (void) m;
    return OFERR_NXR_STALE;
}
