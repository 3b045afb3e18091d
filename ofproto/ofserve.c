// SPDX-License-Identifier: Apache-2.0
// From a request to who serves it: a row an operation of lib/of/msg.h.
#include <config.h>
#include "lib/base/counter.h"
#include "lib/base/log.h"
#include "ofproto/ofserve_private.h"

COUNTER(request_refused, "A request of an OpenFlow session was answered by an error.");
COUNTER(request_by_slave, "A session in the slave role asked for a change.");

/* 'changes': not for a controller in the slave role (1.3.5, section 6.3.6). */
static const struct {
    ofserve_fn *serve;
    bool changes;
} operations[OP_N] = {
    [OP_FEATURES] = {serve_features, false},
    [OP_GET_CONFIG] = {serve_get_config, false},
    [OP_SET_CONFIG] = {serve_set_config, false},
    [OP_PACKET_OUT] = {serve_packet_out, true},
    [OP_FLOW_MOD] = {serve_flow_mod, true},
    [OP_GROUP_MOD] = {serve_group_mod, true},
    [OP_PORT_MOD] = {serve_port_mod, true},
    [OP_TABLE_MOD] = {serve_table_mod, true},
    [OP_BARRIER] = {serve_barrier, false},
    [OP_QUEUE_CONFIG] = {serve_queue_config, false},
    [OP_ROLE] = {serve_role, false},
    [OP_GET_ASYNC] = {serve_get_async, false},
    [OP_SET_ASYNC] = {serve_set_async, false},
    [OP_METER_MOD] = {serve_meter_mod, true},
    [OP_BUNDLE_CONTROL] = {serve_bundle_control, true},
    [OP_BUNDLE_ADD] = {serve_bundle_add, true},
    [OP_SET_FLOW_FORMAT] = {serve_set_flow_format, false},
    [OP_FLOW_MOD_TABLE_ID] = {serve_flow_mod_table_id, false},
    [OP_SET_PACKET_IN_FORMAT] = {serve_set_packet_in_format, false},
    [OP_FLOW_AGE] = {serve_accept, false},
    [OP_SET_CONTROLLER_ID] = {serve_set_controller_id, false},
    [OP_MONITOR_CANCEL] = {serve_monitor_cancel, false},
    [OP_FLOW_MONITOR] = {serve_flow_monitor, false},
    [OP_TLV_TABLE_MOD] = {serve_tlv_table_mod, true},
    [OP_TLV_TABLE] = {serve_tlv_table, false},
    [OP_RESUME] = {serve_resume, true},
    [OP_CT_FLUSH_ZONE] = {serve_ct_flush_zone, true},
    [OP_CT_FLUSH] = {serve_ct_flush, true},
    [OP_DESC] = {serve_desc, false},
    [OP_FLOW_STATS] = {serve_flow_stats, false},
    [OP_AGGREGATE] = {serve_aggregate, false},
    [OP_TABLE_STATS] = {serve_table_stats, false},
    [OP_PORT_STATS] = {serve_port_stats, false},
    [OP_QUEUE_STATS] = {serve_queue_stats, false},
    [OP_GROUP_STATS] = {serve_group_stats, false},
    [OP_GROUP_DESC] = {serve_group_desc, false},
    [OP_GROUP_FEATURES] = {serve_group_features, false},
    [OP_METER_STATS] = {serve_meter_stats, false},
    [OP_METER_CONFIG] = {serve_meter_stats, false},
    [OP_METER_FEATURES] = {serve_meter_features, false},
    [OP_TABLE_FEATURES] = {serve_table_features, false},
    [OP_PORT_DESC] = {serve_port_desc, false},
    [OP_TABLE_DESC] = {serve_table_desc, false},
};

void
ofserve_request(struct ofconn *c, const struct of_msg *m)
{
    enum of_error error;

    if (!operations[m->op].serve) {
        error = OFERR_OFPBRC_BAD_TYPE; /* What only a switch sends. */
    } else if (m->stats_flags & OFPMPF_MORE && m->op != OP_TABLE_FEATURES) {
        error = OFERR_OFPBRC_MULTIPART_BUFFER_OVERFLOW; /* No request here needs more than one message. */
    } else if (operations[m->op].changes && c->role == OFPCR_SLAVE) {
        COUNTER_INC(request_by_slave);
        error = OFERR_OFPBRC_IS_SECONDARY;
    } else {
        error = operations[m->op].serve(c, m);
    }
    if (error) {
        COUNTER_INC(request_refused);
        ofconn_send_error(c, error, m);
    }
}

void
ofserve_forget(struct ofconn *c)
{
    ofmonitor_forget(c);
    ofbundle_forget(c);
}

void
ofserve_drained(struct ofconn *c)
{
    ofmonitor_drained(c);
}
