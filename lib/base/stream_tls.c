// SPDX-License-Identifier: Apache-2.0
// The process's TLS keys. One SSL_CTX serves all connections; it is made again when a file it was made of has
// changed, at the next connection, so that renewed certificates need no restart. The old one lives on in its
// sessions (OpenSSL counts references).
#include <config.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/base/stream_private.h"

/* Enough of a file to see that it changed. */
struct stamp {
    struct timespec mtime;
    off_t size;
    ino_t inode;
};

enum { FILE_KEY, FILE_CERTIFICATE, FILE_CA, FILE_PEER_CA, N_FILES };

static struct {
    struct stream_tls config;
    SSL_CTX *ctx; /* NULL: no usable keys. */
    struct stamp stamps[N_FILES];
    bool bootstrapping; /* 'ctx' takes any peer, to get the CA certificate from it. */
} tls;

static const char *
file_name(int i)
{
    const struct stream_tls *c = &tls.config;
    const char *names[N_FILES] = {c->private_key, c->certificate, c->ca_cert, c->peer_ca_cert};

    return names[i];
}

static void
take_stamps(struct stamp stamps[N_FILES])
{
    for (int i = 0; i < N_FILES; i++) {
        struct stat st;

        memset(&stamps[i], 0, sizeof stamps[i]);
        if (file_name(i) && !stat(file_name(i), &st)) {
            stamps[i].mtime = st.st_mtim;
            stamps[i].size = st.st_size;
            stamps[i].inode = st.st_ino;
        }
    }
}

static bool
same_stamps(const struct stamp a[N_FILES], const struct stamp b[N_FILES])
{
    for (int i = 0; i < N_FILES; i++) {
        if (a[i].mtime.tv_sec != b[i].mtime.tv_sec || a[i].mtime.tv_nsec != b[i].mtime.tv_nsec ||
            a[i].size != b[i].size || a[i].inode != b[i].inode) {
            return false;
        }
    }
    return true;
}

const char *
stream_tls_error_text(unsigned long code)
{
    const char *reason =
        ERR_SYSTEM_ERROR(code) ? errno_text(ERR_GET_REASON(code)) : ERR_reason_error_string(code);

    return reason ? reason : "TLS error";
}

/* "WHAT FILE: reason" from OpenSSL's error queue, which is emptied. */
static char *
explain(const char *what, const char *file)
{
    unsigned long code = ERR_peek_error(); /* The first is the cause of the others. */
    char *text = xasprintf("%s %s: %s", what, file, code ? stream_tls_error_text(code) : "cannot be used");

    ERR_clear_error();
    return text;
}

static const struct {
    const char *name;
    uint64_t off; /* The option that forbids it. */
} protocols[] = {
    {"TLSv1", SSL_OP_NO_TLSv1},
    {"TLSv1.1", SSL_OP_NO_TLSv1_1},
    {"TLSv1.2", SSL_OP_NO_TLSv1_2},
    {"TLSv1.3", SSL_OP_NO_TLSv1_3},
};

/* What to forbid when only the protocols of 'list' are wanted. NULL or the error. */
static char *
parse_protocols(const char *list, uint64_t *off)
{
    char *copy = xstrdup(list), *rest = NULL, *error = NULL;
    uint64_t forbidden = 0, wanted = 0;

    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        forbidden |= protocols[i].off;
    }
    for (char *word = strtok_r(copy, " ,\t", &rest); word && !error; word = strtok_r(NULL, " ,\t", &rest)) {
        size_t i = 0;

        while (i < ARRAY_SIZE(protocols) && strcasecmp(word, protocols[i].name)) {
            i++;
        }
        if (i < ARRAY_SIZE(protocols)) {
            wanted |= protocols[i].off;
        } else {
            error = xasprintf("%s: SSL protocol not recognized", word);
        }
    }
    if (!error && !wanted) {
        error = xasprintf("SSL protocol settings invalid");
    }
    free(copy);
    if (!error) {
        *off = forbidden & ~wanted;
    }
    return error;
}

/* Adds every certificate of the peer-ca-cert file to the chain that is sent. */
static char *
add_chain(SSL_CTX *ctx, const char *file)
{
    FILE *stream = fopen(file, "re");
    X509 *certificate;

    if (!stream) {
        return xasprintf("peer CA certificate %s: %s", file, errno_text(errno));
    }
    while ((certificate = PEM_read_X509(stream, NULL, NULL, NULL)) != NULL) {
        SSL_CTX_add_extra_chain_cert(ctx, certificate); /* Takes it over. */
    }
    ERR_clear_error(); /* The end of the file is one. */
    fclose(stream);
    return NULL;
}

static char *
load_ca(SSL_CTX *ctx, bool *bootstrapping)
{
    const char *ca = tls.config.ca_cert;

    if (!strcmp(ca, "none")) {
        log_warn(LOG_stream_tls, "Peer certificate validation disabled (this is a security risk)");
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        return NULL;
    }
    if (tls.config.bootstrap_ca_cert && access(ca, F_OK) && errno == ENOENT) {
        *bootstrapping = true;
        SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
        return NULL;
    }
    if (SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1) {
        return explain("CA certificate", ca);
    }
    SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(ca));
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return NULL;
}

/* Puts the configuration into 'ctx'. NULL or the error. */
static char *
fill_context(SSL_CTX *ctx, bool *bootstrapping)
{
    static const unsigned char id[] = "sluice";
    const struct stream_tls *c = &tls.config;
    uint64_t off = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1;
    char *error = c->protocols ? parse_protocols(c->protocols, &off) : NULL;

    if (error) {
        return error;
    }
    /* No renegotiation: a peer could make us work for nothing. No sessions to resume: each connection is
     * verified. */
    SSL_CTX_set_options(ctx, off | SSL_OP_NO_SSLv3 | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_session_id_context(ctx, id, sizeof id);
    if (SSL_CTX_set_cipher_list(ctx, c->ciphers ? c->ciphers : "HIGH:!aNULL:!MD5") != 1) {
        return explain("SSL ciphers", c->ciphers);
    }
    if (SSL_CTX_use_PrivateKey_file(ctx, c->private_key, SSL_FILETYPE_PEM) != 1) {
        return explain("private key", c->private_key);
    }
    if (SSL_CTX_use_certificate_chain_file(ctx, c->certificate) != 1) {
        return explain("certificate", c->certificate);
    }
    if (SSL_CTX_check_private_key(ctx) != 1) {
        return explain("private key does not match certificate", c->certificate);
    }
    error = c->peer_ca_cert ? add_chain(ctx, c->peer_ca_cert) : NULL;
    return error ? error : load_ca(ctx, bootstrapping);
}

/* Which of the three that every connection needs is not configured, in the words of the log; NULL if all are.
 */
static const char *
what_is_missing(void)
{
    const struct stream_tls *c = &tls.config;

    return !c->private_key   ? "Private key must be configured to use SSL"
           : !c->certificate ? "Certificate must be configured to use SSL"
           : !c->ca_cert     ? "CA certificate must be configured to use SSL"
                             : NULL;
}

/* Makes the context anew out of the files. On failure the one we have stays. */
static int
rebuild(char **errorp)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    bool bootstrapping = false;
    char *error = ctx ? fill_context(ctx, &bootstrapping) : explain("TLS", "library");

    take_stamps(tls.stamps);
    if (error) {
        SSL_CTX_free(ctx);
        *errorp = error;
        return -EINVAL;
    }
    SSL_CTX_free(tls.ctx);
    tls.ctx = ctx;
    tls.bootstrapping = bootstrapping;
    return 0;
}

static void
replace(char **mine, const char *theirs)
{
    free(*mine);
    *mine = theirs && theirs[0] ? xstrdup(theirs) : NULL;
}

int
stream_tls_configure(const struct stream_tls *c, char **error)
{
    replace(&tls.config.private_key, c->private_key);
    replace(&tls.config.certificate, c->certificate);
    replace(&tls.config.ca_cert, c->ca_cert);
    replace(&tls.config.peer_ca_cert, c->peer_ca_cert);
    replace(&tls.config.protocols, c->protocols);
    replace(&tls.config.ciphers, c->ciphers);
    tls.config.bootstrap_ca_cert = c->bootstrap_ca_cert;
    SSL_CTX_free(tls.ctx);
    tls.ctx = NULL;
    if (what_is_missing()) {
        uint64_t off;

        *error = c->protocols ? parse_protocols(c->protocols, &off) : NULL;
        return *error ? -EINVAL : 0;
    }
    return rebuild(error);
}

int
stream_tls_session(const char *host, SSL **sslp)
{
    static struct log_limit limit = LOG_LIMIT(1, 5);
    struct stamp now[N_FILES];
    char *error;
    SSL *ssl;

    if (what_is_missing()) {
        log_err_rl(LOG_stream_tls, &limit, "%s", what_is_missing());
        return -ENOPROTOOPT;
    }
    take_stamps(now);
    if ((!tls.ctx || tls.bootstrapping || !same_stamps(now, tls.stamps)) && rebuild(&error)) {
        log_err_rl(LOG_stream_tls, &limit, "%s", error);
        free(error);
    }
    ssl = tls.ctx ? SSL_new(tls.ctx) : NULL;
    if (!ssl) {
        return -ENOPROTOOPT;
    }
    if (host && strchr(host, ':') == NULL && strspn(host, "0123456789.") < strlen(host)) {
        SSL_set_tlsext_host_name(ssl, host); /* RFC 6066 section 3: names only, no addresses. */
    }
    *sslp = ssl;
    return 0;
}

/* Writes 'certificate' to a new file. NULL or the error. */
static char *
save_certificate(X509 *certificate, const char *file)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    FILE *stream = fd < 0 ? NULL : fdopen(fd, "w");
    bool ok;

    if (!stream) {
        return xasprintf("could not bootstrap CA cert: creating %s failed: %s", file, errno_text(errno));
    }
    ok = PEM_write_X509(stream, certificate) == 1;
    ok = !fclose(stream) && ok;
    if (!ok) {
        unlink(file);
    }
    return ok ? NULL : xasprintf("could not bootstrap CA cert: writing %s failed", file);
}

int
stream_tls_bootstrap(SSL *ssl, const char *name)
{
    STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    X509 *last = chain && sk_X509_num(chain) ? sk_X509_value(chain, sk_X509_num(chain) - 1) : NULL;
    char *error;

    /* A session that was made to verify is none of ours, even if the file was removed since. */
    if (!tls.bootstrapping || SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE) {
        return 0;
    }
    if (!last || X509_NAME_cmp(X509_get_subject_name(last), X509_get_issuer_name(last))) {
        error =
            xasprintf("%s: could not bootstrap CA cert: the peer's chain ends in no CA certificate", name);
    } else {
        error = save_certificate(last, tls.config.ca_cert);
    }
    if (error) {
        log_err(LOG_stream_tls, "%s", error);
        free(error);
    } else {
        log_info(LOG_stream_tls, "successfully bootstrapped CA cert to %s", tls.config.ca_cert);
    }
    return -EPROTO;
}
