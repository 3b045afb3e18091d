// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <stdlib.h>
#include "lib/base/counter.h"
#include "lib/base/jsonrpc.h"
#include "lib/base/log.h"

COUNTER(jsonrpc_garbage,
        "A JSON-RPC peer sent what is no JSON, no message, or too long, and was disconnected.");
COUNTER(jsonrpc_paused, "Reading from a JSON-RPC peer stopped until it reads what we sent.");

/* With more than this unsent, the peer is not heard: it could make us answer without end. */
#define BACKLOG_HIGH (1024 * 1024)

static struct log_limit garbage_limit = LOG_LIMIT(5, 5);

struct jsonrpc {
    struct stream *stream;
    size_t max_msg;
    const struct jsonrpc_ops *ops;
    void *arg;
    struct json_splitter splitter;
    bool paused;
    bool *closed; /* Set by jsonrpc_close() while received() is called. */
    int error;    /* Why the peer's bytes are worth no more; 0 while they are. */
};

static bool
is_null(const json_t *json)
{
    return !json || json_is_null(json);
}

/* What is wrong with a message that has a method, or has none, by RFC 7047 section 4 and JSON-RPC 1.0; NULL
 * if nothing. */
static const char *
problem_of_request(const struct jsonrpc_msg *m)
{
    if (!json_is_array(m->params)) {
        return "a request needs an array \"params\"";
    }
    return is_null(m->result) && is_null(m->error) ? NULL : "a request has no \"result\" and no \"error\"";
}

static const char *
problem_of_reply(const struct jsonrpc_msg *m)
{
    if (!is_null(m->params)) {
        return "a reply has no \"params\"";
    }
    if (is_null(m->id)) {
        return "a reply needs an \"id\"";
    }
    if (!is_null(m->error) && !is_null(m->result)) {
        return "a reply has \"result\" or \"error\", not both";
    }
    return m->result || m->error ? NULL : "neither \"method\", \"result\" nor \"error\"";
}

static int
classify(const struct jsonrpc_msg *m, enum jsonrpc_type *type, const char **why)
{
    const char *problem;

    if (m->method) {
        *type = is_null(m->id) ? JSONRPC_NOTIFY : JSONRPC_REQUEST;
        problem = problem_of_request(m);
    } else {
        *type = is_null(m->error) ? JSONRPC_REPLY : JSONRPC_ERROR;
        problem = problem_of_reply(m);
    }
    *why = problem ? problem : *why;
    return problem ? -EPROTO : 0;
}

int
jsonrpc_msg_from_json(json_t *json, struct jsonrpc_msg *mp, const char **why)
{
    json_t *method = json_object_get(json, "method");
    struct jsonrpc_msg m = {0};
    int error = -EPROTO;

    if (!json_is_object(json)) {
        *why = "a message is an object";
    } else if (!is_null(method) && !json_is_string(method)) {
        *why = "\"method\" is no string";
    } else {
        m = (struct jsonrpc_msg){
            .method = is_null(method) ? NULL : xstrdup(json_string_value(method)),
            .params = json_incref(json_object_get(json, "params")),
            .result = json_incref(json_object_get(json, "result")),
            .error = json_incref(json_object_get(json, "error")),
            .id = json_incref(json_object_get(json, "id")),
        };
        error = classify(&m, &m.type, why);
    }
    if (error) {
        jsonrpc_msg_clear(&m);
    } else {
        *mp = m;
    }
    return error;
}

void
jsonrpc_msg_clear(struct jsonrpc_msg *m)
{
    free(m->method);
    json_decref(m->params);
    json_decref(m->result);
    json_decref(m->error);
    json_decref(m->id);
    *m = (struct jsonrpc_msg){0};
}

/* Sends 'json' and releases it. */
static void
send_json(struct jsonrpc *rpc, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);

    log_dbg(LOG_jsonrpc, "%s: send %s", stream_name(rpc->stream), text ? text : "nothing");
    if (text) { /* NULL: a string in it was not UTF-8. Whoever made it checked. */
        stream_send(rpc->stream, text, strlen(text));
        free(text);
    }
    json_decref(json);
    if (!rpc->paused && stream_backlog(rpc->stream) > BACKLOG_HIGH) {
        COUNTER_INC(jsonrpc_paused);
        rpc->paused = true;
        stream_pause(rpc->stream, true);
    }
}

void
jsonrpc_request(struct jsonrpc *rpc, const char *method, json_t *params, json_t *id)
{
    send_json(rpc, json_pack("{s:o, s:s, s:o}", "id", id, "method", method, "params", params));
}

void
jsonrpc_notify(struct jsonrpc *rpc, const char *method, json_t *params)
{
    send_json(rpc, json_pack("{s:n, s:s, s:o}", "id", "method", method, "params", params));
}

void
jsonrpc_reply(struct jsonrpc *rpc, json_t *result, json_t *id)
{
    send_json(rpc, json_pack("{s:n, s:o, s:o}", "error", "id", id, "result", result));
}

void
jsonrpc_error(struct jsonrpc *rpc, json_t *error, json_t *id)
{
    send_json(rpc, json_pack("{s:o, s:o, s:n}", "error", error, "id", id, "result"));
}

static void
handle_message(struct jsonrpc *rpc, struct jsonrpc_msg *m)
{
    if (m->type == JSONRPC_REQUEST && !strcmp(m->method, "echo")) {
        jsonrpc_reply(rpc, json_incref(m->params), json_incref(m->id)); /* RFC 7047 section 4.1.11. */
    } else {
        rpc->ops->received(rpc, m, rpc->arg);
    }
}

/* One JSON value. Once the connection was closed or broken, those that came in the same bytes are dropped. */
static void
got_json(json_t *json, void *rpc_)
{
    struct jsonrpc *rpc = rpc_;
    struct jsonrpc_msg m;
    const char *why;

    if (!*rpc->closed && !rpc->error) {
        rpc->error = jsonrpc_msg_from_json(json, &m, &why);
        if (rpc->error) {
            log_warn_rl(LOG_jsonrpc, &garbage_limit, "%s: received bad JSON-RPC message: %s",
                        stream_name(rpc->stream), why);
        } else {
            log_dbg(LOG_jsonrpc, "%s: received %s", stream_name(rpc->stream), m.method ? m.method : "reply");
            handle_message(rpc, &m);
            jsonrpc_msg_clear(&m);
        }
    }
    json_decref(json);
}

static void
on_readable(struct stream *stream, void *rpc_)
{
    struct jsonrpc *rpc = rpc_;
    /* The memory of 'rpc' outlives a jsonrpc_close() inside: it is freed here then. */
    bool closed = false;
    struct slice bytes = stream_peek(stream);
    uint8_t *copy = xmemdup(bytes.data, bytes.len);
    int error;

    stream_consume(stream, bytes.len);
    rpc->closed = &closed;
    error = json_splitter_feed(&rpc->splitter, slice_of(copy, bytes.len), rpc->max_msg, got_json, rpc);
    free(copy);
    if (closed) {
        json_splitter_clear(&rpc->splitter);
        free(rpc);
        return;
    }
    rpc->closed = NULL;
    if (error && !rpc->error) {
        rpc->error = error;
        log_warn_rl(LOG_jsonrpc, &garbage_limit, "%s: received %s", stream_name(stream),
                    error == -EMSGSIZE ? "a JSON text of too many bytes" : "what is no JSON");
    }
    if (rpc->error) {
        COUNTER_INC(jsonrpc_garbage);
        stream_pause(stream, true); /* Nothing more comes, even if the owner closes later. */
        rpc->ops->closed(rpc, rpc->error, rpc->arg);
    }
}

static void
on_connected(struct stream *stream, void *rpc_)
{
    struct jsonrpc *rpc = rpc_;

    rpc->ops->connected(rpc, rpc->arg);
}

static void
on_drained(struct stream *stream, void *rpc_)
{
    struct jsonrpc *rpc = rpc_;

    if (rpc->paused && !rpc->error) {
        rpc->paused = false;
        stream_pause(stream, false);
    }
}

static void
on_closed(struct stream *stream, int error, void *rpc_)
{
    struct jsonrpc *rpc = rpc_;

    rpc->ops->closed(rpc, error, rpc->arg);
}

struct jsonrpc *
jsonrpc_create(struct stream *stream, size_t max_msg, const struct jsonrpc_ops *ops, void *arg)
{
    static const struct stream_ops stream_ops = {on_connected, on_readable, on_drained, on_closed};
    struct jsonrpc *rpc = xzalloc(sizeof *rpc);

    rpc->stream = stream;
    rpc->max_msg = max_msg;
    rpc->ops = ops;
    rpc->arg = arg;
    stream_set_ops(stream, &stream_ops, rpc);
    return rpc;
}

void
jsonrpc_close(struct jsonrpc *rpc)
{
    if (rpc) {
        stream_close(rpc->stream);
        rpc->stream = NULL;
        if (rpc->closed) {
            *rpc->closed = true; /* on_readable() frees it. */
        } else {
            json_splitter_clear(&rpc->splitter);
            free(rpc);
        }
    }
}

size_t
jsonrpc_backlog(const struct jsonrpc *rpc)
{
    return stream_backlog(rpc->stream);
}

struct stream *
jsonrpc_stream(struct jsonrpc *rpc)
{
    return rpc->stream;
}
