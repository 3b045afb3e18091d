// SPDX-License-Identifier: Apache-2.0
// The listener of ofproto/trace: private to ofproto/trace*.c and tests.
#ifndef OFPROTO_TRACE_TREE_H
#define OFPROTO_TRACE_TREE_H 1

#include "lib/base/buf.h"
#include "lib/base/list.h"
#include "ofproto/trace.h"

struct trace_sink *trace_sink_create(void);
void trace_sink_destroy(struct trace_sink *);
void trace_sink_format(const struct trace_sink *, struct buf *);
uint32_t trace_sink_fork(const struct trace_sink *, struct flow_key *key); /* The last trace_fork(): its number and key. 0: none. */

#endif
