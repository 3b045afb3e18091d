// SPDX-License-Identifier: Apache-2.0
// The control socket. A request is a JSON-RPC request whose method is the command and whose params are its
// arguments, as strings; the reply's result, or its error, is text that ends in a new line.
#include <config.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/base/appctl_private.h"
#include "lib/base/counter.h"
#include "lib/base/dirs.h"
#include "lib/base/jsonrpc.h"
#include "lib/base/list.h"
#include "lib/base/log.h"

COUNTER(appctl_request, "A command came through the control socket.");
COUNTER(appctl_refused_peer,
        "A connection to the control socket was dropped: too many, or too many unanswered requests.");

#define MAX_MESSAGE (256 * 1024)
#define MAX_CONNECTIONS 64
#define MAX_UNANSWERED 16 /* A connection's. */

struct appctl {
    char *path; /* NULL: no socket. */
    struct stream_listener *listener;
    struct cds_list_head connections; /* The oldest first. */
    unsigned n_connections;
};

struct connection {
    struct cds_list_head node;
    struct appctl *server;
    struct jsonrpc *rpc;
    struct cds_list_head requests; /* Unanswered. */
    unsigned n_requests;
};

struct remote_request {
    struct appctl_request up;
    struct cds_list_head node;
    struct connection *connection; /* NULL: the peer went away. */
    json_t *id;
};

static void
connection_close(struct connection *c)
{
    struct remote_request *r;

    cds_list_for_each_entry (r, &c->requests, node) {
        r->connection = NULL;
    }
    cds_list_del(&c->node);
    c->server->n_connections--;
    jsonrpc_close(c->rpc);
    free(c);
}

static json_t *
line_of(const char *text)
{
    size_t len = strlen(text);
    char *line = xasprintf(len && text[len - 1] != '\n' ? "%s\n" : "%s", text);
    json_t *json = json_string(line);

    free(line);
    return json ? json : json_string("the answer is not UTF-8\n");
}

static void
answer_remotely(struct appctl_request *up, bool failed, const char *text)
{
    struct remote_request *r = CONTAINER_OF(up, struct remote_request, up);
    struct connection *c = r->connection;

    if (c) {
        log_dbg(LOG_appctl, "replying with %s: \"%s\"", failed ? "error" : "success", text);
        if (failed) {
            jsonrpc_error(c->rpc, line_of(text), json_incref(r->id));
        } else {
            jsonrpc_reply(c->rpc, line_of(text), json_incref(r->id));
        }
        cds_list_del(&r->node);
        c->n_requests--;
    }
    json_decref(r->id);
    free(r);
}

static void
handle_request(struct connection *c, const struct jsonrpc_msg *m)
{
    struct remote_request *r = xzalloc(sizeof *r);
    size_t n = json_array_size(m->params);
    const char **argv = xcalloc(n + 2, sizeof *argv);
    bool all_strings = true;

    COUNTER_INC(appctl_request);
    log_dbg(LOG_appctl, "received request %s", m->method);
    r->up.answer = answer_remotely;
    r->connection = c;
    r->id = json_incref(m->id);
    cds_list_add_tail(&r->node, &c->requests);
    c->n_requests++;

    argv[0] = m->method;
    for (size_t i = 0; i < n; i++) {
        argv[i + 1] = json_string_value(json_array_get(m->params, i));
        all_strings &= argv[i + 1] != NULL;
    }
    if (all_strings) {
        appctl_dispatch(&r->up, (int) n + 1, argv);
    } else {
        char *error = xasprintf("\"%s\" command has non-string argument", m->method);

        appctl_error(&r->up, error);
        free(error);
    }
    free(argv);
}

static void
on_connected(struct jsonrpc *rpc, void *c)
{
}

static void
on_received(struct jsonrpc *rpc, struct jsonrpc_msg *m, void *c_)
{
    static struct log_limit limit = LOG_LIMIT(5, 5);
    struct connection *c = c_;

    if (m->type != JSONRPC_REQUEST) {
        log_warn_rl(LOG_appctl, &limit, "%s: received a message that is no request",
                    stream_name(jsonrpc_stream(rpc)));
        connection_close(c);
    } else if (c->n_requests >= MAX_UNANSWERED) {
        COUNTER_INC(appctl_refused_peer);
        log_warn_rl(LOG_appctl, &limit, "%s: too many unanswered requests", stream_name(jsonrpc_stream(rpc)));
        connection_close(c);
    } else {
        handle_request(c, m);
    }
}

static void
on_closed(struct jsonrpc *rpc, int error, void *c)
{
    connection_close(c);
}

/* Of the connections that wait for nothing, the oldest. NULL when all wait. */
static struct connection *
oldest_at_rest(struct appctl *server)
{
    struct connection *c;

    cds_list_for_each_entry (c, &server->connections, node) {
        if (!c->n_requests) {
            return c;
        }
    }
    return NULL;
}

static void
on_accept(struct stream *stream, void *server_)
{
    static const struct jsonrpc_ops ops = {on_connected, on_received, on_closed};
    struct appctl *server = server_;
    struct connection *c;

    if (server->n_connections >= MAX_CONNECTIONS) {
        c = oldest_at_rest(server);
        COUNTER_INC(appctl_refused_peer);
        if (!c) {
            stream_close(stream);
            return;
        }
        connection_close(c);
    }
    c = xzalloc(sizeof *c);
    c->server = server;
    CDS_INIT_LIST_HEAD(&c->requests);
    c->rpc = jsonrpc_create(stream, MAX_MESSAGE, &ops, c);
    cds_list_add_tail(&c->node, &server->connections);
    server->n_connections++;
}

/* The path that ovs-appctl(8) looks for, from what --unixctl said. */
static char *
socket_path(const char *option)
{
    char *name, *path;

    if (option) {
        return dirs_file_in(dirs_run(), option);
    }
    name = xasprintf("%s.%ld.ctl", program_name(), (long) getpid());
    path = dirs_file_in(dirs_run(), name);
    free(name);
    return path;
}

int
appctl_open(struct loop *loop, const char *option, struct appctl **serverp)
{
    struct appctl *server = xzalloc(sizeof *server);

    CDS_INIT_LIST_HEAD(&server->connections);
    if (!option || strcmp(option, "none")) {
        char *path = socket_path(option), *error;
        char *name = xasprintf("punix:%s", path);
        int result = stream_listen(loop, name, 0, on_accept, server, &server->listener, &error);

        if (result) {
            log_err(LOG_stream, "%s: %s", name, error);
            free(error);
            free(name);
            free(path);
            free(server);
            return result;
        }
        free(name);
        server->path = path;
    }
    *serverp = server;
    return 0;
}

static void
refuse_unanswered(struct connection *c)
{
    struct remote_request *r, *next;

    cds_list_for_each_entry_safe (r, next, &c->requests, node) {
        appctl_error(&r->up, "the daemon is exiting");
    }
}

void
appctl_close(struct appctl *server)
{
    struct connection *c, *next;

    if (server) {
        cds_list_for_each_entry_safe (c, next, &server->connections, node) {
            refuse_unanswered(c);
            connection_close(c);
        }
        stream_listener_close(server->listener);
        free(server->path);
        free(server);
    }
}

const char *
appctl_path(const struct appctl *server)
{
    return server->path;
}
