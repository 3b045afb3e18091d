// SPDX-License-Identifier: Apache-2.0
// What translation tells as it goes, for ofproto/trace: a tree of lines. Where nobody listens (NULL) nothing is formatted.
#ifndef OFPROTO_TRACE_H
#define OFPROTO_TRACE_H 1

#include "lib/flow/key.h"

struct ofproto;
struct trace_sink;

/* How a line is dressed, and whether lines may stand below it. */
enum trace_kind { TRACE_BRIDGE, TRACE_TABLE, TRACE_THAW, TRACE_ACTION, TRACE_DETAIL, TRACE_WARN, TRACE_ERROR };

void trace_add(struct trace_sink *, enum trace_kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The lines that follow stand below this one, until trace_leave() with what this returned. */
void *trace_enter(struct trace_sink *, enum trace_kind, const char *fmt, ...) PRINTF_LIKE(3, 4);
void trace_leave(struct trace_sink *, void *was);

/* A copy of the packet comes back from connection tracking under this number. */
void trace_fork(struct trace_sink *, uint32_t recirc_id, const struct flow_key *);

/* ovs-appctl ofproto/trace. */
void trace_register(struct ofproto *);

#endif
