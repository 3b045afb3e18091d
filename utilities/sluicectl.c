// SPDX-License-Identifier: Apache-2.0
// sluicectl: asks the running daemon, over its control socket, what ovs-appctl does not show.
#include <config.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/dirs.h"
#include "lib/base/jsonrpc.h"
#include "lib/base/log.h"

#define MAX_REPLY (256u << 20)
#define TIMEOUT_MS 30000

static const struct {
    const char *name;      /* What the user types. */
    const char *method;    /* The daemon's command. */
    const char *arguments, *help;
} subcommands[] = {
    {"flows", "sluice/flows", "[--json]", "every megaflow: where it runs, and why not lower"},
    {"offload", "sluice/offload", "[--json]", "how many flows run at each tier, and what keeps the others out"},
    {"capabilities", "sluice/capabilities", "[--json]", "what each tier of this host can match and do, and why not the rest"},
    {"counters", "sluice/counters", "", "every event counter with what it counts"},
};

struct call {
    struct loop *loop;
    const char *method;
    int argc;
    char **argv;
    char *path; /* The control socket. */
    bool connected;
};

static void
usage(void)
{
    printf("sluicectl: asks a running sluice-vswitchd (in ovs-vswitchd's place)\nusage: sluicectl [-t TARGET] COMMAND [ARG...]\n\nCommands:\n");
    for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++) {
        printf("  %-13s %-9s %s\n", subcommands[i].name, subcommands[i].arguments, subcommands[i].help);
    }
    printf("\nOptions:\n"
           "  -t, --target=TARGET  control socket, or name of a pidfile's program [ovs-vswitchd]\n"
           "  -h, --help           this text\n"
           "  -V, --version        the version\n");
}

static void
on_connected(struct jsonrpc *rpc, void *call_)
{
    struct call *call = call_;
    json_t *params = json_array();

    call->connected = true;
    for (int i = 0; i < call->argc; i++) {
        json_array_append_new(params, json_string(call->argv[i]));
    }
    jsonrpc_request(rpc, call->method, params, json_integer(0));
}

static void
on_received(struct jsonrpc *rpc, struct jsonrpc_msg *msg, void *call_)
{
    struct call *call = call_;

    if (msg->type == JSONRPC_REPLY && json_is_string(msg->result)) {
        fputs(json_string_value(msg->result), stdout);
        loop_stop(call->loop, EXIT_SUCCESS);
    } else {
        const char *why = json_string_value(msg->error);

        fprintf(stderr, "sluicectl: %s\n", why ? why : "the daemon's answer is none");
        loop_stop(call->loop, 2);
    }
}

static void
on_closed(struct jsonrpc *rpc, int error, void *call_)
{
    struct call *call = call_;

    if (!call->connected) {
        fatal(EXIT_FAILURE, error, "cannot connect to \"%s\"", call->path);
    }
    fprintf(stderr, "sluicectl: the daemon closed the connection%s%s\n", error ? ": " : "", error ? errno_text(error) : "");
    loop_stop(call->loop, EXIT_FAILURE);
}

static void
on_timeout(void *call_)
{
    struct call *call = call_;

    fprintf(stderr, "sluicectl: no answer within %d seconds\n", TIMEOUT_MS / 1000);
    loop_stop(call->loop, EXIT_FAILURE);
}

/* The control socket of a running daemon: 'target' itself if it is a path, else by its pidfile. */
static char *
socket_of(const char *target)
{
    char *pidfile, *path;
    long pid;
    FILE *f;

    if (strchr(target, '/')) {
        return xstrdup(target);
    }
    pidfile = xasprintf("%s/%s.pid", dirs_run(), target);
    f = fopen(pidfile, "r");
    if (!f || fscanf(f, "%ld", &pid) != 1) {
        fatal(EXIT_FAILURE, f ? 0 : errno, "cannot read pidfile \"%s\"", pidfile);
    }
    fclose(f);
    free(pidfile);
    path = xasprintf("%s/%s.%ld.ctl", dirs_run(), target, pid);
    return path;
}

static int
run(const char *target, struct call *call)
{
    static const struct jsonrpc_ops ops = {on_connected, on_received, on_closed};
    static const struct stream_ops none;
    char *name, *why = NULL;
    struct stream *stream;
    struct loop_timer *timer;
    struct jsonrpc *rpc;
    int error, status;

    call->path = socket_of(target);
    name = xasprintf("unix:%s", call->path);
    call->loop = loop_create();
    error = stream_connect(call->loop, name, 0, &none, NULL, &stream, &why);
    if (error) {
        fatal(EXIT_FAILURE, 0, "%s: %s", name, why);
    }
    rpc = jsonrpc_create(stream, MAX_REPLY, &ops, call);
    timer = loop_timer_add(call->loop, on_timeout, call);
    loop_timer_set(timer, TIMEOUT_MS);
    status = loop_run(call->loop);
    loop_timer_del(timer);
    jsonrpc_close(rpc);
    loop_destroy(call->loop);
    free(name);
    free(call->path);
    return status;
}

int
main(int argc, char *argv[])
{
    static const struct option options[] = {{"target", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
    const char *target = "ovs-vswitchd";
    struct call call = {0};
    int c;

    program_set_name("sluicectl");
    log_init();
    while ((c = getopt_long(argc, argv, "+t:hV", options, NULL)) != -1) {
        if (c == 't') {
            target = optarg;
        } else if (c == 'h') {
            usage();
            return EXIT_SUCCESS;
        } else if (c == 'V') {
            printf("sluicectl (Sluice) %s\n", PACKAGE_VERSION);
            return EXIT_SUCCESS;
        } else {
            return EXIT_FAILURE;
        }
    }
    for (size_t i = 0; optind < argc && i < ARRAY_SIZE(subcommands); i++) {
        if (!strcmp(argv[optind], subcommands[i].name)) {
            call.method = subcommands[i].method;
        }
    }
    if (!call.method) {
        fatal(EXIT_FAILURE, 0, optind < argc ? "unknown command '%s'; use --help for help" : "missing command; use --help for help", argv[optind]);
    }
    call.argc = argc - optind - 1;
    call.argv = argv + optind + 1;
    return run(target, &call);
}
