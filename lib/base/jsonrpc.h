// SPDX-License-Identifier: Apache-2.0
// JSON-RPC 1.0 as RFC 7047 section 4 uses it, over a stream: messages in, messages out, bounded. Both the OVSDB client and the control
// socket (ovs-appctl) speak it; hence here and not in lib/ovsdb.
#ifndef LIB_BASE_JSONRPC_H
#define LIB_BASE_JSONRPC_H 1

#include <jansson.h>
#include "lib/base/stream.h"

enum jsonrpc_type { JSONRPC_REQUEST, JSONRPC_NOTIFY, JSONRPC_REPLY, JSONRPC_ERROR };

/* Owned references, NULL where the type has none. */
struct jsonrpc_msg {
    enum jsonrpc_type type;
    char *method;
    json_t *params; /* Request, notify. */
    json_t *result; /* Reply. */
    json_t *error;  /* Error. */
    json_t *id;
};

void jsonrpc_msg_clear(struct jsonrpc_msg *);
/* Takes no reference to 'json'. 0, or -EPROTO with '*why' (static text). */
int jsonrpc_msg_from_json(json_t *json, struct jsonrpc_msg *, const char **why);

struct jsonrpc;
struct jsonrpc_ops {
    void (*connected)(struct jsonrpc *, void *arg);
    void (*received)(struct jsonrpc *, struct jsonrpc_msg *, void *arg); /* 'msg' is cleared by the caller after it. "echo" is answered inside. */
    void (*closed)(struct jsonrpc *, int error, void *arg);              /* As struct stream_ops. -EPROTO: the peer sent garbage. */
};

/* Takes over 'stream' (connecting or connected). 'max_msg' bounds one message in bytes (-EMSGSIZE closes). */
struct jsonrpc *jsonrpc_create(struct stream *, size_t max_msg, const struct jsonrpc_ops *, void *arg);
void jsonrpc_close(struct jsonrpc *);
/* Each steals the references to its json_t arguments. */
void jsonrpc_request(struct jsonrpc *, const char *method, json_t *params, json_t *id);
void jsonrpc_notify(struct jsonrpc *, const char *method, json_t *params);
void jsonrpc_reply(struct jsonrpc *, json_t *result, json_t *id);
void jsonrpc_error(struct jsonrpc *, json_t *error, json_t *id);
size_t jsonrpc_backlog(const struct jsonrpc *);
struct stream *jsonrpc_stream(struct jsonrpc *);

/* Splits a byte stream into JSON texts: fuzzed on its own. Feeds 'bytes'; calls got() for each whole value (a reference that got() steals).
 * 0, or -EPROTO / -EMSGSIZE after which the splitter must be cleared. */
struct json_splitter {
    struct buf pending;
    size_t scanned;
    unsigned depth;
    bool in_string, escaped;
};
int json_splitter_feed(struct json_splitter *, struct slice bytes, size_t max_msg, void (*got)(json_t *, void *arg), void *arg);
void json_splitter_clear(struct json_splitter *);

#endif
