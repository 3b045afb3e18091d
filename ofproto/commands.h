// SPDX-License-Identifier: Apache-2.0
// The ovs-appctl commands of ofproto. Texts that scripts parse are those of the installed daemon.
#ifndef OFPROTO_COMMANDS_H
#define OFPROTO_COMMANDS_H 1

#include <jansson.h>

#include "ofproto/ofproto.h"

struct appctl_request;
struct datapath;

/* The datapath of this name, or with NULL the only one there is. NULL: answered with an error. */
struct datapath *datapath_of_args(struct ofproto *, struct appctl_request *, const char *name);

void commands_register(struct ofproto *);          /* All of them. */
void commands_register_bridge(struct ofproto *);   /* ofproto/list, bridge/..., qos/... */
void commands_register_datapath(struct ofproto *); /* dpif/..., dpctl/..., upcall/..., revalidator/... */
void commands_register_dumps(struct ofproto *);    /* dpctl/dump-flows, dpif/dump-flows. */
void commands_register_place(struct ofproto *);    /* sluice/flows, sluice/offload: for sluicectl(8). */

void commands_register_capabilities(struct ofproto *); /* sluice/capabilities, for sluicectl(8), too. */

/* Of commands that take --json. */
bool commands_want_json(int argc, const char *argv[]);
void commands_reply_json(struct appctl_request *, json_t * /* Taken. */);
/* The one, or what 'format' makes of the value. */
void commands_reply(struct appctl_request *, int argc, const char *argv[], json_t * /* Taken. */, void (*format)(json_t *, struct buf *));

#endif
