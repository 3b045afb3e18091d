// SPDX-License-Identifier: Apache-2.0
// Requests: what the files that serve them share. A handler returns OFERR_OK, or the error that the peer is told.
#ifndef OFPROTO_OFSERVE_PRIVATE_H
#define OFPROTO_OFSERVE_PRIVATE_H 1

#include "ofproto/ofconn_private.h"

#define SERVED_TABLES TABLE_INTERNAL /* Those that controllers may use: 0 .. 253. */

typedef enum of_error ofserve_fn(struct ofconn *, const struct of_msg *);

/* ofserve_flow.c */
ofserve_fn serve_flow_mod, serve_flow_stats, serve_aggregate, serve_packet_out;
/* ofserve_stats.c */
ofserve_fn serve_desc, serve_table_stats, serve_table_features, serve_table_desc, serve_port_stats, serve_port_desc, serve_queue_stats,
    serve_queue_config, serve_group_features, serve_meter_features, serve_group_desc, serve_group_mod, serve_meter_mod, serve_group_stats,
    serve_meter_stats;
/* ofserve_switch.c */
ofserve_fn serve_features, serve_get_config, serve_set_config, serve_barrier, serve_port_mod, serve_table_mod, serve_role, serve_get_async,
    serve_set_async, serve_set_flow_format, serve_flow_mod_table_id, serve_set_packet_in_format, serve_set_controller_id, serve_tlv_table,
    serve_tlv_table_mod, serve_ct_flush_zone, serve_ct_flush, serve_accept, serve_resume;

/* ofmonitor.c */
ofserve_fn serve_flow_monitor, serve_monitor_cancel;
void ofmonitor_forget(struct ofconn *);
void ofmonitor_drained(struct ofconn *);

/* ofbundle.c */
ofserve_fn serve_bundle_control, serve_bundle_add;
void ofbundle_forget(struct ofconn *);

enum of_error ofserve_apply_flow_mod(struct ofconn *, const struct of_msg *, struct transaction *); /* Which may be NULL. */
enum of_error ofserve_apply_port_mod(struct ofconn *, const struct of_port_mod *, bool check_only);

#endif
