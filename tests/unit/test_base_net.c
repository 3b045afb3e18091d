// SPDX-License-Identifier: Apache-2.0
// Streams, JSON-RPC and the control socket, over real sockets in a directory of the test's own.
#include <config.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/base/appctl.h"
#include "lib/base/buf.h"
#include "lib/base/jsonrpc.h"
#include "lib/base/log.h"
#include "lib/base/stream.h"

static char dir[] = "/tmp/test_base_net.XXXXXX";

/* 'name' in the test's directory; valid until the next call. */
static const char *
path_of(const char *name)
{
    static char path[300];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* Both ends of one connection, and what came of it. */
struct fixture {
    struct loop *loop;
    struct stream_listener *listener;
    struct stream *client, *server;
    struct buf at_server, at_client;
    int client_error, server_error;
    bool client_closed, server_closed, connected;
    bool hang_up;                          /* The client goes as soon as it is connected. */
    size_t stop_at_client, stop_at_server; /* The loop stops when so many bytes are there. */
    struct loop_timer *deadline;
};

static void
too_late(void *arg)
{
    fail_msg("the loop waits in vain");
}

static void
take(struct stream *s, struct buf *b)
{
    struct slice bytes = stream_peek(s);

    buf_put(b, bytes.data, bytes.len);
    stream_consume(s, bytes.len);
}

static void
client_connected(struct stream *s, void *f_)
{
    struct fixture *f = f_;

    f->connected = true;
    if (f->hang_up) {
        stream_close(s);
        f->client = NULL;
    }
}

static void
client_readable(struct stream *s, void *f_)
{
    struct fixture *f = f_;

    take(s, &f->at_client);
    if (f->at_client.len >= f->stop_at_client) {
        loop_stop(f->loop, 0);
    }
}

static void
client_closed(struct stream *s, int error, void *f_)
{
    struct fixture *f = f_;

    f->client_error = error;
    f->client_closed = true;
    stream_close(s);
    f->client = NULL;
    loop_stop(f->loop, 0);
}

static void
server_readable(struct stream *s, void *f_)
{
    struct fixture *f = f_;
    struct slice bytes = stream_peek(s);

    stream_send(s, bytes.data, bytes.len);
    take(s, &f->at_server);
    if (f->at_server.len >= f->stop_at_server) {
        loop_stop(f->loop, 0);
    }
}

static void
server_closed(struct stream *s, int error, void *f_)
{
    struct fixture *f = f_;

    f->server_error = error;
    f->server_closed = true;
    stream_close(s);
    f->server = NULL;
    loop_stop(f->loop, 0);
}

static const struct stream_ops client_ops = {client_connected, client_readable, NULL, client_closed};
static const struct stream_ops server_ops = {NULL, server_readable, NULL, server_closed};

static void
accepted(struct stream *s, void *f_)
{
    struct fixture *f = f_;

    f->server = s;
    stream_set_ops(s, &server_ops, f);
}

/* Leaves what it gets where it is. */
static void
server_full(struct stream *s, void *f_)
{
    struct fixture *f = f_;

    if (stream_peek(s).len >= f->stop_at_server) {
        loop_stop(f->loop, 0);
    }
}

static void
accepted_bounded(struct stream *s, void *f_)
{
    static const struct stream_ops ops = {NULL, server_full, NULL, server_closed};
    struct fixture *f = f_;

    f->server = s;
    stream_set_ops(s, &ops, f);
    stream_watermarks(s, 0, f->stop_at_server);
}

static void
fixture_open(struct fixture *f)
{
    *f = (struct fixture){.loop = loop_create(), .stop_at_client = SIZE_MAX, .stop_at_server = SIZE_MAX};
    f->deadline = loop_timer_add(f->loop, too_late, NULL);
    loop_timer_set(f->deadline, 20000);
}

static void
fixture_close(struct fixture *f)
{
    stream_close(f->client);
    stream_close(f->server);
    stream_listener_close(f->listener);
    loop_timer_del(f->deadline);
    buf_free(&f->at_client);
    buf_free(&f->at_server);
    loop_destroy(f->loop);
}

/* A million bytes there and back, then the client goes. */
static void
echo_over(const char *listen_name, const char *connect_fmt)
{
    enum { N = 1000000 };
    struct fixture f;
    char *bytes = xmalloc(N), *name, *error;

    fixture_open(&f);
    assert_int_equal(stream_listen(f.loop, listen_name, 0, accepted, &f, &f.listener, &error), 0);
    name = strchr(connect_fmt, '@') ? xasprintf("%.*s%u", (int) strcspn(connect_fmt, "@"), connect_fmt,
                                                stream_listener_port(f.listener))
                                    : xstrdup(connect_fmt);
    assert_int_equal(stream_connect(f.loop, name, 0, &client_ops, &f, &f.client, &error), 0);
    for (int i = 0; i < N; i++) {
        bytes[i] = (char) (i * 7 + i / 251);
    }
    stream_send(f.client, bytes, N);
    assert_int_equal(stream_backlog(f.client), N);
    f.stop_at_client = N;
    loop_run(f.loop);
    assert_true(f.connected);
    assert_int_equal(f.at_client.len, N);
    assert_memory_equal(f.at_client.data, bytes, N);

    stream_close(f.client);
    f.client = NULL;
    loop_run(f.loop);
    assert_true(f.server_closed);
    assert_int_equal(f.server_error, 0);
    fixture_close(&f);
    free(bytes);
    free(name);
}

static void
test_unix(void **state)
{
    echo_over("punix:a.sock", "unix:a.sock");
    assert_int_equal(access(path_of("a.sock"), F_OK), -1); /* Removed by the listener. */
}

static void
test_tcp(void **state)
{
    echo_over("ptcp:0:127.0.0.1", "tcp:127.0.0.1:@");
    echo_over("ptcp:0:127.0.0.1", "tcp:localhost:@");
}

static void
test_long_unix_path(void **state)
{
    char deep[400];

    snprintf(deep, sizeof deep, "%s/%0100d", dir, 1);
    mkdir(deep, 0700);
    snprintf(deep, sizeof deep, "punix:%s/%0100d/s", dir, 1);
    echo_over(deep, deep + 1);
}

static void
test_bad_names(void **state)
{
    static const char *const bad[] = {
        "tcp:",          "tcp:1.2.3.4", "tcp::80", "tcp:[::1", "tcp:1.2.3.4:x", "tcp:1.2.3.4:65536",
        "udp:1.2.3.4:5", "unix:",       "",        "ptcp:80",  "tcp:1.2.3.4:0", "tcp:1.2.3.4:0x10"};
    struct fixture f;
    char *error;

    fixture_open(&f);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(stream_connect(f.loop, bad[i], 0, &client_ops, &f, &f.client, &error), -EINVAL);
        assert_true(error[0]);
        free(error);
    }
    assert_int_equal(stream_listen(f.loop, "ptcp:0:nosuchhost", 0, accepted, &f, &f.listener, &error),
                     -EINVAL);
    free(error);
    assert_int_equal(stream_connect(f.loop, "unix:nobody", 0, &client_ops, &f, &f.client, &error), 0);
    loop_run(f.loop);
    assert_int_equal(f.client_error, -ENOENT);
    assert_true(stream_name_is_active("ssl:x:1"));
    assert_false(stream_name_is_active("pssl:1"));
    assert_true(stream_name_is_passive("punix:x"));
    fixture_close(&f);
}

static void
test_refused(void **state)
{
    struct fixture f;
    uint16_t port;
    char *name, *error;

    fixture_open(&f);
    assert_int_equal(stream_listen(f.loop, "ptcp:0:127.0.0.1", 0, accepted, &f, &f.listener, &error), 0);
    port = stream_listener_port(f.listener);
    stream_listener_close(f.listener);
    f.listener = NULL;
    name = xasprintf("tcp:127.0.0.1:%u", port);
    assert_int_equal(stream_connect(f.loop, name, 0, &client_ops, &f, &f.client, &error), 0);
    loop_run(f.loop);
    assert_true(f.client_closed);
    assert_int_equal(f.client_error, -ECONNREFUSED);
    free(name);
    fixture_close(&f);
}

static void
test_abandoned_socket(void **state)
{
    struct stream_listener *second;
    struct fixture f;
    char *error, *old;

    fixture_open(&f);
    assert_int_equal(stream_listen(f.loop, "punix:b.sock", 0, accepted, &f, &f.listener, &error), 0);
    assert_int_equal(stream_listen(f.loop, "punix:b.sock", 0, accepted, &f, &second, &error), -EADDRINUSE);
    free(error);
    /* As after a crash: the file is there and nobody behind it. */
    old = xstrdup(path_of("b.sock"));
    rename(old, path_of("c.sock"));
    free(old);
    fixture_close(&f);
    fixture_open(&f);
    assert_int_equal(access(path_of("c.sock"), F_OK), 0);
    assert_int_equal(stream_listen(f.loop, "punix:c.sock", 0, accepted, &f, &f.listener, &error), 0);
    fixture_close(&f);
}

/* A key and a certificate for it, signed by 'issuer' (itself, if NULL), in NAME-key.pem and NAME-cert.pem. */
static EVP_PKEY *
make_certificate(const char *name, EVP_PKEY *issuer_key, X509 *issuer, X509 **certificatep)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_get_subject_name(certificate);
    char file[64];
    FILE *stream;

    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), issuer ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *) name, -1, -1, 0);
    X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject);
    X509_set_pubkey(certificate, key);
    if (!issuer) {
        X509_EXTENSION *ca = X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");

        X509_add_ext(certificate, ca, -1);
        X509_EXTENSION_free(ca);
    }
    X509_sign(certificate, issuer ? issuer_key : key, EVP_sha256());

    snprintf(file, sizeof file, "%s-key.pem", name);
    stream = fopen(path_of(file), "w");
    PEM_write_PrivateKey(stream, key, NULL, NULL, 0, NULL, NULL);
    fclose(stream);
    snprintf(file, sizeof file, "%s-cert.pem", name);
    stream = fopen(path_of(file), "w");
    PEM_write_X509(stream, certificate);
    fclose(stream);
    *certificatep = certificate;
    return key;
}

/* Configures TLS with the key and certificate 'name', verified against the file 'ca'. */
static void
use_keys(const char *name, const char *ca, bool bootstrap)
{
    struct stream_tls tls = {.bootstrap_ca_cert = bootstrap};
    char *error = NULL;

    tls.private_key = xasprintf("%s/%s-key.pem", dir, name);
    tls.certificate = xasprintf("%s/%s-cert.pem", dir, name);
    tls.ca_cert = xasprintf("%s/%s", dir, ca);
    tls.peer_ca_cert = xasprintf("%s/ca-cert.pem", dir);
    assert_int_equal(stream_tls_configure(&tls, &error), 0);
    free(tls.private_key);
    free(tls.certificate);
    free(tls.ca_cert);
    free(tls.peer_ca_cert);
}

/* The error with which the client of a TLS connection ends. */
static int
tls_connection_fails(void)
{
    struct fixture f;
    char *name, *error;
    int result;

    fixture_open(&f);
    assert_int_equal(stream_listen(f.loop, "pssl:0:127.0.0.1", 0, accepted, &f, &f.listener, &error), 0);
    name = xasprintf("ssl:127.0.0.1:%u", stream_listener_port(f.listener));
    assert_int_equal(stream_connect(f.loop, name, 0, &client_ops, &f, &f.client, &error), 0);
    do {
        loop_run(f.loop);
    } while (!f.client_closed);
    result = f.client_error;
    free(name);
    fixture_close(&f);
    return result;
}

static void
test_tls(void **state)
{
    struct stream_tls none = {0};
    X509 *ca, *other_ca, *leaf;
    EVP_PKEY *ca_key = make_certificate("ca", NULL, NULL, &ca);
    EVP_PKEY *other_key = make_certificate("other", NULL, NULL, &other_ca);
    EVP_PKEY *leaf_key = make_certificate("leaf", ca_key, ca, &leaf);
    char *error;

    log_set("off", &error);
    assert_int_equal(tls_connection_fails(), -ENOPROTOOPT);
    use_keys("leaf", "ca-cert.pem", false);
    echo_over("pssl:0:127.0.0.1", "ssl:127.0.0.1:@");
    use_keys("leaf", "other-cert.pem", false);
    assert_int_equal(tls_connection_fails(), -EPROTO);
    use_keys("leaf", "taken.pem", true);
    assert_int_equal(tls_connection_fails(),
                     -EPROTO); /* The CA certificate was taken; from now on it is verified. */
    assert_int_equal(access(path_of("taken.pem"), R_OK), 0);
    echo_over("pssl:0:127.0.0.1", "ssl:127.0.0.1:@");

    assert_int_equal(stream_tls_configure(&none, &error), 0);
    X509_free(ca);
    X509_free(other_ca);
    X509_free(leaf);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(other_key);
    EVP_PKEY_free(leaf_key);
    log_set("info", &error);
}

/* What is no TLS at all ends the connection, and so does a peer that hangs up in the handshake. */
static void
test_tls_garbage(void **state)
{
    static const char *const greetings[] = {"GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01\xff\xff", ""};
    X509 *ca;
    EVP_PKEY *key = make_certificate("ca", NULL, NULL, &ca);
    struct stream_tls none = {0};
    char *error;

    log_set("off", &error);
    use_keys("ca", "ca-cert.pem", false);
    for (size_t i = 0; i < ARRAY_SIZE(greetings); i++) {
        struct fixture f;
        char *name;

        fixture_open(&f);
        assert_int_equal(stream_listen(f.loop, "pssl:0:127.0.0.1", 0, accepted, &f, &f.listener, &error), 0);
        name = xasprintf("tcp:127.0.0.1:%u", stream_listener_port(f.listener));
        assert_int_equal(stream_connect(f.loop, name, 0, &client_ops, &f, &f.client, &error), 0);
        stream_send(f.client, greetings[i], strlen(greetings[i]));
        if (i) {
            f.hang_up = true;
        }
        while (!f.server_closed) {
            loop_run(f.loop);
        }
        assert_int_not_equal(f.server_error, 0);
        assert_int_equal(f.at_server.len, 0);
        free(name);
        fixture_close(&f);
    }
    assert_int_equal(stream_tls_configure(&none, &error), 0);
    X509_free(ca);
    EVP_PKEY_free(key);
    log_set("info", &error);
}

/* A side that does not read makes the other's backlog grow, not its own memory. */
static void
test_back_pressure(void **state)
{
    enum { N = 8 * 1024 * 1024, HIGH = 65536 };
    char *bytes = xzalloc(N), *error;
    struct fixture f;

    fixture_open(&f);
    assert_int_equal(stream_listen(f.loop, "punix:p.sock", 0, accepted_bounded, &f, &f.listener, &error), 0);
    assert_int_equal(stream_connect(f.loop, "unix:p.sock", 0, &client_ops, &f, &f.client, &error), 0);
    f.stop_at_server = HIGH;
    stream_send(f.client, bytes, N);
    loop_run(f.loop);
    assert_true(stream_backlog(f.client) > N / 2);
    assert_in_range(stream_peek(f.server).len, HIGH, 4 * HIGH);

    stream_set_ops(f.server, &server_ops, &f);
    stream_watermarks(f.server, 0, 0);
    f.stop_at_server = N;
    loop_run(f.loop);
    assert_int_equal(f.at_server.len, N);
    free(bytes);
    fixture_close(&f);
}

/* A peer of its own thread that sends request after request and waits for each answer. */
struct conversation {
    struct fixture f;
    unsigned n_others; /* What others did meanwhile. */
    struct loop_timer *other;
    bool wrong;        /* An answer is not its request. */
};
#define N_REQUESTS 1000

static void
other_due(void *conversation)
{
    struct conversation *c = conversation;

    c->n_others++;
    loop_timer_set(c->other, 0);
}

/* Writes the request, in pieces that the other end may see one by one, and reads as much. */
static bool
ask(int fd, const char *request, char *answer, size_t len)
{
    for (size_t sent = 0, n; sent < len; sent += n) {
        n = sent ? len - sent : (len + 1) / 2;
        if (send(fd, request + sent, n, MSG_NOSIGNAL) != (ssize_t) n) {
            return false;
        }
    }
    return recv(fd, answer, len, MSG_WAITALL) == (ssize_t) len;
}

static void *
ask_many(void *conversation)
{
    enum { LONGEST = 100000 };
    struct conversation *c = conversation;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char *request = xmalloc(LONGEST), *answer = xmalloc(LONGEST);

    memcpy(address.sun_path, path_of("q.sock"), strlen(path_of("q.sock")) + 1);
    c->wrong = connect(fd, (struct sockaddr *) &address, sizeof address) != 0;
    for (unsigned i = 0; i < N_REQUESTS && !c->wrong; i++) {
        size_t len = i % 100 == 99 ? LONGEST : 1 + i % 80;

        memset(request, (int) i, len);
        c->wrong = !ask(fd, request, answer, len) || memcmp(request, answer, len);
    }
    close(fd);
    free(request);
    free(answer);
    return NULL;
}

/* Whoever asks without end is answered, but does not keep the loop from others. */
static void
test_prompt_peer(void **state)
{
    struct conversation c = {.wrong = false};
    struct fixture *f = &c.f;
    pthread_t peer;
    char *error;

    fixture_open(f);
    assert_int_equal(stream_listen(f->loop, "punix:q.sock", 0, accepted, f, &f->listener, &error), 0);
    c.other = loop_timer_add(f->loop, other_due, &c);
    loop_timer_set(c.other, 0);
    assert_int_equal(pthread_create(&peer, NULL, ask_many, &c), 0);
    loop_run(f->loop);
    pthread_join(peer, NULL);
    assert_false(c.wrong);
    assert_true(f->server_closed);
    assert_int_equal(f->server_error, 0);
    assert_true(c.n_others >= N_REQUESTS / 64);
    loop_timer_del(c.other);
    fixture_close(f);
}

static void
count_json(json_t *json, void *n)
{
    json_decref(json);
    ++*(unsigned *) n;
}

static void
test_splitter(void **state)
{
    static const char text[] = " {\"a\":\"}{\\\"\",\"b\":[[1],{}]}\n[]{\"c\":1} [\"x";
    struct json_splitter s = {0};

    /* However the stream is cut, it is the same three values. */
    for (size_t cut = 1; cut < sizeof text; cut++) {
        unsigned n = 0;

        for (size_t at = 0; at < sizeof text - 1; at += cut) {
            assert_int_equal(json_splitter_feed(&s, slice_of(text + at, MIN(cut, sizeof text - 1 - at)), 100,
                                                count_json, &n),
                             0);
        }
        assert_int_equal(n, 3);
        json_splitter_clear(&s);
    }
    unsigned n = 0;

    assert_int_equal(json_splitter_feed(&s, slice_of("3", 1), 100, count_json, &n), -EPROTO);
    json_splitter_clear(&s);
    assert_int_equal(json_splitter_feed(&s, slice_of("[1}", 3), 100, count_json, &n), -EPROTO);
    json_splitter_clear(&s);
    assert_int_equal(json_splitter_feed(&s, slice_of("[1,2,3,", 7), 6, count_json, &n), -EMSGSIZE);
    json_splitter_clear(&s);
    assert_int_equal(n, 0);
}

/* A client of the control socket. */
struct caller {
    struct loop *loop;
    struct jsonrpc *rpc;
    char *result, *error;
    unsigned n_replies;
    int closed;
    struct appctl_request *deferred;
};

static void
caller_connected(struct jsonrpc *rpc, void *c)
{
}

static void
caller_received(struct jsonrpc *rpc, struct jsonrpc_msg *m, void *c_)
{
    struct caller *c = c_;

    free(c->result);
    free(c->error);
    c->result =
        m->type == JSONRPC_REPLY && json_is_string(m->result) ? xstrdup(json_string_value(m->result)) : NULL;
    c->error = m->type == JSONRPC_ERROR ? xstrdup(json_string_value(m->error)) : NULL;
    c->n_replies++;
    loop_stop(c->loop, 0);
}

static void
caller_closed(struct jsonrpc *rpc, int error, void *c_)
{
    struct caller *c = c_;

    c->closed = error ? error : 1;
    jsonrpc_close(rpc);
    c->rpc = NULL;
    loop_stop(c->loop, 0);
}

static void
defer(struct appctl_request *request, int argc, const char *argv[], void *c_)
{
    struct caller *c = c_;

    c->deferred = request;
    loop_stop(c->loop, 0);
}

static void
caller_connect(struct caller *c)
{
    static const struct jsonrpc_ops ops = {caller_connected, caller_received, caller_closed};
    struct stream *stream;
    char *error;

    c->closed = 0;
    assert_int_equal(stream_connect(c->loop, "unix:test.ctl", 0, NULL, NULL, &stream, &error), 0);
    c->rpc = jsonrpc_create(stream, 100000, &ops, c);
}

static void
test_appctl(void **state)
{
    struct caller c = {.loop = loop_create()};
    struct loop_timer *deadline = loop_timer_add(c.loop, too_late, NULL);
    struct appctl *server;
    const char *version[] = {"version"}, *nosuch[] = {"nosuch"};
    bool failed;
    char *text;

    loop_timer_set(deadline, 20000);
    appctl_register_commands();
    log_register_commands();
    appctl_register("defer", "", 0, 0, defer, &c);
    assert_int_equal(appctl_open(c.loop, "test.ctl", &server), 0);
    caller_connect(&c);

    jsonrpc_request(c.rpc, "version", json_array(), json_integer(1));
    loop_run(c.loop);
    text = appctl_run(1, version, &failed);
    assert_false(failed);
    assert_string_equal(c.result, text);
    free(text);
    text = appctl_run(1, nosuch, &failed);
    assert_true(failed);
    free(text);

    jsonrpc_request(c.rpc, "version", json_pack("[s]", "x"), json_integer(2));
    loop_run(c.loop);
    assert_string_equal(c.error, "\"version\" command takes at most 0 arguments\n");
    jsonrpc_request(c.rpc, "vlog/set", json_pack("[i]", 1), json_integer(3));
    loop_run(c.loop);
    assert_string_equal(c.error, "\"vlog/set\" command has non-string argument\n");
    jsonrpc_request(c.rpc, "echo", json_array(), json_integer(4));
    loop_run(c.loop);
    assert_int_equal(c.n_replies, 4);

    /* Whoever goes before the answer does no harm. */
    jsonrpc_request(c.rpc, "defer", json_array(), json_integer(5));
    loop_run(c.loop);
    jsonrpc_notify(c.rpc, "version", json_array());
    loop_run(c.loop);
    assert_int_equal(c.closed, 1);
    appctl_reply(c.deferred, "late");

    /* Garbage ends the connection. */
    caller_connect(&c);
    stream_send(jsonrpc_stream(c.rpc), "{\"id\":}", 8);
    loop_run(c.loop);
    assert_int_equal(c.closed, 1);

    /* Who is still unanswered at the end is told. */
    caller_connect(&c);
    jsonrpc_request(c.rpc, "defer", json_array(), json_integer(6));
    loop_run(c.loop);
    appctl_close(server);
    loop_run(c.loop);
    assert_string_equal(c.error, "the daemon is exiting\n");

    jsonrpc_close(c.rpc);
    free(c.result);
    free(c.error);
    appctl_unregister_all();
    loop_timer_del(deadline);
    loop_destroy(c.loop);
}

static int
make_dir(void **state)
{
    if (!mkdtemp(dir)) {
        return -1;
    }
    log_init();
    log_set_syslog_method("null");
    return setenv("OVS_RUNDIR", dir, 1);
}

static int
remove_dir(void **state)
{
    char *command = xasprintf("rm -r %s", dir);
    int result = system(command);

    free(command);
    return result;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_long_unix_path),
        cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_abandoned_socket),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_garbage),
        cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_prompt_peer),
        cmocka_unit_test(test_splitter),
        cmocka_unit_test(test_appctl),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
