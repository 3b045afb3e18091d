// SPDX-License-Identifier: Apache-2.0
#include <config.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib/base/buf.h"
#include "lib/base/dirs.h"
#include "lib/base/log.h"
#include "lib/base/version.h"
#include "vswitchd/options.h"

/* What an option does: sets a bool, keeps its argument, or calls a function. */
enum effect { FLAG, TEXT, CALL };

struct row {
    const char *name;
    char letter;  /* 0: none. */
    int argument; /* no_argument, required_argument, optional_argument. */
    enum effect effect;
    size_t offset; /* Of the bool or the char * in struct options. */
    void (*call)(struct options *, const char *argument);
};

static void show_help(struct options *, const char *);

static void
show_version(struct options *o, const char *argument)
{
    char *text = version_text();

    fputs(text, stdout);
    exit(EXIT_SUCCESS);
}

static void
refuse_dpdk(struct options *o, const char *argument)
{
    fatal(EXIT_FAILURE, 0, "Using --dpdk to configure DPDK is not supported.");
}

static void
set_pidfile(struct options *o, const char *argument)
{
    free((char *) o->daemon.pidfile);
    o->daemon.pidfile = xstrdup(argument ? argument : "");
}

static void
set_user(struct options *o, const char *argument)
{
    free((char *) o->daemon.user);
    o->daemon.user = xstrdup(argument);
}

static void
set_verbosity(struct options *o, const char *argument)
{
    char *error;

    if (log_set(argument ? argument : "dbg", &error)) {
        fatal(EXIT_FAILURE, 0, "processing \"%s\": %s", argument, error);
    }
}

static void
set_log_file(struct options *o, const char *argument)
{
    char *name = xasprintf("%s.log", program_name());

    free(o->log_file);
    o->log_file = argument ? xstrdup(argument) : dirs_file_in(dirs_log(), name);
    free(name);
}

static void
set_syslog_method(struct options *o, const char *argument)
{
    log_set_syslog_method(argument);
}

static void
set_syslog_target(struct options *o, const char *argument)
{
    log_set_syslog_target(argument);
}

static void
set_bootstrap_ca(struct options *o, const char *argument)
{
    free(o->tls.ca_cert);
    o->tls.ca_cert = xstrdup(argument);
    o->tls.bootstrap_ca_cert = true;
}

static void
set_dummy(struct options *o, const char *argument)
{
    if (!argument) {
        o->dummy = DUMMY_ON;
    } else if (!strcmp(argument, "override")) {
        o->dummy = DUMMY_OVERRIDE_ALL;
    } else if (!strcmp(argument, "system")) {
        o->dummy = DUMMY_OVERRIDE_SYSTEM;
    } else {
        fatal(EXIT_FAILURE, 0, "%s: unknown dummy level", argument);
    }
}

/* The system's routes, which tests switch off, are not read anyway. */
static void
ignore(struct options *o, const char *argument)
{
}

#define AT(MEMBER) offsetof(struct options, MEMBER)

static const struct row rows[] = {
    {"help", 'h', no_argument, CALL, 0, show_help},
    {"version", 'V', no_argument, CALL, 0, show_version},
    {"mlockall", 0, no_argument, FLAG, AT(mlockall), NULL},
    {"unixctl", 0, required_argument, TEXT, AT(unixctl), NULL},
    {"detach", 0, no_argument, FLAG, AT(daemon.detach), NULL},
    {"monitor", 0, no_argument, FLAG, AT(daemon.monitor), NULL},
    {"no-chdir", 0, no_argument, FLAG, AT(daemon.no_chdir), NULL},
    {"pidfile", 0, optional_argument, CALL, 0, set_pidfile},
    {"overwrite-pidfile", 0, no_argument, FLAG, AT(daemon.overwrite_pidfile), NULL},
    {"user", 0, required_argument, CALL, 0, set_user},
    {"no-self-confinement", 0, no_argument, FLAG, AT(daemon.no_confinement), NULL},
    {"verbose", 'v', optional_argument, CALL, 0, set_verbosity},
    {"log-file", 0, optional_argument, CALL, 0, set_log_file},
    {"syslog-method", 0, required_argument, CALL, 0, set_syslog_method},
    {"syslog-target", 0, required_argument, CALL, 0, set_syslog_target},
    {"private-key", 'p', required_argument, TEXT, AT(tls.private_key), NULL},
    {"certificate", 'c', required_argument, TEXT, AT(tls.certificate), NULL},
    {"ca-cert", 'C', required_argument, TEXT, AT(tls.ca_cert), NULL},
    {"peer-ca-cert", 0, required_argument, TEXT, AT(tls.peer_ca_cert), NULL},
    {"bootstrap-ca-cert", 0, required_argument, CALL, 0, set_bootstrap_ca},
    {"ssl-protocols", 0, required_argument, TEXT, AT(tls.protocols), NULL},
    {"ssl-ciphers", 0, required_argument, TEXT, AT(tls.ciphers), NULL},
    {"dpdk", 0, optional_argument, CALL, 0, refuse_dpdk},
    {"enable-dummy", 0, optional_argument, CALL, 0, set_dummy},
    {"disable-system", 0, no_argument, FLAG, AT(disable_system), NULL},
    {"disable-system-route", 0, no_argument, CALL, 0, ignore},
};

/* An option without a letter answers to getopt_long() as this plus its row. */
#define LONG_ONLY 256

static const char help_head[] =
    "%s: Sluice, a virtual switch daemon in place of Open vSwitch's\n"
    "usage: %s [OPTIONS] [DATABASE]\n"
    "where DATABASE is a socket on which ovsdb-server is listening\n"
    "      (default: \"unix:%s/db.sock\").\n"
    "\n"
    "Active DATABASE connection methods:\n"
    "  tcp:HOST:PORT           PORT at remote HOST\n"
    "  ssl:HOST:PORT           SSL PORT at remote HOST\n"
    "  unix:FILE               Unix domain socket named FILE\n"
    "PKI configuration (required to use SSL):\n"
    "  -p, --private-key=FILE  file with private key\n"
    "  -c, --certificate=FILE  file with certificate for private key\n"
    "  -C, --ca-cert=FILE      file with peer CA certificate\n"
    "  --peer-ca-cert=FILE     file with CA certificates to send to peers\n"
    "  --bootstrap-ca-cert=FILE  file with peer CA certificate to read or create\n"
    "SSL options:\n"
    "  --ssl-protocols=PROTOS  list of SSL protocols to enable\n"
    "  --ssl-ciphers=CIPHERS   list of SSL ciphers to enable\n"
    "\n";

static const char help_daemon[] = "Daemon options:\n"
                                  "  --detach                run in background as daemon\n"
                                  "  --monitor               start the daemon again after a crash\n"
                                  "  --user=[USER][:GROUP]   run as another user, with few capabilities\n"
                                  "  --no-chdir              do not chdir to '/'\n"
                                  "  --pidfile[=FILE]        create pidfile (default: %s/%s.pid)\n"
                                  "  --overwrite-pidfile     with --pidfile, start even if already running\n"
                                  "  --mlockall              keep all memory in physical RAM\n"
                                  "\n";

static const char help_log[] = "Logging options:\n"
                               "  -vSPEC, --verbose=SPEC   set logging levels\n"
                               "  -v, --verbose            set maximum verbosity level\n"
                               "  --log-file[=FILE]        enable logging to specified FILE\n"
                               "                           (default: %s/%s.log)\n"
                               "  --syslog-method=(libc|null|unix:file|udp:ip:port)\n"
                               "                           specify how to send messages to syslog daemon\n"
                               "  --syslog-target=HOST:PORT  also send syslog msgs to HOST:PORT via UDP\n"
                               "\n"
                               "Other options:\n"
                               "  --unixctl=SOCKET          override default control socket name\n"
                               "  -h, --help                display this help message\n"
                               "  -V, --version             display version information\n";

static void
show_help(struct options *o, const char *argument)
{
    printf(help_head, program_name(), program_name(), dirs_run());
    printf(help_daemon, dirs_run(), program_name());
    printf(help_log, dirs_log(), program_name());
    exit(EXIT_SUCCESS);
}

static const struct row *
row_of(int answer)
{
    if (answer >= LONG_ONLY) {
        return &rows[answer - LONG_ONLY];
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].letter == answer) {
            return &rows[i];
        }
    }
    return NULL;
}

static void
apply(struct options *o, const struct row *row, const char *argument)
{
    char *member = (char *) o + row->offset;

    if (row->effect == FLAG) {
        *(bool *) member = true;
    } else if (row->effect == CALL) {
        row->call(o, argument);
    } else {
        char **text = (char **) (void *) member;

        free(*text);
        *text = xstrdup(argument);
    }
}

/* The tables of getopt_long(3). */
static void
make_getopt_tables(struct option *longs, struct buf *letters)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *row = &rows[i];

        longs[i] =
            (struct option){row->name, row->argument, NULL, row->letter ? row->letter : LONG_ONLY + (int) i};
        if (row->letter) {
            buf_putc(letters, row->letter);
            buf_puts(letters, row->argument == no_argument         ? ""
                              : row->argument == required_argument ? ":"
                                                                   : "::");
        }
    }
}

void
options_parse(struct options *o, int argc, char *argv[])
{
    struct option longs[ARRAY_SIZE(rows) + 1] = {{0}};
    char *real_name = argv[0];
    struct buf letters = BUF_EMPTY;
    int answer;

    *o = (struct options){0};
    make_getopt_tables(longs, &letters);
    argv[0] = (char *) program_name(); /* In front of getopt's messages. */
    while ((answer = getopt_long(argc, argv, buf_text(&letters), longs, NULL)) != -1) {
        const struct row *row = row_of(answer);

        if (!row) {
            exit(EXIT_FAILURE); /* getopt said why. */
        }
        apply(o, row, optarg);
    }
    argv[0] = real_name;
    buf_free(&letters);
    if (argc - optind > 1) {
        fatal(EXIT_FAILURE, 0, "at most one non-option argument accepted; use --help for usage");
    }
    if (o->daemon.detach) {
        log_console_limit(LOG_LEVEL_WARN); /* In good health a daemon starts in silence. */
    }
    if (o->log_file && log_open_file(o->log_file)) {
        exit(EXIT_FAILURE); /* The log said why. */
    }
    o->database = argc > optind ? xstrdup(argv[optind]) : xasprintf("unix:%s/db.sock", dirs_run());
}

void
options_free(struct options *o)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].effect == TEXT) {
            free(*(char **) (void *) ((char *) o + rows[i].offset));
        }
    }
    free((char *) o->daemon.pidfile);
    free((char *) o->daemon.user);
    free(o->log_file);
    free(o->database);
    *o = (struct options){0};
}
